"""PufferLib 3: the Default policy, alone or in its LSTMWrapper, by its state dict.

The encoder is a linear layer and GELU; the decoder gives logits, or `decoder_mean` with `decoder_logstd`; the value is
a linear layer. The wrapper holds the policy under `policy.` and an LSTM under `lstm.` (`cell.` has the same weights).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from minnow.export.errors import ExportError
from minnow.export.importers import layers
from minnow.export.importers.domain import Domain
from minnow.export.importers.imported import EXAMPLES, Imported
from minnow.export.importers.said import Bounds, box, choices
from minnow.export.importers.weights import Weights, opened


@dataclass
class Options(Bounds):
    """Export a policy of PufferLib 3: model_N.pt, a state dict. Only tensors are read."""

    sizes: tuple[int, ...] = ()
    """Choices of each action: one number for Discrete, several for MultiDiscrete."""
    obs: Literal["float32", "uint8"] = "float32"
    """What type the environment's observations have; the network gets the same numbers."""


class Default(nn.Module):
    """forward(obs[, state]) -> logits, value[, state], or mean, log_std, value[, state]."""

    log_std: Tensor

    def __init__(self, tensors: Weights, memory: nn.RNNBase | None) -> None:
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


def decoder(tensors: Weights) -> str:
    """The decoder's name: a layer alone, or the first of a sequence of one."""
    return "decoder" if "decoder.weight" in tensors else "decoder.0"


def load(path: Path | str, **options: Any) -> Imported:
    """A state dict; the options are those of `Options`. Raises ExportError."""
    chosen, path = Options(**options), Path(path)
    whole = opened(path)
    tensors, memory = whole, None
    if whole.has("lstm."):
        memory = layers.recurrent(whole, "lstm.")
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            other = whole.get(f"cell.{name}")
            if other is not None and not torch.equal(other, whole[f"lstm.{name}_l0"]):
                raise ExportError(f"{path}: cell.{name} is not lstm.{name}_l0, though the two share their weights.")
        tensors = whole.under("policy.")
    if not tensors.has("encoder.0."):
        raise ExportError(
            f"{path} is not of the Default policy: it holds {whole.holds()}; export the module in Python."
        )
    policy = Default(tensors, memory).eval()
    whole.finish()
    size, inputs = policy.decoder.out_features, layers.taken(policy.encoder)
    action = box(path, chosen, size) if policy.continuous else choices(path, chosen.sizes, size)
    domain = Domain((inputs,)) if chosen.obs == "float32" else Domain((inputs,), "uint8", 0, 255)
    return Imported(
        module=policy,
        obs=domain.draw(EXAMPLES),
        outputs=(*(("mean", "log_std") if policy.continuous else ("logits",)), "value"),
        action=action,
        state=None if memory is None else layers.start(memory, EXAMPLES),
        meta={"library": "PufferLib 3"},
    )
