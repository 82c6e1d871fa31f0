"""The table of what importers are held to: every algorithm and policy class of the installed libraries, with spaces and
wrappers. `Case.short` marks those that run in the short form."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from gymnasium import spaces

VECTOR = spaces.Box(-np.inf, np.inf, (5,), np.float32)
IMAGE = spaces.Box(0, 255, (40, 36, 3), np.uint8)
SPEED = spaces.Box(-1, 1, (3,), np.float32)
OBSERVATIONS = {
    "vector": VECTOR,
    "board": spaces.Box(-1, 1, (4, 5, 3), np.float32),  # three axes, and no image
    "cube": spaces.Box(0, 1, (4, 4, 4), np.float64),
    "whole": spaces.Box(-3, 9, (4,), np.int64),
    "bytes": spaces.Box(0, 255, (6,), np.uint8),
    "digit": spaces.Discrete(5),
    "digits": spaces.MultiDiscrete([3, 4, 2]),
    "bits": spaces.MultiBinary(6),
    "image": IMAGE,
    "grey": spaces.Box(0, 255, (36, 40, 1), np.uint8),
    "image-first": spaces.Box(0, 255, (3, 36, 40), np.uint8),
    "dict": spaces.Dict({"picture": IMAGE, "speed": SPEED, "gear": spaces.Discrete(4)}),
    "views": spaces.Dict({"picture": IMAGE, "speed": SPEED}),
    "boxes": spaces.Dict({"speed": SPEED, "view": spaces.Box(-2, 5, (2, 3), np.float32)}),
}
ARM = spaces.Box(np.array([-2, -1, 0], np.float32), np.array([2, 0.5, 3], np.float32))
ACTIONS = {
    "discrete": spaces.Discrete(4),
    "multi": spaces.MultiDiscrete([3, 2]),
    "binary": spaces.MultiBinary(3),
    "box": ARM,
}
ALL, CHOICES = tuple(ACTIONS), ("discrete", "multi", "binary")
TAKES = {  # the actions that each algorithm takes
    "PPO": ALL,
    "A2C": ALL,
    "TRPO": ALL,
    "RecurrentPPO": ALL,
    "MaskablePPO": CHOICES,
    "DQN": ("discrete",),
    "QRDQN": ("discrete",),
    "ARS": ("discrete", "box"),
    "SAC": ("box",),
    "TD3": ("box",),
    "DDPG": ("box",),
    "TQC": ("box",),
    "CrossQ": ("box",),
}
WRAPPERS = ("", "normalize", "stack", "normalize stack", "stack normalize")  # from the environment outwards
OFF = {"buffer_size": 40}
FEW = {  # small models, which are not trained
    name: {"n_steps": 4} if name in ("PPO", "A2C", "TRPO", "RecurrentPPO", "MaskablePPO") else OFF for name in TAKES
} | {"ARS": {"zero_policy": False}}
FEATURES = {"features_extractor_kwargs": {"features_dim": 32}}  # of images, instead of 512


@dataclass(frozen=True)
class Case:
    """A model of Stable-Baselines3 or sb3-contrib."""

    algorithm: str
    policy: str
    observation: str
    action: str
    wrappers: str = ""
    kwargs: dict[str, Any] = field(default_factory=dict, hash=False)  # of the policy
    settings: dict[str, Any] = field(default_factory=dict, hash=False)  # of the algorithm
    options: dict[str, Any] = field(default_factory=dict, hash=False)  # of the importer
    refused: str = ""  # what the refusal says, of what the library itself does not do in earnest
    short: bool = False

    @property
    def said(self) -> dict[str, Any]:
        return {key: value for key, value in (self.kwargs | self.settings).items() if not isinstance(value, dict)}

    def __str__(self) -> str:
        more = "-".join(f"{key}" if value is True else f"{key}={value}" for key, value in self.said.items())
        return "-".join(
            filter(None, (self.algorithm, self.policy, self.observation, self.action, *self.wrappers.split(), more))
        )


def seen_by(policy: str) -> tuple[str, ...]:
    """The observations for a policy's name."""
    if policy.startswith("Cnn"):
        return ("image", "image-first", "grey")
    if policy.startswith("MultiInput"):
        return ("dict", "boxes", "views")
    return ("vector", "board", "cube", "whole", "bytes", "digit", "digits", "bits", "image")


def cases(algorithms: dict[str, tuple[str, ...]]) -> Iterator[Case]:
    """Every algorithm with every policy (`algorithms`, from the libraries), action, observation and wrapper."""
    short = set(SHORT)
    for algorithm, policies in algorithms.items():
        for policy in policies:
            for observation in seen_by(policy):
                for action in TAKES[algorithm]:
                    for wrappers in WRAPPERS:
                        if sensible(policy, observation, action, wrappers, algorithm):
                            found = Case(
                                algorithm,
                                policy,
                                observation,
                                action,
                                wrappers,
                                **further(policy, observation, wrappers),
                            )
                            yield replace(found, short=str(found) in short)
    yield from SPECIAL


def sensible(policy: str, observation: str, action: str, wrappers: str, algorithm: str) -> bool:
    """Whether the libraries' wrappers take it. What does not depend on each other is not crossed: every action and
    every wrapper meets every policy, every observation meets every kind of policy."""
    first = observation in ("vector", "image", "dict", "boxes")
    plain = action == TAKES[algorithm][0]
    if not (plain or (first and not wrappers)):
        return False
    if observation == "digits" and "Lstm" in policy:
        return False  # the library gives torch's LSTM the size as a NumPy number, which torch refuses
    if observation in ("digit", "digits", "bits"):
        return not wrappers
    if observation == "dict":
        return "stack" not in wrappers  # Discrete is not stacked
    if policy.startswith("Cnn"):
        return not wrappers or (
            observation == "image-first" if "normalize" in wrappers else observation != "image-first"
        )
    if observation == "image":
        return plain and wrappers in ("", "normalize")
    return first or algorithm in ("PPO", "DQN", "TD3", "RecurrentPPO", "MaskablePPO") or not wrappers


def further(policy: str, observation: str, wrappers: str) -> dict[str, Any]:
    kwargs: dict[str, Any] = {}
    options: dict[str, Any] = {}
    if policy.startswith("Cnn"):
        kwargs |= FEATURES
        if "normalize" in wrappers:
            kwargs |= {"normalize_images": False}
    if observation in ("dict", "views"):
        kwargs |= {"features_extractor_kwargs": {"cnn_output_dim": 32}}
    if observation == "image-first":
        options |= {"channels_first": True}
    if observation in ("board", "cube", "boxes", "image", "views", "image-first") and "stack" in wrappers:
        first = observation == "image-first" and wrappers.startswith("stack")  # while it is an image
        options |= {"channels_order": "first" if first else "last"}
    # VecFrameStack keeps frames in the type of the environment's space, so that whole numbers cut what is normalised.
    cut = observation in ("whole", "bytes") and wrappers == "normalize stack"
    return {"kwargs": kwargs, "options": options, "refused": "acts otherwise than" if cut else ""}


SHORT = (
    "PPO-MlpPolicy-board-discrete",
    "A2C-MultiInputPolicy-boxes-discrete-normalize-stack",
    "TD3-MlpPolicy-vector-box-stack-normalize",
    "CrossQ-MlpPolicy-vector-box",
    "ARS-MlpPolicy-vector-box",
    "ARS-LinearPolicy-vector-discrete",
    "MaskablePPO-MlpPolicy-vector-binary",
    "PPO-MlpPolicy-whole-discrete-normalize-stack",
)
SDE = {"use_sde": True}
SPECIAL = (
    Case("PPO", "MlpPolicy", "vector", "box", settings=SDE, kwargs={"squash_output": True}),
    Case("PPO", "MlpPolicy", "vector", "box", settings=SDE),
    Case("A2C", "MlpPolicy", "vector", "box", kwargs={"net_arch": [16], "ortho_init": False}),
    Case("PPO", "CnnPolicy", "image", "discrete", kwargs={"share_features_extractor": False, **FEATURES}),
    Case("SAC", "MlpPolicy", "vector", "box", settings=SDE),
    Case("TQC", "MlpPolicy", "vector", "box", settings=SDE),
    Case("CrossQ", "MlpPolicy", "vector", "box", settings=SDE),
    Case("ARS", "MlpPolicy", "vector", "box", kwargs={"squash_output": False}),
    Case("ARS", "LinearPolicy", "vector", "box", kwargs={"with_bias": True}),
    *(
        Case("RecurrentPPO", "MlpLstmPolicy", "vector", "discrete", kwargs=kwargs | {"lstm_hidden_size": 16})
        for kwargs in (
            {"shared_lstm": True, "enable_critic_lstm": False},
            {"shared_lstm": False, "enable_critic_lstm": False},
            {"n_lstm_layers": 2},
        )
    ),
)
