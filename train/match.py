"""Games between two players, and ratings from many of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minnow import envs
from minnow.cinfer.errors import MinnowError
from minnow.train.evaluation import EVALUATION, GROUP, Player, picked, play, repeated, wilson

ELO = 400 / math.log(10)  # points of rating for each unit of the logistic
PRIOR = 1.0  # draws that every pair is taken to have played before, so that no rating is infinite


@dataclass(frozen=True)
class Match:
    """What the first player made of games against the second; half of them in each seat.

    `score_mean` is the environment's score of the first player, `elo` by how much it is the stronger, with a 95 %
    interval (Wilson's for the share of points)."""

    env: str
    games: int
    wins: int
    draws: int
    losses: int
    score_mean: float
    score_ci95: float
    elo: float
    elo_low: float
    elo_high: float

    def to_dict(self) -> dict[str, Any]:
        return dict(vars(self))

    def __str__(self) -> str:
        return (
            f"{self.env}: {self.wins} won, {self.draws} drawn, {self.losses} lost of {self.games} games; score "
            f"{self.score_mean:+.2f} +- {self.score_ci95:.2f} (95 %); rating {self.elo:+.0f} "
            f"({self.elo_low:+.0f} to {self.elo_high:+.0f})"
        )


def match(first: Player, second: Player, name: str | Path, games: int = 200, *, seed: int = 0) -> Match:
    """Plays `games` whole games of an environment (its name, or its folder's path) on seeds that training never uses;
    the same ones for the same seed.

    Raises MinnowError where the environment does not have two sides, the number of games is odd, or the players do not
    act equally often."""
    if games < 2 or games % 2:
        raise MinnowError(f"--games is {games}: it must be even, half of the games for each seat.")
    repeats = [repeated(player) or envs.spec(name).action_repeat for player in (first, second)]
    if repeats[0] != repeats[1]:
        raise MinnowError(f"one player acts every {repeats[0]} ticks, the other every {repeats[1]}: they cannot meet.")
    half = games // 2
    scores = np.concatenate(
        [_play((first, second), name, half, seed, 0)[:, 0], _play((second, first), name, half, seed, half)[:, 1]]
    )
    return judge(envs.spec(name).name, scores)


def judge(name: str, scores: np.ndarray) -> Match:
    """The result of games from the first player's scores [games]: more than 0 is won, 0 drawn, less lost."""
    games = len(scores)
    wins, draws = int((scores > 0).sum()), int((scores == 0).sum())
    spread = 1.96 * float(scores.std(ddof=1)) / math.sqrt(games)
    share = (wins + draws / 2) / games
    low, high = wilson(share, games)
    # One point in each direction stands for what an unbeaten player has not yet shown.
    centre = (share * games + 0.5) / (games + 1)
    return Match(
        name, games, wins, draws, games - wins - draws, float(scores.mean()), spread, *map(_elo, (centre, low, high))
    )


def ratings(points: np.ndarray, games: np.ndarray) -> np.ndarray:
    """Elo ratings [players] with mean 0 from points[i][j] that i won against j in games[i][j] games.

    The maximum of Bradley and Terry's likelihood, by Hunter's iteration (2004); every pair counts PRIOR draws more."""
    count = len(points)
    others = ~np.eye(count, dtype=bool)
    won = np.where(others, points + PRIOR / 2, 0.0).sum(1)
    played = np.where(others, games + PRIOR, 0.0)
    strength = new = np.ones(count)
    for _ in range(10_000):
        new = won / (played / (strength[:, None] + strength[None, :])).sum(1)
        new /= np.exp(np.log(new).mean())
        if np.abs(np.log(new / strength)).max() < 1e-10:
            break
        strength = new
    return ELO * np.log(new)


def rating(points: np.ndarray, games: np.ndarray, against: np.ndarray, prior: float) -> float:
    """The likeliest rating of a player that won so many points in so many games against players of known ratings,
    and is taken to have drawn PRIOR games against one rated `prior`."""
    points, games = np.append(points, PRIOR / 2), np.append(games, PRIOR)
    against = np.append(against, prior)
    low, high = against.min() - 8 * ELO, against.max() + 8 * ELO
    for _ in range(60):  # the expected points grow with the rating
        middle = (low + high) / 2
        expected = games / (1 + np.exp((against - middle) / ELO))
        low, high = (middle, high) if expected.sum() < points.sum() else (low, middle)
    return float((low + high) / 2)


def ladder(players: Sequence[Player], name: str | Path, games: int = 40, *, seed: int = 0) -> np.ndarray:
    """Ratings of players of whom each plays `games` games against each."""
    count = len(players)
    points, played = np.zeros((count, count)), np.zeros((count, count))
    for i in range(count):
        for j in range(i):
            result = match(players[i], players[j], name, games, seed=seed)
            points[i, j] = result.wins + result.draws / 2
            points[j, i] = games - points[i, j]
            played[i, j] = played[j, i] = games
    return ratings(points, played)


def _play(seats: tuple[Player, Player], name: str | Path, games: int, seed: int, first: int) -> np.ndarray:
    """The scores [games, 2] of each environment's first game, played to its end: of each side's last life."""
    spec = envs.spec(name)
    if spec.slots != 2:
        raise MinnowError(f"{spec.name} has {spec.slots} player{'s' * (spec.slots != 1)}: a match needs two sides.")
    parts = []
    for begin in range(0, games, GROUP):
        count = min(GROUP, games - begin)
        vector = envs.Vector(
            name,
            count,
            agents=2,
            seed=EVALUATION | seed,
            first_index=first + begin,
            action_repeat=repeated(seats[0]) or None,
        )
        for seat, player in enumerate(seats):
            player.begin(count, seed + first + begin + seat)

        def choose(buffers: envs.Buffers, there: np.ndarray) -> None:
            for seat, player in enumerate(seats):
                rows = np.arange(seat, len(there), 2)
                obs, mask = picked(rows, buffers.obs, buffers.mask if spec.masked else None)
                buffers.action[rows] = player.act(obs, mask, buffers.reset[rows], there[rows])

        parts.append(play(choose, vector).records.reshape(count, 2, -1)[:, :, 0])
    return np.concatenate(parts)


def _elo(share: float) -> float:
    share = min(max(share, 1e-9), 1 - 1e-9)
    return ELO * math.log(share / (1 - share))
