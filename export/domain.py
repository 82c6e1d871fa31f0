"""What each array of an observation can hold: declared by whoever exports, or evident from the examples.

The proof draws its inputs from here: whole numbers stay whole, flags stay 0 or 1, and nothing leaves its bounds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from minnow.export.errors import ExportError
from minnow.export.trace import Leaf, Signature

WIDEST = {"u": (0.0, 255.0), "i": (-(2.0**31), 2.0**31 - 1), "f": (-math.inf, math.inf)}
KEYS = {"low", "high", "whole", "name"}


@dataclass(frozen=True)
class Domain:
    """Of one array, each [...] as one agent has it. low, high: bounds, which may be infinite; whole: whole numbers
    alone; least, most: what the examples hold, within the bounds."""

    low: np.ndarray
    high: np.ndarray
    whole: np.ndarray
    least: np.ndarray
    most: np.ndarray
    declared: bool

    def describe(self) -> dict[str, Any]:
        """In JSON's terms: what kind of numbers, and their bounds where there are any."""
        kinds = [name for name, here in (("whole", self.whole.any()), ("real", not self.whole.all())) if here]
        found: dict[str, Any] = {"numbers": " and ".join(kinds), "from": "spec" if self.declared else "examples"}
        for name, bound in (("low", self.low.min()), ("high", self.high.max())):
            if np.isfinite(bound):
                found[name] = float(bound)
        return found


def domains(signature: Signature, observation: Any = None) -> list[Domain]:
    """One for each leaf of the observation. `observation` is what `export` takes. Raises ExportError where it does not
    fit the examples."""
    declared = described(observation)
    return [_domain(leaf, _of(declared, leaf, len(signature.obs) == 1)) for leaf in signature.obs]


def bounds(signature: Signature, observation: Any = None) -> dict[str, tuple[float, float]]:
    """The least and the greatest number of each leaf of which any are declared."""
    found = zip(signature.obs, domains(signature, observation), strict=True)
    return {leaf.name: (float(item.low.min()), float(item.high.max())) for leaf, item in found if item.declared}


def described(observation: Any) -> Any:
    """An `observation` in JSON's terms: a Gymnasium space becomes dicts of low, high and whole; all else stays."""
    if hasattr(observation, "spaces"):
        inner = observation.spaces
        pairs = inner.items() if isinstance(inner, Mapping) else enumerate(inner)
        return {str(key): described(space) for key, space in pairs}
    if hasattr(observation, "nvec"):
        start = np.asarray(getattr(observation, "start", 0))
        return {"low": _brief(start), "high": _brief(start + np.asarray(observation.nvec) - 1), "whole": True}
    if hasattr(observation, "low") and hasattr(observation, "high"):
        whole = np.dtype(observation.dtype).kind in "iub"
        return {"low": _brief(observation.low), "high": _brief(observation.high), "whole": whole}
    if hasattr(observation, "n"):
        if type(observation).__name__ == "MultiBinary":
            return {"low": 0, "high": 1, "whole": True}
        start = int(getattr(observation, "start", 0))
        return {"low": start, "high": start + int(observation.n) - 1, "whole": True}
    return observation


def _brief(bound: Any) -> Any:
    """Numbers as JSON has them: one where all are equal, None for infinity."""
    bound = np.asarray(bound, np.float64)
    if (bound == bound.flat[0]).all():
        return float(bound.flat[0]) if np.isfinite(bound.flat[0]) else None
    return [None if not math.isfinite(n) else n for n in bound.ravel().tolist()]


def _of(declared: Any, leaf: Leaf, only: bool) -> Any:
    """What is declared of one leaf. Dicts of dicts go by the parts of its name."""
    if only and (isinstance(declared, Sequence) or (isinstance(declared, Mapping) and KEYS & set(declared))):
        return declared
    for key in ([leaf.name], leaf.name.split(".")):
        found = declared
        for part in key:
            found = found.get(part) if isinstance(found, Mapping) else None
        if found is not None:
            return found
    return None


def _domain(leaf: Leaf, declared: Any) -> Domain:
    rows = np.moveaxis(leaf.tensor.numpy(), leaf.axis, 0)
    bounds = (0.0, 1.0) if leaf.dtype == torch.bool else WIDEST[rows.dtype.kind]
    low, high = (np.full(leaf.shape, bound) for bound in bounds)
    finite = np.where(np.isfinite(rows), rows, 0).astype(np.float64)
    least, most = finite.min(0), finite.max(0)
    whole = _evident(rows) if rows.dtype.kind == "f" else np.ones(leaf.shape, bool)
    fields = _fields(declared, leaf)
    if fields is not None:
        low, high = np.maximum(low, fields["low"]), np.minimum(high, fields["high"])
        whole = np.where(np.isnan(fields["whole"]), whole, fields["whole"] == 1)
        # What the examples show is so, whatever is said.
        low, high, whole = np.minimum(low, least), np.maximum(high, most), whole & (finite == np.floor(finite)).all(0)
    return Domain(low, high, whole, least, most, fields is not None)


def _evident(rows: np.ndarray) -> np.ndarray:
    """Which numbers are whole by all that the examples show: they are so in every row, and not always the same unless
    everything in this array is whole. Examples that are all alike, such as zeros, show nothing."""
    if not np.isfinite(rows).all() or (rows == rows.flat[0]).all():
        return np.zeros(rows.shape[1:], bool)
    whole = (rows == np.floor(rows)).all(0) & (np.abs(rows) < 2.0**24).all(0)
    return whole & ((rows != rows[:1]).any(0) | whole.all())


def _fields(declared: Any, leaf: Leaf) -> dict[str, np.ndarray] | None:
    """Bounds and wholeness for each number of the leaf, NaN for "not said"; None where nothing is declared. A list has
    an entry for each number, or for each index of the first or last axis."""
    if isinstance(declared, Mapping):
        entries, shape = [declared], ()
    elif isinstance(declared, Sequence) and not isinstance(declared, str) and len(declared):
        entries = [item if isinstance(item, Mapping) else {} for item in declared]
        if len(entries) == math.prod(leaf.shape):
            shape = leaf.shape
        elif leaf.shape and len(entries) == leaf.shape[0]:
            shape = (len(entries), *[1] * (len(leaf.shape) - 1))
        elif leaf.shape and len(entries) == leaf.shape[-1]:
            shape = (len(entries),)
        else:
            return None  # it says what the inputs mean in a way of its own
    else:
        return None
    if not any({"low", "high", "whole"} & set(entry) for entry in entries):
        return None
    made = {}
    for key, absent in (("low", -math.inf), ("high", math.inf), ("whole", math.nan)):
        values = [np.asarray(absent if entry.get(key) is None else _numbers(entry[key], absent)) for entry in entries]
        try:
            whole = values[0].reshape(leaf.shape) if values[0].size > 1 else np.reshape(np.stack(values), shape or ())
            made[key] = np.broadcast_to(whole, leaf.shape).astype(np.float64)
        except ValueError:
            raise ExportError(
                f"`observation` has {values[0].size} numbers as {key!r} for {leaf.name!r}, of which an agent has "
                f"{list(leaf.shape)}: give one, or one for each."
            ) from None
    return made


def _numbers(value: Any, absent: float) -> Any:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [absent if item is None else float(item) for item in value]
    return float(value)
