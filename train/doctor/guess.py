"""Guesses: which mends are worth trying, by what is at odds. Whether one helps is found out by trying (examine.py)."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from minnow import envs

from .likeness import ALIKE, SIZE, Home, Likeness, correlation, middle, pairs, width
from .mends import Mend, cycle, snapped
from .probe import Record

TWICE = np.log(1.5)  # estimates of one factor agree as well as this
MOST = 14  # numbers at odds, of which every two are tried in each other's place


def blocks(names: Sequence[str]) -> list[list[int]]:
    """Numbers that are one thing by their names: x, y and z of a place or a way."""
    found: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        if name[-2:] in ("_x", "_y", "_z"):
            found.setdefault(name[:-2], []).append(i)
    return [row for row in found.values() if len(row) > 1]


def observations(home: Home, record: Record, like: Likeness) -> Iterator[Mend]:
    """Mends of what is seen."""
    odd = sorted({*like.odd, *itertools.chain(*like.broken)})
    yield from _places(home, like, odd)
    yield from _quaternions(home, odd)
    for by in itertools.chain(_factors(home, record, like, odd), _related(like, record)):
        yield Mend("sign" if set(by.values()) == {-1.0} else "scale", factor=by)
    turned = [j for j in odd if home.moved[j] and like.alike[j] < -ALIKE]
    for rows in (turned, *([j] for j in turned)):
        if rows:
            yield Mend("sign", factor=dict.fromkeys(rows, -1.0))
    for block in blocks(home.names):
        if set(block) & set(odd):
            yield Mend("sign", factor=dict.fromkeys(block, -1.0))
    yield from _offsets(home, record, like, odd)


def _places(home: Home, like: Likeness, odd: list[int]) -> Iterator[Mend]:
    """Numbers that have changed places."""
    movers = np.flatnonzero(home.moved)
    take = {}
    for k in [j for j in odd if home.moved[j]]:  # where does what home has here come from?
        column = np.abs(like.cross[movers, k])
        best = int(movers[column.argmax()])
        if best != k and column.max() > 2 * ALIKE and best in odd:
            take[k] = best
    if take and cycle(take):
        yield Mend("order", take=take)
        signs = {k: -1.0 for k, j in take.items() if like.cross[j, k] < 0}
        if signs:
            yield Mend("order", take=take, factor=signs)
    for a, b in itertools.combinations(odd, 2) if len(odd) <= MOST else ():
        if not any(a in row and b in row for row in home.quaternions):  # whose order is a convention: _quaternions
            yield Mend("order", take={a: b, b: a})
    touched = [row for row in blocks(home.names) if set(row) & set(odd)]
    for one, other in itertools.combinations(touched, 2):
        if len(one) == len(other):
            yield Mend("order", take=dict(zip([*one, *other], [*other, *one], strict=True)))


def _quaternions(home: Home, odd: list[int]) -> Iterator[Mend]:
    for w, x, y, z in home.quaternions:
        if {w, x, y, z} & set(odd):
            yield Mend("quaternion", take={w: z, x: w, y: x, z: y})  # from xyzw
            yield Mend("quaternion", take={w: x, x: y, y: z, z: w})  # from wxyz, where home has xyzw
            yield Mend("sign", factor=dict.fromkeys((w, x, y, z), -1.0))
            yield Mend("sign", factor=dict.fromkeys((x, y, z), -1.0))


def _factors(home: Home, record: Record, like: Likeness, odd: list[int]) -> Iterator[dict[int, float]]:
    """By what numbers at odds would have to be multiplied; those alike together first."""
    here, there = middle(home.start), middle(record.obs[0])
    starts, spread = width(home.start), width(record.obs[0])
    found = {}
    for j in odd:
        if abs(like.alike[j]) > (1 if home.moved[j] else 2) * ALIKE:
            size = like.size[j]
        elif starts[j] > 1e-3 and like.spread[j]:
            size = spread[j] / starts[j]
        elif abs(here[j]) > 3 * starts[j] + 1e-3:
            size = there[j] / here[j]
        else:
            continue
        if 1e-7 < abs(size) < 1e7 and abs(np.log(abs(size))) > 0.5 * SIZE:
            found[j] = float(1 / size)
    yield from _clusters(found)


def _clusters(found: dict[int, float]) -> Iterator[dict[int, float]]:
    """Numbers with about the same factor together, then each alone."""
    left = dict(found)
    while left:
        first = next(iter(left.values()))
        same = {j: by for j, by in left.items() if by * first > 0 and abs(np.log(by / first)) < TWICE}
        by = snapped(float(np.median([*same.values()])))
        yield dict.fromkeys(same, by)
        if len(same) > 1:
            yield from ({j: snapped(each)} for j, each in same.items())
        left = {j: each for j, each in left.items() if j not in same}


def _related(like: Likeness, record: Record) -> Iterator[dict[int, float]]:
    """By which of z, y or x a relation z = y - x would hold again."""
    obs, roles = record.obs[record.there], [dict[int, float](), dict[int, float](), dict[int, float]()]
    for z, y, x in like.broken:
        design = np.stack([obs[:, y], obs[:, x], np.ones(len(obs))], 1)
        (a, b, c), *_ = np.linalg.lstsq(design, obs[:, z], rcond=None)
        left = np.median(np.abs(design @ (a, b, c) - obs[:, z]))
        if left > 0.2 * width(obs[:, [z]])[0] or min(abs(a), abs(b)) < 1e-4:
            continue
        roles[0][z], roles[1][y], roles[2][x] = float(2 / (a - b)), float(a), float(-b)
    for role in roles:
        yield from _clusters({j: by for j, by in role.items() if by and (by < 0 or abs(np.log(by)) > 0.3)})


def _offsets(home: Home, record: Record, like: Likeness, odd: list[int]) -> Iterator[Mend]:
    off = middle(home.start) - middle(record.obs[0])
    moved = [j for j in odd if abs(like.shift[j]) > 1]
    for rows in (moved, *([j] for j in moved)):
        if rows:
            yield Mend("offset", offset={j: float(off[j]) for j in rows})


def profile(changes: np.ndarray, action: np.ndarray, spec: envs.Spec) -> np.ndarray:
    """How numbers answer heads, [numbers][columns]: a column a head, or a choice of one. changes [samples][numbers],
    clipped; action [samples][heads]."""
    return correlation(changes, columns(action, spec))


def columns(action: np.ndarray, spec: envs.Spec) -> np.ndarray:
    """Actions [samples][heads] as [samples][columns] about their mean: a choice is a column of 0 and 1."""
    parts = []
    for i, head in enumerate(spec.head):
        part = action[:, [i]]
        parts.append((part == np.arange(head.size)).astype(float) if head.size else part)
    whole = np.concatenate(parts, 1)
    return whole - whole.mean(0)


def actions(home: Home, record: Record, like: Likeness, lag: np.ndarray, spec: envs.Spec) -> Iterator[Mend]:
    """Mends of what is done."""
    ours, theirs = pairs(home, record, lag)
    late = int(lag.max(initial=0))
    count = len(record.action) - late
    given = record.action[:count][home.there[:count] & record.there[1:][late:]]
    here, there = (profile(item[:, home.moved], given, spec) for item in (ours, theirs))
    alike = _cosine(there, here)
    if spec.action_type != "box":
        yield from _choices(alike, spec)
        return
    turned = [i for i in range(spec.heads) if alike[i, i] < -0.4]
    for rows in (turned, *([i] for i in turned)):
        if rows:
            yield Mend("action sign", gain=dict.fromkeys(rows, -1.0))
    take = {}
    for k in range(spec.heads):  # which head of there does what home's does?
        best = int(np.abs(alike[:, k]).argmax())
        if best != k and abs(alike[best, k]) > abs(alike[k, k]) + 0.15:
            take[best] = k
    if take and cycle(take):
        yield Mend("action order", heads=take)
        signs = {i: -1.0 for i, k in take.items() if alike[i, k] < 0}
        if signs:
            yield Mend("action order", heads=take, gain=signs)
    scale = ours[:, home.moved].std(0)
    gains = {}
    for i in range(spec.heads):
        a = given[:, i] - given[:, i].mean()
        one, other = ((item[:, home.moved] / scale).T @ a for item in (ours, theirs))
        strong = np.abs(here[:, i]) > 0.3
        size = float((one * other)[strong].sum() / max((one * one)[strong].sum(), 1e-12))
        if size > 0.02 and abs(np.log(size)) > 0.7 * SIZE:
            gains[i] = 1 / size
    for by in _clusters(gains):
        yield Mend("action scale", gain=by)


def _cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a / np.maximum(np.linalg.norm(a, axis=0), 1e-9)).T @ (b / np.maximum(np.linalg.norm(b, axis=0), 1e-9))


def _choices(alike: np.ndarray, spec: envs.Spec) -> Iterable[Mend]:
    first = 0
    for i, head in enumerate(spec.head):
        part = alike[first : first + head.size, first : first + head.size]
        to = part.argmax(0)  # the choice of there that does what home's does
        if sorted(to.tolist()) == list(range(head.size)) != to.tolist():
            yield Mend("action order", choices={i: to.tolist()})
        first += head.size
