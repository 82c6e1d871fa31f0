"""Random architectures: exported, then held against torch in C and WebAssembly, and for extreme inputs against float64.

`MINNOW_SEED` chooses the architectures; a failure prints the one at fault with its own seed.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import hypothesis
import numpy as np
import pytest
import torch
from hypothesis import strategies as st
from sure import sure
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from minnow.cinfer import load, wasm
from minnow.export import format, parity
from minnow.export.lower import lower
from minnow.export.record import judged, record
from minnow.export.trace import Signature, trace

STEPS = 32
SEED = int(os.environ.get("MINNOW_SEED", "0"))

# All but Hardshrink and Threshold, which jump: where a number lies on the edge, rounding decides, in torch as here.
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    name: getattr(nn, name)
    for name in (
        *("CELU", "ELU", "GELU", "Hardsigmoid", "Hardswish", "Hardtanh", "LeakyReLU", "LogSigmoid"),
        *("Mish", "PReLU", "RReLU", "ReLU", "ReLU6", "SELU", "SiLU", "Sigmoid", "Softplus", "Softshrink", "Softsign"),
        *("Tanh", "Tanhshrink", "Identity"),
    )
} | {
    "GELU tanh": lambda: nn.GELU(approximate="tanh"),
    "Softmax": lambda: nn.Softmax(-1),
    "LogSoftmax": lambda: nn.LogSoftmax(-1),
}
NORMS = ("none", "layer", "rms", "batch", "group")
MEMORIES = ("none", "lstm", "gru", "rnn", "relu rnn", "lstm cell", "gru cell", "rnn cell", "mingru")


@dataclass(frozen=True)
class Conv:
    """One convolution of a picture, its activation and pool."""

    channels: int
    kernel: int
    stride: int
    padding: int
    dilation: int
    grouped: bool
    norm: str
    activation: str
    pool: str


@dataclass(frozen=True)
class Layer:
    """One layer of a trunk; it becomes a residual block where `residual`."""

    width: int
    activation: str
    norm: str
    residual: bool
    bias: bool


@dataclass(frozen=True)
class Architecture:
    """obs: one agent's shape: features, [entities, features] or a picture."""

    seed: int  # of the weights and inputs
    agents: int
    obs: tuple[int, ...]
    convs: tuple[Conv, ...]
    attention: tuple[int, bool]  # heads, and whether the mask depends on the entities
    trunk: tuple[Layer, ...]
    memory: str
    layers: int  # of the memory
    size: int  # of its state
    heads: tuple[int, ...]


@st.composite
def architectures(draw: st.DrawFn) -> Architecture:
    def number(low: int, high: int) -> int:
        return draw(st.integers(low, high))

    def one(*choices: Any) -> Any:
        return draw(st.sampled_from(choices))

    kind = one("features", "features", "entities", "line", "picture", "block")
    convs = []
    if kind == "features":
        obs = (number(1, 70),)
    elif kind == "entities":
        obs = (number(1, 6), number(1, 12))
    else:
        axes = {"line": 1, "picture": 2, "block": 3}[kind]
        obs = (number(1, 4), *(number(4, (20, 10, 6)[axes - 1]) for _ in range(axes)))
        convs = [
            Conv(
                channels=2 * number(1, 9),
                kernel=number(1, 4),
                stride=number(1, 2),
                padding=number(0, 2),
                dilation=number(1, 2),
                grouped=draw(st.booleans()),
                norm=one("none", "batch", "group"),
                activation=one(*(name for name in ACTIVATIONS if "oftmax" not in name)),
                pool=one("none", "none", "max", "mean", "adaptive"),
            )
            for _ in range(number(1, 2))
        ]
    trunk = []
    for _ in range(number(0, 3)):
        norm = one(*NORMS)
        # A norm of few numbers that may be nearly equal scales up whatever rounding left of them, in torch as here.
        width = number(16 if norm in ("layer", "rms", "group") else 1, 70)
        trunk.append(Layer(width, one(*ACTIVATIONS), norm, draw(st.booleans()), draw(st.booleans())))
    return Architecture(
        seed=number(0, 2**32 - 1),
        agents=one(number(1, 200), number(1, 20)),
        obs=obs,
        convs=tuple(convs),
        attention=(one(1, 2, 4), draw(st.booleans())),
        trunk=tuple(trunk),
        memory=one(*MEMORIES),
        layers=number(1, 2),
        size=number(1, 40),
        heads=tuple(number(1, 20) for _ in range(number(1, 3))),
    )


def norm_of(kind: str, width: int, axes: int = 0) -> nn.Module:
    if kind == "batch":
        norm = (nn.BatchNorm1d, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)[axes](width)
        sure(norm.running_mean).uniform_(-1, 1)
        sure(norm.running_var).uniform_(0.5, 2)
        return norm
    if kind == "group":
        return nn.GroupNorm(2 if width % 2 == 0 else 1, width)
    return {"none": nn.Identity, "layer": nn.LayerNorm, "rms": nn.RMSNorm}[kind](*[width] * (kind != "none"))


class Picture(nn.Module):
    """Convolutions, one after another while the picture lasts."""

    def __init__(self, shape: tuple[int, ...], convs: tuple[Conv, ...]) -> None:
        super().__init__()
        axes, channels = len(shape) - 1, shape[0]
        conv, most, mean, even = (
            getattr(nn, f"{name}{axes}d") for name in ("Conv", "MaxPool", "AvgPool", "AdaptiveAvgPool")
        )
        parts: list[nn.Module] = []
        sizes = list(shape[1:])
        for item in convs:
            dilation = item.dilation if min(sizes) > item.dilation * (item.kernel - 1) else 1
            kernel = min(item.kernel, min(sizes))
            groups = 2 if item.grouped and channels % 2 == 0 else 1
            parts.append(
                conv(channels, item.channels, kernel, item.stride, item.padding, dilation, groups, item.norm != "batch")
            )
            channels = item.channels
            parts += [norm_of(item.norm, channels, axes), ACTIVATIONS[item.activation]()]
            sizes = [(n + 2 * item.padding - dilation * (kernel - 1) - 1) // item.stride + 1 for n in sizes]
            if item.pool == "adaptive":
                parts.append(even(3))
                sizes = [3] * axes
            elif item.pool != "none" and min(sizes) > 2:
                parts.append((most if item.pool == "max" else mean)(3, 2, 1, ceil_mode=item.grouped))
                sizes = list(parts[-1](torch.zeros(1, channels, *sizes)).shape[2:])
        if channels * np.prod(sizes) > 1024:  # torch itself is 1e-5 from float64 in a product of thousands
            parts.append(even(2))
            sizes = [2] * axes
        self.parts, self.width = nn.Sequential(*parts), channels * int(np.prod(sizes))

    def forward(self, x: Tensor) -> Tensor:
        return self.parts(x).flatten(1)


class Entities(nn.Module):
    """Attention among the entities, a residual around it, and what all of them give together."""

    def __init__(self, shape: tuple[int, int], heads: int, masked: bool) -> None:
        super().__init__()
        self.width, self.masked = 4 * heads, masked
        self.first = nn.Linear(shape[1], self.width)
        self.attention = nn.MultiheadAttention(self.width, heads, batch_first=True)
        self.norm = nn.LayerNorm(self.width)

    def forward(self, x: Tensor) -> Tensor:
        mask = (x[..., 0] > 1) if self.masked else None
        if mask is not None:
            mask = mask & (torch.arange(x.shape[1]) > 0)  # one of them is always seen
        x = self.first(x)
        y = self.attention(x, x, x, key_padding_mask=mask, need_weights=self.masked)[0]
        x = self.norm(x + y)
        return torch.cat([x.mean(1), x.amax(1)], -1)


class Block(nn.Module):
    def __init__(self, width: int, layer: Layer) -> None:
        super().__init__()
        self.linear = nn.Linear(width, layer.width, layer.bias)
        self.norm, self.activation = norm_of(layer.norm, layer.width), ACTIVATIONS[layer.activation]()
        self.back = nn.Linear(layer.width, width) if layer.residual else None
        self.width = width if layer.residual else layer.width

    def forward(self, x: Tensor) -> Tensor:
        y = self.activation(self.norm(self.linear(x)))
        return y if self.back is None else x + self.back(y)


class Memory(nn.Module):
    """A recurrent part whose state is nested as torch has it."""

    def __init__(self, kind: str, width: int, size: int, layers: int) -> None:
        super().__init__()
        self.kind, self.size, self.layers = kind, size, layers if " cell" not in kind and kind != "mingru" else 1
        whole = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
        if kind in ("lstm", "gru", "rnn", "relu rnn"):
            more = {"nonlinearity": "relu"} if kind == "relu rnn" else {}
            self.cell = whole[kind.split()[-1]](width, size, layers, **more)
        elif kind == "mingru":
            self.cell = nn.Linear(width, 2 * size)
        else:
            self.cell = {"lstm cell": nn.LSTMCell, "gru cell": nn.GRUCell, "rnn cell": nn.RNNCell}[kind](width, size)

    def start(self, agents: int) -> Any:
        lone = "cell" in self.kind or self.kind == "mingru"
        zeros = torch.zeros(agents, self.size) if lone else torch.zeros(self.layers, agents, self.size)
        return (zeros, zeros.clone()) if "lstm" in self.kind else {"h": zeros}

    def forward(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        h = state if "lstm" in self.kind else state["h"]
        if self.kind == "mingru":
            hidden, gate = self.cell(x).chunk(2, -1)
            y = torch.lerp(h, torch.where(hidden >= 0, hidden + 0.5, hidden.sigmoid()), gate.sigmoid())
            return y, {"h": y}
        if "cell" in self.kind:
            h = self.cell(x, h)
            return (h[0], h) if "lstm" in self.kind else (h, {"h": h})
        y, h = self.cell(x.unsqueeze(0), h)
        return y.squeeze(0), h if "lstm" in self.kind else {"h": h}


class Policy(nn.Module):
    def __init__(self, arch: Architecture) -> None:
        super().__init__()
        self.encoder: nn.Module = nn.Identity()
        width = arch.obs[0]
        if arch.convs:
            self.encoder = Picture(arch.obs, arch.convs)
            width = self.encoder.width
        elif len(arch.obs) == 2:
            self.encoder = Entities(arch.obs, *arch.attention)
            width = 2 * self.encoder.width
        blocks = []
        for layer in arch.trunk:
            blocks.append(Block(width, layer))
            width = blocks[-1].width
        self.trunk = nn.Sequential(*blocks)
        self.memory = None if arch.memory == "none" else Memory(arch.memory, width, arch.size, arch.layers)
        width = width if self.memory is None else arch.size
        self.heads = nn.ModuleList(nn.Linear(width, n) for n in arch.heads)

    def forward(self, obs: Tensor, state: Any = None) -> Any:
        x = self.trunk(self.encoder(obs))
        if self.memory is None:
            return tuple(head(x) for head in self.heads)
        x, state = self.memory(x, state)
        return (*(head(x) for head in self.heads), state)


@dataclass
class Case:
    """An exported architecture and what torch made of its inputs."""

    arch: Architecture
    data: bytes
    inputs: np.ndarray  # [steps, agents, ...]
    resets: dict[int, list[int]]
    reference: parity.Reference


def difference(x: np.ndarray, ref: np.ndarray) -> float:
    return float(np.abs(x.astype(np.float64) - ref).max() / max(1.0, np.abs(ref).max()))


def check(arch: Architecture) -> Case:
    """Exports an architecture and holds C against torch."""
    torch.manual_seed(arch.seed)
    module = Policy(arch).eval()
    obs = torch.randn(min(arch.agents, 7), *arch.obs)
    state = None if module.memory is None else module.memory.start(len(obs))
    signature = Signature(module, obs, state, [f"y{i}" for i in range(len(arch.heads))])
    graph, unused = lower(trace(signature), signature)
    assert not unused
    reference = judged(signature, record(signature, STEPS, arch.agents, arch.seed))
    inputs, outputs, states = (
        [item[:2, :1] for item in group.values()] for group in (reference.obs, reference.outputs, reference.states)
    )
    data = format.write(graph, None, golden=format.Golden(inputs, outputs, states))
    resets = {step: np.flatnonzero(row).tolist() for step, row in enumerate(reference.reset) if row.any()}
    case = Case(arch, data, reference.obs["obs"], resets, reference)
    policy = load(data)
    trace_ = policy.run([case.inputs], resets=resets)
    agree(case, [*trace_.outputs, *trace_.states], "C")
    for scale, shape in ((0.0, (16, 1)), (1e-30, (8, 16)), (1e4, (8, 100))):
        extreme(arch, signature, policy, scale, shape)
    return case


def agree(case: Case, found: list[np.ndarray], where: str) -> None:
    names = [*case.reference.outputs], [*case.reference.states]
    outputs, states = found[: len(names[0])], found[len(names[0]) :]
    run = parity.Run(*(dict(zip(*pair, strict=True)) for pair in zip(names, (outputs, states), strict=True)))
    far = parity.difference(run, case.reference)
    assert far.passed, f"{where}: {far.words()}, seed {case.arch.seed}: {case.arch}"


def extreme(arch: Architecture, signature: Signature, policy: Any, scale: float, shape: tuple[int, int]) -> None:
    """Ours and torch's float32 beside float64, over steps and agents.

    Where numbers are huge, what saturates shows its rounding in the few rows alone that do not, so that either may be
    lucky: a case that looks bad gets more inputs, and counts with the largest distance of both over all of them."""
    random, double = np.random.default_rng(arch.seed), copy.deepcopy(signature.module).double()
    what = f"inputs of {scale:g}, seed {arch.seed}: {arch}"
    far = limit = 0.0
    for _ in range(16):
        inputs = random.normal(0, scale, (*shape, *arch.obs)).astype(np.float32)
        ours = policy.run([inputs])
        runs = [[*ours.outputs, *ours.states], *(steps(signature, m, inputs) for m in (signature.module, double))]
        for x, torch32, torch64 in zip(*runs, strict=True):
            finite = np.isfinite(torch32)
            assert np.isfinite(x[finite]).all(), f"not finite where torch is, {what}"
            good = finite & np.isfinite(torch64)
            if good.any():
                far = max(far, difference(x[good], torch64[good]))
                limit = max(limit, difference(torch32[good], torch64[good]))
        if far <= 4 * limit + 1e-6:
            return
    raise AssertionError(f"{far:.2g} from float64, torch is {limit:.2g}: {what}")


def steps(signature: Signature, module: nn.Module, inputs: np.ndarray) -> list[np.ndarray]:
    """Outputs and states of torch, [steps, agents, ...], in the type of the module's numbers."""
    kind = next(module.parameters()).dtype
    agents = inputs.shape[1]
    states = [leaf.one.unsqueeze(leaf.axis).repeat_interleave(agents, leaf.axis).to(kind) for leaf in signature.states]
    found = []
    for row in inputs:
        memory = [pytree.tree_unflatten(states, sure(signature.state_spec))] if states else []
        with torch.no_grad():
            outputs = module(torch.from_numpy(row).to(kind), *memory)
        if states:
            *outputs, memory = outputs
            states = pytree.tree_leaves(memory)
        after = [item.movedim(leaf.axis, 0) for item, leaf in zip(states, signature.states, strict=True)]
        found.append([item.numpy() for item in (*outputs, *after)])
    return [np.stack(items) for items in zip(*found, strict=True)]


def examine(count: int) -> list[Case]:
    """So many architectures, each of which passed in C."""
    cases: list[Case] = []

    @hypothesis.seed(SEED)
    @hypothesis.settings(
        max_examples=count,
        deadline=None,
        database=None,
        print_blob=False,
        phases=(hypothesis.Phase.generate,),
        suppress_health_check=list(hypothesis.HealthCheck),  # pyright: ignore[reportArgumentType]
    )
    @hypothesis.given(architectures())
    def run(arch: Architecture) -> None:
        hypothesis.note(f"MINNOW_SEED={SEED}")
        cases.append(check(arch))

    run()
    return cases


@pytest.fixture
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.timeout(3600)
@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("count", (8, pytest.param(300, marks=pytest.mark.full)))
def test_any_architecture_agrees(count: int) -> None:
    cases = examine(count)
    assert len(cases) >= count
    for start in range(0, len(cases), 10):
        chosen = cases[start : start + 10]
        jobs = [wasm.Job(case.data, [case.inputs], resets=case.resets) for case in chosen]
        for case, found in zip(chosen, wasm.run_all(jobs), strict=True):
            agree(case, [*found.outputs, *found.states], "WebAssembly")


def test_every_part_is_met() -> None:
    """The short form tries every sort of memory and encoder, most activations, and single agents as well as many."""
    met: list[Architecture] = []

    @hypothesis.seed(SEED)
    @hypothesis.settings(max_examples=300, deadline=None, database=None, phases=(hypothesis.Phase.generate,))
    @hypothesis.given(architectures())
    def run(arch: Architecture) -> None:
        met.append(arch)

    run()
    assert {arch.memory for arch in met} == set(MEMORIES)
    assert {len(arch.obs) for arch in met} == {1, 2, 3, 4}
    assert len({layer.activation for arch in met for layer in arch.trunk}) > 0.8 * len(ACTIVATIONS)
    assert min(arch.agents for arch in met) == 1 and max(arch.agents for arch in met) > 150
