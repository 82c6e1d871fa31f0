/** The game's time: where it stands in what was played, and the way to any earlier tick. */

import { seldom } from "../clock.js";
import { icon, make, put } from "../dom.js";

/**
 * Seconds as people write them.
 *
 * @param {number} seconds
 */
const time = (seconds) => `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(1).padStart(4, "0")}`;

/**
 * @param {import("../store.js").Store} store
 * @returns {import("../panels.js").Panel}
 */
export function timeline(store) {
  const rate = store.spec.tick_rate;
  const back = make("button", { type: "button", title: "Back one tick (,)", "aria-label": "Back one tick", onclick: () => store.back() }, icon("back"));
  const bar = make("input", { type: "range", min: 0, step: 1, "aria-label": "Time" });
  const figure = make("span", { className: "figure" });
  let wanted = -1; // the tick that the bar was dragged to: at most one jump a frame
  bar.addEventListener("input", () => {
    if (store.clock.running) store.pause();
    wanted = bar.valueAsNumber;
  });
  return {
    element: make("div", { className: "timeline" }, back, bar, figure),
    place: "main",
    frame: seldom(store, (/** @type {import("../game.js").Game} */ game) => {
      if (wanted >= 0) store.seek(wanted);
      wanted = -1;
      const { last } = game.journal;
      bar.max = String(last);
      bar.value = String(game.ticks);
      bar.disabled = back.disabled = last === 0;
      const now = time(game.ticks / rate);
      put(figure, game.following ? `${now} of ${time(last / rate)}` : now);
      bar.setAttribute("aria-valuetext", figure.textContent ?? "");
    }),
  };
}
