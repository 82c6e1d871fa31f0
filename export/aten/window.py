"""Convolutions, pools and what belongs to them: padding and larger pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from minnow.export.aten.reduce import along, reduce
from minnow.export.aten.shape import cut, gather, join, to_shape
from minnow.export.call import Batched, Call, Const, aten
from minnow.export.ops import POOLS


def each(numbers: int | Sequence[int], axes: int) -> list[int]:
    """One number for each axis; a single one stands for all."""
    found = [numbers] if isinstance(numbers, int) else list(numbers)
    return found * axes if len(found) == 1 else found


def picture(call: Call, ref: Batched, axes: int) -> tuple[int, int]:
    """The input as [channels, sizes...], and how many axes stand before the `axes` that windows move along: 1 where
    agents and frames were flattened together, else 0."""
    shape = call.shape(ref)
    if ref.axis != 0 or call.rank(ref) != axes + 2:
        raise call.mixing()
    if not ref.fold:
        return ref.value, 0
    if axes == 3:
        raise call.refuse(
            "frames were flattened into the agents before it", "give it one frame of each agent at a time"
        )
    order = [1, 0, *range(2, len(shape))]
    return call.emit("permute", [ref.value], [shape[i] for i in order], axes=order), 1


def back(call: Call, value: int, extra: int) -> Batched:
    """The result of windows, frames in front again."""
    if extra:
        shape = call.lowering.graph.values[value].shape
        order = [1, 0, *range(2, len(shape))]
        value = call.emit("permute", [value], [shape[i] for i in order], axes=order)
    return call.result(value)


@aten(
    "conv1d.default",
    "conv2d.default",
    "conv3d.default",
    "conv1d.padding",
    "conv2d.padding",
    "conv3d.padding",
    "convolution.default",
)
def conv(call: Call) -> Batched:
    call.float_result()
    if call.bound.get("transposed"):
        return conv_transpose(call)
    weight, bias = call.const("weight"), call["bias"]
    axes = weight.tensor.dim() - 2
    ref = call.batch("input")
    value, extra = picture(call, ref, axes)
    stride, padding, dilation = (call[name] for name in ("stride", "padding", "dilation"))
    stride, dilation = each(stride, axes), each(dilation, axes)
    if isinstance(padding, str):
        total = [
            d * (k - 1) if padding == "same" else 0 for d, k in zip(dilation, weight.tensor.shape[2:], strict=True)
        ]
        padding = [n // 2 for n in total]
        for i, n in enumerate(total):
            if n % 2:  # torch adds the odd one behind
                value = padded(call, value, 1 + extra + i, 0, 1, 0.0)
    return back(call, convolve(call, value, extra, weight, bias, stride, each(padding, axes), dilation), extra)


def convolve(
    call: Call,
    value: int,
    extra: int,
    weight: Const,
    bias: Const | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
) -> int:
    """The operation itself on [channels, sizes...], the first `extra` of the axes left alone."""
    if bias is not None and not isinstance(bias, Const):
        raise call.refuse("its bias depends on the observation or state", "add it in a line of its own")
    shape, kernel = call.lowering.graph.values[value].shape, list(weight.tensor.shape[2:])
    kernel, stride, dilation = ([1] * extra + list(part) for part in (kernel, stride, dilation))
    padding = [0] * extra + list(padding)
    wide = Const(weight.tensor.reshape(*weight.tensor.shape[:2], *kernel), weight.names)
    out = [
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, p, d, k, s in zip(shape[1:], padding, dilation, kernel, stride, strict=True)
    ]
    tensors = [call.lowering.tensor(wide), -1 if bias is None else call.lowering.tensor(bias)]
    window = [*stride, *padding, *dilation]
    return call.emit("conv", [value], [wide.tensor.shape[0], *out], tensors, groups=call["groups"], window=window)


@aten("conv_transpose1d.default", "conv_transpose2d.input", "conv_transpose3d.input")
def conv_transpose(call: Call) -> Batched:
    """A convolution, turned round, of the input with zeros between its elements."""
    call.float_result()
    weight, groups = call.const("weight"), call["groups"]
    axes = weight.tensor.dim() - 2
    value, extra = picture(call, call.batch("input"), axes)
    stride, padding, more, dilation = (
        each(call[name], axes) for name in ("stride", "padding", "output_padding", "dilation")
    )
    for i in range(axes):
        axis, kernel = 1 + extra + i, weight.tensor.shape[2 + i]
        if stride[i] > 1:
            shape = list(call.lowering.graph.values[value].shape)
            spaced = [*shape[: axis + 1], 1, *shape[axis + 1 :]]
            value = padded(call, to_shape(call, value, spaced), axis + 1, 0, stride[i] - 1, 0.0)
            shape[axis] *= stride[i]
            value = cut(call, to_shape(call, value, shape), axis, 0, shape[axis] - stride[i] + 1)
        room = dilation[i] * (kernel - 1) - padding[i]
        value = padded(call, value, axis, room, room + more[i], 0.0)
    inputs, outputs = weight.tensor.shape[:2]
    kernel = weight.tensor.reshape(groups, inputs // groups, outputs, *weight.tensor.shape[2:]).transpose(1, 2)
    kernel = kernel.reshape(groups * outputs, inputs // groups, *weight.tensor.shape[2:]).flip(*range(2, axes + 2))
    ones, zeros = [1] * axes, [0] * axes
    value = convolve(call, value, extra, Const(kernel, weight.names), call["bias"], ones, zeros, dilation)
    return back(call, value, extra)


@aten("max_pool1d.default", "max_pool2d.default", "max_pool3d.default")
def max_pool(call: Call) -> Batched:
    return pool(call, "max", each(call["dilation"], _axes(call)))


@aten("max_pool1d_with_indices.default", "max_pool2d_with_indices.default", "max_pool3d_with_indices.default")
def max_pool_with_indices(call: Call) -> list[Batched | None]:
    return [_without_indices(call, max_pool(call)), None]


@aten("avg_pool1d.default", "avg_pool2d.default", "avg_pool3d.default")
def avg_pool(call: Call) -> Batched:
    if call.bound.get("divisor_override") is not None:
        raise call.refuse("a divisor of its own is not supported", "multiply the result by a number instead")
    return pool(call, "mean" if call["count_include_pad"] else "mean_inside", [1] * _axes(call))


def _axes(call: Call) -> int:
    """Along how many axes a pool moves."""
    return next(int(letter) for letter in call.name if letter.isdigit())


def _without_indices(call: Call, result: Batched) -> Batched:
    if any(user.args[1] == 1 and user.users for user in call.node.users):
        raise call.refuse("it asks where the maximum is", "use the maximum alone")
    return result


def pool(call: Call, kind: str, dilation: Sequence[int]) -> Batched:
    call.float_result()
    axes = _axes(call)
    size = each(call["kernel_size"], axes)
    stride = each(call["stride"], axes) if call["stride"] else size
    value, extra = picture(call, call.batch("self"), axes)
    return back(call, pooled(call, value, extra, kind, [size, stride, each(call["padding"], axes), dilation]), extra)


def pooled(call: Call, value: int, extra: int, kind: str, window: Sequence[Sequence[int]]) -> int:
    """The operation itself; window: widths, strides, paddings, dilations."""
    shape = list(call.lowering.graph.values[value].shape)
    sizes = call.layout.shape[2:]
    parts = [number for part, one in zip(window, (1, 1, 0, 1), strict=True) for number in ([one] * extra + list(part))]
    return call.emit("pool", [value], [*shape[: 1 + extra], *sizes], mode=POOLS.index(kind), window=parts)


@aten("adaptive_avg_pool1d.default", "adaptive_avg_pool2d.default", "adaptive_avg_pool3d.default")
def adaptive_avg_pool(call: Call) -> Batched:
    return adaptive(call, "mean")


@aten("adaptive_max_pool1d.default", "adaptive_max_pool2d.default", "adaptive_max_pool3d.default")
def adaptive_max_pool(call: Call) -> list[Batched | None]:
    return [_without_indices(call, adaptive(call, "max")), None]


def adaptive(call: Call, kind: str) -> Batched:
    """Windows that share out each axis: of one width where that goes, else one after the other."""
    ref, axes = call.batch("self"), _axes(call)
    value, extra = picture(call, ref, axes)
    before, after = call.lowering.graph.values[value].shape[1 + extra :], call.layout.shape[2:]
    if all(n % m == 0 for n, m in zip(before, after, strict=True)):
        size = [n // m for n, m in zip(before, after, strict=True)]
        return back(call, pooled(call, value, extra, kind, [size, size, [0] * axes, [1] * axes]), extra)
    for i, (n, m) in enumerate(zip(before, after, strict=True)):
        axis, parts = 1 + extra + i, []
        for j in range(m):
            part = cut(call, value, axis, j * n // m, -(-(j + 1) * n // m))
            keep = [*call.lowering.graph.values[part].shape]
            keep[axis] = 1
            parts.append(to_shape(call, reduce(call, kind, part, [axis]), keep))
        value = join(call, parts, axis)
    return back(call, value, extra)


# Padding


@aten("pad.default", "constant_pad_nd.default")
def pad(call: Call) -> Batched:
    call.float_result()
    ref, mode = call.batch("self"), call.bound.get("mode", "constant")
    value, sides = ref.value, list(call["pad"])
    for i in range(len(sides) // 2):
        before, after = sides[2 * i : 2 * i + 2]
        if before == after == 0:
            continue
        axis = call.axis(ref, call.rank(ref) - 1 - i)
        if mode == "constant":
            value = padded(call, value, axis, before, after, float(call.bound.get("value") or 0.0))
        else:
            n = call.lowering.graph.values[value].shape[axis]
            value = gather(call, value, axis, [_mirrored(j, n, mode) for j in range(-before, n + after)])
    return call.result(value)


def _mirrored(position: int, n: int, mode: str) -> int:
    """What torch puts at a position outside 0 to n - 1."""
    if mode == "replicate":
        return min(max(position, 0), n - 1)
    if mode == "circular":
        return position % n
    return -position if position < 0 else 2 * (n - 1) - position if position >= n else position


def padded(call: Call, value: int, axis: int, before: int, after: int, filling: float) -> int:
    """The value with so many elements more on both sides of our `axis`; fewer where negative."""
    n = call.lowering.graph.values[value].shape[axis]
    value = cut(call, value, axis, max(0, -before), n + min(0, after))
    parts = []
    for count in (before, after):
        shape = list(call.lowering.graph.values[value].shape)
        shape[axis] = count
        parts.append([call.lowering.constant(Const(torch.full(shape, filling)))] if count > 0 else [])
    return join(call, [*parts[0], value, *parts[1]], axis)


# Larger pictures


@aten("upsample_nearest1d.vec", "upsample_nearest2d.vec", "upsample_nearest3d.vec")
def upsample_nearest(call: Call) -> Batched:
    call.float_result()
    ref, factors = call.batch("input"), call.bound.get("scale_factors")
    value = ref.value
    for dim in range(2, call.rank(ref)):
        axis = call.axis(ref, dim)
        n, m = call.shape(ref)[axis], call.layout.shape[dim]
        step = 1 / factors[dim - 2] if factors else n / m
        value = gather(call, value, axis, [min(n - 1, math.floor(j * step)) for j in range(m)])
    return call.result(value)


@aten(
    "upsample_linear1d.vec",
    "upsample_bilinear2d.vec",
    "upsample_trilinear3d.vec",
    "upsample_bicubic2d.vec",
    "_upsample_bilinear2d_aa.vec",
    "_upsample_bicubic2d_aa.vec",
    *(f"_upsample_nearest_exact{axes}d.vec" for axes in (1, 2, 3)),
)
def upsample(call: Call) -> Batched:
    """Along each axis a product with a fixed matrix: what torch makes of a picture whose rows are 1 at one place."""
    call.float_result()
    ref, factors = call.batch("input"), call["scale_factors"]
    value, axes = ref.value, call.rank(ref) - 2
    aligned = [call["align_corners"]] if "align_corners" in call.bound else []
    before = [call.shape(ref)[call.axis(ref, 2 + i)] for i in range(axes)]
    for i, n in enumerate(before):
        ones = torch.eye(n).reshape(n, 1, *(n if j == i else 1 for j in range(axes))).expand(n, 1, *before)
        sizes = None if factors else [call.layout.shape[2 + j] if j == i else before[j] for j in range(axes)]
        scale = [factors[i] if j == i else 1.0 for j in range(axes)] if factors else None
        found = call.target(ones.contiguous(), sizes, *aligned, scale)[:, 0].movedim(1 + i, 1)
        matrix = found.reshape(n, call.layout.shape[2 + i], -1)[:, :, 0].t()
        value = along(call, value, call.axis(ref, 2 + i), Const(matrix.contiguous()))
    return call.result(value)


@aten("pixel_shuffle.default", "pixel_unshuffle.default")
def pixel_shuffle(call: Call) -> Batched:
    call.float_result()
    ref = call.batch("self")
    if ref.axis >= call.rank(ref) - 3 or ref.fold:
        raise call.mixing()
    *ahead, channels, height, width = call.shape(ref)
    first = list(range(len(ahead)))
    if call.name.startswith("pixel_shuffle"):
        by = call["upscale_factor"]
        split = [*ahead, channels // by**2, by, by, height, width]
        order = [0, 3, 1, 4, 2]
    else:
        by = call["downscale_factor"]
        split = [*ahead, channels, height // by, by, width // by, by]
        order = [0, 2, 4, 1, 3]
    order = [*first, *(len(ahead) + i for i in order)]
    value = call.emit("permute", [to_shape(call, ref.value, split)], [split[i] for i in order], axes=order)
    return call.result(to_shape(call, value, call.layout.one))
