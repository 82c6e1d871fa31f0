"""What a sweep turns: settings of training and the environment's `reward` and `fidelity` parameters.

Each axis is a range around the hand-set value, or the one that the table [sweep] of train.toml gives. Optuna sees a
*position*: the setting itself, the exponent of a power of two, or 1 - the setting for a discount.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from minnow import envs
from minnow.cinfer.errors import MinnowError, unknown
from minnow.envs.spec import Param
from minnow.train import config as configs
from minnow.train.config import Config
from minnow.train.selfplay import sides

STEPS, RANDOMIZE, REPEAT = "train.steps", "randomize", "policy.action_repeat"
RATE, LIMIT = "env.rate", "limit"  # steps a second, and steps after which an episode is cut off
Form = Literal["number", "integer", "power", "complement", "choice"]


@dataclass(frozen=True)
class Axis:
    """One setting. low, high: bounds of the position; log: spread evenly in its logarithm; choices: of a "choice"."""

    name: str
    form: Form
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    choices: tuple[str, ...] = ()

    @property
    def distribution(self) -> BaseDistribution:
        if self.form == "choice":
            return CategoricalDistribution(self.choices)
        if self.form in ("integer", "power"):
            return IntDistribution(int(self.low), int(self.high), log=self.log)
        return FloatDistribution(self.low, self.high, log=self.log)

    def value(self, position: Any) -> Any:
        """The setting at a position."""
        if self.form == "power":
            return 2 ** int(position)
        if self.form == "complement":
            return 1.0 - position
        return int(position) if self.form == "integer" else position

    def position(self, value: Any) -> Any:
        """Where a setting lies, moved into the bounds if need be."""
        if self.form == "choice":
            return value if value in self.choices else self.choices[0]
        if self.form == "power":
            value = round(math.log2(value))
        elif self.form == "complement":
            value = 1.0 - value
        value = min(max(value, type(value)(self.low)), type(value)(self.high))
        return round(value) if self.form == "integer" else value

    def share(self, position: float) -> float:
        """How far between the bounds, 0 to 1, as the axis is spread."""
        low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        return ((math.log(position) if self.log else position) - low) / (high - low)

    def at(self, share: float) -> Any:
        """The position that lies so far between the bounds."""
        low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        found = low + share * (high - low)
        found = min(max(math.exp(found) if self.log else found, self.low), self.high)
        return round(found) if self.form in ("integer", "power") else found


# Where train.toml says nothing: setting -> (form, low, high) as factors of the hand-set value, or of 1 - it.
AROUND: dict[str, tuple[Form, float, float]] = {
    STEPS: ("integer", 1 / 8, 2),
    "train.envs": ("power", 1 / 4, 4),
    "train.horizon": ("power", 1 / 2, 4),
    "train.minibatch": ("power", 1 / 4, 4),
    "train.learning_rate": ("number", 1 / 4, 4),
    "train.gamma": ("complement", 1 / 4, 4),
    "train.gae_lambda": ("complement", 1 / 4, 4),
    "train.entropy": ("number", 1 / 10, 10),
    "train.value_weight": ("number", 1 / 8, 8),
    "train.max_grad_norm": ("number", 1 / 4, 4),
}
POWERS = {name for name, (form, *_) in AROUND.items() if form == "power"} | {"policy.hidden"}
COMPLEMENTS = {name for name, (form, *_) in AROUND.items() if form == "complement"}


def axes(base: Config, recipe: Path | None = None) -> list[Axis]:
    """The axes of one environment; of a recipe, a TOML file, those of its table [sweep] alone. Raises MinnowError for a
    faulty table."""
    spec = envs.spec(base.place)
    found: dict[str, Axis] = {}
    for name, (form, low, high) in {} if recipe else AROUND.items():
        value = setting(base, name)
        if not value or (form == "complement" and value >= 1):
            continue  # switched off by hand: it has no neighbourhood
        middle = 1 - value if form == "complement" else value
        found[name] = _ranged(name, form, *_inside(name, form, middle * low, middle * high))
    for param in [] if recipe else spec.param:
        if param.kind in ("reward", "fidelity") and param.low < param.high:
            found[f"env.{param.name}"] = _parameter(param, param.low, param.high)
    table, origin = _table(base, recipe)
    for name, given in _flat({key: value for key, value in table.items() if key != "score"}):
        found[name] = _given(base, name, given, origin)
    if recipe and not found:
        raise MinnowError(f"{recipe} turns nothing: it needs a table [sweep].")
    return list(found.values())


def scored(base: Config, recipe: Path | None = None) -> dict[str, float]:
    """The environment's parameters, where they are not the defaults, at which trials are scored: the table
    [sweep.score]."""
    table, origin = _table(base, recipe)
    given, spec = table.get("score", {}), envs.spec(base.place)
    if not isinstance(given, dict):
        raise MinnowError(f"{origin}: sweep.score takes a table of the environment's parameters, got {given!r}.")
    return {name: spec.check(name, value) for name, value in given.items()}


def judged(trial: Config, found: list[Axis], given: dict[str, float]) -> dict[str, float]:
    """The parameters at which one trial is scored: those of `scored`; a policy acts at the rate it has learnt at."""
    if not any(axis.name == RATE for axis in found):
        return given
    return given | {name: trial.env[name] for name in (RATE.removeprefix("env."), LIMIT) if name in trial.env}


def _table(base: Config, recipe: Path | None) -> tuple[dict[str, Any], str]:
    path = recipe or envs.settings(base.place)
    if recipe is None and not path.exists():
        return {}, str(path)
    return configs.parse(path.read_text("utf-8"), str(path)).get("sweep", {}), str(path)


def _parameter(param: Param, low: float, high: float) -> Axis:
    """One of the environment's parameters, spread as it is declared."""
    whole = param.scale == "integer"
    return Axis(f"env.{param.name}", "integer" if whole else "number", low, high, log=param.scale == "log" and low > 0)


def _flat(table: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for key, value in table.items():
        rows += _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else [(prefix + key, value)]
    return rows


def _given(base: Config, name: str, given: Any, origin: str) -> Axis:
    """The axis that `name = [low, high]`, or a list of words, describes."""
    value = setting(base, name)
    if isinstance(value, str):
        if not isinstance(given, list) or not given:
            raise MinnowError(f"{origin}: sweep.{name} takes a list of words, got {given!r}.")
        for word in given:
            override(base, {name: word}, origin)
        return Axis(name, "choice", choices=tuple(given))
    numbers = isinstance(given, list) and len(given) == 2 and all(type(item) in (int, float) for item in given)
    if not numbers or not given[0] < given[1]:
        raise MinnowError(f"{origin}: sweep.{name} takes [low, high] with low below high, got {given!r}.")
    low, high = given
    if name in COMPLEMENTS:
        return _ranged(name, "complement", 1 - high, 1 - low)
    if name.startswith("env."):
        spec = envs.spec(base.place)
        param = spec.param[spec.index(name.removeprefix("env."))]
        return _parameter(param, spec.check(param.name, low), spec.check(param.name, high))
    form: Form = "power" if name in POWERS else "integer" if isinstance(value, int) else "number"
    return _ranged(name, form, low, high)


def _inside(name: str, form: Form, low: float, high: float) -> tuple[float, float]:
    """The range cut to what the setting may be at all."""
    least, most = configs.RANGES[name]
    if form == "complement":
        return low, min(high, 0.99)
    return max(low, least), min(high, most)


def _ranged(name: str, form: Form, low: float, high: float) -> Axis:
    if form == "power":
        return Axis(name, form, max(0, round(math.log2(low))), round(math.log2(high)))
    if form == "integer":
        low, high = max(1, round(low)), round(high)
    return Axis(name, form, low, high, log=low > 0)


def setting(config: Config, name: str) -> Any:
    """A setting by its dotted name. Raises MinnowError where there is none."""
    if name == RANDOMIZE:
        return config.randomize
    group, _, key = name.partition(".")
    if group == "env":
        spec = envs.spec(config.place)
        return config.env.get(key, spec.param[spec.index(key)].value)
    owner = {"policy": config.policy, "train": config.train}.get(group)
    names = [
        f"{part}.{field.name}" for part in ("policy", "train") for field in dataclasses.fields(getattr(config, part))
    ]
    if owner is None or name not in names:
        raise unknown("setting of a sweep", name, [*names, RANDOMIZE])
    if name == REPEAT:  # of which 0 is no neighbour of 1
        return config.policy.action_repeat or envs.spec(config.place).action_repeat
    return getattr(owner, key)


def override(config: Config, values: dict[str, Any], origin: str = "the sweep") -> Config:
    """`config` with settings by their dotted names."""
    tables: dict[str, Any] = {}
    for name, value in values.items():
        group, _, key = name.rpartition(".")
        (tables.setdefault(group, {}) if group else tables)[key] = value
    return configs.merge(config, tables, origin)


def settings(base: Config, found: list[Axis], positions: dict[str, Any]) -> Config:
    """The settings of one trial. The minibatch gives way where the rollout is smaller, and to the horizon. Where the
    rate is turned, the discount is that of the base's rate, rescaled to the trial's, and so are an episode's steps."""
    config = override(base, {axis.name: axis.value(positions[axis.name]) for axis in found if axis.name in positions})
    train = config.train
    if RATE in positions:
        faster = positions[RATE] / setting(base, RATE)
        train = dataclasses.replace(train, gamma=train.gamma ** (1 / faster))
        if any(param.name == LIMIT for param in envs.spec(base.place).param):
            steps = float(round(setting(base, f"env.{LIMIT}") * faster))
            config = dataclasses.replace(config, env=config.env | {LIMIT: steps})
    rollout = train.envs * train.horizon * sides(config)
    if train.minibatch > rollout or rollout % train.minibatch:
        fits = [size for size in (2**k for k in range(40)) if size <= train.minibatch and rollout % size == 0]
        train = dataclasses.replace(train, minibatch=max(fits))
    if (config.policy.core != "mlp" or train.priority > 0) and train.minibatch % train.horizon:
        train = dataclasses.replace(train, minibatch=rollout)
    return dataclasses.replace(config, train=train)
