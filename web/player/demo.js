/**
 * <minnow-demo env="pong">: one environment with its policy, to watch and to play.
 *
 * Attributes: `env`, a name in the manifest; `manifest`, its address (default: beside the player's folder).
 * Properties for scripts: `ready`, a promise; `game` (game.js); `pause()`, `play()`, `step()`, `reset(seed)`.
 */

import { Canvas } from "./canvas.js";
import { Clock, SPEEDS } from "./clock.js";
import { Controls } from "./controls.js";
import { icon, make } from "./dom.js";
import { Game, PERSON, POLICY, PolicyError, SCRIPT } from "./game.js";
import { gestures } from "./gestures.js";
import { help } from "./help.js";
import { fetchModule, load } from "./loader.js";
import { sliders } from "./sliders.js";
import { stageSlider } from "./stages.js";
import { capital, keyName, number, playerName } from "./spec.js";
import { sheet } from "./style.js";
import { Thoughts } from "./thoughts.js";

const DRIVERS = ["the script", "the policy", "you"];
const LEFT_OUT = [60, 80]; // error numbers: an operation or a kind of action that a module may lack
const MANY = 4; // players; of more, one at a time is shown
const STATE_PAUSE = 1000; // ms between two changes of the state line, so that a screen reader can follow
const LARGEST_SEED = Number.MAX_SAFE_INTEGER;

/**
 * What a policy's file says of its making, in words.
 *
 * @param {Game} game
 * @param {import("./spec.js").Spec} spec
 */
function provenance(game, spec) {
  const { steps, score, source_hash } = game.meta();
  const parts = [
    typeof steps === "number" && `Trained for ${steps.toLocaleString("en")} steps.`,
    typeof score === "number" && `Mean ${spec.score_name} when it was scored: ${number(score)}.`,
    source_hash && source_hash !== spec.source_hash && "The game has changed since it was trained.",
  ];
  return parts.filter(Boolean).join(" ");
}

/**
 * Shows whether a policy gives on this machine what torch gave when it was exported.
 *
 * @param {HTMLElement} badge
 * @param {import("./game.js").Verdict | null} verdict
 */
function show(badge, verdict) {
  badge.hidden = !verdict;
  if (!verdict) return;
  const size = Number.isNaN(verdict.difference) ? "not a number" : verdict.difference.toExponential(1);
  badge.textContent = verdict.verified ? "verified" : "differs";
  badge.title = `Its golden vectors were replayed here: the difference from torch is ${size}; up to 1e-5 is agreement.`;
  badge.classList.toggle("bad", !verdict.verified);
}

class MinnowDemo extends HTMLElement {
  /** @type {MinnowDemo | null} the demo that the keyboard belongs to */
  static active = null;

  /** @type {Game | null} */
  game = null;
  /** @type {Clock | null} */
  clock = null;
  /** The slot a person drives, and who drove it before. */
  person = -1;
  former = POLICY;
  /** The slot that is looked at while no person plays. */
  seat = 0;
  seed = 1;
  stateChanged = 0;
  message = "";

  /** The slot that the page is about. */
  get shown() {
    return this.person < 0 ? this.seat : this.person;
  }

  connectedCallback() {
    this.listeners = new AbortController();
    const root = this.shadowRoot ?? this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [sheet];
    this.veil = make("div", { className: "veil" });
    this.canvas = make("canvas", { role: "img", style: "aspect-ratio: 4 / 3" });
    this.stage = make("div", { className: "stage" }, this.canvas, this.veil);
    this.state = make("p", { className: "state", role: "status", "aria-live": "polite" });
    this.main = make("div", { className: "main" }, this.stage, this.state);
    this.panel = make("div", { className: "panel" });
    this.frame = make("div", { className: "demo" }, this.main, this.panel);
    root.replaceChildren(this.frame);
    this.ready = this.#load();
  }

  disconnectedCallback() {
    this.clock?.stop();
    this.listeners?.abort();
    if (MinnowDemo.active === this) MinnowDemo.active = null;
  }

  async #load() {
    const env = this.getAttribute("env") ?? "";
    const manifest = new URL(this.getAttribute("manifest") ?? new URL("../manifest.json", import.meta.url).href, document.baseURI);
    const words = make("p", {}, `Loading ${env} …`);
    this.#cover(words, make("progress", { "aria-label": "Loading" }));
    try {
      const parts = await load(manifest, env, (kilobytes) => {
        words.textContent = `Loading ${env}: ${kilobytes.toFixed(0)} KB`;
      });
      this.spec = parts.spec;
      this.module = parts.module;
      this.whole = parts.whole;
      this.#build(parts.spec);
      await this.open(parts.policy, parts.policyName);
      const { policy, policyName, stages } = parts;
      if (policy && stages.length && this.game) {
        const whole = { steps: this.game.meta().steps ?? 0, fetch: async () => policy };
        this.stageBox?.replaceChildren(stageSlider([...stages, whole], (stage) => void this.#stage(stage, policyName)));
      }
      if (!matchMedia("(prefers-reduced-motion: reduce)").matches) this.play();
    } catch (error) {
      this.#fail(error, [["Try again", () => this.connectedCallback()]]);
    }
  }

  /**
   * Covers the picture.
   *
   * @param {...Node} children
   */
  #cover(...children) {
    this.veil?.replaceChildren(...children);
    if (this.veil) this.veil.hidden = !children.length;
  }

  /**
   * @param {unknown} error
   * @param {[string, () => void][]} ways out
   */
  #fail(error, ways) {
    this.pause();
    const title = error instanceof PolicyError ? `Policy file refused: error ${error.number}` : "This demo could not start";
    const words = error instanceof Error ? error.message : String(error);
    this.#cover(
      make("p", { role: "alert" }, make("strong", {}, title), make("br"), words),
      make("div", {}, ...ways.map(([label, onclick]) => make("button", { type: "button", onclick }, label))),
    );
    if (this.state) this.state.textContent = "";
  }

  /**
   * Starts a game with a policy in place of the one there was; null: with the script alone.
   *
   * @param {Uint8Array | null} policy the bytes of a .minnow file
   * @param {string} name shown
   */
  async open(policy, name) {
    const { spec, module } = this;
    if (!spec || !module) return;
    try {
      const game = await this.#create(spec, module, policy);
      for (let slot = 0; slot < spec.slots; slot += 1) {
        const better = slot < spec.agents ? [POLICY, SCRIPT] : [SCRIPT, POLICY];
        game.drive(slot, better.find((driver) => this.#offers(game, driver)) ?? PERSON);
      }
      this.game = game;
      this.person = -1;
      this.#cover();
      if (this.policyNote) {
        this.policyNote.textContent = policy
          ? `${name}, ${(policy.length / 1024).toFixed(0)} KB. ${provenance(game, spec)}`
          : "No policy here yet: a scripted player plays in its place.";
      }
      if (this.proof) show(this.proof, game.verdict);
      if (this.thoughtsCard) this.thoughtsCard.hidden = !policy;
      this.reset();
    } catch (error) {
      if (!this.game && !(error instanceof PolicyError)) throw error;
      const former = this.game;
      this.#fail(error, [
        former
          ? ["Go on with the game there was", () => (this.#cover(), this.play())]
          : ["Watch the scripted player instead", () => void this.open(null, "").then(() => this.play())],
      ]);
    }
  }

  /**
   * Plays on with the policy as it was at a stage of its training.
   *
   * @param {import("./stages.js").Stage} stage
   * @param {string} name of the policy
   */
  async #stage(stage, name) {
    try {
      await this.open(await stage.fetch(), name);
    } catch (error) {
      this.#fail(error, [["Go on with the game there was", () => (this.#cover(), this.play())]]);
    }
  }

  /**
   * Whether a player can be driven so.
   *
   * @param {Game} game
   * @param {number} driver
   */
  #offers(game, driver) {
    return driver === PERSON || (driver === POLICY ? game.hasPolicy : Boolean(this.spec?.has_script));
  }

  /** @param {import("./spec.js").Spec} spec */
  #build(spec) {
    const { canvas, stage, main, panel, state } = this;
    if (!canvas || !stage || !main || !panel || !state) return;
    canvas.style.aspectRatio = `${spec.view_width} / ${spec.view_height}`;
    this.frame?.style.setProperty("--aspect", String(spec.view_width / spec.view_height));
    canvas.setAttribute("aria-label", `${spec.title}: ${spec.description}`);
    this.picture = new Canvas(canvas, spec.view_width, spec.view_height);
    this.controls = new Controls(spec, () => this.takeOver(this.shown));
    this.controls.watch(canvas);
    gestures(spec, this.picture, (kind, x, y, z, value) => this.game?.event(kind, this.shown, x, y, z, value));
    this.chip = make("div", { className: "chip" });
    this.badge = make("div", { className: "paused", hidden: true }, "Paused");
    const keys = make("button", { type: "button", title: "Keys (F1)", onclick: () => this.help?.showModal() }, "Keys ?");
    stage.append(make("div", { className: "foot" }, this.chip, make("span", {}, this.badge, keys)));
    if (this.veil) stage.append(this.veil);

    const button = (/** @type {"play" | "step" | "reset" | "hand"} */ name, /** @type {string} */ label, /** @type {() => void} */ onclick) =>
      make("button", { type: "button", onclick, title: label, "aria-label": label }, icon(name), make("span", {}, label.split(":")[0]));
    this.playButton = button("play", "Play", () => this.toggle());
    this.takeButton = button("hand", "Take over", () => (this.person < 0 ? this.takeOver(this.seat) : this.handBack()));
    this.takeButton.classList.add("primary");
    this.speed = make("select", { title: "Speed", "aria-label": "Speed", onchange: () => this.setSpeed(Number(this.speed?.value)) });
    this.speed.append(...SPEEDS.map((speed) => new Option(`${speed < 1 ? { 0.25: "¼", 0.5: "½" }[speed] : speed}×`, String(speed))));
    this.seedField = make("input", { type: "text", inputMode: "numeric", value: String(this.seed), onchange: () => this.#seedEntered() });
    this.counter = make("span", { className: "note" });
    main.insertBefore(
      make(
        "div",
        { className: "row", role: "toolbar", "aria-label": "Game" },
        this.takeButton,
        this.playButton,
        ...[
          button("step", "Step: one tick", () => this.step()),
          button("reset", "Reset: the same seed again", () => this.reset()),
          make("label", { className: "field" }, make("span", {}, "Speed"), this.speed),
        ].map((part) => (part.classList.add("small"), part)),
        make("label", { className: "field" }, make("span", {}, "Seed"), this.seedField),
      ),
      state,
    );
    panel.replaceChildren(...this.#cards(spec));
    this.help = help(spec);
    this.frame?.append(this.help);

    this.clock?.stop();
    this.clock = new Clock(spec.tick_rate, () => this.game?.tick(), () => this.#feel(), () => this.#show());
    this.#listen();
    this.setSpeed(1);
  }

  /** @param {import("./spec.js").Spec} spec */
  #cards(spec) {
    const many = spec.slots > MANY;
    this.drivers = Array.from({ length: many ? 1 : spec.slots }, (_, slot) => {
      const chosen = () => this.#driverChosen(many ? this.shown : slot, Number(select.value));
      const select = make("select", { id: `driver-${slot}`, onchange: chosen });
      return select;
    });
    this.seats = make("select", { id: "seat", onchange: () => this.look(Number(this.seats?.value)) });
    this.seats.append(...Array.from({ length: spec.slots }, (_, slot) => new Option(playerName(spec, slot), String(slot))));
    this.score = make("b", {}, "–");
    this.last = make("span");
    const players = this.drivers.flatMap((select, slot) => [
      make("label", { htmlFor: select.id }, many ? "Driven by" : playerName(spec, slot)),
      select,
    ]);
    if (many) players.unshift(make("label", { htmlFor: "seat" }, "Watch"), this.seats);
    this.thoughts = new Thoughts(spec);
    this.thoughtsCard = make("section", {}, make("h2", {}, "What the policy thinks"), this.thoughts.element);
    this.stageBox = make("div", { className: "sliders stages" });
    this.policyNote = make("p", { className: "note" });
    this.proof = make("span", { className: "proof", hidden: true });
    const file = make("input", { type: "file", accept: ".minnow", hidden: true, onchange: () => void this.#take(file.files) });
    this.mode = make("select", { onchange: () => this.game?.sample(this.mode?.value === "sampled") }, new Option("likeliest", "greedy"), new Option("drawn", "sampled"));
    const world = sliders(spec.param, (param, value) => this.game?.turn(param, value));
    return [
      make(
        "section",
        {},
        make("h2", {}, "Who plays"),
        make("div", { className: "players" }, ...players),
        make("p", { className: "score" }, make("span", {}, capital(spec.score_name)), this.score),
        make("p", { className: "score", style: "margin-top: 2px" }, this.last, this.counter ?? ""),
        this.stageBox,
      ),
      this.thoughtsCard,
      make("details", { hidden: !world.children.length }, make("summary", {}, "World"), world),
      make(
        "details",
        {},
        make("summary", {}, "Policy file", this.proof),
        this.policyNote,
        make(
          "div",
          { className: "row" },
          make("button", { type: "button", onclick: () => file.click() }, "Try your own …"),
          make("label", { className: "field" }, "Action", this.mode),
          file,
        ),
      ),
    ];
  }

  #listen() {
    const signal = this.listeners?.signal;
    MinnowDemo.active ??= this;
    for (const kind of ["pointerdown", "focusin"]) this.addEventListener(kind, () => (MinnowDemo.active = this), { signal });
    window.addEventListener("keydown", (event) => this.#key(event), { signal });
    window.addEventListener("keyup", (event) => this.controls?.up(event), { signal });
    window.addEventListener("blur", () => this.controls?.release(), { signal });
    this.addEventListener("dragover", (event) => (event.preventDefault(), this.frame?.classList.add("drop")), { signal });
    this.addEventListener("dragleave", () => this.frame?.classList.remove("drop"), { signal });
    this.addEventListener(
      "drop",
      (event) => {
        event.preventDefault();
        this.frame?.classList.remove("drop");
        void this.#take(event.dataTransfer?.files ?? null);
      },
      { signal },
    );
  }

  /**
   * A game; by the module that knows all operations if the page's own lacks what the policy needs.
   *
   * @param {import("./spec.js").Spec} spec
   * @param {WebAssembly.Module} module
   * @param {Uint8Array | null} policy
   */
  async #create(spec, module, policy) {
    try {
      return await Game.create(module, spec, policy);
    } catch (error) {
      if (!this.whole || !(error instanceof PolicyError) || !LEFT_OUT.includes(error.number)) throw error;
      this.module = await fetchModule(this.whole);
      this.whole = null;
      return Game.create(this.module, spec, policy);
    }
  }

  /**
   * A person's own policy file.
   *
   * @param {FileList | null} files
   */
  async #take(files) {
    if (!files?.length) return;
    await this.open(new Uint8Array(await files[0].arrayBuffer()), files[0].name);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (MinnowDemo.active !== this || event.ctrlKey || event.metaKey || event.altKey || this.help?.open || !this.game) return;
    const target = /** @type {HTMLElement} */ (event.composedPath()[0]);
    if (target.matches?.("input, select, textarea, [contenteditable]")) return;
    if (target.matches?.("button, a, summary") && (event.code === "Space" || event.code === "Enter")) return;
    const own = /** @type {Record<string, () => void>} */ ({
      " ": () => this.toggle(),
      ".": () => this.step(),
      "-": () => this.setSpeed(SPEEDS[Math.max(SPEEDS.indexOf(this.clock?.speed ?? 1) - 1, 0)]),
      "+": () => this.setSpeed(SPEEDS[Math.min(SPEEDS.indexOf(this.clock?.speed ?? 1) + 1, SPEEDS.length - 1)]),
      r: () => this.reset(),
      Escape: () => this.handBack(),
      "?": () => this.help?.showModal(),
      F1: () => this.help?.showModal(),
    });
    own["="] = own["+"];
    const control = this.controls?.down(event);
    const command = event.key in own ? own[event.key] : null;
    if (control || command) event.preventDefault(); // arrows would scroll the page
    if (!control && command && (!event.repeat || event.key === ".")) command();
  }

  /** @param {number} slot */
  takeOver(slot) {
    if (!this.game || this.person === slot) return;
    this.handBack();
    this.former = this.game.driver(slot);
    if (this.former === PERSON) this.former = this.game.hasPolicy ? POLICY : SCRIPT;
    this.person = this.seat = slot;
    this.game.drive(slot, PERSON);
    this.#settle();
  }

  /**
   * Turns to another slot; a person who plays goes there.
   *
   * @param {number} slot
   */
  look(slot) {
    this.seat = slot;
    if (this.person >= 0) this.takeOver(slot);
    else this.#settle();
  }

  handBack() {
    if (!this.game || this.person < 0) return;
    this.game.drive(this.person, this.former);
    this.person = -1;
    this.controls?.release();
    this.#settle();
  }

  /**
   * @param {number} slot
   * @param {number} driver
   */
  #driverChosen(slot, driver) {
    if (driver === PERSON) return this.takeOver(slot);
    if (slot === this.person) this.former = driver;
    if (slot === this.person) this.handBack();
    this.game?.drive(slot, driver);
    this.#settle();
  }

  play() {
    if (!this.clock || !this.game) return;
    this.clock.clear();
    this.clock.running = true;
    this.#settle();
  }

  pause() {
    if (!this.clock) return;
    this.clock.running = false;
    this.#settle();
  }

  toggle() {
    if (this.clock?.running) this.pause();
    else this.play();
  }

  /** Pauses, and advances exactly one tick. */
  step() {
    if (this.clock?.running) this.pause();
    this.game?.tick();
  }

  /**
   * Begins the game afresh.
   *
   * @param {number} seed a whole number, 0 to 2^53 - 1
   */
  reset(seed = this.seed) {
    this.seed = seed;
    if (this.seedField) this.seedField.value = String(seed);
    this.clock?.clear();
    this.game?.start(seed);
    this.#settle();
  }

  #seedEntered() {
    const text = this.seedField?.value.trim() ?? "";
    const seed = /^\d+$/.test(text) ? Number(text) : -1;
    const good = seed >= 0 && seed <= LARGEST_SEED;
    this.seedField?.setAttribute("aria-invalid", String(!good));
    this.message = good ? "" : `The seed is "${text}"; it must be a whole number from 0 to ${LARGEST_SEED}.`;
    if (good) this.reset(seed);
    this.#settle();
  }

  /** @param {number} speed one of SPEEDS */
  setSpeed(speed) {
    if (this.clock) this.clock.speed = speed;
    if (this.speed) this.speed.value = String(speed);
    this.#settle();
  }

  /** Before the ticks of a frame: what the person holds. */
  #feel() {
    this.controls?.poll();
    if (this.person >= 0 && this.controls) this.game?.act(this.person, this.controls.action());
  }

  /** After something changed that a person did: buttons, chip, words. */
  #settle() {
    const { game, spec, clock } = this;
    if (!game || !spec || !clock) return;
    if (this.badge) this.badge.hidden = clock.running;
    if (this.playButton) {
      const label = clock.running ? "Pause" : "Play";
      this.playButton.replaceChildren(icon(clock.running ? "pause" : "play"), make("span", {}, label));
      this.playButton.setAttribute("aria-label", label);
      this.playButton.title = `${label} (Space)`;
    }
    const mine = this.person >= 0;
    if (this.takeButton) {
      const label = mine ? "Hand back" : "Take over";
      this.takeButton.querySelector("span")?.replaceChildren(label);
      this.takeButton.setAttribute("aria-label", label);
      this.takeButton.title = mine ? "Hand back to the policy (Esc)" : "Play in its place: press any of its keys";
      this.takeButton.classList.toggle("you", mine);
    }
    if (this.chip) {
      const keys = spec.control.map((control) => control.keys[0]).filter(Boolean).map(keyName);
      const touch = matchMedia("(pointer: coarse)").matches && spec.control.some((control) => control.touch);
      const who = playerName(spec, this.shown);
      this.chip.textContent = mine
        ? `You play${spec.slots > 1 ? ` ${who}` : ""}${touch ? "" : " · Esc hands back"}`
        : `${game.driver(this.shown) === POLICY ? "The policy plays" : "The script plays"} · ${touch ? "touch" : keys.join(" ")} to take over`;
      this.chip.classList.toggle("you", mine);
    }
    if (this.seats) this.seats.value = String(this.shown);
    this.drivers?.forEach((select, index) => {
      const slot = spec.slots > MANY ? this.shown : index;
      const names = ["Script", "Policy", "You"];
      const offered = [POLICY, SCRIPT, PERSON].filter((driver) => this.#offers(game, driver));
      select.replaceChildren(...offered.map((driver) => new Option(names[driver], String(driver))));
      select.value = String(game.driver(slot));
    });
    this.stateChanged = 0;
  }

  /** After the ticks of a frame: picture, figures, words. */
  #show() {
    const { game, spec } = this;
    if (!game || !spec) return;
    const focus = this.shown;
    this.picture?.draw(game.draw(focus, spec.view_width / spec.view_height));
    if (game.hasPolicy) this.thoughts?.update(game, focus);
    const set = (/** @type {HTMLElement | undefined} */ element, /** @type {string} */ text) => {
      if (element && element.textContent !== text) element.textContent = text;
    };
    set(this.score, number(game.score(focus)));
    set(this.last, game.episodes ? `Game ${game.episodes + 1}, last ended ${number(game.finalScore(focus))}` : "Game 1");
    set(this.counter, `tick ${game.ticks}`);
    const now = performance.now();
    if (now - this.stateChanged < STATE_PAUSE) return;
    this.stateChanged = now;
    this.state?.classList.toggle("bad", Boolean(this.message));
    set(this.state, this.message || this.#words(game, spec, focus));
  }

  /**
   * The game in words.
   *
   * @param {Game} game
   * @param {import("./spec.js").Spec} spec
   * @param {number} focus
   */
  #words(game, spec, focus) {
    const speed = this.clock?.speed === 1 ? "" : ` at ${this.clock?.speed}×`;
    const doing = this.clock?.running ? `Playing${speed}` : "Paused";
    const slots = spec.slots > MANY ? [focus] : Array.from({ length: spec.slots }, (_, slot) => slot);
    const driving = slots.map((slot) => {
      const who = DRIVERS[game.driver(slot)];
      return `${who} ${who === "you" ? "drive" : "drives"} ${spec.slots > 1 ? playerName(spec, slot) : "it"}`;
    });
    return `${doing}: ${driving.join(", ")}. ${capital(spec.score_name)}: ${number(game.score(focus))}.`;
  }
}

customElements.define("minnow-demo", MinnowDemo);
