"""The journal: what entered a game, whole; any tick of it at hand; and a branch from there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from test_web_player import PLAYER, node

import minnow.envs
from minnow.web import game
from minnow.web.shipped import policy

# Plays a game with inputs of all kinds at random, in bursts, and prints what was found wrong. As a page does, it puts
# in what a person holds before every tick.
RANDOM_PLAY = """
import { readFileSync } from "node:fs";
import { Game } from "./player/game.js";

const { module, spec, policy, ticks } = JSON.parse(readFileSync("given.json", "utf8"));
const compiled = await WebAssembly.compile(readFileSync(module));
const file = policy && new Uint8Array(readFileSync(policy));
const fresh = () => Game.create(compiled, spec, file);
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
    () => gesture && game.event(gesture.kind, slot, random(99) / 98, random(99) / 98, random(9), random(9)),
  ][random(5)]();
};

const game = await fresh();
game.drive(0, 1);
game.turn(0, spec.param[0].high);
game.tick();
game.start(12345678901234);
check(game.journal.inputs.length === 3, "a start keeps", JSON.stringify(game.journal.inputs));
const play = (to, hashes) => {
  while (game.ticks < to) {
    if (!random(40)) for (let i = random(9); i >= 0; i -= 1) some();
    game.tick();
    hashes[game.ticks] = game.hash();
  }
};
const straight = [game.hash()];
play(ticks, straight);
const whole = game.journal;
check(whole.last === ticks && whole.inputs.length > ticks / 40, "few inputs:", whole.inputs.length);

for (let i = 0; i < 60; i += 1) {
  const to = [0, 1, ticks, ticks - 1][i] ?? random(ticks + 1);
  game.seek(to);
  check(game.ticks === to && game.hash() === straight[to], "at", to);
  const on = Math.min(ticks, to + random(i % 10 ? 50 : 1000));
  while (game.ticks < on) game.tick();
  check(game.hash() === straight[on], "from", to, "on to", on);
}
check(game.journal === whole && whole.inputs.length === game.journal.inputs.length, "looking changed the list");
game.seek(whole.last);
check(!game.following, "at its end the list still goes on");

// The list alone makes the same game.
const alone = async (journal, hashes) => {
  const other = await fresh();
  for (const input of journal.inputs) {
    while (other.ticks < input.tick) other.tick();
    other.put(input);
    check(input.tick === 0 || other.hash() === hashes[input.tick], "by the list alone, at", input.tick);
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
"""


@pytest.mark.parametrize(("env", "ticks"), [("pong", 4000), ("maze", 3000), ("snake", 400), ("cartpole", 3000)])
def test_any_tick_is_at_hand_and_plays_on_alike(env: str, ticks: int, tmp_path: Path) -> None:
    shutil.copytree(PLAYER, tmp_path / "player")
    file = policy(minnow.envs.folder(env))
    module = game.wasm(env, file.read_bytes() if file else None)
    given = {"module": str(module), "spec": minnow.envs.spec(env).to_json(), "ticks": ticks}
    (tmp_path / "given.json").write_text(json.dumps(given | {"policy": str(file)}))
    found = json.loads(node(tmp_path, RANDOM_PLAY))
    assert found["faults"] == []
    assert found["different"] > ticks / 2
