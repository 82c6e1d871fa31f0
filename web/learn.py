"""What a page learns with: `tutor.c` compiled for an environment, and the settings that its train.toml has tuned."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import minnow.envs
from minnow.cinfer import compile
from minnow.envs.find import OURS
from minnow.train import config as configs

HERE = Path(__file__).resolve().parent
CORE = Path(configs.__file__).resolve().parent / "core"
ACTIVATIONS = ("", "relu", "tanh")  # in the order of train/core/learn.h
SHAPINGS = ("none", "difference", "discounted")  # in the order of rows.h
# What tutor.c leaves to `minnow train`: settings that must be as they are here.
ONLY = {
    "policy": {"core": "mlp", "normalize": False, "remember": 0, "parts": False, "action_repeat": 0},
    "train": {"optimizer": "adam", "anneal": "linear", "advantage": "gae", "priority": 0.0, "normalize_reward": False},
    "selfplay": {"on": False},
}
# Within which a link may set what train/config.py has no range for, or a wider one than a page should try.
RANGES = {
    "seed": (0, 2**53 - 1),
    "steps": (1, 1e12),
    "hidden": (1, 512),
    "layers": (1, 8),
    "activation": (1, 2),
    "envs": (1, 65536),
    "agents": (1, 4096),
    "horizon": (1, 1024),
    "epochs": (0.01, 100),
    "minibatch": (1, 1e9),
    "normalize_advantage": (0, 1),
    "normalize_value": (0, 1),
    "shaping": (0, 2),
    "randomize": (0, 1),
}


def _header() -> str:
    return (HERE / "tutor.h").read_text("utf-8")


def order() -> list[str]:
    """The settings, as they follow one another in tutor.h."""
    (body,) = re.findall(r"typedef struct TutorSettings \{(.*?)\} TutorSettings;", _header(), re.DOTALL)
    body = re.sub(r"/\*.*?\*/", "", body, flags=re.DOTALL)
    return re.findall(r"\w+(?=[,;])", body)


def suits(env: str | Path) -> bool:
    """Whether a page can learn an environment as its train.toml says."""
    config = configs.defaults(env)
    parts = {"policy": config.policy, "train": config.train, "selfplay": config.selfplay}
    same = all(getattr(parts[part], name) == value for part, only in ONLY.items() for name, value in only.items())
    group = minnow.envs.spec(env).group
    return same and config.policy.activation in ACTIVATIONS and len(group) == 1 and group[0].kind != "set"


def settings(env: str | Path) -> dict[str, float]:
    """The tuned settings of an environment, by their names in tutor.h; the seed is 0."""
    config, spec = configs.defaults(env), minnow.envs.spec(env)
    train = config.train
    agents = train.agents or spec.agents
    found: dict[str, Any] = dataclasses.asdict(train) | {
        "seed": 0,
        "hidden": config.policy.hidden,
        "layers": config.policy.layers,
        "activation": ACTIVATIONS.index(config.policy.activation),
        "agents": agents,
        "shaping": SHAPINGS.index(train.shaping),
        "randomize": config.randomize,
    }
    return {name: float(found[name]) for name in order()}


def kit(env: str | Path) -> dict[str, Any]:
    """What the panel is to know, beside the addresses of its files."""
    ranges = {name: RANGES.get(name) or configs.RANGES[f"train.{name}"] for name in order()}
    return {
        "order": order(),
        "settings": settings(env),
        "ranges": ranges,
    }


def options(env: str | Path) -> dict[str, Any]:
    return {"defines": {"TUTOR_ENV": f'"{minnow.envs.source(env)}"'}, "include": [OURS, HERE, CORE]}


def wasm(env: str | Path) -> Path:
    """The module in which a page's worker learns, without imports."""
    built = options(env)
    built["defines"] |= {"ENV_NO_WORDS": "1"}
    exports = re.findall(r"^\w[\w ]*[ *]+(tutor_\w+)\(", _header(), re.MULTILINE)
    name = f"learn-{minnow.envs.folder(env).name}"
    flags = ["-O2"]  # as fast here as -O3
    return compile.wasm([HERE / "tutor.c"], exports=exports, grow=True, stack=1 << 17, flags=flags, name=name, **built)


def shared(env: str | Path) -> Path:
    """The same as a library of this machine."""
    name = f"learn-{minnow.envs.folder(env).name}"
    return compile.shared([HERE / "tutor.c"], name=name, **options(env))
