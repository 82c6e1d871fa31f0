"""Likeness: how far a world answers the same actions as home does, number by number.

Both worlds are given the same random actions from starts of their own. What moves by these actions must move alike (the
correlation of its changes, and their size); where each episode begins must agree in the middle and in spread; and what
always holds between numbers at home, y - x = z or four squares that sum to 1, must hold there. All by medians, or
without the largest changes, since sensors drop numbers."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .probe import REPEATS, Record

FAR = 4.0  # deviations beyond which a change counts as no larger
CAP = 4.0  # a number is at most so much at odds
MOVES = 0.8  # correlation of its changes with themselves from other starts, from which actions move a number
SEEN = 0.002  # of its range: by so much a number changes in a step, or sensors' noise hides it
ALIKE = 0.35  # of a number's changes with those at home: less is at odds
SIZE = np.log(1.65)  # so many times as large, or as small, is at odds
SHIFT, SPREAD = 1.0, np.log(3.0)  # likewise of starts: in the width of home's, and as a ratio
HOLDS = 0.5  # of what a relation's result varies by: more is no relation
LAGS = 3  # steps: the longest that is looked for


def middle(obs: np.ndarray) -> np.ndarray:
    return np.median(obs, 0)


def width(obs: np.ndarray) -> np.ndarray:
    """As wide as the deviation of a normal distribution whose middle half is so wide."""
    low, high = np.quantile(obs, (0.25, 0.75), axis=0)
    return (high - low) / 1.349


def clipped(change: np.ndarray) -> np.ndarray:
    """Changes [samples][numbers] about their mean; those further than FAR deviations count as none."""
    if not len(change):
        return change
    about = change - np.median(change, 0)
    usual = width(about)
    about = np.where(np.abs(about) > FAR * np.where(usual > 0, usual, np.inf), 0, about)
    return about - about.mean(0)


def correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Of every column of a with every column of b."""
    size = np.sqrt(np.outer((a * a).sum(0), (b * b).sum(0)))
    return (a.T @ b) / np.where(size > 1e-12, size, np.inf)


@dataclass(frozen=True)
class Home:
    """The training world, as `probe.home` recorded it. span [numbers]: how wide each number's declared range is; names:
    what each is called, which a simulator may not say."""

    record: Record
    span: np.ndarray
    names: list[str]

    @cached_property
    def changes(self) -> np.ndarray:
        """[REPEATS][steps][rows][numbers]"""
        steps = np.diff(self.record.obs, axis=0)
        return np.moveaxis(steps.reshape(len(steps), REPEATS, -1, steps.shape[2]), 1, 0)

    @cached_property
    def there(self) -> np.ndarray:
        """[steps][rows]: in every repeat"""
        kept = self.record.there[1:]
        return np.all(kept.reshape(len(kept), REPEATS, -1), axis=1)

    @cached_property
    def mean(self) -> np.ndarray:
        return self.changes.mean(0)

    @cached_property
    def moved(self) -> np.ndarray:
        """[numbers]: whether actions decide how it changes."""
        halves = (clipped(self.changes[i::2].mean(0)[self.there]) for i in (0, 1))
        alike = np.diag(correlation(*halves))
        size = self.mean[self.there].std(0)
        return (alike > MOVES) & (size > SEEN * np.minimum(self.span, 100))

    @cached_property
    def start(self) -> np.ndarray:
        return self.record.obs[0]

    @cached_property
    def wide(self) -> np.ndarray:
        """[numbers]: how far a start may be from home's."""
        play = self.record.obs[self.record.there].std(0)
        return np.maximum(0.8 * width(self.start) + play, self.grain)

    @cached_property
    def grain(self) -> np.ndarray:
        """[numbers]: what sensors may add."""
        return 0.01 * np.where(np.isfinite(self.span) & (self.span < 100), self.span, 0) + 1e-3

    @cached_property
    def relations(self) -> list[tuple[int, int, int]]:
        """z, y, x: what is always z = y - x, of numbers that vary."""
        obs = self.record.obs[self.record.there][:: max(1, self.record.there.sum() // 200)]
        varies = np.flatnonzero(obs.std(0) > 1e-4)
        found = []
        for y, x in itertools.permutations(varies.tolist(), 2):
            far = np.abs(obs - (obs[:, y] - obs[:, x])[:, None]).max(0)
            found += [(z, y, x) for z in varies.tolist() if z not in (y, x) and far[z] < 1e-3 * obs[:, z].std()]
        # z = y - x is also y = z + x and x = y - z: the one whose parts come first in the list is kept
        kept: dict[frozenset[int], tuple[int, int, int]] = {}
        for row in found:
            known = kept.get(frozenset(row))
            if known is None or row[0] > known[0]:
                kept[frozenset(row)] = row
        return sorted(kept.values())

    @cached_property
    def quaternions(self) -> list[list[int]]:
        """Runs of four numbers whose squares always sum to 1."""
        obs = self.record.obs[self.record.there]
        found: list[list[int]] = []
        i = 0
        while i + 4 <= obs.shape[1]:
            part = obs[:, i : i + 4]
            if np.abs((part * part).sum(1) - 1).max() < 1e-3 and (part.std(0) > 1e-4).sum() > 1:
                found.append(list(range(i, i + 4)))
                i += 4
            else:
                i += 1
        return found

    @cached_property
    def rates(self) -> list[tuple[int, int, float]]:
        """k, v, ratio: numbers of which v is the speed that k changes by, and how much k changes for each v."""
        speed, change = self._levels(self.record.obs), self.changes.reshape(-1, self.changes.shape[-1])
        kept = self.record.there[1:]
        kept = np.moveaxis(kept.reshape(len(kept), REPEATS, -1), 1, 0).ravel()
        alike = correlation(clipped(change[kept]), clipped(speed[kept]))
        found = []
        for v in np.flatnonzero(self.moved).tolist():
            for k in np.flatnonzero(self.moved & (alike[:, v] > 0.95)).tolist():
                if k != v and self._steady(k, v):
                    found.append((k, v, slope(speed[kept][:, [v]], change[kept][:, [k]])[0]))
        return found

    def _levels(self, obs: np.ndarray) -> np.ndarray:
        after = obs[1:]
        return np.moveaxis(after.reshape(len(after), REPEATS, -1, after.shape[2]), 1, 0).reshape(-1, after.shape[2])

    def _steady(self, k: int, v: int) -> bool:
        """v is a speed, not a place that is about as far: places go on, speeds come back."""
        level = self.record.obs[:, :, [k, v]]
        start, end = level[1].std(0), level[-1].std(0)
        return bool(end[0] > 1.5 * start[0] and end[1] < 1.5 * start[1])


def slope(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """How much each column of y changes for each of x, through the mean."""
    x, y = x - x.mean(0), y - y.mean(0)
    return (x * y).sum(0) / np.maximum((x * x).sum(0), 1e-30)


@dataclass(frozen=True)
class Likeness:
    """alike, size, at_odds [numbers]: correlation of changes with home's, how many times as large they are, and how far
    the number is at odds with home's, from 1 on too far. broken: the relations of home's that do not hold. cross
    [numbers there][numbers at home]: correlations of changes. shift, spread: see `starts`."""

    alike: np.ndarray
    size: np.ndarray
    at_odds: np.ndarray
    broken: tuple[tuple[int, int, int], ...]
    cross: np.ndarray
    shift: np.ndarray
    spread: np.ndarray

    @property
    def odd(self) -> list[int]:
        return np.flatnonzero(self.at_odds > 1).tolist()

    @property
    def total(self) -> float:
        """0 where nothing is at odds."""
        return float(np.maximum(self.at_odds - 1, 0).sum() + (self.at_odds > 1).sum()) + 2.0 * len(self.broken)


def pairs(home: Home, record: Record, lag: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Changes at home and there, [samples][numbers] each, clipped. lag [numbers]: steps by which each comes later."""
    change, last = np.diff(record.obs, axis=0), int(lag.max(initial=0))
    count = len(change) - last
    moved = np.stack([change[k : k + count, :, j] for j, k in enumerate(lag.tolist())], 2)
    kept = home.there[:count] & record.there[1:][last:]
    return clipped(home.mean[:count][kept]), clipped(moved[kept])


def compare(home: Home, record: Record, lag: np.ndarray | None = None) -> Likeness:
    lag = np.zeros(record.obs.shape[2], int) if lag is None else lag
    ours, theirs = pairs(home, record, lag)
    cross = correlation(theirs, ours)
    alike, size = np.diag(cross), slope(ours, theirs)
    shift, spread = starts(home, record.obs[0])
    with np.errstate(divide="ignore", invalid="ignore"):
        far = np.where(alike < ALIKE, 2 - alike / ALIKE, np.abs(np.log(np.maximum(size, 1e-9))) / SIZE)
    far = np.where(home.moved, far, 0)
    told = np.where(home.moved, 0, np.abs(spread) / SPREAD)
    at_odds = np.minimum(np.maximum.reduce([far, np.abs(shift) / SHIFT, told]), CAP)
    return Likeness(alike, size, at_odds, broken(home, record), cross, shift, spread)


def starts(home: Home, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far the middle of starts lies from home's, in what may be; and the logarithm of how many times as wide."""
    here, there = width(home.start), width(start)
    doubt = 1.25 * np.maximum(here, there) * np.sqrt(1 / len(start) + 1 / len(home.start))
    off = middle(start) - middle(home.start)
    shift = np.sign(off) * np.maximum(np.abs(off) - 3 * doubt, 0) / home.wide
    return shift, np.log(np.maximum(there, home.grain) / np.maximum(here, home.grain))


def broken(home: Home, record: Record) -> tuple[tuple[int, int, int], ...]:
    obs = record.obs[record.there]
    wrong = []
    for z, y, x in home.relations:
        vary = width(home.record.obs[home.record.there][:, [z]])[0]
        if np.median(np.abs(obs[:, z] - (obs[:, y] - obs[:, x]))) > HOLDS * vary:
            wrong.append((z, y, x))
    return tuple(wrong)
