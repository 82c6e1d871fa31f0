"""ONNX models: the file's outputs are those of ONNX Runtime, over 1,000 observations."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_nodes
import onnxruntime
import pytest
import torch
from sure import sure
from test_importers import made
from torch import Tensor, nn

from minnow.cinfer import load
from minnow.cli.main import main
from minnow.export import Discrete, ExportError, importers
from minnow.export import onnx as twins
from minnow.export.exporter import build
from minnow.export.importers.onnx import nodes, witness

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

    def forward(self, obs: Tensor, *state: Any) -> tuple[Tensor, ...]:
        out, new = self.rnn(obs.unsqueeze(0), state[0] if len(state) == 1 else state)
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


def runtime_of(path: Path) -> Any:
    return onnxruntime.InferenceSession(str(path))


def near(found: np.ndarray | None, expected: np.ndarray | None) -> None:
    found, expected = sure(found), sure(expected)
    assert np.abs(found - expected).max() <= 1e-5 * max(1.0, float(np.abs(expected).max()))


def test_mlp(tmp_path: Path) -> None:
    torch.manual_seed(1)
    path = tmp_path / "model.onnx"
    written(Mlp(), (torch.randn(3, 5),), path, ["obs"], ["logits", "value"])
    obs = np.random.default_rng(1).standard_normal((ROWS, 5)).astype(np.float32) * 3
    imported = importers.load("onnx", path)
    assert imported.witness.by.startswith("onnxruntime") and imported.witness.action.shape == (16, 16, 1)
    out = made(imported).session(ROWS).step(obs)
    logits, value = runtime_of(path).run(None, {"obs": obs})
    near(out.logits, logits)
    near(out.outputs[1], value)
    top = np.sort(logits, 1)
    assert ((sure(out.action)[:, 0] == logits.argmax(1)) | (top[:, -1] - top[:, -2] < 1e-5)).all()


@pytest.mark.full
def test_command(tmp_path: Path) -> None:
    path, out = text(tmp_path / "model.onnx", SAMPLED), tmp_path / "policy.minnow"
    words = ["export", "--from", "onnx", str(path), "-o", str(out), "--keep", "deterministic_actions"]
    assert main([*words, "--outputs", "mean", "--low", "-1", "--high", "1"]) == 0
    obs = np.ones((1, 3), np.float32)
    assert sure(load(out).session(1).step(obs).action).tolist() == [[1, 1]]


@pytest.mark.full
def test_convolutions(tmp_path: Path) -> None:
    torch.manual_seed(1)
    path = tmp_path / "model.onnx"
    written(Convolutions(), (torch.randn(3, 3, 16, 16),), path, ["obs"], ["logits"])
    obs = np.random.default_rng(1).uniform(0, 255, (ROWS, 3, 16, 16)).astype(np.float32)
    out = made(importers.load("onnx", path)).session(ROWS).step(obs)
    near(out.logits, runtime_of(path).run(None, {"obs": obs})[0])


@pytest.mark.full
@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_recurrent(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    path, names = tmp_path / "model.onnx", ["h_in", "c_in"][: 2 if kind == "lstm" else 1]
    state = tuple(torch.zeros(2, 3, 12) for _ in names)
    after = [name.replace("_in", "_out") for name in names]
    written(Recurrent(kind), (torch.randn(3, 5), *state), path, ["obs", *names], ["actions", *after])
    file = made(importers.load("onnx", path, outputs=("mean",), low=-2.0, high=2.0))
    session, runtime = file.session(AGENTS), runtime_of(path)
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


@pytest.mark.full
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
    built = build(*(Policy().eval(), torch.randn(4, 5)), example_state=start, outputs=("logits",), action=Discrete(4))
    (tmp_path / "first.onnx").write_bytes(twins.convert(built.program, built.signature, {}))
    again = made(importers.load("onnx", tmp_path / "first.onnx")).session(AGENTS)
    first = load(built.data).session(AGENTS)
    for obs in np.random.default_rng(1).standard_normal((STEPS, AGENTS, 5)).astype(np.float32):
        near(again.step(obs).logits, first.step(obs).logits)


# Kinds of nodes


def held(path: Path, seed: int = 1, **options: Any) -> None:
    """The file that a model becomes gives what ONNX Runtime does, on other observations than the import's own."""
    imported = importers.load("onnx", path, outputs=("out",), **options)
    network, runtime = imported.module, witness.Runtime(path, imported.module)
    obs, _ = witness.observations(network, runtime, ROWS, seed)
    out = made(imported).session(ROWS).step(obs if len(obs) > 1 else next(iter(obs.values())))
    expected = runtime.run(obs)[network.outputs[0]].reshape(ROWS, -1)
    far = np.abs(out.outputs[0].reshape(ROWS, -1) - expected) / np.maximum(1, np.abs(expected))
    # One row may differ: in it, two numbers on both sides of an edge may lie closer than rounding.
    assert (far.max(1) > 2e-5).sum() <= 1, np.unique(np.nonzero(far > 2e-5)[1])
    assert len(np.unique(expected.round(3), axis=0)) > 1, "a weak test: the outputs do not differ"


@pytest.mark.parametrize("name", onnx_nodes.CASES)
def test_nodes(name: str, tmp_path: Path) -> None:
    """The module gives what ONNX Runtime does: otherwise the import is refused (see test_a_difference_is_refused)."""
    path = onnx_nodes.write(onnx_nodes.CASES[name], tmp_path / "model.onnx")
    imported = importers.load("onnx", path, outputs=("out",))
    assert imported.outputs == ("out",) and imported.observation[0]["name"] == "x"


def families() -> dict[str, dict[str, onnx_nodes.Case]]:
    found: dict[str, dict[str, onnx_nodes.Case]] = {}
    for name, case in onnx_nodes.CASES.items():
        found.setdefault(f"{case.x} of opset {case.opset}", {})[name] = case
    return found


@pytest.mark.parametrize(
    "family",
    [
        pytest.param(family, marks=pytest.mark.full) if len(cases) > 9 else family
        for family, cases in families().items()
    ],
)
def test_nodes_in_files(family: str, tmp_path: Path) -> None:
    """Many nodes side by side; the families of very many are the long form's."""
    path = tmp_path / "model.onnx"
    onnx.save(onnx_nodes.merged(families()[family]), path)
    held(path)


@pytest.mark.full
@pytest.mark.parametrize("name", onnx_nodes.CASES)
def test_nodes_each_in_a_file(name: str, tmp_path: Path) -> None:
    held(onnx_nodes.write(onnx_nodes.CASES[name], tmp_path / "model.onnx"))


def text(path: Path, graph: str, opset: int = 17) -> Path:
    onnx.save(onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset}]> {graph}'), path)
    return path


# Inputs

INPUTS = {
    "int64 table": (
        "g (int64[n, 3] x) => (float[n, k] out) <float[5, 2] t = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}> "
        "{ e = Gather (t, x)  out = Flatten (e) }",
        ("int32", 0, 4),
    ),
    "int32": (
        "g (int32[n, 3] x) => (float[n, k] out) <int32 d = {7}, float s = {0.1}> "
        "{ m = Mod (x, d)  f = Cast <to = 1> (m)  out = Mul (f, s) }",
        ("int32", None, None),
    ),
    "int64 kinds": (
        "g (int64[n, 2] x) => (float[n, k] out) <int64 d = {4}, float[2] e = {0, 1}> "
        "{ h = OneHot (x, d, e)  out = Flatten (h) }",
        ("int32", None, None),
    ),
    "uint8": (
        "g (uint8[n, 4] x) => (float[n, 4] out) <float s = {255}> { f = Cast <to = 1> (x)  out = Div (f, s) }",
        ("uint8", 0, 255),
    ),
    "uint8 table": (
        "g (uint8[n, 4] x) => (float[n, k] out) <int64 d = {3}, float[2] e = {0, 1}> "
        "{ i = Cast <to = 7> (x)  h = OneHot (i, d, e)  out = Flatten (h) }",
        ("uint8", 0, 255),
    ),
    "bool": (
        "g (bool[n, 4] x) => (float[n, 4] out) <float a = {0.5}, float b = {-2}> "
        "{ m = Not (x)  out = Where (m, a, b) }",
        ("uint8", 0, 1),
    ),
    "double": (
        "g (double[n, 4] x) => (double[n, 2] out) <double[4, 2] w = {1, 2, 3, 4, 5, 6, 7, 8}> "
        "{ h = MatMul (x, w)  out = Tanh (h) }",
        ("float32", None, None),
    ),
}


@pytest.mark.parametrize("name", INPUTS)
def test_inputs(name: str, tmp_path: Path) -> None:
    """Whole numbers come as int32 or bytes, truth as bytes of 0 and 1, and what indexes a table is one of its rows."""
    graph, (dtype, low, high) = INPUTS[name]
    path = text(tmp_path / "model.onnx", graph)
    imported = importers.load("onnx", path, outputs=("out",))
    assert imported.obs["x"].dtype == np.dtype(dtype)
    said = imported.observation[0]
    assert (said.get("low"), said.get("high")) == (low, high)
    assert low is None or low <= imported.obs["x"].min() < imported.obs["x"].max() <= high
    held(path)


def test_masked_logits(tmp_path: Path) -> None:
    graph = """g (float[n, 4] obs, bool[n, 4] action_mask) => (float[n, 4] logits)
        <float[4, 4] w = {1, -2, 3, -4, 5, -6, 7, -8, 9, 1, 2, 3, 4, 5, 6, 7}, float low = {-1e8}>
        { h = MatMul (obs, w)  logits = Where (action_mask, h, low) }"""
    path = text(tmp_path / "model.onnx", graph)
    assert importers.load("onnx", path, outputs=("logits",)).action == Discrete(4)
    held(path)


# Recurrent layers

CELLS = {
    "LSTM": (4, "", 2),
    "LSTM reversed": (4, 'direction = "reverse"', 2),
    "GRU": (3, "linear_before_reset = 1", 1),
    "GRU, reset first": (3, "", 1),
    "RNN": (1, "", 1),
}


@pytest.mark.parametrize(
    "name",
    [name if name in ("LSTM", "GRU, reset first") else pytest.param(name, marks=pytest.mark.full) for name in CELLS],
)
@pytest.mark.parametrize("stateful", [True, False])
def test_cells(name: str, stateful: bool, tmp_path: Path) -> None:
    """ONNX's layers with their state, named as exporters of RL libraries do; without it they begin with zeros."""
    gates, settings, states = CELLS[name]
    random = np.random.default_rng(3)
    kind = name.split()[0].strip(",")
    before, after = ([f"state_{way}_{i}" for i in range(states)] for way in ("in", "out"))
    settings = f"<hidden_size = 3{', ' + settings if settings else ''}>"
    inputs, outputs = ["float[n, 5] obs"], ["float[n, 3] out"]
    if stateful:
        inputs += [f"float[1, n, 3] {item}" for item in before]
        outputs += [f"float[1, n, 3] {item}" for item in after]
    graph = f"""g ({", ".join(inputs)}) => ({", ".join(outputs)}) <int64[1] a = {{0}}, int64[2] d = {{0, 1}}> {{
        u = Unsqueeze (obs, a)
        y, {", ".join(after)} = {kind} {settings} (u, w, r, b{f", , {', '.join(before)}" if stateful else ""})
        out = Squeeze (y, d) }}"""
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]> {graph}')
    for key, shape in {"w": (1, gates * 3, 5), "r": (1, gates * 3, 3), "b": (1, gates * 6)}.items():
        array = random.standard_normal(shape).astype(np.float32)
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, key))
    path = tmp_path / "model.onnx"
    onnx.save(model, path)
    imported = importers.load("onnx", path, outputs=("out",))
    assert (imported.state is not None) == stateful
    if not stateful:
        return
    session, runtime = made(imported).session(AGENTS), runtime_of(path)
    memory = {item: np.zeros((1, AGENTS, 3), np.float32) for item in before}
    for obs in random.standard_normal((9, AGENTS, 5)).astype(np.float32):
        out, *new = runtime.run(None, {"obs": obs} | memory)
        memory = dict(zip(memory, new, strict=True))
        near(session.step(obs).outputs[0], out)


@pytest.mark.full
@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_windows(kind: str, tmp_path: Path) -> None:
    """A layer over a window of history, in both directions."""
    random, gates, path = np.random.default_rng(3), {"LSTM": 4, "GRU": 3}[kind], tmp_path / "model.onnx"
    graph = f"""g (float[n, 3, 5] x) => (float[n, k] out) <int64[3] flat = {{0, 0, -1}}> {{
        t = Transpose <perm = [1, 0, 2]> (x)
        y, h = {kind} <hidden_size = 4, direction = "bidirectional"> (t, w, r, b)
        z = Transpose <perm = [2, 0, 1, 3]> (y)
        q = Reshape (z, flat)
        p = Flatten (q)
        s = Transpose <perm = [1, 0, 2]> (h)
        u = Flatten (s)
        out = Concat <axis = 1> (p, u) }}"""
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]> {graph}')
    for key, shape in {"w": (2, gates * 4, 5), "r": (2, gates * 4, 4), "b": (2, gates * 8)}.items():
        array = random.standard_normal(shape).astype(np.float32)
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, key))
    onnx.save(model, path)
    held(path)


# Models written for one agent


class Flattened(nn.Module):
    """Shapes of a batch of one end up as constants in many places."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(2, 3, 3), nn.Linear(3 * 16, 4)

    def forward(self, obs: Tensor) -> Tensor:
        hidden = torch.relu(self.first(obs))
        hidden = hidden.view(obs.shape[0], 3, -1).transpose(1, 2).reshape(1, -1)
        return self.last(torch.cat([hidden[:, ::2], hidden[:, 1::2]], 1)) + torch.zeros(1, 4)


def test_one_agent(tmp_path: Path) -> None:
    torch.manual_seed(1)
    path = tmp_path / "model.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(Flattened().eval(), (torch.randn(1, 2, 6, 6),), str(path), opset_version=11, dynamo=False)
    held(path)


def test_one_agent_with_memory(tmp_path: Path) -> None:
    """As the robot simulators' exporters write an LSTM: obs [1, 5], h_in and c_in [2, 1, 12]."""
    torch.manual_seed(1)
    path, names = tmp_path / "model.onnx", ["h_in", "c_in"]
    state = tuple(torch.zeros(2, 1, 12) for _ in names)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            *(Recurrent("lstm").eval(), (torch.randn(1, 5), *state), str(path)),
            input_names=["obs", *names],
            output_names=["actions", "h_out", "c_out"],
            opset_version=11,
            dynamo=False,
        )
    session = made(importers.load("onnx", path, outputs=("mean",))).session(AGENTS)
    runtime = runtime_of(path)
    memory: list[dict[str, Any]] = [{name: np.zeros((2, 1, 12), np.float32) for name in names} for _ in range(AGENTS)]
    for obs in np.random.default_rng(1).standard_normal((9, AGENTS, 5)).astype(np.float32):
        found = sure(session.step(obs).action)
        for i, own in enumerate(memory):
            mean, *after = runtime.run(None, {"obs": obs[i : i + 1]} | own)
            own.update(zip(names, after, strict=True))
            near(found[i : i + 1], mean)


def test_one_agent_alone(tmp_path: Path) -> None:
    """Where the batch is taken away, several agents cannot be told apart."""
    path = text(tmp_path / "model.onnx", "g (float[1, 3] x) => (float[3] out) <int64 i = {0}> { out = Gather (x, i) }")
    with pytest.raises(ExportError, match=r"'out' has shape \[3\] for 1 agents"):
        importers.load("onnx", path)
    graph = """g (float[1, 3] x) => (float[1, 3] out) <int64 i = {0}, int64[1] a = {0}>
        { r = Gather (x, i)  u = Unsqueeze (r, a)  out = Tanh (u) }"""
    with pytest.raises(ExportError, match=r"'out' .* where the model is run 1 at a time"):
        importers.load("onnx", text(path, graph))


# Policies of libraries, as their documents export them


class Deterministic(nn.Module):
    """Stable-Baselines3's documented recipe: the policy's forward, deterministic."""

    def __init__(self, policy: Any) -> None:
        super().__init__()
        self.policy = policy

    def forward(self, observation: Tensor) -> Any:
        return self.policy(observation, deterministic=True)


class Greedy(nn.Module):
    """The action of a Q-network: the first of its largest values."""

    def __init__(self, policy: Any) -> None:
        super().__init__()
        self.net = policy.q_net

    def forward(self, observation: Tensor) -> Tensor:
        return self.net(observation).argmax(1).reshape(-1, 1)


LIBRARIES = {  # policy, observations, actions, exporter, opset
    "PPO": ("PPO", "MlpPolicy", "vector", "box", "older", 11),
    "DQN, newer exporter": ("DQN", "MlpPolicy", "vector", "choice", "newer", 18),
    "A2C, choices": ("A2C", "MlpPolicy", "vector", "choice", "older", 17),
    "PPO, images": ("PPO", "CnnPolicy", "image", "choice", "older", 17),
    "DQN": ("DQN", "MlpPolicy", "vector", "choice", "older", 13),
}


@pytest.mark.full
@pytest.mark.parametrize("batch", ["one", "free"])
@pytest.mark.parametrize("name", LIBRARIES)
def test_policies_of_stable_baselines(name: str, batch: str, tmp_path: Path) -> None:
    """The output of each policy's model is what the library's policy gives, for observations it had not seen."""
    import stable_baselines3
    from gymnasium import spaces
    from test_importers import Game

    kind, policy, seen, acts, exporter, opset = LIBRARIES[name]
    image = spaces.Box(0, 255, (3, 36, 36), np.uint8)
    vector = spaces.Box(-np.inf, np.inf, (5,), np.float32)
    action = spaces.Discrete(4) if acts == "choice" else spaces.Box(-9, 9, (2,), np.float32)
    game = Game(image if seen == "image" else vector, action)
    options = {"buffer_size": 99} if kind == "DQN" else {}
    agent = getattr(stable_baselines3, kind)(policy, game, seed=1, device="cpu", **options).policy.eval()
    module = Greedy(agent) if kind == "DQN" else Deterministic(agent)
    rows = 1 if batch == "one" else 3
    shown = torch.from_numpy(np.random.default_rng(0).integers(0, 255, (rows, *image.shape), dtype=np.uint8))
    example = shown if seen == "image" else torch.randn(rows, 5)
    path = tmp_path / "model.onnx"
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        if exporter == "newer":
            axes = {"observation": {0: torch.export.Dim("agents", min=1)}} if batch == "free" else None
            torch.onnx.export(
                *(module, (example,), str(path)), dynamo=True, dynamic_shapes=axes, opset_version=opset, verbose=False
            )
        else:
            axes = {"input": {0: "batch"}} if batch == "free" else None
            torch.onnx.export(
                *(module, (example,), str(path)),
                input_names=["input"],
                dynamic_axes=axes,
                opset_version=opset,
                dynamo=False,
            )
    imported = importers.load("onnx", path, keep=(onnx.load(path).graph.output[0].name,), outputs=("action",))
    random = np.random.default_rng(2)
    obs = random.integers(0, 256, (ROWS, *image.shape)) if seen == "image" else random.standard_normal((ROWS, 5))
    obs = obs.astype(example.numpy().dtype)
    with torch.no_grad():
        expected = module(torch.from_numpy(obs))
    expected = (expected[0] if isinstance(expected, tuple) else expected).numpy().reshape(ROWS, -1)
    found = made(imported).session(ROWS).step(obs).outputs[0].reshape(ROWS, -1)
    assert (np.abs(found - expected).max(1) > 1e-4).sum() <= 2, name  # two logits closer to each other than rounding


# What is kept

SAMPLED = """g (float[n, 3] obs_0, float[n, 2] action_masks, float[n, 1, 4] recurrent_in)
    => (float[1] version_number, float[n, 2] continuous_actions, float[n, 2] deterministic_actions,
        float[n, 1, 4] recurrent_out)
    <float[3, 2] w = {1, 2, 3, -4, 5, 6}, float[1] three = {3}, float[3, 4] v = {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3},
     int64[1] one = {1}> {
    version_number = Identity (three)
    deterministic_actions = MatMul (obs_0, w)
    noise = RandomNormalLike (deterministic_actions)
    drawn = Add (deterministic_actions, noise)
    continuous_actions = Mul (drawn, action_masks)
    m = MatMul (obs_0, v)
    u = Unsqueeze (m, one)
    s = Add (u, recurrent_in)
    recurrent_out = Tanh (s) }"""


def test_nodes_that_nothing_kept_needs(tmp_path: Path) -> None:
    path = text(tmp_path / "model.onnx", SAMPLED)
    with pytest.raises(ExportError, match=r"RandomNormalLike \(node 3 of 9, 'noise'\) draws random numbers.*--keep"):
        importers.load("onnx", path)
    with pytest.raises(ExportError, match=r"'version_number' depends on no input: .*deterministic_actions"):
        importers.load("onnx", path, keep=("version_number", "deterministic_actions"))
    with pytest.raises(ExportError, match="no output 'actions' to keep: version_number, "):
        importers.load("onnx", path, keep=("actions",))
    imported = importers.load("onnx", path, keep=("deterministic_actions",), outputs=("mean",))
    assert list(imported.obs) == ["obs_0"] and imported.meta["left_out"] == ["action_masks"]
    obs = np.random.default_rng(1).standard_normal((AGENTS, 3)).astype(np.float32)
    weights = np.array([[1, 2], [3, -4], [5, 6]], np.float32)
    near(made(imported).session(AGENTS).step(obs).action, obs @ weights)


# Faults


def test_a_difference_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kind of node that computes anything else is found out, in a part of the numbers too."""
    case = onnx_nodes.Case("p = Less (x, h)  y = Where (p, g, x)", stored="float h = {1}, float g = {3}")
    path = onnx_nodes.write(case, tmp_path / "model.onnx")
    known = nodes.table()
    monkeypatch.setitem(known, "Less", known["LessOrEqual"])  # differs where a whole number is the edge
    with pytest.raises(ExportError, match=r"the output 'out' is .* from ONNX Runtime's"):
        importers.load("onnx", path)


REFUSED = {
    "the operation Det .node 2 of 2, 'y'. is not known": "{ a = Neg (x)  y = Det (a) }",
    "node 1 of 2, NonZero 'z', .*depends on the observation": "{ z = NonZero (x)  y = Cast <to = 1> (z) }",
    "node 1 of 1, ReduceSum 'y', .*mixes agents": "{ y = ReduceSum (x) }",
    "node 3 of 3, Reshape 'y', .*depends on the observation": "<int64 o = {0}> "
    "{ r = Gather (x, o)  i = Cast <to = 7> (r)  y = Reshape (x, i) }",
    r"the output 'y' has shape \[2, 4\] for 256 agents": "<int64[1] s = {1}, int64[1] e = {3}> { y = Slice (x, s, e) }",
    "the output 'y' has shape .* for 256 agents": "{ y = Transpose (x) }",
    "cannot be loaded by ONNX Runtime": "<float[3, 5] w = {1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 1, 2, 3, 4, 5}> "
    "{ y = MatMul (x, w) }",
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused_by_place(message: str, tmp_path: Path) -> None:
    path = text(tmp_path / "model.onnx", f"g (float[n, 4] x) => (float[n, m] y) {REFUSED[message]}")
    with pytest.raises(ExportError, match=message):
        importers.load("onnx", path)


def test_types_of_weights(tmp_path: Path) -> None:
    """Half as many bits become float32 (here 1, 2, 3 and 4, as they are stored); text cannot."""
    path = tmp_path / "model.onnx"
    graph = """g (float[n, 2] x) => (float[n, 2] y) <bfloat16[2, 2] w = {16256, 16384, 16448, 16512}>
        { f = Cast <to = 1> (w)  y = MatMul (x, f) }"""
    network = importers.load("onnx", text(path, graph), outputs=("out",)).module
    assert network({"x": torch.ones(1, 2)}).tolist() == [[4, 6]]
    graph = """g (float[n, 2] x) => (float[n, 2] y) { s = Constant <value_string = "1"> ()
        f = Cast <to = 1> (s)  y = Add (x, f) }"""
    with pytest.raises(ExportError):
        importers.load("onnx", text(path, graph))


def test_faults(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"no model")
    with pytest.raises(ExportError, match="no ONNX model"):
        importers.load("onnx", path)
    with pytest.raises(ExportError, match="opset 6"):
        importers.load("onnx", text(path, "g (float[n, 3] x) => (float[n, 3] y) { y = Tanh (x) }", 6))
    with pytest.raises(ExportError, match=r"'x' has free sizes on the axes \[0, 1\]"):
        importers.load("onnx", text(path, "g (float[n, t, 3] x) => (float[n, t, 3] y) { y = Tanh (x) }"))
    with pytest.raises(ExportError, match="'x' has ONNX's type 8"):
        importers.load("onnx", text(path, "g (string[n, 3] x) => (string[n, 3] y) { y = Identity (x) }"))
    split = "g (float[n, 4] x) => (float[n, 2] y) { a, b, y = Split <axis = 1, num_outputs = 2> (x) }"
    with pytest.raises(ExportError, match="node 1 of 1, Split 'a', has 3 outputs, and its num_outputs says 2"):
        importers.load("onnx", text(path, split, 18))
    whole = text(path, "g (float[n, 3] x) => (float[n, 3] y) { y = Tanh (x) }").read_bytes()
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        with pytest.raises(ExportError):
            importers.load("onnx", path)


def test_what_minnow_cannot_express_is_named_by_its_node(tmp_path: Path) -> None:
    """ONNX Runtime computes it, and export refuses it: a largest number over all agents."""
    graph = """g (float[n, 4] x) => (float[n, 4] y) <int64[1] a = {0}>
        { b = Neg (x)  m = ReduceMax (b, a)  y = Sub (b, m) }"""
    imported = importers.load("onnx", text(tmp_path / "model.onnx", graph, 18), outputs=("out",))
    with pytest.raises(
        ExportError, match=r"in layer \"node 2 of 3, ReduceMax 'm'\" cannot be exported: it mixes agents"
    ):
        made(imported)
