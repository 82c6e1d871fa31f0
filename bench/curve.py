"""`minnow bench curve`: what the points of a learning curve say of trainings that end there."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from minnow import envs
from minnow.bench import Measured, Say
from minnow.bench.seeds import check_seeds
from minnow.train import config as configs
from minnow.train.config import Config


@dataclass
class Options:
    """Train with the settings of train.toml, score the policy at each checkpoint, and train anew for as many steps as
    each of these took, learning rate and entropy falling to their ends by then: once a seed."""

    env: str
    """The environment."""
    steps: int = 0
    """Agent-steps of the whole schedule; 0: train.toml's."""
    seeds: int = 3
    """How many, from 0."""
    episodes: int = 100
    """Of each evaluation."""


def measure(options: Options, say: Say) -> Measured:
    base = configs.defaults(envs.place(options.env))
    check_seeds(options.seeds, 0)
    steps, many = options.steps or base.train.steps, base.train.checkpoints
    points = [steps * i // many for i in range(1, many + 1)]
    curves: list[list[float]] = []
    ends: list[list[float]] = []
    for seed in range(options.seeds):
        whole = _settings(base, seed, steps)
        curves.append(_scores(whole, points, options.episodes))
        ends.append([_scores(_settings(base, seed, point), [point], options.episodes)[0] for point in points[:-1]])
        ends[-1].append(curves[-1][-1])
        say(f"seed {seed}: the curve {_words(curves[-1])}, trainings of those lengths {_words(ends[-1])}")
    rows = []
    for i, point in enumerate(points):
        curve, own = ([scores[i] for scores in each] for each in (curves, ends))
        rows.append({"steps": point, "curve": curve, "trained": own})
        say(
            f"{point:,} steps: the curve of {steps:,} scores {statistics.fmean(curve):.4g} there, "
            f"trainings of that length {statistics.fmean(own):.4g} (worst {min(curve):.4g} and {min(own):.4g})"
        )
    return Measured(rows)


def _words(scores: Sequence[float]) -> str:
    return " ".join(f"{score:.4g}" for score in scores)


def _settings(base: Config, seed: int, steps: int) -> Config:
    return dataclasses.replace(base, seed=seed, train=dataclasses.replace(base.train, steps=steps))


def _scores(config: Config, points: Sequence[int], episodes: int) -> list[float]:
    """Trains on the processor; the mean greedy score once so many steps are done, for each of `points`."""
    from minnow.train import backend, evaluation, run

    run.prepare(config)
    trainer: Any = backend.trainer(config)
    found: list[float] = []
    for point in points:
        while trainer.update_index < trainer.updates and trainer.steps < point:
            trainer.update(measure=False)
            trainer.take_episodes()
        found.append(evaluation.evaluate(evaluation.TorchPlayer(trainer.policy), config.place, episodes).score_mean)
    return found
