"""The normaliser with which a network begins, read back from its file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from minnow.export import format

Statistics = tuple[np.ndarray, np.ndarray]  # mean and scale, 1 / deviation, of each number of an input


def normaliser(file: Path) -> Statistics | None:
    """(x - mean) * scale, of a policy's first input: what is subtracted from it first, and what that is multiplied or
    divided by; None where the network begins otherwise."""
    graph = format.read(file).graph
    value = graph.inputs[0].value
    shape, mean = graph.values[value].shape, None
    fixed = {op.outputs[0]: graph.tensors[op.tensors[0]] for op in graph.ops if op.kind == "constant"}
    for op in graph.ops:
        if op.kind not in ("sub", "mul", "div") or op.inputs[0] != value or op.inputs[1] not in fixed:
            continue
        number = np.broadcast_to(fixed[op.inputs[1]], shape).astype(np.float64)
        if op.kind == "sub" and mean is None:
            mean, value = number, op.outputs[0]
        elif op.kind != "sub" and mean is not None:
            return mean, number if op.kind == "mul" else 1 / number
    return None
