"""Which environments a test takes. A case of each costs compilations, and there are ever more of them: in the ordinary
run a few stand for all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from minnow import envs
from minnow.envs.find import OURS

# Choices, lanes and two players; numbers, in space; many lives, bytes and pictures of tiles.
FEW = ("pong", "reach", "snake")


def of_all(*usual: str, among: Iterable[str] | None = None) -> list[Any]:
    """Every environment, those of ours that are not `usual` in the long form; for `pytest.mark.parametrize`."""
    kept = [name for name in envs.names() if among is None or name in among]
    long = {name for name in kept if name not in usual and envs.folder(name).parent == OURS}
    return [pytest.param(name, marks=[pytest.mark.full] if name in long else [], id=name) for name in kept]


few = pytest.mark.parametrize("name", of_all(*FEW))
every = pytest.mark.parametrize("name", envs.names())
