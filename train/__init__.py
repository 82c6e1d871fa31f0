"""Policies, PPO, checkpoints and evaluation. `import minnow.train` imports no torch; using it does."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from minnow.train.checkpoint import load
    from minnow.train.config import Config, defaults
    from minnow.train.evaluation import evaluate
    from minnow.train.policy import Policy
    from minnow.train.run import Outcome, resume, train

_HOME = {
    "train": "run",
    "resume": "run",
    "Outcome": "run",
    "load": "checkpoint",
    "evaluate": "evaluation",
    "Policy": "policy",
    "Config": "config",
    "defaults": "config",
}
__all__ = ["Config", "Outcome", "Policy", "defaults", "evaluate", "load", "resume", "train"]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"minnow.train.{_HOME[name]}"), name)
    raise AttributeError(f"module 'minnow.train' has no attribute {name!r}")
