"""Gymnasium's spaces: of actions as action specs, of observations as domains and in JSON."""

from __future__ import annotations

from typing import Any

import numpy as np

from minnow.export.action import Action, Box, Discrete, MultiDiscrete
from minnow.export.domain import described
from minnow.export.errors import ExportError
from minnow.export.importers.domain import FAR, Domain

MANY = 1000  # whole numbers without bounds are drawn up to it


def kind(space: Any) -> str:
    """The name of a space's class, by which it is told from others without importing Gymnasium."""
    return type(space).__name__


def action_of(space: Any, squash: bool = False) -> Action:
    """The action spec of a space. squash: actions of the policy are in [-1, 1] and stretched to the space."""
    if kind(space) == "Discrete" and space.start == 0:
        return Discrete(int(space.n))
    if kind(space) == "MultiDiscrete" and np.ndim(space.nvec) == 1 and not np.any(space.start):
        return MultiDiscrete([int(n) for n in space.nvec])
    if kind(space) == "MultiBinary":
        return MultiDiscrete([2] * int(np.prod(space.shape)))
    if kind(space) == "Box":
        return Box(space.low.reshape(-1), space.high.reshape(-1), "tanh" if squash else "clip")
    raise ExportError(
        f"the action space {space} is not supported: Discrete and MultiDiscrete from 0, MultiBinary and Box are."
    )


def domain(space: Any, mean: Any = None, std: Any = None) -> Domain:
    """The domain of a space that is no Dict. mean, std: what is known of a Box of numbers."""
    name, shape = kind(space), tuple(space.shape)
    if name in ("Discrete", "MultiDiscrete"):
        low = np.asarray(space.start)
        return Domain(shape, "int32", low, low + np.asarray(space.n if name == "Discrete" else space.nvec) - 1)
    if name == "MultiBinary":
        return Domain(shape, "int32", 0, 1)
    if name != "Box":
        raise ExportError(
            f"observations of {space} are not supported: Box, Discrete, MultiDiscrete and MultiBinary are."
        )
    if space.dtype.kind == "b":
        return Domain(shape, "uint8", 0, 1)
    if space.dtype.kind == "f":
        return Domain(shape, "float32", space.low, space.high, mean, std)
    if space.dtype == np.uint8:
        return Domain(shape, "uint8", space.low, space.high)
    low, high = (np.asarray(bound, np.float64) for bound in (space.low, space.high))
    low, high = np.where(np.abs(low) < FAR, low, -MANY), np.where(np.abs(high) < FAR, high, MANY)
    return Domain(shape, "int32", low, high)


def describe(space: Any) -> dict[str, Any]:
    """A space of observations that is no Dict in JSON: its kind, and the bounds that the proof of a file draws from."""
    return {"space": kind(space), "shape": list(space.shape), "dtype": str(space.dtype)} | described(space)
