/** What lies over a picture that has no controls: a button that pauses it and lets it play. */

import { icon, make } from "./dom.js";

/**
 * @param {import("./store.js").Store} store
 * @returns {import("./panels.js").Panel}
 */
export function toggle(store) {
  const element = make("button", { type: "button", className: "toggle", onclick: () => store.toggle() });
  return {
    element,
    place: "stage",
    settle() {
      const label = store.clock.running ? "Pause" : "Play";
      if (element.ariaLabel === label) return;
      element.ariaLabel = label;
      element.replaceChildren(...(store.clock.running ? [] : [icon("play")]));
    },
  };
}
