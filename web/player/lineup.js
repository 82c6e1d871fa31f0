/** Who plays in a game that nobody sees: the same as in the one that is seen, but for persons. */

import { PERSON, POLICY, SCRIPT } from "./game.js";

/**
 * @typedef {import("./game.js").Game} Game
 * @typedef {{seats: number[], drivers: number[]}} Lineup each slot's policy, counted from 1 (0: none), and who drives it
 */

/**
 * A person's place is the policy's, or the script's where none is seated.
 *
 * @param {Game} game that is seen
 * @returns {Lineup}
 */
export function lineup(game) {
  const slots = Array.from({ length: game.spec.slots }, (_, slot) => slot);
  const seats = slots.map((slot) => game.seat(slot));
  const own = slots.map((slot) => game.driver(slot));
  return { seats, drivers: own.map((driver, slot) => (driver !== PERSON ? driver : seats[slot] ? POLICY : SCRIPT)) };
}

/**
 * @param {Game} game of the same policies
 * @param {Lineup} lineup
 */
export function enlist(game, { seats, drivers }) {
  seats.forEach((policy, slot) => game.sit(slot, policy));
  drivers.forEach((driver, slot) => game.drive(slot, driver));
}
