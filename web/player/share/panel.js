/**
 * What a visitor takes away: a link that replays this game, its file, the policy, the last seconds as a film, a snippet for a page. Loaded
 * when its card is opened.
 */

import { make, put, save } from "../dom.js";
import { thrown } from "../errors.js";
import { LONGEST, toLink } from "../link.js";
import { gif, recorded, video } from "./film.js";
import { Reel } from "./reel.js";

const SECONDS = [3, 5, 10, 20];
const HEIGHT = 300; // pixels of a film
const ATTRIBUTE = { "&": "&amp;", '"': "&quot;", "<": "&lt;" };

/** @param {string} text of an attribute */
const quoted = (text) => `"${text.replace(/[&"<]/g, (letter) => ATTRIBUTE[/** @type {keyof typeof ATTRIBUTE} */ (letter)])}"`;

/**
 * What to paste into a page so that it shows this demo: docs/web.md.
 *
 * @param {string} env
 * @param {string} script the address of minnow.js
 * @param {number} seed
 * @param {string} replay a link, or ""
 */
export function snippet(env, script, seed, replay = "") {
  const run = replay ? `replay=${quoted(replay)}` : `seed="${seed}"`;
  return `<script type="module" src=${quoted(script)}></script>\n<minnow-demo env=${quoted(env)} ${run} controls></minnow-demo>`;
}

/**
 * @param {import("../store.js").Store} store
 * @returns {import("../later.js").Loaded}
 */
export function open(store) {
  const { name } = store.spec;
  const note = make("p", { className: "note", role: "status" }, "This game so far, to the tick. Whoever opens the link sees the same.");
  const field = make("input", { type: "text", readOnly: true, hidden: true, "aria-label": "Link", onfocus: () => field.select() });
  const button = (/** @type {string} */ label, /** @type {() => void} */ onclick) => make("button", { type: "button", onclick }, label);

  const copy = async (/** @type {string} */ text, /** @type {string} */ what, /** @type {HTMLInputElement | HTMLTextAreaElement} */ place) => {
    place.value = text;
    place.hidden = false;
    try {
      await navigator.clipboard.writeText(text);
      put(note, `Copied: ${text.length.toLocaleString("en")} characters.`);
    } catch {
      place.select(); // the browser does not let pages write there
      put(note, `Copy this ${what}:`);
    }
  };
  const link = () => {
    const bytes = store.replay();
    return bytes && toLink(location.href, bytes);
  };
  const file = button("Save the replay", () => save(`${name}.replay`, store.replay()));
  const copyLink = () => {
    const text = link();
    if (!text) return;
    field.hidden = text.length > LONGEST;
    file.classList.toggle("primary", field.hidden);
    if (!field.hidden) return void copy(text, "link", field);
    put(note, `So much happened that the link would have ${text.length.toLocaleString("en")} characters, too many for most chats: save the replay and send the file.`);
    file.focus();
  };
  const policy = button("Save the policy", () => save(`${name}.minnow`, store.game?.files[0] ?? null));

  const html = make("textarea", { readOnly: true, hidden: true, rows: 4, "aria-label": "For a page", onfocus: () => html.select() });
  const embed = () => {
    const text = store.game?.ticks ? (link() ?? "") : "";
    const script = new URL("minnow.js", new URL(".", location.href)).href;
    void copy(snippet(name, script, store.seed, text.length > LONGEST ? "" : text), "into your page", html);
  };

  const seconds = make("select", { "aria-label": "How long" }, ...SECONDS.map((each) => new Option(`${each} s`, String(each), each === 5, each === 5)));
  const progress = make("progress", { hidden: true, max: 1, "aria-label": "The film is made" });
  const film = async (/** @type {typeof gif} */ made, /** @type {string} */ suffix) => {
    for (const each of films) each.disabled = true;
    progress.hidden = false;
    progress.value = 0;
    try {
      const reel = await Reel.of(store, Number(seconds.value), HEIGHT);
      const blob = await made(reel, (share) => (progress.value = share));
      const end = blob.type === "video/mp4" ? "mp4" : suffix;
      save(`${name}.${end}`, blob);
      put(note, `Saved: ${name}.${end}, ${Math.round(blob.size / 1024).toLocaleString("en")} KB.`);
    } catch (error) {
      put(note, `No film: ${thrown(error)}`);
    }
    progress.hidden = true;
    for (const each of films) each.disabled = false;
  };
  const films = [button("GIF", () => void film(gif, "gif")), button("WebM", () => void film(video, "webm"))];
  films[1].hidden = !recorded();

  const row = (/** @type {HTMLElement[]} */ ...parts) => make("div", { className: "row" }, ...parts);
  return {
    element: make(
      "div",
      { className: "sliders" },
      note,
      field,
      row(button("Copy link", copyLink), file, policy),
      row(make("label", { className: "field" }, "The last", seconds), ...films),
      progress,
      row(button("Copy for a page", embed)),
      html,
    ),
    settle(game) {
      policy.hidden = !game.hasPolicy;
    },
  };
}
