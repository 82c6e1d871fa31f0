/** The list of what entered a game, which is its replay; and snapshots beside it, so that every earlier tick is at hand. */

/**
 * @typedef {{tick: number, kind: number, slot: number, values: number[]}} GameInput it enters after `tick` ticks, before the next one
 * @typedef {{ticks: number, state: Uint8Array, put(input: GameInput): boolean, tick(): void}} Player what plays the list: game.js
 * @typedef {{tick: number, entered: number, state: Uint8Array}} Snapshot `entered`: inputs before it
 */

export const START = 0; // GameInput.kind; the numbers of game.h
export const SEAT = 1;
export const DRIVE = 2;
export const ACT = 3;
export const EVENT = 4;
export const SAMPLE = 5;
export const EVENT_PARAM = 0;

const SNAPSHOTS = 64; // at most, one each `gap` ticks
const MEMORY = 1 << 26; // bytes that they may take
const FIRST_GAP = 32; // ticks; doubled whenever they grow too many

/**
 * The name of what an input sets, where it is a setting, in force until the next one of that name. Other events happen and are over.
 *
 * @param {GameInput} input
 */
function setting({ kind, slot, values }) {
  if (kind !== EVENT) return `${kind} ${slot}`;
  return values[0] === EVENT_PARAM ? `${kind} ${slot} ${EVENT_PARAM}` : null;
}

export class Journal {
  /** @type {GameInput[]} in the order in which they enter, the start first */
  inputs = [];
  /** The tick that was played last. */
  last = 0;
  /** Inputs that have entered; the others lie ahead, and enter when their tick comes. */
  entered = 0;
  /** @type {Map<string, GameInput>} by name: what is in force */
  settings = new Map();
  /** @type {Snapshot[]} earliest first */
  #snapshots = [];
  #gap = FIRST_GAP;

  /** Whether the list goes on from here: the game follows it until somebody does something else. */
  ahead(/** @type {number} */ tick) {
    return this.entered < this.inputs.length || tick < this.last;
  }

  /**
   * Notes an input that just entered, at the list's end.
   *
   * @param {GameInput} input
   */
  note(input) {
    const name = setting(input);
    const former = name === null ? undefined : this.settings.get(name);
    if (former?.tick === input.tick && input.kind !== SEAT) this.inputs[this.inputs.lastIndexOf(former)] = input; // it was never felt
    else this.entered = this.inputs.push(input);
    if (name !== null) this.settings.set(name, input);
  }

  /**
   * Whether an input would change nothing, as what a person goes on holding.
   *
   * @param {GameInput} input
   */
  known(input) {
    const name = input.kind === EVENT || input.kind === SEAT ? null : setting(input); // an event happens each time
    const former = name === null ? undefined : this.settings.get(name);
    return former?.values.length === input.values.length && former.values.every((value, i) => Object.is(value, input.values[i]));
  }

  /**
   * Lets the inputs enter whose tick has come.
   *
   * @param {Player} player
   */
  enter(player) {
    const { inputs, settings } = this;
    for (const { ticks } = player; inputs[this.entered]?.tick === ticks; this.entered += 1) {
      const input = inputs[this.entered];
      player.put(input);
      const name = setting(input);
      if (name !== null) settings.set(name, input);
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
    const snapshot = this.#snapshots.filter((each) => each.tick <= to).pop();
    if (snapshot && (to < player.ticks || snapshot.tick > player.ticks)) {
      player.state = snapshot.state;
      this.entered = snapshot.entered;
      this.settings = new Map();
      for (const input of this.inputs.slice(0, this.entered)) {
        const name = setting(input);
        if (name !== null) this.settings.set(name, input);
      }
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
    branch.settings = new Map(this.settings);
    branch.#snapshots = this.#snapshots.filter((each) => each.tick <= tick);
    branch.#gap = this.#gap;
    return branch;
  }
}
