"""rsl_rl: the actor of a runner's checkpoint, an MLP, with an LSTM or GRU before it, with its empirical normaliser.

Versions 4 and 5 (`actor_state_dict`) and 2 and 3 (`model_state_dict`, with `actor.` and `memory_a.`) are read. The
library neither squashes nor clips actions; `low` and `high` say what the environment clips them to.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from minnow.export.action import Box
from minnow.export.errors import ExportError
from minnow.export.importers import layers
from minnow.export.importers.imported import EXAMPLES, Imported, samples, weights

EPSILON = 1e-2  # of EmpiricalNormalization


@dataclass
class Options:
    """Export a checkpoint of rsl_rl, model_N.pt, or an actor's state dict. Only tensors are read."""

    activation: str = "elu"
    """The hidden layers' activation, which the checkpoint does not show."""
    low: float = -math.inf
    """What the environment clips each action to from below."""
    high: float = math.inf
    """And from above."""
    deterministic: bool = False
    """The actor has no distribution: what it gives is the action."""


class Actor(nn.Module):
    """forward(obs[, state]) -> mean[, log_std][, state]."""

    def __init__(self, tensors: dict[str, Tensor], options: Options) -> None:
        super().__init__()
        mean, std = tensors.get("obs_normalizer._mean"), tensors.get("obs_normalizer._std")
        self.register_buffer("mean", mean)
        self.register_buffer("std", None if std is None else std + EPSILON)
        self.mlp = layers.mlp(tensors, "mlp.", options.activation)
        self.rnn = layers.recurrent(tensors, "rnn.rnn.") if "rnn.rnn.weight_ih_l0" in tensors else None
        scale = tensors.get("distribution.std_param")
        logarithm = tensors.get("distribution.log_std_param") if scale is None else scale.clamp_min(1e-6).log()
        self.register_buffer("log_std", logarithm)

    def forward(self, obs: Tensor, state: Any = None) -> Any:
        if self.mean is not None:
            obs = (obs - self.mean) / self.std
        if self.rnn is not None:
            out, state = self.rnn(obs.unsqueeze(0), state)
            obs = out.squeeze(0)
        mean = self.mlp(obs)
        outputs = (mean,) if self.log_std is None else (mean, self.log_std.expand_as(mean))
        if self.rnn is not None:
            return (*outputs, state)
        return outputs if len(outputs) > 1 else mean


def load(path: Path | str, **options: Any) -> Imported:
    """A checkpoint; the options are those of `Options`. Raises ExportError."""
    chosen, path = Options(**options), Path(path)
    tensors = names(weights(path))
    if not chosen.deterministic and not any(name.startswith("distribution.") for name in tensors):
        raise ExportError(
            f"{path}: the actor's distribution is not a Gaussian with a deviation of its own, and the checkpoint does "
            "not show which it is: say --deterministic if it has none, else export the module in Python."
        )
    actor = Actor(tensors, chosen).eval()
    inputs = actor.mlp[0].in_features if actor.rnn is None else actor.rnn.input_size
    size = actor.mlp[-1].out_features
    examples = samples((inputs,))
    if actor.mean is not None:
        examples = actor.mean.numpy() + examples * actor.std.numpy()
    return Imported(
        module=actor,
        obs=examples,
        outputs=("mean",) if actor.log_std is None else ("mean", "log_std"),
        action=Box([chosen.low] * size, [chosen.high] * size),
        state=None if actor.rnn is None else layers.start(actor.rnn, EXAMPLES),
        observation=[{"name": f"observation {i}"} for i in range(inputs)],
        meta={"library": "rsl_rl"},
    )


def names(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The actor's tensors by the names of version 5."""
    if any(name.startswith("mlp.") for name in tensors):
        return tensors
    known = {
        "actor_obs_normalizer.": "obs_normalizer.",
        "memory_a.": "rnn.",
        "actor.": "mlp.",
        "std": "distribution.std_param",
        "log_std": "distribution.log_std_param",
    }
    found = {}
    for name, item in tensors.items():
        for old, new in known.items():
            if name == old or (old.endswith(".") and name.startswith(old)):
                found[new + name.removeprefix(old)] = item
    if not found:
        raise ExportError(f"the checkpoint has no actor of rsl_rl: it holds {', '.join(list(tensors)[:5])}, ...")
    return {name: torch.as_tensor(item) for name, item in found.items()}
