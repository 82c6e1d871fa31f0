/** A training as the page sees it: the worker that does it, and what it has told so far. */

import { startWorker } from "../workers.js";

/**
 * @typedef {import("./protocol.js").Exam} Exam @typedef {import("./protocol.js").News} News @typedef {import("./protocol.js").Order} Order
 * @typedef {import("./settings.js").Kit} Kit @typedef {import("./settings.js").Plan} Plan @typedef {import("../spec.js").Spec} Spec
 */

export class Training {
  /** @type {Exam[]} */
  exams = [];
  steps = 0;
  updates = 0;
  seconds = 0;
  /** Of the distribution of actions. */
  entropy = NaN;
  going = false;
  ended = false;
  /** Of the weights, while it rests. */
  hash = "";
  /** @type {Uint8Array | null} the policy, some moments ago at most */
  file = null;
  #on = false; // whether the worker was told to go
  #worker;

  /**
   * @param {Kit} kit
   * @param {Spec} spec
   * @param {Plan} plan
   * @param {(news: News) => void} heard after the news have been noted here
   */
  constructor(kit, spec, plan, heard) {
    this.plan = plan;
    this.#worker = startWorker(kit.worker);
    this.#worker.onerror = (event) => heard({ told: "fault", words: event.message || "the worker that learns could not be loaded." });
    this.#worker.onmessage = (/** @type {MessageEvent<News>} */ { data: news }) => {
      this.#note(news);
      heard(news);
    };
    this.#say({ do: "begin", wasm: kit.wasm, order: kit.order, spec, plan });
  }

  /** @param {News} news */
  #note(news) {
    if (news.told === "exam") this.exams.push(news.exam);
    if (news.told === "file") this.file = news.bytes;
    if (news.told === "fault") this.going = this.#on = false;
    if (news.told === "progress" || news.told === "rest") {
      this.seconds = news.seconds;
      ({ steps: this.steps, updates: this.updates, entropy: this.entropy } = news.figures);
    }
    if (news.told === "rest") {
      ({ hash: this.hash, ended: this.ended } = news);
      this.plan.turns = news.turns;
      if (news.ended) this.going = this.#on = false;
    }
  }

  /** @param {Order} order */
  #say(order) {
    this.#worker.postMessage(order);
  }

  go() {
    this.going = true;
    this.look();
  }

  rest() {
    this.going = false;
    this.look();
  }

  /** Sees to it that it learns if it is to and the page is seen: a hidden one rests. */
  look() {
    const on = this.going && !document.hidden;
    if (on === this.#on) return;
    this.#on = on;
    if (on) this.hash = "";
    this.#say({ do: on ? "go" : "rest" });
  }

  /**
   * A parameter of the world takes another value.
   *
   * @param {number} param
   * @param {number} value
   */
  turn(param, value) {
    this.#say({ do: "turn", param, value });
  }

  /**
   * One game each of this policy and another, on one seed.
   *
   * @param {WebAssembly.Module} game
   * @param {number} seed
   * @param {number[]} params of the world
   * @param {Uint8Array} shipped
   */
  compare(game, seed, params, shipped) {
    this.#say({ do: "compare", game, seed, params, shipped });
  }

  /** Ends it, and gives its memory back. */
  end() {
    this.going = false;
    this.#worker.terminate();
  }
}
