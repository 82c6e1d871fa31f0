/** Two games side by side: another policy on the same seed, or this game with one action changed. */

import { make, put } from "../dom.js";
import { PERSON, POLICY, RANDOM, SCRIPT } from "../game.js";
import { ACT, DRIVE } from "../journal.js";
import { capital, number, playerName } from "../spec.js";
import { stepsInWords } from "../stages.js";
import { choices } from "./choices.js";
import { sheet } from "./style.js";
import { read } from "../taken.js";
import { Twin } from "./twin.js";

/**
 * @typedef {import("../game.js").Game} Game @typedef {import("../store.js").Store} Store
 * @typedef {import("../journal.js").GameInput} GameInput
 */

const SPANS = [1, 5, 20]; // actions that are overridden

class Compare {
  /** @type {Twin | null} */
  twin = null;
  /** @type {import("../canvas.js").Canvas | null} */
  picture = null;
  /** @type {Game | null} the game beside which it is */
  main = null;
  /** Whether the twin is this game with another action, and so has no sense in another one. */
  forked = false;
  /** @type {GameInput | null} that the game began with when it branched */
  start = null;
  mine = "";
  words = "";
  told = "";

  /** @param {Store} store */
  constructor(store) {
    const { spec } = store;
    this.store = store;
    this.file = make("input", { type: "file", accept: ".minnow", hidden: true, onchange: () => this.#own() });
    this.policy = make("select", { id: "beside" });
    this.choices = choices(spec);
    this.span = make("select", { id: "instead-for" }, ...SPANS.map((n) => new Option(n === 1 ? "one action" : `${n} actions`, String(n))));
    const button = (/** @type {string} */ label, /** @type {() => void} */ onclick) => make("button", { type: "button", onclick }, label);
    this.end = button("End", () => this.stop());
    const cells = () => [make("td"), make("td")];
    this.rows = [["Who", cells()], [capital(spec.score_name), cells()], ["Last game", cells()]].map(([name, two]) => ({ name, two: /** @type {HTMLElement[]} */ (two) }));
    this.table = make("table", { hidden: true }, ...this.rows.map(({ name, two }) => make("tr", {}, make("th", { scope: "row" }, String(name)), ...two)));
    this.note = make("p", { className: "note", role: "status" });
    this.whose = make("span", {});
    this.element = make(
      "div",
      { className: "compare" },
      make("div", { className: "players" }, make("label", { htmlFor: "beside" }, "Policy beside it"), this.policy),
      make("div", { className: "row" }, button("Play both from the start", () => void this.#choose()), this.end, this.file),
      make(
        "details",
        {},
        make("summary", {}, "Change one action here"),
        make("p", { className: "note" }, "Go back in time if you like, then let ", this.whose, " do something else, and watch both games."),
        this.choices.element,
        make("div", { className: "players" }, make("label", { htmlFor: "instead-for" }, "for"), this.span),
        make("div", { className: "row" }, button("Branch off here", () => void this.fork())),
      ),
      this.table,
      this.note,
    );
    this.canvas = make("canvas", { role: "img" });
    this.canvas.style.aspectRatio = `${spec.view_width} / ${spec.view_height}`;
    this.chip = make("div", { className: "chip" });
    this.stage = make("div", { className: "stage beside" }, this.canvas, make("div", { className: "foot" }, this.chip));
    this.end.hidden = true;
    /** @type {unknown} */
    this.offered = null;
  }

  /** Fills the list of policies. */
  #offer() {
    const { stages, spec } = this.store;
    if (this.offered === stages) return;
    this.offered = stages;
    const named = stages.map((stage, i) => new Option(i === stages.length - 1 ? "the best" : `after ${stepsInWords(stage.steps)}`, String(i)));
    const others = [...(spec.has_script ? [new Option("the script", "script")] : []), new Option("chance", "chance"), new Option("your own file …", "own")];
    this.policy.replaceChildren(...named, ...others);
  }

  /** Plays what was chosen beside this game, both from the start. */
  async #choose() {
    const { store } = this;
    const { value } = this.policy;
    const words = this.policy.selectedOptions[0]?.textContent ?? "";
    if (value === "own") return this.file.click();
    const driver = { script: SCRIPT, chance: RANDOM }[value];
    const stage = store.stages[Number(value)];
    if (driver !== undefined) await this.#beside(words, (files) => files, driver);
    else if (stage) await this.#against(words, stage.fetch);
  }

  async #own() {
    const mine = this.file.files?.[0];
    if (mine) await this.#against(mine.name, () => read(this.store, mine));
    this.file.value = "";
  }

  /**
   * @param {string} words
   * @param {() => Promise<Uint8Array>} fetch the file of the policy that plays beside
   */
  async #against(words, fetch) {
    try {
      const file = await fetch();
      await this.#beside(words, ([, ...others]) => [file, ...others], POLICY);
    } catch (error) {
      this.#refuse(error);
    }
  }

  /** @param {unknown} error */
  #refuse(error) {
    this.stop();
    this.told = error instanceof Error ? `${capital(error.message)}.`.replace("..", ".") : String(error);
    put(this.note, this.told);
  }

  /**
   * @param {string} words
   * @param {(files: Uint8Array[]) => Uint8Array[]} files of the policies, from those of this game
   * @param {number} driver of those whom the policy drives here
   */
  async #beside(words, files, driver) {
    const { store } = this;
    const { game } = store;
    if (!game) return;
    const edit = (/** @type {GameInput} */ input) =>
      input.kind === DRIVE && input.values[1] === POLICY ? { ...input, values: [input.values[0], driver] } : input;
    const twin = new Twin(await store.create(files(game.files)), edit);
    store.reset();
    this.#show(twin, words, game.hasPolicy ? "this policy" : "this game");
  }

  /** Begins a branch at the present tick, in which the player who is looked at does something else. */
  async fork() {
    const { store } = this;
    const { game, spec } = store;
    if (!game) return;
    store.pause();
    const [slot, tick, instead] = [store.shown, game.ticks, this.choices.get()];
    const driver = game.driver(slot);
    const length = Number(this.span.value) * spec.action_repeat;
    const extra = [
      { tick, kind: DRIVE, slot, values: [1, PERSON] },
      { tick, kind: ACT, slot, values: instead },
      { tick: tick + length, kind: DRIVE, slot, values: [1, driver] },
    ];
    const twin = new Twin(await store.create(game.files), undefined, extra);
    const { words } = this.choices;
    this.#show(twin, `with “${words(instead)}”`, "as it goes");
    this.forked = true;
    this.start = game.journal.inputs[0];
    const who = spec.slots > 1 ? `${playerName(spec, slot)} does` : "the player does";
    this.told = `From tick ${tick} on ${who} “${words(instead)}” for ${length} ticks. Play, or step, to watch both.`;
    put(this.note, this.told);
  }

  /**
   * @param {Twin} twin
   * @param {string} words
   * @param {string} mine
   */
  #show(twin, words, mine) {
    const { store, stage, canvas } = this;
    this.stop();
    this.twin = twin;
    Object.assign(this, { words, mine, main: store.game, told: "" });
    store.twins.add(twin);
    canvas.setAttribute("aria-label", `The game beside it: ${words}`);
    put(this.chip, capital(words));
    /** @type {ShadowRoot} */ (this.element.getRootNode()).querySelector(".stage")?.after(stage);
    this.picture ??= store.paint(canvas);
    this.table.hidden = this.end.hidden = false;
    put(this.note, "");
    if (store.game) twin.follow(store.game);
  }

  stop() {
    if (this.twin) this.store.twins.delete(this.twin);
    this.twin = null;
    this.forked = false;
    this.stage.remove();
    this.table.hidden = this.end.hidden = true;
  }

  /** @param {Game} game */
  settle(game) {
    this.#offer();
    const { spec, shown } = this.store;
    put(this.whose, spec.slots > 1 ? playerName(spec, shown) : "the player");
    if (this.twin && game !== this.main) this.stop(); // another game was opened
    if (this.forked && game.journal.inputs[0] !== this.start) this.stop();
    if (!this.twin && !this.store.clock.running && !this.choices.element.matches(":focus-within")) this.choices.put(game.action(shown));
  }

  /** @param {Game} game */
  frame(game) {
    const { twin, store } = this;
    if (!twin) return;
    twin.follow(game);
    const { spec, shown } = store;
    this.picture?.draw(twin.game.draw(shown, spec.view_width / spec.view_height));
    const last = (/** @type {Game} */ of) => (of.episodes ? `${number(of.finalScore(shown))} (game ${of.episodes})` : "–");
    const cells = [[this.mine, this.words], [number(game.score(shown)), number(twin.game.score(shown))], [last(game), last(twin.game)]];
    cells.forEach((two, row) => two.forEach((text, i) => put(this.rows[row].two[i], text)));
    if (!this.forked) return;
    put(this.note, twin.parted < 0 ? this.told : `${this.told.split(". ")[0]}. The games part at tick ${twin.parted}.`);
  }
}

/**
 * @param {Store} store
 * @returns {import("../later.js").Loaded}
 */
export function open(store) {
  const panel = new Compare(store);
  return {
    element: panel.element,
    sheet,
    shown: (is) => (is ? undefined : panel.stop()),
    settle: (game) => panel.settle(game),
    frame: (game) => panel.frame(game),
  };
}
