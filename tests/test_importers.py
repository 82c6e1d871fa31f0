"""Policies of other libraries: the file's actions are the library's own, over 1,000 observations.

Each case has the real library make a policy, save it and predict; the file is what `importers.load` makes of it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from minnow.cinfer import load
from minnow.cli.main import main
from minnow.export import ExportError, importers
from minnow.export.exporter import build

ROWS = 1000
STEPS, AGENTS = 50, 20  # the same number, for policies with memory
CLOSE = 1e-5


class Game(gymnasium.Env):
    """Any observation and action, drawn at random: what a policy is trained on is not what is tested."""

    def __init__(self, observation: spaces.Space, action: spaces.Space) -> None:
        self.observation_space, self.action_space = observation, action

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple[Any, dict]:
        super().reset(seed=seed)
        self.observation_space.seed(seed)
        self.left = 9
        return self.observation_space.sample(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict]:
        self.left -= 1
        return self.observation_space.sample(), float(np.sum(action)), self.left == 0, False, {}

    def action_masks(self) -> np.ndarray:
        return np.ones(self.action_space.n, bool)


VECTOR = spaces.Box(-np.inf, np.inf, (5,), np.float32)
IMAGE = spaces.Box(0, 255, (40, 36, 3), np.uint8)
DICT = spaces.Dict({"picture": IMAGE, "speed": spaces.Box(-1, 1, (3,), np.float32), "gear": spaces.Discrete(4)})
ARM = spaces.Box(np.array([-2, -1, 0], np.float32), np.array([2, 0.5, 3], np.float32))
WIDE = spaces.Box(-9, 9, (2,), np.float32)


def observations(space: spaces.Space, *shape: int, seed: int = 0) -> Any:
    """[*shape, ...] of a space; of unbounded ones, also far from zero."""
    if isinstance(space, spaces.Dict):
        return {name: observations(inner, *shape, seed=seed) for name, inner in space.spaces.items()}
    random = np.random.default_rng(seed)
    if isinstance(space, spaces.Discrete):
        return random.integers(space.n, size=shape)
    if space.dtype == np.uint8:
        light = random.uniform(0, 256, (*shape, *[1] * (len(space.shape) - 1), space.shape[-1]))
        return (random.uniform(0, light, (*shape, *space.shape))).astype(np.uint8)
    return (random.standard_normal((*shape, *space.shape)) * random.choice((0.1, 1, 10), (*shape, 1))).astype(
        np.float32
    )


def made(imported: Any) -> Any:
    """The policy file of what was imported, loaded."""
    return load(build(imported.module, imported.obs, **imported.arguments()).data)


def agree(out: Any, expected: np.ndarray, action: Any, least: int = 2) -> None:
    """Holds a step's actions to those of the library, [agents, ...], of which at least `least` differ."""
    found = out.action.reshape(len(out.action), -1)
    expected = np.asarray(expected).reshape(found.shape)
    assert len(np.unique(expected.round(3), axis=0)) >= least, "the library's actions hardly differ: a weak test"
    if action.kind == "box":
        far = float(np.abs(found - expected).max())
        assert far <= CLOSE
        return
    start = 0
    for head, size in enumerate(action.sizes):
        logits = out.logits[:, start : start + size]
        best = np.sort(logits, 1)
        close = best[:, -1] - best[:, -2] < CLOSE
        assert ((found[:, head] == expected[:, head]) | close).all()
        assert close.sum() <= max(1, 0.01 * len(close)), "too many ties to say anything"
        start += size


# Stable-Baselines3


SB3 = {
    "ppo": ("PPO", "MlpPolicy", VECTOR, spaces.Discrete(4), {"n_steps": 32, "batch_size": 32, "n_epochs": 2}),
    "ppo-box": ("PPO", "MlpPolicy", VECTOR, ARM, {"n_steps": 32, "batch_size": 32, "n_epochs": 2}),
    "ppo-sde": (
        "PPO",
        "MlpPolicy",
        VECTOR,
        ARM,
        {"n_steps": 32, "batch_size": 32, "use_sde": True, "policy_kwargs": {"squash_output": True}},
    ),
    "ppo-multi": ("PPO", "MlpPolicy", VECTOR, spaces.MultiDiscrete([3, 2]), {"n_steps": 32, "batch_size": 32}),
    "a2c": ("A2C", "MlpPolicy", VECTOR, WIDE, {}),
    "a2c-binary": ("A2C", "MlpPolicy", VECTOR, spaces.MultiBinary(3), {}),
    "dqn": ("DQN", "MlpPolicy", VECTOR, spaces.Discrete(3), {"learning_starts": 8, "buffer_size": 99}),
    "sac": ("SAC", "MlpPolicy", VECTOR, ARM, {"learning_starts": 28, "buffer_size": 99}),
    "td3": ("TD3", "MlpPolicy", VECTOR, ARM, {"learning_starts": 28, "buffer_size": 99}),
    "ppo-cnn": ("PPO", "CnnPolicy", IMAGE, spaces.Discrete(4), {"n_steps": 16, "batch_size": 16, "n_epochs": 1}),
    "dqn-cnn": ("DQN", "CnnPolicy", IMAGE, spaces.Discrete(3), {"learning_starts": 99, "buffer_size": 20}),
    "ppo-dict": ("PPO", "MultiInputPolicy", DICT, ARM, {"n_steps": 16, "batch_size": 16, "n_epochs": 1}),
}


def spread(layer: Any, run: Callable[[], Any], least: float = 1e-6) -> None:
    """Makes a last layer's outputs differ as `run` runs it, each around 0, to a deviation of up to 1: what has hardly
    learnt gives nearly the same action everywhere. least: the deviation up to which weights grow; larger ones magnify
    rounding, torch's own too."""
    import torch

    seen: list[Any] = []
    hook = layer.register_forward_hook(lambda _, __, out: seen.append(out.detach().reshape(-1, out.shape[-1])))
    run()
    hook.remove()
    found = torch.cat(seen)
    with torch.no_grad():
        std = found.std(0).clamp_min(least)
        layer.weight.div_(std[:, None])
        layer.bias.copy_((layer.bias - found.mean(0)) / std)


def last(policy: Any) -> Any:
    """The layer that a policy of Stable-Baselines3 ends with."""
    if hasattr(policy, "action_net"):
        return policy.action_net
    if hasattr(policy, "actor"):
        mu = policy.actor.mu
        return mu if hasattr(mu, "weight") else mu[-2]
    return policy.q_net.q_net[-1] if hasattr(policy, "q_net") else policy.quantile_net.quantile_net[-1]


LONG = ("ppo-sde", "a2c-binary", "dqn-cnn", "ppo-multi")


def some(cases: Any, long: tuple[str, ...] = LONG) -> list[Any]:
    """The names of cases, some of them for the long form alone."""
    return [pytest.param(name, marks=pytest.mark.full) if name in long else name for name in cases]


@pytest.mark.parametrize("name", some(SB3))
def test_sb3(name: str, tmp_path: Path) -> None:
    import stable_baselines3

    kind, policy, observation, action, settings = SB3[name]
    model = getattr(stable_baselines3, kind)(policy, Game(observation, action), seed=1, device="cpu", **settings)
    model.learn(32)
    sample = observations(observation, 100, seed=9)
    spread(last(model.policy), lambda: model.predict(sample, deterministic=True))
    model.save(tmp_path / "model.zip")
    imported = importers.load("sb3", tmp_path / "model.zip", trust=True)
    assert imported.meta["algorithm"] == kind
    file = made(imported)
    rows = ROWS if "cnn" not in name else ROWS // 5
    for part in range(ROWS // rows):
        obs = observations(observation, rows, seed=part)
        expected, _ = model.predict(obs, deterministic=True)
        agree(file.session(rows).step(obs), expected, file.action)


@pytest.mark.parametrize("order", ["stack-normalize", "normalize-stack"])
def test_sb3_normalised_and_stacked(order: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """VecNormalize with narrow and far-off statistics and clipping, and VecFrameStack, in either order; by the
    command line."""
    from stable_baselines3 import PPO
    from stable_baselines3.common.vec_env import DummyVecEnv, VecFrameStack, VecNormalize

    scale, offset = np.array([1, 1e-3, 50, 1, 7]), np.array([0, 1, -3e4, 2, 0])

    class Scaled(Game):
        def step(self, action: Any) -> tuple[Any, float, bool, bool, dict]:
            obs, reward, over, cut, info = super().step(action)
            return (obs * scale + offset).astype(np.float32), reward, over, cut, info

    games = DummyVecEnv([lambda: Scaled(VECTOR, ARM)] * AGENTS)
    games.seed(3)
    for word in order.split("-"):
        games = (
            VecFrameStack(games, 3)
            if word == "stack"
            else VecNormalize(games, norm_reward=False, clip_obs=1.5, gamma=1)
        )
    model = PPO("MlpPolicy", games, n_steps=16, batch_size=64, n_epochs=1, seed=1, device="cpu").learn(16 * AGENTS)
    sample = [games.reset(), *(games.step(np.zeros((AGENTS, 3)))[0] for _ in range(8))]
    spread(last(model.policy), lambda: [model.predict(obs, deterministic=True) for obs in sample])
    model.save(tmp_path / "model.zip")
    normalizer = games if isinstance(games, VecNormalize) else games.venv
    normalizer.save(str(tmp_path / "normal.pkl"))
    normalizer.training = False
    line = [str(tmp_path / "model.zip"), "--normalize", str(tmp_path / "normal.pkl"), "--frame-stack", "3", "--trust"]
    assert main(["export", "--from", "sb3", *line, "-o", str(tmp_path / "policy.minnow")]) == 0
    assert "policy.minnow: " in capsys.readouterr().out
    file = load(tmp_path / "policy.minnow")
    session = file.session(AGENTS)
    raw = []  # what the environments gave, before any wrapper

    base = games
    while hasattr(base, "venv"):
        base = base.venv
    for wrapped in ("reset", "step_wait"):
        inner = getattr(base, wrapped)

        def spy(inner: Callable = inner, wrapped: str = wrapped) -> Any:
            result = inner()
            raw.append((result if wrapped == "reset" else result[0]).copy())
            return result

        setattr(base, wrapped, spy)
    obs, clipped, seen = games.reset(), 0, []
    for _ in range(STEPS):
        out = session.step(raw[-1])
        expected, _ = model.predict(obs, deterministic=True)
        agree(out, expected, file.action)
        clipped += int((np.abs(obs) >= 1.5).sum())
        seen.append(expected)
        obs, _, done, _ = games.step(expected)
        session.reset(np.flatnonzero(done))
    assert clipped > 100 and len(seen) * AGENTS == ROWS


def test_sb3_stacked_images(tmp_path: Path) -> None:
    from stable_baselines3 import DQN
    from stable_baselines3.common.vec_env import DummyVecEnv, VecFrameStack

    grey = spaces.Box(0, 255, (36, 40, 1), np.uint8)
    games = VecFrameStack(DummyVecEnv([lambda: Game(grey, spaces.Discrete(4))] * AGENTS), 4)
    model = DQN("CnnPolicy", games, buffer_size=AGENTS, seed=1, device="cpu")
    sample = [games.reset(), *(games.step(np.zeros(AGENTS, int))[0] for _ in range(5))]
    spread(last(model.policy), lambda: [model.predict(obs, deterministic=True) for obs in sample])
    model.save(tmp_path / "model.zip")
    file = made(importers.load("sb3", tmp_path / "model.zip", trust=True, frame_stack=4))
    session = file.session(AGENTS)
    obs, seen = games.reset(), []
    for _ in range(STEPS):
        expected, _ = model.predict(obs, deterministic=True)
        agree(session.step(obs[..., -1:]), expected, file.action, least=1)
        seen.append(expected)
        obs, _, done, _ = games.step(expected)
        session.reset(np.flatnonzero(done))
    assert len(np.unique(seen)) > 1


# sb3-contrib


@pytest.mark.parametrize("name", ["MaskablePPO", "QRDQN"])
def test_sb3_contrib(name: str, tmp_path: Path) -> None:
    import sb3_contrib

    few = {"n_steps": 32, "batch_size": 32} if name == "MaskablePPO" else {"learning_starts": 28, "buffer_size": 99}
    model = getattr(sb3_contrib, name)("MlpPolicy", Game(VECTOR, spaces.Discrete(5)), seed=1, device="cpu", **few)
    model.learn(32)
    obs = observations(VECTOR, ROWS)
    if name == "MaskablePPO":
        spread(last(model.policy), lambda: model.predict(obs, deterministic=True))
    model.save(tmp_path / "model.zip")
    file = made(importers.load("sb3-contrib", tmp_path / "model.zip", trust=True))
    session = file.session(ROWS)
    expected, _ = model.predict(obs, deterministic=True)
    agree(session.step(obs), expected, file.action)
    if name == "MaskablePPO":
        masks = np.random.default_rng(2).random((ROWS, 5)) < 0.5
        masks[np.arange(ROWS), np.arange(ROWS) % 5] = True
        unmasked = session.step(obs).action
        expected, _ = model.predict(obs, deterministic=True, action_masks=masks)
        out = session.step(obs, masks)
        assert (out.action[:, 0] == expected).all() and (out.action != unmasked).mean() > 0.2


@pytest.mark.parametrize("action", [spaces.Discrete(4), ARM], ids=["discrete", "box"])
def test_sb3_contrib_recurrent(action: spaces.Space, tmp_path: Path) -> None:
    from sb3_contrib import RecurrentPPO

    settings = {"lstm_hidden_size": 32, "n_lstm_layers": 2}
    model = RecurrentPPO(
        "MlpLstmPolicy", Game(VECTOR, action), n_steps=16, batch_size=16, seed=1, device="cpu", policy_kwargs=settings
    ).learn(16)
    start = np.zeros(AGENTS, bool)
    obs = observations(VECTOR, STEPS, AGENTS)

    def play() -> None:
        state = None
        for row in obs[:9]:
            _, state = model.predict(row, state, start, deterministic=True)

    spread(model.policy.action_net, play)
    model.save(tmp_path / "model.zip")
    file = made(importers.load("sb3-contrib", tmp_path / "model.zip", trust=True))
    session, state, random, seen = file.session(AGENTS), None, np.random.default_rng(3), []
    for row in obs:
        again = random.random(AGENTS) < 0.1
        session.reset(np.flatnonzero(again))
        expected, state = model.predict(row, state, again, deterministic=True)
        agree(session.step(row), expected, file.action, least=1)
        seen.append(expected)
    assert len(np.unique(np.concatenate(seen).round(3), axis=0)) > 1


# Faults


def test_trust_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Nothing of a pickle is read before its reader says that the file is trusted."""
    (tmp_path / "model.zip").write_bytes(b"not even a zip file")
    with pytest.raises(ExportError, match="if you trust whoever made the file, say so with --trust"):
        importers.load("sb3", tmp_path / "model.zip")
    assert main(["export", "--from", "sb3", str(tmp_path / "model.zip")]) == 1
    assert "--trust" in capsys.readouterr().err
    with pytest.raises(ExportError, match=r"no file of model\.save"):
        importers.load("sb3", tmp_path / "model.zip", trust=True)


@pytest.mark.parametrize(
    "argv, words",
    [
        (["--from", "sb4", "x"], "sb3"),
        (["--from"], "the name of a library"),
        (["--from", "sb3"], "needs the file"),
        (["--from", "sb3", "none.zip", "--trust"], "none.zip does not exist"),
        (["--from=sb3", "none.zip", "--trsut"], "--trust"),
    ],
)
def test_bad_arguments(argv: list[str], words: str, capsys: pytest.CaptureFixture) -> None:
    assert main(["export", *argv]) == 1
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("name", importers.NAMES)
def test_help(name: str, capsys: pytest.CaptureFixture) -> None:
    assert main(["export", "--help"]) == 0
    assert f"  {name} " in capsys.readouterr().out
    with pytest.raises(SystemExit) as done:
        main(["export", "--from", name, "--help"])
    assert done.value.code == 0 and "--out" in capsys.readouterr().out
