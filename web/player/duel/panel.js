/** You against the policy: one game each on the same seed; and in games of turns, what it would do in your place. Loaded when opened. */

import { make, put } from "../dom.js";
import { thrown } from "../errors.js";
import { Game, PERSON } from "../game.js";
import { EVENT, EVENT_RANDOMIZE } from "../journal.js";
import { capital, keyName, number, playerName } from "../spec.js";
import { Best } from "./best.js";
import { Rival, hint } from "./rival.js";
import { inTurns } from "./turns.js";

/** @typedef {import("../store.js").Store} Store */

const BUDGET = 4; // ms a frame for the policy's own game

class Duel {
  /** @type {{slot: number, rival: Rival, journal: unknown, ticks: number} | null} */
  game = null;
  /** @type {import("./best.js").Result | null} */
  last = null;
  words = "";
  /** @type {{of: Game, aside: Game} | null} */
  #aside = null;

  /** @param {Store} store */
  constructor(store) {
    const { spec } = store;
    this.store = store;
    this.best = new Best(spec);
    const button = (/** @type {string} */ text, /** @type {() => void} */ onclick) => make("button", { type: "button", onclick }, text);
    this.start = button("Play this seed", () => void this.#begin());
    this.start.classList.add("primary");
    this.watch = button("Watch the policy play it", () => this.#watch());
    this.ask = button("Hint", () => void this.#hint());
    this.ask.hidden = !inTurns(spec);
    this.mine = make("b", {}, "–");
    this.theirs = make("b", {}, "–");
    this.record = make("p", { className: "note" });
    this.status = make("p", { className: "note", role: "status" });
    this.hints = make("div", { className: "thoughts", hidden: true });
    const score = (/** @type {string} */ label, /** @type {HTMLElement} */ figure) => make("p", { className: "score", style: "margin: 0" }, make("span", {}, label), figure);
    this.element = make(
      "div",
      { className: "sliders duel" },
      this.status,
      score(`You: ${spec.score_name}`, this.mine),
      score("The policy, same seed", this.theirs),
      this.record,
      make("div", { className: "row" }, this.start, this.watch, this.ask),
      this.hints,
    );
    this.show();
  }

  async #begin() {
    const { store } = this;
    const { game } = store;
    if (!game) return;
    const slot = store.shown;
    store.handBack();
    try {
      const rival = await Rival.of(store, slot);
      store.reset();
      store.takeOver(slot);
      this.game = { slot, rival, journal: game.journal, ticks: 0 };
      this.last = null;
      this.words = `You play ${store.spec.slots > 1 ? playerName(store.spec, slot) : ""} on seed ${store.seed}, to the end of the game. The policy plays the same, unseen.`.replace("  ", " ");
      store.play();
    } catch (error) {
      this.words = capital(thrown(error));
    }
    this.show();
  }

  #watch() {
    const { store } = this;
    this.#end("");
    store.handBack();
    store.reset();
    store.play();
  }

  /** @param {string} words why */
  #end(words) {
    this.game = null;
    this.words = words;
    this.show();
  }

  /** @param {Game} game that is seen */
  frame(game) {
    const { game: duel, store } = this;
    if (!duel) return;
    const { slot, rival } = duel;
    rival.advance(BUDGET);
    const over = game.episodes > 0;
    if (game.journal !== duel.journal || game.ticks < duel.ticks) return this.#end("Not counted: the game began afresh, or went back in time.");
    if (!over && game.driver(slot) !== PERSON) return this.#end("Not counted: it was handed back before the end.");
    duel.ticks = game.ticks;
    if (this.last === null && over) {
      const turned = game.journal.inputs.some(({ tick, kind, values }) => tick > 0 && kind === EVENT && values[0] <= EVENT_RANDOMIZE);
      if (turned) return this.#end("Not counted: the world was turned on the way, and the policy played in the one that there was.");
      this.last = { seed: store.seed, mine: game.finalScore(slot), theirs: NaN };
      store.pause();
      store.handBack();
      duel.journal = game.journal;
    }
    if (this.last && rival.score !== null) {
      const result = { ...this.last, theirs: rival.score };
      const best = this.best.offer(result);
      this.last = result;
      const { mine, theirs } = result;
      const won = mine > theirs ? "You beat the policy" : mine < theirs ? "The policy was better" : "A draw";
      return this.#end(`${won}: ${number(mine)} against ${number(theirs)}.${best ? " Your best so far." : ""}`);
    }
    if (this.last) return; // the policy's game goes on
    put(this.mine, number(game.score(slot)));
    put(this.theirs, rival.score === null ? "…" : "played");
  }

  /** What the policy would do, on the controls. */
  async #hint() {
    const { store } = this;
    const { game, module, spec } = store;
    if (!game) return;
    if (!game.seat(store.shown)) {
      this.words = "There is no policy to ask.";
      return this.show();
    }
    if (this.#aside?.of !== game) this.#aside = { of: game, aside: await Game.create(module, spec, game.files) };
    const shares = hint(this.#aside.aside, game, store.shown);
    const rows = spec.control.map((control) => ({ control, share: shares[control.value] ?? 0 })).sort((a, b) => b.share - a.share);
    const percent = (/** @type {number} */ share) => `${(100 * share).toFixed(0)} %`;
    this.hints.replaceChildren(
      ...rows.map(({ control, share }) => {
        const bar = make("i", {});
        bar.style.width = `${100 * share}%`;
        const key = make("kbd", {}, keyName(control.keys[0] ?? control.label));
        return make("div", { className: "bar" }, make("span", { title: control.label }, key), make("b", {}, bar), make("span", { className: "figure" }, percent(share)));
      }),
      make("span", { hidden: true }), // the last bar of a row of thoughts is set apart
    );
    this.hints.hidden = false;
    const waits = shares[spec.idle[0]] > 0.5;
    this.words = waits ? "It is not this player's turn." : `The policy would choose ${rows[0].control.label} (${percent(rows[0].share)}).`;
    this.show();
  }

  /** The hint is of a position, and goes with it. */
  settle() {
    this.start.textContent = this.game ? "Begin again" : "Play this seed";
    this.watch.hidden = !this.store.game?.hasPolicy;
  }

  show() {
    const { last, best } = this;
    const record = best.get();
    put(this.mine, last ? number(last.mine) : "–");
    put(this.theirs, last ? number(last.theirs) : "–");
    put(this.status, this.words || "Play one game by yourself: the policy plays the same seed, and the scores are put side by side.");
    const kept = best.kept ? "" : " This browser keeps nothing: it lasts until you leave the page.";
    put(this.record, record ? `Your best: ${number(record.mine)} on seed ${record.seed}, where the policy had ${number(record.theirs)}.${kept}` : "");
    this.settle();
  }
}

/**
 * @param {Store} store
 * @returns {import("../later.js").Loaded}
 */
export function open(store) {
  const duel = new Duel(store);
  return { element: duel.element, frame: (game) => duel.frame(game), settle: () => duel.settle() };
}
