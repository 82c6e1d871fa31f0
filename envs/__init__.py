"""Environments: one C file each, the contract they share (abi.h, env.h), and the binding that steps thousands."""

from __future__ import annotations

from typing import Any

from .spec import Spec, folder, library, names, source_hash, spec
from .vector import EPISODE, Buffers, Vector

__all__ = [
    "EPISODE",
    "Buffers",
    "Spec",
    "Vector",
    "folder",
    "library",
    "make",
    "names",
    "parallel",
    "source_hash",
    "spec",
]


def make(name: str, num_envs: int | None = None, **options: Any) -> Any:
    """A Gymnasium VectorEnv of `num_envs` environments, or a single Env if that is None.

    options: those of Vector; any other keyword is one of the environment's parameters (`gravity=3.7`)."""
    from .gym import GymEnv, GymVectorEnv

    return GymEnv(name, **options) if num_envs is None else GymVectorEnv(name, num_envs, **options)


def parallel(name: str, **options: Any) -> Any:
    """A PettingZoo ParallelEnv, of which the caller drives every slot (or the first `agents`).

    options: those of Vector; any other keyword is one of the environment's parameters (`gravity=3.7`)."""
    from .zoo import ZooEnv

    return ZooEnv(name, **options)
