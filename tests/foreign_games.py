"""Tiny environments of Gymnasium's and PettingZoo's kind, for test_foreign.py."""

from __future__ import annotations

import os
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from pettingzoo import ParallelEnv


class Matching(gymnasium.Env):
    """Sees two wheels and a number in a Dict, and is paid for showing the wheels; ends after `length` steps, by
    truncation if `cut`. `info` says which choices are possible: none but the right one, of the second wheel."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012

    def __init__(self, length: int = 5, cut: bool = False, gain: float = 1.0, render_mode: str | None = None) -> None:
        self.length, self.cut, self.gain, self.render_mode = length, cut, gain, render_mode
        inner = {"far": spaces.Box(-np.inf, np.inf, (2,), np.float64), "way": spaces.Discrete(2, start=1)}
        self.observation_space = spaces.Dict(
            {"wheels": spaces.MultiDiscrete([3, 2]), "in": spaces.Dict(inner), "bits": spaces.MultiBinary(2)}
        )
        self.action_space = spaces.MultiDiscrete([3, 2])

    def _seen(self) -> tuple[dict[str, Any], dict[str, Any]]:
        mask = np.zeros(2, np.int8)
        mask[self.wheels[1]] = 1
        obs = {"in": {"far": np.array([self.time, 0.5]), "way": 1 + self.time % 2}, "bits": self.wheels > 0}
        return {"wheels": self.wheels, **obs}, {"action_mask": (np.ones(3, np.int8), mask), "is_success": self.time > 3}

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict]:
        super().reset(seed=seed)
        self.time, self.wheels = 0, self.np_random.integers([3, 2])
        return self._seen()

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict]:
        assert self.action_space.contains(action), action
        reward = self.gain * float((action == self.wheels).mean())
        self.time += 1
        self.wheels = self.np_random.integers([3, 2])
        over = self.time == self.length
        obs, info = self._seen()
        return obs, reward, over and not self.cut, over and self.cut, info

    def render(self) -> Any:
        return np.full((12, 20, 3), 10 * self.time, np.uint8)


class Simple(gymnasium.Env):
    """Spaces that are given; every step is paid its number, of five."""

    def __init__(self, observation: spaces.Space, action: spaces.Space) -> None:
        self.observation_space, self.action_space = observation, action
        self.given: Any = None

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict]:
        super().reset(seed=seed)
        self.time = 0
        if seed is not None:
            self.observation_space.seed(seed)
        return self.observation_space.sample(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict]:
        self.time += 1
        self.given = action
        return self.observation_space.sample(), float(self.time), self.time == 5, False, {}


def text() -> gymnasium.Env:
    return Simple(spaces.Dict({"mission": spaces.Text(9), "at": spaces.Discrete(3)}), spaces.Discrete(2))


def picture() -> gymnasium.Env:
    return Simple(spaces.Box(0, 255, (6, 5, 3), np.uint8), spaces.Discrete(4, start=-1))


class Breaks(Simple):
    """At its third step."""

    def __init__(self, how: str) -> None:
        super().__init__(spaces.Box(-1, 1, (2,)), spaces.Box(-2, 2, (1,)))
        self.how, self.steps = how, 0

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict]:
        self.steps += 1
        if self.steps == 3 and self.how == "dies":
            os._exit(7)
        if self.steps == 3:
            raise ValueError("the motor is hot")
        return super().step(action)


def raises() -> gymnasium.Env:
    return Breaks("raises")


def dies() -> gymnasium.Env:
    return Breaks("dies")


class Relay(ParallelEnv):
    """Of two agents, the second is out after two steps, and the first goes on to four, where it is cut off. Both see
    the time and are paid what they choose."""

    metadata = {"name": "relay"}  # noqa: RUF012

    def __init__(self) -> None:
        self.possible_agents = ["first", "second"]

    def observation_space(self, agent: str) -> spaces.Space:
        return spaces.Box(0, 9, (1,), np.float32)

    def action_space(self, agent: str) -> spaces.Space:
        return spaces.Discrete(3)

    def _all(self, value: Any) -> dict[str, Any]:
        return dict.fromkeys(self.agents, value)

    def reset(self, seed: int | None = None, options: Any = None) -> tuple[dict, dict]:
        self.agents, self.time = list(self.possible_agents), 0
        return self._all(np.zeros(1, np.float32)), self._all({})

    def step(self, actions: dict[str, Any]) -> tuple[dict, dict, dict, dict, dict]:
        assert list(actions) == self.agents
        self.time += 1
        obs, rewards = self._all(np.full(1, self.time, np.float32)), {a: float(x) for a, x in actions.items()}
        ends = {agent: agent == "second" and self.time == 2 for agent in self.agents}
        cuts = {agent: agent == "first" and self.time == 4 for agent in self.agents}
        infos = self._all({})
        self.agents = [agent for agent in self.agents if not ends[agent] and not cuts[agent]]
        return obs, rewards, ends, cuts, infos


class Counters(gymnasium.vector.VectorEnv):
    """Row i counts to 2 + i and ends, by truncation where i is odd; a step is paid the action. Tensors of torch's, by
    a mode of autoreset; `numpy`: NumPy's arrays."""

    def __init__(self, num_envs: int, mode: AutoresetMode, numpy: bool = False) -> None:
        self.num_envs, self.mode, self.numpy = num_envs, mode, numpy
        self.metadata = {"autoreset_mode": mode}
        self.single_observation_space = spaces.Box(0, 99, (1,), np.float32)
        self.single_action_space = spaces.Discrete(3)

    def _given(self, array: np.ndarray) -> Any:
        if self.numpy:
            return array
        import torch  # which takes seconds of each process that imports this file

        return torch.from_numpy(array)

    def _seen(self) -> Any:
        return self._given(self.time.astype(np.float32)[:, None])

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[Any, dict]:
        self.time, self.over = np.zeros(self.num_envs, int), np.zeros(self.num_envs, bool)
        return self._seen(), {}

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict]:
        assert isinstance(actions, np.ndarray) == self.numpy
        place, waits = np.arange(self.num_envs), self.over
        self.time = np.where(waits, 0, self.time + 1)
        reward = np.where(waits, 0, np.asarray(actions))
        over = ~waits & (self.time == 2 + place)
        ends, cuts = over & (place % 2 == 0), over & (place % 2 == 1)
        info = {}
        if self.mode == AutoresetMode.NEXT_STEP:
            self.over = over
        elif over.any():
            last = self._seen()
            if self.numpy:  # as Gymnasium gives it
                rows, last = last, np.full(self.num_envs, None, object)
                for row in np.flatnonzero(over):
                    last[row] = rows[row]
            info = {"final_obs": last, "_final_obs": self._given(over)}
            self.time = np.where(over, 0, self.time)
        return self._seen(), *map(self._given, (reward, ends, cuts)), info


def same_step(num_envs: int) -> Counters:
    return Counters(num_envs, AutoresetMode.SAME_STEP)


def next_step(num_envs: int) -> Counters:
    return Counters(num_envs, AutoresetMode.NEXT_STEP)


def same_step_numpy(num_envs: int) -> Counters:
    return Counters(num_envs, AutoresetMode.SAME_STEP, numpy=True)
