/** What a policy's file says of itself, as Markdown. */

import { network } from "../insight/network.js";
import { number } from "../spec.js";

/** @typedef {import("../game.js").Game} Game @typedef {import("../spec.js").Spec} Spec */

/** @param {unknown} value of a stranger's file, in one line */
const line = (value) => (typeof value === "string" ? value : JSON.stringify(value)).replace(/\s+/g, " ").replaceAll("|", "\\|");

/**
 * @param {Game} game
 * @param {Spec} spec
 * @param {string} file its name
 * @param {string[]} found what was measured here
 */
export function card(game, spec, file, found) {
  const meta = /** @type {Record<string, unknown>} */ (game.meta());
  const groups = spec.group.filter(({ critic }) => !critic).map(({ name, type, shape }) => `${name} ${type} [${shape}]`);
  const heads = spec.head.map(({ name, size, low, high, labels }) => (size ? `${name}: ${labels.join(", ") || `${size} choices`}` : `${name}: ${low} to ${high}`));
  const layers = network(game.files[0]).layers.map(({ words, shape }) => `${words} [${shape}]`);
  const score = typeof meta.score === "number" ? `${number(meta.score)}${typeof meta.score_ci95 === "number" ? ` ± ${number(meta.score_ci95)}` : ""}. ${meta.protocol ?? ""}` : undefined;
  const rows = /** @type {[string, unknown][]} */ ([
    ["File", `${file}, ${game.files[0].length.toLocaleString("en")} bytes`],
    ["Environment", `${spec.title}: ${spec.description}`],
    ["Observes", groups.join("; ")],
    ["Acts", heads.join("; ")],
    ["Network", layers.join("; ")],
    ["Score", score],
    ["Steps of training", meta.steps],
    ["Seed", meta.seed],
    ["Command", meta.command],
    ["Created", meta.created],
    ["License", meta.license],
    ["Source hash of the environment", meta.source_hash],
    ...found.map((words) => ["In this browser", words]),
  ]).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return `# ${line(meta.name ?? file)}\n\n| | |\n|---|---|\n${rows.map(([name, value]) => `| ${name} | ${line(value)} |`).join("\n")}\n`;
}
