"""Where a module jumps: what its comparisons, roundings, remainders and choices come to, row by row."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

ROUNDINGS = {"floor", "ceil", "round", "trunc", "fix", "sign", "sgn", "heaviside", "argmax", "argmin"}
QUOTIENTS = {"floor_divide", "remainder", "fmod", "div"}  # div: with a rounding mode
SHRINKS = {"hardshrink", "threshold"}
CHOICES = {"max", "min", "topk", "sort"}  # these give values and places
COMPARISONS = {"eq", "ne", "lt", "le", "gt", "ge"}


class Outcomes(TorchDispatchMode):
    """Collects them while the module runs on `count` rows."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count
        self.found: list[np.ndarray] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func._schema.name.split("::")[1].rstrip("_")
        kwargs = kwargs or {}
        jump = None
        if name in QUOTIENTS and (name != "div" or "mode" in func._overloadname):
            a, b = args[0], args[1]
            jump = torch.div(a, b, rounding_mode="trunc" if "trunc" in kwargs.values() else "floor")
        elif name == "frac" or (name == "_to_copy" and truncates(args[0], kwargs.get("dtype"))):
            jump = args[0].trunc()
        elif name in SHRINKS:
            jump = func(*args, **kwargs) != 0
        result = func(*args, **kwargs)
        if name in ROUNDINGS or name in COMPARISONS:
            jump = result
        elif name in CHOICES and isinstance(result, tuple | list):
            jump = result[1]
        if isinstance(jump, Tensor):
            self.add(jump)
        return result

    def add(self, jump: Tensor) -> None:
        axes = [axis for axis, n in enumerate(jump.shape) if n and n % self.count == 0]
        if axes:
            rows = jump.detach().movedim(axes[0], 0).reshape(self.count, -1).double()
            self.found.append(torch.nan_to_num(rows, nan=-1e300).numpy())

    def table(self) -> np.ndarray | None:
        return np.concatenate(self.found, 1) if self.found else None


def truncates(tensor: Tensor, dtype: torch.dtype | None) -> bool:
    """Whether a conversion makes whole numbers of others."""
    return dtype is not None and tensor.is_floating_point() and not dtype.is_floating_point


@contextmanager
def outcomes(count: int) -> Iterator[Outcomes]:
    with Outcomes(count) as found:
        yield found
