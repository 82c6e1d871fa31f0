/** What decides a training, and the link that learns again the same way: all of it, in the page's fragment. */

/** @typedef {import("./tutor.js").Settings} Settings @typedef {import("../spec.js").Spec} Spec */
/** @typedef {[number, number, number]} Turn after so many updates a parameter of the world took a value */
/**
 * @typedef {object} Kit what an environment's page loads when the panel opens (web/learn.py)
 * @property {string} worker @property {string} wasm addresses
 * @property {string[]} order of the settings in tutor.h
 * @property {Settings} settings the environment's own, train.toml's
 * @property {Record<string, [number, number]>} ranges of settings
 */
/**
 * @typedef {object} Plan
 * @property {Settings} settings
 * @property {number[]} params of the world at the beginning
 * @property {Turn[]} turns of the world later
 * @property {number} stop updates after which the weights have this hash; 0: none is known
 * @property {string} hash
 */

export const FRAGMENT = "#learn=";
const [HASH, SOURCE, MOST_TURNS] = [16, 12, 1000]; // hexadecimal digits that a link has; turns

/**
 * Samples of a minibatch: as many as the tuned settings have, or the most below that divide a rollout.
 *
 * @param {Settings} settings
 * @param {number} wanted
 */
export function minibatch({ envs, agents, horizon }, wanted) {
  const all = envs * agents * horizon;
  let size = Math.min(wanted, all);
  while (all % size) size -= 1;
  return size;
}

/**
 * Agent-steps of an update.
 *
 * @param {Settings} settings
 */
export const batch = ({ envs, agents, horizon }) => envs * agents * horizon;

/**
 * @param {Kit} kit
 * @param {Spec} spec
 * @param {number} seed
 * @returns {Plan}
 */
export const tuned = (kit, spec, seed) => ({
  settings: { ...kit.settings, seed },
  params: spec.param.map(({ value }) => value),
  turns: [],
  stop: 0,
  hash: "",
});

/**
 * @param {Spec} spec
 * @param {string[]} order of the settings
 * @param {Plan} plan
 */
export function encode(spec, order, { settings, params, turns, stop, hash }) {
  const world = spec.param.flatMap(({ name, value }, i) => (params[i] === value ? [] : [`${name}:${params[i]}`]));
  const fields = [
    ["learn", spec.name],
    ["source", spec.source_hash.slice(0, SOURCE)],
    ...order.map((name) => [name, String(settings[name])]),
    ["world", world.join(",")],
    ["turns", turns.map(([at, param, value]) => `${at}:${spec.param[param].name}:${value}`).join(",")],
    ["stop", String(stop)],
    ["hash", hash.slice(0, HASH)],
  ];
  return `#${fields.flatMap(([name, value]) => (value ? [`${name}=${value}`] : [])).join("&")}`;
}

/**
 * @param {string} text
 * @param {string} what
 * @param {[number, number]} range
 */
function number(text, what, [low, high]) {
  const value = text.trim() === "" ? NaN : Number(text);
  if (!(value >= low && value <= high)) throw new Error(`the link says ${what} "${text.slice(0, 20)}", which is not a number from ${low} to ${high}.`);
  return value;
}

/**
 * @param {Spec} spec
 * @param {string} name
 */
function place(spec, name) {
  const index = spec.param.findIndex((param) => param.name === name);
  if (index < 0) throw new Error(`the link turns "${name.slice(0, 20)}", which ${spec.title} does not have.`);
  return index;
}

/**
 * The plan of a link; an Error in words where it is none of this environment's.
 *
 * @param {Spec} spec
 * @param {Kit} kit
 * @param {string} fragment
 * @returns {Plan}
 */
export function decode(spec, kit, fragment) {
  const fields = new Map(new URLSearchParams(fragment.slice(1)));
  const get = (/** @type {string} */ name) => fields.get(name) ?? "";
  if (get("learn") !== spec.name) throw new Error(`the link learns "${get("learn").slice(0, 20)}", and this is ${spec.title}.`);
  if (get("source") !== spec.source_hash.slice(0, SOURCE))
    throw new Error(`the link was made with another version of ${spec.title}: it would learn otherwise here.`);
  const plan = tuned(kit, spec, 0);
  for (const name of kit.order) plan.settings[name] = number(get(name), name, kit.ranges[name]);
  const listed = (/** @type {string} */ name) => get(name).split(",").filter(Boolean).slice(0, MOST_TURNS + 1);
  for (const text of listed("world")) {
    const [name, value] = text.split(":");
    const index = place(spec, name);
    plan.params[index] = number(value ?? "", name, [spec.param[index].low, spec.param[index].high]);
  }
  for (const text of listed("turns")) {
    const [at, name, value] = text.split(":");
    const index = place(spec, name ?? "");
    plan.turns.push([number(at, "turns", [0, 1e9]), index, number(value ?? "", name, [spec.param[index].low, spec.param[index].high])]);
  }
  if (plan.turns.length > MOST_TURNS) throw new Error(`the link turns the world more than ${MOST_TURNS} times.`);
  plan.stop = number(get("stop") || "0", "stop", [0, 1e9]);
  plan.hash = get("hash");
  if (!/^[0-9a-f]*$/.test(plan.hash) || plan.hash.length > HASH) throw new Error("the link's hash is none.");
  return plan;
}
