/** Which panels are seen, and where they stand. */

import { breathe } from "./clock.js";
import { make } from "./dom.js";
import { PANELS } from "./panels.js";
import { toggle } from "./toggle.js";

/** @typedef {import("./panels.js").Panel} Panel @typedef {import("./store.js").Store} Store */
/** @typedef {ReturnType<typeof rooms>} Rooms */

/** The picture, and where panels have their place. */
export function rooms() {
  const canvas = make("canvas", { role: "img", part: "picture" });
  const stage = make("div", { className: "stage", part: "stage" }, canvas);
  const main = make("div", { className: "main", part: "main" }, stage);
  const panel = make("div", { className: "panel", part: "panels", hidden: true });
  return { canvas, stage, main, panel, demo: make("div", { className: "demo" }, main, panel) };
}

/**
 * Whatever somebody does here may change what is seen, and so does the picture's size.
 *
 * @param {import("./clock.js").Clock} clock
 * @param {Rooms} rooms
 * @param {AbortSignal} signal of the end
 */
function stirred(clock, { demo, canvas }, signal) {
  const stir = () => clock.stir();
  for (const kind of ["input", "change", "click", "pointermove", "wheel", "toggle"]) demo.addEventListener(kind, stir, { signal, capture: true });
  for (const kind of ["keydown", "keyup", "gamepadconnected"]) window.addEventListener(kind, stir, { signal });
  const eye = new ResizeObserver(stir);
  eye.observe(canvas);
  signal.addEventListener("abort", () => eye.disconnect());
}

export class Furniture {
  /** @type {Map<string, Panel>} that were made */
  #made = new Map();
  /** @type {Panel[]} that are seen */
  shown = [];

  /**
   * @param {Store} store
   * @param {Rooms} rooms
   */
  constructor(store, rooms) {
    this.store = store;
    this.rooms = rooms;
  }

  /** @param {AbortSignal} signal of the end */
  listen(signal) {
    stirred(this.store.clock, this.rooms, signal);
  }

  /**
   * Shows these panels and no others, one after another: the game that plays gets its frames meanwhile.
   *
   * @param {string | null} wanted names with a space between; "": all; null: none, the picture alone
   */
  async show(wanted) {
    const all = wanted === null ? { toggle } : PANELS;
    const named = (wanted ?? "").split(/\s+/).filter(Boolean);
    const unknown = named.find((name) => !Object.hasOwn(all, name));
    if (unknown) throw new Error(`there is no panel "${unknown.slice(0, 40)}"; there are: ${Object.keys(all).join(", ")}.`);
    for (const { element } of this.#made.values()) element.remove();
    this.shown = [];
    this.rooms.panel.hidden = true;
    for (const [name, panelOf] of Object.entries(all)) {
      if (named.length && !named.includes(name)) continue;
      if (!this.#made.has(name)) await breathe();
      const panel = this.#made.get(name) ?? panelOf(this.store);
      panel.element.setAttribute("part", `panel ${name}`);
      this.#made.set(name, panel);
      const place = panel.place ?? "panel";
      this.rooms[place].append(panel.element);
      if (place === "panel") this.rooms.panel.hidden = false;
      this.shown.push(panel);
      if (this.store.game) panel.settle?.(this.store.game);
    }
    this.store.clock.stir();
  }
}
