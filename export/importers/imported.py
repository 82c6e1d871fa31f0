"""What an importer gives, held against the library it comes from, and how libraries are found."""

from __future__ import annotations

import importlib
import importlib.metadata
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from minnow.export.action import Action
from minnow.export.errors import ExportError, first_line
from minnow.export.importers.witness import Witness, hold_file, hold_module

if TYPE_CHECKING:
    from minnow.export.exporter import Report

EXAMPLES = 16  # observations that show what the policy is given


@dataclass
class Imported:
    """A policy of another library: the arguments of `minnow.export.export`."""

    module: nn.Module  # forward(obs[, state]) -> the outputs, then the state
    obs: Any  # examples, [EXAMPLES, ...] each
    outputs: tuple[str, ...]
    action: Action | None = None
    state: Any = None  # what every agent starts with, for EXAMPLES agents
    state_axes: Any = None
    observation: Any = None  # what the inputs mean
    meta: dict[str, Any] = field(default_factory=dict)
    witness: Witness | None = None  # what the library itself does, where it is installed

    def arguments(self) -> dict[str, Any]:
        """The keyword arguments of `export`, and of `exporter.build` without `observation`."""
        return {
            "example_state": self.state,
            "outputs": self.outputs,
            "action": self.action,
            "state_axes": self.state_axes,
            "meta": self.meta,
        }

    def checked(self) -> Imported:
        """Itself, held against the library. Raises ExportError where the module acts otherwise."""
        if self.witness is not None:
            hold_module(self, self.witness)
        return self

    def without(self, output: str) -> Imported:
        """The same without one of its outputs."""
        if output not in self.outputs:
            return self
        kept = [i for i, name in enumerate(self.outputs) if name != output]
        module = Some(self.module, len(self.outputs), kept).eval()
        return replace(self, module=module, outputs=tuple(self.outputs[i] for i in kept))

    def export(self, path: Path | str, **options: Any) -> Report:
        """Writes the policy file, its ONNX twin and its parity file, unless the file in C acts otherwise than the
        library. options: `meta`, which is added, and others of `minnow.export.export`."""
        from minnow.export.exporter import export

        given = self.arguments() | options
        given["meta"] = self.meta | options.get("meta", {})
        check = None
        if self.witness is not None and self.action is not None:
            check = partial(hold_file, action=self.action, witness=self.witness)
        return export(self.module, self.obs, path, observation=self.observation, check=check, **given)


class Some(nn.Module):
    """A module with some of its outputs, by their places among `count`, before its state."""

    def __init__(self, module: nn.Module, count: int, kept: list[int]) -> None:
        super().__init__()
        self.module, self.count, self.kept = module, count, kept

    def forward(self, *args: Any) -> Any:
        found = self.module(*args)
        found = tuple(found) if isinstance(found, tuple | list) else (found,)
        given = (*(found[i] for i in self.kept), *found[self.count :])
        (first, *rest) = given
        return given if rest else first


def library(module: str, package: str) -> Any:
    """A library's module. Raises ExportError with the command that installs it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ExportError(
            f"this importer needs {package}, which cannot be imported ({first_line(error)}): "
            f"python -m pip install {package}."
        ) from error


def version(package: str) -> str:
    return f"{package} {importlib.metadata.version(package)}"
