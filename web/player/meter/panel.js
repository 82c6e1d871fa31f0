/** The robustness meter: what the policy that is shown comes to in the world as it is turned. Loaded when its card is opened. */

import { make, put } from "../dom.js";
import { POLICY } from "../game.js";
import { RANDOMIZED } from "../journal.js";
import { lineup } from "../lineup.js";
import { share, turnable, value } from "../panels/world.js";
import { capital, number } from "../spec.js";
import { Chart } from "./chart.js";
import { bySuccess, estimate } from "./measure.js";
import { startWorker } from "../workers.js";
import { sheet } from "./style.js";

/**
 * @typedef {import("../store.js").Store} Store @typedef {import("../game.js").Game} Game
 * @typedef {import("./protocol.js").Setting} Setting @typedef {import("./protocol.js").Sums} Sums
 * @typedef {import("./protocol.js").Order} Order @typedef {import("./protocol.js").News} News
 * @typedef {{setting: Setting, key: string, most: number, sums: Sums, ended: boolean}} Trial
 */

const MOST = 400; // episodes in a setting
const ALONG = 9; // settings along a slider
const EACH = 100; // episodes of each of these
const WORTH = 20; // episodes of a setting that is left, for its point to stay
const EVERY = 100; // ms between two settings, while a slider moves
const NOTHING = { episodes: 0, total: 0, squares: 0, ticks: 0, seconds: 0 };

class MeterPanel {
  /** @type {Trial[]} earliest first, the present one last */
  trials = [];
  /** @type {Trial[]} that are still to come */
  queue = [];
  /** The slider that is the axis: a parameter's index, or RANDOMIZED. */
  axis = RANDOMIZED;
  open = true;
  fault = "";
  /** Of the present setting. */
  key = "";
  #number = 0;
  #since = 0;
  /** @type {Game | null} whose policies the worker has */
  #game = null;
  /** @type {Uint8Array | undefined} the first of these */
  #file = undefined;

  /** @param {Store} store */
  constructor(store) {
    this.store = store;
    const { spec } = store;
    this.turnable = turnable(spec);
    this.axis = this.turnable[this.turnable.length - 1]?.index ?? RANDOMIZED;
    this.success = bySuccess(spec);
    this.chart = new Chart();
    this.worker = startWorker(store.parts["meter-worker"]);
    this.worker.onerror = (event) => this.#hear({ told: "fault", words: event.message || "the worker that plays them could not be loaded." });
    this.worker.onmessage = (/** @type {MessageEvent<News>} */ { data }) => this.#hear(data);
    document.addEventListener("visibilitychange", () => this.look());
    this.mean = make("b", {}, "–");
    this.span = make("span", { className: "note" });
    this.words = make("p", { className: "note" });
    this.status = make("p", { className: "note", role: "status" });
    this.along = make("button", { type: "button", onclick: () => this.#goAlong() });
    this.element = make(
      "div",
      { className: "meter" },
      make("p", { className: "score" }, make("span", {}, this.success ? "Success" : capital(spec.score_name)), this.mean),
      this.span,
      this.chart.element,
      this.words,
      this.status,
      make("div", { className: "row" }, this.along),
    );
  }

  /** @param {Order} order */
  #say(order) {
    this.worker.postMessage(order);
  }

  get now() {
    return this.trials[this.trials.length - 1] ?? null;
  }

  /** Plays if it is seen, and rests if not. */
  look() {
    if (this.#game) this.#say({ do: this.open && !document.hidden ? "go" : "rest" });
  }

  /**
   * The world as it is turned, and who plays in it.
   *
   * @param {Game} game
   * @returns {Setting}
   */
  #present(game) {
    const { spec } = this.store;
    const params = spec.param.map((param, index) => game.turned(index) ?? param.value);
    return { ...lineup(game), params, randomized: game.randomized, sampled: game.sampled };
  }

  /** @param {Game} game */
  frame(game) {
    const now = performance.now();
    if (!this.open || document.hidden || now - this.#since < EVERY) return;
    this.#since = now;
    const [file] = game.files; // of a learner it changes as the game goes on
    if (game !== this.#game || file !== this.#file) {
      [this.#game, this.#file, this.key] = [game, file, ""];
      this.trials = [];
      this.queue = [];
      this.fault = "";
      this.#say({ do: "open", module: this.store.module, spec: this.store.spec, files: game.files });
    }
    const setting = this.#present(game);
    const key = JSON.stringify(setting);
    if (key === this.key) return;
    const before = /** @type {Setting | null} */ (this.key ? JSON.parse(this.key) : null);
    this.key = key;
    const turned = before && this.turnable.find(({ index }) => at(before, index) !== at(setting, index));
    if (turned) this.axis = turned.index;
    this.queue = [];
    this.#measure({ setting, key, most: MOST, sums: NOTHING, ended: false });
  }

  /** @param {Trial} trial */
  #measure(trial) {
    const kept = (/** @type {Trial} */ { key, sums }) => key !== trial.key && sums.episodes >= WORTH;
    this.trials = [...this.trials.filter(kept), trial];
    this.#number += 1;
    this.#say({ do: "measure", number: this.#number, setting: trial.setting, most: trial.most });
    this.show();
  }

  /** Some settings from one end of the slider to the other, and then the present one again. */
  #goAlong() {
    const found = this.turnable.find(({ index }) => index === this.axis);
    const { now } = this;
    if (!found || !now) return;
    const trials = Array.from({ length: ALONG }, (_, i) => {
      const setting = turned(now.setting, found.index, Math.fround(value(found.param, i / (ALONG - 1))));
      return { setting, key: JSON.stringify(setting), most: EACH, sums: NOTHING, ended: false };
    });
    this.queue = [...trials, { ...now, sums: NOTHING, ended: false }];
    this.#next();
  }

  #next() {
    const trial = this.queue.shift();
    if (trial) this.#measure(trial);
    else this.show();
  }

  /** @param {News} news */
  #hear(news) {
    if (!this.element.isConnected) return this.worker.terminate(); // the page has gone on without us
    if (news.told === "fault") this.fault = capital(news.words);
    else if (news.number === this.#number && this.now) {
      Object.assign(this.now, { sums: news.sums, ended: news.ended });
      if (news.ended) return this.#next();
    }
    this.show();
  }

  /** @param {number} figure */
  #figure(figure) {
    return this.success ? `${(100 * figure).toFixed(figure > 0.995 || figure < 0.005 ? 0 : 1)} %` : number(figure);
  }

  show() {
    const { now } = this;
    const found = this.turnable.find(({ index }) => index === this.axis);
    const name = found?.param.name.replaceAll("_", " ") ?? "";
    this.along.hidden = !found;
    this.along.disabled = this.queue.length > 0;
    put(this.along, `Measure all of ${name}`);
    if (now) this.#draw(now, found, name);
    put(this.status, this.fault || this.#told()); // it says the figures that stand there now
    this.status.classList.toggle("bad", Boolean(this.fault));
  }

  /**
   * @param {Trial} now
   * @param {MeterPanel["turnable"][number] | undefined} found the slider that is the axis
   * @param {string} name of that
   */
  #draw(now, found, name) {
    const { store, success } = this;
    const { spec } = store;
    const rate = success && now.setting.drivers.filter((driver) => driver === POLICY).length === 1;
    const figures = this.trials.flatMap((trial) => {
      const alike = found && JSON.stringify(turned(trial.setting, this.axis, 0)) === JSON.stringify(turned(now.setting, this.axis, 0));
      const made = alike ? estimate(trial.sums, rate) : null;
      return made && found ? [{ share: share(found.param, at(trial.setting, this.axis)), estimate: made, trial }] : [];
    });
    const made = estimate(now.sums, rate);
    put(this.mean, made ? this.#figure(made.mean) : "–");
    put(this.span, made ? `95 % interval ${this.#figure(made.low)} to ${this.#figure(made.high)}` : "Too few episodes to tell yet");
    const { episodes, ticks, seconds } = now.sums;
    const pace = seconds ? `, ${Math.round(ticks / seconds).toLocaleString("en")} ticks a second` : "";
    const where = this.queue.length && found ? `At ${number(at(now.setting, this.axis))} of ${name}: ` : "";
    put(this.words, `${where}${episodes} of ${now.most} hidden episodes${pace}.${spec.bar ? ` The dashed line is the goal, ${this.#figure(spec.bar.least)}.` : ""}`);
    const all = figures.flatMap(({ estimate: { low, high } }) => [low, high]).concat(spec.bar?.least ?? []);
    const range = /** @type {[number, number]} */ (success ? [0, 1] : [Math.min(0, ...all), Math.max(...all, 1e-3)]);
    const ends = found ? [found.param.low, found.param.high].map(number) : ["", ""];
    this.chart.draw({ points: figures, bar: spec.bar?.least ?? null, range, words: (each) => this.#figure(each), axis: [ends[0], name, ends[1]] });
  }

  /** What a screen reader hears: not each figure, but that they are there. */
  #told() {
    const { now } = this;
    if (document.hidden || !now) return "";
    if (this.queue.length) return "It plays along the slider.";
    if (!now.ended) return "It plays hidden episodes with the policy that is shown. Move a slider of the world to see how it fares.";
    return `Measured: ${this.mean.textContent}. ${this.span.textContent}.`;
  }
}

/**
 * @param {Setting} setting
 * @param {number} index of a parameter, or RANDOMIZED
 */
const at = ({ params, randomized }, index) => (index === RANDOMIZED ? randomized : params[index]);

/**
 * @param {Setting} setting
 * @param {number} index
 * @param {number} to
 * @returns {Setting}
 */
const turned = (setting, index, to) =>
  index === RANDOMIZED ? { ...setting, randomized: to } : { ...setting, params: setting.params.map((each, i) => (i === index ? to : each)) };

/**
 * @param {Store} store
 * @returns {import("../later.js").Loaded}
 */
export function open(store) {
  const panel = new MeterPanel(store);
  const shown = (/** @type {boolean} */ on) => {
    panel.open = on;
    panel.look();
  };
  return { element: panel.element, sheet, shown, frame: (game) => panel.frame(game) };
}
