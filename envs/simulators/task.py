"""What tasks of every simulator have in common: parameters, randomization, rewards, and when an episode ends."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from gymnasium import spaces

from ..find import OURS
from ..foreign import AT_END
from ..spec import Param, spec

ARM = 7  # the first heads of an action
# Physics parameters of our own arm that a simulator can be given from one episode to the next.
LIVE = (
    *("stiffness", "damping", "torque", "link_mass", "joint_friction", "grip", "grip_damping", "grip_force", "reach"),
    *("action_scale", "start_spread", "noise", "cube_mass", "cube_friction", "finger_friction", "table_friction"),
)
OWN = (
    Param("ends", 0.0, 0.0, 1.0, "world", "integer", "", "Whether success ends the episode, as training wants it."),
    Param("raw", 0.0, 0.0, 1.0, "reward", "linear", "", "What a step pays of the progress itself, to compare."),
)


@functools.cache
def params() -> tuple[Param, ...]:
    """Of every task: OWN, and those of LIVE with the nominal values and bounds that pick_cube has."""
    ours = {param.name: param for param in spec(OURS / "pick_cube").param}
    return (*OWN, *(ours[name] for name in LIVE))


def drawn(param: Param, fraction: float, rng: np.random.Generator) -> float:
    """A parameter's value for an episode: uniform in its spread, or in the logarithm where its scale says so."""
    low, high = param.spread(fraction)
    if low == high:
        return param.value
    if param.scale == "log":
        return float(math.exp(rng.uniform(math.log(low), math.log(high))))
    return float(rng.uniform(low, high))


class Moment(NamedTuple):
    """The state after a step. obs: numbers; potential: progress, 0 to 1."""

    obs: np.ndarray
    success: bool
    potential: float


class Task(gymnasium.Env):
    """A task as an environment of Gymnasium. Success pays 1; the episode goes on to its last step, unless `ends`.

    observations, limit: how many numbers, and steps of an episode. values: of `params`; randomize: as of
    `envs.Vector`. After every step `potential` is the progress of the state that it led to."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 20}  # noqa: RUF012
    score_name = AT_END

    def __init__(
        self, observations: int, limit: int, values: Mapping[str, float], randomize: float, render_mode: str | None
    ) -> None:
        self.observation_space = spaces.Box(-np.inf, np.inf, (observations,), np.float32)
        self.action_space = spaces.Box(-1, 1, (ARM + 1,), np.float32)
        self.param = [replace(param, value=values.get(param.name, param.value)) for param in params()]
        self.limit, self.randomize, self.render_mode, self.potential = limit, randomize, render_mode, 0.0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        self.value = {param.name: drawn(param, self.randomize, self.np_random) for param in self.param}
        self.tick = 0
        moment = self.begin(int(self.np_random.integers(1 << 31)))
        self.potential = moment.potential
        return self._seen(moment.obs), {"success": False}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict]:
        moment = self.advance(np.clip(action, -1, 1))
        self.tick += 1
        self.potential = moment.potential
        terminated = bool(self.value["ends"]) and moment.success
        truncated = self.tick >= self.limit and not terminated
        reward = float(moment.success) + self.value["raw"] * moment.potential
        return self._seen(moment.obs), reward, terminated, truncated, {"success": moment.success}

    def begin(self, seed: int) -> Moment:
        """A new episode by the parameters in `value`; all that is random in it follows from the seed."""
        raise NotImplementedError

    def advance(self, action: np.ndarray) -> Moment:
        """One step of control by an action [8] in [-1, 1]."""
        raise NotImplementedError

    def put(self, state: np.ndarray) -> Moment:
        """The state that an observation of pick_cube [42] shows, at rest: to compare simulators."""
        raise NotImplementedError

    @property
    def reach(self) -> float:
        """rad: how far from where it is a joint's target is at most."""
        return self.value["reach"] * self.value["action_scale"]

    def _seen(self, obs: np.ndarray) -> np.ndarray:
        noise = self.value["noise"]
        return (obs + noise * self.np_random.standard_normal(obs.shape) if noise else obs).astype(np.float32)
