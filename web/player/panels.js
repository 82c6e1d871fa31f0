/**
 * The panels of the page by their names, in their order. To add one, write its file and its line here. Names are for good: pages that
 * embed a demo and links to lessons say by them which panels are seen.
 *
 * A panel is made with the store, which is all that it shares with the others. It changes its element when something changes:
 *
 * @typedef {object} Panel
 * @property {HTMLElement} element
 * @property {"stage" | "main" | "panel" | "demo"} [place] on the picture's foot, below the picture, in the column of cards (the default),
 *   or over everything
 * @property {(game: import("./game.js").Game) => void} [settle] called after something that a person did
 * @property {(game: import("./game.js").Game) => void} [frame] called after the ticks of a frame
 */

import { compare } from "./panels/compare.js";
import { duel } from "./panels/duel.js";
import { foot } from "./panels/foot.js";
import { help } from "./panels/help.js";
import { insight } from "./panels/insight.js";
import { learn } from "./panels/learn.js";
import { lesson } from "./panels/lesson.js";
import { meter } from "./panels/meter.js";
import { players } from "./panels/players.js";
import { policy } from "./panels/policy.js";
import { share } from "./panels/share.js";
import { state } from "./panels/state.js";
import { teach } from "./panels/teach.js";
import { thoughts } from "./panels/thoughts.js";
import { timeline } from "./panels/timeline.js";
import { toolbar } from "./panels/toolbar.js";
import { world } from "./panels/world.js";

/** @type {Record<string, (store: import("./store.js").Store) => Panel>} */
export const PANELS = {
  foot, // of the picture: who plays, paused, keys
  timeline,
  toolbar,
  state,
  lesson,
  players,
  duel,
  learn,
  thoughts,
  insight,
  compare,
  world,
  meter,
  policy,
  share,
  teach,
  help,
};
