/**
 * Draw lists read: what an environment's draw() wrote, as shapes, and the one interface that renderers have. Kinds and
 * layout are those of EnvShape in abi.h, which the specification brings.
 *
 * @typedef {import("./spec.js").Spec} Spec
 * @typedef {{buffer: ArrayBuffer, at: number, count: number}} List where it lies, and how many shapes it should have
 *
 * @typedef {object} Shape
 * @property {string} kind as in abi.h, in small letters: "rect", "box3"; "camera3" for a camera in space
 * @property {string} color of CSS
 * @property {number} n
 * @property {number} id
 * @property {number[]} f
 * @property {number} [edge] width of a line of the same colour around a polygon
 * @property {{line: number[], stops: number[], colors: string[]}} [shade] of a polygon: from a place [2] to another, in place of its colour
 * @property {string} text
 * @property {(row: number, column: number) => number} tile its colour, 0xRRGGBBAA
 *
 * A method for each kind it draws: rect(shape, x, y, width, height, angle, corner), as abi.h lists the numbers.
 * @typedef {Record<string, (shape: Shape, ...f: number[]) => void>} Renderer
 */

/** @param {number} rgba 0xRRGGBBAA */
export const css = (rgba) => `#${rgba.toString(16).padStart(8, "0")}`;

/**
 * @param {List} list
 * @param {Spec} spec
 * @returns {Shape[]}
 * @throws where the list breaks the contract
 */
export function decode({ buffer, at, count }, { abi, shapes, title }) {
  const fault = (/** @type {string} */ words) => new Error(`${title} draws ${words}.`);
  if (count > shapes) throw fault(`${count} shapes, but declares ${shapes} at most`);
  const bytes = new Uint8Array(buffer);
  const view = new DataView(buffer);
  return Array.from({ length: count }, (_, i) => {
    const start = at + i * abi.size;
    const word = (/** @type {string} */ member) => view.getUint32(start + abi.at[member], true);
    const f = Array.from(new Float32Array(buffer, start + abi.at.f, 12));
    const n = word("n") | 0;
    let kind = abi.kinds[word("kind")];
    let text = "";
    if (kind === "camera" && f[6] > 0) kind = "camera3"; // only one in space has a field of view
    if (kind === "text") {
      const letters = bytes.subarray(start + abi.at.text, start + abi.size);
      const end = letters.indexOf(0);
      text = new TextDecoder().decode(letters.subarray(0, end < 0 ? letters.length : end));
      if (end < 0) throw fault(`a text that begins with "${text}": at most ${letters.length - 1} bytes fit a shape`);
    }
    const [cells, palette] = [word("cells"), word("palette")];
    if (!kind) throw fault(`a shape of kind ${word("kind")}, which this page does not know`);
    if (kind === "tiles" && !(f[4] >= 1 && n >= 1 && n <= f[5] && cells && palette)) {
      throw fault(`tiles of ${f[4]} rows, ${n} columns and a stride of ${f[5]}`);
    }
    const tile = (/** @type {number} */ row, /** @type {number} */ column) =>
      view.getUint32(palette + 4 * bytes[cells + row * f[5] + column], true);
    return { kind, color: css(word("color")), n, id: word("id"), f, text, tile };
  });
}

/**
 * @param {Iterable<Shape>} shapes
 * @param {object} to a Renderer; what it has no method for it does not draw
 */
export function render(shapes, to) {
  for (const shape of shapes) /** @type {Renderer} */ (to)[shape.kind]?.(shape, ...shape.f);
}

/**
 * The id of the topmost flat shape that has one and lies at this place of the world; 0 where none does.
 *
 * @param {Iterable<Shape>} shapes
 * @param {{x: number, y: number}} place
 */
export function pick(shapes, place) {
  let found = 0;
  const take = (/** @type {Shape} */ { id }, /** @type {boolean} */ hit) => {
    if (id && hit) found = id;
  };
  /** @type {Renderer} */
  const picker = {
    rect(shape, x, y, width, height, angle) {
      const [dx, dy, cos, sin] = [place.x - x, place.y - y, Math.cos(angle), Math.sin(angle)];
      take(shape, Math.abs(dx * cos + dy * sin) <= width / 2 && Math.abs(dy * cos - dx * sin) <= height / 2);
    },
    circle: (shape, x, y, radius) => take(shape, Math.hypot(place.x - x, place.y - y) <= radius),
    line(shape, x0, y0, x1, y1, width) {
      const [dx, dy] = [x1 - x0, y1 - y0];
      const along = ((place.x - x0) * dx + (place.y - y0) * dy) / (dx * dx + dy * dy || 1);
      const t = Math.min(Math.max(along, 0), 1);
      take(shape, Math.hypot(place.x - x0 - t * dx, place.y - y0 - t * dy) <= width / 2);
    },
    polygon(shape, ...f) {
      let inside = false;
      for (let i = 0, j = shape.n - 1; i < shape.n; j = i, i += 1) {
        const [x0, y0, x1, y1] = [f[2 * j], f[2 * j + 1], f[2 * i], f[2 * i + 1]];
        if (y0 > place.y !== y1 > place.y && place.x < ((x1 - x0) * (place.y - y0)) / (y1 - y0) + x0) inside = !inside;
      }
      take(shape, inside);
    },
    tiles(shape, x, y, width, height, rows) {
      const column = Math.floor(((place.x - x) / width + 0.5) * shape.n);
      const row = Math.floor(((place.y - y) / height + 0.5) * rows);
      const within = column >= 0 && column < shape.n && row >= 0 && row < rows;
      take(shape, within && (shape.tile(row, column) & 255) > 0);
    },
  };
  render(shapes, picker);
  return found;
}
