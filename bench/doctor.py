"""`minnow bench doctor`: faults of plumbing are hidden between a policy and a simulator, and the doctor is asked."""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minnow import cinfer, envs
from minnow.bench import Measured, Say
from minnow.bench.faults import faults
from minnow.cinfer.errors import MinnowError
from minnow.export.normaliser import normaliser
from minnow.train import doctor
from minnow.web import shipped

NAMED = 15  # of the twenty, at least
SECONDS = 30.0  # of a processor, at most, for each
SOUND = (  # policy, simulator, randomization, and whether its weights are drawn at random
    ("pick_cube", "pick_cube", 0.3, False),
    ("push_cube", "push_cube", 0.3, False),
    ("reach", "reach", 0.3, False),
    ("cartpole", "cartpole", 0.3, False),
    ("pong", "pong", 0.3, False),
    ("breakout", "breakout", 0.3, False),
    ("reach", "reach", 0.0, True),
    ("cartpole", "cartpole", 0.0, True),
    ("pick_cube", "mujoco/pick_cube", 0.0, False),
    ("pick_cube", "maniskill/PickCube-v1", 0.0, False),
)


@dataclass
class Options:
    """Hides twenty faults, eighteen between the shipped pick_cube and a simulator and two in its file, and asks the
    doctor for each; then shows it ten policies, and simulators for them, with which nothing is wrong. A fault counts as
    named where the doctor finds it, what it strikes and what mends it, and nothing else. Seconds are a processor's."""

    on: str = "pick_cube"
    """Where the faults are hidden: pick_cube, mujoco/pick_cube or maniskill/PickCube-v1."""
    seed: int = 0
    """Which joints the faults strike."""
    sound: bool = True
    """Whether the sound ones are shown too."""


def measure(options: Options, say: Say) -> Measured:
    """Passed where at least NAMED are named, no sound one is accused, and none takes longer than SECONDS."""
    place = envs.ours("pick_cube")
    on = envs.place(options.on)
    home, rows = doctor.at(place), []
    for fault in faults(envs.spec(place), options.seed):
        found, seconds = timed(lambda fault=fault: doctor.mends(home, on, fault))
        named = len(found) == 1 and found[0][0].kind == fault.kind and fault.change(found[0][0])
        rows.append(_row(fault.name, options.on, named, [mend.kind for mend, _ in found], seconds))
        say(_line(rows[-1]))
    with tempfile.TemporaryDirectory() as folder:
        for name, spoil, kinds in (
            ("the file has lost its normaliser", unlearned, {"normaliser"}),
            ("two inputs of the file have changed places", swapped, {"statistics"}),
        ):
            file = altered(_shipped("pick_cube"), Path(folder) / "policy.minnow", spoil)
            found, seconds = timed(_file, file, place)
            told = {one.fault for one in found}
            rows.append(_row(name, "the file", kinds <= told <= kinds | {"score"}, sorted(told), seconds))
            say(_line(rows[-1]))
        hidden = len(rows)
        for env, where, randomize, drawn in SOUND if options.sound else ():
            file = altered(_shipped(env), Path(folder) / "policy.minnow", random) if drawn else _shipped(env)
            try:
                found, seconds = timed(_whole, file, envs.ours(env), envs.place(where), randomize)
            except MinnowError as error:
                say(f"{env} on {where}: not shown: {error}")
                continue
            what = f"{env}{' with random weights' if drawn else ''}, sound"
            rows.append(_row(what, where, not found, [one.fault for one in found], seconds) | {"randomize": randomize})
            say(_line(rows[-1]))
    named, accused = sum(row["right"] for row in rows[:hidden]), sum(not row["right"] for row in rows[hidden:])
    most = max(row["seconds"] for row in rows)
    say(f"{named} of {hidden} faults named, {accused} of {len(rows) - hidden} sound accused, at most {most:.1f} s each")
    return Measured(rows, named >= NAMED and not accused and most <= SECONDS)


def _file(file: Path, place: envs.Place) -> list[Any]:
    return doctor.examine(cinfer.load(file), normaliser(file), place)


def _whole(file: Path, place: envs.Place, on: envs.Place, randomize: float) -> list[Any]:
    return _file(file, place) + doctor.compare(doctor.at(place), place, on, randomize)


def timed(work: Callable[..., Any], *given: Any) -> tuple[Any, float]:
    """What it gives, and the seconds that this process and those that it ended computed."""

    def now() -> float:
        others = resource.getrusage(resource.RUSAGE_CHILDREN)
        return time.process_time() + others.ru_utime + others.ru_stime

    begun = now()
    return work(*given), now() - begun


def _row(case: str, on: str, right: bool, found: list[str], seconds: float) -> dict[str, Any]:
    return {"case": case, "on": on, "right": bool(right), "found": found, "seconds": round(seconds, 2)}


def _line(row: dict[str, Any]) -> str:
    said = ", ".join(row["found"]) or "nothing"
    return f"{'right' if row['right'] else 'WRONG'}  {row['case']}, on {row['on']}: {said} ({row['seconds']:.1f} s)"


def _shipped(env: str) -> Path:
    path = shipped.policy(env)
    if path is None:
        raise MinnowError(f"no policy of {env} is shipped.")
    return path


def altered(source: Path, out: Path, change: Callable[[Any], None]) -> Path:
    """A policy's file whose content `change` has changed."""
    from minnow.export import format

    file = format.read(source)
    change(file)
    format.write(file.graph, out, action=file.action, meta=file.meta, golden=file.golden, dtypes=file.dtypes)
    return out


def _first(file: Any, kind: str) -> int:
    """The tensor of the first constant that an operation of this kind takes."""
    graph = file.graph
    fixed = {op.outputs[0]: op.tensors[0] for op in graph.ops if op.kind == "constant"}
    return next(fixed[op.inputs[1]] for op in graph.ops if op.kind == kind)


def unlearned(file: Any) -> None:
    tensors = file.graph.tensors
    for kind, value in (("sub", 0.0), ("mul", 1.0)):
        tensors[_first(file, kind)] = np.full_like(tensors[_first(file, kind)], value)


def swapped(file: Any) -> None:
    """The second joint's angle and the fourth's."""
    tensors = file.graph.tensors
    linear = next(op.tensors[0] for op in file.graph.ops if op.kind == "linear")
    for i in (_first(file, "sub"), _first(file, "mul"), linear):
        tensors[i] = tensors[i].copy()
        tensors[i][..., [1, 3]] = tensors[i][..., [3, 1]]


def random(file: Any) -> None:
    rng = np.random.default_rng(3)
    for op in file.graph.ops:
        for i in op.tensors if op.kind in ("linear", "lstm", "gru", "mingru") else ():
            if i >= 0:
                file.graph.tensors[i] = 0.3 * rng.standard_normal(file.graph.tensors[i].shape).astype(np.float32)
    file.meta.pop("score", None)
