/** A file that is dropped anywhere on a demo is taken. */

import { taken } from "./taken.js";

/**
 * @param {HTMLElement} demo
 * @param {import("./store.js").Store} store
 * @param {HTMLElement} frame which shows that files may be dropped
 * @param {AbortSignal} signal of the end
 */
export function takeFiles(demo, store, frame, signal) {
  const over = (/** @type {boolean} */ on) => (/** @type {Event} */ event) => {
    if (on && !demo.hasAttribute("controls")) return;
    if (on) event.preventDefault();
    frame.classList.toggle("drop", on);
  };
  demo.addEventListener("dragover", over(true), { signal });
  demo.addEventListener("dragleave", over(false), { signal });
  demo.addEventListener(
    "drop",
    (event) => {
      if (!demo.hasAttribute("controls")) return;
      event.preventDefault();
      frame.classList.remove("drop");
      const file = event.dataTransfer?.files[0];
      if (file) void taken(store, file);
    },
    { signal },
  );
}
