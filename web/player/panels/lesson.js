/** A lesson that the page's address carries (lesson/link.js); lesson/panel.js is loaded for it, and for nothing else. */

import { make } from "../dom.js";

/**
 * @param {import("../store.js").Store} store
 * @returns {import("../panels.js").Panel}
 */
export function lesson(store) {
  const element = make("section", { hidden: true, "aria-labelledby": "lesson-title" });
  let obeyed = "";
  const obey = async () => {
    const { hash } = location;
    const { host } = /** @type {ShadowRoot} */ (element.getRootNode());
    if (!host?.hasAttribute("standalone") || !hash.startsWith("#lesson=") || hash === obeyed) return;
    obeyed = hash;
    try {
      if (!store.parts.lesson) throw new Error("this page has no lessons.");
      const module = await import(store.parts.lesson);
      await module.begin(store, host, element, hash);
    } catch (error) {
      store.fail(error, [["Play without the lesson", () => ((store.fault = null), store.play())]]);
    }
  };
  window.addEventListener("hashchange", () => void obey());
  return { element, place: "main", settle: () => void obey() };
}
