"""Sums over the processes of one machine, in memory that they share. Gloo, which goes through sockets, takes as
long for the gradient of a small network as a process for its share of a minibatch."""

from __future__ import annotations

import contextlib
import mmap
import os
import socket
import zlib
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist

from minnow.train.native import REALS, library

CAPACITY = 1 << 20  # bytes of a box


class Mailbox:
    def __init__(self, path: Path, rank: int, pids: list[int]) -> None:
        self.pids = pids
        held = library("mailbox")
        self.lib, self.ffi = held.c, held.ffi
        with path.open("r+b") as file:
            self.map = mmap.mmap(file.fileno(), _bytes(len(pids)))
        self.memory = self.ffi.from_buffer(self.map)
        self.lives = self.ffi.callback("uint32_t(uint32_t)", self._lives, error=0, onerror=self._note)
        given = {"memory": self.memory, "rank": rank, "size": len(pids), "capacity": CAPACITY, "lives": self.lives}
        self.box = self.ffi.new("Mailbox *", given)

    def fits(self, tensor: Tensor) -> bool:
        """Whether `sum_` can do it; the same in every process, whose tensors are alike."""
        small = tensor.numel() * tensor.element_size() <= CAPACITY
        return small and tensor.dtype in REALS and tensor.is_contiguous() and tensor.device.type == "cpu"

    def sum_(self, tensor: Tensor) -> None:
        """The sum over all processes, in place. RuntimeError, as gloo's, once one of them is dead: a restart mends
        it."""
        add = getattr(self.lib, f"mailbox_sum_{REALS[tensor.dtype]}")
        if not add(self.box, self.ffi.cast("void *", tensor.data_ptr()), tensor.numel()):
            self.fail()

    def fail(self) -> None:
        """Raises why a sum was in vain."""
        raise self.fault

    def _lives(self, rank: int) -> bool:
        if not _alive(self.pids[rank]):
            raise RuntimeError(f"process {rank} of {len(self.pids)} has died, and the others cannot go on without it.")
        return True

    def _note(self, _kind: Any, fault: BaseException, _trace: Any) -> None:
        self.fault = fault


def shared(rank: int, size: int) -> Mailbox | None:
    """A mailbox of the processes of torch's group, or None where they do not share one machine's memory."""
    memory = _memory(_bytes(size)) if rank == 0 else -1
    mine = torch.tensor([_machine(), os.getpid(), memory])
    parts = [torch.empty_like(mine) for _ in range(size)]
    dist.all_gather(parts, mine)
    machines, pids, memories = torch.stack(parts).T.tolist()
    found = None
    if len(set(machines)) == 1 and machines[0] != 0 and memories[0] >= 0:
        with contextlib.suppress(OSError):
            found = Mailbox(Path(f"/proc/{pids[0]}/fd/{memories[0]}"), rank, pids)
    all_ = torch.tensor([found is not None], dtype=torch.uint8)
    dist.all_reduce(all_, dist.ReduceOp.MIN)
    if memory >= 0:
        os.close(memory)  # the memory stays while it is mapped
    return found if all_ else None


def meet() -> None:
    """Waits for all processes of torch's group. Its own barrier would take a GPU where there is one."""
    dist.all_reduce(torch.zeros(1))


def _memory(size: int) -> int:
    """A descriptor of memory without a name, which ends with the last process that maps it; -1: there is none."""
    if not hasattr(os, "memfd_create"):
        return -1
    descriptor = os.memfd_create("minnow")
    try:
        os.posix_fallocate(descriptor, 0, size)
    except OSError:
        os.close(descriptor)
        return -1
    return descriptor


def _bytes(size: int) -> int:
    return size * (library("mailbox").c.LINE + 2 * CAPACITY)


def _machine() -> int:
    """A number that two processes have in common if they run on one machine and can see each other; 0 if unknown."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()
        names = (boot, socket.gethostname(), str(Path("/proc/self/ns/pid").readlink()))
    except OSError:
        return 0
    return zlib.crc32("".join(names).encode()) + 1


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
