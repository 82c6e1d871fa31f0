/** One training from its beginning: it learns, takes exams, and writes what it has learned into files. */

import { Game, POLICY, SCRIPT } from "../game.js";
import { sha256 } from "../sha256.js";
import { goldenCount, observed, policyFile } from "./file.js";
import { encode } from "./settings.js";
import { Tutor } from "./tutor.js";

/** @typedef {import("./protocol.js").Begin} Begin @typedef {import("./protocol.js").News} News */

const TANH = 2; // among the activations of train/core/learn.h
const EXAMS = 0.2; // of the time, at most
const TELL = 100; // ms between two reports
const FILE = 700; // ms between two files
const LONGEST = 100000; // ticks of a game that is compared

export class Run {
  #seconds = 0; // spent so far, exams and files included
  #examined = 0; // ms, of these
  #since = 0; // when this stretch began
  #told = 0;
  #filed = -Infinity;
  score = NaN;

  /**
   * @param {Begin} order
   * @param {(news: News) => void} tell
   */
  static async begin(order, tell) {
    const response = await fetch(order.wasm);
    if (!response.ok) throw new Error(`what learns could not be fetched: the server answers ${response.status}.`);
    const module = await WebAssembly.compile(await response.arrayBuffer());
    const tutor = await Tutor.create(module, order.order, order.plan.settings, order.plan.params);
    return new Run(tutor, order, tell);
  }

  /**
   * @param {Tutor} tutor
   * @param {Begin} order
   * @param {(news: News) => void} tell
   */
  constructor(tutor, { spec, plan, order }, tell) {
    this.tutor = tutor;
    this.spec = spec;
    this.plan = plan;
    this.order = order;
    this.tell = tell;
  }

  /** Begins a stretch. */
  go() {
    this.#since = performance.now();
    if (this.tutor.figures.updates > 0) return;
    this.#exam();
    this.#file();
  }

  get seconds() {
    return this.#seconds + (performance.now() - this.#since) / 1000;
  }

  /**
   * One update, and what is due after it.
   *
   * @returns {boolean} whether it goes on
   */
  advance() {
    const { tutor, plan } = this;
    const begun = tutor.figures.updates;
    for (const [at, param, value] of plan.turns) {
      if (at !== begun) continue;
      tutor.turn(param, value);
      this.tell({ told: "turned", param, value });
    }
    if (!tutor.update()) {
      const words = `in update ${begun + 1} numbers became infinite, and it can learn no more.`;
      throw new Error(`${words} The policy that plays is the last good one. Reset, and try a lower learning rate.`);
    }
    if (begun + 1 === plan.stop || tutor.ended) {
      this.rest(true);
      return false;
    }
    const now = performance.now();
    if (this.#examined < EXAMS * 1000 * this.seconds) this.#exam();
    if (now - this.#filed > FILE) this.#file();
    if (now - this.#told > TELL) {
      this.#told = now;
      this.tell({ told: "progress", figures: tutor.figures, seconds: this.seconds });
    }
    return true;
  }

  /** Ends a stretch. */
  rest(ended = false) {
    if (ended) this.#exam();
    this.#file();
    this.#seconds = this.seconds;
    this.#since = performance.now();
    const hash = sha256(new Uint8Array(this.tutor.weights().buffer));
    this.tell({ told: "rest", figures: this.tutor.figures, seconds: this.#seconds, hash, turns: this.plan.turns, ended });
  }

  /**
   * A parameter of the world takes another value from now on.
   *
   * @param {number} param
   * @param {number} value
   */
  turn(param, value) {
    const at = this.tutor.figures.updates;
    this.plan.turns = this.plan.turns.filter((turn) => turn[0] !== at || turn[1] !== param);
    this.plan.turns.push([at, param, value]);
    this.tutor.turn(param, value);
  }

  #exam() {
    const begun = performance.now();
    this.score = this.tutor.exam();
    this.#examined += performance.now() - begun;
    this.tell({ told: "exam", exam: { steps: this.tutor.figures.steps, seconds: this.seconds, score: this.score } });
  }

  #file() {
    this.#filed = performance.now();
    this.tell({ told: "file", bytes: this.file() });
  }

  /** The policy as a .minnow file. */
  file() {
    const { spec, tutor, plan, order, score } = this;
    const { settings } = plan;
    const weights = tutor.weights();
    const { updates, steps } = tutor.figures;
    const agents = goldenCount(spec, tutor.width);
    const link = encode(spec, order, { ...plan, stop: updates, hash: sha256(new Uint8Array(weights.buffer)) });
    const meta = {
      name: `${spec.name}-${steps}`,
      environment: spec.name,
      source_hash: spec.source_hash,
      steps,
      seed: settings.seed,
      score,
      episodes: tutor.games,
      protocol: `${spec.score_name}: the mean of ${tutor.games} games in the world that it learned in, the likeliest actions taken.`,
      command: `learned in a page by ${link}`,
      description: `${spec.title}: ${spec.description}`,
      action: spec.head.map(({ name, labels }) => ({ name, labels })),
    };
    const net = { hidden: settings.hidden, layers: settings.layers, tanh: settings.activation === TANH, weights };
    return policyFile(spec, net, tutor.answers(agents, observed(spec)), meta);
  }

  /**
   * One game each of this policy and another one, on one seed, in the present world.
   *
   * @param {import("./protocol.js").Compare} order
   */
  async compare({ game, seed, params, shipped }) {
    const mine = await this.#play(game, this.file(), seed, params);
    return { mine, theirs: await this.#play(game, shipped, seed, params) };
  }

  /**
   * The score of a game, the mean of those whom the policy drives.
   *
   * @param {WebAssembly.Module} module
   * @param {Uint8Array} file
   * @param {number} seed
   * @param {number[]} params
   */
  async #play(module, file, seed, params) {
    const { spec } = this;
    const game = await Game.create(module, spec, [file]);
    for (let slot = 0; slot < spec.slots; slot += 1) game.drive(slot, slot < spec.agents ? POLICY : SCRIPT);
    params.forEach((value, param) => value !== spec.param[param].value && game.turn(param, value));
    game.start(seed);
    for (let tick = 0; tick < LONGEST && !game.episodes; tick += 1) game.tick();
    const scores = Array.from({ length: spec.agents }, (_, slot) => (game.episodes ? game.finalScore(slot) : game.score(slot)));
    return scores.reduce((all, one) => all + one, 0) / spec.agents;
  }
}
