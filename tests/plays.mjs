// plays.mjs: plays lists of inputs in the page's module of one environment.
//
//     node plays.mjs MODULE [POLICY...] < lines      each {"ticks": N, "every": N, "inputs": [[tick, kind, slot, [words]], ...]}
//
// answers a line of JSON for each: the hash after every so many ticks, all actions at these ticks, and how many inputs were taken.
import fs from "node:fs";
import readline from "node:readline";

const [, , wasm, ...policies] = process.argv;
const core = new WebAssembly.Instance(new WebAssembly.Module(fs.readFileSync(wasm))).exports;
let free = core.game_heap();

function take(bytes) {
  const at = Math.ceil(free / 64) * 64;
  free = at + bytes;
  const missing = Math.ceil((free - core.memory.buffer.byteLength) / 65536);
  if (missing > 0) core.memory.grow(missing);
  return at;
}

const scratch = take(256);
const loaded = policies.map((path) => {
  const bytes = fs.readFileSync(path);
  const file = take(bytes.length);
  new Uint8Array(core.memory.buffer).set(bytes, file);
  const need = core.game_policy_size(file, bytes.length, scratch);
  const policy = core.game_load(file, bytes.length, take(need), need, scratch);
  if (!policy) throw new Error(`${path} is refused: ${new Uint32Array(core.memory.buffer, scratch, 6)}`);
  return policy;
});
const pointers = take(64);
new Uint32Array(core.memory.buffer, pointers, 16).set(loaded);
const need = core.game_size(pointers, loaded.length);
const game = core.game_open(pointers, loaded.length, take(need), need);
const words = (at, count) => [...new Uint32Array(core.memory.buffer, at, count)];

function enter([tick, kind, slot, values]) {
  const input = new Uint32Array(core.memory.buffer, scratch, 12);
  input.fill(0);
  input.set([tick, kind, slot, ...values]);
  return core.game_input(game, scratch);
}

function hash() {
  core.game_hash(game, scratch);
  const [low, high] = words(scratch, 2);
  return [high, low].map((word) => word.toString(16).padStart(8, "0")).join("");
}

function play({ ticks, every, inputs, slots = 0, heads = 0 }) {
  const hashes = [];
  const actions = [];
  let taken = 0;
  let at = 0;
  const enters = () => {
    for (; at < inputs.length && (at === 0 || inputs[at][0] === core.game_ticks(game)); at += 1) taken += enter(inputs[at]);
  };
  enters();
  while (core.game_ticks(game) < ticks) {
    core.game_tick(game);
    for (let slot = 0; slot < slots; slot += 1) actions.push(...words(core.game_action(game, slot), heads));
    if (core.game_ticks(game) % every === 0) hashes.push(hash());
    enters();
  }
  return { hashes, actions, taken };
}

for await (const line of readline.createInterface({ input: process.stdin })) console.log(JSON.stringify(play(JSON.parse(line))));
