/** What every page does: it keeps the site usable without the network (see sw.js), and its menu closes by itself. */

import { idle } from "../player/clock.js";

/** After the page has loaded and its demo plays: what is fetched for later must not delay what is wanted now. */
async function keep() {
  if (document.readyState !== "complete") await new Promise((done) => window.addEventListener("load", done, { once: true }));
  await /** @type {any} */ (document.querySelector("minnow-demo"))?.ready;
  await idle();
  await navigator.serviceWorker.register("sw.js");
  const { active } = await navigator.serviceWorker.ready;
  active?.postMessage(performance.getEntriesByType("resource").map(({ name }) => name));
}

if ("serviceWorker" in navigator) void keep().catch(() => {}); // where the browser keeps nothing, the network stays

const menu = /** @type {HTMLDetailsElement | null} */ (document.querySelector("details.menu"));
document.addEventListener("click", ({ target }) => {
  if (menu?.open && target instanceof Node && !menu.contains(target)) menu.open = false;
});
menu?.addEventListener("keydown", ({ key }) => {
  if (key !== "Escape") return;
  menu.open = false;
  menu.querySelector("summary")?.focus();
});
