"""Faults made on purpose, in the file, in minnow.h and in the ONNX model: the golden vectors and `verify` see each."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from sure import sure
from test_verify import rebind
from torch import nn
from torch.nn import functional as F

from minnow import envs
from minnow.cinfer import MinnowError, compile, load
from minnow.export import Discrete, export, format, parity
from minnow.export.graph import Graph
from minnow.export.verify import verify
from minnow.web.game import Game

HIDDEN = 16


class Policy(nn.Module):
    """A policy for Pong with all that the faults are about: normaliser, GELU, LSTM that does not start at 0, heads."""

    def __init__(self, size: int, choices: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.randn(size))
        self.register_buffer("std", torch.rand(size) + 0.5)
        self.encoder, self.lstm = nn.Linear(size, HIDDEN), nn.LSTM(HIDDEN, HIDDEN)
        self.logits, self.value = nn.Linear(HIDDEN, choices), nn.Linear(HIDDEN, 1)

    def forward(self, obs, state):
        x = F.gelu(self.encoder(((obs - self.mean) / self.std).clamp(-5, 5)))
        y, state = self.lstm(x.unsqueeze(0), state)
        return self.logits(y[0]), self.value(y[0]), state


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    spec = envs.spec("pong")
    size, choices = int(np.prod(spec.obs_shape)), spec.head[0].size
    path = tmp_path_factory.mktemp("mutations") / "policy.minnow"
    start = torch.full((1, 2, HIDDEN), 0.3), torch.full((1, 2, HIDDEN), -0.2)
    module = Policy(size, choices).eval()
    export(module, torch.randn(2, size), path, example_state=start, action=Discrete(choices))
    return path


@pytest.fixture
def policy(original: Path, tmp_path: Path) -> Path:
    """A copy to spoil, with all that belongs to it."""
    for path in original.parent.iterdir():
        shutil.copy(path, tmp_path)
    return tmp_path / original.name


def test_without_a_fault(policy: Path) -> None:
    assert load(policy).selftest() <= 1e-5
    assert Game("pong", policy.read_bytes()).selftest()[0]
    assert verify(policy).passed()


# ---- In the network: a fault of whoever writes the file.


def tensor(graph: Graph, name: str) -> np.ndarray:
    """A stored array, to be changed."""
    index = graph.tensor_names.index(name)
    graph.tensors[index] = graph.tensors[index].copy()
    return graph.tensors[index]


def gelu_by_tanh(graph: Graph) -> None:
    next(op for op in graph.ops if op.kind == "gelu").kind = "gelu_tanh"


def gates_swapped(graph: Graph) -> None:
    for name in ("lstm.weight_ih_l0", "lstm.weight_hh_l0", "lstm.bias_ih_l0", "lstm.bias_hh_l0"):
        rows = tensor(graph, name)
        rows[:] = np.concatenate([rows[HIDDEN : 2 * HIDDEN], rows[:HIDDEN], rows[2 * HIDDEN :]])


def normaliser_dropped(graph: Graph) -> None:
    tensor(graph, "mean")[:] = 0


def scale_dropped(graph: Graph) -> None:
    tensor(graph, "std")[:] = 1


def start_dropped(graph: Graph) -> None:
    graph.states[0].initial = -1


def head_shifted(graph: Graph) -> None:
    for name in ("logits.weight", "logits.bias"):
        rows = tensor(graph, name)
        rows[:] = np.roll(rows, 1, 0)


def states_exchanged(graph: Graph) -> None:
    first, second = graph.states
    first.after, second.after = second.after, first.after


NETWORK = [
    gelu_by_tanh,
    gates_swapped,
    normaliser_dropped,
    scale_dropped,
    start_dropped,
    head_shifted,
    states_exchanged,
]


@pytest.mark.parametrize("fault", NETWORK, ids=lambda fault: fault.__name__)
def test_in_the_network(policy: Path, fault: Callable[[Graph], None]) -> None:
    """Seen by minnow_selftest, by what the page shows, and by `verify`, with the parity file and without it."""
    file = format.read(policy)
    fault(file.graph)
    format.write(file.graph, policy, action=file.action, meta=file.meta, golden=file.golden)
    with pytest.raises(MinnowError, match="error 91"):
        load(policy).selftest()
    verified, difference = Game("pong", policy.read_bytes()).selftest()
    assert not verified and difference > 1e-5
    rebind(policy)
    verdict = verify(policy)
    assert not verdict.passed() and sure(verdict.found["onnx"]).passed  # ONNX is a witness of its own
    assert not sure(verdict.found["c"]).passed and not sure(verdict.found["wasm"]).passed
    parity.beside(policy).unlink()
    verdict = verify(policy)
    assert verdict.reference.origin == "golden"
    assert not sure(verdict.found["c"]).passed and not sure(verdict.found["wasm"]).passed


@pytest.mark.parametrize("steps", [1, -1], ids=["late", "early"])
def test_resets_at_another_step(policy: Path, steps: int) -> None:
    """A runtime that clears states one step too late or too early is one whose record is shifted the other way."""
    file = format.read(policy)
    moved = replace(file.golden, reset=np.roll(sure(file.golden.reset), steps, 0))
    with pytest.raises(MinnowError, match="error 91"):
        load(format.write(file.graph, None, action=file.action, golden=moved)).selftest()
    reference = parity.Reference.load(parity.beside(policy))
    reference.reset = np.roll(reference.reset, steps, 0)
    reference.save(parity.beside(policy))
    assert not any(sure(found).passed for found in verify(policy).found.values())


# ---- In minnow.h: a fault of the interpreter.

GELU = "v * 0.5f * (mnw_erf(v * 0.707106781f) + 1.0f)"
GATES = "*in = gates, *forget = in + n, *fresh = forget + n"
SOURCE = {
    "gates swapped": (GATES, "*forget = gates, *in = forget + n, *fresh = in + n"),
    "gelu by tanh": (GELU, "v * 0.5f * (mnw_tanh((v + v * v * v * 0.044715f) * 0.797884561f) + 1.0f)"),
    "constant of gelu": (GELU, GELU.replace("0.707106781f", "0.717106781f")),
    "reset of the next agent": (
        "    float *memory = session->memory;\n    if (agent >= session->agents)",
        "    float *memory = session->memory;\n    agent = (agent + 1) % session->agents;\n"
        "    if (agent >= session->agents)",
    ),
    "reset that does nothing": (
        "    float *memory = session->memory;\n    if (agent >= session->agents)",
        "    float *memory = session->memory;\n    if (memory)\n        return MINNOW_OK;\n"
        "    if (agent >= session->agents)",
    ),
    "reset to zero": (
        "memcpy(memory + size * agent, p->initial[i], 4 * size)",
        "memset(memory + size * agent, 0, 4 * size)",
    ),
}


@pytest.mark.parametrize("name", SOURCE)
def test_in_the_interpreter(original: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = SOURCE[name]
    text = (compile.HERE / "minnow.h").read_text()
    assert text.count(before) >= 1, "minnow.h reads differently now: make the fault anew"
    (tmp_path / "minnow.h").write_text(text.replace(before, after))
    shutil.copy(compile.HERE / "library.c", tmp_path)
    build = compile.shared(tmp_path / "library.c", flags=["-O1"], name="mutant")
    with pytest.raises(MinnowError, match="error 91"):
        load(original, build=build).selftest()
    monkeypatch.setattr("minnow.cinfer.load", lambda data: load(data, build=build))
    assert not sure(verify(original).found["c"]).passed


# ---- In the ONNX model.


def change(model: onnx.ModelProto, name: str, rows: Callable[[np.ndarray], np.ndarray]) -> None:
    """Another stored array in place of the one with that name."""
    item = next(item for item in model.graph.initializer if item.name == name)
    item.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(rows(numpy_helper.to_array(item))), name))


def onnx_gelu(model: onnx.ModelProto) -> None:
    found = [node for node in model.graph.node if node.op_type in ("Erf", "Gelu")]
    assert found
    for node in found:
        if node.op_type == "Erf":
            node.op_type = "Tanh"
        else:
            del node.attribute[:]
            node.attribute.append(onnx.helper.make_attribute("approximate", "tanh"))


def onnx_normaliser(model: onnx.ModelProto) -> None:
    node = next(node for node in model.graph.node if node.op_type == "Sub")
    node.op_type, node.input[:] = "Identity", node.input[:1]


def onnx_gates(model: onnx.ModelProto) -> None:
    lstm = next(node for node in model.graph.node if node.op_type == "LSTM")

    def swap(rows: np.ndarray) -> np.ndarray:  # [directions, 4 gates, inputs]
        parts = np.split(rows, 4, 1)
        return np.concatenate([parts[1], parts[0], *parts[2:]], 1)

    change(model, lstm.input[1], swap)


def onnx_head(model: onnx.ModelProto) -> None:
    change(model, "logits.bias", lambda rows: np.roll(rows, 1, 0))


@pytest.mark.parametrize("fault", [onnx_gelu, onnx_normaliser, onnx_gates, onnx_head], ids=lambda fault: fault.__name__)
def test_in_the_onnx_model(policy: Path, fault: Callable[[onnx.ModelProto], None]) -> None:
    model = onnx.load(policy.with_suffix(".onnx"))
    fault(model)
    onnx.save(model, policy.with_suffix(".onnx"))
    verdict = verify(policy)
    assert not verdict.passed() and not sure(verdict.found["onnx"]).passed
    assert sure(verdict.found["c"]).passed and sure(verdict.found["wasm"]).passed
