/** The words for minnow.h's error numbers, which the page's modules leave out to stay small. */

/** @type {Record<number, string>} */
const WORDS = {
  1: "a function was called with an argument it cannot take",
  2: "the memory block is too small",
  3: "there is no such agent",
  4: "the policy takes other inputs, or another number of them",
  5: "the mask leaves a head without any choice",
  6: "the saved state is of another policy, or of another number of agents",
  7: "the policy needs more memory than this machine can address",
  8: "this machine or this build lacks the instruction set that was asked for",
  9: "an index is outside its table, or a whole number is divided by zero or beyond 32 bits",
  10: "the file is shorter than a header",
  11: "this is not a .minnow file",
  12: "the file has another format version: use a newer Minnow, or export it again",
  13: "the file is cut short",
  14: "there are bytes after the end of the file",
  15: "the file is damaged: its checksum is wrong",
  20: "the directory does not name the sections of this version in their order",
  21: "a section overlaps another, leaves a gap or is not aligned",
  22: "a section lies outside the file",
  23: "a section's size does not fit its number of records",
  24: "bytes that must be zero are not",
  25: "there are too many records, or none where one is needed",
  30: "text is not zero-terminated UTF-8",
  31: "a name is missing, or does not begin where a string begins",
  32: "a name is used twice",
  33: "the metadata is not a JSON object",
  40: "a data type is unknown or not allowed here",
  41: "an array has too many axes",
  42: "an axis has no elements, or elements beyond the rank",
  43: "an array has too many elements",
  50: "there is no value with this index",
  51: "a value is used before it is computed, or depends on itself",
  52: "a value is given twice",
  53: "values are not given in the order of their indices, or never",
  54: "an output's role is unknown",
  60: "the operation is unknown, or was left out of this build",
  61: "an operation has the wrong number of inputs, outputs, tensors or attributes",
  62: "an operation's arguments are not where the one before ends",
  63: "there is no tensor with this index, or one that is needed is absent",
  64: "an attribute is out of its range",
  65: "a shape does not fit the operation",
  70: "a tensor overlaps another, leaves a gap or is not aligned",
  71: "a tensor lies outside the data",
  72: "a weight or scale is not a number",
  80: "the kind of action or its squash is unknown, or was left out of this build",
  81: "the action's heads do not fit the output that feeds them",
  82: "the action is fed by an output that is not there",
  83: "an action's bounds are not a range",
  90: "the golden vectors have the wrong size, or too few steps",
  91: "the policy does not reproduce its golden vectors",
};

/**
 * A fault in words: what, where, and what was expected there.
 *
 * @param {Iterable<number>} error the numbers of game.h's GameError
 */
export function words([number, misfit, index, offset, found, expected]) {
  const what = (misfit ? "the policy was made for another game: " : "") + (WORDS[number] ?? "unknown error");
  const inFile = number >= 10 && number < 91;
  return inFile ? `${what} (at byte ${offset}, item ${index}: found ${found}, expected ${expected})` : what;
}

/**
 * What was thrown, in words.
 *
 * @param {unknown} error
 */
export const thrown = (error) => (error instanceof Error ? error.message : String(error));
