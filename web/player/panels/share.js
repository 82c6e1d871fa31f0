/** What a visitor takes away: a link that replays this game, its file, the policy. */

import { make, put, save } from "../dom.js";
import { LONGEST, toLink } from "../link.js";

/**
 * @param {import("../store.js").Store} store
 * @returns {import("../panels.js").Panel}
 */
export function share(store) {
  const { name } = store.spec;
  const note = make("p", { className: "note", role: "status" }, "This game so far, to the tick. Whoever opens the link sees the same.");
  const field = make("input", { type: "text", readOnly: true, hidden: true, "aria-label": "Link", onfocus: () => field.select() });

  const copy = async () => {
    const bytes = store.replay();
    if (!bytes) return;
    const link = toLink(location.href, bytes);
    field.hidden = link.length > LONGEST;
    if (field.hidden) {
      return put(note, `So much happened that the link would have ${link.length.toLocaleString("en")} characters, too many for most chats: save the replay and send the file.`);
    }
    field.value = link;
    try {
      await navigator.clipboard.writeText(link);
      put(note, `Copied: ${link.length.toLocaleString("en")} characters.`);
    } catch {
      field.select(); // the browser does not let pages write there
      put(note, "Copy this link:");
    }
  };
  const button = (/** @type {string} */ label, /** @type {() => void} */ onclick) => make("button", { type: "button", onclick }, label);
  const policy = button("Save the policy", () => save(`${name}.minnow`, store.game?.files[0] ?? null));
  return {
    element: make(
      "details",
      {},
      make("summary", {}, "Share"),
      note,
      field,
      make("div", { className: "row" }, button("Copy link", () => void copy()), button("Save the replay", () => save(`${name}.replay`, store.replay())), policy),
    ),
    settle(game) {
      policy.hidden = !game.hasPolicy;
    },
  };
}
