/**
 * The shapes of three dimensions as flat faces, lit, and seen by a camera, as polygons of a flat picture. Draws what
 * envs/solids.py draws: what changes there changes here.
 */

import { css, render } from "./shapes.js";

/** @typedef {import("./shapes.js").Shape} Shape @typedef {number[]} Point [3] */

const SEGMENTS = 16; // around a sphere, a cylinder or a capsule
const RINGS = 4; // from a sphere's equator to its pole
const PIECES = 6; // of a cylinder's or a capsule's length, none longer than its radius unless these are too few
const SQUARES = 64; // of a ground, along each side at most: more are drawn larger
const AMBIENT = 0.4;
const SUN = { ways: [-0.48, -0.36, 0.8], color: [1, 1, 1], strength: 0.6 }; // where a list has no light
const NEAR = 0.01; // m: what is nearer to the eye is cut off
const SEAM = 0.0015; // of the picture's width: the line around each face, so that none shows between two

export const dot = (/** @type {Point} */ a, /** @type {Point} */ b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
export const minus = (/** @type {Point} */ a, /** @type {Point} */ b) => a.map((value, i) => value - b[i]);
export const scaled = (/** @type {Point} */ a, /** @type {number} */ by) => a.map((value) => value * by);
const unit = (/** @type {Point} */ a) => scaled(a, 1 / Math.max(Math.hypot(...a), 1e-12));
const cross = (/** @type {Point} */ a, /** @type {Point} */ b) => [
  a[1] * b[2] - a[2] * b[1],
  a[2] * b[0] - a[0] * b[2],
  a[0] * b[1] - a[1] * b[0],
];
/** @param {string} color #RRGGBBAA */
const parts = (color) => [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));

/**
 * Where a unit quaternion takes the axes.
 *
 * @param {number} w @param {number} x @param {number} y @param {number} z
 */
const turned = (w, x, y, z) => [
  [1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 2 * (x * z - w * y)],
  [2 * (x * y - w * z), 1 - 2 * (x * x + z * z), 2 * (y * z + w * x)],
  [2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)],
];

/** @param {Point} way that z is taken to */
function towards(way) {
  const z = unit(way);
  const x = unit(cross(Math.abs(z[1]) < 0.9 ? [0, 1, 0] : [1, 0, 0], z));
  return [x, cross(z, x), z];
}

/**
 * A line of heights and radii, from below, turned around z; what is long in pieces, since faces lie over each other as wholes.
 *
 * @param {number[][]} profile
 */
function revolved(profile) {
  const line = profile.slice(0, 1);
  for (const [i, [high, outer]] of profile.slice(1).entries()) {
    const [low, inner] = profile[i];
    const pieces = Math.max(1, Math.min(Math.ceil((high - low) / Math.max(inner, outer, 1e-9)), PIECES));
    for (let k = 1; k <= pieces; k += 1) line.push([low + ((high - low) * k) / pieces, inner + ((outer - inner) * k) / pieces]);
  }
  const ring = (/** @type {number} */ k, /** @type {number[]} */ [height, radius]) => {
    const angle = (2 * Math.PI * k) / SEGMENTS;
    return [radius * Math.cos(angle), radius * Math.sin(angle), height];
  };
  return line.slice(1).flatMap((above, i) =>
    Array.from({ length: SEGMENTS }, (_, k) => [ring(k, line[i]), ring(k + 1, line[i]), ring(k + 1, above), ring(k, above)]),
  );
}

/**
 * A capsule around z; without a length, a sphere.
 *
 * @param {number} radius @param {number} half of its length without the ends
 */
function round(radius, half) {
  const above = Array.from({ length: RINGS + 1 }, (_, k) => {
    const angle = (Math.PI / 2 / RINGS) * k;
    return [half + radius * Math.cos(angle), radius * Math.sin(angle)];
  });
  return revolved([...above.map(([height, r]) => [-height, r]), ...above.reverse()]);
}

const CUBE = ["0231", "4576", "0154", "2673", "0462", "1375"].map((side) =>
  [...side].map((corner) => [1, 2, 4].map((bit) => (Number(corner) & bit ? 1 : -1))),
);

/**
 * What a camera sees: from where, along which axes (to the right, up, forwards), and how large a metre is at a metre's distance in a
 * picture of this height.
 *
 * @param {number[]} camera the numbers of a camera3
 * @param {number} height
 */
export function sight(camera, height) {
  const [eye, target] = [camera.slice(0, 3), camera.slice(3, 6)];
  const forwards = unit(minus(target, eye));
  const side = cross(forwards, [0, 0, 1]);
  const right = Math.hypot(...side) > 1e-6 ? unit(side) : [1, 0, 0]; // straight up or down
  return { eye, axes: [right, cross(right, forwards), forwards], scale: height / 2 / Math.tan(camera[6] / 2) };
}

/**
 * What lies in space, as polygons of the whole picture, width x height, the furthest first. Empty without a camera there.
 *
 * @param {Shape[]} shapes
 * @param {number} width
 * @param {number} height
 * @returns {Shape[]}
 */
export function flatten(shapes, width, height) {
  const camera = shapes.find(({ kind }) => kind === "camera3")?.f;
  if (!camera) return [];
  const { eye, axes, scale } = sight(camera, height);
  /** @type {{ways: Point, color: number[], strength: number}[]} */
  const lights = [];
  /** @type {{ground: boolean, far: number, shape: Shape}[]} */
  const faces = [];

  /** @param {Point} normal @param {string} color */
  const lit = (normal, color) => {
    const share = [AMBIENT, AMBIENT, AMBIENT];
    for (const light of lights.length ? lights : [SUN]) {
      const strength = light.strength * Math.max(dot(normal, light.ways), 0);
      light.color.forEach((part, i) => (share[i] += strength * part));
    }
    const mixed = parts(color).map((part, i) => Math.min(part * share[i] + 0.5, 255) | 0);
    return `rgba(${mixed},${parseInt(color.slice(7), 16) / 255})`;
  };
  /** @param {Shape} of @param {string} color @param {Point[]} corners anticlockwise as one sees them @param {boolean} ground */
  const face = (of, color, corners, ground) => {
    const normal = unit(cross(minus(corners[2], corners[0]), minus(corners[3], corners[1])));
    const middle = [0, 1, 2].map((i) => corners.reduce((sum, corner) => sum + corner[i] / 4, 0));
    if (dot(normal, minus(eye, middle)) <= 0) return;
    const placed = corners.map((corner) => axes.map((axis) => dot(axis, minus(corner, eye))));
    const far = Math.max(...placed.map((corner) => Math.hypot(...corner)));
    const f = placed.flatMap((b, i) => {
      const a = placed[(i + 3) % 4];
      const kept = b[2] >= NEAR ? [b] : [];
      const t = (NEAR - a[2]) / (b[2] - a[2]);
      if (a[2] < NEAR !== b[2] < NEAR) kept.unshift(a.map((value, k) => value + (b[k] - value) * t));
      return kept.flatMap(([x, y, z]) => [width / 2 + (x / z) * scale, height / 2 - (y / z) * scale]);
    });
    const shape = { ...of, kind: "polygon", color: lit(normal, color), n: f.length / 2, f, edge: SEAM * width };
    if (f.length >= 6) faces.push({ ground, far, shape });
  };
  /** @param {Shape} of @param {Point[][]} quads @param {Point[]} turn @param {Point} centre */
  const add = (of, quads, turn, centre) => {
    for (const quad of quads) {
      const corners = quad.map((point) => centre.map((value, i) => value + turn[0][i] * point[0] + turn[1][i] * point[1] + turn[2][i] * point[2]));
      face(of, of.color, corners, false);
    }
  };
  render(shapes, {
    light: (/** @type {Shape} */ of, /** @type {number[]} */ ...[x, y, z, strength]) =>
      lights.push({ ways: unit([-x, -y, -z]), color: parts(of.color).map((part) => part / 255), strength }),
  });
  render(shapes, {
    box3: (/** @type {Shape} */ of, /** @type {number[]} */ ...f) =>
      add(of, CUBE.map((quad) => quad.map((corner) => corner.map((value, i) => value * f[3 + i]))), turned(f[6], f[7], f[8], f[9]), f.slice(0, 3)),
    sphere3: (/** @type {Shape} */ of, /** @type {number[]} */ ...f) => add(of, round(f[3], 0), turned(1, 0, 0, 0), f.slice(0, 3)),
    capsule3(/** @type {Shape} */ of, /** @type {number[]} */ ...f) {
      const [from, to] = [f.slice(0, 3), f.slice(3, 6)];
      const way = minus(to, from);
      const length = Math.hypot(...way);
      add(of, round(f[6], length / 2), length ? towards(way) : turned(1, 0, 0, 0), minus(to, scaled(way, 0.5)));
    },
    cylinder3: (/** @type {Shape} */ of, /** @type {number[]} */ ...f) =>
      add(of, revolved([[-f[4], 0], [-f[4], f[3]], [f[4], f[3]], [f[4], 0]]), turned(f[5], f[6], f[7], f[8]), f.slice(0, 3)),
    ground3(/** @type {Shape} */ of, /** @type {number[]} */ ...[x, y, z, wide, deep, square]) {
      const most = 2 * Math.max(wide, deep);
      let step = square > 0 ? square : most;
      step *= Math.max(1, Math.ceil(most / (step * SQUARES)));
      const other = css(of.n >>> 0);
      for (let j = 0; j < Math.ceil((2 * deep) / step); j += 1) {
        for (let i = 0; i < Math.ceil((2 * wide) / step); i += 1) {
          const [x0, y0] = [x - wide + i * step, y - deep + j * step];
          const [x1, y1] = [Math.min(x0 + step, x + wide), Math.min(y0 + step, y + deep)];
          face(of, (i + j) % 2 ? other : of.color, [[x0, y0, z], [x1, y0, z], [x1, y1, z], [x0, y1, z]], true);
        }
      }
    },
  });
  return faces.sort((a, b) => Number(b.ground) - Number(a.ground) || b.far - a.far).map(({ shape }) => shape);
}
