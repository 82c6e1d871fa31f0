/** Who plays, the score, and the stages of the policy's training. */

import { make, put } from "../dom.js";
import { PERSON, POLICY, SCRIPT } from "../game.js";
import { capital, number, playerName } from "../spec.js";
import { MANY } from "./state.js";
import { stageSlider } from "../stages.js";

const NAMES = ["Script", "Policy", "You"];

/**
 * @param {import("../store.js").Store} store
 * @returns {import("../panels.js").Panel}
 */
export function players(store) {
  const { spec } = store;
  const many = spec.slots > MANY; // then one at a time is shown
  const drivers = Array.from({ length: many ? 1 : spec.slots }, (_, slot) => {
    const chosen = () => store.drive(many ? store.shown : slot, Number(select.value));
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
  let staged = store.stages;
  return {
    element: make(
      "section",
      {},
      make("h2", {}, "Who plays"),
      make("div", { className: "players" }, ...rows),
      make("p", { className: "score" }, make("span", {}, capital(spec.score_name)), score),
      make("p", { className: "score", style: "margin-top: 2px" }, last, counter),
      stages,
    ),
    settle(game) {
      seats.value = String(store.shown);
      drivers.forEach((select, index) => {
        const slot = many ? store.shown : index;
        const offered = [POLICY, SCRIPT, PERSON].filter((driver) => store.offers(driver, slot));
        select.replaceChildren(...offered.map((driver) => new Option(NAMES[driver], String(driver))));
        select.value = String(game.driver(slot));
      });
      if (staged === store.stages) return;
      staged = store.stages;
      const { name } = store.policy;
      if (staged.length > 1) stages.replaceChildren(stageSlider(staged, (stage) => void store.take(stage.fetch, name)));
    },
    frame(game) {
      put(score, number(game.score(store.shown)));
      put(last, game.episodes ? `Game ${game.episodes + 1}, last ended ${number(game.finalScore(store.shown))}` : "Game 1");
      put(counter, `tick ${game.ticks}`);
    },
  };
}
