/** Writes an animated GIF (version 89a): one palette for all frames, and of each frame only what changed since the one before. */

const COLORS = 256;
const CLEAR = 255; // the palette's last entry: what stays as it was
const BITS = 5; // of a channel, as colours are counted and looked up
const CODES = 4096; // of LZW, at most

/** @param {Uint8ClampedArray} rgba @param {number} i of a pixel */
const bin = (rgba, i) => ((rgba[4 * i] >> (8 - BITS)) << (2 * BITS)) | ((rgba[4 * i + 1] >> (8 - BITS)) << BITS) | (rgba[4 * i + 2] >> (8 - BITS));

/**
 * The colours that are met most often, and which of them stands for any colour.
 *
 * @param {Uint8ClampedArray[]} pictures RGBA
 */
export function palette(pictures) {
  const size = 1 << (3 * BITS);
  const [count, sums] = [new Uint32Array(size), new Float64Array(3 * size)];
  for (const rgba of pictures) {
    for (let i = 0; i < rgba.length / 4; i += 1) {
      const at = bin(rgba, i);
      count[at] += 1;
      for (let channel = 0; channel < 3; channel += 1) sums[3 * at + channel] += rgba[4 * i + channel];
    }
  }
  const found = Array.from(count.keys()).filter((at) => count[at]).sort((a, b) => count[b] - count[a]).slice(0, CLEAR);
  const colors = new Uint8Array(3 * COLORS);
  found.forEach((at, i) => [0, 1, 2].forEach((channel) => (colors[3 * i + channel] = Math.round(sums[3 * at + channel] / count[at]))));
  const known = new Int16Array(size).fill(-1);
  found.forEach((at, i) => (known[at] = i));
  const nearest = (/** @type {number} */ at) => {
    const rgb = [at >> (2 * BITS), (at >> BITS) & 31, at & 31].map((part) => (part << (8 - BITS)) + 4);
    let [best, least] = [0, Infinity];
    for (let i = 0; i < found.length; i += 1) {
      const off = (colors[3 * i] - rgb[0]) ** 2 + (colors[3 * i + 1] - rgb[1]) ** 2 + (colors[3 * i + 2] - rgb[2]) ** 2;
      if (off < least) [best, least] = [i, off];
    }
    return best;
  };
  const index = (/** @type {Uint8ClampedArray} */ rgba, /** @type {number} */ i) => {
    const at = bin(rgba, i);
    if (known[at] < 0) known[at] = nearest(at);
    return known[at];
  };
  return { colors, index };
}

/**
 * LZW as GIF has it, with codes of 8 bits to begin with.
 *
 * @param {Uint8Array} pixels
 * @returns {number[]} blocks of at most 255 bytes, each after its size, and an empty one
 */
export function compress(pixels) {
  const [reset, end] = [COLORS, COLORS + 1];
  /** @type {number[]} */
  const bytes = [];
  let [bits, room, width, next] = [0, 0, 9, end + 1];
  /** @type {Map<number, number>} a string's code and one more pixel: the code of both */
  let table = new Map();
  const put = (/** @type {number} */ code) => {
    bits |= code << room;
    for (room += width; room >= 8; room -= 8, bits >>>= 8) bytes.push(bits & 255);
  };
  put(reset);
  let text = pixels[0];
  for (let i = 1; i < pixels.length; i += 1) {
    const key = (text << 8) | pixels[i];
    const code = table.get(key);
    if (code !== undefined) {
      text = code;
      continue;
    }
    put(text);
    text = pixels[i];
    if (next < CODES) {
      if (next === 1 << width) width += 1;
      table.set(key, next++);
    } else {
      put(reset);
      [table, width, next] = [new Map(), 9, end + 1];
    }
  }
  put(text);
  if (next === 1 << width && width < 12) width += 1; // the reader has one code more by now
  put(end);
  if (room) bytes.push(bits & 255);
  const blocks = [];
  for (let at = 0; at < bytes.length; at += 255) blocks.push(Math.min(255, bytes.length - at), ...bytes.slice(at, at + 255));
  return [...blocks, 0];
}

export class Gif {
  /** @type {Uint8Array[]} */
  #pieces = [];
  /** @type {Uint8Array | null} the frame before, as indices */
  #before = null;

  /**
   * @param {number} width
   * @param {number} height
   * @param {ReturnType<typeof palette>} palette
   */
  constructor(width, height, palette) {
    this.width = width;
    this.height = height;
    this.palette = palette;
    this.#put(...[..."GIF89a"].map((letter) => letter.charCodeAt(0)), ...word(width), ...word(height), 0xf7, 0, 0, ...palette.colors);
    this.#put(0x21, 0xff, 11, ...[..."NETSCAPE2.0"].map((letter) => letter.charCodeAt(0)), 3, 1, 0, 0, 0); // begin again at the end
  }

  /** @param {...number} bytes */
  #put(...bytes) {
    this.#pieces.push(Uint8Array.from(bytes));
  }

  /**
   * @param {Uint8ClampedArray} rgba width times height pixels
   * @param {number} hundredths of a second that it stays
   */
  frame(rgba, hundredths) {
    const { width, height, palette } = this;
    const now = new Uint8Array(width * height);
    for (let i = 0; i < now.length; i += 1) now[i] = palette.index(rgba, i);
    const before = this.#before;
    let [left, top, right, bottom] = before ? [width, height, -1, -1] : [0, 0, width - 1, height - 1];
    for (let i = 0; before && i < now.length; i += 1) {
      if (now[i] === before[i]) continue;
      const [x, y] = [i % width, Math.floor(i / width)];
      [left, right, top, bottom] = [Math.min(left, x), Math.max(right, x), Math.min(top, y), Math.max(bottom, y)];
    }
    if (right < 0) [left, top, right, bottom] = [0, 0, 0, 0]; // nothing moved: one pixel, as it was
    const [wide, high] = [right - left + 1, bottom - top + 1];
    const part = new Uint8Array(wide * high);
    for (let y = 0; y < high; y += 1) {
      for (let x = 0; x < wide; x += 1) {
        const at = (top + y) * width + left + x;
        part[y * wide + x] = before && now[at] === before[at] ? CLEAR : now[at];
      }
    }
    this.#put(0x21, 0xf9, 4, 0x04 | (before ? 1 : 0), ...word(hundredths), CLEAR, 0);
    this.#put(0x2c, ...word(left), ...word(top), ...word(wide), ...word(high), 0, 8);
    this.#pieces.push(Uint8Array.from(compress(part)));
    this.#before = now;
  }

  /** The file. */
  blob() {
    return new Blob([.../** @type {BlobPart[]} */ (this.#pieces), Uint8Array.of(0x3b)], { type: "image/gif" });
  }
}

/** @param {number} value */
const word = (value) => [value & 255, value >> 8];
