/** The panel in which a policy learns while it plays in the page. Loaded when it is opened: later.js. */

import { icon, make, put, save } from "../dom.js";
import { capital, number } from "../spec.js";
import { Curve, short } from "./curve.js";
import { lesson } from "./lesson.js";
import { FRAGMENT, decode, encode, tuned } from "./settings.js";
import { Sliders } from "./sliders.js";
import { sheet } from "./style.js";
import { Training } from "./training.js";

/**
 * @typedef {import("../store.js").Store} Store @typedef {import("./settings.js").Kit} Kit @typedef {import("./settings.js").Plan} Plan
 * @typedef {import("./protocol.js").News} News @typedef {import("./protocol.js").Exam} Exam
 */

const FORMER = 3; // earlier trainings whose curves are kept
const SEEDS = 2 ** 32;

class LearnPanel {
  /** @type {Training | null} */
  training = null;
  /** @type {Exam[][]} */
  former = [];
  /** Trainings begun. */
  count = 0;
  /** Whether the learner plays in the page. */
  watching = true;
  sharing = false;
  fault = "";
  /** @type {string} the hash that the link says it reaches */
  promised = "";
  /** @type {{mine: number, theirs: number, seed: number} | null} */
  compared = null;

  /**
   * @param {Store} store
   * @param {Kit} kit
   */
  constructor(store, kit) {
    const { spec, game } = store;
    this.store = store;
    this.kit = kit;
    this.plan = tuned(kit, spec, Math.floor(Math.random() * SEEDS));
    this.shipped = game?.hasPolicy ? { file: game.files[0], name: store.policy.name } : null;
    this.#follow();
    this.params = this.#params();
    const { bar } = store.spec;
    this.bar = bar?.key === "score_mean" ? bar.least : null;
    this.curve = new Curve(spec.score_name);
    this.parts = this.#build();
    this.show();
    document.addEventListener("visibilitychange", () => (this.training?.look(), this.show()));
  }

  /** Takes over the plan of the page's address, if it has one. */
  #follow() {
    const { store, kit } = this;
    if (!location.hash.startsWith(FRAGMENT)) return;
    try {
      this.plan = decode(store.spec, kit, location.hash);
      this.promised = this.plan.hash;
      this.plan.params.forEach((value, param) => this.#turnGame(param, value));
    } catch (error) {
      this.fault = error instanceof Error ? capital(error.message) : String(error);
    }
  }

  /**
   * @param {number} param
   * @param {number} value
   */
  #turnGame(param, value) {
    const { game, spec } = this.store;
    if ((game?.turned(param) ?? Math.fround(spec.param[param].value)) !== Math.fround(value)) game?.turn(param, value);
  }

  /** The world as it is in the page. */
  #params() {
    const { spec, game } = this.store;
    return spec.param.map(({ value }, param) => game?.turned(param) ?? value);
  }

  #build() {
    const { store, plan, kit } = this;
    const button = (/** @type {string} */ text, /** @type {() => void} */ onclick) => make("button", { type: "button", onclick }, text);
    const field = (/** @type {string} */ label, /** @type {HTMLElement} */ input) =>
      make("div", { className: "players" }, make("label", { htmlFor: input.id }, label), input);
    const start = button("", () => this.#toggle());
    start.classList.add("primary");
    const again = make("button", { type: "button", onclick: () => this.reset() }, icon("reset"), make("span", {}, "Reset"));
    again.title = "Forget what was learned, and begin again with the settings as they are";
    const watch = make("select", { id: "learn-watch", onchange: () => this.#watch(watch.value === "learner") });
    watch.append(new Option("the learner", "learner"), new Option("the shipped policy", "shipped"));
    const seed = make("input", { type: "text", inputMode: "numeric", id: "learn-seed", onchange: () => this.#seeded() });
    const link = make("input", { type: "text", readOnly: true, hidden: true, "aria-label": "The link", onfocus: () => link.select() });
    const sliders = new Sliders(kit.settings, plan.settings, () => this.show());
    const parts = {
      start,
      again,
      watch,
      seed,
      link,
      status: make("p", { className: "note", role: "status" }),
      score: make("b", {}, "–"),
      figures: make("span", { className: "note" }),
      race: button("Compare on this seed", () => this.#compare()),
      result: make("div", { className: "thoughts", hidden: true }),
      download: button("Download .minnow", () => this.#download()),
      seal: make("p", { className: "note seal" }),
      teach: make("section", { className: "teach", "aria-label": "How it learns" }),
    };
    const shipped = make("div", { className: "against", hidden: !this.shipped }, field("In the picture plays", watch), parts.race, parts.result);
    const element = make(
      "div",
      { className: "learning" },
      make("div", { className: "row" }, start, again),
      make("p", { className: "score big" }, make("span", {}, capital(store.spec.score_name)), parts.score),
      this.curve.element,
      parts.figures,
      parts.status,
      shipped,
      make("details", {}, make("summary", {}, "Settings"), field("Seed", seed), sliders.element),
      make("div", { className: "row" }, parts.download, button("Share as a link", () => this.#share())),
      link,
      parts.seal,
    );
    return { ...parts, element };
  }

  #seeded() {
    const { seed } = this.parts;
    const text = seed.value.trim();
    const good = /^\d+$/.test(text) && Number(text) <= Number.MAX_SAFE_INTEGER;
    seed.setAttribute("aria-invalid", String(!good));
    if (good) this.plan.settings.seed = Number(text);
    this.show();
  }

  #toggle() {
    const { training, store } = this;
    if (training?.going) return training.rest(), this.show();
    this.fault = "";
    if (!training) this.#begin();
    this.training?.go();
    if (!store.clock.running) store.play();
    this.show();
  }

  #begin() {
    const { kit, store, plan } = this;
    this.params = this.#params();
    const begun = { ...plan, settings: { ...plan.settings }, params: this.params, turns: [...plan.turns] };
    this.count += 1;
    this.compared = null;
    this.training = new Training(kit, store.spec, begun, (news) => this.#hear(news));
  }

  /** Forgets what was learned. */
  reset() {
    const { training } = this;
    if (training?.exams.length) this.former = [...this.former, training.exams].slice(-FORMER);
    training?.end();
    this.training = null;
    this.compared = null;
    this.fault = "";
    this.parts.link.hidden = true;
    this.plan.turns = [];
    this.plan.stop = 0;
    this.promised = "";
    this.show();
  }

  /** @param {News} news */
  #hear(news) {
    if (!this.parts.element.isConnected) return this.training?.end(); // the page has gone on without us
    if (news.told === "file") void this.#play();
    if (news.told === "turned") {
      this.params[news.param] = Math.fround(news.value);
      this.#turnGame(news.param, news.value);
    }
    if (news.told === "fault") this.fault = capital(news.words);
    if (news.told === "compared") this.compared = news;
    if (news.told === "rest" && this.sharing) this.#copy();
    this.show();
  }

  get name() {
    return `learned here (${this.count})`;
  }

  async #play() {
    const { store, training, watching } = this;
    if (!training?.file || !watching || store.fault) return;
    if (store.person >= 0 && store.policy.name !== this.name) return; // somebody plays against another policy: later
    const { running } = store.clock;
    const before = store.game;
    await store.renew(training.file, this.name);
    if (running && store.game !== before) store.play();
  }

  /** @param {boolean} learner */
  #watch(learner) {
    const { store, shipped } = this;
    this.watching = learner;
    if (learner) return void this.#play();
    if (!shipped) return;
    const { running } = store.clock;
    void store.open([shipped.file], shipped.name).then(() => running && store.play());
  }

  #compare() {
    const { store, training, shipped } = this;
    if (training && shipped) training.compare(store.module, store.seed, this.#params(), shipped.file);
  }

  #download() {
    const { training, store } = this;
    if (training) save(`${store.spec.name}-${training.steps}.minnow`, training.file);
  }

  /** The link of what it has learned until now; for that it must rest. */
  #share() {
    const { training } = this;
    this.sharing = true;
    if (training?.going) training.rest();
    else this.#copy();
    this.show();
  }

  #copy() {
    const { training, store, kit } = this;
    this.sharing = false;
    const plan = training ? { ...training.plan, stop: training.updates, hash: training.hash } : { ...this.plan, params: this.#params() };
    const { href } = new URL(encode(store.spec, kit.order, plan), location.href);
    const { link } = this.parts;
    link.value = href;
    link.hidden = false;
    void navigator.clipboard?.writeText(href).catch(() => {}); // else it is there to be copied
    link.focus();
  }

  /** What the page's world became since the last frame, the learner's becomes. */
  frame() {
    this.#params().forEach((value, param) => {
      if (value === this.params[param]) return;
      this.params[param] = value;
      this.training?.turn(param, value);
    });
  }

  show() {
    const { training, plan, bar } = this;
    const { start, again, status, score, figures, watch, race, download, seed, seal, result } = this.parts;
    const exams = training?.exams ?? [];
    const settings = training?.plan.settings ?? plan.settings;
    const steps = Math.max(settings.steps, training?.steps ?? 0);
    const doing = !training ? "Start learning" : training.going ? "Pause" : training.ended ? "Learn on" : "Go on";
    if (start.dataset.doing !== doing) start.replaceChildren(icon(training?.going ? "pause" : "play"), make("span", {}, doing));
    start.dataset.doing = doing;
    again.disabled = !training;
    download.disabled = !training?.file;
    race.disabled = !training;
    watch.value = this.watching ? "learner" : "shipped";
    put(score, exams.length ? number(exams[exams.length - 1].score) : "–");
    this.curve.draw(exams, this.former, steps, bar);
    put(figures, training ? this.#figures(training) : `${short(steps)} steps are planned, in ${short(settings.envs)} games side by side.`);
    put(status, this.fault || this.#words());
    status.classList.toggle("bad", Boolean(this.fault));
    seed.value = document.activeElement === seed ? seed.value : String(plan.settings.seed);
    this.#seal(seal);
    this.#result(result);
    this.#teach(settings);
  }

  /** @param {Training} training */
  #figures({ steps, seconds, entropy }) {
    const { spec } = this.store;
    const most = spec.action_type === "box" ? NaN : spec.head.reduce((all, head) => all + Math.log(head.size), 0);
    const tries = Number.isFinite(entropy / most) ? ` · it still tries things out: ${Math.round((100 * entropy) / most)} %` : "";
    return `${short(steps)} steps in ${seconds.toFixed(1)} s${seconds > 0.5 ? ` · ${short(steps / seconds)} a second` : ""}${tries}`;
  }

  #words() {
    const { training, bar, promised } = this;
    if (!training) return promised ? "This link learns again what its maker saw. Press Start." : "It begins with random weights, and learns in this tab alone.";
    if (training.going && document.hidden) return "It rests while the page is hidden.";
    if (training.going) return "It is learning. You may take over in the picture at any time.";
    const last = training.exams[training.exams.length - 1]?.score ?? NaN;
    if (!training.ended) return "It rests.";
    if (bar === null) return "Its schedule is over.";
    return last >= bar ? "Its schedule is over, and the goal is reached." : "Its schedule is over, and the goal is not reached: learn on, or try another seed or setting.";
  }

  /** @param {HTMLElement} seal */
  #seal(seal) {
    const { training, promised } = this;
    const hash = training?.hash.slice(0, 16) ?? "";
    const there = Boolean(promised) && training?.updates === training?.plan.stop;
    seal.classList.toggle("good", there && hash === promised);
    seal.classList.toggle("bad", there && Boolean(hash) && hash !== promised);
    seal.dataset.hash = training?.hash ?? "";
    if (there && hash === promised) put(seal, `✓ The weights are those that the link promised: ${hash}`);
    else if (there && hash) put(seal, `✗ The link promised the weights ${promised}, and these are ${hash}: something is different here.`);
    else if (hash) put(seal, `Weights ${hash} after ${training?.updates} updates`);
    else put(seal, promised ? `The link promises the weights ${promised}.` : "");
  }

  /** @param {HTMLElement} result */
  #result(result) {
    const { compared } = this;
    result.hidden = !compared;
    if (!compared) return;
    const { mine, theirs, seed } = compared;
    const [low, high] = [Math.min(mine, theirs, 0), Math.max(mine, theirs, 0)];
    const bar = (/** @type {string} */ label, /** @type {number} */ value) => {
      const share = (value - low) / Math.max(high - low, 1e-9);
      const zero = -low / Math.max(high - low, 1e-9);
      const fill = make("i", { style: `left: ${100 * Math.min(share, zero)}%; right: auto; width: ${100 * Math.abs(share - zero)}%` });
      return make("div", { className: "bar" }, make("span", {}, label), make("b", {}, fill), make("span", { className: "figure" }, number(value)));
    };
    result.replaceChildren(bar("Learner", mine), bar("Shipped", theirs), make("p", { className: "note" }, `One game each, seed ${seed}, the world as it is now.`));
  }

  /** @param {import("./tutor.js").Settings} settings */
  #teach(settings) {
    const { spec } = this.store;
    const key = ["hidden", "layers", "horizon", "steps"].map((name) => settings[name]).join(" ");
    const { teach } = this.parts;
    if (teach.dataset.key === key) return;
    teach.dataset.key = key;
    const inputs = spec.group[0].shape.reduce((all, one) => all * one, 1);
    const outputs = (spec.action_type === "box" ? spec.head.length : spec.head.reduce((all, head) => all + head.size, 0)) + 1;
    const { hidden, layers } = settings;
    const weights = hidden * (inputs + 1) + (layers - 1) * hidden * (hidden + 1) + outputs * (hidden + 1);
    teach.replaceChildren(...lesson(spec, settings, weights));
  }
}

/**
 * @param {Store} store
 * @param {Kit} kit
 * @returns {import("../later.js").Loaded}
 */
export function open(store, kit) {
  const panel = new LearnPanel(store, kit);
  return { element: panel.parts.element, beside: panel.parts.teach, sheet, frame: () => panel.frame() };
}
