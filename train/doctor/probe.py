"""Probing: what the numbers of an observation do when the same random actions are given in two worlds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minnow import envs
from minnow.cinfer.errors import MinnowError
from minnow.train.evaluation import EVALUATION
from minnow.train.foreign import rows

STEPS, EPISODES = 24, 16  # of each world
REPEATS = 4  # so often are the same actions played at home, from other starts
STRONG = 0.8  # of the bounds: how far random actions go


class Record(NamedTuple):
    """obs [steps + 1][rows][numbers]; action [steps][rows][heads], as the policy would give them; there [steps +
    1][rows]: the episode that began at step 0 still went on."""

    obs: np.ndarray
    action: np.ndarray
    there: np.ndarray


class World:
    """An environment, or a simulator, whose episodes are played one after another where each of its processes takes
    long to build. wrap: what is put around its rows; options: those of `envs.rows`."""

    def __init__(self, place: envs.Place, wrap: Callable[[envs.Rows], envs.Rows] | None = None, **options: Any) -> None:
        self.place, self.spec = place, envs.spec(place)
        self.wrap, self.options, self.vector = wrap, options, None

    def open(self, count: int) -> envs.Rows:
        agents = 1 if self.spec.has_script else None
        made = rows(self.place, count, seed=EVALUATION | 7, agents=agents, **self.options)
        return self.wrap(made) if self.wrap else made

    @property
    def moves(self) -> bool:
        """Whether one environment plays many episodes, rather than many one each."""
        return isinstance(self.place, envs.Foreign) and self.place.simulator

    def play(self, action: np.ndarray, change: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None) -> Record:
        """Episodes of given actions [steps][episodes][heads]. change: what is done to the actions of a step before they
        are taken, by the observations of the moment; both [rows][...]."""
        if not self.moves:
            return self._together(self.open(action.shape[1]), action, change)
        self.vector = self.vector or self.open(1)
        parts = []
        for i in range(action.shape[1]):
            self.vector.move(i)
            parts.append(self._together(self.vector, action[:, i : i + 1], change))
        return Record(*(np.concatenate(arrays, 1) for arrays in zip(*parts, strict=True)))

    def close(self) -> None:
        close = getattr(self.vector, "close", None)
        if close:
            close()

    def _together(self, vector: envs.Rows, action: np.ndarray, change: Any) -> Record:
        action = np.repeat(action, vector.agents, 1)
        buffers = vector.buffers()
        vector.reset(buffers)
        obs, there = [buffers.obs.astype(np.float64)], [np.ones(vector.rows, bool)]
        for row in action:
            buffers.action[:] = row if change is None else change(row, obs[-1])
            vector.step(buffers)
            obs.append(buffers.obs.astype(np.float64))
            there.append(there[-1] & ~(buffers.terminated | buffers.truncated))
        return Record(np.array(obs), action, np.array(there))


def actions(spec: envs.Spec, steps: int = STEPS, episodes: int = EPISODES) -> np.ndarray:
    """Random ones, the same each time, [steps][episodes][heads]."""
    rng, heads = np.random.default_rng(5), []
    for head in spec.head:
        if head.size:
            heads.append(rng.integers(head.size, size=(steps, episodes)).astype(np.float64))
        else:
            middle, half = (head.low + head.high) / 2, (head.high - head.low) / 2
            heads.append(middle + STRONG * half * rng.uniform(-1, 1, (steps, episodes)))
    return np.stack(heads, 2)


def home(place: envs.Place, **options: Any) -> Record:
    """The training world: each sequence of actions REPEATS times, one set of EPISODES after another."""
    world = World(place, **options)
    return world.play(np.tile(actions(world.spec), (1, REPEATS, 1)))


def comparable(spec: envs.Spec) -> None:
    """Raises MinnowError where observations are not one list of numbers."""
    if len(spec.group) != 1 or spec.group[0].kind != "fields" or spec.group[0].type != "f32" or spec.masked:
        shown = ", ".join(f"{group.type} {group.kind} {list(group.shape)}" for group in spec.group)
        raise MinnowError(
            f"{spec.name} observes {shown}{' with masks' if spec.masked else ''}: doctor compares one list of numbers, "
            "such as those of an arm's joints. Pictures, sets and masks are left to minnow eval --on."
        )
