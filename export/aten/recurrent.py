"""Recurrent cells over a single step."""

from __future__ import annotations

from minnow.export.aten.shape import cut, join, to_shape
from minnow.export.call import Batched, Call, Const, aten


@aten("lstm_cell.default")
def lstm_cell(call: Call) -> list[Batched]:
    hidden, cell = call["hx"]
    weights = [call[name] for name in ("w_ih", "w_hh", "b_ih", "b_hh")]
    values = lstm_step(call, call.batch("input").value, _state(call, hidden), _state(call, cell), weights)
    return [call.result(value, i) for i, value in enumerate(values)]


@aten("lstm.input")
def lstm(call: Call) -> list[Batched]:
    _one_step(call, "lstm")
    value, shape = _sequence(call)
    hidden, cell = (_state(call, item) for item in call["hx"])
    per_layer = 4 if call["has_biases"] else 2
    size = call.lowering.graph.values[hidden].shape[-1]
    after: list[list[int]] = [[], []]
    for layer in range(call["num_layers"]):
        weights = call["params"][layer * per_layer : (layer + 1) * per_layer]
        weights = [*weights, None, None][:4]
        before = [to_shape(call, cut(call, item, 0, layer, layer + 1), [size]) for item in (hidden, cell)]
        value, new = lstm_step(call, value, *before, weights)
        for items, item in zip(after, (value, new), strict=True):
            items.append(to_shape(call, item, [1, size]))
    results = [to_shape(call, value, [*shape, size]), *(join(call, items, 0) for items in after)]
    return [call.result(result, i) for i, result in enumerate(results)]


def lstm_step(call: Call, x: int, hidden: int, cell: int, weights: list[Const | None]) -> list[int]:
    """One LSTM cell; gates in torch's order (input, forget, cell, output). Returns the values of h and c."""
    call.float_result()
    tensors = [-1 if item is None else call.lowering.tensor(item) for item in weights]
    shape = _plain(call, hidden)
    return call.lowering.op_many("lstm", [x, hidden, cell], [shape, shape], tensors, call.source)


@aten("gru_cell.default", "rnn_tanh_cell.default", "rnn_relu_cell.default")
def cell(call: Call) -> Batched:
    weights = [call[name] for name in ("w_ih", "w_hh", "b_ih", "b_hh")]
    kind = call.name.removesuffix("_cell.default")
    return call.result(step(call, kind, call.batch("input").value, _state(call, call["hx"]), weights))


@aten("gru.input", "rnn_tanh.input", "rnn_relu.input")
def layers(call: Call) -> list[Batched]:
    kind = call.name.removesuffix(".input")
    _one_step(call, kind)
    value, shape = _sequence(call)
    hidden = _state(call, call["hx"])
    per_layer = 4 if call["has_biases"] else 2
    size = call.lowering.graph.values[hidden].shape[-1]
    after = []
    for layer in range(call["num_layers"]):
        weights = call["params"][layer * per_layer : (layer + 1) * per_layer]
        before = to_shape(call, cut(call, hidden, 0, layer, layer + 1), [size])
        value = step(call, kind, value, before, [*weights, None, None][:4])
        after.append(to_shape(call, value, [1, size]))
    return [call.result(to_shape(call, value, [*shape, size])), call.result(join(call, after, 0), 1)]


def step(call: Call, kind: str, x: int, hidden: int, weights: list[Const | None]) -> int:
    """One cell whose state is one array: a GRU (gates in torch's order: reset, update, new) or a plain one."""
    call.float_result()
    shape = _plain(call, hidden)
    tensors = [-1 if item is None else call.lowering.tensor(item) for item in weights]
    attrs = {} if kind == "gru" else {"relu": int(kind == "rnn_relu")}
    return call.emit("gru" if kind == "gru" else "rnn", [x, hidden], shape, tensors, **attrs)


def _plain(call: Call, hidden: int) -> tuple[int, ...]:
    """The shape of a cell's state, one row an agent."""
    shape = call.lowering.graph.values[hidden].shape
    if len(shape) != 1:
        raise call.refuse("entities were flattened into the agents before it", "give it one row of each agent")
    return shape


def _one_step(call: Call, kind: str) -> None:
    """Refuses what is more than one step of a plain network."""
    call.float_result()
    if call["bidirectional"]:
        raise call.refuse("a bidirectional network needs the future", "use one direction")
    if call["train"] and call["dropout"] > 0 and call["num_layers"] > 1:
        raise call.refuse("dropout in training mode draws random numbers", "call module.eval() before export")
    per_layer = 4 if call["has_biases"] else 2
    if len(call["params"]) != per_layer * call["num_layers"]:
        raise call.refuse(
            "a projection of the hidden state (proj_size) is not known", f"follow the {kind} with nn.Linear"
        )


def _sequence(call: Call) -> tuple[int, list[int]]:
    """The input of a single step without its time axis, and the shape of the axes before the features."""
    ref = call.batch("input")
    if call.rank(ref) != 3:
        raise call.refuse(
            "its input has no axis for the agents, which then count as steps of time", "give it [1, agents, features]"
        )
    time = 1 if call["batch_first"] else 0
    if time == ref.axis or ref.fold:
        raise call.mixing()
    steps, features = call.shape(ref)
    if steps != 1:
        raise call.refuse(
            f"it runs over {steps} steps, and a policy takes one at a time",
            "give it one step and the state of the last",
        )
    return to_shape(call, ref.value, [features]), [1]


def _state(call: Call, item: Batched | Const) -> int:
    if not isinstance(item, Batched):
        raise call.refuse(
            "its state is a constant", "take the state as forward's second argument and return the new one"
        )
    return call.lowering.float(item).value
