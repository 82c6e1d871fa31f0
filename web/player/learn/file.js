/** Writes the policy file (docs/format.md) of a network of plain layers. */

/** @typedef {import("../spec.js").Spec} Spec */
/** @typedef {{name: string, shape: number[], data: Float32Array}} Tensor */
/**
 * @typedef {object} Net
 * @property {number} hidden width of each layer
 * @property {number} layers
 * @property {boolean} tanh in place of relu
 * @property {Float32Array} weights in the order of train/core/network.h
 */
/** @typedef {{obs: Uint8Array, head: Float32Array, width: number}} Answers of some agents: outputs, then the value, [agents][width] */

const MAGIC = [0x89, 0x4d, 0x4e, 0x57, 0x0d, 0x0a, 0x1a, 0x0a];
const RECORDS = { STRS: 1, VALS: 32, INPS: 8, STAT: 24, OUTS: 12, OPER: 16, ARGS: 4, TENS: 48, ACTN: 4, META: 1, GOLD: 4, DATA: 1 }; // bytes
const [F32, U8] = [0, 3];
const [LOGITS, MEAN, LOG_STD, VALUE] = [1, 2, 3, 4]; // roles
const [CONSTANT, CAST, LINEAR, RELU, TANH, MUL, RESHAPE] = [1, 2, 16, 64, 74, 130, 178]; // operations
const ACTIONS = { discrete: 1, multi_discrete: 2, box: 3 };
const [CLIP, NONE, RANKS] = [1, -1, 6];
const STEPS = 2; // of golden vectors
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let word = byte;
  for (let bit = 0; bit < 8; bit += 1) word = word & 1 ? (word >>> 1) ^ 0xedb88320 : word >>> 1;
  return word;
});

/** @param {Uint8Array} bytes */
function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ TABLE[(crc ^ byte) & 255];
  return (crc ^ 0xffffffff) >>> 0;
}

/** @param {number} at @param {number} to */
const align = (at, to) => Math.ceil(at / to) * to;

/** @param {number[]} shape */
const count = (shape) => shape.reduce((all, one) => all * one, 1);

/** @param {number[]} values */
const floatWords = (values) => [...new Uint32Array(Float32Array.from(values).buffer)];

/** @param {Float32Array} data */
const bytesOf = (data) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

/** Names, values, operations and tensors while they grow. All are lists of 32-bit words but for the names, which are bytes. */
class Graph {
  names = [0];
  /** @type {Map<string, number>} where they are */ places = new Map([["", 0]]);
  /** @type {number[]} */ values = [];
  /** @type {number[]} */ operations = [];
  /** @type {number[]} */ args = [];
  /** @type {Tensor[]} */ tensors = [];

  /** @param {string} name */
  name(name) {
    const known = this.places.get(name);
    if (known !== undefined) return known;
    const at = this.names.length;
    this.places.set(name, at);
    this.names.push(...new TextEncoder().encode(name), 0);
    return at;
  }

  /**
   * The first words of a value's or a tensor's record.
   *
   * @param {string} name
   * @param {number} dtype
   * @param {number[]} shape
   */
  array(name, dtype, shape) {
    return [this.name(name), dtype | (shape.length << 8), ...shape, ...Array(RANKS - shape.length).fill(0)];
  }

  /**
   * @param {string} name
   * @param {number[]} shape
   * @param {number} dtype
   * @returns {number} its index
   */
  value(name, shape, dtype = F32) {
    return this.values.push(...this.array(name, dtype, shape)) / 8 - 1;
  }

  /**
   * @param {number} code
   * @param {number[]} inputs
   * @param {Tensor[]} tensors
   * @param {number[]} shape of what it gives
   * @returns {number} the value that it gives
   */
  run(code, inputs, tensors, shape) {
    const first = this.tensors.length;
    const output = this.value("", shape);
    this.operations.push(code, inputs.length | (1 << 16), tensors.length, this.args.length);
    this.args.push(...inputs, output, ...tensors.map((_, i) => first + i));
    this.tensors.push(...tensors);
    return output;
  }
}

/**
 * Cuts the weights into tensors, as network.h has them: layers' matrices, logarithms of deviations, layers' biases, then the heads, the
 * value's last.
 *
 * @param {Spec} spec
 * @param {Net} net
 */
function cut(spec, { hidden, layers, weights }) {
  const box = spec.action_type === "box";
  const inputs = count(spec.group[0].shape);
  const outputs = box ? spec.head.length : spec.head.reduce((all, head) => all + head.size, 0);
  let at = 0;
  const take = (/** @type {string} */ name, /** @type {number[]} */ shape) => {
    const data = weights.slice(at, (at += count(shape)));
    return { name, shape, data };
  };
  const matrices = Array.from({ length: layers }, (_, i) => take(`encoder.${2 * i}.weight`, [hidden, i ? hidden : inputs]));
  const deviations = box ? take("log_std", [outputs]) : null;
  const encoder = matrices.map((matrix, i) => [matrix, take(`encoder.${2 * i}.bias`, [hidden])]);
  const heads = [take("actor.weight", [outputs, hidden]), take("critic.weight", [1, hidden])];
  const biases = [take("actor.bias", [outputs]), take("critic.bias", [1])];
  const [actor, critic] = heads.map((head, i) => [head, biases[i]]);
  for (let h = 0; box && h < outputs; h += 1) {
    const { low, high } = spec.head[h]; // an action is the range's middle + half of it x output
    for (let i = 0; i < hidden; i += 1) actor[0].data[h * hidden + i] *= (high - low) / 2;
    actor[1].data[h] = actor[1].data[h] * ((high - low) / 2) + (low + high) / 2;
  }
  return { outputs, encoder, actor, critic, deviations };
}

/**
 * @param {Graph} graph
 * @param {Spec} spec
 * @param {Net} net
 * @returns {[string, number, number][]} the outputs: name, value, role
 */
function build(graph, spec, net) {
  const { outputs, encoder, actor, critic, deviations } = cut(spec, net);
  const { shape, type } = spec.group[0];
  let x = graph.value("obs", shape, type === "u8" ? U8 : F32);
  if (type === "u8") {
    const cast = graph.run(CAST, [x], [], shape);
    const scale = graph.run(CONSTANT, [], [{ name: "scale", shape: [], data: Float32Array.of(1 / 255) }], []);
    x = graph.run(MUL, [cast, scale], [], shape);
  }
  if (shape.length > 1) x = graph.run(RESHAPE, [x], [], [count(shape)]);
  for (const layer of encoder) {
    const sums = graph.run(LINEAR, [x], layer, [net.hidden]);
    x = graph.run(net.tanh ? TANH : RELU, [sums], [], [net.hidden]);
  }
  const acts = graph.run(LINEAR, [x], actor, [outputs]);
  /** @type {[string, number, number][]} */
  const found = [deviations ? ["mean", acts, MEAN] : ["logits", acts, LOGITS]];
  if (deviations) found.push(["log_std", graph.run(CONSTANT, [], [deviations], [outputs]), LOG_STD]);
  return [...found, ["value", graph.run(LINEAR, [x], critic, [1]), VALUE]];
}

/**
 * Golden vectors: what the trainer's own arithmetic makes of observations, which any reader replays.
 *
 * @param {Answers} answers of STEPS x as many agents
 * @param {number[]} widths of the outputs
 */
function golden({ obs, head, width }, widths) {
  const agents = head.length / width / STEPS;
  const parts = [new Uint8Array(Uint32Array.of(STEPS, agents).buffer)];
  for (let step = 0; step < STEPS; step += 1) {
    const seen = obs.length / STEPS;
    parts.push(obs.subarray(step * seen, (step + 1) * seen), new Uint8Array(align(seen, 4) - seen));
    let first = 0;
    for (const size of widths) {
      const of = Array.from({ length: agents }, (_, i) => head.subarray((step * agents + i) * width + first).subarray(0, size));
      parts.push(...of.map(bytesOf));
      first += size;
    }
  }
  return joined(parts);
}

/** @param {Uint8Array[]} parts */
function joined(parts) {
  const all = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/**
 * How many answers the golden vectors of a file hold, within their 8 KB.
 *
 * @param {Spec} spec
 * @param {number} width of an answer
 */
export function goldenCount(spec, width) {
  const bytes = observed(spec) + 4 * width;
  return STEPS * Math.max(1, Math.min(8, Math.floor(6000 / STEPS / bytes)));
}

/**
 * Bytes of an observation.
 *
 * @param {Spec} spec
 */
export const observed = ({ group: [only] }) => count(only.shape) * (only.type === "u8" ? 1 : 4);

/**
 * @param {Spec} spec
 * @param {Net} net
 * @param {Answers} answers goldenCount() of them
 * @param {Record<string, unknown>} meta
 */
export function policyFile(spec, net, answers, meta) {
  const graph = new Graph();
  const outputs = build(graph, spec, net);
  const box = spec.action_type === "box";
  const heads = spec.head.flatMap(({ size, low, high }) => (box ? [0, ...floatWords([low, high])] : [size, 0, 0]));
  const action = [ACTIONS[spec.action_type], spec.head.length, 0, box ? 1 : NONE, box ? CLIP : 0, 0, ...heads];
  const widths = outputs.map(([, value]) => graph.values[8 * value + 2]);
  const inputs = [graph.name("obs"), 0];
  const told = outputs.flatMap(([name, value, role]) => [graph.name(name), value, role]);
  const tensors = graph.tensors.map(({ name, shape }) => graph.array(name, F32, shape));
  let end = 0;
  const places = graph.tensors.map(({ data }) => {
    const at = align(end, 64);
    end = at + data.byteLength;
    return at;
  });
  const asBytes = (/** @type {number[]} */ list) => new Uint8Array(Uint32Array.from(list, (word) => word >>> 0).buffer);
  /** @type {Record<string, Uint8Array>} */
  const sections = {
    STRS: Uint8Array.from(graph.names),
    VALS: asBytes(graph.values),
    INPS: asBytes(inputs),
    STAT: new Uint8Array(0),
    OUTS: asBytes(told),
    OPER: asBytes(graph.operations),
    ARGS: asBytes(graph.args),
    TENS: new Uint8Array(48 * graph.tensors.length),
    ACTN: asBytes(action),
    META: new TextEncoder().encode(JSON.stringify(meta)),
    GOLD: golden(answers, widths),
    DATA: new Uint8Array(end),
  };
  graph.tensors.forEach(({ data }, i) => sections.DATA.set(bytesOf(data), places[i]));
  return sealed(sections, (data) => tensors.flatMap((record, i) => [...record, data + places[i], 0, 0, 0]));
}

/**
 * Lays sections out, with directory and checksum.
 *
 * @param {Record<string, Uint8Array>} sections
 * @param {(data: number) => number[]} tensors the words of TENS, by where DATA begins
 */
function sealed(sections, tensors) {
  const tags = Object.keys(RECORDS);
  const places = new Map();
  let at = 32 + 24 * tags.length;
  for (const tag of tags) {
    places.set(tag, (at = align(at, tag === "DATA" ? 64 : 8)));
    at += sections[tag].length;
  }
  sections.TENS = new Uint8Array(Uint32Array.from(tensors(places.get("DATA"))).buffer);
  const file = new Uint8Array(at);
  const view = new DataView(file.buffer);
  file.set(MAGIC);
  [1, 0, at, 0, tags.length, 0].forEach((word, i) => view.setUint32(8 + 4 * i, word, true));
  for (const [i, [tag, record]] of Object.entries(RECORDS).entries()) {
    const entry = 32 + 24 * i;
    file.set(new TextEncoder().encode(tag), entry);
    [sections[tag].length / record, places.get(tag), 0, sections[tag].length, 0].forEach((word, k) => view.setUint32(entry + 4 + 4 * k, word, true));
    file.set(sections[tag], places.get(tag));
  }
  view.setUint32(12, crc32(file), true);
  return file;
}
