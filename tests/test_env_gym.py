"""Gymnasium's view, checked by Gymnasium's own tools."""

from __future__ import annotations

import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env, data_equivalence
from gymnasium.wrappers import RecordEpisodeStatistics, TimeLimit
from gymnasium.wrappers.vector import RecordEpisodeStatistics as VectorStatistics

from minnow import envs
from minnow.cinfer.errors import MinnowError

SAME_STEP = gymnasium.vector.AutoresetMode.SAME_STEP
each = pytest.mark.parametrize("name", envs.names())


@each
def test_check_env(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(envs.make(name), skip_render_check=True)


@each
def test_vector_equals_single_ones(name: str) -> None:
    """Observations, rewards, ends and all of info; from the constructor's seeds and from reset's."""
    count, options = 5, {"seed": 7, "randomize": 0.3}
    if any(param.name == "time" for param in envs.spec(name).param):
        options["time"] = 100  # so that episodes end
    single = [lambda i=i: envs.make(name, first_index=i, **options) for i in range(count)]
    sync = gymnasium.vector.SyncVectorEnv(single, autoreset_mode=SAME_STEP)
    vector = envs.make(name, num_envs=count, **options)
    assert vector.metadata["autoreset_mode"] == SAME_STEP
    assert vector.single_observation_space == sync.single_observation_space
    assert vector.observation_space == sync.observation_space and vector.action_space == sync.action_space
    vector.action_space.seed(3)
    ended = 0
    for seed in (None, 11, [4, 4, 9, 8, None]):
        (obs, info), (want, told) = vector.reset(seed=seed), sync.reset(seed=seed)
        assert (obs == want).all() and data_equivalence(info, told)
        for _ in range(500):
            action = vector.action_space.sample()
            got, want = vector.step(action), sync.step(action)
            for mine, theirs in zip(got[:4], want[:4], strict=True):
                assert mine.dtype == theirs.dtype and (mine == theirs).all()
            assert data_equivalence(got[4], want[4])
            ended += int((got[2] | got[3]).sum())
    assert ended >= 10


@each
def test_a_seed_means_the_same_in_the_constructor_and_in_reset(name: str) -> None:
    a, b = envs.make(name, seed=21), envs.make(name)
    assert (a.reset()[0] == b.reset(seed=21)[0]).all()
    assert a.vector.hash(0) == b.vector.hash(0)


@each
def test_stepping_a_finished_environment_is_refused(name: str) -> None:
    env = envs.make(name)
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(env.action_space.sample())
    env.reset()
    over = False
    while not over:
        *_, terminated, truncated, info = env.step(env.action_space.sample())
        over = terminated or truncated
    assert set(info["outcome"]) == {"score", "return", "length", "success"}
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(env.action_space.sample())


@each
def test_parameters_are_keywords(name: str) -> None:
    p = envs.spec(name).param[0]
    env = envs.make(name, num_envs=2, **{p.name: p.high})
    env.reset()
    assert env.vector.params(1)[p.name] == np.float32(p.high)
    with pytest.raises(MinnowError, match=f"{p.name} = .* is out of its range, {p.low:g} to {p.high:g}"):
        envs.make(name, **{p.name: p.high + 100})
    with pytest.raises(MinnowError, match=f"did you mean {p.name}"):
        envs.make(name, **{p.name + "e": 1})


def test_unknown_environment() -> None:
    with pytest.raises(MinnowError, match="did you mean pong"):
        envs.make("pongg")


@each
def test_gymnasiums_wrappers(name: str) -> None:
    """They own `info["episode"]`, and film what `render` gives."""
    env = envs.make(name, render_mode="rgb_array")
    env.reset(seed=0)
    before = env.render()
    assert before.dtype == np.uint8 and before.shape[1:] == (480, 3) and before.std() > 1
    env = RecordEpisodeStatistics(TimeLimit(env, 3))
    env.reset()
    over = False
    while not over:
        *_, terminated, truncated, info = env.step(env.action_space.sample())
        over = terminated or truncated
        assert env.render().shape == before.shape
    assert info["episode"]["l"] <= 3
    assert envs.make(name).render() is None
    with pytest.raises(MinnowError, match="unknown render mode 'human'"):
        envs.make(name, render_mode="human")


def test_an_episode_ends_under_the_wrappers() -> None:
    env = RecordEpisodeStatistics(envs.make("cartpole", render_mode="rgb_array"))
    env.reset(seed=0)
    over, picture = False, None
    while not over:
        last, picture = picture, env.render()
        *_, over, _, info = env.step(1)
    assert info["episode"]["l"] == info["outcome"]["length"] and info["episode"]["r"] == info["outcome"]["return"]
    assert (env.render() == picture).all() and (picture != last).any()  # not yet of the next episode
    env.reset()
    assert (env.render() != picture).any()
    many = VectorStatistics(envs.make("cartpole", num_envs=3))
    many.reset(seed=0)
    for _ in range(40):
        *_, info = many.step(np.ones(3, int))
        if info.get("final_info"):
            break
    assert info["episode"]["l"].max() == info["final_info"]["outcome"]["length"].max() > 0
