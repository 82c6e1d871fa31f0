"""Simulators that others wrote, in which policies of the arm are proved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from minnow.cinfer.errors import missing

from ..spec import Param
from .task import Task, params

EXTRA = "sim"  # of pyproject.toml, which brings them
TWINS = {"pick_cube": ("maniskill/PickCube-v1", "mujoco/pick_cube")}  # of our environments, the same task elsewhere


@dataclass(frozen=True)
class Creator:
    """Makes a task; called with some of `params`, `randomize` and `render_mode`."""

    kind: Callable[..., Task]
    task: str

    def __call__(self, **given: Any) -> Task:
        return self.kind(self.task, **given)

    def params(self) -> tuple[Param, ...]:
        return params()


def creator(simulator: str, task: str) -> Creator:
    """What makes a task of maniskill or mujoco. Raises MinnowError where that simulator is not installed."""
    try:
        if simulator == "maniskill":
            from .maniskill import ManiSkill

            return Creator(ManiSkill, task)
        from .mujoco import MuJoCo

        return Creator(MuJoCo, task)
    except ModuleNotFoundError as error:
        if error.name in ("mani_skill", "sapien", "mujoco"):
            raise missing("ManiSkill" if simulator == "maniskill" else "MuJoCo", EXTRA) from None
        raise
