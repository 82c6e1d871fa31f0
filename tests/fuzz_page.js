/* Links, replays and policies, mutated, through the page's own parser: what may come of each is a game, or an error in words. */
import { readFileSync } from "node:fs";
import { Game } from "./player/game.js";
import { fromLink, toLink } from "./player/link.js";
import { decode, encode, misfit } from "./player/replay.js";

const { module, spec, policies, count, seed: first } = JSON.parse(readFileSync("given.json", "utf8"));
const compiled = await WebAssembly.compile(readFileSync(module));
const files = policies.map((path) => new Uint8Array(readFileSync(path)));
let seed = first;
const random = (below) => Math.floor(((seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) / 2 ** 32) * below);
const pick = (...from) => from[random(from.length)];

const crc = (bytes) => {
  let sum = -1;
  for (const byte of bytes) for (let bit = 0, c = (sum ^= byte); bit < 8; bit += 1) sum = c = (c >>> 1) ^ (c & 1 ? 0xedb88320 : 0);
  return ~sum >>> 0;
};
const put = (bytes, at, value) => new DataView(bytes.buffer, bytes.byteOffset).setUint32(at, value, true);
const signed = {
  replay: (bytes) => bytes.length > 4 && put(bytes, bytes.length - 4, crc(bytes.subarray(0, -4))),
  policy: (bytes) => {
    if (bytes.length < 24) return;
    put(bytes, 12, 0);
    put(bytes, 16, bytes.length);
    put(bytes, 12, crc(bytes));
  },
};

/** Changes of bytes: few or many, cut, grown, whole words, parts in another place. */
function mutated(whole) {
  let bytes = whole.slice();
  for (let n = pick(1, 1, 2, 5, 40); n > 0; n -= 1) {
    const at = random(bytes.length);
    const word = pick(0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0x7fc00000, 0x10000000, random(2 ** 32));
    pick(
      () => (bytes[at] ^= 1 << random(8)),
      () => (bytes[at] = random(256)),
      () => at + 4 <= bytes.length && put(bytes, at & ~3, word),
      () => bytes.copyWithin(at, random(bytes.length), random(bytes.length)),
      () => (bytes = bytes.slice(0, random(4) ? bytes.length - random(9) : at + 1)),
      () => (bytes = Uint8Array.from([...bytes.subarray(0, at), ...bytes.subarray(random(at + 1))])),
    )();
    if (!bytes.length) bytes = Uint8Array.of(0);
  }
  return bytes;
}

const game = await Game.create(compiled, spec, files);
for (let slot = 0; slot < spec.slots; slot += 1) game.drive(slot, slot < spec.agents ? 1 : 0);
game.start(99);
for (let tick = 0; tick < 200; tick += 1) {
  if (tick % 20 === 0) pick(() => game.drive(0, random(4)), () => game.turn(random(spec.param.length), random(99)), () => game.randomize(0.3), () => game.sample(tick % 40 === 0))();
  if (tick % 7 === 0) game.act(0, spec.head.map(() => random(9)));
  game.tick();
}
const recorded = encode(game.record());
const link = toLink("https://demos.example/pong.html", recorded);
const hash = link.slice(link.indexOf("#"));
const hashes = game.record().policies;

const kinds = {
  link: () => {
    const text = [...hash];
    for (let n = pick(1, 2, 9); n > 0; n -= 1) {
      const odd = pick("=", "&", "%00", "%", "#", "<script>", "'", "\u202e", "\ud800", "A", "-", "=replay=", "&replay=", "\n");
      text.splice(1 + random(text.length - 1), pick(0, 1, 30), pick(odd, "", String.fromCharCode(33 + random(90))));
    }
    return followed(fromLink(text.join("")));
  },
  replay: () => {
    const bytes = mutated(recorded);
    if (random(9)) signed.replay(bytes);
    return followed(fromLink(new URL(toLink("https://demos.example/", bytes)).hash));
  },
  policy: () => {
    const bytes = mutated(files[random(files.length)]);
    if (random(9)) signed.policy(bytes);
    return Game.create(compiled, spec, [bytes]).then((made) => {
      for (let slot = 0; slot < spec.slots; slot += 1) made.drive(slot, 1);
      for (let i = 0; i < 3 * spec.action_repeat; i += 1) made.tick();
      const { steps, score, source_hash } = made.meta();
      return `${steps} ${score} ${source_hash} ${made.value(0)}`;
    });
  },
};

function followed(bytes) {
  if (!bytes) return "no replay";
  const replay = decode(bytes);
  const odd = misfit(replay, spec, hashes);
  if (odd) throw new Error(odd);
  game.follow(replay);
  for (let i = 0; i < 60; i += 1) game.tick();
  game.seek(20);
  game.draw(0, 1.5);
  return game.hash();
}

const said = {}, faults = [];
let slowest = 0, worst = "", largest = 0;
for (let i = 0; i < count; i += 1) {
  const kind = Object.keys(kinds)[i % 3];
  const begun = performance.now(), before = seed;
  try {
    await kinds[kind]();
    said[`${kind} played`] = (said[`${kind} played`] ?? 0) + 1;
  } catch (error) {
    const name = error?.constructor?.name;
    said[`${kind} refused`] = (said[`${kind} refused`] ?? 0) + 1;
    if (!["Error", "ReplayError", "PolicyError"].includes(name) || !error.message) faults.push(`${kind} ${before}: ${name}: ${error?.message} ${error?.stack}`);
  }
  const took = performance.now() - begun;
  if (took > slowest) [slowest, worst] = [took, `${kind} ${before}`];
  largest = Math.max(largest, game.core.memory.buffer.byteLength);
}
console.log(JSON.stringify({ said, faults: faults.slice(0, 5), slowest, worst, largest }));
