"""Convolutions and pools."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from minnow.export.errors import ExportError
from minnow.export.importers.onnx.nodes import At, node
from minnow.export.importers.onnx.values import Item, tensor

CONV = (F.conv1d, F.conv2d, F.conv3d)
TRANSPOSED = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)
MAX_POOL = (F.max_pool1d, F.max_pool2d, F.max_pool3d)
AVERAGE_POOL = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)


class Window:
    """A window's size, steps and edges along each axis; `before` and `after` is what is padded."""

    def __init__(self, at: At, x: Tensor, kernel: list[int]) -> None:
        self.axes, self.kernel = len(kernel), kernel
        if self.axes not in (1, 2, 3) or x.dim() != self.axes + 2:
            raise ExportError(f"windows along {self.axes} axes of an array of {x.dim()} are not supported: 1 to 3 are")
        self.strides = list(at.get("strides", [1] * self.axes))
        self.dilations = list(at.get("dilations", [1] * self.axes))
        pads = list(at.get("pads", [0] * 2 * self.axes))
        self.before, self.after = pads[: self.axes], pads[self.axes :]
        auto = at.get("auto_pad", "NOTSET")
        if auto in ("SAME_UPPER", "SAME_LOWER"):
            for i, n in enumerate(x.shape[2:]):
                reach = (kernel[i] - 1) * self.dilations[i] + 1
                total = max(0, (math.ceil(n / self.strides[i]) - 1) * self.strides[i] + reach - n)
                half = total // 2 if auto == "SAME_UPPER" else total - total // 2
                self.before[i], self.after[i] = half, total - half

    def padded(self, x: Tensor, fill: float) -> tuple[Tensor, list[int]]:
        """The array, and what torch is left to pad on both sides: all, where the sides are alike."""
        if self.before == self.after:
            return x, self.before
        edges = [n for i in reversed(range(self.axes)) for n in (self.before[i], self.after[i])]
        return F.pad(x, edges, value=fill), [0] * self.axes


@node("Conv")
def conv(at: At, x: Item, w: Item, b: Item | None = None) -> Tensor:
    x, w = tensor(x), tensor(w)
    window = Window(at, x, list(w.shape[2:]))
    x, pads = window.padded(x, 0.0)
    bias = None if b is None else tensor(b)
    return CONV[window.axes - 1](x, w, bias, window.strides, pads, window.dilations, at.get("group", 1))


@node("ConvTranspose")
def conv_transpose(at: At, x: Item, w: Item, b: Item | None = None) -> Tensor:
    if at.get("output_shape") is not None or at.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        raise ExportError("output_shape and auto_pad are not supported: give it pads")
    x, w = tensor(x), tensor(w)
    window = Window(at, x, list(w.shape[2:]))
    even = window.before == window.after
    extra = list(at.get("output_padding", [0] * window.axes))
    found = TRANSPOSED[window.axes - 1](
        *(x, w, None if b is None else tensor(b), window.strides),
        *(window.before if even else 0, extra, at.get("group", 1), window.dilations),
    )
    if not even:
        for i, (before, after) in enumerate(zip(window.before, window.after, strict=True)):
            found = found.narrow(i + 2, before, found.shape[i + 2] - before - after)
    return found


@node("MaxPool")
def max_pool(at: At, x: Item) -> Tensor:
    if at.outputs > 1:
        raise ExportError("its second output, where the largest are, is not supported")
    x = tensor(x)
    window = Window(at, x, list(at.get("kernel_shape")))
    x, pads = window.padded(x, -torch.inf if x.is_floating_point() else torch.iinfo(x.dtype).min)
    ceil = bool(at.get("ceil_mode", 0))
    return MAX_POOL[window.axes - 1](x, window.kernel, window.strides, pads, window.dilations, ceil)


@node("AveragePool")
def average_pool(at: At, x: Item) -> Tensor:
    x = tensor(x)
    window = Window(at, x, list(at.get("kernel_shape")))
    if any(n != 1 for n in window.dilations):
        raise ExportError("dilations are not supported")
    pool, ceil = AVERAGE_POOL[window.axes - 1], bool(at.get("ceil_mode", 0))
    inside = bool(at.get("count_include_pad", 0))
    if window.before == window.after:
        return pool(x, window.kernel, window.strides, window.before, ceil, inside)
    grown, pads = window.padded(x, 0.0)
    if inside:
        return pool(grown, window.kernel, window.strides, pads, ceil)
    ones, _ = window.padded(torch.ones(1, 1, *x.shape[2:]), 0.0)
    share = pool(ones, window.kernel, window.strides, pads, ceil)
    return pool(grown, window.kernel, window.strides, pads, ceil) / share


@node("GlobalAveragePool")
def global_average(at: At, x: Item) -> Tensor:
    x = tensor(x)
    return x.mean(list(range(2, x.dim())), keepdim=True)


@node("GlobalMaxPool")
def global_max(at: At, x: Item) -> Tensor:
    x = tensor(x)
    return x.amax(list(range(2, x.dim())), keepdim=True)
