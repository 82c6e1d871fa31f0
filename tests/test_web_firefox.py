"""The page in Debian's Firefox, driven by puppeteer: it does the same, and plays bit for bit the same game."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

import minnow.envs
from minnow.web import npm, replay, server, site
from minnow.web.game import PERSON, POLICY, SCRIPT
from minnow.web.shipped import policy

PUPPETEER = ("puppeteer-core", "24.43.1")


def visited(out: Path, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """What Firefox finds on these pages of a site that is made for it."""
    site.build(out, [site.Demo(name, policy(minnow.envs.folder(name))) for name in names])
    script = Path(__file__).with_name("firefox.mjs")
    modules = npm.package(*PUPPETEER).parent.parent
    with server.hosted(server.built(out)) as address:
        done = subprocess.run(["node", script, modules, address, *names], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def check(found: dict[str, Any]) -> None:
    own = policy(minnow.envs.folder(found["name"]))
    at_rest = POLICY if own else SCRIPT
    assert found["complaints"] == [] and found["fault"] is None
    assert found["drivers"] == [at_rest, PERSON, at_rest]
    assert found["cards"] >= 8
    assert found["late"] == found["hash"] != found["early"]
    player = replay.Player(replay.decode(bytes(found["replay"])), found["name"], [own.read_bytes()] if own else [])
    for _ in player.hashes():  # plays it
        pass
    assert player.game.hash() == found["hash"]


def test_firefox(tmp_path: Path) -> None:
    (found,) = visited(tmp_path / "site", ("pong",))
    check(found)


@pytest.mark.full
def test_firefox_on_every_page(tmp_path: Path) -> None:
    names = tuple(name for name in minnow.envs.names() if name != "pong")
    found = visited(tmp_path / "site", names)
    assert [one["name"] for one in found] == list(names)
    for one in found:
        check(one)
