/** The policy, on its own: the same seed as a person's, in a game that nobody sees; and what it would do in this person's place. */

import { Game, POLICY, SCRIPT } from "../game.js";
import { enlist, lineup } from "../lineup.js";

/** @typedef {import("../store.js").Store} Store */

const LONGEST = 100000; // ticks of one game

export class Rival {
  /** @type {number | null} its score, when its game is over */
  score = null;

  /**
   * @param {Store} store whose game stands at its start
   * @param {number} slot that the person drives
   */
  static async of(store, slot) {
    const { game, module, spec, seed } = store;
    if (!game) throw new Error("there is no game yet.");
    const own = await Game.create(module, spec, game.files);
    const who = lineup(game);
    who.drivers[slot] = who.seats[slot] ? POLICY : SCRIPT;
    enlist(own, who);
    for (const { kind, slot: at, values } of game.journal.lasting) own.input(kind, at, values);
    own.randomize(game.randomized);
    own.start(seed);
    return new Rival(own, slot);
  }

  /**
   * @param {Game} game
   * @param {number} slot
   */
  constructor(game, slot) {
    this.game = game;
    this.slot = slot;
  }

  /** @param {number} ms to play for, at most */
  advance(ms) {
    const { game, slot } = this;
    const { core, at } = game;
    for (const end = performance.now() + ms; this.score === null && performance.now() < end; ) {
      for (let i = 0; i < 16 && !game.episodes; i += 1) core.game_tick(at);
      if (game.episodes) this.score = game.finalScore(slot);
      else if (game.ticks > LONGEST) this.score = game.score(slot);
    }
  }
}

/**
 * How probable each choice is to the policy, for what the player sees now: heads in order.
 *
 * @param {Game} aside a game of the same policies, which takes this one's state
 * @param {Game} game
 * @param {number} slot
 */
export function hint(aside, game, slot) {
  aside.state = game.state;
  aside.core.game_tick(aside.at); // it observes at the tick's beginning
  return Array.from(aside.probabilities(slot));
}
