/** What the policy thinks: a bar for each choice's probability (or each continuous action), and its value. */

import { seldom } from "../clock.js";
import { make, put } from "../dom.js";
import { number } from "../spec.js";

/** @typedef {import("../spec.js").Spec} Spec @typedef {import("../game.js").Game} Game */

export class Thoughts {
  /** @param {Spec} spec */
  constructor(spec) {
    this.spec = spec;
    this.largest = 1e-3; // of the values seen, the scale of the value's bar
    this.choices = spec.head.flatMap((head) =>
      spec.action_type === "box"
        ? [this.#row(head.name, "signed")]
        : Array.from({ length: head.size }, (_, i) => this.#row(head.labels[i] ?? `${head.name} ${i}`, "")),
    );
    this.value = this.#row("Value", "signed");
    this.value.row.title = "The policy's own estimate of the reward to come";
    this.element = make("div", { className: "thoughts" }, ...this.choices.map(({ row }) => row), this.value.row);
  }

  /**
   * @param {string} label
   * @param {string} kind
   */
  #row(label, kind) {
    const bar = make("i");
    const figure = make("span", { className: "figure" }, "–");
    const row = make("div", { className: `bar ${kind}` }, make("span", {}, label), make("b", {}, bar), figure);
    return { row, bar, figure };
  }

  /**
   * @param {{row: HTMLElement, bar: HTMLElement, figure: HTMLElement}} entry
   * @param {number} share -1 to 1
   * @param {string} text
   */
  #show({ row, bar, figure }, share, text) {
    const signed = row.classList.contains("signed");
    const size = Math.min(Math.abs(share), 1) * (signed ? 50 : 100);
    bar.style.width = `${size}%`;
    bar.style.left = signed ? `${share < 0 ? 50 - size : 50}%` : "0";
    put(figure, text);
  }

  /**
   * @param {Game} game
   * @param {number} slot
   */
  update(game, slot) {
    const chosen = game.chosen(slot);
    if (this.spec.action_type === "box") {
      this.spec.head.forEach(({ low, high }, i) => {
        const action = Math.min(Math.max(chosen[i], low), high);
        this.#show(this.choices[i], (2 * (action - low)) / (high - low) - 1, number(action));
      });
    } else {
      const probabilities = game.probabilities(slot);
      let first = 0;
      this.spec.head.forEach((head, index) => {
        for (let i = 0; i < head.size; i += 1) {
          const entry = this.choices[first + i];
          this.#show(entry, probabilities[first + i], `${(100 * probabilities[first + i]).toFixed(0)}%`);
          entry.row.classList.toggle("taken", chosen[index] === i);
        }
        first += head.size;
      });
    }
    const value = game.value(slot);
    this.largest = Math.max(this.largest, Math.abs(value));
    this.#show(this.value, value / this.largest, value.toFixed(2));
  }
}

/**
 * @param {import("../store.js").Store} store
 * @returns {import("../panels.js").Panel}
 */
export function thoughts(store) {
  const bars = new Thoughts(store.spec);
  const element = make("section", {}, make("h2", {}, "What the policy thinks"), bars.element);
  return {
    element,
    settle(game) {
      element.hidden = !game.seat(store.shown);
    },
    frame: seldom(store, (/** @type {Game} */ game) => {
      if (game.seat(store.shown)) bars.update(game, store.shown);
    }),
  };
}
