/** The last seconds of a game, played again from its journal and drawn aside. */

import { make } from "../dom.js";
import { Game } from "../game.js";

const MOST_RATE = 25; // pictures a second

/** @typedef {import("../store.js").Store} Store */

export class Reel {
  /**
   * @param {Store} store
   * @param {number} seconds
   * @param {number} height of the pictures, in pixels
   */
  static async of(store, seconds, height) {
    const { game, module, spec } = store;
    if (!game) throw new Error("there is no game yet.");
    if (game.renewed) throw new Error("the policy learned while this game was played, so it cannot be played again: begin one with Reset.");
    const again = await Game.create(module, spec, game.files);
    again.journal = game.journal.branch(game.ticks); // with its snapshots, which are this game's too
    again.state = game.state;
    return new Reel(store, again, seconds, height);
  }

  /**
   * @param {Store} store
   * @param {Game} game which is nobody else's, and stands at the last tick
   * @param {number} seconds
   * @param {number} height
   */
  constructor({ spec, paint, shown }, game, seconds, height) {
    this.spec = spec;
    this.game = game;
    this.shown = shown;
    this.rate = Math.min(MOST_RATE, spec.tick_rate);
    this.last = game.ticks;
    this.first = Math.max(0, Math.round(this.last - seconds * spec.tick_rate));
    this.count = Math.max(1, Math.round(((this.last - this.first) / spec.tick_rate) * this.rate));
    this.width = Math.round((height * spec.view_width) / spec.view_height);
    this.height = height;
    this.element = make("canvas", { width: this.width, height });
    const context = this.element.getContext("2d", { willReadFrequently: true });
    if (!context) throw new Error("this browser draws no more pictures: close other pages.");
    this.context = context;
    this.canvas = paint(this.element);
  }

  /**
   * Draws one picture.
   *
   * @param {number} index 0 to `count`
   */
  draw(index) {
    const { game, spec, shown, first, last, count } = this;
    game.seek(Math.round(first + ((last - first) * index) / count));
    this.canvas.draw(game.draw(shown, spec.view_width / spec.view_height));
  }

  /** What was drawn last, RGBA. */
  get pixels() {
    return this.context.getImageData(0, 0, this.width, this.height).data;
  }
}
