"""rsl_rl's checkpoints: the file's actions are those of the library's own models, over 1,000 observations."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from importer_cases import VECTOR
from rsl_rl.models import CNNModel, MLPModel, RNNModel
from tensordict import TensorDict
from test_importers import AGENTS, STEPS, made, observations, play, spread
from torch import Tensor, nn

from minnow.export import ExportError, importers
from minnow.export.importers.weights import Weights

SIZE, ACTIONS = 5, 3
CNN = {"output_channels": [4, 6], "kernel_size": 3, "stride": [2, 1], "max_pool": [True, False], "norm": "batch"}
MODELS: dict[str, tuple[Any, dict[str, Any]]] = {
    "mlp": (MLPModel, {}),
    "lstm": (RNNModel, {"rnn_type": "lstm", "rnn_hidden_dim": 24, "rnn_num_layers": 2}),
    "gru": (RNNModel, {"rnn_type": "gru", "rnn_hidden_dim": 24, "rnn_num_layers": 1}),
    "cnn": (CNNModel, {"cnn_cfg": CNN}),
}
DISTRIBUTIONS: dict[str, tuple[dict[str, Any] | None, dict[str, Any]]] = {  # the library's, and what must be said of it
    "gaussian": ({"class_name": "GaussianDistribution", "init_std": 0.5}, {}),
    "gaussian-log": ({"class_name": "GaussianDistribution", "std_type": "log"}, {}),
    "wide": ({"class_name": "HeteroscedasticGaussianDistribution"}, {"distribution": "heteroscedastic"}),
    "wide-log": (
        {"class_name": "HeteroscedasticGaussianDistribution", "std_type": "log"},
        {"distribution": "heteroscedastic-log"},
    ),
    "beta": (
        {"class_name": "BetaDistribution", "action_range": (-2.0, 1.0)},
        {"distribution": "beta", "range": (-2.0, 1.0)},
    ),
    "none": (None, {"distribution": "none"}),
}
SAID = {"activation": "elu", "low": -1.5, "high": (1.5, 1.0, 0.5)}
TABLE = list(itertools.product(MODELS, DISTRIBUTIONS, (True, False)))
SHORT = (("mlp", "gaussian", False), ("lstm", "gaussian", True), ("cnn", "wide", True))
SHORT += (("mlp", "beta", True),)


def group(obs: Any) -> TensorDict:
    rows = obs if isinstance(obs, dict) else {"obs": obs}
    return TensorDict({name: torch.as_tensor(item) for name, item in rows.items()}, batch_size=[AGENTS])


def policy(model: str, distribution: str, normalised: bool) -> tuple[Any, Any]:
    """A model of the library that has seen some observations, and more of them."""
    torch.manual_seed(1)
    obs: Any = observations(VECTOR, STEPS, AGENTS) * 4 + 2
    if model == "cnn":
        obs = {"obs": obs, "camera": np.random.default_rng(0).random((STEPS, AGENTS, 2, 24, 20), np.float32)}
    rows = [group({name: item[t] for name, item in obs.items()} if model == "cnn" else obs[t]) for t in range(STEPS)]
    kind, more = MODELS[model]
    config = DISTRIBUTIONS[distribution][0]
    found = kind(
        rows[0],
        {"actor": list(rows[0].keys())},
        "actor",
        ACTIONS,
        hidden_dims=[32, 16],
        activation="elu",
        obs_normalization=normalised,
        distribution_cfg=None if config is None else dict(config),
        **more,
    )
    for row in rows:
        found.update_normalization(row)
    found.eval()
    with torch.no_grad():
        last = [part for part in found.mlp if isinstance(part, nn.Linear)][-1]
        spread(last, lambda: [found(row) for row in rows[:9]], least=0.1)
    found.reset()
    return found, obs


def saved(path: Path, found: Any, key: str = "actor_state_dict") -> Path:
    """As a runner saves it."""
    other = {"optimizer_state_dict": {"state": {0: {"exp_avg": torch.ones(2)}}, "param_groups": []}}
    other |= {"critic_state_dict": {"mlp.0.weight": torch.ones(1, 1)}} if key == "actor_state_dict" else {}
    torch.save({key: found.state_dict(), **other, "iter": 3, "infos": None}, path)
    return path


@pytest.mark.parametrize(
    "case", [pytest.param(c, id="-".join(map(str, c)), marks=() if c in SHORT else pytest.mark.full) for c in TABLE]
)
@torch.no_grad()
def test_models(case: tuple[str, str, bool], tmp_path: Path) -> None:
    found, obs = policy(*case)
    options = SAID | DISTRIBUTIONS[case[1]][1]
    options |= {"cnn": json.dumps(CNN), "image": (24, 20)} if case[0] == "cnn" else {}
    imported = importers.load("rsl-rl", saved(tmp_path / "model_3.pt", found), **options)
    assert imported.witness is not None
    assert imported.outputs == (("mean",) if case[1] in ("none", "beta") else ("mean", "log_std"))
    bounds = torch.tensor([-1.5] * 3), torch.tensor([1.5, 1.0, 0.5])

    def clear(again: np.ndarray) -> None:
        found.reset(torch.from_numpy(again.astype(np.int64)))

    play(made(imported), lambda row: found(group(row)).clamp(*bounds).numpy(), clear, obs)


def old(found: Any, part: str) -> dict[str, Tensor]:
    """The weights by the names of versions 1 to 3; the normaliser apart."""
    names = {"mlp.": f"{part}.", "rnn.": f"memory_{part[0]}.", "distribution.std_param": "std"}
    state = {}
    for name, item in found.state_dict().items():
        for new, before in names.items():
            if name.startswith(new):
                state[before + name.removeprefix(new)] = item
    return state


@pytest.mark.parametrize("part", ["actor", "student"])
@pytest.mark.parametrize("apart", [True, False], ids=["version-2", "version-3"])
@torch.no_grad()
def test_older_versions(part: str, apart: bool, tmp_path: Path) -> None:
    """Normalisers of their own key, `obs_norm_state_dict`, or beside the weights; students of a distillation, with a
    memory; critics and teachers are left out."""
    found, obs = policy("mlp" if part == "actor" else "gru", "gaussian", True)
    statistics = {
        name.removeprefix("obs_normalizer."): item for name, item in found.state_dict().items() if "obs_" in name
    }
    state = old(found, part) | {"critic.0.weight" if part == "actor" else "teacher.0.weight": torch.ones(1, 1)}
    whole: dict[str, Any] = {"model_state_dict": state, "iter": 3, "infos": {"score": np.float64(0.5)}}
    if apart:
        whole |= {"obs_norm_state_dict": statistics, "privileged_obs_norm_state_dict": {"_mean": torch.ones(1, 2)}}
    else:
        state |= {f"{part}_obs_normalizer.{name}": item for name, item in statistics.items()}
    torch.save(whole, tmp_path / "model.pt")
    imported = importers.load("rsl-rl", tmp_path / "model.pt", activation="elu", unbounded=True)
    found.reset()
    state = imported.state
    for row in obs[:3]:
        out = imported.module(torch.from_numpy(row)[:16], *([] if state is None else [state]))
        state = None if state is None else out[-1]
        expected = found(group(row))[:16]
        assert (out[0] - expected).abs().max() < 1e-5


def test_distilled_students(tmp_path: Path) -> None:
    found, obs = policy("mlp", "gaussian", False)
    teacher = {f"mlp.{name}": item for name, item in nn.Linear(2, 2).state_dict().items()}
    torch.save({"student_state_dict": found.state_dict(), "teacher_state_dict": teacher}, tmp_path / "model.pt")
    imported = importers.load("rsl-rl", tmp_path / "model.pt", activation="elu", unbounded=True)
    assert torch.equal(imported.module(torch.from_numpy(obs[0]))[0], found(group(obs[0])))


def test_what_nobody_said(tmp_path: Path) -> None:
    found, _ = policy("mlp", "wide", False)
    path = saved(tmp_path / "model.pt", found)
    given = {"activation": "elu", "distribution": "heteroscedastic", "unbounded": True}
    importers.load("rsl-rl", path, **given)
    for name, words in (
        ("activation", "say --activation, one of elu, relu"),
        ("distribution", "say --distribution heteroscedastic, heteroscedastic-log, beta, none"),
        ("unbounded", "say --low and --high"),
    ):
        with pytest.raises(ExportError, match=words):
            importers.load("rsl-rl", path, **{key: value for key, value in given.items() if key != name})
    with pytest.raises(ExportError, match="say --range LOW HIGH"):
        importers.load("rsl-rl", path, **given | {"distribution": "beta"})
    with pytest.raises(ExportError, match="--low has 2 numbers"):
        importers.load("rsl-rl", path, activation="elu", distribution="heteroscedastic", low=(1, 2), high=3)


def test_no_tensor_is_dropped(tmp_path: Path) -> None:
    found, _ = policy("mlp", "gaussian", False)
    state = found.state_dict()
    torch.save({"actor_state_dict": state, "obs_scaler": {"mean": torch.ones(SIZE)}}, tmp_path / "model.pt")
    with pytest.raises(ExportError, match=r"obs_scaler\.mean, which this importer does not use"):
        importers.load("rsl-rl", tmp_path / "model.pt", activation="elu", unbounded=True)
    torch.save({"actor_state_dict": state | {"mlp.0.scale": torch.ones(1)}}, tmp_path / "model.pt")
    with pytest.raises(ExportError, match=r"mlp\.0\.scale"):
        importers.load("rsl-rl", tmp_path / "model.pt", activation="elu", unbounded=True)


def test_weights_remember_what_was_used() -> None:
    weights = Weights({"a.x": torch.ones(1), "a.y": torch.ones(1), "b": torch.ones(1)}, Path("f.pt"))
    assert "x" in weights.under("a.") and list(weights.under("a.")) == ["x", "y"]
    with pytest.raises(ExportError, match=r"f\.pt holds a\.x, a\.y, b"):
        weights.finish()
    assert weights.under("a.")["x"] == 1 and weights.under("a.").get("z") is None
    with pytest.raises(ExportError, match=r"holds a\.y, which"):
        weights.finish("b")
