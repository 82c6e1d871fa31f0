/** The game's clock: fixed ticks, however fast the screen refreshes. */

export const SPEEDS = [0.125, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64];

const LONGEST_GAP = 0.1; // s of real time that one frame may stand for
const READABLE = 100; // ms
const REST = 400; // ms for which frames still come after something happened, while no ticks do
const FRAME_BUDGET = 12; // ms of computing a frame; what does not fit is dropped, and the game runs slower

/** Lets the browser draw and answer what waits, in the midst of much work. */
export const breathe = () => /** @type {any} */ (globalThis).scheduler?.yield?.() ?? new Promise((done) => setTimeout(done));

/** The next frame, or a moment where none comes, as on a hidden page. */
export const framed = () => new Promise((done) => (requestAnimationFrame(done), setTimeout(done, 100)));

/** The browser has nothing better to do. */
export const idle = () => new Promise((done) => (window.requestIdleCallback ?? setTimeout)(done));

/**
 * What shows figures, at most ten times a second while ticks come: nobody reads faster, and each time the page is laid out.
 *
 * @template Shown
 * @param {{clock: Clock}} store
 * @param {(shown: Shown) => void} show
 */
export function seldom({ clock }, show) {
  let last = -Infinity;
  return (/** @type {Shown} */ shown) => {
    const now = performance.now();
    if (clock.running && now - last < READABLE) return;
    last = now;
    show(shown);
  };
}

export class Clock {
  speed = 1;
  running = false;
  #last = 0;
  #owed = 0; // ticks
  #request = 0;
  #stopped = true;
  #until = 0; // ms
  #beat = (/** @type {number} */ _now) => {};

  /** @param {number} rate ticks a second at speed 1 */
  constructor(rate) {
    this.rate = rate;
  }

  /**
   * Begins to go: frames come from now on, ticks while it is `running`, of which the first one's frame has one.
   *
   * @param {() => void} tick
   * @param {() => void} frame called once a frame, before its ticks
   * @param {() => void} drawn called once a frame, after them
   */
  start(tick, frame, drawn) {
    this.#beat = (now) => {
      const busy = this.running || now < this.#until || navigator.getGamepads?.().some(Boolean); // these tell nothing by themselves
      this.#request = busy ? requestAnimationFrame(this.#beat) : 0;
      const gap = Math.min(Math.max(now - this.#last, 0) / 1000, LONGEST_GAP); // a frame may have begun before what asked for it
      this.#last = now;
      frame();
      if (this.running) this.#advance(gap, tick);
      drawn();
    };
    this.stop();
    this.wake();
    this.#owed = 1;
  }

  /** Goes on after `stop`. */
  wake() {
    this.#stopped = false;
    this.stir();
  }

  /** Whether something happened lately that may be seen though no tick came. */
  get stirred() {
    return performance.now() < this.#until;
  }

  /** Something happened that may be seen: while no ticks do, frames come for a while, and then rest. */
  stir() {
    const now = performance.now();
    this.#until = now + REST;
    if (this.#stopped || this.#request) return;
    this.#last = now;
    this.#request = requestAnimationFrame(this.#beat); // browsers call none while the page is hidden
  }

  /**
   * @param {number} gap s
   * @param {() => void} tick
   */
  #advance(gap, tick) {
    this.#owed += gap * this.rate * this.speed;
    const end = performance.now() + FRAME_BUDGET;
    while (this.running && this.#owed >= 1) {
      tick();
      this.#owed -= 1;
      if (performance.now() > end) this.#owed = 0;
    }
  }

  /** Forgets what is owed, so that a pause or a step leaves nothing behind. */
  clear() {
    this.#owed = 0;
  }

  stop() {
    cancelAnimationFrame(this.#request);
    this.#stopped = true;
    this.#request = 0;
  }
}
