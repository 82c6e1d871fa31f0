"""skrl's checkpoints: the file's actions are those of the models its instantiators build, over 1,000 observations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from importer_cases import VECTOR
from skrl.resources.preprocessors.torch import RunningStandardScaler
from skrl.utils.model_instantiators import torch as instantiators
from test_importers import ROWS, agree, made, observations, spread
from torch import Tensor, nn

from minnow.export import Discrete, ExportError, importers

BOX = spaces.Box(-1, 1, (3,), np.float32)
NET = [{"name": "net", "input": "OBSERVATIONS", "layers": [32, 32], "activations": "elu"}]
CHAIN = [
    {"name": "features", "input": "OBSERVATIONS", "layers": [16], "activations": "relu"},
    {"name": "net", "input": "features", "layers": [16, 16], "activations": ["tanh", ""]},
]
SAID: dict[str, Any] = {"activation": "elu", "output": "ACTIONS"}
BOUNDS = {"low": -1.0, "high": 1.0}
CHOICE = {"kind": "categorical", "sizes": 4}
TANH = {"output": "tanh(ACTIONS)"}
# kind of the model, space of actions, network, whether a scaler stands before it, what must be said
TABLE: dict[str, tuple[str, Any, list[Any], bool, dict[str, Any]]] = {
    "gaussian": ("gaussian", BOX, NET, False, BOUNDS),
    "gaussian-scaler": ("gaussian", BOX, NET, True, BOUNDS | {"clip": 5.0}),
    "gaussian-unbounded": ("gaussian", BOX, NET, False, {"unbounded": True}),
    "gaussian-tanh": ("gaussian", BOX, NET, False, {"unbounded": True} | TANH),
    "gaussian-chain": (
        *("gaussian", BOX, CHAIN, False),
        BOUNDS | {"activation": ("relu", "tanh", "identity"), "containers": ("features", "net")},
    ),
    "gaussian-shared": ("shared", BOX, NET, False, BOUNDS),
    "gaussian-shared-scaler": ("shared", BOX, NET, True, BOUNDS | {"clip": 5.0}),
    "multivariate": ("multivariate_gaussian", BOX, NET, False, BOUNDS),
    "multivariate-scaler": ("multivariate_gaussian", BOX, NET, True, BOUNDS | {"clip": 5.0}),
    "categorical": ("categorical", spaces.Discrete(4), NET, False, CHOICE),
    "categorical-scaler": ("categorical", spaces.Discrete(4), NET, True, CHOICE | {"clip": 5.0}),
    "categorical-shared": ("shared", spaces.Discrete(4), NET, False, CHOICE),
    "multicategorical": (
        *("multicategorical", spaces.MultiDiscrete([3, 2]), NET, False),
        {"kind": "categorical", "sizes": (3, 2)},
    ),
    "multicategorical-scaler": (
        *("multicategorical", spaces.MultiDiscrete([3, 2]), NET, True),
        {"kind": "categorical", "sizes": (3, 2), "clip": 5.0},
    ),
    "deterministic": ("deterministic", BOX, NET, False, BOUNDS | {"kind": "deterministic"}),
    "deterministic-tanh": ("deterministic", BOX, NET, True, BOUNDS | TANH | {"kind": "deterministic", "clip": 5.0}),
    "values": ("values", spaces.Discrete(4), NET, False, {}),
    "values-scaler": ("values", spaces.Discrete(4), NET, True, {"clip": 5.0}),
}
SHORT = (
    "gaussian",
    "gaussian-scaler",
    "gaussian-chain",
    "gaussian-shared",
    "multicategorical",
    "deterministic-tanh",
    "values",
)


def model_of(kind: str, action: Any, network: list[Any], output: str) -> Any:
    common = {"observation_space": VECTOR, "action_space": action, "device": "cpu"}
    settings = {"network": network, "output": output}
    torch.manual_seed(1)
    if kind == "shared":
        mixin = "GaussianMixin" if isinstance(action, spaces.Box) else "CategoricalMixin"
        found = instantiators.shared_model(
            structure=[mixin, "DeterministicMixin"],
            roles=["policy", "value"],
            parameters=[settings, settings | {"output": "ONE"}],
            **common,
        )
    else:
        build = getattr(instantiators, f"{'deterministic' if kind == 'values' else kind}_model")
        found: Any = build(**common, **settings)
    for role in ("policy", "value") if kind == "shared" else ("policy",):
        found.act({"observations": torch.zeros(2, 5)}, role=role)
    return found


def checkpoint(path: Path, model: Any, values: bool = False, **more: Any) -> Path:
    """As an agent saves it."""
    other = {"optimizer": {"state": {0: {"exp_avg": torch.ones(2)}}, "param_groups": []}, **more}
    name = "q_network" if values else "policy"
    critic = "target_q_network" if values else "value"
    torch.save({name: model.state_dict(), critic: {"net_container.0.weight": torch.ones(1, 1)}, **other}, path)
    return path


@pytest.mark.parametrize("name", [n if n in SHORT else pytest.param(n, marks=pytest.mark.full) for n in TABLE])
@torch.no_grad()
def test_models(name: str, tmp_path: Path) -> None:
    kind, action, network, scaled, said = TABLE[name]
    options = SAID | said
    model = model_of(kind, action, network, options["output"])
    obs, scaler, more = torch.from_numpy(observations(VECTOR, ROWS) * 3 + 1), lambda rows: rows, {}
    if scaled:
        scaler = RunningStandardScaler(size=VECTOR, device="cpu")
        scaler(obs, train=True)
        more["observation_preprocessor"] = scaler.state_dict()

    def act() -> Tensor:
        actions, outputs = model.act({"observations": scaler(obs)}, role="policy")
        if isinstance(action, spaces.Box):
            return outputs.get("mean_actions", actions)
        scores = outputs.get("net_output", actions)
        heads = scores.split([3, 2] if isinstance(action, spaces.MultiDiscrete) else [4], 1)
        return torch.stack([head.argmax(1) for head in heads], 1)

    last = getattr(model, "policy_layer", None)
    spread(last if last is not None else [part for part in model.modules() if isinstance(part, nn.Linear)][-1], act)
    path = checkpoint(tmp_path / "agent_9.pt", model, kind == "values", **more)
    imported = importers.load("skrl", path, **options)
    assert imported.witness is not None
    expected = act().clamp(-1, 1) if "low" in said else act()
    file = made(imported)
    agree(file.session(ROWS).step(obs.numpy()), expected.numpy(), file.action)


def test_branches_are_not_read_as_a_chain(tmp_path: Path) -> None:
    """Of equal width, they fit one after another."""
    branch = {"input": "OBSERVATIONS", "layers": [5], "activations": "relu"}
    network = [{"name": "a", **branch}, {"name": "b", **branch, "input": "OBSERVATIONS + a"}]
    path = checkpoint(tmp_path / "agent.pt", model_of("gaussian", BOX, network, "ACTIONS"))
    with pytest.raises(ExportError, match="one after another or side by side: say --containers"):
        importers.load("skrl", path, **SAID, **BOUNDS)


def test_what_nobody_said(tmp_path: Path) -> None:
    scaler = RunningStandardScaler(size=VECTOR, device="cpu").state_dict()
    path = checkpoint(tmp_path / "agent.pt", model_of("gaussian", BOX, NET, "ACTIONS"), observation_preprocessor=scaler)
    given = {"activation": "elu", "output": "ACTIONS", "low": -1.0, "high": 1.0, "clip": 5.0}
    importers.load("skrl", path, **given)
    for name, words in (
        ("activation", "say --activation, one of elu"),
        ("output", r"say --output ACTIONS, or tanh\\(ACTIONS\\)"),
        ("low", "say --low and --high"),
        ("clip", "say --clip, which is 5"),
    ):
        with pytest.raises(ExportError, match=words.replace("\\\\", "\\")):
            importers.load("skrl", path, **{key: value for key, value in given.items() if key != name})
    path = checkpoint(tmp_path / "agent.pt", model_of("categorical", spaces.Discrete(4), NET, "ACTIONS"))
    for options, words in (({}, "say --kind categorical"), ({"kind": "categorical"}, "say --sizes 4 for one choice")):
        with pytest.raises(ExportError, match=words):
            importers.load("skrl", path, **SAID, **options)
    with pytest.raises(ExportError, match="no log_std_parameter, and --kind is gaussian"):
        importers.load("skrl", path, **SAID, kind="gaussian")


def test_places_show_where_there_is_no_activation(tmp_path: Path) -> None:
    path = checkpoint(
        tmp_path / "agent.pt",
        model_of("gaussian", BOX, [NET[0] | {"layers": [8, 8], "activations": ["elu", ""]}], "ACTIONS"),
    )
    with pytest.raises(ExportError, match="are at 0, 2, 3"):
        importers.load("skrl", path, **SAID, **BOUNDS)


def test_several_agents(tmp_path: Path) -> None:
    model = model_of("gaussian", BOX, NET, "ACTIONS")
    agents = {name: {"policy": model.state_dict(), "value": {"x": torch.ones(1)}} for name in ("left", "right")}
    torch.save(agents, tmp_path / "agent.pt")
    with pytest.raises(ExportError, match="say --agent, one of left, right"):
        importers.load("skrl", tmp_path / "agent.pt", **SAID, **BOUNDS)
    importers.load("skrl", tmp_path / "agent.pt", **SAID, **BOUNDS, agent="left")


def test_no_tensor_is_dropped(tmp_path: Path) -> None:
    model = model_of("gaussian", BOX, NET, "ACTIONS")
    path = checkpoint(tmp_path / "agent.pt", model, gate={"weight": torch.ones(2, 2)})
    with pytest.raises(ExportError, match=r"gate\.weight, which this importer does not use"):
        importers.load("skrl", path, **SAID, **BOUNDS)


def test_q_networks_are_choices(tmp_path: Path) -> None:
    path = checkpoint(tmp_path / "agent.pt", model_of("values", spaces.Discrete(4), NET, "ACTIONS"), values=True)
    assert importers.load("skrl", path, **SAID).action == Discrete(4)
