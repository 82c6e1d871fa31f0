/** The sliders of a training's settings, each a list of values among which the tuned one is. */

import { make } from "../dom.js";
import { minibatch } from "./settings.js";

/** @typedef {import("./tutor.js").Settings} Settings */
/**
 * @typedef {object} Dial
 * @property {string} name of the setting
 * @property {string} label
 * @property {string} help
 * @property {number[]} values
 * @property {(value: number) => string} [words]
 */

/** @type {Dial[]} */
const DIALS = [
  { name: "hidden", label: "Neurons in a layer", help: "A larger network can learn finer things, and learns more slowly.", values: [8, 16, 32, 64, 128, 256] },
  { name: "layers", label: "Layers", help: "How many layers of neurons lie behind one another.", values: [1, 2, 3] },
  {
    name: "learning_rate",
    label: "Learning rate",
    help: "How far each correction goes. Too small: slow. Too large: it forgets what it knew.",
    values: [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3],
  },
  { name: "horizon", label: "Horizon", help: "Moves that it looks back over before each correction.", values: [4, 8, 16, 32, 64, 128] },
  {
    name: "gamma",
    label: "Discount γ",
    help: "How much the future counts: what comes a move later is worth so much of what comes now.",
    values: [0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999],
  },
  { name: "entropy", label: "Entropy bonus", help: "A reward for trying things out. With 0 it may settle for the first habit that works.", values: [0, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1] },
  { name: "randomize", label: "Randomization", help: "Every practice game has a slightly different world: plus or minus so much.", values: [0, 0.1, 0.2, 0.3, 0.5], words: (value) => `±${100 * value} %` },
  { name: "length", label: "Length", help: "Steps of the whole training.", values: [1 / 4, 1 / 2, 1, 2, 4], words: (value) => `${value}×` },
];

export class Sliders {
  /** @type {{dial: Dial, put(value: number): void, row: HTMLElement}[]} */
  #sliders;

  /**
   * @param {Settings} tuned
   * @param {Settings} settings which are changed
   * @param {() => void} changed
   */
  constructor(tuned, settings, changed) {
    this.tuned = tuned;
    this.settings = settings;
    this.#sliders = DIALS.map((dial) => this.#slider(dial, changed));
    const defaults = () => {
      Object.assign(settings, tuned, { seed: settings.seed });
      this.put(settings);
      changed();
    };
    const button = make("button", { type: "button", onclick: defaults }, "Defaults");
    this.element = make("div", { className: "sliders" }, ...this.#sliders.map(({ row }) => row), button);
  }

  /**
   * What a dial shows of settings.
   *
   * @param {string} name
   * @param {Settings} settings
   */
  #value(name, settings) {
    return name === "length" ? settings.steps / this.tuned.steps : settings[name];
  }

  /**
   * @param {Dial} dial
   * @param {() => void} changed
   */
  #slider(dial, changed) {
    const { tuned, settings } = this;
    const values = [...new Set([...dial.values, this.#value(dial.name, tuned)])].sort((a, b) => a - b);
    const words = dial.words ?? String;
    const figure = make("span", { className: "figure" });
    const input = make("input", { type: "range", min: 0, max: values.length - 1, step: 1, id: `learn-${dial.name}`, "aria-describedby": `about-${dial.name}` });
    const show = (/** @type {number} */ value) => {
      figure.textContent = words(value);
      figure.classList.toggle("other", value !== this.#value(dial.name, tuned));
      input.setAttribute("aria-valuetext", words(value));
    };
    const put = (/** @type {number} */ value) => {
      const near = values.reduce((best, each) => (Math.abs(each - value) < Math.abs(best - value) ? each : best));
      input.valueAsNumber = values.indexOf(near);
      show(value);
    };
    input.addEventListener("input", () => {
      const value = values[input.valueAsNumber];
      if (dial.name === "length") settings.steps = value * tuned.steps;
      else settings[dial.name] = value;
      settings.minibatch = minibatch(settings, tuned.minibatch);
      show(value);
      changed();
    });
    put(this.#value(dial.name, settings));
    const label = make("label", { htmlFor: input.id }, dial.label);
    const help = make("small", { id: `about-${dial.name}` }, dial.help);
    return { dial, put, row: make("div", { className: "slider" }, label, figure, input, help) };
  }

  /** @param {Settings} settings which are shown */
  put(settings) {
    for (const { dial, put } of this.#sliders) put(this.#value(dial.name, settings));
  }
}
