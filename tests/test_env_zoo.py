"""PettingZoo's view, checked by PettingZoo's own test and against the vector."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from each import every, few
from pettingzoo.test import parallel_api_test

from minnow import envs
from minnow.cinfer.errors import MinnowError


@every
def test_parallel_api(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parallel_api_test(envs.parallel(name, randomize=0.2), num_cycles=1000)


@few
def test_it_plays_what_the_vector_plays(name: str) -> None:
    """Observations, rewards, masks, ends and sums, step for step, over several episodes."""
    env = envs.parallel(name, seed=5)
    slots = env.vector.spec.slots
    vector = envs.Vector(name, 1, seed=5, agents=slots)
    b = vector.buffers()
    vector.reset(b)
    obs, infos = env.reset()
    for agent in env.possible_agents:
        env.action_space(agent).seed(3)
    ends = 0
    while ends < 2:
        if env.agents:
            assert np.stack(list(obs.values())).tobytes() == b.obs.tobytes()
        else:
            ends += 1
            obs, infos = env.reset()
        for info, mask, alive, reset in zip(infos.values(), b.mask, b.alive, b.reset, strict=True):
            assert info["alive"] == alive and info["reset"] == reset
            assert not env.vector.spec.masked or (info["action_mask"] == mask).all()
        actions = {agent: env.action_space(agent).sample() for agent in env.agents}
        b.action[:] = np.array(list(actions.values())).reshape(b.action.shape)
        vector.step(b)
        obs, rewards, terminated, truncated, infos = env.step(actions)
        assert list(rewards.values()) == b.reward.tolist()
        over, ended = bool(b.over[0]), b.terminated | b.truncated
        assert (
            all(terminated[agent] != truncated[agent] for agent in terminated) if over else not any(terminated.values())
        )
        for i, (agent, info) in enumerate(infos.items()):
            assert terminated[agent] == (over and b.terminated[i])
            assert ("outcome" in info) == ended[i]
            if ended[i]:
                assert (info["terminated"], info["truncated"]) == (b.terminated[i], b.truncated[i])
                assert info["final_obs"].tobytes() == b.final_obs[i].tobytes()
                assert list(info["outcome"].values()) == b.record[i].tolist()


@few
def test_a_seed_means_the_same_as_for_gymnasium(name: str) -> None:
    zoo, gym = envs.parallel(name), envs.make(name)
    assert (zoo.reset(seed=21)[0]["player_0"] == gym.reset(seed=21)[0]).all()


def test_mistakes_are_named() -> None:
    env = envs.parallel("pong")
    with pytest.raises(MinnowError, match=r"call reset\(\)"):
        env.step({})
    env.reset()
    with pytest.raises(MinnowError, match="no agent 'left': they are player_0, player_1"):
        env.step({"left": 0})
    with pytest.raises(MinnowError, match="did you mean gravity"):
        envs.parallel("pong", gravty=1)
