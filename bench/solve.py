"""`minnow bench solve`: how soon training reaches a score, and how soon other trainers do."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from minnow.bench import Measured, Say
from minnow.bench.train import check_processes
from minnow.cinfer.errors import MinnowError
from minnow.train import config as configs
from minnow.train import device, evaluation, group, run
from minnow.train.config import Core

SNAPSHOTS = 50  # of a run that is to solve a task
EPISODES, HELD = 200, 3  # of an evaluation; successive ones that must reach the score


@dataclass
class Options:
    """Train with the settings of train.toml and find when the score was reached: from the first environment step to the
    first of 50 snapshots from which three in a row score that much over 200 fresh episodes each (not timed)."""

    env: str
    """The environment."""
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


def measure(options: Options, say: Say) -> Measured:
    """Passed if every seed reached the score."""
    known = configs.bar(options.env)  # refuses what is not an environment
    bar = known.least if options.score is None and known and known.key == "score_mean" else options.score
    if bar is None:
        raise MinnowError(f"no score is known that solves {options.env}: give --score.")
    if options.seeds < 1:
        raise MinnowError(f"--seeds is {options.seeds}: it must be 1 or more.")
    check_processes(options.processes)
    found = []
    for seed in range(options.seeds):
        found.append(group.together(options.processes, solved, options.env, seed, bar, options.core, options.device))
        took = found[-1]["seconds"]
        line = f"seed {seed}: " + (f"{took:.2f} s, {found[-1]['steps']:,} steps" if took is not None else "not reached")
        say(f"{line}, score {found[-1]['score']:.2f}")
    rows = list(found)
    if options.peers > 0:
        rows += others(options.env, options.seeds, bar, options.peers, say)
    return Measured(rows, all(row["seconds"] is not None for row in found))


def others(name: str, seeds: int, bar: float, budget: float, say: Say) -> list[dict[str, Any]]:
    """The same of other trainers, whose rows name them; `steps_per_second` says how fast they were on the way."""
    from minnow.bench.peers import PEERS

    torch.set_num_threads(1)
    found = []
    for peer, measure in PEERS.items():
        for seed in range(seeds):
            snapshots, player, module = measure(name, seed, budget)
            speed = round(snapshots[-1][2] / snapshots[-1][0])
            row = {"trainer": peer, "seed": seed} | held(snapshots, name, bar, player, module.load_state_dict)
            found.append(row | {"steps_per_second": speed})
            took = f"{row['seconds']:.2f} s" if row["seconds"] is not None else f"not in {budget:g} s"
            say(f"{peer}, seed {seed}: {took}, score {row['score']:.2f}, {speed:,} steps/s")
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
