/**
 * Visits pages with Debian's Firefox: `node firefox.mjs MODULES ADDRESS NAME...`. Of each page one line of JSON: what its console complained
 * of, and of a game that was watched, taken over, handed back, turned, gone back in and gone on with: its replay, and its hashes.
 */

import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, address, ...names] = process.argv.slice(2);
const from = createRequire(join(modules, "package.json"));
const { default: puppeteer } = await import(pathToFileURL(from.resolve("puppeteer-core")).href);

/** @param {string} script with `demo` and `game` */
const demo = (script) => `(async () => { const demo = document.querySelector("minnow-demo"), game = demo.game; ${script} })()`;

const browser = await puppeteer.launch({ browser: "firefox", executablePath: "/usr/bin/firefox-esr", headless: true });
try {
  for (const name of names) {
    const page = await browser.newPage();
    const complaints = [];
    page.on("console", (message) => ["error", "warn"].includes(message.type()) && complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(error.message));
    await page.goto(`${address}${name}.html`, { waitUntil: "load" });
    await page.evaluate(demo("await demo.ready"));
    const until = (condition) => page.evaluate(demo(`while (!(${condition})) await new Promise(requestAnimationFrame)`));
    const driver = () => page.evaluate(demo("return game.driver(0)"));
    await page.evaluate(demo("demo.pause(); demo.reset(4294967301); demo.play()"));
    await until("game.ticks > 30");
    const drivers = [await driver()];
    const key = await page.evaluate(demo("return demo.spec.control[0].keys[0]"));
    await page.keyboard.down(key);
    drivers.push(await driver());
    await until("game.ticks > 60");
    await page.keyboard.up(key);
    await page.keyboard.press("Escape");
    drivers.push(await driver());
    const cards = await page.evaluate(
      demo("const cards = [...demo.shadowRoot.querySelectorAll('details:not([hidden])')]; for (const card of cards) card.open = true; return cards.length"),
    );
    await until("game.ticks > 90");
    await page.evaluate(demo("demo.pause()"));
    await until("demo.shadowRoot.querySelectorAll('details .later > [role=status]').length === 0"); // all cards are loaded
    const played = await page.evaluate(demo("return { ticks: game.ticks, hash: game.hash(), replay: [...demo.replay()], fault: demo.store.fault && String(demo.store.fault.error) }"));
    const again = await page.evaluate(demo(`demo.seek(10); const early = game.hash(); demo.seek(${played.ticks}); return { early, late: game.hash() }`));
    console.log(JSON.stringify({ name, complaints, drivers, cards, ...played, ...again }));
    await page.close();
  }
} finally {
  await browser.close();
}
