/**
 * What the parts of the page share, and nothing else is: the game with its journal, who is looked at, who drives, the clock, what to
 * tell. A change made through the methods is told to those who watch; whoever sets a property says `changed()`.
 */

import { Clock } from "./clock.js";
import { Game, PERSON, POLICY, PolicyError, RANDOM, SCRIPT } from "./game.js";
import { fetchModule } from "./loader.js";
import { decode, encode, misfit } from "./replay.js";
import { sha256 } from "./sha256.js";

/** @typedef {import("./spec.js").Spec} Spec @typedef {import("./stages.js").Stage} Stage */
/** @typedef {{error: unknown, ways: [string, () => void][]}} Fault what went wrong, and the ways out of it */

const LEFT_OUT = [60, 80]; // error numbers: an operation or a kind of action that a module may lack

/** @param {Uint8Array[]} files */
const called = (files) => files.map((_, i) => (i ? `policy ${i + 1}` : "policy"));

const SHORT = 5; // s that are too short an episode for a person

export class Store {
  /** @type {Game | null} */
  game = null;
  /** The slot that a person drives, or -1, and who drove it before. */
  person = -1;
  former = POLICY;
  /** The slot that is looked at while no person plays. */
  focus = 0;
  seed = 1;
  /** The policy's file. */
  policy = { name: "", size: 0 };
  /** @type {string[]} what the game's policies are called where a player is given one */
  names = [];
  /** @type {Stage[]} of the policy's training, earliest first */
  stages = [];
  message = "";
  wrong = false;
  /** @type {Set<{follow: (game: Game) => void}>} games beside this one, which go where it goes: compare/twin.js */
  twins = new Set();
  /** @type {(canvas: HTMLCanvasElement) => import("./canvas.js").Canvas} a further picture */
  paint = () => {
    throw new Error("there is no picture");
  };
  /** @type {URL | null} the site's policy as ONNX, where the site has that; and that policy's file */
  onnx = null;
  /** @type {Uint8Array | null} */
  own = null;
  /** Whether the list of keys is open. */
  helping = false;
  /** @type {Fault | null} */
  fault = null;
  /** @type {{journal: import("./journal.js").Journal | null, ticks: number}} what was recorded, and how long */
  #replay = { journal: null, ticks: 0 };
  /** @type {Set<() => void>} */
  #watchers = new Set();

  /**
   * @param {Spec} spec
   * @param {WebAssembly.Module} module
   * @param {URL | null} whole the module that knows all operations
   * @param {URL | null} learn what the panel for learning is made of
   * @param {Record<string, string>} parts addresses of what is loaded when its panel is opened: later.js
   */
  constructor(spec, module, whole, learn = null, parts = {}) {
    this.spec = spec;
    this.module = module;
    this.whole = whole;
    this.learn = learn;
    this.parts = parts;
    this.clock = new Clock(spec.tick_rate);
  }

  /** What entered the game since its start. */
  get journal() {
    return this.game?.journal ?? null;
  }

  /** The slot that the page is about. */
  get shown() {
    return this.person < 0 ? this.focus : this.person;
  }

  /** @param {() => void} watcher called after each change that a person made */
  watch(watcher) {
    this.#watchers.add(watcher);
  }

  changed() {
    this.clock.stir();
    for (const watcher of this.#watchers) watcher();
  }

  /**
   * Starts a game with policies in place of those that there were; the first is everybody's, until others are seated elsewhere. Without
   * any the script plays.
   *
   * @param {Uint8Array[]} files the bytes of .minnow files
   * @param {string} name shown
   */
  async open(files, name) {
    const { spec } = this;
    try {
      const game = await this.create(files);
      for (let slot = 0; slot < spec.slots; slot += 1) {
        const better = slot < spec.agents ? [POLICY, SCRIPT] : [SCRIPT, POLICY];
        game.drive(slot, better.find((driver) => this.offers(driver, slot, game)) ?? PERSON);
      }
      for (const { kind, slot, values } of this.game?.journal.lasting ?? []) game.input(kind, slot, values);
      game.randomize(this.game?.randomized ?? 0);
      this.game = game;
      this.person = -1;
      this.fault = null;
      this.policy = { name, size: files[0]?.length ?? 0 };
      this.names = called(files);
      this.reset();
    } catch (error) {
      if (this.game) return this.#goOn(error);
      if (!(error instanceof PolicyError)) throw error;
      this.fail(error, [["Watch the scripted player instead", () => void this.open([], "").then(() => this.play())]]);
    }
  }

  /**
   * Plays on with what the first policy has become since; with the game there is, if that is one of its kind.
   *
   * @param {Uint8Array} file
   * @param {string} name shown
   */
  async renew(file, name) {
    if (this.policy.name !== name || !this.game?.renew(file)) await this.open([file], name);
  }

  /**
   * Plays on with a policy that is still to be had: a file of the person's own, or a stage of the training.
   *
   * @param {() => Promise<Uint8Array | ArrayBuffer>} fetch
   * @param {string} name shown
   */
  async take(fetch, name) {
    try {
      await this.open([new Uint8Array(await fetch())], name);
    } catch (error) {
      this.#goOn(error);
    }
  }

  /** @param {unknown} error which the game that there was survives */
  #goOn(error) {
    this.fail(error, [["Go on with the game there was", () => ((this.fault = null), this.play())]]);
  }

  /**
   * @param {unknown} error
   * @param {Fault["ways"]} ways
   */
  fail(error, ways) {
    this.clock.running = false;
    this.fault = { error, ways };
    this.changed();
  }

  /**
   * A game; by the module that knows all operations if the page's own lacks what the policy needs.
   *
   * @param {Uint8Array[]} files
   */
  async create(files) {
    try {
      return await Game.create(this.module, this.spec, files);
    } catch (error) {
      if (!this.whole || !(error instanceof PolicyError) || !LEFT_OUT.includes(error.number)) throw error;
      this.module = await fetchModule(this.whole);
      this.whole = null;
      return Game.create(this.module, this.spec, files);
    }
  }

  /**
   * Whether a player can be driven so.
   *
   * @param {number} driver
   * @param {number} slot
   * @param {Game | null} game
   */
  offers(driver, slot, game = this.game) {
    return driver === PERSON || driver === RANDOM || (driver === POLICY ? Boolean(game?.seat(slot)) : this.spec.has_script);
  }

  /**
   * @param {number} slot
   * @param {number} policy which it follows from now on: its place among the game's files, counted from 1; 0: none
   */
  seat(slot, policy) {
    this.game?.sit(slot, policy);
    this.changed();
  }

  /**
   * Lets a slot follow a policy that need not be in the game yet; where it is not, the game begins afresh.
   *
   * @param {number} slot
   * @param {() => Promise<Uint8Array>} fetch
   * @param {string} name shown
   */
  async join(slot, fetch, name) {
    const { game, spec } = this;
    if (!game) return;
    try {
      const file = await fetch();
      const hash = sha256(file);
      const known = game.files.findIndex((each) => sha256(each) === hash) + 1;
      if (!known) {
        const more = await this.create([...game.files, file]);
        for (let each = 0; each < spec.slots; each += 1) {
          more.sit(each, game.seat(each));
          more.drive(each, game.driver(each));
        }
        for (const { kind, slot, values } of game.journal.lasting) more.input(kind, slot, values);
        this.names = [...this.names, name];
        this.game = more;
        this.reset();
      }
      this.seat(slot, known || game.files.length + 1);
      this.drive(slot, POLICY);
    } catch (error) {
      this.#goOn(error);
    }
  }

  /** @param {number} slot */
  takeOver(slot) {
    if (!this.game) return;
    this.game.branch();
    if (this.person === slot) return;
    this.handBack();
    this.former = this.game.driver(slot);
    if (this.former === PERSON) this.former = this.game.seat(slot) ? POLICY : SCRIPT;
    this.person = this.focus = slot;
    this.game.drive(slot, PERSON);
    this.#last(true);
    this.changed();
  }

  /**
   * Where a parameter `limit` ends episodes within a few seconds, too soon for a person, they last as long as may be while one plays.
   *
   * @param {boolean} long
   */
  #last(long) {
    const at = this.spec.param.findIndex(({ name }) => name === "limit");
    const limit = this.spec.param[at];
    if (!this.game || !limit || limit.value >= SHORT * this.spec.tick_rate) return;
    const [from, to] = long ? [limit.value, limit.high] : [limit.high, limit.value];
    if ((this.game.turned(at) ?? limit.value) === from) this.game.turn(at, to); // unless somebody chose another
  }

  handBack() {
    if (!this.game || this.person < 0) return;
    this.game.drive(this.person, this.former);
    this.#last(false);
    this.person = -1;
    this.changed();
  }

  /**
   * Turns to another slot; a person who plays goes there.
   *
   * @param {number} slot
   */
  look(slot) {
    this.focus = slot;
    if (this.person >= 0) this.takeOver(slot);
    else this.changed();
  }

  /**
   * @param {number} slot
   * @param {number} driver
   */
  drive(slot, driver) {
    if (driver === PERSON) return this.takeOver(slot);
    if (slot === this.person) this.former = driver;
    if (slot === this.person) this.handBack();
    this.game?.drive(slot, driver);
    this.changed();
  }

  play() {
    if (!this.game) return;
    this.clock.clear();
    this.clock.running = true;
    this.changed();
  }

  pause() {
    this.clock.running = false;
    this.changed();
  }

  toggle() {
    if (this.clock.running) this.pause();
    else this.play();
  }

  /** Pauses, and advances exactly one tick. */
  step() {
    if (this.clock.running) this.pause();
    this.tick();
  }

  /** Pauses, and goes back exactly one tick. */
  back() {
    if (this.clock.running) this.pause();
    this.seek((this.game?.ticks ?? 0) - 1);
  }

  tick() {
    const { game } = this;
    const entered = game?.journal.entered;
    game?.tick();
    for (const twin of this.twins) if (game) twin.follow(game);
    if (!this.clock.running) this.clock.stir();
    if (game && game.journal === this.#replay.journal && game.ticks === this.#replay.ticks) {
      this.tell("The replay is over. Play on, or take over.", false);
      this.pause();
    }
    if (game?.journal.entered !== entered) this.#follow();
  }

  /**
   * Goes to a tick that was played, earlier or later: see game.js.
   *
   * @param {number} tick
   */
  seek(tick) {
    this.clock.clear();
    this.game?.seek(tick);
    this.#follow();
  }

  /** The file of everything that entered the game since its start: docs/replay.md. Null, and told, where it has none. */
  replay() {
    try {
      return this.game ? encode(this.game.record()) : null;
    } catch (error) {
      this.#goOn(error);
      return null;
    }
  }

  /**
   * Begins a recorded game and follows it, and pauses at its end; an Error in words where that is of another one, or of a policy that
   * is not at hand.
   *
   * @param {Uint8Array} bytes of a replay
   * @param {Uint8Array[]} more files of policies
   */
  async follow(bytes, more = []) {
    const replay = decode(bytes);
    const files = [...(this.game?.files ?? []), ...more];
    const hashes = files.map(sha256);
    for (const stage of [...this.stages].reverse()) {
      if (replay.env !== this.spec.name || replay.policies.every((hash) => hashes.includes(hash))) break;
      hashes.push(sha256(files[files.push(await stage.fetch()) - 1]));
    }
    const fault = misfit(replay, this.spec, hashes);
    if (fault) throw new Error(fault);
    const game = await this.create(replay.policies.map((hash) => files[hashes.indexOf(hash)]));
    game.follow(replay);
    this.#replay = { journal: game.journal, ticks: replay.ticks };
    this.names = called(game.files);
    this.game = game;
    this.fault = null;
    this.message = "";
    const [low, high] = replay.inputs[0].values;
    this.seed = low + high * 2 ** 32;
    this.clock.clear();
    this.#follow();
  }

  /** After inputs that came from the journal: who drives now? */
  #follow() {
    const slots = Array.from({ length: this.spec.slots }, (_, slot) => slot);
    const person = slots.findIndex((slot) => this.game?.driver(slot) === PERSON);
    if (person !== this.person) this.former = this.game?.seat(person) ? POLICY : SCRIPT;
    this.person = person;
    this.changed();
  }

  /**
   * What the person who plays holds.
   *
   * @param {number[]} action one number a head
   */
  hold(action) {
    if (this.game && this.person >= 0 && !this.game.following) this.game.act(this.person, action);
  }

  /**
   * Begins the game afresh.
   *
   * @param {number} seed a whole number, 0 to 2^53 - 1
   */
  reset(seed = this.seed) {
    this.seed = seed;
    this.message = "";
    this.clock.clear();
    this.game?.start(seed);
    this.changed();
  }

  /** @param {number} speed one of clock.js's SPEEDS */
  setSpeed(speed) {
    this.clock.speed = speed;
    this.changed();
  }

  /**
   * @param {string} message words to be told in place of the game's state, until the game begins afresh
   * @param {boolean} wrong whether it says what was wrong
   */
  tell(message, wrong) {
    Object.assign(this, { message, wrong });
    this.changed();
  }

  /** @param {boolean} open the list of keys */
  help(open) {
    this.helping = open;
    this.changed();
  }
}
