"""`minnow bench train` and `minnow bench solve`: how fast training runs, and how soon it reaches a score."""

from __future__ import annotations

import dataclasses
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from minnow import envs
from minnow.cinfer.errors import MinnowError, unknown
from minnow.cli import flags
from minnow.train import config as configs
from minnow.train import device, evaluation, group, run
from minnow.train.config import Core
from minnow.train.ppo import PPO

NETS = {"mlp2x64": ("mlp", 64, 2), "mlp2x128": ("mlp", 128, 2), "lstm128": ("lstm", 128, 1)}  # core, width, layers
SNAPSHOTS = 50  # of a run that is to solve a task
EPISODES, HELD = 200, 3  # of an evaluation; successive ones that must reach the score
PARTS = {  # where a training step's time goes, by the functions that spend it
    "environment": [("vector", "step")],
    "forward": [("passes", name) for name in ("step", "encode", "remember", "heads")],
    "backward": [("passes", name) for name in ("objective", "of_heads", "unwind", "back")],
    "exchange": [("group", "sum_")],
}


@dataclass
class TrainFlags:
    """Measure training on Pong with its tuned settings: steps a second, where the time goes, and the limit that the
    machine's measured speed of matrix products sets."""

    net: str = ""
    """Only this network."""
    seconds: float = 3.0
    """Of each measurement."""
    processes: int = field(default_factory=group.cores)
    """Processes that train together, one thread each; as many as there are cores by default."""
    json: bool = False
    """Print one JSON list on standard output."""


@dataclass
class SolveFlags:
    """Train with the settings of train.toml and find when the score was reached: from the first environment step to the
    first of 50 snapshots from which three in a row score that much over 200 fresh episodes each (not timed)."""

    seeds: int = 5
    """Seeds 0 .. N - 1."""
    score: float | None = None
    """What counts as solved (default: the bar of train.toml, if that is a score)."""
    core: Core | None = None
    """Another network: its memory, in place of train.toml's."""
    processes: int = field(default_factory=group.cores)
    """Processes that train together, one thread each; as many as there are cores by default."""
    device: str = "cpu"
    """Where it learns: cpu, cuda or cuda:N; see --train.device of minnow train."""
    peers: float = 0.0
    """Measure other trainers too, on as many seeds, each for at most so many seconds; 0: do not."""
    json: bool = False
    """Print one JSON list on standard output."""


def train(argv: list[str]) -> int:
    chosen = flags.parse(TrainFlags, argv, "minnow bench train")
    if chosen.net and chosen.net not in NETS:
        raise unknown("network", chosen.net, NETS)
    if not chosen.seconds > 0:
        raise MinnowError(f"--seconds is {chosen.seconds:g}: it must be a positive number.")
    _processes(chosen.processes)
    found = []
    for net in [chosen.net] if chosen.net else NETS:
        found.append(group.together(chosen.processes, speed, net, chosen.seconds))
        line = "{net:<10} {steps_per_second:10,} steps/s of {limit:12,}   ".format(**found[-1])
        line += "  ".join(f"{part} {share:.0%}" for part, share in found[-1]["share"].items())
        print(line, file=sys.stderr if chosen.json else sys.stdout, flush=True)
    if chosen.json:
        print(json.dumps(found))
    return 0


def _processes(count: int) -> None:
    if not 1 <= count <= 1024:
        raise MinnowError(f"--processes is {count}: it must be 1 or more, at best the number of cores.")


def speed(everyone: group.Group, net: str, seconds: float) -> dict[str, Any]:
    """Training steps a second of one network, and the shares of the first process's time."""
    core, hidden, layers = NETS[net]
    config = configs.defaults("pong")
    config = dataclasses.replace(
        config, policy=dataclasses.replace(config.policy, core=core, hidden=hidden, layers=layers)
    )
    if core == "lstm" and torch.cpu._is_avx512_bf16_supported():
        config = dataclasses.replace(config, train=dataclasses.replace(config.train, precision="bfloat16"))
    run.prepare(config)
    best = peak(torch.bfloat16 if config.train.precision == "bfloat16" else torch.float32) * everyone.size
    everyone = dataclasses.replace(everyone)  # whose functions are timed below
    trainer = PPO(config, everyone)
    trainer.update()
    start = time.perf_counter()
    trainer.update(measure=False)
    count = max(1, round(everyone.first(seconds / (time.perf_counter() - start))))
    spent: dict[str, float] = dict.fromkeys([*PARTS, "rest"], 0.0)
    now, since = "rest", 0.0

    def timed(call: Callable[..., Any], part: str) -> Callable[..., Any]:
        def timing(*given: Any, **named: Any) -> Any:
            nonlocal now, since
            outer = now
            spent[outer] += (moment := time.perf_counter()) - since
            now, since = part, moment
            try:
                return call(*given, **named)
            finally:
                spent[part] += (moment := time.perf_counter()) - since
                now, since = outer, moment

        return timing

    for part, functions in PARTS.items():
        for owner, name in functions:
            holder = getattr(trainer, owner)
            object.__setattr__(holder, name, timed(getattr(holder, name), part))
    everyone.sum_(torch.zeros(1))  # all begin together
    start = since = time.perf_counter()
    spent, before, processor = dict.fromkeys(spent, 0.0), trainer.steps, time.process_time()
    for _ in range(count):
        trainer.update(measure=False)
    end = time.perf_counter()  # once: a busy machine may do something else between two readings
    passed, processor = end - start, time.process_time() - processor
    spent["rest"] += end - since
    # Of each product and sum of a weight: one forward to act; forward and twice that backward for each sample learned.
    weights = sum(leaf.numel() for leaf in trainer.parameters if leaf.ndim == 2)
    work = 2 * weights * (1 + 3 * config.train.epochs)
    return {
        "net": net,
        "processes": everyone.size,
        "precision": config.train.precision,
        "steps_per_second": round((trainer.steps - before) / passed),
        "steps_per_cpu_second": round((trainer.steps - before) / everyone.size / processor),
        "share": {part: round(time / passed, 4) for part, time in spent.items()},
        "limit": round(best / work),
    }


def peak(type_: torch.dtype) -> float:
    """Operations a second of torch's matrix product with its present threads, the median of several."""
    size = 1024
    left, right = (torch.randn(size, size, dtype=type_) for _ in range(2))
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
        raise MinnowError(f"minnow bench solve takes one environment: {', '.join(envs.names())}.")
    known = configs.bar(named[0])  # refuses what is not an environment
    bar = known.least if chosen.score is None and known and known.key == "score_mean" else chosen.score
    if bar is None:
        raise MinnowError(f"no score is known that solves {named[0]}: give --score.")
    if chosen.seeds < 1:
        raise MinnowError(f"--seeds is {chosen.seeds}: it must be 1 or more.")
    _processes(chosen.processes)
    found = []
    for seed in range(chosen.seeds):
        found.append(group.together(chosen.processes, solved, named[0], seed, bar, chosen.core, chosen.device))
        took = found[-1]["seconds"]
        line = f"seed {seed}: " + (f"{took:.2f} s, {found[-1]['steps']:,} steps" if took is not None else "not reached")
        print(f"{line}, score {found[-1]['score']:.2f}", file=sys.stderr if chosen.json else sys.stdout, flush=True)
    rows = list(found)
    if chosen.peers > 0:
        rows += others(named[0], chosen.seeds, bar, chosen.peers, chosen.json)
    if chosen.json:
        print(json.dumps(rows))
    return 0 if all(row["seconds"] is not None for row in found) else 1


def others(name: str, seeds: int, bar: float, budget: float, quiet: bool) -> list[dict[str, Any]]:
    """The same of other trainers, whose rows name them; `steps_per_second` says how fast they were on the way."""
    from minnow.cli.peers import PEERS

    torch.set_num_threads(1)
    found = []
    for peer, measure in PEERS.items():
        for seed in range(seeds):
            snapshots, player, module = measure(name, seed, budget)
            speed = round(snapshots[-1][2] / snapshots[-1][0])
            row = {"trainer": peer, "seed": seed} | held(snapshots, name, bar, player, module.load_state_dict)
            found.append(row | {"steps_per_second": speed})
            took = f"{row['seconds']:.2f} s" if row["seconds"] is not None else f"not in {budget:g} s"
            line = f"{peer}, seed {seed}: {took}, score {row['score']:.2f}, {speed:,} steps/s"
            print(line, file=sys.stderr if quiet else sys.stdout, flush=True)
    return found


def solved(
    everyone: group.Group, name: str, seed: int, bar: float, core: str | None = None, where: str = "cpu"
) -> dict[str, Any] | None:
    """When one seed reached the score; None for seconds and steps where it did not, with the last score. Of several
    processes the first one answers."""
    config = dataclasses.replace(configs.defaults(name), seed=seed)
    if core is not None:
        config = dataclasses.replace(config, policy=dataclasses.replace(config.policy, core=core))
    config.train.device = where
    configs.validate(config)
    run.prepare(config)
    trainer = device.trainer(config, everyone)
    every = max(1, trainer.updates // SNAPSHOTS)
    snapshots = []
    everyone.sum_(torch.zeros(1))  # all begin together
    start, processor = time.perf_counter(), time.process_time()
    while trainer.update_index < trainer.updates:
        trainer.update(measure=False)
        if trainer.update_index % every == 0 or trainer.update_index == trainer.updates:
            # Copied to the processor now, so that the clock waits for a GPU.
            weights = {key: leaf.clone().cpu() for key, leaf in trainer.policy.state_dict().items()}
            passed = (time.perf_counter() - start, time.process_time() - processor)
            snapshots.append((*passed, trainer.steps, weights))
    if not everyone.leads:
        return None
    policy = trainer.policy.cpu()
    return {"seed": seed} | held(snapshots, name, bar, evaluation.TorchPlayer(policy), policy.load_state_dict)


def held(
    snapshots: list[tuple[float, float, int, Any]], name: str, bar: float, player: Any, load: Callable[[Any], Any]
) -> dict[str, Any]:
    """Seconds, those of one processor, steps and score of the first snapshot (of which these and the weights are known)
    from which `player`, once `load` has put its weights in, reaches the score three times in a row."""
    scores: list[float] = []
    for i, (*_, weights) in enumerate(snapshots):
        load(weights)
        scores.append(evaluation.evaluate(player, name, EPISODES, seed=i).score_mean)
        if len(scores) >= HELD and min(scores[-HELD:]) >= bar:
            seconds, processor, steps, _ = snapshots[i - HELD + 1]
            passed = {"seconds": round(seconds, 3), "cpu_seconds": round(processor, 3)}
            return passed | {"steps": steps, "score": scores[-HELD]}
    return {"seconds": None, "cpu_seconds": None, "steps": None, "score": scores[-1]}
