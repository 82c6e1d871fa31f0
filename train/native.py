"""The C files beside this one, compiled when first used."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from minnow.cinfer import binding, compile

HERE = Path(__file__).resolve().parent
REALS = {torch.float32: "float", torch.float64: "double"}  # what the names of functions for either type end in
ROOMS = (
    *("learn.h", "schedule.h", "random.h", "weights.h"),
    *("network.h", "memory.h", "action.h", "rollout.h", "gradient.h", "update.h", "descent.h", "normalize.h"),
)  # with declarations


def library(name: str) -> binding.Library:
    """`NAME.c` with its declarations."""
    return binding.source(HERE / f"{name}.c")


@functools.cache
def core(fused: bool = False) -> binding.Library:
    """core/learn.h; `fused`: with fused multiply-add, where the processor has it."""
    flags = [*binding.FLAGS, "-lm"]
    built = compile.shared(HERE / "core" / "library.c", defines={"LEARN_FUSED": int(fused)}, flags=flags)
    return binding.load(built, *(HERE / "core" / room for room in ROOMS))


def call(type_: torch.dtype | None, name: str, *given: Any, fused: bool = False) -> Any:
    """A function of learn.h for numbers of a type, or for none. Tensors are contiguous."""
    ffi, function = _function(type_, name, fused)
    return function(*[pointed(ffi, item) for item in given])


def bound(type_: torch.dtype | None, name: str, *given: Any, fused: bool = False) -> Callable[..., Any]:
    """The same with its first arguments given beforehand, which takes most of the time of a call. What they point to
    must stay."""
    ffi, function = _function(type_, name, fused)
    return functools.partial(function, *(pointed(ffi, item) for item in given))


@functools.cache
def _function(type_: torch.dtype | None, name: str, fused: bool) -> tuple[Any, Callable[..., Any]]:
    """A function of learn.h, and cffi's view of its library."""
    held = core(fused)
    return held.ffi, getattr(held.c, f"learn_{name}" if type_ is None else f"learn_{name}_{REALS[type_]}")


def pointed(ffi: Any, item: Any) -> Any:
    """A tensor's address; what is not one as it is."""
    if isinstance(item, Tensor):
        return ffi.cast("void *", item.data_ptr())
    return ffi.NULL if item is None else item
