/** The way to teach/panel.js, where a lesson is made without code. */

import { later } from "../later.js";

/**
 * @param {import("../store.js").Store} store
 * @returns {import("../panels.js").Panel}
 */
export const teach = (store) => later(store, "teach", "Make a lesson");
