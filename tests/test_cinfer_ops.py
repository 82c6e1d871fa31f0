"""Every operation of minnow.h: against torch, and bit for bit among compilers, optimisation levels and WebAssembly."""

from __future__ import annotations

import functools
import math
import subprocess
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from minnow.cinfer import Policy, Trace, load, wasm
from minnow.cinfer.policy import ffi, library
from minnow.export import format
from minnow.export.graph import Graph, Input, Op, Output, State, Value
from minnow.export.ops import INTEGER, KINDS, UNARY, dtype_of, infer

ROOT = Path(__file__).resolve().parent.parent
AGENTS = 21  # a full tile of agents, a block of four and a rest


@dataclass
class Case:
    """One operation: shapes of inputs and tensors, and what torch makes of them (agents on axis 0 of inputs)."""

    kind: str
    inputs: list[tuple[int, ...]]
    reference: Callable[..., Any]
    tensors: list[tuple[int, ...] | None] = field(default_factory=list)
    attrs: dict[str, Any] = field(default_factory=dict)
    output: tuple[int, ...] | None = None
    positive: bool = False
    scale: float = 1.0
    dtype: str = "f32"
    whole: bool = False  # the inputs are whole numbers
    rows: int = 0  # so many rows or elements have an index: the second input, or the only one

    def __str__(self) -> str:
        words = [*self.inputs, *self.tensors, *self.attrs.values()]
        return f"{self.kind}-{'-'.join(str(word).replace(' ', '') for word in words)}"

    @functools.cached_property
    def arrays(self) -> tuple[list[np.ndarray], list[np.ndarray | None]]:
        """Values of the inputs, [agents, ...], and of the tensors."""
        rng = np.random.default_rng(zlib.crc32(str(self).encode()))
        inputs = []
        for shape in self.inputs:
            if self.dtype == "f32":
                array = rng.normal(0, 3 * self.scale, (AGENTS, *shape)).astype(np.float32)
                array = np.rint(array) if self.whole else array
                if self.rows and len(inputs) == min(1, len(self.inputs) - 1):
                    array = rng.integers(0, self.rows, array.shape).astype(np.float32)
                inputs.append(np.abs(array) + np.float32(1e-3) if self.positive else array)
            elif self.dtype == "u8" or self.kind == "cast":
                inputs.append(
                    rng.integers(0, 256, (AGENTS, *shape)).astype(np.uint8 if self.dtype == "u8" else np.int32)
                )
            else:  # of every size, and never 0
                size = 2.0 ** rng.uniform(0, 31, (AGENTS, *shape))
                inputs.append((size * rng.choice((-1, 1), size.shape)).astype(np.int32))
        tensors = [
            None if s is None else rng.normal(0, 1 / math.sqrt(math.prod(s[1:])), s).astype(np.float32)
            for s in self.tensors
        ]
        return inputs, tensors

    @functools.cached_property
    def expected(self) -> list[np.ndarray]:
        inputs, tensors = self.arrays
        operands = [torch.from_numpy(a) for a in inputs] + [None if t is None else torch.from_numpy(t) for t in tensors]
        found = self.reference(*operands)
        found = found if isinstance(found, tuple) else (found,)
        return [part.expand(AGENTS, *part.shape[1:]).numpy() for part in found]

    @functools.cached_property
    def file(self) -> bytes:
        """A policy of this operation alone; recurrent ones with their state as further inputs."""
        tensors = self.arrays[1]
        graph, stored, index = Graph(), [t for t in tensors if t is not None], []
        for tensor in tensors:
            index.append(-1 if tensor is None else sum(i >= 0 for i in index))
        graph.values = [Value(shape, self.dtype) for shape in self.inputs] or [Value((1,))]
        graph.inputs = [Input(f"x{i}", i) for i in range(len(graph.values))]
        said = [self.output] if self.output is not None else [e.shape[1:] for e in self.expected]
        shapes = infer(self.kind, self.inputs, self.attrs, self.tensors, said)
        first = len(graph.values)
        dtype = dtype_of(self.kind, [self.dtype] * len(self.inputs), self.attrs)
        graph.values += [Value(shape, dtype) for shape in shapes]
        outputs = list(range(first, first + len(shapes)))
        graph.ops = [Op(self.kind, list(range(len(self.inputs))), outputs, index, self.attrs)]
        if dtype == "i32":  # outputs are f32
            outputs = [value + len(shapes) for value in outputs]
            graph.values += [Value(shape) for shape in shapes]
            graph.ops += [Op("cast", [value - len(shapes)], [value]) for value in outputs]
        graph.tensors, graph.tensor_names = stored, [f"t{i}" for i in range(len(stored))]
        graph.outputs = [Output(f"y{i}", value) for i, value in enumerate(outputs)]
        golden = format.Golden([np.stack([a, a]) for a in self.given], [np.stack([e, e]) for e in self.expected])
        return format.write(graph, None, golden=golden)

    @property
    def given(self) -> list[np.ndarray]:
        return self.arrays[0] or [np.zeros((AGENTS, 1), np.float32)]


def lstm(x: Tensor, h: Tensor, c: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None, b_hh: Tensor | None) -> Any:
    zero = torch.zeros(len(w_ih))
    return torch.lstm_cell(x, (h, c), w_ih, w_hh, zero if b_ih is None else b_ih, zero if b_hh is None else b_hh)


def mingru(x: Tensor, h: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    hidden, gate = F.linear(x, weight, bias).chunk(2, -1)
    candidate = torch.where(hidden >= 0, hidden + 0.5, torch.sigmoid(hidden))
    return torch.lerp(h, candidate, torch.sigmoid(gate))


def gru(x: Tensor, h: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None, b_hh: Tensor | None) -> Tensor:
    zero = torch.zeros(len(w_ih))
    return torch.gru_cell(x, h, w_ih, w_hh, zero if b_ih is None else b_ih, zero if b_hh is None else b_hh)


def rnn(function: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    return lambda x, h, w_ih, w_hh, b_ih, b_hh: function(F.linear(x, w_ih, b_ih) + F.linear(h, w_hh, b_hh))


def convolution(x: Tensor, weight: Tensor, bias: Tensor | None, groups: int, window: list[int]) -> Tensor:
    axes = x.dim() - 2
    stride, padding, dilation = (window[i * axes : (i + 1) * axes] for i in range(3))
    return (F.conv1d, F.conv2d, F.conv3d)[axes - 1](x, weight, bias, stride, padding, dilation, groups)


def pooled(x: Tensor, mode: int, window: list[int], ceil: bool) -> Tensor:
    axes = x.dim() - 2
    size, stride, padding, dilation = (window[i * axes : (i + 1) * axes] for i in range(4))
    if mode == 0:
        return (F.max_pool1d, F.max_pool2d, F.max_pool3d)[axes - 1](x, size, stride, padding, dilation, ceil)
    function = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[axes - 1]
    return function(x, size, stride, padding, ceil, mode == 1)


ACTIVATIONS: dict[str, tuple[Callable[[Tensor], Tensor], dict[str, float]]] = {
    "relu": (F.relu, {}),
    "leaky_relu": (lambda x: F.leaky_relu(x, 0.2), {"alpha": 0.2}),
    "elu": (lambda x: F.elu(x, 1.5), {"alpha": 1.5}),
    "selu": (F.selu, {}),
    "gelu": (F.gelu, {}),
    "gelu_tanh": (lambda x: F.gelu(x, approximate="tanh"), {}),
    "silu": (F.silu, {}),
    "mish": (F.mish, {}),
    "softplus": (lambda x: F.softplus(x, 2.0, 15.0), {"beta": 2.0, "threshold": 15.0}),
    "softsign": (F.softsign, {}),
    "tanh": (torch.tanh, {}),
    "sigmoid": (torch.sigmoid, {}),
    "hardsigmoid": (F.hardsigmoid, {}),
    "hardswish": (F.hardswish, {}),
    "clamp": (lambda x: x.clamp(-1.5, 2.0), {"low": -1.5, "high": 2.0}),
    "abs": (torch.abs, {}),
    "neg": (torch.neg, {}),
    "exp": (torch.exp, {}),
    "log": (torch.log, {}),
    "sqrt": (torch.sqrt, {}),
    "rsqrt": (torch.rsqrt, {}),
    "reciprocal": (torch.reciprocal, {}),
    "square": (torch.square, {}),
    "sin": (torch.sin, {}),
    "cos": (torch.cos, {}),
    "floor": (torch.floor, {}),
    "round": (torch.round, {}),
    "sign": (torch.sign, {}),
    "erf": (torch.erf, {}),
    "log2": (torch.log2, {}),
    "log10": (torch.log10, {}),
    "log1p": (torch.log1p, {}),
    "exp2": (torch.exp2, {}),
    "expm1": (torch.expm1, {}),
}
ARITHMETIC = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "minimum": torch.minimum,
    "maximum": torch.maximum,
    "eq": lambda a, b: torch.eq(a, b).float(),
    "lt": lambda a, b: torch.lt(a, b).float(),
    "le": lambda a, b: torch.le(a, b).float(),
    "keep": lambda a, b: torch.where(b != 0, a, 0.0),
    "fmod": torch.fmod,
    "remainder": torch.remainder,
    "floor_divide": torch.floor_divide,
    "atan2": torch.atan2,
}
WHOLE = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "floor_divide": torch.floor_divide,
    "remainder": torch.remainder,
    "divide": lambda a, b: torch.div(a, b, rounding_mode="trunc"),
    "fmod": torch.fmod,
    "minimum": torch.minimum,
    "maximum": torch.maximum,
    "eq": torch.eq,
    "lt": torch.lt,
    "le": torch.le,
    "and": torch.bitwise_and,
    "or": torch.bitwise_or,
    "xor": torch.bitwise_xor,
}
SIZES = (1, 3, 7, 8, 9, 15, 17, 63, 65, 100)


def product(x: Tensor, axes: list[int]) -> Tensor:
    for axis in reversed(axes):
        x = x.prod(axis)
    return x


def wide(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """Broadcasting on per-agent shapes: the agents' axis stays in front."""

    def apply(a: Tensor, b: Tensor) -> Tensor:
        rank = max(a.dim(), b.dim())
        a, b = (t.reshape(len(t), *[1] * (rank - t.dim()), *t.shape[1:]) for t in (a, b))
        return function(a, b)

    return apply


def cases() -> list[Case]:
    found = [
        Case("constant", [], lambda value: value.unsqueeze(0), [(3, 5)]),
        Case("constant", [], lambda value: value.unsqueeze(0), [(1,)]),
        Case("cast", [(4, 3)], lambda x: x.float(), dtype="u8"),
        Case("cast", [(5,)], lambda x: x.float(), dtype="i32"),
        Case("linear", [(3, 4, 6)], F.linear, [(7, 6), (7,)]),
        *(Case("linear", [(n,)], F.linear, [(19, n), (19,)]) for n in (256, 257, 1000)),
    ]
    found += [Case("linear", [(n,)], F.linear, [(m, n), (m,) if n % 2 else None]) for n in SIZES for m in SIZES]
    for n, m in ((5, 8), (17, 16), (9, 33), (1, 1), (42, 64)):
        found.append(Case("lstm", [(n,), (m,), (m,)], lstm, [(4 * m, n), (4 * m, m), (4 * m,), (4 * m,)]))
        found.append(Case("mingru", [(n,), (m,)], mingru, [(2 * m, n), (2 * m,)]))
    found.append(Case("lstm", [(3,), (7,), (7,)], lstm, [(28, 3), (28, 7), None, (28,)]))
    found.append(Case("mingru", [(3,), (7,)], mingru, [(14, 3), None]))
    for kind, (function, attrs) in ACTIVATIONS.items():
        positive = kind in ("log", "sqrt", "rsqrt", "reciprocal", "log2", "log10", "log1p")
        for shape in ((37,), (2, 3, 5)):
            found.append(Case(kind, [shape], function, attrs=attrs, positive=positive))
        if kind not in ("exp", "exp2", "expm1", "reciprocal", "rsqrt"):
            found.append(Case(kind, [(64,)], function, attrs=attrs, positive=positive, scale=30.0))
    for kind, function in ARITHMETIC.items():
        for a, b in (((9,), (9,)), ((4, 5), (5,)), ((4, 1, 3), (2, 1)), ((), (6,)), ((2, 3), ()), ((), ())):
            whole = kind in ("eq", "lt", "le", "keep")
            found.append(Case(kind, [a, b], wide(function), positive=kind == "div", whole=whole))
    found.append(Case("whole", [(4, 5)], lambda x: x.int().float(), scale=1e6))
    for a, b in (((3, 1), (3, 7)), ((5,), (5,))):
        for way, name in enumerate(INTEGER):

            def small(a: Tensor, b: Tensor, way: str = name) -> Tensor:
                return wide(WHOLE[way])(a, b).float()

            def large(a: Tensor, b: Tensor, way: str = name) -> Tensor:
                return wide(WHOLE[way])(a.long(), b.long()).clamp(-(2**31), 2**31 - 1).float()

            found.append(Case("integer", [a, b], small, [], {"way": way, "wide": 0}, dtype="i32"))
            if way > 2:
                found.append(Case("integer", [a, b], large, [], {"way": way, "wide": 1}, dtype="i32"))
    for shape in ((), (1,), (7,), (16,), (5, 9), (100,)):
        found.append(Case("mix", [shape] * 3, lambda a, b, z: (1 - z) * a + z * b))
    for shape in ((1,), (5,), (18,), (3, 7)):
        found.append(Case("softmax", [shape], lambda x: x.softmax(-1)))
        found.append(Case("log_softmax", [shape], lambda x: x.log_softmax(-1)))
        n = shape[-1]
        found.append(
            Case(
                "layer_norm",
                [shape],
                lambda x, w, b: F.layer_norm(x, x.shape[-1:], w, b, 1e-5),
                [(n,), (n,)],
                {"eps": 1e-5},
            )
        )
        found.append(
            Case("rms_norm", [shape], lambda x, w: F.rms_norm(x, x.shape[-1:], w, 1e-6), [(n,)], {"eps": 1e-6})
        )
    found.append(Case("layer_norm", [(6,)], lambda x, w, b: F.layer_norm(x, x.shape[-1:]), [None, None], {"eps": 1e-5}))
    for axes in ([0], [1], [2], [0, 1], [0, 2], [1, 2], [0, 1, 2]):
        over = [axis + 1 for axis in axes]
        found.append(Case("sum", [(3, 4, 5)], lambda x, over=over: x.sum(over), attrs={"axes": axes}))
        found.append(Case("mean", [(3, 4, 5)], lambda x, over=over: x.mean(over), attrs={"axes": axes}))
        found.append(Case("max", [(3, 4, 5)], lambda x, over=over: x.amax(over), attrs={"axes": axes}))
        found.append(Case("min", [(3, 4, 5)], lambda x, over=over: x.amin(over), attrs={"axes": axes}))
        found.append(Case("prod", [(3, 4, 2)], lambda x, over=over: product(x, over), attrs={"axes": axes}, scale=0.3))
    for axis in (0, 1, 2):
        shapes = [tuple(n if i == axis else s for i, s in enumerate((2, 3, 4))) for n in (1, 5, 2)]
        found.append(Case("concat", shapes, lambda *x, axis=axis: torch.cat(x, axis + 1), attrs={"axis": axis}))
        found.append(
            Case(
                "slice",
                [(7, 6, 5)],
                lambda x, axis=axis: x[(slice(None),) * (axis + 1) + (slice(1, None, 2),)],
                attrs={"axis": axis, "start": 1, "step": 2},
            )
        )
    found.append(Case("concat", [(4,)], lambda x: x, attrs={"axis": 0}))
    found.append(Case("reshape", [(4, 6)], lambda x: x.reshape(-1, 3, 8)))
    for shape, axis, n in (((5,), 0, 3), ((4, 3, 2), 1, 5), ((2, 7), 1, 1), ((6, 2), 0, 6)):
        index = tuple(n if i == axis else size for i, size in enumerate(shape))

        def gather(x: Tensor, index: Tensor, axis: int = axis) -> Tensor:
            return x.gather(axis + 1, index.long())

        def scatter(x: Tensor, index: Tensor, values: Tensor, axis: int = axis) -> Tensor:
            for k in range(index.shape[axis + 1]):  # in order, which torch leaves open
                part = index.narrow(axis + 1, k, 1).long(), values.narrow(axis + 1, k, 1)
                x = x.scatter(axis + 1, *part)
            return x

        def added(x: Tensor, index: Tensor, values: Tensor, axis: int = axis) -> Tensor:
            return x.scatter_add(axis + 1, index.long(), values)

        rows = shape[axis]
        found.append(Case("gather", [shape, index], gather, [], {"axis": axis}, rows=rows))
        found.append(Case("scatter", [shape, index, index], scatter, [], {"axis": axis, "added": 0}, rows=rows))
        found.append(Case("scatter", [shape, index, index], added, [], {"axis": axis, "added": 1}, rows=rows))
        for falling in (0, 1):

            def ordered(
                x: Tensor, axis: int = axis, n: int = min(n, rows), falling: int = falling
            ) -> tuple[Tensor, Tensor]:
                values, places = x.sort(stable=True, dim=axis + 1, descending=bool(falling))
                return values.narrow(axis + 1, 0, n), places.narrow(axis + 1, 0, n).float()

            attrs = {"axis": axis, "falling": falling}
            found.append(Case("sort", [shape], ordered, [], attrs, whole=rows > 5, scale=0.3 if rows > 5 else 1.0))
    for axes in ([0, 1, 2], [2, 1, 0], [1, 2, 0], [0, 2, 1]):
        over = [0, *(axis + 1 for axis in axes)]
        found.append(Case("permute", [(2, 3, 5)], lambda x, over=over: x.permute(over), attrs={"axes": axes}))
    return found


def structured() -> list[Case]:
    """Convolutions, pools, products of two values, embeddings and the cells."""
    found = []
    for x, weight, groups, window in (
        ((1, 1), (1, 1, 1), 1, [1, 0, 1]),
        ((3, 17), (5, 3, 4), 1, [2, 1, 1]),
        ((4, 30), (8, 1, 3), 4, [1, 2, 3]),  # a channel to itself, two outputs of each
        ((8, 11, 11), (32, 8, 5, 5), 1, [3, 3, 0, 0, 1, 1]),
        ((32, 3, 3), (32, 32, 3, 3), 1, [1, 1, 0, 0, 1, 1]),
        ((6, 9, 7), (15, 2, 3, 2), 3, [2, 1, 1, 0, 1, 2]),
        ((3, 15, 13), (17, 3, 1, 4), 1, [1, 3, 0, 3, 1, 2]),
        ((2, 3, 4), (34, 1, 3, 3), 2, [1, 1, 4, 2, 2, 1]),
        ((2, 5, 6, 7), (3, 2, 2, 3, 3), 1, [2, 1, 3, 1, 0, 2, 1, 2, 1]),
        ((4, 3, 3, 3), (4, 1, 3, 3, 3), 4, [1, 1, 1, 1, 1, 1, 1, 1, 1]),
        ((7, 20), (63, 7, 9), 1, [1, 4, 1]),
        ((9, 6, 7), (65, 9, 1, 1), 1, [1, 1, 0, 0, 1, 1]),
        ((15, 8, 8), (100, 15, 3, 3), 1, [1, 1, 1, 1, 1, 1]),
        ((100, 3, 9), (8, 100, 2, 7), 1, [1, 2, 0, 0, 1, 1]),
    ):
        attrs = {"groups": groups, "window": window}
        bias = weight[:1] if weight[0] % 2 else None

        def reference(x: Tensor, w: Tensor, b: Tensor | None, attrs: dict = attrs) -> Tensor:
            return convolution(x, w, b, **attrs)

        found.append(Case("conv", [x], reference, [weight, bias], attrs))
    for x, window, ceil in (
        ((3, 11), [3, 2, 1, 1], False),
        ((1, 1), [1, 1, 0, 1], False),
        ((2, 12), [5, 4, 2, 1], True),
        ((4, 9, 8), [2, 2, 2, 2, 0, 0, 1, 1], False),
        ((4, 9, 8), [3, 2, 2, 3, 1, 1, 1, 1], True),
        ((2, 5, 6, 7), [2, 3, 3, 2, 1, 2, 1, 1, 0, 1, 1, 1], True),
    ):
        for mode in (0, 1, 2):
            attrs = {"mode": mode, "window": window}
            found.append(Case("pool", [x], lambda x, a=attrs, c=ceil: pooled(x, **a, ceil=c), attrs=attrs))
    wide_apart = {"mode": 0, "window": [3, 2, 1, 2, 1, 1, 4, 3]}
    found.append(Case("pool", [(2, 10, 8)], lambda x: pooled(x, **wide_apart, ceil=False), attrs=wide_apart))
    for a, b in (
        ((1, 1), (1, 1)),
        ((3, 7), (7, 17)),
        ((4, 5, 9), (4, 9, 16)),
        ((2, 1, 6, 8), (3, 8, 33)),
        ((5, 3), (4, 3, 1)),
    ):
        found.append(Case("matmul", [a, b], wide(torch.matmul), attrs={"turned": 0}))
        turned = (*b[:-2], b[-1], b[-2])
        found.append(Case("matmul", [a, turned], wide(lambda a, b: a @ b.mT), attrs={"turned": 1}))
    for shape, weight in (((), (1, 3)), ((5,), (4, 7)), ((2, 3), (9, 16))):
        found.append(Case("embedding", [shape], lambda x, w: w[x.long()], [weight], rows=weight[0]))
    for n, m in ((5, 8), (17, 16), (9, 33), (1, 1), (42, 64)):
        for kind, gates, function, attrs in (
            ("gru", 3, gru, {}),
            ("rnn", 1, rnn(torch.tanh), {"relu": 0}),
            ("rnn", 1, rnn(torch.relu), {"relu": 1}),
        ):
            bias = [(gates * m,), None] if n == 9 else [(gates * m,), (gates * m,)]
            found.append(Case(kind, [(n,), (m,)], function, [(gates * m, n), (gates * m, m), *bias], attrs, scale=0.3))
    return found


CASES = cases() + structured()


def difference(x: np.ndarray, ref: np.ndarray) -> float:
    """As docs/architecture.md and the command line define it."""
    return float(np.abs(x - ref).max() / max(1.0, np.abs(ref).max()))


def run(policy: Policy, case: Case) -> list[np.ndarray]:
    trace = policy.run([array[None] for array in case.given])
    return [output[0] for output in trace.outputs]


def test_every_operation_is_here() -> None:
    assert {case.kind for case in CASES} == set(KINDS)
    assert [name for name, *_ in UNARY] == list(ACTIVATIONS)


def test_python_and_c_have_one_list() -> None:
    found, i, rule = {}, 0, ffi().new("uint32_t[6]")
    while name := library().library_operation(i, rule):
        found[ffi().string(name).decode()] = tuple(rule)
        i += 1
    expected = {}
    for kind in KINDS.values():
        needed = sum(not name.endswith("?") for name in kind.tensors)
        attrs = 0xFFFF if any(name.endswith("*") for name in kind.attrs) else len(kind.attrs)
        expected[kind.name] = (kind.code, kind.inputs & 0xFFFF, kind.outputs, len(kind.tensors), needed, attrs)
    assert found == expected


@pytest.mark.parametrize("case", CASES, ids=str)
def test_against_torch(case: Case) -> None:
    policy = load(case.file)
    for x, ref in zip(run(policy, case), case.expected, strict=True):
        assert x.shape == ref.shape
        assert difference(x, ref) <= 2e-6
        exact = ("eq", "lt", "le", "floor", "round", "fmod", "remainder", "floor_divide", "integer", "sort", "gather")
        assert case.kind not in exact or np.array_equal(x, ref)
    assert policy.selftest() <= 2e-6


ENDS = ("relu", "exp", "log", "tanh", "sigmoid", "gelu", "sqrt", "silu", "softplus", "mish")
ENDS += ("sin", "cos", "floor", "round", "sign", "erf", "log2", "log10", "log1p", "exp2", "expm1")


@pytest.mark.parametrize("kind", ENDS)
def test_ends_of_the_range(kind: str) -> None:
    """Infinities, NaN, zeros, denormals and the largest numbers give what torch gives in double precision."""
    function, attrs = ACTIVATIONS[kind]
    x = np.array([0, -0.0, 1e-40, -1e-40, 1e-30, 88.5, -103.0, 3e38, -3e38, np.inf, -np.inf, np.nan], np.float32)
    file = Case(kind, [x.shape], function, attrs=attrs, positive=True).file
    found = load(file).run([x[None, None]]).outputs[0][0, 0]
    ref = function(torch.from_numpy(x).double()).float().numpy()
    ends = ~np.isfinite(ref)
    assert np.array_equal(found[ends], ref[ends], equal_nan=True)
    found, ref = found[~ends], ref[~ends]
    assert (np.abs(found - ref) <= 2e-6 * np.maximum(1, np.abs(ref))).all(), (found, ref)


# Bits


BUILDS = {
    "gcc -O0": ("gcc", "-O0", "-std=c99"),
    "gcc sse2": ("gcc", "-O3", "-std=c99", "-march=x86-64"),
    "gcc fused": ("gcc", "-O3", "-std=gnu17", "-march=native", "-ffp-contract=fast"),
    "gcc plain": ("gcc", "-O3", "-std=c99", "-march=native", "-DMINNOW_SCALAR"),
    "g++ fused": ("g++", "-O3", "-std=gnu++17", "-march=native", "-ffp-contract=fast", "-x", "c++"),
    "clang -O0": ("clang", "-O0", "-std=c99"),
    "clang -O3": ("clang", "-O3", "-std=c99", "-march=native"),
    "clang fused": ("clang", "-O3", "-std=gnu17", "-march=native", "-ffp-contract=fast"),
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folder = tmp_path_factory.mktemp("builds")

    @functools.cache
    def build(name: str) -> Path:
        path = folder / f"{name.replace(' ', '_')}.so"
        compiler, *flags = BUILDS[name]
        command = [compiler, *flags, "-shared", "-fPIC", str(ROOT / "cinfer" / "library.c"), "-o", str(path)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return path

    return build


# Of each compiler one, of the levels the lowest, both languages, and plain C; the others run in the long form.
SHORT = ("gcc -O0", "gcc plain", "g++ fused", "clang fused")


@pytest.mark.parametrize(
    "name", [*SHORT, *(pytest.param(name, marks=pytest.mark.full) for name in BUILDS if name not in SHORT)]
)
def test_bits_are_equal_among_builds(name: str, built: Callable[[str], Path]) -> None:
    path = built(name)
    for case in CASES:
        for x, y in zip(run(load(case.file), case), run(load(case.file, build=path), case), strict=True):
            assert x.tobytes() == y.tobytes(), f"{case}: {name} differs"


@pytest.mark.parametrize("simd", [True, False], ids=["simd128", "plain"])
@pytest.mark.parametrize("kind", [*dict.fromkeys(case.kind for case in CASES)])
def test_bits_are_equal_in_wasm(kind: str, simd: bool) -> None:
    chosen = [case for case in CASES if case.kind == kind]
    case = max(chosen, key=lambda case: sum(math.prod(shape) for shape in case.inputs))
    trace = wasm.run(case.file, [array[None] for array in case.given], simd=simd)
    for x, y in zip(run(load(case.file), case), trace.outputs, strict=True):
        assert x.tobytes() == y[0].tobytes()


# Recurrence


def recurrent(kind: str, inputs: int, hidden: int) -> tuple[bytes, Callable[[Tensor, list[Tensor]], list[Tensor]]]:
    """A policy of one cell, and torch's step of it."""
    rng = np.random.default_rng(5)
    rows, states = (4, 2) if kind == "lstm" else (2, 1)
    shapes = [(rows * hidden, inputs), (rows * hidden, hidden), (rows * hidden,), (rows * hidden,)]
    shapes = shapes if kind == "lstm" else [shapes[0], shapes[2]]
    tensors = [rng.uniform(-1, 1, s).astype(np.float32) * np.float32(2 / math.sqrt(hidden)) for s in shapes]
    graph = Graph(tensors=tensors, tensor_names=[f"t{i}" for i in range(len(tensors))])
    graph.values = [Value((inputs,)), *(Value((hidden,)) for _ in range(2 * states))]
    before, after = list(range(1, 1 + states)), list(range(1 + states, 1 + 2 * states))
    graph.inputs = [Input("x", 0)]
    graph.states = [State(f"s{i}", before[i], after[i]) for i in range(states)]
    graph.ops = [Op(kind, [0, *before], after, list(range(len(tensors))))]
    graph.outputs = [Output("y", after[0])]
    weights = [torch.from_numpy(t) for t in tensors]

    def step(x: Tensor, state: list[Tensor]) -> list[Tensor]:
        found = lstm(x, *state, *weights) if kind == "lstm" else mingru(x, *state, *weights)
        return list(found) if isinstance(found, tuple) else [found]

    x, state = torch.zeros(1, inputs), [torch.zeros(1, hidden) for _ in range(states)]
    found = []
    for _ in range(2):
        state = step(x, state)
        found.append(state)
    golden = format.Golden(
        [np.zeros((2, 1, inputs), np.float32)],
        [np.stack([s[0].numpy() for s in found])],
        [np.stack([s[i].numpy() for s in found]) for i in range(states)],
    )
    return format.write(graph, None, golden=golden), step


@pytest.mark.parametrize("kind", ["lstm", "mingru"])
def test_a_thousand_steps(kind: str) -> None:
    inputs, hidden = 42, 100
    data, step = recurrent(kind, inputs, hidden)
    rng = np.random.default_rng(6)
    xs = rng.normal(0, 1, (1000, AGENTS, inputs)).astype(np.float32)
    resets = {int(t): [int(t) % AGENTS, 3] for t in rng.integers(1, 1000, 40)}
    trace: Trace = load(data).run([xs], resets=resets)
    state = [torch.zeros(AGENTS, hidden) for _ in trace.states]
    with torch.no_grad():
        for t in range(1000):
            for s in state:
                s[resets.get(t, [])] = 0
            state = step(torch.from_numpy(xs[t]), state)
            for found, ref in zip(trace.states, state, strict=True):
                assert difference(found[t], ref.numpy()) <= 1e-5, t
    there = wasm.run(data, [xs], resets=resets)
    for found, again in zip(trace.states, there.states, strict=True):
        assert found.tobytes() == again.tobytes()
