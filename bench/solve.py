"""`minnow bench solve`: how soon training reaches a score, and how soon other trainers do."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from minnow import envs
from minnow.bench import Measured, Say
from minnow.bench.keep import Keep
from minnow.bench.seeds import check_seeds, fingerprint, wanted
from minnow.bench.train import check_processes
from minnow.cinfer.errors import MinnowError, install
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
    """How many."""
    first: int = 0
    """The first of them; the others follow it."""
    score: float | None = None
    """What counts as solved (default: the bar of train.toml, if that is a score)."""
    core: Core | None = None
    """Another network: its memory, in place of train.toml's."""
    processes: int = field(default_factory=group.cores)
    """Processes that train together, one thread each; as many as there are cores by default."""
    device: str = "cpu"
    """Where it learns: cpu, cuda or cuda:N; see --train.device of minnow train."""
    out: Path | None = None
    """Keep what is measured in this JSON file after every seed, and leave out what it has already of the same settings,
    score, processes and device: so it may be interrupted, and extended. Not of other trainers."""
    peers: float = 0.0
    """Measure other trainers too, on as many seeds, each for at most so many seconds; 0: do not."""


def measure(options: Options, say: Say) -> Measured:
    """Passed if every seed reached the score."""
    bar = wanted(options.env, options.score)
    if bar is None:
        raise MinnowError(f"no score is known that solves {options.env}: give --score.")
    check_seeds(options.seeds, options.first)
    check_processes(options.processes)
    kept, found = Keep(options.out, "solve"), []
    asked = {"env": envs.place(options.env).name, "bar": bar, "processes": options.processes, "device": options.device}
    asked |= {"core": options.core, "settings": fingerprint(envs.place(options.env))}
    seeds = range(options.first, options.first + options.seeds)
    for seed in seeds:
        given = (options.env, seed, bar, options.core, options.device)
        found.append(
            kept.row(asked | {"seed": seed}, lambda given=given: group.together(options.processes, solved, *given))
        )
        took = found[-1]["seconds"]
        line = f"seed {seed}: " + (f"{took:.2f} s, {found[-1]['steps']:,} steps" if took is not None else "not reached")
        say(f"{line}, score {found[-1]['score']:.2f}")
    say(summary(found))
    rows = list(found)
    if options.peers > 0:
        rows += others(options.env, seeds, bar, options.peers, say)
    return Measured(rows, all(row["seconds"] is not None for row in found))


def summary(found: list[dict[str, Any]]) -> str:
    """How soon the seeds came there."""
    words = []
    for key, unit in (("seconds", "s"), ("cpu_seconds", "processor seconds")):
        took = [row[key] for row in found if row[key] is not None]
        if took:
            words.append(f"worst {max(took):.2f}, median {statistics.median(took):.2f}, best {min(took):.2f} {unit}")
    missed = sum(row["seconds"] is None for row in found)
    return f"{len(found)} seeds: " + "; ".join([*words, f"{missed} did not reach it"])


def others(name: str, seeds: range, bar: float, budget: float, say: Say) -> list[dict[str, Any]]:
    """The same of other trainers, whose rows name them; `steps_per_second` says how fast they were on the way."""
    from minnow.bench.peers import PEERS

    torch.set_num_threads(1)
    found = []
    for peer, measure in PEERS.items():
        for seed in seeds:
            left = measure(name, seed, budget)
            if left is None:
                say(f"{peer}: left out: it is not installed: {install('jax')}")
                break
            speed = round(left.snapshots[-1][2] / left.snapshots[-1][0])
            row = {"trainer": peer, "seed": seed} | held(left.snapshots, name, bar, left.player, left.load)
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
