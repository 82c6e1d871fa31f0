"""Every measurement of the house.

A benchmark is a module of this folder, named in `KINDS`, with `Options`, a dataclass whose docstrings say what is
measured and how (a field without a default is a word of the command line, the others are flags), and
`measure(options, say) -> Measured`, which hands a line for people to `say` as soon as it has one. `minnow bench` does
the rest. What training must reach is in each environment's train.toml (`minnow.train.config.bar`).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

Say = Callable[[str], None]


@dataclass(frozen=True)
class Kind:
    """takes: the words of its command line."""

    takes: str
    summary: str


KINDS = {
    "envs": Kind("[options]", "agent-steps a second of each environment"),
    "infer": Kind("[options]", "time of a policy's step, in minnow.h and elsewhere"),
    "load": Kind("[options]", "time from a policy's bytes to its first action"),
    "wait": Kind("[options]", "seconds that a person waits for a command"),
    "train": Kind("[options]", "training's steps a second, and where its time goes"),
    "solve": Kind("ENV", "seconds of training until a score is reached"),
    "page": Kind("ENV", "seconds of learning in a page until a score is reached"),
    "lighthouse": Kind("[options]", "what Lighthouse and axe-core say of a built site's pages"),
    "visit": Kind("ENV", "a page's hidden episodes, jumps in time, and rest"),
    "seeds": Kind("ENV", "scores of several seeds, trained with the settings of train.toml"),
    "curve": Kind("ENV", "what a curve's points say of trainings that end there"),
    "slots": Kind("[options]", "what a sweep's workers lose between trials"),
    "foreign": Kind("ENV", "training's steps a second on an environment of others, beside Stable-Baselines3"),
    "simulators": Kind("[options]", "our arm beside simulators of others: how alike they move, and how fast"),
    "doctor": Kind("[options]", "faults that are hidden, and how many of them the doctor names"),
    "ablate": Kind("[options]", "what each switch of training is worth"),
}


@dataclass
class Measured:
    """rows: what is printed with --json. passed: whether what was to be reached was; a measurement alone always is."""

    rows: list[dict[str, Any]]
    passed: bool = True


def processors(pids: Iterable[int]) -> float:
    """Seconds that this process, and on Linux others, have computed. Their clocks are those that clock_getcpuclockid(3)
    names."""
    others = pids if sys.platform == "linux" else ()
    return time.process_time() + sum(time.clock_gettime(~pid << 3 | 2) for pid in others)
