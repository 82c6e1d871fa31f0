"""Gymnasium's view of the environments: one (`GymEnv`) or many in one C call (`GymVectorEnv`).

Random streams: an environment made with `seed` and `first_index` plays the stream (seed, first_index + i); made without
a seed it draws one, so that no two are alike. Gymnasium's `reset(seed=s)` starts environment i anew on the stream
(s + i, 0), as N single environments would; `reset()` goes on with the stream. Both kinds can be copied and pickled.

An episode is a life of the agent: where it dies and comes back while its environment goes on, the next episode is the
next life there, and what happens until then is not seen. Several groups are a Dict space; those that are for the critic
alone lie in `info["critic"]`, by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from minnow.cinfer.errors import MinnowError, unknown

from .spec import Group, Spec, spec
from .vector import RECORD, Buffers, Obs, Vector, each

PIXELS = 480  # of a picture, across
PATIENCE = 1_000_000  # steps that the dead wait for their next life
_OPTIONS = set(inspect.signature(Vector).parameters) - {"name", "num_envs", "params"}


def observation_space(spec: Spec) -> spaces.Space:
    """A Box, or of several groups a Dict of them by name, without those for the critic alone. Bounds are those of the
    named fields; parameters away from their defaults may lead beyond them."""
    if len(spec.group) == 1:
        return _box(spec.obs)
    return spaces.Dict({group.name: _box(group) for group in spec.group if not group.critic})


def _box(group: Group) -> spaces.Box:
    if group.type == "u8":
        return spaces.Box(0, 1 if group.kind == "present" else 255, group.shape, np.uint8)
    ends = np.array([(field.low, field.high) for field in group.fields], np.float32)  # [fields, 2]
    wide = ends if group.kind == "set" else ends.reshape(len(ends), *[1] * (len(group.shape) - 1), 2)
    low, high = (np.broadcast_to(wide[..., side], group.shape) for side in (0, 1))
    return spaces.Box(low, high, dtype=np.float32)


def seen(spec: Spec, obs: Obs, rows: Any) -> tuple[Obs, dict[str, Any]]:
    """Copies of some rows of an observation, and the part of `info` that holds what is for the critic alone."""
    if not isinstance(obs, Mapping):
        return obs[rows].copy(), {}
    private = {group.name: obs[group.name][rows].copy() for group in spec.group if group.critic}
    return {group.name: obs[group.name][rows].copy() for group in spec.group if not group.critic}, (
        {"critic": private} if private else {}
    )


def action_space(spec: Spec) -> spaces.Space:
    """Discrete, MultiDiscrete or Box, as the environment declares."""
    if spec.action_type == "discrete":
        return spaces.Discrete(spec.head[0].size)
    if spec.action_type == "multi_discrete":
        return spaces.MultiDiscrete([head.size for head in spec.head])
    low, high = ([getattr(head, end) for head in spec.head] for end in ("low", "high"))
    return spaces.Box(np.array(low, np.float32), np.array(high, np.float32), dtype=np.float32)


def vector_of(name: str | Path, num_envs: int, options: dict[str, Any]) -> Vector:
    """A Vector; keywords that are none of its options are parameters of the environment."""
    declared = spec(name)
    known = [param.name for param in declared.param]
    params = dict(options.pop("params", {}))
    for key in [key for key in options if key not in _OPTIONS]:
        if key not in known:
            raise unknown(f"option or parameter of {declared.name}", key, [*known, *_OPTIONS])
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

    def __init__(self, name: str | Path, render_mode: str | None = None, **options: Any) -> None:
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
        self._idle = self._buffers.action.copy()
        self._fresh = False  # whether the vector is beyond the episode's end already
        self._playing = False

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Obs, dict]:
        super().reset(seed=seed)
        b = self._buffers
        if seed is not None:
            self.vector.seed(0, seed)
        if seed is not None or not self._fresh:
            self.vector.reset(b)
        _await(self.vector, b, self._idle)
        self._fresh, self._playing = False, True
        obs, info = seen(self.vector.spec, b.obs, 0)
        return obs, info | self._info()

    def step(self, action: Any) -> tuple[Obs, float, bool, bool, dict]:
        if not self._playing:
            raise gymnasium.error.ResetNeeded("the episode is over, or none has begun: call reset().")
        b = self._buffers
        b.action[0] = action
        self.vector.step(b)
        over = bool(b.terminated[0] or b.truncated[0])
        info = self._info()
        if over:
            info = {"outcome": dict(zip(RECORD, b.record[0].tolist(), strict=True))}
            self._fresh, self._playing = True, False
        obs, private = seen(self.vector.spec, b.final_obs if over else b.obs, 0)
        return obs, float(b.reward[0]), bool(b.terminated[0]), bool(b.truncated[0]), private | info

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
            self._picture = self._raster.draw(self.vector.draw(0, aspect=size[0] / size[1]))
        return self._picture

    def _info(self) -> dict[str, Any]:
        spec = self.vector.spec
        return {"action_mask": masks(spec, self._buffers.mask[0])} if spec.masked else {}

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_raster": None}  # surfaces cannot be copied; the next picture makes them anew


class GymVectorEnv(gymnasium.vector.VectorEnv):
    """Many environments in one C call, the same step for step as single ones made with `first_index` = 0, 1, ... in
    Gymnasium's SyncVectorEnv. The caller drives one agent of each; with `agents` several, each is a row of its own,
    environment by environment. `action_mask` is i8 [rows, choices], 1 where a choice is possible:
    `action_space.sample(tuple(mask))` of one head. With `agents` several, in an environment whose agents die and come
    back, the dead stay rows with rewards of 0, and `alive` in `info` is bool [rows].

    autoreset_mode, as Gymnasium has it: SAME_STEP, in which the observation that comes with an episode's end is the
    next one's first, and `info` holds `final_obs` and `final_info` with `outcome`; NEXT_STEP, in which it is the
    episode's last, `info` holds `outcome`, and the next step heeds no action there and gives the next episode's first
    observation; DISABLED, in which the next episode begins by `reset(options={"reset_mask": mask})`."""

    metadata = {"autoreset_mode": AutoresetMode.SAME_STEP, "render_modes": []}  # noqa: RUF012

    def __init__(
        self,
        name: str | Path,
        num_envs: int,
        *,
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
        **options: Any,
    ) -> None:
        self.mode = _mode(autoreset_mode)
        self.vector = vector_of(name, num_envs, {"agents": 1, **options})
        declared = self.vector.spec
        if self.mode != AutoresetMode.SAME_STEP and self.vector.agents != 1:
            raise MinnowError(
                f"autoreset_mode {self.mode.name} is for one agent an environment, and there are {self.vector.agents}, "
                "whose episodes may end at different steps: use SAME_STEP."
            )
        self.num_envs = self.vector.rows
        self.single_observation_space, self.single_action_space = observation_space(declared), action_space(declared)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        fps = declared.tick_rate / self.vector.action_repeat
        self.metadata = {**self.metadata, "autoreset_mode": self.mode, "render_fps": fps}
        self._buffers = self.vector.buffers()
        alone = declared.lives and self.vector.agents == 1
        self._aside = vector_of(name, 1, {"agents": 1, **options}) if alone else None
        self._shown = self._buffers.obs  # what the caller saw last
        self._over = np.zeros(self.num_envs, bool)  # rows that show their episode's end; the vector has begun the next

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Obs, dict]:
        """seed: of the first environment (the next ones have the next seeds), or one for each environment.
        options: `reset_mask`, bool [num_envs], which of them to reset; by default all."""
        count = self.vector.num_envs
        seeds = list(seed) if isinstance(seed, Sequence) else [None if seed is None else seed + i for i in range(count)]
        if len(seeds) != count:
            raise MinnowError(f"there are {count} environments, but {len(seeds)} seeds.")
        chosen = self._chosen((options or {}).get("reset_mask"))
        # What shows its end, and gets no seed, has begun its next episode already.
        mine, over = (flags.reshape(count, -1).any(1) for flags in (chosen, self._over))  # [environments]
        fresh = mine & (~over | np.array([each is not None for each in seeds]))
        for i in np.flatnonzero(mine).tolist():
            if (chosen_seed := seeds[i]) is not None:
                self.vector.seed(i, chosen_seed)
        if fresh.any():
            self._apart(~fresh, self.vector.reset)
            self._await()
        self._shown = each(lambda old, new: np.where(wide(chosen, old), new, old), self._shown, self._buffers.obs)
        self._over = self._over & ~chosen
        obs, private = seen(self.vector.spec, self._shown, ...)
        return obs, private | self._info(chosen)

    def step(self, actions: Any) -> tuple[Obs, np.ndarray, np.ndarray, np.ndarray, dict]:
        b, again = self._buffers, self._over
        if again.any() and self.mode == AutoresetMode.DISABLED:
            raise gymnasium.error.ResetNeeded(
                f"the episodes of {np.flatnonzero(again).tolist()} are over: "
                'call reset(options={"reset_mask": terminated | truncated}).'
            )
        b.action[:] = np.asarray(actions).reshape(b.action.shape)
        self._apart(again, self.vector.step)
        b.reward[again], b.terminated[again], b.truncated[again] = 0, False, False
        info, over = {}, b.terminated | b.truncated
        if over.any():
            outcome: dict[str, np.ndarray] = {}
            for column, key in enumerate(RECORD):
                outcome |= {key: np.where(over, b.record[:, column], 0).astype(np.float64), f"_{key}": over.copy()}
            info = {"outcome": outcome, "_outcome": over.copy()}
        reward, terminated, truncated = b.reward.astype(np.float64), b.terminated.copy(), b.truncated.copy()
        spec, final = self.vector.spec, b.final_obs
        if over.any():
            final = each(np.copy, final)
            self._await()
        self._shown = each(np.copy, b.obs)
        if self.mode == AutoresetMode.SAME_STEP:
            if info:
                final_obs = np.full(self.num_envs, None, object)
                for row in np.flatnonzero(over):
                    final_obs[row] = seen(spec, final, row)[0]
                info = {"final_obs": final_obs, "_final_obs": over.copy(), "final_info": info, "_final_info": over}
            info |= self._info(np.ones_like(over))
        else:
            self._over = over
            self._shown = each(lambda new, last: np.where(wide(over, new), last, new), self._shown, final)
            info |= self._info(~over)
        obs, private = seen(spec, self._shown, ...)
        return obs, reward, terminated, truncated, private | info

    def _await(self) -> None:
        """Plays on where an environment's only agent is dead, until it lives: aside, since the others wait."""
        b, aside = self._buffers, self._aside
        if aside is None or b.alive.all():
            return
        buffers = aside.buffers()
        idle = buffers.action.copy()
        for i in np.flatnonzero(~b.alive.astype(bool)).tolist():
            aside.load(0, self.vector.save(i))
            aside.observe(buffers)
            _await(aside, buffers, idle)
            self.vector.load(i, aside.save(0))
        self.vector.observe(b)

    def _apart(self, held: np.ndarray, act: Callable[[Buffers], None]) -> None:
        """Does what acts on all environments, but to those that are `held`: they and their rows stay as they are."""
        b, rows = self._buffers, np.flatnonzero(held).tolist()
        states = [self.vector.save(i) for i in rows]
        observed = list(b.obs.values()) if isinstance(b.obs, Mapping) else [b.obs]
        parts = [(array, array[rows]) for array in (*observed, b.mask, b.alive)] if states else []
        act(b)
        for i, state in zip(rows, states, strict=True):
            self.vector.load(i, state)
        for array, kept in parts:
            array[rows] = kept

    def _chosen(self, mask: Any) -> np.ndarray:
        if mask is None:
            return np.ones(self.num_envs, bool)
        if not isinstance(mask, np.ndarray) or mask.dtype != bool or mask.shape != (self.num_envs,) or not mask.any():
            shown = f"{mask.dtype} {list(mask.shape)}" if isinstance(mask, np.ndarray) else type(mask).__name__
            raise MinnowError(
                f"reset_mask must be a bool array of shape [{self.num_envs}], at least one of them true, got {shown}."
            )
        if self.vector.agents != 1:
            raise MinnowError("reset_mask is for one agent an environment: reset all, or use agents=1.")
        return mask

    def _info(self, rows: np.ndarray) -> dict[str, Any]:
        """The masks of some rows, and who lives."""
        spec, info = self.vector.spec, {}
        if spec.masked and rows.any():
            masks = np.where(rows[:, None], self._buffers.mask, False).astype(np.int8)
            info = {"action_mask": masks, "_action_mask": rows.copy()}
        if spec.lives and self.vector.agents > 1:
            info |= {"alive": self._buffers.alive.copy(), "_alive": np.ones_like(rows)}
        return info


def _await(vector: Vector, buffers: Buffers, idle: np.ndarray) -> None:
    """Steps the one environment of a vector until its agent lives."""
    for _ in range(PATIENCE):
        if buffers.alive[0]:
            return
        buffers.action[:] = idle
        vector.step(buffers)
    raise MinnowError(
        f"an agent of {vector.spec.name} was dead for {PATIENCE} steps: its environment must bear it again, or end "
        "(awaits(), in docs/environments.md)."
    )


def _mode(said: AutoresetMode | str) -> AutoresetMode:
    """By its member, its name or its value."""
    names = {word: mode for mode in AutoresetMode for word in (mode, mode.name, mode.value)}
    if said not in names:
        raise unknown("autoreset_mode", str(said), [mode.name for mode in AutoresetMode])
    return names[said]


def wide(rows: np.ndarray, like: np.ndarray) -> np.ndarray:
    """A row's flag for each number of the row."""
    return rows.reshape(-1, *[1] * (like.ndim - 1))
