/** A slider over the stages of a policy's training. */

import { make } from "./dom.js";

/** @typedef {{steps: number, fetch: () => Promise<Uint8Array>}} Stage */

/** @param {number} steps */
export const stepsInWords = (steps) => (steps >= 1e6 ? `${(steps / 1e6).toFixed(1)} M steps` : `${Math.round(steps / 1e3)} k steps`);

/**
 * @param {Stage[]} stages earliest first, the finished policy last
 * @param {(stage: Stage) => void} chosen
 */
export function stageSlider(stages, chosen) {
  const figure = make("span", { className: "figure" });
  const last = stages.length - 1;
  const input = make("input", { type: "range", min: 0, max: last, step: 1, value: last, id: "stage" });
  const show = () => {
    figure.textContent = stepsInWords(stages[input.valueAsNumber].steps);
    input.setAttribute("aria-valuetext", figure.textContent);
  };
  input.addEventListener("input", show);
  input.addEventListener("change", () => chosen(stages[input.valueAsNumber]));
  show();
  const label = make("label", { htmlFor: "stage" }, "trained for");
  return make("div", { className: "slider", title: "The policy as it was after so many steps of training" }, label, figure, input);
}
