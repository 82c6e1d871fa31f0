/** What a visitor takes away: share/panel.js. */

import { later } from "../later.js";

/**
 * @param {import("../store.js").Store} store
 * @returns {import("../panels.js").Panel}
 */
export const share = (store) => later(store, "share", "Share");
