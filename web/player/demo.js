/**
 * <minnow-demo env="pong" controls>: one environment with its policy, to watch and to play. docs/web.md tells of it.
 *
 * Attributes, which are obeyed whenever they change:
 * - `env`, a name in the manifest; `manifest`, its address (default: beside this module's folder);
 * - `policy`, the address of a .minnow file, or "script" (default: the manifest's policy);
 * - `seed`, a whole number, 0 to 2^53 - 1; `replay`, the address of a replay's file, or a link that carries one;
 * - `controls`: panels, keys, touch and dropped files; without it there is the picture alone, and a click on it pauses;
 * - `panels`, names of panels.js with a space between: only these are seen;
 * - `standalone`: the page is this demo's own. It has the keys at once, loads at once, and plays what the page's address carries.
 *
 * Events: events.js. Properties for scripts: `ready`, a promise; `game` (game.js); `journal` (journal.js); `store` (store.js); `open(policy, name)`,
 * `pause()`, `play()`, `step()`, `reset(seed)`, `seek(tick)`; `replay()`, the bytes of a replay, and `follow(bytes, files)`.
 */

import { answer } from "./answer.js";
import { Attributes, followAddress, seed } from "./attributes.js";
import { Canvas } from "./canvas.js";
import { breathe, framed, idle } from "./clock.js";
import { thrown } from "./errors.js";
import { say } from "./events.js";
import { frames, still } from "./frames.js";
import { Furniture, rooms } from "./furniture.js";
import { load } from "./loader.js";
import { Store } from "./store.js";
import { sheet } from "./style.js";
import { Veil } from "./veil.js";

const NEAR = "300px"; // to the window, at which a demo loads

class MinnowDemo extends HTMLElement {
  static observedAttributes = ["env", "manifest", "policy", "seed", "replay", "controls", "panels"];
  /** @type {Store | null} null until what the demo is made of is there */
  store = null;
  /** @type {Promise<void>} */
  ready = Promise.resolve();
  /** @type {Attributes | null} */
  #attributes = null;

  /** @type {HTMLCanvasElement | null} */
  canvas = null;
  /** @type {Canvas | null} */
  picture = null;
  /** @type {import("./controls.js").Controls | null} what a person's keys and pointer do; null until the game is seen */
  hands = null;

  connectedCallback() {
    this.listeners?.abort(); // of a first try
    const { signal } = (this.listeners = new AbortController());
    this.store = this.#attributes = this.hands = null;
    const [places, veil] = [rooms(), new Veil()];
    this.canvas = places.canvas;
    places.stage.append(veil.element);
    const root = this.shadowRoot ?? this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [sheet];
    root.replaceChildren(places.demo);
    this.ready = this.#near(signal).then(() => this.#load(places, veil, signal));
  }

  disconnectedCallback() {
    this.listeners?.abort();
  }

  /**
   * @param {string} name
   * @param {string | null} before
   * @param {string | null} now
   */
  attributeChangedCallback(name, before, now) {
    if (!this.listeners || this.listeners.signal.aborted || before === now) return;
    if (name === "env" || name === "manifest") this.connectedCallback();
    else this.ready = this.ready.then(() => this.#attributes?.obey(name));
  }

  /**
   * The moment at which this comes near the window. From then on frames are drawn while it is there.
   *
   * @param {AbortSignal} signal of the end
   * @returns {Promise<void>}
   */
  #near(signal) {
    return new Promise((resolve) => {
      if (this.hasAttribute("standalone")) resolve();
      const eye = new IntersectionObserver(
        (entries) => {
          const seen = entries[entries.length - 1].isIntersecting;
          if (seen) resolve();
          if (seen) this.store?.clock.wake();
          else this.store?.clock.stop();
        },
        { rootMargin: NEAR },
      );
      eye.observe(this);
      signal.addEventListener("abort", () => eye.disconnect());
    });
  }

  /**
   * @param {import("./furniture.js").Rooms} places
   * @param {Veil} veil
   * @param {AbortSignal} signal of the end
   */
  async #load(places, veil, signal) {
    if (signal.aborted) return;
    const env = this.getAttribute("env") ?? "";
    const manifest = new URL(this.getAttribute("manifest") ?? new URL("../manifest.json", import.meta.url).href, document.baseURI);
    try {
      const { parts, spec, module, whole, learn, space, stage, own, onnx, policy, policyName, stages } = await load(manifest, env, this.getAttribute("policy"), veil.loading(env));
      if (signal.aborted) return;
      const store = (this.store = new Store(spec, module, whole, learn, parts));
      store.seed = seed(this) ?? store.seed;
      store.onnx = onnx;
      store.paint = (canvas) => new Canvas(canvas, spec, space && new space.Space(spec, null));
      const solid = space && new space.Space(spec, null);
      const picture = (this.picture = new Canvas(places.canvas, spec, solid));
      const furniture = this.#build(store, solid, places, veil, signal);
      const attributes = (this.#attributes = new Attributes(this, store, furniture, own, stages));
      await breathe();
      if (await still(store, picture, policy)) veil.lower();
      const file = (store.own = await policy);
      if (signal.aborted) return;
      await store.open(file ? [file] : [], policyName);
      attributes.offerStages();
      if (this.hasAttribute("replay")) await attributes.obey("replay");
      if (this.hasAttribute("standalone")) await followAddress(store, signal);
      if (signal.aborted) return;
      if (!store.fault && !matchMedia("(prefers-reduced-motion: reduce)").matches) store.play();
      frames(this, store, picture, furniture);
      await framed(); // the game is seen before what answers to people, and what stands around it, is made
      if (signal.aborted) return;
      this.hands = answer(this, store, picture, solid, signal);
      furniture.listen(signal);
      await attributes.obey("panels");
      say(this, "ready", { env });
      if (stage) void idle().then(() => void (signal.aborted || solid?.raise(stage, places.stage)));
    } catch (error) {
      veil.tell({ error, ways: [["Try again", () => this.connectedCallback()]] });
      say(this, "fault", { env, message: thrown(error) });
    }
  }

  /**
   * What is told when something changes.
   *
   * @param {Store} store
   * @param {import("./space.js").Space | null} space of an environment that lies there
   * @param {import("./furniture.js").Rooms} places
   * @param {Veil} veil
   * @param {AbortSignal} signal
   */
  #build(store, space, places, veil, signal) {
    const [{ spec }, { canvas, stage, demo }] = [store, places];
    demo.style.setProperty("--aspect", String(spec.view_width / spec.view_height));
    canvas.setAttribute("aria-label", `${spec.title}: ${spec.description}`);
    const furniture = new Furniture(store, places);
    let told = /** @type {unknown} */ (null);
    store.watch(() => {
      if (stage.lastChild !== veil.element) stage.append(veil.element); // it covers what was added
      if (store.person < 0) this.hands?.release();
      if (store.fault) veil.tell(store.fault);
      else if (store.game) veil.cover();
      if (store.fault && store.fault !== told) say(this, "fault", { env: spec.name, message: String(Reflect.get(Object(store.fault.error), "message")) });
      told = store.fault;
      for (const { settle } of furniture.shown) if (store.game) settle?.(store.game);
    });
    signal.addEventListener("abort", () => (store.clock.stop(), space?.stage?.renderer.dispose()));
    return furniture;
  }

  // For scripts.

  get game() {
    return this.store?.game ?? null;
  }

  get journal() {
    return this.store?.journal ?? null;
  }

  get spec() {
    return this.store?.spec ?? null;
  }

  /** The slot that a person drives, or -1. */
  get person() {
    return this.store?.person ?? -1;
  }

  /**
   * @param {Uint8Array | null} policy the bytes of a .minnow file; null: the script plays
   * @param {string} name shown
   */
  async open(policy, name) {
    await this.store?.open(policy ? [policy] : [], name);
  }

  play() {
    this.store?.play();
  }

  pause() {
    this.store?.pause();
  }

  step() {
    this.store?.step();
  }

  /** @param {number} [seed] a whole number, 0 to 2^53 - 1; the present one */
  reset(seed) {
    this.store?.reset(seed);
  }

  /** @param {number} tick that was played */
  seek(tick) {
    this.store?.seek(tick);
  }

  replay() {
    return this.store?.replay() ?? null;
  }

  /**
   * @param {Uint8Array} bytes of a replay
   * @param {Uint8Array[]} more files of policies that it was played with
   */
  async follow(bytes, more = []) {
    await this.store?.follow(bytes, more);
  }
}

customElements.define("minnow-demo", MinnowDemo);
