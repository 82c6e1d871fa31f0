/** The page of a run in training: takes each newer policy into the game, and draws the curves as they grow. */

/** @typedef {Record<string, number>} Line */
/** @typedef {HTMLElement & {open(policy: Uint8Array | null, name: string): Promise<void>, play(): void, ready: Promise<void>, person: number}} Demo */

/** What is drawn, where a run has it: metric and words. */
const CURVES = [
  ["score_mean", "score"],
  ["elo", "rating"],
  ["success_rate", "success"],
  ["length_mean", "length of an episode"],
  ["entropy", "entropy"],
  ["explained_variance", "explained variance"],
  ["steps_per_second", "steps a second"],
];
const [WIDTH, HEIGHT, EDGE] = [320, 120, 4];
const SVG = "http://www.w3.org/2000/svg";

const demo = /** @type {Demo} */ (document.querySelector("minnow-demo"));
const state = /** @type {HTMLElement} */ (document.querySelector("#state"));
const curves = /** @type {HTMLElement} */ (document.querySelector("#curves"));
/** @type {Line[]} */
let lines = [];
let standing = "training";
let playing = "";
/** @type {Promise<void>} one policy is opened after another */
let opened = Promise.resolve();

/** @param {number} value */
const short = (value) => Intl.NumberFormat("en", { maximumSignificantDigits: 4, notation: Math.abs(value) >= 1e5 ? "compact" : "standard" }).format(value);

/**
 * @param {string} metric
 * @param {string} words
 */
function curve(metric, words) {
  const points = lines.filter((line) => metric in line).map((line) => [line.seconds, line[metric]]);
  if (!points.length) return [];
  const figure = document.createElement("figure");
  const caption = document.createElement("figcaption");
  const [low, high] = [Math.min(...points.map((point) => point[1])), Math.max(...points.map((point) => point[1]))];
  const last = points[points.length - 1];
  caption.textContent = `${words}: ${short(last[1])}`;
  const x = (/** @type {number} */ value) => EDGE + ((WIDTH - 2 * EDGE) * value) / Math.max(last[0], 1e-9);
  const y = (/** @type {number} */ value) => HEIGHT - EDGE - ((HEIGHT - 2 * EDGE) * (value - low)) / Math.max(high - low, 1e-9);
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `${words}, from ${short(points[0][1])} to ${short(last[1])} in ${short(last[0])} s; between ${short(low)} and ${short(high)}`);
  const path = document.createElementNS(SVG, "polyline");
  path.setAttribute("points", points.map((point) => `${x(point[0]).toFixed(1)},${y(point[1]).toFixed(1)}`).join(" "));
  svg.append(path);
  figure.append(caption, svg);
  return [figure];
}

function show() {
  curves.replaceChildren(...CURVES.flatMap(([metric, words]) => curve(metric, words)));
  const last = lines[lines.length - 1];
  const far = last ? `${last.steps.toLocaleString("en")} steps in ${last.seconds.toFixed(1)} s` : "no figures yet";
  state.textContent = `${standing}: ${far}. ${playing ? `Playing: ${playing}.` : "No checkpoint yet: the script plays."}`;
}

/** @param {string} name */
async function take(name) {
  await demo.ready;
  if (demo.person >= 0) return; // somebody plays: the next checkpoint comes soon enough
  const response = await fetch("policy.minnow");
  if (!response.ok) return;
  await demo.open(new Uint8Array(await response.arrayBuffer()), name);
  demo.play();
  playing = name;
  show();
}

const events = new EventSource("events");
events.addEventListener("open", () => (lines = [])); // a stream begins with everything
events.addEventListener("metrics", (event) => (lines.push(...JSON.parse(event.data)), show()));
events.addEventListener("policy", (event) => (opened = opened.then(() => take(JSON.parse(event.data)))));
events.addEventListener("state", (event) => ((standing = JSON.parse(event.data)), show()));
events.addEventListener("error", () => ((standing = "the server has gone"), show()));

export {};
