"""What an agent observes: one array, or several by name. Trainers and policies handle both by the functions here.

An observation of one group is a tensor [..., *shape]; one of several is a dict of such tensors by the groups' names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from minnow import envs
from minnow.envs.vector import each

Obs = Tensor | dict[str, Tensor]
FIELDS, PLANES, SET, PRESENT = "fields", "planes", "set", "present"  # kinds of groups: see envs/abi.h


@dataclass(frozen=True)
class Input:
    """One group of an observation, as a network sees it."""

    name: str
    kind: str
    shape: tuple[int, ...]
    type: str = "f32"  # or "u8"
    critic: bool = False  # for the value alone, in training

    @property
    def dtype(self) -> torch.dtype:
        return torch.uint8 if self.type == "u8" else torch.float32


Inputs = tuple[Input, ...]


def inputs(given: Sequence[Input] | Sequence[int]) -> Inputs:
    """The groups; or the only one, of which the shape is given."""
    groups = tuple(item for item in given if isinstance(item, Input))
    if len(groups) == len(given):
        return groups
    shape = tuple(size for size in given if not isinstance(size, Input))
    return (Input("obs", PLANES if len(shape) > 1 else FIELDS, shape),)


def declared(spec: envs.Spec) -> Inputs:
    """The groups that an environment declares."""
    return tuple(Input(item.name, item.kind, tuple(item.shape), item.type, bool(item.critic)) for item in spec.group)


def to_dict(given: Inputs) -> list[dict[str, Any]]:
    return [asdict(item) | {"shape": list(item.shape)} for item in given]


def from_dict(rows: Iterable[Mapping[str, Any]]) -> Inputs:
    return tuple(Input(**{**row, "shape": tuple(row["shape"])}) for row in rows)


def leaves(obs: Any) -> dict[str, Any]:
    """Its arrays by name; the name of the only one is empty."""
    return dict(obs) if isinstance(obs, Mapping) else {"": obs}


def any_of(obs: Obs) -> Tensor:
    """One of the arrays, to ask for what all have in common: how many rows there are, and where."""
    return next(iter(obs.values())) if isinstance(obs, Mapping) else obs


def zeros(given: Inputs, *lead: int, **options: Any) -> Obs:
    """Observations [*lead, *shape] of zeros, in the environment's types."""
    made = {item.name: torch.zeros(*lead, *item.shape, dtype=item.dtype, **options) for item in given}
    return made if len(made) > 1 else next(iter(made.values()))


def arrays(obs: Obs) -> np.ndarray | dict[str, np.ndarray]:
    """The same memory, as NumPy has it."""
    return each(lambda leaf: leaf.numpy(), obs)


def tensors(obs: np.ndarray | Mapping[str, np.ndarray]) -> Obs:
    """The same memory, as torch has it."""
    return each(torch.from_numpy, obs)
