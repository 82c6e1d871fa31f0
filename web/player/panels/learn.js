/** Where a policy learns in the page: learn/panel.js, which is loaded when this is opened, or when the address is that of a training. */

import { make } from "../dom.js";

/** @typedef {import("../panels.js").Panel} Panel */
/** @typedef {Panel & {beside: HTMLElement, sheet: CSSStyleSheet}} Loaded with what stands below the picture, and their style */

/**
 * @param {import("../store.js").Store} store
 * @returns {Panel}
 */
export function learn(store) {
  const body = make("div", { className: "learn" });
  const element = make("details", { hidden: !store.learn }, make("summary", {}, "Learn it here"), body);
  /** @type {Loaded | null} */
  let panel = null;
  const load = async () => {
    if (body.firstChild || !store.learn) return;
    body.replaceChildren(make("p", { className: "note" }, "Loading …"));
    try {
      const kit = await (await fetch(store.learn)).json();
      for (const part of ["panel", "worker", "wasm"]) kit[part] = new URL(kit[part], store.learn).href;
      panel = /** @type {Loaded} */ ((await import(kit.panel)).open(store, kit));
      /** @type {ShadowRoot} */ (body.getRootNode()).adoptedStyleSheets.push(panel.sheet);
      body.replaceChildren(panel.element);
      element.closest(".demo")?.append(panel.beside);
    } catch (error) {
      body.replaceChildren();
      element.open = false;
      store.fail(error, [["Go on", () => ((store.fault = null), store.play())]]);
    }
  };
  element.addEventListener("toggle", () => {
    if (element.open) void load();
    if (panel) panel.beside.hidden = !element.open;
  });
  element.open = Boolean(store.learn) && location.hash.startsWith(`#learn=${store.spec.name}&`);
  return { element, settle: (game) => panel?.settle?.(game), frame: (game) => panel?.frame?.(game) };
}
