/**
 * Judges pages: `node lighthouse.mjs '{"modules", "chromium", "pages", "runs", "throttled"}'`. Each page's verdict is one line of JSON:
 * Lighthouse's figures of each run on its mobile profile, what axe-core finds in light and in dark, and how long after the navigation
 * began the policy had acted, with the processor four times slowed and the network of Lighthouse's "slow 4G".
 */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const { modules, chromium, pages, runs, throttled } = JSON.parse(process.argv[2]);
const from = createRequire(join(modules, "package.json"));
const bring = async (name) => import(pathToFileURL(from.resolve(name)).href);
const { default: lighthouse } = await bring("lighthouse");
const { launch } = await bring("chrome-launcher");
const { default: puppeteer } = await bring("puppeteer-core");
const axe = readFileSync(from.resolve("axe-core/axe.min.js"), "utf8");

const CATEGORIES = ["performance", "accessibility", "best-practices", "seo"];
const AUDITS = { first_paint_ms: "first-contentful-paint", largest_paint_ms: "largest-contentful-paint", blocked_ms: "total-blocking-time", shift: "cumulative-layout-shift" };
const LONGEST = 30_000; // ms until the policy must have acted

/** Notes when the policy of a page's demo has acted first. */
function watch() {
  const look = () => {
    const game = document.querySelector("minnow-demo")?.game;
    if (game?.ticks > 0 && game.driver(0) === 1) globalThis.acted = performance.now();
    else requestAnimationFrame(look);
  };
  look();
}

async function score(url, port) {
  const { lhr } = await lighthouse(url, { port, output: "json", logLevel: "error", onlyCategories: CATEGORIES });
  const scores = CATEGORIES.map((name) => [name, Math.round(100 * (lhr.categories[name].score ?? 0))]);
  const audits = Object.entries(AUDITS).map(([name, audit]) => [name, Number((lhr.audits[audit].numericValue ?? 0).toFixed(3))]);
  const wrong = CATEGORIES.slice(1).flatMap((name) => lhr.categories[name].auditRefs);
  const failed = wrong.map(({ id }) => lhr.audits[id]).filter((audit) => audit.score !== null && audit.score < 1);
  return { ...Object.fromEntries(scores), ...Object.fromEntries(audits), failed: failed.map((audit) => audit.id) };
}

async function violations(browser, url, scheme) {
  const page = await browser.newPage();
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  await page.goto(url, { waitUntil: "load" });
  await page.evaluate("document.querySelector('minnow-demo')?.ready");
  await page.evaluate(axe);
  const found = await page.evaluate("axe.run().then((all) => all.violations.map((one) => `${one.id}: ${one.nodes[0].target}`))");
  await page.close();
  return found.map((words) => `${scheme}: ${words}`);
}

async function firstAction(browser, url) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  await page.evaluateOnNewDocument(watch);
  await page.emulateCPUThrottling(throttled.processor);
  await page.emulateNetworkConditions({ download: throttled.bytes, upload: throttled.bytes / 2, latency: throttled.latency });
  await page.goto(url, { waitUntil: "load", timeout: LONGEST });
  const acted = await page.waitForFunction("globalThis.acted", { timeout: LONGEST }).then((handle) => handle.jsonValue());
  await context.close();
  return Math.round(acted);
}

const chrome = await launch({ chromePath: chromium, chromeFlags: ["--headless=new", "--no-sandbox", "--disable-gpu"], logLevel: "silent" });
try {
  const browser = await puppeteer.connect({ browserURL: `http://127.0.0.1:${chrome.port}` });
  for (const { url, plays } of pages) {
    const row = { url, runs: [], axe: [], first_action_ms: [] };
    for (let run = 0; run < runs; run += 1) {
      row.runs.push(await score(url, chrome.port));
      if (plays) row.first_action_ms.push(await firstAction(browser, url));
    }
    for (const scheme of ["light", "dark"]) row.axe.push(...(await violations(browser, url, scheme)));
    console.log(JSON.stringify(row));
  }
  await browser.disconnect();
} finally {
  chrome.kill();
}
