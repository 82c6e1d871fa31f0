/** Who plays, the score, and the stages of the policy's training. */

import { seldom } from "../clock.js";
import { make, put } from "../dom.js";
import { PERSON, POLICY, RANDOM, SCRIPT } from "../game.js";
import { capital, number, playerName } from "../spec.js";
import { MANY } from "./state.js";
import { stageSlider, stepsInWords } from "../stages.js";

/** @typedef {import("../store.js").Store} Store @typedef {import("../game.js").Game} Game */
/** @typedef {{name: string, now: boolean, choose: () => void}} Choice `now`: it is the one in force */

/**
 * Whom a player may be driven by; of several players each may follow a policy of its own.
 *
 * @param {Store} store
 * @param {Game} game
 * @param {number} slot
 * @returns {Choice[]}
 */
function choices(store, game, slot) {
  const driver = game.driver(slot);
  const follow = (/** @type {number} */ policy) => (game.seat(slot) === policy || store.seat(slot, policy), store.drive(slot, POLICY));
  const policies = store.names.map((name, i) => ({
    name: capital(name),
    now: driver === POLICY && game.seat(slot) === i + 1,
    choose: () => follow(i + 1),
  }));
  const others = /** @type {[string, number][]} */ ([["Script", SCRIPT], ["You", PERSON], ["Random", RANDOM]])
    .filter(([, each]) => store.offers(each, slot))
    .map(([name, each]) => ({ name, now: driver === each, choose: () => store.drive(slot, each) }));
  const stages = store.spec.slots > 1 ? store.stages : [];
  const joining = stages
    .map(({ steps, fetch }) => ({ name: `policy, ${stepsInWords(steps)}`, fetch }))
    .filter(({ name }) => !store.names.includes(name))
    .map(({ name, fetch }) => ({ name: `${capital(name)}: new game`, now: false, choose: () => void store.join(slot, fetch, name) }));
  return [...policies, ...others, ...joining];
}

/**
 * @param {import("../store.js").Store} store
 * @returns {import("../panels.js").Panel}
 */
export function players(store) {
  const { spec } = store;
  const many = spec.slots > MANY; // then one at a time is shown
  const drivers = Array.from({ length: many ? 1 : spec.slots }, (_, slot) => {
    const chosen = () => store.game && choices(store, store.game, many ? store.shown : slot)[select.selectedIndex].choose();
    const select = make("select", { id: `driver-${slot}`, onchange: chosen });
    return select;
  });
  const seats = make("select", { id: "seat", onchange: () => store.look(Number(seats.value)) });
  const rows = drivers.flatMap((select, slot) => [
    make("label", { htmlFor: select.id }, many ? "Driven by" : playerName(spec, slot)),
    select,
  ]);
  if (many) {
    seats.append(...Array.from({ length: spec.slots }, (_, slot) => new Option(playerName(spec, slot), String(slot))));
    rows.unshift(make("label", { htmlFor: "seat" }, "Watch"), seats);
  }
  const score = make("b", {}, "–");
  const last = make("span");
  const counter = make("span", { className: "note" });
  const stages = make("div", { className: "sliders stages" });
  /** @type {Store["stages"] | null} */
  let staged = null;
  return {
    element: make(
      "section",
      {},
      make("h2", {}, "Who plays"),
      make("div", { className: "players" }, ...rows),
      make("p", { className: "score" }, make("span", {}, capital(spec.score_name)), score),
      make("p", { className: "score fine" }, last, counter),
      stages,
    ),
    settle(game) {
      seats.value = String(store.shown);
      drivers.forEach((select, index) => {
        const offered = choices(store, game, many ? store.shown : index);
        select.replaceChildren(...offered.map(({ name, now }) => new Option(name, name, now, now)));
      });
      if (staged === store.stages) return;
      staged = store.stages;
      const { name } = store.policy;
      if (staged.length > 1) stages.replaceChildren(stageSlider(staged, (stage) => void store.take(stage.fetch, name)));
    },
    frame: seldom(store, (/** @type {Game} */ game) => {
      put(score, number(game.score(store.shown)));
      put(last, game.episodes ? `Game ${game.episodes + 1}, last ended ${number(game.finalScore(store.shown))}` : "Game 1");
      put(counter, `tick ${game.ticks}`);
    }),
  };
}
