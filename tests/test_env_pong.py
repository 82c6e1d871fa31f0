"""Pong: how strong its players are, and that both sides see the same game."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from minnow import envs


def scores(player: str | float, opponent: float | None = None, episodes: int = 200, seed: int = 77) -> np.ndarray:
    """Points ahead of slot 0 in each of so many whole games. player: "random", or the skill of a script."""
    skill = [None if player == "random" else player, opponent]
    vector = envs.Vector("pong", episodes, seed=seed, script_skill=skill)
    b = vector.buffers()
    if player != "random":
        b = replace(b, action=envs.ABSENT)
    vector.reset(b)
    rng = np.random.default_rng(seed)
    result, going = np.zeros(episodes), np.ones(episodes, bool)
    while going.any():
        if b.action is not envs.ABSENT:
            b.action[:] = rng.integers(0, 3, b.action.shape)
        vector.step(b)
        over = (b.terminated | b.truncated) & going
        result[over] = b.record[over, 0]
        going &= ~over
    return result


def test_the_default_opponent_is_no_fool() -> None:
    """It moves at no less than 60 % of the ball's top vertical speed, and beats a random player by 15 or more."""
    value = {param.name: param.value for param in envs.spec("pong").param}
    assert value["skill"] == 0.5 and value["gravity"] == 0 and value["acceleration"] == 0
    vector = envs.Vector("pong", 64, seed=5, action_repeat=16)  # where the ball outruns it, it never rests
    b = vector.buffers()
    vector.reset(b)
    heights = []
    for _ in range(100):
        vector.step(b)
        heights.append(b.obs[:, [field.name for field in vector.spec.fields].index("opponent_y")] / 2)
    top = np.abs(np.diff(heights, axis=0)).max() * 60 / 16
    assert top >= 0.6 * value["speed"] * value["steepness"], top
    assert value["serve_slope"] <= value["steepness"]
    assert scores("random").mean() <= -15


def test_full_skill_beats_the_default_opponent() -> None:
    assert scores(1.0).mean() >= 20


def test_skill_is_skill() -> None:
    """Against a random player each step of skill scores no less; the weakest loses to the default opponent."""
    against_random = [-scores("random", skill, 100).mean() for skill in (0.0, 0.25, 0.5, 1.0)]
    assert all(np.diff(against_random) > -0.3), against_random
    assert scores(0.0, episodes=50).mean() < -10


def test_sides_are_alike() -> None:
    """With the serve and the actions mirrored, slot 1 sees what slot 0 saw."""
    vector = envs.Vector("pong", 64, agents=2, seed=4)
    b = vector.buffers()
    vector.reset(b)
    spec = vector.spec
    own, other = [0, 6], [1, 7]
    assert [spec.fields[i].name for i in own + other] == ["own_y", "own_move", "opponent_y", "opponent_move"]
    rng = np.random.default_rng(0)
    for _ in range(100):
        b.action[:] = rng.integers(0, 3, b.action.shape)
        vector.step(b)
        left, right = b.obs[0::2], b.obs[1::2]
        assert (left[:, own] == right[:, other]).all() and (left[:, other] == right[:, own]).all()
        assert (left[:, [2, 4]] == -right[:, [2, 4]]).all() and (left[:, [3, 5]] == right[:, [3, 5]]).all()
        assert (b.reward[0::2] == -b.reward[1::2]).all()


def test_a_crossing_takes_about_a_second() -> None:
    vector = envs.Vector("pong", 1, seed=1, action_repeat=1, params={"pause": 0, "points": 1})
    b = vector.buffers()
    vector.reset(b)
    x, ticks = [], 0
    while not b.terminated[0] and ticks < 600:
        b.action[:] = 0
        vector.step(b)
        x.append(b.obs[0, 2])
        ticks += 1
    turns = np.flatnonzero(np.diff(np.sign(np.diff(x))))
    assert ticks < 600
    if len(turns) > 1:
        assert 45 <= np.diff(turns).min() <= 90


@pytest.mark.parametrize("gravity", [-3.0, 3.0])
def test_gravity_pulls(gravity: float) -> None:
    vector = envs.Vector("pong", 16, seed=1, params={"gravity": gravity, "pause": 0, "serve_slope": 0})
    b = vector.buffers()
    vector.reset(b)
    b.action[:] = 0
    vector.step(b)
    assert (np.sign(b.obs[:, 5]) == np.sign(gravity)).all()
