/* Plays a game with inputs of all kinds at random, looks back at random, branches, and prints what was found wrong. */
import { readFileSync } from "node:fs";
import { Game } from "./player/game.js";

const { module, spec, policies, ticks } = JSON.parse(readFileSync("given.json", "utf8"));
const compiled = await WebAssembly.compile(readFileSync(module));
const files = policies.map((path) => new Uint8Array(readFileSync(path)));
const fresh = () => Game.create(compiled, spec, files);
const faults = [];
const check = (good, ...words) => good || faults.push(words.join(" "));

let seed = 7;
const random = (below) => {
  seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
  return Math.floor((seed / 2 ** 32) * below);
};
const some = () => {
  const slot = random(spec.slots);
  const head = spec.head.map(({ size, low, high }) => (size ? random(size) : low + (random(99) * (high - low)) / 98));
  const param = random(spec.param.length), { low, high } = spec.param[param];
  const gesture = spec.gesture[random(spec.gesture.length)];
  return [
    () => game.drive(slot, random(3)),
    () => game.act(slot, head),
    () => game.turn(param, low + (random(99) * (high - low)) / 98),
    () => game.sample(random(2) === 1),
    () => {
      const real = () => random(99) / 98;
      const event = { target: random(9), at: [real(), real(), 0], way: [real(), real(), 0], value: random(9) / 9 };
      if (gesture) game.event(slot, { kind: gesture.kind, ...event });
    },
    () => game.sit(slot, random(files.length + 1)),
  ][random(6)]();
};

const game = await fresh();
game.drive(0, 1);
game.turn(0, spec.param[0].high);
game.tick();
game.start(12345678901234);
check(game.turned(0) === Math.fround(spec.param[0].high), "a start keeps", JSON.stringify(game.journal.inputs));
check(game.driver(0) === Number(game.hasPolicy), "a start keeps", game.driver(0));
const play = (to, hashes) => {
  while (game.ticks < to) {
    if (!random(40)) for (let i = random(9); i >= 0; i -= 1) some();
    hashes[game.ticks] = game.hash(); // with what entered before the next tick
    game.tick();
  }
  hashes[to] = game.hash();
};
const straight = [];
play(ticks, straight);
const whole = game.journal;
check(whole.last === ticks && whole.inputs.length > ticks / 40, "few inputs:", whole.inputs.length);

for (let i = 0; i < 60; i += 1) {
  const to = [0, 1, ticks, ticks - 1][i] ?? random(ticks + 1);
  game.seek(to);
  check(game.ticks === to && game.hash() === straight[to], "at", to);
  const on = Math.min(ticks, to + random(i % 10 ? 50 : 1000));
  while (game.ticks < on) game.tick();
  game.journal.enter(game);
  check(game.hash() === straight[on], "from", to, "on to", on);
}
check(game.journal === whole && whole.inputs.length === game.journal.inputs.length, "looking changed the list");
game.seek(whole.last);
check(!game.following, "at its end the list still goes on");

// The list alone makes the same game.
const alone = async (journal, hashes) => {
  const other = await fresh();
  for (const [i, input] of journal.inputs.entries()) {
    while (other.ticks < input.tick) other.tick();
    check(input.kind === 0 || other.ticks === input.tick, "not in order: ", input.tick);
    check(other.put(input), "refused:", JSON.stringify(input));
    if (journal.inputs[i + 1]?.tick === input.tick) continue;
    check(other.hash() === hashes[input.tick], "by the list alone, at", input.tick);
  }
  while (other.ticks < journal.last) other.tick();
  check(other.hash() === hashes[journal.last], "by the list alone, at its end");
};
await alone(whole, straight);

// Something new on the way is where a list of its own begins; the one that there was stays as it was.
const before = JSON.stringify(whole.inputs);
for (const at of [0, 1, 333, Math.floor(ticks / 2), ticks - 1]) {
  game.journal = whole;
  game.seek(at);
  game.turn(0, spec.param[0].low);
  game.drive(0, 2);
  check(game.journal !== whole && game.journal.last === at && !game.following, "no branch at", at);
  const hashes = straight.slice(0, at + 1);
  play(at + 500, hashes);
  const back = random(at + 400);
  game.seek(back);
  check(game.hash() === hashes[back], "back on the branch of", at, "at", back);
  game.seek(at + 500);
  await alone(game.journal, hashes);
}
check(JSON.stringify(whole.inputs) === before, "a branch changed the list that it left");
console.log(JSON.stringify({ faults: faults.slice(0, 9), different: new Set(straight).size, last: straight[ticks] }));
