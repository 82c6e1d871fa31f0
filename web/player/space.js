/**
 * What pages of environments in space have beside a canvas: a camera that a person turns, three.js where there is WebGL, flat faces
 * where there is none, and places in space for the pointer.
 */

import { flatten, sight } from "./solids.js";
import { dot, minus, scaled } from "./vectors.js";

/**
 * @typedef {import("./shapes.js").Shape} Shape @typedef {import("./vectors.js").Point} Point
 * @typedef {{x: number, y: number}} Place of the flat picture, view_width x view_height
 * @typedef {import("./spec.js").Spec} Spec
 */

const STEEP = 0.7; // a camera that looks down so steeply drags along the ground, others along an upright plane
const [LOWEST, HIGHEST] = [0.03, 1.5]; // rad: where the camera may be turned to, above the ground
const ZOOM = [0.35, 2.5];
const TURN = Math.PI; // rad: what a drag across the picture's height turns
const KEYS = { ArrowLeft: [-0.1, 0, 0], ArrowRight: [0.1, 0, 0], ArrowUp: [0, 0.1, 0], ArrowDown: [0, -0.1, 0], PageUp: [0, 0, 0.1], PageDown: [0, 0, -0.1] };

const clamp = (/** @type {number} */ value, /** @type {number} */ low, /** @type {number} */ high) => Math.min(Math.max(value, low), high);

const SOFTWARE = /swiftshader|llvmpipe|softpipe|software|basic render/i; // what draws WebGL by the processor

/** Whether WebGL draws here by itself: by the processor alone it would hold up everything else. Browsers do not always tell when asked to. */
function hardware() {
  const gl = document.createElement("canvas").getContext("webgl2", { failIfMajorPerformanceCaveat: true });
  if (!gl) return false;
  let name = gl.getParameter(gl.RENDERER);
  const told = name === "WebKit WebGL" && gl.getExtension("WEBGL_debug_renderer_info");
  if (told) name = gl.getParameter(told.UNMASKED_RENDERER_WEBGL);
  gl.getExtension("WEBGL_lose_context")?.loseContext();
  return !SOFTWARE.test(name);
}

export class Space {
  /** How far a person has turned the list's own camera to the right and upwards, rad, and how much nearer it is. */
  view = { turn: 0, rise: 0, zoom: 1 };

  /**
   * @param {Spec} spec
   * @param {typeof import("./stage.js").Stage | null} Stage
   */
  constructor(spec, Stage) {
    this.spec = spec;
    /** @type {import("./stage.js").Stage | null} null: flat faces */
    this.stage = null;
    try {
      if (Stage) this.stage = new Stage();
    } catch {
      // no WebGL here
    }
  }

  /**
   * Draws by three.js from now on, where WebGL is fast; else by flat faces as before.
   *
   * @param {string} address of stage.js's bundle
   * @param {HTMLElement} room for its canvas
   */
  async raise(address, room) {
    if (!hardware()) return;
    try {
      const { Stage } = await import(address);
      const drawn = (this.stage = /** @type {import("./stage.js").Stage} */ (new Stage()));
      room.append(drawn.element);
    } catch {
      // it could not be fetched, or there is no WebGL here
    }
  }

  /**
   * The list as the person sees it.
   *
   * @param {Shape[]} shapes
   */
  seen(shapes) {
    const { turn, rise, zoom } = this.view;
    if (!turn && !rise && zoom === 1) return shapes;
    return shapes.map((shape) => {
      if (shape.kind !== "camera3") return shape;
      const target = shape.f.slice(3, 6);
      const [x, y, z] = minus(shape.f, [...target, ...shape.f.slice(3)]);
      const far = Math.hypot(x, y, z) / zoom;
      const [around, up] = [Math.atan2(y, x) + turn, clamp(Math.asin(z / Math.hypot(x, y, z)) + rise, LOWEST, HIGHEST)];
      const way = [Math.cos(around) * Math.cos(up), Math.sin(around) * Math.cos(up), Math.sin(up)];
      return { ...shape, f: [...way.map((part, k) => target[k] + far * part), ...shape.f.slice(3)] };
    });
  }

  /**
   * The picture by three.js, below the canvas; false where it is to be drawn by flat faces.
   *
   * @param {Shape[]} shapes
   * @param {number} width of the canvas, in its pixels
   * @param {number} height
   * @param {number} high how many of them are the height of the view
   */
  draw(shapes, width, height, high) {
    return this.stage?.draw(shapes, width, height, high) ?? false;
  }

  /** @type {{of: string, faces: Shape[]}} */
  #ground = { of: "", faces: [] };

  /**
   * The ground, which all else lies before: one list as long as the eye and the light stay.
   *
   * @param {Shape[]} shapes
   */
  ground(shapes) {
    const under = shapes.filter(({ kind }) => /^(camera3|light|ground3)$/.test(kind));
    const of = under.map(({ kind, color, n, f }) => [kind, color, n, f]).join();
    if (of !== this.#ground.of) this.#ground = { of, faces: this.flatten(under) };
    return this.#ground.faces;
  }

  /** @param {Shape[]} shapes */
  flatten(shapes) {
    return flatten(shapes, this.spec.view_width, this.spec.view_height);
  }

  /**
   * Where in space places of the picture are: in a plane through the middle of a body, upright and across the eye's way, or level where
   * the camera looks down steeply.
   *
   * @param {Shape[]} shapes
   * @param {number} id of the body; 0: where the camera looks
   * @returns {((place: Place) => Point) | null} null: the picture is flat
   */
  plane(shapes, id) {
    const { view_width, view_height } = this.spec;
    const camera = shapes.find(({ kind }) => kind === "camera3")?.f;
    if (!camera) return null;
    const { eye, axes, scale } = sight(camera, view_height);
    const body = [...shapes].reverse().find((shape) => id && shape.id === id);
    const middle = body?.kind === "capsule3" ? scaled(body.f.slice(0, 3).map((value, k) => value + body.f[3 + k]), 0.5) : body?.f.slice(0, 3);
    const normal = axes[2][2] < -STEEP ? [0, 0, 1] : [axes[2][0], axes[2][1], 0];
    let last = middle ?? camera.slice(3, 6);
    const distance = dot(minus(last, eye), normal);
    return ({ x, y }) => {
      const [right, up] = [(x - view_width / 2) / scale, (view_height / 2 - y) / scale];
      const way = axes[2].map((part, k) => part + axes[0][k] * right + axes[1][k] * up);
      const far = distance / dot(way, normal);
      if (far > 0 && Number.isFinite(far)) last = eye.map((value, k) => value + far * way[k]);
      return last;
    };
  }

  /**
   * @param {number} turn rad
   * @param {number} rise rad
   * @param {number} nearer as a power of e
   * @returns {boolean} whether it comes nearer or goes further still
   */
  move(turn, rise, nearer) {
    const { view } = this;
    const zoom = clamp(view.zoom * Math.exp(nearer), ZOOM[0], ZOOM[1]);
    const moved = zoom !== view.zoom;
    this.view = { turn: view.turn + turn, rise: clamp(view.rise + rise, -Math.PI / 2, Math.PI / 2), zoom };
    return moved;
  }

  /**
   * Keys of the camera: arrows, Page up and down, Home, with Shift.
   *
   * @param {KeyboardEvent} event
   * @returns {boolean} whether it was one
   */
  key({ shiftKey, code }) {
    if (!shiftKey || !(code in KEYS || code === "Home")) return false;
    if (code === "Home") this.view = { turn: 0, rise: 0, zoom: 1 };
    else this.move(.../** @type {[number, number, number]} */ (KEYS[/** @type {keyof typeof KEYS} */ (code)]));
    return true;
  }

  /**
   * Dragging turns the camera, two fingers or the wheel bring it nearer.
   *
   * @param {HTMLElement} element
   * @param {(pointer: PointerEvent) => boolean} free whether a drag that begins so is none of the game's
   */
  listen(element, free) {
    /** @type {Map<number, {x: number, y: number}>} */
    const held = new Map();
    element.style.touchAction = "none";
    const spread = () => {
      const [a, b] = [...held.values()];
      return b ? Math.hypot(a.x - b.x, a.y - b.y) : 0;
    };
    element.addEventListener("pointerdown", (event) => {
      if (!held.size && event.button !== 2 && !free(event)) return;
      held.set(event.pointerId, { x: event.clientX, y: event.clientY });
      element.setPointerCapture(event.pointerId);
    });
    element.addEventListener("pointermove", (event) => {
      const before = held.get(event.pointerId);
      if (!before) return;
      const [wide, unit] = [spread(), TURN / element.clientHeight / held.size];
      held.set(event.pointerId, { x: event.clientX, y: event.clientY });
      this.move((before.x - event.clientX) * unit, (event.clientY - before.y) * unit, wide ? Math.log(spread() / wide || 1) : 0);
    });
    for (const end of /** @type {const} */ (["pointerup", "pointercancel"])) {
      element.addEventListener(end, (event) => held.delete(event.pointerId));
    }
    element.addEventListener("contextmenu", (event) => event.preventDefault());
    element.addEventListener("wheel", (event) => {
      if (this.move(0, 0, -event.deltaY / 500)) event.preventDefault(); // at the end the page scrolls on
    });
  }
}
