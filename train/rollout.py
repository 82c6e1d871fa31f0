"""Rollouts by the core in C alone (core/rollout.h): it acts and steps environments of C by turns, all in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from minnow import envs
from minnow.train.learn import Core
from minnow.train.native import REALS, pointed
from minnow.train.observation import Obs
from minnow.train.policy import State


class Rollout:
    """Of a vector's environments, with `buffers` for each step, shared out among the core's threads. `leaves`: what
    they and the network write, by the names of core/rollout.h's `world`; `seen`: observations among it."""

    def __init__(
        self,
        core: Core,
        vector: envs.Vector,
        buffers: Sequence[envs.Buffers],
        seen: Mapping[str, Obs],
        leaves: Mapping[str, Tensor | None],
    ) -> None:
        self.core, self.raw, self.leaves = core, vector.raw(buffers), (seen, leaves)
        ffi = core.ffi
        self.world = ffi.new(f"learn_world_{REALS[core.type]} *")
        self.world.step = ffi.cast(ffi.typeof(self.world.step), self.raw.step)
        self.world.envs = ffi.cast("void *", self.raw.rows)
        self.world.buffers = ffi.cast("const void *const *", self.raw.buffers)
        self.world.block, self.world.steps, self.world.rows = self.raw.block, len(buffers), vector.rows
        core.point(self.world, leaves)
        for name, obs in seen.items():
            setattr(self.world, name, core.arrays(obs))
        self.scratch = torch.zeros(core.threads, -(-self.raw.scratch // 64) * 64, dtype=torch.uint8)
        shares = [self.raw.blocks * i // core.threads for i in range(core.threads + 1)]
        self.act = core.bound("act", core.net, core.packed, self.world)
        self.parts = [
            (*shares[i : i + 2], pointed(ffi, self.scratch[i]), pointed(ffi, core.rooms[i]))
            for i in range(core.threads)
        ]

    def collect(self, state: State | None) -> State | None:
        """All steps, from this memory; the new one."""
        if state is not None:
            state = tuple(leaf.clone(memory_format=torch.contiguous_format) for leaf in state)
            self.core.point(self.world, dict(zip(("hidden", "cell"), state, strict=False)))
        self.core.share(lambda thread: self.act(*self.parts[thread]))
        return state
