"""`minnow export`: writes a run's policy as a policy file, as ONNX, or as a C header."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from minnow.cinfer.errors import MinnowError
from minnow.cli import flags, foreign

if TYPE_CHECKING:
    from minnow import envs
    from minnow.export import Report

SUMMARY = "write a run's policy as .minnow, ONNX or C"
USAGE = """usage: minnow export RUN [options]            a run's folder, or one of its checkpoints
       minnow export FILE.minnow --format c   a policy file as a C header
       minnow export --from LIBRARY FILE [options]   a policy of another library
       minnow export --libraries              the table of these libraries

minnow export RUN --help lists the options, and minnow export --from LIBRARY --help those of a library:
"""
SUFFIX = {"minnow": ".minnow", "onnx": ".onnx", "c": ".h"}
EXAMPLES = 16  # agents that show what observations look like, each in an environment of its own
WARM_UP = 32  # random steps of theirs
ROWS = 4096  # agents of these environments, at most, unless one has more


@dataclass
class Common:
    """What every export can be told."""

    out: Path | None = None
    """Where to (default: policy.minnow, .onnx or .h in the run's folder; of a file, beside it). Short: -o."""
    format: Literal["minnow", "onnx", "c"] = "minnow"
    """A policy file, ONNX alone, or a C header that holds the policy file."""
    dtype: Literal["f32", "f16", "int8"] = "f32"
    """How weight matrices are stored. What f16 and int8 change is measured and recorded in the file."""
    meta: tuple[str, ...] = ()
    """What else the file says of itself, KEY=VALUE each; values that read as JSON are stored so."""

    def said(self) -> dict[str, Any]:
        """`meta` by key. Raises MinnowError."""
        found = {}
        for word in self.meta:
            key, equals, value = word.partition("=")
            if not equals or not key:
                raise MinnowError(f"--meta takes KEY=VALUE, got {word!r}: for instance --meta license=MIT.")
            try:
                found[key] = json.loads(value)
            except ValueError:
                found[key] = value
        return found


@dataclass
class Flags(Common):
    """Write a run's policy. A .minnow file comes with its ONNX twin, its parity file and its card (.md, .json)."""

    stages: int = 0
    """Write the policies of so many earlier checkpoints too, the first among them, into the folder OUT.stages, where
    OUT is the policy file's name without its ending; the site's page has a slider for them."""


def main(argv: list[str]) -> int:
    if not argv or argv[0] in ("-h", "--help"):
        print(USAGE + listing())
        return 0 if argv else 2
    argv = ["--out" if word == "-o" else word for word in argv]
    if argv[0] == "--libraries":
        from minnow.export import importers

        print(importers.table())
        return 0
    library, argv = foreign.split(argv)
    if library is not None:
        imported, source, chosen = foreign.read(library, argv, Common)
        given = {"dtype": chosen.dtype, "meta": chosen.said()}
        print(emit(lambda path: imported.export(path, **given), source, chosen))
        return 0
    chosen = flags.parse(Flags, argv[1:], f"minnow export {argv[0]}")
    source = Path(argv[0])
    if chosen.stages and (chosen.format != "minnow" or not source.is_dir()):
        raise MinnowError("--stages goes with --format minnow and with a run's folder, whose checkpoints they are.")
    if source.suffix == ".minnow" and chosen.format != "minnow":
        if chosen.format != "c":
            raise MinnowError(
                f"{source} is a policy file already, and ONNX is made from its run: give the run's folder."
            )
        print(write_header(source, chosen.out or target(source, SUFFIX["c"])))
        return 0
    print(emit(lambda path: export_run(source, path, chosen.dtype, chosen.said()), source, chosen))
    if chosen.stages:
        out = chosen.out or target(source, SUFFIX["minnow"])
        print(export_stages(source, out, chosen.dtype, chosen.stages))
    return 0


def emit(export: Callable[[Path], Report], source: Path, chosen: Common) -> str:
    """Writes what `export` makes as a policy file in the format that was asked for; what there is to say of it."""
    out = chosen.out or target(source, SUFFIX[chosen.format])
    if chosen.format == "minnow":
        return export(out).line()
    with tempfile.TemporaryDirectory() as folder:
        report = export(Path(folder) / out.with_suffix(".minnow").name)
        if chosen.format == "c":
            return str(write_header(report.path, out))
        if report.onnx is None:
            raise MinnowError(f"there is no ONNX model of {source}: {report.no_onnx}.")
        return str(copy(report.onnx, out))


def listing() -> str:
    """The libraries that policies come from, a line each."""
    from minnow.export.importers import LIBRARIES

    width = max(map(len, LIBRARIES))
    return "\n".join(f"  {name:<{width}}  {library.title}: {library.reads}" for name, library in LIBRARIES.items())


def target(source: Path, suffix: str) -> Path:
    """Where an export goes by default: into the run's folder, or beside the file it is made from."""
    return source / f"policy{suffix}" if source.is_dir() else source.with_suffix(suffix)


def export_run(
    source: Path, out: Path | None = None, dtype: str = "f32", said: Mapping[str, Any] | None = None
) -> Report:
    """Exports the newest checkpoint of a run, or a checkpoint, as `out` and the files that come with it. said: what the
    file says of itself beside what the run does."""
    from minnow import envs, train
    from minnow.export import export
    from minnow.train import checkpoint

    policy, meta = train.load(source)
    place = checkpoint.place(meta)
    spec = envs.spec(place)
    described = {
        "name": f"{spec.name}-{meta['steps']}",
        "environment": spec.name,
        "source_hash": meta["source_hash"],
        "steps": meta["steps"],
        "seed": meta["seed"],
        "description": f"{spec.title}: {spec.description}",
        "score": meta.get("score"),
        "score_ci95": meta.get("score_ci95"),
        "episodes": meta.get("episodes"),
        "protocol": protocol(spec.score_name, meta.get("episodes")),
        "command": meta.get("command"),
        "action_repeat": policy.config.action_repeat or None,
        "action": acts(place),
        "control": control(place, policy.config.action_repeat),
        "normalized": list(policy.statistics),
        "config": {key: value for key, value in meta["config"].items() if key != "path"},  # it means nothing elsewhere
    }
    return export(
        policy,
        examples(place),
        out or target(Path(source), ".minnow"),
        example_state=policy.initial_state(EXAMPLES),
        outputs=policy.outputs,
        action=action(policy.space),
        observation=observed(spec, envs.units(place)),
        meta={key: value for key, value in described.items() if value is not None} | dict(said or {}),
        dtype=dtype,
    )


def export_stages(run: Path, out: Path, dtype: str, count: int) -> Path:
    """Exports `count` earlier checkpoints of a run as <steps>.minnow into the folder of `out`'s stages, in place of
    what was there. The first checkpoint is one; the others lie ever further apart, as learning slows down."""
    from minnow.cinfer.files import write_atomic
    from minnow.train import checkpoint

    found = [file for file in checkpoint.all_of(run) if file < checkpoint.kept(run)]
    if not 1 <= count <= len(found):
        raise MinnowError(
            f"--stages is {count}: {run} has {len(found)} checkpoints before the one it kept; "
            "train with a larger --train.checkpoints."
        )
    picks: list[int] = []
    for i in range(count):  # each at least one further, and enough left for those to come
        wish = round((len(found) + 1) ** (i / count)) - 1
        picks.append(min(max(wish, picks[-1] + 1 if picks else 0), len(found) - count + i))
    folder = out.with_suffix(".stages")
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.minnow"):
        old.unlink()
    with tempfile.TemporaryDirectory() as work:
        for pick in picks:
            steps = int(found[pick].stem)
            report = export_run(found[pick], Path(work) / f"{steps}.minnow", dtype)
            write_atomic(folder / f"{steps}.minnow", report.path.read_bytes())
    return folder


def protocol(score: str, episodes: int | None) -> str | None:
    """How the score was taken: that is what `minnow train` does at the end of a run."""
    if episodes is None:
        return None
    return f"Mean {score} over {episodes} whole episodes with default parameters, the likeliest actions taken."


def acts(place: envs.Place) -> list[dict[str, Any]]:
    """What the file says of each head: its name, the labels of its choices, and what its numbers ask for."""
    from minnow import envs

    told = envs.units(place)
    rows = []
    for head in envs.spec(place).head:
        asked = told.asked(head.name)
        rows.append({"name": head.name, "labels": list(head.labels)} | (vars(asked) if asked else {}))
    return rows


def control(place: envs.Place, repeat: int = 0) -> dict[str, Any]:
    """What else whoever carries the policy elsewhere must know: actions a second, the observations that it takes at a
    time (what came before it remembers itself), and the order of a quaternion's numbers. repeat: ticks between its
    actions; 0: as the environment has it."""
    from minnow import envs

    spec, told, found = envs.spec(place), envs.units(place), dict[str, Any](history=1)
    if not isinstance(place, envs.Foreign) or place.simulator:  # the others need not say what a second is
        found["rate"] = spec.tick_rate / (repeat or spec.action_repeat)
    return found | ({"quaternion": told.quaternion} if told.quaternion else {})


def observed(spec: Any, units: Any = None) -> Any:
    """What the exporter is told of an environment's observation: the fields of its only group, or those of each that
    the policy's file takes, by name. units: of the fields, where they are known."""
    groups = [item for item in spec.group if not item.critic]
    found = {item.name: _fields(item, units) for item in groups}
    return found if len(spec.group) > 1 else found[groups[0].name]


def _fields(group: Any, units: Any) -> Any:
    if group.kind == "present":
        return {"low": 0, "high": 1, "whole": True}
    rows = []
    for item in group.fields:
        unit = units.of(item.name) if units else ""
        row = {"name": item.name, "low": _bound(item.low), "high": _bound(item.high)}
        rows.append(row | ({"unit": unit} if unit else {}))
    # Of as many entities as fields, a row for each number, so that nobody takes one for the other.
    square = group.kind == "set" and group.shape[0] == group.shape[1]
    return rows * group.shape[0] if square else rows


def _bound(number: float) -> float | None:
    """None where there is none: JSON has no infinity."""
    return number if math.isfinite(number) else None


def examples(name: str | envs.Place) -> np.ndarray | dict[str, np.ndarray]:
    """What living agents of an environment observe in mid-game, [EXAMPLES, *shape]; without what is for the critic
    alone."""
    from minnow import envs
    from minnow.train.foreign import rows

    spec = envs.spec(name)
    vector = rows(name, max(1, min(EXAMPLES, ROWS // spec.agents)), seed=0)
    buffers, random = vector.buffers(), np.random.default_rng(0)
    vector.reset(buffers)
    for _ in range(WARM_UP):
        for i, head in enumerate(spec.head):
            shape = len(buffers.action)
            number = random.integers(head.size, size=shape) if head.size else random.uniform(head.low, head.high, shape)
            buffers.action[:, i] = number
        vector.step(buffers)
    living = np.flatnonzero(buffers.alive) if buffers.alive.any() else np.arange(vector.rows)
    rows = np.resize(living[:: max(1, len(living) // EXAMPLES)], EXAMPLES)
    if not isinstance(buffers.obs, Mapping):
        return buffers.obs[rows]
    return {item.name: buffers.obs[item.name][rows] for item in spec.group if not item.critic}


def action(space: Any) -> Any:
    """The action spec of a training space."""
    from minnow.export import Box, Discrete, MultiDiscrete
    from minnow.train.space import Categorical

    if not isinstance(space, Categorical):
        return Box(space.low, space.high, squash="clip")
    return Discrete(space.sizes[0]) if space.heads == 1 else MultiDiscrete(space.sizes)


def write_header(source: Path, out: Path) -> Path:
    """A policy file as a C header."""
    from minnow.export.files import write
    from minnow.export.format import read
    from minnow.export.header import header, identifier

    meta = read(source).meta
    write(out, header(source.read_bytes(), identifier(out.stem), out.name, str(meta.get("name", ""))).encode())
    return out


def copy(source: Path, out: Path) -> Path:
    from minnow.export.files import write

    write(out, source.read_bytes())
    return out
