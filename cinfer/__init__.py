"""Runs exported policies: `load` a file, make a `session`, `step` it.

The names below are imported when first used, so that `import minnow.cinfer` is instant.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from minnow.cinfer.errors import MinnowError
    from minnow.cinfer.policy import Out, Policy, Session, Trace, isas, load, messages

_HOMES = {
    "isas": "policy",
    "load": "policy",
    "messages": "policy",
    "Policy": "policy",
    "Session": "policy",
    "Out": "policy",
    "Trace": "policy",
    "MinnowError": "errors",
}
__all__ = [
    "MinnowError",
    "Out",
    "Policy",
    "Session",
    "Trace",
    "isas",
    "load",
    "messages",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"minnow.cinfer.{_HOMES[name]}"), name)
    if name in ("compile", "wasm"):
        return importlib.import_module(f"minnow.cinfer.{name}")
    raise AttributeError(f"module 'minnow.cinfer' has no attribute {name!r}")
