/** A number of the game against its ticks, as a curve with the present in it. */

import { make } from "../dom.js";
import { number } from "../spec.js";

/** @typedef {import("../journal.js").Journal} Journal */

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT, EDGE] = [300, 90, 4];
const SECONDS = 20; // that are seen
const MOST = 4000; // points that are kept

export class History {
  /** @type {[number, number][]} tick, number; ascending */
  points = [];
  /** @type {unknown} of what game they are */
  start = null;

  /**
   * @param {string} name
   * @param {number} rate ticks a second
   */
  constructor(name, rate) {
    this.name = name;
    this.span = SECONDS * rate;
    const part = (/** @type {string} */ tag, /** @type {Record<string, unknown>} */ of) => {
      const made = document.createElementNS(SVG, tag);
      for (const [key, value] of Object.entries(of)) made.setAttribute(key, String(value));
      return made;
    };
    this.line = part("polyline", { class: "line" });
    this.zero = part("line", { x1: 0, x2: WIDTH, class: "zero" });
    this.now = part("line", { y1: 0, y2: HEIGHT, class: "now" });
    this.svg = part("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", preserveAspectRatio: "none" });
    this.svg.append(this.zero, this.now, this.line);
    this.range = make("p", { className: "note" });
    this.element = make("div", { className: "history" });
    this.element.append(this.svg, this.range);
  }

  /**
   * Takes the number of a tick. What lay ahead is forgotten where the game no longer goes there.
   *
   * @param {Journal} journal
   * @param {number} tick the present one
   * @param {number} value
   */
  note(journal, tick, value) {
    const { points } = this;
    if (journal.inputs[0] !== this.start) points.length = 0;
    this.start = journal.inputs[0];
    while (points.length && points[points.length - 1][0] > journal.last) points.pop();
    let at = points.length;
    while (at && points[at - 1][0] >= tick) at -= 1;
    if (points[at]?.[0] === tick) points[at][1] = value;
    else points.splice(at, 0, [tick, value]);
    if (points.length > MOST) points.splice(0, MOST / 4);
  }

  /** @param {number} tick the present one */
  draw(tick) {
    const from = Math.max(0, tick - this.span * 0.75);
    const seen = this.points.filter(([at]) => at >= from && at <= from + this.span);
    const low = Math.min(0, ...seen.map(([, value]) => value));
    const high = Math.max(low + 1e-3, ...seen.map(([, value]) => value));
    const x = (/** @type {number} */ at) => ((at - from) / this.span) * WIDTH;
    const y = (/** @type {number} */ value) => HEIGHT - EDGE - ((value - low) / (high - low)) * (HEIGHT - 2 * EDGE);
    this.line.setAttribute("points", seen.map(([at, value]) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`).join(" "));
    for (const end of ["y1", "y2"]) this.zero.setAttribute(end, String(y(0)));
    for (const end of ["x1", "x2"]) this.now.setAttribute(end, String(x(tick)));
    this.range.textContent = `${number(low)} to ${number(high)} in these ${SECONDS} s`;
    this.svg.setAttribute("aria-label", `${this.name} over time: ${this.range.textContent}`);
  }
}
