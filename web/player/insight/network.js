/** The network in a policy's file (docs/format.md), as far as a page shows it: its layers and what it remembers. */

/** @typedef {{value: number, shape: number[], words: string}} Layer `value`: its place among the file's values */

const HEADER = 32;
const ENTRY = 24; // bytes of the directory for each section
const RECORDS = /** @type {const} */ ({ VALS: 32, STAT: 24, OUTS: 12, OPER: 16 });
/** Operations that are shown, by their codes; those that only rearrange numbers are not. */
const SHOWN = /** @type {Record<number, string>} */ ({
  16: "linear", 17: "conv", 18: "matmul", 19: "embedding", 32: "lstm", 33: "mingru", 34: "gru", 35: "rnn", 48: "pool",
  64: "relu", 65: "leaky_relu", 66: "elu", 67: "selu", 68: "gelu", 69: "gelu_tanh", 70: "silu", 71: "mish", 72: "softplus",
  73: "softsign", 74: "tanh", 75: "sigmoid", 76: "hardsigmoid", 77: "hardswish", 144: "softmax", 160: "layer_norm", 161: "rms_norm",
}); // prettier-ignore
export const OPERATIONS = SHOWN;
const AFTER = [64, 161]; // from the first to the last: what belongs to the layer before it

/**
 * @param {Uint8Array} file a sound one
 * @returns {{layers: Layer[], states: Layer[]}}
 */
export function network(file) {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const word = (/** @type {number} */ at) => view.getUint32(at, true);
  const sections = new Map(
    Array.from({ length: word(24) }, (_, i) => {
      const at = HEADER + ENTRY * i;
      const tag = String.fromCharCode(...file.subarray(at, at + 4));
      return [tag, { count: word(at + 4), at: word(at + 8) }]; // files of 4 GiB play nowhere
    }),
  );
  const place = (/** @type {string} */ tag) => sections.get(tag)?.at ?? 0;
  const records = (/** @type {keyof typeof RECORDS} */ tag) =>
    Array.from({ length: sections.get(tag)?.count ?? 0 }, (_, i) => place(tag) + RECORDS[tag] * i);
  const name = (/** @type {number} */ at) => {
    const from = place("STRS") + word(at);
    return new TextDecoder().decode(file.subarray(from, file.indexOf(0, from)));
  };
  const values = records("VALS").map((at) => ({
    real: file[at + 4] === 0,
    shape: Array.from({ length: file[at + 5] }, (_, axis) => word(at + 8 + 4 * axis)),
    users: /** @type {number[]} */ ([]), // codes of the operations that take it
    outward: false,
  }));
  const operations = records("OPER").map((at) => {
    const [code, inputs, outputs] = [0, 4, 6].map((member) => view.getUint16(at + member, true));
    const args = Array.from({ length: inputs + outputs }, (_, i) => word(place("ARGS") + 4 * (word(at + 12) + i)));
    for (const input of args.slice(0, inputs)) values[input].users.push(code);
    return { code, from: args[0], value: args[inputs] };
  });
  const names = new Map(records("OUTS").map((at) => [word(at + 4), name(at)]));
  for (const value of names.keys()) values[value].outward = true;

  /** @type {Map<number, string>} what is said of values that a layer begins with */
  const begun = new Map();
  /** @type {Layer[]} */
  const layers = [];
  for (const { code, from, value } of operations) {
    const { real, shape, users, outward } = values[value];
    if (!(code in SHOWN) || !real || shape.every((size) => size === 1)) continue;
    const words = [begun.get(from), SHOWN[code].replaceAll("_", " ")].filter(Boolean).join(", ");
    if (users.length === 1 && !outward && users[0] >= AFTER[0] && users[0] <= AFTER[1] && users[0] in SHOWN) begun.set(value, words);
    else layers.push({ value, shape, words: names.has(value) ? `${names.get(value)}: ${words}` : words });
  }
  const states = records("STAT").map((at) => ({ value: word(at + 8), shape: values[word(at + 8)].shape, words: name(at) }));
  return { layers, states };
}
