"""`minnow bench seeds`: what an environment's own settings reach, whatever the seed."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minnow import envs
from minnow.bench import Measured, Say
from minnow.cinfer.errors import MinnowError
from minnow.train import config as configs


@dataclass
class Options:
    """Train with the settings of train.toml, once a seed, and score the last policy over fresh whole episodes."""

    env: str
    """The environment."""
    seeds: int = 3
    """Seeds 0 .. N - 1."""
    episodes: int = 400
    """Of each evaluation."""


def measure(options: Options, say: Say) -> Measured:
    """Passed if every seed reached the environment's bar."""
    place = envs.folder(options.env)
    bar = configs.bar(place)
    if bar is None:
        raise MinnowError(
            f"no bar is set for {place.name}: put a table [bar] into its train.toml, such as score_mean = 18.0."
        )
    if options.seeds < 1:
        raise MinnowError(f"--seeds is {options.seeds}: it must be 1 or more.")
    found = []
    for seed in range(options.seeds):
        found.append(trained(place, seed, options.episodes, bar))
        words = "seed {seed}: {seconds:.1f} s, {steps:,} steps, ".format(**found[-1])
        say(f"{words}{bar.key} {found[-1][bar.key]:.3f}")
    return Measured(found, all(row["reached"] for row in found))


def trained(name: Path, seed: int, episodes: int, bar: configs.Bar) -> dict[str, Any]:
    """One seed's training with the environment's own settings, and what its policy scores."""
    from minnow.train import evaluation, run
    from minnow.train.ppo import PPO

    config = dataclasses.replace(configs.defaults(name), seed=seed)
    run.prepare(config)
    trainer = PPO(config)
    start = time.perf_counter()
    while trainer.update_index < trainer.updates:
        trainer.update(measure=False)
        trainer.take_episodes()
    seconds = time.perf_counter() - start
    score = evaluation.evaluate(evaluation.TorchPlayer(trainer.policy), name, episodes).to_dict()
    passed = {"seed": seed, "seconds": round(seconds, 3), "steps": trainer.steps}
    return passed | {"reached": bar.reached(score)} | score
