"""Policies of other libraries: `load(name, path, ...)` gives what `minnow.export.export` takes.

One file an importer, with `Options`, a dataclass of its settings, and `load(path, **options)`, which returns an
`Imported`. A library is imported only by its own importer.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

from minnow.cinfer.errors import unknown

NAMES = {  # as the command line has them: the module of this package, and what it reads
    "sb3": ("sb3", "Stable-Baselines3: model.zip, with VecNormalize and VecFrameStack"),
    "sb3-contrib": ("sb3_contrib", "sb3-contrib: RecurrentPPO, MaskablePPO, QR-DQN, TQC, TRPO"),
    "rsl-rl": ("rsl_rl", "rsl_rl: model_N.pt, MLP and recurrent actors with their normaliser"),
    "skrl": ("skrl", "skrl: agent_N.pt, instantiated models with their scaler"),
    "cleanrl": ("cleanrl", "CleanRL: state dicts of its published agents"),
    "maniskill": ("maniskill", "ManiSkill: ckpt_N.pt of its PPO baseline"),
    "pufferlib": ("pufferlib", "PufferLib 3: state dicts of Default and LSTM policies"),
    "onnx": ("onnx", "ONNX, opset 7 and later: model.onnx"),
}


def importer(name: str) -> ModuleType:
    """The module of an importer. Raises MinnowError where there is none of that name."""
    if name not in NAMES:
        raise unknown("importer", name, NAMES)
    return importlib.import_module(f"minnow.export.importers.{NAMES[name][0]}")


def load(name: str, path: Path | str, **options: Any) -> Any:
    """A policy of another library as an `Imported`; options are the fields of that importer's `Options`.

    Raises ExportError where it is not read as a whole, or acts otherwise than the library, where that is installed."""
    return importer(name).load(Path(path), **options).checked()
