"""`minnow bench slots`: what a sweep's workers lose between trials, where the work of trials is not this machine's."""

from __future__ import annotations

import functools
import multiprocessing
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minnow.bench import Measured, Say
from minnow.cinfer.errors import MinnowError
from minnow.train import config as configs

if TYPE_CHECKING:
    from minnow.train.sweep.worker import Curve, Plan


@dataclass
class Options:
    """Let workers share a study in one journal, of trials that only wait, as a worker does while a GPU trains: in what
    part of the time, from its first trial to its last, has each one? What training asks of the processor is not in
    it."""

    workers: int = 8
    """Trials at once."""
    trials: int = 160
    """Of the study. The later ones take longer to propose."""
    seconds: float = 10.0
    """That a trial waits."""
    env: str = "pong"
    """Whose settings are turned."""


def measure(options: Options, say: Say) -> Measured:
    from minnow.train.sweep.study import Study, busy
    from minnow.train.sweep.worker import Plan

    if min(options.workers, options.trials) < 1 or not options.seconds > 0:
        raise MinnowError("--workers and --trials must be 1 or more, --seconds above 0.")
    with tempfile.TemporaryDirectory() as folder:
        base, journal = configs.defaults(options.env), str(Path(folder) / "s.journal")
        plan = Plan(base, "s", journal, options.trials, 60 * options.seconds, 1, Path(folder))
        context = multiprocessing.get_context("spawn")
        slots = [context.Process(target=_serve, args=(plan, i, options.seconds)) for i in range(options.workers)]
        for slot in slots:
            slot.start()
        for slot in slots:
            slot.join()
        results = Study.open(base, "s", journal).results()
    if len(results) != options.trials:
        raise MinnowError(f"{len(results)} of {options.trials} trials were done: the reason is above.")
    share = busy(results) or 1.0
    lost = sum(result.ended - result.began for result in results) / len(results) * (1 / share - 1)
    row: dict[str, Any] = {"workers": options.workers, "trials": options.trials, "seconds": options.seconds}
    row |= {"busy": round(share, 4), "lost_per_trial": round(lost, 3), "worth": round(share * options.workers, 2)}
    say(
        f"{options.workers} workers, {options.trials} trials of {options.seconds:g} s: busy {share:.1%} of the time, "
        f"{lost:.3f} s lost a trial; worth {row['worth']} that never wait"
    )
    return Measured([row])


def _serve(plan: Plan, slot: int, seconds: float) -> None:
    from minnow.train.sweep.study import worker_name
    from minnow.train.sweep.worker import serve

    serve(plan, worker_name(slot), slot, functools.partial(_wait, seconds))


def _wait(seconds: float, study: Any, trial: Any, folder: Path) -> tuple[Curve, bool]:
    """A curve of four points, of which the sampler is told, as of one that trains."""
    from minnow.train.sweep.axes import STEPS
    from minnow.train.sweep.worker import BEAT

    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, BEAT))
        study.beat(trial)
    steps, rate = trial.params[STEPS], trial.params["train.learning_rate"]
    return [(steps * i // 4, i * rate, seconds * i / 4) for i in range(1, 5)], False
