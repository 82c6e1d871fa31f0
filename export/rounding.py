"""Weights stored with fewer bits: the module that the file then holds, and how far it is from the one given."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from minnow.export import format, parity
from minnow.export.domain import bounds
from minnow.export.errors import ExportError
from minnow.export.lower import lower
from minnow.export.parity import Difference
from minnow.export.record import record, run
from minnow.export.trace import Signature, trace

DTYPES = ("f32", "f16", "int8")


@dataclass
class Rounded:
    """`names`: the tensors that are stored rounded. `difference`: from the unrounded module, over the parity steps."""

    module: nn.Module
    names: list[str]
    difference: Difference


def rounded(signature: Signature, dtype: str, observation: Any = None) -> Rounded:
    """A copy of the module whose weight matrices are what `dtype` can hold. Biases, statistics and whatever export
    computes from several parameters stay f32: they are small, and every runtime then has the same numbers."""
    if dtype not in DTYPES:
        raise ExportError(f"dtype is {dtype!r}: it must be one of {', '.join(DTYPES)}.")
    graph, _ = lower(trace(signature), signature, bounds(signature, observation))
    found = dict(zip(graph.tensor_names, graph.tensors, strict=True))
    other = copy.copy(signature)
    module = other.module = copy.deepcopy(signature.module)
    names = []
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if parameter.dim() < 2 or name not in found:
                continue
            if found[name].shape == tuple(parameter.shape) and np.array_equal(found[name], parameter.numpy()):
                try:
                    parameter.copy_(torch.from_numpy(format.decode(*format.encode(found[name], dtype))))
                except ValueError as error:
                    raise ExportError(f"parameter {name!r} cannot be stored as {dtype}: {error}.") from None
                names.append(name)
    before = record(signature, observation=observation)
    return Rounded(module, names, parity.difference(parity.Run(*run(other, before)), before))
