/** The player's own keys; what they leave goes to the game's controls. */

import { SPEEDS } from "./clock.js";
import { canFill, fill } from "./fullscreen.js";

/** @typedef {import("./store.js").Store} Store @typedef {import("./controls.js").Controls} Controls */

/** @type {HTMLElement | null} of several demos in a page, the one that keys and gamepads belong to */
let active = null;

/**
 * Whether keys and gamepads are for this demo: it was touched last, or the page is its own.
 *
 * @param {HTMLElement} demo
 */
export const holds = (demo) => active === demo && demo.hasAttribute("controls");

/**
 * @param {Store} store
 * @param {HTMLElement} demo
 * @returns {Record<string, () => void>} by KeyboardEvent.key
 */
function commands(store, demo) {
  const faster = (/** @type {number} */ by) => {
    const at = SPEEDS.indexOf(store.clock.speed) + by;
    store.setSpeed(SPEEDS[Math.min(Math.max(at, 0), SPEEDS.length - 1)]);
  };
  return {
    " ": () => store.toggle(),
    ".": () => store.step(),
    ",": () => store.back(),
    "-": () => faster(-1),
    "+": () => faster(1),
    "=": () => faster(1),
    r: () => store.reset(),
    f: () => canFill() && fill(demo.shadowRoot),
    Escape: () => store.handBack(),
    "?": () => store.help(true),
    F1: () => store.help(true),
  };
}

/**
 * @param {HTMLElement} demo
 * @param {Store} store
 * @param {Controls} controls
 * @param {import("./space.js").Space | null} space
 * @param {AbortSignal} signal of the end
 */
export function listen(demo, store, controls, space, signal) {
  const own = commands(store, demo);
  const standalone = demo.hasAttribute("standalone");
  if (standalone) active ??= demo;
  const turn = (/** @type {Event} */ event) => {
    if (event.composedPath().includes(demo)) active = demo;
    else if (active === demo && !standalone) active = null; // the page's keys are its own again
  };
  for (const kind of ["pointerdown", "focusin"]) window.addEventListener(kind, turn, { signal });
  signal.addEventListener("abort", () => (active = active === demo ? null : active));
  window.addEventListener(
    "keydown",
    (event) => {
      if (!holds(demo) || event.ctrlKey || event.metaKey || event.altKey || store.helping || !store.game) return;
      const target = /** @type {HTMLElement} */ (event.composedPath()[0]);
      if (target.matches?.("input, select, textarea, [contenteditable]")) return;
      if (target.matches?.("button, a, summary") && (event.code === "Space" || event.code === "Enter")) return;
      if (space?.key(event)) return event.preventDefault();
      const control = controls.down(event);
      const command = event.key in own ? own[event.key] : null;
      if (control || command) event.preventDefault(); // arrows would scroll the page
      if (!control && command && (!event.repeat || ".,".includes(event.key))) command();
    },
    { signal },
  );
  window.addEventListener("keyup", (event) => controls.up(event), { signal });
  window.addEventListener("blur", () => controls.release(), { signal });
}
