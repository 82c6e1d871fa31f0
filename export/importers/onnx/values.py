"""What flows between the nodes of a model: torch's tensors, and numbers that are known before it runs.

Sizes, axes and positions must be known; the number of agents is, as a symbol, while torch traces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from minnow.export.errors import ExportError

DTYPES = {  # ONNX's types of elements: floating ones become float32, in which policies compute
    1: torch.float32,
    10: torch.float32,
    11: torch.float32,
    16: torch.float32,
    2: torch.uint8,
    3: torch.int8,
    4: torch.int32,
    5: torch.int16,
    6: torch.int32,
    7: torch.int64,
    12: torch.int64,
    13: torch.int64,
    9: torch.bool,
}


@dataclass(frozen=True)
class Known:
    """An array that no observation decides; of Python's objects where the number of agents is among its numbers.
    `tensor` is the same where the model stores it."""

    array: np.ndarray
    tensor: Tensor | None = None

    @property
    def symbolic(self) -> bool:
        return self.array.dtype == object


Item = Tensor | Known


def known(items: Any) -> Known:
    """Numbers, the number of agents perhaps among them, as Known."""
    array = np.asarray(items, object) if not isinstance(items, np.ndarray) else items
    if array.dtype == object and all(isinstance(n, int | float | np.generic) for n in array.flat):
        array = np.array(array.tolist()) if array.size else np.zeros(array.shape, np.int64)
    return Known(plain(array))


def plain(array: np.ndarray) -> np.ndarray:
    """The same in a type that torch computes in."""
    if array.dtype.kind in "fV":  # V: bfloat16, which NumPy knows by ml_dtypes
        return array.astype(np.float32)
    if array.dtype.kind == "u" and array.dtype != np.uint8:
        return array.astype(np.int64)
    return array


def tensor(item: Item) -> Tensor:
    """An item as a tensor."""
    if isinstance(item, Tensor):
        return item
    if item.tensor is not None:
        return item.tensor
    if item.symbolic:
        raise ExportError("it computes with the number of agents, which is free")
    return torch.as_tensor(np.array(item.array))


def whole(item: Item) -> list[Any]:
    """Whole numbers that are known, flat: sizes, axes, positions."""
    if isinstance(item, Tensor):
        raise ExportError("a size, axis or position depends on the observation, where a constant is expected")
    return item.array.reshape(-1).tolist()


def number(item: Item) -> float | int | bool | None:
    """A single number that is known, or None for what is no such."""
    if isinstance(item, Tensor) or item.symbolic or item.array.size != 1:
        return None
    return item.array.reshape(-1)[0].item()


def positions(x: Tensor, axis: int, places: list[int]) -> Tensor:
    """The elements of x at fixed places along an axis."""
    if places == list(range(places[0], places[0] + len(places))) if places else False:
        return x.narrow(axis, places[0], len(places))
    return x.index_select(axis, torch.tensor(places, dtype=torch.int64))
