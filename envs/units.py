"""Units: what the numbers mean that an environment shows and takes, by patterns of their names.

`units.toml` lies beside an environment's C file, or in a folder of what several include (envs/arm). It decides nothing
of how a game goes, so it is no part of the source hash; who carries a policy into another simulator needs it."""

from __future__ import annotations

import fnmatch
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from minnow.cinfer import compile
from minnow.cinfer.errors import MinnowError

from .find import OURS, Foreign, Place, folder, place
from .spec import source

FILE = "units.toml"
QUATERNIONS = ("wxyz", "xyzw")
TARGETS = ("relative", "absolute")  # to where a joint is, or to its zero


@dataclass(frozen=True)
class Target:
    """What a continuous head asks for: its lowest and highest number stand for `low` and `high`, in `unit`."""

    unit: str
    low: float
    high: float
    target: str  # one of TARGETS


@dataclass(frozen=True)
class Units:
    """observation, action: by pattern of a name; the first that fits counts. quaternion: the order of the four numbers
    of each; empty where there are none."""

    quaternion: str = ""
    observation: Mapping[str, str] = field(default_factory=dict)
    action: Mapping[str, Target] = field(default_factory=dict)

    def of(self, name: str) -> str:
        """The unit of a number that is observed; empty where it has none, or none is known."""
        return self.observation.get(_first(self.observation, name) or "", "")

    def asked(self, head: str) -> Target | None:
        """What a head of the action asks for, where that is known."""
        return self.action.get(_first(self.action, head) or "")


def units(env: str | Place) -> Units:
    """Of an environment; nothing of what is not in C. Raises MinnowError for a file that cannot be read."""
    found = place(env)
    if isinstance(found, Foreign):
        return Units()
    own = folder(found)
    also = compile.depends([source(own)], [], search=[OURS])
    for home in dict.fromkeys([own, *(path.parent for path in also if path.parent != OURS)]):
        if (file := home / FILE).is_file():
            return read(file)
    return Units()


def read(file: Path) -> Units:
    """Raises MinnowError where it is not a file of units."""
    try:
        told = tomllib.loads(file.read_text("utf-8"))
        action = {name: Target(**row) for name, row in told.pop("action", {}).items()}
        made = Units(told.pop("quaternion", ""), told.pop("observation", {}), action)
    except (ValueError, TypeError, AttributeError) as error:
        raise MinnowError(f"{file} is no file of units (docs/environments.md, Units): {error}") from None
    if told:
        raise MinnowError(f"{file}: {', '.join(told)} means nothing; it holds quaternion, observation and action.")
    if made.quaternion not in ("", *QUATERNIONS):
        raise MinnowError(f"{file}: quaternion is {made.quaternion!r}: it must be {' or '.join(QUATERNIONS)}.")
    for name, row in action.items():
        if row.target not in TARGETS:
            raise MinnowError(f"{file}: the target of {name} is {row.target!r}: it must be {' or '.join(TARGETS)}.")
    return made


def _first(patterns: Iterable[str], name: str) -> str | None:
    return next((pattern for pattern in patterns if fnmatch.fnmatchcase(name, pattern)), None)
