"""Train a small policy in PyTorch, ship it as one C file, play it in a browser.

The floors, in the order of the data: `minnow.cinfer`, `minnow.envs`, `minnow.train`, `minnow.export`, `minnow.web`,
`minnow.cli`. Importing `minnow` imports none of them; each is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from types import ModuleType

__version__ = "0.1.0"
_FLOORS = ("cinfer", "envs", "train", "export", "web", "cli")


def __getattr__(name: str) -> ModuleType:
    if name in _FLOORS:
        return importlib.import_module(f"minnow.{name}")
    raise AttributeError(f"module 'minnow' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *_FLOORS]
