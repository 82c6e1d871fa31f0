"""The journal: what entered a game, whole; any tick of it at hand; and a branch from there."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path

import pytest
from test_web_player import PLAYER, node

import minnow.envs
from minnow.web import game
from minnow.web.shipped import policy

HERE = Path(__file__).resolve().parent


@pytest.mark.parametrize(("env", "ticks"), [("pong", 4000), ("maze", 3000), ("snake", 400), ("cartpole", 3000)])
def test_any_tick_is_at_hand_and_plays_on_alike(env: str, ticks: int, tmp_path: Path) -> None:
    shutil.copytree(PLAYER, tmp_path / "player")
    file = policy(minnow.envs.folder(env))
    module = game.wasm(env, file.read_bytes() if file else None)
    given = {"module": str(module), "spec": minnow.envs.spec(env).to_json(), "ticks": ticks}
    (tmp_path / "given.json").write_text(json.dumps(given | {"policy": str(file)}))
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


def test_sha256_is_the_usual_one(tmp_path: Path) -> None:
    shutil.copytree(PLAYER, tmp_path / "player")
    sizes = (0, 1, 55, 56, 63, 64, 119, 120, 70_000)
    script = f"""
    import {{ sha256 }} from "./player/sha256.js";
    console.log(JSON.stringify({list(sizes)}.map((size) => sha256(new Uint8Array(size).map((_, i) => i % 251)))));
    """
    expected = [hashlib.sha256(bytes(i % 251 for i in range(size))).hexdigest() for size in sizes]
    assert json.loads(node(tmp_path, script)) == expected
