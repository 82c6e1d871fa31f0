"""skrl: the policy of an agent's checkpoint as the model instantiator builds it, with its RunningStandardScaler.

The state dict shows layers but neither activations nor the distribution: options say them.
"""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from minnow.export.action import Action, Box, Discrete, MultiDiscrete
from minnow.export.errors import ExportError, first_line
from minnow.export.importers import layers
from minnow.export.importers.imported import Imported, present, samples, state_dict

EPSILON = 1e-8  # of RunningStandardScaler
LOG_STD = (-20.0, 2.0)  # what the Gaussian model clips to by default


@dataclass
class Options:
    """Export a checkpoint of skrl, agent_N.pt, or a policy's state dict. Only tensors are read."""

    activation: str = "elu"
    """The hidden layers' activation, which the checkpoint does not show."""
    kind: Literal["gaussian", "categorical", "deterministic"] | None = None
    """What the outputs are; found by itself where the policy has a log_std_parameter (gaussian)."""
    sizes: tuple[int, ...] = ()
    """Choices of each head, for several (multi-categorical)."""
    tanh: bool = False
    """The network's output goes through tanh, as with `output: tanh(ACTIONS)`."""
    low: float = -math.inf
    """What actions are clipped to from below (clip_actions)."""
    high: float = math.inf
    """And from above."""
    clip: float = 5.0
    """The scaler's clip_threshold."""


class Policy(nn.Module):
    """forward(obs) -> logits, or mean and log_std."""

    def __init__(self, tensors: dict[str, Tensor], scaler: dict[str, Tensor] | None, options: Options) -> None:
        super().__init__()
        self.clip, self.tanh = options.clip, options.tanh
        mean = std = None
        if scaler is not None:
            mean = scaler["running_mean"].float()
            std = scaler["running_variance"].float().sqrt() + EPSILON
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)
        found = [layers.linear(tensors, name) for name in order(tensors)]
        between = [part for layer in found for part in (layer, layers.activation(options.activation))]
        self.net = nn.Sequential(*between[:-1])
        log_std = tensors.get("log_std_parameter")
        self.register_buffer("log_std", None if log_std is None else log_std.clamp(*LOG_STD))

    def forward(self, obs: Tensor) -> Any:
        if self.mean is not None:
            obs = ((obs - self.mean) / self.std).clamp(-self.clip, self.clip)
        out = self.net(obs)
        out = out.tanh() if self.tanh else out
        return out if self.log_std is None else (out, self.log_std.expand_as(out))


def order(tensors: dict[str, Tensor]) -> list[str]:
    """The policy's linear layers, first to last: containers as they were defined, then the layer of the output."""
    names = [name.removesuffix(".weight") for name in tensors if name.endswith(".weight")]
    names = [name for name in names if not name.startswith("value")]
    known = re.compile(r"(\w+\.\d+|output_layer|policy_layer)")
    strange = [name for name in names if not known.fullmatch(name) or tensors[f"{name}.weight"].dim() != 2]
    last = [name for name in names if "." not in name]
    chain = [name for name in names if "." in name] + last
    sizes = [tensors[f"{name}.weight"].shape for name in chain]
    if strange or not chain or any(a[0] != b[1] for a, b in itertools.pairwise(sizes)):
        raise ExportError(
            f"the policy's layers {', '.join(names) or '(none)'} are no chain of linear ones: export the module "
            "in Python."
        )
    return chain


def load(path: Path | str, **options: Any) -> Imported:
    """A checkpoint; the options are those of `Options`. Raises ExportError."""
    chosen, path = Options(**options), Path(path)
    found = checkpoint(path)
    whole = isinstance(found.get("policy"), dict)
    tensors = state_dict(found["policy"] if whole else found, path)
    scaler = next((found[key] for key in ("observation_preprocessor", "state_preprocessor") if found.get(key)), None)
    policy = Policy(tensors, scaler if whole else None, chosen).eval()
    inputs, size = policy.net[0].in_features, policy.net[-1].out_features
    kind = chosen.kind or ("gaussian" if policy.log_std is not None else None)
    if kind is None or (kind == "gaussian") != (policy.log_std is not None):
        raise ExportError(
            f"{path} has {'a' if policy.log_std is not None else 'no'} log_std_parameter: say what the policy's "
            "outputs are with --kind categorical, deterministic or gaussian."
        )
    examples = samples((inputs,))
    if policy.mean is not None:
        examples = policy.mean.numpy() + examples * policy.std.numpy()
    action: Action
    if kind == "categorical":
        action = MultiDiscrete(chosen.sizes) if chosen.sizes else Discrete(size)
    else:
        action = Box([chosen.low] * size, [chosen.high] * size)
    return Imported(
        module=policy,
        obs=examples,
        outputs={"categorical": ("logits",), "deterministic": ("mean",), "gaussian": ("mean", "log_std")}[kind],
        action=action,
        observation=[{"name": f"observation {i}"} for i in range(inputs)],
        meta={"library": "skrl"},
    )


def checkpoint(path: Path) -> dict[str, Any]:
    try:
        found = torch.load(present(path), map_location="cpu", weights_only=True)
    except Exception as error:
        raise ExportError(f"{path} cannot be read as tensors alone: {first_line(error)}.") from None
    if not isinstance(found, dict):
        raise ExportError(f"{path} holds a {type(found).__name__}, where skrl saves a dict of modules.")
    return found
