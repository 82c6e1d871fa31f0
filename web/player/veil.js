/** What covers the picture while something loads, and when something went wrong. */

import { make } from "./dom.js";
import { thrown } from "./errors.js";
import { PolicyError } from "./game.js";

export class Veil {
  element = make("div", { className: "veil" });

  /** @param {...Node} children none: the picture is seen */
  cover(...children) {
    this.element.replaceChildren(...children);
    this.element.hidden = !children.length;
    this.element.classList.remove("low");
  }

  /** Leaves the picture to be seen, all but its lower edge. */
  lower() {
    this.element.classList.add("low");
  }

  /** @param {string} env */
  loading(env) {
    const words = make("p", {}, `Loading ${env} …`);
    this.cover(words, make("progress", { "aria-label": "Loading" }));
    return (/** @type {number} */ kilobytes) => {
      words.textContent = `Loading ${env}: ${kilobytes.toFixed(0)} KB`;
    };
  }

  /** @param {import("./store.js").Fault} fault */
  tell({ error, ways }) {
    const title = error instanceof PolicyError ? `Policy file refused: error ${error.number}` : "This demo cannot go on";
    const words = thrown(error);
    this.cover(
      make("p", { role: "alert" }, make("strong", {}, title), make("br"), words),
      make("div", {}, ...ways.map(([label, onclick]) => make("button", { type: "button", onclick }, label))),
    );
  }
}
