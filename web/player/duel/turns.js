/** Games of turns. */

/**
 * Whether players take turns: some choices may be impossible, and to wait is one that no control makes.
 *
 * @param {import("../spec.js").Spec} spec
 */
export const inTurns = ({ masked, head, control, idle }) => masked && head.length === 1 && !control.some(({ value }) => value === idle[0]);
