"""Which environments the short suite takes for what costs most: builds by several compilers, emulators, sanitizers."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from minnow import envs
from minnow.cinfer import compile

HOME = Path(envs.__file__).resolve().parent


def shared(name: str) -> tuple[Path | None, int]:
    """The folder beside its own of which an environment includes most files (None: of none), and how many."""
    own = envs.source(name)
    found = Counter(path.parent for path in compile.depends([own], [], search=[HOME]) if path.parent.parent == HOME)
    del found[own.parent]
    return max(found.items(), key=lambda each: each[1], default=(None, 0))


def names() -> list:
    """Of environments that share their code the one that includes most of it; the others where all is asked for."""
    most: dict[Path, str] = {}
    for name in envs.names():
        folder, count = shared(name)
        if folder and (folder not in most or count > shared(most[folder])[1]):
            most[folder] = name
    rest = [name for name in envs.names() if shared(name)[0] and name not in most.values()]
    return [pytest.param(name, marks=pytest.mark.full) if name in rest else name for name in envs.names()]
