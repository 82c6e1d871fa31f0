"""Comparisons, and choices by what they find. What is true is 1 in our values, what is false 0."""

from __future__ import annotations

from typing import Any

import torch

from minnow.export.aten import whole
from minnow.export.aten.elementwise import WHOLE, binary, number, paired
from minnow.export.aten.reduce import axes_of, reduce
from minnow.export.aten.shape import cut, spread, to_shape
from minnow.export.call import Batched, Call, Const, aten, layout_of

COMPARISONS = {"eq": "eq", "lt": "lt", "le": "le", "gt": "lt", "ge": "le"}  # the last two the other way round


@aten(*(f"{name}.{kind}" for name in (*COMPARISONS, "ne", "greater", "less") for kind in ("Tensor", "Scalar")))
def compare(call: Call) -> Batched:
    name = {"greater": "gt", "less": "lt"}.get(call.name.split(".")[0], call.name.split(".")[0])
    a, b = call["self"], call["other"]
    if name == "ne":
        return negated(call, binary(call, "eq", a, b, torch.bool))
    return binary(call, COMPARISONS[name], *((b, a) if name in ("gt", "ge") else (a, b)), torch.bool)


def negated(call: Call, ref: Batched) -> Batched:
    return Batched(call.emit("eq", [ref.value, number(call, 0.0)], call.shape(ref)), ref.axis, ref.fold)


def truth(call: Call, name: str) -> Any:
    """An argument, Batched or Const, as 1 where it is not 0."""
    return truth_of(call, call[name], call.dtype(name))


def truth_of(call: Call, item: Batched | Const, dtype: torch.dtype | None) -> Any:
    """An array that torch has in `dtype`, as 1 where it is not 0."""
    if isinstance(item, Const):
        return Const((item.tensor != 0).float(), item.names)
    ref = call.lowering.float(item)
    return ref if dtype == torch.bool else negated(call, negated(call, ref))


@aten("logical_not.default", "bitwise_not.default")
def logical_not(call: Call) -> Batched:
    if call.node.meta["val"].dtype in WHOLE:
        return binary(call, "sub", -1, call["self"], *WHOLE)
    logical(call)
    return negated(call, call.rounded("self"))


LOGICAL = {"and": "mul", "or": "maximum", "xor": "sub"}


@aten(*(f"logical_{name}.default" for name in LOGICAL))
@aten(*(f"bitwise_{name}.{kind}" for name in LOGICAL for kind in ("Tensor", "Scalar", "Scalar_Tensor")))
@aten(*(f"__{name}__.{kind}" for name in LOGICAL for kind in ("Tensor", "Scalar")))
def logical_pair(call: Call) -> Batched:
    bits, dtype = next(name for name in LOGICAL if f"_{name}" in call.name), call.node.meta["val"].dtype
    if dtype != torch.bool and whole.plan(call, bits, call["self"], call["other"]):
        return binary(call, bits, call["self"], call["other"], dtype)
    logical(call)
    kind = next(LOGICAL[name] for name in LOGICAL if f"_{name}" in call.name)
    found = binary(call, kind, truth(call, "self"), truth(call, "other"), torch.bool)
    return negated(call, negated(call, found)) if kind == "sub" else found


SHIFTS = {"left": "mul", "right": "floor_divide"}


@aten(*(f"__{side[0]}shift__.{kind}" for side in SHIFTS for kind in ("Tensor", "Scalar")))
@aten(*(f"bitwise_{side}_shift.{kind}" for side in SHIFTS for kind in ("Tensor", "Tensor_Scalar")))
def shift(call: Call) -> Batched:
    """By fixed numbers: products with powers of 2, or quotients."""
    by = call["other"]
    known = None if isinstance(by, Batched) else whole.range_of(call, by)
    if known is None or not known.within(0, 30):
        raise call.refuse("only shifts by fixed numbers from 0 to 30 are known", "multiply, or divide with //")
    power = Const(2**by.tensor, by.names) if isinstance(by, Const) else 1 << known.low
    return binary(call, SHIFTS["left" if "l" in call.name[:11] else "right"], call["self"], power, *WHOLE)


def logical(call: Call) -> None:
    """Refuses what computes with the bits of whole numbers."""
    if call.node.meta["val"].dtype != torch.bool:
        raise call.refuse("it computes with the bits of whole numbers", "use comparisons, whose results are boolean")


@aten("any.dim", "all.dim", "any.dims", "all.dims")
def any_all(call: Call) -> Batched:
    ref = truth(call, "self")
    kind = "max" if call.name.startswith("any") else "min"
    return call.result(to_shape(call, reduce(call, kind, ref.value, axes_of(call, ref, call["dim"])), call.layout.one))


@aten("isnan.default", "isinf.default", "isfinite.default")
def finite(call: Call) -> Batched:
    ref = call.batch("self")
    shape = call.shape(ref)
    itself = call.emit("eq", [ref.value, ref.value], shape)
    if call.name.startswith("isnan"):
        return negated(call, call.result(itself))
    size = call.emit("abs", [ref.value], shape)
    kind = "eq" if call.name.startswith("isinf") else "lt"
    return call.result(call.emit(kind, [size, number(call, float("inf"))], shape))


@aten("nan_to_num.default")
def nan_to_num(call: Call) -> Batched:
    call.float_result()
    ref, most = call.batch("self"), torch.finfo(torch.float32).max
    low, high = (call[name] if call[name] is not None else end for name, end in (("neginf", -most), ("posinf", most)))
    if call["nan"] not in (None, 0.0) or low > -most or high < most:
        raise call.refuse("only the usual numbers in place of NaN and infinities are known", "leave them out")
    shape = call.shape(ref)
    value = call.emit("keep", [ref.value, call.emit("eq", [ref.value, ref.value], shape)], shape)
    return call.result(call.emit("clamp", [value], shape, low=float(low), high=float(high)))


# Choices


@aten("where.self", "where.ScalarOther", "where.ScalarSelf", "where.Scalar")
def where(call: Call) -> Batched:
    call.float_result(torch.bool, *WHOLE)
    return min_gru_candidate(call) or choose(call, truth(call, "condition"), call["self"], call["other"])


@aten("masked_fill.Scalar", "masked_fill.Tensor")
def masked_fill(call: Call) -> Batched:
    call.float_result(torch.bool, *WHOLE)
    return choose(call, truth(call, "mask"), call["value"], call["self"])


def choose(call: Call, mask: Batched | Const, yes: Any, no: Any) -> Batched:
    """yes where the mask is 1, no where it is 0. What is not chosen has no part in it, infinite or not."""
    other = Const(1 - mask.tensor, mask.names) if isinstance(mask, Const) else negated(call, mask)
    if whole.apart(call, yes, no):
        return words(call, "add", *(words(call, "mul", *pair) for pair in ((yes, mask), (no, other))))
    parts = []
    for item, kept in ((yes, mask), (no, other)):
        if isinstance(item, Batched) or isinstance(kept, Batched):
            parts.append(binary(call, "keep", item, kept, torch.bool, *WHOLE))
        else:
            tensor = item.tensor if isinstance(item, Const) else torch.tensor(float(item))
            names = kept.names | getattr(item, "names", frozenset())
            parts.append(Const(torch.where(kept.tensor != 0, tensor, 0.0), names))
    return binary(call, "add", *parts, torch.bool, *WHOLE)


def words(call: Call, kind: str, a: Any, b: Any) -> Any:
    """The sum or product of two operands as i32: Batched, or Const where both are."""
    if isinstance(a, Batched) or isinstance(b, Batched):
        return paired(call, kind, a, b, whole.Plan(True, False, whole.Range(whole.LEAST, whole.MOST)))
    tensors = [item.tensor.long() if isinstance(item, Const) else torch.tensor(item) for item in (a, b)]
    names = getattr(a, "names", frozenset()) | getattr(b, "names", frozenset())
    return Const({"add": torch.add, "mul": torch.mul}[kind](*tensors), names)


def min_gru_candidate(call: Call) -> Batched | None:
    """where(x >= 0, x + 0.5, sigmoid(x)), which keeps the candidates of a minimal GRU above 0 (Feng et al., 2024,
    appendix B): relu(x) + sigmoid(min(x, 0)), which `patterns/mingru.py` knows."""
    mask, yes, no = call.given[:3]
    if not isinstance(mask, torch.fx.Node) or str(mask.target) not in ("aten.gt.Scalar", "aten.ge.Scalar"):
        return None
    node, bound = mask.args[:2]
    if bound != 0 or not isinstance(node, torch.fx.Node):
        return None
    if not _is(yes, "aten.add.Tensor", (node, 0.5)) or not _is(no, "aten.sigmoid.default", (node,)):
        return None
    ref = call.lowering.env[node]
    if not isinstance(ref, Batched):
        return None
    shape = call.shape(ref)
    above = call.emit("relu", [ref.value], shape)
    below = call.emit("sigmoid", [call.emit("minimum", [ref.value, number(call, 0.0)], shape)], shape)
    return call.result(call.emit("add", [above, below], shape))


def _is(node: Any, target: str, args: tuple[Any, ...]) -> bool:
    return isinstance(node, torch.fx.Node) and str(node.target) == target and tuple(node.args) == args


@aten("heaviside.default")
def heaviside(call: Call) -> Batched:
    x, at_zero = call["self"], call["values"]
    zero = binary(call, "eq", x, 0.0)
    return binary(call, "add", binary(call, "lt", 0.0, x), binary(call, "keep", at_zero, zero))


@aten("hardshrink.default", "softshrink.default", "threshold.default")
def shrink(call: Call) -> Batched:
    call.float_result()
    ref = call.batch("self")
    shape = call.shape(ref)
    if call.name.startswith("threshold"):
        above = binary(call, "lt", float(call["threshold"]), ref)
        return choose(call, above, ref, float(call["value"]))
    edge = number(call, float(call["lambd"]))
    if call.name.startswith("hardshrink"):
        outside = call.emit("lt", [edge, call.emit("abs", [ref.value], shape)], shape)
        return call.result(call.emit("keep", [ref.value, outside], shape))
    size = call.emit("relu", [call.emit("sub", [call.emit("abs", [ref.value], shape), edge], shape)], shape)
    return call.result(call.emit("mul", [size, call.emit("sign", [ref.value], shape)], shape))


# Places


@aten("argmax.default", "argmin.default")
def argmax(call: Call) -> Batched:
    ref = call.held("self")
    if call["dim"] is None:
        raise call.mixing()
    value = where_most(call, ref, call.axis(ref, call["dim"]), call.name.startswith("argmin"))
    return call.result(to_shape(call, value, call.layout.one))


@aten("max.dim", "min.dim")
def max_dim(call: Call) -> list[Batched | None]:
    ref = call.held("self")
    axis, kind = call.axis(ref, call["dim"]), call.name[:3]
    words = call.lowering.beyond(ref)
    most = whole.total(call, f"{kind}imum", ref, [axis], False) if words else reduce(call, kind, ref.value, [axis])
    found: list[Batched | None] = [call.result(to_shape(call, most, call.layout.one))]
    wanted = any(user.args[1] == 1 and user.users for user in call.node.users)
    place = to_shape(call, where_most(call, ref, axis, kind == "min"), call.layout.one) if wanted else None
    return [*found, None if place is None else call.result(place, 1)]


def where_most(call: Call, ref: Batched, axis: int, least: bool) -> int:
    """The first place of the maximum (or minimum) along our axis, which becomes of size 1; that of a NaN, if any."""
    shape = call.shape(ref)
    if call.lowering.beyond(ref):
        n, keep = shape[axis], [1 if i == axis else size for i, size in enumerate(shape)]
        top = whole.total(call, "minimum" if least else "maximum", ref, [axis], False)
        there = call.emit("cast", [whole.integer(call, "eq", ref.value, top, shape)], shape)
        # n where it is not, so that the smallest is its first place
        before = torch.arange(n).reshape([-1 if i == axis else 1 for i in range(len(shape))]) - n
        places = call.emit("mul", [there, call.lowering.constant(Const(before.float()))], shape)
        first = to_shape(call, reduce(call, "min", places, [axis]), keep)
        return call.emit("add", [first, number(call, float(n))], keep)
    value = call.emit("neg", [ref.value], shape) if least else ref.value
    return ordered(call, value, axis, 1, True)[1]


def ordered(call: Call, value: int, axis: int, count: int, falling: bool) -> list[int]:
    """The first elements along our axis in their order, and their places."""
    shape = list(call.lowering.graph.values[value].shape)
    shape[axis] = count
    return call.lowering.op_many("sort", [value], [shape] * 2, (), call.source, axis=axis, falling=int(falling))


@aten("sort.default", "sort.stable", "topk.default")
def sort(call: Call) -> list[Batched]:
    """Equal elements stay in their order, as torch's stable sorting has them."""
    ref = call.batch("self")
    axis = call.axis(ref, call.bound.get("dim", 0))
    count, falling = call.bound.get("k", call.shape(ref)[axis]), call.bound.get("largest", call.bound.get("descending"))
    return [call.result(value) for value in ordered(call, ref.value, axis, count, bool(falling))]


@aten("argsort.default", "argsort.stable")
def argsort(call: Call) -> Batched:
    return sort(call)[1]


@aten("one_hot.default")
def one_hot(call: Call) -> Batched:
    """Ones put into zeros."""
    ref = call.lowering.float(call["self"])
    shape = call.layout.one
    index = to_shape(call, ref.value, [*shape[:-1], 1])
    zeros, ones = (call.lowering.constant(Const(torch.full(n, v))) for n, v in ((shape, 0.0), ((*shape[:-1], 1), 1.0)))
    return call.result(call.emit("scatter", [zeros, index, ones], shape, axis=len(shape) - 1, added=0))


@aten("gather.default")
def gather(call: Call) -> Batched:
    call.float_result(torch.bool, *WHOLE)
    ref, index = call.held("self"), call.rounded("index")
    axis, value = call.axis(ref, call["dim"]), ref.value
    if (ref.axis, ref.fold) != (index.axis, index.fold):
        raise call.mixing()
    for other, wanted in enumerate(call.shape(index)):
        value = cut(call, value, other, 0, wanted) if other != axis else value
    return call.result(call.emit("gather", [value, index.value], call.shape(index), axis=axis))


SCATTERS = ("scatter.src", "scatter.value", "scatter_add.default", "scatter.reduce", "scatter.value_reduce")


@aten(*SCATTERS, "scatter_reduce.two")
def scatter(call: Call) -> Batched:
    call.float_result(torch.bool, *WHOLE)
    item, index = call["self"], call.rounded("index")
    way = "add" if call.name.startswith("scatter_add") else call.bound.get("reduce")
    if way not in (None, "add", "sum") or not call.bound.get("include_self", True):
        raise call.refuse(f"scatter by {way!r}, or without what is there, is not supported", "put or add values")
    ref = Batched(spread(call, item, call.layout), index.axis) if isinstance(item, Const) else call.batch("self")
    axis, shape, wanted = call.axis(ref, call["dim"]), call.shape(ref), call.shape(index)
    if (ref.axis, ref.fold) != (index.axis, index.fold):
        raise call.mixing()
    if any(m != n for i, (m, n) in enumerate(zip(shape, wanted, strict=True)) if i != axis):
        raise call.refuse("it puts values into a part of the other axes", "slice them before it, and join the parts")
    values: Any = call.bound.get("src", call.bound.get("value"))
    if isinstance(values, Batched):
        values = call.batch("src").value
        for other, n in enumerate(wanted):
            values = cut(call, values, other, 0, n)
    else:
        values = values.tensor if isinstance(values, Const) else torch.full((), float(values))
        const = call["src"] if isinstance(call.bound.get("src"), Const) else Const(values)
        values = spread(call, const, layout_of(call.given[2].meta["val"]))
    if way and call.node.meta["val"].dtype in WHOLE:
        added = whole.range_of(call, call.bound.get("src", call.bound.get("value"))) or whole.OF_FLOAT
        before = whole.range_of(call, item) or whole.OF_FLOAT
        if before.most + wanted[axis] * added.most > whole.EXACT:
            raise call.refuse("its sums of whole numbers may lie beyond 2^24", whole.DECLARE)
    inputs = [ref.value, index.value, values]
    return call.result(call.emit("scatter", inputs, shape, axis=axis, added=int(way is not None)))
