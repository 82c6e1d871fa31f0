/** What goes on inside the policy that the player who is looked at follows: sight, value over time, layers, memory. */

import { make } from "../dom.js";
import { Heat } from "./heat.js";
import { History } from "./history.js";
import { network } from "./network.js";
import { sight } from "./sight.js";
import { sheet } from "./style.js";

/** @typedef {import("../game.js").Game} Game @typedef {import("../store.js").Store} Store */

const MOST = 40; // layers that are shown

/**
 * @param {string} title
 * @param {HTMLElement} body
 * @param {boolean} [open]
 */
const part = (title, body, open = false) => make("details", { open }, make("summary", {}, title), body);

/**
 * @param {Store} store
 * @returns {import("../later.js").Loaded}
 */
export function open(store) {
  const seen = sight(store.spec);
  const value = new History("The policy's own estimate of the reward to come", store.spec.tick_rate);
  const sees = part("What it sees", seen.element, true);
  const worth = part("Value over time", value.element, true);
  const layers = part("Layers", make("div", { className: "maps" }));
  const memory = part("Memory", make("div", { className: "maps" }));
  /** @type {Uint8Array | null} the file of the network that is shown */
  let shown = null;
  /** @type {{value: number, map: Heat}[][]} of layers and of states */
  let maps = [[], []];
  let visible = true;

  const follow = (/** @type {Game} */ game) => {
    const file = game.files[game.seat(store.shown) - 1] ?? null;
    if (file === shown || !file) return;
    shown = file;
    const net = network(file);
    const states = net.states.map((state) => ({ ...state, words: `state ${state.words}` }));
    maps = [net.layers.slice(0, MOST), states].map((of) => of.map(({ value, shape, words }) => ({ value, map: new Heat(words, shape) })));
    [layers, memory].forEach((list, i) => list.lastElementChild?.replaceChildren(...maps[i].map(({ map }) => map.element)));
    memory.hidden = !net.states.length;
    layers.hidden = game.activation(store.shown, net.layers[0]?.value ?? 0).length === 0; // too many players
    value.points.length = 0;
  };
  return {
    element: make("div", { className: "insight" }, sees, worth, layers, memory),
    sheet,
    shown: (is) => (visible = is),
    settle: follow,
    frame(game) {
      const slot = store.shown;
      if (!visible || !game.seat(slot)) return;
      follow(game);
      value.note(game.journal, game.ticks, game.value(slot));
      if (worth.open) value.draw(game.ticks);
      if (sees.open) seen.draw(game, slot);
      [layers, memory].forEach((list, i) => {
        if (list.open) for (const { value, map } of maps[i]) map.draw(game.activation(slot, value));
      });
    },
  };
}
