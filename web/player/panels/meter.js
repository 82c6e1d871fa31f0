/** How well the policy does in the world as it is turned: meter/panel.js. */

import { later } from "../later.js";

/**
 * @param {import("../store.js").Store} store
 * @returns {import("../panels.js").Panel}
 */
export const meter = (store) => later(store, "meter", "How robust it is");
