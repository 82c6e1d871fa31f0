"""Workers of a sweep: several at once, deadlines, crashes at any moment."""

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
from short import small
from sure import sure

from minnow.cli import sweep as verb
from minnow.cli.main import main
from minnow.train import config as configs
from minnow.train.ppo import PPO
from minnow.train.sweep import study as studies
from minnow.train.sweep import worker
from minnow.train.sweep.axes import STEPS
from minnow.train.sweep.journal import Changed, Journal
from minnow.train.sweep.study import Study, worker_name
from minnow.train.sweep.worker import Plan, serve, sweep, work


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
