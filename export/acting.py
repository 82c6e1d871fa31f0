"""Actions as docs/format.md and minnow.h define them, in NumPy: what a back end's actions are held against.

Written apart from minnow.h, so that a fault there, or a wrong action in the file, is seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from minnow.export.action import Action, Box

Words = np.ndarray | np.uint32
ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)


def threefry(key: tuple[Words, Words], counter: tuple[Words, Words]) -> tuple[np.ndarray, np.ndarray]:
    """Threefry-2x32-20 (Salmon et al., 2011) of uint32 arrays that broadcast."""
    k = [np.asarray(item, np.uint32) for item in key]
    k.append(np.uint32(0x1BD11BDA) ^ k[0] ^ k[1])
    with np.errstate(over="ignore"):
        x, y = (np.asarray(item, np.uint32) + k[i] for i, item in enumerate(counter))
        for turn in range(20):
            x = x + y
            by = np.uint32(ROTATIONS[turn % 8])
            y = ((y << by) | (y >> (np.uint32(32) - by))) ^ x
            if turn % 4 == 3:
                s = turn // 4 + 1
                x, y = x + k[s % 3], y + k[(s + 1) % 3] + np.uint32(s)
    return x, y


def uniforms(steps: int, agents: int, heads: int, seed: int) -> np.ndarray:
    """The numbers that a session draws with, float32 in (0, 1], [steps, agents, heads]."""
    agent = np.arange(agents, dtype=np.uint32)[None, :, None]
    step = np.arange(steps, dtype=np.uint32)[:, None, None]
    words = (np.uint32(seed & 0xFFFFFFFF), np.uint32(seed >> 32 & 0xFFFFFFFF))
    key = threefry(words, (agent, np.uint32(0)))
    bits, _ = threefry(key, (step, np.arange(heads, dtype=np.uint32)[None, None, :]))
    return ((bits >> np.uint32(8)).astype(np.float32) + np.float32(0.5)) * np.float32(2.0**-24)


def quantile(u: np.ndarray) -> np.ndarray:
    """The normal distribution's, for u in (0, 1]: rounding makes a 1 of the last u below it."""
    return torch.special.ndtri(torch.from_numpy(np.minimum(u.astype(np.float64), 1 - 2.0**-24))).numpy()


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Of the choices of one head, float64 [..., choices]; -inf is impossible."""
    top = logits.max(-1, keepdims=True)
    with np.errstate(invalid="ignore", over="ignore"):
        p = np.exp(logits - np.where(np.isfinite(top), top, 0))
    return p / np.maximum(p.sum(-1, keepdims=True), 1e-300)


@dataclass(frozen=True)
class Heads:
    """An action's choices, cut into heads."""

    sizes: tuple[int, ...]

    def parts(self, item: np.ndarray) -> list[np.ndarray]:
        return np.split(item, np.cumsum(self.sizes)[:-1], -1)

    def greedy(self, logits: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        """The first of the largest logits that are possible, int32 [..., heads]."""
        masks = [None] * len(self.sizes) if mask is None else self.parts(mask)
        chosen = []
        for part, possible in zip(self.parts(logits), masks, strict=True):
            shown = part if possible is None else np.where(possible != 0, part, -np.inf)
            best = shown.argmax(-1)
            if possible is not None:  # of what is possible, where all of it is -inf
                best = np.where(np.isneginf(shown).all(-1), (possible != 0).argmax(-1), best)
            chosen.append(best)
        return np.stack(chosen, -1).astype(np.int32)

    def sampled(self, logits: np.ndarray, mask: np.ndarray | None, u: np.ndarray) -> np.ndarray:
        """The choice at u of the probabilities added up, int32 [..., heads]."""
        chosen = []
        best = self.greedy(logits, mask)
        mask = np.ones(logits.shape, np.uint8) if mask is None else mask
        for i, (part, possible) in enumerate(zip(self.parts(logits.astype(np.float64)), self.parts(mask), strict=True)):
            ends = np.cumsum(probabilities(np.where(possible != 0, part, -np.inf)), -1)
            over = u[..., i : i + 1] < ends
            chosen.append(np.where(over.any(-1), over.argmax(-1), best[..., i]))
        return np.stack(chosen, -1).astype(np.int32)


def heads_of(action: Action | None) -> Heads | None:
    """How its logits are cut; None for a box, or where there is no action."""
    return None if action is None or isinstance(action, Box) else Heads(action.sizes)


def box(action: Box, mean: np.ndarray, log_std: np.ndarray | None = None, u: np.ndarray | None = None) -> np.ndarray:
    """A box's action, float64 [..., heads]: the mean's, or with `log_std` and `u` the one drawn at u."""
    x = mean.astype(np.float64)
    if log_std is not None and u is not None:
        with np.errstate(over="ignore", invalid="ignore"):
            x = x + np.exp(log_std.astype(np.float64)) * quantile(u)
    low, high = np.array(action.low), np.array(action.high)
    if action.squash == "tanh":
        return low + (np.tanh(x) + 1) / 2 * (high - low)
    return np.clip(x, low, high) if action.squash == "clip" else x
