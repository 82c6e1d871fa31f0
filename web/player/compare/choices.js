/** The action that a person gives a player, in words or numbers: an entry for each head. */

import { make } from "../dom.js";
import { number } from "../spec.js";

/** @typedef {import("../spec.js").Spec} Spec */

/** @param {Spec} spec */
export function choices(spec) {
  const box = spec.action_type === "box";
  const entries = spec.head.map((head, index) => {
    const input = box
      ? make("input", { type: "range", min: head.low, max: head.high, step: "any", value: spec.idle[index] })
      : make("select", {}, ...Array.from({ length: head.size }, (_, i) => new Option(head.labels[i] ?? `${head.name} ${i}`, String(i))));
    input.id = `instead-${index}`;
    return { input, label: make("label", { htmlFor: input.id }, head.name.replaceAll("_", " ")) };
  });
  const words = (/** @type {ArrayLike<number>} */ action) =>
    spec.head.map((head, i) => (box ? `${head.name} ${number(action[i])}` : (head.labels[action[i]] ?? `${head.name} ${action[i]}`))).join(", ");
  return {
    element: make("div", { className: "players" }, ...entries.flatMap(({ input, label }) => [label, input])),
    /** One number a head. */
    get: () => entries.map(({ input }) => Number(input.value)),
    /** @param {ArrayLike<number>} action one number a head */
    put: (action) => entries.forEach(({ input }, i) => (input.value = String(action[i]))),
    words,
  };
}
