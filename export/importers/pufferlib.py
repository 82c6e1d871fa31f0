"""PufferLib 3: the Default policy, alone or in its LSTMWrapper, by its state dict.

The encoder is a linear layer and GELU; the decoder gives logits, or `decoder_mean` with `decoder_logstd`; the value is
a linear layer. The wrapper holds the policy under `policy.` and an LSTM under `lstm.` (`cell.` has the same weights).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from minnow.export.action import Action, Box, Discrete, MultiDiscrete
from minnow.export.errors import ExportError
from minnow.export.importers import layers
from minnow.export.importers.imported import EXAMPLES, Imported, samples, weights


@dataclass
class Options:
    """Export a policy of PufferLib 3: model_N.pt, a state dict. Only tensors are read."""

    sizes: tuple[int, ...] = ()
    """Choices of each head, for several (multi-discrete actions)."""
    obs: Literal["float32", "uint8"] = "float32"
    """What the environment's observations are."""
    low: float = -math.inf
    """What the environment clips continuous actions to from below."""
    high: float = math.inf
    """And from above."""


class Default(nn.Module):
    """forward(obs[, state]) -> logits, value[, state], or mean, log_std, value[, state]."""

    def __init__(self, tensors: dict[str, Tensor], memory: nn.LSTM | None) -> None:
        super().__init__()
        self.encoder = nn.Sequential(layers.linear(tensors, "encoder.0"), nn.GELU())
        self.continuous = "decoder_mean.weight" in tensors
        self.decoder = layers.linear(tensors, "decoder_mean" if self.continuous else decoder(tensors))
        self.value = layers.linear(tensors, "value")
        self.lstm = memory
        self.register_buffer("log_std", tensors["decoder_logstd"].reshape(-1) if self.continuous else None)

    def forward(self, obs: Tensor, state: Any = None) -> tuple[Any, ...]:
        hidden = self.encoder(obs.float())
        if self.lstm is not None:
            out, state = self.lstm(hidden.unsqueeze(0), state)
            hidden = out.squeeze(0)
        found = self.decoder(hidden)
        outputs = (found, self.log_std.expand_as(found)) if self.continuous else (found,)
        return (*outputs, self.value(hidden), *([] if self.lstm is None else [state]))


def decoder(tensors: dict[str, Tensor]) -> str:
    """The decoder's name: a layer alone, or the first of a sequence of one."""
    return "decoder" if "decoder.weight" in tensors else "decoder.0"


def load(path: Path | str, **options: Any) -> Imported:
    """A state dict; the options are those of `Options`. Raises ExportError."""
    chosen, path = Options(**options), Path(path)
    tensors = weights(path)
    memory = None
    if "lstm.weight_ih_l0" in tensors:
        memory = layers.recurrent(tensors, "lstm.")
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            other = tensors.get(f"cell.{name}")
            if other is not None and not torch.equal(other, tensors[f"lstm.{name}_l0"]):
                raise ExportError(f"{path}: cell.{name} is not lstm.{name}_l0, though the two share their weights.")
        tensors = layers.part(tensors, "policy.")
    known = ("encoder.0.", "decoder", "value.")
    strange = sorted(name for name in tensors if not name.startswith(known))
    if strange:
        raise ExportError(
            f"{path} holds {', '.join(strange[:5])}, which the Default policy has not: export the module in Python."
        )
    policy = Default(tensors, memory).eval()
    size, inputs = policy.decoder.out_features, policy.encoder[0].in_features
    action: Action
    if policy.continuous:
        action = Box([chosen.low] * size, [chosen.high] * size)
    else:
        action = MultiDiscrete(chosen.sizes) if chosen.sizes else Discrete(size)
        if chosen.sizes and sum(chosen.sizes) != size:
            raise ExportError(f"{path} has {size} logits, and --sizes {list(chosen.sizes)} is {sum(chosen.sizes)}.")
    return Imported(
        module=policy,
        obs=samples((inputs,), np.dtype(chosen.obs).name),
        outputs=(*(("mean", "log_std") if policy.continuous else ("logits",)), "value"),
        action=action,
        state=None if memory is None else layers.start(memory, EXAMPLES),
        observation=[{"name": f"observation {i}"} for i in range(inputs)],
        meta={"library": "PufferLib 3"},
    )
