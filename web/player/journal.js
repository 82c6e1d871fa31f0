/** The list of what entered a game, which is its replay; and snapshots beside it, so that every earlier tick is at hand. */

/**
 * @typedef {{tick: number, kind: number, slot: number, values: number[]}} GameInput as docs/replay.md has it; it enters after `tick`
 *   ticks, before the next one
 * @typedef {{ticks: number, state: Uint8Array, lead?: number, put(input: GameInput): boolean, tick(): void}} Player what plays the list:
 *   game.js. `lead`: ticks that it plays at least towards another one, so that what it shows beside its state is of that time too
 * @typedef {{tick: number, entered: number, state: Uint8Array}} Snapshot `entered`: inputs before it
 */

export const START = 0; // GameInput.kind
export const SEAT = 1;
export const DRIVE = 2;
export const ACT = 3;
export const EVENT = 4;
export const SAMPLE = 5;
export const EVENT_PARAM = 0; // the first value of an EVENT that turns the parameter `slot`
export const EVENT_RANDOMIZE = 1; // and of one that sets how much is drawn at random
export const RANDOMIZED = -1; // in place of a parameter's index: what such an event set

const SNAPSHOTS = 1024; // at most, one each `gap` ticks: of 100,000 ticks at most 128 are played again
const MEMORY = 1 << 24; // bytes that they may take
const FIRST_GAP = 32; // ticks; doubled whenever they grow too many

/**
 * The name of what an input sets, where its value stays in force until the next one of that name.
 *
 * @param {GameInput} input
 */
function setting({ kind, slot, values }) {
  if (kind === ACT || kind === SAMPLE) return `${kind} ${slot}`;
  if (kind !== EVENT || values[0] > EVENT_RANDOMIZE) return null;
  return `${kind} ${values[0] === EVENT_PARAM ? slot : RANDOMIZED}`;
}

export class Journal {
  /** @type {GameInput[]} in the order in which they enter, the start first */
  inputs = [];
  /** The tick that was played last. */
  last = 0;
  /** Inputs that have entered; the others lie ahead, and enter when their tick comes. */
  entered = 0;
  /** @type {Map<string, GameInput>} what is in force: held, turned, sampled */
  #settings = new Map();
  /** @type {Snapshot[]} earliest first */
  #snapshots = [];
  #gap = FIRST_GAP;

  /**
   * A list that is there already, the start entered.
   *
   * @param {GameInput[]} inputs
   * @param {number} last
   */
  static of(inputs, last) {
    const journal = new Journal();
    Object.assign(journal, { inputs, last, entered: 1 });
    return journal;
  }

  /**
   * Whether the list goes on from here: the game follows it until somebody does something else.
   *
   * @param {number} tick the present one
   */
  ahead(tick) {
    return this.entered < this.inputs.length || tick < this.last;
  }

  /**
   * Notes an input that just entered, at the list's end.
   *
   * @param {GameInput} input
   */
  note(input) {
    const held = input.kind === ACT ? this.setting(ACT, input.slot) : undefined;
    if (held?.tick === input.tick) this.inputs[this.inputs.lastIndexOf(held)] = input; // that one was never felt
    else this.entered = this.inputs.push(input);
    this.#set(input);
  }

  /**
   * Whether an input would change nothing: what a person goes on holding.
   *
   * @param {GameInput} input
   */
  known({ kind, slot, values }) {
    const held = kind === ACT ? this.setting(ACT, slot) : undefined;
    return held?.values.length === values.length && held.values.every((value, i) => Object.is(value, values[i]));
  }

  /** @param {GameInput} input which has entered */
  #set(input) {
    const name = setting(input);
    if (name !== null) this.#settings.set(name, input);
  }

  /**
   * The input that set what is in force.
   *
   * @param {number} kind ACT, SAMPLE, or EVENT for a parameter or RANDOMIZED
   * @param {number} slot
   */
  setting(kind, slot) {
    return this.#settings.get(`${kind} ${slot}`);
  }

  /** How the world was turned, and whether choices are drawn: what outlives a start, which tells how much is randomized. */
  get lasting() {
    return [...this.#settings.values()].filter(({ kind, values }) => kind !== ACT && !(kind === EVENT && values[0] === EVENT_RANDOMIZE));
  }

  /**
   * Lets the inputs enter whose tick has come.
   *
   * @param {Player} player
   */
  enter(player) {
    const { ticks } = player;
    for (; this.inputs[this.entered]?.tick === ticks; this.entered += 1) {
      player.put(this.inputs[this.entered]);
      this.#set(this.inputs[this.entered]);
    }
  }

  /**
   * After a tick, and after the start: keeps a snapshot where one is due.
   *
   * @param {Player} player
   */
  keep(player) {
    const { ticks } = player;
    this.last = Math.max(this.last, ticks);
    const newest = this.#snapshots[this.#snapshots.length - 1];
    if (ticks % this.#gap || (newest && newest.tick >= ticks)) return;
    const { state } = player;
    this.#snapshots.push({ tick: ticks, entered: this.entered, state });
    const most = Math.max(2, Math.min(SNAPSHOTS, Math.floor(MEMORY / state.length)));
    while (this.#snapshots.length > most) {
      this.#gap *= 2;
      this.#snapshots = this.#snapshots.filter(({ tick }) => tick % this.#gap === 0);
    }
  }

  /**
   * Brings the game to a tick that was played: as it stood, with all that had entered before the next one.
   *
   * @param {Player} player
   * @param {number} tick
   */
  seek(player, tick) {
    const to = Math.min(Math.max(Math.floor(tick), 0), this.last);
    const from = Math.max(0, to - (player.lead ?? 0));
    const snapshot = this.#snapshots.filter((each) => each.tick <= from).pop();
    if (snapshot && (to < player.ticks || snapshot.tick > player.ticks)) {
      player.state = snapshot.state;
      this.entered = snapshot.entered;
      this.#settings.clear();
      for (const input of this.inputs.slice(0, this.entered)) this.#set(input);
    }
    while (player.ticks < to) player.tick();
    this.enter(player);
  }

  /**
   * A list of its own, from here on.
   *
   * @param {number} tick the present one
   */
  branch(tick) {
    const branch = new Journal();
    branch.inputs = this.inputs.slice(0, this.entered);
    branch.entered = this.entered;
    branch.last = tick;
    branch.#settings = new Map(this.#settings);
    branch.#snapshots = this.#snapshots.filter((each) => each.tick <= tick);
    branch.#gap = this.#gap;
    return branch;
  }
}
