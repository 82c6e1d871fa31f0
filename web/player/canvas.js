/** Draws a draw list on a 2-D canvas. Knows no environment. */

import { decode, pick, render } from "./shapes.js";

/** @typedef {import("./shapes.js").Shape} Shape @typedef {import("./spec.js").Spec} Spec */
/** @typedef {import("./space.js").Space} Space @typedef {{x: number, y: number}} Place of the world */
/**
 * A pointer's hold on the world: the id of what it began at, or 0, whether that lies in space, and where the pointer is now.
 * @typedef {{target: number, solid: boolean, to: (pointer: {clientX: number, clientY: number}) => number[]}} Hold
 */

export class Canvas {
  /**
   * @param {HTMLCanvasElement} element
   * @param {Spec} spec
   * @param {Space | null} space of an environment that lies there
   */
  constructor(element, spec, space) {
    this.element = element;
    this.spec = spec;
    this.space = space;
    this.context = /** @type {CanvasRenderingContext2D} */ (element.getContext("2d", { alpha: Boolean(space) }));
    this.view = new DOMMatrix();
    this.field = document.createElement("canvas"); // of tiles, one pixel each
    /** @type {Shape[]} those of the picture drawn last */
    this.shapes = [];
    new ResizeObserver(([{ contentRect }]) => (this.box = contentRect)).observe(element);
  }

  /** @type {DOMRectReadOnly | null} of the element; null: to be measured, which makes the browser lay out the page */
  box = null;

  /** Fits the canvas to its box on the screen, one canvas pixel a device pixel. */
  #fit() {
    const box = (this.box ??= this.element.getBoundingClientRect());
    const scale = window.devicePixelRatio || 1;
    const [width, height] = [Math.max(1, Math.round(box.width * scale)), Math.max(1, Math.round(box.height * scale))];
    if (this.element.width !== width || this.element.height !== height) Object.assign(this.element, { width, height });
  }

  /**
   * Where in the world a pointer is, in the picture drawn last.
   *
   * @param {{clientX: number, clientY: number}} pointer
   */
  world({ clientX, clientY }) {
    const box = this.element.getBoundingClientRect();
    const { width, height } = this.element;
    return this.view.inverse().transformPoint({
      x: ((clientX - box.left) / box.width) * width,
      y: ((clientY - box.top) / box.height) * height,
    });
  }

  /**
   * The id of the topmost shape at a place of the world that has one, in the picture drawn last; or 0.
   *
   * @param {Place} place
   */
  pick(place) {
    return pick([...(this.space?.flatten(this.shapes) ?? []), ...this.shapes], place);
  }

  /**
   * @param {{clientX: number, clientY: number}} pointer
   * @returns {Hold}
   */
  hold(pointer) {
    const target = this.pick(this.world(pointer));
    const plane = this.space?.plane(this.shapes, target);
    const to = plane ?? ((/** @type {Place} */ { x, y }) => [x, y, 0]);
    return { target, solid: Boolean(plane), to: (now) => to(this.world(now)) };
  }

  /**
   * @param {import("./shapes.js").List} list
   * @throws where it breaks the contract
   */
  draw(list) {
    if (this.element.isConnected) this.#fit(); // else it is as large as it was made
    const { context, spec } = this;
    const { width, height } = this.element;
    const [wide, high] = [spec.view_width, spec.view_height];
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = "#000";
    context.fillRect(0, 0, width, height);
    this.shapes = [];
    this.shapes = decode(list, spec);
    if (this.space) this.shapes = this.space.seen(this.shapes);
    const [x, y, w, h] = this.shapes.find(({ kind }) => kind === "camera")?.f ?? [wide / 2, high / 2, wide, high];
    const scale = Math.min(width / w, height / h);
    this.view = new DOMMatrix([scale, 0, 0, scale, width / 2 - x * scale, height / 2 - y * scale]);
    const below = this.space?.draw(this.shapes, width, height, h * scale);
    if (below) context.clearRect(0, 0, width, height);
    context.setTransform(this.view);
    if (this.space && !below) {
      this.#floor(this.space.ground(this.shapes));
      this.#faces(context, this.space.flatten(this.shapes.filter(({ kind }) => kind !== "ground3")));
    }
    render(this.shapes, this);
  }

  /** @param {Shape} shape @param {number} x @param {number} y @param {number} width @param {number} height @param {number} angle @param {number} corner */
  rect({ color }, x, y, width, height, angle, corner) {
    const { context } = this;
    context.save();
    context.translate(x, y);
    context.rotate(angle);
    context.beginPath();
    /** @type {any} */ (context).roundRect(-width / 2, -height / 2, width, height, Math.max(0, corner)); // newer than tsc's own list
    this.#fill(color);
    context.restore();
  }

  /** @param {CanvasRenderingContext2D} context @param {NonNullable<Shape["shade"]>} shade */
  #shaded(context, { line: [x0, y0, x1, y1], stops, colors }) {
    const shade = context.createLinearGradient(x0, y0, x1, y1);
    colors.forEach((color, i) => shade.addColorStop(stops[i], color));
    return shade;
  }

  /** @param {string} color */
  #fill(color) {
    this.context.fillStyle = color;
    this.context.fill();
  }

  /** @param {Shape} shape @param {number} x @param {number} y @param {number} radius */
  circle({ color }, x, y, radius) {
    this.context.beginPath();
    this.context.arc(x, y, Math.max(0, radius), 0, 2 * Math.PI);
    this.#fill(color);
  }

  /** @param {Shape} shape @param {number} x0 @param {number} y0 @param {number} x1 @param {number} y1 @param {number} width */
  line({ color }, x0, y0, x1, y1, width) {
    const { context } = this;
    context.beginPath();
    context.strokeStyle = color;
    context.lineWidth = width;
    context.lineCap = "round";
    context.moveTo(x0, y0);
    context.lineTo(x1, y1);
    context.stroke();
  }

  /** @param {Shape} shape @param {number[]} f */
  polygon({ color, n }, ...f) {
    const { context } = this;
    context.beginPath();
    for (let corner = 0; corner < n; corner += 1) context.lineTo(f[2 * corner], f[2 * corner + 1]);
    context.closePath();
    this.#fill(color);
  }

  /** @type {{faces: Shape[], view: string, picture: HTMLCanvasElement | null}} the ground as it was drawn last */
  #ground = { faces: [], view: "", picture: null };

  /** @param {Shape[]} faces of the ground, below all else: a picture of it stays, since it is large and seldom changes */
  #floor(faces) {
    const { context, element: { width, height } } = this;
    const view = `${this.view}`;
    const { picture: last } = this.#ground;
    if (faces !== this.#ground.faces || view !== this.#ground.view || last?.width !== width || last.height !== height) {
      const picture = Object.assign(document.createElement("canvas"), { width, height });
      const floor = /** @type {CanvasRenderingContext2D} */ (picture.getContext("2d", { alpha: false }));
      floor.setTransform(this.view);
      this.#faces(floor, faces);
      this.#ground = { faces, view, picture };
    }
    context.setTransform(1, 0, 0, 1, 0, 0);
    if (this.#ground.picture) context.drawImage(this.#ground.picture, 0, 0);
    context.setTransform(this.view);
  }

  /**
   * Faces, the furthest first; neighbours of one colour are filled as one.
   *
   * @param {CanvasRenderingContext2D} context
   * @param {Shape[]} faces
   */
  #faces(context, faces) {
    context.beginPath();
    faces.forEach(({ color, n, f, edge = 0, shade }, i) => {
      this.#grown(context, n, f, edge / 2);
      context.closePath();
      if (faces[i + 1]?.color === color && !shade && !faces[i + 1].shade) return;
      context.fillStyle = shade ? this.#shaded(context, shade) : color;
      context.fill();
      context.beginPath();
    });
  }

  /**
   * The corners of a convex polygon that is larger by so much all around: to fill it takes far less than to draw a line around each face.
   *
   * @param {CanvasRenderingContext2D} context
   * @param {number} n
   * @param {number[]} f
   * @param {number} by
   */
  #grown(context, n, f, by) {
    let [area, first] = [0, true];
    for (let i = 0, j = n - 1; i < n; j = i, i += 1) area += f[2 * j] * f[2 * i + 1] - f[2 * i] * f[2 * j + 1];
    const side = area < 0 ? -by : by;
    let [outX, outY] = [0, 0]; // across the edge before a corner; of the first one it is known after one turn around
    for (let k = 0; k < 2 * n; k += 1) {
      const [i, next] = [k % n, (k + 1) % n];
      const [dx, dy] = [f[2 * next] - f[2 * i], f[2 * next + 1] - f[2 * i + 1]];
      const long = Math.sqrt(dx * dx + dy * dy);
      if (long < 1e-9) continue; // two corners in one place
      const [x, y] = [dy / long, -dx / long];
      const share = side / Math.max(1 + outX * x + outY * y, 0.5); // a sharp corner makes no spike
      const [atX, atY] = [f[2 * i] + (outX + x) * share, f[2 * i + 1] + (outY + y) * share];
      if (k >= n && first) context.moveTo(atX, atY);
      else if (k >= n) context.lineTo(atX, atY);
      first &&= k < n;
      [outX, outY] = [x, y];
    }
  }

  /** @param {Shape} shape @param {number} x @param {number} y @param {number} height */
  text({ color, n, text }, x, y, height) {
    const { context } = this;
    context.fillStyle = color;
    context.font = `700 ${height}px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif`;
    context.textAlign = n < 0 ? "left" : n > 0 ? "right" : "center";
    context.textBaseline = "middle";
    context.fillText(text, x, y);
  }

  /** @param {Shape} shape @param {number} x @param {number} y @param {number} width @param {number} height @param {number} rows */
  tiles({ n, tile }, x, y, width, height, rows) {
    const { context, field } = this;
    const pixels = new ImageData(n, rows);
    const view = new DataView(pixels.data.buffer);
    for (let i = 0; i < n * rows; i += 1) view.setUint32(4 * i, tile(Math.floor(i / n), i % n));
    Object.assign(field, { width: n, height: rows });
    field.getContext("2d")?.putImageData(pixels, 0, 0);
    context.imageSmoothingEnabled = false;
    context.drawImage(field, x - width / 2, y - height / 2, width, height);
  }
}
