"""The checkpoint that a run keeps; runs that begin with another's weights, or go on beyond their schedule."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
import torch

from minnow import train
from minnow.cinfer.errors import MinnowError
from minnow.cli.main import main
from minnow.train import best, checkpoint, evaluation, run
from minnow.train import config as configs

STEPS = 49152  # 24 updates, enough for CartPole to be better than at first


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run of CartPole, not to be changed."""
    out = tmp_path_factory.mktemp("best") / "run"
    config = dataclasses.replace(train.defaults("cartpole"), seed=1)
    config.train.steps, config.train.envs, config.train.minibatch, config.train.epochs = STEPS, 64, 512, 4.0
    train.train(config, out=out)
    return out


@pytest.fixture
def fallen(trained: Path, tmp_path: Path) -> Path:
    """The same, but its last policy always does one thing, and its curve falls at the end."""
    out = shutil.copytree(trained, tmp_path / "run")
    last = checkpoint.all_of(out)[-1]
    tensors, meta = checkpoint.read(last)
    tensors["policy.actor.weight"].zero_()
    checkpoint.save(last, tensors, {key: item for key, item in meta.items() if key != "format"})
    lines = (out / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    rows[-best.LINES :] = [row | {"score_mean": 10.0, "episodes": 9} for row in rows[-best.LINES :]]
    (out / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return out


def test_the_last_one_is_kept_at_no_cost(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A curve that rises to its end asks for no game."""
    monkeypatch.setattr(evaluation, "evaluate", lambda *args, **options: pytest.fail("a game was played"))
    choice = best.choose(trained, "score_mean")
    assert choice.path == checkpoint.all_of(trained)[-1] and choice.said == []


def test_a_better_one_is_kept(fallen: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = checkpoint.all_of(fallen)
    choice = best.choose(fallen, "score_mean")
    assert choice.path in files[:-1]
    assert f"that of {int(choice.path.stem):,} steps" in choice.said[0] and "is kept and exported" in choice.said[0]
    choice = best.choose(fallen, "score_mean", "last")
    assert choice.path == files[-1] and "training ended far below its own best" in choice.said[0]


def test_a_fall_that_games_do_not_confirm(trained: Path, fallen: Path) -> None:
    """Chance in the curve alone: the last one is as good, and stays; what the curve shows is said."""
    last = checkpoint.all_of(fallen)[-1]
    shutil.copy(checkpoint.all_of(trained)[-1], last)
    for file in checkpoint.all_of(fallen)[:-1]:
        shutil.copy(last, file)
    choice = best.choose(fallen, "score_mean")
    assert choice.path == last and "far below its own best" in choice.said[0]


def test_what_is_kept_stands_for_the_run(fallen: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from minnow.cli.train import finish

    last = checkpoint.all_of(fallen)[-1]
    run.record(fallen, {"steps": int(last.stem), "ended": "schedule"})
    outcome = run.Outcome(fallen, last, int(last.stem), 1.0, "schedule", 0)
    assert finish(outcome, export=False, as_json=True) == 0
    said = capsys.readouterr()
    printed = json.loads(said.out)
    assert printed["kept"] < printed["steps"] and printed["checkpoint"] != str(last)
    assert "is kept and exported" in said.err
    _, meta = train.load(fallen)
    assert meta["steps"] == printed["kept"] and meta["score"] == printed["score_mean"]
    assert checkpoint.find(fallen) == last  # where training goes on
    assert finish(outcome, export=False, as_json=True, keep="last") == 0
    assert train.load(fallen)[1]["steps"] == printed["steps"]
    # What a run kept is forgotten once it has gone on.
    run.record(fallen, {"kept": printed["kept"]})
    shutil.copy(last, newer := last.with_name(f"{int(last.stem) + 4096:012d}.safetensors"))
    assert checkpoint.kept(fallen) == newer


def test_from_the_weights_of_another_run(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They are those of the run, its network too; without a learning rate they stay so."""
    out, again = tmp_path / "on", tmp_path / "again"
    argv = ["train", "cartpole", "--from", str(trained), "--steps", "4096", "--seed", "7", "--no-export"]
    assert main([*argv, "--train.learning-rate", "0", "--env.gravity", "5", "--out", str(out)]) == 0
    first, second = (train.load(path)[0].state_dict() for path in (trained, out))
    assert first.keys() == second.keys() and all(torch.equal(first[name], leaf) for name, leaf in second.items())
    # The run's config.toml says where it began, so that it can be repeated.
    assert configs.load(out / "config.toml").start == str(checkpoint.find(trained))
    assert main(["train", "cartpole", "--config", str(out / "config.toml"), "--out", str(again), "--no-export"]) == 0
    left, right = (checkpoint.read(checkpoint.find(path))[0] for path in (out, again))
    assert all(torch.equal(leaf, right[name]) for name, leaf in left.items())
    capsys.readouterr()
    assert main([*argv, "--policy.hidden", "32", "--out", str(tmp_path / "other")]) == 1
    assert "encoder.0.weight is [64, 4] there and [32, 4] here" in capsys.readouterr().err
    assert main([*argv, "--policy.core", "gru", "--out", str(tmp_path / "other")]) == 1
    assert "gru.bias_hh_l0 is missing there" in capsys.readouterr().err


def test_beyond_the_schedule(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = shutil.copytree(trained, tmp_path / "run")
    before = json.loads((out / "metrics.jsonl").read_text().splitlines()[-1])
    assert main(["train", "--resume", str(out), "--more", "8192", "--no-export", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["steps"] == STEPS + 8192
    after = json.loads((out / "metrics.jsonl").read_text().splitlines()[-1])
    rate = train.defaults("cartpole").train.learning_rate
    assert before["learning_rate"] > after["learning_rate"] == pytest.approx(rate * 2048 / (STEPS + 8192))
    assert configs.load(out / "config.toml").train.steps == STEPS + 8192
    assert main(["train", "--resume", str(out), "--more", "-1", "--no-export"]) == 1
    assert "--more is -1" in capsys.readouterr().err


def test_beyond_the_schedule_and_killed(trained: Path, tmp_path: Path) -> None:
    """A run that was killed before its first checkpoint beyond the old schedule still knows of the new one."""
    out = shutil.copytree(trained, tmp_path / "run")
    folder = run.Folder(out)
    config = configs.load(out / "config.toml")
    folder.write_config(
        dataclasses.replace(config, train=dataclasses.replace(config.train, steps=STEPS + 4096, stop=0))
    )
    assert train.resume(out).steps == STEPS + 4096
    with pytest.raises(MinnowError, match="--more is"):
        train.resume(out, more=10**16)
