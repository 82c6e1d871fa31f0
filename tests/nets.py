"""Networks that the tests of arithmetic share: files with random weights, whose golden vectors are their results."""

from __future__ import annotations

import numpy as np

from minnow.cinfer import load
from minnow.export import format
from minnow.export.graph import Graph, Input, Op, Output, State, Value


class Net:
    """Builds a graph one operation after another; `at` is the value that comes out."""

    def __init__(self, shape: tuple[int, ...], seed: int) -> None:
        self.graph = Graph(values=[Value(shape)], inputs=[Input("x", 0)])
        self.rng, self.at, self.waiting = np.random.default_rng(seed), 0, []

    def tensor(self, *shape: int, scale: float = 1.0) -> int:
        size = scale / np.sqrt(np.prod(shape[1:]) or 1)
        self.graph.tensors.append(self.rng.uniform(-1.7, 1.7, shape).astype(np.float32) * np.float32(size))
        self.graph.tensor_names.append(f"t{len(self.graph.tensors)}")
        return len(self.graph.tensors) - 1

    def op(self, kind: str, shape: tuple[int, ...], tensors: tuple[int, ...] = (), **attrs: object) -> Net:
        self.graph.values.append(Value(shape))
        self.graph.ops.append(Op(kind, [self.at], [len(self.graph.values) - 1], list(tensors), attrs))
        self.at = len(self.graph.values) - 1
        return self

    def linear(self, n: int, bias: bool = True) -> Net:
        (k,) = self.graph.values[self.at].shape
        return self.op("linear", (n,), (self.tensor(n, k), self.tensor(n, scale=0.1) if bias else -1))

    def same(self, kind: str, **attrs: object) -> Net:
        return self.op(kind, self.graph.values[self.at].shape, (), **attrs)

    def cell(self, kind: str, n: int, bias: bool = True) -> Net:
        """An LSTM or MinGRU of n; its states become values behind the inputs."""
        (k,) = self.graph.values[self.at].shape
        states, rows = (2, 4) if kind == "lstm" else (1, 2)
        tensors = [self.tensor(rows * n, k)]
        tensors += [self.tensor(rows * n, n)] if kind == "lstm" else []
        tensors += [self.tensor(rows * n, scale=0.1) if bias else -1] + ([-1] if kind == "lstm" else [])
        first = len(self.graph.values)
        self.graph.values += [Value((n,)) for _ in range(2 * states)]
        self.graph.ops.append(
            Op(kind, [self.at, *range(first, first + states)], list(range(first + states, first + 2 * states)), tensors)
        )
        for i in range(states):
            self.graph.states.append(State(f"s{len(self.graph.states)}", first + i, first + states + i))
        self.at = first + states
        return self

    def file(self, role: str = "logits", dtype: str = "f32") -> bytes:
        """The bytes, every matrix stored as `dtype`."""
        self.graph.outputs = [Output("y", self.at, role)]
        dtypes = [dtype if t.ndim > 1 else "f32" for t in self.graph.tensors]
        shape = self.graph.values[0].shape
        shapes = [self.graph.values[i.value].shape for i in (*self.graph.outputs,)]
        states = [self.graph.values[s.before].shape for s in self.graph.states]
        golden = format.Golden(
            [np.zeros((2, 1, *shape), np.float32)],
            [np.zeros((2, 1, *s), np.float32) for s in shapes],
            [np.zeros((2, 1, *s), np.float32) for s in states],
        )
        first = format.write(self.graph, None, golden=golden, dtypes=dtypes)
        trace = load(first).run([np.zeros((2, 1, *shape), np.float32)])
        golden = format.Golden(golden.inputs, trace.outputs, trace.states)
        return format.write(self.graph, None, golden=golden, dtypes=dtypes)


def a(dtype: str = "f32") -> bytes:
    """A plain network of two hidden layers."""
    return Net((42,), 1).linear(256).same("tanh").linear(256).same("tanh").linear(8).file(dtype=dtype)


def b(dtype: str = "f32") -> bytes:
    """An encoder, an LSTM, and nine outputs."""
    return Net((42,), 2).linear(128).same("gelu").cell("lstm", 128).linear(9).file(dtype=dtype)


def c(dtype: str = "f32") -> bytes:
    """Two convolutions, an encoder, an LSTM, and seven outputs."""
    net = Net((8, 11, 11), 3)
    first, second = {"window": [3, 3, 0, 0, 1, 1]}, {"window": [1, 1, 0, 0, 1, 1]}
    net.op("conv", (32, 3, 3), (net.tensor(32, 8, 5, 5), net.tensor(32, scale=0.1)), groups=1, **first).same("relu")
    net.op("conv", (32, 1, 1), (net.tensor(32, 32, 3, 3), net.tensor(32, scale=0.1)), groups=1, **second).same("relu")
    return net.op("reshape", (32,)).linear(128).same("relu").cell("lstm", 128).linear(7).file(dtype=dtype)


def d(dtype: str = "f32") -> bytes:
    """An encoder and four MinGRUs, without biases."""
    net = Net((42,), 4).linear(128, bias=False)
    for _ in range(4):
        net.cell("mingru", 128, bias=False)
    return net.linear(9, bias=False).file(dtype=dtype)


def odd(dtype: str = "f32") -> bytes:
    """Sizes that fit no vector."""
    net = Net((3,), 5).linear(17).same("silu").cell("lstm", 9).linear(65).same("mish").cell("mingru", 7)
    return (
        net.linear(63)
        .same("tanh")
        .linear(100)
        .same("elu", alpha=1.0)
        .linear(1)
        .same("softplus", beta=1.0, threshold=20.0)
        .file(dtype=dtype)
    )


NETS = {"a": a, "b": b, "c": c, "d": d, "odd": odd}
