"""Whose fault it is that training cannot go on: the environment's, where it gave a number that is not finite."""

from __future__ import annotations

import math

import torch

from minnow import envs
from minnow.train.observation import SET, leaves
from minnow.train.ppo import PPO

# Kinds of numbers: the observation's group; as many more, of what a life that was cut ended with; and others.
GROUPS = 1 << 16
REWARD, NOTHING = 2 * GROUPS, 2 * GROUPS + 1


def of_environment(trainer: PPO) -> str | None:
    """Which observation or reward of the last rollout was NaN or infinite, in words: the first one of all processes;
    None where all are finite. All processes call it. A policy is never the cause: environments clip actions."""
    found = trainer.group.gather(torch.tensor([_first(trainer)], dtype=torch.float64))
    kind, step, row, place, value = min(found.tolist())
    if kind == NOTHING:
        return None
    env, agent = divmod(int(row), trainer.sides)
    where = f"environment {env}" + (f", agent {agent}" if trainer.sides > 1 else "")
    what = f"the observation {_named(trainer.spec, int(kind) % GROUPS, int(place))!r}" if kind < REWARD else "a reward"
    return f"{what} of {trainer.config.name} is {value:g} (step {int(step)} of a rollout, {where})"


def _first(trainer: PPO) -> tuple[float, float, float, float, float]:
    """Kind, step, global row, place in the observation, and value of this process's first one."""
    seen, ends = (leaves(obs).values() for obs in (trainer.obs, trainer.final_obs))
    for kind, numbers in (*enumerate(seen), *enumerate(ends, GROUPS), (REWARD, trainer.reward.unsqueeze(-1))):
        bad = numbers.flatten(2).isfinite().logical_not().nonzero()
        if len(bad):
            step, row, place = bad[0].tolist()
            return kind, step, row + trainer.first_row, place, numbers.flatten(2)[step, row, place].item()
    return NOTHING, 0, 0, 0, 0


def _named(spec: envs.Spec, group: int, place: int) -> str:
    """The name of the field or plane that a place in a group of the observation belongs to."""
    found = spec.group[group]
    if found.kind == SET:
        return f"{found.name} {place // found.shape[1]}: {found.fields[place % found.shape[1]].name}"
    return found.fields[place // math.prod(found.shape[1:])].name
