"""docs/format.md is enough: a reader written from it alone gives what minnow.h gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from reader import OPERATIONS, Reader
from sure import sure
from test_cinfer_ops import CASES
from torch import nn
from torch.nn import functional as F

from minnow.cinfer import load
from minnow.export import Box, Discrete, MultiDiscrete, format
from minnow.export.exporter import build
from minnow.export.ops import BY_CODE

ROOT = Path(__file__).resolve().parent.parent


def far(found: np.ndarray, expected: np.ndarray) -> float:
    """max |x - ref| / max(1, largest |ref|); the same places must be finite."""
    assert found.shape == expected.shape
    finite = np.isfinite(expected)
    assert np.array_equal(np.isfinite(found), finite)
    if not finite.any():
        return 0.0
    return np.abs(found[finite] - expected[finite]).max() / max(1.0, np.abs(expected[finite]).max())


def test_every_operation_is_read() -> None:
    assert set(OPERATIONS) == set(BY_CODE), "tests/reader.py must know what docs/format.md and export/ops.py list"
    assert {case.kind for case in CASES} == {kind.name for kind in BY_CODE.values()}


@pytest.mark.parametrize("kind", [kind.name for kind in BY_CODE.values()])
def test_operation(kind: str) -> None:
    for case in [case for case in CASES if case.kind == kind]:
        inputs = [np.stack([array, array]) for array in case.given]
        expected = load(case.file).run(inputs).outputs
        reader = Reader(case.file)
        found, _ = reader.step(case.given, reader.start(len(case.given[0])))
        for ours, theirs in zip(found, expected, strict=True):
            assert far(ours, theirs[0]) <= 1e-5, case


class Memory(nn.Module):
    """A recurrent policy that normalises, with a state that does not start at zero."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.randn(6))
        self.encoder, self.lstm = nn.Linear(6, 12), nn.LSTM(12, 8)
        self.logits, self.value = nn.Linear(8, 5), nn.Linear(8, 1)

    def forward(self, obs, state):
        x = F.gelu(self.encoder((obs - self.mean).clamp(-5, 5)))
        y, state = self.lstm(x.unsqueeze(0), state)
        return self.logits(y[0]), self.value(y[0]), state


class Pixels(nn.Module):
    """Bytes and a vector, to a continuous action."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.mean = nn.Conv2d(2, 4, 3, 2, 1), nn.Linear(39, 2)
        self.norm = nn.LayerNorm(39)

    def forward(self, obs):
        x = F.relu(self.conv(obs["image"].float() / 255)).flatten(1)
        return self.mean(self.norm(torch.cat([x, obs["speed"]], 1)))


class Heads(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.attention = nn.Linear(6, 16), nn.MultiheadAttention(4, 2, batch_first=True)
        self.logits = nn.Linear(16, 5)

    def forward(self, obs):
        x = torch.tanh(self.body(obs)).view(-1, 4, 4)
        return self.logits((x + self.attention(x, x, x, need_weights=False)[0]).flatten(1))


def made(kind: str) -> bytes:
    torch.manual_seed(0)
    obs = torch.randn(4, 6)
    if kind.startswith("recurrent"):
        state = torch.full((1, 4, 8), 0.5), torch.zeros(1, 4, 8)
        data = build(Memory().eval(), obs, example_state=state, action=Discrete(5)).data
        dtype = kind.partition(" ")[2]
        if not dtype:
            return data
        file = format.read(data)
        dtypes = [dtype] * len(file.graph.tensors)
        return format.write(file.graph, None, action=file.action, golden=file.golden, dtypes=dtypes)
    if kind == "heads":
        return build(Heads().eval(), obs, outputs=("logits",), action=MultiDiscrete([3, 2])).data
    image = torch.randint(256, (4, 2, 5, 5), dtype=torch.uint8)
    squash = "tanh" if kind == "pixels" else "clip"
    action = Box([-1, 0], [1, 2], squash=squash)
    return build(Pixels().eval(), {"image": image, "speed": obs[:, :3]}, outputs=("mean",), action=action).data


SHIPPED = {path.stem: path for path in (ROOT / "web" / "policies").glob("*.minnow")}
KINDS = ["recurrent", "recurrent f16", "recurrent int8", "heads", "pixels", "clipped", *SHIPPED]


@pytest.mark.parametrize("kind", KINDS)
def test_policy(kind: str) -> None:
    """Five steps of seven agents, two of whom start anew: outputs, states and actions."""
    data = SHIPPED[kind].read_bytes() if kind in SHIPPED else made(kind)
    policy, reader, rng = load(data), Reader(data), np.random.default_rng(0)
    inputs = [
        (
            rng.normal(0, 2, (5, 7, *spec.shape))
            if spec.dtype.kind == "f"
            else rng.integers(256, size=(5, 7, *spec.shape))
        ).astype(spec.dtype)
        for spec in policy.inputs
    ]
    trace = policy.run(inputs, resets={2: [1, 4]})
    states = reader.start(7)
    for step in range(5):
        if step == 2:
            for state, start in zip(states, reader.start(7), strict=True):
                state[[1, 4]] = start[[1, 4]]
        outputs, states = reader.step([array[step] for array in inputs], [array.copy() for array in states])
        states = [array.copy() for array in states]
        for ours, theirs in zip(outputs + states, trace.outputs + trace.states, strict=True):
            assert far(ours, theirs[step]) <= 1e-5
        np.testing.assert_allclose(sure(reader.act(outputs)), sure(trace.action)[step], atol=1e-5)
    assert reader.meta == policy.meta


@pytest.mark.parametrize("kind", ["recurrent", "heads", "pixels"])
def test_golden_vectors(kind: str) -> None:
    reader = Reader(made(kind))
    assert reader.selftest() <= 1e-5
    reader.operations[-1].tensors[0] = reader.operations[-1].tensors[0] * 1.01
    assert reader.selftest() > 1e-5
