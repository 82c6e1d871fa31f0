"""What a run is: settings from the built-in defaults, then the environment's train.toml, then flags.

`Config` is everything that decides a run. It is written to the run's config.toml, from which a run by steps can be
repeated bit for bit on the same machine.
"""

from __future__ import annotations

import dataclasses
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

from minnow import envs
from minnow.cinfer.errors import MinnowError, unknown
from minnow.envs.foreign import reference
from minnow.train.crew import cores

Core = Literal["mlp", "lstm", "gru", "mingru"]
Activation = Literal["relu", "tanh", "gelu", "silu"]
Shaping = Literal["none", "difference", "discounted"]
Backend = Literal["auto", "c", "torch"]
Keep = Literal["best", "last"]  # which checkpoint of a run is scored and exported (best.py)


@dataclass
class PolicyConfig:
    core: Core = "lstm"
    """Memory: none (mlp), an LSTM, a GRU, or a minimal GRU."""
    hidden: int = 64
    """Width of every layer."""
    layers: int = 1
    """Fully connected layers before the memory."""
    activation: Activation = "relu"
    """Activation after each of these layers."""
    normalize: bool = False
    """Normalise observations by their running mean and variance; the exported policy carries both."""
    remember: int = 0
    """The steps for which an LSTM's cells keep what they hold before they have learned to: from 1 to so many, spread
    over them. 0: about one."""
    parts: bool = False
    """The observation has a part for each of the first actions, [parts, ...]: one network scores every part alike, and
    the value is read from their mean. Actions without a part score 0. Only without memory."""
    action_repeat: int = 0
    """Ticks of the environment between its actions, which make a step; 0: as many as the environment says."""


@dataclass
class TrainConfig:
    steps: int = 4_000_000
    """Agent-steps of the whole schedule."""
    stop: int = 0
    """Stop after so many agent-steps, before the schedule ends; 0: at its end."""
    envs: int = 128
    """Environments stepped side by side."""
    agents: int = 0
    """Sides of each environment that the network plays, the first ones; the script plays the others. 0: as many as the
    environment says."""
    horizon: int = 32
    """Steps of each rollout."""
    epochs: float = 1.0
    """Replay ratio: samples learned from for each one collected; 0.5 leaves half of each rollout unused."""
    minibatch: int = 1024
    """Samples of one gradient; divides envs x agents x horizon, and is a multiple of the horizon with memory or
    priorities."""
    optimizer: Literal["adam", "muon"] = "adam"
    """Adam; or Muon for the matrices between layers and Adam for the rest."""
    learning_rate: float = 6e-3
    """The optimiser's step at the start."""
    learning_rate_end: float = 0.0
    """The optimiser's step at the end of the schedule."""
    anneal: Literal["linear", "cosine"] = "linear"
    """How learning rate and entropy weight go from start to end."""
    gamma: float = 0.99
    """Discount of a step of as many ticks as the environment says; with another policy.action_repeat it becomes that
    of as many ticks as there are then."""
    advantage: Literal["gae", "vtrace"] = "gae"
    """Generalised advantage estimation; or the same with V-trace's clipped ratios, estimated anew for each epoch."""
    vtrace_delta: float = 1.0
    """V-trace: ratios above this are clipped where they weigh a step's error."""
    vtrace_trace: float = 1.0
    """V-trace: ratios above this are clipped where they carry errors back in time."""
    priority: float = 0.0
    """Segments are drawn in proportion to their summed |advantage| to this power; 0: each once an epoch."""
    priority_weight: float = 0.2
    """Power of the importance weights that take that bias out, at the start of the schedule; 1 at its end."""
    gae_lambda: float = 0.9
    """Generalised advantage estimation: 0 trusts the value function, 1 the returns."""
    clip: float = 0.2
    """The policy's ratio is clipped to 1 - clip .. 1 + clip."""
    value_clip: float = 0.0
    """Clip the value's change likewise, in units of the value; 0: do not."""
    value_weight: float = 0.5
    """Weight of the value's loss."""
    entropy: float = 0.003
    """Weight of the entropy bonus at the start."""
    entropy_end: float = 0.0
    """Weight of the entropy bonus at the end of the schedule."""
    max_grad_norm: float = 1.0
    """Gradients longer than this are shortened to it; 0: never."""
    normalize_advantage: bool = True
    """Give the advantages of each rollout mean 0 and deviation 1."""
    normalize_value: bool = True
    """Measure the value's errors in the root mean square of each rollout's advantages, so that `value_weight` suits
    rewards of any size."""
    normalize_reward: bool = False
    """Divide rewards by the running deviation of their discounted sums."""
    reward_scale: float = 1.0
    """Rewards are multiplied by this before learning (logged returns are not)."""
    widen: float = 0.0
    """Randomization begins at none, and grows by a twentieth of `randomize` whenever such a share of 256 episodes or
    more succeeded; 0: it is all there from the beginning."""
    privileged: bool = False
    """Give the critic, and it alone, what randomization drew: where in its interval each parameter lies."""
    shaping: Shaping = "none"
    """How the environment's potential is added to the reward."""
    checkpoints: int = 4
    """Checkpoints written over the schedule, the last one at its end."""
    logs: int = 100
    """Lines of metrics written over the schedule."""
    precision: Literal["float32", "exact", "float64", "bfloat16"] = "float32"
    """Of all learning; float64 is for comparisons. exact: float32 in which the core in C learns the same bits on every
    processor. bfloat16: of torch's products in encoder and memory, all else being float32."""
    device: str = "auto"
    """Where the policy acts and learns: cpu, cuda (one GPU a process), cuda:N, or auto: a GPU if there is one.
    Environments run on the processor."""
    backend: Backend = "auto"
    """What learns on the processor: the core in C; torch; or auto, the core wherever it has what the network and the
    settings need."""
    threads: int = 1
    """Threads of torch; more than one is slower for small networks."""
    env_threads: int = 1
    """Threads that step environments; processes, where these are not in C."""


@dataclass
class SelfPlayConfig:
    on: bool = False
    """A network plays every side, the scripted player none; for environments with two or more."""
    share: float = 0.25
    """Of the environments, in which past networks play all sides but one; their steps are not learned from."""
    pool: int = 8
    """Past networks kept, spread over the whole run."""
    snapshots: int = 40
    """Times over the schedule, the beginning included, when the network of that moment joins them."""


@dataclass
class DemosConfig:
    share: float = 0.5
    """Of the episodes that begin, as long as there are demonstrations: so many begin in a state of one, the others
    ordinarily."""
    window: float = 0.1
    """Of a demonstration, as a fraction of its length: where its episodes begin, behind a point that moves backwards by
    half of this at a time."""
    threshold: float = 0.2
    """Share of these episodes that must do as well as the demonstration did for the point to move."""
    trials: int = 20
    """Episodes, at least, by which that is judged."""
    until: float = 0.8
    """Share of the schedule after which all episodes begin ordinarily, wherever the points are."""


@dataclass
class Config:
    name: str
    """The environment."""
    seed: int = 0
    """Every random number of the run follows from it; 0 .. 2^63 - 1. `minnow train` draws one where none is given."""
    randomize: float = 0.0
    """Domain randomization: each physics parameter is drawn from its nominal +- this fraction at each reset."""
    env: dict[str, float] = field(default_factory=dict)
    """Parameters of the environment that differ from its defaults."""
    policy: PolicyConfig = field(default_factory=PolicyConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    selfplay: SelfPlayConfig = field(default_factory=SelfPlayConfig)
    path: str = ""
    """Where the environment lay; empty: it is one of ours."""
    start: str = ""
    """The checkpoint whose weights it began with; empty: none."""
    demos: DemosConfig = field(default_factory=DemosConfig)
    demonstrations: str = ""
    """The file of states that episodes begin in as `demos` says (demos.py); empty: none."""

    @property
    def place(self) -> envs.Place:
        """Where the environment comes from."""
        if not self.path and (foreign := reference(self.name)) is not None:
            return foreign
        return envs.folder(Path(self.path)) if self.path else envs.ours(self.name)

    @property
    def discount(self) -> float:
        """Of a step, however many ticks it has: train.gamma by the tick."""
        own = envs.spec(self.place).action_repeat
        return self.train.gamma ** ((self.policy.action_repeat or own) / own)

    @property
    def shelf(self) -> str:
        """The folder of its runs, below runs/."""
        return getattr(self.place, "shelf", self.name)

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class Bar:
    """What an environment's own settings must reach, [bar] of its train.toml: the least that the figure `key` of an
    evaluation (`evaluation.Score`) may be."""

    key: str
    least: float
    of: str = "train.toml"

    def reached(self, figures: Mapping[str, float]) -> bool:
        return figures[self.key] >= self.least

    def words(self, figures: Mapping[str, float]) -> str:
        """`score 19.32, and the bar is 18: reached`."""
        found = "score" if self.key == "score_mean" else "success"
        said = "reached" if self.reached(figures) else "NOT reached"
        return f"{found} {figures[self.key]:.4g}, and the bar of {self.of} is {self.least:g}: {said}"


BARS = ("score_mean", "success_rate")  # figures of an evaluation that may have one
MAX_SEED = 2**63 - 1  # the upper half of the 64-bit seeds belongs to evaluation (evaluation.py)


def defaults(name: str | envs.Place) -> Config:
    """The tuned settings of one environment, by its name or path: the built-in defaults with its train.toml over
    them."""
    place = envs.place(name)
    path = envs.settings(place)
    config = Config(place.name, path=envs.remember(place))
    if isinstance(place, envs.Foreign):
        config.policy, config.train = foreign_policy(), foreign_train()
    return merge(config, parse(path.read_text("utf-8"), str(path)), str(path)) if path.exists() else config


def foreign_policy() -> PolicyConfig:
    """Of environments that others wrote, whose numbers may have any size."""
    return PolicyConfig(core="mlp", layers=2, activation="tanh", normalize=True)


def foreign_train() -> TrainConfig:
    """Of environments that are slow beside ours: few of them, many epochs, rewards of any size."""
    return TrainConfig(
        steps=500_000,
        envs=16,
        horizon=128,
        epochs=10.0,
        minibatch=256,
        learning_rate=1e-3,
        gae_lambda=0.95,
        entropy=0.0,
        max_grad_norm=0.5,
        normalize_value=False,
        normalize_reward=True,
        env_threads=cores(),
    )


def bar(name: str | envs.Place) -> Bar | None:
    """The bar of an environment; None where its train.toml sets none, nor, of a foreign one, its author. Raises
    MinnowError for what is no bar."""
    place = envs.place(name)
    path = envs.settings(place)
    found = parse(path.read_text("utf-8"), str(path)).get("bar", {}) if path.exists() else {}
    if found == {}:
        threshold = getattr(envs.spec(place), "threshold", None) if isinstance(place, envs.Foreign) else None
        return None if threshold is None else Bar(BARS[0], float(threshold), "Gymnasium")
    if not isinstance(found, dict) or len(found) != 1 or type(next(iter(found.values()))) not in (int, float):
        raise MinnowError(f"{path}: bar is a table of one number, such as score_mean = 18.0, got {found!r}.")
    key, least = next(iter(found.items()))
    if key not in BARS:
        raise unknown(f"bar in {path}", key, BARS)
    return Bar(key, float(least))


def needed_bar(name: str | envs.Place) -> Bar:
    """The bar of an environment. Raises MinnowError where none is set."""
    found = bar(name)
    if found is None:
        place = envs.place(name).name
        raise MinnowError(
            f"no bar is set for {place}: put a table [bar] into its train.toml, such as score_mean = 18.0."
        )
    return found


def placed(config: Config, near: Path) -> Config:
    """The settings of a run with the present place of its environment, if that has moved. near: a file or folder of
    the run. Raises MinnowError where it is not found."""
    return dataclasses.replace(config, path=envs.remember(envs.recall(config.name, config.path, near)))


def load(path: Path, over: Config | None = None) -> Config:
    """The settings that repeat the run of a config.toml: where its budget ended it, they stop at the same step. Of a
    file that names no environment: what it sets, in `over`. Raises MinnowError where the file is unreadable or holds a
    name or type that is not known."""
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise MinnowError(f"cannot read {path}: {error.strerror}.") from None
    tables = parse(text, str(path))
    config = merge(over, tables, str(path)) if over and "name" not in tables else from_dict(tables, str(path))
    result = result_of(tables, str(path))
    if result.get("ended") == "budget" and "steps" in result:
        config.train.stop = int(result["steps"])
    return config


def result_of(tables: dict[str, Any], origin: str) -> dict[str, Any]:
    """The table [result], which a finished run wrote: numbers, but for `ended`. Empty where there is none."""
    result = tables.get("result", {})
    if not isinstance(result, dict) or any(
        not isinstance(value, str if name == "ended" else int | float) for name, value in result.items()
    ):
        raise MinnowError(f"{origin}: result is a table of numbers, with a text `ended`, got {result!r}.")
    return result


def parse(text: str, origin: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise MinnowError(f"{origin} is not valid TOML: {error}.") from None


def from_dict(tables: dict[str, Any], origin: str) -> Config:
    if not isinstance(tables.get("name"), str):
        raise MinnowError(f'{origin} names no environment: it needs a line such as name = "pong".')
    return merge(Config(tables["name"]), tables, origin)


def merge(config: Config, tables: dict[str, Any], origin: str) -> Config:
    """`config` with the values of nested `tables` over it; checked. [result], [sweep] and [bar] are skipped."""
    changes: dict[str, Any] = {}
    for key, value in tables.items():
        if key in ("result", "sweep", "bar"):  # a record; what a sweep turns; what must be reached
            continue
        if key == "env":
            if not isinstance(value, dict) or not all(type(number) in (int, float) for number in value.values()):
                raise MinnowError(f"{origin}: env is a table of numbers, got {value!r}.")
            changes[key] = config.env | {name: float(number) for name, number in value.items()}
        elif key in ("policy", "train", "selfplay", "demos"):
            if not isinstance(value, dict):
                raise MinnowError(f"{origin}: {key} is a table, got {value!r}.")
            old = getattr(config, key)
            new = {name: _typed(old, name, item, f"{key}.{name}", origin) for name, item in value.items()}
            changes[key] = dataclasses.replace(old, **new)
        else:
            changes[key] = _typed(config, key, value, key, origin)
    return dataclasses.replace(config, **changes)


KINDS = {int: "an integer", float: "a number", bool: "true or false", str: "a string"}


def _typed(owner: Any, name: str, value: Any, full: str, origin: str) -> Any:
    hints = get_type_hints(type(owner))
    if name not in hints:
        raise unknown(f"setting in {origin}", name, hints)
    want = hints[name]
    choices = get_args(want)
    if choices:
        if value not in choices:
            raise unknown(full, str(value), choices)
        return value
    if want is float and type(value) is int:
        value = float(value)
    if type(value) is not want:
        raise MinnowError(f"{origin}: {full} is {KINDS[want]}, got {value!r}.")
    return value


def dump(config: Config, result: dict[str, Any] | None = None) -> str:
    """The text of a config.toml; `result` becomes its last table, which is a record and no setting."""
    tables = config.to_dict()
    if result:
        tables["result"] = result
    lines = [f"{key} = {_toml(value)}" for key, value in tables.items() if not isinstance(value, dict)]
    for key, value in tables.items():
        if isinstance(value, dict):
            lines += ["", f"[{key}]", *(f"{name} = {_toml(item)}" for name, item in value.items())]
    return "\n".join(lines) + "\n"


def _toml(value: bool | int | float | str) -> str:
    # JSON's strings, integers and booleans are TOML's; floats keep every digit.
    return repr(value) if isinstance(value, float) else json.dumps(value)


# What may be set: (low, high) inclusive.
RANGES: dict[str, tuple[float, float]] = {
    "seed": (0, MAX_SEED),
    "randomize": (0, 1),
    "policy.hidden": (1, 65536),
    "policy.layers": (0, 64),
    "policy.action_repeat": (0, 10_000),
    "train.steps": (1, 10**15),
    "train.stop": (0, 10**15),
    "train.envs": (1, 10**7),
    "train.agents": (0, 1024),
    "train.horizon": (1, 10**5),
    "train.epochs": (1e-3, 1000),
    "train.minibatch": (1, 10**9),
    "train.learning_rate": (0, 10),
    "train.learning_rate_end": (0, 10),
    "train.gamma": (0, 1),
    "train.gae_lambda": (0, 1),
    "train.vtrace_delta": (0, 1e6),
    "train.vtrace_trace": (0, 1e6),
    "train.priority": (0, 10),
    "train.priority_weight": (0, 1),
    "train.clip": (1e-6, 100),
    "train.value_clip": (0, 1e9),
    "train.value_weight": (0, 1e6),
    "train.entropy": (0, 1e3),
    "train.entropy_end": (0, 1e3),
    "train.max_grad_norm": (0, 1e9),
    "train.reward_scale": (1e-9, 1e9),
    "train.widen": (0, 1),
    "train.checkpoints": (1, 10**6),
    "train.logs": (1, 10**6),
    "train.threads": (1, 1024),
    "train.env_threads": (1, 1024),
    "selfplay.share": (0, 1),
    "selfplay.pool": (1, 1024),
    "selfplay.snapshots": (1, 10**6),
    "demos.share": (0, 1),
    "demos.window": (0, 1),
    "demos.threshold": (0, 1),
    "demos.trials": (1, 10**6),
    "demos.until": (0, 1),
}


def validate(config: Config) -> None:
    """Raises MinnowError for a value that cannot be: what came, why it is wrong, what to do."""
    for full, (low, high) in RANGES.items():
        value: Any = config
        for part in full.split("."):
            value = getattr(value, part)
        if not low <= value <= high:  # a not-a-number is caught too
            raise MinnowError(f"{full} is {value}, outside {low:g} .. {high:g}.")
    if not re.fullmatch(r"auto|cpu|cuda(:\d{1,3})?", config.train.device):
        raise MinnowError(f"train.device is {config.train.device!r}: it must be auto, cpu, cuda or cuda:N.")
    if config.train.shaping == "discounted" and config.train.gamma == 0:
        raise MinnowError("train.shaping is discounted but train.gamma is 0: choose difference or none.")
    if config.policy.action_repeat and isinstance(config.place, envs.Foreign):
        raise MinnowError(
            f"{config.name} is not in C, so its steps are what its author made them: leave out --policy.action-repeat."
        )
    if config.demonstrations and config.selfplay.on:
        raise MinnowError(
            "demonstrations and selfplay.on exclude each other: what one side has shown is no measure of a game in "
            "which the network plays them all. Leave one of them out."
        )


def check_batch(config: Config, agents: int) -> None:
    """Raises MinnowError unless the minibatch divides the rollout. `agents`: rows of one environment."""
    train = config.train
    rows = train.envs * agents
    total = rows * train.horizon
    if total % train.minibatch:
        fit = max(size for size in _divisors(total) if size <= train.minibatch)
        raise MinnowError(
            f"train.minibatch is {train.minibatch}, which does not divide a rollout of {rows} rows x "
            f"{train.horizon} steps = {total} samples: try --train.minibatch {fit}."
        )
    if (config.policy.core != "mlp" or train.priority > 0) and train.minibatch % train.horizon:
        fit = max(1, train.minibatch // train.horizon) * train.horizon
        raise MinnowError(
            f"train.minibatch is {train.minibatch}, not a multiple of the horizon, {train.horizon}: a policy with "
            f"memory, or train.priority, learns from whole sequences; try --train.minibatch {fit}."
        )


def _divisors(number: int) -> list[int]:
    small = [i for i in range(1, int(number**0.5) + 1) if number % i == 0]
    return small + [number // i for i in small]
