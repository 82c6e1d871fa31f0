"""Operations on each element: activations, and arithmetic with NumPy's broadcasting."""

from __future__ import annotations

import math
from typing import Any

import torch

from minnow.export.aten import whole
from minnow.export.aten.shape import cut, truncated
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
    "sin.default": "sin",
    "cos.default": "cos",
    "floor.default": "floor",
    "round.default": "round",
    "sign.default": "sign",
    "sgn.default": "sign",
    "erf.default": "erf",
    "special_erf.default": "erf",
    "log2.default": "log2",
    "log10.default": "log10",
    "log1p.default": "log1p",
    "special_log1p.default": "log1p",
    "exp2.default": "exp2",
    "special_exp2.default": "exp2",
    "expm1.default": "expm1",
    "special_expm1.default": "expm1",
}
WHOLE = whole.DTYPES


@aten(*UNARY)
def unary(call: Call) -> Batched:
    kind = UNARY[call.name]
    if call.node.meta["val"].dtype in WHOLE:
        if kind in ("floor", "round"):
            return call["self"]
        if kind in ("neg", "abs", "relu", "square", "sign"):
            return of_whole(call, kind, call["self"])
    return apply(call, kind)


def of_whole(call: Call, kind: str, ref: Batched) -> Batched:
    """The same of whole numbers, which may be i32."""
    if kind == "square":
        return binary(call, "mul", ref, ref, *WHOLE)
    if kind == "relu":
        return binary(call, "maximum", ref, 0, *WHOLE)
    if kind == "sign":
        return binary(call, "minimum", binary(call, "maximum", ref, -1, *WHOLE), 1, *WHOLE)
    other = binary(call, "sub", 0, ref, *WHOLE)
    return other if kind == "neg" else binary(call, "maximum", ref, other, *WHOLE)


def apply(call: Call, kind: str, **attrs: Any) -> Batched:
    """One operation on the only argument."""
    call.float_result()
    ref = call.batch(next(iter(call.bound)))
    return call.result(call.emit(kind, [ref.value], call.shape(ref), **attrs))


@aten("leaky_relu.default")
def leaky_relu(call: Call) -> Batched:
    return apply(call, "leaky_relu", alpha=float(call["negative_slope"]))


@aten("rrelu.default")
def rrelu(call: Call) -> Batched:
    if call["training"]:
        raise call.refuse("it draws random slopes in training mode", "call module.eval() before export")
    return apply(call, "leaky_relu", alpha=(call["lower"] + call["upper"]) / 2)


@aten("celu.default")
def celu(call: Call) -> Batched:
    ref, alpha = call.batch("self"), float(call["alpha"])
    if alpha == 1:
        return apply(call, "elu", alpha=1.0)
    shape = call.shape(ref)
    small = call.emit("elu", [call.emit("div", [ref.value, number(call, alpha)], shape)], shape, alpha=1.0)
    return call.result(call.emit("mul", [small, number(call, alpha)], shape))


@aten("elu.default")
def elu(call: Call) -> Batched:
    alpha = float(call["alpha"])
    if call["scale"] != 1 or call["input_scale"] != 1:
        raise call.refuse("scales other than 1 are not supported", "use ELU or SELU as torch.nn has them")
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
    if call.node.meta["val"].dtype in WHOLE:
        value = call["self"]
        for bound, kind in ((low, "maximum"), (high, "minimum")):
            value = value if bound is None else binary(call, kind, value, int(bound), *WHOLE)
        return value
    low = -math.inf if low is None else float(low)
    high = math.inf if high is None else float(high)
    found = apply(call, "clamp", low=min(low, high), high=high)  # torch: where low > high, everything is high
    if math.isfinite(high - low):
        call.lowering.ranges[found.value] = whole.Range(math.floor(min(low, high)), math.ceil(high))
    return found


@aten("clamp.Tensor", "clip.Tensor", "clamp_min.Tensor", "clamp_max.Tensor")
def clamp_between(call: Call) -> Batched:
    value = call["self"]
    for bound, kind in (("min", "maximum"), ("max", "minimum")):
        if call.bound.get(bound) is not None:
            value = binary(call, kind, value, call[bound], *WHOLE)
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
    return binary(call, "add" if call.name.startswith("add") else "sub", a, b, *WHOLE)


def scaled(call: Call, item: Any, alpha: float) -> Any:
    """An operand times a plain number."""
    if not isinstance(item, Batched):
        return Const(item.tensor * alpha, item.names) if isinstance(item, Const) else item * alpha
    return binary(call, "mul", item, alpha, *WHOLE)


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
    "floor_divide.default": "floor_divide",
    "floor_divide.Scalar": "floor_divide",
    "remainder.Tensor": "remainder",
    "remainder.Scalar": "remainder",
    "remainder.Scalar_Tensor": "remainder",
    "fmod.Tensor": "fmod",
    "fmod.Scalar": "fmod",
    "atan2.default": "atan2",
    "arctan2.default": "atan2",
}


@aten(*BINARY)
def arithmetic(call: Call) -> Batched:
    return binary(call, BINARY[call.name], call["self"], call["other"], *WHOLE)


@aten("pow.Tensor_Scalar")
def power(call: Call) -> Batched:
    if call.node.meta["val"].dtype in WHOLE and isinstance(call["exponent"], int) and 1 <= call["exponent"] <= 64:
        value = call["self"]
        for _ in range(call["exponent"] - 1):
            value = binary(call, "mul", value, call["self"], *WHOLE)
        return value
    call.float_result()
    kinds = {2.0: ["square"], 0.5: ["sqrt"], -0.5: ["rsqrt"], -1.0: ["reciprocal"], -2.0: ["square", "reciprocal"]}
    ref, exponent = call.batch("self"), float(call["exponent"])
    shape, value = call.shape(ref), ref.value
    if exponent in kinds:
        for kind in kinds[exponent]:
            value = call.emit(kind, [value], shape)
    elif exponent == 0:
        raise call.refuse("a power of 0 is 1 whatever the array holds", "write that number")
    elif exponent.is_integer() and abs(exponent) <= 64:
        value = repeated(call, value, int(abs(exponent)))
        value = call.emit("reciprocal", [value], shape) if exponent < 0 else value
    else:
        logs = call.emit("mul", [call.emit("log", [value], shape), number(call, exponent)], shape)
        value = call.emit("exp", [logs], shape)
    return call.result(value)


def repeated(call: Call, value: int, times: int) -> int:
    """A value multiplied with itself."""
    if times == 1:
        return value
    shape = call.lowering.graph.values[value].shape
    root = call.emit("square", [repeated(call, value, times // 2)], shape)
    return call.emit("mul", [root, value], shape) if times % 2 else root


@aten("pow.Scalar")
def power_of_number(call: Call) -> Batched:
    base = float(call["self"])
    if base <= 0:
        raise call.refuse(f"powers of {base:g} are not supported", "use a base above 0")
    return chain(call, call.batch("exponent"), ("mul", math.log(base)), "exp")


def chain(call: Call, ref: Batched, *steps: str | tuple[str, float]) -> Batched:
    """Operations one after another: names, or names with a number for the second operand."""
    call.float_result()
    value = ref.value
    for step in steps:
        kind, inputs = (step, [value]) if isinstance(step, str) else (step[0], [value, number(call, step[1])])
        value = call.emit(kind, inputs, call.shape(ref))
    return call.result(value)


CHAINS = {
    "ceil.default": ("neg", "floor", "neg"),
    "atan.default": (("atan2", 1.0),),
    "arctan.default": (("atan2", 1.0),),
    "deg2rad.default": (("mul", math.pi / 180),),
    "rad2deg.default": (("mul", 180 / math.pi),),
}


@aten(*CHAINS)
def chained(call: Call) -> Batched:
    return chain(call, call.batch("self"), *CHAINS[call.name])


@aten("round.decimals")
def round_to(call: Call) -> Batched:
    power = 10.0 ** abs(call["decimals"])
    there, back = ("mul", "div") if call["decimals"] >= 0 else ("div", "mul")
    return chain(call, call.batch("self"), (there, power), "round", (back, power))


@aten("tan.default")
def tan(call: Call) -> Batched:
    call.float_result()
    ref = call.batch("self")
    parts = [call.emit(kind, [ref.value], call.shape(ref)) for kind in ("sin", "cos")]
    return call.result(call.emit("div", parts, call.shape(ref)))


@aten("trunc.default", "fix.default", "frac.default")
def trunc(call: Call) -> Batched:
    call.float_result()
    ref = call.batch("self")
    value = truncated(call, ref.value)
    return call.result(call.emit("sub", [ref.value, value], call.shape(ref)) if "frac" in call.name else value)


@aten("div.Tensor_mode", "div.Scalar_mode", "divide.Tensor_mode", "divide.Scalar_mode")
def divide(call: Call) -> Batched:
    a, b, mode = call["self"], call["other"], call["rounding_mode"]
    if mode == "floor":
        return binary(call, "floor_divide", a, b, *WHOLE)
    if mode == "trunc" and (plan := whole.plan(call, "divide", a, b)):
        if plan.words:
            return binary(call, "divide", a, b, *WHOLE)
        found = binary(call, "div", a, b, *WHOLE)
        found = Batched(truncated(call, found.value), found.axis, found.fold)
        call.lowering.ranges[found.value] = plan.range
        return found
    found = binary(call, "div", a, b, *WHOLE)
    return Batched(truncated(call, found.value), found.axis, found.fold) if mode == "trunc" else found


@aten("asin.default", "arcsin.default", "acos.default", "arccos.default")
def arc(call: Call) -> Batched:
    """The angle of a point on the unit circle; of |x| > 1 a root makes a NaN."""
    call.float_result()
    ref, one = call.batch("self"), number(call, 1.0)
    shape = call.shape(ref)
    parts = [call.emit("sub", [one, ref.value], shape), call.emit("add", [one, ref.value], shape)]
    other = call.emit("sqrt", [call.emit("mul", parts, shape)], shape)
    point = [ref.value, other] if "sin" in call.name else [other, ref.value]
    return call.result(call.emit("atan2", point, shape))


@aten("sinh.default", "cosh.default")
def hyperbolic(call: Call) -> Batched:
    """With p = e^|x/2| - 1, s = (p + p / (p + 1)) / 2 is the sine of half the argument, and no digit is lost near 0:
    2 s (p + 1 - s) is that of the whole one, 1 + 2 s^2 the cosine."""
    call.float_result()
    ref = call.batch("self")
    shape = call.shape(ref)

    def emit(kind: str, *inputs: int | float, **attrs: Any) -> int:
        values = [item if isinstance(item, int) else number(call, item) for item in inputs]
        return call.emit(kind, values, shape, **attrs)

    half = emit("clamp", emit("mul", emit("abs", ref.value), 0.5), low=0.0, high=60.0)  # beyond it all is infinite
    power = emit("expm1", half)
    more = emit("add", power, 1.0)
    sine = emit("mul", emit("add", power, emit("div", power, more)), 0.5)
    if "cos" in call.name:
        return call.result(emit("add", emit("mul", emit("mul", sine, 2.0), sine), 1.0))
    whole = emit("mul", emit("mul", sine, 2.0), emit("sub", more, sine))
    return call.result(emit("mul", whole, emit("sign", ref.value)))


@aten(*(f"{arc}{name}.default" for arc in ("a", "arc") for name in ("sinh", "cosh", "tanh")))
def inverse_hyperbolic(call: Call) -> Batched:
    """By log1p, so that no digit is lost near 0, or, of acosh, near 1."""
    call.float_result()
    ref = call.batch("self")
    shape = call.shape(ref)

    def emit(kind: str, *inputs: int | float, **attrs: Any) -> int:
        values = [item if isinstance(item, int) else number(call, item) for item in inputs]
        return call.emit(kind, values, shape, **attrs)

    one = number(call, 1.0)
    if "tanh" in call.name:
        size, sign = emit("abs", ref.value), emit("sign", ref.value)
        ratio = emit("div", emit("add", size, size), emit("sub", one, size))
        return call.result(emit("mul", emit("mul", emit("log1p", ratio), 0.5), sign))
    # ln(1 + a + b) = ln(1 + a) + ln(1 + b / (1 + a)), so that no sum overflows, and b / (1 + a) of no more than 1e9.
    if "cosh" in call.name:
        small = emit("minimum", ref.value, 1e9)
        roots = [emit("sqrt", emit(kind, small, one)) for kind in ("sub", "add")]
        parts = [emit("sub", ref.value, one), emit("div", emit("mul", *roots), small)]
        return call.result(emit("add", *(emit("log1p", part) for part in parts)))
    size, sign = emit("abs", ref.value), emit("sign", ref.value)
    small = emit("minimum", size, 1e9)
    root = emit("sqrt", emit("add", emit("square", small), one))
    more = emit("mul", emit("div", small, emit("add", root, one)), emit("div", small, emit("add", small, one)))
    return call.result(emit("mul", emit("add", emit("log1p", size), emit("log1p", more)), sign))


@aten("logaddexp.default")
def logaddexp(call: Call) -> Batched:
    a, b = call["self"], call["other"]
    top, apart = binary(call, "maximum", a, b), binary(call, "sub", a, b)
    shape = call.shape(apart)
    value = call.emit("neg", [call.emit("abs", [known(call, apart.value)], shape)], shape)
    value = call.emit("softplus", [value], shape, beta=1.0, threshold=20.0)
    return binary(call, "add", top, Batched(value, apart.axis, apart.fold))


def known(call: Call, value: int) -> int:
    """A difference, 0 where it is that of equal infinities."""
    shape = call.lowering.graph.values[value].shape
    return call.emit("keep", [value, call.emit("eq", [value, value], shape)], shape)


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


def binary(call: Call, kind: str, a: Any, b: Any, *also: torch.dtype) -> Any:
    """One operation on two operands, each an array of either sort or a plain number: Batched, or Const where neither
    differs between agents. also: kinds of whole numbers that the result may be."""
    call.float_result(*also)
    if not isinstance(a, Batched) and not isinstance(b, Batched):
        tensors = [item.tensor if isinstance(item, Const) else torch.tensor(float(item)) for item in (a, b)]
        function = {"add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div}[kind]
        return Const(function(*tensors), getattr(a, "names", frozenset()) | getattr(b, "names", frozenset()))
    return paired(call, kind, a, b, whole.plan(call, kind, a, b))


def paired(call: Call, kind: str, a: Any, b: Any, plan: whole.Plan | None) -> Batched:
    """The same of operands of which at least one differs between agents, as whole numbers where there is a plan."""
    axis = next(item for item in (a, b) if isinstance(item, Batched))
    # The agents' axis counted from the right, where broadcasting aligns.
    right = call.rank(axis) - axis.axis
    words = plan is not None and plan.words
    values = first, second = [operand(call, item, right, axis.fold, words) for item in (a, b)]
    shapes = [call.lowering.graph.values[value].shape for value in values]
    shape = torch.broadcast_shapes(*shapes)
    rank = len(shape) + (0 if axis.fold else 1)
    if plan is not None and words:
        value = whole.integer(call, kind, first, second, shape, plan.wide)
        value = call.emit("cast", [value], shape) if kind in whole.COMPARISONS else value
    else:
        value = call.emit(kind, values, shape)
    if plan is not None:
        call.lowering.ranges[value] = plan.range
    return Batched(value, rank - right, axis.fold)


def operand(call: Call, item: Any, right: int, fold: int, words: bool = False) -> int:
    """An operand as a value, f32 or i32, the agents' axis being the one so far from the right."""
    if isinstance(item, Batched):
        if call.rank(item) - item.axis != right or item.fold != fold:
            raise call.mixing()
        exact = call.node.meta["val"].dtype in WHOLE
        return whole.word(call, item) if words else (call.exactly if exact else call.lowering.float)(item).value
    if not isinstance(item, Const):
        return whole.constant(call, Const(torch.tensor(item))) if words else number(call, float(item))
    tensor = item.tensor
    if tensor.dim() >= right:
        # torch broadcast it over the agents, so its size there is 1.
        tensor = tensor if fold else tensor.squeeze(tensor.dim() - right)
    return (
        whole.constant(call, Const(tensor, item.names)) if words else call.lowering.constant(Const(tensor, item.names))
    )


def number(call: Call, value: float) -> int:
    """A plain number as a value."""
    return call.lowering.constant(Const(torch.tensor(value)))
