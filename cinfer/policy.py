"""The Python binding of minnow.h: a policy file runs here exactly as it does in C and on the page."""

from __future__ import annotations

import functools
import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minnow.cinfer import binding, compile
from minnow.cinfer.errors import MinnowError

HERE = Path(__file__).resolve().parent
DTYPES = {0: np.dtype(np.float32), 3: np.dtype(np.uint8), 4: np.dtype(np.int32)}
ROLES = ("other", "logits", "mean", "log_std", "value")
KINDS = ("none", "discrete", "multi-discrete", "box")
SQUASHES = ("none", "clip", "tanh")

Array = np.ndarray
Obs = Array | Mapping[str, Array]


@dataclass(frozen=True)
class Spec:
    """One input, output or state of a policy. `shape` is one agent's; `role` says what an output is for."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    role: str = "other"


@dataclass(frozen=True)
class ActionSpec:
    """What an action is. sizes: choices of each head (discrete kinds); low, high: bounds of each number (box)."""

    kind: str
    sizes: tuple[int, ...] = ()
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    squash: str = "none"

    @property
    def heads(self) -> int:
        return len(self.sizes) or len(self.low)

    @property
    def choices(self) -> int:
        return sum(self.sizes)


@dataclass
class Out:
    """Results of one step, the agents on axis 0. What the policy does not have is None.

    outputs: every output of the module in order. action: int32 [agents, heads], or float32 for a box."""

    outputs: list[Array]
    action: Array | None = None
    logits: Array | None = None  # [agents, choices]
    mean: Array | None = None  # [agents, heads]
    value: Array | None = None  # [agents]
    probabilities: Array | None = None  # [agents, choices]


@dataclass
class Trace:
    """Results of many steps: each array is [steps, agents, ...]; states are those after each step."""

    outputs: list[Array]
    states: list[Array]
    action: Array | None = None
    probabilities: Array | None = None


DECLARED = (HERE / "minnow.h", HERE / "library.c")


@functools.cache
def ffi() -> Any:
    """cffi's view of minnow.h."""
    return binding.ffi(*DECLARED)


@functools.cache
def library(path: Path | None = None) -> Any:
    """The functions of the compiled minnow.h; another build of `library.c` for tests."""
    return binding.load(path or compile.shared(HERE / "library.c", name="minnow"), *DECLARED).c


def messages() -> dict[int, str]:
    """Every error's number and message: the one list, as minnow.h has it."""
    c = library()
    found = {number: ffi().string(c.minnow_message(number)).decode() for number in range(1, 256)}
    return {number: text for number, text in found.items() if text != "unknown error"}


def fault(number: int) -> MinnowError:
    """The error for a number that a function of minnow.h returned."""
    return MinnowError(f"error {number}: {messages()[number]}.", number)


def isas(build: Path | None = None) -> list[str]:
    """The instruction sets of this machine that the library can use, the slowest first."""
    c = library(build)
    return [ffi().string(c.minnow_isa_name(1 << i)).decode() for i in range(8, 16) if c.minnow_isas() >> i & 1]


def load(source: bytes | Path | str, *, isa: str | None = None, build: Path | None = None) -> Policy:
    """A policy from a file's bytes or path. Raises MinnowError, with a number where the file is faulty.

    isa: the instruction set of its sessions, one of `isas()`; the best one if None."""
    if isinstance(source, bytes):
        return Policy(source, isa=isa, build=build)
    try:
        data = Path(source).read_bytes()
    except OSError as error:
        raise MinnowError(f"cannot read {source}: {error.strerror}.") from error
    try:
        return Policy(data, isa=isa, build=build)
    except MinnowError as error:
        raise MinnowError(f"{source}: {error}", error.number) from None


class Policy:
    """A loaded policy. Read only; any number of sessions may share it."""

    def __init__(self, data: bytes, *, isa: str | None = None, build: Path | None = None) -> None:
        self.c, self.data, self.isa, self.build = library(build), bytes(data), isa, build
        self._bytes = ffi().from_buffer(self.data)
        error = ffi().new("minnow_error *")
        size = self.c.minnow_size(self._bytes, len(self.data), error)
        if not size:
            raise self._refusal(error)
        self._block = _block(size)
        self.at = self.c.minnow_load(self._bytes, len(self.data), self._block, size, error)
        if not self.at:
            raise self._refusal(error)
        self.inputs = [self._spec(self.c.minnow_input(self.at, i)) for i in range(self.c.minnow_inputs(self.at))]
        self.outputs = [self._spec(self.c.minnow_output(self.at, i)) for i in range(self.c.minnow_outputs(self.at))]
        self.states = [self._spec(self.c.minnow_state_array(self.at, i)) for i in range(self.c.minnow_states(self.at))]
        self.action = self._action()

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @functools.cached_property
    def meta(self) -> dict[str, Any]:
        """The file's metadata: provenance and names."""
        size = ffi().new("size_t *")
        text = self.c.minnow_meta(self.at, size)
        try:
            found = json.loads(bytes(ffi().buffer(text, size[0])).decode())
        except ValueError:
            raise fault(33) from None
        return found

    def session(
        self,
        agents: int = 1,
        seed: int | None = None,
        exact: bool = True,
        sample: bool = False,
        *,
        first: int = 0,
        keep: bool = False,
        isa: str | None = None,
    ) -> Session:
        """Runs the policy for `agents` agents. sample: draw actions by their probabilities, agent i as agent first + i
        of a larger session does; else take the likeliest, or the mean. seed: of the draws (None: fresh entropy). keep:
        intermediate values stay readable. isa: the instruction set, one of `isas()`; that of the policy if None."""
        return Session(self, agents, _seed(seed, sample), exact, sample, first, keep, isa or self.isa)

    def selftest(self) -> float:
        """Replays the golden vectors; returns the largest difference. Raises MinnowError if it is above 1e-5."""
        size = self.c.minnow_selftest_size(self.at)
        found = ffi().new("float *")
        code = self.c.minnow_selftest(self.at, _block(size), size, found)
        if code:
            raise MinnowError(f"error {code}: {messages()[code]} (difference {found[0]:.3g}, at most 1e-5).", code)
        return found[0]

    def run(
        self,
        inputs: Sequence[Array],
        *,
        masks: Array | None = None,
        resets: Mapping[int, Sequence[int]] | None = None,
        seed: int = 0,
        sample: bool = False,
    ) -> Trace:
        """Many steps at once, as `minnow.cinfer.wasm.run` does them in WebAssembly. inputs: for each input an array
        [steps, agents, ...]. resets: for a step, the agents whose state is cleared before it."""
        steps, agents = inputs[0].shape[:2]
        session = self.session(agents, seed, sample=sample)
        trace = empty_trace(self, steps, agents)
        for step in range(steps):
            session.reset((resets or {}).get(step, ()))
            observation = {spec.name: array[step] for spec, array in zip(self.inputs, inputs, strict=True)}
            out = session.step(observation, None if masks is None else masks[step])
            for whole, part in zip(trace.outputs, out.outputs, strict=True):
                whole[step] = part
            for whole, part in zip(trace.states, session.states(), strict=True):
                whole[step] = part
            if trace.action is not None:
                trace.action[step] = out.action
            if trace.probabilities is not None:
                trace.probabilities[step] = out.probabilities
        return trace

    def _refusal(self, error: Any) -> MinnowError:
        text = ffi().new("char[512]")
        self.c.minnow_describe(error, text, 512)
        return MinnowError(ffi().string(text).decode() + ".", error.code)

    def _spec(self, item: Any) -> Spec:
        shape = tuple(item.shape[i] for i in range(item.rank))
        return Spec(ffi().string(item.name).decode(), shape, DTYPES[item.dtype], ROLES[item.role])

    def _action(self) -> ActionSpec:
        spec = self.c.minnow_action_of(self.at)
        heads = [self.c.minnow_head_of(self.at, i) for i in range(spec.heads)]
        kind, squash = KINDS[spec.kind], SQUASHES[spec.squash]
        if kind == "box":
            return ActionSpec(kind, (), tuple(h.low for h in heads), tuple(h.high for h in heads), squash)
        return ActionSpec(kind, tuple(h.size for h in heads))


class Session:
    """A policy at work for a fixed number of agents, each with its own recurrent state."""

    def __init__(
        self,
        policy: Policy,
        agents: int,
        seed: int,
        exact: bool,
        sample: bool,
        first: int,
        keep: bool,
        isa: str | None,
    ) -> None:
        self.policy, self.agents, self.c, self.sample = policy, agents, policy.c, sample
        if not 1 <= agents < 2**31:
            raise MinnowError(f"a session has at least one agent, not {agents}.")
        flags = self.c.MINNOW_SAMPLE * sample + self.c.MINNOW_FAST * (not exact) + self.c.MINNOW_KEEP * keep
        if isa is not None:
            here = isas(policy.build)
            if isa not in here:
                raise MinnowError(f"error 8: {messages()[8]}: {isa!r}, there are {', '.join(here)}.", 8)
            flags += getattr(self.c, f"MINNOW_{isa.upper()}")
        size = self.c.minnow_session_size(policy.at, agents, flags)
        if not size:
            raise fault(7)
        self._block = _block(size)
        self.at = self.c.minnow_session_init(policy.at, agents, flags, seed % 2**64, self._block, size, ffi().NULL)
        self.isa = ffi().string(self.c.minnow_isa_name(self.c.minnow_isa(self.at))).decode()
        self.c.minnow_first_agent(self.at, first)
        self._pointers = ffi().new("void *[]", len(policy.inputs))

    def step(self, obs: Obs, mask: Array | None = None) -> Out:
        """One step of all agents.

        obs: [agents, ...] of the only input, or a dict of such arrays by name; with one agent the first axis may be
        left out. mask: [agents, choices], 0 or False where a choice is impossible."""
        policy, action = self.policy, self.policy.action
        arrays = self._inputs(obs)
        for i, array in enumerate(arrays):
            self._pointers[i] = ffi().cast("void *", array.ctypes.data)
        pointer = ffi().NULL
        if mask is not None:
            mask = np.ascontiguousarray(np.asarray(mask) != 0, np.uint8)
            if mask.size != self.agents * action.choices:
                raise MinnowError(f"the mask has shape {mask.shape}, expected {(self.agents, action.choices)}.")
            pointer = ffi().cast("uint8_t *", mask.ctypes.data)
        code = self.c.minnow_step_inputs(self.at, self._pointers, pointer)
        if code:
            raise fault(code)
        out = Out([self._read(self.c.minnow_result(self.at, i), s.shape) for i, s in enumerate(policy.outputs)])
        if action.kind == "box":
            out.mean = self._read(self.c.minnow_logits(self.at), (action.heads,))
            out.action = self._read(self.c.minnow_action_box(self.at), (action.heads,))
        elif action.kind != "none":
            out.logits = self._read(self.c.minnow_logits(self.at), (action.choices,))
            out.action = self._read(self.c.minnow_action(self.at), (action.heads,), np.int32)
            out.probabilities = self._read(self.c.minnow_probabilities(self.at), (action.choices,))
        value = next((i for i, spec in enumerate(policy.outputs) if spec.role == "value"), None)
        if value is not None:
            found = out.outputs[value]
            out.value = found[..., 0] if found.ndim == 2 and found.shape[1] == 1 else found
        return out

    def reset(self, agents: Iterable[int] | None = None) -> None:
        """Clears the recurrent state of some agents, or of all."""
        for agent in range(self.agents) if agents is None else agents:
            if not 0 <= agent < self.agents:
                raise MinnowError(f"error 3: {messages()[3]}: {agent}, the session has {self.agents}.", 3)
            self.c.minnow_reset(self.at, agent)

    def restart(self, seed: int | None = None) -> None:
        """Back to the start with another seed (None: fresh entropy)."""
        self.c.minnow_restart(self.at, _seed(seed, self.sample) % 2**64)

    def states(self) -> list[Array]:
        """Each leaf of the recurrent state as [agents, ...]."""
        data, at, found = self.state[32:], 0, []
        for spec in self.policy.states:
            shape = (self.agents, *spec.shape)
            count = int(np.prod(shape))
            found.append(np.frombuffer(data, np.float32, count, at).reshape(shape).copy())
            at += 4 * count
        return found

    def put(self, states: Sequence[Array]) -> None:
        """Takes over the recurrent state of all agents, as `states` returns it."""
        leaves = [np.ascontiguousarray(leaf, np.float32).tobytes() for leaf in states]
        self.state = b"".join([self.state[:32], *leaves])

    @property
    def state(self) -> bytes:
        """Everything that changes from step to step: a snapshot."""
        return bytes(ffi().buffer(self.c.minnow_state(self.at), self.c.minnow_state_size(self.at)))

    @state.setter
    def state(self, saved: bytes) -> None:
        code = self.c.minnow_restore(self.at, ffi().from_buffer(saved), len(saved))
        if code:
            raise fault(code)

    def activation(self, name: str | int, agent: int = 0) -> Array:
        """A value by its name or its place in the file, flat; only in a session made with keep=True."""
        size = ffi().new("uint32_t *")
        if isinstance(name, int):
            found = self.c.minnow_activation_at(self.at, agent, name, size)
        else:
            found = self.c.minnow_activation(self.at, agent, name.encode(), size)
        if not found:
            raise MinnowError(
                f"there is no value {name!r}, no agent {agent}, or the session was made without keep=True."
            )
        return np.frombuffer(ffi().buffer(found, 4 * size[0]), np.float32).copy()

    def _inputs(self, obs: Obs) -> list[Array]:
        specs = self.policy.inputs
        if not isinstance(obs, Mapping):
            if len(specs) != 1:
                names = ", ".join(spec.name for spec in specs)
                raise MinnowError(f"error 4: the policy takes several inputs: give a dict with {names}.", 4)
            obs = {specs[0].name: obs}
        if sorted(obs) != sorted(spec.name for spec in specs):
            raise MinnowError(f"error 4: the inputs are {sorted(obs)}, expected {sorted(s.name for s in specs)}.", 4)
        arrays = []
        for spec in specs:
            array = np.asarray(obs[spec.name])
            shape = (self.agents, *spec.shape)
            if array.shape != shape and not (self.agents == 1 and array.shape == spec.shape):
                raise MinnowError(f"error 4: input {spec.name!r} has shape {array.shape}, expected {shape}.", 4)
            arrays.append(_converted(array, spec))
        return arrays

    def _read(self, pointer: Any, shape: tuple[int, ...], dtype: Any = np.float32) -> Array:
        shape = (self.agents, *shape)
        return np.frombuffer(ffi().buffer(pointer, 4 * int(np.prod(shape))), dtype).reshape(shape).copy()


def _converted(array: Array, spec: Spec) -> Array:
    """An observation in the file's dtype: any number as float32, any whole number that fits as int32 or uint8."""
    whole = spec.dtype != np.float32
    if array.dtype.kind not in ("biu" if whole else "biuf"):
        raise MinnowError(f"error 4: input {spec.name!r} has dtype {array.dtype}, expected {spec.dtype}.", 4)
    if whole and array.size and not np.can_cast(array.dtype, spec.dtype, "safe"):
        most = np.iinfo(spec.dtype)
        for value in (array.min(), array.max()):
            if not most.min <= value <= most.max:
                bounds = f"{spec.dtype}, {most.min} to {most.max}"
                raise MinnowError(f"error 4: input {spec.name!r} holds {value}, and the policy takes {bounds}.", 4)
    return np.ascontiguousarray(array, spec.dtype)


def empty_trace(policy: Policy, steps: int, agents: int) -> Trace:
    """Zeros of the right shapes."""
    ahead, action = (steps, agents), policy.action
    trace = Trace(
        [np.zeros((*ahead, *spec.shape), np.float32) for spec in policy.outputs],
        [np.zeros((*ahead, *spec.shape), np.float32) for spec in policy.states],
    )
    if action.kind != "none":
        trace.action = np.zeros((*ahead, action.heads), np.float32 if action.kind == "box" else np.int32)
    if action.choices:
        trace.probabilities = np.zeros((*ahead, action.choices), np.float32)
    return trace


def _seed(seed: int | None, sample: bool) -> int:
    """Fresh entropy where draws are made and no seed is given."""
    return seed if seed is not None else secrets.randbits(64) if sample else 0


def _block(size: int) -> Any:
    """Memory for minnow.h; freed with the object that holds it."""
    return ffi().new("uint8_t[]", size)
