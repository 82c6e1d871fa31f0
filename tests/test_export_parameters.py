"""Names and order of a module's parameters mean nothing to the file: what forward computes is what is written."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from sure import sure
from torch import nn
from torch.nn import functional as F

from minnow.cinfer import load
from minnow.export import export
from minnow.export.exporter import Built, build

# Made in each order, kept under the names of the other orders. All have equal shapes, so that nothing but forward
# tells which is which.
PARTS = ("encoder", "body", "recurrent", "head")


def network(order: tuple[str, ...], names: dict[str, str]) -> nn.Module:
    torch.manual_seed(0)
    weights = {part: nn.LSTMCell(8, 8) if part == "recurrent" else nn.Linear(8, 8) for part in PARTS}

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for part in order:
                self.add_module(names[part], weights[part])

        def forward(self, obs, state):
            encoder, body, recurrent, head = (getattr(self, names[part]) for part in PARTS)
            h, c = recurrent(F.gelu(body(torch.tanh(encoder(obs)))), state)
            return head(h), (h, c)

    return Network().eval()


OBS = torch.randn(4, 8, generator=torch.Generator().manual_seed(1))
STATE = torch.zeros(4, 8), torch.zeros(4, 8)


def outputs(built: Built) -> list[bytes]:
    steps = np.random.default_rng(0).normal(0, 1, (6, 5, 8)).astype(np.float32)
    trace = load(built.data).run([steps], resets={3: [0, 2]})
    return [array.tobytes() for array in (*trace.outputs, *trace.states)]


def made(module: nn.Module) -> Built:
    return build(module, OBS, example_state=STATE, outputs=("logits",))


def test_order_and_names_change_no_bit() -> None:
    plain = {part: part for part in PARTS}
    expected = outputs(made(network(PARTS, plain)))
    assert outputs(made(network(PARTS, {part: f"z{i}" for i, part in enumerate(reversed(PARTS))}))) == expected
    orders = list(itertools.permutations(PARTS))[1::7]
    assert len(orders) >= 4
    for order in orders:
        renamed: dict[str, str] = dict(zip(PARTS, order, strict=True))  # each under another's name
        assert outputs(made(network(order, plain))) == expected
        assert outputs(made(network(order, renamed))) == expected


def test_swapped_weights_are_another_policy() -> None:
    """The outputs follow the weights, not where they are registered."""
    plain = {part: part for part in PARTS}
    module: Any = network(PARTS, plain)
    expected = outputs(made(module))
    module.encoder.weight, module.body.weight = module.body.weight, module.encoder.weight
    changed = made(module)  # holds parity with torch, or it raises
    assert outputs(changed) != expected
    module.encoder.weight, module.body.weight = module.body.weight, module.encoder.weight
    assert outputs(made(module)) == expected


def tied(module: nn.Module) -> nn.Module:
    second, first = module.get_submodule("second"), module.get_submodule("first")
    second.weight = first.weight
    return module


class Two(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.spare = nn.Linear(8, 8), nn.Linear(8, 8), nn.LSTM(8, 3)
        self.unused = nn.Parameter(torch.zeros(3))

    def forward(self, obs):
        return self.second(torch.relu(self.first(obs)))


class Copied(Two):
    """Equal numbers in two places."""

    def __init__(self) -> None:
        super().__init__()
        self.second.load_state_dict(self.first.state_dict())


@pytest.mark.parametrize(
    "make, tensors", [(Two, 4), (lambda: tied(Two()), 3), (Copied, 2)], ids=["two", "tied", "copied"]
)
def test_stored_once_and_unused_named(make: Callable[[], nn.Module], tensors: int, tmp_path) -> None:
    report = export(make().eval(), torch.zeros(2, 8), tmp_path / "p.minnow", outputs=("logits",))
    names = ["spare.bias_hh_l0", "spare.bias_ih_l0", "spare.weight_hh_l0", "spare.weight_ih_l0", "unused"]
    assert report.unused == names and all(name in report.line() for name in names)
    assert report.card["unused"] == names and "spare.weight_hh_l0" in (tmp_path / "p.md").read_text()
    sizes = {4: 2 * 72, 3: 64 + 16, 2: 72}
    assert report.parameters == sizes[tensors]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("onnx") / "p.minnow"
    module = network(PARTS, {part: part for part in PARTS})
    report = export(module, OBS, path, example_state=STATE, outputs=("logits",), meta={"environment": "game"})
    return sure(report.onnx).read_bytes()


@pytest.mark.parametrize("agents", [1, 2, 7, 200])
def test_onnx_runs_for_any_number_of_agents(model: bytes, agents: int) -> None:
    """Beside torch itself, over steps, the state going out and in."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    properties = session.get_modelmeta().custom_metadata_map
    assert properties["environment"] == "game" and len(properties["policy_sha256"]) == 64
    module = network(PARTS, {part: part for part in PARTS})
    state = torch.zeros(agents, 8), torch.zeros(agents, 8)
    fed = [leaf.numpy() for leaf in state]
    for step in range(4):
        obs = torch.randn(agents, 8, generator=torch.Generator().manual_seed(step))
        with torch.no_grad():
            logits, state = module(obs, state)
        names = {item.name: None for item in session.get_inputs()}
        given = {"obs": obs.numpy(), "state.0": fed[0], "state.1": fed[1]}
        assert set(names) == set(given)
        answers: Any = session.run(["logits", "next_state.0", "next_state.1"], given)
        found, *fed = answers
        np.testing.assert_allclose(found, logits.numpy(), atol=1e-5)
        for ours, theirs in zip(fed, state, strict=True):
            np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-5)
