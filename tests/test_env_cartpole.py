"""CartPole beside Gymnasium's own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
import pytest

from minnow import envs


@pytest.mark.parametrize("player", ["random", "script"])
def test_lockstep_with_gymnasium(player: str) -> None:
    """10,000 steps: states within 1e-5, equal ends. Random players start from equal states after each reset. The script
    holds the pole for 500 steps, in which an upright pole multiplies any difference by e^40, even the last bit of a
    double: its states are made equal before each step."""
    theirs = gymnasium.make("CartPole-v1")
    inner: Any = theirs.unwrapped
    theirs.reset(seed=0)
    vector = envs.Vector("cartpole", 1, seed=3)
    b = vector.buffers()
    vector.reset(b)
    inner.state = b.obs[0].astype(np.float64)
    rng = np.random.default_rng(1)
    worst, ends, cuts = 0.0, 0, 0
    for _ in range(10_000):
        action = int(rng.integers(2)) if player == "random" else int(vector.script(0, 0, 1.0)[0])
        if player == "script":
            inner.state = b.obs[0].astype(np.float64)
        b.action[:] = action
        vector.step(b)
        _, reward, terminated, truncated, _ = theirs.step(action)
        over = bool(b.terminated[0] or b.truncated[0])
        state = b.final_obs[0] if over else b.obs[0]
        worst = max(worst, float(np.abs(state - np.array(inner.state)).max()))
        assert (terminated, truncated) == (bool(b.terminated[0]), bool(b.truncated[0]))
        assert reward == b.reward[0] == 1
        if over:
            ends, cuts = ends + 1, cuts + truncated
            theirs.reset()
            inner.state = b.obs[0].astype(np.float64)
    assert worst <= 1e-5
    assert (ends > 300) if player == "random" else (cuts == ends == 20)


def test_the_first_state_is_small() -> None:
    vector = envs.Vector("cartpole", 1000, seed=2)
    b = vector.buffers()
    vector.reset(b)
    assert np.abs(b.obs).max() <= 0.05 and (np.abs(b.obs).max(axis=0) > 0.045).all()
    assert (np.abs(b.obs.mean(axis=0)) < 0.005).all()


def test_the_script_balances() -> None:
    vector = envs.Vector("cartpole", 100, seed=9)
    b = replace(vector.buffers(), action=envs.ABSENT)
    vector.reset(b)
    for step in range(500):
        vector.step(b)
        assert not b.terminated.any()
        assert b.truncated.all() == (step == 499)
    assert (b.record == [500, 500, 500, 0, 0]).all()


def test_a_pole_that_has_fallen_lies_still() -> None:
    """The page may tick a finished game on: numbers stay bounded."""
    vector = envs.Vector("cartpole", 1, seed=1, params={"max_angle": 45, "max_x": 2.8, "limit": 10000})
    b = vector.buffers()
    vector.reset(b)
    block, lanes, ffi = vector.lib.env_rows_block(vector._rows, 0), vector.lanes, vector._ffi
    flags = [ffi.new("int32_t[]", lanes) for _ in range(2)]
    for _ in range(3000):
        scratch = ffi.new("char[]", vector.lib.env_scratch_size())
        vector.lib.env_tick(
            block, ffi.new("int32_t[]", lanes), ffi.new("float[]", lanes), *flags, ffi.new("uint8_t[]", lanes), scratch
        )
    vector.observe(b)
    assert flags[0][0] == 1 and np.isfinite(b.obs).all() and abs(b.obs[0, 2]) <= 1.5708
