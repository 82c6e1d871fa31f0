/** The WebAssembly module of web/tutor.c and the memory it learns in. */

const PAGE = 65536;
const ROOM = 1024; // bytes before a tutor's block for its settings, and as many for parameters

/** @typedef {Record<string, number>} Settings tutor.h's, by name */
/** @typedef {{updates: number, steps: number, entropy: number}} Figures */

/**
 * @typedef {object} Core the module's exports (tutor.h); addresses and numbers
 * @property {WebAssembly.Memory} memory
 * @property {() => number} tutor_heap
 * @property {(settings: number) => number} tutor_refuses
 * @property {(settings: number) => number} tutor_size
 * @property {(settings: number, param: number, block: number) => number} tutor_open
 * @property {(tutor: number) => number} tutor_update
 * @property {(tutor: number) => number} tutor_updates
 * @property {(tutor: number) => number} tutor_ended
 * @property {(tutor: number) => number} tutor_steps
 * @property {(tutor: number) => number} tutor_entropy
 * @property {(tutor: number, param: number, value: number) => void} tutor_turn
 * @property {(tutor: number) => number} tutor_exam
 * @property {() => number} tutor_exam_games
 * @property {(tutor: number) => number} tutor_count
 * @property {(tutor: number) => number} tutor_weights
 * @property {(tutor: number, n: number) => number} tutor_seen
 * @property {(tutor: number) => number} tutor_width
 * @property {(tutor: number, n: number) => number} tutor_answer
 */

export class Tutor {
  /**
   * @param {WebAssembly.Module} module
   * @param {string[]} order of the settings in tutor.h
   * @param {Settings} settings
   * @param {number[]} params of the world
   */
  static async create(module, order, settings, params) {
    const instance = await WebAssembly.instantiate(module, {});
    return new Tutor(/** @type {Core} */ (/** @type {unknown} */ (instance.exports)), order, settings, params);
  }

  /**
   * @param {Core} core
   * @param {string[]} order
   * @param {Settings} settings
   * @param {number[]} params
   */
  constructor(core, order, settings, params) {
    this.core = core;
    const at = Math.ceil(core.tutor_heap() / 64) * 64;
    const param = at + ROOM;
    const block = param + ROOM;
    this.#reach(block);
    new Float64Array(core.memory.buffer, at, order.length).set(order.map((name) => settings[name]));
    new Float32Array(core.memory.buffer, param, params.length).set(params);
    const why = core.tutor_refuses(at);
    if (why) throw new Error(`these settings cannot be: ${this.#words(why)}. Press Defaults, and change one at a time.`);
    this.#reach(block + core.tutor_size(at));
    this.at = core.tutor_open(at, param, block);
  }

  /** @param {number} end which memory is to reach */
  #reach(end) {
    const { memory } = this.core;
    const missing = Math.ceil((end - memory.buffer.byteLength) / PAGE);
    if (missing > 0) memory.grow(missing);
  }

  /** @param {number} at of a string in C */
  #words(at) {
    const bytes = new Uint8Array(this.core.memory.buffer, at);
    return new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
  }

  /** One rollout, and what is learned from it; false where numbers became infinite, and nothing more can be learned. */
  update() {
    return this.core.tutor_update(this.at) !== 0;
  }

  /** @returns {Figures} */
  get figures() {
    const { core, at } = this;
    return { updates: core.tutor_updates(at), steps: core.tutor_steps(at), entropy: core.tutor_entropy(at) };
  }

  /** Whether the schedule is at its end; another update makes it longer. */
  get ended() {
    return this.core.tutor_ended(this.at) !== 0;
  }

  /**
   * @param {number} param
   * @param {number} value
   */
  turn(param, value) {
    this.core.tutor_turn(this.at, param, value);
  }

  /** The mean score of some games in which the likeliest actions are taken; they leave no trace. */
  exam() {
    return this.core.tutor_exam(this.at);
  }

  get games() {
    return this.core.tutor_exam_games();
  }

  /** All weights: a copy, in the order of train/core/network.h. */
  weights() {
    const { core, at } = this;
    return new Float32Array(core.memory.buffer, core.tutor_weights(at), core.tutor_count(at)).slice();
  }

  /** Numbers of an answer. */
  get width() {
    return this.core.tutor_width(this.at);
  }

  /**
   * The latest observations, and what the network makes of them.
   *
   * @param {number} count
   * @param {number} bytes of an observation
   */
  answers(count, bytes) {
    const { core, at, width } = this;
    const head = new Float32Array(core.memory.buffer, core.tutor_answer(at, count), count * width).slice();
    return { obs: new Uint8Array(core.memory.buffer, core.tutor_seen(at, count), count * bytes).slice(), head, width };
  }
}
