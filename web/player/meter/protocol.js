/**
 * What the meter's page and worker say to one another.
 *
 * @typedef {import("../lineup.js").Lineup & {params: number[], randomized: number, sampled: boolean}} Setting in which episodes are played: who
 *   plays, the world's parameters, how far it is randomized (0 to 1), and whether choices are drawn
 *
 * @typedef {object} Sums over episodes; an episode's figure is the mean over those whom the policy drives
 * @property {number} episodes
 * @property {number} total of the figures
 * @property {number} squares
 * @property {number} ticks played, the episode that is not over included
 * @property {number} seconds of playing
 *
 * @typedef {{do: "open", module: WebAssembly.Module, spec: import("../spec.js").Spec, files: Uint8Array[]}} Opened
 * @typedef {{do: "measure", number: number, setting: Setting, most: number}} Measured `most` episodes; `number` comes back with the news
 * @typedef {Opened | Measured | {do: "rest"} | {do: "go"}} Order
 * @typedef {{told: "sums", number: number, sums: Sums, ended: boolean} | {told: "fault", words: string}} News
 */

export {};
