"""A training that takes no time."""

from __future__ import annotations

import dataclasses

from minnow.train import config as configs
from minnow.train.config import Config


def small() -> Config:
    """CartPole for a few thousand steps: a tenth of a second."""
    base = configs.defaults("cartpole")
    return dataclasses.replace(base, train=dataclasses.replace(base.train, steps=8192, checkpoints=4))
