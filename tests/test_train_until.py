"""Runs below their bar: what is said of them, and training until it is reached."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from minnow.cinfer.errors import MinnowError
from minnow.cli.main import main
from minnow.train import checkpoint, diagnosis, until
from minnow.train.config import Bar
from minnow.train.space import Categorical, Gaussian, Space

BAR = Bar("score_mean", 30.0)
CHOICE = Categorical((3,))
LINES = 100
TIME = np.linspace(0, 1, LINES)
RISE = 1 - np.exp(-8 * TIME)  # to 1, and there by the middle


def found(folder: Path, score: np.ndarray, entropy: np.ndarray, value: np.ndarray, space: Space = CHOICE) -> dict:
    """What is said of a run with such curves, by its kind."""
    noise = np.random.default_rng(0).normal(size=(LINES, 3)) * [0.5, 0.002, 0.02]
    table = np.stack([score, entropy, value], 1) + noise
    keys = ("score_mean", "entropy", "explained_variance")
    rows = [{"steps": 1000 * (i + 1)} | dict(zip(keys, row, strict=True)) for i, row in enumerate(table.tolist())]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return {finding.kind: finding.words for finding in diagnosis.of_run(folder, BAR, space)}


CURVES: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray, str]] = {
    "flat": (0 * TIME - 20, 1.1 - 0.5 * TIME, RISE, "score_mean was -"),
    "collapsed": (20 * np.sin(np.pi * TIME), 1.1 - 0.5 * TIME, RISE, "score_mean was "),
    "rising": (20 * TIME, 1.1 - 0.5 * TIME, RISE, "--more STEPS"),
    "stalled": (20 * RISE - 20, 1.1 - 0.5 * TIME, RISE, "about that since "),
    "entropy": (10 * RISE, 1.1 * np.exp(-30 * TIME), RISE, "entropy fell from 0."),
    "value": (10 * RISE, 1.1 - 0.5 * TIME, 0.05 * RISE, "explained_variance is 0."),
}


@pytest.mark.parametrize("kind", CURVES)
def test_curves_are_told_apart(tmp_path: Path, kind: str) -> None:
    score, entropy, value, words = CURVES[kind]
    said = found(tmp_path, score, entropy, value)
    assert words in said[kind]
    assert set(said) == ({kind} if kind not in ("entropy", "value") else {"stalled", kind})


def test_deviations_may_narrow(tmp_path: Path) -> None:
    """Continuous actions have entropies below 0: what counts is how far they fell."""
    for space, gone in ((Gaussian((-1.0,), (1.0,)), True), (Gaussian((-1.0,) * 4, (1.0,) * 4), False)):
        assert ("entropy" in found(tmp_path, 10 * RISE, 0.7 - 5 * RISE, RISE, space)) == gone


def test_short_curves_say_nothing(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"steps": 1, "score_mean": 2.0, "entropy": 0.0}\n')
    assert diagnosis.of_run(tmp_path, BAR, CHOICE) == []


class Fake:
    """Trainings that take 10 s each and reach what `figures` say, by seed; those in `rising` still rise the first
    time, and then reach 5 more."""

    def __init__(self, figures: list[float], rising: tuple[int, ...] = ()) -> None:
        self.figures, self.rising = figures, rising
        self.calls: list[tuple[str, int, float | None]] = []

    def begin(self, folder: Path, seed: int, budget: float | None) -> until.Try:
        self.calls.append(("begin", seed, budget))
        folder.mkdir(exist_ok=True)
        (folder / "config.toml").write_text(f'name = "pong"\nseed = {seed}\n')
        return until.Try(folder, seed, 10.0, self.figures[seed], seed in self.rising)

    def go_on(self, done: until.Try, budget: float | None) -> until.Try:
        self.calls.append(("go on", done.seed, budget))
        return until.Try(done.run, done.seed, 20.0, done.figure + 5, rising=True)

    def train(self, out: Path, budget: float | None = None, before: float | None = None) -> until.End:
        bar = Bar("score_mean", 18.0)
        return until.train(self.begin, self.go_on, bar, out, before, 0, budget, lambda words: None)


def seed_at(run: Path) -> str:
    return (run / "config.toml").read_text().split()[-1]


def test_the_next_seed_until_the_bar(tmp_path: Path) -> None:
    fake, out = Fake([3, 19, 20]), tmp_path / "run"
    end = fake.train(out)
    assert end.reached and end.figure == 19 and fake.calls == [("begin", 0, None), ("begin", 1, None)]
    assert seed_at(out) == "1" and seed_at(tmp_path / "run-2") == "0" and end.trained_in == tmp_path / "run-2"


def test_the_best_of_three_where_none_reaches_it(tmp_path: Path) -> None:
    fake = Fake([3, 9, 5, 20])
    end = fake.train(tmp_path / "run")
    assert not end.reached and end.figure == 9 and seed_at(tmp_path / "run") == "1" and len(fake.calls) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "run-2", "run-3"]


def test_a_run_that_rises_goes_on(tmp_path: Path) -> None:
    fake = Fake([14], rising=(0,))
    assert fake.train(tmp_path / "run").figure == 19 and [call[0] for call in fake.calls] == ["begin", "go on"]


@pytest.mark.parametrize(("budget", "begun"), [(9.0, 1), (15.0, 2), (44.0, 4)])
def test_a_budget_says_how_many(tmp_path: Path, budget: float, begun: int) -> None:
    fake = Fake([1] * 9)
    assert not fake.train(tmp_path / "run", budget).reached
    assert [call[2] for call in fake.calls] == [budget - 10 * i for i in range(begun)]


@pytest.mark.parametrize(("there", "stays"), [(20.0, True), (18.5, False), (None, False)])
def test_what_is_there_stays_unless_something_better_comes(tmp_path: Path, there: float | None, stays: bool) -> None:
    out = tmp_path / "run"
    out.mkdir()
    (out / "config.toml").write_text("seed = 77\n")
    end = Fake([19]).train(out, before=there)
    assert end.reached and (end.best is None) == stays
    assert ("77" in (out / "config.toml").read_text()) == stays
    assert (tmp_path / "run-2/config.toml").exists()


def test_a_signal_ends_it(tmp_path: Path) -> None:
    fake = Fake([3, 19])
    fake.begin = interrupted(fake.begin)
    end = fake.train(tmp_path / "run")
    assert end.interrupted and len(fake.calls) == 1


def interrupted(begin: Callable[..., until.Try]) -> Callable[..., until.Try]:
    def work(*given: object) -> until.Try:
        done = begin(*given)
        done.interrupted = True
        return done

    return work


def test_a_setting_that_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """CartPole at a learning rate of 0 stays flat: that is said, nothing is exported, and the status says so."""
    out = tmp_path / "run"
    argv = ["train", "cartpole", "--until-bar", "--seed", "5", "--train.learning-rate", "0", "--json"]
    assert main([*argv, "--steps", "65536", "--out", str(out)]) == 1
    said = capsys.readouterr()
    result = json.loads(said.out)
    assert result["run"] == str(out) and not result["reached"] and "policy" not in result
    assert any(words.startswith("flat: score_mean was ") for words in result["diagnosis"])
    assert "  flat: score_mean" in said.err and "nothing is exported" in said.err
    assert not (out / "policy.minnow").exists() and (out / "checkpoints").is_dir()


def test_what_stands_in_a_folder(tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert until.standing(out, "score_mean", "hash") is None
    out.mkdir()
    assert until.standing(out, "score_mean", "hash") is None
    (out / "thesis.pdf").touch()
    with pytest.raises(MinnowError, match="holds no run but is not empty"):
        until.standing(out, "score_mean", "hash")
    (out / "config.toml").write_text("[result]\nscore_mean = 19.5\n")
    meta = {"config": {"name": "pong"}, "steps": 1, "source_hash": "hash"}
    (out / "checkpoints").mkdir()
    checkpoint.save(out / "checkpoints/000000000001.safetensors", {}, meta)
    assert until.standing(out, "score_mean", "hash") == 19.5
    assert until.standing(out, "score_mean", "another") is None


def test_until_bar_stands_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "pong", "--until-bar", "--watch"]) == 1
    assert "leave out --watch" in capsys.readouterr().err
