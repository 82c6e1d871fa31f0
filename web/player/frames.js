/** What each frame of a demo does: its ticks, the picture, and what panels and the page are told; and the picture before the first one. */

import { breathe, framed } from "./clock.js";
import { Herald } from "./events.js";
import { Game } from "./game.js";
import { holds } from "./keyboard.js";

/**
 * Draws the game as it begins, if its policy is still on the way.
 *
 * @param {import("./store.js").Store} store
 * @param {import("./canvas.js").Canvas} picture
 * @param {Promise<unknown>} policy
 * @returns {Promise<boolean>} whether it did
 */
export async function still({ module, spec, seed }, picture, policy) {
  const there = policy.then(() => true);
  if (await Promise.race([there, framed().then(() => false)])) return false;
  try {
    const game = await Game.create(module, spec, []);
    game.start(seed);
    await breathe();
    picture.draw(game.draw(0, spec.view_width / spec.view_height));
  } catch {
    return false; // what is wrong with it is told when it plays
  }
  return true;
}

/**
 * All that decides what the picture shows.
 *
 * @param {import("./store.js").Store} store
 * @param {import("./game.js").Game} game
 * @param {import("./canvas.js").Canvas} picture
 */
const decisive = (store, game, { box, space }) => [game, game.journal, game.journal.inputs.length, game.ticks, store.shown, box, devicePixelRatio, space?.view];

/**
 * Lets frames come from now on.
 *
 * @param {HTMLElement & {hands: import("./controls.js").Controls | null}} demo
 * @param {import("./store.js").Store} store
 * @param {import("./canvas.js").Canvas} picture
 * @param {import("./furniture.js").Furniture} furniture
 */
export function frames(demo, store, picture, furniture) {
  const { spec } = store;
  const herald = new Herald(demo, store);
  /** @type {unknown[]} */
  let drawn = [];
  store.clock.start(
    () => {
      store.tick();
      if (store.game) herald.tick(store.game);
    },
    () => {
      if (holds(demo)) demo.hands?.poll();
      if (store.person >= 0 && demo.hands) store.hold(demo.hands.action());
    },
    () => {
      if (!store.game) return;
      try {
        const now = decisive(store, store.game, picture); // frames come more often than the ticks of a slow game
        const follows = picture.space?.stage && store.clock.stirred; // three.js may be ready, or lost, at any time
        if (follows || now.some((each, i) => each !== drawn[i])) picture.draw(store.game.draw(store.shown, spec.view_width / spec.view_height));
        drawn = now;
      } catch (error) {
        if (!store.fault) store.fail(error, [["Go on", () => ((store.fault = null), store.play())]]);
      }
      for (const { frame } of furniture.shown) frame?.(store.game);
      herald.frame(store.game);
    },
  );
}
