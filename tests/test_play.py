"""`minnow play`: its keys, without a window and with one on a screen of Xvfb."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sure import sure

from minnow import envs
from minnow.cinfer.errors import MinnowError
from minnow.cli import play
from minnow.cli.main import main
from minnow.cli.record import policy_of
from minnow.cli.replay import find
from minnow.envs import window


@pytest.mark.parametrize("name", envs.names())
def test_every_control_has_a_key(name: str) -> None:
    for control in envs.spec(name).control:
        assert control.keys and all(map(window.key_of, control.keys)), control


def table(name: str = "pong") -> play.Table:
    return play.Table(name, policy_of(name, ""), 1)


def test_keys() -> None:
    it = table()
    assert it.drivers == [play.POLICY, play.SCRIPT] and it.running
    it.press(0, ".")
    assert it.ticks == 1 and not it.running
    it.press(play.SPACE, "")
    assert it.running
    for letter, speed in (("+", 2), ("=", 4), ("-", 2), ("-", 1), ("-", 0.5), ("-", 0.25), ("-", 0.25)):
        it.press(0, letter)
        assert it.speed == speed
    it.take_over()
    assert it.drivers[0] == play.PERSON and it.words().startswith("You play player 1")
    it.press(play.F2, "")  # the eyes go to the other player, and the hands with them
    assert it.focus == 1 and it.drivers == [play.POLICY, play.PERSON]
    it.press(play.ESCAPE, "")
    assert it.drivers == [play.POLICY, play.SCRIPT]
    it.press(play.F3, "")
    assert it.drivers == [play.POLICY, play.POLICY]
    it.press(0, "?")
    assert ("SPACE", "play or pause") in it.lines()
    before = it.game.hash()
    it.press(0, "r")
    assert it.ticks == 0 and it.game.hash() != before
    assert it.told()["driver"] == "policy"


def test_parameters_turn_and_stay() -> None:
    it = table("cartpole")
    names = [param.name for param in it.spec.param]
    it.press(play.TAB, "")
    param = it.spec.param[1]
    it.press(play.PAGE_UP, "")
    assert it.values[names[1]] == pytest.approx(min(param.value + (param.high - param.low) / play.TURN, param.high))
    turned = it.game.hash()
    it.press(0, "r")
    assert it.game.hash() == turned  # the parameter is part of the state, and a new game keeps it
    it.press(play.HOME, "")
    assert it.values == {param.name: param.value for param in it.spec.param}


def test_a_refused_policy_leaves_the_game() -> None:
    it = table()
    game = it.game
    with pytest.raises(MinnowError):
        it.open(policy_of("cartpole", ""))
    assert it.game is game


def test_a_window(screen: str, tmp_path: Path) -> None:
    """Held keys move the paddle, the player's keys act, a picture is on the screen."""
    envs.spec("pong")
    table()  # compiles what the window needs
    around = os.environ | {"DISPLAY": screen, "LIBGL_ALWAYS_SOFTWARE": "1"}
    command = [sys.executable, "-m", "minnow.cli.main", "play", "pong", "--seconds", "90", "--json"]
    game = subprocess.Popen(command, env=around, cwd=tmp_path, stdout=subprocess.PIPE, text=True)

    def x(*words: str) -> str:
        return subprocess.run(["xdotool", *words], env=around, capture_output=True, text=True).stdout.strip()

    end = time.monotonic() + 60
    while not (found := x("search", "--name", "minnow: Pong")):
        assert time.monotonic() < end and game.poll() is None
        time.sleep(0.2)
    x("windowfocus", "--sync", found)
    shot = tmp_path / "screenshot000.png"
    while not shot.exists():  # raylib's own key for it; the first frames may miss it
        assert time.monotonic() < end
        x("key", "F12")
        time.sleep(0.3)
    for words in (("keydown", "Up"), ("keyup", "Up"), ("key", "plus"), ("key", "Tab"), ("key", "Prior")):
        x(*words)
        time.sleep(0.2)
    while game.poll() is None and time.monotonic() < end:
        x("key", "ctrl+q")
        time.sleep(0.5)
    told = json.loads(game.communicate(timeout=60)[0].splitlines()[-1])
    assert game.returncode == 0 and told["taken_over"] and told["driver"] == "person" and told["ticks"] > 5
    assert told["speed"] == 2
    again = find(str(tmp_path / told["replay"])).player()
    list(again.hashes())
    assert again.game.ticks == told["ticks"] and again.game.score() == told["score"]
    assert told["parameters"] != {param.name: param.value for param in envs.spec("pong").param}
    picture = np.asarray(Image.open(shot).convert("RGB"))
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 5 and picture.shape[0] > 600


def test_without_a_screen() -> None:
    around = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}
    command = [sys.executable, "-m", "minnow.cli.main", "play", "pong", "--seconds", "1"]
    done = subprocess.run(command, env=around, capture_output=True, text=True)
    assert done.returncode == 1 and "no window could be opened" in done.stderr


def test_without_a_seed_each_game_is_another(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_window(*given: object) -> None:
        raise MinnowError("no window is needed")

    monkeypatch.setattr(window, "Window", no_window)
    seeds = []
    for flags in ([], [], ["--seed", "7"]):
        assert main(["play", "pong", "--policy", "none", *flags]) == 1
        seeds.append(
            sure(re.search(r"^seed (\d+): --seed \1 plays this game again$", capsys.readouterr().err, re.M))[1]
        )
    assert seeds[0] != seeds[1] and seeds[2] == "7"


def test_bad_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["play", "pong", "--height", "5"]) == 1
    assert "it must be 100 to 4096" in capsys.readouterr().err
    assert main(["play", "pnog"]) == 1
    assert "did you mean pong" in capsys.readouterr().err


def test_a_system_without_what_windows_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """raylib is there, and what it is linked to is not."""
    (tmp_path / "pyray.py").write_text("raise ImportError('libX11.so.6: cannot open shared object file')\n")
    monkeypatch.delitem(sys.modules, "pyray", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MinnowError, match=r"raylib cannot be loaded: libX11\.so\.6.*apt-get install libx11-6 libgl1"):
        window.raylib()
    monkeypatch.setitem(sys.modules, "pyray", None)
    with pytest.raises(MinnowError, match="raylib is not installed: pip install"):
        window.raylib()
