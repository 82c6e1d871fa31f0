/** The policy's file: what it says of its making, whether it is true to torch here, and the way to another one. */

import { make } from "../dom.js";
import { later } from "../later.js";
import { grouped, number } from "../spec.js";
import { taken } from "../taken.js";

/** @typedef {import("../game.js").Game} Game @typedef {import("../spec.js").Spec} Spec */

/**
 * What a policy's file says of its making, in words.
 *
 * @param {Game} game
 * @param {Spec} spec
 */
function provenance(game, spec) {
  const { steps, score, source_hash } = game.meta();
  const parts = [
    typeof steps === "number" && `Trained for ${grouped(steps)} steps.`,
    typeof score === "number" && `Mean ${spec.score_name} when it was scored: ${number(score)}.`,
    source_hash && source_hash !== spec.source_hash && "The game has changed since it was trained.",
  ];
  return parts.filter(Boolean).join(" ");
}

/**
 * Shows whether a policy gives on this machine what torch gave when it was exported.
 *
 * @param {HTMLElement} badge
 * @param {import("../game.js").Verdict | null} verdict
 */
function prove(badge, verdict) {
  badge.hidden = !verdict;
  if (!verdict) return;
  const size = Number.isNaN(verdict.difference) ? "not a number" : verdict.difference.toExponential(1);
  badge.textContent = verdict.verified ? "verified" : "differs";
  badge.title = `Its golden vectors were replayed here: the difference from torch is ${size}; up to 1e-5 is agreement.`;
  badge.classList.toggle("bad", !verdict.verified);
}

/**
 * @param {import("../store.js").Store} store
 * @returns {import("../panels.js").Panel}
 */
export function policy(store) {
  const note = make("p", { className: "note" });
  const proof = make("span", { className: "badge", hidden: true });
  const chosen = () => {
    const mine = file.files?.[0];
    if (mine) void taken(store, mine);
  };
  const file = make("input", { type: "file", accept: ".minnow", hidden: true, onchange: chosen });
  const drawn = () => store.game?.sample(mode.value === "sampled");
  const mode = make("select", { onchange: drawn }, new Option("likeliest", "greedy"), new Option("drawn", "sampled"));
  const more = later(store, "proof", "Proof, speed and files");
  /** @type {Game | null} */
  let told = null;
  return {
    element: make(
      "details",
      {},
      make("summary", {}, "Policy file", proof),
      note,
      make(
        "div",
        { className: "row" },
        make("button", { type: "button", onclick: () => file.click() }, "Try your own …"),
        make("label", { className: "field" }, "Action", mode),
        file,
      ),
      more.element,
    ),
    settle(game) {
      more.settle?.(game);
      mode.value = game.sampled ? "sampled" : "greedy";
      if (told === game) return;
      told = game;
      const { name, size } = store.policy;
      note.textContent = game.hasPolicy
        ? `${name}, ${(size / 1024).toFixed(0)} KB. ${provenance(game, store.spec)}`
        : "No policy here yet: a scripted player plays in its place.";
      prove(proof, game.verdict);
    },
  };
}
