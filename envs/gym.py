"""Gymnasium's view of the environments: one (`GymEnv`) or many in one C call (`GymVectorEnv`, autoreset SAME_STEP).

Random streams: an environment made with `seed` and `first_index` plays the stream (seed, first_index + i); made without
a seed it draws one, so that no two are alike. Gymnasium's `reset(seed=s)` starts environment i anew on the stream
(s + i, 0), as N single environments would; `reset()` goes on with the stream. Both kinds can be copied and pickled."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector.utils import batch_space

from minnow.cinfer.errors import MinnowError, unknown

from .spec import Spec, spec
from .vector import EPISODE, Vector

PIXELS = 480  # of a picture, across
_OPTIONS = set(inspect.signature(Vector).parameters) - {"name", "num_envs", "params"}


def observation_space(spec: Spec) -> spaces.Box:
    """Bounds are those of the named fields; parameters away from their defaults may lead beyond them."""
    if spec.obs_type == "u8":
        return spaces.Box(0, 255, spec.obs_shape, np.uint8)
    shape = (len(spec.fields), *(1 for _ in spec.obs_shape[1:]))
    low = np.array([field.low for field in spec.fields], np.float32).reshape(shape)
    high = np.array([field.high for field in spec.fields], np.float32).reshape(shape)
    return spaces.Box(np.broadcast_to(low, spec.obs_shape), np.broadcast_to(high, spec.obs_shape), dtype=np.float32)


def action_space(spec: Spec) -> spaces.Space:
    """Discrete, MultiDiscrete or Box, as the environment declares."""
    if spec.action_type == "discrete":
        return spaces.Discrete(spec.head[0].size)
    if spec.action_type == "multi_discrete":
        return spaces.MultiDiscrete([head.size for head in spec.head])
    low, high = ([getattr(head, end) for head in spec.head] for end in ("low", "high"))
    return spaces.Box(np.array(low, np.float32), np.array(high, np.float32), dtype=np.float32)


def vector_of(name: str, num_envs: int, options: dict[str, Any]) -> Vector:
    """A Vector; keywords that are none of its options are parameters of the environment."""
    known = [param.name for param in spec(name).param]
    params = dict(options.pop("params", {}))
    for key in [key for key in options if key not in _OPTIONS]:
        if key not in known:
            raise unknown(f"option or parameter of {name}", key, [*known, *_OPTIONS])
        params[key] = options.pop(key)
    return Vector(name, num_envs, params=params, **options)


def masks(spec: Spec, row: np.ndarray) -> np.ndarray | tuple[np.ndarray, ...]:
    """One agent's mask [choices] in the form that `sample` of its action space takes: 1 where a choice is possible, one
    array for each head where there are several."""
    flags = row.astype(np.int8)
    if spec.action_type == "discrete":
        return flags
    return tuple(np.split(flags, np.cumsum([head.size for head in spec.head])[:-1]))


class GymEnv(gymnasium.Env):
    """One environment, driven by one agent; the script plays the other slots. `info` holds `action_mask` where actions
    can be impossible, as `action_space.sample(mask)` takes it, and, after the last step, `outcome` (score, return,
    length, success); `episode` is left to Gymnasium's wrappers. options: those of Vector, and parameters by name."""

    metadata = {"render_modes": ["rgb_array"]}  # noqa: RUF012 (Gymnasium's name and type)

    def __init__(self, name: str, render_mode: str | None = None, **options: Any) -> None:
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise unknown("render mode", render_mode, self.metadata["render_modes"])
        self.render_mode = render_mode
        self._raster: Any = None
        self._picture: np.ndarray | None = None
        self.vector = vector_of(name, 1, {"agents": 1, **options})
        if self.vector.agents != 1:
            raise MinnowError(f"a single Env has one agent, got agents = {self.vector.agents}: use num_envs=1.")
        declared = self.vector.spec
        self.observation_space, self.action_space = observation_space(declared), action_space(declared)
        self.metadata = {**self.metadata, "render_fps": declared.tick_rate / self.vector.action_repeat}
        self._buffers = self.vector.buffers()
        self._fresh = False  # whether the vector has begun the next episode already
        self._playing = False

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        if seed is not None:
            self.vector.seed(0, seed)
        if seed is not None or not self._fresh:
            self.vector.reset(self._buffers)
        self._fresh, self._playing = False, True
        return self._buffers.obs[0].copy(), self._info()

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict]:
        if not self._playing:
            raise gymnasium.error.ResetNeeded("the episode is over, or none has begun: call reset().")
        b = self._buffers
        b.action[0] = action
        self.vector.step(b)
        over = bool(b.terminated[0] or b.truncated[0])
        info = self._info()
        if over:
            info = {"outcome": dict(zip(EPISODE, b.episode[0].tolist(), strict=True))}
            self._fresh, self._playing = True, False
        obs = (b.final_obs if over else b.obs)[0].copy()
        return obs, float(b.reward[0]), bool(b.terminated[0]), bool(b.truncated[0]), info

    def render(self) -> np.ndarray | None:
        """u8 [height][width][3], 480 pixels wide, or None without a render mode. The vector has begun the next episode
        when one is over, so what was drawn last is shown until the reset."""
        if self.render_mode is None:
            return None
        if self._picture is None or not self._fresh:
            from .raster import Raster

            world = (self.vector.spec.view_width, self.vector.spec.view_height)
            size = (PIXELS, round(PIXELS * world[1] / world[0]))
            self._raster = self._raster or Raster(*size, world)
            shapes = [SimpleNamespace(**shape) for shape in self.vector.draw(0, aspect=size[0] / size[1])]
            self._picture = self._raster.draw(shapes)
        return self._picture

    def _info(self) -> dict[str, Any]:
        spec = self.vector.spec
        return {"action_mask": masks(spec, self._buffers.mask[0])} if spec.masked else {}

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_raster": None}  # surfaces cannot be copied; the next picture makes them anew


class GymVectorEnv(gymnasium.vector.VectorEnv):
    """Many environments in one C call, the same step for step as single ones made with `first_index` = 0, 1, ... in
    Gymnasium's SyncVectorEnv. The caller drives one agent of each; with `agents` several, each is a row of its own,
    environment by environment. Where an episode ended, `info` holds `final_obs` and `final_info` with `outcome`.
    `action_mask` is i8 [rows, choices], 1 where a choice is possible: `action_space.sample(tuple(mask))` of one
    head."""

    metadata = {"autoreset_mode": gymnasium.vector.AutoresetMode.SAME_STEP, "render_modes": []}  # noqa: RUF012

    def __init__(self, name: str, num_envs: int, **options: Any) -> None:
        self.vector = vector_of(name, num_envs, {"agents": 1, **options})
        declared = self.vector.spec
        self.num_envs = self.vector.rows
        self.single_observation_space, self.single_action_space = observation_space(declared), action_space(declared)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self.metadata = {**self.metadata, "render_fps": declared.tick_rate / self.vector.action_repeat}
        self._buffers = self.vector.buffers()

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict]:
        """seed: of the first environment (the next ones have the next seeds), or one for each environment."""
        count = self.vector.num_envs
        seeds = list(seed) if isinstance(seed, Sequence) else [None if seed is None else seed + i for i in range(count)]
        if len(seeds) != count:
            raise MinnowError(f"there are {count} environments, but {len(seeds)} seeds.")
        for i, each in enumerate(seeds):
            if each is not None:
                self.vector.seed(i, each)
        self.vector.reset(self._buffers)
        return self._buffers.obs.copy(), self._info()

    def step(self, actions: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict]:
        b = self._buffers
        b.action[:] = np.asarray(actions).reshape(b.action.shape)
        self.vector.step(b)
        info, over = {}, b.terminated | b.truncated
        if over.any():
            final_obs = np.full(self.num_envs, None, object)
            for row in np.flatnonzero(over):
                final_obs[row] = b.final_obs[row].copy()
            outcome: dict[str, np.ndarray] = {}
            for column, key in enumerate(EPISODE):
                outcome |= {key: np.where(over, b.episode[:, column], 0).astype(np.float64), f"_{key}": over.copy()}
            final_info = {"outcome": outcome, "_outcome": over.copy()}
            info = {"final_obs": final_obs, "_final_obs": over.copy(), "final_info": final_info, "_final_info": over}
        info |= self._info()
        return b.obs.copy(), b.reward.astype(np.float64), b.terminated.copy(), b.truncated.copy(), info

    def _info(self) -> dict[str, Any]:
        if not self.vector.spec.masked:
            return {}
        return {"action_mask": self._buffers.mask.astype(np.int8), "_action_mask": np.ones(self.num_envs, bool)}
