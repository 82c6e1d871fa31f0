"""The network between torch and the file: a list of operations in the order they run.

Every value has a shape *per agent* (the agent axis is implicit and first). Operations are in single-assignment form:
each value is an input, the incoming part of a state, or the output of exactly one operation, and is computed before it
is used. `export/lower.py` builds a Graph, `export/format.py` writes and reads it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class Value:
    """One array per agent. `dtype` is "f32", "u8" (inputs alone) or "i32"."""

    shape: tuple[int, ...]
    dtype: str = "f32"
    name: str = ""


@dataclass
class Op:
    """One operation: `kind` is a name from `export/ops.py`; values and tensors are indices into the graph's lists."""

    kind: str
    inputs: list[int]
    outputs: list[int]
    tensors: list[int] = field(default_factory=list)  # -1 where an optional tensor (a bias) is absent
    attrs: dict[str, Any] = field(default_factory=dict)
    source: str = ""  # where in the user's module it came from; kept for messages and `inspect`


@dataclass
class Input:
    """One leaf of the observation."""

    name: str
    value: int


@dataclass
class State:
    """One leaf of the recurrent state. `initial` is a tensor index, or -1 for zeros.

    `axis` is the agent axis in torch's own array (torch's LSTM has it on 1)."""

    name: str
    before: int
    after: int
    initial: int = -1
    axis: int = 0


@dataclass
class Output:
    """One output of the module in order. `role` is "logits", "mean", "log_std", "value" or "other"."""

    name: str
    value: int
    role: str = "other"


@dataclass
class Graph:
    values: list[Value] = field(default_factory=list)
    ops: list[Op] = field(default_factory=list)
    tensors: list[np.ndarray] = field(default_factory=list)  # float32, in C order
    tensor_names: list[str] = field(default_factory=list)
    inputs: list[Input] = field(default_factory=list)
    states: list[State] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
