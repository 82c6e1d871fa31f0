/** Files that a visitor gives: a policy, which plays, or a replay, which is followed. */

import { MAGIC } from "./replay.js";
import { startWorker } from "./workers.js";

/** @typedef {import("./store.js").Store} Store */

const MOST = 2 ** 24; // bytes; a replay may have as many, and no policy of a page comes near
const PATIENCE = 4000; // ms in which a policy must have played some ticks, aside

/**
 * Whether a policy is fit to be played, as far as time goes: an Error in words where it hangs.
 *
 * @param {Store} store
 * @param {Uint8Array} file
 */
async function vetted({ parts, module, whole, spec }, file) {
  if (!parts["vet-worker"]) return;
  const worker = startWorker(parts["vet-worker"]);
  try {
    await new Promise((resolve, reject) => {
      worker.onmessage = worker.onerror = resolve;
      worker.postMessage({ module, whole: whole?.href ?? null, spec, file });
      setTimeout(() => reject(new Error(`this policy took longer than ${PATIENCE / 1000} seconds for some ticks, so it is not played here.`)), PATIENCE);
    });
  } finally {
    worker.terminate();
  }
}

const isReplay = (/** @type {Uint8Array} */ bytes) => MAGIC.every((byte, i) => bytes[i] === byte);

/**
 * What a file holds: an Error in words where it is too large, or a policy that hangs.
 *
 * @param {Store} store
 * @param {File} file
 */
export async function read(store, file) {
  if (file.size > MOST) throw new Error(`${file.name} has ${(file.size / 2 ** 20).toFixed(0)} MB; a policy or a replay may have 16 here.`);
  const bytes = new Uint8Array(await file.arrayBuffer());
  if (bytes.length && !isReplay(bytes)) await vetted(store, bytes);
  return bytes;
}

/**
 * @param {Store} store
 * @param {File} file
 */
export async function taken(store, file) {
  try {
    const bytes = await read(store, file);
    if (isReplay(bytes)) {
      await store.follow(bytes);
      return store.play();
    }
    await store.take(async () => bytes, file.name);
  } catch (error) {
    store.fail(error, [["Go on with the game there was", () => ((store.fault = null), store.play())]]);
  }
}
