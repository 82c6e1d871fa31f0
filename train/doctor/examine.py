"""Examining: what lies between home and a simulator, found by mending.

First what no change of numbers mends: numbers that never change, absolute targets, another rate, a lag. Then, as long
as something is at odds, each guess is tried, on what was recorded or, where it changes actions, by playing anew; the
one after which least is at odds is what was wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from . import guess
from .likeness import ALIKE, LAGS, SIZE, Home, Likeness, clipped, compare, correlation, pairs, slope
from .mends import Mend
from .probe import Record, World, actions

ROUNDS = 4
WORTH = 0.25  # of what is at odds a mend must take away
EACH = 0.1  # by so much less is a mend worth for every number that it touches
FEW = 6  # episodes, from whose ends something can be told
STAYS = 0.6  # of how far a place wanders at home, where its targets are absolute
CLEAR = 1.3  # what is less at odds than this, and no mend helps, is not told


class Patient:
    """A simulator, probed."""

    def __init__(self, home: Home, world: World) -> None:
        self.home, self.world = home, world
        self.given = actions(world.spec)
        self.mends: list[Mend] = []
        self.lag = np.zeros(home.start.shape[1], int)
        self.raw = self.played([])
        self.blind = np.zeros(home.start.shape[1], bool)  # what is told already, and cannot be mended

    def played(self, mends: list[Mend]) -> Record:
        acting = [mend for mend in mends if mend.acts]

        def change(action: np.ndarray, obs: np.ndarray) -> np.ndarray:
            for mend in reversed(acting):  # the last one that was found is nearest to the policy
                action = mend.act(action)
            return action

        return self.world.play(self.given, change if acting else None)

    def seen(self, raw: Record, mends: list[Mend]) -> Record:
        obs = raw.obs
        for mend in mends:
            obs = mend.see(obs)
        return raw._replace(obs=obs)

    def likeness(self, record: Record) -> Likeness:
        like = compare(self.home, record, self.lag)
        return replace(like, at_odds=np.where(self.blind, 0, like.at_odds))


def examine(patient: Patient) -> list[tuple[Mend, float]]:
    """What is wrong, and how sure that is, 0 to 1: the share of what was at odds that the mend takes away."""
    found: list[tuple[Mend, float]] = []
    record = patient.seen(patient.raw, [])
    still = constant(patient.home, record)
    if still:
        found.append((Mend("constant", late=tuple(still)), 1.0))
        patient.blind[still] = True
        if len(still) == patient.home.moved.sum():
            return found
    for kind, (way, share) in (("target", absolute(patient, record)), ("rate", rate(patient, record))):
        if way:
            return [*found, (Mend(kind, gain={-1: way}), share)]
    if (late := lagging(patient, record)) is not None:
        found.append(late)
        patient.lag[list(late[0].late)] = late[0].lag
    for _ in range(ROUNDS):
        like = patient.likeness(record)
        if like.total == 0:
            return found
        best = None
        for mend, then in tried(patient, record, like):
            rest = patient.likeness(then).total
            if best is None or rest + EACH * mend.size < best[0]:
                best = (rest + EACH * mend.size, mend, then, rest)
        if best is None or best[3] > (1 - WORTH) * like.total:
            break
        _, mend, record, rest = best
        patient.mends.append(mend)
        found.append((mend, 1 - rest / like.total))
        if mend.acts:
            patient.raw = patient.played(patient.mends)
    like = patient.likeness(record)
    left = tuple(j for j in like.odd if like.at_odds[j] > CLEAR)
    rest = {*left, *(z for z, _, _ in like.broken)}
    if rest:
        found.append((Mend("unlike", late=tuple(sorted(rest))), 0.5))
    return found


def tried(patient: Patient, record: Record, like: Likeness) -> Iterator[tuple[Mend, Record]]:
    """Guesses, and what was recorded as each would have it."""
    for mend in guess.observations(patient.home, record, like):
        yield mend, record._replace(obs=mend.see(record.obs))
    for mend in guess.actions(patient.home, record, like, patient.lag, patient.world.spec):
        mends = [*patient.mends, mend]
        yield mend, patient.seen(patient.played(mends), mends)


def constant(home: Home, record: Record) -> list[int]:
    """Numbers that actions move at home and that never change there."""
    change = np.diff(record.obs, axis=0)[record.there[1:]]
    return np.flatnonzero(home.moved & (np.abs(change).max(0) == 0)).tolist()


def lagging(patient: Patient, record: Record) -> tuple[Mend, float] | None:
    """Numbers that answer a step or more late, and how well they agree with home's then."""
    moved, now = patient.home.moved, compare(patient.home, record).alike
    for lag in range(1, LAGS + 1):
        then = compare(patient.home, record, np.full(len(now), lag)).alike
        late = np.flatnonzero(moved & (then > np.maximum(2 * ALIKE, now + 0.3)))
        if len(late) > 1:
            return Mend("lag", lag=lag, late=tuple(late.tolist())), float(np.median(then[late]))
    return None


def _undone(change: np.ndarray, action: np.ndarray, before: np.ndarray, head: np.ndarray) -> np.ndarray:
    """[numbers]: how much of what the last action of its head does the one before it undoes, 0 to 1."""
    each = np.arange(len(head))
    now, then = (correlation(change, item)[each, head] for item in (action, before))
    return -then / np.where(np.abs(now) > 0.2, now, np.inf)


def absolute(patient: Patient, record: Record) -> tuple[float, float]:
    """1 where targets are absolute there and relative at home, -1 the other way round, else 0; and of which share of
    places that is so. A place whose targets are absolute goes back when they do, so that it stays near; one whose
    targets are relative wanders."""
    home, spec = patient.home, patient.world.spec
    ours, theirs = pairs(home, record, np.zeros(len(home.moved), int))
    kept = home.there & record.there[1:]
    later = np.broadcast_to(np.arange(len(kept))[:, None] > 0, kept.shape)[kept]
    before = np.concatenate([record.action[:1], record.action[:-1]])
    now, then = (guess.columns(item[kept][later], spec) for item in (record.action, before))
    head = np.abs(correlation(ours[later], now)).argmax(1)
    here, there = (_undone(item[later], now, then, head) for item in (ours, theirs))
    ends = home.there[-1] & record.there[-1]
    if ends.sum() < FEW:
        return 0.0, 0.0
    far = slope(home.mean[:, ends].sum(0), record.obs[-1, ends] - record.obs[0, ends])
    for way, relative, other, share in ((1.0, here, there, far), (-1.0, there, here, 1 / np.maximum(far, 1e-9))):
        places = home.moved & (relative < 0.5)
        turned = places & (other > relative + 0.15) & (share < STAYS)
        if turned.sum() > 1 and turned.sum() > 0.5 * places.sum():
            return way, float(turned.sum() / places.sum())
    return 0.0, 0.0


def rate(patient: Patient, record: Record) -> tuple[float, float]:
    """How many times as long a step lasts there, where that is far from 1, else 0; and by which share of places.
    Where a step is longer, places go further for each speed."""
    home = patient.home
    if not home.rates:
        return 0.0, 0.0
    change, speed = np.diff(record.obs, axis=0)[record.there[1:]], record.obs[1:][record.there[1:]]
    ratios = []
    for k, v, ours in home.rates:
        theirs = slope(clipped(speed[:, [v]]), clipped(change[:, [k]]))[0]
        ratios.append(theirs / ours)
    times = float(np.median(ratios))
    if times <= 0 or abs(np.log(times)) < 0.8 * SIZE:
        return 0.0, 0.0
    like = compare(home, record)
    speeds = {v for _, v, _ in home.rates}
    places = [j for j in np.flatnonzero(home.moved).tolist() if j not in speeds and like.alike[j] > ALIKE]
    start, end = (home.record.obs[at].std(0) for at in (1, -1))
    places = [j for j in places if end[j] > 1.5 * start[j]]  # not a speed either
    near = [j for j in places if abs(np.log(max(like.size[j], 1e-9) / times)) < 0.6 * SIZE]
    steady = np.median([abs(np.log(max(like.size[v], 1e-9))) for v in speeds]) < SIZE
    return (times, len(near) / len(places)) if steady and len(near) > 0.6 * len(places) else (0.0, 0.0)
