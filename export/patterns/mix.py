"""Sums (1 - z) a + z b, as highways have them, become one operation each, whose roundings are the same."""

from __future__ import annotations

from minnow.export.graph import Graph, Op
from minnow.export.patterns.mingru import Match


def fuse(graph: Graph) -> None:
    """Replaces each sum in place; what it was made of is left for pruning."""
    match = Match(graph, {value: op for op in graph.ops for value in op.outputs})
    for i, op in enumerate(graph.ops):
        for a, z, b in match.mixtures(op) if op.kind == "add" else ():
            if len({graph.values[value].shape for value in (a, b, z)}) == 1:
                graph.ops[i] = Op("mix", [a, b, z], op.outputs, [], {}, op.source)
                break
