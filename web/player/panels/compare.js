/** Another game beside this one, from the same seed and inputs: compare/panel.js. */

import { later } from "../later.js";

/** @param {import("../store.js").Store} store */
export const compare = (store) => later(store, "compare", "Side by side");
