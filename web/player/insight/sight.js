/** What a player observes, by its groups: named numbers as bars, planes as pictures, sets as a table of colours. */

import { make, put } from "../dom.js";
import { number } from "../spec.js";
import { Heat } from "./heat.js";

/** @typedef {import("../spec.js").Group} Group @typedef {import("../spec.js").Spec} Spec @typedef {import("../game.js").Game} Game */
/** @typedef {{element: HTMLElement, draw: (numbers: ArrayLike<number>) => void}} Shown */

/** @param {string} name */
const words = (name) => name.replaceAll("_", " ");

/**
 * @param {Group} group of fields
 * @returns {Shown}
 */
function bars({ fields }) {
  const rows = fields.map(({ name, low, high }) => {
    const bar = make("i");
    const figure = make("span", { className: "figure" }, "–");
    const centre = low < 0 && high > 0 ? (-low / (high - low)) * 100 : 0; // % where 0 is
    const element = make("div", { className: "bar" }, make("span", { title: words(name) }, words(name)), make("b", {}, bar), figure);
    return { element, bar, figure, low, high, centre };
  });
  return {
    element: make("div", { className: "sight" }, ...rows.map(({ element }) => element)),
    draw(numbers) {
      rows.forEach(({ bar, figure, low, high, centre }, i) => {
        const at = Math.min(Math.max((numbers[i] - low) / (high - low || 1), 0), 1) * 100;
        bar.style.left = `${Math.min(at, centre)}%`;
        bar.style.width = `${Math.max(Math.abs(at - centre), 0.5)}%`;
        put(figure, number(high - low > 0.1 ? Number(numbers[i].toFixed(3)) : numbers[i])); // 0.0003 would be told as 3.0e-4
      });
    },
  };
}

/**
 * @param {Group} group of planes
 * @returns {Shown}
 */
function planes({ fields, shape: [, ...each] }) {
  const size = each.reduce((all, one) => all * one, 1);
  const maps = fields.map(({ name, low, high }) => new Heat(words(name), each, Math.max(Math.abs(low), Math.abs(high))));
  return {
    element: make("div", { className: each.length > 1 ? "planes" : "sight" }, ...maps.map(({ element }) => element)),
    draw: (numbers) => maps.forEach((map, i) => map.draw(Array.prototype.slice.call(numbers, i * size, (i + 1) * size))),
  };
}

/**
 * @param {Group} group a set: [entities][fields]
 * @returns {Shown}
 */
function table({ name, fields, shape }) {
  const map = new Heat(words(name), shape, 1);
  const scale = fields.map(({ low, high }) => Math.max(Math.abs(low), Math.abs(high)) || 1);
  return {
    element: make("div", { className: "sight" }, map.element, make("p", { className: "note" }, `A row each; columns: ${fields.map((field) => words(field.name)).join(", ")}.`)),
    draw: (numbers) => map.draw(Array.from(numbers, (value, i) => value / scale[i % scale.length])),
  };
}

/** @param {Group} group @returns {Shown} */
function shown(group) {
  if (group.kind === "fields" && group.fields.length) return bars(group);
  if (group.kind === "planes") return planes(group);
  if (group.kind === "set") return table(group);
  const map = new Heat(words(group.name), group.shape, group.type === "u8" ? 1 : 0); // who of a set is there
  return { element: map.element, draw: (numbers) => map.draw(numbers) };
}

/**
 * @param {Spec} spec
 * @returns {{element: HTMLElement, draw: (game: Game, slot: number) => void}}
 */
export function sight(spec) {
  const groups = spec.group.map((group, index) => ({ index, group })).filter(({ group }) => !group.critic);
  const parts = groups.map(({ index, group }) => ({ index, ...shown(group) }));
  return {
    element: make("div", {}, ...parts.map(({ element }) => element)),
    draw(game, slot) {
      for (const { index, draw } of parts) draw(game.observation(slot, index));
    },
  };
}
