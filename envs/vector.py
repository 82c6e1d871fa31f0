"""Thousands of environments in one C call, on the caller's memory."""

from __future__ import annotations

import secrets
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from minnow.cinfer.errors import MinnowError, unknown

from .find import folder, remember
from .spec import Spec, ffi, library, spec

SHAPING = ("none", "difference", "discounted")
EPISODE = ("score", "return", "length", "success")  # the columns of Buffers.episode


@dataclass(frozen=True, eq=False)
class Buffers:
    """One step's memory: C-contiguous arrays of rows (environment x agents + agent). Any but `obs` may be None.

    All but final_obs, episode and potential speak of the state that `obs` shows: after an episode's end, the first
    state of the next episode."""

    obs: np.ndarray  # [rows, *obs_shape] f32 or u8
    action: np.ndarray | None = None  # [rows, heads] i32 or f32, read; None: the script plays these slots too
    mask: np.ndarray | None = None  # [rows, choices] bool: which choices are possible
    reward: np.ndarray | None = None  # [rows] f32: of this step, shaping included
    potential: np.ndarray | None = None  # [rows] f32: of the state that the step led to, before any reset
    terminated: np.ndarray | None = None  # [rows] bool
    truncated: np.ndarray | None = None  # [rows] bool
    alive: np.ndarray | None = None  # [rows] bool
    final_obs: np.ndarray | None = None  # [rows, *obs_shape]: written where an episode ended: its last observation
    episode: np.ndarray | None = None  # [rows, 4] f32: likewise: EPISODE; return is without shaping, length in steps


class Vector:
    """The raw binding of one environment: `num_envs` of them, stepped together.

    name: of the environment, or its folder's path; params: values in place of the defaults. agents: how many slots
    the caller drives (None: as the environment says). seed: 64 bits; environment i plays the stream (seed,
    first_index + i); None: fresh entropy, so that no two vectors made without a seed are alike. randomize: in [0,
    1], the fraction by which physics parameters spread at each reset; ranges: {parameter: (low, high)} in place of
    that. action_repeat: ticks a step (None: the environment's). shaping: what is added to rewards of the progress
    measure P: "none", "difference" P(s') - P(s), "discounted" gamma P(s') - P(s). script_skill: of the slots the
    script plays, in [0, 1], or one for each slot (None: the parameter `skill`). Call `reset` before `step`.

    A vector can be copied (`copy.deepcopy`) and pickled: the copy goes on from the same states as the vector would.

    Raises MinnowError for an unknown name and a value out of range."""

    def __init__(
        self,
        name: str | Path,
        num_envs: int,
        *,
        seed: int | None = None,
        first_index: int = 0,
        agents: int | None = None,
        threads: int = 1,
        randomize: float = 0.0,
        ranges: Mapping[str, tuple[float, float]] | None = None,
        action_repeat: int | None = None,
        shaping: str = "none",
        gamma: float = 1.0,
        script_skill: float | Sequence[float | None] | None = None,
        params: Mapping[str, float] | None = None,
    ) -> None:
        seed = secrets.randbits(64) if seed is None else seed
        place = folder(name)
        self._made = {
            "name": remember(place) or place.name,
            "num_envs": num_envs,
            "seed": seed,
            "first_index": first_index,
            "agents": agents,
            "threads": threads,
            "randomize": randomize,
            "ranges": dict(ranges or {}),
            "action_repeat": action_repeat,
            "shaping": shaping,
            "gamma": gamma,
            "script_skill": script_skill,
            "params": dict(params or {}),
        }
        self.spec: Spec = spec(place)
        self.lib, self._ffi = library(place), ffi()
        name = place.name
        self.agents = self.spec.agents if agents is None else agents
        self.action_repeat = self.spec.action_repeat if action_repeat is None else action_repeat
        _within("num_envs", num_envs, 1, 1 << 24)
        _within(f"{name}: agents", self.agents, 1, self.spec.slots)
        _within("threads", threads, 1, 1024)
        _within("action_repeat", self.action_repeat, 1, 10_000)
        _within("randomize", randomize, 0, 1)
        _within("gamma", gamma, 0, 1)
        _within("first_index", first_index, 0, (1 << 32) - 1)
        if shaping not in SHAPING:
            raise unknown("shaping", shaping, SHAPING)
        self.num_envs, self.rows = num_envs, num_envs * self.agents
        self.lanes = self.lib.env_lanes()

        values = np.array([param.value for param in self.spec.param], np.float32)
        low, high = np.full_like(values, np.nan), np.full_like(values, np.nan)
        for key, value in (params or {}).items():
            values[self.spec.index(key)] = self.spec.check(key, value)
        for key, (least, most) in (ranges or {}).items():
            if not least <= most:
                raise MinnowError(f"{name}: the range of {key} is ({least:g}, {most:g}): its low is above its high.")
            low[self.spec.index(key)] = self.spec.check(key, least)
            high[self.spec.index(key)] = self.spec.check(key, most)
        skills = list(script_skill) if isinstance(script_skill, Sequence) else [script_skill] * self.spec.slots
        if len(skills) != self.spec.slots:
            raise MinnowError(f"{name} has {self.spec.slots} slots, but script_skill has {len(skills)} numbers.")
        for skill in skills:
            _within("script_skill", 0 if skill is None else skill, 0, 1)
        skill = np.array([-1 if skill is None else skill for skill in skills], np.float32)

        config = self._ffi.new("EnvVectorConfig *")
        config.num_envs, config.first_index, config.agents, config.threads = num_envs, first_index, self.agents, threads
        config.action_repeat, config.seed, config.randomize = self.action_repeat, _seed(seed), randomize
        config.param, config.low = self._floats(values), self._floats(low)
        config.high, config.skill = self._floats(high), self._floats(skill)
        config.shaping, config.gamma = SHAPING.index(shaping), gamma
        pointer = self.lib.env_vector_new(config)
        if pointer == self._ffi.NULL:
            raise MinnowError(f"no memory for {num_envs} environments of {self.lib.env_saved_size()} bytes.")
        self._vector = self._ffi.gc(pointer, self.lib.env_vector_free)
        # The C view of each Buffers, for as long as its owner keeps it.
        self._bound: weakref.WeakKeyDictionary[Buffers, Any] = weakref.WeakKeyDictionary()

    def __getstate__(self) -> dict[str, Any]:
        states = [self.save(i) for i in range(self.num_envs)]
        return {"made": self._made, "source_hash": self.spec.source_hash, "states": states}

    def __setstate__(self, kept: dict[str, Any]) -> None:
        name = kept["made"]["name"]
        if kept["source_hash"] != spec(name).source_hash:
            raise MinnowError(
                f"this {name} was pickled with another version of the environment: its source has changed "
                "since, so its states mean something else. Make it anew."
            )
        self.__init__(**kept["made"])
        for i, saved in enumerate(kept["states"]):
            self.load(i, saved)

    def _floats(self, array: np.ndarray) -> Any:
        return self._ffi.from_buffer("float[]", array)

    def buffers(self) -> Buffers:
        """New zeroed arrays for every field; action holds the idle action."""
        shapes = self._shapes()
        made = {name: np.zeros(shape, dtype) for name, (shape, dtype) in shapes.items()}
        if self.spec.action_type != "box":
            made["action"][:] = self.spec.idle
        return Buffers(**made)

    def _shapes(self) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
        rows, obs = self.rows, (self.rows, *self.spec.obs_shape)
        real, flag = np.dtype(np.float32), np.dtype(np.bool_)
        return {
            "obs": (obs, self.spec.obs_dtype),
            "action": ((rows, self.spec.heads), self.spec.action_dtype),
            "mask": ((rows, self.spec.choices), flag),
            "reward": ((rows,), real),
            "potential": ((rows,), real),
            "terminated": ((rows,), flag),
            "truncated": ((rows,), flag),
            "alive": ((rows,), flag),
            "final_obs": (obs, self.spec.obs_dtype),
            "episode": ((rows, len(EPISODE)), real),
        }

    def _bind(self, buffers: Buffers) -> Any:
        """The C view of `buffers`, checked and made once for each."""
        bound = self._bound.get(buffers)
        if bound is not None:
            return bound
        shapes = self._shapes()
        view = self._ffi.new("EnvBuffers *")
        for field in fields(Buffers):
            array = getattr(buffers, field.name)
            shape, dtype = shapes[field.name]
            if array is None:
                if field.name == "obs":
                    raise MinnowError("buffers.obs is None: observations need memory.")
                continue
            bytes_too = dtype == np.bool_ and array.dtype == np.uint8
            if array.shape != shape or not (array.dtype == dtype or bytes_too) or not array.flags.c_contiguous:
                loose = "" if array.flags.c_contiguous else ", not contiguous"
                raise MinnowError(
                    f"buffers.{field.name} must be a C-contiguous {dtype.name} array of shape {shape}, "
                    f"got {array.dtype.name} of shape {array.shape}{loose}."
                )
            if field.name != "action" and not array.flags.writeable:
                raise MinnowError(f"buffers.{field.name} is read-only.")
            if array.size:
                setattr(view, field.name, self._ffi.cast(f"{_C[field.name]} *", array.ctypes.data))
        self._bound[buffers] = view
        return view

    def reset(self, buffers: Buffers) -> None:
        """Begins the next episode of every environment; writes obs, mask, alive."""
        self.lib.env_vector_reset(self._vector, self._bind(buffers))

    def step(self, buffers: Buffers) -> None:
        """One step of every environment, `action_repeat` ticks; an environment whose episode ends begins the next one.
        Discrete actions that do not exist count as idle, continuous ones are clipped."""
        self.lib.env_vector_step(self._vector, self._bind(buffers))

    def observe(self, buffers: Buffers) -> None:
        """Writes obs, mask and alive once more, as after `load` or `event`."""
        self.lib.env_vector_observe(self._vector, self._bind(buffers))

    def seed(self, i: int, seed: int, index: int = 0) -> None:
        """Starts environment i anew on the stream (seed, index); `reset` must follow."""
        self.lib.env_vector_seed(self._vector, self._index(i), _seed(seed), index)

    def save(self, i: int) -> bytes:
        """Environment i with the sums of its episode so far. Valid between vectors of equal `agents`, any lanes."""
        saved = self._ffi.new("char[]", self.lib.env_vector_saved_size(self._vector))
        self.lib.env_vector_save(self._vector, self._index(i), saved)
        return bytes(self._ffi.buffer(saved))

    def load(self, i: int, saved: bytes) -> None:
        """Puts environment i back to what `save` returned; call `observe` to see it."""
        size = self.lib.env_vector_saved_size(self._vector)
        if len(saved) != size:
            raise MinnowError(f"a saved {self.spec.name} has {size} bytes, got {len(saved)}.")
        self.lib.env_vector_load(self._vector, self._index(i), saved)

    def hash(self, i: int) -> int:
        """64 bits of the whole state of environment i, the same for every build, lane count and machine."""
        return self.lib.env_hash(*self._place(i))

    def event(
        self, i: int, kind: int, slot: int = 0, x: float = 0, y: float = 0, z: float = 0, value: float = 0
    ) -> None:
        """Something that is no action: see EnvEvent in abi.h."""
        event = self._ffi.new("EnvEvent *", (kind, slot, x, y, z, value))
        self.lib.env_event(*self._place(i), event)

    def params(self, i: int) -> dict[str, float]:
        """The parameters that environment i's episode was drawn with."""
        place = self._place(i)
        return {param.name: self.lib.env_param(*place, k) for k, param in enumerate(self.spec.param)}

    def script(self, i: int, slot: int, skill: float | None = None) -> np.ndarray:
        """The scripted player's action [heads] for one slot of environment i, now."""
        action = np.zeros(self.spec.heads, self.spec.action_dtype)
        pointer = self._ffi.cast("void *", action.ctypes.data)
        self.lib.env_script(*self._place(i), self._slot(slot), -1.0 if skill is None else skill, pointer)
        return action

    def draw(self, i: int, agent: int = 0, camera: int = 0, aspect: float = 1.0) -> list[dict[str, Any]]:
        """The picture of environment i as a list of shapes: kind, color, n, f[12], text (abi.h)."""
        view = self._ffi.new("EnvView *", (self._slot(agent), camera, aspect))
        count = self.lib.env_draw(*self._place(i), view, self._ffi.NULL, 0)
        shapes = self._ffi.new("EnvShape[]", count)
        self.lib.env_draw(*self._place(i), view, shapes, count)
        return [
            {"kind": s.kind, "color": s.color, "n": s.n, "f": list(s.f), "text": self._ffi.string(s.text).decode()}
            for s in shapes
        ]

    def _index(self, i: int) -> int:
        if not 0 <= i < self.num_envs:
            raise MinnowError(f"there is no environment {i}: they are 0 to {self.num_envs - 1}.")
        return i

    def _slot(self, slot: int) -> int:
        if not 0 <= slot < self.spec.slots:
            raise MinnowError(f"{self.spec.name} has no slot {slot}: they are 0 to {self.spec.slots - 1}.")
        return slot

    def _place(self, i: int) -> tuple[Any, int]:
        return self.lib.env_vector_group(self._vector, self._index(i)), i % self.lanes


_C = {
    "obs": "void",
    "action": "void",
    "mask": "uint8_t",
    "reward": "float",
    "potential": "float",
    "terminated": "uint8_t",
    "truncated": "uint8_t",
    "alive": "uint8_t",
    "final_obs": "void",
    "episode": "float",
}


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise MinnowError(f"{name} = {value:g} is out of its range, {low:g} to {high:g}.")


def _seed(seed: int) -> int:
    if not 0 <= seed < 1 << 64:
        raise MinnowError(f"seed = {seed} must be a whole number of 64 bits, 0 or more.")
    return seed
