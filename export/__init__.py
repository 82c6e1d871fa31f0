"""Any `nn.Module` to a policy file, a C header and ONNX, with parity as the gate. Torch is imported on first use."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from minnow.export.action import Box, Discrete, MultiDiscrete
    from minnow.export.errors import ExportError
    from minnow.export.exporter import Report, export

_HOME = {
    "export": "exporter",
    "Report": "exporter",
    "ExportError": "errors",
    "Discrete": "action",
    "MultiDiscrete": "action",
    "Box": "action",
}
__all__ = ["Box", "Discrete", "ExportError", "MultiDiscrete", "Report", "export"]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"minnow.export.{_HOME[name]}"), name)
    raise AttributeError(f"module 'minnow.export' has no attribute {name!r}")
