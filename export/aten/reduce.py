"""Operations over whole axes: sums, means, maxima, softmax, and the normalisations made of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from minnow.export.aten import whole
from minnow.export.aten.elementwise import known, number, operand
from minnow.export.aten.shape import to_shape
from minnow.export.call import Batched, Call, Const, aten


def reduce(call: Call, kind: str, value: int, axes: Sequence[int]) -> int:
    """One of sum, mean or max over our axes, which are left out."""
    shape = call.lowering.graph.values[value].shape
    rest = [n for axis, n in enumerate(shape) if axis not in axes]
    return call.emit(kind, [value], rest, axes=sorted(axes))


def axes_of(call: Call, ref: Batched, dims: int | Sequence[int] | None) -> list[int]:
    """Our axes for torch's `dims`; none given means all, the agents' among them."""
    if dims is None or dims == []:
        raise call.mixing()
    return [call.axis(ref, dim) for dim in ([dims] if isinstance(dims, int) else dims)]


TOTALS = {"sum": "sum", "mean": "mean", "amax": "max", "amin": "min", "max": "max", "min": "min", "prod": "prod"}


@aten(
    "sum.dim_IntList",
    "mean.dim",
    "amax.default",
    "amin.default",
    "prod.dim_int",
    *(f"{name}.default" for name in ("sum", "mean", "max", "min", "prod")),
)
def total(call: Call) -> Batched:
    call.float_result(*whole.DTYPES)
    kind = TOTALS[call.name.split(".")[0]]
    if call.node.meta["val"].dtype in whole.DTYPES:
        return total_of_whole(call, kind)
    ref = call.batch("self")
    axes = axes_of(call, ref, call.bound.get("dim"))
    return call.result(to_shape(call, reduce(call, kind, ref.value, axes), call.layout.one))


def total_of_whole(call: Call, kind: str) -> Batched:
    """A sum, product or extreme of whole numbers: of floats where they hold all that it passes, else of words."""
    ref = call.held("self")
    axes, known = axes_of(call, ref, call.bound.get("dim")), whole.range_of(call, ref) or whole.OF_FLOAT
    keep = [1 if axis in axes else n for axis, n in enumerate(call.shape(ref))]
    count, found = math.prod(call.shape(ref)) // math.prod(keep), known
    if kind == "sum":
        found = whole.sums(call, known, count)
    elif kind == "prod":
        found = whole.Range(min(0, known.low) and -(known.most ** min(count, 64)), known.most ** min(count, 64))
    if not call.lowering.beyond(ref) and (kind in ("max", "min") or found.exact):
        value = reduce(call, kind, ref.value, axes)
    elif kind == "prod":
        raise call.refuse("its products of whole numbers may lie beyond 2^24", whole.DECLARE)
    else:
        ways = {"sum": "add", "max": "maximum", "min": "minimum"}
        value = whole.total(call, ways[kind], ref, axes, call.node.meta["val"].dtype == torch.int64)
    value = to_shape(call, value, call.layout.one)
    call.lowering.ranges[value] = found
    return call.result(value)


@aten("var.dim", "std.dim", "var.correction", "std.correction")
def variance(call: Call) -> Batched:
    call.float_result()
    ref = call.batch("self")
    shape, axes = call.shape(ref), axes_of(call, ref, call["dim"])
    less = call.bound.get("correction")
    less = float(call["unbiased"]) if "unbiased" in call.bound else 1.0 if less is None else float(less)
    keep = [1 if axis in axes else n for axis, n in enumerate(shape)]
    mean = to_shape(call, reduce(call, "mean", ref.value, axes), keep)
    apart = call.emit("square", [call.emit("sub", [ref.value, mean], shape)], shape)
    value = to_shape(call, reduce(call, "sum", apart, axes), call.layout.one)
    count = math.prod(shape[axis] for axis in axes) - less
    value = call.emit("div", [value, number(call, max(count, 0.0))], call.layout.one)
    return call.result(call.emit("sqrt", [value], call.layout.one) if call.name.startswith("std") else value)


@aten("cumsum.default")
def cumsum(call: Call) -> Batched:
    """A product with a triangle of ones."""
    call.float_result(*whole.DTYPES)
    ref = call.held("self")
    axis = call.axis(ref, call["dim"])
    if call.node.meta["val"].dtype in whole.DTYPES:
        found = whole.sums(call, whole.range_of(call, ref) or whole.OF_FLOAT, call.shape(ref)[axis])
        if call.lowering.beyond(ref) or not found.exact:
            value = whole.running(call, ref, axis, call.node.meta["val"].dtype == torch.int64)
            call.lowering.ranges[value] = found
            return call.result(value)
    n = call.shape(ref)[axis]
    return call.result(along(call, ref.value, axis, Const(torch.ones(n, n).tril())))


def along(call: Call, value: int, axis: int, weight: Const) -> int:
    """A product with a matrix [out, in] along our axis."""
    shape = list(call.lowering.graph.values[value].shape)
    order = [i for i in range(len(shape)) if i != axis] + [axis]
    turned = [shape[i] for i in order]
    if axis != len(shape) - 1:
        value = call.emit("permute", [value], turned, axes=order)
    shape[axis] = turned[-1] = weight.tensor.shape[0]
    value = call.emit("linear", [value], turned, [call.lowering.tensor(weight), -1])
    if axis != len(shape) - 1:
        value = call.emit("permute", [value], shape, axes=[order.index(i) for i in range(len(order))])
    return value


@aten("softmax.int", "log_softmax.int", "special_softmax.int", "_softmax.default", "_log_softmax.default")
def softmax(call: Call) -> Batched:
    call.float_result()
    ref = call.batch("self")
    kind = "log_softmax" if "log_" in call.name else "softmax"
    return call.result(softmax_over(call, kind, ref.value, call.axis(ref, call["dim"])))


def softmax_over(call: Call, kind: str, value: int, axis: int) -> int:
    """Softmax along our axis; the operation itself acts on the last one."""
    shape = call.lowering.graph.values[value].shape
    last = len(shape) - 1
    if axis == last:
        return call.emit(kind, [value], shape)
    swap = list(range(len(shape)))
    swap[axis], swap[last] = last, axis
    turned = [shape[i] for i in swap]
    value = call.emit(kind, [call.emit("permute", [value], turned, axes=swap)], turned)
    return call.emit("permute", [value], shape, axes=swap)


@aten("logsumexp.default")
def logsumexp(call: Call) -> Batched:
    call.float_result()
    ref = call.batch("self")
    axes = axes_of(call, ref, call["dim"])
    keep = [1 if axis in axes else n for axis, n in enumerate(call.shape(ref))]
    top = to_shape(call, reduce(call, "max", ref.value, axes), keep)
    powers = call.emit("exp", [known(call, call.emit("sub", [ref.value, top], call.shape(ref)))], call.shape(ref))
    logs = call.emit("log", [to_shape(call, reduce(call, "sum", powers, axes), keep)], keep)
    return call.result(to_shape(call, call.emit("add", [logs, top], keep), call.layout.one))


@aten("linalg_vector_norm.default", "norm.ScalarOpt_dim")
def norm(call: Call) -> Batched:
    call.float_result()
    ref = call.batch("self")
    order = call.bound.get("ord", call.bound.get("p", 2))
    if order in (1, math.inf):
        size = call.emit("abs", [ref.value], call.shape(ref))
        value = reduce(call, "sum" if order == 1 else "max", size, axes_of(call, ref, call["dim"]))
        return call.result(to_shape(call, value, call.layout.one))
    if order not in (None, 2):
        return call.apart()
    squares = call.emit("square", [ref.value], call.shape(ref))
    value = reduce(call, "sum", squares, axes_of(call, ref, call["dim"]))
    value = call.emit("sqrt", [value], call.lowering.graph.values[value].shape)
    return call.result(to_shape(call, value, call.layout.one))


@aten("layer_norm.default", "rms_norm.default")
def layer_norm(call: Call) -> Batched:
    call.float_result()
    ref = call.batch("input")
    shape, rank = call.shape(ref), call.rank(ref)
    dims = len(call["normalized_shape"])
    axes = [call.axis(ref, dim) for dim in range(rank - dims, rank)]
    keep = [1 if axis in axes else n for axis, n in enumerate(shape)]
    value, eps = ref.value, call["eps"]
    eps = torch.finfo(torch.float32).eps if eps is None else eps  # rms_norm's default
    weight, bias = call.bound.get("weight"), call.bound.get("bias")
    if dims == 1 and not isinstance(weight, Batched) and not isinstance(bias, Batched):
        kind = call.name.removesuffix(".default")
        slots = (weight, bias) if kind == "layer_norm" else (weight,)
        tensors = [-1 if item is None else call.lowering.tensor(item) for item in slots]
        return call.result(call.emit(kind, [value], shape, tensors, eps=float(eps)))
    if call.name.startswith("layer_norm"):
        mean = to_shape(call, reduce(call, "mean", value, axes), keep)
        value = call.emit("sub", [value, mean], shape)
    square = reduce(call, "mean", call.emit("square", [value], shape), axes)
    square = call.emit("add", [to_shape(call, square, keep), number(call, eps)], keep)
    value = call.emit("mul", [value, call.emit("rsqrt", [square], keep)], shape)
    return call.result(affine(call, value, weight, bias, rank, ref))


def affine(call: Call, value: int, weight: Any, bias: Any, rank: int, ref: Batched) -> int:
    """value * weight + bias, either of which may be absent."""
    for kind, item in (("mul", weight), ("add", bias)):
        if item is not None:
            other = operand(call, item, rank - ref.axis, ref.fold)
            value = call.emit(kind, [value, other], call.lowering.graph.values[value].shape)
    return value


@aten("group_norm.default", "instance_norm.default")
def group_norm(call: Call) -> Batched:
    call.float_result()
    if call.bound.get("running_mean") is not None and not call["use_input_stats"]:
        return batch_norm(call)
    ref = call.batch("input")
    shape, rank = call.shape(ref), call.rank(ref)
    axis = call.axis(ref, 1)
    if ref.axis != 0:
        raise call.mixing()
    groups = call.bound.get("num_groups", shape[axis])
    each = [*shape[:axis], groups, math.prod(shape[axis:]) // groups]
    value = call.emit("layer_norm", [to_shape(call, ref.value, each)], each, [-1, -1], eps=float(call["eps"]))
    weight, bias = (
        None if item is None else Const(item.tensor.reshape(-1, *[1] * (rank - 2)), item.names)
        for item in (call["weight"], call["bias"])
    )
    return call.result(affine(call, to_shape(call, value, shape), weight, bias, rank, ref))


@aten("batch_norm.default")
def batch_norm(call: Call) -> Batched:
    call.float_result()
    if call.bound.get("training") or call["running_mean"] is None:
        raise call.refuse("batch norm in training mode mixes agents", "call module.eval() before export")
    ref = call.batch("input")
    rank = call.rank(ref)
    axis = call.axis(ref, 1)
    wide = [-1] + [1] * (rank - 2)  # channels are axis 1
    mean, variance = call["running_mean"], call["running_var"]
    scale = torch.rsqrt(variance.tensor.double() + call["eps"])
    if call["weight"] is not None:
        scale = scale * call["weight"].tensor.double()
    shift = -mean.tensor.double() * scale
    names = mean.names | variance.names
    for item in (call["weight"], call["bias"]):
        names |= item.names if item is not None else frozenset()
    if call["bias"] is not None:
        shift = shift + call["bias"].tensor.double()
    assert call.shape(ref)[axis] == math.prod(scale.shape)
    scale, shift = (Const(item.float().reshape(wide), names) for item in (scale, shift))
    return call.result(affine(call, ref.value, scale, shift, rank, ref))
