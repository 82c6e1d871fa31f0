"""Any `nn.Module` to a policy file, a C header and ONNX, with parity as the gate. Torch is imported on first use."""

from __future__ import annotations

import importlib
from typing import Any

_HOME = {
    "export": "exporter",
    "Report": "exporter",
    "ExportError": "errors",
    "Discrete": "action",
    "MultiDiscrete": "action",
    "Box": "action",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"minnow.export.{_HOME[name]}"), name)
    raise AttributeError(f"module 'minnow.export' has no attribute {name!r}")
