"""Training until the bar of train.toml is reached: a run that still rises goes on, another begins with the next seed,
and what is there stays unless something better has come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from minnow.cinfer.errors import MinnowError
from minnow.train import checkpoint, records
from minnow.train.config import MAX_SEED, Bar

TRIES = 3  # seeds, where no budget says how many
LEAST = 0.5  # of what the longest try took: with less of the budget left no other one begins


@dataclass
class Try:
    """A run that has ended, and been judged."""

    run: Path
    seed: int
    seconds: float  # of training
    figure: float  # that the bar is about
    rising: bool  # whether its curve still rose at the end
    interrupted: bool = False


@dataclass
class End:
    """What stands at the folder in the end. best: the try; None: what was there before has stayed."""

    best: Try | None
    figure: float
    reached: bool
    trained_in: Path  # where the best run lay before
    interrupted: bool = False


def train(
    begin: Callable[[Path, int, float | None], Try],
    go_on: Callable[[Try, float | None], Try],
    bar: Bar,
    out: Path,
    before: float | None,
    seed: int,
    budget: float | None,
    say: Callable[[str], None],
) -> End:
    """Trains until a run reaches the bar, for at most `budget` seconds of training in all (None: with three seeds).
    begin: trains in a folder, with a seed, for at most so many seconds; go_on: makes the schedule of a run twice as
    long. The run that did best ends up in `out`, unless one that was there did better (`before`, if any); others lie
    beside it, in out-2, out-3, ..."""
    tries: list[Try] = []
    left = budget

    def spend(done: Try, earlier: float = 0.0) -> Try:
        nonlocal left
        left = None if left is None else left - (done.seconds - earlier)
        return done

    while True:
        folder = out if not tries and not (out.exists() and any(out.iterdir())) else beside(out)
        done = spend(begin(folder, (seed + len(tries)) % (MAX_SEED + 1), left))
        if not done.interrupted and done.figure < bar.least and done.rising and _enough(left, done.seconds):
            say(f"seed {done.seed} still rises: it goes on for as many steps again")
            budget_of_run = None if left is None else done.seconds + left  # which counts from a run's beginning
            done = spend(go_on(done, budget_of_run), done.seconds)
        tries.append(done)
        if done.interrupted:
            return End(done, done.figure, False, done.run, interrupted=True)
        if done.figure >= bar.least:
            break
        longest = max(each.seconds for each in tries)
        if not _enough(left, longest) or (budget is None and len(tries) == TRIES):
            break
        say(f"seed {done.seed} stays below the bar: the next seed")
    best = max(tries, key=lambda each: each.figure)
    if before is not None and before > best.figure:
        say(f"{out} holds a run with {before:.4g}, which is better than {best.figure:.4g}: it stays")
        return End(None, before, before >= bar.least, out)
    if best.run != out:
        spare = out.rename(beside(out))
        best.run.rename(out)
        spare.rename(best.run)
    return End(best, best.figure, best.figure >= bar.least, best.run)


def _enough(left: float | None, longest: float) -> bool:
    return left is None or left >= LEAST * longest


def standing(out: Path, key: str, source_hash: str) -> float | None:
    """What the finished run in a folder reached; None where there is none, or only one of another version of the
    environment. Raises MinnowError where the folder holds something else."""
    if not out.exists() or not any(out.iterdir()):
        return None
    if not (out / "config.toml").exists():
        raise MinnowError(f"{out} holds no run but is not empty: choose another --out.")
    found = records.result(out).get(key)
    if found is not None and checkpoint.read(checkpoint.kept(out))[1]["source_hash"] != source_hash:
        return None
    return found


def beside(out: Path) -> Path:
    """A name for one more run beside it."""
    count = 2
    while (path := out.with_name(f"{out.name}-{count}")).exists():
        count += 1
    return path
