"""ManiSkill: the agent of its PPO baseline, a state dict of `actor_mean`, `actor_logstd` and `critic`, tanh between.

The baseline clips actions to the action space, [-1, 1] in its controllers, and does not normalise observations.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minnow.export.errors import ExportError
from minnow.export.importers import cleanrl
from minnow.export.importers.imported import Imported, weights


@dataclass
class Options:
    """Export the agent of ManiSkill's PPO baseline, ckpt_N.pt. Only tensors are read."""

    low: float = -1.0
    """What the controller clips each action to from below."""
    high: float = 1.0
    """And from above."""


def load(path: Path | str, **options: Any) -> Imported:
    """A state dict; the options are those of `Options`. Raises ExportError."""
    chosen, path = Options(**options), Path(path)
    tensors = weights(path)
    others = sorted({name.split(".")[0] for name in tensors} - {"actor_mean", "actor_logstd", "critic"})
    if others:
        raise ExportError(
            f"{path} holds {', '.join(others)}, which the baseline from states has not: export the module in Python."
        )
    given = cleanrl.Options(low=chosen.low, high=chosen.high)
    return cleanrl.convert(tensors, path, given, {"library": "ManiSkill"})
