"""Gymnasium's spaces as groups of numbers and heads of actions.

An observation space becomes groups: a vector is one of `fields`, a picture one of `planes` (channels first), a choice
of n a vector of n flags; a Dict or Tuple has a group for each of its parts. What has no fixed size cannot be one."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from gymnasium import spaces

from minnow.cinfer.errors import MinnowError

from ..spec import Field, Group, Head

GROUPS = 8  # of an observation; vectors beyond them become one
MASK = "action_mask"  # PettingZoo's and Gymnasium's name of the mask
FLAGS = 4096  # the longest vector of flags that stands for choices
HUGE = 1e30  # a bound that is none
REFUSED = {
    "Text": "text: a policy sees numbers",
    "Graph": "a graph, which has no fixed size",
    "Sequence": "a sequence, which has no fixed size",
    "OneOf": "now one thing, now another",
}
Put = Callable[[Any, np.ndarray], None]  # writes what an environment gave into one row of a group


@dataclass(frozen=True)
class Part:
    """One leaf of an observation space. path: of keys and indices that lead there; put: writes it to array [...].
    form: how the group's numbers lie in it, for those who have many rows: "same" but for the shape, channels "last",
    "flags", of which `first` has the place of each choice's 0, or "several" leaves."""

    path: tuple[Any, ...]
    group: Group
    put: Put
    form: str = "same"
    first: np.ndarray | None = None

    def find(self, obs: Any) -> Any:
        for key in self.path:
            obs = obs[key]
        return obs


def parts(space: spaces.Space, name: str) -> list[Part]:
    """An observation's parts, in order; several share a group where there would be too many. Raises MinnowError for
    what a policy cannot see. name: of the environment."""
    found = [_part(path, leaf, name) for path, leaf in _leaves(space, (), name)]
    if not found:
        raise MinnowError(f"{name} observes nothing: a policy needs a number at least.")
    if len(found) == 1:
        return [_renamed(found[0], "obs")]
    names: list[str] = []
    for part in found:
        word = re.sub(r"\W+", "_", "_".join(map(str, part.path))).strip("_") or "part"
        word = f"part_{word}" if word[0].isdigit() else word
        names.append(word if word not in names else f"{word}_{len(names)}")
    if len(found) > GROUPS:
        found = _together(found, names)
        if len(found) > GROUPS:
            raise MinnowError(f"{name} observes {len(found)} pictures: there may be {GROUPS} groups at most.")
        return found
    return [_renamed(part, word) for part, word in zip(found, names, strict=True)]


def _leaves(space: spaces.Space, path: tuple[Any, ...], name: str) -> Iterator[tuple[tuple[Any, ...], spaces.Space]]:
    if isinstance(space, spaces.Dict | spaces.Tuple):
        inner = space.spaces.items() if isinstance(space, spaces.Dict) else enumerate(space.spaces)
        for key, leaf in inner:
            if not path and key == MASK:  # said of the action
                continue
            yield from _leaves(leaf, (*path, key), name)
        return
    yield path, space


def _part(path: tuple[Any, ...], space: spaces.Space, name: str) -> Part:
    where = "its observation" if not path else f"its observation {'.'.join(map(str, path))!r}"
    if isinstance(space, spaces.Box):
        return _box(path, space, where, name)
    if isinstance(space, spaces.Discrete):
        return _flags(path, [(int(space.start), int(space.n))], where, name)
    if isinstance(space, spaces.MultiDiscrete):
        starts = np.broadcast_to(space.start, space.nvec.shape).ravel()
        return _flags(path, list(zip(starts.tolist(), space.nvec.ravel().tolist(), strict=True)), where, name)
    if isinstance(space, spaces.MultiBinary):
        size = math.prod(space.shape)
        return Part(path, _fields(size, np.zeros(size), np.ones(size)), _flat)
    kind = type(space).__name__
    raise MinnowError(
        f"{name} cannot be learned: {where} is {REFUSED.get(kind, f'a space {kind}, which is not known here')}. "
        "Wrap the environment so that it gives numbers (gymnasium.wrappers.FilterObservation leaves parts out), and "
        "name a function that returns the wrapped one, gym:MODULE:FUNCTION."
    )


def _fields(count: int, low: np.ndarray, high: np.ndarray, words: list[str] | None = None) -> Group:
    names = words or [f"number {i}" for i in range(count)]
    ends = zip(names, low.tolist(), high.tolist(), strict=True)
    return Group("obs", "f32", "fields", (count,), False, tuple(Field(*end) for end in ends))


def _flags(path: tuple[Any, ...], sizes: list[tuple[int, int]], where: str, name: str) -> Part:
    """Choices (first, how many) as flags, of which one of each choice is 1."""
    count = sum(size for _, size in sizes)
    if count > FLAGS:
        raise MinnowError(
            f"{name} cannot be learned: {where} has {count} choices, of which each is a number that the policy sees, "
            f"and {FLAGS} are the most. Wrap the environment so that it gives numbers that mean more."
        )
    ends = np.cumsum([0, *(size for _, size in sizes)])[:-1]
    first = ends - np.array([start for start, _ in sizes])

    def put(value: Any, row: np.ndarray) -> None:
        row[:] = 0
        row[first + np.asarray(value).ravel()] = 1

    words = [f"choice {i} is {start + k}" for i, (start, size) in enumerate(sizes) for k in range(size)]
    return Part(path, _fields(count, np.zeros(count), np.ones(count), words), put, "flags", first)


def _flat(value: Any, row: np.ndarray) -> None:
    row[:] = np.asarray(value).ravel()


def _same(value: Any, row: np.ndarray) -> None:
    row[...] = value


def _last(value: Any, row: np.ndarray) -> None:
    row[...] = np.moveaxis(np.asarray(value), -1, 0)


def _box(path: tuple[Any, ...], space: spaces.Box, where: str, name: str) -> Part:
    shape, kind = space.shape, np.dtype(space.dtype).kind
    if kind not in "fiub" or math.prod(shape) == 0:
        raise MinnowError(f"{name} cannot be learned: {where} is {space}, which is no array of numbers.")
    low, high = (np.clip(np.asarray(end, np.float64), -HUGE, HUGE) for end in (space.low, space.high))
    low, high = np.where(low <= -HUGE, -np.inf, low), np.where(high >= HUGE, np.inf, high)
    if len(shape) not in (2, 3):
        return Part(path, _fields(math.prod(shape), low.ravel(), high.ravel()), _same if len(shape) == 1 else _flat)
    bytes_ = space.dtype == np.uint8 and high.max() == 255
    put = _same
    if len(shape) == 3 and shape[2] < shape[0]:  # channels last, as cameras give them
        low, high, put = np.moveaxis(low, -1, 0), np.moveaxis(high, -1, 0), _last
    elif len(shape) == 2 and bytes_:  # a picture in grey
        low, high = low[None], high[None]
    ends = zip(low.reshape(len(low), -1).min(1).tolist(), high.reshape(len(low), -1).max(1).tolist(), strict=True)
    planes = tuple(Field(f"plane {i}", *end) for i, end in enumerate(ends))
    return Part(
        path,
        Group("obs", "u8" if bytes_ else "f32", "planes", low.shape, False, planes),
        put,
        "last" if put is _last else "same",
    )


def _renamed(part: Part, name: str) -> Part:
    group = part.group
    return replace(part, group=replace(group, name=name))


def _together(found: list[Part], names: list[str]) -> list[Part]:
    """All vectors as one group, `fields`, before what else there is."""
    flat = [(part, word) for part, word in zip(found, names, strict=True) if part.group.kind == "fields"]
    fields = tuple(Field(f"{word} {f.name}", f.low, f.high) for part, word in flat for f in part.group.fields)
    ends = np.cumsum([0, *(part.group.size for part, _ in flat)]).tolist()

    def put(obs: Any, row: np.ndarray) -> None:
        for i, (part, _) in enumerate(flat):
            part.put(part.find(obs), row[ends[i] : ends[i + 1]])

    whole = Part((), Group("fields", "f32", "fields", (ends[-1],), False, fields), put, "several")
    rest = [_renamed(part, word) for part, word in zip(found, names, strict=True) if part.group.kind != "fields"]
    return [whole, *rest]


@dataclass(frozen=True)
class Acts:
    """An action space. take: what the environment is given for a row of actions, a list of numbers."""

    type: str
    head: tuple[Head, ...]
    take: Callable[[list], Any]
    space: spaces.Space

    def mask(self, given: Any) -> np.ndarray:
        """[choices] of what an environment calls its mask: an array, or one for each head."""
        parts = given if isinstance(given, tuple | list) else [given]
        return np.concatenate([np.asarray(part).ravel() for part in parts]) != 0


def acts(space: spaces.Space, name: str) -> Acts:
    """The heads of an action space. Raises MinnowError for one that a policy cannot choose from."""
    if isinstance(space, spaces.Discrete):
        start = int(space.start)
        return Acts("discrete", _choices([int(space.n)]), lambda row: row[0] + start, space)
    if isinstance(space, spaces.MultiDiscrete | spaces.MultiBinary):
        shape = space.shape
        sizes = space.nvec.ravel().tolist() if isinstance(space, spaces.MultiDiscrete) else [2] * math.prod(shape)
        first = np.broadcast_to(getattr(space, "start", 0), shape)
        return Acts(
            "multi_discrete",
            _choices(sizes),
            lambda row: (np.array(row).reshape(shape) + first).astype(space.dtype),
            space,
        )
    if isinstance(space, spaces.Box):
        return _real(space, name)
    told = "made of several spaces" if isinstance(space, spaces.Dict | spaces.Tuple) else f"a {type(space).__name__}"
    raise MinnowError(
        f"{name} cannot be learned: its action is {told}, and a policy gives choices (Discrete, MultiDiscrete, "
        "MultiBinary) or bounded numbers (Box). Wrap the environment so that it takes one of these."
    )


def _choices(sizes: list[int]) -> tuple[Head, ...]:
    return tuple(
        Head(f"choice {i}", size, 0.0, 0.0, tuple(str(k) for k in range(size)) if size <= 64 else ())
        for i, size in enumerate(sizes)
    )


def _real(space: spaces.Box, name: str) -> Acts:
    low, high = (np.asarray(end, np.float64).ravel() for end in (space.low, space.high))
    if not (np.abs(low) < HUGE).all() or not (np.abs(high) < HUGE).all() or not (low < high).all():
        raise MinnowError(
            f"{name} cannot be learned: its action is {space}, and needs a lower and an upper bound for every number. "
            "Wrap the environment in gymnasium.wrappers.RescaleAction or one of your own that bounds them."
        )
    whole, shape, kind = np.dtype(space.dtype).kind in "iu", space.shape, space.dtype

    def take(row: list) -> Any:
        numbers = np.array(row, np.float64).reshape(shape)
        return (np.rint(numbers) if whole else numbers).astype(kind)

    ends = zip(low.tolist(), high.tolist(), strict=True)
    return Acts("box", tuple(Head(f"number {i}", 0, *end, ()) for i, end in enumerate(ends)), take, space)
