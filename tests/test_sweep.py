"""Sweeps: axes, the shared study, workers that die, deadlines, what is written back."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from minnow.cinfer.errors import MinnowError
from minnow.cli import sweep as verb
from minnow.train import config as configs
from minnow.train.config import Config
from minnow.train.sweep import study as studies
from minnow.train.sweep.axes import AROUND, STEPS, Axis, axes, override, setting, settings
from minnow.train.sweep.study import Result, Sampler, Study, busy, front
from minnow.train.sweep.worker import Plan, sweep


def small() -> Config:
    """CartPole for a few thousand steps: a tenth of a second."""
    base = configs.defaults("cartpole")
    return dataclasses.replace(base, train=dataclasses.replace(base.train, steps=8192, checkpoints=4))


def test_axes_surround_what_is_set_by_hand() -> None:
    base = configs.defaults("pong")
    found = {axis.name: axis for axis in axes(base)}
    assert set(AROUND) <= set(found)
    for axis in found.values():
        value = setting(base, axis.name)
        assert axis.value(axis.position(value)) == pytest.approx(value, rel=1e-6)
        assert axis.value(axis.at(0.0)) != axis.value(axis.at(1.0))
        assert axis.share(axis.at(0.5)) == pytest.approx(0.5, abs=0.26 if axis.form == "power" else 1e-2)


def test_every_corner_is_a_valid_run() -> None:
    for name in ("pong", "cartpole"):
        for core in ("mlp", "lstm"):
            base = configs.defaults(name)
            base = dataclasses.replace(base, policy=dataclasses.replace(base.policy, core=core))
            found = axes(base)
            for corner in range(64):
                params = {axis.name: axis.at(float(corner >> i % 6 & 1)) for i, axis in enumerate(found)}
                config = settings(base, found, params)
                configs.validate(config)
                configs.check_batch(config, 1)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("train.learning_rate = [0.1, 0.01]", "low below high"),
        ("train.learning_rate = 3", "[low, high]"),
        ("policy.core = ['mlp', 'gruu']", "gruu"),
        ("train.learningrate = [0.1, 0.2]", "train.learning_rate"),
    ],
)
def test_faulty_ranges(line: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from minnow import envs

    (tmp_path / "train.toml").write_text(f"[sweep]\n{line}\n")
    monkeypatch.setattr(envs, "folder", lambda name: tmp_path)
    with pytest.raises(MinnowError, match=words.replace("[", r"\[")):
        axes(Config("cartpole"))


def test_ranges_of_train_toml_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from minnow import envs

    (tmp_path / "train.toml").write_text(
        "[sweep.train]\ngamma = [0.9, 0.99]\nenvs = [100, 1000]\n[sweep.policy]\ncore = ['mlp', 'lstm']\n"
    )
    monkeypatch.setattr(envs, "folder", lambda name: tmp_path)
    found = {axis.name: axis for axis in axes(Config("cartpole"))}
    assert found["train.gamma"].value(found["train.gamma"].low) == pytest.approx(0.99)
    assert {found["train.envs"].value(n) for n in (found["train.envs"].low, found["train.envs"].high)} == {128, 1024}
    assert found["policy.core"].choices == ("mlp", "lstm")


def test_lengths_keep_away_from_their_bounds(tmp_path: Path) -> None:
    """A score that only grows with the steps draws every sampler to the upper bound; ours stays within."""
    study = Study.join(small(), "s", str(tmp_path / "s.journal"), seed=1)
    length = next(axis for axis in study.axes if axis.name == STEPS)
    shares = []
    for _ in range(60):
        trial = study.ask(1000, "w")
        assert trial is not None
        shares.append(length.share(trial.params[STEPS]))
        study.tell(trial, [(trial.params[STEPS], 100 * shares[-1], 1.0)], time.time(), False)
    assert sum(not 0.02 <= share <= 0.98 for share in shares) / len(shares) < 0.2
    assert sum(share > 0.6 for share in shares) > 24, "the sampler has not learned that longer is better"


def test_points_of_a_curve_are_told_but_are_no_results(tmp_path: Path) -> None:
    study = Study.join(small(), "s", str(tmp_path / "s.journal"))
    trial = study.ask(5, "w")
    assert trial is not None
    curve = [(2048, 10.0, 0.1), (4096, 20.0, 0.2), (8192, 30.0, 0.4)]
    study.tell(trial, curve, time.time(), False)
    told = study.study.get_trials()
    assert [t.values for t in told if "point_of" in t.user_attrs] == [[10.0, 0.1], [20.0, 0.2]]
    (result,) = study.results()
    assert (result.score, result.seconds, result.curve) == (30.0, 0.4, curve)
    assert trial.params == study.hand_set(), "the hand-set point comes first"


def test_lost_trials_are_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = Study.join(small(), "s", str(tmp_path / "s.journal"))
    lost = study.ask(1, "dead")
    assert lost is not None
    assert study.ask(1, "w") is None, "one trial was wanted and is taken"
    monkeypatch.setattr(studies, "STALE", -1.0)
    again = study.ask(1, "w")
    assert again is not None
    assert again.params == lost.params
    monkeypatch.setattr(studies, "STALE", 60.0)
    study.tell(again, [(8192, 1.0, 1.0)], time.time(), False)
    assert [r.number for r in study.results()] == [again.number]
    assert study.ask(1, "w") is None


def test_a_study_of_something_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = str(tmp_path / "s.journal")
    Study.join(small(), "s", url)
    with pytest.raises(MinnowError, match="another environment"):
        Study.join(configs.defaults("pong"), "s", url)
    with pytest.raises(MinnowError, match="other ranges"):
        Study.join(configs.defaults("cartpole"), "s", url)
    monkeypatch.setattr(studies, "FORMAT", 2)
    with pytest.raises(MinnowError, match="another version of minnow"):
        Study.join(small(), "s", url)
    with pytest.raises(MinnowError, match="no study at"):
        Study.open(small(), "s", str(tmp_path / "none"))
    with pytest.raises(MinnowError, match="it holds: s"):
        Study.open(small(), "t", url)
    with pytest.raises(MinnowError, match="grpc://HOST:PORT"):
        Study.join(small(), "s", "grpc://here")


def test_front_and_busy() -> None:
    def result(number: int, score: float, seconds: float, began: float, ended: float, worker: str) -> Result:
        return Result(number, {}, score, seconds, began, ended, worker, [], False)

    rows = [
        result(0, 5, 10, 0, 10, "a"),
        result(1, 7, 12, 10, 22, "a"),
        result(2, 6, 20, 0, 20, "b"),
        result(3, 5, 9, 25, 35, "b"),
    ]
    assert [r.number for r in front(rows)] == [3, 1]
    assert busy(rows) == pytest.approx(52 / 57)


def plan(tmp_path: Path, trials: int, deadline: float, steps: int = 8192) -> Plan:
    base = small()
    base = dataclasses.replace(base, train=dataclasses.replace(base.train, steps=steps))
    return Plan(base, "s", str(tmp_path / "s.journal"), trials, deadline, 8, tmp_path / "runs", seed=3)


def test_two_workers(tmp_path: Path) -> None:
    job = plan(tmp_path, 6, 60)
    sweep(job, 2, [])
    results = Study.open(job.base, "s", job.storage).results()
    assert len(results) == 6
    assert len({result.worker for result in results}) == 2
    for result in results:
        steps, score, seconds = result.curve[-1]
        assert (score, seconds) == (result.score, result.seconds)
        assert [point[0] for point in result.curve] == sorted(point[0] for point in result.curve)
        run = tmp_path / "runs" / f"{result.number:04d}"
        assert configs.load(run / "config.toml").train.learning_rate == pytest.approx(
            result.params["train.learning_rate"]
        )
        assert list((run / "checkpoints").glob(f"*{steps}.safetensors"))


def test_deadline(tmp_path: Path) -> None:
    job = plan(tmp_path, 1, 4, steps=400_000_000)
    began = time.monotonic()
    sweep(job, 1, [])
    assert time.monotonic() - began < 30
    found = Study.open(job.base, "s", job.storage).study.get_trials()
    assert all(trial.user_attrs["overrun"] for trial in found if "overrun" in trial.user_attrs)
    (only,) = [trial for trial in found if "overrun" in trial.user_attrs]
    assert only.user_attrs["ended"] - only.user_attrs["began"] < 4 * 1.2


@pytest.mark.full
def test_a_killed_worker_loses_nothing(tmp_path: Path) -> None:
    """kill -9 of a worker in mid-trial: another goes on, and the trial is tried again with the same settings."""
    (tmp_path / "tests_sweep.py").write_text(Path(__file__).read_text())
    (tmp_path / "main.py").write_text(
        "import pathlib, sys\n"
        "from minnow.train.sweep import study\n"
        "from minnow.train.sweep.worker import sweep\n"
        "from tests_sweep import plan\n"
        "study.STALE = 3.0  # in every worker: each imports this file\n"
        "if __name__ == '__main__':\n"
        "    sweep(plan(pathlib.Path(sys.argv[1]), 4, 60, steps=400_000), 2, [])\n"
    )
    process = subprocess.Popen([sys.executable, str(tmp_path / "main.py"), str(tmp_path)])
    url = tmp_path / "s.journal"
    victim = None
    for _ in range(300):
        time.sleep(0.2)
        if not url.exists():
            continue
        rows = [json.loads(line) for line in url.read_text().splitlines() if line.endswith("}")]
        names = [row["user_attr"]["worker"] for row in rows if "worker" in row.get("user_attr", {})]
        if names:
            victim = int(names[0].split("-")[-2])
            break
    assert victim is not None
    time.sleep(0.5)
    os.kill(victim, signal.SIGKILL)
    assert process.wait(200) == 0
    study = Study.open(plan(tmp_path, 4, 60, steps=400_000).base, "s", str(url))
    assert len(study.results()) == 4
    retried = [trial for trial in study.study.get_trials() if "retry_of" in trial.user_attrs]
    assert len(retried) == 1
    assert retried[0].params == study.study.get_trials()[retried[0].user_attrs["retry_of"]].params


def test_apply_keeps_comments_and_the_rest() -> None:
    text = "# why\n[policy]\ncore = 'mlp'\n\n[train]\nsteps = 5 # few\n# tail\n"
    text = verb.set_value(text, "train", "steps", 9)
    text = verb.set_value(text, "train", "gamma", 0.5)
    text = verb.set_value(text, "env", "gravity", 2.0)
    assert text == (
        "# why\n[policy]\ncore = 'mlp'\n\n[train]\nsteps = 9 # few\ngamma = 0.5\n# tail\n\n[env]\ngravity = 2\n"
    )
    assert "gamma = 0.999963\n" in verb.set_value(text, "train", "gamma", 0.999963), "four digits would make it 1"


def test_show_and_apply(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from minnow import envs

    base = configs.defaults("cartpole")
    url = str(tmp_path / "s.journal")
    study = Study.join(base, "default", url, seed=0)
    for number in range(40):
        trial = study.ask(40, f"w{number % 2}")
        assert trial is not None
        rate = trial.params["train.learning_rate"]
        study.tell(trial, [(10_000, 100 * rate, 1.0), (20_000, 1e5 * rate, 2.0 + number)], time.time() - 1, number == 3)
    assert verb.main(["show", "cartpole", "--storage", url, "--json", "--plot", str(tmp_path / "s.png")]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["trials"] == 40
    assert shown["stopped_by_deadline"] == 1
    assert max(shown["importances"], key=shown["importances"].get) == "train.learning_rate"
    assert shown["front"][0]["trial"] == 0, "the fastest is always on the front"
    assert (tmp_path / "s.png").read_bytes()[:4] == b"\x89PNG"
    assert verb.main(["show", "cartpole", "--storage", url]) == 0
    assert "learning_rate" in capsys.readouterr().out
    folder = tmp_path / "cartpole"
    folder.mkdir()
    (folder / "train.toml").write_text((envs.folder("cartpole") / "train.toml").read_text())
    monkeypatch.setattr(envs, "folder", lambda name: folder)
    assert verb.main(["apply", "cartpole", "--storage", url]) == 0
    applied = configs.defaults("cartpole")
    best = max(study.results(), key=lambda result: result.score)
    assert applied.train.learning_rate == pytest.approx(best.params["train.learning_rate"], rel=1e-3)
    assert "Returns reach 100" in (folder / "train.toml").read_text()


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["pongg"], "pong"),
        (["cartpole", "--workers", "0"], "--workers is 0"),
        (["cartpole", "--deadline", "0"], "--deadline is 0"),
        (["cartpole", "--trials", "0"], "want 1 or more"),
        (["cartpole", "--trial", "3"], "--trials"),
        (["show", "cartpole"], "no study at"),
        (["apply"], "wants an environment"),
    ],
)
def test_bad_input(argv: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MinnowError, match=words):
        verb.main(argv)


def test_sampler_explores_choices() -> None:
    sampler = Sampler([Axis("policy.core", "choice", choices=("mlp", "lstm"))], 0)
    assert {sampler._anywhere("policy.core") for _ in range(50)} == {"mlp", "lstm"}


@pytest.mark.parametrize(
    ("junk", "words"),
    [
        (b"half a li\n{}\n", r"damaged in line \d+ \(b'half a li'\): remove"),
        (b'{"a": 1}\n', "damaged or no journal: remove"),
    ],
)
def test_a_damaged_journal(junk: bytes, words: str, tmp_path: Path) -> None:
    journal = tmp_path / "s.journal"
    Study.join(small(), "s", str(journal))
    whole = journal.read_bytes()
    journal.write_bytes(whole + junk)
    for opened in (Study.join, Study.open):
        with pytest.raises(MinnowError, match=words):
            opened(small(), "s", str(journal))
    journal.write_bytes(whole)
    Study.open(small(), "s", str(journal))


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    for argv in (["--help"], ["show", "--help"], ["apply", "-h"]):
        assert verb.main(argv) == 0
        assert "usage: minnow sweep" in capsys.readouterr().out


@pytest.mark.parametrize(("core", "priority"), [("mlp", 0.5), ("lstm", 0.0)])
def test_minibatches_of_whole_sequences(core: str, priority: float) -> None:
    base = override(
        small(),
        {"policy.core": core, "train.priority": priority, "train.envs": 16, "train.horizon": 64, "train.minibatch": 32},
    )
    with pytest.raises(MinnowError, match="no multiple of the horizon"):
        configs.check_batch(base, 1)
    configs.check_batch(settings(base, [], {}), 1)
