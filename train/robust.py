"""How much a policy's success suffers when physics differ: by strength of randomization, and by each parameter alone.

Every point plays the same episodes: what a seed draws for a parameter at one strength lies at the same share of the
interval at another, so curves are smooth and differences are of the policy."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from minnow import envs
from minnow.cinfer.errors import MinnowError
from minnow.envs.spec import Param
from minnow.train import config as configs
from minnow.train.evaluation import Episodes, Player, ScriptPlayer, played, wilson

STRENGTHS = tuple(i / 10 for i in range(11))
SCORE, SUCCESS = envs.RECORD.index("score"), envs.RECORD.index("success")
Note = Callable[[str], None]


@dataclass(frozen=True)
class Goal:
    """When an episode counts as a success. least None: the task says it of itself; else its score is at least that."""

    least: float | None
    score_name: str = ""

    def passed(self, episodes: Episodes) -> np.ndarray:
        """[episodes] of 0 and 1; of several agents more than half must succeed, or their mean score reach the bar.
        Where nobody was ever born nobody succeeded."""
        if self.least is None:
            return (episodes.mean(SUCCESS) > 0.5).astype(float)
        return (episodes.mean(SCORE) >= self.least).astype(float)

    def __str__(self) -> str:
        return "success" if self.least is None else f"{self.score_name} of {self.least:g} or more"


def goal(place: envs.Place, least: float | None = None) -> Goal:
    """What an environment counts as a success. least: a score in its place. Raises MinnowError where there is none."""
    spec = envs.spec(place)
    if least is not None:
        if not math.isfinite(least):
            raise MinnowError(f"--bar is {least}: it must be a number, a score.")
        return Goal(least, spec.score_name)
    if spec.has_success:
        return Goal(None)
    bar = configs.bar(place)
    if bar is None or bar.key != "score_mean":
        raise MinnowError(f"{spec.name} has neither success nor a bar in score: say by --bar which score is enough.")
    return Goal(bar.least, spec.score_name)


@dataclass(frozen=True)
class Share:
    """Episodes that succeeded, as a share, and its 95 % interval (Wilson)."""

    success: float
    low: float
    high: float
    episodes: int

    @classmethod
    def of(cls, passed: np.ndarray) -> Share:
        share = float(passed.mean())
        return cls(share, *wilson(share, len(passed)), len(passed))


@dataclass(frozen=True)
class Alone:
    """One parameter drawn from [low, high] while all others keep their values; `value` is its own."""

    name: str
    value: float
    low: float
    high: float
    unit: str
    doc: str
    share: Share


@dataclass(frozen=True)
class Elsewhere:
    """A place to play. share None: it could not be played, and `why` says why."""

    name: str
    share: Share | None
    why: str = ""


@dataclass(frozen=True)
class Robustness:
    """area: under the curve of success against strength, 0 to 1, with half its 95 % interval, by the episodes' own
    areas. alone: the worst first. levels, simulators: of the arm, else empty."""

    env: str
    goal: str
    episodes: int
    seed: int
    strengths: tuple[float, ...]
    curve: tuple[Share, ...]
    area: float
    area_ci95: float
    strength_alone: float | None  # None: each parameter's whole interval
    alone: tuple[Alone, ...]
    why_not_alone: str
    levels: tuple[Elsewhere, ...] = field(default=())
    simulators: tuple[Elsewhere, ...] = field(default=())

    @property
    def worst(self) -> Alone | None:
        return self.alone[0] if self.alone else None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Course:
    """What is common to all measurements of a policy."""

    player: Player | ScriptPlayer
    place: envs.Place
    goal: Goal
    episodes: int
    seed: int
    params: dict[str, float]

    def passed(self, **options: Any) -> np.ndarray:
        given: dict[str, Any] = {"seed": self.seed, "params": self.params, **options}
        return self.goal.passed(played(self.player, self.place, self.episodes, **given))


def measure(course: Course, strength_alone: float | None = None, note: Note = lambda _: None) -> Robustness:
    """The curve and the table. strength_alone: of each parameter by itself, in place of its whole interval. Raises
    MinnowError where the environment has nothing to randomize."""
    spec = envs.spec(course.place)
    physics = [
        replace(param, value=course.params.get(param.name, param.value))
        for param in spec.param
        if param.kind == "physics" and param.low < param.high
    ]
    if not physics:
        raise MinnowError(f"{spec.name} declares no physics parameter, so there is nothing to randomize.")
    if strength_alone is not None and not 0 < strength_alone <= 1:
        raise MinnowError(f"--alone is {strength_alone:g}: it must be above 0, and 1 at most.")
    passed = []
    for strength in STRENGTHS:
        passed.append(course.passed(randomize=strength))
        note(f"randomize {strength:.0%}: {Share.of(passed[-1]).success:.1%}")
    heights = np.array(passed)
    areas = (heights[1:] + heights[:-1]).mean(0) / 2  # of equal steps
    spread = 1.96 * float(areas.std(ddof=1)) / math.sqrt(len(areas)) if len(areas) > 1 else 0.0
    alone, why = [], ""
    if spec.foreign:
        why = "a simulator of others draws all its parameters together, so none is drawn alone"
    else:
        for param in physics:
            alone.append(_alone(course, param, strength_alone))
            note(f"{param.name} alone: {alone[-1].share.success:.1%}")
    return Robustness(
        spec.name,
        str(course.goal),
        course.episodes,
        course.seed,
        STRENGTHS,
        tuple(map(Share.of, passed)),
        float(areas.mean()),
        spread,
        strength_alone,
        tuple(sorted(alone, key=lambda row: (row.share.success, row.name))),
        why,
    )


def _alone(course: Course, param: Param, strength: float | None) -> Alone:
    low, high = (param.low, param.high) if strength is None else param.spread(strength)
    share = Share.of(course.passed(ranges={param.name: (low, high)}))
    return Alone(param.name, param.value, low, high, param.unit, param.doc, share)


def levels(course: Course, note: Note = lambda _: None) -> tuple[Elsewhere, ...]:
    """Success at each level of fidelity, nothing randomized; none where the environment has no parameter `level`."""
    found = next((param for param in envs.spec(course.place).param if param.name == "level"), None)
    rows = []
    for level in range(int(found.low), int(found.high) + 1) if found else ():
        share = Share.of(course.passed(params=course.params | {"level": float(level)}))
        rows.append(Elsewhere(f"level {level}", share))
        note(f"level {level}: {share.success:.1%}")
    return tuple(rows)
