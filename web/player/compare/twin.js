/** A game that follows another one: what enters that one enters this one too, but for what is said to differ. */

/** @typedef {import("../game.js").Game} Game @typedef {import("../journal.js").GameInput} GameInput @typedef {import("../journal.js").Journal} Journal */

const BUDGET = 8; // ms of catching up at a time

export class Twin {
  /** The tick at which both were seen to differ first; -1: they do not yet. */
  parted = -1;
  /** @type {Journal | null} the other game's */
  #of = null;
  /** @type {GameInput[]} of the other game's list, as it was when it was looked at last */
  #seen = [];
  #taken = 0; // of that list

  /**
   * @param {Game} game as many policies as the other one has
   * @param {(input: GameInput) => GameInput} [edit] what an input of the other game is here
   * @param {GameInput[]} [extra] what enters here alone
   */
  constructor(game, edit = (input) => input, extra = []) {
    this.game = game;
    this.edit = edit;
    this.extra = extra;
  }

  /**
   * Goes where the other game is, in one call or, from far away, in several.
   *
   * @param {Game} main
   */
  follow(main) {
    const { game } = this;
    if (main.journal !== this.#of) this.#turn(main.journal);
    const end = performance.now() + BUDGET;
    if (game.ticks > main.ticks) game.seek(main.ticks);
    while (game.ticks < main.ticks) {
      this.#feed(main.journal.inputs);
      game.tick();
      if (performance.now() > end) break;
    }
    if (this.parted < 0 && game.ticks === main.ticks && game.hash() !== main.hash()) this.parted = game.ticks;
  }

  /**
   * At the end of what was played here: takes what entered the other game at this tick.
   *
   * @param {GameInput[]} inputs
   */
  #feed(inputs) {
    const { game, extra } = this;
    const { journal, ticks } = game;
    if (ticks < journal.last) return; // it follows its own list
    while (inputs[this.#taken]?.tick <= ticks) journal.inputs.push(this.edit((this.#seen[this.#taken] = inputs[this.#taken++])));
    journal.inputs.push(...extra.filter((input) => input.tick === ticks));
  }

  /**
   * The other game has another list: a new one, or one that leaves the former somewhere.
   *
   * @param {Journal} journal
   */
  #turn(journal) {
    const { game } = this;
    const same = this.#seen.findIndex((input, i) => input !== journal.inputs[i]);
    const common = same < 0 ? this.#seen.length : same;
    this.#of = journal;
    const from = Math.min(this.#seen[common]?.tick ?? Infinity, journal.inputs[common]?.tick ?? Infinity);
    if (common === 0 || from === 0) {
      this.parted = -1;
      game.follow({ inputs: [this.edit(journal.inputs[0])], ticks: 0 });
      this.#seen = [journal.inputs[0]];
      this.#taken = 1;
    } else if (game.journal.last > from) {
      game.seek(from - 1);
      game.tick(); // so that nothing of the next tick has entered
      game.branch();
      this.#seen.length = this.#taken = common;
    }
    if (this.parted > game.ticks) this.parted = -1;
  }
}
