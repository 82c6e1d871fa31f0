"""Randomization that widens while its episodes succeed, as automatic domain randomization does (Akkaya et al. 2019,
"Solving Rubik's cube with a robot hand"), with one width for all parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from minnow import envs
from minnow.cinfer.errors import MinnowError
from minnow.train.config import Config
from minnow.train.group import ALONE, Group

RANDOMIZE = 1  # ENV_EVENT_RANDOMIZE of abi.h
SUCCESS = envs.RECORD.index("success")
STEPS = 20  # from none to the whole
EPISODES = 256  # by which a width is judged, at least


class World(Protocol):
    """Environments that can be told of an event: `envs.Vector` is such."""

    def event(self, i: int, kind: int, *, value: float) -> None: ...


class Width:
    """How far the parameters of a trainer's environments are drawn from their values: a part of `config.randomize`, at
    first 0. Once enough episodes have ended it grows by a twentieth of that, if `config.train.widen` of them succeeded.
    Episodes that are under way go on in the world that was drawn for them."""

    def __init__(self, config: Config, spec: envs.Spec, group: Group = ALONE) -> None:
        """Raises MinnowError for an environment that cannot tell success, or is none of ours."""
        if spec.foreign or not spec.has_success:
            what = "is not in C" if spec.foreign else "has no success"
            asked = f"train.widen is {config.train.widen:g}"
            raise MinnowError(f"{asked}, but {config.name} {what}: leave --train.widen out.")
        self.most, self.share, self.group = config.randomize, config.train.widen, group
        self.level = 0  # of STEPS
        self.counts = np.zeros(2)  # episodes since the last change; how many succeeded

    @property
    def value(self) -> float:
        return self.most * self.level / STEPS

    def settle(self, vector: World, count: int, records: Sequence[np.ndarray]) -> None:
        """After a rollout. vector: this process's environments, so many; records: [n, 5] each, of its episodes that
        ended in it. All processes call it."""
        ended = [record[:, SUCCESS] for record in records]
        fresh = torch.tensor([sum(map(len, ended)), sum(float(part.sum()) for part in ended)], dtype=torch.float64)
        self.counts += self.group.sum_(fresh).numpy()
        episodes, succeeded = self.counts
        if self.level == STEPS or episodes < EPISODES:
            return
        self.counts[:] = 0
        if succeeded >= self.share * episodes:
            self.level += 1
            for i in range(count):
                vector.event(i, RANDOMIZE, value=self.value)

    def tensors(self) -> dict[str, Tensor]:
        """What a checkpoint holds of it; environments hold their own width."""
        return {"state": torch.tensor([self.level, *self.counts], dtype=torch.float64)}

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Goes back to where `tensors` was taken."""
        level, *counts = tensors["state"].tolist()
        self.level, self.counts = int(level), np.array(counts)
