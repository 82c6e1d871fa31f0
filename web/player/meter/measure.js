/** Hidden episodes in one setting, and what they came to. */

import { Game, POLICY } from "../game.js";
import { enlist } from "../lineup.js";

/** @typedef {import("./protocol.js").Setting} Setting @typedef {import("./protocol.js").Sums} Sums @typedef {import("../spec.js").Spec} Spec */

const SEED = 2 ** 40; // so that equal settings give equal figures
const LOOK = 64; // ticks between two looks at the clock

/** @param {Spec} spec whether episodes are judged by success, not by their score */
export const bySuccess = ({ bar, has_success }) => (bar ? bar.key === "success_rate" : has_success);

export class Measure {
  /** @type {Sums} */
  sums = { episodes: 0, total: 0, squares: 0, ticks: 0, seconds: 0 };

  /**
   * @param {Game} game which is nobody else's
   * @param {Setting} setting
   * @param {number} most episodes
   */
  constructor(game, setting, most) {
    const { spec } = game;
    const { params, randomized, sampled, drivers } = setting;
    this.game = game;
    this.most = most;
    enlist(game, setting);
    params.forEach((value, param) => game.turn(param, value));
    game.randomize(randomized);
    game.sample(sampled);
    game.start(SEED);
    const slots = drivers.map((_, slot) => slot);
    const driven = slots.filter((slot) => game.driver(slot) === POLICY);
    this.slots = driven.length ? driven : slots;
    this.success = bySuccess(spec);
    /** An episode that was laid out before the world was turned is not counted. */
    this.skipped = params.some((value, param) => Math.fround(value) !== Math.fround(spec.param[param].value)) ? 1 : 0;
  }

  get ended() {
    return this.sums.episodes >= this.most;
  }

  /** @param {number} ms to play for */
  advance(ms) {
    const { game, sums } = this;
    const { core, at } = game;
    const begun = performance.now();
    let now = begun;
    for (; !this.ended && now - begun < ms; now = performance.now()) {
      let left = LOOK;
      for (; left > 0 && !this.ended; left -= 1) if (core.game_tick(at) & 3) this.#count();
      sums.ticks += LOOK - left;
    }
    sums.seconds += (now - begun) / 1000;
  }

  #count() {
    const { game, sums, slots } = this;
    if (game.episodes <= this.skipped) return;
    let total = 0;
    for (const slot of slots) total += this.success ? game.finalSuccess(slot) : game.finalScore(slot);
    const figure = total / slots.length;
    sums.episodes += 1;
    sums.total += figure;
    sums.squares += figure * figure;
  }
}

/** @typedef {{mean: number, low: number, high: number}} Estimate with its 95 % interval */

const Z = 1.959964; // of the normal distribution, 95 % between

/** @param {number} df degrees of freedom, 2 or more: Student's t, 95 % between (Cornish and Fisher's expansion, within 3 %) */
const student = (df) => Z + 2.3723 / df + 2.8225 / df ** 2 + 2.5559 / df ** 3;

/**
 * The mean of all episodes that might be played; null while too few were.
 *
 * @param {Sums} sums
 * @param {boolean} rate whether each figure is 0 or 1: then the interval is Wilson's, else Student's
 * @returns {Estimate | null}
 */
export function estimate({ episodes: n, total, squares }, rate) {
  if (n < 3) return null;
  const mean = total / n;
  if (rate) {
    const [middle, half] = [mean + Z ** 2 / (2 * n), Z * Math.sqrt((mean * (1 - mean)) / n + Z ** 2 / (4 * n * n))];
    return { mean, low: Math.max(0, (middle - half) / (1 + Z ** 2 / n)), high: Math.min(1, (middle + half) / (1 + Z ** 2 / n)) };
  }
  const half = student(n - 1) * Math.sqrt(Math.max(0, squares - n * mean * mean) / (n - 1) / n);
  return { mean, low: mean - half, high: mean + half };
}
