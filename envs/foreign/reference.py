"""What an environment that is not in C is called: `gym:CartPole-v1`, `gym:my_package:MyEnv-v0`, `gym:module:function`,
`pettingzoo:module:function`, `vector:module:function`, or, in a simulator of others, `maniskill/PickCube-v1`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from minnow.cinfer.errors import MinnowError

KINDS = {
    "gym": "gym:ID, gym:MODULE:ID or gym:MODULE:FUNCTION",
    "pettingzoo": "pettingzoo:MODULE:FUNCTION, which returns a ParallelEnv",
    "vector": "vector:MODULE:FUNCTION, which takes num_envs and returns a VectorEnv",
}
AT_END = "success_at_end"  # the score of a task in a simulator, named by its attribute `score_name`
SIMULATORS = {
    "maniskill": "maniskill/TASK, such as maniskill/PickCube-v1",
    "mujoco": "mujoco/TASK, such as mujoco/pick_cube",
}


@dataclass(frozen=True)
class Foreign:
    """kind: of KINDS or SIMULATORS. module: what is imported first, or nothing. target: an id of Gymnasium's, a
    function, or a simulator's task."""

    kind: str
    module: str
    target: str

    @property
    def name(self) -> str:
        """By which it is found again, anywhere."""
        return ("/" if self.simulator else ":").join(filter(None, (self.kind, self.module, self.target)))

    @property
    def simulator(self) -> bool:
        """Whether it is a task in a simulator, rather than an environment by itself."""
        return self.kind in SIMULATORS

    @property
    def shelf(self) -> str:
        """The same as the name of a folder."""
        return re.sub(r"[^\w.-]+", "-", self.name)

    def __str__(self) -> str:
        return self.name


def reference(name: object) -> Foreign | None:
    """What a name means; None where it names no foreign environment. Raises MinnowError for one that is incomplete."""
    if isinstance(name, Foreign):
        return name
    first, slash, task = name.partition("/") if isinstance(name, str) else ("", "", "")
    if slash and first in SIMULATORS:
        if not re.fullmatch(r"[\w.-]+", task):
            raise MinnowError(f"{name} is incomplete: {SIMULATORS[first]}.")
        return Foreign(first, "", task)
    kind, colon, rest = str(name).partition(":") if isinstance(name, str) else ("", "", "")
    if not colon or kind not in KINDS:
        return None
    module, _, target = rest.rpartition(":")
    if not target or (kind != "gym" and not module) or not re.fullmatch(r"[\w.]*", module):
        raise MinnowError(f"{name} is incomplete: {KINDS[kind]}.")
    return Foreign(kind, module, target)
