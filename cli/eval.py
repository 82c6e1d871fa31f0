"""`minnow eval`: scores a run, a policy file, or a baseline player over whole episodes."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minnow import envs
from minnow.cinfer.errors import MinnowError
from minnow.cli import flags
from minnow.web import shipped

SUMMARY = "score a policy over whole episodes"
USAGE = """usage: minnow eval RUN [options]                          a run's folder, or one of its checkpoints
       minnow eval FILE.minnow [options]                  a policy file, played by minnow.h
       minnow eval ENV --player random [options]          a baseline; ENV is a name, or the path of a folder
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
    """Which episodes: the same ones unless another seed is given, so that scores can be compared."""
    randomize: float = 0.0
    """Draw each physics parameter from its nominal +- this fraction at each reset."""
    agents: int = 0
    """Agents that it drives and is scored by, the first ones; the script plays the others. 0: one, or as many as the
    environment declares where it has no script."""
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

    player, place, trained = player_of(target, flags.value_of("--player", rest))
    spec = envs.spec(place)
    chosen = flags.parse(Flags, rest, f"minnow eval {target}", Flags(flags.parameters(spec, {})))
    params = flags.changed(spec, chosen.env)
    if trained != params:
        told = " ".join(f"--env.{key} {value:g}" for key, value in trained.items())
        print(f"note: training used {told or 'the default parameters'}", file=sys.stderr)
    score = evaluation.evaluate(
        player,
        place,
        chosen.episodes,
        seed=chosen.seed,
        params=params,
        randomize=chosen.randomize,
        agents=chosen.agents or None,
    )
    print(json.dumps(score.to_dict()) if chosen.json else score)
    return 0


def player_of(target: str, player: str | None = None) -> tuple[Any, envs.Place, dict[str, float]]:
    """Who plays, where the environment comes from, and the parameters of training."""
    from minnow.train import checkpoint, evaluation

    if player is not None:
        place = envs.place(target)
        kind, _, skill = player.partition("=")
        if kind == "random" and not skill:
            return evaluation.RandomPlayer(envs.spec(place)), place, {}
        if kind == "script":
            return evaluation.ScriptPlayer(_skill(skill)), place, {}
        raise MinnowError(f"--player is {player!r}: it must be random, script or script=SKILL.")
    if target in envs.names() or envs.is_env(Path(target).resolve()):
        raise MinnowError(
            f"{target} is an environment: add --player random or --player script, or name a run's folder."
        )
    if target.endswith(".minnow"):
        from minnow import cinfer

        policy = cinfer.load(target)
        place = shipped.place(str(policy.meta.get("environment")), Path(target))
        return evaluation.FilePlayer(policy), place, policy.meta.get("config", {}).get("env", {})
    module, meta = checkpoint.load(Path(target))
    return evaluation.TorchPlayer(module), checkpoint.place(meta), meta["config"]["env"]


def _skill(text: str) -> float | None:
    if not text:
        return None
    try:
        skill = float(text)
    except ValueError:
        skill = -1
    if not 0 <= skill <= 1:
        raise MinnowError(f"the script's skill is {text!r}: it must be a number from 0 to 1.")
    return skill
