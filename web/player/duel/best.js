/** The best score so far, kept in this browser; where that is forbidden, until the page is left. */

/** @typedef {{seed: number, mine: number, theirs: number}} Result of one game each */

export class Best {
  /** @type {Result | null} */
  #here = null;
  /** Whether it outlives the page. */
  kept = true;

  /** @param {import("../spec.js").Spec} spec scores of other sources are of another game */
  constructor({ name, source_hash }) {
    this.key = `minnow best ${name} ${source_hash.slice(0, 16)}`;
  }

  /** @returns {Result | null} null too where something else lies in its place */
  get() {
    try {
      const found = JSON.parse(localStorage.getItem(this.key) ?? "null");
      const sound = found && ["seed", "mine", "theirs"].every((part) => Number.isFinite(found[part]));
      if (sound) return { seed: found.seed, mine: found.mine, theirs: found.theirs };
    } catch {
      this.kept = false; // forbidden, or not ours
    }
    return this.#here;
  }

  /**
   * @param {Result} result
   * @returns {boolean} whether it is the best
   */
  offer(result) {
    const before = this.get();
    if (before && before.mine >= result.mine) return false;
    this.#here = result;
    try {
      localStorage.setItem(this.key, JSON.stringify(result));
      this.kept = true;
    } catch {
      this.kept = false;
    }
    return true;
  }
}
