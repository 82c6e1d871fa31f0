/** How long the policy's network takes here: ticks of a game of its own, with it and without. */

import { PERSON } from "../game.js";

/** @typedef {import("../game.js").Game} Game */

const ROUNDS = 6; // of which the fastest counts
const ROUND = 8; // ms
const TICKS = 32; // between two looks at the clock
const ACTED = 4; // of the bits of game_tick

/**
 * @param {Game} game which is nobody else's
 * @returns {Promise<number>} microseconds that one step of all players takes
 */
export async function pace(game) {
  const { core, at, spec } = game;
  const [, best] = [game.start(1), [Infinity, Infinity]];
  for (let slot = 0; slot < spec.slots; slot += 1) game.drive(slot, PERSON); // so that nobody's own thoughts are counted
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const seat of [0, 1]) {
      game.sit(0, seat, spec.slots);
      let acted = 0;
      const began = performance.now();
      while (performance.now() - began < ROUND) for (let i = 0; i < TICKS; i += 1) acted += core.game_tick(at) & ACTED ? 1 : 0;
      if (acted) best[seat] = Math.min(best[seat], (performance.now() - began) / acted);
      await new Promise((resolve) => setTimeout(resolve)); // the page goes on
    }
  }
  return Math.max(0, best[1] - best[0]) * 1000;
}
