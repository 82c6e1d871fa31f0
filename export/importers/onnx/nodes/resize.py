"""Pictures made larger or smaller, an axis at a time: a choice of elements, or a product with fixed weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from minnow.export.errors import ExportError
from minnow.export.importers.onnx.nodes import At, node
from minnow.export.importers.onnx.values import Item, positions, tensor, whole

NEAREST = {
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}


@node("Resize", "Upsample")
def resize(at: At, x: Item, *items: Item | None) -> Tensor:
    x = tensor(x)
    mode = at.get("mode", "nearest")
    if mode not in ("nearest", "linear") or at.get("antialias", 0) or at.get("exclude_outside", 0):
        raise ExportError(f"{mode} with these settings is not supported: nearest and linear without antialias are")
    for axis, count, factor in _targets(at, x, items):
        before = x.shape[axis]
        if axis == 0:
            if factor != 1:
                raise ExportError("it changes the number of agents")
        elif count != before or factor != 1:
            where = _places(at, before, count, factor)
            if mode == "nearest":
                how = at.get("nearest_mode", "round_prefer_floor") if at.opset > 10 else "floor"
                x = positions(x, axis, NEAREST[how](where).clip(0, before - 1).astype(int).tolist())
            else:
                x = F.linear(x.movedim(axis, -1), _weights(where, before)).movedim(-1, axis)
    return x


def _targets(at: At, x: Tensor, items: tuple[Any, ...]) -> list[tuple[int, int, float]]:
    """(axis, size, factor) of each axis that is named."""
    given = [
        None if item is None or (not isinstance(item, Tensor) and item.array.size == 0) else item for item in items
    ]
    if at.opset <= 10:
        scales, sizes = (given[0] if given else None), []
        factors = list(at.get("scales")) if scales is None else whole(scales)
    else:
        scales, named = (*given, None, None, None)[1:3]
        sizes = [] if named is None else whole(named)
        factors = None if scales is None else whole(scales)
    axes = [axis % x.dim() for axis in at.get("axes") or range(x.dim())]
    if factors is None:
        if at.get("keep_aspect_ratio_policy", "stretch") != "stretch":
            raise ExportError("keep_aspect_ratio_policy is not supported: give it each size")
        found = zip(axes, sizes, strict=True)
        return [(axis, n, n / x.shape[axis] if axis else 1.0) for axis, n in found]
    found = zip(axes, factors, strict=True)
    return [(axis, int(x.shape[axis] * factor) if axis else 0, factor) for axis, factor in found]


def _places(at: At, before: int, count: int, factor: float) -> np.ndarray:
    """Where in the old axis each element of the new one lies."""
    new = np.arange(count, dtype=np.float64)
    how = at.get("coordinate_transformation_mode", "half_pixel") if at.opset > 10 else "asymmetric"
    if how == "asymmetric":
        return new / factor
    if how == "align_corners":
        return new * (before - 1) / max(count - 1, 1)
    if how == "pytorch_half_pixel" and count == 1:
        return np.zeros(1)
    if how not in ("half_pixel", "pytorch_half_pixel"):
        raise ExportError(f"the coordinates {how} are not supported")
    return (new + 0.5) / factor - 0.5


def _weights(where: np.ndarray, before: int) -> Tensor:
    """[new, old]: each new element between its two old neighbours."""
    where = where.clip(0, before - 1)
    low = np.floor(where).astype(int)
    high = np.minimum(low + 1, before - 1)
    share = where - low
    found = np.zeros((len(where), before))
    found[np.arange(len(where)), low] += 1 - share
    found[np.arange(len(where)), high] += share
    return torch.from_numpy(found.astype(np.float32))
