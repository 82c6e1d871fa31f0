"""Operations over whole axes: sums, means, norms, softmax, normalisations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from minnow.export.errors import ExportError
from minnow.export.importers.onnx.nodes import At, node, sizes
from minnow.export.importers.onnx.values import Item, Known, known, tensor, whole


def _product(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    for axis in sorted((axis % x.dim() for axis in axes), reverse=True):
        x = x.prod(axis, keepdim=keep)
    return x


REDUCTIONS: dict[str, Callable[[Tensor, list[int], bool], Tensor]] = {
    "ReduceL1": lambda x, axes, keep: x.abs().sum(axes, keepdim=keep),
    "ReduceL2": lambda x, axes, keep: x.square().sum(axes, keepdim=keep).sqrt(),
    "ReduceLogSum": lambda x, axes, keep: x.sum(axes, keepdim=keep).log(),
    "ReduceLogSumExp": lambda x, axes, keep: x.logsumexp(axes, keepdim=keep),
    "ReduceMax": lambda x, axes, keep: x.amax(axes, keepdim=keep),
    "ReduceMean": lambda x, axes, keep: x.mean(axes, keepdim=keep),
    "ReduceMin": lambda x, axes, keep: x.amin(axes, keepdim=keep),
    "ReduceProd": _product,
    "ReduceSum": lambda x, axes, keep: x.sum(axes, keepdim=keep),
    "ReduceSumSquare": lambda x, axes, keep: x.square().sum(axes, keepdim=keep),
}


def _reduction(function: Callable[[Tensor, list[int], bool], Tensor]) -> Callable:
    def apply(at: At, x: Item, axes: Item | None = None) -> Tensor:
        found = at.get("axes") if axes is None else whole(axes)
        if not found and at.get("noop_with_empty_axes", 0):
            return tensor(x)
        if not found and isinstance(x, Tensor):
            raise ExportError("it reduces all axes, which mixes agents: name the axes")
        x = tensor(x)
        return function(x, list(found or range(x.dim())), bool(at.get("keepdims", 1)))

    return apply


for _name, _function in REDUCTIONS.items():
    node(_name)(_reduction(_function))


def _sizes(function: Callable) -> Callable:
    def apply(at: At, x: np.ndarray, axes: np.ndarray | None = None) -> Known:
        found = at.get("axes") if axes is None else axes.tolist()
        return known(function(x, axis=tuple(found) if found else None, keepdims=bool(at.get("keepdims", 1))))

    return apply


sizes("ReduceProd", _sizes(np.prod))
sizes("ReduceSum", _sizes(np.sum))
sizes("ReduceMax", _sizes(np.max))
sizes("ReduceMin", _sizes(np.min))


@node("CumSum")
def cumsum(at: At, x: Item, axis: Item) -> Tensor:
    x, along = tensor(x), int(whole(axis)[0])
    turned = x.flip(along) if at.get("reverse", 0) else x
    total = turned.cumsum(along)
    if at.get("exclusive", 0):
        before = total.narrow(along, 0, x.shape[along] - 1)
        total = torch.cat([torch.zeros_like(turned.narrow(along, 0, 1)), before], along)
    return total.flip(along) if at.get("reverse", 0) else total


def _softmax(function: Callable[[Tensor, int], Tensor]) -> Callable:
    def apply(at: At, x: Item) -> Tensor:
        x = tensor(x)
        if at.opset >= 13:
            return function(x, at.get("axis", -1))
        axis = at.get("axis", 1) % x.dim()  # before, all axes from this one on together
        if axis == x.dim() - 1:
            return function(x, axis)
        return function(x.flatten(axis), axis).unflatten(axis, x.shape[axis:])

    return apply


node("Softmax")(_softmax(torch.softmax))
node("LogSoftmax")(_softmax(torch.log_softmax))


@node("Hardmax")
def hardmax(at: At, x: Item) -> Tensor:
    x = tensor(x)
    axis = at.get("axis", -1 if at.opset >= 13 else 1) % x.dim()
    if at.opset < 13 and axis != x.dim() - 1:
        raise ExportError("before opset 13 only the last axis is known")
    places = torch.arange(x.shape[axis]).reshape([-1 if i == axis else 1 for i in range(x.dim())])
    return (x.argmax(axis, keepdim=True) == places).to(x.dtype)


# Normalisations


@node("BatchNormalization")
def batch_norm(at: At, x: Item, scale: Item, bias: Item, mean: Item, variance: Item) -> Any:
    if at.get("training_mode", 0) or (at.outputs > 1 and at.opset >= 14):
        raise ExportError("it is in training mode, which mixes agents: export the model in evaluation mode")
    settings = {"weight": tensor(scale), "bias": tensor(bias), "eps": at.get("epsilon", 1e-5)}
    found = F.batch_norm(tensor(x), tensor(mean), tensor(variance), **settings)
    return (found,) + (None,) * (at.outputs - 1)


@node("InstanceNormalization")
def instance_norm(at: At, x: Item, scale: Item, bias: Item) -> Tensor:
    return F.instance_norm(tensor(x), None, None, tensor(scale), tensor(bias), True, 0.0, at.get("epsilon", 1e-5))


@node("GroupNormalization")
def group_norm(at: At, x: Item, scale: Item, bias: Item) -> Tensor:
    x, groups, weight, shift = tensor(x), at.get("num_groups"), tensor(scale), tensor(bias)
    if at.opset < 21:  # a number a group
        weight, shift = (item.repeat_interleave(x.shape[1] // groups) for item in (weight, shift))
    return F.group_norm(x, groups, weight, shift, at.get("epsilon", 1e-5))


@node("LayerNormalization")
def layer_norm(at: At, x: Item, weight: Item, bias: Item | None = None) -> Any:
    x = tensor(x)
    axis, epsilon = at.get("axis", -1) % x.dim(), at.get("epsilon", 1e-5)
    shift = None if bias is None else tensor(bias)
    found = F.layer_norm(x, list(x.shape[axis:]), tensor(weight), shift, epsilon)
    if at.outputs == 1:
        return found
    axes = list(range(axis, x.dim()))
    mean = x.mean(axes, keepdim=True)
    return found, mean, ((x - mean).square().mean(axes, keepdim=True) + epsilon).rsqrt()


@node("RMSNormalization")
def rms_norm(at: At, x: Item, weight: Item) -> Tensor:
    x = tensor(x)
    axis = at.get("axis", -1) % x.dim()
    return F.rms_norm(x, list(x.shape[axis:]), tensor(weight), at.get("epsilon", 1e-5))


@node("LpNormalization")
def lp_norm(at: At, x: Item) -> Tensor:
    x, axis = tensor(x), at.get("axis", -1)
    if at.get("p", 2) == 1:
        return x / x.abs().sum(axis, keepdim=True)
    return x / x.square().sum(axis, keepdim=True).sqrt()
