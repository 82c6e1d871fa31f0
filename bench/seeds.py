"""`minnow bench seeds`: what an environment's own settings reach, whatever the seed."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minnow import envs
from minnow.bench import Measured, Say, processors
from minnow.bench.keep import Keep
from minnow.cinfer.errors import MinnowError
from minnow.train import config as configs

FAR = 0.9  # of the median: below it a seed is a bad one


@dataclass
class Options:
    """Train with the settings of train.toml, once a seed, and score the last policy over fresh whole episodes."""

    env: str
    """The environment."""
    seeds: int = 3
    """How many."""
    first: int = 0
    """The first of them; the others follow it."""
    episodes: int = 400
    """Of each evaluation."""
    out: Path | None = None
    """Keep what is measured in this JSON file after every seed, and leave out what it has already of the same
    settings, environment and episodes: so it may be interrupted, and extended."""


def measure(options: Options, say: Say) -> Measured:
    """Passed if every seed reached the environment's bar."""
    place = envs.place(options.env)
    bar = configs.needed_bar(place)
    check_seeds(options.seeds, options.first)
    kept, settings, found = Keep(options.out, "seeds"), fingerprint(place), []
    for seed in range(options.first, options.first + options.seeds):
        asked = {"env": place.name, "seed": seed, "episodes": options.episodes, "settings": settings}
        row = kept.row(asked, lambda seed=seed: trained(place, seed, options.episodes, bar))
        found.append(row | {"reached": bar.reached(row)})  # by the bar of today
        words = "seed {seed}: {seconds:.1f} s, {steps:,} steps, ".format(**row)
        say(f"{words}{bar.key} {row[bar.key]:.3f}")
    say(summary(found, bar))
    return Measured(found, all(row["reached"] for row in found))


def check_seeds(seeds: int, first: int) -> None:
    """Raises MinnowError unless there are so many from the first one on."""
    if seeds < 1:
        raise MinnowError(f"--seeds is {seeds}: it must be 1 or more.")
    if not 0 <= first <= configs.MAX_SEED - seeds:
        raise MinnowError(f"--first is {first}: seeds are 0 .. 2^63 - 1.")


def wanted(env: str, score: float | None) -> float | None:
    """The score to reach: what was asked for, or else train.toml's bar, if that is a score. Refuses what is not an
    environment."""
    known = configs.bar(env)
    return known.least if score is None and known and known.key == "score_mean" else score


def summary(found: list[dict[str, Any]], bar: configs.Bar) -> str:
    """How seeds are spread."""
    scores = [row[bar.key] for row in found]
    middle = statistics.median(scores)
    least = middle - (1 - FAR) * abs(middle)
    below, far = sum(not row["reached"] for row in found), sum(score < least for score in scores)
    spread = f"worst {min(scores):.4g}, median {middle:.4g}, best {max(scores):.4g}"
    return f"{len(found)} seeds: {spread}; {below} below the bar ({bar.least:g}), {far} below 90 % of the median"


def fingerprint(place: envs.Place) -> str:
    """What tells runs by other settings, or of another version of the environment, apart."""
    settings = {key: value for key, value in configs.defaults(place).to_dict().items() if key not in ("seed", "path")}
    known = json.dumps([settings, envs.spec(place).source_hash], sort_keys=True)
    return hashlib.sha256(known.encode()).hexdigest()[:12]


def trained(place: envs.Place, seed: int, episodes: int, bar: configs.Bar) -> dict[str, Any]:
    """One seed's training with the environment's own settings, on the processor, and what its policy scores."""
    from minnow.train import backend, evaluation, run

    config = dataclasses.replace(configs.defaults(place), seed=seed)
    run.prepare(config)
    trainer = backend.trainer(config)
    pids = trainer.vector.pids
    start, processor = time.perf_counter(), processors(pids)
    while trainer.update_index < trainer.updates:
        trainer.update(measure=False)
        trainer.take_episodes()
    passed = {
        "seconds": round(time.perf_counter() - start, 3),
        "cpu_seconds": round(processors(pids) - processor, 3),
        "steps": trainer.steps,
    }
    score = evaluation.evaluate(evaluation.TorchPlayer(trainer.policy), place, episodes).to_dict()
    return passed | {"reached": bar.reached(score)} | score
