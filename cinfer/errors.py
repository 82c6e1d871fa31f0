"""The errors that a person meets: what came, why it is wrong, what to do."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Iterable
from pathlib import Path

DISTRIBUTION = "minnow-rl"  # what package indexes call us: `minnow` there is another project
HOME = Path(__file__).resolve().parent.parent  # the package, or the checkout it runs from


class MinnowError(Exception):
    """A fault that the person at the keyboard can mend. The command line prints it as one paragraph.

    `number` is the code from minnow.h's list where the fault lies in a policy file, else None."""

    def __init__(self, message: str, number: int | None = None) -> None:
        super().__init__(message)
        self.number = number


def unknown(kind: str, name: str, known: Iterable[str]) -> MinnowError:
    """The error for a name that is not in a registry, with the nearest names that are."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known) or 'none'}."
    return MinnowError(f"unknown {kind} {name!r}: {hint}")


def install(extra: str) -> str:
    """The command that installs one of our extras: for the checkout that this runs from, or for the wheel."""
    if not (HOME / "pyproject.toml").is_file():
        return f"pip install '{DISTRIBUTION}[{extra}]'"
    here = "." if Path.cwd() == HOME else HOME
    return f"pip install -e {shlex.quote(f'{here}[{extra}]')}"


def missing(library: str, extra: str) -> MinnowError:
    """The error for a library that only one of our extras brings."""
    return MinnowError(f"{library} is not installed: {install(extra)}")
