"""What a policy's outputs mean as actions. Without a spec a file has outputs and no action."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from minnow.export.errors import ExportError

Squash = Literal["none", "clip", "tanh"]


@dataclass(frozen=True)
class Discrete:
    """One choice out of `n`, from the output `logits` [agents, n]."""

    n: int

    def __post_init__(self) -> None:
        _check_sizes("Discrete", (self.n,))

    @property
    def sizes(self) -> tuple[int, ...]:
        return (self.n,)


@dataclass(frozen=True)
class MultiDiscrete:
    """One choice a head, from the output `logits` [agents, sum of sizes], the heads one after another."""

    sizes: tuple[int, ...]

    def __init__(self, sizes: Sequence[int]) -> None:
        object.__setattr__(self, "sizes", tuple(sizes))
        _check_sizes("MultiDiscrete", self.sizes)


@dataclass(frozen=True)
class Box:
    """Numbers in [low, high], from the outputs `mean` and, where it samples, `log_std`, [agents, len(low)] each.

    `squash` says how a number x of the distribution becomes an action: `none` leaves it; `clip` clips it to
    [low, high]; `tanh` takes low + (tanh(x) + 1) / 2 * (high - low). Bounds may be infinite with `clip`."""

    low: tuple[float, ...]
    high: tuple[float, ...]
    squash: Squash = "clip"

    def __init__(self, low: Sequence[float], high: Sequence[float], squash: Squash = "clip") -> None:
        object.__setattr__(self, "low", tuple(map(float, low)))
        object.__setattr__(self, "high", tuple(map(float, high)))
        object.__setattr__(self, "squash", squash)
        if not self.low or len(self.low) != len(self.high):
            raise ExportError(
                f"Box has {len(self.low)} low and {len(self.high)} high bounds: give one of each a number."
            )
        if squash not in get_args(Squash):
            raise ExportError(f"Box: squash is {squash!r}; it is one of {', '.join(get_args(Squash))}.")
        for low_, high_ in zip(self.low, self.high, strict=True):
            if not low_ < high_ or (squash != "clip" and not (math.isfinite(low_) and math.isfinite(high_))):
                finite = "" if squash == "clip" else f", both finite with squash={squash!r}"
                raise ExportError(f"Box: bounds {low_:g} .. {high_:g}: low must be less than high{finite}.")

    @property
    def size(self) -> int:
        return len(self.low)


Action = Discrete | MultiDiscrete | Box


def to_dict(action: Action) -> dict[str, Any]:
    """In JSON's terms; None stands for a bound that is infinite."""
    if not isinstance(action, Box):
        return {"kind": type(action).__name__, "sizes": list(action.sizes)}
    low, high = ([n if math.isfinite(n) else None for n in bound] for bound in (action.low, action.high))
    return {"kind": "Box", "low": low, "high": high, "squash": action.squash}


def from_dict(found: dict[str, Any]) -> Action:
    """The action that `to_dict` described."""
    if found["kind"] == "Box":
        low = [-math.inf if n is None else n for n in found["low"]]
        high = [math.inf if n is None else n for n in found["high"]]
        return Box(low, high, found["squash"])
    return Discrete(*found["sizes"]) if found["kind"] == "Discrete" else MultiDiscrete(found["sizes"])


def _check_sizes(name: str, sizes: tuple[int, ...]) -> None:
    if not sizes or not all(isinstance(n, int) and n >= 1 for n in sizes):
        raise ExportError(f"{name}: {list(sizes)} choices; give a positive whole number for each head.")
