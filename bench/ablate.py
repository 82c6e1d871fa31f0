"""`minnow bench ablate`: what each switch of training is worth, in scores after equal steps."""

from __future__ import annotations

import dataclasses
import json
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minnow.bench import Measured, Say
from minnow.cinfer.errors import MinnowError, unknown
from minnow.cinfer.files import write_atomic

GENTLE = 1 / 3  # of the tuned learning rate, which was tuned without memory

# Each row differs from the first, which is train.toml's, in what is written here.
ROWS: dict[str, dict[str, Any]] = {
    "as tuned": {},
    "V-trace": {"train.advantage": "vtrace"},
    "prioritised segments": {"train.priority": 0.8},
    "Muon": {"train.optimizer": "muon"},
    "LSTM": {"policy.core": "lstm", "policy.layers": 1},
    "GRU": {"policy.core": "gru", "policy.layers": 1},
    "MinGRU": {"policy.core": "mingru", "policy.layers": 1},
    "LSTM, rate / 3": {"policy.core": "lstm", "policy.layers": 1, "train.learning_rate": GENTLE},
    "GRU, rate / 3": {"policy.core": "gru", "policy.layers": 1, "train.learning_rate": GENTLE},
    "MinGRU, rate / 3": {"policy.core": "mingru", "policy.layers": 1, "train.learning_rate": GENTLE},
    "replay ratio halved": {"train.epochs": 0.5},  # factors of what is tuned
    "replay ratio doubled": {"train.epochs": 2.0},
    "observations normalised": {"policy.normalize": True},
    "rewards normalised": {"train.normalize_reward": True, "train.reward_scale": 1.0},
    "advantages not normalised": {"train.normalize_advantage": False},
    "value clipped": {"train.value_clip": 0.2},
    "gradients not shortened": {"train.max_grad_norm": 0.0},
    "no entropy bonus": {"train.entropy": 0.0},
    "cosine annealing": {"train.anneal": "cosine"},
    "no annealing": {"train.learning_rate_end": 1.0, "train.entropy_end": 1.0},  # factors of where they start
}
FACTORS = {
    "train.epochs": "epochs",
    "train.learning_rate": "learning_rate",
    "train.learning_rate_end": "learning_rate",
    "train.entropy_end": "entropy",
}
STEPS = {"pong": 1_000_000, "cartpole": 100_000}
LOOKS = 4  # evaluations over a run, evenly spread, the last at its end
EPISODES = 50  # of each


@dataclass
class Options:
    """Train with each switch alone turned, for equal steps and some seeds, on Pong and CartPole: the score at the end
    and the mean of four evaluations over the run, which says how soon it came; mean and deviation over seeds."""

    env: str = ""
    """Only this environment."""
    row: str = ""
    """Only this row, and the tuned one."""
    seeds: int = 3
    """Seeds 0 .. N - 1; 3 or more to say anything."""
    steps: int = 0
    """Agent-steps of each run (pong: 1,000,000, cartpole: 100,000)."""
    out: Path | None = None
    """Keep what is measured in this JSON file after every row, and leave out the rows that it has already."""


def measure(options: Options, say: Say) -> Measured:
    if options.env and options.env not in STEPS:
        raise unknown("environment of the ablations", options.env, STEPS)
    if options.row and options.row not in ROWS:
        raise unknown("row", options.row, ROWS)
    if options.seeds < 2:
        raise MinnowError(f"--seeds is {options.seeds}: a standard deviation needs 2 or more.")
    if options.steps < 0:
        raise MinnowError(f"--steps is {options.steps}: it must be 1 or more.")
    kept = json.loads(options.out.read_text("utf-8")) if options.out and options.out.exists() else []
    found = []
    for env in [options.env] if options.env else STEPS:
        for row in dict.fromkeys(["as tuned", options.row]) if options.row else ROWS:
            steps = options.steps or STEPS[env]
            asked = {"env": env, "row": row, "steps": steps, "seeds": options.seeds, "settings": ROWS[row]}
            have = [entry for entry in kept if asked.items() <= entry.items()]
            entry = have[0] if have else measured(asked)
            found.append(entry)
            if options.out and not have:
                kept.append(entry)
                write_atomic(options.out, (json.dumps(kept, indent=1) + "\n").encode())
            line = f"{env:<10} {row:<26} {_words(entry, 'score'):>16}   over the run {_words(entry, 'curve'):>16}"
            print(line, file=sys.stderr, flush=True)
    say("\n".join(table(found)))
    return Measured(found)


def table(found: list[dict[str, Any]]) -> list[str]:
    """The lines of a table in Markdown: a switch a row."""
    names = list(dict.fromkeys(entry["env"] for entry in found))
    heads = [f"{name}, {part}" for name in names for part in ("at the end", "over the run")]
    lines = [f"| switch | {' | '.join(heads)} |", "|---|" + "---|" * len(heads)]
    for row in dict.fromkeys(entry["row"] for entry in found):
        cells = []
        for name in names:
            entry = next((entry for entry in found if (entry["env"], entry["row"]) == (name, row)), None)
            cells += [_words(entry, "score"), _words(entry, "curve")] if entry else ["", ""]
        lines.append(f"| {row} | {' | '.join(cells)} |")
    return lines


def measured(asked: dict[str, Any]) -> dict[str, Any]:
    """One row: what was asked, and mean and deviation of both scores over seeds."""
    runs = [scores(asked["env"], asked["row"], seed, asked["steps"]) for seed in range(asked["seeds"])]
    last, curve = [run[-1] for run in runs], [statistics.fmean(run) for run in runs]
    return asked | {
        "score_mean": round(statistics.fmean(last), 3),
        "score_deviation": round(statistics.stdev(last), 3),
        "curve_mean": round(statistics.fmean(curve), 3),
        "curve_deviation": round(statistics.stdev(curve), 3),
        "runs": [[round(score, 3) for score in run] for run in runs],
    }


def settings(env: str, row: str) -> Any:
    """The configuration of a row."""
    from minnow.train import config as configs

    config = configs.defaults(env)
    for name, value in ROWS[row].items():
        part, key = name.split(".")
        owner = getattr(config, part)
        if name in FACTORS:
            value = value * getattr(owner, FACTORS[name])
        setattr(config, part, dataclasses.replace(owner, **{key: value}))
    return config


def scores(env: str, row: str, seed: int, steps: int) -> list[float]:
    """The greedy scores over one run."""
    from minnow.train import evaluation, run
    from minnow.train.ppo import PPO

    config = settings(env, row)
    config.seed, config.train.steps = seed, steps
    run.prepare(config)
    trainer = PPO(config)
    found = []
    while trainer.update_index < trainer.updates:
        trainer.update(measure=False)
        if trainer.update_index * LOOKS // trainer.updates > len(found):
            player = evaluation.TorchPlayer(trainer.policy)
            found.append(evaluation.evaluate(player, env, EPISODES, seed=len(found)).score_mean)
    return found


def _words(entry: dict[str, Any], name: str) -> str:
    digits = 1 if entry["env"] == "cartpole" else 2  # of 500, of 21
    return f"{entry[f'{name}_mean']:.{digits}f} ± {entry[f'{name}_deviation']:.{digits}f}"
