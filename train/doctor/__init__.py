"""The doctor: what goes wrong between two simulators, which is mostly plumbing.

`probe` plays the same random actions in both, `likeness` says how far numbers are at odds, `guess` what may be the
cause, `mends` what mends it, `examine` tries, `file` looks at the policy's file, `words` says it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from minnow import envs

from . import probe
from .examine import Patient
from .examine import examine as examined
from .file import examine
from .likeness import Home
from .mends import Mend
from .words import Finding, finding

__all__ = ["Finding", "Home", "Mend", "at", "compare", "examine", "mends"]


def at(place: envs.Place) -> Home:
    """The training world, probed. Raises MinnowError where what it shows cannot be compared."""
    spec = envs.spec(place)
    probe.comparable(spec)
    span = np.array([field.high - field.low for field in spec.fields])
    return Home(probe.home(place), span, [field.name for field in spec.fields])


def mends(
    home: Home, on: envs.Place, wrap: Callable[[envs.Rows], envs.Rows] | None = None, randomize: float = 0.0
) -> list[tuple[Mend, float]]:
    """What would mend the simulator `on` for policies of `home`, and how sure each is, 0 to 1; nothing where all is
    well. wrap: what is put around the simulator's rows."""
    world = probe.World(on, wrap, **({"randomize": randomize} if randomize else {}))
    try:
        return examined(Patient(home, world))
    finally:
        world.close()


def compare(home: Home, place: envs.Place, on: envs.Place, randomize: float = 0.0) -> list[Finding]:
    """The same in words. place: the training world, which was probed as `home`."""
    spec = envs.spec(place)
    return [finding(mend, sure, spec, spec.name, str(on)) for mend, sure in mends(home, on, None, randomize)]
