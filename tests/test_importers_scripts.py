"""CleanRL, ManiSkill's baseline, PufferLib 3 and rl_games: the file's actions are those of agents written here, from
the shapes that they publish, over 1,000 observations. The first two are scripts, the third builds only from source, and
the fourth brings an environment's libraries with it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from gymnasium import spaces
from importer_cases import VECTOR
from test_importers import AGENTS, ROWS, STEPS, agree, made, observations, play, some, spread
from torch import Tensor, nn

from minnow.cinfer import load
from minnow.cli.main import main
from minnow.export import ExportError, MultiDiscrete, importers
from minnow.export.exporter import build

SIZE = 5


def test_buffers_registered_as_none_beside_used_ones() -> None:
    """What optional statistics look like: nothing of the caller's module is changed either."""

    class Policy(nn.Module):
        mean: Tensor | None
        log_std: Tensor

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

    network: nn.Sequential
    atoms: Tensor
    action_scale: Tensor
    action_bias: Tensor

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        if kind in ("ppo", "ppo-multi"):
            self.critic, self.actor = net(SIZE, 64, 64, 1), net(SIZE, 64, 64, 7 if kind == "ppo-multi" else 4)
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
        elif kind in ("c51", "c51-atari"):
            self.register_buffer("atoms", torch.linspace(-10, 10, 51))
            count = 2 * len(self.atoms)
            self.network = net(SIZE, 120, 84, count, between=nn.ReLU)
            if kind == "c51-atari":
                self.network = nn.Sequential(*atari(4), nn.Linear(512, count))
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
        names = ("actor", "actor_mean", "fc_mean", "fc_mu", "network")
        found = next(getattr(self, name) for name in names if hasattr(self, name))
        layer = found[-1] if isinstance(found, nn.Sequential) else found
        assert isinstance(layer, nn.Linear)
        return layer

    def act(self, obs: Tensor) -> Tensor:
        if self.kind == "ppo":
            return self.actor(obs).argmax(1)
        if self.kind == "ppo-multi":
            return torch.stack([part.argmax(1) for part in self.actor(obs).split([3, 4], 1)], 1)
        if self.kind.startswith("c51"):
            logits = self.network(obs / 255.0 if "atari" in self.kind else obs).view(len(obs), 2, len(self.atoms))
            return (logits.softmax(2) * self.atoms).sum(2).argmax(1)
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

    def saved(self) -> Any:
        """What the script saves."""
        critic = {"fc1.weight": torch.ones(1, 1)}
        if self.kind.startswith("c51"):
            return {"model_weights": self.state_dict(), "args": {"n_atoms": 51, "env_id": "CartPole-v1"}}
        if self.kind in ("td3", "ddpg"):
            return (self.state_dict(), *[critic] * (2 if self.kind == "td3" else 1))
        return self.state_dict()


BOUNDS = {"low": -1.0, "high": 1.0}
KINDS: dict[str, dict[str, Any]] = {  # what must be said
    "ppo": {"sizes": (4,)},
    "ppo-multi": {"sizes": (3, 4)},
    "ppo-continuous": BOUNDS,
    "ppo-atari": {"sizes": 4},
    "dqn": {},
    "dqn-atari": {},
    "c51": {},
    "c51-atari": {},
    "sac": {},
    "td3": {},
    "ddpg": {},
    "maniskill": BOUNDS,
}


@pytest.mark.parametrize("kind", some(KINDS, ("ppo-atari", "dqn-atari", "c51-atari", "ddpg", "ppo", "dqn")))
@torch.no_grad()
def test_cleanrl_and_maniskill(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    agent = Agent(kind)
    space = spaces.Box(0, 255, (4, 84, 84), np.uint8) if "atari" in kind else VECTOR
    rows = 100 if "atari" in kind else ROWS
    raw = [observations(space, rows, seed=part) for part in range(ROWS // rows)]
    options = dict(KINDS[kind])
    before: Callable[[np.ndarray], Tensor] = torch.from_numpy
    if kind == "ppo-continuous":
        mean, var = torch.linspace(-1, 3, SIZE, dtype=torch.float64), torch.linspace(0.1, 9, SIZE, dtype=torch.float64)
        safetensors.torch.save_file({"mean": mean, "var": var}, tmp_path / "normal.safetensors")
        options["normalize"] = tmp_path / "normal.safetensors"

        def normalized(obs: np.ndarray) -> Tensor:
            return ((torch.from_numpy(obs).double() - mean) / (var + 1e-8).sqrt()).clamp(-10, 10).float()

        before = normalized

    if not kind.startswith("c51"):  # whose network gives parts of a distribution
        spread(agent.last, lambda: agent.act(before(raw[0])))
    elif kind == "c51-atari":  # untrained, it would do the same whatever it sees
        seen = agent.network[:-1](before(raw[0]) / 255.0)
        agent.last.weight.mul_(50)
        agent.last.bias.copy_(-(agent.last.weight @ seen.mean(0)))
    torch.save(agent.saved(), tmp_path / "agent.pt")
    file = made(importers.load("maniskill" if kind == "maniskill" else "cleanrl", tmp_path / "agent.pt", **options))
    for obs in raw:
        agree(file.session(rows).step(obs), agent.act(before(obs)).numpy(), file.action)
    if kind == "c51":
        assert file.action.sizes == (2,)


@pytest.mark.full
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
    play(
        made(importers.load("cleanrl", tmp_path / "agent.safetensors", sizes=4)),
        lambda row: step(torch.from_numpy(row)),
        clear,
        obs,
    )


# PufferLib 3, written from its published shapes


LONG = ("mlp-multi", "lstm-discrete", "lstm-box")


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


@pytest.mark.parametrize("case", some(("mlp-discrete", "mlp-box", "lstm-multi", *LONG), LONG))
@torch.no_grad()
def test_pufferlib(case: str, tmp_path: Path) -> None:
    action, memory = case.split("-")[1], case.startswith("lstm")
    torch.manual_seed(1)
    policy = Puffer(action)
    whole: Any = PufferLstm(policy) if memory else policy
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
    options: dict[str, Any] = {"unbounded": True} if action == "box" else {"sizes": (3, 2) if action == "multi" else 5}
    file = made(importers.load("pufferlib", tmp_path / "model.pt", **options))
    play(file, lambda row: step(torch.from_numpy(row)), clear, obs)


# rl_games, written from its published shapes


class Memory(nn.Module):
    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.rnn = nn.LSTM(inputs, 16)


class Network(nn.Module):
    """a2c_network: a memory before or after an MLP of two layers, an activation after each."""

    def __init__(self, action: str, memory: str | None) -> None:
        super().__init__()
        self.memory = memory
        first = 16 if memory == "before" else SIZE
        self.actor_mlp = nn.Sequential(nn.Linear(first, 32), nn.ELU(), nn.Linear(32, 24), nn.ELU())
        if memory:
            self.rnn = Memory(SIZE if memory == "before" else 24)
            self.layer_norm = nn.LayerNorm(16)
        last = 16 if memory == "after" else 24
        self.value = nn.Linear(last, 1)
        if action == "box":
            self.mu, self.sigma = nn.Linear(last, 3), nn.Parameter(torch.zeros(3))
        elif action == "discrete":
            self.logits = nn.Linear(last, 5)
        else:
            self.logits = nn.ModuleList([nn.Linear(last, 3), nn.Linear(last, 2)])

    @property
    def heads(self) -> list[nn.Module]:
        found = getattr(self, "mu", None) or self.logits
        return [*found] if isinstance(found, nn.ModuleList) else [found]

    def remember(self, hidden: Tensor, state: list[Tensor]) -> Tensor:
        out, state[:] = self.rnn.rnn(hidden.unsqueeze(0), tuple(state))
        return self.layer_norm(out[0])

    def latent(self, obs: Tensor, state: list[Tensor]) -> Tensor:
        if self.memory == "before":
            return self.actor_mlp(self.remember(obs, state))
        hidden = self.actor_mlp(obs)
        return self.remember(hidden, state) if self.memory else hidden


ACTORS = [f"{memory}-{action}" for memory in ("none", "before", "after") for action in ("box", "discrete", "multi")]


@pytest.mark.parametrize("case", some(ACTORS, tuple({*ACTORS} - {"before-multi"})))
@torch.no_grad()
def test_rl_games(case: str, tmp_path: Path) -> None:
    memory, action = case.split("-")
    memory = None if memory == "none" else memory
    torch.manual_seed(1)
    network = Network(action, memory)
    obs = observations(VECTOR, STEPS, AGENTS) * 2 + 1
    mean, var = torch.linspace(-1, 2, SIZE, dtype=torch.float64), torch.linspace(0.5, 4, SIZE, dtype=torch.float64)
    state = [torch.zeros(1, AGENTS, 16), torch.zeros(1, AGENTS, 16)]
    low, high = torch.tensor([-2.0, -1.0, 0.0]), torch.tensor([2.0, 1.0, 3.0])

    def step(row: np.ndarray) -> Tensor:
        given = (torch.from_numpy(row) - mean.float()) / torch.sqrt(var.float() + 1e-5)
        latent = network.latent(given.clamp(-5, 5), state)
        if action == "box":
            return network.mu(latent).clamp(-1, 1) * (high - low) / 2 + (high + low) / 2
        return torch.stack([head(latent).argmax(1) for head in network.heads], 1)

    def clear(again: np.ndarray) -> None:
        for i in range(2):
            state[i] = state[i] * torch.from_numpy(~again)[None, :, None]

    for head in network.heads:
        spread(head, lambda: [step(row) for row in obs[:9]])
    clear(np.ones(AGENTS, bool))
    model = {f"a2c_network.{name}": item for name, item in network.state_dict().items()}
    model |= {"running_mean_std.running_mean": mean, "running_mean_std.running_var": var}
    model |= {"running_mean_std.count": torch.ones(()), "value_mean_std.running_mean": torch.zeros(1)}
    whole = {"model": model, "epoch": 3, "frame": 99, "optimizer": {"state": {}}, "last_mean_rewards": np.float32(1.5)}
    torch.save(whole, tmp_path / "last.pth")
    options: dict[str, Any] = {"activation": "elu"}
    if action == "box":
        said = {
            "mu_activation": "None",
            "clip_actions": "true",
            "low": tuple(low.tolist()),
            "high": tuple(high.tolist()),
        }
        for name in ("mu_activation", "clip_actions", "low"):
            given = {key: value for key, value in said.items() if key != name}
            with pytest.raises(ExportError, match=f"say --{name.replace('_', '-')}"):
                importers.load("rl-games", tmp_path / "last.pth", **options, **given)
        options |= said
    play(made(importers.load("rl-games", tmp_path / "last.pth", **options)), step, clear, obs)


# Faults


def test_what_nobody_said(tmp_path: Path) -> None:
    """Sizes, bounds and statistics are not assumed."""
    for name, kind, options, words in (
        ("cleanrl", "ppo", {}, "say --sizes 4 for one choice out of 4"),
        ("cleanrl", "ppo-multi", {"sizes": (3, 3)}, "has 7 logits, and --sizes 3 3 is 6"),
        ("cleanrl", "ppo-continuous", {"raw": True}, "say --low and --high"),
        ("cleanrl", "ppo-continuous", {"unbounded": True}, "--normalize FILE"),
        ("cleanrl", "ppo-continuous", {"unbounded": True, "low": -1}, "--unbounded says"),
        ("maniskill", "maniskill", {}, "say --low and --high"),
    ):
        torch.save(Agent(kind).saved(), tmp_path / "agent.pt")
        with pytest.raises(ExportError, match=words):
            importers.load(name, tmp_path / "agent.pt", **options)
    torch.save(Puffer("multi").state_dict(), tmp_path / "agent.pt")
    with pytest.raises(ExportError, match="say --sizes 5 for one choice"):
        importers.load("pufferlib", tmp_path / "agent.pt")
    assert importers.load("pufferlib", tmp_path / "agent.pt", sizes=(3, 2)).action == MultiDiscrete([3, 2])


@pytest.mark.parametrize("kind", ["ppo", "dqn", "c51", "td3"])
def test_no_tensor_is_dropped(kind: str, tmp_path: Path) -> None:
    whole = Agent(kind).saved()
    inner = whole["model_weights"] if kind == "c51" else whole[0] if kind == "td3" else whole
    inner["extra_layer.weight"] = torch.ones(2, 2)
    torch.save(whole, tmp_path / "agent.pt")
    with pytest.raises(ExportError, match=r"extra_layer\.weight, which this importer does not use"):
        importers.load("cleanrl", tmp_path / "agent.pt", **KINDS[kind])


def test_options_of_every_export(tmp_path: Path) -> None:
    """--dtype, --format c, --meta and --no-critic beside --from; numbers below zero as bounds."""
    torch.save(Agent("maniskill").state_dict(), tmp_path / "ckpt.pt")
    line = ["export", "--from", "maniskill", str(tmp_path / "ckpt.pt"), "--low", "-1", "-2", "-0.5", "--high", "1"]
    assert main([*line, "--dtype", "int8", "--meta", "license=MIT", "score=1.5", "--no-critic"]) == 0
    found = load(tmp_path / "ckpt.minnow")
    assert found.meta["license"] == "MIT" and found.meta["score"] == 1.5 and found.meta["weights"] == "int8"
    assert found.action.low == (-1, -2, -0.5) and [spec.name for spec in found.outputs] == ["mean", "log_std"]
    assert main([*line, "--format", "c", "-o", str(tmp_path / "small.h")]) == 0
    assert "static const unsigned char small" in (tmp_path / "small.h").read_text()


def test_meta_that_is_no_pair(capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    torch.save(Agent("dqn").state_dict(), tmp_path / "agent.pt")
    assert main(["export", "--from", "cleanrl", str(tmp_path / "agent.pt"), "--meta", "license"]) == 1
    assert "--meta takes KEY=VALUE, got 'license'" in capsys.readouterr().err


def test_the_documents_table_is_the_commands(capsys: pytest.CaptureFixture) -> None:
    assert main(["export", "--libraries"]) == 0
    assert capsys.readouterr().out in (Path(__file__).parents[1] / "docs" / "export.md").read_text()


class Trap:
    """Runs code as it is unpickled."""

    def __reduce__(self) -> Any:
        return Path.touch, (Path("ran"),)


@pytest.mark.parametrize("name", ["rsl-rl", "skrl", "cleanrl", "maniskill", "pufferlib", "rl-games"])
def test_code_in_a_pickle_is_not_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"actor.0.weight": torch.ones(2, 2), "trap": Trap()}, "agent.pt")
    assert main(["export", "--from", name, "agent.pt"]) == 1
    assert not Path("ran").exists()


@pytest.mark.parametrize("name", ["cleanrl", "maniskill", "pufferlib", "rl-games", "skrl"])
def test_unknown_agents_are_refused(name: str, tmp_path: Path) -> None:
    torch.save({"encoder.rnn.weight": torch.ones(2, 2), "head.bias": torch.ones(2)}, tmp_path / "agent.pt")
    with pytest.raises(ExportError, match=r"[Ee]xport the module in Python|no PPO checkpoint"):
        importers.load(name, tmp_path / "agent.pt")
