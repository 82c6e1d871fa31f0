"""The operations of a policy: their numbers in the file, what they take, and the shapes they give.

`cinfer/minnow.h` holds the same list in C (a test compares the two). docs/format.md says what each computes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Shape = tuple[int, ...]
Attrs = Mapping[str, Any]  # integers, floats, lists of integers: see `Kind.attrs`
MAX_RANK = 6
MAX_ELEMENTS = 1 << 28  # of one value or tensor


@dataclass(frozen=True)
class Kind:
    """One sort of operation. Inputs are values; tensors are stored arrays, those named `name?` may be absent (-1).

    attrs: names in the order of the file; a name ending in "*" is a list of integers and comes last. Attributes are
    32-bit floats if their name is in FLOATS, 32-bit integers otherwise."""

    name: str
    code: int
    inputs: int  # -1: one or more
    outputs: int
    tensors: tuple[str, ...] = ()
    attrs: tuple[str, ...] = ()


FLOATS = {"alpha", "beta", "threshold", "low", "high", "eps"}
UNARY = (
    # Activations, then arithmetic; (name, code, attributes)
    ("relu", 64, ()),
    ("leaky_relu", 65, ("alpha",)),
    ("elu", 66, ("alpha",)),
    ("selu", 67, ()),
    ("gelu", 68, ()),
    ("gelu_tanh", 69, ()),
    ("silu", 70, ()),
    ("mish", 71, ()),
    ("softplus", 72, ("beta", "threshold")),
    ("softsign", 73, ()),
    ("tanh", 74, ()),
    ("sigmoid", 75, ()),
    ("hardsigmoid", 76, ()),
    ("hardswish", 77, ()),
    ("clamp", 78, ("low", "high")),
    ("abs", 96, ()),
    ("neg", 97, ()),
    ("exp", 98, ()),
    ("log", 99, ()),
    ("sqrt", 100, ()),
    ("rsqrt", 101, ()),
    ("reciprocal", 102, ()),
    ("square", 103, ()),
    ("sin", 104, ()),
    ("cos", 105, ()),
    ("floor", 106, ()),
    ("round", 107, ()),
    ("sign", 108, ()),
    ("erf", 109, ()),
    ("log2", 110, ()),
    ("log10", 111, ()),
    ("log1p", 112, ()),
    ("exp2", 113, ()),
    ("expm1", 114, ()),
)
BINARY = (
    ("add", 128),
    ("sub", 129),
    ("mul", 130),
    ("div", 131),
    ("minimum", 132),
    ("maximum", 133),
    ("eq", 134),
    ("lt", 135),
    ("le", 136),
    ("keep", 137),
    ("fmod", 139),
    ("remainder", 140),
    ("floor_divide", 141),
    ("atan2", 142),
)
REDUCTIONS = (("sum", 146), ("mean", 147), ("max", 148), ("min", 149), ("prod", 150))
POOLS = ("max", "mean", "mean_inside")  # the modes of `pool`, by number
# What `integer` does, by number: arithmetic, the quotients and remainders rounded down and towards 0, the extremes, the
# comparisons, and the operations on bits.
INTEGER = ("add", "sub", "mul", "floor_divide", "remainder", "divide", "fmod", "minimum", "maximum", "eq", "lt", "le")
INTEGER += ("and", "or", "xor")
MOVES = ("concat", "slice", "reshape", "permute", "gather", "scatter")  # they move whole numbers too

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("constant", 1, 0, 1, ("value",)),
        Kind("cast", 2, 1, 1),
        Kind("whole", 3, 1, 1),
        Kind("linear", 16, 1, 1, ("weight", "bias?")),
        Kind("conv", 17, 1, 1, ("weight", "bias?"), ("groups", "window*")),
        Kind("matmul", 18, 2, 1, (), ("turned",)),
        Kind("embedding", 19, 1, 1, ("weight",)),
        Kind("lstm", 32, 3, 2, ("w_ih", "w_hh", "b_ih?", "b_hh?")),
        Kind("mingru", 33, 2, 1, ("weight", "bias?")),
        Kind("gru", 34, 2, 1, ("w_ih", "w_hh", "b_ih?", "b_hh?")),
        Kind("rnn", 35, 2, 1, ("w_ih", "w_hh", "b_ih?", "b_hh?"), ("relu",)),
        Kind("pool", 48, 1, 1, (), ("mode", "window*")),
        *(Kind(name, code, 1, 1, (), attrs) for name, code, attrs in UNARY),
        *(Kind(name, code, 2, 1) for name, code in BINARY),
        Kind("mix", 138, 3, 1),
        Kind("integer", 143, 2, 1, (), ("way", "wide")),
        Kind("softmax", 144, 1, 1),
        Kind("log_softmax", 145, 1, 1),
        *(Kind(name, code, 1, 1, (), ("axes*",)) for name, code in REDUCTIONS),
        Kind("layer_norm", 160, 1, 1, ("weight?", "bias?"), ("eps",)),
        Kind("rms_norm", 161, 1, 1, ("weight?",), ("eps",)),
        Kind("concat", 176, -1, 1, (), ("axis",)),
        Kind("slice", 177, 1, 1, (), ("axis", "start", "step")),
        Kind("reshape", 178, 1, 1),
        Kind("permute", 179, 1, 1, (), ("axes*",)),
        Kind("gather", 180, 2, 1, (), ("axis",)),
        Kind("scatter", 181, 3, 1, (), ("axis", "added")),
        Kind("sort", 182, 1, 2, (), ("axis", "falling")),
    )
}
BY_CODE = {kind.code: kind for kind in KINDS.values()}


@dataclass(frozen=True)
class Given:
    """What an operation is applied to; `outputs` are the shapes it is said to give. tensors: shapes, None only where a
    tensor may be absent."""

    inputs: list[Any]
    tensors: list[Any]
    attrs: Attrs
    outputs: list[Shape] = field(default_factory=list)


def infer(
    kind: str,
    shapes: Sequence[Shape],
    attrs: Attrs | None = None,
    tensors: Sequence[Shape | None] = (),
    outputs: Sequence[Shape] = (),
) -> list[Shape]:
    """The shapes (per agent) that an operation gives. Raises ValueError with a sentence where it cannot be applied.

    tensors: shapes of its stored arrays, None where one is absent. outputs: the shapes it is said to give; the result
    of `reshape` and the length that `slice` takes are stated there and nowhere else."""
    if kind not in KINDS:
        raise ValueError(f"there is no operation {kind!r}")
    rule, attrs = KINDS[kind], dict(attrs or {})
    count = len(shapes)
    if (rule.inputs >= 0 and count != rule.inputs) or (rule.inputs < 0 and count < 1):
        wanted = rule.inputs if rule.inputs >= 0 else "one or more"
        raise ValueError(f"{kind} takes {wanted} inputs, not {count}")
    given = [*tensors, *[None] * (len(rule.tensors) - len(tensors))]
    for name, shape in zip(rule.tensors, given, strict=False):
        if shape is None and not name.endswith("?"):
            raise ValueError(f"{kind} needs the tensor {name}")
    if len(given) > len(rule.tensors):
        raise ValueError(f"{kind} takes {len(rule.tensors)} tensors, not {len(given)}")
    names = [name.rstrip("*") for name in rule.attrs]
    if sorted(attrs) != sorted(names):
        raise ValueError(f"{kind} takes the attributes {names}, not {sorted(attrs)}")
    item = Given([tuple(s) for s in shapes], [None if s is None else tuple(s) for s in given], attrs, [*outputs])
    results = _RULES.get(kind, _same)(item)
    for shape in results:
        check_shape(shape)
    return results


def dtype_of(kind: str, dtypes: Sequence[str], attrs: Attrs | None = None) -> str:
    """The dtype of what an operation gives. Raises ValueError where it does not take inputs of these dtypes."""
    given = "i32" if kind == "integer" else "f32"
    if kind in MOVES and not (kind == "scatter" and (attrs or {}).get("added")) and dtypes[:1] == ["i32"]:
        given = "i32"
    for i, dtype in enumerate(dtypes):
        index = i == 1 and kind in ("gather", "scatter")
        if dtype == "f32" if kind == "cast" else dtype != ("f32" if index else given):
            raise ValueError(f"{kind} cannot take a value of dtype {dtype}")
    return "i32" if kind == "whole" else given


def check_shape(shape: Shape) -> None:
    """Raises ValueError for a shape that the file cannot hold."""
    if len(shape) > MAX_RANK:
        raise ValueError(f"the shape {shape} has more than {MAX_RANK} axes")
    if any(n < 1 for n in shape) or math.prod(shape) > MAX_ELEMENTS:
        raise ValueError(f"the shape {shape} does not have 1 to {MAX_ELEMENTS} elements")


def _need(condition: bool, sentence: str) -> None:
    if not condition:
        raise ValueError(sentence)


def _same(item: Given) -> list[Shape]:
    return [item.inputs[0]]


def _constant(item: Given) -> list[Shape]:
    return [item.tensors[0]]


def _linear(item: Given) -> list[Shape]:
    (x,), (weight, bias) = item.inputs, item.tensors
    _need(len(x) >= 1 and len(weight) == 2 and x[-1] == weight[1], f"linear: weight {weight} does not fit input {x}")
    _need(bias is None or bias == weight[:1], f"linear: bias {bias} does not fit weight {weight}")
    return [(*x[:-1], weight[0])]


def _lstm(item: Given) -> list[Shape]:
    (x, h, c), (w_ih, w_hh, *biases) = item.inputs, item.tensors
    _need(len(x) == 1 and len(h) == 1 and h == c, f"lstm: input {x}, h {h} and c {c} must have one axis, h as c")
    rows = 4 * h[0]
    _need(w_ih == (rows, x[0]), f"lstm: w_ih is {w_ih}, expected {(rows, x[0])}")
    _need(w_hh == (rows, h[0]), f"lstm: w_hh is {w_hh}, expected {(rows, h[0])}")
    _need(all(bias in (None, (rows,)) for bias in biases), f"lstm: a bias is {biases}, expected {(rows,)}")
    return [h, c]


def _gru(item: Given) -> list[Shape]:
    return _cell(item, "gru", 3)


def _rnn(item: Given) -> list[Shape]:
    _need(item.attrs["relu"] in (0, 1), f"rnn: relu is {item.attrs['relu']}, expected 0 or 1")
    return _cell(item, "rnn", 1)


def _cell(item: Given, kind: str, gates: int) -> list[Shape]:
    (x, h), (w_ih, w_hh, *biases) = item.inputs, item.tensors
    _need(len(x) == 1 and len(h) == 1, f"{kind}: input {x} and h {h} must have one axis")
    rows = gates * h[0]
    _need(w_ih == (rows, x[0]), f"{kind}: w_ih is {w_ih}, expected {(rows, x[0])}")
    _need(w_hh == (rows, h[0]), f"{kind}: w_hh is {w_hh}, expected {(rows, h[0])}")
    _need(all(bias in (None, (rows,)) for bias in biases), f"{kind}: a bias is {biases}, expected {(rows,)}")
    return [h]


def _windows(item: Given, kind: str, sorts: int) -> tuple[int, list[list[int]]]:
    """Along how many axes windows move, and the attributes of each sort, one number an axis."""
    x, window = item.inputs[0], list(item.attrs["window"])
    axes = len(window) // sorts
    _need(1 <= axes <= 3 and len(window) == sorts * axes, f"{kind}: window {window} is not {sorts} numbers an axis")
    _need(len(x) == axes + 1, f"{kind}: input {x} must have channels and {axes} axes")
    parts = [window[i * axes : (i + 1) * axes] for i in range(sorts)]
    _need(
        all(int(i != sorts - 2) <= n < 2**31 for i, part in enumerate(parts) for n in part),  # paddings may be 0
        f"{kind}: window {window} has a number out of its range",
    )
    return axes, parts


def _conv(item: Given) -> list[Shape]:
    (x,), (weight, bias), groups = item.inputs, item.tensors, item.attrs["groups"]
    axes, (stride, padding, dilation) = _windows(item, "conv", 3)
    _need(len(weight) == axes + 2, f"conv: weight {weight} must have {axes + 2} axes")
    fits = groups >= 1 and weight[0] % groups == 0 and weight[1] * groups == x[0]
    _need(fits, f"conv: weight {weight} in {groups} groups does not fit input {x}")
    _need(bias in (None, weight[:1]), f"conv: bias {bias} does not fit weight {weight}")
    out = [weight[0]]
    for i in range(axes):
        left = x[1 + i] + 2 * padding[i] - dilation[i] * (weight[2 + i] - 1) - 1
        _need(left >= 0, f"conv: the kernel {weight} is wider than the padded input {x}")
        out.append(left // stride[i] + 1)
    return [tuple(out)]


def _pool(item: Given) -> list[Shape]:
    (x,) = item.inputs
    _need(0 <= item.attrs["mode"] < len(POOLS), f"pool: mode {item.attrs['mode']} is unknown")
    axes, (size, stride, padding, _) = _windows(item, "pool", 4)
    _need(len(item.outputs) == 1, "pool: the shape of its output must be stated")
    out = tuple(item.outputs[0])
    _need(len(out) == axes + 1 and out[0] == x[0], f"pool: {out} is not a pool of {x}")
    for i in range(axes):
        inside = padding[i] <= size[i] // 2 and (out[1 + i] - 1) * stride[i] < x[1 + i] + padding[i]
        _need(inside, f"pool: windows {item.attrs['window']} of {out} lie outside {x}")
    return [out]


def _matmul(item: Given) -> list[Shape]:
    (a, b), turned = item.inputs, item.attrs["turned"]
    _need(turned in (0, 1), f"matmul: turned is {turned}, expected 0 or 1")
    _need(len(a) >= 2 and len(b) >= 2, f"matmul: {a} and {b} must have two axes or more")
    _need(a[-1] == b[-1 if turned else -2], f"matmul: {a} and {b} do not fit each other")
    ahead = _binary(Given([a[:-2], b[:-2]], [], {}))[0]
    return [(*ahead, a[-2], b[-2 if turned else -1])]


def _embedding(item: Given) -> list[Shape]:
    (x,), (weight,) = item.inputs, item.tensors
    _need(len(weight) == 2, f"embedding: weight {weight} must have two axes")
    return [(*x, weight[1])]


def _mingru(item: Given) -> list[Shape]:
    (x, h), (weight, bias) = item.inputs, item.tensors
    _need(len(x) == 1 and len(h) == 1, f"mingru: input {x} and h {h} must have one axis")
    _need(weight == (2 * h[0], x[0]), f"mingru: weight is {weight}, expected {(2 * h[0], x[0])}")
    _need(bias in (None, (2 * h[0],)), f"mingru: bias is {bias}, expected {(2 * h[0],)}")
    return [h]


def _binary(item: Given) -> list[Shape]:
    a, b = item.inputs
    rank = max(len(a), len(b))
    wide = [(1,) * (rank - len(s)) + s for s in (a, b)]
    _need(all(m == n or m == 1 or n == 1 for m, n in zip(*wide, strict=True)), f"shapes {a} and {b} do not broadcast")
    return [tuple(max(m, n) for m, n in zip(*wide, strict=True))]


def _mix(item: Given) -> list[Shape]:
    _need(len(set(item.inputs)) == 1, f"mix: shapes {item.inputs} differ")
    return _same(item)


def _last(item: Given) -> list[Shape]:
    _need(len(item.inputs[0]) >= 1, "softmax needs an axis")
    return _same(item)


def _reduce(item: Given) -> list[Shape]:
    (x,), axes = item.inputs, list(item.attrs["axes"])
    _need(axes == sorted(set(axes)) and len(axes) > 0, f"axes {axes} must be rising and at least one")
    _need(axes[0] >= 0 and axes[-1] < len(x), f"axes {axes} are not all axes of {x}")
    return [tuple(n for i, n in enumerate(x) if i not in axes)]


def _norm(item: Given) -> list[Shape]:
    x = item.inputs[0]
    _need(len(x) >= 1, "a norm needs an axis")
    for shape in item.tensors:
        _need(shape in (None, x[-1:]), f"norm: weight or bias is {shape}, expected {x[-1:]}")
    _need(item.attrs["eps"] >= 0, f"norm: eps is {item.attrs['eps']}, expected 0 or more")
    return [x]


def _concat(item: Given) -> list[Shape]:
    first, axis = item.inputs[0], item.attrs["axis"]
    _need(0 <= axis < len(first), f"concat: {axis} is not an axis of {first}")
    rest = {(*s[:axis], *s[axis + 1 :]) for s in item.inputs if len(s) == len(first)}
    _need(
        len(rest) == 1 and all(len(s) == len(first) for s in item.inputs), f"concat: shapes {item.inputs} do not join"
    )
    return [(*first[:axis], sum(s[axis] for s in item.inputs), *first[axis + 1 :])]


def _slice(item: Given) -> list[Shape]:
    (x,), axis, start, step = item.inputs, *(item.attrs[name] for name in ("axis", "start", "step"))
    _need(0 <= axis < len(x), f"slice: {axis} is not an axis of {x}")
    _need(len(item.outputs) == 1, "slice: the shape of its output must be stated")
    out = tuple(item.outputs[0])
    _need((*out[:axis], *out[axis + 1 :]) == (*x[:axis], *x[axis + 1 :]), f"slice: {out} is not a part of {x}")
    last = start + (out[axis] - 1) * step
    _need(step >= 1 and start >= 0 and last < x[axis], f"slice: {start} to {last} by {step} is outside {x[axis]}")
    return [out]


def _reshape(item: Given) -> list[Shape]:
    _need(len(item.outputs) == 1, "reshape: the shape of its output must be stated")
    (x,), (out,) = item.inputs, item.outputs
    _need(math.prod(x) == math.prod(out), f"reshape: {x} and {out} differ in the number of elements")
    return [tuple(out)]


def _permute(item: Given) -> list[Shape]:
    (x,), axes = item.inputs, list(item.attrs["axes"])
    _need(sorted(axes) == list(range(len(x))), f"permute: {axes} does not name each axis of {x} once")
    return [tuple(x[axis] for axis in axes)]


def _axis(item: Given, kind: str) -> int:
    axis = item.attrs["axis"]
    _need(0 <= axis < len(item.inputs[0]), f"{kind}: {axis} is not an axis of {item.inputs[0]}")
    return axis


def _but(shape: Shape, axis: int) -> Shape:
    return (*shape[:axis], *shape[axis + 1 :])


def _gather(item: Given) -> list[Shape]:
    (x, index), axis = item.inputs, _axis(item, "gather")
    _need(len(x) == len(index) and _but(x, axis) == _but(index, axis), f"gather: {index} is not an index into {x}")
    return [index]


def _scatter(item: Given) -> list[Shape]:
    (x, index, values), axis = item.inputs, _axis(item, "scatter")
    _need(item.attrs["added"] in (0, 1), f"scatter: added is {item.attrs['added']}, expected 0 or 1")
    _need(len(x) == len(index) and _but(x, axis) == _but(index, axis), f"scatter: {index} is not an index into {x}")
    _need(values == index, f"scatter: the values {values} are not as many as the places {index}")
    return [x]


def _sort(item: Given) -> list[Shape]:
    (x,), axis = item.inputs, _axis(item, "sort")
    _need(item.attrs["falling"] in (0, 1), f"sort: falling is {item.attrs['falling']}, expected 0 or 1")
    _need(len(item.outputs) == 2, "sort: the shapes of its outputs must be stated")
    out = tuple(item.outputs[0])
    fits = len(out) == len(x) and _but(out, axis) == _but(x, axis) and out[axis] <= x[axis]
    _need(fits and tuple(item.outputs[1]) == out, f"sort: {item.outputs} are not parts of {x}")
    return [out, out]


def _integer(item: Given) -> list[Shape]:
    _need(0 <= item.attrs["way"] < len(INTEGER), f"integer: way {item.attrs['way']} is unknown")
    _need(item.attrs["wide"] in (0, 1), f"integer: wide is {item.attrs['wide']}, expected 0 or 1")
    return _binary(item)


_RULES: dict[str, Callable[[Given], list[Shape]]] = {
    "constant": _constant,
    "linear": _linear,
    "conv": _conv,
    "matmul": _matmul,
    "embedding": _embedding,
    "gru": _gru,
    "rnn": _rnn,
    "pool": _pool,
    "lstm": _lstm,
    "mingru": _mingru,
    **{name: _binary for name, _ in BINARY},
    "mix": _mix,
    "softmax": _last,
    "log_softmax": _last,
    **{name: _reduce for name, _ in REDUCTIONS},
    "layer_norm": _norm,
    "rms_norm": _norm,
    "concat": _concat,
    "slice": _slice,
    "reshape": _reshape,
    "permute": _permute,
    "gather": _gather,
    "scatter": _scatter,
    "sort": _sort,
    "integer": _integer,
}
