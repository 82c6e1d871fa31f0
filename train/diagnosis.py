"""What the metrics say of a run that ended below its bar, in words, each with the metric that shows it.

Every figure is a mean over best.LINES lines, so that chance in one line says nothing. Where the curve is too short for
that, nothing is said.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from minnow.train import best
from minnow.train.config import Bar
from minnow.train.space import Categorical, Space

GONE = 0.03  # of an even choice's entropy
NARROW = 3.0  # nats of entropy that each continuous action has lost: its deviation is a twentieth
BLIND = 0.2  # explained variance below which the value tells little
WAY = 0.1  # from the first score to the bar: a smaller change is none
LATE = 0.25  # of the run, at whose end a curve may still rise


@dataclass(frozen=True)
class Finding:
    """kind: "collapsed", "flat", "rising", "stalled", "entropy" or "value"."""

    kind: str
    words: str


def of_run(run: Path, bar: Bar | None, space: Space) -> list[Finding]:
    """What is wrong with a run that ended below its bar: first what its curve did, then why that may be; empty where
    the metrics are too few. bar: None under self-play, whose curve is against past networks. space: of its policy's
    actions."""
    curve = best.curve(run, bar.key) if bar else best.Curve([], 0.0)
    found = [_shape(curve, bar)] if bar and curve.points else []
    entropy, value = best.curve(run, "entropy"), best.curve(run, "explained_variance")
    if entropy.points:
        found += _entropy(entropy, space)
    if value.points and value.points[-1][1] < BLIND:
        found.append(
            Finding(
                "value",
                f"value not learning: explained_variance is {value.points[-1][1]:.2f} at the end (1 is perfect, 0 no "
                "better than a constant); try a larger --train.value-weight, or --train.reward-scale so that returns "
                "are about 1",
            )
        )
    return found


def _shape(curve: best.Curve, bar: Bar) -> Finding:
    """What a curve did. Differences count that are more than chance, and more than a tenth of the way to the bar."""
    key, first, (steps, end) = bar.key, curve.points[0][1], curve.points[-1]
    least = max(curve.sure, WAY * abs(bar.least - first))
    fell = curve.fell()
    if fell and fell[1] - end > least:
        return Finding(
            "collapsed",
            f"collapsed: {key} was {fell[1]:.4g} after {fell[0]:,} steps and {end:.4g} at the end; try a smaller "
            "--train.learning-rate",
        )
    low, high = (pick(mean for _, mean in curve.points) for pick in (min, max))
    if high - first <= least:
        return Finding(
            "flat",
            f"flat: {key} was {first:.4g} at first and {end:.4g} at the end, {low:.4g} .. {high:.4g} in between; try "
            "more --train.steps or --train.entropy, and look whether rewards come at all: minnow check ENV",
        )
    before = curve.at(round(steps * (1 - LATE)))
    if before is not None and end - before > least:
        return Finding(
            "rising",
            f"still rising: {key} went from {before:.4g} to {end:.4g} in the last quarter of the steps; go on by "
            "--resume RUN --more STEPS",
        )
    since = next(when for when, mean in curve.points if mean > end - least)
    return Finding(
        "stalled",
        f"stalled: {key} was {end:.4g} at the end, and about that since {since:,} of {steps:,} steps; try another "
        "--seed, or more --train.entropy",
    )


def _entropy(curve: best.Curve, space: Space) -> list[Finding]:
    first, end = curve.points[0][1], curve.points[-1][1]
    gone = end < GONE * space.most if isinstance(space, Categorical) else first - end > NARROW * space.heads
    if not gone:
        return []
    when = next((steps for steps, mean in curve.points if mean - end < (first - end) / 20), curve.points[-1][0])
    words = f"entropy gone: entropy fell from {first:.3g} to {end:.3g} by {when:,} steps, and what a policy no longer "
    return [Finding("entropy", words + "tries it cannot learn; try more --train.entropy")]
