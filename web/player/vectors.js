/** Vectors of three numbers. */

/** @typedef {number[]} Point [3] */

export const dot = (/** @type {Point} */ a, /** @type {Point} */ b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
export const plus = (/** @type {Point} */ a, /** @type {Point} */ b, by = 1) => [a[0] + b[0] * by, a[1] + b[1] * by, a[2] + b[2] * by];
export const minus = (/** @type {Point} */ a, /** @type {Point} */ b) => plus(a, b, -1);
export const scaled = (/** @type {Point} */ a, /** @type {number} */ by) => a.map((value) => value * by);
export const unit = (/** @type {Point} */ a) => scaled(a, 1 / Math.max(Math.hypot(...a), 1e-12));
export const cross = (/** @type {Point} */ a, /** @type {Point} */ b) => [
  a[1] * b[2] - a[2] * b[1],
  a[2] * b[0] - a[0] * b[2],
  a[0] * b[1] - a[1] * b[0],
];
