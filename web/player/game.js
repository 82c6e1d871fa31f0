/** One game: the WebAssembly module of web/game.c and the memory it plays in. */

import { words } from "./errors.js";
import { ACT, DRIVE, EVENT, EVENT_PARAM, EVENT_RANDOMIZE, Journal, RANDOMIZED, SAMPLE, SEAT, START } from "./journal.js";
import { sha256 } from "./sha256.js";

/** @typedef {import("./spec.js").Spec} Spec @typedef {import("./journal.js").GameInput} GameInput */

export const SCRIPT = 0; // who drives a player; the numbers of game.h
export const POLICY = 1;
export const PERSON = 2;
export const RANDOM = 3;

const PAGE = 65536;
const ROOM = 4096; // bytes, of which a file's place is a multiple
const MOST_MEMORY = 2 ** 28; // bytes: a small file may ask for much
const SCRATCH = 64; // bytes for game.h's GameError or GameInput, a hash or a number
const WORDS = 12; // of a GameInput: tick, kind, slot, 9 values
const FIRST_REAL = [2, 9, 9, 0, 2, 9]; // by an input's kind: the value from which on they are floats

/** A fault in a policy file, with its number from minnow.h's list. */
export class PolicyError extends Error {
  /**
   * @param {number} number
   * @param {string} message
   */
  constructor(number, message) {
    super(message);
    this.name = "PolicyError";
    this.number = number;
  }
}

/** @typedef {{verified: boolean, difference: number}} Verdict whether a policy gives here what torch gave at export */

/**
 * @typedef {object} Core the module's exports (game.h); addresses and 32-bit numbers
 * @property {WebAssembly.Memory} memory
 * @property {() => number} game_heap
 * @property {(bytes: number, size: number, error: number) => number} game_policy_size
 * @property {(bytes: number, size: number, block: number, blockSize: number, error: number) => number} game_load
 * @property {(policy: number, size: number) => number} game_meta
 * @property {(policy: number) => number} game_selftest_size
 * @property {(policy: number, block: number, blockSize: number, difference: number) => number} game_selftest
 * @property {(policies: number, count: number) => number} game_size
 * @property {(policies: number, count: number, block: number, blockSize: number) => number} game_open
 * @property {(game: number, input: number) => number} game_input
 * @property {(game: number, slot: number) => number} game_driver
 * @property {(game: number, slot: number) => number} game_seat
 * @property {(game: number) => number} game_tick
 * @property {(game: number) => number} game_ticks
 * @property {(game: number) => number} game_episodes
 * @property {(game: number, slot: number) => number} game_score
 * @property {(game: number, slot: number) => number} game_final_score
 * @property {(game: number, slot: number) => number} game_final_success
 * @property {(game: number, out: number) => void} game_hash
 * @property {(game: number) => number} game_state
 * @property {(game: number) => number} game_state_size
 * @property {(game: number, slot: number) => number} game_probabilities
 * @property {(game: number, slot: number) => number} game_probability_count
 * @property {(game: number, slot: number) => number} game_value
 * @property {(game: number, slot: number) => number} game_action
 * @property {(game: number, slot: number) => number} game_chosen
 * @property {(game: number, slot: number, group: number) => number} game_observation
 * @property {(game: number, slot: number, value: number, size: number) => number} game_activation
 * @property {(game: number, slot: number, aspect: number) => number} game_draw
 * @property {(game: number) => number} game_shapes
 */

export class Game {
  /**
   * @param {WebAssembly.Module} module
   * @param {Spec} spec
   * @param {Uint8Array[]} files the bytes of .minnow files
   */
  static async create(module, spec, files) {
    const instance = await WebAssembly.instantiate(module, {});
    return new Game(/** @type {Core} */ (/** @type {unknown} */ (instance.exports)), spec, files);
  }

  /**
   * Every slot is seated at the first policy, if there is one, and driven by the script.
   *
   * @param {Core} core
   * @param {Spec} spec
   * @param {Uint8Array[]} files
   */
  constructor(core, spec, files) {
    this.core = core;
    this.spec = spec;
    this.files = files;
    this.hasPolicy = files.length > 0;
    this.lead = this.hasPolicy ? spec.action_repeat : 0; // until policies have looked again
    /** Whether the first policy has changed since the start: then what was played is no replay of it. */
    this.renewed = false;
    /** What enters from now on, and what entered since the start. */
    this.journal = new Journal();
    this.free = core.game_heap();
    this.scratch = this.#take(SCRATCH);
    /** Where they lie: the file, with room for a somewhat longer one; its policy's block; and how large that is. */
    this.places = files.map((bytes) => this.#place(bytes));
    this.policies = files.map((bytes, i) => this.#load(bytes, this.places[i])); // their addresses
    const list = this.#take(4 * files.length);
    new Uint32Array(core.memory.buffer, list, files.length).set(this.policies);
    const need = core.game_size(list, files.length);
    this.at = core.game_open(list, files.length, this.#take(need), need);
    if (!this.at) throw new Error(`a game cannot hold ${files.length} policies: it may have 16.`);
    this.start(1);
    if (this.hasPolicy) this.sit(0, 1, spec.slots);
  }

  /** @param {Uint8Array} bytes of a .minnow file */
  #place(bytes) {
    const room = Math.ceil(bytes.length / ROOM) * ROOM;
    const file = this.#take(room);
    const need = this.#need(bytes, file);
    return { file, room, block: this.#take(need), need };
  }

  /**
   * @param {Uint8Array} bytes of a .minnow file
   * @param {number} at where they are put
   * @returns {number} bytes of the policy's block
   */
  #need(bytes, at) {
    new Uint8Array(this.core.memory.buffer).set(bytes, at);
    const need = this.core.game_policy_size(at, bytes.length, this.scratch);
    this.#check();
    return need;
  }

  /**
   * @param {Uint8Array} bytes of a .minnow file, which lie in their place
   * @param {{file: number, block: number, need: number}} place
   * @returns {number} the address of the policy
   */
  #load(bytes, { file, block, need }) {
    const policy = this.core.game_load(file, bytes.length, block, need, this.scratch);
    this.#check();
    return policy;
  }

  /** Throws what the core has found wrong. */
  #check() {
    const error = new Uint32Array(this.core.memory.buffer, this.scratch, 6);
    if (error[0]) throw new PolicyError(error[0], words(error));
  }

  /**
   * Gives the first policy other weights while the game goes on.
   *
   * @param {Uint8Array} bytes of a .minnow file of the same network
   * @returns {boolean} whether it is one
   */
  renew(bytes) {
    const [place] = this.places;
    if (!place || bytes.length > place.room) return false;
    const former = this.files[0];
    if (this.#need(bytes, place.file) !== place.need) {
      new Uint8Array(this.core.memory.buffer).set(former, place.file);
      return false;
    }
    this.#load(bytes, place);
    this.files = [bytes, ...this.files.slice(1)];
    this.renewed = this.ticks > 0;
    return true;
  }

  /** @type {Verdict | null} */
  #verdict = null;

  /** Of the first policy as it was opened, found when it is asked for; null without one. */
  get verdict() {
    if (this.hasPolicy) this.#verdict ??= this.#prove(this.policies[0]);
    return this.#verdict;
  }

  /**
   * Replays the golden vectors in the policy's file; the memory for that is free again afterwards.
   *
   * @param {number} policy its address
   * @returns {Verdict}
   */
  #prove(policy) {
    const { core, scratch, free } = this;
    new Float32Array(core.memory.buffer, scratch, 1)[0] = NaN;
    const need = core.game_selftest_size(policy);
    const verified = core.game_selftest(policy, this.#take(need), need, scratch) === 0;
    this.free = free;
    return { verified, difference: new Float32Array(core.memory.buffer, scratch, 1)[0] };
  }

  /**
   * What the first policy's file says of its making; empty without a policy, or where it says nothing of the kind.
   *
   * @returns {{steps?: number, score?: number, source_hash?: string}}
   */
  meta() {
    if (!this.hasPolicy) return {};
    const at = this.core.game_meta(this.policies[0], this.scratch);
    const { buffer } = this.core.memory;
    const size = new Uint32Array(buffer, this.scratch, 1)[0];
    let told;
    try {
      told = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, at, size)));
    } catch {
      return {}; // who reads a file for its numbers does not read this: docs/format.md
    }
    const number = (/** @type {unknown} */ value) => (typeof value === "number" ? value : undefined);
    const { source_hash } = told;
    return { steps: number(told.steps), score: number(told.score), source_hash: typeof source_hash === "string" ? source_hash : undefined };
  }

  /**
   * Takes memory, which grows where it must.
   *
   * @param {number} bytes
   * @returns {number} their address, a multiple of 64
   */
  #take(bytes) {
    const { memory } = this.core;
    const at = Math.ceil(this.free / 64) * 64;
    this.free = at + bytes;
    if (this.free > MOST_MEMORY) throw new PolicyError(7, `the policy needs more memory than a page gives it: ${MOST_MEMORY / 2 ** 20} MB.`);
    const missing = Math.ceil((this.free - memory.buffer.byteLength) / PAGE);
    if (missing > 0) memory.grow(missing);
    return at;
  }

  /**
   * The one way in. While a journal goes on from here, something new is where it branches.
   *
   * @param {number} kind
   * @param {number} slot
   * @param {number[]} values
   */
  input(kind, slot, values) {
    const tick = kind === START ? 0 : this.ticks;
    const input = { tick, kind, slot, values: values.map((value, i) => (i < FIRST_REAL[kind] ? value : Math.fround(value))) };
    if (this.journal.known(input)) return;
    this.branch();
    if (this.put(input)) this.journal.note(input);
  }

  /**
   * Lets an input in without noting it: for the journal, which has it.
   *
   * @param {GameInput} input
   * @returns {boolean} whether it was taken
   */
  put({ tick, kind, slot, values }) {
    const { core, at, scratch } = this;
    const ints = new Uint32Array(core.memory.buffer, scratch, WORDS).fill(0);
    const reals = new Float32Array(core.memory.buffer, scratch, WORDS);
    ints.set([tick, kind, slot]);
    values.forEach((value, i) => ((i < FIRST_REAL[kind] ? ints : reals)[3 + i] = value));
    return core.game_input(at, scratch) !== 0;
  }

  /** Whether the journal goes on from here. */
  get following() {
    return this.journal.ahead(this.ticks);
  }

  /** Leaves what lies ahead in the journal, if anything does, for a journal of its own. */
  branch() {
    if (this.following) this.journal = this.journal.branch(this.ticks);
  }

  /**
   * Begins a game afresh, and its journal; seats, drivers, turned parameters and sampling stay.
   *
   * @param {number} seed an integer, 0 to 2^53
   */
  start(seed) {
    this.renewed = false;
    const slots = Array.from({ length: this.spec.slots }, (_, slot) => slot);
    const [seats, drivers] = [slots.map((slot) => this.seat(slot)), slots.map((slot) => this.driver(slot))];
    const { lasting } = this.journal;
    const { randomized } = this;
    this.journal = new Journal();
    this.input(START, 0, [seed >>> 0, Math.floor(seed / 2 ** 32), randomized]);
    this.journal.keep(this);
    this.#each(SEAT, seats);
    this.#each(DRIVE, drivers);
    for (const { kind, slot, values } of lasting) this.input(kind, slot, values);
  }

  /**
   * Gives every slot its seat or driver, neighbours who are alike in one; 0 is what they begin with.
   *
   * @param {number} kind
   * @param {number[]} values
   */
  #each(kind, values) {
    for (let slot = 0, end = 0; slot < values.length; slot = end) {
      while (end < values.length && values[end] === values[slot]) end += 1;
      if (values[slot]) this.input(kind, slot, [end - slot, values[slot]]);
    }
  }

  /** Everything that entered since the start; an Error where that does not make the game. */
  record() {
    const { spec, journal, files } = this;
    if (this.renewed) throw new Error("the policy learned while this game was played, so it cannot be played again: begin one with Reset.");
    const policies = files.map(sha256);
    return { env: spec.name, sourceHash: spec.source_hash, policies, heads: spec.head.length, ticks: journal.last, inputs: journal.inputs };
  }

  /**
   * Begins what was recorded, and goes on following it.
   *
   * @param {Pick<import("./replay.js").Replay, "inputs" | "ticks">} replay of this environment and these policies
   */
  follow({ inputs, ticks }) {
    this.put(inputs[0]);
    this.journal = Journal.of(inputs, ticks);
    this.journal.keep(this);
    this.journal.enter(this);
  }

  /** One tick. */
  tick() {
    this.journal.enter(this);
    this.core.game_tick(this.at);
    this.journal.keep(this);
  }

  /**
   * Goes to a tick that was played, earlier or later. From there the game follows its journal, until somebody does something else.
   *
   * @param {number} tick
   */
  seek(tick) {
    this.journal.seek(this, tick);
  }

  /** All that changes as the game goes on: a copy, which may be put back. */
  get state() {
    const at = this.core.game_state(this.at);
    return new Uint8Array(this.core.memory.buffer).slice(at, at + this.core.game_state_size(this.at));
  }

  set state(saved) {
    new Uint8Array(this.core.memory.buffer).set(saved, this.core.game_state(this.at));
  }

  /**
   * @param {number} slot
   * @param {number} driver SCRIPT, POLICY, PERSON or RANDOM
   */
  drive(slot, driver) {
    this.input(DRIVE, slot, [1, driver]);
  }

  /**
   * Lets slots follow a policy, with an empty memory.
   *
   * @param {number} slot the first
   * @param {number} policy its place among the files, counted from 1; 0: none
   * @param {number} count of slots
   */
  sit(slot, policy, count = 1) {
    this.input(SEAT, slot, [count, policy]);
  }

  /**
   * The policy that a slot follows, as above.
   *
   * @param {number} slot
   */
  seat(slot) {
    return this.core.game_seat(this.at, slot);
  }

  /** @param {number} slot */
  driver(slot) {
    return this.core.game_driver(this.at, slot);
  }

  /**
   * What a person holds, for the coming ticks.
   *
   * @param {number} slot
   * @param {number[]} values one a head
   */
  act(slot, values) {
    this.input(ACT, slot, this.spec.head.map((_, head) => values[head] ?? 0));
  }

  /**
   * The policy's choices: drawn by its probabilities, or the likeliest.
   *
   * @param {boolean} sampled
   */
  sample(sampled) {
    this.input(SAMPLE, 0, [sampled ? 1 : 0]);
  }

  get sampled() {
    return this.journal.setting(SAMPLE, 0)?.values[0] === 1;
  }

  /**
   * @param {number} param
   * @param {number} value applies at the start of the next tick
   */
  turn(param, value) {
    this.input(EVENT, param, [EVENT_PARAM, 0, 0, 0, 0, 0, 0, 0, value]);
  }

  /**
   * What a parameter was turned to, if it was.
   *
   * @param {number} param
   */
  turned(param) {
    return this.journal.setting(EVENT, param)?.values[8];
  }

  /**
   * From the next episode on.
   *
   * @param {number} fraction 0 to 1, by which physical parameters are drawn around their values
   */
  randomize(fraction) {
    this.input(EVENT, 0, [EVENT_RANDOMIZE, 0, 0, 0, 0, 0, 0, 0, fraction]);
  }

  get randomized() {
    return this.journal.setting(EVENT, RANDOMIZED)?.values[8] ?? this.journal.inputs[0]?.values[2] ?? 0;
  }

  /**
   * What a visitor does to the world.
   *
   * @param {number} slot
   * @param {import("./gestures.js").Event} event
   */
  event(slot, { kind, target, at, way, value }) {
    this.input(EVENT, slot, [kind, target, ...at, ...way, value]);
  }

  get ticks() {
    return this.core.game_ticks(this.at);
  }

  /** Episodes finished since the start. */
  get episodes() {
    return this.core.game_episodes(this.at);
  }

  /** @param {number} slot */
  score(slot) {
    return this.core.game_score(this.at, slot);
  }

  /**
   * The score of the episode that ended last.
   *
   * @param {number} slot
   */
  finalScore(slot) {
    return this.core.game_final_score(this.at, slot);
  }

  /**
   * Whether that episode was a success at any tick, 0 to 1; 0 where there is no such thing.
   *
   * @param {number} slot
   */
  finalSuccess(slot) {
    return this.core.game_final_success(this.at, slot);
  }

  /** Of environment and recurrent state: 16 hexadecimal digits, equal to the native library's. */
  hash() {
    this.core.game_hash(this.at, this.scratch);
    const [low, high] = new Uint32Array(this.core.memory.buffer, this.scratch, 2);
    return [high, low].map((word) => word.toString(16).padStart(8, "0")).join("");
  }

  /**
   * Of each choice, heads in order; empty for continuous actions, and without a seat.
   *
   * @param {number} slot
   */
  probabilities(slot) {
    return new Float32Array(
      this.core.memory.buffer,
      this.core.game_probabilities(this.at, slot),
      this.core.game_probability_count(this.at, slot),
    );
  }

  /**
   * The policy's estimate of its return.
   *
   * @param {number} slot
   */
  value(slot) {
    return this.core.game_value(this.at, slot);
  }

  /**
   * What the policy would do, whether or not it drives: integers, or floats for continuous heads.
   *
   * @param {number} slot
   */
  chosen(slot) {
    return this.#heads(this.core.game_chosen(this.at, slot));
  }

  /**
   * The action in force, in the same form.
   *
   * @param {number} slot
   */
  action(slot) {
    return this.#heads(this.core.game_action(this.at, slot));
  }

  /** @param {number} at where a player's action begins */
  #heads(at) {
    const { buffer } = this.core.memory;
    return this.spec.action_type === "box"
      ? new Float32Array(buffer, at, this.spec.head.length)
      : new Int32Array(buffer, at, this.spec.head.length);
  }

  /**
   * What a player's policy observed last; empty without a policy, and of what is for the critic alone.
   *
   * @param {number} slot
   * @param {number} group of the specification
   */
  observation(slot, group) {
    const at = this.core.game_observation(this.at, slot, group);
    const { type, shape } = this.spec.group[group];
    const size = at ? shape.reduce((all, one) => all * one, 1) : 0;
    const { buffer } = this.core.memory;
    return type === "u8" ? new Uint8Array(buffer, at, size) : new Float32Array(buffer, at, size);
  }

  /**
   * A value of a player's network, as it was computed last; empty where there is none in float32, and with very many players.
   *
   * @param {number} slot
   * @param {number} value its place in the policy's file
   */
  activation(slot, value) {
    const { core, at, scratch } = this;
    const found = core.game_activation(at, slot, value, scratch);
    return new Float32Array(core.memory.buffer, found, found ? new Uint32Array(core.memory.buffer, scratch, 1)[0] : 0);
  }

  /**
   * The draw list: see canvas.js.
   *
   * @param {number} slot in focus
   * @param {number} aspect width / height
   */
  draw(slot, aspect) {
    const count = this.core.game_draw(this.at, slot, aspect);
    return { buffer: this.core.memory.buffer, at: this.core.game_shapes(this.at), count };
  }
}
