"""What an environment declares of itself, read from its compiled library."""

from __future__ import annotations

import functools
import hashlib
import math
import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from minnow.cinfer import binding, compile
from minnow.cinfer.errors import MinnowError, unknown

from .find import OURS, Foreign, Place, folder, place

SHARED = ("abi.h", "env.h", "core.h", "random.h", "mathf.h", "draw.h")  # what every game depends on
DRAWN, MOST_GROUPS = "drawn", 8  # see `privileged`; ENV_MOST_GROUPS
FLAGS = ["-pthread", "-fno-trapping-math"]  # the latter changes no result, but lets gcc turn choices into SIMD
DECLARED = ("abi.h", "rows.h", "pool.h")  # what Python calls


@functools.cache
def ffi() -> Any:
    """cffi's view of DECLARED."""
    return binding.ffi(*(OURS / header for header in DECLARED))


def enumeration(first: str, prefix: str = "") -> tuple[str, ...]:
    """The names, in lower case and in order, of the enumeration in DECLARED whose first name is ENV_`first`,
    without `prefix`."""
    for header in DECLARED:
        text = (OURS / header).read_text(encoding="utf-8")
        found = re.search(rf"enum \{{ (ENV_{first} = 0\b.*?) \}};", text, re.DOTALL)
        if found:
            return tuple(name.removeprefix(prefix).lower() for name in re.findall(r"ENV_(\w+) = \d+", found[1]))
    raise AssertionError(f"no header has an enumeration that begins with ENV_{first}")


KINDS = enumeration("PHYSICS")  # of a parameter
SCALES = enumeration("LINEAR")
ACTIONS = enumeration("DISCRETE")
TYPES = enumeration("F32")  # of a group
GROUPS = enumeration("FIELDS")  # its kinds


@dataclass(frozen=True)
class Param:
    """A constant that may be turned: default `value`, bounds, `kind` of KINDS, `scale` of SCALES."""

    name: str
    value: float
    low: float
    high: float
    kind: str
    scale: str
    unit: str
    doc: str

    def spread(self, fraction: float) -> tuple[float, float]:
        """The interval that `randomize = fraction` draws it from, by the rule of env_init in abi.h: nominal +- fraction
        |nominal|, or of half its bounds' distance where the nominal is zero, within its bounds."""
        if self.kind != "physics" or not fraction:
            return self.value, self.value
        half = fraction * (abs(self.value) or (self.high - self.low) / 2)
        return max(self.value - half, self.low), min(self.value + half, self.high)


@dataclass(frozen=True)
class Field:
    """One number of a flat group or of an entity, or one plane of an image-like group."""

    name: str
    low: float
    high: float


@dataclass(frozen=True)
class Group:
    """One named array of an observation. A set is followed by its `present`, bytes that are 1 where an entity is."""

    name: str
    type: str  # one of TYPES
    kind: str  # one of GROUPS
    shape: tuple[int, ...]
    critic: bool  # for the critic alone, in training
    fields: tuple[Field, ...]  # [shape[0]]; of a set [shape[1]]; of "present" none

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(np.float32 if self.type == "f32" else np.uint8)


@dataclass(frozen=True)
class Head:
    """One head of the action: `size` choices with `labels`, or (size 0) a number in [low, high]."""

    name: str
    size: int
    low: float
    high: float
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Control:
    """What a person presses to mean an action: KeyboardEvent codes, gamepad inputs, a touch zone."""

    label: str
    keys: tuple[str, ...]
    gamepad: tuple[str, ...]
    touch: str
    head: int
    value: float


@dataclass(frozen=True)
class Gesture:
    """What a visitor may do that is no action; `kind` is the event's, `uses` the members of it that mean anything."""

    kind: int
    name: str
    doc: str
    pointer: str
    uses: tuple[str, ...]


@dataclass(frozen=True)
class Spec:
    """Everything that EnvSpec of abi.h says, and the SHA-256 of the sources that decide how a game goes."""

    name: str
    title: str
    description: str
    slots: int
    agents: int
    group: tuple[Group, ...]  # what a slot observes
    lives: bool  # slots may die, leave and be born while the environment goes on
    shapes: int  # the longest draw list
    action_type: str  # one of ACTIONS
    head: tuple[Head, ...]
    masked: bool
    idle: tuple[int, ...]  # [heads]
    tick_rate: float
    action_repeat: int
    has_potential: bool
    has_success: bool
    has_script: bool
    score_name: str
    score_low: float
    score_high: float
    view_width: float
    view_height: float
    three_d: bool
    param: tuple[Param, ...]
    control: tuple[Control, ...]
    gesture: tuple[Gesture, ...]
    source_hash: str

    @property
    def heads(self) -> int:
        return len(self.head)

    @property
    def choices(self) -> int:
        """Bytes of one action mask: the sum of the discrete heads' sizes."""
        return sum(head.size for head in self.head)

    @property
    def obs(self) -> Group:
        """The one group of an observation; MinnowError where there are several."""
        if len(self.group) != 1:
            names = ", ".join(group.name for group in self.group)
            raise MinnowError(f"{self.name} observes several groups ({names}), and this takes one array.")
        return self.group[0]

    @property
    def obs_type(self) -> str:
        return self.obs.type

    @property
    def obs_shape(self) -> tuple[int, ...]:
        return self.obs.shape

    @property
    def obs_dtype(self) -> np.dtype:
        return self.obs.dtype

    @property
    def fields(self) -> tuple[Field, ...]:
        return self.obs.fields

    @property
    def action_dtype(self) -> np.dtype:
        return np.dtype(np.float32 if self.action_type == "box" else np.int32)

    def index(self, name: str) -> int:
        """The number of a parameter."""
        for i, param in enumerate(self.param):
            if param.name == name:
                return i
        raise unknown(f"parameter of {self.name}", name, [param.name for param in self.param])

    def check(self, name: str, value: float) -> float:
        """`value` if parameter `name` may take it; MinnowError otherwise."""
        param = self.param[self.index(name)]
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise MinnowError(f"{self.name}: {name} must be a number, got {value!r}.") from None
        if not param.low <= np.float32(number) <= param.high:
            unit = f" {param.unit}" if param.unit else ""
            raise MinnowError(
                f"{self.name}: {name} = {number:g} is out of its range, {param.low:g} to {param.high:g}{unit}."
            )
        if param.scale == "integer" and number != int(number):
            raise MinnowError(f"{self.name}: {name} = {number:g} must be a whole number.")
        return number

    @property
    def foreign(self) -> bool:
        """Whether it is not one of C."""
        return False

    def to_json(self) -> dict[str, Any]:
        """The same as dictionaries and lists, for JSON."""
        return asdict(self)


def source(env: str | Path) -> Path:
    """The C file of an environment."""
    place = folder(env)
    return place / f"{place.name}.c"


def source_hash(env: str | Path) -> str:
    """SHA-256 of the C sources that decide how a game of this environment goes; the same wherever it lies."""
    digest = hashlib.sha256()
    own, shared = source(env), [OURS / header for header in SHARED]
    apart = {own, *shared, OURS / "rows.h", OURS / "pool.h"}
    also = [path for path in compile.depends([own], [], search=[OURS]) if path not in apart]
    for path in [*shared, own, *also]:
        home = next((home for home in (OURS, own.parent.parent) if path.is_relative_to(home)), path.parent)
        digest.update(path.relative_to(home).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def library(env: str | Path, lanes: int | None = None) -> Any:
    """The environment's functions as a cffi library; compiled at first use. lanes: environments side by side, in place
    of the environment's own choice; results do not depend on it."""
    return _library(source(env), lanes)


# What a C file of Minnow 0.1 holds, which no compiler takes any more, and what it is to be now.
FIRST_EDITION = {
    r"^(?!(.|\n)*#define ENV_SHAPES)": "say how many shapes draw() writes at most: #define ENV_SHAPES 40",
    r"\.obs_(type|rank|shape)\b|\.fields\s*=": "an observation is a table of groups: .group = groups",
    r"\.observe\s*=\s*\w": "each group has a function: .observe = {observe}",
    r"env_noise\(\w+, \w+, [^,()]*\)": "noise is a slot's: env_noise(s, lane, slot, which)",
    r"event->[xyz]\b": "an event has two vectors: event->at[0], event->at[1] and event->way[0]",
}


def outdated(text: str) -> list[str]:
    """What is to be changed in an environment's C file that was written for Minnow 0.1."""
    bare = re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.DOTALL)
    return [advice for pattern, advice in FIRST_EDITION.items() if re.search(pattern, bare)]


def privileged(found: Spec) -> Spec:
    """The same with one more group, for the critic alone: DRAWN, where in the interval of its draw each parameter of
    the episode lies, -1 to 1, or 0 where it is not drawn. Raises MinnowError for an environment that is not in C."""
    if found.foreign:
        raise MinnowError(f"train.privileged is for environments in C: {found.name} does not tell what it drew.")
    if len(found.group) >= MOST_GROUPS:
        raise MinnowError(f"{found.name} observes {len(found.group)} groups: train.privileged needs room for one more.")
    fields = tuple(Field(param.name, -1.0, 1.0) for param in found.param)
    return replace(found, group=(*found.group, Group(DRAWN, "f32", "fields", (len(fields),), True, fields)))


@functools.cache
def _library(source: Path, lanes: int | None) -> Any:
    try:
        return _compiled(source, lanes)
    except MinnowError as error:
        found = outdated(source.read_text(encoding="utf-8", errors="replace"))
        if not found:
            raise
        raise MinnowError(
            f"{source} does not compile, and reads like an environment of Minnow 0.1. Change it so: "
            f"{'; '.join(found)}. The whole list is in docs/environments.md, From 0.1."
        ) from error


def _compiled(source: Path, lanes: int | None) -> Any:
    defines = {"ENV_POOL": 1, "_POSIX_C_SOURCE": "200809L"} | ({} if lanes is None else {"ENV_LANES": lanes})
    name = f"env_{source.stem}"
    built = compile.shared([source], defines=defines, include=[OURS], flags=FLAGS, name=name)
    lib = binding.load(built, *(OURS / header for header in DECLARED)).c
    if lib.env_abi_version() != lib.ENV_ABI_VERSION:
        raise MinnowError(f"{source} was written for another version of abi.h than {lib.ENV_ABI_VERSION}.")
    return lib


def forget() -> None:
    """Lets changed sources be seen: they are compiled, and what they declare is read, once a process otherwise."""
    _library.cache_clear()
    _spec.cache_clear()


def _text(pointer: Any) -> str:
    return ffi().string(pointer).decode() if pointer else ""


def _words(pointer: Any) -> tuple[str, ...]:
    return tuple(filter(None, _text(pointer).split(",")))


def _number(value: float) -> float:
    """The shortest decimal that is this float32: 9.8, not 9.800000190734863."""
    return float(str(np.float32(value)))


def declared_name(env: str | Path) -> str:
    """What the environment's C file says it is called: `spec` has the folder's name, by which it is found."""
    return _text(library(env).env_spec().name)


def spec(env: str | Place) -> Spec:
    """What an environment declares; its name is its folder's."""
    found = place(env)
    if isinstance(found, Foreign):
        from .foreign.vector import spec as foreign

        return foreign(found)
    return _spec(source(found))


def _group(g: Any) -> Group:
    kind = GROUPS[g.kind]
    shape = tuple(size for size in g.shape if size)
    count = 0 if g.fields == ffi().NULL else shape[kind == "set"]
    fields = tuple(Field(_text(f.name), _number(f.low), _number(f.high)) for f in (g.fields[i] for i in range(count)))
    return Group(_text(g.name), TYPES[g.type], kind, shape, bool(g.critic), fields)


@functools.cache
def _spec(source: Path) -> Spec:
    c = _library(source, None).env_spec()
    return Spec(
        name=source.stem,
        title=_text(c.title),
        description=_text(c.description),
        slots=c.slots,
        agents=c.agents,
        group=tuple(_group(c.group[i]) for i in range(c.groups)),
        lives=bool(c.lives),
        shapes=c.shapes,
        action_type=ACTIONS[c.action_type],
        head=tuple(
            Head(_text(h.name), h.size, _number(h.low), _number(h.high), _words(h.labels))
            for h in (c.head[i] for i in range(c.heads))
        ),
        masked=bool(c.masked),
        idle=tuple(c.idle[i] for i in range(c.heads)),
        tick_rate=c.tick_rate,
        action_repeat=c.action_repeat,
        has_potential=bool(c.has_potential),
        has_success=bool(c.has_success),
        has_script=bool(c.has_script),
        score_name=_text(c.score_name),
        score_low=_number(c.score_low),
        score_high=_number(c.score_high),
        view_width=_number(c.view_width),
        view_height=_number(c.view_height),
        three_d=bool(c.three_d),
        param=tuple(
            Param(
                _text(p.name),
                _number(p.value),
                _number(p.low),
                _number(p.high),
                KINDS[p.kind],
                SCALES[p.scale],
                _text(p.unit),
                _text(p.doc),
            )
            for p in (c.param[i] for i in range(c.params))
        ),
        control=tuple(
            Control(_text(k.label), _words(k.keys), _words(k.gamepad), _text(k.touch), k.head, _number(k.value))
            for k in (c.control[i] for i in range(c.controls))
        ),
        gesture=tuple(
            Gesture(g.kind, _text(g.name), _text(g.doc), _text(g.pointer), _words(g.uses))
            for g in (c.gesture[i] for i in range(c.gestures))
        ),
        source_hash=source_hash(source),
    )
