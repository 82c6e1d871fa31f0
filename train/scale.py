"""The scale of rewards: the running deviation of their discounted sums (Engstrom et al., 2020, "Implementation matters
in deep policy gradients")."""

from __future__ import annotations

import torch
from torch import Tensor

from minnow.train.group import Group


class RewardScale:
    def __init__(self, rows: int) -> None:
        self.discounted = torch.zeros(rows, dtype=torch.float64)  # the sum so far, of each row's episode
        self.sums = torch.zeros(3, dtype=torch.float64)  # number of sums seen, their sum, and that of their squares

    def update(self, reward: Tensor, ended: Tensor, gamma: float, group: Group) -> float:
        """Takes in rewards [T, N] and whether each was its episode's last; the deviation by now, over all processes."""
        seen = torch.empty(reward.shape, dtype=torch.float64)
        for t in range(len(reward)):
            self.discounted = seen[t] = gamma * self.discounted + reward[t]
            self.discounted = self.discounted * (ended[t] == 0)
        new = torch.stack([torch.tensor(float(seen.numel()), dtype=torch.float64), seen.sum(), seen.square().sum()])
        self.sums = self.sums + group.sum_(new)
        count, total, square = self.sums.tolist()
        return max(square / count - (total / count) ** 2, 1e-8) ** 0.5
