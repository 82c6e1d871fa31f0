"""Products: with a constant matrix, of two values, and what is made of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from minnow.export.aten.elementwise import binary, scaled
from minnow.export.aten.reduce import reduce
from minnow.export.aten.shape import to_shape
from minnow.export.call import Batched, Call, Const, aten


@aten("linear.default")
def linear(call: Call) -> Batched:
    call.float_result()
    return call.result(product(call, call.batch("input"), call.const("weight"), call["bias"]))


@aten("addmm.default")
def addmm(call: Call) -> Batched:
    call.float_result()
    weight, bias = transposed(call.const("mat2")), call["self"]
    if call["alpha"] != 1:
        weight = Const(weight.tensor * call["alpha"], weight.names)
    bias = scaled(call, bias, call["beta"]) if call["beta"] != 1 else bias
    if isinstance(bias, Const) and bias.tensor.dim() == 1 and len(bias.tensor) == len(weight.tensor):
        return call.result(product(call, call.batch("mat1"), weight, bias))
    return binary(call, "add", call.result(product(call, call.batch("mat1"), weight, None)), bias)


@aten("mm.default", "matmul.default", "mv.default", "bmm.default", "dot.default", "vdot.default")
def matmul(call: Call) -> Batched:
    call.float_result()
    left, right = (call[argument.name] for argument in call.target._schema.arguments[:2])
    if isinstance(left, Batched) and isinstance(right, Const) and right.tensor.dim() <= 2:
        weight = Const(right.tensor.unsqueeze(0), right.names) if right.tensor.dim() == 1 else transposed(right)
        value = product(call, call.lowering.float(left), weight, None)
        return call.result(to_shape(call, value, call.layout.one))
    return multiply(call, left, right)


@aten("baddbmm.default", "addbmm.default")
def baddbmm(call: Call) -> Batched:
    if call.name.startswith("addbmm"):
        raise call.mixing()
    call.float_result()
    found = scaled(call, multiply(call, call["batch1"], call["batch2"]), call["alpha"])
    return binary(call, "add", scaled(call, call["self"], call["beta"]), found) if call["beta"] else found


def product(call: Call, ref: Batched, weight: Const, bias: Const | None) -> int:
    """x W^T + b over the last axis. weight: [out, in], bias: [out]."""
    call.axis(ref, -1)  # refuses the agents'
    if bias is not None and not isinstance(bias, Const):
        raise call.refuse("its bias depends on the observation or state", "add it in a line of its own")
    tensors = [call.lowering.tensor(weight), -1 if bias is None else call.lowering.tensor(bias)]
    return call.emit("linear", [ref.value], (*call.shape(ref)[:-1], weight.tensor.shape[0]), tensors)


def transposed(weight: Const) -> Const:
    return Const(weight.tensor.t(), weight.names)


def multiply(call: Call, left: Any, right: Any, turned: bool = False) -> Batched:
    """torch.matmul of two arrays, either of which may be constant; with `turned`, of left with right.mT."""
    value, shape = times(call, whole(call, left, 0), whole(call, right, 1), turned)
    ranks = [item.tensor.dim() if isinstance(item, Const) else call.rank(item) for item in (left, right)]
    if ranks[0] == 1:
        shape = (*shape[:-2], shape[-1])
    if ranks[1] == 1:
        shape = shape[:-1]
    # The agents' axis: one in front, or the row of the left or the column of the right.
    ends = set()
    for item, free, after, gone in ((left, -2, -2, ranks[1] == 1), (right, -2 if turned else -1, -1, ranks[0] == 1)):
        if isinstance(item, Batched):
            place = item.axis - call.rank(item)
            if place >= -2 and place != free:
                raise call.mixing()
            place = after if place == free else place
            ends.add((place + (gone and place < -1), item.fold))
    if len(ends) != 1:
        raise call.mixing()
    place, fold = ends.pop()
    axis = len(shape) + place
    one = shape if fold else shape[:axis] + shape[axis + 1 :]
    return Batched(to_shape(call, value, one), axis, fold)


def whole(call: Call, item: Any, axis: int) -> int:
    """An operand of matmul with torch's axes, the agents' of size 1. axis: where a vector gets one more."""
    if isinstance(item, Const):
        tensor = item.tensor.unsqueeze(axis) if item.tensor.dim() == 1 else item.tensor
        return call.lowering.constant(Const(tensor, item.names))
    ref = call.lowering.float(item)
    shape = call.shape(ref)
    return to_shape(call, ref.value, shape if ref.fold else (*shape[: ref.axis], 1, *shape[ref.axis :]))


def times(call: Call, a: int, b: int, turned: bool) -> tuple[int, tuple[int, ...]]:
    """Two values of at least two axes multiplied; the value and its shape."""
    values = call.lowering.graph.values
    left, right = values[a].shape, values[b].shape
    ahead = torch.broadcast_shapes(left[:-2], right[:-2])
    shape = (*ahead, left[-2], right[-2 if turned else -1])
    return call.emit("matmul", [a, b], shape, turned=int(turned)), shape


# Attention


@aten("scaled_dot_product_attention.default")
def attention(call: Call) -> Batched:
    """softmax(q kT / sqrt(d) + mask) v. A row that the mask hides wholly gives zeros, as torch has it."""
    call.float_result()
    query, key, value = (call.batch(name) for name in ("query", "key", "value"))
    if call["dropout_p"] > 0:
        raise call.refuse("dropout in training mode draws random numbers", "pass dropout_p=0.0 when evaluating")
    if call.bound.get("enable_gqa"):
        raise call.refuse("heads that share keys are not supported", "repeat keys and values before it")
    scale = call.bound.get("scale")
    scale = 1 / math.sqrt(call.shape(query)[-1]) if scale is None else scale
    scores = multiply(call, scaled(call, query, scale), key, turned=True)
    shape = call.shape(scores)
    mask = call["attn_mask"]
    if call["is_causal"]:
        mask = Const(torch.ones(shape[-2:], dtype=torch.bool).tril())
    if mask is None:
        weights = Batched(call.emit("softmax", [scores.value], shape), scores.axis, scores.fold)
    else:
        weights = masked_softmax(call, scores, mask)
    return multiply(call, weights, value)


def masked_softmax(call: Call, scores: Batched, mask: Any) -> Batched:
    """Softmax over the last axis of scores + mask, or of those scores where the mask is true."""
    kind: Any = call.node.kwargs.get("attn_mask") or (call.given[3] if len(call.given) > 3 else None)
    logical = mask.tensor.dtype == torch.bool if isinstance(mask, Const) else kind.meta["val"].dtype == torch.bool
    if isinstance(mask, Const):
        seen = mask.tensor if logical else mask.tensor != -math.inf
        shown = Const(seen.float(), mask.names)
        bias = Const(torch.where(seen, 0.0 if logical else mask.tensor, HIDDEN), mask.names)
        scores = binary(call, "add", scores, bias)
    else:
        if logical:
            shown = mask
        else:
            scores = binary(call, "maximum", binary(call, "add", scores, mask), HIDDEN)
            shown = binary(call, "lt", -math.inf, mask)
        hidden = binary(call, "eq", shown, 0.0)
        scores = binary(call, "add", binary(call, "keep", scores, shown), binary(call, "mul", hidden, HIDDEN))
    weights = call.emit("softmax", [scores.value], call.shape(scores))
    return binary(call, "keep", Batched(weights, scores.axis, scores.fold), shown)


HIDDEN = -1e30  # a score whose weight is 0 beside any other, and that is still a number


# einsum


@aten("einsum.default")
def einsum(call: Call) -> Batched:
    call.float_result()
    equation, operands = call["equation"].replace(" ", ""), list(call["tensors"])
    left, _, out = equation.partition("->")
    terms = left.split(",")
    if "." in equation or "->" not in equation or len(operands) > 2 or any(len(set(t)) < len(t) for t in terms):
        return call.apart()
    agents = {term[item.axis] for item, term in zip(operands, terms, strict=True) if isinstance(item, Batched)}
    if len(agents) != 1 or any(isinstance(item, Batched) and item.fold for item in operands):
        raise call.mixing()
    (b,) = agents
    parts = []
    for item, term in zip(operands, terms, strict=True):
        if isinstance(item, Const):
            if b in term:
                raise call.mixing()
            parts.append((call.lowering.constant(item), term))
        else:
            parts.append((call.lowering.float(item).value, term.replace(b, "")))
    rest = out.replace(b, "")
    parts = [
        _summed(call, value, term, set("".join([rest, *terms[:i], *terms[i + 1 :]])))
        for i, (value, term) in enumerate(parts)
    ]
    value, term = parts[0] if len(parts) == 1 else _contracted(call, parts[0], parts[1], rest)
    return call.result(_ordered(call, value, term, rest))


Part = tuple[int, str]  # a value and the letters of its axes


def _summed(call: Call, value: int, term: str, used: set[str]) -> Part:
    """The part without the letters that nothing else has."""
    axes = [i for i, letter in enumerate(term) if letter not in used]
    return (reduce(call, "sum", value, axes) if axes else value), "".join(c for c in term if c in used)


def _ordered(call: Call, value: int, term: str, wanted: str) -> int:
    """The value with its axes in the order of `wanted`."""
    if term == wanted:
        return value
    shape, order = call.lowering.graph.values[value].shape, [term.index(letter) for letter in wanted]
    return call.emit("permute", [value], [shape[i] for i in order], axes=order)


def _contracted(call: Call, a: Part, b: Part, out: str) -> Part:
    """Two parts multiplied: letters that both and the result have stay in front, those of both alone are summed."""
    both = [c for c in a[1] if c in b[1]]
    ahead, inner = "".join(c for c in both if c in out), "".join(c for c in both if c not in out)
    rows, columns = ("".join(c for c in part[1] if c not in both) for part in (a, b))
    sizes: dict[str, int] = {}
    for value, term in (a, b):
        sizes |= dict(zip(term, call.lowering.graph.values[value].shape, strict=True))

    def flat(part: Part, letters: str) -> int:
        value = _ordered(call, *part, ahead + letters + inner)
        groups: Sequence[str] = (*ahead, letters, inner)
        return to_shape(call, value, [math.prod(sizes[c] for c in group) for group in groups])

    value, _ = times(call, flat(a, rows), flat(b, columns), True)
    term = ahead + rows + columns
    return to_shape(call, value, [sizes[c] for c in term]), term
