"""Choices between two arrays, where they can be made without comparing: by a fixed mask, or in a known form."""

from __future__ import annotations

from typing import Any

import torch

from minnow.export.aten.elementwise import binary, number
from minnow.export.call import Batched, Call, Compared, Const, aten


@aten("gt.Scalar", "ge.Scalar", "lt.Scalar", "le.Scalar")
def compare(call: Call) -> Compared:
    return Compared(call)


@aten("where.self", "where.ScalarOther", "where.ScalarSelf")
def where(call: Call) -> Batched:
    call.float_result()
    mask = call["condition"]
    if isinstance(mask, Compared):
        return min_gru_candidate(call, mask.call)
    if not isinstance(mask, Const):
        raise call.refuse("its condition is no fixed mask", "write the choice as arithmetic")
    ones = mask.tensor.float()
    chosen = binary(call, "mul", call["self"], Const(ones, mask.names))
    return binary(call, "add", chosen, binary(call, "mul", call["other"], Const(1 - ones, mask.names)))


@aten("masked_fill.Scalar", "masked_fill.Tensor")
def masked_fill(call: Call) -> Batched:
    call.float_result()
    mask, value = call["mask"], call["value"]
    if isinstance(mask, Compared):
        raise mask.call.unknown()
    if not isinstance(mask, Const) or isinstance(value, Batched):
        raise call.refuse("its mask or value is not fixed", "write the choice as arithmetic")
    filling = value.tensor if isinstance(value, Const) else torch.tensor(float(value))
    kept = binary(call, "mul", call["self"], Const((~mask.tensor).float(), mask.names))
    return binary(call, "add", kept, Const(torch.where(mask.tensor, filling, 0.0), mask.names))


def min_gru_candidate(call: Call, compared: Call) -> Batched:
    """where(x >= 0, x + 0.5, sigmoid(x)), which keeps the candidates of a minimal GRU above 0 (Feng et al., 2024,
    appendix B): relu(x) + sigmoid(min(x, 0)), without a comparison."""
    node = compared.node.args[0]
    yes, no = call.node.args[1:3]
    known = (
        compared.name in ("gt.Scalar", "ge.Scalar")
        and compared.node.args[1] == 0
        and _is(yes, "aten.add.Tensor", (node, 0.5))
        and _is(no, "aten.sigmoid.default", (node,))
    )
    if not known:
        raise compared.unknown()
    ref = compared.batch("self")
    shape = call.shape(ref)
    above = call.emit("relu", [ref.value], shape)
    below = call.emit("sigmoid", [call.emit("minimum", [ref.value, number(call, 0.0)], shape)], shape)
    return call.result(call.emit("add", [above, below], shape))


def _is(node: Any, target: str, args: tuple[Any, ...]) -> bool:
    return isinstance(node, torch.fx.Node) and str(node.target) == target and tuple(node.args) == args
