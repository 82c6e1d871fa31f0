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
from minnow.envs.foreign import AT_END
from minnow.web import shipped

SUMMARY = "score a policy over whole episodes"
USAGE = """usage: minnow eval RUN [options]                          a run's folder, or one of its checkpoints
       minnow eval FILE.minnow [options]                  a policy file, played by minnow.h
       minnow eval FILE.minnow --on SIMULATOR [options]   the same elsewhere: maniskill/PickCube-v1, mujoco/pick_cube
       minnow eval ENV --player random [options]          a baseline; ENV is a name, or the path of a folder
       minnow eval ENV --player script[=SKILL] [options]  the environment's scripted player, skill 0 to 1
       minnow eval --all [options]                        every shipped policy beside both baselines

minnow eval RUN --help lists the options, and minnow eval --all --help those of the last."""


@dataclass
class Flags:
    """Score a policy over whole episodes: greedily, on seeds that training never uses."""

    env: Any
    on: str = ""
    """Where a run or file plays, in place of the environment that it was trained in: another one with the same
    observation and actions, such as maniskill/PickCube-v1."""
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

    on = flags.value_of("--on", rest)
    player, place, trained = player_of(target, flags.value_of("--player", rest), on)
    spec = envs.spec(place)
    chosen = flags.parse(Flags, rest, f"minnow eval {target}", Flags(flags.parameters(spec, {})))
    params = flags.changed(spec, chosen.env)
    if trained != params and not on:
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
    told = score.to_dict()
    if spec.score_name == AT_END:
        told[AT_END] = told.pop("score_mean")
        words = f"{spec.name}: success {score.success_rate:.1%} at any step, {told[AT_END]:.1%} at the end"
        print(json.dumps(told) if chosen.json else f"{words}, over {score.episodes} episodes")
    else:
        print(json.dumps(told) if chosen.json else score)
    return 0


def player_of(
    target: str, player: str | None = None, on: str | None = None
) -> tuple[Any, envs.Place, dict[str, float]]:
    """Who plays, where the environment comes from, and the parameters of training. on: another environment than that
    of training. Raises MinnowError for a policy that does not fit it."""
    from minnow.train import checkpoint, evaluation
    from minnow.train.space import Categorical

    if player is not None:
        if on is not None:
            raise MinnowError("--on is for a run or a file: name the environment in its place beside --player.")
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
        if on is not None:
            place, action = envs.place(on), policy.action
            heads = len(action.low or ()) if action.kind == "box" else list(action.sizes)
            fit(target, {item.name: tuple(item.shape) for item in policy.inputs}, heads, envs.spec(place))
            return evaluation.FilePlayer(policy), place, {}
        place = shipped.place(str(policy.meta.get("environment")), Path(target))
        return evaluation.FilePlayer(policy), place, policy.meta.get("config", {}).get("env", {})
    module, meta = checkpoint.load(Path(target))
    if on is not None:
        place, space = envs.place(on), module.space
        seen = {item.name: tuple(item.shape) for item in module.inputs}
        fit(target, seen, list(space.sizes) if isinstance(space, Categorical) else space.heads, envs.spec(place))
        return evaluation.TorchPlayer(module), place, {}
    return evaluation.TorchPlayer(module), checkpoint.place(meta), meta["config"]["env"]


def fit(policy: str, inputs: dict[str, tuple[int, ...]], heads: int | list[int], spec: envs.Spec) -> None:
    """Raises MinnowError unless a policy sees and does what an environment shows and takes. heads: how many numbers
    it gives, or of each of its heads how many choices."""
    shown = {group.name: group.shape for group in spec.group}
    taken = spec.heads if spec.action_type == "box" else [head.size for head in spec.head]
    for name, shape in inputs.items():
        if shown.get(name) != shape:
            there = " and ".join(f"{word} {list(size)}" for word, size in shown.items())
            raise MinnowError(f"{policy} sees {name} {list(shape)}, but {spec.name} shows {there}: another task.")
    if heads != taken:
        raise MinnowError(f"{policy} acts by {_acts(heads)}, but {spec.name} takes {_acts(taken)}: another task.")


def _acts(heads: int | list[int]) -> str:
    return f"{heads} numbers" if isinstance(heads, int) else f"choices of {heads}"


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
