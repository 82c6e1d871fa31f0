/** The game in words, for those who cannot see it; and what was wrong with an entry. */

import { make, put } from "../dom.js";
import { capital, number, playerName } from "../spec.js";

const DRIVERS = ["the script", "the policy", "you", "chance"];
export const MANY = 4; // players; of more, one at a time is shown and told of
const PAUSE = 1000; // ms between two changes, so that a screen reader can follow

/**
 * @param {import("../store.js").Store} store
 * @returns {import("../panels.js").Panel}
 */
export function state(store) {
  const { spec, clock } = store;
  const element = make("p", { className: "state", role: "status", "aria-live": "polite" });
  let changed = 0;

  const words = (/** @type {import("../game.js").Game} */ game) => {
    const doing = clock.running ? `Playing${clock.speed === 1 ? "" : ` at ${clock.speed}×`}` : "Paused";
    const slots = spec.slots > MANY ? [store.shown] : Array.from({ length: spec.slots }, (_, slot) => slot);
    const driving = slots.map((slot) => {
      const who = DRIVERS[game.driver(slot)];
      return `${who} ${who === "you" ? "drive" : "drives"} ${spec.slots > 1 ? playerName(spec, slot) : "it"}`;
    });
    return `${doing}: ${driving.join(", ")}. ${capital(spec.score_name)}: ${number(game.score(store.shown))}.`;
  };

  return {
    element,
    place: "main",
    settle() {
      changed = 0;
    },
    frame(game) {
      const now = performance.now();
      if (now - changed < PAUSE) return;
      changed = now;
      element.classList.toggle("bad", Boolean(store.message) && store.wrong);
      put(element, store.message || words(game));
    },
  };
}
