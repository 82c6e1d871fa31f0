/** Numbers as a picture: one square a number, in the accent's colour where positive, in the warning's where negative. */

import { make, put } from "../dom.js";
import { number } from "../spec.js";

const WIDE = 32; // numbers in a row, where their shape does not say
const CELL = 10; // pixels of a row that is no picture
const FADE = 0.995; // of the largest number, a frame, so that one burst does not darken all that follows
const POSITIVE = [45, 212, 191]; // RGB
const NEGATIVE = [248, 113, 113];
const GROUND = [28, 39, 40];

/**
 * How numbers are laid out: pictures side by side, or rows.
 *
 * @param {number[]} shape
 */
function layout(shape) {
  const size = shape.reduce((all, one) => all * one, 1);
  if (shape.length === 3) {
    const across = Math.min(shape[0], Math.max(1, Math.floor(48 / shape[2])));
    return { count: shape[0], width: shape[2], height: shape[1], across };
  }
  if (shape.length === 2) return { count: 1, width: shape[1], height: shape[0], across: 1 };
  return { count: 1, width: Math.min(size, WIDE), height: Math.ceil(size / WIDE), across: 1 };
}

export class Heat {
  /**
   * @param {string} words
   * @param {number[]} shape of the numbers
   * @param {number} [largest] at which a colour is full; 0: the largest number of late
   */
  constructor(words, shape, largest = 0) {
    const { count, width, height, across } = (this.layout = layout(shape));
    this.words = words;
    this.fixed = largest > 0;
    this.largest = largest || 1e-6;
    const rows = Math.ceil(count / across);
    this.canvas = make("canvas", {
      className: "heat",
      role: "img",
      width: across * (width + 1) - 1,
      height: rows * (height + 1) - 1,
      onpointermove: (/** @type {PointerEvent} */ event) => (this.pointed = this.#at(event)),
      onpointerleave: () => (this.pointed = -1),
    });
    if (count === 1) this.canvas.style.height = `${CELL * height}px`;
    this.pixels = new ImageData(this.canvas.width, this.canvas.height);
    this.figure = make("span", { className: "figure" });
    this.element = make("div", { className: "map" }, make("span", {}, words), this.figure, this.canvas);
    this.pointed = -1;
  }

  /**
   * Where a number is seen.
   *
   * @param {number} i
   */
  #place(i) {
    const { width, height, across } = this.layout;
    const plane = Math.floor(i / (width * height));
    const within = i % (width * height);
    return {
      x: (plane % across) * (width + 1) + (within % width),
      y: Math.floor(plane / across) * (height + 1) + Math.floor(within / width),
    };
  }

  /** @param {PointerEvent} event @returns {number} the number below a pointer, or -1 */
  #at(event) {
    const { width, height, across, count } = this.layout;
    const box = this.canvas.getBoundingClientRect();
    const x = Math.floor(((event.clientX - box.left) / box.width) * this.canvas.width);
    const y = Math.floor(((event.clientY - box.top) / box.height) * this.canvas.height);
    const plane = Math.floor(y / (height + 1)) * across + Math.floor(x / (width + 1));
    const [column, row] = [x % (width + 1), y % (height + 1)];
    return column < width && row < height && plane < count ? plane * width * height + row * width + column : -1;
  }

  /** @param {ArrayLike<number>} numbers */
  draw(numbers) {
    const { pixels } = this;
    let [low, high] = [Infinity, -Infinity];
    for (let i = 0; i < numbers.length; i += 1) {
      low = Math.min(low, numbers[i]);
      high = Math.max(high, numbers[i]);
    }
    if (!this.fixed) this.largest = Math.max(FADE * this.largest, Math.abs(low), Math.abs(high)) || 1;
    for (let i = 0; i < numbers.length; i += 1) {
      const { x, y } = this.#place(i);
      const share = Math.min(Math.abs(numbers[i]) / this.largest, 1) || 0;
      const colour = numbers[i] < 0 ? NEGATIVE : POSITIVE;
      for (let c = 0; c < 3; c += 1) pixels.data[4 * (y * pixels.width + x) + c] = GROUND[c] + share * (colour[c] - GROUND[c]);
      pixels.data[4 * (y * pixels.width + x) + 3] = 255;
    }
    this.canvas.getContext("2d")?.putImageData(pixels, 0, 0);
    const pointed = this.pointed >= 0 && this.pointed < numbers.length;
    put(this.figure, pointed ? `number ${this.pointed}: ${number(numbers[this.pointed])}` : `${number(low)} to ${number(high)}`);
    this.canvas.setAttribute("aria-label", `${this.words}: ${numbers.length} numbers, ${number(low)} to ${number(high)}`);
  }
}
