"""`minnow sweep ENV`: many short trainings that look for the fastest way to a good score; and what they found."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minnow import envs
from minnow.cinfer.errors import MinnowError
from minnow.cinfer.files import write_atomic
from minnow.cli import flags
from minnow.train import config as configs

SUMMARY = "search for the settings that reach a good score fastest"
USAGE = """usage: minnow sweep ENV [options]         run trials on this machine; run it elsewhere too to join
       minnow sweep show ENV [options]    the Pareto front, importances and slices
       minnow sweep apply ENV [options]   write a point of the front into ENV's train.toml
ENV is an environment's name, or the path of its folder. Add --help to any of these."""


@dataclass
class StudyFlags:
    """Which study."""

    study: str = "default"
    """The study's name; workers that give the same name and storage share it."""
    storage: str | None = None
    """A journal file (default: runs/ENV/sweeps/STUDY.journal), grpc://HOST:PORT, or postgresql://..."""
    json: bool = False
    """Print one JSON object on standard output."""


@dataclass
class RunFlags(StudyFlags):
    """Run trials of a sweep. Each trial trains, scores its checkpoints, and counts its seconds of training."""

    trials: int = 60
    """Trials of the whole study, whoever runs them."""
    deadline: float = 120.0
    """Seconds after which a trial is stopped, evaluations included."""
    seconds: float | None = None
    """Stop after so many seconds, whatever is left."""
    workers: int | None = None
    """Trials at once (default: one a core, or one a GPU)."""
    per_gpu: int = 1
    """Trials at once on each GPU."""
    episodes: int = 100
    """Episodes of each evaluation."""
    seed: int | None = None
    """Makes one worker's choices and trainings repeatable."""
    recipe: Path | None = None
    """A TOML file whose table [sweep] says what is turned, and nothing else is, in place of the environment's own."""
    endpoint: bool = False
    """Count ends of runs only, where a curve on the way there misleads: its points are not told to the sampler, and a
    trial that its deadline stopped has failed."""


@dataclass
class ShowFlags(StudyFlags):
    """Print what a study has found."""

    plot: Path | None = None
    """Draw front, importances and slices into this PNG, PDF or SVG."""
    by: str | None = None
    """A setting that is turned, such as env.level: give the front of each of its values too, or of each quarter of its
    range."""


@dataclass
class ApplyFlags(StudyFlags):
    """Write one trial's settings into the environment's train.toml."""

    trial: int | None = None
    """The trial's number (default: the fastest on the front whose score is within 1 % of the best)."""
    score: float | None = None
    """Take the fastest trial that reached this score."""


def main(argv: list[str]) -> int:
    if not argv or argv[0] in ("-h", "--help"):
        print(USAGE)
        return 0 if argv else 2
    action, rest = (argv[0], argv[1:]) if argv[0] in ("show", "apply") else ("run", argv)
    if rest and rest[0] in ("-h", "--help"):
        print(USAGE)
        return 0
    if not rest or rest[0].startswith("-"):
        raise MinnowError(f"minnow sweep {action} takes an environment, one of {', '.join(envs.names())}.")
    base = configs.defaults(rest[0])
    return {"run": _run, "show": _show, "apply": _apply}[action](base, rest[1:])


def _where(base: Any, chosen: StudyFlags) -> str:
    return chosen.storage or str(Path("runs") / base.shelf / "sweeps" / f"{chosen.study}.journal")


def _run(base: Any, argv: list[str]) -> int:
    chosen = flags.parse(RunFlags, argv, f"minnow sweep {base.name}")
    if chosen.trials < 1 or chosen.episodes < 1 or chosen.per_gpu < 1:
        raise MinnowError("--trials, --episodes and --per-gpu must be 1 or more.")
    import torch

    from minnow.train.sweep.study import Study
    from minnow.train.sweep.worker import Plan, sweep

    devices = gpus(torch.cuda.device_count())
    slots = (
        chosen.workers if chosen.workers is not None else len(devices) * chosen.per_gpu or len(os.sched_getaffinity(0))
    )
    storage = _where(base, chosen)
    Study.join(
        base, chosen.study, storage, chosen.seed, chosen.recipe
    )  # what is wrong with it is said before workers start
    folder = Path("runs") / base.shelf / "sweeps" / chosen.study
    plan = Plan(
        base,
        chosen.study,
        storage,
        chosen.trials,
        chosen.deadline,
        chosen.episodes,
        folder,
        chosen.seed,
        chosen.endpoint,
        chosen.recipe,
    )
    print(
        f"{slots} at once until {chosen.trials} trials are done; study {chosen.study!r} in {storage}", file=sys.stderr
    )
    sweep(plan, slots, devices, None if chosen.seconds is None else time.time() + chosen.seconds)
    return _print(Study.open(base, chosen.study, storage), chosen.json)


def gpus(count: int) -> list[str]:
    """What CUDA_VISIBLE_DEVICES calls each of `count` GPUs that torch counts; none where MINNOW_DEVICE is cpu."""
    if os.environ.get("MINNOW_DEVICE") == "cpu":
        return []
    named = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return named[:count] or [str(i) for i in range(count)]


def _show(base: Any, argv: list[str]) -> int:
    chosen = flags.parse(ShowFlags, argv, "minnow sweep show")
    from minnow.train.sweep.study import Study

    study = Study.open(base, chosen.study, _where(base, chosen))
    if chosen.plot:
        from minnow.train.sweep.picture import draw

        draw(study, chosen.plot, chosen.by)
    return _print(study, chosen.json, chosen.by)


def _print(study: Any, as_json: bool, by: str | None = None) -> int:
    from minnow.train.sweep.axes import STEPS
    from minnow.train.sweep.study import busy, front

    results = study.results()
    parts = {} if by is None else study.parts(by)
    if not results:
        raise MinnowError("no trial of this study has finished with a score yet.")
    best, weights = front(results), study.importances()
    steps = next((axis for axis in study.axes if axis.name == STEPS), None)
    shares = [steps.share(result.params[STEPS]) for result in results] if steps else []
    summary = {
        "env": study.base.name,
        "trials": len(results),
        "busy": busy(results),
        "stopped_by_deadline": sum(result.overrun for result in results),
        "longest_seconds": max(result.ended - result.began for result in results),
        "steps_at_bound": sum(not 0.02 <= share <= 0.98 for share in shares) / len(results),
    }
    if as_json:
        rows = [_row(study, result) for result in best]
        told = summary | {"front": rows, "importances": weights, "slices": slices(study, results)}
        if by is not None:
            told["parts"] = [
                {by: label, "trials": len(part)}
                | {"front": [[row.number, row.score, round(row.seconds, 3)] for row in front(part)]}
                for label, part in parts.items()
            ]
        print(json.dumps(told))
        return 0
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(title=f"{study.base.name}: what nothing else beats in both", title_justify="left")
    for column in ("trial", "score", "seconds", "settings"):
        table.add_column(column, justify="left" if column == "settings" else "right")
    for result in best:
        row = _row(study, result)
        words = ", ".join(f"{name.split('.')[-1]} {_short(value)}" for name, value in row["settings"].items())
        table.add_row(str(result.number), f"{result.score:.2f}", f"{result.seconds:.1f}", words)
    console.print(table)
    table = Table(title="what decides the score; its mean in each quarter of an axis", title_justify="left")
    for column in ("setting", "importance", "first", "second", "third", "last"):
        table.add_column(column, justify="right" if column != "setting" else "left")
    means = slices(study, results)
    for name in sorted(means, key=lambda item: -weights.get(item, 0)):
        cells = ["" if mean is None else f"{mean:.2f}" for mean in means[name]]
        table.add_row(name, f"{weights[name]:.2f}" if name in weights else "", *cells)
    console.print(table)
    if by is not None:
        table = Table(title=f"the front of each part of {by}", title_justify="left")
        table.add_column(by)
        table.add_column("trials", justify="right")
        table.add_column("score in seconds")
        for label, part in parts.items():
            points = ", ".join(f"{row.score:.2f} in {row.seconds:.1f}" for row in front(part))
            table.add_row(label, str(len(part)), points)
        console.print(table)
    share = f"{summary['busy']:.0%}" if summary["busy"] is not None else "unknown"
    console.print(
        f"{summary['trials']} trials; slots busy {share} of the time; {summary['stopped_by_deadline']} stopped by the "
        f"deadline, the longest took {summary['longest_seconds']:.1f} s; {summary['steps_at_bound']:.0%} within 2 % of "
        "a bound of training length"
    )
    return 0


def _row(study: Any, result: Any) -> dict[str, Any]:
    settings = {axis.name: axis.value(result.params[axis.name]) for axis in study.axes}
    return {"trial": result.number, "score": result.score, "seconds": result.seconds, "settings": settings}


def slices(study: Any, results: list[Any]) -> dict[str, list[float | None]]:
    """The mean score in each quarter of each numeric axis; None where no trial lies."""
    found: dict[str, list[float | None]] = {}
    for axis in study.axes:
        if axis.form == "choice" or axis.low == axis.high:
            continue
        parts: list[list[float]] = [[], [], [], []]
        for result in results:
            parts[min(3, int(4 * axis.share(result.params[axis.name])))].append(result.score)
        found[axis.name] = [sum(part) / len(part) if part else None for part in parts]
    return found


def _apply(base: Any, argv: list[str]) -> int:
    chosen = flags.parse(ApplyFlags, argv, "minnow sweep apply")
    from minnow.train.sweep.axes import LIMIT, RATE, settings
    from minnow.train.sweep.study import Study, front

    study = Study.open(base, chosen.study, _where(base, chosen))
    results = study.results()
    if chosen.trial is not None:
        picked = [result for result in results if result.number == chosen.trial]
        if not picked:
            raise MinnowError(f"--trial is {chosen.trial}: no finished trial of this study has that number.")
    else:
        best = front(results)
        if not best:
            raise MinnowError("no trial of this study has finished with a score yet.")
        worst = min(result.score for result in results)
        bar = chosen.score if chosen.score is not None else best[-1].score - 0.01 * (best[-1].score - worst)
        picked = [result for result in best if result.score >= bar][:1]
        if not picked:
            raise MinnowError(f"--score is {chosen.score:g}, but the best trial reached {best[-1].score:g}.")
    result = picked[0]
    config = settings(base, study.axes, result.params)
    before, path = envs.settings(base.place), envs.written(base.place)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = before.read_text("utf-8") if before.exists() else ""
    names = [axis.name for axis in study.axes]
    if RATE in names:  # which turns these with it
        names += [name for name in ("train.gamma", f"env.{LIMIT}") if name not in names]
    for name in names:
        group, _, key = name.rpartition(".")
        if group == "env" and key not in config.env:
            continue
        value = config.env[key] if group == "env" else getattr(getattr(config, group) if group else config, key)
        text = set_value(text, group, key, value)
    configs.merge(configs.Config(base.name), configs.parse(text, str(path)), str(path))
    write_atomic(path, text.encode())
    if chosen.json:
        print(json.dumps(_row(study, result) | {"file": str(path)}))
    else:
        print(f"{path}: trial {result.number}, score {result.score:.2f} in {result.seconds:.1f} s")
    return 0


def set_value(text: str, table: str, key: str, value: Any) -> str:
    """TOML with one value of one table set, or with table "" one above all tables; everything else, comments too, stays
    as it is."""
    # Seven digits: of a discount such as 0.99975, four would leave little of its distance from 1.
    written = f"{key} = {f'{value:.7g}' if isinstance(value, float) else json.dumps(value)}"
    lines = text.splitlines()
    inside, last = table == "", None
    for i, line in enumerate(lines):
        if match := re.match(r"\s*\[([^\]]+)\]", line):
            inside = match[1].strip() == table
        if inside and line.strip() and not line.lstrip().startswith("#"):
            last = i
        if inside and re.match(rf"\s*{re.escape(key)}\s*=", line):
            comment = re.search(r"\s+#.*$", line)
            lines[i] = written + (comment[0] if comment else "")
            return "\n".join(lines) + "\n"
    if last is None and not table:
        lines.insert(0, written)
    elif last is None:
        lines += [*([""] if lines else []), f"[{table}]", written]
    else:
        lines.insert(last + 1, written)
    return "\n".join(lines) + "\n"


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
