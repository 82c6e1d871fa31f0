"""Policies of other libraries from state dicts: the file's actions are the library's own, over 1,000 observations.

rsl_rl and skrl compute what is expected. CleanRL and ManiSkill's baseline are scripts and PufferLib 3 builds only from
source, so their agents are written here, from the shapes they publish.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from gymnasium import spaces
from test_importers import AGENTS, ROWS, STEPS, agree, made, observations, some, spread
from torch import Tensor, nn

from minnow.cli.main import main
from minnow.export import ExportError, importers
from minnow.export.exporter import build

SIZE = 5
VECTOR = spaces.Box(-np.inf, np.inf, (SIZE,), np.float32)


def play(file: Any, step: Any, clear: Any, obs: np.ndarray) -> None:
    """Holds a policy with memory to `step(obs) -> actions`, agents starting anew on the way by `clear(agents)`."""
    session, random, seen = file.session(AGENTS), np.random.default_rng(3), []
    for row in obs:
        again = random.random(AGENTS) < 0.1
        session.reset(np.flatnonzero(again))
        clear(again)
        seen.append(np.asarray(step(torch.from_numpy(row))))
        agree(session.step(row), seen[-1], file.action, least=1)
    assert len(np.unique(np.concatenate(seen).round(3), axis=0)) > 1, "the actions hardly differ: a weak test"


# rsl_rl


@pytest.mark.parametrize("memory", [None, "lstm", "gru"])
@torch.no_grad()
def test_rsl_rl(memory: str | None, tmp_path: Path) -> None:
    from rsl_rl.models import MLPModel, RNNModel
    from tensordict import TensorDict

    torch.manual_seed(1)

    def group(obs: Tensor) -> TensorDict:
        return TensorDict({"policy": obs}, batch_size=[len(obs)])

    settings = {
        "hidden_dims": [32, 16],
        "activation": "elu",
        "obs_normalization": True,
        "distribution_cfg": {"class_name": "GaussianDistribution", "init_std": 0.5},
    }
    args = (group(torch.zeros(4, SIZE)), {"actor": ["policy"]}, "actor", 3)
    model = (
        RNNModel(*args, **settings, rnn_type=memory, rnn_hidden_dim=24, rnn_num_layers=2)
        if memory
        else MLPModel(*args, **settings)
    )
    obs = observations(VECTOR, STEPS, AGENTS) * 4 + 2
    for row in obs:
        model.update_normalization(group(torch.from_numpy(row)))
    model.eval()
    spread(model.mlp[-1], lambda: [model(group(torch.from_numpy(row))) for row in obs[:9]], least=0.1)
    model.reset()
    torch.save({"actor_state_dict": model.state_dict(), "iter": 3, "infos": None}, tmp_path / "model_3.pt")
    imported = importers.load("rsl-rl", tmp_path / "model_3.pt", low=-1.5, high=1.5)
    file = made(imported)
    assert imported.outputs == ("mean", "log_std")

    def clear(again: np.ndarray) -> None:
        model.reset(torch.from_numpy(again.astype(np.int64)))

    play(file, lambda row: model(group(row)).clamp(-1.5, 1.5).numpy(), clear, obs)


def test_buffers_registered_as_none_beside_used_ones() -> None:
    """What optional statistics look like: nothing of the caller's module is changed either."""

    class Policy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("mean", None)
            self.register_buffer("log_std", torch.zeros(2))
            self.register_buffer("rest", None, persistent=False)
            self.net = nn.Linear(SIZE, 2)

        def forward(self, obs: Tensor) -> tuple[Tensor, Tensor]:
            out = self.net(obs if self.mean is None else obs - self.mean)
            return out, self.log_std.expand_as(out)

    policy = Policy().eval()
    assert build(policy, torch.randn(4, SIZE), outputs=("mean", "log_std")).c.passed
    assert set(policy._buffers) == {"mean", "log_std", "rest"}


def test_rsl_rl_older_names_and_other_distributions(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Linear(SIZE, 8), nn.ELU(), nn.Linear(8, 2))
    old = {f"actor.{name}": item for name, item in net.state_dict().items()}
    torch.save(
        {"model_state_dict": old | {"std": torch.ones(2), "critic.0.weight": torch.ones(1, 1)}}, tmp_path / "m.pt"
    )
    imported = importers.load("rsl-rl", tmp_path / "m.pt")
    obs = torch.randn(9, SIZE)
    assert torch.equal(imported.module(obs)[0], net(obs))
    torch.save({"model_state_dict": old}, tmp_path / "m.pt")
    with pytest.raises(ExportError, match="--deterministic"):
        importers.load("rsl-rl", tmp_path / "m.pt")


# skrl


@pytest.mark.parametrize("kind", ["gaussian", "categorical"])
@torch.no_grad()
def test_skrl(kind: str, tmp_path: Path) -> None:
    from skrl.resources.preprocessors.torch import RunningStandardScaler
    from skrl.utils.model_instantiators.torch import categorical_model, gaussian_model

    torch.manual_seed(1)
    discrete = kind == "categorical"
    action = spaces.Discrete(4) if discrete else spaces.Box(-1, 1, (3,), np.float32)
    network = [{"name": "net", "input": "OBSERVATIONS", "layers": [32, 16], "activations": "elu"}]
    build = categorical_model if discrete else gaussian_model
    clip = {} if discrete else {"clip_actions": True, "clip_mean_actions": True}
    model = build(
        observation_space=VECTOR, action_space=action, device="cpu", network=network, output="ACTIONS", **clip
    )
    scaler = RunningStandardScaler(size=VECTOR, device="cpu")
    obs = torch.from_numpy(observations(VECTOR, ROWS) * 3 + 1)
    scaler(obs, train=True)

    def act() -> Tensor:
        _, outputs = model.act({"observations": scaler(obs)}, role="policy")
        if discrete:
            return (
                outputs["net_output"].argmax(-1) if "net_output" in outputs else model.distribution().logits.argmax(-1)
            )
        return outputs["mean_actions"]

    spread([part for part in model.modules() if isinstance(part, nn.Linear)][-1], act)
    modules = {"policy": model.state_dict(), "observation_preprocessor": scaler.state_dict()}
    torch.save(modules, tmp_path / "agent_9.pt")
    options = {"kind": "categorical"} if discrete else {"low": -1.0, "high": 1.0}
    file = made(importers.load("skrl", tmp_path / "agent_9.pt", **options))
    agree(file.session(ROWS).step(obs.numpy()), act().numpy(), file.action)


# CleanRL and ManiSkill, written from their published shapes


def net(*sizes: int, between: type[nn.Module] = nn.Tanh) -> nn.Sequential:
    layers = [part for a, b in itertools.pairwise(sizes) for part in (nn.Linear(a, b), between())]
    return nn.Sequential(*layers[:-1])


def atari(channels: int) -> list[nn.Module]:
    return [
        *(nn.Conv2d(channels, 32, 8, stride=4), nn.ReLU(), nn.Conv2d(32, 64, 4, stride=2), nn.ReLU()),
        *(nn.Conv2d(64, 64, 3, stride=1), nn.ReLU(), nn.Flatten(), nn.Linear(64 * 7 * 7, 512), nn.ReLU()),
    ]


class Agent(nn.Module):
    """Each kind of agent; `act` is its greedy choice."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        if kind == "ppo":
            self.critic, self.actor = net(SIZE, 64, 64, 1), net(SIZE, 64, 64, 4)
        elif kind in ("ppo-continuous", "maniskill"):
            hidden = (64, 64) if kind == "ppo-continuous" else (64, 64, 64)
            self.critic, self.actor_mean = net(SIZE, *hidden, 1), net(SIZE, *hidden, 3)
            self.actor_logstd = nn.Parameter(torch.full((1, 3), -0.5))
        elif kind in ("ppo-atari", "ppo-atari-lstm"):
            self.network = nn.Sequential(*atari(4 if kind == "ppo-atari" else 1))
            if kind == "ppo-atari-lstm":
                self.lstm = nn.LSTM(512, 128)
            width = 512 if kind == "ppo-atari" else 128
            self.actor, self.critic = nn.Linear(width, 4), nn.Linear(width, 1)
        elif kind == "dqn":
            self.network = net(SIZE, 120, 84, 4, between=nn.ReLU)
        elif kind == "dqn-atari":
            self.network = nn.Sequential(*atari(4), nn.Linear(512, 4))
        else:
            self.fc1, self.fc2 = nn.Linear(SIZE, 64), nn.Linear(64, 64)
            if kind == "sac":
                self.fc_mean, self.fc_logstd = nn.Linear(64, 3), nn.Linear(64, 3)
            else:
                self.fc_mu = nn.Linear(64, 3)
            self.register_buffer("action_scale", torch.tensor([1.0, 2.0, 0.5]))
            self.register_buffer("action_bias", torch.tensor([0.0, -1.0, 0.25]))

    @property
    def last(self) -> nn.Linear:
        for name in ("actor", "actor_mean", "fc_mean", "fc_mu"):
            if hasattr(self, name):
                found = getattr(self, name)
                return found[-1] if isinstance(found, nn.Sequential) else found
        return self.network[-1]

    def act(self, obs: Tensor) -> Tensor:
        if self.kind == "ppo":
            return self.actor(obs).argmax(1)
        if self.kind in ("ppo-continuous", "maniskill"):
            return self.actor_mean(obs).clamp(-1, 1)
        if self.kind == "ppo-atari":
            return self.actor(self.network(obs / 255.0)).argmax(1)
        if self.kind == "dqn":
            return self.network(obs).argmax(1)
        if self.kind == "dqn-atari":
            return self.network(obs / 255.0).argmax(1)
        hidden = torch.relu(self.fc2(torch.relu(self.fc1(obs))))
        mean = self.fc_mean(hidden) if self.kind == "sac" else self.fc_mu(hidden)
        return torch.tanh(mean) * self.action_scale + self.action_bias


KINDS = ("ppo", "ppo-continuous", "ppo-atari", "dqn", "dqn-atari", "sac", "td3", "maniskill")


@pytest.mark.parametrize("kind", some(KINDS, ("dqn-atari",)))
@torch.no_grad()
def test_cleanrl_and_maniskill(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    agent = Agent(kind)
    space = spaces.Box(0, 255, (4, 84, 84), np.uint8) if "atari" in kind else VECTOR
    rows = 100 if "atari" in kind else ROWS
    raw = [observations(space, rows, seed=part) for part in range(ROWS // rows)]
    options: dict[str, Any] = {"low": -1.0, "high": 1.0} if kind == "ppo-continuous" else {}
    before = torch.from_numpy
    if kind == "ppo-continuous":
        mean, var = torch.linspace(-1, 3, SIZE, dtype=torch.float64), torch.linspace(0.1, 9, SIZE, dtype=torch.float64)
        safetensors.torch.save_file({"mean": mean, "var": var}, tmp_path / "normal.safetensors")
        options["normalize"] = tmp_path / "normal.safetensors"

        def before(obs: np.ndarray) -> Tensor:
            return ((torch.from_numpy(obs).double() - mean) / (var + 1e-8).sqrt()).clamp(-10, 10).float()

    spread(agent.last, lambda: agent.act(before(raw[0])))
    torch.save(agent.state_dict(), tmp_path / "agent.pt")
    file = made(importers.load("maniskill" if kind == "maniskill" else "cleanrl", tmp_path / "agent.pt", **options))
    for obs in raw:
        agree(file.session(rows).step(obs), agent.act(before(obs)).numpy(), file.action)


@torch.no_grad()
def test_cleanrl_lstm(tmp_path: Path) -> None:
    torch.manual_seed(1)
    agent = Agent("ppo-atari-lstm")
    obs = observations(spaces.Box(0, 255, (1, 84, 84), np.uint8), STEPS, AGENTS)
    state = [torch.zeros(1, AGENTS, 128), torch.zeros(1, AGENTS, 128)]

    def step(row: Tensor) -> Tensor:
        out, new = agent.lstm(agent.network(row / 255.0).unsqueeze(0), tuple(state))
        state[:] = new
        return agent.actor(out[0]).argmax(1)

    spread(agent.actor, lambda: [step(torch.from_numpy(row)) for row in obs[:9]])
    for item in state:
        item.zero_()

    def clear(again: np.ndarray) -> None:
        for i in range(2):
            state[i] = state[i] * torch.from_numpy(~again)[None, :, None]

    safetensors.torch.save_file(agent.state_dict(), tmp_path / "agent.safetensors")
    play(made(importers.load("cleanrl", tmp_path / "agent.safetensors")), step, clear, obs)


# PufferLib 3, written from its published shapes


class Puffer(nn.Module):
    def __init__(self, action: str) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(SIZE, 32), nn.GELU())
        if action == "box":
            self.decoder_mean = nn.Linear(32, 3)
            self.decoder_logstd = nn.Parameter(torch.zeros(1, 3))
        else:
            self.decoder = nn.Linear(32, 5)
        self.value = nn.Linear(32, 1)


class PufferLstm(nn.Module):
    def __init__(self, policy: nn.Module) -> None:
        super().__init__()
        self.policy, self.lstm, self.cell = policy, nn.LSTM(32, 32), nn.LSTMCell(32, 32)
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            setattr(self.cell, name, getattr(self.lstm, f"{name}_l0"))


@pytest.mark.parametrize("action", ["discrete", "multi", "box"])
@pytest.mark.parametrize("memory", [False, True], ids=["mlp", "lstm"])
@torch.no_grad()
def test_pufferlib(action: str, memory: bool, tmp_path: Path) -> None:
    torch.manual_seed(1)
    policy = Puffer(action)
    whole = PufferLstm(policy) if memory else policy
    obs = observations(VECTOR, STEPS, AGENTS)
    state = [torch.zeros(AGENTS, 32), torch.zeros(AGENTS, 32)]
    head = policy.decoder_mean if action == "box" else policy.decoder

    def step(row: Tensor) -> Tensor:
        hidden = policy.encoder(row)
        if memory:
            state[:] = whole.cell(hidden, tuple(state))
            hidden = state[0]
        out = head(hidden)
        if action == "box":
            return out
        parts = out.split([3, 2] if action == "multi" else [5], 1)
        return torch.stack([part.argmax(1) for part in parts], 1)

    def clear(again: np.ndarray) -> None:
        for item in state:
            item[torch.from_numpy(again)] = 0

    spread(head, lambda: [step(torch.from_numpy(row)) for row in obs[:9]])
    clear(np.ones(AGENTS, bool))
    torch.save({f"module.{name}": item for name, item in whole.state_dict().items()}, tmp_path / "model.pt")
    options = {"sizes": (3, 2)} if action == "multi" else {}
    play(made(importers.load("pufferlib", tmp_path / "model.pt", **options)), step, clear, obs)


# Faults


class Trap:
    """Runs code as it is unpickled."""

    def __reduce__(self) -> Any:
        return Path.touch, (Path("ran"),)


@pytest.mark.parametrize("name", ["rsl-rl", "skrl", "cleanrl", "maniskill", "pufferlib"])
def test_code_in_a_pickle_is_not_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"actor.0.weight": torch.ones(2, 2), "trap": Trap()}, "agent.pt")
    assert main(["export", "--from", name, "agent.pt"]) == 1
    assert not Path("ran").exists()


@pytest.mark.parametrize("name", ["cleanrl", "maniskill", "pufferlib"])
def test_unknown_agents_are_refused(name: str, tmp_path: Path) -> None:
    torch.save({"encoder.rnn.weight": torch.ones(2, 2), "head.bias": torch.ones(2)}, tmp_path / "agent.pt")
    with pytest.raises(ExportError, match="export the module in Python"):
        importers.load(name, tmp_path / "agent.pt")
