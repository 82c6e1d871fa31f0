/** A form that makes a link to a lesson: words, what is seen, and the game as it stands. */

import { SPEEDS } from "../clock.js";
import { make, put } from "../dom.js";
import { thrown } from "../errors.js";
import { RANDOM, SCRIPT } from "../game.js";
import { LONGEST } from "../link.js";
import { decode, encode, FRAGMENT, SIZES } from "../lesson/link.js";
import { RANDOMIZATION } from "../panels/world.js";
import { sheet } from "../lesson/style.js";

/** @typedef {import("../store.js").Store} Store */

const FIXED = ["lesson", "foot", "state", "help", "teach"]; // panels that are no matter of choice

/**
 * Who plays now, as a lesson says it.
 *
 * @param {Store} store
 */
function policyNow({ game, stages }) {
  const driver = game?.driver(0);
  if (driver === SCRIPT) return "script";
  if (driver === RANDOM) return "random";
  const steps = game?.meta().steps;
  const at = stages.findIndex((stage) => stage.steps === steps);
  return at < 0 || at === stages.length - 1 ? "best" : String(at + 1);
}

/** @param {Store} store */
function worldNow({ game, spec }) {
  const turned = spec.param.flatMap(({ name, value }, i) => {
    const now = game?.turned(i) ?? value;
    return now === value ? [] : [[name, now]];
  });
  return Object.fromEntries(game?.randomized ? [...turned, [RANDOMIZATION.name, game.randomized]] : turned);
}

/**
 * @param {Store} store
 * @returns {import("../later.js").Loaded}
 */
export function open(store) {
  const line = (/** @type {string} */ label, /** @type {number} */ maxLength) => {
    const input = make("input", { type: "text", maxLength });
    return { label: make("label", {}, label, input), input };
  };
  const area = (/** @type {string} */ label, /** @type {number} */ maxLength, rows = 3) => {
    const input = make("textarea", { rows, maxLength });
    return { label: make("label", {}, label, input), input };
  };
  const title = line("Title", SIZES.title);
  const text = area("What it is about", SIZES.text, 4);
  const tasks = area("Things to do, one a line", SIZES.tasks * SIZES.task, 4);
  const question = area("A question", SIZES.question, 2);
  const answer = area("Your answer to it, seen when the pupil asks", SIZES.answer, 2);
  const picks = make("fieldset", {}, make("legend", {}, "What is seen"));
  const note = make("p", { className: "note", role: "status" }, "The seed, the speed, who plays and the world are taken as they are when you copy.");
  const field = make("input", { type: "text", readOnly: true, hidden: true, "aria-label": "Link to the lesson", onfocus: () => field.select() });

  /** @type {[string, HTMLInputElement][]} */
  let boxes = [];
  const offer = () => {
    const host = /** @type {ShadowRoot} */ (element.getRootNode()).host;
    const found = [...(host.shadowRoot?.querySelectorAll('[part~="panel"]') ?? [])].filter((panel) => !panel.hasAttribute("hidden"));
    boxes = found.flatMap((panel) => {
      const name = panel.part[1];
      if (FIXED.includes(name)) return [];
      const box = make("input", { type: "checkbox", checked: true });
      return [[name, box]];
    });
    const words = (/** @type {string} */ name) => host.shadowRoot?.querySelector(`[part~="${name}"] > :is(h2, summary)`)?.firstChild?.textContent ?? name;
    picks.replaceChildren(make("legend", {}, "What is seen"), ...boxes.map(([name, box]) => make("label", { className: "pick" }, box, words(name))));
  };

  /** The link; "", and told, where something is missing. */
  const link = () => {
    const host = /** @type {ShadowRoot} */ (element.getRootNode()).host;
    const shown = boxes.filter(([, box]) => box.checked).map(([name]) => name);
    const isOpen = (/** @type {string} */ name) => host.shadowRoot?.querySelector(`details[part~="${name}"]`)?.hasAttribute("open");
    const made = encode(location.href, store.spec.name, {
      title: title.input.value.trim(),
      text: text.input.value.trim(),
      tasks: tasks.input.value.split("\n").map((task) => task.trim()).filter(Boolean),
      question: question.input.value.trim(),
      answer: answer.input.value.trim(),
      world: worldNow(store),
      policy: policyNow(store),
      drawn: Boolean(store.game?.sampled),
      seed: store.seed,
      speed: store.clock.speed,
      show: shown.length === boxes.length ? [] : shown,
      open: shown.filter(isOpen),
    });
    try {
      const fragment = new URL(made).hash;
      if (fragment.length > LONGEST) throw new Error(`the link would have ${fragment.length.toLocaleString("en")} characters; ${LONGEST.toLocaleString("en")} are the most. Write less.`);
      decode(store.spec, { panels: boxes.map(([name]) => name), stages: store.stages.length, speeds: SPEEDS }, fragment);
      return made;
    } catch (error) {
      put(note, `Not yet: ${thrown(error)}`);
      return "";
    }
  };
  const copy = async () => {
    const made = link();
    field.hidden = !made;
    if (!made) return;
    field.value = made;
    try {
      await navigator.clipboard.writeText(made);
      put(note, `Copied: ${made.length.toLocaleString("en")} characters.`);
    } catch {
      field.select(); // the browser does not let pages write there
      put(note, "Copy this link:");
    }
  };
  const attempt = () => {
    const made = link();
    if (made) location.hash = new URL(made).hash;
  };
  const button = (/** @type {string} */ label, /** @type {() => void} */ onclick) => make("button", { type: "button", onclick }, label);
  const form = [title, text, tasks, question, answer].map(({ label }) => label);
  const row = make("div", { className: "row" }, button("Copy link", () => void copy()), button("Try it", attempt));
  const element = make("div", { className: "teach-form" }, ...form, picks, note, field, row);
  return { element, sheet, shown: (now) => now && !location.hash.startsWith(FRAGMENT) && offer() };
}
