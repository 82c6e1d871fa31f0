/** A slider for each parameter of the environment, and one for how much is drawn at random; a turn is an event at the start of the next tick. */

import { make } from "../dom.js";
import { RANDOMIZED } from "../journal.js";
import { number } from "../spec.js";

/** @typedef {import("../spec.js").Param} Param */

const STEPS = 200;
const SHOWN = new Set(["physics", "world"]); // fidelity and reward belong to the tuner

/** @type {Param} */
export const RANDOMIZATION = {
  ...{ name: "randomization", value: 0, low: 0, high: 1, kind: "world", scale: "linear", unit: "" },
  doc: "From the next game on every physical parameter is drawn around its value, by up to this share of it",
};

/**
 * The sliders: parameters with their indices, and how much is drawn at random.
 *
 * @param {import("../spec.js").Spec} spec
 * @returns {{param: Param, index: number}[]}
 */
export function turnable({ param }) {
  const shown = param.map((each, index) => ({ param: each, index })).filter(({ param: { kind, low, high } }) => SHOWN.has(kind) && low < high);
  return param.some(({ kind }) => kind === "physics") ? [...shown, { param: RANDOMIZATION, index: RANDOMIZED }] : shown;
}

/**
 * @param {Param} param
 * @param {number} share 0 to 1
 */
export function value({ low, high, scale }, share) {
  const at = scale === "log" ? low * (high / low) ** share : low + (high - low) * share;
  return scale === "integer" ? Math.round(at) : at;
}

/**
 * @param {Param} param
 * @param {number} at
 */
export function share({ low, high, scale }, at) {
  return scale === "log" ? Math.log(at / low) / Math.log(high / low) : (at - low) / (high - low);
}

/**
 * @param {{param: Param, index: number}} turned
 * @param {import("../store.js").Store} store
 */
function slider({ param, index }, store) {
  const figure = make("span", { className: "figure" });
  const steps = param.scale === "integer" ? param.high - param.low : STEPS;
  const input = make("input", { type: "range", min: 0, max: steps, step: 1, id: `param-${param.name}` });
  const turn = (/** @type {number} */ at) => (index === RANDOMIZED ? store.game?.randomize(at) : store.game?.turn(index, at));
  const show = (/** @type {number} */ at) => {
    figure.textContent = [number(at), param.unit.replace("^2", "²").replace("^3", "³")].filter(Boolean).join(" ");
    input.setAttribute("aria-valuetext", figure.textContent);
  };
  const put = (/** @type {number} */ at) => {
    input.valueAsNumber = Math.round(share(param, at) * steps);
    show(at);
  };
  input.addEventListener("input", () => {
    const at = value(param, input.valueAsNumber / steps);
    show(at);
    turn(at);
  });
  put(param.value);
  const label = make("label", { htmlFor: input.id }, param.name.replaceAll("_", " "));
  return { param, index, put, turn, row: make("div", { className: "slider", title: param.doc }, label, figure, input) };
}

/**
 * @param {import("../store.js").Store} store
 * @returns {import("../panels.js").Panel}
 */
export function world(store) {
  const sliders = turnable(store.spec).map((turned) => slider(turned, store));
  const defaults = () => {
    for (const { param, turn } of sliders) turn(param.value);
    store.changed();
  };
  const button = make("button", { type: "button", onclick: defaults }, "Defaults");
  const rows = make("div", { className: "sliders" }, ...sliders.map(({ row }) => row), button);
  return {
    element: make("details", { hidden: !sliders.length }, make("summary", {}, "World"), rows),
    settle(game) {
      for (const { param, index, put } of sliders) put(index === RANDOMIZED ? game.randomized : (game.turned(index) ?? param.value));
    },
  };
}
