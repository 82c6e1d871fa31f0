"""Where observations come from: what an importer knows of the numbers that an environment gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

FAR = 1e6  # a bound beyond it bounds nothing: no observation lies near it
SIZES = (0.1, 1.0, 10.0)  # of numbers without bounds, in deviations where statistics are known


@dataclass(frozen=True)
class Domain:
    """One array of the observation: float32, uint8 or int32, each number in [low, high]; mean and std where they are
    known, of that shape. Whole numbers have bounds."""

    shape: tuple[int, ...]
    dtype: str = "float32"
    low: Any = -np.inf  # of that shape, or one for all
    high: Any = np.inf
    mean: Any = None
    std: Any = None

    def draw(self, *lead: int, seed: int = 0) -> np.ndarray:
        """[*lead, *shape]: evenly over what has bounds, some numbers upon them; around the mean, near and far, else."""
        random = np.random.default_rng(seed)
        shape = (*lead, *self.shape)
        low, high = (np.broadcast_to(np.asarray(bound, np.float64), self.shape) for bound in (self.low, self.high))
        if self.dtype != "float32":
            return random.integers(low.astype(np.int64), high.astype(np.int64), shape, endpoint=True).astype(self.dtype)
        size = random.choice(SIZES, (*lead, *[1] * len(self.shape)))
        mean, std = (0.0, 1.0) if self.mean is None else (self.mean, self.std)
        free = mean + std * size * random.standard_normal(shape)
        bounded = (np.abs(low) < FAR) & (np.abs(high) < FAR)
        if self.mean is None and bounded.any():
            lower, upper = np.where(bounded, low, 0), np.where(bounded, high, 1)
            inside = random.uniform(lower, upper, shape)
            edge = random.random(shape)
            inside = np.where(edge < 0.05, lower, np.where(edge > 0.95, upper, inside))
            free = np.where(bounded, inside, free)
        # A bound that float32 rounds must not be passed by the rounding.
        return np.clip(free, low, high).astype(np.float32).clip(low.astype(np.float32), high.astype(np.float32))
