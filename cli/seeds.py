"""`minnow bench seeds`: what an environment's own settings reach, whatever the seed."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minnow import envs
from minnow.cinfer.errors import MinnowError
from minnow.cli import flags
from minnow.train import config as configs


@dataclass
class Flags:
    """Train with the settings of train.toml, once a seed, and score the last policy over fresh whole episodes."""

    seeds: int = 3
    """Seeds 0 .. N - 1."""
    episodes: int = 400
    """Of each evaluation."""
    json: bool = False
    """Print one JSON list on standard output."""


def main(argv: list[str]) -> int:
    """0 if every seed reached the environment's bar."""
    named, rest = flags.leading(argv)
    chosen = flags.parse(Flags, rest, "minnow bench seeds ENV")
    if len(named) != 1:
        raise MinnowError(f"minnow bench seeds takes one environment: {', '.join(envs.names())}.")
    place = envs.folder(named[0])
    bar = configs.bar(place)
    if bar is None:
        raise MinnowError(
            f"no bar is set for {place.name}: put a table [bar] into its train.toml, such as score_mean = 18.0."
        )
    if chosen.seeds < 1:
        raise MinnowError(f"--seeds is {chosen.seeds}: it must be 1 or more.")
    found = []
    for seed in range(chosen.seeds):
        found.append(trained(place, seed, chosen.episodes))
        line = (
            "seed {seed}: {seconds:.1f} s, {steps:,} steps, ".format(**found[-1])
            + f"{bar.key} {found[-1][bar.key]:.3f}"
        )
        print(line, file=sys.stderr if chosen.json else sys.stdout, flush=True)
    if chosen.json:
        print(json.dumps(found))
    return 0 if all(row["reached"] for row in found) else 1


def trained(name: str | Path, seed: int, episodes: int) -> dict[str, Any]:
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
    reached = configs.bar(name).reached(score)
    return {"seed": seed, "seconds": round(seconds, 3), "steps": trainer.steps, "reached": reached} | score
