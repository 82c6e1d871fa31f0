"""`minnow bench seeds`: what an environment's own settings reach, whatever the seed."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from dataclasses import dataclass
from typing import Any

from minnow import envs
from minnow.cinfer.errors import MinnowError, unknown
from minnow.cli import flags

BARS = {  # what the settings of train.toml must reach: a mean over whole episodes
    "cartpole": ("score_mean", 475.0),
    "pong": ("score_mean", 18.0),
    "breakout": ("score_mean", 90.0),
    "connect4": ("success_rate", 0.6),
    "2048": ("success_rate", 0.25),
    "maze": ("success_rate", 0.9),
    "snake": ("score_mean", 27.7),  # three times its script's
}


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
        raise MinnowError(f"minnow bench seeds wants one environment: {', '.join(BARS)}.")
    name = named[0]
    if name not in envs.names():
        raise unknown("environment", name, envs.names())
    if name not in BARS:
        raise MinnowError(f"no bar is set for {name}: choose one of {', '.join(BARS)}.")
    if chosen.seeds < 1:
        raise MinnowError(f"--seeds is {chosen.seeds}: it wants 1 or more.")
    found = []
    for seed in range(chosen.seeds):
        found.append(trained(name, seed, chosen.episodes))
        key, _ = BARS[name]
        line = "seed {seed}: {seconds:.1f} s, {steps:,} steps, ".format(**found[-1]) + f"{key} {found[-1][key]:.3f}"
        print(line, file=sys.stderr if chosen.json else sys.stdout, flush=True)
    if chosen.json:
        print(json.dumps(found))
    return 0 if all(row["reached"] for row in found) else 1


def trained(name: str, seed: int, episodes: int) -> dict[str, Any]:
    """One seed's training with the environment's own settings, and what its policy scores."""
    from minnow.train import config as configs
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
    key, bar = BARS[name]
    return {"seed": seed, "seconds": round(seconds, 3), "steps": trainer.steps, "reached": score[key] >= bar} | score
