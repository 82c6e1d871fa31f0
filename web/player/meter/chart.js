/** Estimates with their intervals against the value of what was turned. */

import { svg } from "../dom.js";

const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [320, 150, 40, 12, 10, 30];

/** @typedef {import("./measure.js").Estimate} Estimate */

/**
 * @typedef {object} Picture
 * @property {{share: number, estimate: Estimate}[]} points `share`: 0 to 1, from left to right; the present one last
 * @property {number | null} bar what is wanted
 * @property {[number, number]} range of the figures
 * @property {(value: number) => string} words for a figure
 * @property {[string, string, string]} axis left end, name and right end
 */

export class Chart {
  element = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-hidden": true });

  /** @param {Picture} picture */
  draw({ points, bar, range: [low, high], words, axis }) {
    const x = (/** @type {number} */ share) => LEFT + (WIDTH - LEFT - RIGHT) * share;
    const y = (/** @type {number} */ value) => HEIGHT - BOTTOM - ((HEIGHT - TOP - BOTTOM) * (value - low)) / (high - low || 1);
    const across = (/** @type {number} */ value, /** @type {string} */ name) =>
      svg("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value), class: name });
    const ends = [low, high].flatMap((value) => [
      across(value, "grid"),
      svg("text", { x: LEFT - 6, y: y(value) + 4, class: "right" }, words(value)),
    ]);
    const below = axis.map((text, i) =>
      svg("text", { x: x(i / 2), y: HEIGHT - 10, class: ["left", "middle", "right"][i] }, text),
    );
    const marks = points.map(({ share, estimate }, i) =>
      svg(
        "g",
        { class: i === points.length - 1 ? "now" : "former" },
        svg("line", { x1: x(share), x2: x(share), y1: y(estimate.low), y2: y(estimate.high), class: "span" }),
        svg("circle", { cx: x(share), cy: y(estimate.mean), r: i === points.length - 1 ? 5 : 3 }),
      ),
    );
    this.element.replaceChildren(...ends, ...(bar === null ? [] : [across(bar, "goal")]), ...below, ...marks);
  }
}
