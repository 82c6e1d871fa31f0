"""The errors that a person meets: what came, why it is wrong, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


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
