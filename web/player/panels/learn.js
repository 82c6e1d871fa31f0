/** Where a policy learns in the page: learn/panel.js, opened by the address of a training too. */

import { later } from "../later.js";

/**
 * @param {import("../store.js").Store} store
 * @returns {import("../panels.js").Panel}
 */
export function learn(store) {
  const card = later(store, "learn", "Learn it here", async ({ open }) => {
    const kit = await (await fetch(/** @type {URL} */ (store.learn))).json();
    for (const part of ["worker", "wasm"]) kit[part] = new URL(kit[part], /** @type {URL} */ (store.learn)).href;
    return open(store, kit);
  });
  card.element.hidden ||= !store.learn;
  card.element.open = !card.element.hidden && location.hash.startsWith(`#learn=${store.spec.name}&`);
  return card;
}
