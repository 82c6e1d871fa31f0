/** A slider for each parameter of the environment; a turn is an event at the start of the next tick. */

import { make } from "../dom.js";
import { number } from "../spec.js";

/** @typedef {import("../spec.js").Param} Param */

const STEPS = 200;
const SHOWN = new Set(["physics", "world"]); // fidelity and reward belong to the tuner

/**
 * @param {Param} param
 * @param {number} share 0 to 1
 */
function value({ low, high, scale }, share) {
  const at = scale === "log" ? low * (high / low) ** share : low + (high - low) * share;
  return scale === "integer" ? Math.round(at) : at;
}

/**
 * @param {Param} param
 * @param {number} at
 */
function share({ low, high, scale }, at) {
  return scale === "log" ? Math.log(at / low) / Math.log(high / low) : (at - low) / (high - low);
}

/**
 * @param {Param} param
 * @param {number} index of the parameter
 * @param {import("../store.js").Store} store
 */
function slider(param, index, store) {
  const figure = make("span", { className: "figure" });
  const steps = param.scale === "integer" ? param.high - param.low : STEPS;
  const input = make("input", { type: "range", min: 0, max: steps, step: 1, id: `param-${param.name}` });
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
    store.game?.turn(index, at);
  });
  put(param.value);
  const label = make("label", { htmlFor: input.id }, param.name.replaceAll("_", " "));
  return { param, index, put, row: make("div", { className: "slider", title: param.doc }, label, figure, input) };
}

/**
 * @param {import("../store.js").Store} store
 * @returns {import("../panels.js").Panel}
 */
export function world(store) {
  const sliders = store.spec.param.flatMap((param, index) =>
    SHOWN.has(param.kind) && param.low < param.high ? [slider(param, index, store)] : [],
  );
  const defaults = () => {
    for (const { param, index } of sliders) store.game?.turn(index, param.value);
    store.changed();
  };
  const button = make("button", { type: "button", onclick: defaults }, "Defaults");
  const rows = make("div", { className: "sliders" }, ...sliders.map(({ row }) => row), button);
  return {
    element: make("details", { hidden: !sliders.length }, make("summary", {}, "World"), rows),
    settle(game) {
      for (const { param, index, put } of sliders) put(game.turned(index) ?? param.value);
    },
  };
}
