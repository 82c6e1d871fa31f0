/**
 * Links to lessons: `#lesson=ENV&title=…`, the fields of a form (docs/web.md lists them). Every field is checked against the page
 * that opens it, nothing unknown is taken, and words stay words: they are never read as HTML.
 */

import { LONGEST } from "../link.js";
import { RANDOMIZATION } from "../panels/world.js";

/** @typedef {import("../spec.js").Spec} Spec */
/**
 * @typedef {object} Lesson
 * @property {string} title
 * @property {string} text paragraphs, with an empty line between
 * @property {string[]} tasks
 * @property {string} question
 * @property {string} answer
 * @property {Record<string, number>} world parameters by name (and "randomization"), where they are not the environment's own
 * @property {string} policy "best", "script", "random", or which stage of the training, counted from 1
 * @property {boolean} drawn whether actions are drawn by their probability
 * @property {number} seed
 * @property {number} speed
 * @property {string[]} show panels that are seen; none: all
 * @property {string[]} open cards that stand open
 */

export const FRAGMENT = "#lesson=";
/** The longest, in characters; of tasks, each, and how many. */
export const SIZES = { title: 80, text: 1500, task: 400, tasks: 10, question: 400, answer: 1000 };
const FIELDS = ["lesson", "title", "text", "task", "question", "answer", "world", "policy", "drawn", "seed", "speed", "show", "open"];

/**
 * @param {string} page its address
 * @param {string} env
 * @param {Lesson} lesson
 */
export function encode(page, env, lesson) {
  const fields = new URLSearchParams({ lesson: env, title: lesson.title });
  const put = (/** @type {string} */ name, /** @type {string} */ value) => value && fields.append(name, value);
  put("text", lesson.text);
  for (const task of lesson.tasks) put("task", task);
  put("question", lesson.question);
  put("answer", lesson.answer);
  put("world", Object.entries(lesson.world).map(([name, value]) => `${name}:${value}`).join(","));
  put("policy", lesson.policy === "best" ? "" : lesson.policy);
  put("drawn", lesson.drawn ? "1" : "");
  put("seed", String(lesson.seed));
  put("speed", lesson.speed === 1 ? "" : String(lesson.speed));
  put("show", lesson.show.join(","));
  put("open", lesson.open.join(","));
  return `${page.split("#")[0]}#${fields}`;
}

/**
 * A quotation in an error, cut short.
 *
 * @param {string} text
 */
const quoted = (text) => `"${text.length > 40 ? `${text.slice(0, 40)}…` : text}"`;

/**
 * @param {string} what
 * @param {string} text
 * @param {number} most characters
 */
function words(what, text, most) {
  if (text.length > most) throw new Error(`the lesson's ${what} has ${text.length} characters; ${most} are the most.`);
  if (/[^\P{C}\n]/u.test(text)) throw new Error(`the lesson's ${what} holds characters that cannot be seen.`);
  return text;
}

/**
 * @param {string} what
 * @param {string} text
 * @param {number} low
 * @param {number} high
 */
function number(what, text, low, high) {
  const value = /^[-+.\de]+$/i.test(text) ? Number(text) : NaN;
  if (!(value >= low && value <= high)) throw new Error(`the lesson's ${what} is ${quoted(text)}; it must be a number from ${low} to ${high}.`);
  return value;
}

/**
 * @param {string} what
 * @param {string} text with commas between
 * @param {string[]} known
 */
function names(what, text, known) {
  const listed = text ? text.split(",") : [];
  const stranger = listed.find((name) => !known.includes(name));
  if (stranger !== undefined) throw new Error(`the lesson names the ${what} ${quoted(stranger)}, which this page does not have; it has: ${known.join(", ")}.`);
  return listed;
}

/**
 * The lesson of a link; an Error in words where it is none of this page's.
 *
 * @param {Spec} spec
 * @param {{panels: string[], stages: number, speeds: number[]}} page what it has
 * @param {string} fragment
 * @returns {Lesson}
 */
export function decode(spec, { panels, stages, speeds }, fragment) {
  if (fragment.length > LONGEST) throw new Error(`the lesson's link has ${fragment.length} characters; ${LONGEST} are the most.`);
  const fields = new URLSearchParams(fragment.slice(1));
  const given = [...fields.keys()];
  const stranger = given.find((name) => !FIELDS.includes(name));
  if (stranger !== undefined) throw new Error(`the lesson's link has a part ${quoted(stranger)}, which this page does not know.`);
  const twice = given.find((name, i) => name !== "task" && given.indexOf(name) < i);
  if (twice) throw new Error(`the lesson's link says ${twice} twice.`);
  const get = (/** @type {string} */ name) => fields.get(name) ?? "";
  if (get("lesson") !== spec.name) throw new Error(`the lesson is about ${quoted(get("lesson"))}, and this is ${spec.title}.`);
  const tasks = fields.getAll("task");
  if (tasks.length > SIZES.tasks) throw new Error(`the lesson has ${tasks.length} tasks; ${SIZES.tasks} are the most.`);
  if (!get("title").trim()) throw new Error("the lesson has no title.");
  /** @type {Record<string, number>} */
  const world = {};
  for (const pair of get("world") ? get("world").split(",") : []) {
    const [name, value = "", ...more] = pair.split(":");
    const param = [...spec.param, RANDOMIZATION].find((each) => each.name === name);
    if (!param || more.length) throw new Error(`the lesson turns ${quoted(pair)}, which ${spec.title} does not have.`);
    world[name] = number(name, value, param.low, param.high);
  }
  const policy = get("policy") || "best";
  const policies = ["best", "random", ...(spec.has_script ? ["script"] : []), ...Array.from({ length: stages }, (_, i) => String(i + 1))];
  if (!policies.includes(policy)) throw new Error(`the lesson's policy is ${quoted(policy)}; there are: ${policies.join(", ")}.`);
  if (!["", "0", "1"].includes(get("drawn"))) throw new Error(`the lesson says drawn=${quoted(get("drawn"))}; it must be 0 or 1.`);
  const speed = number("speed", get("speed") || "1", speeds[0], speeds[speeds.length - 1]);
  if (!speeds.includes(speed)) throw new Error(`the lesson's speed is ${speed}; there are: ${speeds.join(", ")}.`);
  const seed = number("seed", get("seed") || "1", 0, Number.MAX_SAFE_INTEGER);
  if (!Number.isInteger(seed)) throw new Error(`the lesson's seed is ${seed}; it must be a whole number.`);
  return {
    title: words("title", get("title").trim(), SIZES.title),
    text: words("text", get("text"), SIZES.text),
    tasks: tasks.map((task) => words("task", task, SIZES.task)),
    question: words("question", get("question"), SIZES.question),
    answer: words("answer", get("answer"), SIZES.answer),
    world,
    policy,
    drawn: get("drawn") === "1",
    seed,
    speed,
    show: names("panel", get("show"), panels),
    open: names("card", get("open"), panels),
  };
}
