"""`minnow arm import`: a robot from its URDF, for the tasks of the arm."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from minnow.cinfer.errors import MinnowError, unknown
from minnow.cinfer.files import write_atomic
from minnow.cli import flags

SUMMARY = "make a robot for the arm's tasks from its URDF"
USAGE = """usage: minnow arm import ROBOT.urdf -o ROBOT.h [options]

Writes the C header that a task's C file includes before anything else of the arm. minnow arm import ROBOT.urdf --help
lists the options; docs/robotics.md, Another robot, shows the rest of the way."""


@dataclass
class Flags:
    """Read a robot with a fixed base and 4 to 7 joints that turn, and write its measures as a C header."""

    output: Path
    """The header's file, or -o; it ends in .h."""
    tip: str = ""
    """The link that carries the hand, which looks along its z; its fingers move along its y. Absent: the only link that
    nothing hangs from."""
    rest: tuple[float, ...] = ()
    """Angles at which episodes begin, rad. Absent: found, with the fingertips 17 cm above the table's middle."""
    base_x: float = -0.615
    """Where the base stands, m; the table's middle is 0."""
    hand: bool = False
    """Add the mass of our hand, 0.76 kg: for a URDF that ends without a gripper."""
    json: bool = False
    """Print one JSON object on standard output."""


def main(argv: list[str]) -> int:
    if not argv or argv[0].startswith("-"):
        print(USAGE)
        return 0 if argv and argv[0] in ("-h", "--help") else 2
    if argv[0] != "import":
        raise unknown("action of minnow arm", argv[0], ["import"])
    if len(argv) < 2 or argv[1].startswith("-"):
        print(USAGE)
        return 0 if argv[1:2] in (["-h"], ["--help"]) else 2
    from minnow.envs import robot, urdf

    source, rest = Path(argv[1]), ["--output" if word == "-o" else word for word in argv[2:]]
    chosen = flags.parse(Flags, rest, f"minnow arm import {source}")
    if chosen.output.suffix != ".h":
        raise MinnowError(f"--output is {chosen.output}: its name must end in .h.")
    try:
        arm = robot.arm(urdf.read(source), chosen.tip, chosen.rest, chosen.base_x, chosen.hand)
    except MinnowError as error:
        raise MinnowError(str(error) if str(error).startswith(str(source)) else f"{source}: {error}") from None
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(chosen.output, robot.header(arm).encode())
    if chosen.json:
        told = {"robot": arm.name, "joints": [joint.name for joint in arm.joints], "rest": arm.rest.tolist()}
        print(json.dumps(told | {"file": str(chosen.output), "notes": arm.notes}))
        return 0
    for note in arm.notes:
        print(f"note: {note}", file=sys.stderr)
    print(f"wrote {chosen.output}: {len(arm.joints)} joints, {', '.join(joint.name for joint in arm.joints)}")
    print(f"they begin at {' '.join(f'{angle:g}' for angle in arm.rest)}")
    return 0
