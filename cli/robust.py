"""`minnow robust POLICY`: how much of a policy's success is left when physics differ, as a page to share."""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from minnow import envs
from minnow.cinfer.errors import MinnowError
from minnow.cinfer.files import write_atomic
from minnow.cli import flags
from minnow.cli.eval import player_of

SUMMARY = "measure how robust a policy is, as a page to share"
USAGE = """usage: minnow robust POLICY [options]

POLICY is a run's folder, one of its checkpoints, or a .minnow file. minnow robust POLICY --help lists the options."""
PLOT = Path("robust.html")


@dataclass
class Flags:
    """Measure a policy's success against the strength of randomization, 0 to 100 % in steps of 10 %, and with each
    physics parameter drawn alone; greedily, on seeds that training never uses. The same command gives the same
    figures."""

    env: Any
    on: str = ""
    """Another environment than that of training, with the same observation and actions: mujoco/pick_cube."""
    episodes: int = 200
    """Whole episodes at each point."""
    seed: int = 0
    """Which episodes, and what is drawn in them."""
    bar: float | None = None
    """The score from which an episode counts as a success; absent: the task's own success, or the bar in its
    train.toml."""
    alone: float | None = None
    """Draw each parameter alone at this strength, above 0 to 1; absent: from its whole interval."""
    simulators: bool = True
    """Whether the task is also played in simulators of others that are installed and have it."""
    plot: bool = False
    """Write the page, robust.html if -o names no other."""
    output: Path | None = None
    """The page's file, or -o; it ends in .html."""
    json: bool = False
    """Print one JSON object on standard output."""


def main(argv: list[str]) -> int:
    if not argv or argv[0].startswith("-"):
        print(USAGE)
        return 0 if argv and argv[0] in ("-h", "--help") else 2
    from minnow.train import robust

    target, rest = argv[0], ["--output" if word == "-o" else word for word in argv[1:]]
    player, place, _ = player_of(target, None, flags.value_of("--on", rest) or None)
    spec = envs.spec(place)
    chosen = flags.parse(Flags, rest, f"minnow robust {target}", Flags(flags.parameters(spec, {})))
    page = chosen.output or (PLOT if chosen.plot else None)
    if page is not None and page.suffix != ".html":
        raise MinnowError(f"--output is {page}: its name must end in .html.")

    def note(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    aim = robust.goal(place, chosen.bar)
    course = robust.Course(player, place, aim, chosen.episodes, chosen.seed, flags.changed(spec, chosen.env))
    found = robust.measure(course, chosen.alone, note)
    if not spec.foreign:
        found = replace(found, levels=robust.levels(course, note))
        if chosen.simulators:
            found = replace(found, simulators=elsewhere(course, note))
    if page is not None:
        from minnow.web import report

        page.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(page, report.page(found, told(target, argv, spec)).encode())
        note(str(page))
    print(json.dumps(found.to_dict()) if chosen.json else words(found))
    return 0


def elsewhere(course: Any, note: Any) -> tuple[Any, ...]:
    """Success in the simulators that have this task, nothing randomized; in words where one cannot be had."""
    from minnow.envs.simulators import TWINS
    from minnow.train import robust

    twins = TWINS.get(course.place.name, ()) if course.place.parent == envs.OURS else ()
    rows = []
    for name in twins:
        label = {"maniskill": "ManiSkill CPU", "mujoco": "MuJoCo"}[name.split("/")[0]]
        try:
            place = envs.place(name)
            there = replace(course, place=place, params={}, goal=robust.goal(place, course.goal.least))
            rows.append(robust.Elsewhere(label, robust.Share.of(there.passed())))
            note(f"{name}: {rows[-1].share.success:.1%}")
        except MinnowError as error:
            rows.append(robust.Elsewhere(label, None, str(error)))
            note(f"{name}: not measured: {error}")
        if label == "ManiSkill CPU":
            rows.append(
                robust.Elsewhere("ManiSkill GPU", None, "minnow plays ManiSkill by PhysX on the processor alone")
            )
    return tuple(rows)


def told(target: str, argv: list[str], spec: envs.Spec) -> dict[str, str]:
    """What a page says of where its figures come from. It names no time, so that the same figures are the same page."""
    import minnow

    path = Path(target)
    rows = {"policy": path.name, "environment": spec.name, "source hash": spec.source_hash}
    if path.is_file():
        rows["SHA-256 of the policy"] = hashlib.sha256(path.read_bytes()).hexdigest()
    return rows | {"command": " ".join(["minnow robust", *argv]), "Minnow": minnow.__version__}


def words(found: Any) -> str:
    """The figures for a terminal."""
    lines = [
        f"{found.env}: {found.goal}, {found.episodes} episodes at each point, seed {found.seed}",
        "randomize  success  95 % interval",
        *(
            f"{strength:>8.0%}   {share.success:>6.1%}  {share.low:.1%} to {share.high:.1%}"
            for strength, share in zip(found.strengths, found.curve, strict=True)
        ),
        f"area under the curve {found.area:.3f} ± {found.area_ci95:.3f} (95 %)",
    ]
    if found.alone:
        how = "its whole interval" if found.strength_alone is None else f"strength {found.strength_alone:g}"
        wide = max(len(row.name) for row in found.alone)
        lines += [f"worst alone: {found.worst.name} ({found.worst.share.success:.1%})", f"each alone, from {how}:"]
        lines += [
            f"  {row.name:<{wide}}  {row.share.success:>6.1%}  {row.share.low:.1%} to {row.share.high:.1%}"
            f"  {row.low:g} to {row.high:g} {row.unit}".rstrip()
            for row in found.alone
        ]
    else:
        lines.append(f"no parameter alone: {found.why_not_alone}")
    for row in (*found.levels, *found.simulators):
        lines.append(
            f"{row.name}: not measured: {row.why}"
            if row.share is None
            else f"{row.name}: {row.share.success:.1%} ({row.share.low:.1%} to {row.share.high:.1%})"
        )
    return "\n".join(lines)
