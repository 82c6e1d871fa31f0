"""Randomization that widens while episodes succeed."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from minnow import envs, train
from minnow.cinfer.errors import MinnowError
from minnow.train import checkpoint, device, widen
from minnow.train.config import Config, PolicyConfig, TrainConfig

EASY = {"near": 0.1, "still": 2.0, "limit": 10.0}  # so that luck succeeds now and then


def config(backend: str = "auto", **changes: object) -> Config:
    schedule = TrainConfig(steps=64 * 32 * 4, envs=64, horizon=32, minibatch=1024, widen=1e-3, checkpoints=2)
    policy = PolicyConfig(core="mlp", hidden=8)
    return Config("reach", 5, 0.4, EASY, policy, dataclasses.replace(schedule, backend=backend, **changes))  # type: ignore[arg-type]


def spread(vector: envs.Vector, name: str = "stiffness") -> float:
    """How far a parameter is from its value at most, in the episodes that go on."""
    nominal = next(param.value for param in vector.spec.param if param.name == name)
    return max(abs(vector.params(i)[name] / nominal - 1) for i in range(vector.num_envs))


@pytest.mark.parametrize("backend", ["c", "torch"])
def test_it_grows_with_success_and_worlds_follow(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(widen, "EPISODES", 32)
    trainer = device.trainer(config(backend))
    assert isinstance(trainer.vector, envs.Vector) and trainer.width is not None
    assert trainer.width.value == 0 and spread(trainer.vector) == 0
    widths = [trainer.update()["randomize"] for _ in range(4)]
    assert widths == sorted(widths) and widths[0] >= 0 and 0 < widths[-1] < 0.4
    before = spread(trainer.vector)
    assert 0 < before <= widths[-1] + 1e-6
    for _ in range(2):  # without success it stays
        trainer.width.share = 1.0
        assert trainer.update()["randomize"] == widths[-1]


def test_what_it_decides_by() -> None:
    class World:
        def __init__(self) -> None:
            self.told: list[tuple[int, int, float]] = []

        def event(self, i: int, kind: int, *, value: float) -> None:
            self.told.append((i, kind, value))

    width, world = widen.Width(config(widen=0.75), envs.spec("reach")), World()
    good, bad = np.ones((widen.EPISODES * 3 // 4, 4)), np.zeros((widen.EPISODES // 4, 4))
    width.settle(world, 2, [good])
    assert not world.told  # too few to judge by
    width.settle(world, 2, [bad])
    assert world.told == [(0, widen.RANDOMIZE, 0.02), (1, widen.RANDOMIZE, 0.02)] and width.value == 0.02
    width.settle(world, 2, [good, bad, bad[:1]])  # one failure too many
    assert len(world.told) == 2
    for _ in range(30):
        width.settle(world, 1, [good, good])
    assert width.value == 0.4 and len(world.told) == 2 + 19


def test_a_resumed_run_is_as_wide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(widen, "EPISODES", 32)
    whole = train.train(config(), out=tmp_path / "whole")
    first = checkpoint.all_of(tmp_path / "whole")[0]
    trainer = device.trainer(config())
    tensors, meta = checkpoint.read(first)
    trainer.load(tensors, meta["updates"])
    for _ in range(trainer.updates - meta["updates"]):
        trainer.update()
    a, b = checkpoint.read(whole.checkpoint)[0], trainer.tensors()
    assert a["width.state"][0] > 0 and a.keys() == b.keys()
    assert all((a[name] == b[name]).all() for name in a)


def test_where_there_is_no_success() -> None:
    with pytest.raises(MinnowError, match="has no success: leave"):
        device.trainer(Config("pong", train=TrainConfig(widen=0.8)))
