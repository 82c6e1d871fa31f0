"""sb3-contrib: RecurrentPPO, MaskablePPO, QR-DQN, TQC, TRPO, CrossQ and ARS, by the importer of Stable-Baselines3.

Masks are no part of a policy: `session.step(obs, mask)` takes them, as `model.predict(..., action_masks=...)` does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from minnow.export.errors import ExportError
from minnow.export.importers import sb3
from minnow.export.importers.imported import EXAMPLES, Imported
from minnow.export.importers.sb3 import ActorCritic, Head, Options, actor_critic
from minnow.export.importers.spaces import action_of, kind

__all__ = ["Options", "load"]


def load(path: Path | str, **options: Any) -> Imported:
    """A model.zip; the options are those of Stable-Baselines3's `Options`. Raises ExportError."""
    return sb3.read("sb3_contrib", HEADS, path, Options(**options))


class Quantiles(nn.Module):
    """QR-DQN: the action of the highest value, the mean of its quantiles."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, obs: Any) -> tuple[Tensor]:
        return (self.net(obs).mean(1),)


class Recurrent(ActorCritic):
    """RecurrentPPO's actor. The value is left out where the critic has an LSTM of its own, as predict leaves it out."""

    def forward(self, obs: Any, state: Any = None) -> tuple[Any, ...]:
        policy = self.policy
        features = policy.extract_features(obs)
        pi, _ = (features, features) if policy.share_features_extractor else features
        out, state = policy.lstm_actor(pi.unsqueeze(0), state)
        return (*self.heads(policy.mlp_extractor.forward_actor(out.squeeze(0))), state)


def recurrent(policy: Any) -> Head:
    head = actor_critic(policy)
    lstm = policy.lstm_actor
    start = tuple(torch.zeros(lstm.num_layers, EXAMPLES, lstm.hidden_size) for _ in range(2))
    return Head(Recurrent(policy), head.outputs[:-1], head.action, start)


class Masked(ActorCritic):
    """MaskablePPO: logits before the mask; two for each number of a MultiBinary."""

    def heads(self, latent: Tensor) -> tuple[Tensor, ...]:
        return (self.policy.action_net(latent),)


def masked(policy: Any) -> Head:
    shown = {"value": policy.predict_values}
    return Head(Masked(policy), ("logits", "value"), action_of(policy.action_space), masked=True, shown=shown)


class Searched(nn.Module):
    """ARS: one network, whose tanh, where it has one, is that of the file's action."""

    policy: Any  # the library's
    net: Any

    def __init__(self, policy: Any) -> None:
        super().__init__()
        self.policy, self.net = policy, policy.action_net
        if policy.squash_output:
            if not isinstance(self.net[-1], nn.Tanh):
                raise ExportError(f"the policy ends with {self.net[-1]}, where Tanh is expected.")
            self.net = self.net[:-1]

    def forward(self, obs: Any) -> tuple[Tensor]:
        return (self.net(self.policy.extract_features(obs, self.policy.features_extractor)),)


def searched(policy: Any) -> Head:
    outputs = ("mean",) if kind(policy.action_space) == "Box" else ("logits",)
    return Head(Searched(policy), outputs, action_of(policy.action_space, policy.squash_output))


def quantiles(policy: Any) -> Head:
    return Head(Quantiles(policy.quantile_net), ("logits",), action_of(policy.action_space))


HEADS: sb3.Heads = {
    "RecurrentActorCriticPolicy": recurrent,
    "MaskableActorCriticPolicy": masked,
    "QRDQNPolicy": quantiles,
    "TQCPolicy": sb3.actor,
    "CrossQPolicy": sb3.actor,
    "ARSPolicy": searched,
    "ActorCriticPolicy": actor_critic,
}
