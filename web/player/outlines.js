/**
 * The outlines of round bodies as an eye sees them, and how light goes over them: a path or three in place of many faces.
 */

import { cross, dot, minus, plus, scaled, unit } from "./vectors.js";

/** @typedef {import("./vectors.js").Point} Point */

/**
 * @typedef {object} Outline a convex face; all in the world
 * @property {Point[]} points
 * @property {Point[]} normals its only one; or one for each stop of its bend
 * @property {{across: Point[], stops: number[], cover?: number[]}} [bend] two places between which the normal changes, shares of the
 *   way between these, and how much is covered there of the outline before; all of it where nothing is said
 */

/** @typedef {{ends: Point[], radius: number}} Capsule */

const HALF = 12; // corners of half a circle
const SIDE = [0, 0.05, 0.15, 0.5, 0.85, 0.95, 1]; // stops across a side
const END = [0, 0.4, 0.7, 0.9, 1]; // and from where a round end begins to its tip
const COVER = [0, 0.6, 0.85, 0.95, 1];

/**
 * @param {Point} way of unit length
 * @param {Point} facing the eye, across it, of unit length
 * @param {number} share of a way that a round body bends away from the eye, -1 to 1
 */
const bent = (way, facing, share) => plus(scaled(way, share), facing, Math.sqrt(1 - share * share));

/** What of a vector is across a way of unit length. */
const across = (/** @type {Point} */ vector, /** @type {Point} */ way) => plus(vector, way, -dot(vector, way));

/**
 * A capsule: its side, and its ends over that. A sphere is one without a length. Nothing where the eye is inside.
 *
 * @param {Capsule} of
 * @param {Point} eye
 * @param {Point} light a sphere is shaded along the way that it comes
 * @returns {Outline[]}
 */
export function capsule({ ends: places, radius }, eye, light) {
  let ends = places.map((place) => {
    const back = minus(eye, place);
    const [far, way] = [Math.hypot(...back), unit(back)];
    // where rays from the eye touch a ball
    return { far, way, middle: plus(place, way, (radius * radius) / far), wide: radius * Math.sqrt(1 - (radius / far) ** 2) };
  });
  if (ends.some(({ far }) => !(far > radius))) return [];
  let lean = (radius / ends[0].far - radius / ends[1].far) / Math.hypot(...minus(ends[0].way, ends[1].way));
  let along = minus(places[1], places[0]);
  if (!(Math.abs(lean) < 1)) {
    // one end hides the other
    const near = ends[0].far < ends[1].far ? ends[0] : ends[1];
    [ends, lean, along] = [[near, near], 0, across(plus(light, [1e-6, 2e-6, 3e-6]), near.way)]; // it may come from where the eye is
  }
  const tilt = Math.asin(lean);
  const caps = ends.map(({ way, middle, wide }, end) => {
    const tip = unit(scaled(across(along, way), end ? 1 : -1)); // as the eye sees it
    const side = cross(way, tip);
    const begin = end ? tilt : -tilt;
    const points = Array.from({ length: HALF + 1 }, (_, k) => {
      const angle = begin + ((Math.PI - 2 * begin) * k) / HALF;
      return plus(plus(middle, side, wide * Math.cos(angle)), tip, wide * Math.sin(angle));
    });
    return { points, side, normals: END.map((share) => bent(tip, way, share)), bend: { across: [middle, plus(middle, tip, wide)], stops: END, cover: COVER } };
  });
  const middle = scaled(plus(ends[0].middle, ends[1].middle), 0.5);
  const side = caps[0].side;
  const facing = cross(side, unit(along));
  const body = {
    points: caps.flatMap(({ points }) => points),
    normals: SIDE.map((stop) => bent(side, facing, 2 * stop - 1)),
    bend: { across: [-radius, radius].map((by) => plus(middle, side, by)), stops: SIDE },
  };
  return [body, ...caps];
}

/**
 * The side and the end of a cylinder, what of them the eye sees.
 *
 * @param {Point} centre @param {Point[]} turn its axes @param {number} radius @param {number} half of its length
 * @param {Point} eye
 * @returns {Outline[]}
 */
export function cylinder(centre, turn, radius, half, eye) {
  const away = minus(eye, centre);
  const [x, y, z] = turn.map((axis) => dot(axis, away));
  const [towards, far] = [Math.atan2(y, x), Math.hypot(x, y)];
  const way = (/** @type {number} */ angle) => plus(scaled(turn[0], Math.cos(angle)), turn[1], Math.sin(angle));
  const ring = (/** @type {number} */ begin, /** @type {number} */ end, /** @type {number} */ high) =>
    Array.from({ length: 2 * HALF }, (_, k) => way(begin + ((end - begin) * k) / (2 * HALF - 1))).map((out) => plus(plus(centre, turn[2], high), out, radius));
  /** @type {Outline[]} */
  const seen = [];
  if (far > radius) {
    const most = Math.acos(radius / far);
    const side = way(towards + Math.PI / 2);
    seen.push({
      points: [...ring(towards - most, towards + most, half), ...ring(towards + most, towards - most, -half)],
      normals: SIDE.map((stop) => bent(side, way(towards), 2 * stop - 1)),
      bend: { across: [-radius, radius].map((by) => plus(centre, side, by)), stops: SIDE },
    });
  }
  if (Math.abs(z) > half) {
    const up = Math.sign(z);
    seen.push({ points: ring(0, 2 * Math.PI * (1 - 0.5 / HALF), up * half), normals: [scaled(turn[2], up)] });
  }
  return seen;
}

/**
 * Whether a flat face lies inside a capsule, -1, or a capsule wholly behind the plane of the face, 1; else 0.
 *
 * @param {Point} centre of the face @param {Point} normal
 * @param {Capsule} capsule
 */
export function before(centre, normal, { ends: [from, to], radius }) {
  const [way, there] = [minus(to, from), minus(centre, from)];
  const share = Math.min(Math.max(dot(there, way) / (dot(way, way) || 1), 0), 1);
  if (Math.hypot(...minus(there, scaled(way, share))) < radius) return -1;
  return Math.max(...[from, to].map((end) => dot(normal, minus(end, centre)))) + radius <= 0 ? 1 : 0;
}
