/** All by which a person plays: keys, pointer, touch, gamepads, and files that are dropped. */

import { Controls } from "./controls.js";
import { takeFiles } from "./drop.js";
import { gestures, known } from "./gestures.js";
import { listen } from "./keyboard.js";

/**
 * @param {HTMLElement} demo
 * @param {import("./store.js").Store} store
 * @param {import("./canvas.js").Canvas} picture
 * @param {import("./space.js").Space | null} space of an environment that lies there
 * @param {AbortSignal} signal of the end
 * @returns {Controls} what is held down
 */
export function answer(demo, store, picture, space, signal) {
  const [{ spec }, { element }] = [store, picture];
  space?.listen(element, (pointer) => !known(spec, "drag", picture.hold(pointer).target));
  const controls = new Controls(spec, () => store.takeOver(store.shown));
  controls.watch(element);
  gestures(spec, picture, (event) => store.game?.event(store.shown, event));
  listen(demo, store, controls, space, signal);
  takeFiles(demo, store, /** @type {HTMLElement} */ (element.closest(".demo")), signal);
  return controls;
}
