"""Minimal gated recurrent units (Feng et al., 2024), written by hand, become one operation each.

The form is h' = h + sigmoid(gate) (g(hidden) - h) with g(v) = relu(v) + sigmoid(min(v, 0)), gate and hidden being
linear in the same x. `lerp(h, g, z)` and (1 - z) h + z g are the same form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from minnow.export.graph import Graph, Op


def fuse(graph: Graph, store: Callable[[np.ndarray, list[int], str], int]) -> None:
    """Replaces each unit in place; what it was made of is left for pruning. `store` takes a tensor, the tensors it is
    made of and a name, and returns its index."""
    made = {value: op for op in graph.ops for value in op.outputs}
    for i, op in enumerate(graph.ops):
        found = Match(graph, made).unit(op)
        if found is not None:
            x, h, (hidden, gate) = found
            name = graph.tensor_names[hidden.weight].removesuffix(".weight")
            weights, biases = [hidden.weight, gate.weight], [hidden.bias, gate.bias]
            tensors = [
                store(_stack(graph, weights, hidden, gate), weights, f"{name}.weight"),
                -1 if -1 in biases else store(_stack(graph, biases, hidden, gate), biases, f"{name}.bias"),
            ]
            graph.ops[i] = Op("mingru", [x, h], op.outputs, tensors, {}, op.source)


@dataclass(frozen=True)
class _Linear:
    """Rows of a linear map: its input, its tensors (no bias: -1), and which rows."""

    x: int
    weight: int
    bias: int
    rows: slice


def _stack(graph: Graph, tensors: list[int], hidden: _Linear, gate: _Linear) -> np.ndarray:
    return np.concatenate([graph.tensors[tensors[0]][hidden.rows], graph.tensors[tensors[1]][gate.rows]])


class Match:
    def __init__(self, graph: Graph, made: dict[int, Op]) -> None:
        self.graph, self.made = graph, made

    def op(self, value: int, kind: str) -> Op | None:
        found = self.made.get(value)
        return found if found is not None and found.kind == kind else None

    def number(self, value: int, number: float) -> bool:
        found = self.op(value, "constant")
        return found is not None and bool((self.graph.tensors[found.tensors[0]] == number).all())

    def unit(self, op: Op) -> tuple[int, int, tuple[_Linear, _Linear]] | None:
        """x, h and the linear maps of hidden and gate, if `op` ends a unit."""
        for h, gate, candidate in self.ends(op):
            hidden = self.hidden(candidate)
            sigmoid = self.op(gate, "sigmoid")
            if hidden is None or sigmoid is None:
                continue
            of_hidden, of_gate = self.linear(hidden), self.linear(sigmoid.inputs[0])
            if of_hidden is None or of_gate is None or of_hidden.x != of_gate.x:
                continue
            if (of_hidden.bias < 0) != (of_gate.bias < 0):
                continue
            shapes = {self.graph.values[value].shape for value in (h, hidden, sigmoid.inputs[0])}
            if len(shapes) == 1 and len(next(iter(shapes))) == 1:
                return of_hidden.x, h, (of_hidden, of_gate)
        return None

    def ends(self, op: Op) -> Iterator[tuple[int, int, int]]:
        """Every reading of `op` as h + z (g - h) or (1 - z) h + z g: h, z, g."""
        if op.kind != "add":
            return
        for h, product in (op.inputs, op.inputs[::-1]):
            scaled = self.op(product, "mul")
            for z, step in (scaled.inputs, scaled.inputs[::-1]) if scaled else ():
                difference = self.op(step, "sub")
                if difference and difference.inputs[1] == h:
                    yield h, z, difference.inputs[0]
        yield from self.mixtures(op)

    def mixtures(self, op: Op) -> Iterator[tuple[int, int, int]]:
        """Every reading of a sum as (1 - z) h + z g: h, z, g."""
        for old, new in (op.inputs, op.inputs[::-1]):
            kept, taken = self.op(old, "mul"), self.op(new, "mul")
            if kept is None or taken is None:
                continue
            for rest, h in (kept.inputs, kept.inputs[::-1]):
                complement = self.op(rest, "sub")
                for z, g in (taken.inputs, taken.inputs[::-1]):
                    if complement and complement.inputs[1] == z and self.number(complement.inputs[0], 1.0):
                        yield h, z, g

    def hidden(self, value: int) -> int | None:
        """v, if the value is relu(v) + sigmoid(min(v, 0))."""
        total = self.op(value, "add")
        if total is None:
            return None
        above, below = self.op(total.inputs[0], "relu"), self.op(total.inputs[1], "sigmoid")
        least = self.op(below.inputs[0], "minimum") if below else None
        if (
            above is None
            or least is None
            or least.inputs[0] != above.inputs[0]
            or not self.number(least.inputs[1], 0.0)
        ):
            return None
        return above.inputs[0]

    def linear(self, value: int) -> _Linear | None:
        """The linear map that the value is the result of, or a slice of the result of."""
        start, step, count = 0, 1, self.graph.values[value].shape[-1] if self.graph.values[value].shape else 0
        part = self.op(value, "slice")
        if part is not None:
            start, step, value = part.attrs["start"], part.attrs["step"], part.inputs[0]
        found = self.op(value, "linear")
        if found is None or len(self.graph.values[found.inputs[0]].shape) != 1:
            return None
        weight, bias = found.tensors
        return _Linear(found.inputs[0], weight, bias, slice(start, start + count * step, step))
