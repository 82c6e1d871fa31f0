/**
 * The outlines of round bodies as an eye sees them, and how light goes over them: a path or three in place of many faces. All places and
 * ways are the eye's own: to the right, up, forwards.
 */

import { cross, dot, minus, plus, scaled, unit } from "./vectors.js";

/** @typedef {import("./vectors.js").Point} Point */

/**
 * @typedef {object} Outline a convex face
 * @property {number[]} points three numbers each
 * @property {Point[]} normals its only one; or one for each stop of its bend
 * @property {{across: Point[], stops: number[], cover?: number[]}} [bend] two places between which the normal changes, shares of the
 *   way between these, and how much is covered there of the outline before; all of it where nothing is said
 */

/** @typedef {{ends: Point[], radius: number}} Capsule */

const HALF = 12; // steps along half a circle
const SIDE = [0, 0.05, 0.15, 0.5, 0.85, 0.95, 1]; // stops across a side
const END = [0, 0.4, 0.7, 0.9, 1]; // and from where a round end begins to its tip
const COVER = [0, 0.6, 0.85, 0.95, 1];
const THIN = 0.004; // rad: what is no wider to each side has one colour

/**
 * @param {Point} way of unit length
 * @param {Point} facing the eye, across it, of unit length
 * @param {number} share of a way that a round body bends away from the eye, -1 to 1
 */
const bent = (way, facing, share) => plus(scaled(way, share), facing, Math.sqrt(1 - share * share));

/** What of a vector is across a way of unit length. */
const across = (/** @type {Point} */ vector, /** @type {Point} */ way) => plus(vector, way, -dot(vector, way));

/**
 * Places on a circle, from one angle to another.
 *
 * @param {Point} middle @param {Point} side at angle 0 @param {Point} tip at a right angle @param {number} radius
 * @param {number} begin @param {number} end @param {number} steps
 */
function arc([x, y, z], side, tip, radius, begin, end, steps) {
  const points = [];
  for (let k = 0; k <= steps; k += 1) {
    const angle = begin + ((end - begin) * k) / steps;
    const [a, b] = [radius * Math.cos(angle), radius * Math.sin(angle)];
    points.push(x + side[0] * a + tip[0] * b, y + side[1] * a + tip[1] * b, z + side[2] * a + tip[2] * b);
  }
  return points;
}

/**
 * A capsule: its side, and its ends over that. A sphere is one without a length. Nothing where the eye is inside.
 *
 * @param {Capsule} of
 * @param {Point} light a sphere is shaded along the way that it comes
 * @returns {Outline[]}
 */
export function capsule({ ends: places, radius }, light) {
  let ends = places.map((place) => {
    const [far, way] = [Math.hypot(...place), scaled(unit(place), -1)];
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
  const thin = ends.every(({ far }) => radius < THIN * far);
  const tilt = Math.asin(lean);
  const caps = ends.map(({ way, middle, wide }, end) => {
    const tip = unit(scaled(across(along, way), end ? 1 : -1)); // as the eye sees it
    const side = cross(way, tip);
    const begin = end ? tilt : -tilt;
    const points = arc(middle, side, tip, wide, begin, Math.PI - begin, thin ? 2 : HALF);
    return { points, side, normals: END.map((share) => bent(tip, way, share)), bend: { across: [middle, plus(middle, tip, wide)], stops: END, cover: COVER } };
  });
  const points = caps.flatMap((cap) => cap.points);
  const [{ side }] = caps;
  const facing = cross(side, unit(along));
  if (thin) return [{ points, normals: [facing] }];
  const middle = scaled(plus(ends[0].middle, ends[1].middle), 0.5);
  const normals = SIDE.map((stop) => bent(side, facing, 2 * stop - 1));
  return [{ points, normals, bend: { across: [-radius, radius].map((by) => plus(middle, side, by)), stops: SIDE } }, ...caps];
}

/**
 * The side and the end of a cylinder, what of them the eye sees.
 *
 * @param {Point} centre @param {Point[]} turn its axes @param {number} radius @param {number} half of its length
 * @returns {Outline[]}
 */
export function cylinder(centre, turn, radius, half) {
  const [x, y, z] = turn.map((axis) => -dot(axis, centre)); // the eye, as the cylinder has it
  const [towards, far] = [Math.atan2(y, x), Math.hypot(x, y)];
  const ring = (/** @type {number} */ begin, /** @type {number} */ end, /** @type {number} */ high) =>
    arc(plus(centre, turn[2], high), turn[0], turn[1], radius, begin, end, 2 * HALF);
  /** @type {Outline[]} */
  const seen = [];
  if (far > radius) {
    const most = Math.acos(radius / far);
    const [facing, side] = [towards, towards + Math.PI / 2].map((angle) => plus(scaled(turn[0], Math.cos(angle)), turn[1], Math.sin(angle)));
    seen.push({
      points: [...ring(towards - most, towards + most, half), ...ring(towards + most, towards - most, -half)],
      normals: SIDE.map((stop) => bent(side, facing, 2 * stop - 1)),
      bend: { across: [-radius, radius].map((by) => plus(centre, side, by)), stops: SIDE },
    });
  }
  if (Math.abs(z) > half) {
    const up = Math.sign(z);
    seen.push({ points: ring(0, 2 * Math.PI, up * half), normals: [scaled(turn[2], up)] });
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
