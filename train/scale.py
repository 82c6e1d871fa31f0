"""The scale of rewards: the running deviation of their discounted sums (Engstrom et al., 2020, "Implementation matters
in deep policy gradients")."""

from __future__ import annotations

import torch
from torch import Tensor

from minnow.train.group import Group


class RewardScale:
    def __init__(self, rows: int, device: torch.device | None = None) -> None:
        self.discounted = torch.zeros(rows, dtype=torch.float64, device=device)  # the sum so far, of each row's life
        self.sums = torch.zeros(
            3, dtype=torch.float64, device=device
        )  # number of sums seen, their sum, and that of their squares

    def update(self, reward: Tensor, lives: Tensor, resets: Tensor, gamma: float, group: Group) -> Tensor:
        """Takes in rewards [T, N], whether there was somebody to earn each, and whether a life began after it; the
        deviation by now, over all processes."""
        seen = torch.empty(reward.shape, dtype=torch.float64, device=reward.device)
        for t in range(len(reward)):
            self.discounted = seen[t] = gamma * self.discounted + reward[t]
            self.discounted = self.discounted * (resets[t] == 0)
        seen *= lives
        new = torch.stack([lives.sum(dtype=torch.float64), seen.sum(), seen.square().sum()])
        self.sums = self.sums + group.sum_(new)
        count, total, square = self.sums.unbind()
        return (square / count - (total / count) ** 2).clamp_min(1e-8).sqrt()
