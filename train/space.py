"""Action spaces: what a policy's output means, how it is sampled, and what its log-probability and entropy are.

A policy's `out` is one tensor [..., out_size]: logits of every head in order for discrete heads, mean then logarithm
of the deviation for continuous ones. Sampling takes noise made beforehand, so that the stream of random numbers is the
caller's affair.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

FORBIDDEN = -1e9  # logit of a masked choice; finite, so that its entropy is 0 and not 0 x infinity


@dataclass(frozen=True)
class Categorical:
    """One or more discrete heads. Actions are int32 [..., heads]; masks are bytes [..., out_size], 1 where possible."""

    sizes: tuple[int, ...]

    @property
    def heads(self) -> int:
        return len(self.sizes)

    @property
    def out_size(self) -> int:
        return sum(self.sizes)

    @property
    def most(self) -> float:
        """The greatest entropy, that of even choices, in nats."""
        return sum(math.log(size) for size in self.sizes)

    def masked(self, out: Tensor, mask: Tensor | None) -> Tensor:
        return out if mask is None else out.masked_fill(mask == 0, FORBIDDEN)

    def sample(self, out: Tensor, noise: Tensor) -> Tensor:
        """The first choice of each head at which the sum of probabilities passes the head's number in [0, 1)."""
        parts = zip(out.split(self.sizes, -1), noise.split(1, -1), strict=True)
        return torch.cat([_passed(part.softmax(-1), number) for part, number in parts], -1)

    def greedy(self, out: Tensor) -> Tensor:
        """The likeliest choice of each head, int64 [..., heads]."""
        if self.heads == 1:
            return out.argmax(-1, keepdim=True)
        return torch.stack([part.argmax(-1) for part in out.split(self.sizes, -1)], -1)

    def log_prob(self, out: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        """Logarithm of the probability of int64 `action`, and the entropy; both [...], summed over heads."""
        if self.heads == 1:
            return _categorical(out, action)
        parts = [_categorical(part, action[..., i : i + 1]) for i, part in enumerate(out.split(self.sizes, -1))]
        return torch.stack([part[0] for part in parts]).sum(0), torch.stack([part[1] for part in parts]).sum(0)

    def to_env(self, action: Tensor) -> Tensor:
        return action.to(torch.int32)

    def to_dict(self) -> dict[str, Any]:
        return {"kind": "categorical", "sizes": list(self.sizes)}


def _passed(chance: Tensor, number: Tensor) -> Tensor:
    """Among the choices with a chance, the last one whose predecessors' sum is not above `number`."""
    before = chance.cumsum(-1) - chance
    places = torch.arange(chance.shape[-1], device=chance.device).expand_as(chance)
    return places.masked_fill((chance == 0) | (before > number), 0).amax(-1, keepdim=True)


def _categorical(logits: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
    # Torch is slow along a short last axis, so the choices come first.
    log_prob = logits.movedim(-1, 0).log_softmax(0)
    return log_prob.gather(0, action.movedim(-1, 0)).squeeze(0), -(log_prob.exp() * log_prob).sum(0)


@dataclass(frozen=True)
class Gaussian:
    """Continuous heads: a normal distribution in the environment's units, clipped to [low, high] where it acts.

    Actions are f32 [..., heads]; the unclipped sample is what is learned from."""

    low: tuple[float, ...]
    high: tuple[float, ...]

    @property
    def heads(self) -> int:
        return len(self.low)

    @property
    def out_size(self) -> int:
        return 2 * self.heads

    def masked(self, out: Tensor, mask: Tensor | None) -> Tensor:
        return out

    def sample(self, out: Tensor, noise: Tensor) -> Tensor:
        """By noise of mean 0 and deviation 1."""
        mean, log_std = out.chunk(2, -1)
        return mean + noise * log_std.exp()

    def greedy(self, out: Tensor) -> Tensor:
        return out.chunk(2, -1)[0]

    def log_prob(self, out: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_std = out.chunk(2, -1)
        half_log_tau = 0.5 * math.log(2 * math.pi)
        log_prob = -0.5 * ((action - mean) * (-log_std).exp()).square() - log_std - half_log_tau
        return log_prob.sum(-1), (log_std + 0.5 + half_log_tau).sum(-1)

    def to_env(self, action: Tensor) -> Tensor:
        parts = zip(action.unbind(-1), self.low, self.high, strict=True)
        return torch.stack([part.clamp(low, high) for part, low, high in parts], -1)

    def to_dict(self) -> dict[str, Any]:
        return {"kind": "gaussian", "low": list(self.low), "high": list(self.high)}


Space = Categorical | Gaussian


def from_dict(data: dict[str, Any]) -> Space:
    if data["kind"] == "categorical":
        return Categorical(tuple(data["sizes"]))
    return Gaussian(tuple(data["low"]), tuple(data["high"]))
