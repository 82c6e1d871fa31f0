"""What stands between an environment and a network: normalisation with clipping, the order of axes, stacked frames."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

CLOSE = 1e-6  # of a standard deviation: what rounding a mean to float32 may move an observation


class Normaliser(nn.Module):
    """clip((x - mean) / std, -limit, limit). mean, std: float64 arrays of one observation's shape, or that broadcast.

    A mean that float32 holds too coarsely for its deviation is kept as the sum of two numbers."""

    mean: Tensor
    rest: Tensor | None
    std: Tensor

    def __init__(self, mean: np.ndarray, std: np.ndarray, limit: float | None = None) -> None:
        super().__init__()
        mean, std = np.asarray(mean, np.float64), np.asarray(std, np.float64)
        high = mean.astype(np.float32)
        low = mean - high
        self.limit = limit
        self.register_buffer("mean", torch.from_numpy(high))
        coarse = bool((np.abs(low) > CLOSE * std).any())
        self.register_buffer("rest", torch.from_numpy(low.astype(np.float32)) if coarse else None)
        self.register_buffer("std", torch.from_numpy(std.astype(np.float32)))

    def forward(self, obs: Tensor) -> Tensor:
        obs = obs.float() - self.mean
        if self.rest is not None:
            obs = obs - self.rest
        obs = obs / self.std
        return obs if self.limit is None else obs.clamp(-self.limit, self.limit)

    def turned(self) -> Normaliser:
        """The same for channels, height, width, where it is of height, width, channels."""
        for name, buffer in list(self.named_buffers()):
            setattr(self, name, buffer.permute(2, 0, 1).contiguous())
        return self


class Front(nn.Module):
    """One array of the observation on its way to the network: (obs, frames) -> (what the network is given, frames).

    turn: images come as height, width, channels and go in as channels, height, width. stack: that many frames are
    given together, the newest last, along axis `axis` of what goes in; `frames` [agents, ...] are those before this
    one, zeros at an episode's start. before, after: normalisers of one frame, as it comes, and of the stack."""

    def __init__(
        self,
        turn: bool = False,
        stack: int = 1,
        axis: int = -1,
        before: Normaliser | None = None,
        after: Normaliser | None = None,
    ) -> None:
        super().__init__()
        self.turn, self.stack, self.axis = turn, stack, axis
        self.before, self.after = before, after

    def forward(self, obs: Tensor, frames: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        if self.before is not None:
            obs = self.before(obs)
        if self.turn:
            obs = obs.permute(0, 3, 1, 2)
        if self.stack > 1:
            assert frames is not None
            width = obs.shape[self.axis]
            obs = torch.cat([frames, obs.float()], self.axis)
            frames = obs.narrow(self.axis, width, obs.shape[self.axis] - width)
        if self.after is not None:
            obs = self.after(obs)
        return obs, frames

    def start(self, example: np.ndarray) -> np.ndarray:
        """The frames of an episode's start for examples of the observation, [agents, ...]."""
        shown, _ = Front(self.turn)(torch.from_numpy(example[:1]))
        shape = [len(example), *shown.shape[1:]]
        shape[self.axis] *= self.stack - 1
        return np.zeros(shape, np.float32)
