"""Comparisons, logic, and choices by what they find."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from minnow.export.errors import ExportError
from minnow.export.importers.onnx.nodes import At, node, sizes
from minnow.export.importers.onnx.nodes.elementwise import each, operand, pair
from minnow.export.importers.onnx.values import Item, Known, known, number, tensor, whole

COMPARISONS: dict[str, tuple[Callable, Callable]] = {  # of tensors, and of Python's numbers
    "Equal": (torch.eq, lambda a, b: bool(a == b)),
    "Less": (torch.lt, lambda a, b: bool(a < b)),
    "LessOrEqual": (torch.le, lambda a, b: bool(a <= b)),
    "Greater": (torch.gt, lambda a, b: bool(a > b)),
    "GreaterOrEqual": (torch.ge, lambda a, b: bool(a >= b)),
}
FLIPPED = {torch.lt: torch.gt, torch.gt: torch.lt, torch.le: torch.ge, torch.ge: torch.le}


def _compare(function: Callable) -> Callable:
    def apply(a: Any, b: Any) -> Tensor:
        return function(a, b) if isinstance(a, Tensor) else FLIPPED.get(function, function)(b, a)

    return pair(apply)


def _logic(function: Callable) -> Callable:
    return lambda at, *items: function(*(tensor(item) for item in items))


for _name, (_tensors, _numbers) in COMPARISONS.items():
    node(_name)(_compare(_tensors))
    sizes(_name, each(_numbers, 2))
for _name, _tensors in {"And": torch.logical_and, "Or": torch.logical_or, "Xor": torch.logical_xor}.items():
    node(_name)(_logic(_tensors))
node("Not")(_logic(torch.logical_not))
node("IsNaN")(_logic(torch.isnan))
sizes("Not", each(lambda a: not a, 1))
sizes("And", each(lambda a, b: a and b, 2))
sizes("Or", each(lambda a, b: a or b, 2))
sizes("Where", lambda at, mask, a, b: known(np.where(mask.astype(bool), a.astype(object), b.astype(object))))


@node("IsInf")
def is_inf(at: At, x: Item) -> Tensor:
    x, above, below = tensor(x), at.get("detect_positive", 1), at.get("detect_negative", 1)
    if above and below:
        return torch.isinf(x)
    return torch.logical_and(torch.isinf(x), x > 0 if above else x < 0)


@node("Where")
def where(at: At, mask: Item, a: Item, b: Item) -> Tensor:
    left, right = operand(a), operand(b)
    if not isinstance(left, Tensor) and not isinstance(right, Tensor):
        left = tensor(a)
    return torch.where(tensor(mask), left, right)


def _most(function: Callable) -> Callable:
    def apply(at: At, x: Item) -> Tensor:
        x = tensor(x)
        axis, keep = at.get("axis", 0) % x.dim(), bool(at.get("keepdims", 1))
        if at.get("select_last_index", 0):  # of equal ones
            return x.shape[axis] - 1 - function(x.flip(axis), axis, keep)
        return function(x, axis, keep)

    return apply


node("ArgMax")(_most(torch.argmax))
node("ArgMin")(_most(torch.argmin))


@node("TopK")
def top_k(at: At, x: Item, count: Item | None = None) -> tuple[Tensor, Tensor]:
    x = tensor(x)
    many = at.get("k") if count is None else whole(count)[0]
    axis = at.get("axis", -1)
    found, places = torch.sort(
        x, dim=axis, descending=bool(at.get("largest", 1)), stable=True
    )  # the first of equal ones
    return found.narrow(axis, 0, many), places.narrow(axis, 0, many)


@node("NonZero")
def non_zero(at: At, x: Item) -> Known:
    if not isinstance(x, Known) or x.symbolic:
        raise ExportError("how many are not zero depends on the observation")
    return known(np.stack(np.nonzero(x.array)).astype(np.int64))


@node("OneHot")
def one_hot(at: At, index: Item, depth: Item, ends: Item) -> Tensor:
    index, many = tensor(index), int(whole(depth)[0])
    off, on = tensor(ends).unbind(0)
    axis = at.get("axis", -1) % (index.dim() + 1)
    index = from_start(index.unsqueeze(axis), many)
    shape = [many if i == axis else 1 for i in range(index.dim())]
    there = index == torch.arange(many, dtype=index.dtype).reshape(shape)
    return torch.where(there, on, off)


@node("Trilu")
def trilu(at: At, x: Item, k: Item | None = None) -> Tensor:
    x = tensor(x)
    kept = (torch.triu if at.get("upper", 1) else torch.tril)(
        torch.ones(x.shape[-2:]), 0 if k is None else int(number(k) or 0)
    )
    return torch.where(kept > 0, x, torch.zeros((), dtype=x.dtype))


def from_start(index: Tensor, size: int) -> Tensor:
    """Places that may be counted from the end, below zero, counted from the start."""
    return index + (index < 0).to(index.dtype) * size


@node("GatherElements")
def gather_elements(at: At, x: Item, index: Item) -> Tensor:
    x, index, axis = tensor(x), tensor(index), at.get("axis", 0)
    size = x.shape[axis]
    if not isinstance(size, int):
        raise ExportError("it takes elements of other agents, along the axis that counts them")
    return torch.gather(x, axis, from_start(index, size))


@node("ScatterElements", "Scatter")
def scatter_elements(at: At, x: Item, index: Item, updates: Item) -> Tensor:
    data, values, index, axis = tensor(x), tensor(updates), tensor(index), at.get("axis", 0)
    if axis % data.dim() != 0:  # constants of one row beside rows of agents
        data, values = (
            item.expand(index.shape[0], *item.shape[1:]) if isinstance(given, Known) and item.shape[0] == 1 else item
            for given, item in ((x, data), (updates, values))
        )
    x, updates = data, values
    index, way = from_start(index, x.shape[axis]), at.get("reduction", "none")
    if way == "none":
        return x.scatter(axis, index, tensor(updates))
    if way == "add":
        return x.scatter_add(axis, index, tensor(updates))
    kinds = {"mul": "prod", "max": "amax", "min": "amin"}
    return x.scatter_reduce(axis, index, tensor(updates), kinds[way])
