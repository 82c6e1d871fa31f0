"""The C files beside this one, compiled when first used."""

from __future__ import annotations

from pathlib import Path

import torch

from minnow.cinfer import binding

REALS = {torch.float32: "float", torch.float64: "double"}  # what the names of functions for either type end in


def library(name: str) -> binding.Library:
    """`NAME.c` with its declarations."""
    return binding.source(Path(__file__).resolve().parent / f"{name}.c")
