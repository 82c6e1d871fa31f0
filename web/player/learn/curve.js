/** The curve of score against steps: of this training, and fainter of those before. */

import { svg } from "../dom.js";

/** @typedef {import("./protocol.js").Exam} Exam */

const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [340, 190, 34, 10, 12, 34];
const LINES = 4; // across, at most

/** @param {number} value */
export const short = (value) =>
  Intl.NumberFormat("en", { maximumSignificantDigits: 3, notation: Math.abs(value) >= 1e4 ? "compact" : "standard" }).format(value);

/**
 * A round distance of lines, so that a range has some.
 *
 * @param {number} range
 */
function step(range) {
  const power = 10 ** Math.floor(Math.log10(range / LINES));
  return [1, 2, 5, 10].map((factor) => factor * power).find((each) => range / each <= LINES) ?? range;
}

export class Curve {
  element = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", class: "curve" });

  /** @param {string} score the score's name */
  constructor(score) {
    this.score = score;
  }

  /**
   * @param {Exam[]} exams of this training
   * @param {Exam[][]} former of earlier ones
   * @param {number} steps to which it is to go
   * @param {number | null} bar the score that is wanted
   */
  draw(exams, former, steps, bar) {
    const all = [...exams, ...former.flat()].map(({ score }) => score).concat(bar ?? []);
    const [least, most] = [Math.min(...all, 0), Math.max(...all, 1)];
    const gap = step(most - least);
    const [low, high] = [Math.floor((2 * least) / gap) * (gap / 2), Math.ceil((2 * most) / gap) * (gap / 2)];
    const last = Math.max(steps, ...former.flat().map((exam) => exam.steps), ...exams.map((exam) => exam.steps));
    const x = (/** @type {number} */ value) => LEFT + ((WIDTH - LEFT - RIGHT) * value) / last;
    const y = (/** @type {number} */ value) => HEIGHT - BOTTOM - ((HEIGHT - TOP - BOTTOM) * (value - low)) / (high - low);
    const points = (/** @type {Exam[]} */ of) => of.map((exam) => `${x(exam.steps).toFixed(1)},${y(exam.score).toFixed(1)}`).join(" ");
    const parts = [];
    for (let at = Math.ceil(low / gap) * gap; at <= high + gap / 100; at += gap) {
      parts.push(svg("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y(at), y2: y(at), class: "grid" }));
      parts.push(svg("text", { x: LEFT - 6, y: y(at) + 4, class: "left" }, short(at)));
    }
    if (bar !== null) {
      parts.push(svg("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y(bar), y2: y(bar), class: "bar-line" }));
      const far = exams.some((exam) => x(exam.steps) > WIDTH / 2); // the words go where the curve is not
      parts.push(svg("text", { x: far ? LEFT + 4 : WIDTH - RIGHT, y: y(bar) - 4, class: far ? "goal" : "right goal" }, `goal ${short(bar)}`));
    }
    for (const of of former) parts.push(svg("polyline", { points: points(of), class: "former" }));
    const end = exams[exams.length - 1];
    if (end) {
      const ground = `${x(end.steps).toFixed(1)},${y(low)} ${x(0)},${y(low)}`;
      parts.push(svg("polygon", { points: `${points(exams)} ${ground}`, class: "area" }));
      parts.push(svg("polyline", { points: points(exams), class: "now" }));
      parts.push(svg("circle", { cx: x(end.steps), cy: y(end.score), r: 4.5, class: "dot" }));
    }
    parts.push(svg("text", { x: LEFT, y: HEIGHT - 18, class: "middle" }, "0"));
    parts.push(svg("text", { x: WIDTH - RIGHT, y: HEIGHT - 18, class: "right" }, `${short(last)} steps`));
    if (end && x(end.steps) > LEFT + 60 && x(end.steps) < WIDTH - RIGHT - 70)
      parts.push(svg("text", { x: x(end.steps), y: HEIGHT - 18, class: "middle" }, short(end.steps)));
    if (end) {
      const anchor = x(end.steps) > WIDTH - 40 ? "right" : "middle";
      const at = Math.max(x(end.steps), LEFT + 12);
      parts.push(svg("text", { x: anchor === "right" ? WIDTH - RIGHT : at, y: HEIGHT - 4, class: `${anchor} seconds` }, `${end.seconds.toFixed(1)} s`));
    }
    this.element.replaceChildren(...parts);
    const words = end ? `, now ${short(end.score)} after ${short(end.steps)} steps and ${end.seconds.toFixed(1)} seconds` : ", not begun";
    this.element.setAttribute("aria-label", `Curve of ${this.score} against steps${words}${bar === null ? "" : `; the goal is ${short(bar)}`}`);
  }
}
