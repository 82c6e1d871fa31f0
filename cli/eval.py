"""`minnow eval`: scores a run, a policy file, or a baseline player over whole episodes."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minnow import envs
from minnow.cinfer.errors import MinnowError, unknown
from minnow.cli import flags

SUMMARY = "score a policy over whole episodes"
USAGE = """usage: minnow eval RUN [options]                          a run's folder, or one of its checkpoints
       minnow eval FILE.minnow [options]                  a policy file, played by minnow.h
       minnow eval ENV --player random [options]          a baseline
       minnow eval ENV --player script[=SKILL] [options]  the environment's scripted player, skill 0 to 1
       minnow eval --all [options]                        every shipped policy beside both baselines

minnow eval RUN --help lists the options, and minnow eval --all --help those of the last."""


@dataclass
class Flags:
    """Score a policy over whole episodes: greedily, on seeds that training never uses."""

    env: Any
    player: str = ""
    """In place of a policy: random, script, or script=SKILL with a skill from 0 to 1."""
    episodes: int = 200
    """Whole episodes, each counted to its end."""
    seed: int = 0
    """Which episodes."""
    randomize: float = 0.0
    """Draw each physics parameter from its nominal +- this fraction at each reset."""
    json: bool = False
    """Print one JSON object on standard output."""


def main(argv: list[str]) -> int:
    if argv[:1] == ["--all"]:
        from minnow.cli import scores

        return scores.main(argv[1:])
    if not argv or argv[0].startswith("-"):
        print(USAGE)
        return 0 if argv and argv[0] in ("-h", "--help") else 2
    target, rest = argv[0], argv[1:]
    from minnow.train import evaluation

    player, name, trained = player_of(target, flags.value_of("--player", rest))
    spec = envs.spec(name)
    chosen = flags.parse(Flags, rest, f"minnow eval {target}", Flags(flags.parameters(spec, {})))
    params = flags.changed(spec, chosen.env)
    if trained != params:
        told = " ".join(f"--env.{key} {value:g}" for key, value in trained.items())
        print(f"note: training used {told or 'the default parameters'}", file=sys.stderr)
    score = evaluation.evaluate(
        player, name, chosen.episodes, seed=chosen.seed, params=params, randomize=chosen.randomize
    )
    print(json.dumps(score.to_dict()) if chosen.json else score)
    return 0


def player_of(target: str, player: str | None = None) -> tuple[Any, str, dict[str, float]]:
    """Who plays, in which environment, and with which parameters it was trained."""
    from minnow.train import checkpoint, evaluation

    if player is not None:
        if target not in envs.names():
            raise unknown("environment", target, envs.names())
        kind, _, skill = player.partition("=")
        if kind == "random" and not skill:
            return evaluation.RandomPlayer(envs.spec(target)), target, {}
        if kind == "script":
            return evaluation.ScriptPlayer(_skill(skill)), target, {}
        raise MinnowError(f"--player is {player!r}: it wants random, script or script=SKILL.")
    if target in envs.names():
        raise MinnowError(
            f"{target} is an environment: add --player random or --player script, or name a run's folder."
        )
    if target.endswith(".minnow"):
        from minnow import cinfer

        policy = cinfer.load(target)
        name = policy.meta.get("environment")
        if name not in envs.names():
            raise MinnowError(f"{target} says that it plays {name!r}, which is none of {', '.join(envs.names())}.")
        return evaluation.FilePlayer(policy), name, policy.meta.get("config", {}).get("env", {})
    module, meta = checkpoint.load(Path(target))
    return evaluation.TorchPlayer(module), meta["env"], meta["config"]["env"]


def _skill(text: str) -> float | None:
    if not text:
        return None
    try:
        skill = float(text)
    except ValueError:
        skill = -1
    if not 0 <= skill <= 1:
        raise MinnowError(f"the script's skill is {text!r}: it wants a number from 0 to 1.")
    return skill
