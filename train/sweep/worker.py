"""A worker: asks the study for a trial, trains it in a child process, tells what came out; and the slots of a machine.

The child is forked, so that torch is imported once a worker and not once a trial. It dies with its worker, and is
killed at the deadline: what its checkpoints had scored until then is its result.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import json
import multiprocessing
import os
import sys
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minnow import envs
from minnow.cinfer.errors import MinnowError
from minnow.train.config import Config
from minnow.train.crew import die_with_parent

if TYPE_CHECKING:
    from optuna import Trial

    from minnow.train.sweep.study import Study

BEAT = 2.0  # seconds between signs of life
PAUSE = 0.5  # between looks at a study whose last trials others have


@dataclasses.dataclass(frozen=True)
class Plan:
    """What every worker of a machine is told. `folder` receives each trial's run, NNNN/."""

    base: Config
    study: str
    storage: str
    trials: int
    deadline: float  # seconds of one trial, evaluations included
    episodes: int  # of one evaluation
    folder: Path
    seed: int | None = None
    endpoint: bool = False  # only ends of runs count
    recipe: Path | None = None  # what is turned, in place of train.toml


def sweep(plan: Plan, slots: int, devices: list[str], until: float | None = None) -> None:
    """Runs `slots` workers until the study has its trials, or until a time. A worker that dies is started again.
    devices: GPUs that the slots share out, as CUDA_VISIBLE_DEVICES names them; none: the CPU."""
    if slots < 1:
        raise MinnowError(f"--workers is {slots}: it must be 1 or more.")
    if not plan.deadline > 0:
        raise MinnowError(f"--deadline is {plan.deadline:g} seconds: it must be a positive number.")
    if isinstance(plan.base.place, Path):
        envs.library(plan.base.place)  # compiled once, not by each
    context = multiprocessing.get_context("spawn")
    alive: dict[int, Any] = {}

    def start(slot: int) -> None:
        device = devices[slot % len(devices)] if devices else None
        alive[slot] = context.Process(target=work, args=(plan, slot, device), name=f"slot {slot}")
        alive[slot].start()

    for slot in range(slots):
        start(slot)
    try:
        while alive:
            for slot, process in list(alive.items()):
                process.join(0.2)
                if process.exitcode is None:
                    continue
                del alive[slot]
                if process.exitcode < 0:  # killed, not finished
                    print(f"worker {slot} was killed (signal {-process.exitcode}); starting another", file=sys.stderr)
                    start(slot)
                elif process.exitcode > 0:
                    raise MinnowError(f"worker {slot} failed with exit status {process.exitcode}; the reason is above.")
            if until is not None and time.time() > until:
                break
    finally:
        for process in alive.values():
            process.terminate()
        for process in alive.values():
            process.join()


def work(plan: Plan, slot: int, device: str | None) -> None:
    """One slot's worker, until no trial is left."""
    if device is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = device
    else:
        os.environ.setdefault("MINNOW_DEVICE", "cpu")
    die_with_parent()
    import torch

    from minnow.train import run  # noqa: F401 (imported before the forks)
    from minnow.train.sweep.study import worker_name

    torch.set_num_threads(1)
    # A worker's name tells its trials from others' even after a restart; its seed must differ too.
    try:
        serve(plan, worker_name(slot), None if plan.seed is None else plan.seed + slot, functools.partial(_run, plan))
    except (MinnowError, OSError) as error:
        print(f"worker {slot}: {error}", file=sys.stderr)
        sys.exit(1)


Curve = list[tuple[int, float, float]]  # (steps, score, seconds), oldest first


def serve(plan: Plan, name: str, seed: int | None, run: Callable[[Study, Trial, Path], tuple[Curve, bool]]) -> None:
    """Asks for trials and tells what `run(study, trial, folder)` makes of them, its curve and whether it was stopped by
    its deadline, until the study has enough. A trial that others have some reason to hold for lost is theirs."""
    from minnow.train.sweep.journal import Changed
    from minnow.train.sweep.study import Study, UpdateFinishedTrialError

    study: Study | None = None
    trial: Trial | None = None
    while True:
        try:
            study = study or Study.join(plan.base, plan.study, plan.storage, seed, plan.recipe)
            trial = study.ask(plan.trials, name)
            if trial is None:
                if not study.waits():
                    return
                time.sleep(PAUSE)
                continue
            began, folder = time.time(), claim(plan.folder, trial.number)
            curve, overrun = run(study, trial, folder)
            study.tell(trial, curve, began, overrun, plan.endpoint)
        except Changed:
            print(f"{plan.storage} was cut or replaced: joining the study anew", file=sys.stderr, flush=True)
            study = None
            continue
        except UpdateFinishedTrialError:
            assert trial is not None  # `tell` said it, of this trial
            print(f"trial {trial.number} was given up as lost, and is tried again", file=sys.stderr, flush=True)
            continue
        score = f"score {curve[-1][1]:+.2f} after {curve[-1][2]:.1f} s" if curve else f"failed: see {folder}/log.txt"
        print(f"trial {trial.number}: {score}{' (deadline)' if overrun else ''}", file=sys.stderr, flush=True)


def claim(folder: Path, number: int) -> Path:
    """Makes a trial's own folder: NNNN, or NNNN-2 and so on where another study of that name, or a trial that its
    journal has lost, was there before."""
    for count in itertools.count(1):
        path = folder / (f"{number:04d}" if count == 1 else f"{number:04d}-{count}")
        with contextlib.suppress(FileExistsError):
            path.mkdir(parents=True)
            return path
    raise AssertionError("there is always a next number")


def _run(plan: Plan, study: Study, trial: Trial, folder: Path) -> tuple[Curve, bool]:
    """Trains in a child, giving signs of life meanwhile."""
    began = beat = time.time()
    receive, send = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(
        target=_trial, args=(plan, study.axes, dict(trial.params), trial.number, folder, send)
    )
    child.start()
    send.close()
    curve: Curve = []
    overrun = False
    try:
        while not _drain(receive, curve, 0.1):
            now = time.time()
            if now - began > plan.deadline:
                overrun = True
                break
            if now - beat > BEAT:
                study.beat(trial)
                beat = now
        else:
            child.join()  # it has closed its end, and is about to go
    finally:
        child.kill()
        child.join()
    _drain(receive, curve, 0)
    receive.close()
    return curve, overrun


def clock(config: Config) -> Callable[[], float]:
    """What a trial's seconds are taken by: this process's own processor time, so that whatever else keeps the machine
    busy costs a trial nothing. Where a GPU learns, or environments have processes of their own, a clock."""
    from minnow.train.device import chosen

    alone = chosen(config).type == "cpu" and not isinstance(config.place, envs.Foreign)
    return time.process_time if alone else time.perf_counter


def _drain(receive: Any, curve: Curve, wait: float) -> bool:
    """Takes the points that have come; True once the child has closed its end."""
    try:
        while receive.poll(wait):
            curve.append(tuple(json.loads(receive.recv_bytes())))
            wait = 0
    except (EOFError, OSError):
        return True
    return False


def _trial(plan: Plan, found: list[Any], params: dict[str, Any], number: int, folder: Path, send: Connection) -> None:
    """In the child: trains, and sends (steps, score, seconds) of each checkpoint."""
    die_with_parent()
    log = os.open(folder / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    from minnow.train import checkpoint, evaluation, run
    from minnow.train.sweep.axes import RANDOMIZE, judged, scored, settings

    # The environment as it is; and where randomization is turned, also with the most of it: trials must not be judged
    # each by its own.
    spreads = [0.0, *(axis.high for axis in found if axis.name == RANDOMIZE)]

    def score(path: Path) -> None:
        policy, meta = checkpoint.load(path)
        player = evaluation.TorchPlayer(policy)
        scores = [
            evaluation.evaluate(player, plan.base.place, plan.episodes, params=world, randomize=spread).score_mean
            for spread in spreads
        ]
        send.send_bytes(json.dumps((meta["steps"], sum(scores) / len(scores), meta["seconds"])).encode())

    status = 1
    try:
        config = dataclasses.replace(settings(plan.base, found, params), seed=number + (plan.seed or 0))
        world = judged(config, found, scored(plan.base, plan.recipe))
        command = f"minnow sweep {plan.base.name}"
        run.train(config, out=folder, on_checkpoint=score, command=command, clock=clock(config))
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        send.close()
        os._exit(status)  # nothing of the worker's, which this is a copy of, must be closed here
