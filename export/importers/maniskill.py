"""ManiSkill: the agent of its PPO baseline, a state dict of `actor_mean`, `actor_logstd` and `critic`, tanh between.

The baseline clips actions to the controller's action space, which options say ([-1, 1] where it normalises actions),
and does not normalise observations.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minnow.export.errors import ExportError
from minnow.export.importers import cleanrl
from minnow.export.importers.imported import Imported
from minnow.export.importers.said import Bounds
from minnow.export.importers.weights import opened


@dataclass
class Options(Bounds):
    """Export the agent of ManiSkill's PPO baseline, ckpt_N.pt. Only tensors are read."""


def load(path: Path | str, **options: Any) -> Imported:
    """A state dict; the options are those of `Options`. Raises ExportError."""
    chosen, whole = Options(**options), opened(Path(path))
    others = sorted({name.split(".")[0] for name in whole} - {"actor_mean", "actor_logstd", "critic"})
    if others:
        raise ExportError(
            f"{path} holds {', '.join(others)}, which the baseline from states lacks: export the module in Python."
        )
    given = cleanrl.Options(low=chosen.low, high=chosen.high, unbounded=chosen.unbounded, raw=True)
    return cleanrl.convert(whole, given, {"library": "ManiSkill"})
