/**
 * What the meter's page and worker say to one another.
 *
 * @typedef {object} Setting in which episodes are played
 * @property {number[]} params of the world
 * @property {number} randomized 0 to 1
 * @property {boolean} sampled
 * @property {number[]} seats of each slot: its policy, counted from 1; 0: none
 * @property {number[]} drivers of each slot: SCRIPT or POLICY
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
