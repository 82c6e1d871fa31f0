"""CleanRL: agents by their published shapes, from what its scripts save. The shape shows which it is.

| script | what the state dict holds |
|---|---|
| ppo | `actor.{0,2,4}`, `critic.{0,2,4}`, tanh between |
| ppo_continuous_action, rpo_... | `actor_mean.{0,2,4}`, `actor_logstd`, `critic.{0,2,4}`, tanh between |
| ppo_atari, ppo_atari_lstm | `network.{0,2,4,7}` (three convolutions and a layer, ReLU), `lstm`, `actor`, `critic` |
| dqn, dqn_atari | `network.{0,2,4}`; `network.{0,2,4,7,9}`, ReLU between |
| c51, c51_atari | the same with `atoms`, under `model_weights` |
| sac_continuous_action, td3, ddpg | `fc1`, `fc2`, `fc_mean` and `fc_logstd` or `fc_mu`, `action_scale`, `action_bias` |

td3 and ddpg save a tuple, the actor first. Whether a choice is one of n or several is not shown: `--sizes` says it. The
continuous PPO normalises and clips observations outside the agent: `--normalize` takes the statistics.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from minnow.export.action import Action, Box, Discrete
from minnow.export.errors import ExportError, first_line
from minnow.export.importers import layers
from minnow.export.importers.domain import Domain
from minnow.export.importers.files import present
from minnow.export.importers.front import Normaliser
from minnow.export.importers.imported import EXAMPLES, Imported
from minnow.export.importers.said import Bounds, box, choices
from minnow.export.importers.weights import Weights, opened

EPSILON = 1e-8  # of Gymnasium's NormalizeObservation
SIDE = 84  # of the images
ROOTS = ("", "model_weights.", "0.", "agent.", "model.", "state_dict.", "model_state_dict.", "actor_state_dict.")
LEFT_OUT = ("qf1.", "qf2.", "1.", "2.", "optimizer", "critic_state_dict.")  # critics of td3, ddpg and sac


@dataclass
class Options(Bounds):
    """Export an agent of CleanRL: what its script saved. Only tensors are read."""

    sizes: tuple[int, ...] = ()
    """Choices of each action, of PPO's agents: one number for Discrete, several for MultiDiscrete."""
    normalize: Path | None = None
    """A .safetensors file with `mean` and `var` of NormalizeObservation: the file then normalises."""
    raw: bool = False
    """The continuous PPO's observations come as its agent takes them: without NormalizeObservation."""
    clip: float = 10.0
    """What normalised observations are clipped to; the script has 10."""


def load(path: Path | str, **options: Any) -> Imported:
    """What a script saved; the options are those of `Options`. Raises ExportError."""
    return convert(opened(Path(path)), Options(**options), {"library": "CleanRL"})


def convert(whole: Weights, options: Options, meta: dict[str, Any]) -> Imported:
    path = whole.path
    fits = (
        (whole.under(root), kind)
        for root in ROOTS
        for needed, kind in KINDS.items()
        if all(whole.has(root + prefix) for prefix in needed)
    )
    tensors, kind = next(fits, (whole, None))
    if kind is None:
        raise ExportError(
            f"{path} is of no agent that CleanRL has published: it holds {whole.holds()}; export the module in Python."
        )
    agent = kind(tensors, options).eval()
    whole.finish(*LEFT_OUT)
    domain = Domain(agent.shape, "uint8", 0, 255) if len(agent.shape) == 3 else Domain(agent.shape)
    module: nn.Module = agent
    if options.normalize is not None:
        before = statistics(options.normalize, options.clip, agent.shape)
        module = Normalised(before, agent)
        domain = Domain(agent.shape, mean=before.mean.numpy(), std=before.std.numpy())
    elif isinstance(agent, Continuous) and not options.raw:
        raise ExportError(
            f"{path} does not show the statistics of NormalizeObservation, behind which the script puts its agent: say "
            "--normalize FILE, a .safetensors file of `mean` and `var`, or --raw where it was trained without."
        )
    memory = getattr(agent, "lstm", None)
    return Imported(
        module=module.eval(),
        obs=domain.draw(EXAMPLES),
        outputs=agent.outputs,
        action=agent.action,
        state=None if memory is None else layers.start(memory, EXAMPLES),
        observation={"shape": list(agent.shape), "dtype": domain.dtype},
        meta=meta | {"agent": type(agent).__name__},
    )


def statistics(path: Path, clip: float, shape: tuple[int, ...]) -> Normaliser:
    """The normaliser of a file of `mean` and `var`."""
    try:
        found = safetensors.torch.load_file(present(Path(path)))
        mean, var = (found[name].double().numpy() for name in ("mean", "var"))
    except (SafetensorError, KeyError) as error:
        raise ExportError(f"{path} does not hold `mean` and `var` as safetensors: {first_line(error)}.") from None
    if mean.shape != shape or var.shape != shape:
        raise ExportError(f"{path}: the mean is {list(mean.shape)}, the agent takes {list(shape)}.")
    return Normaliser(mean, np.sqrt(var + EPSILON), clip)


class Normalised(nn.Module):
    """An agent behind a normaliser."""

    def __init__(self, before: Normaliser, agent: nn.Module) -> None:
        super().__init__()
        self.before, self.agent = before, agent

    def forward(self, obs: Tensor) -> Any:
        return self.agent(self.before(obs))


class Agent(nn.Module):
    """What an agent tells of itself: one observation's shape, its outputs by name, its action."""

    shape: tuple[int, ...]
    outputs: tuple[str, ...] = ("logits", "value")
    action: Action


class Categorical(Agent):
    """ppo"""

    def __init__(self, tensors: Weights, options: Options) -> None:
        super().__init__()
        self.actor, self.critic = (layers.mlp(tensors, name, "tanh") for name in ("actor.", "critic."))
        self.shape = (layers.taken(self.actor),)
        self.action = choices(tensors.path, options.sizes, layers.given(self.actor))

    def forward(self, obs: Tensor) -> tuple[Tensor, ...]:
        return self.actor(obs), self.critic(obs)


class Continuous(Agent):
    """ppo_continuous_action"""

    outputs = ("mean", "log_std", "value")
    log_std: Tensor

    def __init__(self, tensors: Weights, options: Options) -> None:
        super().__init__()
        self.actor, self.critic = (layers.mlp(tensors, name, "tanh") for name in ("actor_mean.", "critic."))
        self.register_buffer("log_std", tensors["actor_logstd"].reshape(-1))
        size = layers.given(self.actor)
        self.shape, self.action = (layers.taken(self.actor),), box(tensors.path, options, size)

    def forward(self, obs: Tensor) -> tuple[Tensor, ...]:
        mean = self.actor(obs)
        return mean, self.log_std.expand_as(mean), self.critic(obs)


class Pictures(Agent):
    """ppo_atari"""

    def __init__(self, tensors: Weights, options: Options) -> None:
        super().__init__()
        self.network, self.shape = atari(tensors)
        self.actor, self.critic = (layers.linear(tensors, name) for name in ("actor", "critic"))
        self.action = choices(tensors.path, options.sizes, self.actor.out_features)

    def forward(self, obs: Tensor) -> tuple[Tensor, ...]:
        hidden = self.network(obs / 255.0)
        return self.actor(hidden), self.critic(hidden)


class RecurrentPictures(Pictures):
    """ppo_atari_lstm"""

    def __init__(self, tensors: Weights, options: Options) -> None:
        super().__init__(tensors, options)
        self.lstm = layers.recurrent(tensors, "lstm.")

    def forward(self, obs: Tensor, state: Any = None) -> tuple[Any, ...]:
        out, state = self.lstm(self.network(obs / 255.0).unsqueeze(0), state)
        hidden = out.squeeze(0)
        return self.actor(hidden), self.critic(hidden), state


class Values(Agent):
    """dqn and dqn_atari: the action of the highest value"""

    outputs = ("logits",)

    def __init__(self, tensors: Weights, options: Options) -> None:
        super().__init__()
        self.pictures = tensors["network.0.weight"].dim() == 4
        if self.pictures:
            network, self.shape = atari(tensors)
            self.network = nn.Sequential(network, layers.linear(tensors, "network.9"))
        else:
            self.network = layers.mlp(tensors, "network.", "relu")
            self.shape = (layers.taken(self.network),)
        self.action = Discrete(layers.given(self.network))

    def forward(self, obs: Tensor) -> Tensor:
        return self.network(obs / 255.0 if self.pictures else obs)


class Atoms(Values):
    """c51 and c51_atari: the action of the highest expectation over its atoms"""

    atoms: Tensor

    def __init__(self, tensors: Weights, options: Options) -> None:
        super().__init__(tensors, options)
        self.register_buffer("atoms", tensors["atoms"].reshape(-1))
        count = layers.given(self.network)
        each, rest = divmod(count, len(self.atoms))
        if rest:
            raise ExportError(
                f"{tensors.path} has {count} outputs for {len(self.atoms)} atoms: each action needs as many."
            )
        self.each, self.action = each, Discrete(each)

    def forward(self, obs: Tensor) -> Tensor:
        found = super().forward(obs).reshape(obs.shape[0], self.each, len(self.atoms))
        return (found.softmax(2) * self.atoms).sum(2)


class Squashed(Agent):
    """sac_continuous_action (mean and deviation), td3 and ddpg (the action alone)"""

    def __init__(self, tensors: Weights, options: Options) -> None:
        super().__init__()
        gaussian = "fc_mean.weight" in tensors
        self.body = nn.Sequential(layers.linear(tensors, "fc1"), nn.ReLU(), layers.linear(tensors, "fc2"), nn.ReLU())
        self.mean = layers.linear(tensors, "fc_mean" if gaussian else "fc_mu")
        self.deviation = layers.linear(tensors, "fc_logstd") if gaussian else None
        self.outputs = ("mean", "log_std") if gaussian else ("mean",)
        scale, bias = (tensors[name].reshape(-1).double() for name in ("action_scale", "action_bias"))
        self.shape = (layers.taken(self.body),)
        self.action = Box((bias - scale).tolist(), (bias + scale).tolist(), "tanh")

    def forward(self, obs: Tensor) -> Any:
        hidden = self.body(obs)
        if self.deviation is None:
            return self.mean(hidden)
        return self.mean(hidden), -5 + 3.5 * (self.deviation(hidden).tanh() + 1)  # in [-5, 2]


KINDS: dict[tuple[str, ...], type[Agent]] = {
    ("actor_mean.", "actor_logstd", "critic."): Continuous,
    ("network.0.", "lstm.", "actor.weight", "critic.weight"): RecurrentPictures,
    ("network.0.", "actor.weight", "critic.weight"): Pictures,
    ("actor.0.", "critic.0."): Categorical,
    ("fc1.", "fc2.", "fc_mean.", "fc_logstd.", "action_scale"): Squashed,
    ("fc1.", "fc2.", "fc_mu.", "action_scale"): Squashed,
    ("network.0.", "atoms"): Atoms,
    ("network.0.",): Values,
}


def atari(tensors: Weights) -> tuple[nn.Sequential, tuple[int, ...]]:
    """Three convolutions and a layer (Mnih et al., 2015), and the shape of the images."""
    made: list[nn.Module] = []
    channels = 0
    for number, stride in ((0, 4), (2, 2), (4, 1)):
        weight = tensors.get(f"network.{number}.weight", torch.zeros(0))
        if weight.dim() != 4:
            raise ExportError(f"network.{number} is not a convolution: export the module in Python.")
        channels = channels or weight.shape[1]
        layer = nn.Conv2d(weight.shape[1], weight.shape[0], (weight.shape[2], weight.shape[3]), stride)
        layer.load_state_dict({name: tensors[f"network.{number}.{name}"] for name in ("weight", "bias")})
        made += [layer, nn.ReLU()]
    shape = (channels, SIDE, SIDE)
    layer, given = layers.linear(tensors, "network.7"), nn.Sequential(*made, nn.Flatten())(torch.zeros(1, *shape))
    if layer.in_features != given.shape[1]:
        raise ExportError(
            f"network.7 takes {layer.in_features} numbers, and images of {SIDE} x {SIDE}, which the scripts use, give "
            f"{given.shape[1]}: export the module in Python."
        )
    return nn.Sequential(*made, nn.Flatten(), layer, nn.ReLU()), shape
