/**
 * What a page that embeds a demo hears of it. Events bubble, and leave shadow trees.
 *
 * - `minnow-ready` {env}: the game is there;
 * - `minnow-score` {env, player, score, tick}: the score of the player who is watched is another one now; at most once a frame;
 * - `minnow-episode` {env, player, score, episode, tick, driver}: a game ended with this score: the `episode`th since the start,
 *   driven by "script", "policy", "person" or "random";
 * - `minnow-fault` {env, message}: something went wrong, in the words that the visitor reads.
 */

const DRIVERS = ["script", "policy", "person", "random"];

/**
 * @param {HTMLElement} demo
 * @param {string} name
 * @param {Record<string, unknown>} detail
 */
export const say = (demo, name, detail) =>
  demo.dispatchEvent(new CustomEvent(`minnow-${name}`, { detail, bubbles: true, composed: true }));

export class Herald {
  #episodes = 0;
  #score = NaN;

  /**
   * @param {HTMLElement} demo
   * @param {import("./store.js").Store} store
   */
  constructor(demo, store) {
    this.demo = demo;
    this.store = store;
  }

  /**
   * @param {import("./game.js").Game} game
   */
  #common(game) {
    return { env: this.store.spec.name, player: this.store.shown + 1, tick: game.ticks };
  }

  /**
   * Called after each tick. What was jumped over is not told.
   *
   * @param {import("./game.js").Game} game
   */
  tick(game) {
    const { episodes } = game;
    if (episodes === this.#episodes) return;
    const next = episodes === this.#episodes + 1;
    this.#episodes = episodes;
    if (!next) return;
    const { shown } = this.store;
    const detail = { ...this.#common(game), score: game.finalScore(shown), episode: episodes, driver: DRIVERS[game.driver(shown)] };
    say(this.demo, "episode", detail);
  }

  /**
   * Called after each frame.
   *
   * @param {import("./game.js").Game} game
   */
  frame(game) {
    this.tick(game);
    const score = game.score(this.store.shown);
    if (Object.is(score, this.#score)) return;
    this.#score = score;
    say(this.demo, "score", { ...this.#common(game), score });
  }
}
