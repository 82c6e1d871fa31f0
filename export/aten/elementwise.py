"""Operations on each element: activations, and arithmetic with NumPy's broadcasting."""

from __future__ import annotations

import math
from typing import Any

import torch

from minnow.export.aten.shape import cut
from minnow.export.call import Batched, Call, Const, aten

# torch's name: ours
UNARY = {
    "relu.default": "relu",
    "selu.default": "selu",
    "silu.default": "silu",
    "mish.default": "mish",
    "tanh.default": "tanh",
    "sigmoid.default": "sigmoid",
    "special_expit.default": "sigmoid",
    "hardsigmoid.default": "hardsigmoid",
    "hardswish.default": "hardswish",
    "softsign.default": "softsign",
    "abs.default": "abs",
    "absolute.default": "abs",
    "neg.default": "neg",
    "negative.default": "neg",
    "exp.default": "exp",
    "log.default": "log",
    "sqrt.default": "sqrt",
    "rsqrt.default": "rsqrt",
    "reciprocal.default": "reciprocal",
    "square.default": "square",
}


@aten(*UNARY)
def unary(call: Call) -> Batched:
    return apply(call, UNARY[call.name])


def apply(call: Call, kind: str, **attrs: float) -> Batched:
    """One operation on the only argument."""
    call.float_result()
    ref = call.batch(next(iter(call.bound)))
    return call.result(call.emit(kind, [ref.value], call.shape(ref), **attrs))


@aten("leaky_relu.default")
def leaky_relu(call: Call) -> Batched:
    return apply(call, "leaky_relu", alpha=float(call["negative_slope"]))


@aten("elu.default", "celu.default")
def elu(call: Call) -> Batched:
    alpha = float(call["alpha"])
    if call.name.startswith("celu"):
        if alpha != 1:
            raise call.refuse("CELU is known for alpha = 1 only", "use ELU")
    elif call["scale"] != 1 or call["input_scale"] != 1:
        raise call.refuse("scales other than 1 are not known", "use ELU or SELU as torch.nn has them")
    return apply(call, "elu", alpha=alpha)


@aten("gelu.default")
def gelu(call: Call) -> Batched:
    return apply(call, "gelu_tanh" if call["approximate"] == "tanh" else "gelu")


@aten("softplus.default")
def softplus(call: Call) -> Batched:
    return apply(call, "softplus", beta=float(call["beta"]), threshold=float(call["threshold"]))


@aten("clamp.default", "clip.default", "clamp_min.default", "clamp_max.default", "hardtanh.default", "relu6.default")
def clamp(call: Call) -> Batched:
    if call.name.startswith("relu6"):
        low, high = 0.0, 6.0
    elif call.name.startswith("hardtanh"):
        low, high = call["min_val"], call["max_val"]
    else:
        low, high = call.bound.get("min"), call.bound.get("max")
    low = -math.inf if low is None else float(low)
    high = math.inf if high is None else float(high)
    return apply(call, "clamp", low=min(low, high), high=high)  # torch: where low > high, everything is high


@aten("clamp.Tensor", "clip.Tensor", "clamp_min.Tensor", "clamp_max.Tensor")
def clamp_between(call: Call) -> Batched:
    value = call["self"]
    for bound, kind in (("min", "maximum"), ("max", "minimum")):
        if call.bound.get(bound) is not None:
            value = binary(call, kind, value, call[bound])
    return value


@aten("log_sigmoid.default")
def log_sigmoid(call: Call) -> Batched:
    call.float_result()
    ref = call.batch("self")
    value = call.emit("neg", [ref.value], call.shape(ref))
    value = call.emit("softplus", [value], call.shape(ref), beta=1.0, threshold=20.0)
    return call.result(call.emit("neg", [value], call.shape(ref)))


@aten("glu.default")
def glu(call: Call) -> Batched:
    call.float_result()
    ref = call.batch("self")
    axis = call.axis(ref, call["dim"])
    half = call.shape(ref)[axis] // 2
    gate = call.emit("sigmoid", [cut(call, ref.value, axis, half, 2 * half)], call.layout.one)
    return call.result(call.emit("mul", [cut(call, ref.value, axis, 0, half), gate], call.layout.one))


@aten("prelu.default")
def prelu(call: Call) -> Batched:
    ref, weight = call.batch("self"), call.const("weight")
    if weight.tensor.numel() > 1:
        weight = Const(weight.tensor.reshape(-1, *[1] * (call.rank(ref) - 2)), weight.names)
    shape = call.shape(ref)
    negative = Batched(call.emit("minimum", [ref.value, number(call, 0.0)], shape), ref.axis, ref.fold)
    positive = Batched(call.emit("relu", [ref.value], shape), ref.axis, ref.fold)
    return binary(call, "add", positive, binary(call, "mul", negative, weight))


@aten("add.Tensor", "sub.Tensor", "subtract.Tensor", "rsub.Scalar", "rsub.Tensor", "add.Scalar", "sub.Scalar")
def add(call: Call) -> Batched:
    a, b, alpha = call["self"], call["other"], call.bound.get("alpha", 1)
    if call.name.startswith("rsub"):
        if alpha != 1:
            a = scaled(call, a, alpha)
        a, b = b, a
    elif alpha != 1:
        b = scaled(call, b, alpha)
    return binary(call, "add" if call.name.startswith("add") else "sub", a, b)


def scaled(call: Call, item: Any, alpha: float) -> Any:
    """An operand times a plain number."""
    if not isinstance(item, Batched):
        return Const(item.tensor * alpha, item.names) if isinstance(item, Const) else item * alpha
    ref = call.lowering.float(item)
    value = call.emit("mul", [ref.value, number(call, float(alpha))], call.shape(ref))
    return Batched(value, ref.axis, ref.fold)


BINARY = {
    "mul.Tensor": "mul",
    "mul.Scalar": "mul",
    "multiply.Tensor": "mul",
    "div.Tensor": "div",
    "div.Scalar": "div",
    "divide.Tensor": "div",
    "true_divide.Tensor": "div",
    "minimum.default": "minimum",
    "maximum.default": "maximum",
    "min.other": "minimum",
    "max.other": "maximum",
}


@aten(*BINARY)
def arithmetic(call: Call) -> Batched:
    return binary(call, BINARY[call.name], call["self"], call["other"])


@aten("pow.Tensor_Scalar")
def power(call: Call) -> Batched:
    call.float_result()
    kinds = {2.0: ["square"], 0.5: ["sqrt"], -0.5: ["rsqrt"], -1.0: ["reciprocal"], -2.0: ["square", "reciprocal"]}
    ref, exponent = call.batch("self"), float(call["exponent"])
    shape, value = call.shape(ref), ref.value
    if exponent in kinds:
        for kind in kinds[exponent]:
            value = call.emit(kind, [value], shape)
    elif exponent == 3:
        value = call.emit("mul", [call.emit("square", [value], shape), value], shape)
    elif exponent == 4:
        value = call.emit("square", [call.emit("square", [value], shape)], shape)
    elif exponent != 1:
        raise call.refuse(f"a power of {exponent:g} is not known", "use powers of -2, -1, -0.5, 0.5, 1, 2, 3 or 4")
    return call.result(value)


@aten("addcmul.default")
def addcmul(call: Call) -> Batched:
    product = binary(call, "mul", call["tensor1"], call["tensor2"])
    return binary(call, "add", call["self"], scaled(call, product, call["value"]) if call["value"] != 1 else product)


@aten("lerp.Tensor", "lerp.Scalar")
def lerp(call: Call) -> Batched:
    # torch computes start + weight (end - start), from the other end where the weight is 0.5 or more; both agree
    # to rounding.
    step = binary(call, "mul", call["weight"], binary(call, "sub", call["end"], call["self"]))
    return binary(call, "add", call["self"], step)


def binary(call: Call, kind: str, a: Any, b: Any) -> Batched:
    """One operation on two operands, each an array of either sort or a plain number."""
    call.float_result()
    if not isinstance(a, Batched) and not isinstance(b, Batched):
        tensors = [item.tensor if isinstance(item, Const) else torch.tensor(float(item)) for item in (a, b)]
        function = {"add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div}[kind]
        return Const(function(*tensors), getattr(a, "names", frozenset()) | getattr(b, "names", frozenset()))
    axis = next(item for item in (a, b) if isinstance(item, Batched))
    # The agents' axis counted from the right, where broadcasting aligns.
    right = call.rank(axis) - axis.axis
    values = [operand(call, item, right, axis.fold) for item in (a, b)]
    shapes = [call.lowering.graph.values[value].shape for value in values]
    shape = torch.broadcast_shapes(*shapes)
    rank = len(shape) + (0 if axis.fold else 1)
    return Batched(call.emit(kind, values, shape), rank - right, axis.fold)


def operand(call: Call, item: Any, right: int, fold: int) -> int:
    """An operand as a value, the agents' axis being the one so far from the right."""
    if isinstance(item, Batched):
        if call.rank(item) - item.axis != right or item.fold != fold:
            raise call.mixing()
        return call.lowering.float(item).value
    if not isinstance(item, Const):
        return number(call, float(item))
    tensor = item.tensor
    if tensor.dim() >= right:
        # torch broadcast it over the agents, so its size there is 1.
        tensor = tensor if fold else tensor.squeeze(tensor.dim() - right)
    return call.lowering.constant(Const(tensor, item.names))


def number(call: Call, value: float) -> int:
    """A plain number as a value."""
    return call.lowering.constant(Const(torch.tensor(value)))
