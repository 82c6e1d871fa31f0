"""Scores over whole episodes, greedy, on seeds that training never uses.

Episode i is environment i's first one, and every episode that is started is played to its end, so that short episodes
are not counted more often than long ones. Training seeds fill the lower half of the 64-bit seeds; evaluation sets the
highest bit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from minnow import envs
from minnow.cinfer.errors import MinnowError
from minnow.train.config import MAX_SEED

EVALUATION = 1 << 63  # the bit that tells evaluation seeds from training seeds
GROUP = 1024  # environments stepped side by side


class Player(Protocol):
    """Who acts. Rows are environment x agents; mask holds one byte a choice where the environment has one."""

    def begin(self, rows: int, seed: int) -> None:
        """Before the first step of a group of episodes."""

    def act(self, obs: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
        """Actions [rows, heads], int32 or f32 as the environment wants them."""


class TorchPlayer:
    """A policy module, acting greedily."""

    def __init__(self, policy: Any) -> None:
        self.policy = policy

    def begin(self, rows: int, seed: int) -> None:
        self.state = self.policy.initial_state(rows)

    def act(self, obs: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
        import torch

        space = self.policy.space
        with torch.inference_mode():
            out, _, self.state = self.policy.step(torch.from_numpy(obs), self.state)
            out = space.masked(out, None if mask is None else torch.from_numpy(mask))
            return space.to_env(space.greedy(out)).numpy()


class FilePlayer:
    """A policy file, acting greedily through minnow.h. Needs no torch."""

    def __init__(self, policy: Any) -> None:
        self.policy = policy

    def begin(self, rows: int, seed: int) -> None:
        self.session = self.policy.session(agents=rows, seed=seed)
        self.rows = rows

    def act(self, obs: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
        return np.asarray(self.session.step(obs, mask=mask).action).reshape(self.rows, -1)


class RandomPlayer:
    """Every possible choice alike; continuous actions uniform between their bounds."""

    def __init__(self, spec: envs.Spec) -> None:
        self.spec = spec

    def begin(self, rows: int, seed: int) -> None:
        self.rng = np.random.default_rng((seed, 0x52414E44))
        self.rows = rows

    def act(self, obs: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
        heads = self.spec.head
        noise = self.rng.random((self.rows, sum(max(head.size, 1) for head in heads)), dtype=np.float32)
        if self.spec.action_type == "box":
            low, high = (np.array([getattr(head, side) for head in heads], np.float32) for side in ("low", "high"))
            return low + noise * (high - low)
        if mask is not None:
            noise = noise * mask
        ends = np.cumsum([head.size for head in heads])[:-1]
        return np.stack([part.argmax(1) for part in np.split(noise, ends, 1)], 1).astype(np.int32)


@dataclass
class ScriptPlayer:
    """The environment's own scripted player, which decides at every tick. `skill` in [0, 1]; None: as the environment
    has it."""

    skill: float | None = None


@dataclass
class Score:
    """Means over whole episodes; `score_ci95` is half the width of the 95 % confidence interval of the mean score."""

    env: str
    episodes: int
    score_mean: float
    score_ci95: float | None  # unknown after one episode
    return_mean: float
    length_mean: float
    success_rate: float | None = None  # where the task has success

    def to_dict(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if value is not None}

    def __str__(self) -> str:
        spread = "" if self.score_ci95 is None else f" +- {self.score_ci95:.2f} (95 %)"
        success = "" if self.success_rate is None else f", success {self.success_rate:.1%}"
        return (
            f"{self.env}: score {self.score_mean:+.2f}{spread} over {self.episodes} episodes, "
            f"return {self.return_mean:.2f}, length {self.length_mean:.1f}{success}"
        )


def evaluate(
    player: Player | ScriptPlayer,
    name: str | Path,
    episodes: int = 200,
    *,
    seed: int = 0,
    params: dict[str, float] | None = None,
    randomize: float = 0.0,
    threads: int = 1,
) -> Score:
    """Plays `episodes` whole episodes, the same ones for the same seed, as slot 0; the script plays the other slots.
    name: of the environment, or its folder's path.
    Raises MinnowError for impossible arguments."""
    if episodes < 1:
        raise MinnowError(f"--episodes is {episodes}: it must be 1 or more.")
    if not 0 <= seed <= MAX_SEED:
        raise MinnowError(f"--seed is {seed}, outside 0 .. {MAX_SEED}.")
    spec = envs.spec(name)
    skills = None
    if isinstance(player, ScriptPlayer):
        if not spec.has_script:
            raise MinnowError(f"{spec.name} has no scripted player: try --player random.")
        skills = [player.skill] + [None] * (spec.slots - 1)
    groups = []
    for first in range(0, episodes, GROUP):
        count = min(GROUP, episodes - first)
        vector = envs.Vector(
            name,
            count,
            seed=EVALUATION | seed,
            first_index=first,
            agents=1,
            threads=threads,
            randomize=randomize,
            params=params,
            script_skill=skills,
        )
        groups.append(_play(player, vector, spec.masked, seed + first))
    records = np.concatenate(groups).astype(np.float64)
    score, total, length, success = records.mean(0).tolist()
    spread = 1.96 * float(records[:, 0].std(ddof=1)) / math.sqrt(len(records)) if len(records) > 1 else None
    return Score(
        spec.name,
        episodes,
        score,
        spread,
        total,
        length,
        success if spec.has_success else None,
    )


def _play(player: Player | ScriptPlayer, vector: envs.Vector, masked: bool, seed: int) -> np.ndarray:
    """The records of each environment's first episode, of whose agents one is driven, [envs, 4]: its last life's score,
    the sums of returns and lengths, success in any life."""
    buffers = vector.buffers()
    scripted = isinstance(player, ScriptPlayer)
    if scripted:
        buffers = replace(buffers, action=envs.ABSENT)
    else:
        player.begin(vector.rows, seed)
    vector.reset(buffers)
    records = np.zeros((vector.rows, 4), np.float32)
    playing = np.ones(vector.rows, bool)
    while playing.any():
        if not scripted:
            buffers.action[:] = player.act(buffers.obs, buffers.mask if masked else None)
        vector.step(buffers)
        ended = playing & (buffers.terminated | buffers.truncated)
        records[ended, 0] = buffers.record[ended, 0]
        records[ended, 1:3] += buffers.record[ended, 1:3]
        records[ended, 3] = np.maximum(records[ended, 3], buffers.record[ended, 3])
        playing &= ~buffers.over
    return records
