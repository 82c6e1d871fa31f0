/** A lesson: its words beside the game, which it has set up. */

import { SPEEDS } from "../clock.js";
import { make } from "../dom.js";
import { POLICY, RANDOM, SCRIPT } from "../game.js";
import { RANDOMIZATION } from "../panels/world.js";
import { decode } from "./link.js";
import { sheet } from "./style.js";

/** @typedef {import("../store.js").Store} Store @typedef {import("./link.js").Lesson} Lesson */

const ALWAYS = ["lesson", "foot", "state", "help"]; // what nobody may do without: the words, who plays, the live region, the keys

/**
 * The names of all panels that a demo has now.
 *
 * @param {Element} demo
 */
export function panelNames(demo) {
  const all = demo.shadowRoot?.querySelectorAll('[part~="panel"]') ?? [];
  return [...all].map((element) => element.part[1]);
}

/** @param {string} text */
const paragraphs = (text) => text.split(/\n\s*\n/).filter((part) => part.trim()).map((part) => make("p", {}, part.trim()));

/** @param {Lesson} lesson */
function write({ title, text, tasks, question, answer }) {
  const steps = tasks.map((task, i) => {
    const box = make("input", { type: "checkbox", id: `task-${i}` });
    return make("li", {}, box, make("label", { htmlFor: box.id }, task));
  });
  const done = make("p", { className: "note", role: "status" });
  const count = () => {
    const ticked = steps.filter((step) => step.querySelector("input")?.checked).length;
    done.textContent = ticked ? `${ticked} of ${steps.length} done` : "";
  };
  const reply = make("textarea", { rows: 3, "aria-label": "Your answer", placeholder: "Write what you think first; it stays in this page." });
  const shown = make("details", {}, make("summary", {}, "Compare with our answer"), ...paragraphs(answer));
  return [
    make("h2", { id: "lesson-title" }, title),
    ...paragraphs(text),
    ...(steps.length ? [make("ol", { onchange: count }, ...steps), done] : []),
    ...(question ? [make("p", { className: "question" }, question), reply] : []),
    ...(question && answer ? [shown] : []),
  ];
}

/**
 * Sets the game up as a lesson says.
 *
 * @param {Store} store
 * @param {Lesson} lesson
 */
async function arrange(store, { world, policy, drawn, seed, speed }) {
  const { spec, stages } = store;
  const stage = stages[Number(policy) - 1] ?? stages[stages.length - 1];
  if (stage) await store.take(stage.fetch, store.policy.name || `${spec.name}.minnow`);
  const driver = policy === "random" ? RANDOM : policy === "script" ? SCRIPT : POLICY;
  for (let slot = 0; slot < spec.agents; slot += 1) if (driver !== POLICY || store.offers(POLICY, slot)) store.drive(slot, driver);
  spec.param.forEach(({ name, value }, index) => {
    const now = world[name] ?? value;
    if ((store.game?.turned(index) ?? value) !== now) store.game?.turn(index, now);
  });
  store.game?.randomize(world[RANDOMIZATION.name] ?? 0);
  store.game?.sample(drawn);
  store.setSpeed(speed);
  store.reset(seed);
}

/**
 * @param {Store} store
 * @param {Element} demo
 * @param {HTMLElement} card where its words belong
 * @param {string} fragment of the page's address
 */
export async function begin(store, demo, card, fragment) {
  const settled = () => /** @type {any} */ (demo).ready;
  demo.removeAttribute("panels");
  await settled();
  const panels = panelNames(demo);
  const lesson = decode(store.spec, { panels, stages: store.stages.length, speeds: SPEEDS }, fragment);
  const root = /** @type {ShadowRoot} */ (demo.shadowRoot);
  if (!root.adoptedStyleSheets.includes(sheet)) root.adoptedStyleSheets.push(sheet);
  card.replaceChildren(...write(lesson));
  card.hidden = false;
  card.classList.add("lesson-card");
  if (lesson.show.length) demo.setAttribute("panels", [...ALWAYS, ...lesson.show].join(" "));
  await settled();
  root.querySelector(".main")?.after(card); // a column of its own
  await arrange(store, lesson);
  const slider = /** @type {HTMLInputElement | null} */ (root.querySelector("#stage"));
  if (slider) slider.value = /^\d+$/.test(lesson.policy) ? String(Number(lesson.policy) - 1) : slider.max;
  slider?.dispatchEvent(new Event("input")); // it says which stage plays
  for (const name of lesson.open) {
    const element = root.querySelector(`details[part~="${name}"]`);
    if (element) element.toggleAttribute("open", true);
  }
  if (!matchMedia("(prefers-reduced-motion: reduce)").matches) store.play();
}
