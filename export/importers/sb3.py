"""Stable-Baselines3: PPO, A2C, DQN, SAC, TD3 and DDPG, with VecNormalize and VecFrameStack in the file.

The file's action is that of `model.predict(obs, deterministic=True)`, for the observation as the environment gives it;
each import is held to that.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from minnow.export.action import Action
from minnow.export.errors import ExportError, first_line
from minnow.export.importers import sb3_files
from minnow.export.importers.files import trusted
from minnow.export.importers.front import Front
from minnow.export.importers.imported import EXAMPLES, Imported, library, version
from minnow.export.importers.spaces import action_of, describe, kind

PACKAGES = {"stable_baselines3": "stable-baselines3", "sb3_contrib": "sb3-contrib"}


@dataclass
class Options:
    """Export a model that Stable-Baselines3 saved."""

    trust: bool = False
    """The file holds pickles, which can run any code; say that you trust whoever made it."""
    normalize: Path | None = None
    """What VecNormalize.save wrote, also a pickle: observations are then normalised and clipped in the file."""
    frame_stack: int = 1
    """Frames that VecFrameStack puts together; the file then takes one and remembers the others."""
    channels_order: Literal["first", "last"] | None = None
    """VecFrameStack's channels_order, where the model does not show along which axis arrays other than images are
    stacked."""
    channels_first: bool = False
    """Images come as channels, height, width already; else the file takes height, width, channels."""
    algorithm: str | None = None
    """The model's class, as PPO or DQN, where the file does not show it."""


def load(path: Path | str, **options: Any) -> Imported:
    """A model.zip; the options are those of `Options`. Raises ExportError."""
    return read("stable_baselines3", HEADS, path, Options(**options))


def read(home: str, heads: Heads, path: Path | str, options: Options) -> Imported:
    """A model.zip of one of the two packages, by its module's name."""
    path = trusted(Path(path), options.trust)
    name = sb3_files.algorithm(path, home, options.algorithm)
    try:
        model = getattr(library(home, PACKAGES[home]), name).load(path, device="cpu")
    except Exception as error:
        raise ExportError(
            f"{path} cannot be loaded by {version(PACKAGES[home])} as {name}: {first_line(error)}."
        ) from error
    return convert(model, name, heads, options)


def steps(model: Any) -> dict[str, Any]:
    """What a model says of its training."""
    return {"steps": int(model.num_timesteps)} | ({"seed": model.seed} if model.seed is not None else {})


# Heads: from the preprocessed observation to outputs, by the class of the policy


@dataclass
class Head:
    """How a policy computes its outputs. net: forward(obs[, state]) -> outputs[, state]."""

    net: nn.Module
    outputs: tuple[str, ...]
    action: Action
    state: Any = None  # for EXAMPLES agents
    masked: bool = False  # the library takes masks of actions
    shown: dict[str, Callable[[Any], Tensor]] = field(default_factory=dict)  # outputs as the library computes them


class ActorCritic(nn.Module):
    """Policies of PPO and A2C, and those of the same form."""

    policy: Any  # the library's

    def __init__(self, policy: nn.Module) -> None:
        super().__init__()
        self.policy = policy
        self.binary = kind(policy.action_space) == "MultiBinary"

    def forward(self, obs: Any, state: Any = None) -> tuple[Any, ...]:
        features = self.policy.extract_features(obs)
        if not self.policy.share_features_extractor:
            pi, vf = features
            latent = self.policy.mlp_extractor.forward_actor(pi), self.policy.mlp_extractor.forward_critic(vf)
        else:
            latent = self.policy.mlp_extractor(features)
        return (*self.heads(latent[0]), self.policy.value_net(latent[1]))

    def heads(self, latent: Tensor) -> tuple[Tensor, ...]:
        """Logits; or the mean and, where noise does not depend on the state, the logarithm of its deviation."""
        found = self.policy.action_net(latent)
        if kind(self.policy.action_space) == "Box":
            return (found,) if self.policy.use_sde else (found, self.policy.log_std.expand_as(found))
        return (pairs(found) if self.binary else found,)


class Actor(nn.Module):
    """The actors of SAC and TD3: numbers that tanh and the bounds of the space become actions."""

    actor: Any  # the library's
    last: Any

    def __init__(self, actor: Any) -> None:
        super().__init__()
        self.actor = actor
        self.last = actor.mu
        self.gaussian = hasattr(actor, "latent_pi")
        if not self.gaussian:  # TD3's network ends with the tanh that the file's action has
            if not isinstance(actor.mu[-1], nn.Tanh):
                raise ExportError(f"the actor ends with {actor.mu[-1]}, where Tanh is expected.")
            self.last = actor.mu[:-1]

    def forward(self, obs: Any) -> tuple[Tensor, ...]:
        latent = self.actor.extract_features(obs, self.actor.features_extractor)
        if not self.gaussian:
            return (self.last(latent),)
        latent = self.actor.latent_pi(latent)
        mean = self.last(latent)
        return (mean,) if self.actor.use_sde else (mean, self.actor.log_std(latent).clamp(-20, 2))


class Values(nn.Module):
    """DQN: the action of the highest value."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, obs: Any) -> tuple[Tensor]:
        return (self.net(obs),)


def pairs(logits: Tensor) -> Tensor:
    """Yes-or-no choices as choices of two: [agents, n] to [agents, 2 n]."""
    return torch.stack([torch.zeros_like(logits), logits], -1).flatten(1)


def actor_critic(policy: Any) -> Head:
    names = ("mean",) if policy.use_sde else ("mean", "log_std")
    head = names if kind(policy.action_space) == "Box" else ("logits",)
    action = action_of(policy.action_space, policy.squash_output)
    return Head(ActorCritic(policy), (*head, "value"), action, shown={"value": policy.predict_values})


def actor(policy: Any) -> Head:
    net = Actor(policy.actor)
    sampled = net.gaussian and not policy.actor.use_sde
    return Head(net, ("mean", "log_std") if sampled else ("mean",), action_of(policy.action_space, True))


def q_values(policy: Any) -> Head:
    return Head(Values(policy.q_net), ("logits",), action_of(policy.action_space), shown={"logits": policy.q_net})


Heads = dict[str, Callable[[Any], Head]]
HEADS: Heads = {"ActorCriticPolicy": actor_critic, "SACPolicy": actor, "TD3Policy": actor, "DQNPolicy": q_values}


# Everything between the environment and the policy


class Model(nn.Module):
    """forward(obs[, state]): the fronts of each array, then the head. State: frames by name, then the head's own."""

    def __init__(self, fronts: dict[str, Front], head: nn.Module, single: bool, recurrent: bool) -> None:
        super().__init__()
        self.fronts = nn.ModuleDict(fronts)
        self.head, self.single, self.recurrent = head, single, recurrent
        self.stacked = [name for name, front in fronts.items() if front.stack > 1]

    def forward(self, obs: Any, state: Any = None) -> Any:
        given = {"obs": obs} if self.single else obs
        shown, frames = {}, {}
        for name, front in self.fronts.items():
            shown[name], frames[name] = front(given[name], state["frames"][name] if name in self.stacked else None)
        fed = shown["obs"] if self.single else shown
        out = self.head(fed, state["memory"]) if self.recurrent else self.head(fed)
        outputs, memory = (out[:-1], out[-1]) if self.recurrent else (out, None)
        if state is None:
            return outputs if len(outputs) > 1 else outputs[0]
        after = {"frames": {name: frames[name] for name in self.stacked}} if self.stacked else {}
        return (*outputs, after | ({"memory": memory} if self.recurrent else {}))


def convert(model: Any, name: str, heads: Heads, options: Options) -> Imported:
    """A model of Stable-Baselines3 or of a library built on it, as loaded."""
    wrappers = importlib.import_module("minnow.export.importers.sb3_wrappers")
    policy, space = model.policy, model.policy.observation_space
    policy.set_training_mode(False)
    ancestors = [one.__name__ for one in type(policy).__mro__]
    found = next((heads[one] for one in ancestors if one in heads), None)
    if found is None:
        raise ExportError(f"policies of class {type(policy).__name__} are not supported: {', '.join(heads)} are.")
    head = found(policy)
    wrapper = None
    if options.normalize is not None:
        wrapper = wrappers.saved_wrapper(trusted(Path(options.normalize), options.trust))
    ways = wrappers.ways(space, wrapper, options)
    single = kind(space) != "Dict"
    fronts = {name: way.front for name, way in ways.items()}
    examples = {name: way.domain.draw(EXAMPLES) for name, way in ways.items()}
    module = Model(fronts, head.net, single, head.state is not None).eval()
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    state: dict[str, Any] = {}
    if module.stacked:
        state["frames"] = {name: torch.from_numpy(fronts[name].start(examples[name])) for name in module.stacked}
    if head.state is not None:
        state["memory"] = head.state
    library, masked = version(package(model)), getattr(head.action, "sizes", ()) if head.masked else ()
    return Imported(
        module=module,
        obs=examples["obs"] if single else examples,
        outputs=head.outputs,
        action=head.action,
        state=state or None,
        observation=describe(ways["obs"].raw) if single else {name: describe(way.raw) for name, way in ways.items()},
        meta={"library": library, "algorithm": name, **steps(model)},
        witness=wrappers.witness(model, ways, wrapper, options, f"{library}'s {name}", masked, head.shown),
    )


def package(model: Any) -> str:
    """The distribution that a model's class, or the nearest ancestor of its own, comes with."""
    homes = [one.__module__.partition(".")[0] for one in type(model).__mro__]
    return next(PACKAGES[home] for home in homes if home in PACKAGES)
