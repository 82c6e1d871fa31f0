/** The gallery: tiles that play while they are seen, a search, and filters. */

import { Canvas } from "../player/canvas.js";
import { Clock, idle } from "../player/clock.js";
import { Game, POLICY, SCRIPT } from "../player/game.js";
import { load } from "../player/loader.js";

const SEEN = 0.4; // of a tile, for it to play
const MANIFEST = new URL("manifest.json", document.baseURI);

const find = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const items = [...find("cards").querySelectorAll("li")];
const buttons = [...document.querySelectorAll("button")].filter((button) => button.dataset.tag);
const query = /** @type {HTMLInputElement} */ (find("query"));
const hold = find("still");
const reduced = matchMedia("(prefers-reduced-motion: reduce)");
const saving = /** @type {any} */ (navigator).connection?.saveData === true;

/** One tile after another is loaded, each when the page has nothing better to do. */
let waiting = Promise.resolve();

/** A tile: a still picture, above which a game plays once it has been seen. */
class Tile {
  /** @type {Clock | null} */
  clock = null;
  seen = false;
  asked = false;

  /** @param {HTMLElement} item */
  constructor(item) {
    this.env = item.dataset.env ?? "";
    this.picture = /** @type {HTMLElement} */ (item.querySelector(".picture"));
  }

  /** Plays or rests, as it should now. */
  settle() {
    const plays = this.seen && !still();
    if (plays && !this.asked) {
      this.asked = true;
      waiting = waiting.then(idle).then(() => this.#load().catch(() => {})); // without it the still picture stays
    }
    this.clock?.stop();
    if (plays) this.clock?.start(...this.beat);
  }

  async #load() {
    if (!this.seen || still()) return void (this.asked = false);
    const { spec, module, space, policy } = await load(MANIFEST, this.env, null, () => {});
    const file = await policy;
    const game = await Game.create(module, spec, file ? [file] : []);
    for (let slot = 0; slot < spec.slots; slot += 1) {
      game.drive(slot, file && (slot < spec.agents || !spec.has_script) ? POLICY : SCRIPT);
    }
    const canvas = document.createElement("canvas");
    canvas.style.aspectRatio = `${spec.view_width} / ${spec.view_height}`;
    canvas.classList.toggle("tall", spec.view_width / spec.view_height < 4 / 3);
    this.picture.append(canvas);
    const view = new Canvas(canvas, spec, space && new space.Space(spec, null));
    let drawn = -1;
    /** @type {[() => void, () => void, () => void]} */
    this.beat = [
      () => game.core.game_tick(game.at), // past the journal: nobody goes back here
      () => {},
      () => {
        if (game.ticks === drawn) return;
        drawn = game.ticks;
        view.draw(game.draw(0, spec.view_width / spec.view_height));
      },
    ];
    this.clock = new Clock(spec.tick_rate);
    this.clock.running = true;
    this.settle();
  }

  /** @type {[() => void, () => void, () => void]} */
  beat = [() => {}, () => {}, () => {}];
}

const tiles = new Map(items.map((item) => [item, new Tile(item)]));
const still = () => reduced.matches || saving || hold.getAttribute("aria-pressed") === "true";
const settle = () => tiles.forEach((tile) => tile.settle());

const watcher = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      const tile = tiles.get(/** @type {HTMLLIElement} */ (target));
      if (tile) Object.assign(tile, { seen: isIntersecting }).settle();
    }
  },
  { threshold: SEEN },
);

/** Shows the tiles that fit what is asked for, and says how many; the page's address holds it. */
function filter() {
  const wanted = buttons.filter((button) => button.getAttribute("aria-pressed") === "true").map((button) => button.dataset.tag ?? "");
  const words = query.value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const item of items) {
    const tags = (item.dataset.tags ?? "").split("|");
    const text = (item.textContent ?? "").toLowerCase();
    item.hidden = !(wanted.every((tag) => tags.includes(tag)) && words.every((word) => text.includes(word)));
    if (!item.hidden) count += 1;
  }
  const demos = items.length === 1 ? "demo" : "demos";
  find("found").textContent = count === items.length ? `${count} ${demos}` : `${count} of ${items.length} ${demos}`;
  find("nothing").hidden = count > 0;
  const asked = new URLSearchParams(wanted.map((tag) => ["kind", tag]));
  if (query.value) asked.set("q", query.value);
  const text = String(asked);
  history.replaceState(null, "", location.pathname + (text && `?${text}`));
}

/** @param {Element} button @param {boolean} on */
const press = (button, on) => button.setAttribute("aria-pressed", String(on));
/** @param {Element} button */
const toggle = (button) => press(button, button.getAttribute("aria-pressed") !== "true");

for (const button of buttons) button.addEventListener("click", () => (toggle(button), filter()));
query.addEventListener("input", filter);
query.form?.addEventListener("submit", (event) => event.preventDefault());
find("all").addEventListener("click", () => {
  query.value = "";
  for (const button of buttons) press(button, false);
  filter();
  query.focus();
});
hold.addEventListener("click", () => (toggle(hold), settle()));
reduced.addEventListener("change", settle);

const asked = new URLSearchParams(location.search);
query.value = asked.get("q") ?? "";
for (const button of buttons) press(button, asked.getAll("kind").includes(button.dataset.tag ?? ""));
if (location.search) filter();

/** Tiles wait until the page itself is there. */
const begin = () => items.forEach((item) => watcher.observe(item));
if (document.readyState === "complete") begin();
else window.addEventListener("load", begin, { once: true });

export {};
