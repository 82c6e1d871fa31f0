"""Which checkpoint of a run is kept: its last one, unless an earlier one is better by more than chance.

The curve of the training says which might be: the mean of a few lines of metrics up to a checkpoint, against that at
the end. Only these are played, beside the last one, on episodes that the final score does not use; so a run whose curve
rises to its end costs nothing more. Under self-play the curve is against past networks and says nothing: the last one
is kept."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from minnow.train import checkpoint, evaluation, records
from minnow.train.config import Keep

LINES = 5  # of metrics, whose mean stands for a moment
MOST = 3  # checkpoints played beside the last one
EPISODES = 200
SEED = 1  # of these episodes; the final score has seed 0
SURE = 2.0  # standard errors of a difference
FAR = 0.2  # of all that the curve rose: so much below its own best is said


@dataclass
class Choice:
    """The checkpoint to keep, and what there is to say of it."""

    path: Path
    said: list[str] = field(default_factory=list)


@dataclass
class Curve:
    """A figure over training, smoothed: [(steps, mean of the last few lines)], and the standard error of a mean."""

    points: list[tuple[int, float]]
    error: float

    def at(self, steps: int) -> float | None:
        """What it was at a step; None before its first points."""
        found = [mean for when, mean in self.points if when <= steps]
        return found[-1] if found else None

    @property
    def sure(self) -> float:
        """Differences below it may be chance."""
        return SURE * math.sqrt(2) * self.error

    def fell(self) -> tuple[int, float] | None:
        """Its best moment, where it ended far below that: by more than chance, and by a fifth of all that it rose."""
        top, end = max(self.points, key=lambda point: point[1]), self.points[-1][1]
        far = max(self.sure, FAR * (top[1] - min(mean for _, mean in self.points)))
        return top if top[1] - end > far else None


def curve(run: Path, key: str) -> Curve:
    """A figure of a run's metrics; without points where fewer than two times five lines hold it."""
    rows = [row for row in records.metrics(run / "metrics.jsonl") if key in row]
    values = [row[key] for row in rows]
    if len(values) < 2 * LINES:
        return Curve([], 0.0)
    # Neighbouring lines differ by chance more than by learning: the median is that of |N(0, 2 sigma^2)|.
    sigma = statistics.median(abs(b - a) for a, b in pairwise(values)) / 0.954
    points = [
        (int(row["steps"]), statistics.fmean(values[i - LINES + 1 : i + 1]))
        for i, row in enumerate(rows)
        if i >= LINES - 1
    ]
    return Curve(points, sigma / math.sqrt(LINES))


def choose(run: Path, key: str, keep: Keep = "best") -> Choice:
    """The checkpoint to keep of a run that has ended. key: score_mean or success_rate, by which it is judged."""
    files = checkpoint.all_of(run)
    last = files[-1]
    choice = Choice(last)
    found = curve(run, key)
    if not found.points or checkpoint.read(last)[1]["config"]["selfplay"]["on"]:
        return choice
    end = found.points[-1][1]
    likely = [(mean, file) for file in files[:-1] if (mean := found.at(int(file.stem))) is not None]
    likely = sorted((item for item in likely if item[0] > end + found.sure), reverse=True)[:MOST]
    if keep == "best" and likely:
        own = _score(last, key)
        best, least, file = max(((*_score(file, key), file) for _, file in likely), key=lambda item: item[0])
        if best - own[0] > math.hypot(least, own[1]):
            choice.path = file
            choice.said.append(
                f"the last checkpoint {_word(key)} {own[0]:.4g}, that of {int(file.stem):,} steps {best:.4g}: it is "
                "kept and exported (--keep last keeps the last)"
            )
            return choice
    if top := found.fell():
        choice.said.append(
            f"training ended far below its own best: it {_word(key)} {top[1]:.4g} after {top[0]:,} steps and {end:.4g} "
            "at its end; try a smaller --train.learning-rate, or more --train.checkpoints, of which the best is kept"
        )
    return choice


def _word(key: str) -> str:
    return "scored" if key == "score_mean" else "succeeded in"


def _score(file: Path, key: str) -> tuple[float, float]:
    """A checkpoint's figure, and half the width of its 95 % confidence interval."""
    policy, meta = checkpoint.load(file)
    place = checkpoint.place(meta)
    episodes = evaluation.enough(place, EPISODES)
    score = evaluation.evaluate(evaluation.TorchPlayer(policy), place, episodes, seed=SEED)
    mean = getattr(score, key)
    if key == "score_mean":
        return mean, score.score_ci95 or 0.0
    return mean, 1.96 * math.sqrt(max(mean * (1 - mean), 1e-9) / episodes)
