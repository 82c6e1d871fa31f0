"""`minnow bench wait`: how long a person waits for a command."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from minnow.bench import Measured, Say
from minnow.cinfer.errors import MinnowError


@dataclass
class Options:
    """Measure whole commands, from the start of the process to its end: `minnow --help`, and `minnow export` of a run
    of Pong, which is trained for a second beforehand and exported once, so that nothing is compiled any more."""

    rounds: int = 9
    """Times that each is measured, in turn; the median counts."""


def measure(options: Options, say: Say) -> Measured:
    with tempfile.TemporaryDirectory() as name:
        run, file = Path(name) / "run", Path(name) / "policy.minnow"
        _timed("train", "pong", "--budget", "1", "--out", str(run))
        commands = {"help": ["--help"], "export": ["export", str(run), "-o", str(file)]}
        taken: dict[str, list[float]] = {command: [] for command in commands}
        _timed(*commands["export"])
        for _ in range(max(1, options.rounds)):
            for command, words in commands.items():
                taken[command].append(_timed(*words))
    rows = []
    for command, times in taken.items():
        low, _, high = statistics.quantiles(times) if len(times) > 1 else times * 3
        rows.append({"command": command, "seconds": round(statistics.median(times), 3)})
        rows[-1] |= {"quartiles": [round(low, 3), round(high, 3)]}
        say(f"minnow {command:<8} {rows[-1]['seconds']:6.2f} s (quartiles {low:.2f} to {high:.2f})")
    return Measured(rows)


def _timed(*words: str) -> float:
    """Seconds that `minnow WORDS` takes."""
    begin = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "minnow.cli.main", *words], capture_output=True, text=True)
    if done.returncode:
        raise MinnowError(f"minnow {' '.join(words)} failed:\n{done.stderr}")
    return time.perf_counter() - begin
