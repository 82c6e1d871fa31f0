/**
 * A card whose contents are a module of their own, web/player/NAME/panel.js, loaded when the card is opened: what is not open costs a
 * visit nothing. The module exports `open(store)`.
 */

import { make } from "./dom.js";

/** @typedef {import("./panels.js").Panel} Panel @typedef {import("./store.js").Store} Store */
/**
 * @typedef {Panel & {beside?: HTMLElement, sheet?: CSSStyleSheet, shown?: (open: boolean) => void}} Loaded `beside`: what stands below the
 *   picture while the card is open; `sheet`: their style; `shown`: called when the card is opened and when it is closed
 */

/**
 * @param {Store} store
 * @param {string} name of the folder
 * @param {string} title
 * @param {(module: any) => Loaded | Promise<Loaded>} made from the module
 * @returns {Panel & {element: HTMLDetailsElement}} hidden where this site has no such part
 */
export function later(store, name, title, made = (module) => module.open(store)) {
  const body = make("div", { className: `later ${name}` });
  const element = make("details", { hidden: !(name in store.parts) }, make("summary", {}, title), body);
  /** @type {Loaded | null} */
  let panel = null;
  const load = async () => {
    if (body.firstChild) return;
    body.replaceChildren(make("p", { className: "note", role: "status" }, "Loading …"));
    try {
      panel = await made(await import(store.parts[name]));
      if (panel.sheet) /** @type {ShadowRoot} */ (body.getRootNode()).adoptedStyleSheets.push(panel.sheet);
      body.replaceChildren(panel.element);
      if (panel.beside) element.closest(".demo")?.append(panel.beside);
      panel.shown?.(element.open);
      store.changed();
    } catch (error) {
      body.replaceChildren();
      element.open = false;
      store.fail(error, [["Go on", () => ((store.fault = null), store.play())]]);
    }
  };
  element.addEventListener("toggle", () => {
    if (element.open) void load();
    if (panel?.beside) panel.beside.hidden = !element.open;
    panel?.shown?.(element.open);
  });
  return {
    element,
    settle: (game) => panel?.settle?.(game),
    frame: (game) => panel?.frame?.(game),
  };
}
