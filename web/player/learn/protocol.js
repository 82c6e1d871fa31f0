/**
 * What page and worker say to one another.
 *
 * @typedef {import("../spec.js").Spec} Spec
 * @typedef {import("./tutor.js").Figures} Figures
 * @typedef {import("./settings.js").Plan} Plan
 * @typedef {import("./settings.js").Turn} Turn
 *
 * @typedef {{do: "begin", wasm: string, order: string[], spec: Spec, plan: Plan}} Begin a new training, which rests until it is to go
 * @typedef {{do: "compare", game: WebAssembly.Module, seed: number, params: number[], shipped: Uint8Array}} Compare
 * @typedef {Begin | {do: "go"} | {do: "rest"} | {do: "turn", param: number, value: number} | Compare} Order
 *
 * @typedef {{steps: number, seconds: number, score: number}} Exam mean score of some games in which the likeliest actions are taken
 * @typedef {{told: "progress", figures: Figures, seconds: number}} Progress
 * @typedef {{told: "rest", figures: Figures, seconds: number, hash: string, turns: Turn[], ended: boolean}} Rest
 *   `hash`: SHA-256 of the weights; `ended`: the schedule did, or the link's
 * @typedef {{told: "compared", seed: number, mine: number, theirs: number}} Compared
 * @typedef {Progress | Rest | Compared | {told: "exam", exam: Exam} | {told: "file", bytes: Uint8Array} |
 *   {told: "turned", param: number, value: number} | {told: "fault", words: string}} News
 */

export {};
