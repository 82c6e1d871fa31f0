"""The observations over which a policy is proved: the examples, and what else its environment could show.

Each (step, agent) of the reference gets one of these manners:

- examples: rows as they were given, every array from the same row;
- mixed: each number from any row;
- within: whole numbers at random within what the examples hold; real numbers with noise of their size, at least 1;
- edges: everything at a bound, 0, 1 or one same number;
- far: whole numbers of any size that the bounds allow, such as counters that have run for long;
- jumps: where the module jumps (comparisons, floor, argmax and the like), numbers next to each other on both sides.

A manner that the module itself refuses, such as a number beyond its table, is left out and noted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from minnow.export.domain import Domain
from minnow.export.errors import ExportError, first_line
from minnow.export.jumps import outcomes
from minnow.export.trace import Leaf, Signature

QUIET = 8  # steps at the beginning with few agents that start anew; some become golden vectors
RESETS = 0.06  # share of agents that start anew at a later step
WEIGHTS = {"examples": 2, "mixed": 1, "within": 5, "edges": 1, "far": 1}  # how often each manner is drawn
PAIRS, ROUNDS, HALVINGS = 61, 8, 64  # of the search for jumps; a batch of 61 is told from most axes
LARGE = 2**20  # numbers that are drawn at once; of pictures the same ones are seen again
COST = 2e10  # floating-point operations of that search, about

Arrays = dict[str, np.ndarray]


@dataclass
class Probes:
    """obs: [steps, agents, ...] each, as the file has them. reset: uint8 [steps, agents]. counts: how many
    observations each manner gave. jumps: bool [steps, agents], those of that manner, each an episode's first. refused:
    manners that the module refuses, and why."""

    obs: Arrays
    reset: np.ndarray
    counts: dict[str, int]
    jumps: np.ndarray
    refused: dict[str, str]


def probes(
    signature: Signature,
    domains: Sequence[Domain],
    steps: int,
    agents: int,
    seed: int = 0,
    refused: Mapping[str, str] = MappingProxyType({}),
) -> Probes:
    """Observations for so many steps and agents. refused: manners that are left out, and why."""
    random = np.random.default_rng(seed)
    drawer = Drawer(signature, domains, random)
    reset = (random.random((steps, agents)) < RESETS).astype(np.uint8)
    reset[:QUIET] = 0
    # Of the golden vectors' few steps and agents, some must follow on the step before and some start anew.
    reset[1, 1::2] = reset[2, ::2] = 1
    reset[steps // 2, ::2] = 1

    drawer.refused.update(refused)
    usable = [manner for manner in WEIGHTS if manner not in refused and drawer.works(manner)]
    if not usable:
        raise ExportError(f"forward fails on the examples: {drawer.refused.get('examples', '')}.")
    jumps = drawer.jumps(usable)
    weights = np.array([WEIGHTS[manner] for manner in usable], float)
    plan = random.choice(len(usable), size=(steps, agents), p=weights / weights.sum())
    plan[0] = usable.index("examples") if "examples" in usable else 0
    if "within" in usable:
        plan[1:4] = usable.index("within")
    names = [*usable, "jumps"]
    if jumps is not None and agents > 3:
        beside = slice(agents - agents // 4, agents)
        plan[QUIET:, beside] = len(usable)
        reset[QUIET:, beside] = 1  # pairs were found from an episode's start
    drawer.next = 0
    obs = {leaf.name: np.zeros((steps, agents, *leaf.shape), leaf.tensor.numpy().dtype) for leaf in signature.obs}
    counts = {}
    for index, manner in enumerate(names):
        cells = np.nonzero(plan == index)
        count = len(cells[0])
        if not count:
            continue
        rows = jumps if manner == "jumps" else drawer.draw(manner, count)
        counts[manner] = count
        assert rows is not None  # jumps are among the manners only where there are some
        for leaf, values in zip(signature.obs, rows, strict=True):
            if manner == "jumps":
                values = values[np.arange(count) % len(values)]
            obs[leaf.name][cells] = values
    return Probes(obs, reset, counts, plan == len(usable), drawer.refused)


@dataclass
class Pair:
    """Two rows of every leaf, [2, ...] each, and which of the module's jumps lies between them."""

    rows: list[np.ndarray]
    jump: int


def equal(a: list[np.ndarray], b: list[np.ndarray]) -> np.ndarray:
    """Which rows are the same in every leaf, bool [rows]."""
    return np.all([(x == y).reshape(len(x), -1).all(1) for x, y in zip(a, b, strict=True)], 0)


class Drawer:
    """Draws rows of every leaf in a manner, and tries them on the module."""

    def __init__(self, signature: Signature, domains: Sequence[Domain], random: np.random.Generator) -> None:
        self.signature, self.domains, self.random = signature, list(domains), random
        self.rows = [np.moveaxis(leaf.tensor.numpy(), leaf.axis, 0) for leaf in signature.obs]
        self.plain: dict[str, set[str]] = {}  # by manner: leaves that are mixed instead
        self.refused: dict[str, str] = {}
        self.next = 0  # the example that is next in turn

    def draw(self, manner: str, count: int) -> list[np.ndarray]:
        """[count, ...] for each leaf."""
        total = len(self.rows[0])
        turn = (self.next + np.arange(count)) % total
        if manner == "examples":
            self.next += count
        drawn = []
        for leaf, domain, rows in zip(self.signature.obs, self.domains, self.rows, strict=True):
            used = "mixed" if leaf.name in self.plain.get(manner, ()) else manner
            if used == "examples":
                drawn.append(rows[turn])
                continue
            made = min(count, max(PAIRS, LARGE // max(1, rows[0].size)))
            values = MANNERS[used](rows, domain, made, self.random)
            values = np.clip(values, domain.low, domain.high)
            values = np.where(domain.whole, np.round(values), values).astype(rows.dtype)
            drawn.append(values[np.arange(count) % made])
        return drawn

    def works(self, manner: str) -> bool:
        """Whether the module takes what this manner draws, if need be with the others' numbers for some leaves."""
        if manner == "far" and not any(free(domain).any() for domain in self.domains):
            return False
        for tried in ((), *((leaf.name,) for leaf in self.signature.obs[:8]), tuple(self.names)):
            if len(tried) == len(self.names):
                break  # nothing would be left of the manner
            self.plain[manner] = set(tried)
            try:
                self.call(self.draw(manner, PAIRS))
            except Exception as error:  # whatever the module raises
                self.refused.setdefault(manner, first_line(error))
            else:
                if not tried:
                    return True
                self.refused[manner] = f"{', '.join(tried)}: {self.refused[manner]}"
                return True
        return False

    @property
    def names(self) -> list[str]:
        return [leaf.name for leaf in self.signature.obs]

    def call(self, rows: Sequence[np.ndarray]) -> None:
        """One step from the start."""
        states = [start(leaf, len(rows[0])) for leaf in self.signature.states]
        self.signature.call([torch.from_numpy(np.ascontiguousarray(item)) for item in rows], states)

    # Jumps

    def jumps(self, manners: Sequence[str]) -> list[np.ndarray] | None:
        """Rows two and two, which lie close to each other on both sides of a jump; None where the module has none."""
        usable = [manner for manner in manners if manner != "far"]
        found: list[Pair] = []
        # As many as cost little, whatever machine it is.
        rounds = int(np.clip(COST / max(1, operations(self.signature) * PAIRS * HALVINGS), 1, ROUNDS))
        for turn in range(ROUNDS):
            a, b = (self.draw(usable[(turn + k) % len(usable)], PAIRS) for k in (0, 1))
            if turn % 2:  # a single number differs, or a few
                share = [min(1.0, 2.0 ** (turn // 2 % 3) / max(item[0].size, 1)) for item in b]
                there = [self.random.random(item.shape) < part for item, part in zip(b, share, strict=True)]
                b = [np.where(here, y, x) for here, x, y in zip(there, a, b, strict=True)]
            try:
                if turn == 0 and self.look(a) is None:
                    return None
                found += self.closest(a, b)
            except Exception as error:  # whatever the module raises
                self.refused.setdefault("jumps", first_line(error))
            if turn >= rounds - 1:
                break
        if not found:
            return None
        # All jumps in turn, since few of them may be met in most of the ways.
        seen: dict[int, int] = {}
        ranks = [seen[pair.jump] for pair in found if not seen.update({pair.jump: seen.get(pair.jump, -1) + 1})]
        order = np.argsort(ranks, kind="stable")
        return [np.concatenate([found[i].rows[k] for i in order]) for k in range(len(self.rows))]

    def closest(self, a: list[np.ndarray], b: list[np.ndarray]) -> list[Pair]:
        """Halves the way between rows until no number lies between both sides of a jump on it, for each any one."""
        before, after = self.looked(a), self.looked(b)
        there = np.flatnonzero((before != after).any(1))
        if not len(there):
            return []
        jump = np.array([self.random.choice(np.flatnonzero(row)) for row in (before != after)[there]])
        which = np.zeros(len(before), np.int64)
        which[there] = jump

        def at(table: np.ndarray) -> np.ndarray:
            return np.take_along_axis(table, which[:, None], 1)[:, 0]

        low, high = np.zeros(len(before)), np.ones(len(before))
        sides = [a, b]
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            rows = self.between(a, b, middle)
            if all((equal(rows, sides[0]) | equal(rows, sides[1]))[there]):
                break
            same = at(self.looked(rows)) == at(before)
            low, high = np.where(same, middle, low), np.where(same, high, middle)
            sides = [self.between(a, b, part) for part in (low, high)]
        # Where the numbers are not exact, either side is right so close to it: every second pair is a little apart.
        apart = self.random.choice((0.0, 0.0, 1e-4, 1e-3), size=len(low))
        sides = [self.between(a, b, part) for part in (np.maximum(low - apart, 0), np.minimum(high + apart, 1))]
        return [Pair([np.stack([side[k][i] for side in sides]) for k in range(len(a))], int(which[i])) for i in there]

    def look(self, rows: list[np.ndarray]) -> np.ndarray | None:
        """What the module's jumps come to, [rows, ...]; None where it has none."""
        with outcomes(len(rows[0])) as found:
            self.call(rows)
        return found.table()

    def looked(self, rows: list[np.ndarray]) -> np.ndarray:
        """The same of a module that has some."""
        table = self.look(rows)
        assert table is not None
        return table

    def between(self, a: list[np.ndarray], b: list[np.ndarray], part: np.ndarray) -> list[np.ndarray]:
        made = []
        for domain, x, y in zip(self.domains, a, b, strict=True):
            share = part.reshape(-1, *[1] * (x.ndim - 1))
            x64, y64 = x.astype(np.float64), y.astype(np.float64)
            values = np.where(share == 0, x64, np.where(share == 1, y64, x64 + share * (y64 - x64)))
            values = np.where(domain.whole, np.round(values), values)
            made.append(values.astype(x.dtype))
        return made


def start(leaf: Leaf, agents: int) -> torch.Tensor:
    """A leaf of the state as so many agents start an episode."""
    return leaf.one.unsqueeze(leaf.axis).repeat_interleave(agents, leaf.axis)


class Operations(TorchDispatchMode):
    """Counts floating-point operations by torch's own formulas; its FlopCounterMode wants gradients of modules."""

    total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        formula = flop_registry.get(func._overloadpacket)
        if formula is not None:
            self.total += formula(*args, **(kwargs or {}), out_val=result)
        return result


def operations(signature: Signature) -> float:
    """Floating-point operations of one agent's step, about."""
    with Operations() as counter:
        signature.call([leaf.tensor for leaf in signature.obs], [leaf.tensor for leaf in signature.states])
    return counter.total / signature.agents


def free(domain: Domain) -> np.ndarray:
    """The whole numbers that may be much larger than the examples."""
    return domain.whole & ((domain.high > domain.most + 1) | (domain.low < domain.least - 1))


def mixed(rows: np.ndarray, domain: Domain, count: int, random: np.random.Generator) -> np.ndarray:
    chosen = random.integers(len(rows), size=(count, *rows.shape[1:]))
    return np.take_along_axis(rows, chosen, 0) if rows.ndim > 1 else rows[chosen]


def within(rows: np.ndarray, domain: Domain, count: int, random: np.random.Generator) -> np.ndarray:
    shape = (count, *rows.shape[1:])
    chosen = rows[random.integers(len(rows), size=count)].astype(np.float64)
    noise = random.standard_normal(shape) * np.maximum(1, np.abs(chosen))
    real = chosen + noise * random.choice((0.1, 0.5, 1.0, 3.0), size=shape)
    # Numbers of one array are often of one kind: each may be what any of them is.
    low, high = (np.where(domain.whole, bound, 0) for bound in (domain.least, domain.most))
    wide = random.random((count, *[1] * (rows.ndim - 1))) < 0.5
    if domain.whole.any():
        least, most = low[domain.whole].min(), high[domain.whole].max()
        low, high = (
            np.where(wide, np.maximum(least, domain.low), low),
            np.where(wide, np.minimum(most, domain.high), high),
        )
    steps = np.clip(high - low + 1, 1, 2.0**33)
    return np.where(domain.whole, low + np.floor(random.random(shape) * steps), real)


def edges(rows: np.ndarray, domain: Domain, count: int, random: np.random.Generator) -> np.ndarray:
    shape, ones = (count, *rows.shape[1:]), [1] * (rows.ndim - 1)
    least, most = (np.broadcast_to(bound, shape) for bound in (domain.least, domain.most))
    low, high = (
        np.where(np.isfinite(hard) & (np.abs(hard) < 1e6), hard, seen)
        for hard, seen in ((np.broadcast_to(domain.low, shape), least), (np.broadcast_to(domain.high, shape), most))
    )
    flat = rows.reshape(len(rows), -1).astype(np.float64)
    same = flat[random.integers(len(flat), size=count), random.integers(flat.shape[1], size=count)].reshape(-1, *ones)
    either = random.random(shape) < 0.5
    sorts = [low, high, np.zeros(shape), np.ones(shape), np.broadcast_to(same, shape), np.where(either, low, high)]
    return np.choose(np.broadcast_to((np.arange(count) % len(sorts)).reshape(-1, *ones), shape), sorts)


def far(rows: np.ndarray, domain: Domain, count: int, random: np.random.Generator) -> np.ndarray:
    shape = (count, *rows.shape[1:])
    most = 2.0**24 if rows.dtype.kind == "f" else 2.0**31
    size = np.floor(2 ** (random.random(shape) * np.log2(most)))
    round_ = 2.0 ** random.integers(1, int(np.log2(most)) + 1, size=shape) + random.integers(-1, 2, size=shape)
    values = np.where(random.random(shape) < 0.3, round_, size)
    values = np.where((random.random(shape) < 0.3) & (domain.low < 0), -values, values)
    chosen = mixed(rows, domain, count, random).astype(np.float64)
    picked = random.random(shape) < random.choice((0.15, 1.0), size=(count, *[1] * (rows.ndim - 1)))
    return np.where(free(domain) & picked, np.clip(values, domain.low, domain.high), chosen)


Manner = Callable[[np.ndarray, Domain, int, np.random.Generator], np.ndarray]
MANNERS: dict[str, Manner] = {"mixed": mixed, "within": within, "edges": edges, "far": far}
