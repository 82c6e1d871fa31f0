"""The tensors of a file, by name, and which of them an importer used: none is dropped unsaid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from minnow.export.errors import ExportError, first_line
from minnow.export.importers.files import present

SHOWN = 6  # names in a message
# NumPy's numbers, as trainers keep scores beside weights: they run no code.
NUMBERS = [
    *((np.float64(0).__reduce__()[0], f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
    *(np.dtype, *(type(np.dtype(kind)) for kind in ("f4", "f8", "i4", "i8", "?"))),
]


class Weights(Mapping[str, Tensor]):
    """Tensors by name. What is looked up counts as used; `finish` names what is left.

    path: the file they come from, for messages."""

    def __init__(self, tensors: dict[str, Tensor], path: Path, names: dict[str, str] | None = None) -> None:
        self.path, self.all = path, tensors
        self.names = {name: name for name in tensors} if names is None else names  # here: in the file
        self.used: set[str] = set()  # by the names in the file

    def __getitem__(self, name: str) -> Tensor:
        found = self.all[self.names[name]]
        self.used.add(self.names[name])
        return found

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def has(self, prefix: str) -> bool:
        """Whether a name begins so."""
        return any(name.startswith(prefix) for name in self.names)

    def renamed(self, new: dict[str, str]) -> Weights:
        """The same tensors, but only those of `new`, which has this mapping's names by new ones."""
        found = Weights(self.all, self.path, {name: self.names[old] for name, old in new.items()})
        found.used = self.used
        return found

    def under(self, prefix: str) -> Weights:
        """What lies under a prefix, without it."""
        return self.renamed({name.removeprefix(prefix): name for name in self.names if name.startswith(prefix)})

    def finish(self, *left_out: str) -> None:
        """Raises ExportError where tensors of the whole file were not used, but those whose names there begin with one
        of `left_out`: what a rule leaves out."""
        lost = [name for name in self.all if name not in self.used and not name.startswith(left_out)]
        if lost:
            raise ExportError(
                f"{self.path} holds {listed(lost)}, which this importer does not use: the policy may be another one "
                "than it reads. Export the module in Python, or save the policy's own tensors alone."
            )

    def holds(self) -> str:
        """What there is, for messages."""
        return listed(list(self.names))


def listed(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def opened(path: Path) -> Weights:
    """The tensors of a .safetensors file, or of one of torch.save, of which only tensors are read: dicts, lists and
    tuples of them by dotted names. Raises ExportError."""
    present(path)
    try:
        if path.suffix == ".safetensors":
            found: Any = safetensors.torch.load_file(path)
        else:
            with torch.serialization.safe_globals(NUMBERS):
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
    tensors = dict(flat(found, ""))
    if not tensors:
        raise ExportError(f"{path} holds no tensors by name: save agent.state_dict().")
    return Weights(tensors, path)


def flat(found: Any, prefix: str) -> Iterator[tuple[str, Tensor]]:
    """Tensors by dotted names, without the prefixes of torch.compile and DistributedDataParallel."""
    if isinstance(found, Tensor) and prefix:
        name = prefix.removesuffix(".").replace("_orig_mod.", "")
        yield name, found.detach().cpu().float() if found.is_floating_point() else found.detach().cpu()
        return
    inner = found.items() if isinstance(found, Mapping) else enumerate(found) if isinstance(found, list | tuple) else ()
    wrapped = isinstance(found, Mapping) and bool(found) and all(str(key).startswith("module.") for key in found)
    for key, item in inner:
        name = str(key).removeprefix("module.") if wrapped else str(key)
        yield from flat(item, f"{prefix}{name}.")
