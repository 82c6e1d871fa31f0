/** You against the policy: duel/panel.js. */

import { later } from "../later.js";

/**
 * @param {import("../store.js").Store} store
 * @returns {import("../panels.js").Panel}
 */
export const duel = (store) => later(store, "duel", "You against it");
