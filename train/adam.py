"""Adam (Kingma and Ba, 2015) on one piece of memory: a network's parameters lie one behind the other, and so do their
gradients. Torch's own spends ten times as long on a small network's many small tensors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from minnow.train.native import call, core

BETAS, EPSILON = (0.9, 0.999), 1e-5


class Adam:
    """`parameters`: in the order in which they lie in `flat`, and their gradients in `gradient`."""

    def __init__(self, parameters: Sequence[Tensor], flat: Tensor, gradient: Tensor) -> None:
        self.parameters, self.flat, self.gradient = parameters, flat, gradient
        self.mean, self.square, self.room = (torch.zeros_like(flat) for _ in range(3))
        self.count = 0

    def step(self, learning_rate: float) -> None:
        self.apply(*self.factors(learning_rate))

    def factors(self, learning_rate: float) -> tuple[float, float]:
        """What the next step differs in from all others: the factors of the root of the squares and of the change."""
        self.count += 1
        root, change = (core().ffi.new("double *") for _ in range(2))
        call(None, "factors", self.count, learning_rate, root, change)
        return root[0], change[0]

    @torch.no_grad()
    def apply(self, root: float | Tensor, change: float | Tensor) -> None:
        """A step with these `factors`, which a captured graph reads from memory."""
        self.mean.lerp_(self.gradient, 1 - BETAS[0])
        self.square.mul_(BETAS[1]).addcmul_(self.gradient, self.gradient, value=1 - BETAS[1])
        torch.sqrt(self.square, out=self.room)
        self.room.mul_(root).add_(EPSILON)
        torch.div(self.mean, self.room, out=self.room)
        self.flat.sub_(self.room.mul_(change))

    def moments(self, parameter: Tensor) -> dict[str, Tensor] | None:
        """What is remembered of one parameter, or None if it is not among these."""
        start = 0
        for leaf in self.parameters:
            part = slice(start, start + leaf.numel())
            if leaf is parameter:
                mean, square = (of_all[part].view_as(leaf) for of_all in (self.mean, self.square))
                return {"exp_avg": mean, "exp_avg_sq": square, "step": torch.tensor(float(self.count))}
            start = part.stop
        return None

    def load(self, parameter: Tensor, moments: dict[str, Tensor]) -> None:
        held = self.moments(parameter)
        assert held is not None
        for name in ("exp_avg", "exp_avg_sq"):
            held[name].copy_(moments[name])
        self.count = int(moments["step"])
