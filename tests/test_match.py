"""Games between two players, and ratings."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from minnow import envs
from minnow.cinfer.errors import MinnowError
from minnow.cli import match as verb
from minnow.train.evaluation import RandomPlayer
from minnow.train.match import judge, match, ratings
from minnow.web import site

SHIPPED = str(site.HERE / "policies" / "pong.minnow")


def test_ratings_recover_strengths() -> None:
    truth = np.array([-300.0, -50.0, 100.0, 250.0])
    chance = 1 / (1 + 10 ** ((truth[None, :] - truth[:, None]) / 400))
    games = np.full((4, 4), 1e6)
    np.testing.assert_allclose(ratings(chance * games, games), truth - truth.mean(), atol=0.1)


def test_unbeaten_is_finite() -> None:
    points = np.array([[0, 10.0], [0, 0]])
    high, low = ratings(points, np.full((2, 2), 10.0))
    assert high == -low
    assert 200 < high - low < 800


def test_judge() -> None:
    result = judge("pong", np.array([3.0, 1.0, 0.0, -2.0] * 25))
    assert (result.wins, result.draws, result.losses, result.games) == (50, 25, 25, 100)
    assert result.score_mean == 0.5
    assert result.elo_low < result.elo < result.elo_high
    assert result.elo == pytest.approx(400 * np.log10(63 / 38), abs=1)


def test_seats_are_fair() -> None:
    """A player against itself: what one seat wins the other loses, and neither is the stronger."""
    result = match(RandomPlayer(envs.spec("pong")), RandomPlayer(envs.spec("pong")), "pong", 60)
    assert result.elo_low < 0 < result.elo_high


def test_a_policy_beats_chance(capsys: pytest.CaptureFixture[str]) -> None:
    assert verb.main([SHIPPED, "random", "--games", "20", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["env"], found["wins"]) == ("pong", 20)
    assert found["score_mean"] > 15
    assert verb.main(["random", SHIPPED, "--games", "20", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["losses"] == 20


@pytest.mark.full
def test_a_runs_ratings(pong_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "checkpoints").mkdir()
    files = sorted((pong_run / "checkpoints").iterdir())
    for file in (files[0], files[-1]):  # games between two good players are long
        (tmp_path / "checkpoints" / file.name).write_bytes(file.read_bytes())
    assert verb.main([str(tmp_path), "--games", "6", "--json"]) == 0
    first, last = json.loads(capsys.readouterr().out)
    assert first["steps"] < last["steps"]
    assert first["elo"] == -last["elo"]
    assert last["elo"] > 0


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["random", "random"], "at least one of the two"),
        ([SHIPPED, "random", "--games", "3"], "must be even"),
        ([SHIPPED, SHIPPED.replace("pong", "cartpole")], "but .* plays cartpole"),
        ([SHIPPED.replace("pong", "cartpole"), "random"], "two sides"),
        (["a", "b", "c"], "got 3"),
        (["nowhere"], "holds 0 checkpoints"),
    ],
)
def test_bad_input(argv: list[str], words: str) -> None:
    with pytest.raises(MinnowError, match=words):
        verb.main(argv)
