/**
 * <minnow-demo env="pong">: one environment with its policy, to watch and to play.
 *
 * Attributes: `env`, a name in the manifest; `manifest`, its address (default: beside the player's folder).
 * Properties for scripts: `ready`, a promise; `game` (game.js); `journal` (journal.js); `store` (store.js); `open(policy, name)`,
 * `pause()`, `play()`, `step()`, `reset(seed)`, `seek(tick)`; `replay()`, the bytes of a replay, and `follow(bytes, files)`.
 */

import { Canvas } from "./canvas.js";
import { Controls } from "./controls.js";
import { make } from "./dom.js";
import { gestures } from "./gestures.js";
import { listen } from "./keyboard.js";
import { fromLink } from "./link.js";
import { load } from "./loader.js";
import { PANELS } from "./panels.js";
import { Store } from "./store.js";
import { sheet } from "./style.js";
import { Veil } from "./veil.js";

class MinnowDemo extends HTMLElement {
  /** @type {Store | null} null until what the demo is made of is there */
  store = null;

  connectedCallback() {
    this.listeners?.abort(); // of a first try
    this.listeners = new AbortController();
    this.veil = new Veil();
    this.canvas = make("canvas", { role: "img", style: "aspect-ratio: 4 / 3" });
    this.stage = make("div", { className: "stage" }, this.canvas, this.veil.element);
    this.main = make("div", { className: "main" }, this.stage);
    this.panel = make("div", { className: "panel" });
    this.frame = make("div", { className: "demo" }, this.main, this.panel);
    const root = this.shadowRoot ?? this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [sheet];
    root.replaceChildren(this.frame);
    this.ready = this.#load(this.veil, this.listeners.signal);
  }

  disconnectedCallback() {
    this.listeners?.abort();
  }

  /**
   * @param {Veil} veil
   * @param {AbortSignal} signal of the end
   */
  async #load(veil, signal) {
    const env = this.getAttribute("env") ?? "";
    const manifest = new URL(this.getAttribute("manifest") ?? new URL("../manifest.json", import.meta.url).href, document.baseURI);
    try {
      const { parts, spec, module, whole, learn, flatten, policy, policyName, stages } = await load(manifest, env, veil.loading(env));
      const store = (this.store = new Store(spec, module, whole, learn, parts));
      this.#build(store, flatten, signal);
      await store.open(policy ? [policy] : [], policyName);
      if (policy && store.game) {
        store.stages = [...stages, { steps: store.game.meta().steps ?? 0, fetch: async () => policy }];
        store.changed();
      }
      window.addEventListener("hashchange", () => void this.#follow(store).then(() => store.fault ?? store.play()), { signal });
      await this.#follow(store);
      if (!store.fault && !matchMedia("(prefers-reduced-motion: reduce)").matches) store.play();
    } catch (error) {
      veil.tell({ error, ways: [["Try again", () => this.connectedCallback()]] });
    }
  }

  /**
   * Plays the replay in the page's address, if there is one.
   *
   * @param {Store} store
   */
  async #follow(store) {
    try {
      const replay = fromLink(location.hash);
      if (replay) await store.follow(replay);
    } catch (error) {
      store.fail(error, [["Play without it", () => ((store.fault = null), store.play())]]);
    }
  }

  /**
   * @param {Store} store
   * @param {import("./canvas.js").Flatten | null} flatten of an environment in space
   * @param {AbortSignal} signal
   */
  #build(store, flatten, signal) {
    const { spec } = store;
    const { canvas, stage, main, panel, frame, veil } = this;
    if (!canvas || !stage || !main || !panel || !frame || !veil) return;
    canvas.style.aspectRatio = `${spec.view_width} / ${spec.view_height}`;
    frame.style.setProperty("--aspect", String(spec.view_width / spec.view_height));
    canvas.setAttribute("aria-label", `${spec.title}: ${spec.description}`);
    const picture = new Canvas(canvas, spec, flatten);
    const controls = (this.controls = new Controls(spec, () => store.takeOver(store.shown)));
    controls.watch(canvas);
    gestures(spec, picture, (event) => store.game?.event(store.shown, event));

    const panels = Object.values(PANELS).map((make) => make(store));
    const places = { stage, main, panel, demo: frame };
    for (const { element, place } of panels) places[place ?? "panel"].append(element);
    stage.append(veil.element); // it covers what was added
    store.watch(() => {
      if (store.person < 0) controls.release();
      if (store.fault) veil.tell(store.fault);
      else if (store.game) veil.cover();
      for (const { settle } of panels) if (store.game) settle?.(store.game);
    });
    store.clock.start(
      () => store.tick(),
      () => {
        controls.poll();
        if (store.person >= 0) store.hold(controls.action());
      },
      () => {
        if (!store.game) return;
        try {
          picture.draw(store.game.draw(store.shown, spec.view_width / spec.view_height));
        } catch (error) {
          if (!store.fault) store.fail(error, [["Go on", () => ((store.fault = null), store.play())]]);
        }
        for (const { frame } of panels) frame?.(store.game);
      },
    );
    signal.addEventListener("abort", () => store.clock.stop());
    listen(this, store, controls, signal);
    this.#takeFiles(store, frame, signal);
  }

  /**
   * A policy's file that is dropped anywhere on the demo plays.
   *
   * @param {Store} store
   * @param {HTMLElement} frame
   * @param {AbortSignal} signal
   */
  #takeFiles(store, frame, signal) {
    this.addEventListener("dragover", (event) => (event.preventDefault(), frame.classList.add("drop")), { signal });
    this.addEventListener("dragleave", () => frame.classList.remove("drop"), { signal });
    this.addEventListener(
      "drop",
      (event) => {
        event.preventDefault();
        frame.classList.remove("drop");
        const file = event.dataTransfer?.files[0];
        if (file) void store.take(() => file.arrayBuffer(), file.name);
      },
      { signal },
    );
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
