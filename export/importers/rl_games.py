"""rl_games: the actor of a PPO checkpoint, NAME.pth: an MLP, with an LSTM or GRU before or after it, with its
normaliser of observations.

| what the checkpoint holds, under `model.a2c_network.` | |
|---|---|
| `actor_mlp.{0,2,4}` | the layers, an activation after each |
| `rnn.rnn`, or `a_rnn.rnn` where the critic has its own; `layer_norm`, `a_layer_norm` | the memory |
| `mu`, `logits`, or `logits.{0,1,...}` | the action: numbers, a choice, or several |

and `model.running_mean_std`. The deviation of a Gaussian and the value are left out: the file acts as the library's
player does with `deterministic: True`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from minnow.export.action import Action, Box, Discrete, MultiDiscrete
from minnow.export.errors import ExportError
from minnow.export.importers import layers
from minnow.export.importers.domain import Domain
from minnow.export.importers.imported import EXAMPLES, Imported
from minnow.export.importers.said import Bounds, box, needed
from minnow.export.importers.weights import Weights, opened

EPSILON = 1e-5  # of RunningMeanStd
CLIP = 5.0  # of what it normalises
ROOT = "a2c_network."
# What stands beside an actor in a checkpoint, and is no part of it.
LEFT_OUT = (
    *(f"model.{ROOT}{name}" for name in ("value.", "critic_mlp.", "c_rnn.", "c_layer_norm.", "sigma")),
    *("model.value_mean_std.", "optimizer.", "assymetric_vf_", "central_val_stats.", "scaler.", "reward_mean_std."),
)


@dataclass
class Options(Bounds):
    """Export a PPO checkpoint of rl_games, NAME.pth. Only tensors are read."""

    activation: str | None = None
    """The MLP's activation, which the checkpoint does not show."""
    mu_activation: str = ""
    """The configuration's mu_activation, which the checkpoint does not show; None is a word here."""
    clip_actions: Literal["true", "false"] | None = None
    """The configuration's clip_actions. With true the player clips to [-1, 1] and stretches that to --low and --high,
    the bounds of the environment's actions; with false these are what the environment itself clips to."""
    rnn: Literal["before", "after"] | None = None
    """Whether the memory is before the MLP (before_mlp) or after it, where sizes do not show it."""


class Actor(nn.Module):
    """forward(obs[, state]) -> mean or logits[, state]."""

    mean: Tensor | None
    std: Tensor

    def __init__(self, tensors: Weights, options: Options) -> None:
        super().__init__()
        mean = std = None
        if tensors.has("running_mean_std."):
            mean = tensors["running_mean_std.running_mean"].reshape(-1)
            std = (tensors["running_mean_std.running_var"].reshape(-1) + EPSILON).sqrt()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)
        own = tensors.under(ROOT)
        kept = "a_" if own.has("a_rnn.") else ""
        self.rnn = layers.recurrent(own, f"{kept}rnn.rnn.") if own.has(f"{kept}rnn.") else None
        self.norm = norm(own, f"{kept}layer_norm.") if own.has(f"{kept}layer_norm.") else None
        self.mlp = nn.Sequential()
        if own.has("actor_mlp."):
            self.mlp = layers.mlp(own, "actor_mlp.", layers.said(options.activation, tensors.path), last=True)
        heads = [name.removesuffix(".weight") for name in own if name.startswith(("mu.w", "logits."))]
        heads = [name for name in heads if not name.endswith("bias")]
        if not heads:
            raise ExportError(f"{tensors.path} has neither mu nor logits: export the module in Python.")
        self.heads = nn.ModuleList(layers.linear(own, name) for name in heads)
        self.continuous = heads == ["mu"]
        self.last = nn.Identity()
        if self.continuous:
            how = "--mu-activation as the configuration has it, None or one of " + ", ".join(layers.ACTIVATIONS)
            self.last = layers.activation(needed(options.mu_activation, tensors.path, "its mu_activation", how))
        self.before = self.rnn is not None and self.first(self.rnn, options, tensors.path)
        self.scale: Any = 1.0
        self.shift: Any = 0.0

    def first(self, rnn: nn.RNNBase, options: Options, path: Path) -> bool:
        """Whether the memory comes before the MLP. Raises ExportError where nothing shows it."""
        taken, given = rnn.input_size, rnn.hidden_size
        enters = leaves = given
        if len(self.mlp):
            enters, leaves = layers.taken(self.mlp), layers.given(nn.Sequential(*list(self.mlp)[:-1]))
        wanted = layers.taken(nn.Sequential(*self.heads))
        fits = {"before": (enters, leaves) == (given, wanted), "after": (leaves, given) == (taken, wanted)}
        found = [name for name, fit in fits.items() if fit]
        if len(found) == 2 and len(self.mlp):
            return needed(options.rnn, path, "where its memory is", "--rnn before, or after the MLP") == "before"
        if not found or (options.rnn or found[0]) not in found:
            raise ExportError(
                f"{path}: a memory from {taken} to {given}, an MLP from {enters} to {leaves} and a head of {wanted} "
                "do not follow on each other (concat_input and concat_output are not read): export it in Python."
            )
        return found[0] == "before"

    @property
    def inputs(self) -> int:
        if self.rnn is not None and (self.before or not len(self.mlp)):
            return self.rnn.input_size
        return layers.taken(self.mlp if len(self.mlp) else nn.Sequential(*self.heads))

    def forward(self, obs: Tensor, state: Any = None) -> Any:
        if self.mean is not None:
            obs = ((obs - self.mean) / self.std).clamp(-CLIP, CLIP)
        if self.rnn is None:
            return self.act(self.mlp(obs))
        out, state = self.rnn((obs if self.before else self.mlp(obs)).unsqueeze(0), state)
        out = out.squeeze(0)
        out = out if self.norm is None else self.norm(out)
        return self.act(self.mlp(out) if self.before else out), state

    def act(self, latent: Tensor) -> Tensor:
        found = [head(latent) for head in self.heads]
        if not self.continuous:
            return torch.cat(found, 1)
        return self.last(found[0]) * self.scale + self.shift


def norm(tensors: Weights, prefix: str) -> nn.LayerNorm:
    own = tensors.under(prefix)
    made = nn.LayerNorm(len(own["weight"]))
    made.load_state_dict(dict(own))
    return made


def load(path: Path | str, **options: Any) -> Imported:
    """A checkpoint; the options are those of `Options`. Raises ExportError."""
    chosen, path = Options(**options), Path(path)
    whole = opened(path)
    if not whole.has(f"model.{ROOT}"):
        raise ExportError(f"{path} is no PPO checkpoint of rl_games: it holds {whole.holds()}.")
    tensors = whole.under("model.")
    actor = Actor(tensors, chosen).eval()
    tensors.get("running_mean_std.count")
    whole.finish(*LEFT_OUT)
    sizes = [layers.given(nn.Sequential(head)) for head in actor.heads]
    action: Action = Discrete(sizes[0]) if len(sizes) == 1 else MultiDiscrete(sizes)
    if actor.continuous:
        action = stretched(actor, path, chosen, sizes[0])
    known = (None, None) if actor.mean is None else (actor.mean.numpy(), actor.std.numpy())
    return Imported(
        module=actor,
        obs=Domain((actor.inputs,), mean=known[0], std=known[1]).draw(EXAMPLES),
        outputs=("mean",) if actor.continuous else ("logits",),
        action=action,
        state=None if actor.rnn is None else layers.start(actor.rnn, EXAMPLES),
        meta={"library": "rl_games"},
    )


def stretched(actor: Actor, path: Path, options: Options, size: int) -> Box:
    """The action spec of numbers; with clip_actions the actor's [-1, 1] is stretched to the bounds."""
    how = "--clip-actions true, or false, as the configuration has it"
    clips = needed(options.clip_actions, path, "whether its player clips actions", how) == "true"
    action = box(path, options, size)
    if clips:
        low, high = np.asarray(action.low), np.asarray(action.high)
        if not np.isfinite([low, high]).all():
            raise ExportError(
                "--clip-actions true stretches actions to the environment's bounds: say --low and --high."
            )
        actor.scale, actor.shift = (torch.from_numpy(item).float() for item in ((high - low) / 2, (high + low) / 2))
    return action
