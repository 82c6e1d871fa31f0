"""The journal: what entered a game, whole; any tick of it at hand; and a branch from there."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from page_scripts import node, until
from playwright.sync_api import Browser, Page
from test_web_player import PLAYER, served

import minnow.envs
from minnow.cinfer.errors import MinnowError
from minnow.web import game, replay
from minnow.web.shipped import policy

HERE = Path(__file__).resolve().parent


@pytest.mark.parametrize(("env", "ticks"), [("pong", 4000), ("maze", 3000), ("snake", 400), ("cartpole", 3000)])
def test_any_tick_is_at_hand_and_plays_on_alike(env: str, ticks: int, tmp_path: Path) -> None:
    shutil.copytree(PLAYER, tmp_path / "player")
    whole = policy(minnow.envs.folder(env))
    assert whole is not None
    files = [whole, *sorted(whole.with_suffix(".stages").glob("*.minnow"))[:1]]
    given = {"module": str(game.wasm(env, whole.read_bytes())), "spec": minnow.envs.spec(env).to_json(), "ticks": ticks}
    (tmp_path / "given.json").write_text(json.dumps(given | {"policies": list(map(str, files))}))
    found = json.loads(node(tmp_path, (HERE / "journal.js").read_text()))
    assert found["faults"] == []
    assert found["different"] > ticks / 2


def test_replays_are_read_as_written_or_refused(tmp_path: Path) -> None:
    shutil.copytree(PLAYER, tmp_path / "player")
    found = json.loads(node(tmp_path, (HERE / "replays.js").read_text()))
    assert found["faults"] == []
    words = re.findall(r"^\| (\d+) \| (.*) \|$", (game.HERE.parent / "docs" / "replay.md").read_text(), re.MULTILINE)
    assert found["words"] == dict(words)
    assert set(found["numbers"]) == {int(number) for number, _ in words} - {13}  # that takes a very long file
    assert len(found["told"]) > 500
    for file, said in found["told"]:  # as natively, to the letter
        try:
            words = replay.decode(base64.b64decode(file)) and ""
        except MinnowError as error:
            words = str(error)
        assert words == said


def test_a_replay_of_something_else_is_told_in_words(tmp_path: Path) -> None:
    shutil.copytree(PLAYER, tmp_path / "player")
    script = """
    import { misfit } from "./player/replay.js";
    const spec = { name: "pong", slots: 2, source_hash: "aa", head: [{}], param: [{}, {}] };
    const input = (kind, slot, ...values) => ({ tick: 0, kind, slot, values });
    const inputs = [input(0, 0, 1, 0, 0)];
    const fine = { env: "pong", sourceHash: "aa", policies: ["cc"], heads: 1, ticks: 9, inputs };
    const having = (...inputs) => ({ ...fine, inputs: [...fine.inputs, ...inputs] });
    console.log(JSON.stringify([
      fine, having(input(1, 0, 2, 1), input(4, 1, 0), input(4, 1, 16), input(5, 0, 1)),
      { ...fine, env: "snake" }, { ...fine, sourceHash: "bb" }, { ...fine, heads: 2 }, { ...fine, policies: ["dd"] },
      having(input(1, 1, 2, 1)), having(input(3, 1, 0), input(2, 2, 1, 0)), having(input(3, 2, 0)),
      having(input(4, 2, 0)), having(input(4, 1, 1)), having(input(4, 2, 16)),
    ].map((replay) => misfit(replay, spec, ["cc"]))));
    """
    words = json.loads(node(tmp_path, script))
    assert words[:2] == ["", ""]
    expected = ("of snake", "other sources", "has 1 heads", "SHA-256 dd", "Input 0", "Input 1", *["Input 0"] * 4)
    assert [part in said for part, said in zip(expected, words[2:], strict=True)] == [True] * len(expected)


def test_sha256_is_the_usual_one(tmp_path: Path) -> None:
    shutil.copytree(PLAYER, tmp_path / "player")
    sizes = (0, 1, 55, 56, 63, 64, 119, 120, 70_000)
    script = f"""
    import {{ sha256 }} from "./player/sha256.js";
    console.log(JSON.stringify({list(sizes)}.map((size) => sha256(new Uint8Array(size).map((_, i) => i % 251)))));
    """
    expected = [hashlib.sha256(bytes(i % 251 for i in range(size))).hexdigest() for size in sizes]
    assert json.loads(node(tmp_path, script)) == expected


def demo(page: Page, script: str, *args: object) -> Any:
    """Runs a script with `demo`, the page's element, and `game`, its game."""
    body = f"async (...args) => {{ const demo = document.querySelector('minnow-demo'), game = demo.game; {script} }}"
    return page.evaluate(f"(args) => ({body})(...args)", list(args))


def test_a_game_played_in_the_page_plays_natively(browser: Browser) -> None:
    """A policy is dropped on the page, a person takes over, holds keys, turns a slider, clicks, hands back and draws;
    then the page goes back to the start and follows what it recorded, as a native game does."""
    own = policy(minnow.envs.folder("pong"))
    assert own is not None
    with served("pong") as address, contextlib.closing(browser.new_page()) as page:
        page.goto(address)
        demo(page, "await demo.ready")
        drop = """
        const files = new DataTransfer(), bytes = Uint8Array.from(atob(args[0]), (letter) => letter.charCodeAt(0));
        files.items.add(new File([bytes], "mine.minnow"));
        demo.dispatchEvent(new DragEvent("drop", { dataTransfer: files }));
        while (!demo.game.hasPolicy) await new Promise(requestAnimationFrame);
        """
        demo(page, drop, base64.b64encode(own.read_bytes()).decode())
        watch = """
        const tick = game.tick.bind(game);
        window.hashes = [];
        demo.pause();
        demo.reset(4294967301);
        game.tick = () => { tick(); if (game.ticks % 100 === 0) hashes.push(game.hash()); };
        demo.play();
        """
        demo(page, watch)
        page.get_by_text("World", exact=True).click()
        until(page, "demo.game.ticks >= 60")
        page.keyboard.down("ArrowUp")
        until(page, "demo.game.ticks >= 100")
        page.get_by_label("gravity").fill("150")
        page.keyboard.up("ArrowUp")
        page.locator("body").press("ArrowDown", delay=200)
        page.locator("canvas").click(position={"x": 40, "y": 40})
        page.keyboard.press("Escape")
        page.get_by_text("Policy file").click()
        page.get_by_label("Action").select_option("drawn")
        page.get_by_label("Speed", exact=True).select_option("16")
        until(page, "demo.game.ticks >= 600")
        demo(page, "demo.pause()")
        last, end, hashes = demo(page, "return [game.ticks, game.hash(), hashes]")
        data = bytes(demo(page, "return [...demo.replay()]"))
        back = """
        demo.seek(0);
        const seen = [game.following];
        while (game.following && game.ticks < args[0]) game.tick();
        return [...seen, game.following, game.hash(), hashes.slice(Math.floor(args[0] / 100))];
        """
        assert demo(page, back, last) == [True, False, end, hashes]
        again = """
        const bytes = demo.replay();
        demo.reset(1);
        await demo.follow(bytes);
        demo.seek(args[0]);
        return [demo.game.hash(), [...demo.replay()]];
        """
        assert demo(page, again, last) == [end, list(data)]
    recorded = replay.decode(data)
    kinds = {entry.kind for entry in recorded.inputs}
    assert kinds == {game.START, game.SEAT, game.DRIVE, game.ACT, game.EVENT, game.SAMPLE} and recorded.ticks == last
    assert game.GameInput.start(4294967301) == recorded.inputs[0] and replay.encode(recorded) == data
    player = replay.Player(recorded, "pong", [own.read_bytes()])
    assert list(player.hashes()) == hashes and len(hashes) == last // 100
    assert player.game.hash() == end
