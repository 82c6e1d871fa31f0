/** What every page does: it keeps the site usable without the network (see sw.js), and its menu closes by itself. */

// After the page has loaded: what is fetched for later must not delay what is wanted now.
const keep = () => void navigator.serviceWorker.register("sw.js");
if ("serviceWorker" in navigator) {
  if (document.readyState === "complete") keep();
  else window.addEventListener("load", keep, { once: true });
}

const menu = /** @type {HTMLDetailsElement | null} */ (document.querySelector("details.menu"));
document.addEventListener("click", ({ target }) => {
  if (menu?.open && target instanceof Node && !menu.contains(target)) menu.open = false;
});
menu?.addEventListener("keydown", ({ key }) => {
  if (key !== "Escape") return;
  menu.open = false;
  menu.querySelector("summary")?.focus();
});

export {};
