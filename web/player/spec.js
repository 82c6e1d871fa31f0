/**
 * The environment's specification, `minnow.envs.Spec` as JSON.
 *
 * @typedef {{name: string, value: number, low: number, high: number, kind: string, scale: string, unit: string, doc: string}} Param
 * @typedef {{name: string, size: number, low: number, high: number, labels: string[]}} Head
 * @typedef {{label: string, keys: string[], gamepad: string[], touch: string, head: number, value: number}} Control
 * @typedef {{kind: number, name: string, doc: string, pointer: string, uses: ("target" | "at" | "way" | "value")[]}} Gesture
 * @typedef {{kinds: Record<number, string>, size: number, at: Record<string, number>}} Abi how a draw list is read: names
 *   of kinds, bytes of a shape, offsets of its members
 * @typedef {{name: string, low: number, high: number}} Field
 * @typedef {{name: string, type: "f32" | "u8", kind: string, shape: number[], critic: boolean, fields: Field[]}} Group of an observation;
 *   `kind`: "fields", "planes", "set", or "present", which of a set are there; `critic`: for training alone
 * @typedef {object} Spec
 * @property {string} name
 * @property {string} title
 * @property {string} description
 * @property {number} slots players of one environment
 * @property {number} agents how many of them a caller drives by default
 * @property {"discrete" | "multi_discrete" | "box"} action_type
 * @property {Head[]} head
 * @property {Group[]} group
 * @property {number[]} idle
 * @property {number} tick_rate ticks a second
 * @property {number} action_repeat
 * @property {boolean} has_script
 * @property {string} score_name
 * @property {number} view_width
 * @property {number} view_height
 * @property {Param[]} param
 * @property {Control[]} control
 * @property {Gesture[]} gesture
 * @property {boolean} three_d
 * @property {number} shapes the longest draw list
 * @property {Abi} abi
 * @property {string} source_hash
 * @property {{key: "score_mean" | "success_rate", least: number} | null} bar what the mean of scores or successes must reach
 * @property {boolean} has_success
 * @property {boolean} masked whether some choices may be impossible
 *
 * What the site's manifest says of one demo; paths are relative to the manifest.
 * @typedef {object} Demo
 * @property {string} spec
 * @property {string} wasm a module that runs the policy
 * @property {string | null} whole one that runs any
 * @property {string | null} policy
 * @property {string | null} space the module for what lies in space
 * @property {string | null} stage the one that draws it by three.js; null: it is drawn by flat faces
 * @property {string | null} [onnx] the policy as ONNX
 * @property {string | null} learn what the panel for learning is made of (learn/settings.js); null: it is not for this one
 * @property {{steps: number, policy: string}[]} [stages] policies of earlier stages of its training, earliest first
 */

/**
 * A key's name as a person reads it on the keyboard.
 *
 * @param {string} code KeyboardEvent.code
 */
export function keyName(code) {
  const arrows = /** @type {Record<string, string>} */ ({ ArrowUp: "↑", ArrowDown: "↓", ArrowLeft: "←", ArrowRight: "→" });
  return arrows[code] ?? code.replace(/^(Key|Digit)/, "");
}

/**
 * The name of a player in words.
 *
 * @param {Spec} spec
 * @param {number} slot
 */
export const playerName = (spec, slot) => (spec.slots > 1 ? `Player ${slot + 1}` : "Player");

/** @param {string} text */
export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/**
 * At most three significant decimals, no exponent for everyday sizes.
 *
 * @param {number} value
 */
export function number(value) {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(1);
  return String(Number(value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3)));
}

/**
 * With commas between thousands. Intl would do it too, but takes long when it is first asked.
 *
 * @param {number} whole
 */
export const grouped = (whole) => String(whole).replace(/\B(?=(\d{3})+$)/g, ",");
