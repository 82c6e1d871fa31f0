"""Arithmetic, functions of one number, activations."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from minnow.export.errors import ExportError
from minnow.export.importers.onnx.nodes import At, node, sizes
from minnow.export.importers.onnx.values import DTYPES, Item, known, number, tensor

UNARY: dict[str, Callable[[Tensor], Tensor]] = {
    "Abs": torch.abs,
    "Acos": torch.acos,
    "Acosh": torch.acosh,
    "Asin": torch.asin,
    "Asinh": torch.asinh,
    "Atan": torch.atan,
    "Atanh": torch.atanh,
    "Ceil": torch.ceil,
    "Cos": torch.cos,
    "Cosh": torch.cosh,
    "Erf": torch.erf,
    "Exp": torch.exp,
    "Floor": torch.floor,
    "HardSwish": F.hardswish,
    "Identity": lambda x: x,
    "Log": torch.log,
    "Mish": F.mish,
    "Neg": torch.neg,
    "Reciprocal": torch.reciprocal,
    "Relu": torch.relu,
    "Round": torch.round,
    "Sigmoid": torch.sigmoid,
    "Sign": torch.sign,
    "Sin": torch.sin,
    "Sinh": torch.sinh,
    "Softplus": F.softplus,
    "Softsign": F.softsign,
    "Sqrt": torch.sqrt,
    "Tan": torch.tan,
    "Tanh": torch.tanh,
}


def _unary(function: Callable[[Tensor], Tensor]) -> Callable:
    return lambda at, x: function(tensor(x))


def _several(function: Callable[[Tensor, Tensor], Tensor]) -> Callable:
    return lambda at, *items: reduce(function, [tensor(item) for item in items])


def operand(item: Item) -> Any:
    """A plain number where it is one, which needs no place in the file."""
    found = number(item)
    return tensor(item) if found is None or isinstance(item, Tensor) or item.array.ndim else found


def pair(function: Callable[[Any, Any], Tensor]) -> Callable:
    """Two operands, of which one may be a plain number."""

    def apply(at: At, a: Item, b: Item) -> Tensor:
        left, right = operand(a), operand(b)
        return function(left if isinstance(right, Tensor) else tensor(a), right)

    return apply


for _name, _function in UNARY.items():
    node(_name)(_unary(_function))
for _name, _function in {"Min": torch.minimum, "Max": torch.maximum, "Sum": torch.add}.items():
    node(_name)(_several(_function))
for _name, _function in {
    "Add": lambda a, b: a + b,
    "Sub": lambda a, b: a - b,
    "Mul": lambda a, b: a * b,
}.items():
    node(_name)(pair(_function))


@node("Mean")
def mean(at: At, *items: Item) -> Tensor:
    return reduce(torch.add, [tensor(item) for item in items]) / len(items)


@node("Div")
def div(at: At, a: Item, b: Item) -> Tensor:
    if tensor(a).is_floating_point():
        return pair(lambda x, y: x / y)(at, a, b)
    return torch.div(tensor(a), tensor(b), rounding_mode="trunc")


@node("Mod")
def mod(at: At, a: Item, b: Item) -> Tensor:
    """The sign is the divisor's, or with fmod the dividend's."""
    return (torch.fmod if at.get("fmod") else torch.remainder)(tensor(a), operand(b))


@node("Pow")
def power(at: At, x: Item, exponent: Item) -> Tensor:
    return pair(torch.pow)(at, x, exponent).to(tensor(x).dtype)


@node("Clip")
def clip(at: At, x: Item, low: Item | None = None, high: Item | None = None) -> Tensor:
    if at.opset < 11:
        return tensor(x).clamp(at.get("min"), at.get("max"))
    bounds: list[Any] = [None if item is None else number(item) for item in (low, high)]
    for i, item in enumerate((low, high)):
        if item is not None and bounds[i] is None:
            bounds[i] = tensor(item)
    if any(isinstance(item, Tensor) for item in bounds):
        bounds = [item if item is None or isinstance(item, Tensor) else torch.tensor(item) for item in bounds]
    return tensor(x) if bounds == [None, None] else tensor(x).clamp(*bounds)


@node("Cast", "CastLike")
def cast(at: At, x: Item, like: Item | None = None) -> Tensor:
    if like is not None:
        return tensor(x).to(tensor(like).dtype)
    if at.get("to") not in DTYPES:
        raise ExportError(f"it converts to ONNX's type {at.get('to')}, which is not a type that policies compute in")
    return tensor(x).to(DTYPES[at.get("to")])


# Activations with settings


@node("Elu")
def elu(at: At, x: Item) -> Tensor:
    return F.elu(tensor(x), at.get("alpha", 1.0))


@node("Celu")
def celu(at: At, x: Item) -> Tensor:
    return F.celu(tensor(x), at.get("alpha", 1.0))


@node("Selu")
def selu(at: At, x: Item) -> Tensor:
    alpha, gamma = at.get("alpha", 1.6732632), at.get("gamma", 1.0507010)
    if abs(alpha - 1.6732632) < 1e-6 and abs(gamma - 1.0507010) < 1e-6:
        return F.selu(tensor(x))
    return gamma * F.elu(tensor(x), alpha)


@node("LeakyRelu")
def leaky_relu(at: At, x: Item) -> Tensor:
    return F.leaky_relu(tensor(x), at.get("alpha", 0.01))


@node("PRelu")
def prelu(at: At, x: Item, slope: Item) -> Tensor:
    x = tensor(x)
    return torch.where(x < 0, x * tensor(slope), x)


@node("ThresholdedRelu")
def thresholded(at: At, x: Item) -> Tensor:
    return F.threshold(tensor(x), at.get("alpha", 1.0), 0.0)


@node("HardSigmoid")
def hard_sigmoid(at: At, x: Item) -> Tensor:
    return (tensor(x) * at.get("alpha", 0.2) + at.get("beta", 0.5)).clamp(0.0, 1.0)


@node("Gelu")
def gelu(at: At, x: Item) -> Tensor:
    return F.gelu(tensor(x), approximate=at.get("approximate", "none"))


@node("Swish")
def swish(at: At, x: Item) -> Tensor:
    x = tensor(x)
    return x * torch.sigmoid(x * at.get("alpha", 1.0))


@node("Shrink")
def shrink(at: At, x: Item) -> Tensor:
    x, edge, bias = tensor(x), at.get("lambd", 0.5), at.get("bias", 0.0)
    return torch.where(x < -edge, x + bias, torch.where(x > edge, x - bias, 0.0))


@node("Dropout")
def dropout(at: At, x: Item, ratio: Item | None = None, training: Item | None = None) -> Any:
    if training is not None and number(training) is not False:
        raise ExportError("it drops out at random: export the model in evaluation mode")
    x = tensor(x)
    return (x, torch.ones_like(x, dtype=torch.bool)) if at.outputs > 1 else x


# The same of sizes


def each(function: Callable, count: int) -> Callable:
    """Applies a function of Python's numbers to every element."""
    lifted = np.frompyfunc(function, count, 1)
    return lambda at, *arrays: known(np.asarray(lifted(*(item.astype(object) for item in arrays)), object))


def _quotient(a: Any, b: Any) -> Any:
    """Whole numbers are divided toward zero, as ONNX has it; the number of agents is none below zero."""
    if isinstance(a, float) or isinstance(b, float):
        return a / b
    if isinstance(a, int) and isinstance(b, int) and (a < 0) != (b < 0):
        return -(abs(a) // abs(b))
    return a // b


for _name, _function in {
    "Add": lambda a, b: a + b,
    "Sub": lambda a, b: a - b,
    "Mul": lambda a, b: a * b,
    "Div": _quotient,
    "Mod": lambda a, b: a % b,
    "Pow": lambda a, b: a**b,
}.items():
    sizes(_name, each(_function, 2))
for _name, _function in {
    "Abs": abs,
    "Ceil": math.ceil,
    "Floor": math.floor,
    "Identity": lambda a: a,
    "Neg": lambda a: -a,
    "Sqrt": math.sqrt,
}.items():
    sizes(_name, each(_function, 1))
for _name, _function in {"Min": min, "Max": max}.items():
    sizes(_name, lambda at, *items, f=_function: reduce(lambda a, b: each(f, 2)(at, a, b).array, items[1:], items[0]))


def _cast_sizes(at: At, array: np.ndarray) -> Any:
    if array.dtype == object:
        return known(array)
    kind = {torch.float32: np.float32, torch.bool: np.bool_}.get(DTYPES.get(at.get("to"), torch.bool), np.int64)
    return known(array.astype(kind))


sizes("Cast", _cast_sizes)
