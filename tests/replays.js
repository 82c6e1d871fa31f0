/* Replays at random: whether they are read as written, and what becomes of damaged ones. */
import { decode, encode, ReplayError, WORDS } from "./player/replay.js";

let seed = 99;
const random = (below) => {
  seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
  return Math.floor((seed / 2 ** 32) * below);
};
const pick = (...from) => from[random(from.length)];
const real = () => Math.fround(pick(0, -0, 1, -1, 31, 32, 2 ** 24, -(2 ** 24), 2 ** 24 + 2, 0.1, -0.5, 1e-40, 3e38, random(1e6) / 7));
const hash = () => Array.from({ length: 64 }, () => random(16).toString(16)).join("");
const inputs = (ticks, heads, policies) => {
  const list = [{ tick: 0, kind: 0, slot: 0, values: [random(2 ** 32), random(2 ** 32), Math.fround(random(99) / 98)] }];
  for (let tick = 0; tick <= ticks; tick += pick(0, 0, 1, 3, 15, 16, 300, 2 ** 20)) {
    const kind = 1 + random(5), first = random(4096), many = 1 + random(4096 - first);
    const parts = [real(), real(), real(), real(), real(), real(), real()].map((value) => pick(0, 0, value));
    const values = [
      [many, random(policies + 1)],
      [many, random(3)],
      Array.from({ length: heads }, real),
      [pick(0, 1, 16, 127, 128, 2 ** 31 - 1), pick(0, random(2 ** 32)), ...parts],
      [random(2)],
    ][kind - 1];
    list.push({ tick, kind, slot: kind === 5 ? 0 : first, values });
  }
  return list;
};
const same = (a, b) => JSON.stringify(a, (_, value) => (Object.is(value, -0) ? "-0" : value)) ===
  JSON.stringify(b, (_, value) => (Object.is(value, -0) ? "-0" : value));

const files = [], faults = [];
for (let i = 0; i < 60; i += 1) {
  const ticks = pick(0, 5, 1000, 2 ** 24), heads = 1 + random(8), policies = Array.from({ length: random(4) }, hash);
  const replay = { env: pick("a", "pong", "~".repeat(64)), sourceHash: hash(), policies, heads, ticks, inputs: inputs(ticks, heads, policies.length) };
  const bytes = encode(replay);
  if (!same(decode(bytes), replay)) faults.push(`number ${i} comes back as another`);
  files.push(bytes);
}
const numbers = {}, told = []; // files, and what is said of them
const refused = (bytes, what) => {
  try {
    decode(bytes);
  } catch (error) {
    if (!(error instanceof ReplayError) || !error.message.startsWith(WORDS[error.number])) throw error;
    numbers[error.number] = (numbers[error.number] ?? 0) + 1;
    return true;
  }
  return faults.push(`not refused: ${what}`) && false;
};
const checked = (bytes) => { // with the checksum that it should have
  let crc = -1;
  for (const byte of bytes.subarray(0, -4)) for (let bit = 0, c = (crc ^= byte); bit < 8; bit += 1) crc = c = (c >>> 1) ^ (c & 1 ? 0xedb88320 : 0);
  new DataView(bytes.buffer).setInt32(bytes.length - 4, ~crc, true);
  return bytes;
};
const shortest = [...files].sort((a, b) => a.length - b.length)[8];
for (let size = 0; size < shortest.length; size += 1) refused(shortest.slice(0, size), `${size} bytes`);
for (let i = 0; i < 4000; i += 1) {
  const bytes = files[i % files.length].slice();
  const at = random(bytes.length), before = bytes[at];
  bytes[at] ^= 1 + random(255);
  refused(bytes, `byte ${at}`);
  if (i % 4) continue;
  const body = checked(bytes);
  let words = "";
  try { // what is sound again is written as it was read
    if (!same(encode(decode(body)), body)) faults.push(`byte ${at} from ${before}: written otherwise than read`);
  } catch (error) {
    if (!(error instanceof ReplayError)) throw error;
    numbers[error.number] = (numbers[error.number] ?? 0) + 1;
    words = error.message;
  }
  if (body.length < 5000) told.push([Buffer.from(body).toString("base64"), words]);
}
console.log(JSON.stringify({ faults: faults.slice(0, 9), numbers: Object.keys(numbers).map(Number), words: WORDS, told }));
