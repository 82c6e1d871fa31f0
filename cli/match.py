"""`minnow match A B`: lets two policies play each other; with one run, rates its checkpoints."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minnow import envs
from minnow.cinfer.errors import MinnowError
from minnow.cli import flags
from minnow.cli.eval import player_of

SUMMARY = "let two policies play each other, or rate a run's checkpoints"
USAGE = """usage: minnow match A B [options]     each a run's folder, a checkpoint, a .minnow file, or the word random
       minnow match RUN [options]     every checkpoint of a run against every other: its rating over time

minnow match A B --help lists the options."""


@dataclass
class Flags:
    """Greedy games between two policies in an environment with two sides; half of them in each seat."""

    games: int = 200
    """Games of each pair; an even number."""
    seed: int = 0
    """Which games: the same ones unless another seed is given, so that results can be compared."""
    json: bool = False
    """Print one JSON value on standard output."""


def main(argv: list[str]) -> int:
    named, rest = flags.leading(argv)
    if not named:
        print(USAGE)
        return 0 if rest and rest[0] in ("-h", "--help") else 2
    chosen = flags.parse(Flags, rest, "minnow match")
    if len(named) > 2:
        raise MinnowError(f"minnow match takes one run or two players, got {len(named)}.")
    return _rate(Path(named[0]), chosen) if len(named) == 1 else _match(named, chosen)


def _match(named: list[str], chosen: Flags) -> int:
    from minnow.train.evaluation import RandomPlayer
    from minnow.train.match import match

    found = {name: player_of(name)[:2] for name in named if name != "random"}
    games = {env for _, env in found.values()}
    if not games:
        raise MinnowError("at least one of the two must be a policy, which says what game it plays.")
    if len(games) > 1:
        first, second = (found[name][1] for name in named)
        if first.name != second.name:
            first, second = first.name, second.name
        raise MinnowError(f"{named[0]} plays {first}, but {named[1]} plays {second}.")
    env = games.pop()
    players = [found[name][0] if name in found else RandomPlayer(envs.spec(env)) for name in named]
    if named[0] == named[1]:
        players[1] = player_of(named[1])[0]  # a player of its own, with its own memory
    result = match(players[0], players[1], env, chosen.games, seed=chosen.seed)
    print(json.dumps(result.to_dict()) if chosen.json else result)
    return 0


def _rate(run: Path, chosen: Flags) -> int:
    from minnow.train import checkpoint
    from minnow.train.evaluation import TorchPlayer
    from minnow.train.match import ladder

    files = checkpoint.all_of(run)
    if len(files) < 2:
        raise MinnowError(f"{run} holds {len(files)} checkpoints: ratings need two or more. Or name two players.")
    loaded: list[tuple[Any, dict[str, Any]]] = [checkpoint.load(file) for file in files]
    env = checkpoint.place(loaded[0][1])
    rated = ladder([TorchPlayer(policy) for policy, _ in loaded], env, chosen.games, seed=chosen.seed)
    rows = [
        {"checkpoint": str(file), "steps": meta["steps"], "seconds": meta["seconds"], "elo": round(float(elo), 1)}
        for file, (_, meta), elo in zip(files, loaded, rated, strict=True)
    ]
    if chosen.json:
        print(json.dumps(rows))
        return 0
    print(f"{env.name}: ratings of {run}, mean 0")
    for row in rows:
        print(f"  {row['steps']:>14,} steps {row['seconds']:>9.1f} s {row['elo']:>+8.0f}")
    return 0
