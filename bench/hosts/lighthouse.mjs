/**
 * Judges pages: `node lighthouse.mjs '{"modules", "chromium", "pages", "runs", "throttled"}'`. Each page's verdict is one line of JSON:
 * Lighthouse's figures of each run on its mobile profile, what axe-core finds in light and in dark, and how long after the navigation
 * began the policy had acted, with the processor four times slowed and the network of Lighthouse's "slow 4G". `busy_ms` is Lighthouse's
 * blocked time by the processor's clock, until a moment after the demo is ready: what else the machine does counts less in it.
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
const MOMENT = 1000; // ms

/** Notes the end of the frame's script in which the policy of a page's demo has acted first. */
function watch() {
  const ask = requestAnimationFrame;
  globalThis.requestAnimationFrame = (call) =>
    ask((now) => {
      call(now);
      const game = globalThis.acted ? null : document.querySelector("minnow-demo")?.game;
      if (game?.ticks > 0 && game.driver(0) === 1) globalThis.acted = performance.now();
    });
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

async function busy(browser, url) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  await page.emulateNetworkConditions({ download: throttled.bytes, upload: throttled.bytes / 2, latency: throttled.latency });
  await page.tracing.start({ categories: ["toplevel", "disabled-by-default-devtools.timeline", "devtools.timeline", "navigation", "blink.user_timing", "loading"] });
  await page.goto(url, { waitUntil: "load", timeout: LONGEST });
  await page.evaluate("document.querySelector('minnow-demo')?.ready");
  await new Promise((done) => setTimeout(done, MOMENT));
  const { traceEvents } = JSON.parse(new TextDecoder().decode(await page.tracing.stop()));
  await context.close();
  const start = traceEvents.find(({ name, args }) => name === "firstContentfulPaint" && args?.frame);
  const tasks = traceEvents.filter(({ name, pid, tid, ts }) => /RunTask$/.test(name) && pid === start.pid && tid === start.tid && ts >= start.ts);
  return Math.round(tasks.reduce((sum, { tdur = 0 }) => sum + Math.max(0, (tdur / 1000) * throttled.processor - 50), 0));
}

const chrome = await launch({ chromePath: chromium, chromeFlags: ["--headless=new", "--no-sandbox", "--disable-gpu"], logLevel: "silent" });
try {
  const browser = await puppeteer.connect({ browserURL: `http://127.0.0.1:${chrome.port}` });
  for (const { url, plays } of pages) {
    const row = { url, runs: [], axe: [], first_action_ms: [], busy_ms: [] };
    for (let run = 0; run < runs; run += 1) {
      row.runs.push(await score(url, chrome.port));
      row.busy_ms.push(await busy(browser, url));
      if (plays) row.first_action_ms.push(await firstAction(browser, url));
    }
    for (const scheme of ["light", "dark"]) row.axe.push(...(await violations(browser, url, scheme)));
    console.log(JSON.stringify(row));
  }
  await browser.disconnect();
} finally {
  chrome.kill();
}
