/** The replay file, which docs/replay.md specifies, encoded and decoded. */

import { RANDOM } from "./game.js";
import { ACT, DRIVE, EVENT, SAMPLE, SEAT, START } from "./journal.js";

/** @typedef {import("./journal.js").GameInput} GameInput */

/**
 * @typedef {object} Replay everything that entered a game
 * @property {string} env
 * @property {string} sourceHash of the environment, in hexadecimal
 * @property {string[]} policies the SHA-256 of each file, in hexadecimal
 * @property {number} heads
 * @property {number} ticks
 * @property {GameInput[]} inputs the start first, in the order of their ticks
 */

/** @type {Record<number, string>} */
export const WORDS = {
  10: "the file is shorter than a replay can be",
  11: "this is not a replay",
  12: "the replay has another format version: use a newer Minnow",
  13: "the replay is larger than 16 MiB",
  14: "the replay is cut short or damaged: its checksum is wrong",
  20: "an action has 1 to 8 heads",
  21: "a game has at most 16 policies",
  22: "an environment's name is 1 to 64 printable ASCII characters",
  23: "what is randomized is a fraction, 0 to 1",
  24: "the replay has more than 16,777,216 ticks",
  25: "the replay has more than 1,048,576 inputs",
  30: "the inputs end before they are all there",
  31: "a number is too large, not finite, or not written in its shortest form",
  32: "an input's kind is unknown",
  33: "an input enters after the last tick",
  34: "slots are 0 to 4,095, and an input is for one at least",
  35: "there is no policy with this index",
  36: "there is no driver with this number",
  37: "an event's kind or flags are unknown",
  38: "sampling is neither on nor off",
  40: "there are bytes after the last input",
};

export const MAGIC = [0x89, 0x4d, 0x4e, 0x52, 0x0d, 0x0a, 0x1a, 0x0a];
const VERSION = 1;
const LEAST = 69; // bytes
const MOST_BYTES = 2 ** 24;
const MOST_TICKS = 2 ** 24;
const MOST_INPUTS = 2 ** 20;
const MOST_SLOTS = 4096;
const WHOLE = 2 ** 24; // beyond that not every whole number is a float
const PARTS = [[1, 2], [2, 5], [5, 8], [8, 9]]; // of an event's values: target, at, way, value

/** A fault in a replay, with its number. */
export class ReplayError extends Error {
  /**
   * @param {number} number
   * @param {string} place
   */
  constructor(number, place = "") {
    super(WORDS[number] + place);
    this.name = "ReplayError";
    this.number = number;
  }
}

/**
 * @param {boolean} good
 * @param {number} number of the fault where it is not
 */
function hold(good, number) {
  if (!good) throw new ReplayError(number);
}

/**
 * CRC-32, with zlib's polynomial.
 *
 * @param {Uint8Array} bytes
 */
function checksum(bytes) {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

/** @param {Uint8Array} bytes */
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** @param {Uint8Array} bytes */
const view = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** @param {number} value */
const isWhole = (value) => Number.isInteger(value) && Math.abs(value) <= WHOLE && !Object.is(value, -0);

class Reader {
  at = 0;

  /** @param {Uint8Array} bytes without the checksum */
  constructor(bytes) {
    this.bytes = bytes;
  }

  byte() {
    hold(this.at < this.bytes.length, 30);
    return this.bytes[this.at++];
  }

  count() {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte();
      hold(!(shift === 28 && byte > 0xf) && !(shift && !byte), 31);
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    return value;
  }

  real() {
    const count = this.count();
    if (count % 2 === 0) {
      hold(count <= 4 * WHOLE, 31);
      return count % 4 ? -(count + 2) / 4 : count / 4;
    }
    hold(count === 1, 31);
    const at = this.at;
    for (let i = 0; i < 4; i += 1) this.byte();
    const value = view(this.bytes).getFloat32(at, true);
    hold(Number.isFinite(value) && !isWhole(value), 31);
    return value;
  }

  event() {
    const kind = this.count();
    const flags = this.byte();
    hold((kind <= 1 || kind >= 16) && kind < 2 ** 31 && flags < 16, 37);
    const values = [kind, flags & 1 ? this.count() : 0, 0, 0, 0, 0, 0, 0, 0];
    PARTS.forEach(([begin, end], part) => {
      for (let i = Math.max(begin, 2); i < end && (flags >> part) & 1; i += 1) values[i] = this.real();
    });
    hold(PARTS.every((part, i) => !((flags >> i) & 1) || !absent(values, part)), 37);
    return values;
  }

  /**
   * @param {Replay} replay
   * @param {number} since the tick of the input before it
   * @returns {GameInput}
   */
  input({ ticks, policies, heads }, since) {
    const head = this.count();
    const kind = head % 8;
    const tick = since + Math.floor(head / 8);
    hold(kind >= SEAT && kind <= SAMPLE, 32);
    hold(tick <= ticks, 33);
    if (kind === SAMPLE) {
      const sampled = this.byte();
      hold(sampled <= 1, 38);
      return { tick, kind, slot: 0, values: [sampled] };
    }
    const slot = this.count();
    hold(slot < MOST_SLOTS, 34);
    if (kind === EVENT) return { tick, kind, slot, values: this.event() };
    if (kind === ACT) return { tick, kind, slot, values: Array.from({ length: heads }, () => this.real()) };
    const slots = this.count();
    hold(slots >= 1 && slots <= MOST_SLOTS - slot, 34);
    const value = this.count();
    hold(kind !== SEAT || value <= policies.length, 35);
    hold(kind !== DRIVE || value <= RANDOM, 36);
    return { tick, kind, slot, values: [slots, value] };
  }
}

/**
 * Whether a part of an event is left out: all +0.
 *
 * @param {number[]} values
 * @param {number[]} part
 */
const absent = (values, [begin, end]) => values.slice(begin, end).every((value) => Object.is(value, 0));

/**
 * The header: a replay with the start alone, and how many inputs follow it.
 *
 * @param {Uint8Array} bytes
 * @param {Reader} reader which stands behind it then
 * @returns {{replay: Replay, count: number}}
 */
function header(bytes, reader) {
  hold(bytes.length >= LEAST, 10);
  hold(MAGIC.every((byte, i) => bytes[i] === byte), 11);
  hold(bytes[8] === VERSION, 12);
  hold(bytes.length <= MOST_BYTES, 13);
  const end = bytes.length - 4;
  hold(checksum(reader.bytes) === view(bytes).getUint32(end, true), 14);
  const [heads, count, length] = bytes.subarray(9, 12);
  hold(heads >= 1 && heads <= 8, 20);
  hold(count <= 16, 21);
  hold(length >= 1 && length <= 64, 22);
  const at = 12 + length + 32 + 32 * count;
  if (at + 20 > end) throw new ReplayError(30, " (input 0, at byte 0)");
  const letters = bytes.subarray(12, 12 + length);
  hold(letters.every((letter) => letter >= 0x21 && letter <= 0x7e), 22);
  const [low, high, randomized, ticks, inputs] = [0, 4, 8, 12, 16].map((offset) => view(bytes).getUint32(at + offset, true));
  hold(randomized <= 0x3f800000, 23); // the bits of 1
  hold(ticks <= MOST_TICKS, 24);
  hold(inputs <= MOST_INPUTS, 25);
  const hashes = Array.from({ length: 1 + count }, (_, i) => hex(bytes.subarray(12 + length + 32 * i, 44 + length + 32 * i)));
  const start = { tick: 0, kind: START, slot: 0, values: [low, high, view(bytes).getFloat32(at + 8, true)] };
  reader.at = at + 20;
  const env = String.fromCharCode(...letters);
  return { replay: { env, sourceHash: hashes[0], policies: hashes.slice(1), heads, ticks, inputs: [start] }, count: inputs };
}

/**
 * What a file holds; a ReplayError where it is not a replay.
 *
 * @param {Uint8Array} bytes
 * @returns {Replay}
 */
export function decode(bytes) {
  const reader = new Reader(bytes.subarray(0, Math.max(0, bytes.length - 4)));
  const { replay, count } = header(bytes, reader);
  const { inputs } = replay;
  let at = reader.at;
  try {
    for (let tick = 0; inputs.length <= count; tick = inputs[inputs.length - 1].tick) {
      at = reader.at;
      inputs.push(reader.input(replay, tick));
    }
    at = reader.at;
    hold(at === reader.bytes.length, 40);
  } catch (error) {
    if (!(error instanceof ReplayError)) throw error;
    throw new ReplayError(error.number, ` (input ${inputs.length - 1}, at byte ${at})`);
  }
  return replay;
}

class Writer {
  /** @type {number[]} */
  bytes = [];

  /** @param {number} value */
  count(value) {
    let rest = value;
    for (; rest > 0x7f; rest = Math.floor(rest / 128)) this.bytes.push((rest % 128) | 0x80);
    this.bytes.push(rest);
  }

  /** @param {...number} words */
  u32(...words) {
    for (const word of words) this.bytes.push(word & 255, (word >>> 8) & 255, (word >>> 16) & 255, word >>> 24);
  }

  /** @param {number} value */
  f32(value) {
    this.bytes.push(...new Uint8Array(new Float32Array([value]).buffer)); // WebAssembly's hosts are little-endian, or act so
  }

  /** @param {number} value */
  real(value) {
    if (isWhole(value)) return this.count(value >= 0 ? 4 * value : -4 * value - 2);
    this.count(1);
    this.f32(value);
  }

  /** @param {string} digits hexadecimal */
  hash(digits) {
    for (let i = 0; i < 64; i += 2) this.bytes.push(parseInt(digits.slice(i, i + 2), 16));
  }

  /**
   * @param {GameInput} input
   * @param {number} passed ticks since the input before it
   */
  input({ kind, slot, values }, passed) {
    this.count(8 * passed + kind);
    if (kind === SAMPLE) return this.bytes.push(values[0]);
    this.count(slot);
    if (kind === ACT) return values.forEach((value) => this.real(value));
    if (kind !== EVENT) return values.forEach((value) => this.count(value));
    const flags = PARTS.map((part, i) => (absent(values, part) ? 0 : 1 << i)).reduce((a, b) => a | b);
    this.count(values[0]);
    this.bytes.push(flags);
    if (flags & 1) this.count(values[1]);
    PARTS.slice(1).forEach(([begin, end], i) => {
      if (flags & (2 << i)) for (const value of values.slice(begin, end)) this.real(value);
    });
  }
}

/**
 * A file; a ReplayError where `decode` would refuse it.
 *
 * @param {Replay} replay
 * @returns {Uint8Array}
 */
export function encode({ env, sourceHash, policies, heads, ticks, inputs }) {
  const writer = new Writer();
  const [start, ...rest] = inputs;
  const [low, high, randomize] = start.values;
  writer.bytes.push(...MAGIC, VERSION, heads, policies.length, Math.min(env.length, 255));
  for (const letter of env) writer.bytes.push(letter.charCodeAt(0));
  for (const hash of [sourceHash, ...policies]) writer.hash(hash);
  writer.u32(low, high);
  writer.f32(randomize);
  writer.u32(ticks, rest.length);
  let tick = 0;
  for (const input of rest) {
    writer.input(input, input.tick - tick);
    tick = input.tick;
  }
  const body = Uint8Array.from(writer.bytes);
  writer.u32(checksum(body));
  const bytes = Uint8Array.from(writer.bytes);
  decode(bytes);
  return bytes;
}

/**
 * Why a replay cannot be played here, in words; empty where it can.
 *
 * @param {Replay} replay
 * @param {import("./spec.js").Spec} spec of this environment
 * @param {string[]} policies the SHA-256 of each file that is at hand
 */
export function misfit(replay, spec, policies) {
  const slots = (/** @type {GameInput} */ { kind, slot, values }) => (kind === SEAT || kind === DRIVE ? slot + values[0] : slot + 1);
  const odd = replay.inputs.findIndex((input) =>
    input.kind === EVENT && input.values[0] < 16 ? input.slot >= (input.values[0] ? 1 : spec.param.length) : slots(input) > spec.slots,
  );
  const missing = replay.policies.find((hash) => !policies.includes(hash));
  if (replay.env !== spec.name) return `The replay is of ${replay.env}, not of ${spec.name}.`;
  if (replay.sourceHash !== spec.source_hash) {
    return `The replay was played with other sources of ${spec.name}, so another game would come of it.`;
  }
  if (replay.heads !== spec.head.length) return `An action of ${spec.name} has ${spec.head.length} heads, one of the replay ${replay.heads}.`;
  if (missing) return `The policy that the replay was played with is not here (SHA-256 ${missing.slice(0, 12)}…): open its file first.`;
  return odd < 0 ? "" : `Input ${odd - 1} of the replay is for a slot or a parameter that ${spec.name} does not have.`;
}
