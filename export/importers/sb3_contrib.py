"""sb3-contrib: RecurrentPPO, MaskablePPO, QR-DQN, TQC and TRPO, by the means of the importer of Stable-Baselines3.

Masks are no part of a policy: `session.step(obs, mask)` takes them, as `model.predict(..., action_masks=...)` does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from minnow.export.errors import ExportError, first_line
from minnow.export.importers import sb3
from minnow.export.importers.imported import EXAMPLES, Imported, library, trusted, version
from minnow.export.importers.sb3 import ActorCritic, Head, Options, action_kind, action_of, actor_critic, steps

__all__ = ["Options", "load"]
PACKAGE = "sb3-contrib"


def load(path: Path | str, **options: Any) -> Imported:
    """A model.zip; the options are those of Stable-Baselines3's `Options`. Raises ExportError."""
    chosen = Options(**options)
    path = trusted(Path(path), chosen.trust)
    name = chosen.algorithm or algorithm(path)
    contrib = library("sb3_contrib", PACKAGE)
    if not hasattr(contrib, name):
        raise ExportError(f"{path}: sb3-contrib has no algorithm {name!r}; name one of its own with --algorithm.")
    try:
        model = getattr(contrib, name).load(path, device="cpu")
    except Exception as error:
        raise ExportError(f"{path} cannot be loaded by {version(PACKAGE)} as {name}: {first_line(error)}.") from error
    return sb3.convert(model.policy, HEADS, chosen, {"library": version(PACKAGE), "algorithm": name, **steps(model)})


def algorithm(path: Path) -> str:
    """The class that wrote a model.zip, by the module of its policy."""
    home = sb3.settings(path).get("policy_class", {}).get("__module__", "")
    known = {".recurrent.": "RecurrentPPO", ".maskable.": "MaskablePPO", ".qrdqn.": "QRDQN", ".tqc.": "TQC"}
    for part, name in known.items():
        if part in home:
            return name
    raise ExportError(f"{path} does not show which algorithm of sb3-contrib it is of: name it with --algorithm.")


class Quantiles(nn.Module):
    """QR-DQN: the action of the highest value, the mean of its quantiles."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, obs: Any) -> tuple[Tensor]:
        return (self.net(obs).mean(1),)


class Recurrent(ActorCritic):
    """RecurrentPPO's actor. The value is left out where the critic has an LSTM of its own, as predict leaves it out."""

    def forward(self, obs: Any, state: tuple[Tensor, Tensor]) -> tuple[Any, ...]:
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
    """MaskablePPO: logits before the mask."""

    def heads(self, latent: Tensor) -> tuple[Tensor, ...]:
        found = self.policy.action_net(latent)
        return (sb3.pairs(found) if self.binary else found,)


def masked(policy: Any) -> Head:
    return Head(Masked(policy), ("logits", "value"), action_of(policy.action_space))


def quantiles(policy: Any) -> Head:
    assert action_kind(policy.action_space) == "Discrete"
    return Head(Quantiles(policy.quantile_net), ("logits",), action_of(policy.action_space))


HEADS: sb3.Heads = {
    "RecurrentActorCriticPolicy": recurrent,
    "MaskableActorCriticPolicy": masked,
    "QRDQNPolicy": quantiles,
    "TQCPolicy": sb3.actor,
    "ActorCriticPolicy": actor_critic,
}
