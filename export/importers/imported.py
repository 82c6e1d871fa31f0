"""What an importer gives, and how foreign files are opened."""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

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
        check = None if self.witness is None else partial(hold_file, action=self.action, witness=self.witness)
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
        return given if len(given) > 1 else given[0]


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


def present(path: Path) -> Path:
    if not path.is_file():
        raise ExportError(f"{path} does not exist, or is no file: give the file that the library saved.")
    return path


def trusted(path: Path, trust: bool) -> Path:
    """The path of a file that holds pickles. Raises ExportError unless its reader says that it is trusted."""
    present(path)
    if not trust:
        raise ExportError(
            f"{path} holds Python pickles, which can run any code as they are loaded: if you trust whoever made the "
            "file, say so with --trust (in Python, trust=True)."
        )
    return path


def weights(path: Path) -> dict[str, Tensor]:
    """A state dict from a .safetensors file, or from one of torch.save, of which only tensors are read.

    A dict that holds the state dict beside other things is looked into. Raises ExportError."""
    present(path)
    try:
        if path.suffix == ".safetensors":
            found = safetensors.torch.load_file(path)
        else:
            found = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, OSError, ValueError, EOFError, RuntimeError) as error:
        raise ExportError(
            f"{path} cannot be read as weights: {first_line(error)}; save the state dict alone."
        ) from None
    except Exception as error:  # pickle's UnpicklingError, of an object that is no tensor
        raise ExportError(
            f"{path} holds more than tensors, and only tensors are read: {first_line(error)}; save "
            "agent.state_dict() alone."
        ) from None
    return state_dict(found, path)


def state_dict(found: Any, path: Path) -> dict[str, Tensor]:
    """The tensors by name, without the prefixes of torch.compile and DistributedDataParallel."""
    for key in ("actor_state_dict", "model_state_dict", "state_dict", "model", "agent"):
        if isinstance(found, dict) and isinstance(found.get(key), dict):
            found = found[key]
    if not isinstance(found, dict) or not any(isinstance(item, Tensor) for item in found.values()):
        raise ExportError(f"{path} holds no state dict: save agent.state_dict().")
    tensors = {str(name): item.detach().cpu() for name, item in found.items() if isinstance(item, Tensor)}
    for prefix in ("_orig_mod.", "module."):
        if all(name.startswith(prefix) for name in tensors):
            tensors = {name.removeprefix(prefix): item for name, item in tensors.items()}
    return {name: item.float() if item.is_floating_point() else item for name, item in tensors.items()}


def fill(module: nn.Module, tensors: dict[str, Tensor], path: Path, ignore: Sequence[str] = ()) -> nn.Module:
    """The module with the weights, in evaluation mode. Every name must be known, but those that begin as in `ignore`.

    Raises ExportError for names too many, too few, or of another shape."""
    wanted = module.state_dict()
    extra = sorted(name for name in tensors if name not in wanted and not name.startswith(tuple(ignore)))
    missing = sorted(name for name in wanted if name not in tensors)
    if extra or missing:
        said = [f"does not know {', '.join(extra)}"] * bool(extra) + [f"lacks {', '.join(missing)}"] * bool(missing)
        raise ExportError(f"{path}: the agent's published shape {' and '.join(said)}: export the module in Python.")
    try:
        module.load_state_dict({name: tensors[name] for name in wanted})
    except RuntimeError as error:
        raise ExportError(f"{path} does not fit: {' '.join(str(error).split())}") from None
    return module.eval()


def samples(shape: Sequence[int], dtype: str = "float32", seed: int = 0) -> np.ndarray:
    """Random observations, [EXAMPLES, *shape]: bytes, or numbers around zero."""
    random = np.random.default_rng(seed)
    if dtype == "uint8":
        return random.integers(256, size=(EXAMPLES, *shape), dtype=np.uint8)
    return random.standard_normal((EXAMPLES, *shape)).astype(np.float32)
