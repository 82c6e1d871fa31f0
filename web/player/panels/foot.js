/** The foot of the picture: who plays and how to take over, whether the game is paused, and the way to the keys. */

import { make } from "../dom.js";
import { keyName, playerName } from "../spec.js";

const WHO = ["The script plays", "The policy plays", "You play", "Chance plays"];

/**
 * @param {import("../store.js").Store} store
 * @returns {import("../panels.js").Panel}
 */
export function foot(store) {
  const { spec } = store;
  const chip = make("div", { className: "chip" });
  const paused = make("div", { className: "paused", hidden: true }, "Paused");
  const keys = make("button", { type: "button", title: "Keys (F1)", onclick: () => store.help(true) }, "Keys ?");
  const names = spec.control.map((control) => control.keys[0]).filter(Boolean).map(keyName);
  return {
    element: make("div", { className: "foot" }, chip, make("span", {}, paused, keys)),
    place: "stage",
    settle(game) {
      const mine = store.person >= 0;
      const touch = matchMedia("(pointer: coarse)").matches; // then there are hardly any keys
      const how = !touch ? names.join(" ") : spec.control.some((control) => control.touch) ? "touch" : "";
      const who = WHO[game.driver(store.shown)];
      chip.textContent = mine
        ? `You play${spec.slots > 1 ? ` ${playerName(spec, store.shown)}` : ""}${touch ? "" : " · Esc hands back"}`
        : `${who}${how && ` · ${how} to take over`}`;
      chip.classList.toggle("you", mine);
      paused.hidden = store.clock.running;
    },
  };
}
