"""Whole numbers: the ranges they lie in, and arithmetic on those that float32 does not hold one by one.

An array of torch's whole kinds is f32 in the file as long as all that it can hold lies within 2^24 either way, where
float32 is exact. Beyond, it is i32, and `integer` computes: as int32 does, whose results wrap, or as int64 does, whose
results leave 32 bits in no step that does not tell. What each array can hold follows from what it is made of.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from minnow.export.call import Batched, Call, Const
from minnow.export.ops import INTEGER

EXACT = 2**24
LEAST, MOST = -(2**31), 2**31 - 1
DTYPES = (torch.int32, torch.int64)
DECLARE = "declare the range of the observation with observation=, clamp it, or compute in float32"


@dataclass(frozen=True)
class Range:
    """low to high, both included. sure: nothing else can come; otherwise it is what may be expected: a number that was
    a float, or an int32 of which nothing is declared."""

    low: int
    high: int
    sure: bool = True

    def within(self, low: int, high: int) -> bool:
        return low <= self.low and self.high <= high

    @property
    def exact(self) -> bool:
        return self.within(-EXACT, EXACT)

    @property
    def most(self) -> int:
        return max(abs(self.low), abs(self.high))


BOOL, BYTE = Range(0, 1), Range(0, 255)
OF_FLOAT = Range(LEAST, MOST, False)  # what was a float; beyond, the step tells


def range_of(call: Call, item: Any) -> Range | None:
    """What an operand can hold; None if it is not of a whole kind, or nobody knows."""
    if isinstance(item, Batched):
        return call.lowering.ranges.get(item.value)
    tensor = item.tensor if isinstance(item, Const) else torch.as_tensor(item)
    if tensor.is_floating_point() or tensor.is_complex() or not tensor.numel():
        return None
    return Range(int(tensor.min()), int(tensor.max()))


# ---- Ranges of results.


def _corners(function: Callable[[int, int], int]) -> Callable[[Range, Range], tuple[int, int]]:
    def bound(a: Range, b: Range) -> tuple[int, int]:
        found = [function(u, v) for u, v in itertools.product((a.low, a.high), (b.low, b.high))]
        return min(found), max(found)

    return bound


def _toward_zero(a: int, b: int) -> int:
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def _quotient(function: Callable[[int, int], int]) -> Callable[[Range, Range], tuple[int, int]]:
    def bound(a: Range, b: Range) -> tuple[int, int]:
        if b.low <= 0 <= b.high:
            return -a.most, a.most
        return _corners(function)(a, b)

    return bound


def _remainder(a: Range, b: Range) -> tuple[int, int]:
    most = max(b.most - 1, 0)
    if b.low > 0:
        return 0, min(most, a.high) if a.low >= 0 else most
    return -most, 0 if b.high < 0 else most


def _fmod(a: Range, b: Range) -> tuple[int, int]:
    most = max(b.most - 1, 0)
    return 0 if a.low >= 0 else max(-most, a.low), 0 if a.high <= 0 else min(most, a.high)


def _bits(a: Range, b: Range) -> tuple[int, int]:
    size = (1 << max(a.most, b.most).bit_length()) - 1
    return (0 if a.low >= 0 and b.low >= 0 else -size - 1), size


BOUNDS: dict[str, Callable[[Range, Range], tuple[int, int]]] = {
    "add": lambda a, b: (a.low + b.low, a.high + b.high),
    "sub": lambda a, b: (a.low - b.high, a.high - b.low),
    "mul": _corners(lambda u, v: u * v),
    "floor_divide": _quotient(lambda u, v: u // v),
    "remainder": _remainder,
    "divide": _quotient(_toward_zero),
    "fmod": _fmod,
    "minimum": lambda a, b: (min(a.low, b.low), min(a.high, b.high)),
    "maximum": lambda a, b: (max(a.low, b.low), max(a.high, b.high)),
    **dict.fromkeys(("eq", "lt", "le"), lambda a, b: (0, 1)),
    **dict.fromkeys(("and", "or", "xor"), _bits),
}
COMPARISONS, ORDER = ("eq", "lt", "le"), ("eq", "lt", "le", "minimum", "maximum")
DIVISIONS, BITS = ("floor_divide", "remainder", "divide", "fmod"), ("and", "or", "xor")


@dataclass(frozen=True)
class Plan:
    """How two whole numbers are computed with: as words of 32 bits, or as floats; and what comes of it."""

    words: bool
    wide: bool  # beyond 32 bits the step tells; otherwise the result wraps
    range: Range


def plan(call: Call, kind: str, a: Any, b: Any) -> Plan | None:
    """None where the operands are not both whole numbers, and torch computes with floats."""
    dtype, ranges = call.node.meta["val"].dtype, [range_of(call, item) for item in (a, b)]
    whole = dtype in DTYPES or (dtype == torch.bool and kind in COMPARISONS)
    whole = whole or (dtype == torch.uint8 and kind in BITS and all(item and item.within(0, 255) for item in ranges))
    ranges = [item for item in ranges if item is not None]
    if kind not in BOUNDS or len(ranges) < 2 or not whole:
        return None
    if dtype == torch.bool and any(call.dtype(name) in (torch.float32, torch.float64) for name in ("self", "other")):
        return None  # torch compares as floats
    low, high = BOUNDS[kind](*ranges)
    found = Range(low, high, all(item.sure for item in ranges))
    words = kind in BITS or not all(held(call, item) for item in (a, b))
    if kind not in ORDER:
        words = words or not (found.exact and all(item.exact for item in ranges))
    if kind in DIVISIONS:
        words = words or ranges[1].low <= 0 <= ranges[1].high  # torch raises an error, and the step tells
    wide = dtype == torch.int64
    return Plan(words, wide, fitting(call, found, wide))


def held(call: Call, item: Any) -> bool:
    """Whether an operand is a float for each of the numbers that it can be."""
    if isinstance(item, Batched):
        return not call.lowering.beyond(item)
    tensor = item.tensor if isinstance(item, Const) else torch.as_tensor(item)
    return bool((tensor.to(torch.float32).to(torch.int64) == tensor).all())


def apart(call: Call, *items: Any) -> bool:
    """Whether a result of a whole kind that is made of these must be i32."""
    return call.node.meta["val"].dtype in DTYPES and not all(held(call, item) for item in items)


# ---- Words: values of dtype i32.


def word(call: Call, ref: Batched) -> int:
    """The same numbers as i32."""
    lowering = call.lowering
    if lowering.graph.values[ref.value].dtype == "i32":
        return ref.value
    if ref.value not in lowering.words:
        value = lowering.cut.get(ref.value, ref.value)
        value = lowering.float(Batched(value, ref.axis, ref.fold)).value
        lowering.words[ref.value] = call.emit("whole", [value], call.shape(ref))
    return lowering.words[ref.value]


def constant(call: Call, const: Const) -> int:
    """A constant as i32: one float, or, where that does not hold it, two halves."""
    tensor = const.tensor.to(torch.int64)
    if tensor.numel() and not Range(int(tensor.min()), int(tensor.max())).within(LEAST, MOST):
        raise call.refuse("it has a number of more than 32 bits", "use smaller numbers, or floats")

    def floats(part: Tensor) -> int:
        return word(call, Batched(call.lowering.constant(Const(part.to(torch.float32), const.names)), 0))

    if held(call, Const(tensor)):
        return floats(tensor)
    high = tensor.div(2**16, rounding_mode="floor")
    value = integer(call, "mul", floats(high), floats(torch.tensor(2**16)), tensor.shape)
    return integer(call, "add", value, floats(tensor - high * 2**16), tensor.shape)


def integer(call: Call, kind: str, a: int, b: int, shape: Sequence[int], wide: bool = False) -> int:
    return call.emit("integer", [a, b], shape, way=INTEGER.index(kind), wide=int(wide))


def total(call: Call, kind: str, ref: Batched, axes: Sequence[int], wide: bool) -> int:
    """Sum, maximum or minimum over our axes, which become of size 1: halves with each other, again and again."""
    value = word(call, ref)

    def cut(value: int, axis: int, start: int, count: int) -> int:
        shape = list(call.lowering.graph.values[value].shape)
        shape[axis] = count
        return call.emit("slice", [value], shape, axis=axis, start=start, step=1)

    for axis in axes:
        while (n := call.lowering.graph.values[value].shape[axis]) > 1:
            left, rest = cut(value, axis, 0, n // 2), cut(value, axis, n - n // 2, n // 2)
            shape = list(call.lowering.graph.values[left].shape)
            left = integer(call, kind, left, rest, shape, wide)
            if n % 2:
                shape[axis] += 1
                left = call.emit("concat", [left, cut(value, axis, n // 2, 1)], shape, axis=axis)
            value = left
    return value


def sums(call: Call, known: Range, count: int) -> Range:
    """What sums of up to so many can be. Refuses what leaves 32 bits for sure."""
    low, high = min(0, count * known.low), max(0, count * known.high)
    return fitting(call, Range(low, high, known.sure), call.node.meta["val"].dtype == torch.int64)


def fitting(call: Call, found: Range, wide: bool) -> Range:
    """A range as far as it is within 32 bits, beyond which int32 wraps, and the step of an int64 tells."""
    if found.within(LEAST, MOST):
        return found
    if wide and found.sure:
        raise call.refuse(
            f"its results lie between {found.low:,} and {found.high:,}, and policies hold whole numbers of 32 bits",
            DECLARE,
        )
    return Range(max(found.low, LEAST), min(found.high, MOST), found.sure) if wide else Range(LEAST, MOST, found.sure)


def running(call: Call, ref: Batched, axis: int, wide: bool) -> int:
    """The sums up to each place along our axis: of two numbers, then of four, and so on."""
    value, shape, by = word(call, ref), call.shape(ref), 1
    while by < shape[axis]:
        parts = []
        for start, count in ((0, by), (by, shape[axis] - by), (0, shape[axis] - by)):
            part = [count if i == axis else n for i, n in enumerate(shape)]
            parts.append(call.emit("slice", [value], part, axis=axis, start=start, step=1))
        part = [shape[axis] - by if i == axis else n for i, n in enumerate(shape)]
        later = integer(call, "add", parts[1], parts[2], part, wide)
        value, by = call.emit("concat", [parts[0], later], shape, axis=axis), 2 * by
    return value


# ---- What each result can hold.

PLACES = ("argmax", "argmin", "argsort")
PAIRS = ("max", "min", "sort", "topk")
SAME = {  # what these give was in one of their arguments
    *(
        "clone",
        "contiguous",
        "detach",
        "alias",
        "lift_fresh_copy",
        "lift_fresh",
        "positive",
        "dropout",
        "to",
        "type_as",
    ),
    *(
        "_to_copy",
        "view",
        "reshape",
        "_unsafe_view",
        "flatten",
        "unflatten",
        "squeeze",
        "unsqueeze",
        "view_as",
        "where",
    ),
    *("reshape_as", "permute", "transpose", "t", "swapaxes", "swapdims", "mT", "numpy_T", "movedim", "moveaxis", "cat"),
    *(
        "concat",
        "concatenate",
        "stack",
        "hstack",
        "column_stack",
        "slice",
        "narrow",
        "select",
        "chunk",
        "split",
        "flip",
    ),
    *("split_with_sizes", "tensor_split", "unbind", "index", "index_select", "expand", "expand_as", "broadcast_to"),
    *("repeat", "tile", "masked_fill", "gather", "scatter", "index_put", "_unsafe_index_put", "amax", "amin", *PAIRS),
    *("full", "full_like", "new_full", "fill"),
}
VALUES = ("self", "other", "input", "tensors", "value", "values", "src", "source", "fill_value")


def note(call: Call, result: Any) -> None:
    """Remembers what a call's results of whole kinds can hold, where its lowering has not."""
    vals = pytree.tree_leaves(call.node.meta["val"])
    for i, (ref, val) in enumerate(zip(result if isinstance(result, list | tuple) else [result], vals, strict=False)):
        if isinstance(ref, Batched) and ref.value not in call.lowering.ranges:
            found = _guess(call, i, val.dtype)
            if found is not None:
                call.lowering.ranges[ref.value] = found


def _guess(call: Call, index: int, dtype: torch.dtype) -> Range | None:
    """Of floats it is known where their bounds are declared, or they are clamped."""
    name = call.name.split(".")[0]
    if dtype == torch.bool or name == "one_hot":
        return BOOL
    if dtype in DTYPES and (name in PLACES or (name in PAIRS and index == 1)):
        ref, dim = call["self"], call.bound.get("dim")
        return Range(0, call.shape(ref)[call.axis(ref, -1 if dim is None else dim)] - 1)
    if name.startswith(("zeros", "new_zeros", "ones", "new_ones")):
        return BOOL
    parts = [range_of(call, item) for item in _leaves(call)] if name in SAME else []
    known = [part for part in parts if part is not None]
    if not parts or len(known) < len(parts):
        return BYTE if dtype == torch.uint8 else OF_FLOAT if dtype in DTYPES else None
    return Range(min(p.low for p in known), max(p.high for p in known), all(p.sure for p in known))


def _leaves(call: Call) -> list[Any]:
    """The arrays and numbers among a call's arguments that elements of its result may come from."""
    items = [call.bound[name] for name in VALUES if call.bound.get(name) is not None]
    return [leaf for item in items for leaf in (item if isinstance(item, list | tuple) else [item])]
