"""The trainer's core in C (core/learn.h) on torch's memory: acting, gradients, advantages and Adam's steps, on the
processor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor, nn

from minnow.train.native import REALS, bound, call, core, pointed
from minnow.train.policy import GRU, LSTM, MinGRU, Normalize, Policy, State
from minnow.train.space import Gaussian

ACTIVATIONS = {"relu": "LEARN_RELU", "tanh": "LEARN_TANH", "gelu": "LEARN_GELU", "silu": "LEARN_SILU"}
MEMORIES = {LSTM: "LEARN_LSTM", GRU: "LEARN_GRU", MinGRU: "LEARN_MINGRU", type(None): "LEARN_NO_MEMORY"}


class Core:
    """Of one policy, all of whose parameters lie one behind the other in `flat`, in the order of `ppo.arranged`, and of
    a rollout of `steps` and `rows` rows, which are `first` and so on of `all_rows`. `bytes_`: observations are such.
    `threads` share the work, with the same result. `fused`: see `native.core`."""

    def __init__(
        self,
        policy: Policy,
        flat: Tensor,
        bytes_: bool,
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
        self.net, self.kept = self._net(policy, bytes_, steps)
        of_rows = (torch.arange(first, first + rows) * c.LEARN_STRANDS).div(all_rows, rounding_mode="floor")
        self.first = int(of_rows[0])
        self.count = int(of_rows[-1]) + 1 - self.first  # strands of this process
        self.strand = of_rows.to(torch.uint8)
        packed, gradients, room = (self.call(name, self.net) for name in ("packed", "gradients", "room"))
        self.packed = torch.zeros(packed, dtype=self.type)
        self.gradients = torch.zeros(self.count, gradients, dtype=self.type)
        self.sums = torch.zeros(self.count, c.LEARN_SUMS, dtype=torch.float64)
        self.moment = torch.zeros(c.LEARN_STRANDS, 3, dtype=torch.float64)
        self.offset = torch.zeros(c.LEARN_STRANDS + 1, dtype=torch.int64)
        self.threads = min(threads, self.count)
        self.rooms = torch.zeros(self.threads, room, dtype=self.type)
        self.pool = ThreadPoolExecutor(self.threads) if self.threads > 1 else None
        self.batch = self.ffi.new(f"learn_batch_{REALS[self.type]} *")
        self.first_row, self.all_rows = first, all_rows
        self.parts = [self._part(thread) for thread in range(self.threads)]
        self._make_room(0)
        # Takes over the parameters: before anything else once they have changed.
        self.pack = self.bound("pack", self.net, self.flat, self.packed)
        self.deal = self.bound("deal")
        self.differentiate = self.bound("gradient", self.net, self.packed, self.batch)
        self.collect = self.bound("collect", self.net, self.count, self.gradients, self.sums)

    def _net(self, policy: Policy, bytes_: bool, steps: int) -> tuple[Any, dict[str, Tensor]]:
        """learn.h's description of the network, and the tensors that it points to."""
        space, layers = policy.space, [module for module in policy.encoder if isinstance(module, nn.Linear)]
        kinds = {type(module).__name__.lower() for module in policy.encoder} & set(ACTIVATIONS)
        c = core(self.fused).c
        net = self.ffi.new(f"learn_net_{REALS[self.type]} *")
        net.inputs = (layers[0] if layers else policy.actor).in_features
        net.hidden, net.layers = policy.actor.in_features, len(layers)
        net.activation = sum(getattr(c, ACTIVATIONS[kind]) for kind in kinds)
        net.memory, net.steps = getattr(c, MEMORIES[type(policy.core)]), steps
        net.parts, net.bytes, net.heads = policy.parts, bytes_, space.heads
        if isinstance(space, Gaussian):
            given = {"middle": policy.middle, "reach": policy.reach}
            given |= {"low": torch.tensor(space.low), "high": torch.tensor(space.high)}
            kept = {name: leaf.to(self.type) for name, leaf in given.items()}
        else:
            net.choices, kept = space.out_size, {"sizes": torch.tensor(space.sizes)}
        if policy.normalize is not None:
            kept |= {"mean": policy.normalize.mean, "scale": policy.normalize.scale}
        self.point(net, kept)
        return net, kept

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

    def forward(self, obs: Tensor, state: State | None, head: Tensor) -> State | None:
        """obs [n, ...] -> the policy's output and the value, head [n, out_size + 1]; returns the new state."""
        state = None if state is None else tuple(leaf.clone(memory_format=torch.contiguous_format) for leaf in state)
        hidden, cell = (*(state or ()), None, None)[:2]
        self.call("forward", self.net, self.packed, len(obs), obs, hidden, cell, head, self.rooms)
        return state

    def sample(
        self, head: Tensor, mask: Tensor | None, noise: Tensor, action: Tensor, told: Tensor, log_prob: Tensor
    ) -> None:
        """As `Categorical.sample` and `Gaussian.sample` do it, from head [n, out_size + 1]: actions twice, as they are
        learned from and as environments want them, and the logarithms of their probabilities."""
        self.call("sample", self.net, len(head), head, mask, noise, action, told, log_prob, self.rooms)

    def begin(self, leaves: Mapping[str, Tensor | None], settings: Mapping[str, float]) -> None:
        """The rollout that is learned from, by the names of learn.h's `batch`."""
        self.of_batch = leaves  # keeps the memory
        self.point(self.batch, leaves)
        for name, number in settings.items():
            setattr(self.batch, name, number)

    def gradient(self, index: Tensor, importance: Tensor | None, flat: Tensor) -> Tensor:
        """The gradient of those of the samples at `index`, places t x all_rows + row among the rows of all processes,
        or with memory of those rows, that are of this one, into `flat`; what was measured [LEARN_SUMS]."""
        if len(index) > len(self.dealt):
            self._make_room(len(index))
        given, weights = (pointed(self.ffi, leaf) for leaf in (index, importance))
        weighed = pointed(self.ffi, None if self.net.memory else self.of_batch["weight"])
        self.deal(len(index), given, weighed, weights, *self.deals)
        dealt = self.ffi.NULL if importance is None else self.deals[-2]

        def work(thread: int) -> None:
            self.differentiate(self.deals[-3], dealt, self.deals[-1], *self.parts[thread])

        self.share(work)
        self.collect(pointed(self.ffi, flat))
        return self.sums[0]

    def _make_room(self, longest: int) -> None:
        """For minibatches of so many samples or rows."""
        self.dealt, self.weights = torch.empty(longest, dtype=torch.int64), torch.empty(longest, dtype=self.type)
        leaves = (self.strand, self.dealt, self.weights, self.offset)
        self.deals = (self.all_rows, self.first_row, self.rows, *(pointed(self.ffi, leaf) for leaf in leaves))

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

    def observe(self, obs: Tensor, alive: Tensor) -> Tensor:
        """Number, sums and sums of squares [1 + 2 numbers] of the observations [T, rows, ...] of those alive."""
        numbers = obs[0, 0].numel()
        sums = torch.empty(self.count, 1 + 2 * numbers, dtype=torch.float64)
        seen = (len(obs) * self.rows, self.rows, obs, alive, self.strand, self.first, self.count)
        self.call("observe", self.net, *seen, sums)
        return sums[0]

    def normalize(self, by: Normalize, sums: Tensor) -> None:
        """Takes such sums into statistics."""
        self.call("normalize", self.net, sums, by.count, by.total, by.square, by.mean, by.scale)
