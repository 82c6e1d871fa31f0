/**
 * The shapes of three dimensions as flat faces and outlines, lit, and seen by a camera, as polygons of a flat picture. Draws what
 * envs/solids.py draws: what changes there changes here.
 */

import { before, capsule, cylinder } from "./outlines.js";
import { css, render } from "./shapes.js";
import { cross, dot, minus, plus, unit } from "./vectors.js";

/** @typedef {import("./shapes.js").Shape} Shape @typedef {import("./vectors.js").Point} Point */

const SQUARES = 64; // of a ground, along each side at most: more are drawn larger
const AMBIENT = 0.4;
const SUN = { ways: [-0.48, -0.36, 0.8], color: [1, 1, 1], strength: 0.6 }; // where a list has no light
const NEAR = 0.01; // m: what is nearer to the eye is cut off
const GROUND = 1e9; // m²: what lies on a ground is nearer than all of it
const SEAM = 0.0015; // of the picture's width: the line around each face, so that none shows between two

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

const UPRIGHT = [[1, 0, 0], [0, 1, 0], [0, 0, 1]];

const CUBE = {
  points: Array.from({ length: 8 }, (_, corner) => [1, 2, 4].map((bit) => (corner & bit ? 1 : -1))),
  quads: ["0231", "4576", "0154", "2673", "0462", "1375"].map((side) => [...side].map(Number)),
};

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
 * @typedef {object} Mesh a form that is kept from picture to picture; in it every three numbers are a point or a way
 * @property {Float64Array} corners
 * @property {Uint16Array} faces the places of four corners each, anticlockwise as one sees them from outside
 * @property {Float64Array} normals of the faces
 * @property {Float64Array} offsets of their planes along these
 * @property {Uint8Array} odd 1: a face of the other colour
 */

/** @type {Map<string, Mesh>} by form and size */
const meshes = new Map();
const TINY = 1e-12; // m²
const KEPT = 256; // meshes; some forms change their size at each tick

/**
 * @param {string} name of the form with its sizes
 * @param {() => {points: Point[], quads: number[][]}} make quadrilaterals, by the places of their corners
 * @param {number} even how many of them have the first colour; the others have another one
 * @returns {Mesh}
 */
function meshOf(name, make, even = Infinity) {
  const known = meshes.get(name);
  if (known) return known;
  const { points, quads: all } = make();
  const across = (/** @type {number[]} */ [a, b, c, d]) => cross(minus(points[c], points[a]), minus(points[d], points[b]));
  const quads = all.filter((quad) => Math.hypot(...across(quad)) > TINY); // others have no side that could be seen
  const normals = quads.map((quad) => unit(across(quad)));
  const offsets = quads.map((quad, i) => quad.reduce((sum, corner) => sum + dot(normals[i], points[corner]), 0) / 4);
  const odd = quads.map((_, i) => Number(i >= even));
  const made = {
    corners: new Float64Array(points.flat()),
    faces: new Uint16Array(quads.flat()),
    normals: new Float64Array(normals.flat()),
    offsets: new Float64Array(offsets),
    odd: new Uint8Array(odd),
  };
  if (meshes.size >= KEPT) meshes.clear();
  meshes.set(name, made);
  return made;
}

/** Where the corners of the mesh at hand lie before the eye. */
let places = new Float64Array(0);

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
  /** Ways in the world, or places from the eye, as the eye has them. */
  const seen = (/** @type {Point} */ vector) => axes.map((axis) => dot(axis, vector));
  const placed = (/** @type {Point} */ place) => seen(minus(place, eye));
  /** @type {{ways: Point, own: Point, color: number[], strength: number}[]} ways, also as the eye has them */
  const lights = [];
  /** @type {{far: number, shape: Shape}[]} `far`: squared */
  const faces = [];
  const edge = SEAM * width;

  /** @param {"ways" | "own"} whose normal it is @param {Point} normal @param {number[]} color */
  const lit = (whose, normal, [red, green, blue]) => {
    let [r, g, b] = [AMBIENT, AMBIENT, AMBIENT];
    for (const { [whose]: ways, color, strength } of lights) {
      const share = strength * Math.max(dot(normal, ways), 0);
      r += share * color[0];
      g += share * color[1];
      b += share * color[2];
    }
    return [red * r, green * g, blue * b].map((part) => Math.min(part + 0.5, 255) | 0);
  };
  const flat = (/** @type {number} */ x, /** @type {number} */ y, /** @type {number} */ z) => [width / 2 + (x / z) * scale, height / 2 - (y / z) * scale];
  /**
   * The part of a face that lies in front of the eye.
   *
   * @param {Point[]} corners before the eye
   */
  const cut = (corners) =>
    corners.flatMap((b, i) => {
      const a = corners.at(i - 1) ?? b;
      const kept = b[2] >= NEAR ? [b] : [];
      const t = (NEAR - a[2]) / (b[2] - a[2]);
      if (a[2] < NEAR !== b[2] < NEAR) kept.unshift(plus(a, minus(b, a), t));
      return kept.flatMap(([x, y, z]) => flat(x, y, z));
    });
  /**
   * A face in the picture, and how far its furthest corner is, squared.
   *
   * @param {ArrayLike<number>} p corners before the eye, three numbers each
   * @param {number} begin @param {number} end
   * @param {Uint16Array} [order] the places of corners that are meant
   */
  const shown = (p, begin, end, order) => {
    let [far, near] = [0, Infinity];
    let f = [];
    for (let k = begin; k < end; k += 1) {
      const at = 3 * (order ? order[k] : k);
      const [x, y, z] = [p[at], p[at + 1], p[at + 2]];
      far = Math.max(far, x * x + y * y + z * z);
      near = Math.min(near, z);
      f.push(width / 2 + (x / z) * scale, height / 2 - (y / z) * scale);
    }
    if (near < NEAR) f = cut(Array.from({ length: end - begin }, (_, k) => 3 * (order ? order[begin + k] : begin + k)).map((at) => [p[at], p[at + 1], p[at + 2]]));
    return { f, far };
  };
  /**
   * @param {Shape} of
   * @param {Mesh} mesh
   * @param {Point[]} turn where it takes the mesh's axes
   * @param {Point} centre
   * @param {string[]} colors of its faces, those of odd ones last
   */
  const add = (of, { corners, faces: quads, normals, offsets, odd }, turn, centre, colors = [of.color]) => {
    const away = minus(centre, eye);
    const own = turn.map((axis) => -dot(axis, away)); // the eye, as the mesh has it
    const ways = axes.map((axis) => turn.map((each) => dot(axis, each)));
    const [x0, y0, z0] = axes.map((axis) => dot(axis, away));
    const tints = colors.map((color) => ({ rgb: parts(color), alpha: parseInt(color.slice(7), 16) / 255 }));
    const count = corners.length / 3;
    if (places.length < 3 * count) places = new Float64Array(3 * count);
    const [m, p] = [ways.flat(), places];
    for (let i = 0; i < 3 * count; i += 3) {
      const [x, y, z] = [corners[i], corners[i + 1], corners[i + 2]];
      p[i] = x0 + m[0] * x + m[1] * y + m[2] * z;
      p[i + 1] = y0 + m[3] * x + m[4] * y + m[5] * z;
      p[i + 2] = z0 + m[6] * x + m[7] * y + m[8] * z;
    }
    let [color, ...former] = ["", NaN, NaN, NaN, NaN];
    for (let i = 0; i < offsets.length; i += 1) {
      const [nx, ny, nz] = [normals[3 * i], normals[3 * i + 1], normals[3 * i + 2]];
      if (nx * own[0] + ny * own[1] + nz * own[2] - offsets[i] <= 0) continue;
      const { f, far } = shown(p, 4 * i, 4 * i + 4, quads);
      if (f.length < 6) continue;
      if (former[0] !== nx || former[1] !== ny || former[2] !== nz || former[3] !== odd[i]) {
        former = [nx, ny, nz, odd[i]];
        const { rgb, alpha } = tints[odd[i]];
        const normal = [0, 1, 2].map((k) => turn[0][k] * nx + turn[1][k] * ny + turn[2][k] * nz);
        color = `rgba(${lit("ways", normal, rgb)},${alpha})`;
      }
      const shape = { kind: "polygon", color, n: f.length / 2, id: of.id, f, text: "", tile: of.tile, edge };
      faces.push({ far: of.kind === "ground3" ? far + GROUND : far, shape });
    }
  };
  /** @type {{far: number, capsule: import("./outlines.js").Capsule}[]} */
  const capsules = [];
  /** @type {{face: {far: number}, centre: Point, normal: Point}[]} the ends of cylinders */
  const ends = [];
  /**
   * @param {Shape} of
   * @param {import("./outlines.js").Outline} outline
   * @param {number} [far] none: as its own points are
   */
  const outlined = (of, { points, normals, bend }, far) => {
    const [rgb, alpha] = [parts(of.color), parseInt(of.color.slice(7), 16) / 255];
    const { f, far: own } = shown(points, 0, points.length / 3);
    const colors = normals.map((normal, i) => `rgba(${lit("own", normal, rgb)},${alpha * (bend?.cover?.[i] ?? 1)})`);
    const shade = bend && { line: bend.across.flatMap(([x, y, z]) => flat(x, y, Math.max(z, NEAR))), stops: bend.stops, colors };
    const shape = { kind: "polygon", color: colors[0], n: f.length / 2, id: of.id, f, text: "", tile: of.tile, edge, shade };
    const face = { far: far ?? own, shape };
    if (f.length >= 6) faces.push(face);
    return face;
  };
  const shine = (/** @type {Point} */ ways, /** @type {number[]} */ color, /** @type {number} */ strength) => lights.push({ ways, own: seen(ways), color, strength });
  render(shapes, {
    light: (/** @type {Shape} */ of, /** @type {number[]} */ ...[x, y, z, strength]) => shine(unit([-x, -y, -z]), parts(of.color).map((part) => part / 255), strength),
  });
  if (!lights.length) shine(SUN.ways, SUN.color, SUN.strength);
  /**
   * @param {Shape} of
   * @param {import("./outlines.js").Capsule} body
   */
  const rounded = (of, body) => {
    const [side, ...tips] = capsule(body, lights[0].own);
    if (!side) return;
    const { far } = outlined(of, side);
    for (const tip of tips) outlined(of, tip, far);
    capsules.push({ far, capsule: body });
  };
  render(shapes, {
    box3(/** @type {Shape} */ of, /** @type {number[]} */ ...f) {
      const sizes = f.slice(3, 6);
      const mesh = meshOf(`box ${sizes}`, () => ({ ...CUBE, points: CUBE.points.map((corner) => corner.map((value, i) => value * sizes[i])) }));
      add(of, mesh, turned(f[6], f[7], f[8], f[9]), f.slice(0, 3));
    },
    sphere3(/** @type {Shape} */ of, /** @type {number[]} */ ...f) {
      const centre = placed(f);
      rounded(of, { ends: [centre, centre], radius: f[3] });
    },
    capsule3(/** @type {Shape} */ of, /** @type {number[]} */ ...f) {
      rounded(of, { ends: [placed(f), placed(f.slice(3))], radius: f[6] });
    },
    cylinder3(/** @type {Shape} */ of, /** @type {number[]} */ ...f) {
      const [radius, half] = f.slice(3, 5);
      const centre = placed(f);
      for (const outline of cylinder(centre, turned(f[5], f[6], f[7], f[8]).map(seen), radius, half)) {
        const face = outlined(of, outline);
        const [normal] = outline.normals;
        if (!outline.bend) ends.push({ face, normal, centre: plus(centre, normal, half) });
      }
    },
    ground3(/** @type {Shape} */ of, /** @type {number[]} */ ...[x, y, z, wide, deep, square]) {
      const most = 2 * Math.max(wide, deep);
      let step = square > 0 ? square : most;
      step *= Math.max(1, Math.ceil(most / (step * SQUARES)));
      const [columns, rows] = [wide, deep].map((half) => Math.ceil((2 * half) / step));
      const level = (/** @type {number} */ x0, /** @type {number} */ y0, /** @type {number} */ x1, /** @type {number} */ y1) =>
        [[x0, y0, 0], [x1, y0, 0], [x1, y1, 0], [x0, y1, 0]];
      const squares = (/** @type {number} */ odd) =>
        Array.from({ length: columns * rows }, (_, i) => [i % columns, Math.floor(i / columns)])
          .filter(([i, j]) => (i + j) % 2 === odd)
          .map(([i, j]) => level(i * step - wide, j * step - deep, Math.min((i + 1) * step - wide, wide), Math.min((j + 1) * step - deep, deep)));
      const opaque = of.color.endsWith("ff"); // then the odd squares lie on one face
      const even = opaque ? [level(-wide, -deep, wide, deep)] : squares(0);
      const made = () => {
        const points = [...even, ...squares(1)].flat();
        return { points, quads: Array.from({ length: points.length / 4 }, (_, i) => [4 * i, 4 * i + 1, 4 * i + 2, 4 * i + 3]) };
      };
      const mesh = meshOf(`ground ${[wide, deep, step, opaque]}`, made, even.length);
      add(of, mesh, UPRIGHT, [x, y, z], [of.color, css(of.n >>> 0)]);
    },
  });
  for (const { face, centre, normal } of ends) {
    const found = capsules.map(({ far, capsule: body }) => ({ far, way: before(centre, normal, body) }));
    const [around, behind] = [-1, 1].map((side) => found.filter(({ way }) => way === side).map(({ far }) => far));
    if (around.length) face.far = Math.max(face.far, Math.max(...around) + TINY);
    else face.far = Math.min(face.far, ...behind.map((far) => far - TINY));
  }
  return faces.sort((a, b) => b.far - a.far).map(({ shape }) => shape);
}
