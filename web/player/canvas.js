/** Draws a draw list (abi.h: EnvShape) on a 2-D canvas. Knows no environment. */

const RECT = 1;
const CIRCLE = 2;
const LINE = 3;
const POLYGON = 4;
const TEXT = 5;
const CAMERA = 32;

const WORDS = 20; // 32-bit words of one shape: kind, colour, n, id, 12 floats, 16 bytes of text
const FLOATS = 4;
const LETTERS = 64; // the text's offset in bytes

/** @param {number} rgba 0xRRGGBBAA */
const css = (rgba) => `#${rgba.toString(16).padStart(8, "0")}`;

export class Canvas {
  /**
   * @param {HTMLCanvasElement} element
   * @param {number} width of the world @param {number} height
   */
  constructor(element, width, height) {
    this.element = element;
    this.width = width;
    this.height = height;
    this.context = /** @type {CanvasRenderingContext2D} */ (element.getContext("2d", { alpha: false }));
    this.decoder = new TextDecoder();
    this.view = new DOMMatrix();
  }

  /** Fits the canvas to its box on the screen, one canvas pixel a device pixel. */
  #fit() {
    const box = this.element.getBoundingClientRect();
    const scale = window.devicePixelRatio || 1;
    const [width, height] = [Math.max(1, Math.round(box.width * scale)), Math.max(1, Math.round(box.height * scale))];
    if (this.element.width !== width || this.element.height !== height) Object.assign(this.element, { width, height });
  }

  /**
   * The rectangle of the world that is in the picture.
   *
   * @param {number} x centre
   * @param {number} y
   * @param {number} w
   * @param {number} h
   */
  #camera(x, y, w, h) {
    const { width, height } = this.element;
    const scale = Math.min(width / w, height / h);
    this.view = new DOMMatrix([scale, 0, 0, scale, width / 2 - x * scale, height / 2 - y * scale]);
    this.context.setTransform(this.view);
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

  /** @param {{buffer: ArrayBuffer, at: number, count: number}} list */
  draw({ buffer, at, count }) {
    this.#fit();
    const { context } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = "#000";
    context.fillRect(0, 0, this.element.width, this.element.height);
    this.#camera(this.width / 2, this.height / 2, this.width, this.height);
    const words = new Uint32Array(buffer, at, count * WORDS);
    const floats = new Float32Array(buffer, at, count * WORDS);
    for (let i = 0; i < count; i += 1) {
      const word = i * WORDS;
      const text = () => {
        const letters = new Uint8Array(buffer, at + word * 4 + LETTERS, WORDS * 4 - LETTERS);
        return this.decoder.decode(letters.subarray(0, letters.indexOf(0)));
      };
      this.#shape(words[word], css(words[word + 1]), words[word + 2] | 0, floats.subarray(word + FLOATS), text);
    }
  }

  /**
   * @param {number} kind
   * @param {string} color
   * @param {number} n
   * @param {Float32Array} f
   * @param {() => string} text
   */
  #shape(kind, color, n, f, text) {
    const { context } = this;
    context.fillStyle = color;
    context.beginPath();
    if (kind === RECT) {
      const [x, y, width, height, angle, radius] = f;
      context.save();
      context.translate(x, y);
      context.rotate(angle);
      if (radius > 0) this.#rounded(width, height, Math.min(radius, width / 2, height / 2));
      else context.rect(-width / 2, -height / 2, width, height);
      context.fill();
      context.restore();
    } else if (kind === CIRCLE) {
      context.arc(f[0], f[1], Math.max(0, f[2]), 0, 2 * Math.PI);
      context.fill();
    } else if (kind === LINE) {
      context.strokeStyle = color;
      context.lineWidth = f[4];
      context.lineCap = "round";
      context.moveTo(f[0], f[1]);
      context.lineTo(f[2], f[3]);
      context.stroke();
    } else if (kind === POLYGON) {
      for (let corner = 0; corner < n; corner += 1) context.lineTo(f[2 * corner], f[2 * corner + 1]);
      context.closePath();
      context.fill();
    } else if (kind === TEXT) {
      context.font = `700 ${f[2]}px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif`;
      context.textAlign = n < 0 ? "left" : n > 0 ? "right" : "center";
      context.textBaseline = "middle";
      context.fillText(text(), f[0], f[1]);
    } else if (kind === CAMERA) {
      this.#camera(f[0], f[1], f[2], f[3]);
    }
  }

  /**
   * @param {number} width
   * @param {number} height
   * @param {number} radius
   */
  #rounded(width, height, radius) {
    const [x, y] = [width / 2, height / 2];
    this.context.moveTo(-x + radius, -y);
    this.context.arcTo(x, -y, x, y, radius);
    this.context.arcTo(x, y, -x, y, radius);
    this.context.arcTo(-x, y, -x, -y, radius);
    this.context.arcTo(-x, -y, x, -y, radius);
    this.context.closePath();
  }
}
