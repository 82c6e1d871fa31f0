"""What a visitor plays against and takes away: duel, hint, films, the snippet for a page; and a page at rest."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from page_scripts import node, until
from PIL import Image, ImageSequence
from playwright.sync_api import Browser, Page, expect
from test_web_player import PLAYER, served

import minnow.envs
from minnow.web import game
from minnow.web.shipped import policy

FILM = """
import { writeFileSync } from "node:fs";
import { Gif, palette } from "./player/share/gif.js";
let seed = 5;
const random = (below) => Math.floor(((seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) / 2 ** 32) * below);
const [width, height] = [97, 61];
const colors = Array.from({ length: 40 }, () => [random(32), random(32), random(32)].map((part) => part * 8));
const frames = [0, 1, 2, 3, 4].map(() => new Uint8ClampedArray(4 * width * height).fill(255));
frames.forEach((frame, number) => {
  if (number) frame.set(frames[number - 1]);
  const noisy = number === 0 || number === 3; // the others change little, or nothing
  const many = noisy ? width * height : 30 * (number % 4);
  for (let i = 0; i < many; i += 1) frame.set(colors[random(40)], 4 * (noisy ? i : random(width * height)));
});
const gif = new Gif(width, height, palette(frames));
for (const frame of frames) gif.frame(frame, 4);
writeFileSync("film.gif", new Uint8Array(await gif.blob().arrayBuffer()));
console.log(JSON.stringify(frames.map((frame) => Buffer.from(frame).toString("base64"))));
"""
RIVAL = """
import { readFileSync } from "node:fs";
import { Game } from "./player/game.js";
import { Rival, hint } from "./player/duel/rival.js";
import { inTurns } from "./player/duel/turns.js";
const { module, spec, file, specs } = JSON.parse(readFileSync("given.json", "utf8"));
const compiled = await WebAssembly.compile(readFileSync(module));
const fresh = () => Game.create(compiled, spec, [new Uint8Array(readFileSync(file))]);
const game = await fresh();
for (let slot = 0; slot < spec.slots; slot += 1) game.drive(slot, slot < spec.agents ? 1 : 0);
game.drive(0, 2);
game.start(77);
const rival = await Rival.of({ game, module: compiled, spec, seed: 77 }, 0);
while (rival.score === null) rival.advance(20);
for (let i = 0; i < 3; i += 1) game.tick();
const before = game.hash();
const turns = specs.filter(inTurns).map(({ name }) => name);
const told = { score: rival.score, hint: hint(await fresh(), game, 0), turns };
console.log(JSON.stringify({ ...told, same: game.hash() === before }));
"""


def test_a_film_is_read_as_it_was_written(tmp_path: Path) -> None:
    shutil.copytree(PLAYER, tmp_path / "player")
    frames = [base64.b64decode(frame) for frame in json.loads(node(tmp_path, FILM))]
    with Image.open(tmp_path / "film.gif") as film:
        assert film.info["loop"] == 0 and film.info["duration"] == 40
        found = [np.asarray(picture.convert("RGB")) for picture in ImageSequence.Iterator(film)]
    assert len(found) == len(frames)
    for one, frame in zip(found, frames, strict=True):
        assert (one == np.frombuffer(frame, np.uint8).reshape(61, 97, 4)[:, :, :3]).all()


@pytest.mark.parametrize("env", ["connect4", "maze"])
def test_the_policy_plays_the_same_seed_unseen(env: str, tmp_path: Path) -> None:
    shutil.copytree(PLAYER, tmp_path / "player")
    file, spec = policy(env), minnow.envs.spec(env)
    assert file
    specs = [minnow.envs.spec(name).to_json() for name in ("2048", "connect4", "maze", "pong", "snake", "reach")]
    given = {"module": str(game.wasm(env, file.read_bytes())), "spec": spec.to_json(), "file": str(file)}
    (tmp_path / "given.json").write_text(json.dumps(given | {"specs": specs}))
    found = json.loads(node(tmp_path, RIVAL))
    native = game.Game(env, file.read_bytes(), seed=77)
    while not native.tick() & 3:
        pass
    assert found["score"] == native.c.game_final_score(native.at, 0)
    native = game.Game(env, file.read_bytes(), seed=77)
    native.drive(0, game.PERSON)
    native.tick(4)
    count = native.c.game_probability_count(native.at, 0)
    shares = native.ffi.unpack(native.c.game_probabilities(native.at, 0), count)
    assert found["hint"] == shares and found["same"]
    assert found["turns"] == ["2048", "connect4"]


def dropped(page: Page, env: str) -> None:
    """Lets the policy that a game comes with play."""
    file = policy(env)
    assert file
    script = "[d, n] => document.querySelector('minnow-demo').open(Uint8Array.from(atob(d), (c) => c.charCodeAt(0)), n)"
    page.evaluate(f"({script})".replace("[d, n]", "([d, n])"), [base64.b64encode(file.read_bytes()).decode(), "own"])


def test_a_visitor_loses_to_the_policy_and_takes_films_home(browser: Browser, tmp_path: Path) -> None:
    """All in one visit, of a browser that forbids storage."""
    faults: list[str] = []
    forbid = (
        "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no', 'SecurityError') } })"
    )
    with served("cartpole") as address, contextlib.closing(browser.new_page()) as page:
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda it: faults.append(it.text) if it.type in ("error", "warning") else None)
        page.add_init_script(forbid)
        page.goto(address)
        page.evaluate("document.querySelector('minnow-demo').ready")
        dropped(page, "cartpole")
        page.get_by_text("You against it").click()
        page.get_by_role("button", name="Play this seed").click()
        card = page.locator("minnow-demo details", has_text="You against it")
        expect(card).to_contain_text("The policy was better", timeout=30_000)
        expect(card).to_contain_text("This browser keeps nothing")
        expect(card.get_by_role("button", name="Hint")).to_be_hidden()
        page.evaluate("document.querySelector('minnow-demo').play()")
        until(page, "demo.game.ticks > 60")
        page.get_by_text("Share", exact=True).click()
        for kind, begins in (("GIF", b"GIF89a"), ("WebM", b"\x1aE\xdf\xa3")):
            with page.expect_download() as waiting:
                page.get_by_role("button", name=kind).click()
            waiting.value.save_as(tmp_path / "film")
            assert (tmp_path / "film").read_bytes().startswith(begins) and (tmp_path / "film").stat().st_size > 2000
        page.get_by_role("button", name="Copy for a page").click()
        text = page.get_by_label("For a page").input_value()
        script, element = text.split("\n")
        assert re.fullmatch(r'<script type="module" src="http://\S+/minnow.js"></script>', script)
        assert re.fullmatch(r'<minnow-demo env="cartpole" replay="\S+" controls></minnow-demo>', element)
        assert rests(page) == [0, True, 0]
        assert faults == []


def rests(page: Page) -> list[Any]:
    """Frames of a second in which it is paused; whether a step is drawn then; and frames of the next one."""
    page.evaluate(
        """() => {
            const plain = window.requestAnimationFrame;
            Object.assign(window, { asked: 0, last: performance.now() });
            window.requestAnimationFrame = (call) => {
                window.asked += 1;
                window.last = performance.now();
                return plain(call);
            };
        }"""
    )
    page.evaluate("document.querySelector('minnow-demo').pause()")
    count = (
        "() => new Promise((done) => { const asked = window.asked; setTimeout(() => done(window.asked - asked), 800) })"
    )
    until(page, "performance.now() - window.last > 200")
    still = page.evaluate(count)
    before = page.locator(".players ~ .score .note").inner_text()
    page.keyboard.press(".")
    until(page, "performance.now() - window.last > 200")
    return [still, page.locator(".players ~ .score .note").inner_text() != before, page.evaluate(count)]
