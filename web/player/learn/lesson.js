/** What happens while it learns, in four pictures, for somebody of sixteen; and what to try. */

import { make, svg } from "../dom.js";
import { capital } from "../spec.js";
import { short } from "./curve.js";
import { batch } from "./settings.js";

/** @typedef {import("./tutor.js").Settings} Settings @typedef {import("../spec.js").Spec} Spec */

const size = { viewBox: "0 0 72 56", "aria-hidden": "true", class: "sketch" };

/** Many games at once. */
function games() {
  const cells = Array.from({ length: 12 }, (_, i) => {
    const [x, y] = [4 + (i % 4) * 17, 4 + Math.floor(i / 4) * 17];
    const ball = svg("circle", { cx: x + 3 + ((i * 5) % 9), cy: y + 3 + ((i * 7) % 8), r: 1.8, class: "hot" });
    return svg("g", {}, svg("rect", { x, y, width: 13, height: 13, rx: 3, class: "well" }), ball);
  });
  return svg("svg", size, ...cells);
}

/** Moves with marks: better or worse than expected. */
function marks() {
  const bars = [6, -9, 14, 4, -13, 18, 10].map((height, i) =>
    svg("rect", { x: 6 + i * 9, y: height > 0 ? 28 - height : 28, width: 6, height: Math.abs(height), rx: 2, class: height > 0 ? "hot" : "cold" }),
  );
  return svg("svg", size, svg("line", { x1: 3, x2: 69, y1: 28, y2: 28, class: "thin" }), ...bars);
}

/** A network, some of whose connections grow stronger. */
function network() {
  const layers = [3, 4, 4, 2].map((count, i) => Array.from({ length: count }, (_, k) => [9 + i * 18, 28 + (k - (count - 1) / 2) * 13]));
  const lines = layers.slice(1).flatMap((layer, i) =>
    layer.flatMap(([x2, y2], k) =>
      layers[i].map(([x1, y1], j) => svg("line", { x1, y1, x2, y2, class: (j * 3 + k * 2 + i) % 5 === 0 ? "strong" : "thin" })),
    ),
  );
  return svg("svg", size, ...lines, ...layers.flat().map(([cx, cy]) => svg("circle", { cx, cy, r: 3.6, class: "hot" })));
}

/** Round and round, upwards. */
function rounds() {
  const arrow = svg("path", { d: "M15 40a13 13 0 1 1 9 4M27 39l-4 5 6 3", class: "line" });
  return svg("svg", size, arrow, svg("path", { d: "M40 46c6 0 8-6 12-16s6-18 16-20", class: "line strong" }));
}

/**
 * @param {Element} picture
 * @param {string} title
 * @param {string} text
 */
const panel = (picture, title, text) => make("li", {}, picture, make("div", {}, make("b", {}, title), make("p", {}, text)));

/**
 * @param {Spec} spec
 * @param {Settings} settings
 * @param {number} weights of the network
 */
export function lesson(spec, settings, weights) {
  const games_ = settings.envs;
  const force = spec.param.find(({ kind }) => kind === "physics")?.name.replaceAll("_", " ");
  const steps = make(
    "ol",
    { className: "lesson" },
    panel(games(), "1 · It plays", `${short(games_)} games run side by side, faster than you can watch. At first it knows nothing and presses at random.`),
    panel(
      marks(),
      "2 · It looks back",
      `After ${settings.horizon} moves it asks of each: did things go better than I expected, or worse? Its expectation is the “value” that you can watch under “What the policy thinks”.`,
    ),
    panel(
      network(),
      "3 · It adjusts",
      `Moves that went better become a little likelier, the others a little rarer. To that end ${short(weights)} numbers, the weights of a network, each move by a hair.`,
    ),
    panel(rounds(), "4 · And again", `${short(Math.ceil(settings.steps / batch(settings)))} times over, ${batch(settings).toLocaleString("en")} moves each. Nobody tells it how to play: it is only told the ${spec.score_name === "score" ? "score" : "reward"}.`),
  );
  const tries = [
    force && `Open “World” and drag ${force} while it learns. The score falls, then climbs again: it adapts.`,
    "Make the learning rate ten times larger. Does it learn faster, or stumble?",
    "Set the entropy bonus to 0, so that it stops trying things out. Is the end as good?",
    "Give it 8 neurons instead of 64. What is the smallest network that still plays well?",
  ];
  const list = make("ul", {}, ...tries.filter(Boolean).map((text) => make("li", {}, capital(String(text)))));
  return [make("h3", {}, "What happens here"), steps, make("h3", {}, "Try this"), list];
}
