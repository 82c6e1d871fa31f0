/**
 * Tries a policy that a stranger may have made where it cannot hang the page: it is loaded, proves itself, and plays some ticks. What is
 * wrong with it otherwise the page finds by itself.
 */

import { Game, PolicyError } from "../game.js";

/** @typedef {{module: WebAssembly.Module, whole: string | null, spec: import("../spec.js").Spec, file: Uint8Array}} Order */

const TICKS = 3;

/** @param {Order} order */
async function tried({ module, whole, spec, file }) {
  try {
    const game = await Game.create(module, spec, [file]);
    for (let tick = 0; tick < TICKS * spec.action_repeat; tick += 1) game.tick();
  } catch (error) {
    if (!whole || !(error instanceof PolicyError)) return;
    await tried({ module: await WebAssembly.compile(await (await fetch(whole)).arrayBuffer()), whole: null, spec, file });
  }
}

const worker = /** @type {{onmessage: unknown, postMessage(done: boolean): void}} */ (/** @type {unknown} */ (self));
worker.onmessage = (/** @type {MessageEvent<Order>} */ { data }) =>
  tried(data)
    .catch(() => {}) // the page will find it too
    .then(() => worker.postMessage(true));
