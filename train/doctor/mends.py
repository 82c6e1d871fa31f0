"""Mends: what may lie between a policy and a simulator so that it sees and does there what it did at home."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

# What one number is in another unit, and how the two are called.
KNOWN = {
    57.29578: "degrees in place of radians",
    1 / 57.29578: "radians in place of degrees",
    1000.0: "thousandths",
    100.0: "hundredths",
    10.0: "",
    2.0: "",
    0.5: "",
    0.1: "",
    0.01: "",
    0.001: "",
    -1.0: "",
}
NEAR = np.log(1.3)  # within this a factor is taken for a known one


@dataclass(frozen=True)
class Mend:
    """Observations: number j becomes factor[j] x number take[j] + offset[j]. Actions: head i gets gain[i] x what the
    policy gives head heads[i]; choice c of head i becomes choices[i][c]. lag: steps by which the numbers of `late`
    come later than at home; nothing can mend it from outside."""

    kind: str
    take: Mapping[int, int] = field(default_factory=dict)
    factor: Mapping[int, float] = field(default_factory=dict)
    offset: Mapping[int, float] = field(default_factory=dict)
    heads: Mapping[int, int] = field(default_factory=dict)
    gain: Mapping[int, float] = field(default_factory=dict)
    choices: Mapping[int, Sequence[int]] = field(default_factory=dict)
    lag: int = 0
    late: tuple[int, ...] = ()

    @property
    def acts(self) -> bool:
        """Whether it changes actions."""
        return bool(self.heads or self.gain or self.choices)

    @property
    def size(self) -> int:
        """How many numbers it touches."""
        return len({*self.take, *self.factor, *self.offset, *self.heads, *self.gain, *self.choices, *self.late})

    def see(self, obs: np.ndarray) -> np.ndarray:
        """Observations [..., numbers] as they would be at home."""
        out = obs.copy()
        for j, k in self.take.items():
            out[..., j] = obs[..., k]
        for j, by in self.factor.items():
            out[..., j] *= by
        for j, by in self.offset.items():
            out[..., j] += by
        return out

    def act(self, action: np.ndarray) -> np.ndarray:
        """Actions [..., heads] as the simulator wants them."""
        out = action.copy()
        for i, k in self.heads.items():
            out[..., i] = action[..., k]
        for i, by in self.gain.items():
            out[..., i] *= by
        for i, to in self.choices.items():
            out[..., i] = np.asarray(to)[action[..., i].astype(int)]
        return out


def snapped(factor: float) -> float:
    """A known factor that is near, or this one."""
    for known in KNOWN:
        if factor * known > 0 and abs(np.log(factor / known)) < NEAR:
            return known
    return factor


def cycle(take: Mapping[int, int]) -> bool:
    """Whether it only changes places."""
    return sorted(take) == sorted(take.values())
