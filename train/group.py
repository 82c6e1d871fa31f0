"""The processes of one run: who they are, and sums over them. A run in one process is a group of one.

crew.py (`minnow train --processes`) or torchrun sets RANK, WORLD_SIZE and the like; `join` reads them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from minnow.cinfer.errors import MinnowError
from minnow.train import crew
from minnow.train.mailbox import Mailbox, meet, shared


@dataclass(frozen=True)
class Group:
    rank: int = 0
    size: int = 1
    mailbox: Mailbox | None = None  # where all of them run on one machine

    @property
    def leads(self) -> bool:
        """Whether this process writes files and speaks."""
        return self.rank == 0

    def sum_(self, tensor: Tensor) -> Tensor:
        """The sum over processes, in place."""
        if self.mailbox is not None and self.mailbox.fits(tensor):
            self.mailbox.sum_(tensor)
        elif self.size > 1:
            dist.all_reduce(tensor)
        return tensor

    def gather(self, tensor: Tensor, axis: int = 0) -> Tensor:
        """Every process's tensor, joined in the order of ranks."""
        if self.size == 1:
            return tensor
        parts = [torch.empty_like(tensor, memory_format=torch.contiguous_format) for _ in range(self.size)]
        dist.all_gather(parts, tensor.contiguous())
        return torch.cat(parts, axis)

    def first(self, number: float) -> float:
        """The leader's number (a whole one up to 2^53 stays exact)."""
        return self.sum_(torch.tensor(number if self.leads else 0, dtype=torch.float64)).item()

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in any process."""
        return self.sum_(torch.tensor(float(flag))).item() > 0

    def share(self, envs: int) -> tuple[int, int]:
        """How many environments this process steps and the global index of its first one."""
        if envs % self.size:
            fit = max(self.size, envs // self.size * self.size)
            raise MinnowError(
                f"train.envs is {envs}, which {self.size} processes cannot share evenly: try --train.envs {fit}."
            )
        return envs // self.size, envs // self.size * self.rank


ALONE = Group()


def launched() -> bool:
    """Whether this process is one of several started together."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def join() -> Group:
    """The group that this process was started in."""
    if not launched():
        return ALONE
    if not dist.is_initialized():
        store, rank, size = next(rendezvous("env://"))
        # torchrun keeps one store over restarts on one machine, and with it the addresses of processes that are dead.
        if os.environ.get("GROUP_WORLD_SIZE", "1") == "1":
            store = PrefixStore(f"attempt {os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", store)
        kinds = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"  # by where a tensor lies
        dist.init_process_group(kinds, store=store, rank=rank, world_size=size)
    rank, size = dist.get_rank(), dist.get_world_size()
    return Group(rank, size, shared(rank, size))


cores = crew.cores


def together(count: int, call: Callable[..., Any], *given: Any) -> Any:
    """What `call(group, *given)` returns to the first of `count` processes that run it on this machine."""
    return call(ALONE, *given) if count == 1 else crew.together(count, _joined, call, *given, restarts=0)


def _joined(call: Callable[..., Any], *given: Any) -> Any:
    found = call(join(), *given)
    leave()
    return found


def leave() -> None:
    if dist.is_initialized():
        meet()  # nobody hangs up while others still talk
        dist.destroy_process_group()
