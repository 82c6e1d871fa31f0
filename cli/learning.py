"""`minnow bench train` and `minnow bench solve`: how fast training runs, and how soon it reaches a score."""

from __future__ import annotations

import dataclasses
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from minnow import envs
from minnow.cinfer.errors import MinnowError, unknown
from minnow.cli import flags

NETS = {"mlp2x64": ("mlp", 64, 2), "mlp2x128": ("mlp", 128, 2), "lstm128": ("lstm", 128, 1)}  # core, width, layers
SCORES = {"cartpole": 475.0, "pong": 18.0}  # that count as solved
SNAPSHOTS = 50  # of a run that is to solve a task
EPISODES, HELD = 200, 3  # of an evaluation; successive ones that must reach the score
PARTS = ("environment", "forward", "backward")


@dataclass
class TrainFlags:
    """Measure training on Pong with its tuned settings, one process, one thread: steps a second, where the time goes,
    and the limit that the machine's measured speed of matrix products sets."""

    net: str = ""
    """Only this network."""
    seconds: float = 3.0
    """Of each measurement."""
    json: bool = False
    """Print one JSON list on standard output."""


@dataclass
class SolveFlags:
    """Train with the settings of train.toml and find when the score was reached: from the first environment step to the
    first of 50 snapshots from which three in a row score that much over 200 fresh episodes each (not timed)."""

    seeds: int = 5
    """Seeds 0 .. N - 1."""
    score: float | None = None
    """What counts as solved (cartpole: 475, pong: 18)."""
    json: bool = False
    """Print one JSON list on standard output."""


def train(argv: list[str]) -> int:
    chosen = flags.parse(TrainFlags, argv, "minnow bench train")
    if chosen.net and chosen.net not in NETS:
        raise unknown("network", chosen.net, NETS)
    if not chosen.seconds > 0:
        raise MinnowError(f"--seconds is {chosen.seconds:g}: it wants a positive number.")
    found = []
    for net in [chosen.net] if chosen.net else NETS:
        found.append(speed(net, chosen.seconds))
        line = "{net:<10} {steps_per_second:10,} steps/s of {limit:12,}   ".format(**found[-1])
        line += "  ".join(f"{part} {share:.0%}" for part, share in found[-1]["share"].items())
        print(line, file=sys.stderr if chosen.json else sys.stdout, flush=True)
    if chosen.json:
        print(json.dumps(found))
    return 0


def speed(net: str, seconds: float) -> dict[str, Any]:
    """Training steps a second of one network, and the shares of its time."""
    import torch

    from minnow.train import config as configs
    from minnow.train import run
    from minnow.train.ppo import PPO

    core, hidden, layers = NETS[net]
    config = configs.defaults("pong")
    config = dataclasses.replace(
        config, policy=dataclasses.replace(config.policy, core=core, hidden=hidden, layers=layers)
    )
    run.prepare(config)
    trainer = PPO(config)
    trainer.update()
    spent = dict.fromkeys(PARTS, 0.0)

    def timed(call: Callable[..., Any], part: str) -> Callable[..., Any]:
        def timing(*given: Any, **named: Any) -> Any:
            start = time.perf_counter()
            try:
                return call(*given, **named)
            finally:
                spent[part] += time.perf_counter() - start

        return timing

    trainer.vector.step = timed(trainer.vector.step, "environment")
    for name in ("step", "unroll", "evaluate"):
        setattr(trainer.policy, name, timed(getattr(trainer.policy, name), "forward"))
    backward = torch.Tensor.backward
    torch.Tensor.backward = timed(backward, "backward")
    try:
        start, before = time.perf_counter(), trainer.steps
        while (passed := time.perf_counter() - start) < seconds:
            trainer.update(measure=False)
    finally:
        torch.Tensor.backward = backward
    # Of each product and sum of a weight: one forward to act; forward and twice that backward for each sample learned.
    weights = sum(leaf.numel() for leaf in trainer.parameters if leaf.ndim == 2)
    work = 2 * weights * (1 + 3 * config.train.epochs)
    shares = {part: round(spent[part] / passed, 4) for part in PARTS}
    return {
        "net": net,
        "processes": 1,
        "steps_per_second": round((trainer.steps - before) / passed),
        "share": shares | {"rest": round(1 - sum(shares.values()), 4)},
        "limit": round(peak() / work),
    }


def peak() -> float:
    """Operations a second of torch's matrix product with its present threads, the median of several."""
    import torch

    size = 1024
    left, right = torch.randn(size, size), torch.randn(size, size)
    times = []
    for _ in range(9):
        start = time.perf_counter()
        torch.mm(left, right)
        times.append(time.perf_counter() - start)
    return 2 * size**3 / statistics.median(times)


def solve(argv: list[str]) -> int:
    """0 if every seed reached the score."""
    named, rest = flags.leading(argv)
    chosen = flags.parse(SolveFlags, rest, "minnow bench solve ENV")
    if len(named) != 1:
        raise MinnowError(f"minnow bench solve wants one environment: {', '.join(envs.names())}.")
    if named[0] not in envs.names():
        raise unknown("environment", named[0], envs.names())
    bar = SCORES.get(named[0]) if chosen.score is None else chosen.score
    if bar is None:
        raise MinnowError(f"no score is known that solves {named[0]}: give --score.")
    if chosen.seeds < 1:
        raise MinnowError(f"--seeds is {chosen.seeds}: it wants 1 or more.")
    found = []
    for seed in range(chosen.seeds):
        found.append(solved(named[0], seed, bar))
        took = found[-1]["seconds"]
        line = f"seed {seed}: " + (f"{took:.2f} s, {found[-1]['steps']:,} steps" if took is not None else "not reached")
        print(f"{line}, score {found[-1]['score']:.2f}", file=sys.stderr if chosen.json else sys.stdout, flush=True)
    if chosen.json:
        print(json.dumps(found))
    return 0 if all(row["seconds"] is not None for row in found) else 1


def solved(name: str, seed: int, bar: float) -> dict[str, Any]:
    """When one seed reached the score; None for seconds and steps where it did not, with the last score."""
    from minnow.train import config as configs
    from minnow.train import evaluation, run
    from minnow.train.ppo import PPO

    config = dataclasses.replace(configs.defaults(name), seed=seed)
    run.prepare(config)
    trainer = PPO(config)
    every = max(1, trainer.updates // SNAPSHOTS)
    snapshots = []
    start = time.perf_counter()
    while trainer.update_index < trainer.updates:
        trainer.update(measure=False)
        if trainer.update_index % every == 0 or trainer.update_index == trainer.updates:
            weights = {key: leaf.clone() for key, leaf in trainer.policy.state_dict().items()}
            snapshots.append((time.perf_counter() - start, trainer.steps, weights))
    player = evaluation.TorchPlayer(trainer.policy)
    scores: list[float] = []
    for i, (_, _, weights) in enumerate(snapshots):
        trainer.policy.load_state_dict(weights)
        scores.append(evaluation.evaluate(player, name, EPISODES, seed=i).score_mean)
        if len(scores) >= HELD and min(scores[-HELD:]) >= bar:
            seconds, steps, _ = snapshots[i - HELD + 1]
            return {"seed": seed, "seconds": round(seconds, 3), "steps": steps, "score": scores[-HELD]}
    return {"seed": seed, "seconds": None, "steps": None, "score": scores[-1]}
