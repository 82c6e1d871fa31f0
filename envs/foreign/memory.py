"""The memory that a vector of foreign environments shares with its processes."""

from __future__ import annotations

import mmap
import os
import tempfile

import numpy as np

from ..vector import Rows

ALIGNED = 64  # bytes: no two arrays in one line of the cache
EXTRA = {"episodes": np.dtype(np.int64), "index": np.dtype(np.int64)}  # [num_envs]: begun so far; of its stream


class Shared:
    """Every array of `Buffers`, and EXTRA, by name; groups of observations as obs.NAME and final_obs.NAME. file: of
    another process's; None: a new one, which goes with the last process that has it open."""

    def __init__(self, rows: Rows, file: int | None = None) -> None:
        wanted = {name: shaped for name, shaped in rows.shapes().items() if name != "potential"}
        for group in rows.spec.group:
            for name in ("obs", "final_obs"):
                wanted[f"{name}.{group.name}"] = ((rows.rows, *group.shape), group.dtype)
        wanted |= {name: ((rows.num_envs,), dtype) for name, dtype in EXTRA.items()}
        places, size = {}, 0
        for name, (shape, dtype) in wanted.items():
            places[name] = size
            size += -(-int(np.prod(shape)) * dtype.itemsize // ALIGNED) * ALIGNED
        self.file = _file(size) if file is None else file
        self.memory = mmap.mmap(self.file, size)
        self.array = {
            name: np.frombuffer(self.memory, dtype, int(np.prod(shape)), places[name]).reshape(shape)
            for name, (shape, dtype) in wanted.items()
        }


def _file(size: int) -> int:
    if hasattr(os, "memfd_create"):
        file = os.memfd_create("minnow")
    else:
        with tempfile.TemporaryFile() as made:
            file = os.dup(made.fileno())
    os.ftruncate(file, size)
    return file
