"""Muon (Jordan et al., 2024, "Muon: an optimizer for hidden layers in neural networks"): momentum whose matrix is made
nearly orthogonal by a Newton-Schulz iteration, so that every direction of a weight matrix learns at one pace."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the quintic, from the source above
ROUNDS = 5


def orthogonalized(matrix: Tensor) -> Tensor:
    """Near U V' of the matrix's U S V': singular values come to 0.7 .. 1.2. In the matrix's own precision."""
    a, b, c = COEFFICIENTS
    wide = matrix.T if len(matrix) > matrix.shape[1] else matrix
    x = wide / wide.norm().clamp_min(1e-7)
    for _ in range(ROUNDS):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.T if wide is not matrix else x


class Muon(torch.optim.Optimizer):
    """For matrices only. Steps are scaled by 0.2 sqrt(longer side), which gives them the size of Adam's (Liu et al.,
    2025, "Muon is scalable for LLM training"), so that one learning rate suits both."""

    def __init__(self, parameters: Iterable[Tensor], lr: float, momentum: float = 0.95) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            for parameter in group["params"]:
                state = self.state[parameter]
                if not state:
                    state["momentum"] = torch.zeros_like(parameter)
                average = state["momentum"].lerp_(parameter.grad, 1 - group["momentum"])
                ahead = parameter.grad.lerp(average, group["momentum"])  # Nesterov's
                scale = 0.2 * math.sqrt(max(parameter.shape))
                rate = group["lr"] * scale
                if isinstance(rate, Tensor):  # within a captured graph
                    parameter.sub_(orthogonalized(ahead) * rate)
                else:
                    parameter.add_(orthogonalized(ahead), alpha=-rate)
