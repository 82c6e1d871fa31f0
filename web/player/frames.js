/** What each frame of a demo does: its ticks, the picture, and what panels and the page are told. */

import { Herald } from "./events.js";
import { holds } from "./keyboard.js";

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
  let drawn = -1;
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
        if (store.clock.stirred || store.game.ticks !== drawn) picture.draw(store.game.draw(store.shown, spec.view_width / spec.view_height));
        drawn = store.game.ticks; // frames come more often than the ticks of a slow game
      } catch (error) {
        if (!store.fault) store.fail(error, [["Go on", () => ((store.fault = null), store.play())]]);
      }
      for (const { frame } of furniture.shown) frame?.(store.game);
      herald.frame(store.game);
    },
  );
}
