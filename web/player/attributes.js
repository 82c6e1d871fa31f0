/** What the attributes of a demo ask of its game, at the beginning and whenever one changes. */

import { fromLink } from "./link.js";
import { bytes, choose } from "./loader.js";

/** @typedef {import("./store.js").Store} Store */

/**
 * The seed that is asked for; null: any; an Error in words where it is none.
 *
 * @param {Element} demo
 */
export function seed(demo) {
  const text = demo.getAttribute("seed");
  if (text === null) return null;
  if (/^\d+$/.test(text) && Number.isSafeInteger(Number(text))) return Number(text);
  throw new Error(`the attribute seed is "${text.slice(0, 40)}"; it must be a whole number from 0 to ${Number.MAX_SAFE_INTEGER}.`);
}

/**
 * Plays a replay, if there is one.
 *
 * @param {Store} store
 * @param {() => Uint8Array | null | Promise<Uint8Array | null>} find
 */
export async function follow(store, find) {
  try {
    const replay = await find();
    if (replay) await store.follow(replay);
  } catch (error) {
    store.fail(error, [["Play without it", () => ((store.fault = null), store.play())]]);
  }
}

/**
 * Plays the replay that the page's address carries, if it does, now and whenever it changes.
 *
 * @param {Store} store
 * @param {AbortSignal} signal of the end
 */
export async function followAddress(store, signal) {
  const obey = () => follow(store, () => fromLink(location.hash));
  window.addEventListener("hashchange", () => void obey().then(() => store.fault ?? store.play()), { signal });
  await obey();
}

/**
 * The bytes that the attribute `replay` stands for; null without it.
 *
 * @param {Element} demo
 */
async function replay(demo) {
  const text = demo.getAttribute("replay");
  if (!text) return null;
  const { href, hash } = new URL(text, document.baseURI);
  return fromLink(hash) ?? bytes(new URL(href));
}

export class Attributes {
  /**
   * @param {Element} demo
   * @param {Store} store
   * @param {import("./furniture.js").Furniture} furniture
   * @param {URL | null} own policy of the environment
   * @param {Store["stages"]} stages of that
   */
  constructor(demo, store, furniture, own, stages) {
    this.demo = demo;
    this.store = store;
    this.furniture = furniture;
    this.own = own;
    this.stages = stages;
  }

  /**
   * Does what an attribute says now.
   *
   * @param {string} name
   */
  async obey(name) {
    const { demo, store } = this;
    try {
      if (name === "controls" || name === "panels") await this.furniture.show(demo.hasAttribute("controls") ? (demo.getAttribute("panels") ?? "") : null);
      if (name === "seed") store.reset(seed(demo) ?? undefined);
      if (name === "policy") await this.#open(choose(this.own, store.spec.name, demo.getAttribute("policy")));
      if (name === "replay") await follow(store, () => replay(demo));
    } catch (error) {
      store.fail(error, [["Go on", () => ((store.fault = null), store.play())]]);
    }
  }

  /** @param {ReturnType<typeof choose>} place of a policy */
  async #open(place) {
    await this.store.open(place ? [await bytes(place.url)] : [], place?.name ?? "");
    this.offerStages();
  }

  /** Offers the stages of the environment's own policy, while that plays. */
  offerStages() {
    const { store, stages } = this;
    const { game } = store;
    const own = game?.hasPolicy && !this.demo.hasAttribute("policy");
    store.stages = own ? [...stages, { steps: game.meta().steps ?? 0, fetch: async () => game.files[0] }] : [];
    store.changed();
  }
}
