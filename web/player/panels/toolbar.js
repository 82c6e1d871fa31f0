/** Take over, play, step, reset, speed and seed. */

import { SPEEDS } from "../clock.js";
import { icon, make } from "../dom.js";
import { canFill, fill } from "../fullscreen.js";

const LARGEST_SEED = Number.MAX_SAFE_INTEGER;
const FRACTIONS = /** @type {Record<number, string>} */ ({ 0.125: "⅛", 0.25: "¼", 0.5: "½" });

/**
 * @param {"play" | "step" | "reset" | "hand" | "full"} name
 * @param {string} label
 * @param {() => void} onclick
 */
const button = (name, label, onclick) =>
  make("button", { type: "button", onclick, title: label, "aria-label": label }, icon(name), make("span", {}, label.split(":")[0]));

/**
 * @param {import("../store.js").Store} store
 * @returns {import("../panels.js").Panel}
 */
export function toolbar(store) {
  const take = button("hand", "Take over", () => (store.person < 0 ? store.takeOver(store.focus) : store.handBack()));
  take.classList.add("primary");
  const play = button("play", "Play", () => store.toggle());
  play.classList.add("play");
  const speed = make("select", { title: "Speed", "aria-label": "Speed", onchange: () => store.setSpeed(Number(speed.value)) });
  speed.append(...SPEEDS.map((each) => new Option(`${FRACTIONS[each] ?? each}×`, String(each))));
  speed.value = String(store.clock.speed);
  const seed = make("input", { type: "text", inputMode: "numeric", value: String(store.seed), onchange: () => entered(seed.value.trim()) });
  let shown = store.seed;

  const put = (/** @type {boolean} */ good) => {
    if (good) seed.value = String((shown = store.seed));
    seed.setAttribute("aria-invalid", String(!good));
  };
  const entered = (/** @type {string} */ text) => {
    const value = /^\d+$/.test(text) ? Number(text) : -1;
    const good = value >= 0 && value <= LARGEST_SEED;
    if (good) store.reset(value);
    else store.tell(`The seed is "${text}"; it must be a whole number from 0 to ${LARGEST_SEED}.`, true);
    put(good);
  };

  const small = [
    button("step", "Step: one tick", () => store.step()),
    button("reset", "Reset: the same seed again", () => store.reset()),
    make("label", { className: "field" }, make("span", {}, "Speed"), speed),
  ];
  const full = button("full", "Fullscreen: F", () => fill(/** @type {ShadowRoot} */ (full.getRootNode())));
  full.classList.add("bare");
  full.hidden = !canFill();
  for (const part of small) part.classList.add("small");
  return {
    element: make(
      "div",
      { className: "row", role: "toolbar", "aria-label": "Game" },
      take,
      play,
      ...small,
      make("label", { className: "field" }, make("span", {}, "Seed"), seed),
      full,
    ),
    place: "main",
    settle() {
      const { running } = store.clock;
      const doing = running ? "Pause" : "Play";
      play.replaceChildren(icon(running ? "pause" : "play"), make("span", {}, doing));
      play.setAttribute("aria-label", doing);
      play.title = `${doing} (Space)`;
      const mine = store.person >= 0;
      const label = mine ? "Hand back" : "Take over";
      take.querySelector("span")?.replaceChildren(label);
      take.setAttribute("aria-label", label);
      take.title = mine ? "Hand back to the policy (Esc)" : "Play in its place: press any of its keys";
      take.classList.toggle("you", mine);
      speed.value = String(store.clock.speed);
      if (store.seed !== shown) put(true); // else what is being typed stays
    },
  };
}
