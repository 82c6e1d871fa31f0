"""`minnow doctor POLICY --on SIMULATOR`: what of the plumbing between them is wrong, and what to change."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from minnow import envs
from minnow.cinfer.errors import MinnowError
from minnow.cli import flags
from minnow.cli.eval import fit
from minnow.web import shipped

SUMMARY = "find what is wrong between a policy and a simulator"
USAGE = """usage: minnow doctor POLICY --on SIMULATOR [options]

POLICY is a .minnow file, or a run's folder with one. minnow doctor POLICY --help lists the options."""


@dataclass
class Flags:
    """Find what is wrong between a policy and a simulator: numbers in another order, unit or sign, late, or missing.
    The same random actions are played there and in the environment that the policy was trained in. Exit status 1 where
    something is wrong."""

    on: str
    """The simulator, such as maniskill/PickCube-v1 or mujoco/pick_cube, or another environment."""
    randomize: float = 0.0
    """Draw each physics parameter there from its nominal +- this fraction."""
    json: bool = False
    """Print one JSON list on standard output."""


def main(argv: list[str]) -> int:
    if not argv or argv[0].startswith("-"):
        print(USAGE)
        return 0 if argv and argv[0] in ("-h", "--help") else 2
    from minnow import cinfer
    from minnow.export.normaliser import normaliser
    from minnow.train import doctor

    path = Path(argv[0])
    path = path / "policy.minnow" if path.is_dir() else path
    chosen = flags.parse(Flags, argv[1:], f"minnow doctor {argv[0]}")
    if path.suffix != ".minnow":
        raise MinnowError(f"{path} is no policy: name a .minnow file, or a run's folder with a policy.minnow.")
    policy, on = cinfer.load(path), envs.place(chosen.on)
    if not isinstance(policy.meta.get("environment"), str):
        raise MinnowError(f"{path} does not say where it was trained: minnow export --meta environment=NAME.")
    place = shipped.place(policy.meta["environment"], path)
    heads = len(policy.action.low or ()) if policy.action.kind == "box" else list(policy.action.sizes)
    fit(str(path), {item.name: tuple(item.shape) for item in policy.inputs}, heads, envs.spec(on))
    if "control" not in policy.meta:
        name = envs.spec(place).name
        print(f"{path.name} does not say its units and rate: they are taken from {name}.", file=sys.stderr)
    found = doctor.examine(policy, normaliser(path), place)
    found += doctor.compare(doctor.at(place), place, on, chosen.randomize)
    if chosen.json:
        print(json.dumps([one.to_dict() for one in found], ensure_ascii=False))
    elif found:
        print("\n".join(f"{one.fault}: {one.where}: {one.seen}.\n  Change: {one.change}." for one in found))
    else:
        print(f"{chosen.on}: nothing is wrong between it and {path.name}, as far as the doctor sees.")
    return 1 if found else 0
