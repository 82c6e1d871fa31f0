"""Sweeps: axes, the shared study, workers that die, deadlines, what is written back."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import io
import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sure import sure

from minnow import envs
from minnow.cinfer.errors import MinnowError
from minnow.cli import sweep as verb
from minnow.cli.main import main
from minnow.train import checkpoint, evaluation
from minnow.train import config as configs
from minnow.train.config import Config
from minnow.train.ppo import PPO
from minnow.train.sweep import study as studies
from minnow.train.sweep import worker
from minnow.train.sweep.axes import AROUND, STEPS, Axis, axes, judged, override, scored, setting, settings
from minnow.train.sweep.journal import Changed, Journal
from minnow.train.sweep.study import Result, Sampler, Study, busy, front, worker_name
from minnow.train.sweep.worker import Plan, serve, sweep, work


def small() -> Config:
    """CartPole for a few thousand steps: a tenth of a second."""
    base = configs.defaults("cartpole")
    return dataclasses.replace(base, train=dataclasses.replace(base.train, steps=8192, checkpoints=4))


def elsewhere(folder: Path, sweep: str = "") -> Path:
    """A copy of CartPole in a folder of its own, with lines that say what a sweep turns."""
    place = folder / "cartpole"
    place.mkdir()
    (place / "cartpole.c").write_text(envs.source("cartpole").read_text().replace('"../', '"'))
    (place / "train.toml").write_text((envs.folder("cartpole") / "train.toml").read_text() + sweep)
    return place


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
def test_faulty_ranges(line: str, words: str, tmp_path: Path) -> None:
    base = configs.defaults(elsewhere(tmp_path, f"[sweep]\n{line}\n"))
    with pytest.raises(MinnowError, match=words.replace("[", r"\[")):
        axes(base)


def test_ranges_of_train_toml_count(tmp_path: Path) -> None:
    place = elsewhere(
        tmp_path, "[sweep.train]\ngamma = [0.9, 0.99]\nenvs = [100, 1000]\n[sweep.policy]\ncore = ['mlp', 'lstm']\n"
    )
    found = {axis.name: axis for axis in axes(configs.defaults(place))}
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


def test_ends_alone_may_count(tmp_path: Path) -> None:
    """The rest of a curve is kept but not told, and a run that was stopped before its end has failed."""
    study = Study.join(small(), "s", str(tmp_path / "s.journal"))
    curve = [(2048, 10.0, 0.1), (4096, 20.0, 0.2), (8192, 30.0, 0.4)]
    for overrun in (False, True):
        trial = study.ask(5, "w")
        assert trial is not None
        study.tell(trial, curve, time.time(), overrun, endpoint=True)
    assert not [t for t in study.study.get_trials() if "point_of" in t.user_attrs]
    (result,) = study.results()
    assert (result.number, result.score, result.curve) == (0, 30.0, curve)


def test_randomization_may_be_turned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials train with it; all are judged alike, by the environment as it is and with the most of it."""
    place = elsewhere(tmp_path, "[sweep]\nrandomize = [0.0, 0.5]\n")
    base = configs.defaults(place)
    base = dataclasses.replace(base, train=dataclasses.replace(base.train, steps=8192, checkpoints=1))
    found = axes(base)
    assert settings(base, found, {"randomize": 0.3}).randomize == 0.3
    with pytest.raises(MinnowError, match="randomize"):
        setting(base, "randomise")
    job = Plan(base, "s", str(tmp_path / "s.journal"), 1, 60, 5, tmp_path / "runs")
    sweep(job, 1, [])
    (result,) = Study.open(base, "s", job.storage).results()
    policy, _ = checkpoint.load(checkpoint.find(tmp_path / "runs/0000"))
    player = evaluation.TorchPlayer(policy)
    scores = [evaluation.evaluate(player, place, 5, randomize=spread).score_mean for spread in (0.0, 0.5)]
    assert scores[0] != scores[1] and result.score == pytest.approx(sum(scores) / 2)
    assert verb.set_value("[train]\nsteps = 1\n", "", "randomize", 0.25) == "randomize = 0.25\n[train]\nsteps = 1\n"
    assert verb.set_value("randomize = 0.5\n[train]\n", "", "randomize", 0.25) == "randomize = 0.25\n[train]\n"


def test_the_ticks_of_a_step_may_be_turned(tmp_path: Path) -> None:
    """The discount of a trial goes by the tick, whatever its own axis says of a step."""
    place = elsewhere(tmp_path, "[sweep.policy]\naction_repeat = [1, 16]\n")
    base, own = configs.defaults(place), envs.spec(place).action_repeat
    (axis,) = (axis for axis in axes(base) if axis.name == "policy.action_repeat")
    assert (axis.low, axis.high, axis.position(setting(base, axis.name))) == (1, 16, own)
    trial = settings(base, axes(base), {"policy.action_repeat": 2 * own, "train.gamma": 0.1})
    assert trial.policy.action_repeat == 2 * own and trial.train.gamma == 0.9
    assert trial.discount == pytest.approx(0.81)


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
    monkeypatch.setattr(studies, "FORMAT", 3)
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


def test_the_front_of_each_part(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of each value where they are few, else of each quarter of the range."""
    place = elsewhere(tmp_path, "[sweep.env]\nlimit = [500, 502]\n[sweep.policy]\ncore = ['mlp', 'gru']\n")
    base, url = configs.defaults(place), str(tmp_path / "s.journal")
    study = Study.join(base, "s", url)
    for i in range(6):
        trial = sure(study.ask(6, "w"))
        study.tell(trial, [(8192, float(i), 1.0 + i % 2)], time.time(), False)
    for name, most in (("env.limit", 3), ("policy.core", 2), ("train.gamma", 4)):
        parts = study.parts(name)
        assert 1 <= len(parts) <= most and sum(map(len, parts.values())) == 6
        for label, rows in parts.items():
            axis = next(axis for axis in study.axes if axis.name == name)
            values = [axis.value(row.params[name]) for row in rows]
            low, _, high = label.partition(" to ")
            if high:
                assert min(map(float, (low, high))) * 0.99 <= min(values) <= max(values) <= 1.01 * float(max(low, high))
            else:
                assert {str(value) for value in values} == {label}
    with pytest.raises(MinnowError, match=r"env\.limit"):
        study.parts("env.limits")
    where = ["--study", "s", "--storage", url, "--by", "policy.core"]
    assert main(["sweep", "show", str(place), *where, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["parts"]
    assert {row["policy.core"] for row in told} <= {"mlp", "gru"} and sum(row["trials"] for row in told) == 6
    assert [5, 5.0, 2.0] in [point for row in told for point in row["front"]]
    assert main(["sweep", "show", str(place), *where, "--plot", str(tmp_path / "front.png")]) == 0
    assert "the front of each part of policy.core" in capsys.readouterr().out


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


def test_seconds_are_what_a_trial_computes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not those in which it waits for a processor, as when others have them all; nor those of scoring."""
    waited = 0.4

    def slow(self: Any, *given: Any, update: Callable[..., Any] = PPO.update, **named: Any) -> Any:
        time.sleep(waited)
        return update(self, *given, **named)

    monkeypatch.setattr(PPO, "update", slow)
    job = plan(tmp_path, 1, 280, steps=32768)
    serve(job, "w", 3, functools.partial(worker._run, job))
    (result,) = Study.open(job.base, "s", job.storage).results()
    updates = result.curve[-1][0] // (job.base.train.envs * job.base.train.horizon)
    assert updates >= 4 and 0 < result.seconds < waited * updates
    lines = (tmp_path / "runs/0000/metrics.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["seconds"] == pytest.approx(result.seconds, abs=0.05)


GPUS = 4


def named(job: Plan, slot: int, device: str | None) -> None:
    """A worker whose trials write down which GPU they would see. None ends before each GPU has one."""

    def see(study: Study, trial: Any, folder: Path) -> tuple[list[tuple[int, float, float]], bool]:
        (folder / "gpu").write_text(os.environ["CUDA_VISIBLE_DEVICES"])
        while len(list(folder.parent.glob("*/gpu"))) < GPUS:
            study.beat(trial)
            time.sleep(0.1)
        return curve(trial.params), False

    worker._run = lambda _, *given: see(*given)
    work(job, slot, device)


def test_every_gpu_works_on_one_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One worker for each that torch counts, of those that may be used; there is none here."""
    import torch

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(worker, "work", named)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: GPUS)
    monkeypatch.delenv("MINNOW_DEVICE", raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7, 2,3,GPU-5a")
    assert main(["sweep", "cartpole", "--study", "s", "--trials", str(GPUS), "--json"]) == 0
    results = Study.open(configs.defaults("cartpole"), "s", "runs/cartpole/sweeps/s.journal").results()
    assert len(results) == len({result.worker for result in results}) == GPUS
    seen = [path.read_text() for path in Path("runs/cartpole/sweeps/s").glob("*/gpu")]
    assert sorted(seen) == ["2", "3", "7", "GPU-5a"]
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert verb.gpus(8) == [str(i) for i in range(8)]
    monkeypatch.setenv("MINNOW_DEVICE", "cpu")
    assert verb.gpus(8) == []


def test_deadline(tmp_path: Path) -> None:
    job = plan(tmp_path, 1, 4, steps=400_000_000)
    began = time.monotonic()
    sweep(job, 1, [])
    assert time.monotonic() - began < 30
    found = Study.open(job.base, "s", job.storage).study.get_trials()
    assert all(trial.user_attrs["overrun"] for trial in found if "overrun" in trial.user_attrs)
    (only,) = [trial for trial in found if "overrun" in trial.user_attrs]
    assert only.user_attrs["ended"] - only.user_attrs["began"] < 4 * 1.2


def curve(params: dict[str, Any]) -> list[tuple[int, float, float]]:
    """What a trial that takes no time comes to: its settings decide."""
    return [(params[STEPS], 1000 * params["train.learning_rate"], params["train.max_grad_norm"])]


def pretend(study: Study, trial: Any, folder: Path) -> tuple[list[tuple[int, float, float]], bool]:
    time.sleep(random.random() / 50)
    study.beat(trial)
    return curve(trial.params), False


def storm(job: Plan, rounds: int, cuts: int) -> None:
    """Two workers; in each round one of them is killed at a random moment, and in some the journal is cut at a random
    byte. All the while the study can be shown."""
    context, chance = multiprocessing.get_context("fork"), random.Random(5)
    journal = Path(job.storage)

    def start(slot: int) -> Any:
        process = context.Process(target=serve, args=(job, worker_name(slot), None, pretend))
        process.start()
        return process

    workers = [start(0), start(1)]
    for i in range(rounds):
        time.sleep(chance.random() / 2)
        slot = chance.randrange(2)
        workers[slot].kill()
        workers[slot].join()
        if journal.exists() and i % (rounds // cuts) == 1:
            os.truncate(journal, chance.randrange(journal.stat().st_size + 1))
        show(job)
        workers[slot] = start(slot)
    for process in workers:
        process.join()
        assert process.exitcode == 0
    show(job)


def show(job: Plan) -> None:
    """An answer, or words that say why there is none yet."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as words:
        status = main(["sweep", "show", job.base.name, "--study", job.study, "--storage", job.storage, "--json"])
    assert status == 0 or words.getvalue().startswith("minnow: error: ")


def test_a_study_survives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every trial is counted once, with what its own settings come to."""
    monkeypatch.setattr(studies, "STALE", 1.0)
    job = plan(tmp_path, 40, 60)
    storm(job, rounds=10, cuts=3)
    results = Study.open(job.base, job.study, job.storage).results()
    assert len(results) == len({result.number for result in results}) == 40
    for result in results:
        assert result.curve == curve(result.params) and result.score == result.curve[0][1]
    folders = [path.name for path in job.folder.iterdir()]
    assert {name.partition("-")[0] for name in folders} >= {f"{result.number:04d}" for result in results}


@pytest.mark.full
@pytest.mark.timeout(900)
def test_a_sweep_survives(tmp_path: Path) -> None:
    """The same of real trainings in `sweep`'s own workers."""
    (tmp_path / "tests_sweep.py").write_text(Path(__file__).read_text())
    (tmp_path / "main.py").write_text(
        "import pathlib, sys\n"
        "from minnow.train.sweep import study\n"
        "from minnow.train.sweep.worker import sweep\n"
        "from tests_sweep import plan\n"
        "study.STALE = 10.0  # in every worker: each imports this file\n"
        "if __name__ == '__main__':\n"
        "    sweep(plan(pathlib.Path(sys.argv[1]), 40, 60), 2, [])\n"
    )
    where = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}  # of what tests share
    process = subprocess.Popen([sys.executable, str(tmp_path / "main.py"), str(tmp_path)], env=where)
    job, chance, kills = plan(tmp_path, 40, 60), random.Random(5), 0
    journal = Path(job.storage)
    while kills < 10:
        time.sleep(1 + 4 * chance.random())
        assert process.poll() is None, "the sweep ended before it was disturbed"
        rows = [json.loads(line) for line in journal.read_text().splitlines()[:-1]] if journal.exists() else []
        names = [row["user_attr"]["worker"] for row in rows if "worker" in row.get("user_attr", {})]
        if not names:
            continue
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(names[-1].split("-")[-2]), signal.SIGKILL)
            kills += 1
            if kills in (2, 5, 8):
                os.truncate(journal, chance.randrange(journal.stat().st_size + 1))
        show(job)
    assert process.wait(600) == 0
    results = Study.open(job.base, job.study, job.storage).results()
    assert len(results) == len({result.number for result in results}) == 40


def test_a_lock_that_somebody_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As older versions did when they were killed: a link that leads to the journal, or nowhere."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.journal", "folder/b.journal"):
        path = Path(name)
        path.parent.mkdir(exist_ok=True)
        Path(f"{name}.lock").symlink_to(name)
        study = Study.join(small(), "s", name)
        monkeypatch.chdir("/")  # a journal stays where it was
        assert study.ask(1, "w") is not None
        monkeypatch.chdir(tmp_path)
        assert Study.open(small(), "s", name).waits()


def test_a_worker_that_dies_with_the_lock_leaves_none(tmp_path: Path) -> None:
    url = str(tmp_path / "s.journal")
    study = Study.join(small(), "s", url)
    holding, told = multiprocessing.get_context("fork").Pipe(duplex=False)

    def hold() -> None:
        with Journal(url).lock():
            told.send(None)
            time.sleep(1000)

    worker = multiprocessing.get_context("fork").Process(target=hold)
    worker.start()
    holding.recv()
    worker.kill()
    assert study.ask(1, "w") is not None


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-7],
        lambda text: text + b"\n\n  \n",
        lambda text: text + b"\0" * 100,
        lambda text: text + b"\0" * 100 + b"\n",
        lambda text: text[:-30] + b"\0" * 50,
        lambda text: text + text.splitlines(keepends=True)[-1][:20] + text.splitlines(keepends=True)[-1],
    ],
    ids=["torn", "blank", "zeros", "a line of zeros", "torn, then zeros", "written on"],
)
def test_a_journal_that_a_crash_left(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    """Whoever reads passes over it, whoever joins goes on; what was whole counts, once."""
    url = tmp_path / "s.journal"
    study = Study.join(small(), "s", str(url))
    for _ in range(3):
        trial = study.ask(5, "w")
        assert trial is not None
        study.tell(trial, curve(trial.params), time.time(), False)
    study.beat(sure(study.ask(5, "dead")))
    url.write_bytes(damage(url.read_bytes()))
    before = url.read_bytes()
    assert len(Study.open(small(), "s", str(url)).results()) == 3
    assert url.read_bytes() == before, "who only looks changes nothing"
    study = Study.join(small(), "s", str(url))
    trial = study.ask(5, "w")
    assert trial is not None and trial.number == 4
    study.tell(trial, curve(trial.params), time.time(), False)
    assert [result.number for result in Study.open(small(), "s", str(url)).results()] == [0, 1, 2, 4]


@pytest.mark.parametrize("change", ["cut", "deleted", "replaced", "grown again"])
def test_a_worker_whose_journal_changes_says_so(change: str, tmp_path: Path) -> None:
    """It does not write what it knows of one study into another."""
    url = tmp_path / "s.journal"
    study = Study.join(small(), "s", str(url))
    trial = study.ask(5, "w")
    assert trial is not None
    whole = url.read_bytes()
    if change == "deleted":
        url.unlink()
    elif change == "replaced":
        url.rename(tmp_path / "old")
        Study.join(small(), "s", str(url))
    else:
        os.truncate(url, len(whole) // 2)
        if change == "grown again":
            other = Study.join(small(), "s", str(url))
            while url.stat().st_size <= len(whole):
                other.ask(100, "other")
    before = url.read_bytes() if url.exists() else b""
    with pytest.raises(Changed, match=r"s\.journal was cut, deleted or replaced"):
        study.tell(trial, curve(trial.params), time.time(), False)
    assert (url.read_bytes() if url.exists() else b"") == before


def test_trials_of_another_study_by_that_name_are_left_alone(tmp_path: Path) -> None:
    """The journal was deleted, or lies elsewhere: trials get folders of their own, and none fails."""
    job = plan(tmp_path, 2, 60)
    for _ in range(2):
        serve(job, "w", None, pretend)
        Path(job.storage).unlink()
    serve(dataclasses.replace(job, storage=str(tmp_path / "other.journal")), "w", None, pretend)
    assert sorted(path.name for path in job.folder.iterdir()) == [
        "0000",
        "0000-2",
        "0000-3",
        "0001",
        "0001-2",
        "0001-3",
    ]


def test_a_trial_that_was_given_up_belongs_to_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its worker was only slow: what it tells, at whatever moment, is not counted."""
    job = plan(tmp_path, 3, 60)
    other = Study.join(job.base, job.study, job.storage)
    slow = []

    def give_up(study: Study, trial: Any, folder: Path) -> tuple[list[tuple[int, float, float]], bool]:
        if not slow:
            slow.append(trial)
            with monkeypatch.context() as hasty:
                hasty.setattr(studies, "STALE", -1.0)
                other.retry_lost()
        return curve(trial.params), False

    serve(job, "w", None, give_up)
    study = Study.open(job.base, job.study, job.storage)
    assert [result.number for result in study.results()] == [1, 2, 3]
    assert study.results()[0].params == slow[0].params
    for late in (lambda: other.beat(slow[0]), lambda: other._end(0), lambda: other._end(0, [1.0, 1.0])):
        with pytest.raises(studies.UpdateFinishedTrialError):
            late()


def test_what_a_worker_leaves_behind_at_each_step_is_counted_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after any of the lines that it writes: the study still comes to its two trials, done or failed."""
    job = plan(tmp_path, 2, 60)
    monkeypatch.setattr(worker, "PAUSE", 0.0)

    def fail_once(study: Study, trial: Any, folder: Path) -> tuple[list[tuple[int, float, float]], bool]:
        return ([] if trial.number == 0 else curve(trial.params)), False

    serve(job, "w", None, fail_once)
    lines = Path(job.storage).read_bytes().splitlines(keepends=True)
    monkeypatch.setattr(studies, "STALE", -1.0)
    for count in range(0, len(lines), 3):
        url = tmp_path / f"{count}.journal"
        url.write_bytes(b"".join(lines[:count]))
        serve(dataclasses.replace(job, storage=str(url)), "w", None, fail_once)
        study = Study.open(job.base, job.study, str(url))
        failed = [trial for trial in study.study.get_trials() if "failed" in trial.user_attrs]
        assert len(failed) + len(study.results()) == 2 and not study.waits(), count


def test_apply_keeps_comments_and_the_rest() -> None:
    text = "# why\n[policy]\ncore = 'mlp'\n\n[train]\nsteps = 5 # few\n# tail\n"
    text = verb.set_value(text, "train", "steps", 9)
    text = verb.set_value(text, "train", "gamma", 0.5)
    text = verb.set_value(text, "env", "gravity", 2.0)
    assert text == (
        "# why\n[policy]\ncore = 'mlp'\n\n[train]\nsteps = 9 # few\ngamma = 0.5\n# tail\n\n[env]\ngravity = 2\n"
    )
    assert "gamma = 0.999963\n" in verb.set_value(text, "train", "gamma", 0.999963), "four digits would make it 1"


def test_show_and_apply(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of an environment that lies elsewhere: what is applied goes into its own train.toml."""
    place = elsewhere(tmp_path)
    base = configs.defaults(place)
    url = str(tmp_path / "s.journal")
    study = Study.join(base, "default", url, seed=0)
    for number in range(40):
        trial = study.ask(40, f"w{number % 2}")
        assert trial is not None
        rate = trial.params["train.learning_rate"]
        study.tell(trial, [(10_000, 100 * rate, 1.0), (20_000, 1e5 * rate, 2.0 + number)], time.time() - 1, number == 3)
    assert verb.main(["show", str(place), "--storage", url, "--json", "--plot", str(tmp_path / "s.png")]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["trials"] == 40
    assert shown["stopped_by_deadline"] == 1
    assert max(shown["importances"], key=shown["importances"].get) == "train.learning_rate"
    assert shown["front"][0]["trial"] == 0, "the fastest is always on the front"
    assert (tmp_path / "s.png").read_bytes()[:4] == b"\x89PNG"
    assert verb.main(["show", str(place), "--storage", url]) == 0
    assert "learning_rate" in capsys.readouterr().out
    assert verb.main(["apply", str(place), "--storage", url]) == 0
    applied = configs.defaults(place)
    best = max(study.results(), key=lambda result: result.score)
    assert applied.train.learning_rate == pytest.approx(best.params["train.learning_rate"], rel=1e-3)
    assert "Returns reach 100" in (place / "train.toml").read_text()


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["pongg"], "pong"),
        (["cartpole", "--workers", "0"], "--workers is 0"),
        (["cartpole", "--deadline", "0"], "--deadline is 0"),
        (["cartpole", "--trials", "0"], "must be 1 or more"),
        (["cartpole", "--trial", "3"], "--trials"),
        (["show", "cartpole"], "no study at"),
        (["apply"], "takes an environment"),
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
        (b'{"a": 1}\n', "damaged, or is not a journal: remove"),
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
    with pytest.raises(MinnowError, match="not a multiple of the horizon"):
        configs.check_batch(base, 1)
    configs.check_batch(settings(base, [], {}), 1)


def test_fidelity_and_rate_may_be_turned(tmp_path: Path) -> None:
    """By a recipe alone: whole numbers stay whole, the discount and an episode's length go by the second, and all are
    scored at the fidelity that it says, at the rate that they learnt at."""
    recipe = Path(__file__).resolve().parent.parent / "bench" / "fidelity.toml"
    base = configs.defaults("push_cube")
    found = {axis.name: axis for axis in axes(base, recipe)}
    assert set(found) == {"randomize", STEPS, *map("env.{}".format, ("level", "substeps", "hardness", "creep", "rate"))}
    assert (found["env.level"].form, found["env.level"].low, found["env.level"].high) == ("integer", 0, 2)
    assert found["env.hardness"].log and found["env.rate"].log
    hand = {name: axis.position(setting(base, name)) for name, axis in found.items()}
    assert isinstance(hand["env.level"], int) and hand["env.substeps"] == 5
    trial = settings(base, list(found.values()), hand | {"env.rate": 40.0, "env.level": 1})
    assert trial.train.gamma == pytest.approx(base.train.gamma**0.5) and trial.env["limit"] == 100
    assert judged(trial, list(found.values()), scored(base, recipe)) == {
        "level": 2, "substeps": 20, "rate": 40, "limit": 100
    }  # fmt: skip
    default = {axis.name: axis for axis in axes(base)}
    assert default["env.substeps"].form == "integer" and "env.rate" not in default and scored(base) == {}
    for text, words in (
        ("[sweep.env]\nlevel = [0, 2]\n[sweep.score]\nlevl = 1\n", "did you mean level"),
        ("[train]\nsteps = 1\n", "turns nothing"),
    ):
        (tmp_path / "r.toml").write_text(text)
        with pytest.raises(MinnowError, match=words):
            Study.join(base, "s", str(tmp_path / "s.journal"), recipe=tmp_path / "r.toml")
