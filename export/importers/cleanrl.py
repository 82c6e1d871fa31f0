"""CleanRL: agents by their published shapes, from the state dicts that its scripts save. The shape shows which it is.

| script | what the state dict holds |
|---|---|
| ppo | `actor.{0,2,4}`, `critic.{0,2,4}`, tanh between |
| ppo_continuous_action | `actor_mean.{0,2,4}`, `actor_logstd`, `critic.{0,2,4}`, tanh between |
| ppo_atari, ppo_atari_lstm | `network.{0,2,4,7}` (three convolutions and a layer, ReLU), `lstm`, `actor`, `critic` |
| dqn, dqn_atari | `network.{0,2,4}`; `network.{0,2,4,7,9}`, ReLU between |
| sac_continuous_action, td3, ddpg | `fc1`, `fc2`, `fc_mean` and `fc_logstd` or `fc_mu`, `action_scale`, `action_bias` |

Its continuous PPO normalises and clips observations outside the agent: `--normalize` takes the statistics.
"""

from __future__ import annotations

import math
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
from minnow.export.importers.front import Normaliser
from minnow.export.importers.imported import EXAMPLES, Imported, present, samples, weights

EPSILON = 1e-8  # of Gymnasium's NormalizeObservation
SIDE = 84  # of the images


@dataclass
class Options:
    """Export an agent of CleanRL: the state dict that its script saved. Only tensors are read."""

    normalize: Path | None = None
    """A .safetensors file with `mean` and `var` of NormalizeObservation: the file then normalises."""
    clip: float = 10.0
    """What normalised observations are clipped to."""
    low: float = -math.inf
    """What the environment clips each action to from below (continuous PPO)."""
    high: float = math.inf
    """And from above."""


def load(path: Path | str, **options: Any) -> Imported:
    """A state dict; the options are those of `Options`. Raises ExportError."""
    return convert(weights(Path(path)), Path(path), Options(**options), {"library": "CleanRL"})


def convert(tensors: dict[str, Tensor], path: Path, options: Options, meta: dict[str, Any]) -> Imported:
    fits = (kind for needed, kind in KINDS.items() if all(any(n.startswith(p) for n in tensors) for p in needed))
    kind = next(fits, None)
    if kind is None:
        raise ExportError(
            f"{path} is of no agent that CleanRL has published: it holds {', '.join(sorted(tensors)[:6])}, ...; export "
            "the module in Python."
        )
    agent = kind(tensors, options).eval()
    examples = samples(agent.shape, "uint8" if len(agent.shape) == 3 else "float32")
    module: nn.Module = agent
    if options.normalize is not None:
        before = statistics(options.normalize, options.clip, agent.shape)
        module, examples = Normalised(before, agent), before.mean.numpy() + examples * before.std.numpy()
    memory = getattr(agent, "lstm", None)
    return Imported(
        module=module.eval(),
        obs=examples.astype(examples.dtype if examples.dtype == np.uint8 else np.float32),
        outputs=agent.outputs,
        action=agent.action,
        state=None if memory is None else layers.start(memory, EXAMPLES),
        observation={"shape": list(agent.shape), "dtype": str(examples.dtype)},
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

    def __init__(self, tensors: dict[str, Tensor], options: Options) -> None:
        super().__init__()
        self.actor, self.critic = (layers.mlp(tensors, name, "tanh") for name in ("actor.", "critic."))
        self.shape, self.action = (self.actor[0].in_features,), Discrete(self.actor[-1].out_features)

    def forward(self, obs: Tensor) -> tuple[Tensor, ...]:
        return self.actor(obs), self.critic(obs)


class Continuous(Agent):
    """ppo_continuous_action"""

    outputs = ("mean", "log_std", "value")

    def __init__(self, tensors: dict[str, Tensor], options: Options) -> None:
        super().__init__()
        self.actor, self.critic = (layers.mlp(tensors, name, "tanh") for name in ("actor_mean.", "critic."))
        self.register_buffer("log_std", tensors["actor_logstd"].reshape(-1))
        size = self.actor[-1].out_features
        self.shape, self.action = (self.actor[0].in_features,), Box([options.low] * size, [options.high] * size)

    def forward(self, obs: Tensor) -> tuple[Tensor, ...]:
        mean = self.actor(obs)
        return mean, self.log_std.expand_as(mean), self.critic(obs)


class Pictures(Agent):
    """ppo_atari"""

    def __init__(self, tensors: dict[str, Tensor], options: Options) -> None:
        super().__init__()
        self.network, self.shape = atari(tensors)
        self.actor, self.critic = (layers.linear(tensors, name) for name in ("actor", "critic"))
        self.action = Discrete(self.actor.out_features)

    def forward(self, obs: Tensor) -> tuple[Tensor, ...]:
        hidden = self.network(obs / 255.0)
        return self.actor(hidden), self.critic(hidden)


class RecurrentPictures(Pictures):
    """ppo_atari_lstm"""

    def __init__(self, tensors: dict[str, Tensor], options: Options) -> None:
        super().__init__(tensors, options)
        self.lstm = layers.recurrent(tensors, "lstm.")

    def forward(self, obs: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Any, ...]:
        out, state = self.lstm(self.network(obs / 255.0).unsqueeze(0), state)
        hidden = out.squeeze(0)
        return self.actor(hidden), self.critic(hidden), state


class Values(Agent):
    """dqn and dqn_atari: the action of the highest value"""

    outputs = ("logits",)

    def __init__(self, tensors: dict[str, Tensor], options: Options) -> None:
        super().__init__()
        self.pictures = tensors["network.0.weight"].dim() == 4
        if self.pictures:
            network, self.shape = atari(tensors)
            self.network = nn.Sequential(network, layers.linear(tensors, "network.9"))
        else:
            self.network = layers.mlp(tensors, "network.", "relu")
            self.shape = (self.network[0].in_features,)
        self.action = Discrete(self.network[-1].out_features)

    def forward(self, obs: Tensor) -> Tensor:
        return self.network(obs / 255.0 if self.pictures else obs)


class Squashed(Agent):
    """sac_continuous_action (mean and deviation), td3 and ddpg (the action alone)"""

    def __init__(self, tensors: dict[str, Tensor], options: Options) -> None:
        super().__init__()
        gaussian = "fc_mean.weight" in tensors
        self.body = nn.Sequential(layers.linear(tensors, "fc1"), nn.ReLU(), layers.linear(tensors, "fc2"), nn.ReLU())
        self.mean = layers.linear(tensors, "fc_mean" if gaussian else "fc_mu")
        self.deviation = layers.linear(tensors, "fc_logstd") if gaussian else None
        self.outputs = ("mean", "log_std") if gaussian else ("mean",)
        scale, bias = (tensors[name].reshape(-1).double() for name in ("action_scale", "action_bias"))
        self.shape = (self.body[0].in_features,)
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
    ("network.0.",): Values,
}


def atari(tensors: dict[str, Tensor]) -> tuple[nn.Sequential, tuple[int, ...]]:
    """Three convolutions and a layer (Mnih et al., 2015), and the shape of the images."""
    made: list[nn.Module] = []
    for number, stride in ((0, 4), (2, 2), (4, 1)):
        weight = tensors.get(f"network.{number}.weight", torch.zeros(0))
        if weight.dim() != 4:
            raise ExportError(f"network.{number} is no convolution: export the module in Python.")
        layer = nn.Conv2d(weight.shape[1], weight.shape[0], tuple(weight.shape[2:]), stride)
        layer.load_state_dict({name: tensors[f"network.{number}.{name}"] for name in ("weight", "bias")})
        made += [layer, nn.ReLU()]
    network = nn.Sequential(*made, nn.Flatten(), layers.linear(tensors, "network.7"), nn.ReLU())
    return network, (made[0].in_channels, SIDE, SIDE)
