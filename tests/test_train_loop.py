"""The whole learner in C (core/loop.h) learns, bit for bit, what the trainer does in exact arithmetic."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest
import torch

from minnow import envs
from minnow.cinfer import binding, compile
from minnow.train import learn
from minnow.train.backend import CorePPO
from minnow.train.config import Config, PolicyConfig, TrainConfig

CORE = Path(learn.__file__).parent / "core"
SAME = (
    *("steps", "epochs", "learning_rate", "learning_rate_end", "gamma", "gae_lambda", "clip", "value_clip"),
    *("value_weight", "entropy", "entropy_end", "max_grad_norm", "reward_scale"),
    *("envs", "agents", "horizon", "minibatch", "normalize_advantage"),
)  # names of settings that C and `TrainConfig` share; and of the network's
NET = ("hidden", "layers", "remember", "normalize", "parts")
ACTIVATIONS, MEMORIES = ("", "relu", "tanh"), ("mlp", "lstm", "gru", "mingru")
SHAPING = ("none", "difference", "discounted")
SETTINGS: dict[str, Any] = {"envs": 8, "horizon": 16, "minibatch": 64, "epochs": 1.5, "learning_rate": 0.01}
CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "relu": ("pong", {"layers": 2}, {"shaping": "discounted", "value_clip": 0.1}),
    "tanh": ("cartpole", {"activation": "tanh", "normalize": True}, {"anneal": "cosine", "minibatch": 128}),
    "linear": ("cartpole", {"layers": 0}, {"normalize_advantage": False, "reward_scale": 0.1}),
    "masked": ("connect4", {}, {"max_grad_norm": 0.1}),
    "parts": ("2048", {"layers": 2, "parts": True}, {}),
    "bytes": ("snake", {}, {}),
    "lstm": ("pong", {"core": "lstm", "remember": 20}, {"entropy_end": 0.1}),
    "gru": ("cartpole", {"core": "gru", "normalize": True}, {}),
    "mingru": ("pong", {"core": "mingru", "layers": 2}, {"agents": 2}),
}


def config(case: str) -> Config:
    name, policy, train = CASES[case]
    settings = TrainConfig(steps=5 * 128, **{**SETTINGS, "precision": "exact", "backend": "c"} | train)
    return Config(name, 2**40 + 3, 0.2, policy=PolicyConfig(**{"core": "mlp", "hidden": 16} | policy), train=settings)


@functools.cache
def library(name: str) -> binding.Library:
    """The learner of one of our environments."""
    source = envs.ours(name) / f"{name}.c"
    built = compile.shared(
        CORE / "learner.c", defines={"LEARN_ENV": f'"{source}"'}, include=[source.parent.parent], flags=binding.FLAGS
    )
    return binding.load(built, CORE / "loop.h", CORE / "learner.c")


def settings_of(held: binding.Library, wanted: Config) -> Any:
    made = held.ffi.new("LearnSettings *")
    held.c.learner_defaults(made)
    for name in SAME:
        setattr(made, name, getattr(wanted.train, name))
    for name in NET:
        setattr(made, name, getattr(wanted.policy, name))
    made.seed, made.seed_high, made.randomize = wanted.seed % 2**32, wanted.seed >> 32, wanted.randomize
    made.cosine, made.shaping = wanted.train.anneal == "cosine", SHAPING.index(wanted.train.shaping)
    made.activation, made.memory = ACTIVATIONS.index(wanted.policy.activation), MEMORIES.index(wanted.policy.core)
    return made


class Learner:
    """One learner, and its memory."""

    def __init__(self, held: binding.Library, settings: Any) -> None:
        size = held.c.learner_size(settings) + 64
        self.held, self.block = held, held.ffi.new("char[]", size)
        at = int(held.ffi.cast("uintptr_t", self.block))
        self.learner = held.c.learner_new(self.block + (-at) % 64, settings)

    def update(self) -> Any:
        measures = self.held.ffi.new("LearnMeasures *")
        assert self.held.c.learner_update(self.learner, measures)
        return measures

    def numbers(self) -> torch.Tensor:
        c, ffi = self.held.c, self.held.ffi
        count = c.learner_count(self.learner)
        return torch.frombuffer(ffi.buffer(c.learner_parameters(self.learner), 4 * count), dtype=torch.float32).clone()


@pytest.mark.parametrize("case", CASES)
def test_it_learns_the_trainers_bits(case):
    wanted = config(case)
    held = library(wanted.name)
    settings = settings_of(held, wanted)
    assert held.c.learner_refuses(settings) == held.ffi.NULL
    theirs, ours = CorePPO(wanted), Learner(held, settings)
    assert torch.equal(ours.numbers(), theirs.adam.flat)
    for _ in range(5):
        found, expected = ours.update(), theirs.update()
        assert torch.equal(ours.numbers(), theirs.adam.flat)
        for name in ("policy_loss", "value_loss", "entropy", "kl", "clip_fraction", "gradient_norm", "learning_rate"):
            assert getattr(found, name) == pytest.approx(expected[name], rel=1e-5, abs=1e-7)
    assert held.c.learner_done(ours.learner) and held.c.learner_steps(ours.learner) == theirs.steps
