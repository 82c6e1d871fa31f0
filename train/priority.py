"""Prioritised segments: rows of the rollout whose advantages are large are learned from more often.

After Schaul et al. (2016), "Prioritized experience replay", with a segment's summed |advantage| as its priority:
p_i = a_i^alpha / sum_j a_j^alpha; the sample's weight (N p_i)^-beta takes the bias out again as beta nears 1.
"""

from __future__ import annotations

import torch
from torch import Tensor


def probabilities(priority: Tensor, alpha: float) -> Tensor:
    """p of each segment, f64 [N]; even where every priority is 0. priority: [N], 0 or more. Where one is not finite no
    p is, and so are no weights: whoever learns by them notices, whichever segments are drawn."""
    power = priority.double() ** alpha
    total = power.sum()
    if not total.isfinite():
        return torch.full_like(power, torch.nan)
    return power / total if total > 0 else torch.full_like(power, 1 / len(power))


def weights(probability: Tensor, beta: float) -> Tensor:
    """Importance weights [N]; meaningless, and never used, where the probability is 0."""
    return (len(probability) * probability).clamp_min(1e-12) ** -beta


def draw(probability: Tensor, uniform: Tensor) -> Tensor:
    """Segments with replacement, int64 like `uniform`, whose numbers are in [0, 1)."""
    edges = probability.cumsum(0)
    return torch.searchsorted(edges, uniform.double() * edges[-1], right=True).clamp_max(len(edges) - 1)
