"""The trainer's core in C (core/learn.h) on torch's memory: acting, gradients, advantages and Adam's steps, on the
processor."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor

from minnow.train import observation
from minnow.train.native import REALS, bound, call, core, pointed
from minnow.train.observation import Obs
from minnow.train.policy import GRU, LSTM, MinGRU, Policy, State
from minnow.train.space import Gaussian

ACTIVATIONS = {"relu": "LEARN_RELU", "tanh": "LEARN_TANH", "gelu": "LEARN_GELU", "silu": "LEARN_SILU"}
KINDS = {
    observation.FIELDS: "LEARN_FIELDS",
    observation.PLANES: "LEARN_PLANES",
    observation.SET: "LEARN_SET",
    observation.PRESENT: "LEARN_PRESENT",
}
MEMORIES = {LSTM: "LEARN_LSTM", GRU: "LEARN_GRU", MinGRU: "LEARN_MINGRU", type(None): "LEARN_NO_MEMORY"}


class Core:
    """Of one policy, all of whose parameters lie one behind the other in `flat`, in the order of `ppo.arranged`, and of
    a rollout of `steps` and `rows` rows, which are `first` and so on of `all_rows`. `threads` share the work, with the
    same result. `fused`: see `native.core`."""

    def __init__(
        self,
        policy: Policy,
        flat: Tensor,
        steps: int,
        rows: int,
        first: int,
        all_rows: int,
        threads: int,
        fused: bool,
    ) -> None:
        self.fused, self.ffi = fused, core(fused).ffi
        c = core(fused).c
        self.type, self.flat, self.rows = flat.dtype, flat, rows
        self.inputs = policy.inputs
        self.net, self.kept = self._net(policy, steps)
        of_rows = (torch.arange(first, first + rows) * c.LEARN_STRANDS).div(all_rows, rounding_mode="floor")
        self.first = int(of_rows[0])
        self.count = int(of_rows[-1]) + 1 - self.first  # strands of this process
        self.strand = of_rows.to(torch.uint8)
        packed, gradients, room = (self.call(name, self.net) for name in ("packed", "gradients", "room"))
        self.packed = torch.zeros(packed, dtype=self.type)
        self.gradients = torch.zeros(self.count, gradients, dtype=self.type)
        self.sums = torch.zeros(self.count, c.LEARN_SUMS, dtype=torch.float64)
        self.moment = torch.zeros(c.LEARN_STRANDS, 3, dtype=torch.float64)
        self.dealt, self.importance = torch.empty(0, dtype=torch.int64), torch.empty(0, dtype=self.type)
        self.threads = min(threads, self.count)
        self.rooms = torch.zeros(self.threads, room, dtype=self.type)
        self.pool = ThreadPoolExecutor(self.threads) if self.threads > 1 else None
        self.batch, self.descent = (self.ffi.new(f"learn_{name}_{REALS[self.type]} *") for name in ("batch", "descent"))
        self.batch.rows = rows
        self.parts = [self._part(thread) for thread in range(self.threads)]
        self.callbacks: list[Any] = []
        self.fault: BaseException | None = None
        # Takes over the parameters: before acting once they have changed.
        self.pack = self.bound("pack", self.net, self.flat, self.packed)
        self.differentiate = self.bound("gradient", self.net, self.packed, self.batch)
        self.backward = self.bound("backward", self.descent)
        self.minibatches = self.bound("minibatches", self.descent)
        descent = self.descent
        descent.net, descent.batch, descent.all_rows, descent.first_row = self.net, self.batch, all_rows, first
        descent.first, descent.count, descent.numbers = self.first, self.count, len(flat)
        names = ("strand", "packed", "gradients", "sums")
        self.point(descent, {name: getattr(self, name) for name in names} | {"parameters": flat, "room": self.rooms})
        if self.threads > 1:
            self.callback("share", self._share)

    def _net(self, policy: Policy, steps: int) -> tuple[Any, list[object]]:
        """learn.h's description of the network, and what it points to."""
        space, config = policy.space, policy.config
        c = core(self.fused).c
        net = self.ffi.new(f"learn_net_{REALS[self.type]} *")
        net.hidden, net.layers = config.hidden, config.layers
        net.activation = getattr(c, ACTIVATIONS[config.activation])
        net.memory, net.steps = getattr(c, MEMORIES[type(policy.core)]), steps
        net.parts, net.heads = policy.parts, space.heads
        if isinstance(space, Gaussian):
            given = {"middle": policy.middle, "reach": policy.reach}
            given |= {"low": torch.tensor(space.low), "high": torch.tensor(space.high)}
            kept = {name: leaf.to(self.type) for name, leaf in given.items()}
        else:
            net.choices, kept = space.out_size, {"sizes": torch.tensor(space.sizes)}
        self.point(net, kept)
        net.groups = len(policy.inputs)
        net.group = groups = self.ffi.new(f"learn_group_{REALS[self.type]}[]", len(policy.inputs))
        self.statistics = policy.statistics
        for i, item in enumerate(policy.inputs):
            group, several = groups[i], policy.parts or item.kind in (observation.SET, observation.PRESENT)
            group.kind, group.bytes, group.critic = getattr(c, KINDS[item.kind]), item.type == "u8", item.critic
            group.count = item.shape[0] if several else 1
            group.inputs = math.prod(item.shape) // group.count
            if (by := self.statistics.get(item.name)) is not None:
                self.point(group, {"mean": by.mean, "scale": by.scale})
        return net, [groups, kept]

    def arrays(self, obs: Obs) -> list[Any]:
        """The addresses of an observation's arrays, in the order of the groups."""
        of = [obs] if isinstance(obs, Tensor) else [obs[item.name] for item in self.inputs]
        return [pointed(self.ffi, leaf) for leaf in of]

    def point(self, owner: Any, leaves: Mapping[str, Tensor | None]) -> None:
        """Puts the tensors' addresses into a struct of learn.h."""
        for name, leaf in leaves.items():
            address = 0 if leaf is None else leaf.data_ptr()
            setattr(owner, name, self.ffi.cast(self.ffi.typeof(getattr(owner, name)), address))

    def call(self, name: str, *given: Any) -> Any:
        return call(self.type, name, *given, fused=self.fused)

    def bound(self, name: str, *given: Any) -> Callable[..., Any]:
        """See native.bound. The caller keeps the tensors."""
        return bound(self.type, name, *given, fused=self.fused)

    def forward(self, obs: Obs, state: State | None, head: Tensor) -> State | None:
        """obs [n, ...] -> the policy's output and the value, head [n, out_size + 1]; returns the new state."""
        state = None if state is None else tuple(leaf.clone(memory_format=torch.contiguous_format) for leaf in state)
        hidden, cell = (*(state or ()), None, None)[:2]
        arrays = self.ffi.new("const void *[]", self.arrays(obs))
        self.call("forward", self.net, self.packed, len(head), arrays, hidden, cell, head, self.rooms)
        return state

    def sample(
        self, head: Tensor, mask: Tensor | None, noise: Tensor, action: Tensor, told: Tensor, log_prob: Tensor
    ) -> None:
        """As `Categorical.sample` and `Gaussian.sample` do it, from head [n, out_size + 1]: actions twice, as they are
        learned from and as environments want them, and the logarithms of their probabilities."""
        self.call("sample", self.net, len(head), head, mask, noise, action, told, log_prob, self.rooms)

    def begin(self, obs: Obs, leaves: Mapping[str, Tensor | None], settings: Mapping[str, float]) -> None:
        """The rollout that is learned from, by the names of learn.h's `batch`."""
        self.of_batch, self.seen = leaves, obs  # keeps the memory
        self.batch.obs = self.arrays(obs)
        self.point(self.batch, leaves)
        for name, number in settings.items():
            setattr(self.batch, name, number)

    def descend(
        self, index: Tensor, importance: Tensor | None, count: int, learning_rate: float, sums: Tensor
    ) -> float:
        """Learns from `count` minibatches of one size, the first in `index`: places t x all_rows + row among the rows
        of all processes, or with memory rows. Adds what was measured to sums [LEARN_SUMS]; the summed lengths of the
        gradients, or -1 where an exchange was in vain."""
        each = index.numel() // count
        self.make_room(each)
        given = (pointed(self.ffi, leaf) for leaf in (index, importance))
        found = self.minibatches(count, each, *given, learning_rate, pointed(self.ffi, sums))
        if found == -1 and self.fault is not None:
            raise self.fault
        return found

    def callback(self, name: str, work: Callable[..., bool]) -> None:
        """Lets the descent call Python, whose exceptions end it."""

        def note(_kind: Any, fault: BaseException, _trace: Any) -> None:
            self.fault = fault

        made = self.ffi.callback(self.ffi.typeof(getattr(self.descent, name)), work, error=0, onerror=note)
        setattr(self.descent, name, made)
        self.callbacks.append(made)

    def exchange(self, others: Any, add: Any) -> None:
        """How the descent adds up gradients over processes, of which there are others: a function of C, and what it is
        given."""
        exchange, address = self.ffi.typeof(self.descent.exchange), self.ffi.cast
        self.descent.exchange, self.descent.others = address(exchange, add), address("void *", others)

    def _share(self, importance: Any) -> bool:
        def work(thread: int) -> None:
            self.differentiate(self.descent.dealt, importance, self.descent.offset, *self.parts[thread])

        self.share(work)
        return True

    def make_room(self, longest: int) -> None:
        """For minibatches of so many samples or rows."""
        if longest > self.dealt.numel():
            self.dealt, self.importance = torch.empty(longest, dtype=torch.int64), torch.empty(longest, dtype=self.type)
            self.point(self.descent, {"dealt": self.dealt, "importance": self.importance})

    def _part(self, thread: int) -> tuple[Any, ...]:
        """A thread's share of the strands, and the memory for it."""
        first, last = (self.count * i // self.threads for i in (thread, thread + 1))
        mine = (self.gradients[first:last], self.sums[first:last], self.rooms[thread])
        return self.first + first, self.first + last, *(pointed(self.ffi, leaf) for leaf in mine)

    def share(self, work: Callable[[int], None]) -> None:
        """Calls it for each thread, in it."""
        if self.pool is None:
            work(0)
        else:
            list(self.pool.map(work, range(self.threads)))

    def observe(self, obs: Obs, alive: Tensor) -> Tensor:
        """Number, sums and sums of squares, [1 + 2 numbers] of each group that has statistics, one behind the other, of
        the observations [T, rows, ...] of those alive."""
        arrays, found = self.arrays(obs), []
        for i, item in enumerate(self.inputs):
            if item.name not in self.statistics:
                continue
            group, masked = (
                self.net.group + i,
                [after.kind == observation.PRESENT for after in self.inputs[i + 1 : i + 2]],
            )
            sums = torch.empty(self.count, 1 + 2 * self.call("seen", group), dtype=torch.float64)
            there = arrays[i + 1] if any(masked) else None
            seen = (alive.numel(), self.rows, arrays[i], there, alive, self.strand, self.first, self.count)
            self.call("observe", group, *seen, sums)
            found.append(sums[0])
        return torch.cat(found)

    def normalize(self, sums: Tensor) -> None:
        """Takes such sums into the statistics."""
        for by in self.statistics.values():
            mine, sums = sums.tensor_split([1 + 2 * by.mean.numel()])
            self.call("normalize", by.mean.numel(), mine, by.count, by.total, by.square, by.mean, by.scale)
