/** Whether the policy gives here what torch gave, how fast it is here, and its files. */

import { make, put, save } from "../dom.js";
import { card } from "./card.js";
import { header } from "./header.js";
import { pace } from "./pace.js";

/** @typedef {import("../game.js").Game} Game @typedef {import("../store.js").Store} Store */

/**
 * @param {Store} store
 * @returns {import("../later.js").Loaded}
 */
export function open(store) {
  const { spec } = store;
  const proof = make("p", { className: "note" });
  const speed = make("p", { className: "note", role: "status" });
  const bytes = (/** @type {string} */ text) => new TextEncoder().encode(text);
  const stem = () => store.policy.name.replace(/\.minnow$/, "") || spec.name;
  const array = () => stem().replace(/\W/g, "_").replace(/^(?=\d)/, "_");
  const found = () => [proof, speed].map((each) => each.textContent ?? "").filter(Boolean);
  const files = /** @type {Record<string, (game: Game) => void>} */ ({
    "Policy (.minnow)": (game) => save(`${stem()}.minnow`, game.files[0]),
    "C header": (game) => save(`${array()}.h`, bytes(header(game.files[0], array(), `${array()}.h`, `${spec.title}, ${stem()}`))),
    "Card": (game) => save(`${stem()}.md`, bytes(card(game, spec, `${stem()}.minnow`, found()))),
  });
  const buttons = Object.entries(files).map(([name, give]) =>
    make("button", { type: "button", onclick: () => store.game?.hasPolicy && give(store.game) }, name),
  );
  const onnx = make("a", { hidden: true, download: `${spec.name}.onnx` }, "ONNX");
  /** @type {Uint8Array | null} the file that was measured */
  let measured = null;
  let visible = true;

  const measure = async (/** @type {Uint8Array} */ file) => {
    put(speed, "Measuring how fast it is here …");
    const us = await pace(await store.create([file]));
    if (measured !== file) return;
    const players = spec.slots > 1 ? ` of all ${spec.slots} players` : "";
    put(speed, `A step${players} takes ${us < 10 ? us.toFixed(1) : us.toFixed(0)} µs here.`);
  };
  const settle = (/** @type {Game} */ game) => {
    const file = game.files[0] ?? null;
    if (!visible || measured === file) return;
    measured = file;
    put(speed, "");
    for (const button of buttons) button.hidden = !file;
    const { verdict } = game;
    const size = verdict && (Number.isNaN(verdict.difference) ? "not a number" : verdict.difference.toExponential(1));
    put(proof, verdict ? `Its golden vectors were replayed here: the largest difference from torch is ${size}; up to 1e-5 is agreement.` : "No policy plays.");
    const own = file !== null && file === store.own;
    onnx.hidden = !own || !store.onnx;
    if (store.onnx) onnx.href = store.onnx.href;
    if (file) void measure(file);
  };
  return {
    element: make("div", {}, proof, speed, make("div", { className: "row" }, ...buttons, onnx)),
    shown(is) {
      visible = is;
      if (store.game) settle(store.game);
    },
    settle,
  };
}
