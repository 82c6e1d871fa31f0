"""ONNX models: the file's outputs are those of ONNX Runtime, over 1,000 observations."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from test_importers import made
from torch import Tensor, nn

from minnow.cinfer import load
from minnow.cli.main import main
from minnow.export import Discrete, ExportError, importers
from minnow.export.exporter import export

ROWS, STEPS, AGENTS = 1000, 50, 20


class Mlp(nn.Module):
    """A normaliser, every plain activation, a norm, and two heads."""

    def __init__(self) -> None:
        super().__init__()
        parts = [nn.ELU(), nn.Tanh(), nn.ReLU(), nn.Sigmoid(), nn.LeakyReLU(), nn.Softplus(), nn.GELU(), nn.SiLU()]
        layers = [part for act in parts for part in (nn.Linear(16, 16), act)]
        self.first, self.body, self.norm = nn.Linear(5, 16), nn.Sequential(*layers), nn.LayerNorm(16)
        self.logits, self.value = nn.Linear(16, 4), nn.Linear(16, 1)

    def forward(self, obs: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.first(((obs - 0.5) / 2.0).clamp(-5, 5))
        hidden = self.norm(hidden + self.body(hidden)).reshape(obs.shape[0], 4, 4).transpose(1, 2).flatten(1)
        hidden = torch.cat([hidden[:, ::2], hidden[:, 1::2].softmax(-1)], 1)
        return self.logits(hidden), self.value(hidden)


class Convolutions(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            *(nn.Conv2d(3, 8, 4, 2, 1), nn.ReLU(), nn.Conv2d(8, 8, 3, groups=2), nn.ReLU(), nn.Flatten()),
            nn.Linear(8 * 6 * 6, 4),
        )

    def forward(self, obs: Tensor) -> Tensor:
        return self.net(obs / 255.0)


class Recurrent(nn.Module):
    def __init__(self, kind: str) -> None:
        super().__init__()
        self.rnn = (nn.LSTM if kind == "lstm" else nn.GRU)(5, 12, 2)
        self.head = nn.Linear(12, 4)

    def forward(self, obs: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        out, new = self.rnn(obs.unsqueeze(0), state if len(state) > 1 else state[0])
        return (self.head(out.squeeze(0)), *(new if isinstance(new, tuple) else (new,)))


def written(module: nn.Module, args: tuple[Tensor, ...], path: Path, names: list[str], results: list[str]) -> None:
    """As torch's older exporter writes it, opset 13."""
    axes = {name: {1 if "_in" in name or "_out" in name else 0: "batch"} for name in names + results}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(),
            args,
            str(path),
            input_names=names,
            output_names=results,
            dynamic_axes=axes,
            opset_version=13,
            dynamo=False,
        )


def near(found: np.ndarray, expected: np.ndarray) -> None:
    assert np.abs(found - expected).max() <= 1e-5 * max(1.0, float(np.abs(expected).max()))


def test_mlp(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    torch.manual_seed(1)
    path = tmp_path / "model.onnx"
    written(Mlp(), (torch.randn(3, 5),), path, ["obs"], ["logits", "value"])
    assert main(["export", "--from", "onnx", str(path), "-o", str(tmp_path / "policy.minnow")]) == 0
    obs = np.random.default_rng(1).standard_normal((ROWS, 5)).astype(np.float32) * 3
    out = load(tmp_path / "policy.minnow").session(ROWS).step(obs)
    logits, value = onnxruntime.InferenceSession(str(path)).run(None, {"obs": obs})
    near(out.logits, logits)
    near(out.outputs[1], value)
    top = np.sort(logits, 1)
    assert ((out.action[:, 0] == logits.argmax(1)) | (top[:, -1] - top[:, -2] < 1e-5)).all()


def test_convolutions(tmp_path: Path) -> None:
    torch.manual_seed(1)
    path = tmp_path / "model.onnx"
    written(Convolutions(), (torch.randn(3, 3, 16, 16),), path, ["obs"], ["logits"])
    obs = np.random.default_rng(1).uniform(0, 255, (ROWS, 3, 16, 16)).astype(np.float32)
    out = made(importers.load("onnx", path)).session(ROWS).step(obs)
    near(out.logits, onnxruntime.InferenceSession(str(path)).run(None, {"obs": obs})[0])


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_recurrent(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    path, names = tmp_path / "model.onnx", ["h_in", "c_in"][: 2 if kind == "lstm" else 1]
    state = tuple(torch.zeros(2, 3, 12) for _ in names)
    after = [name.replace("_in", "_out") for name in names]
    written(Recurrent(kind), (torch.randn(3, 5), *state), path, ["obs", *names], ["actions", *after])
    file = made(importers.load("onnx", path, outputs=("mean",), low=-2.0, high=2.0))
    session, runtime = file.session(AGENTS), onnxruntime.InferenceSession(str(path))
    random = np.random.default_rng(1)
    memory = {name: np.zeros((2, AGENTS, 12), np.float32) for name in names}
    for obs in random.standard_normal((STEPS, AGENTS, 5)).astype(np.float32):
        again = np.flatnonzero(random.random(AGENTS) < 0.1)
        session.reset(again)
        for item in memory.values():
            item[:, again] = 0
        mean, *new = runtime.run(None, {"obs": obs} | memory)
        memory = dict(zip(names, new, strict=True))
        near(session.step(obs).action, mean.clip(-2, 2))


def test_our_own_models_come_back(tmp_path: Path) -> None:
    """What `minnow export` writes as ONNX, made by torch's newer exporter, gives the same policy again."""
    torch.manual_seed(1)

    class Policy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell, self.head = nn.LSTM(5, 12), nn.Linear(12, 4)

        def forward(self, obs: Tensor, state: Any) -> Any:
            out, state = self.cell(obs.unsqueeze(0), state)
            return self.head(out.squeeze(0)), state

    start = (torch.zeros(1, 4, 12), torch.zeros(1, 4, 12))
    export(
        *(Policy().eval(), torch.randn(4, 5), tmp_path / "first.minnow"),
        example_state=start,
        outputs=("logits",),
        action=Discrete(4),
    )
    again = made(importers.load("onnx", tmp_path / "first.onnx")).session(AGENTS)
    first = load(tmp_path / "first.minnow").session(AGENTS)
    for obs in np.random.default_rng(1).standard_normal((STEPS, AGENTS, 5)).astype(np.float32):
        near(again.step(obs).logits, first.step(obs).logits)


def test_faults(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"no model")
    with pytest.raises(ExportError, match="no ONNX model"):
        importers.load("onnx", path)
    make = onnx.helper
    ends = [make.make_tensor_value_info(name, 1, ["n", 3]) for name in ("obs", "logits")]

    def write(kind: str, opset: int) -> None:
        graph = make.make_graph([make.make_node(kind, ["obs"], ["logits"])], "g", ends[:1], ends[1:])
        onnx.save(make.make_model(graph, opset_imports=[make.make_opsetid("", opset)], ir_version=8), path)

    write("Sinh", 13)
    with pytest.raises(ExportError, match="the operation Sinh"):
        importers.load("onnx", path)
    write("Tanh", 11)
    with pytest.raises(ExportError, match="opset 11"):
        importers.load("onnx", path)
