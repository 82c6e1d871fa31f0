/** The dialog that lists the keys. */

import { make } from "../dom.js";
import { keyName } from "../spec.js";

/** @typedef {import("../spec.js").Spec} Spec */

const PLAYER_KEYS = [
  ["Space", "play or pause"],
  [", .", "back or on by exactly one tick"],
  ["− +", "slower, faster"],
  ["R", "reset: the same seed again"],
  ["F", "the whole screen, and back"],
  ["Esc", "hand back to the policy"],
  ["? F1", "this help"],
];

const CAMERA = [
  ["drag", "beside what can be dragged: turns the camera; the wheel or two fingers bring it nearer"],
  ["Shift+↑↓←→ Shift+PageUp Shift+PageDown", "turn the camera, nearer, further"],
  ["Shift+Home", "the camera where it was"],
];

const PAD = ["A", "B", "X", "Y", "LB", "RB", "LT", "RT", "Back", "Start", "L3", "R3", "D-pad ↑", "D-pad ↓", "D-pad ←", "D-pad →"];

/**
 * A gamepad input as a person knows it.
 *
 * @param {string} input "button12" or "axis1-"
 */
function padName(input) {
  const part = /^(button|axis)(\d+)([+-]?)$/.exec(input);
  if (!part) return input;
  if (part[1] === "button") return PAD[Number(part[2])] ?? input;
  const ways = Number(part[2]) % 2 ? "↑↓" : "←→";
  return `${Number(part[2]) < 2 ? "left" : "right"} stick ${part[3] === "-" ? ways[0] : ways[1]}`;
}

/**
 * @param {string[]} keys
 * @param {string} words
 */
const entry = (keys, words) => [
  make("dt", {}, ...keys.map((key) => make("kbd", {}, key))),
  make("dd", {}, words),
];

/**
 * @param {import("../store.js").Store} store
 * @returns {import("../panels.js").Panel}
 */
export function help(store) {
  const { spec } = store;
  const own = spec.control.flatMap((control) => {
    const also = [
      control.touch && `touch: ${control.touch}`,
      control.gamepad.length && `gamepad: ${control.gamepad.map(padName).join(", ")}`,
    ].filter(Boolean);
    return entry(control.keys.map(keyName), control.label + (also.length ? ` (${also.join("; ")})` : ""));
  });
  const gestures = spec.gesture.flatMap(({ pointer, doc }) => entry([pointer], doc));
  const dialog = make("dialog", { "aria-labelledby": "help-title", onclose: () => store.help(false) });
  dialog.append(
    make("h2", { id: "help-title" }, "Keys"),
    make("p", { className: "note" }, "Press or touch a control and you play in the policy's place. It goes on watching, and takes over again when you hand back."),
    make("dl", { style: "margin-top: 14px" }, ...own, ...gestures, ...[...(spec.three_d ? CAMERA : []), ...PLAYER_KEYS].flatMap(([keys, words]) => entry(keys.split(" "), words))),
    make("button", { type: "button", className: "primary", onclick: () => dialog.close() }, "Close"),
  );
  return {
    element: dialog,
    place: "demo",
    settle() {
      if (store.helping && !dialog.open) dialog.showModal();
    },
  };
}
