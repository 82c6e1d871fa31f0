"""What a file of tensors does not show, and somebody must say: nothing is assumed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minnow.export.action import Action, Box, Discrete, MultiDiscrete, Squash
from minnow.export.errors import ExportError


@dataclass
class Bounds:
    """What actions are clipped to: options of importers whose files do not show it."""

    low: tuple[float, ...] = ()
    """What actions are clipped to from below: one number for all, or one each."""
    high: tuple[float, ...] = ()
    """And from above."""
    unbounded: bool = False
    """Actions are not clipped."""


def needed(value: Any, path: Path, what: str, how: str) -> Any:
    """The value of an option. Raises ExportError, with how to say it, where nobody did."""
    if value is None or value in ((), ""):
        raise ExportError(f"{path} does not show {what}: say {how}.")
    return value


def box(path: Path, given: Bounds, size: int, squash: Squash = "clip") -> Box:
    """The action spec of `size` numbers with the bounds that were said."""
    if given.unbounded:
        if np.size(given.low) or np.size(given.high):
            raise ExportError("--unbounded says that actions are not clipped, and --low or --high that they are.")
        return Box([-np.inf] * size, [np.inf] * size, squash)
    if not np.size(given.low) or not np.size(given.high):
        raise ExportError(
            f"{path} does not show what actions are clipped to: say --low and --high, one number for all {size} or one "
            "each, or --unbounded."
        )
    return Box(each(given.low, size, "--low"), each(given.high, size, "--high"), squash)


def each(value: Any, size: int, flag: str) -> list[float]:
    """A number for each of `size`."""
    found = np.atleast_1d(np.asarray(value, np.float64))
    if len(found) not in (1, size):
        raise ExportError(f"{flag} has {len(found)} numbers: give one for all, or one for each of {size}.")
    return np.broadcast_to(found, size).tolist()


def choices(path: Path, sizes: Sequence[int], count: int) -> Action:
    """The action spec of `count` logits with the choices of each head that were said."""
    sizes = tuple(int(n) for n in np.atleast_1d(sizes)) if np.size(sizes) else ()
    if not sizes:
        raise ExportError(
            f"{path} has {count} logits and does not show of how many actions: say --sizes {count} for one choice out "
            f"of {count}, or the choices of each action, which make {count} together."
        )
    if sum(sizes) != count:
        raise ExportError(f"{path} has {count} logits, and --sizes {' '.join(map(str, sizes))} is {sum(sizes)}.")
    return Discrete(sizes[0]) if len(sizes) == 1 else MultiDiscrete(sizes)
