"""Recurrent cells, and networks of them over one step of time or a window of several."""

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
    return layers(call, "lstm", list(call["hx"]))


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
def network(call: Call) -> list[Batched]:
    return layers(call, call.name.removesuffix(".input"), [call["hx"]])


def layers(call: Call, kind: str, hx: list[Batched | Const]) -> list[Batched]:
    """A network of layers over a window of time, step after step; a layer of two directions has two rows of state."""
    call.float_result()
    if call["train"] and call["dropout"] > 0 and call["num_layers"] > 1:
        raise call.refuse("dropout in training mode draws random numbers", "call module.eval() before export")
    values, rows = steps(call), [_state(call, item) for item in hx]
    ways = 2 if call["bidirectional"] else 1
    per_layer = len(call["params"]) // (call["num_layers"] * ways)
    after: list[list[int]] = [[] for _ in rows]
    for layer in range(call["num_layers"]):
        made = []
        for way in range(ways):
            row = layer * ways + way
            weights = call["params"][row * per_layer : (row + 1) * per_layer]
            state = [to_shape(call, cut(call, item, 0, row, row + 1), _row(call, item)) for item in rows]
            results = []
            for value in reversed(values) if way else values:
                state = one_step(call, kind, value, state, weights)
                results.append(state[0])
            made.append(results[::-1] if way else results)
            for items, item in zip(after, state, strict=True):
                items.append(to_shape(call, item, [1, *call.lowering.graph.values[item].shape]))
        values = [join(call, list(parts), 0) for parts in zip(*made, strict=True)]
    out = join(call, [to_shape(call, item, [1, *call.lowering.graph.values[item].shape]) for item in values], 0)
    return [call.result(item, i) for i, item in enumerate((out, *(join(call, items, 0) for items in after)))]


def one_step(call: Call, kind: str, x: int, state: list[int], weights: list[Const]) -> list[int]:
    """One step of one layer. weights: w_ih, w_hh, then b_ih and b_hh if there are biases, then w_hr if h is a
    projection (proj_size)."""
    biases = [*weights[2:4], None, None][:2] if call["has_biases"] else [None, None]
    projection = weights[4 if call["has_biases"] else 2 :]
    if kind != "lstm":
        return [step(call, kind, x, state[0], [*weights[:2], *biases])]
    hidden, cell = state
    if not projection:
        return lstm_step(call, x, hidden, cell, [*weights[:2], *biases])
    shape = _plain(call, cell)
    both = zip((x, hidden), weights[:2], biases, strict=True)
    inner = [_linear(call, item, weight, bias) for item, weight, bias in both]
    gates = call.emit("add", inner, (4 * shape[0],))
    parts = [cut(call, gates, 0, i * shape[0], (i + 1) * shape[0]) for i in range(4)]
    curves = ("sigmoid", "sigmoid", "tanh", "sigmoid")
    i, f, g, o = (call.emit(curve, [part], shape) for curve, part in zip(curves, parts, strict=True))
    kept, new = call.emit("mul", [f, cell], shape), call.emit("mul", [i, g], shape)
    cell = call.emit("add", [kept, new], shape)
    shown = call.emit("mul", [o, call.emit("tanh", [cell], shape)], shape)
    return [_linear(call, shown, projection[0], None), cell]


def _linear(call: Call, x: int, weight: Const, bias: Const | None) -> int:
    tensors = [call.lowering.tensor(weight), -1 if bias is None else call.lowering.tensor(bias)]
    return call.emit("linear", [x], weight.tensor.shape[:1], tensors)


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


def _row(call: Call, rows: int) -> list[int]:
    """The shape of one layer's part of a state."""
    return list(call.lowering.graph.values[rows].shape[1:])


def steps(call: Call) -> list[int]:
    """The input at each step of time."""
    ref = call.batch("input")
    if call.rank(ref) != 3:
        raise call.refuse(
            "its input has no axis for the agents, which then count as steps of time", "give it [1, agents, features]"
        )
    time = 1 if call["batch_first"] else 0
    if time == ref.axis or ref.fold:
        raise call.mixing()
    count, features = call.shape(ref)
    return [to_shape(call, cut(call, ref.value, 0, i, i + 1), [features]) for i in range(count)]


def _state(call: Call, item: Batched | Const) -> int:
    if not isinstance(item, Batched):
        raise call.refuse(
            "its state is a constant", "take the state as forward's second argument and return the new one"
        )
    return call.lowering.float(item).value
