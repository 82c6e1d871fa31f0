"""A run: its folder, its clock, its checkpoints; how it ends, is interrupted and goes on.

runs/<env>/<id>/ holds config.toml (every setting; a table [result] at the end), metrics.jsonl, tb/ (TensorBoard) and
checkpoints/<steps>.safetensors.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import itertools
import json
import math
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import torch

import minnow
from minnow import envs
from minnow.cinfer.errors import MinnowError
from minnow.cinfer.files import write_atomic, write_new
from minnow.train import checkpoint, demos, device, fault, observation, records
from minnow.train import config as configs
from minnow.train.config import Config
from minnow.train.crew import signals
from minnow.train.dashboard import Dashboard
from minnow.train.group import ALONE, Group
from minnow.train.ppo import PPO
from minnow.train.tracker import Kind, Tracker

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
CALIBRATION = 0.3  # seconds
MARGIN = 0.9  # of the steps that the budget would allow at the measured speed


@dataclass
class Outcome:
    run: Path
    checkpoint: Path
    steps: int
    seconds: float  # of training
    ended: str  # "schedule", "stop", "budget" or "signal"
    signal: int  # that ended it, or 0


class Folder:
    """A run's files, as one process writes them. Every failure to write is a MinnowError that names the last good
    checkpoint."""

    def __init__(self, path: Path, track: Kind = "none") -> None:
        self.path = path
        self.track: Kind = track
        self.tracker: Tracker | None = None

    @contextlib.contextmanager
    def guard(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            good = checkpoint.all_of(self.path)
            last = (
                f" The last good checkpoint is {good[-1]}; make room, then: minnow train --resume {self.path}"
                if good
                else " No checkpoint had been written yet."
            )
            raise MinnowError(f"cannot write to {self.path}: {error.strerror or error}.{last}") from error

    def prepare(self) -> None:
        """Makes the folder. Raises MinnowError where it cannot be made, and where it holds a run."""
        with self.guard():
            if (self.path / "config.toml").exists():
                raise self._taken()
            (self.path / "checkpoints").mkdir(parents=True, exist_ok=True)

    def create(self, config: Config) -> None:
        """Begins a run in it; of several that do so at one instant, one."""
        self.prepare()
        with self.guard():
            try:
                write_new(self.path / "config.toml", configs.dump(config).encode())
            except FileExistsError:
                raise self._taken() from None

    def _taken(self) -> MinnowError:
        return MinnowError(
            f"{self.path} already holds a run: choose another --out, or go on with: minnow train --resume {self.path}"
        )

    def write_config(self, config: Config, result: dict[str, Any] | None = None) -> None:
        with self.guard():
            write_atomic(self.path / "config.toml", configs.dump(config, result).encode())

    def open_metrics(self, config: Config, steps: int) -> None:
        """Opens metrics.jsonl and TensorBoard for appending, lines later than `steps` being dropped first; and the
        tracker, if one is asked for."""
        from torch.utils.tensorboard import SummaryWriter

        if self.track != "none":
            try:
                with self.guard():
                    self.tracker = Tracker(self.track, config, self.path)
            except MinnowError:
                if not checkpoint.all_of(self.path):  # so that the same command may be tried again
                    (self.path / "config.toml").unlink(missing_ok=True)
                raise
        path = self.path / "metrics.jsonl"
        with self.guard():
            if path.exists():
                kept = [row for row in records.metrics(path) if row["steps"] <= steps]
                write_atomic(path, "".join(json.dumps(row) + "\n" for row in kept).encode())
            self.metrics = path.open("a", encoding="utf-8")
            self.board = SummaryWriter(str(self.path / "tb"), purge_step=steps + 1, flush_secs=5)

    def write_metrics(self, metrics: dict[str, float]) -> None:
        with self.guard():
            self.metrics.write(json.dumps(metrics) + "\n")
            self.metrics.flush()
            for name, number in metrics.items():
                if name != "steps":
                    self.board.add_scalar(name, number, metrics["steps"])
        if self.tracker:
            self.tracker.log(metrics)

    def close(self) -> None:
        with self.guard():
            self.metrics.close()
            self.board.close()
        if self.tracker:
            self.tracker.close()

    def fail(self, trainer: PPO) -> NoReturn:
        """Says whose fault it is that the policy cannot learn any more. All processes call it."""
        good = checkpoint.all_of(self.path)
        last = f"The last good checkpoint is {good[-1]}. " if good else ""
        if theirs := fault.of_environment(trainer):
            named = shlex.quote(trainer.config.path or trainer.config.name)
            look = "" if trainer.spec.foreign else f"To look for it: minnow check {named}"
            raise MinnowError(
                f"{theirs}, after {trainer.steps:,} steps: the environment is at fault, not the training. {last}{look}"
            )
        raise MinnowError(
            f"the policy's weights are not finite after {trainer.steps:,} steps: training has diverged. {last}"
            "Try a smaller --train.learning-rate or --train.reward-scale."
        )

    def save(self, trainer: PPO, seconds: float, command: str) -> Path:
        """All processes call it; the leader writes."""
        if not all(bool(leaf.isfinite().all()) for leaf in (*trainer.parameters, *trainer.policy.buffers())):
            self.fail(trainer)
        tensors = trainer.tensors()
        path = self.path / "checkpoints" / f"{trainer.steps:012d}.safetensors"
        meta = {
            "config": trainer.config.to_dict(),
            "groups": observation.to_dict(trainer.policy.inputs),
            "space": trainer.space.to_dict(),
            "source_hash": trainer.spec.source_hash,
            "updates": trainer.update_index,
            "steps": trainer.steps,
            "seconds": seconds,
            "command": command,
            "minnow": minnow.__version__,
            "torch": torch.__version__,
        }
        if trainer.group.leads:
            with self.guard():
                checkpoint.save(path, tensors, meta)
        return path


def train(
    config: Config,
    *,
    out: Path | None = None,
    budget: float | None = None,
    on_checkpoint: Callable[[Path], None] | None = None,
    command: str = "",
    group: Group = ALONE,
    track: Kind = "none",
    clock: Callable[[], float] = time.perf_counter,
) -> Outcome:
    """Trains from the beginning in a new folder `out` (default: runs/<env>/<time>).

    With a budget (seconds), a throwaway trainer first measures the speed; if the schedule would not fit it is shortened
    to what does, so that learning rate and entropy still come to their ends. Training stops at the budget in any case,
    and before it where the schedule ends sooner. `on_checkpoint` gets each checkpoint's path; the clock stands still
    meanwhile. Seconds of training are those of `clock`.
    """
    configs.validate(config)
    if budget is not None and not budget > 0:
        raise MinnowError(f"--budget is {budget:g} seconds: it must be a positive number.")
    prepare(config)
    trainer = device.trainer(config, group)
    started = clock()
    if budget is not None:
        config = fit(config, budget, group)
        if config.train.steps != trainer.config.train.steps:
            trainer = device.trainer(config, group)
    if out is None:
        if group.size > 1:
            raise MinnowError("several processes train one run: tell each its folder by `out`.")
        out = new_folder(config.shelf)
    if config.start:
        checkpoint.begin(trainer.policy, Path(config.start))
    folder = Folder(out, track)
    given = config.demonstrations
    if given:
        trainer.config = config = dataclasses.replace(config, demonstrations=str(out / demos.FILE))
    if group.leads:
        folder.create(config)
        if trainer.starts is not None and given != config.demonstrations:
            with folder.guard():
                demos.save(out / demos.FILE, trainer.spec, trainer.starts.demos)
    return _loop(trainer, folder, budget, clock() - started, on_checkpoint, command, clock)


def resume(
    run: Path,
    *,
    budget: float | None = None,
    on_checkpoint: Callable[[Path], None] | None = None,
    command: str = "",
    group: Group = ALONE,
    track: Kind = "none",
    on: str | None = None,
    backend: configs.Backend | None = None,
    place: envs.Place | None = None,
    more: int = 0,
) -> Outcome:
    """Goes on from a run's newest checkpoint, as if it had never stopped. `budget` counts from the run's beginning.
    The number of processes may differ from before, and so may the device, `on`, and
    the backend, as `train.device` and `train.backend` say them. place: of
    the environment, if it has moved to where it would not be found. With `more` the schedule, or what the run was to
    stop at, becomes so many agent-steps longer: learning rate and entropy go on from where a schedule of that length
    has them by then."""
    file = checkpoint.find(run)
    newest = checkpoint.all_of(file.parent.parent)[-1:]
    if newest and newest[0].name != file.name:
        raise MinnowError(f"{file} is not its run's newest checkpoint, {newest[0].name}: move later ones away first.")
    tensors, meta = checkpoint.read(file)
    folder = Folder(file.parent.parent, track)
    config = configs.from_dict(meta["config"], str(file))
    if place is not None:
        config = dataclasses.replace(config, path=envs.remember(place))
    config = configs.placed(config, file)
    if config.demonstrations:
        config.demonstrations = str(folder.path / demos.FILE)
    config.train = dataclasses.replace(config.train, **_longer(folder.path, config, more))
    config.train.device = on or config.train.device
    config.train.backend = backend or config.train.backend
    configs.validate(config)
    prepare(config)
    trainer = device.trainer(config, group)
    if trainer.spec.source_hash != meta["source_hash"]:
        raise MinnowError(
            f"{file} was trained on another version of {config.name}: its source has changed since. "
            "Train again, with --from to begin with its weights, or check out the sources of that time."
        )
    checkpoint.check(trainer.policy, tensors, file)
    trainer.load(tensors, meta["updates"])
    if more and group.leads:
        folder.write_config(config)
    return _loop(trainer, folder, budget, meta["seconds"], on_checkpoint, meta["command"] or command)


def _longer(run: Path, config: Config, more: int) -> dict[str, int]:
    """The steps of the schedule and those to stop at, as config.toml has them, which may have become more since the
    checkpoint of `config` was written; and with `more` beyond."""
    if not 0 <= more <= configs.RANGES["train.steps"][1]:
        raise MinnowError(f"--more is {more:,}: it must be the agent-steps to go on for, 1 or more.")
    record, train = run / "config.toml", config.train
    if record.exists():
        written = configs.from_dict(configs.parse(record.read_text("utf-8"), str(record)), str(record)).train
        if written.steps > train.steps:
            train = written
    if not more:
        return {"steps": train.steps, "stop": train.stop}
    return {"steps": (train.stop or train.steps) + more, "stop": 0}


def fit(config: Config, budget: float, group: Group = ALONE) -> Config:
    """The configuration with a schedule that fits into `budget` seconds on this machine as busy as it is now."""
    trial = device.trainer(config, group)
    started = time.perf_counter()
    trial.update()  # the first one allocates memory; it is not counted
    warm = time.perf_counter()
    limit = min(CALIBRATION, budget / 10)
    while True:
        now = time.perf_counter()
        if group.any(now - warm >= limit or trial.steps >= config.train.steps):
            break
        trial.update(measure=False)
    speed = (trial.steps - trial.batch) / (now - warm) if trial.update_index > 1 else trial.batch / (warm - started)
    possible = group.first(MARGIN * speed * (budget - (now - started)))
    if possible >= config.train.steps:
        return config
    steps = max(1, int(possible / trial.batch)) * trial.batch
    return dataclasses.replace(config, train=dataclasses.replace(config.train, steps=steps))


def _loop(
    trainer: PPO,
    folder: Folder,
    budget: float | None,
    seconds: float,
    on_checkpoint: Callable[[Path], None] | None,
    command: str,
    clock: Callable[[], float] = time.perf_counter,
) -> Outcome:
    train = trainer.train
    end = math.ceil(min(train.stop or train.steps, train.steps) / trainer.batch)
    save_every = math.ceil(trainer.updates / train.checkpoints)
    log_every = math.ceil(trainer.updates / train.logs)
    group = trainer.group
    if group.leads:
        folder.open_metrics(trainer.config, trainer.steps)
    title = f"{trainer.config.name} (seed {trainer.config.seed})"
    # Two clocks: `begun` moves forward by whatever is not training.
    begun = clock() - seconds
    last_log, last_steps = seconds, trainer.steps
    path: Path | None = None
    ended = "stop" if end < trainer.updates else "schedule"

    def save() -> Path:
        nonlocal begun
        path = folder.save(trainer, clock() - begun, command)
        if on_checkpoint and group.leads:
            paused = clock()
            on_checkpoint(path)
            begun += clock() - paused
        return path

    shown = Dashboard(title, end * trainer.batch, budget) if group.leads else contextlib.nullcontext()
    with shown as dashboard, signals() as caught:
        while trainer.update_index < end:
            seconds = clock() - begun
            stopping = group.first(bool(budget is not None and seconds >= budget)) if budget is not None else 0
            if group.any(bool(caught)):
                ended = "signal"
                break
            if stopping:
                ended = "budget"
                break
            path = None
            log = (trainer.update_index + 1) % log_every == 0 or trainer.update_index + 1 == end
            learned = trainer.update(measure=log)
            # On another device asking means waiting for it.
            if (log or trainer.device.type == "cpu") and not trainer.finite():
                folder.fail(trainer)
            if log:
                seconds = clock() - begun
                speed = (trainer.steps - last_steps) / max(seconds - last_log, 1e-9)
                last_log, last_steps = seconds, trainer.steps
                metrics = {"steps": trainer.steps, "seconds": seconds, "steps_per_second": speed}
                metrics |= _episodes(trainer) | learned
                if dashboard is not None:
                    folder.write_metrics(metrics)
                    dashboard.show(metrics, final=trainer.update_index == end)
            if trainer.update_index % save_every == 0 and trainer.update_index < end:
                path = save()
        seconds = clock() - begun
        path = path or save()
        if group.leads:
            folder.close()
    if ended != "signal" and group.leads:
        record(folder.path, {"steps": trainer.steps, "seconds": round(seconds, 3), "ended": ended})
    return Outcome(folder.path, path, trainer.steps, seconds, ended, _signal(caught) if ended == "signal" else 0)


def _signal(caught: list[int]) -> int:
    return caught[0] if caught else signal.SIGTERM  # which another process got


def record(run: Path, result: dict[str, Any]) -> None:
    """Adds to the table [result] of a run's config.toml."""
    text = (run / "config.toml").read_text("utf-8")
    tables = configs.parse(text, str(run / "config.toml"))
    config = configs.from_dict(tables, str(run / "config.toml"))
    Folder(run).write_config(config, tables.get("result", {}) | result)


def _episodes(trainer: PPO) -> dict[str, float]:
    """Means over the episodes finished since the last call; only their number where none was."""
    episodes = torch.from_numpy(trainer.take_episodes()).double()
    sums = torch.cat([torch.tensor([len(episodes)], dtype=torch.float64), episodes.sum(0)])
    count, *sums = trainer.group.sum_(sums).tolist()
    found = {"episodes": count}
    if count:
        score, total, length, success, broken = (number / count for number in sums)
        found |= {"score_mean": score, "return_mean": total, "length_mean": length}
        if trainer.spec.has_success:
            found["success_rate"] = success
        if broken:
            found["broken_rate"] = broken
    return found


def prepare(config: Config) -> None:
    """Threads as configured; and memory that is freed stays with the process. Otherwise glibc gives torch's temporary
    arrays back to the system and each update faults their pages in anew, which costs up to 40 % of the time."""
    torch.set_num_threads(config.train.threads)
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    if libc is not None and hasattr(libc, "mallopt"):
        libc.mallopt(M_MMAP_THRESHOLD, 1 << 30)
        libc.mallopt(M_TRIM_THRESHOLD, 1 << 30)


def new_folder(name: str) -> Path:
    """Makes the folder where a run goes by default, runs/<env>/<time>. No other call gets the same one."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    for count in itertools.count(1):
        path = Path("runs") / name / (stamp if count == 1 else f"{stamp}-{count}")
        with Folder(path).guard(), contextlib.suppress(FileExistsError):
            path.mkdir(parents=True)
            return path
    raise AssertionError("there is always a next number")
