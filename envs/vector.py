"""Thousands of environments in one C call, on the caller's memory."""

from __future__ import annotations

import functools
import secrets
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from minnow.cinfer.errors import MinnowError, unknown

from .find import folder, remember
from .shapes import Shape, decode
from .spec import DRAWN, Spec, enumeration, ffi, library, spec
from .spec import privileged as told

SHAPING = enumeration("SHAPING_NONE", "SHAPING_")
RECORD = enumeration("SCORE")  # the columns of Buffers.record
ABSENT = np.zeros(0)  # stands for an array that is not wanted
Obs = Any  # an array, or, where the environment observes several groups, a dict of arrays by their names


def each(work: Callable[..., Any], first: Any, *others: Any) -> Any:
    """What `work` makes of every array, in the form of `first`; of several observations, of their arrays of one name
    together. NumPy's arrays and torch's alike."""
    if isinstance(first, Mapping):
        return {name: work(leaf, *(other[name] for other in others)) for name, leaf in first.items()}
    return work(first, *others)


def _absent() -> Any:
    return ABSENT


@dataclass(frozen=True, eq=False)
class Buffers:
    """One step's memory: C-contiguous arrays of rows (environment x agents + agent). Any may be ABSENT, any group of
    several may be left out of `obs` and `final_obs`.

    obs, mask, alive and reset speak of one moment, after the step and all that began in it; the others of the step that
    led there. Where a row was dead before a step, its reward, terminated and truncated are 0."""

    # [rows, *shape] f32 or u8, of each group
    obs: Obs = field(default_factory=_absent)
    # [rows, heads] i32 or f32, read; ABSENT: the script plays these slots too
    action: np.ndarray = field(default_factory=_absent)
    # [rows, choices] bool: which choices are possible
    mask: np.ndarray = field(default_factory=_absent)
    # [rows] f32: of this step, shaping included
    reward: np.ndarray = field(default_factory=_absent)
    # [rows] f32: of the state that the step led to, before any reset
    potential: np.ndarray = field(default_factory=_absent)
    # [rows] bool: the row's life ended in this step
    terminated: np.ndarray = field(default_factory=_absent)
    # [rows] bool: it was cut off
    truncated: np.ndarray = field(default_factory=_absent)
    # [rows] bool: somebody is there to act
    alive: np.ndarray = field(default_factory=_absent)
    # [rows] bool: obs begins a life; who keeps memory for the row clears it first
    reset: np.ndarray = field(default_factory=_absent)
    # like obs: written where a life ended: its last observation
    final_obs: Obs = field(default_factory=_absent)
    # [rows, 5] f32: likewise: RECORD; return is without shaping, length in steps, broken 1 where the episode broke
    record: np.ndarray = field(default_factory=_absent)
    # [num_envs] bool: the environment ended in this step, and the next episode has begun
    over: np.ndarray = field(default_factory=_absent)


@dataclass(frozen=True)
class Raw:
    """What C needs to step a vector's environments by itself, as rows.h says it: addresses, valid while this lives."""

    step: int  # env_rows_step
    rows: int
    buffers: Any  # const EnvBuffers *[]
    block: int  # rows of a block
    blocks: int
    scratch: int  # bytes that a call needs


class Rows:
    """Environments that step together, and the memory of their rows; `Vector` has those in C, `foreign` the others."""

    spec: Spec
    num_envs: int
    agents: int  # of each that the caller drives
    rows: int

    @property
    def pids(self) -> list[int]:
        """Of other processes that step some of them."""
        return []

    def buffers(self) -> Buffers:
        """New zeroed arrays for every field; action holds the idle action."""

        def observed() -> Obs:
            arrays = {group.name: np.zeros((self.rows, *group.shape), group.dtype) for group in self.spec.group}
            return arrays if len(arrays) > 1 else arrays["obs"]

        made = {name: np.zeros(shape, dtype) for name, (shape, dtype) in self.shapes().items()}
        if self.spec.action_type != "box":
            made["action"][:] = self.spec.idle
        return Buffers(obs=observed(), final_obs=observed(), **made)

    def shapes(self) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
        """Of every field but observations, with its type."""
        rows = self.rows
        real, flag = np.dtype(np.float32), np.dtype(np.bool_)
        return {
            "action": ((rows, self.spec.heads), self.spec.action_dtype),
            "mask": ((rows, self.spec.choices), flag),
            "reward": ((rows,), real),
            "potential": ((rows,), real),
            "terminated": ((rows,), flag),
            "truncated": ((rows,), flag),
            "alive": ((rows,), flag),
            "reset": ((rows,), flag),
            "record": ((rows, len(RECORD)), real),
            "over": ((self.num_envs,), flag),
        }

    def move(self, first_index: int) -> None:
        """From the next reset on environment i plays the stream (seed, first_index + i), from its beginning: as a new
        vector would, without new processes. Foreign environments alone have it."""
        raise NotImplementedError

    def reset(self, buffers: Buffers) -> None:
        """Begins the next episode of every environment; writes obs, mask, alive, reset."""
        raise NotImplementedError

    def step(self, buffers: Buffers) -> None:
        """One step of every environment; one that is over begins its next episode."""
        raise NotImplementedError

    def save(self, i: int) -> bytes:
        """Environment i, for `load`: of a foreign one only how many episodes it has begun."""
        raise NotImplementedError

    def load(self, i: int, saved: bytes) -> None:
        """Puts environment i back; a foreign one plays new episodes from the next `reset` on."""
        raise NotImplementedError


class Vector(Rows):
    """The raw binding of one environment: `num_envs` of them, stepped together.

    name: of the environment, or its folder's path; params: values in place of the defaults. agents: how many slots
    the caller drives (None: as the environment says). seed: 64 bits; environment i plays the stream (seed,
    first_index + i); None: fresh entropy, so that no two vectors made without a seed are alike. randomize: in [0,
    1], the fraction by which physics parameters spread at each reset; ranges: {parameter: (low, high)} in place of
    that. action_repeat: ticks a step (None: the environment's). shaping: what is added to rewards of the progress
    measure P: "none", "difference" P(s') - P(s), "discounted" gamma P(s') - P(s). script_skill: of the slots the
    script plays, in [0, 1], or one for each slot (None: the parameter `skill`). privileged: observe what was drawn, too
    (`envs.privileged`). Call `reset` before `step`.

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
        privileged: bool = False,
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
            "privileged": privileged,
        }
        self.spec: Spec = told(spec(place)) if privileged else spec(place)
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

        config = self._ffi.new("EnvRowsConfig *")
        config.num_envs, config.first_index, config.agents = num_envs, first_index, self.agents
        config.action_repeat, config.seed, config.randomize = self.action_repeat, _seed(seed), randomize
        config.param, config.low = self._floats(values), self._floats(low)
        config.high, config.skill = self._floats(high), self._floats(skill)
        config.shaping, config.gamma = SHAPING.index(shaping), gamma
        pointer = self.lib.env_pool_new(config, threads)
        if pointer == self._ffi.NULL:
            raise MinnowError(f"no memory for {num_envs} environments of {self.lib.env_saved_size()} bytes.")
        self._pool = self._ffi.gc(pointer, self.lib.env_pool_free)
        self._rows = self.lib.env_pool_rows(pointer)
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

    def _bind(self, buffers: Buffers) -> Any:
        """The C view of `buffers`, checked and made once for each."""
        bound = self._bound.get(buffers)
        if bound is not None:
            return bound
        view = self._ffi.new("EnvBuffers *")
        pointers = dict(self._ffi.typeof(view).item.fields)
        for name, (shape, dtype) in self.shapes().items():
            address = self._address(name, getattr(buffers, name), shape, dtype)
            setattr(view, name, self._ffi.cast(pointers[name].type, address))
        for name in ("obs", "final_obs"):
            arrays = getattr(buffers, name)
            if not isinstance(arrays, Mapping):
                arrays = {} if arrays is ABSENT else {self.spec.obs.name: arrays}
            for given in arrays:
                if given not in {group.name for group in self.spec.group}:
                    raise unknown(f"group of {self.spec.name}", given, [group.name for group in self.spec.group])
            for i, group in enumerate(self.spec.group):
                shape, array = (self.rows, *group.shape), arrays.get(group.name, ABSENT)
                address = self._address(
                    name if len(arrays) == 1 else f"{name}[{group.name!r}]", array, shape, group.dtype
                )
                if group.name == DRAWN and group.critic:
                    setattr(view, name.replace("obs", DRAWN), self._ffi.cast("float *", address))
                else:
                    getattr(view, name)[i] = self._ffi.cast("void *", address)
        self._bound[buffers] = view
        return view

    def _address(self, name: str, array: np.ndarray, shape: tuple[int, ...], dtype: np.dtype) -> int:
        """Of an array that is as it must be; 0 where it is ABSENT."""
        if not isinstance(array, np.ndarray):
            raise MinnowError(f"buffers.{name} must be an array, or ABSENT where it is not wanted, got {array!r}.")
        if array.shape == ABSENT.shape:
            return 0
        bytes_too = dtype == np.bool_ and array.dtype == np.uint8
        if array.shape != shape or not (array.dtype == dtype or bytes_too) or not array.flags.c_contiguous:
            loose = "" if array.flags.c_contiguous else ", not contiguous"
            raise MinnowError(
                f"buffers.{name} must be a C-contiguous {dtype.name} array of shape {shape}, "
                f"got {array.dtype.name} of shape {array.shape}{loose}."
            )
        if name != "action" and not array.flags.writeable:
            raise MinnowError(f"buffers.{name} is read-only.")
        return array.ctypes.data if array.size else 0

    def reset(self, buffers: Buffers) -> None:
        """Begins the next episode of every environment; writes obs, mask, alive, reset."""
        self.lib.env_pool_reset(self._pool, self._bind(buffers))

    def step(self, buffers: Buffers) -> None:
        """One step of every environment, `action_repeat` ticks; an environment that is over begins its next
        episode. Discrete actions that do not exist count as idle, continuous ones are clipped."""
        self.lib.env_pool_step(self._pool, self._bind(buffers))

    def raw(self, buffers: Sequence[Buffers]) -> Raw:
        """For steps with each of `buffers`, whose owner keeps them."""
        address = functools.partial(self._ffi.cast, "uintptr_t")
        step = self._ffi.addressof(self.lib, "env_rows_step")
        views = self._ffi.new("EnvBuffers *[]", [self._bind(each) for each in buffers])
        blocks, scratch = self.lib.env_rows_blocks(self._rows), self.lib.env_rows_scratch_size()
        return Raw(int(address(step)), int(address(self._rows)), views, self.lanes * self.agents, blocks, scratch)

    def observe(self, buffers: Buffers) -> None:
        """Writes obs, mask, alive and reset once more, as after `load` or `event`."""
        self.lib.env_pool_observe(self._pool, self._bind(buffers))

    def seed(self, i: int, seed: int, index: int = 0) -> None:
        """Starts environment i anew on the stream (seed, index); `reset` must follow."""
        low, high = _seed(seed) & 0xFFFFFFFF, seed >> 32
        self.lib.env_rows_seed(self._rows, self._index(i), low, high, index)

    def save(self, i: int) -> bytes:
        """Environment i with the sums of its lives so far. Valid between vectors of equal `agents`, any lanes."""
        saved = self._ffi.new("char[]", self.lib.env_rows_saved_size(self._rows))
        self.lib.env_rows_save(self._rows, self._index(i), saved)
        return bytes(self._ffi.buffer(saved))

    def load(self, i: int, saved: bytes) -> None:
        """Puts environment i back to what `save` returned; call `observe` to see it."""
        size = self.lib.env_rows_saved_size(self._rows)
        if len(saved) != size:
            raise MinnowError(f"a saved {self.spec.name} has {size} bytes, got {len(saved)}.")
        self.lib.env_rows_load(self._rows, self._index(i), saved)

    def start(self, i: int, state: bytes, buffers: Buffers) -> None:
        """Begins another episode of environment i in a state of this game, and writes obs, mask, alive and reset of its
        rows. state: what `save` returned, of any vector of this game. Its ticks, parameters and score so far are that
        state's; random numbers, the coefficients of rewards, the script's skill, and what comes after this episode, are
        the environment's own."""
        least = self.lib.env_saved_size()
        if len(state) < least:
            raise MinnowError(f"a state of {self.spec.name} has {least} bytes or more, got {len(state)}.")
        self.lib.env_pool_start(self._pool, self._bind(buffers), self._index(i), state)

    def hash(self, i: int) -> int:
        """64 bits of the whole state of environment i, the same for every build, lane count and machine."""
        return self.lib.env_hash(*self._place(i))

    def event(
        self,
        i: int,
        kind: int,
        slot: int = 0,
        *,
        target: int = 0,
        at: Sequence[float] = (0, 0, 0),
        way: Sequence[float] = (0, 0, 0),
        value: float = 0,
    ) -> None:
        """Something that is no action: see EnvEvent in abi.h. at, way: two or three numbers."""
        event = self._ffi.new("EnvEvent *", (kind, slot, target, tuple(at), tuple(way), value))
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

    def draw(self, i: int, agent: int = 0, camera: int = 0, aspect: float = 1.0) -> list[Shape]:
        """The picture of environment i. Raises MinnowError for a list that breaks the contract."""
        view = self._ffi.new("EnvView *", (self._slot(agent), camera, aspect))
        wanted = self.lib.env_draw(*self._place(i), view, self._ffi.NULL, 0)
        shapes = self._ffi.new("EnvShape[]", wanted)
        self.lib.env_draw(*self._place(i), view, shapes, wanted)
        return decode(shapes, wanted, self.spec)

    def _index(self, i: int) -> int:
        if not 0 <= i < self.num_envs:
            raise MinnowError(f"there is no environment {i}: they are 0 to {self.num_envs - 1}.")
        return i

    def _slot(self, slot: int) -> int:
        if not 0 <= slot < self.spec.slots:
            raise MinnowError(f"{self.spec.name} has no slot {slot}: they are 0 to {self.spec.slots - 1}.")
        return slot

    def _place(self, i: int) -> tuple[Any, int]:
        return self.lib.env_rows_block(self._rows, self._index(i)), i % self.lanes


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise MinnowError(f"{name} = {value:g} is out of its range, {low:g} to {high:g}.")


def _seed(seed: int) -> int:
    if not 0 <= seed < 1 << 64:
        raise MinnowError(f"seed = {seed} must be a whole number of 64 bits, 0 or more.")
    return seed
