/** What goes on inside the policy: insight/panel.js. */

import { later } from "../later.js";

/**
 * @param {import("../store.js").Store} store
 * @returns {import("../panels.js").Panel}
 */
export function insight(store) {
  const card = later(store, "insight", "Inside the policy");
  return {
    ...card,
    settle(game) {
      card.element.hidden = !store.parts.insight || !game.seat(store.shown);
      card.settle?.(game);
    },
  };
}
