"""Small modules of every kind: traced, lowered, and run in C and WebAssembly beside torch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from sure import sure
from torch import nn
from torch.nn import functional as F

from minnow.export import onnx, parity
from minnow.export.backends import run_onnx, run_wasm
from minnow.export.exporter import build

B = 3  # agents in the examples


class Parts(nn.Module):
    """What the functions below are made of."""

    def __init__(self, forward: Callable) -> None:
        super().__init__()
        self.function = forward
        self.linear = nn.Linear(6, 6)
        self.small = nn.Linear(3, 5)
        self.matrix = nn.Parameter(torch.randn(6, 4))
        self.norm = nn.LayerNorm(6)
        self.batch_norm = nn.BatchNorm1d(6)
        sure(self.batch_norm.running_mean).uniform_(-1, 1)
        sure(self.batch_norm.running_var).uniform_(0.5, 2)
        self.drop = nn.Dropout(0.5)
        self.lstm = nn.LSTM(6, 5)
        self.stack = nn.LSTM(6, 5, 2, batch_first=True)
        self.bare = nn.LSTM(6, 5, bias=False)
        self.cell = nn.LSTMCell(6, 5)
        self.gru = nn.GRU(6, 5)
        self.gru_cell = nn.GRUCell(6, 5)
        self.gate, self.candidate = nn.Linear(6, 5), nn.Linear(6, 5)
        self.register_buffer("mean", torch.randn(6))
        self.register_buffer("scale", torch.rand(6) + 0.5)

    def forward(self, *args):
        return self.function(self, *args)


STATELESS = {
    # Activations
    "relu": lambda m, x: F.relu(x),
    "relu in place": lambda m, x: F.relu_(m.linear(x)),
    "leaky_relu": lambda m, x: F.leaky_relu(x, 0.3),
    "elu": lambda m, x: F.elu(x, 0.7),
    "selu": lambda m, x: F.selu(x),
    "gelu": lambda m, x: F.gelu(x),
    "gelu tanh": lambda m, x: F.gelu(x, approximate="tanh"),
    "silu": lambda m, x: F.silu(x),
    "mish": lambda m, x: F.mish(x),
    "softplus": lambda m, x: F.softplus(x, 2.0, 3.0),
    "softsign": lambda m, x: F.softsign(x),
    "tanh": lambda m, x: x.tanh(),
    "sigmoid": lambda m, x: x.sigmoid(),
    "log_sigmoid": lambda m, x: F.logsigmoid(x),
    "hardsigmoid": lambda m, x: F.hardsigmoid(x),
    "hardswish": lambda m, x: F.hardswish(x),
    "hardtanh": lambda m, x: F.hardtanh(x, -0.5, 2.0),
    "relu6": lambda m, x: F.relu6(x * 5),
    "glu": lambda m, x: F.glu(x),
    "prelu": lambda m, x: F.prelu(x, m.mean),
    "tanhshrink": lambda m, x: F.tanhshrink(x),
    # Arithmetic
    "clamp": lambda m, x: x.clamp(-0.5, 1.0),
    "clamp below": lambda m, x: x.clamp(min=0.25),
    "clamp by tensors": lambda m, x: x.clamp(m.mean - 1, m.mean + 1),
    "abs neg": lambda m, x: -x.abs(),
    "exp": lambda m, x: (x * 0.3).exp(),
    "log": lambda m, x: (x.abs() + 0.1).log(),
    "sqrt rsqrt": lambda m, x: x.abs().sqrt() + (x.square() + 1).rsqrt(),
    "reciprocal": lambda m, x: 1 / (x.abs() + 1),
    "powers": lambda m, x: x**2 + x**3 - x**4 / 8 + (x.abs() + 1) ** -0.5,
    "numbers": lambda m, x: 2 - x * 3 + x / 4 - 1,
    "alpha": lambda m, x: torch.add(x, m.mean, alpha=2) - torch.sub(m.mean, x, alpha=0.5),
    "normalise": lambda m, x: ((x - m.mean) / m.scale).clamp(-5, 5),
    "minimum maximum": lambda m, x: torch.minimum(x, m.mean) + torch.maximum(m.scale, x),
    "lerp": lambda m, x: torch.lerp(x, m.mean, 0.3),
    "addcmul": lambda m, x: torch.addcmul(x, x, m.mean, value=2.0),
    "broadcast rows": lambda m, x: (x.view(-1, 2, 3) * torch.tensor([[2.0], [3.0]])).flatten(1),
    "broadcast columns": lambda m, x: x.unsqueeze(1) + x.unsqueeze(2),
    "broadcast in front": lambda m, x: (torch.ones(4, 1, 6) * x).movedim(0, 1),
    "integers in": lambda m, x: x * (torch.arange(6) + 1),
    "in place": lambda m, x: (x + 1).mul_(m.scale).sub_(1),
    # Products
    "linear": lambda m, x: m.linear(x),
    "linear over rows": lambda m, x: m.small(x.view(-1, 2, 3)),
    "agents folded in": lambda m, x: m.small(x.reshape(-1, 3)).reshape(x.shape[0], -1),
    "matmul": lambda m, x: x @ m.matrix,
    "vector": lambda m, x: x @ m.mean,
    "addmm": lambda m, x: torch.addmm(m.mean[:4], x, m.matrix, beta=0.5, alpha=2),
    "dropout off": lambda m, x: m.drop(m.linear(x)),
    # Whole axes
    "softmax": lambda m, x: x.softmax(-1),
    "log_softmax": lambda m, x: F.log_softmax(x * 3, dim=1),
    "softmax inside": lambda m, x: x.view(-1, 2, 3).softmax(1),
    "softmin": lambda m, x: F.softmin(x, 1),
    "sum mean": lambda m, x: x.view(-1, 2, 3).sum(2) + x.view(-1, 2, 3).mean((1, 2)).unsqueeze(1),
    "max min": lambda m, x: x.max(-1).values - x.amin(1),
    "logsumexp": lambda m, x: torch.logsumexp(x, 1, keepdim=True),
    "norm": lambda m, x: x.norm(dim=1),
    "unit": lambda m, x: F.normalize(x, dim=-1),
    "layer_norm": lambda m, x: m.norm(x),
    "layer_norm of two": lambda m, x: F.layer_norm(x.view(-1, 2, 3), (2, 3)),
    "rms_norm": lambda m, x: F.rms_norm(x, (6,), m.scale),
    "batch_norm": lambda m, x: m.batch_norm(x),
    # Moving elements
    "identity": lambda m, x: x,
    "slice": lambda m, x: x[:, 1:5:2],
    "from behind": lambda m, x: x[..., -2:] * x[:, -1:],
    "half": lambda m, x: x[:, : x.size(1) // 2],
    "select": lambda m, x: x[:, 2],
    "pick": lambda m, x: x[:, [5, 0, 1, 1]],
    "flip": lambda m, x: x.view(-1, 2, 3).flip(1, 2),
    "cat": lambda m, x: torch.cat([x, m.mean.expand_as(x), x[:, :2]], -1),
    "cat inside": lambda m, x: torch.cat([x.view(-1, 2, 3), torch.zeros(x.shape[0], 1, 3)], 1),
    "stack": lambda m, x: torch.stack([x, m.mean.repeat(x.shape[0], 1)], 1),
    "chunk": lambda m, x: (lambda a, b: a * b)(*x.chunk(2, -1)),
    "split": lambda m, x: torch.split(x, [1, 5], 1)[1],
    "unbind": lambda m, x: x.unbind(1)[3],
    "permute": lambda m, x: x.view(-1, 2, 3).permute(0, 2, 1).flatten(1),
    "transpose of agents": lambda m, x: (x.t() * 2).t(),
    "agents last": lambda m, x: x.view(-1, 2, 3).permute(2, 1, 0).tanh().permute(2, 0, 1),
    "squeeze": lambda m, x: x.unsqueeze(0).unsqueeze(-1).squeeze(-1).squeeze(0),
    "unflatten": lambda m, x: x.unflatten(1, (3, 2)).flatten(1),
    "repeat": lambda m, x: x.repeat(1, 2),
    "fixed mask": lambda m, x: torch.where(m.mean > 0, x, m.scale) + x.masked_fill(m.mean > 0, 2.0),
    "expand": lambda m, x: x.unsqueeze(1).expand(-1, 3, -1),
    "constant": lambda m, x: x.new_full((x.shape[0], 2), 0.5),
    "copies": lambda m, x: x.clone().contiguous().detach(),
    "no_grad": lambda m, x: torch.no_grad()(m.linear)(x),
}


def cell_state(size: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.zeros(B, size), torch.zeros(B, size)


def lstm_state(layers: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.zeros(layers, B, 5), torch.zeros(layers, B, 5)


def lstm(m, x, state):
    y, state = m.lstm(x.unsqueeze(0), state)
    return y.squeeze(0), state


def lstm_without_bias(m, x, state):
    y, state = m.bare(x.unsqueeze(0), state)
    return y.squeeze(0), state


def two_layers(m, x, state):
    y, (h, c) = m.stack(x.unsqueeze(1), (state["h"], state["c"]))
    return y[:, 0], {"h": h, "c": c}


def cell(m, x, state):
    state = m.cell(x, state)
    return state[0], state


def gru(m, x, state):
    y, state = m.gru(x.unsqueeze(0), state)
    return y[0], state


def gru_cell(m, x, state):
    state = m.gru_cell(x, state[0])
    return state, [state]


def min_gru(m, x, state):
    z = m.gate(x).sigmoid()
    state = (1 - z) * state + z * m.candidate(x)
    return state, state


def candidate(x):
    return torch.where(x >= 0, x + 0.5, x.sigmoid())


def min_gru_fused(m, x, state):
    """As its authors write it, by lerp."""
    state = torch.lerp(state, candidate(m.candidate(x)), m.gate(x).sigmoid())
    return state, state


def min_gru_of_one_matrix(m, x, state):
    """Hidden and gate in one product, and (1 - z) h + z g."""
    hidden, gate = (x @ m.matrix).chunk(2, -1)
    z = gate.sigmoid()
    state = (1 - z) * state + z * candidate(hidden)
    return state, state


def nest(m, x, state):
    """An LSTM in a dictionary beside a moving average, and a state that is handed on as it came."""
    y, state["lstm"] = m.lstm(x.unsqueeze(0), state["lstm"])
    mean = 0.9 * state["rest"][0] + 0.1 * x
    return y.squeeze(0) + mean.sum(-1, keepdim=True), {"lstm": state["lstm"], "rest": [mean, state["rest"][1]]}


def frames(m, x, state):
    """The last three observations."""
    state = torch.cat([state[:, 1:], x.unsqueeze(1)], 1)
    return m.linear(state).mean(1), state


def swap(m, x, state):
    """What was seen a step and two steps ago: state leaves that take each other's places."""
    return state[0] - 2 * state[1], (x, state[0])


RECURRENT = {
    "lstm": (lstm, lstm_state()),
    "lstm without bias": (lstm_without_bias, lstm_state()),
    "two layers, batch first": (two_layers, dict(zip("hc", lstm_state(2), strict=True))),
    "lstm cell": (cell, cell_state()),
    "gru": (gru, lstm_state()[0]),
    "gru cell": (gru_cell, [cell_state()[0]]),
    "min gru": (min_gru, cell_state()[0]),
    "min gru, fused": (min_gru_fused, cell_state()[0]),
    "min gru, one matrix": (min_gru_of_one_matrix, cell_state(2)[0]),
    "nest": (nest, {"lstm": lstm_state(), "rest": [torch.zeros(B, 6), torch.full((B, 2), 0.5)]}),
    "frames": (frames, torch.zeros(B, 3, 6)),
    "swap": (swap, cell_state(6)),
    "starts elsewhere": (min_gru, torch.linspace(-1, 1, 5).repeat(B, 1)),
}


def agree(module: nn.Module, *args, **kwargs):
    """Exports in memory; `build` itself holds C against torch. Then WebAssembly, which gives the same bits as C."""
    built = build(module.eval(), *args, **kwargs)
    found = parity.difference(run_wasm(built.data, built.reference), built.reference)
    assert found == built.c
    return built


@pytest.mark.parametrize("function", STATELESS.values(), ids=STATELESS.keys())
def test_stateless(function):
    torch.manual_seed(0)
    agree(Parts(function), torch.randn(B, 6), outputs=("out",))


@pytest.mark.parametrize("function, state", RECURRENT.values(), ids=RECURRENT.keys())
def test_recurrent(function, state):
    torch.manual_seed(0)
    built = agree(Parts(function), torch.randn(B, 6), example_state=state, outputs=("out",))
    assert all(item.any() for item in built.reference.outputs.values())
    fused = function in (min_gru_fused, min_gru_of_one_matrix)
    assert ([op.kind for op in built.graph.ops] == ["mingru"]) == fused


@pytest.mark.parametrize("last, kind", ((6, "mix"), (1, "add")))
def test_a_mixture_of_one_shape_is_one_operation(last: int, kind: str) -> None:
    def highway(self: Parts, x: torch.Tensor) -> torch.Tensor:
        p = torch.sigmoid(x[:, :last])
        return p * torch.tanh(x) + (1 - p) * x

    built = agree(Parts(highway), torch.randn(B, 6), outputs=("out",))
    assert [op.kind for op in built.graph.ops if op.kind in ("mix", "add", "mul", "sub")][-1] == kind
    assert ("mul" in {op.kind for op in built.graph.ops}) == (kind == "add")


@pytest.mark.parametrize("agents", (1, 2, 5))
def test_examples_of_any_number_of_agents(agents):
    """One agent and one layer: two axes of size 1, of which only one can count the agents."""
    torch.manual_seed(0)
    state = torch.zeros(1, agents, 5), torch.zeros(1, agents, 5)
    built = agree(Parts(lstm), torch.randn(agents, 6), example_state=state, outputs=("out",))
    assert [leaf.axis for leaf in built.signature.states] == [1, 1]


class Dictionary(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.image, self.body = nn.Linear(12, 4), nn.Linear(3, 4)

    def forward(self, obs):
        image = self.image(obs["image"].float().flatten(1) / 255)
        joints, (count,) = obs["body"]
        return (image + self.body(joints)).tanh(), count.float().sum(1)


def test_observations_of_any_nest_and_dtype():
    torch.manual_seed(0)
    obs = {
        "image": torch.randint(256, (B, 3, 4), dtype=torch.uint8),
        "body": (np.random.default_rng(0).standard_normal((B, 3)).astype(np.float32), [torch.ones(B, 2).int()]),
    }
    built = agree(Dictionary(), obs)
    names = {item.name: built.graph.values[item.value].dtype for item in built.graph.inputs}
    assert names == {"body.0": "f32", "body.1.0": "i32", "image": "u8"}


ONNX = ("lstm", "two layers, batch first", "gru", "nest", "starts elsewhere")


@pytest.mark.parametrize("name", (*ONNX, "dictionary"))
def test_onnx_agrees(name, tmp_path):
    torch.manual_seed(0)
    if name == "dictionary":
        obs = {"image": torch.zeros(B, 3, 4).byte(), "body": (torch.zeros(B, 3), [torch.ones(B, 2).int()])}
        built = build(Dictionary().eval(), obs)
    else:
        function, state = RECURRENT[name]
        built = build(Parts(function).eval(), torch.randn(B, 6), example_state=state, outputs=("out",))
    twin = onnx.convert(built.program, built.signature, {"policy_sha256": built.reference.sha256})
    (tmp_path / "p.onnx").write_bytes(twin)
    assert parity.difference(run_onnx(tmp_path / "p.onnx", built.reference), built.reference).passed


class Heads(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.trunk, self.mean, self.value = nn.Linear(6, 8), nn.Linear(8, 2), nn.Linear(8, 1)
        self.log_std = nn.Parameter(torch.tensor([-0.5, 0.25]))

    def forward(self, obs):
        x = F.silu(self.trunk(obs))
        mean = self.mean(x)
        return mean, self.log_std.expand_as(mean), self.value(x).squeeze(-1), x


def test_outputs_keep_order_and_roles():
    torch.manual_seed(0)
    built = agree(Heads(), torch.randn(B, 6), outputs=("mean", "log_std", "value", "features"))
    found = [(item.name, item.role, built.graph.values[item.value].shape) for item in built.graph.outputs]
    wanted = [("mean", "mean", (2,)), ("log_std", "log_std", (2,)), ("value", "value", ()), ("features", "other", (8,))]
    assert found == wanted


def network(order: tuple[str, ...]) -> nn.Module:
    """The same function, its parameters registered in another order and under other names."""
    generator = torch.Generator().manual_seed(0)
    weights = {name: torch.randn(6, 6, generator=generator) for name in "abc"}

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for name in order:
                self.register_parameter(f"{name}_{order[0]}", nn.Parameter(weights[name]))

        def forward(self, obs):
            a, b, c = (getattr(self, f"{name}_{order[0]}") for name in "abc")
            return ((obs @ a).tanh() @ b).relu() @ c

    return Network()


def test_order_and_names_of_parameters_change_nothing():
    obs = torch.randn(B, 6)
    built = [agree(network(order), obs, outputs=("out",)) for order in (("a", "b", "c"), ("c", "a", "b"))]
    for other in built[1:]:
        assert [item.tobytes() for item in other.graph.tensors] == [item.tobytes() for item in built[0].graph.tensors]
        np.testing.assert_array_equal(other.reference.outputs["out"], built[0].reference.outputs["out"])


def test_shared_weights_are_stored_once_and_unused_ones_named():
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.extra = nn.Linear(6, 6), nn.Linear(6, 6, bias=False), nn.Linear(6, 2)
            self.second.weight = self.first.weight
            self.alias = self.first

        def forward(self, obs):
            self.extra(obs)  # computed, but nothing depends on it
            return self.second(self.alias(obs))

    built = agree(Tied(), torch.randn(B, 6), outputs=("out",))
    assert sorted(item.size for item in built.graph.tensors) == [6, 36]
    assert built.unused == ["extra.bias", "extra.weight"]
    assert [op.kind for op in built.graph.ops] == ["linear", "linear"]


def test_the_module_is_left_as_it_was():
    module = Parts(nest).train()
    before = {name: item.clone() for name, item in module.state_dict().items()}
    state = RECURRENT["nest"][1]
    build(module.eval(), torch.randn(B, 6), example_state=state, outputs=("out",))
    module.train()
    assert all(torch.equal(item, before[name]) for name, item in module.state_dict().items())
    assert all(item.requires_grad for item in module.parameters())
    module.linear(torch.randn(2, 6)).sum().backward()
    assert module.linear.weight.grad is not None
