"""Products with a constant matrix."""

from __future__ import annotations

from minnow.export.aten.elementwise import binary, scaled
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


@aten("mm.default", "matmul.default", "mv.default")
def matmul(call: Call) -> Batched:
    call.float_result()
    left, right = (call[argument.name] for argument in call.node.target._schema.arguments[:2])
    if not isinstance(left, Batched) or not isinstance(right, Const) or right.tensor.dim() > 2:
        raise call.refuse(
            "only the product of a varying array with a constant matrix on its right is known",
            "write it as x @ weight or nn.Linear, the weight a parameter or buffer of two axes",
        )
    weight = Const(right.tensor.unsqueeze(0), right.names) if right.tensor.dim() == 1 else transposed(right)
    value = product(call, call.lowering.float(left), weight, None)
    if right.tensor.dim() == 1:
        value = call.emit("reshape", [value], call.layout.one)
    return call.result(value)


def product(call: Call, ref: Batched, weight: Const, bias: Const | None) -> int:
    """x W^T + b over the last axis. weight: [out, in], bias: [out]."""
    call.axis(ref, -1)  # refuses the agents'
    if bias is not None and not isinstance(bias, Const):
        raise call.refuse("its bias depends on the observation or state", "add it in a line of its own")
    tensors = [call.lowering.tensor(weight), -1 if bias is None else call.lowering.tensor(bias)]
    return call.emit("linear", [ref.value], (*call.shape(ref)[:-1], weight.tensor.shape[0]), tensors)


def transposed(weight: Const) -> Const:
    return Const(weight.tensor.t(), weight.names)
