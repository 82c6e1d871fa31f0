"""Environments: one C file each, the contract they share (abi.h, env.h), and the binding that steps thousands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from minnow.cinfer.errors import MinnowError

from .find import OURS, Foreign, Place, folder, folders, is_env, names, ours, place, recall, remember, settings, written
from .spec import Group, Spec, forget, library, privileged, source, source_hash, spec
from .units import Units, units
from .vector import ABSENT, RECORD, Buffers, Obs, Rows, Vector

__all__ = [
    "ABSENT",
    "OURS",
    "RECORD",
    "Buffers",
    "Foreign",
    "Group",
    "Obs",
    "Place",
    "Rows",
    "Spec",
    "Units",
    "Vector",
    "folder",
    "folders",
    "forget",
    "is_env",
    "library",
    "make",
    "names",
    "ours",
    "parallel",
    "place",
    "privileged",
    "recall",
    "remember",
    "rows",
    "settings",
    "source",
    "source_hash",
    "spec",
    "units",
    "written",
]


def rows(env: str | Place, num_envs: int, **options: Any) -> Rows:
    """`num_envs` environments stepped together, in C or not. options: those of Vector."""
    found = place(env)
    if isinstance(found, Foreign):
        from .foreign.vector import ForeignVector

        if found.kind == "vector":
            raise MinnowError(f"{found} has tensors on a device: minnow.train.foreign.rows steps it.")

        return ForeignVector(found, num_envs, **options)
    return Vector(found, num_envs, **options)


def make(name: str | Path, num_envs: int | None = None, **options: Any) -> Any:
    """A Gymnasium VectorEnv of `num_envs` environments, or a single Env if that is None.

    name: of an environment, or the path of its folder (`"./orchard"`).
    options: those of Vector; any other keyword is one of the environment's parameters (`gravity=3.7`)."""
    from .gym import GymEnv, GymVectorEnv

    return GymEnv(name, **options) if num_envs is None else GymVectorEnv(name, num_envs, **options)


def parallel(name: str | Path, **options: Any) -> Any:
    """A PettingZoo ParallelEnv, of which the caller drives every slot (or the first `agents`).

    name: of an environment, or the path of its folder.
    options: those of Vector; any other keyword is one of the environment's parameters (`gravity=3.7`)."""
    from .zoo import ZooEnv

    return ZooEnv(name, **options)
