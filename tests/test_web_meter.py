"""The robustness meter: its figures are those of games, its intervals those of the books; it plays only while seen."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from pathlib import Path

import pytest
from page_scripts import node
from playwright.sync_api import Browser, expect
from test_web_player import PLAYER, served

import minnow.envs
from minnow.web import game
from minnow.web.shipped import policy

MEASURE = """
import { readFileSync } from "node:fs";
const { player, module, spec, files, turned, randomized, most } = JSON.parse(readFileSync("given.json", "utf8"));
const { Game } = await import(`${player}/game.js`);
const { Measure } = await import(`${player}/meter/measure.js`);
const read = files.map((file) => new Uint8Array(readFileSync(file)));
const game = await Game.create(await WebAssembly.compile(readFileSync(module)), spec, read);
const slots = Array.from({ length: spec.slots }, (_, slot) => slot);
const measure = new Measure(game, {
  params: spec.param.map((param) => turned[param.name] ?? param.value),
  randomized, sampled: false, seats: slots.map(() => 1), drivers: slots.map((slot) => Number(slot < spec.agents)),
}, most);
while (!measure.ended) measure.advance(5);
console.log(JSON.stringify(measure.sums));
"""
SUCCESSES, SCORES = ("maze", {"size": 9.0}, 0.0), ("cartpole", {"force": 5.0}, 0.4)


@pytest.mark.parametrize(("env", "turned", "randomized"), [SUCCESSES, SCORES, ("connect4", {}, 0.0)])
def test_its_figures_are_those_of_native_games(env: str, turned: dict, randomized: float, tmp_path: Path) -> None:
    shutil.copytree(PLAYER, tmp_path / "player")
    file, spec = policy(env), minnow.envs.spec(env)
    assert file
    bar = {"key": "score_mean" if env == "cartpole" else "success_rate", "least": 0.0}
    given = {"module": str(game.wasm(env, file.read_bytes())), "spec": spec.to_json() | {"bar": bar}, "most": 4}
    given |= {"player": "./player", "files": [str(file)], "turned": turned, "randomized": randomized}
    (tmp_path / "given.json").write_text(json.dumps(given))
    sums = json.loads(node(tmp_path, MEASURE))

    native = game.Game(env, file.read_bytes(), seed=2**40)
    native.input(game.GameInput.start(2**40, randomized))
    native.input(game.GameInput.seat(0, 0, 1, spec.slots))
    for slot in range(spec.slots):
        native.input(game.GameInput.drive(0, slot, int(slot < spec.agents)))
    for index, param in enumerate(spec.param):
        native.input(game.GameInput.event(0, 0, index, value=turned.get(param.name, param.value)))
    told = native.c.game_final_score if env == "cartpole" else native.c.game_final_success
    figures: list[float] = []
    while len(figures) < 4 + bool(turned):
        if native.c.game_tick(native.at) & 3:
            figures.append(sum(told(native.at, slot) for slot in range(spec.agents)) / spec.agents)
    counted = figures[bool(turned) :]  # the first was laid out before the world was turned
    assert sums["episodes"] == 4 and sums["total"] == pytest.approx(sum(counted))
    assert sums["squares"] == pytest.approx(sum(figure**2 for figure in counted))


def test_its_intervals_are_wilson_s_and_student_s(tmp_path: Path) -> None:
    shutil.copytree(PLAYER, tmp_path / "player")
    script = """
    import { estimate } from "./player/meter/measure.js";
    const of = (...figures) => ({
      episodes: figures.length,
      total: figures.reduce((a, b) => a + b, 0),
      squares: figures.reduce((a, b) => a + b * b, 0),
    });
    const rate = (good, all) => estimate(of(...Array.from({ length: all }, (_, i) => Number(i < good))), true);
    const scores = (...figures) => estimate(of(...figures), false);
    const samples = [[1, 2, 4], [...Array(31).fill(5), 6], [1, 2]];
    const rates = [rate(81, 263), rate(0, 20), rate(100, 100)];
    console.log(JSON.stringify([...rates, ...samples.map((sample) => scores(...sample))]));
    """
    found = json.loads(node(tmp_path, script))
    spans = [each and (each["low"], each["high"]) for each in found]
    assert spans[0] == pytest.approx((0.2553, 0.3662), abs=1e-4)  # Newcombe (1998), table I
    assert spans[1] == pytest.approx((0.0, 0.1611), abs=1e-4) and spans[2][1] == 1
    mean, half = 7 / 3, 4.3027 * (7 / 3) ** 0.5 / 3**0.5  # of a sample whose variance is 7/3, with 2 degrees of freedom
    assert spans[3] == pytest.approx((mean - half, mean + half), rel=0.05, abs=0.15)
    assert spans[4] == pytest.approx((5.03125 - 2.0395 / 32, 5.03125 + 2.0395 / 32), abs=1e-3)
    assert spans[5] is None


def test_it_plays_only_while_it_is_seen(browser: Browser) -> None:
    watch = """
    window.heard = 0;
    const Plain = window.Worker;
    window.Worker = class extends Plain {
      constructor(...given) { super(...given); this.addEventListener("message", () => (window.heard += 1)); }
    };
    """
    with served("cartpole") as address, contextlib.closing(browser.new_page()) as page:
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.add_init_script(watch)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        card = page.locator("minnow-demo details", has_text="How robust it is")
        expect(page.locator("minnow-demo .chip")).to_be_visible()
        assert not any("meter/" in url for url in asked)
        card.locator("summary").press("Enter")
        expect(card).to_contain_text("95 % interval", timeout=30_000)
        page.get_by_text("World", exact=True).click()
        before = card.locator("b").inner_text()
        page.get_by_label("randomization").fill("200")
        expect(card.get_by_role("button")).to_have_text("Measure all of randomization")
        expect(card.locator("b")).not_to_have_text(before, timeout=20_000)
        page.get_by_label("force").fill("0")
        expect(card.get_by_role("button")).to_have_text("Measure all of force")
        card.get_by_role("button").click()
        expect(card.locator("circle")).to_have_count(10, timeout=30_000)
        expect(card).to_contain_text(re.compile(r"\d+ of 400 hidden episodes"))
        card.locator("summary").press("Enter")
        page.wait_for_timeout(150)
        heard = page.evaluate("window.heard")
        page.wait_for_timeout(400)
        assert page.evaluate("window.heard") == heard > 0
        assert faults == []
