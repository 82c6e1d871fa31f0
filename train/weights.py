"""Initial weights, by the core in C (core/weights.h): functions of the seed and of a matrix's number in its network,
the same bits on every machine."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from minnow.train.native import call


class Weights:
    """Of one network, whose matrices are asked for in order. Without a seed it is drawn by torch's generator."""

    def __init__(self, seed: int | None) -> None:
        self.seed = int(torch.randint(2**63 - 1, ())) if seed is None else seed
        self.count = 0

    @torch.no_grad()
    def orthogonal_(self, weight: Tensor, gain: float) -> None:
        """The next matrix [out, in] (Saxe et al., 2014)."""
        room = torch.empty(call(None, "orthogonal_room", *weight.shape), dtype=torch.float64)
        call(weight.dtype, "orthogonal", self.seed, self.count, *weight.shape, gain, weight, room)
        self.count += 1

    def linear(self, before: int, after: int, gain: float) -> nn.Linear:
        """Orthogonal weights, zero bias."""
        layer = nn.Linear(before, after, device="meta")  # draws nothing; to_empty would import half of torch for it
        layer.weight, layer.bias = (nn.Parameter(torch.zeros(leaf.shape)) for leaf in (layer.weight, layer.bias))
        self.orthogonal_(layer.weight, gain)
        return layer


@torch.no_grad()
def deviations(reach: Tensor) -> Tensor:
    """Logarithms of the deviations of continuous actions that reach so far to either side [heads]: half as wide."""
    log_std = torch.empty_like(reach)
    call(reach.dtype, "deviations", len(reach), reach, log_std)
    return log_std


@torch.no_grad()
def lasting(size: int, steps: int) -> Tensor:
    """Biases [size] by which a forget gate keeps what it holds for 1 to `steps` steps."""
    keep = torch.empty(size)
    call(keep.dtype, "lasting", size, float(steps), keep)
    return keep
