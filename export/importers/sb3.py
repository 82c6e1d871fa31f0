"""Stable-Baselines3: PPO, A2C, DQN, SAC, TD3 and DDPG, with VecNormalize and VecFrameStack in the file.

The file's action is that of `model.predict(obs, deterministic=True)`, for the observation as the environment gives it.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from minnow.export.action import Action, Box, Discrete, MultiDiscrete
from minnow.export.errors import ExportError, first_line
from minnow.export.importers.front import Front, Normaliser
from minnow.export.importers.imported import EXAMPLES, Imported, library, present, samples, trusted, version

PACKAGE = "stable-baselines3"


@dataclass
class Options:
    """Export a model that Stable-Baselines3 saved."""

    trust: bool = False
    """The file holds pickles, which can run any code; say that you trust whoever made it."""
    normalize: Path | None = None
    """What VecNormalize.save wrote, also a pickle: observations are then normalised and clipped in the file."""
    frame_stack: int = 1
    """Frames that VecFrameStack puts together; the file then takes one and remembers the others."""
    channels_first: bool = False
    """Images come as channels, height, width already; else the file takes height, width, channels."""
    algorithm: str | None = None
    """The model's class, as PPO or DQN, where the file does not show it."""


def load(path: Path | str, **options: Any) -> Imported:
    """A model.zip; the options are those of `Options`. Raises ExportError."""
    chosen = Options(**options)
    path = trusted(Path(path), chosen.trust)
    name = chosen.algorithm or algorithm(path)
    sb3 = library("stable_baselines3", PACKAGE)
    if not hasattr(sb3, name):
        raise ExportError(f"{path}: Stable-Baselines3 has no algorithm {name!r}; name one of its own with --algorithm.")
    try:
        model = getattr(sb3, name).load(path, device="cpu")
    except Exception as error:
        raise ExportError(f"{path} cannot be loaded by {version(PACKAGE)} as {name}: {first_line(error)}.") from error
    return convert(model.policy, HEADS, chosen, {"library": version(PACKAGE), "algorithm": name, **steps(model)})


def algorithm(path: Path) -> str:
    """The class that wrote a model.zip, by what is in its settings."""
    data = settings(path)
    home = data.get("policy_class", {}).get("__module__", "")
    for part, name in ((".dqn.", "DQN"), (".sac.", "SAC")):
        if part in home:
            return name
    if ".td3." in home:
        return "TD3"
    if "clip_range" in data:
        return "PPO"
    if "rms_prop_eps" in data or "gae_lambda" in data:
        return "A2C"
    raise ExportError(f"{path} does not show which algorithm it is of: name it with --algorithm.")


def settings(path: Path) -> dict[str, Any]:
    """The JSON in a model.zip. Nothing of it is unpickled."""
    try:
        with zipfile.ZipFile(present(path)) as archive:
            return json.loads(archive.read("data"))
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise ExportError(f"{path} is no file of model.save: {first_line(error)}.") from None


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


class ActorCritic(nn.Module):
    """Policies of PPO and A2C, and those of the same form."""

    def __init__(self, policy: nn.Module) -> None:
        super().__init__()
        self.policy = policy
        self.binary = action_kind(policy.action_space) == "MultiBinary"

    def forward(self, obs: Any) -> tuple[Tensor, ...]:
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
        if action_kind(self.policy.action_space) == "Box":
            return (found,) if self.policy.use_sde else (found, self.policy.log_std.expand_as(found))
        return (pairs(found) if self.binary else found,)


class Actor(nn.Module):
    """The actors of SAC and TD3: numbers that tanh and the bounds of the space become actions."""

    def __init__(self, actor: nn.Module) -> None:
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
    head = names if action_kind(policy.action_space) == "Box" else ("logits",)
    return Head(ActorCritic(policy), (*head, "value"), action_of(policy.action_space, policy.squash_output))


def actor(policy: Any) -> Head:
    net = Actor(policy.actor)
    sampled = net.gaussian and not policy.actor.use_sde
    return Head(net, ("mean", "log_std") if sampled else ("mean",), action_of(policy.action_space, True))


def q_values(policy: Any) -> Head:
    return Head(Values(policy.q_net), ("logits",), action_of(policy.action_space))


Heads = dict[str, Callable[[Any], Head]]
HEADS: Heads = {"ActorCriticPolicy": actor_critic, "SACPolicy": actor, "TD3Policy": actor, "DQNPolicy": q_values}


# Spaces


def action_kind(space: Any) -> str:
    return type(space).__name__


def action_of(space: Any, squash: bool = False) -> Action:
    """The action spec of a Gymnasium space. squash: actions of the policy are in [-1, 1] and stretched to the space."""
    kind = action_kind(space)
    if kind == "Discrete" and space.start == 0:
        return Discrete(int(space.n))
    if kind == "MultiDiscrete" and np.ndim(space.nvec) == 1 and not np.any(space.start):
        return MultiDiscrete([int(n) for n in space.nvec])
    if kind == "MultiBinary":
        return MultiDiscrete([2] * int(np.prod(space.shape)))
    if kind == "Box":
        return Box(space.low.reshape(-1), space.high.reshape(-1), "tanh" if squash else "clip")
    raise ExportError(
        f"the action space {space} is not known: Discrete, MultiDiscrete, MultiBinary or Box is expected."
    )


def describe(space: Any) -> dict[str, Any]:
    """A space of observations in JSON."""
    if action_kind(space) == "Dict":
        return {name: describe(inner) for name, inner in space.spaces.items()}
    found: dict[str, Any] = {"space": action_kind(space), "shape": list(space.shape), "dtype": str(space.dtype)}
    if action_kind(space) == "Box":
        low, high = float(space.low.min()), float(space.high.max())
        found |= {"low": low} if np.isfinite(low) else {}
        found |= {"high": high} if np.isfinite(high) else {}
    return found


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


def convert(policy: Any, heads: Heads, options: Options, meta: dict[str, Any]) -> Imported:
    """A policy of Stable-Baselines3 or of a library built on it."""
    policy.set_training_mode(False)
    ancestors = [kind.__name__ for kind in type(policy).__mro__]
    found = next((heads[name] for name in ancestors if name in heads), None)
    if found is None:
        raise ExportError(f"policies of class {type(policy).__name__} are not known: {', '.join(heads)} are.")
    head = found(policy)
    space = policy.observation_space
    single = action_kind(space) != "Dict"
    spaces = {"obs": space} if single else dict(space.spaces)
    statistics = normalisation(options, single)
    fronts, examples = {}, {}
    for name, inner in spaces.items():
        fronts[name], examples[name] = front(inner, statistics.get(name), options)
    model = Model(fronts, head.net, single, head.state is not None).eval()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    state: dict[str, Any] = {}
    if model.stacked:
        state["frames"] = {name: torch.from_numpy(fronts[name].start(examples[name])) for name in model.stacked}
    if head.state is not None:
        state["memory"] = head.state
    return Imported(
        module=model,
        obs=examples["obs"] if single else examples,
        outputs=head.outputs,
        action=head.action,
        state=state or None,
        observation=describe(space),
        meta=meta,
    )


def front(space: Any, statistics: Normaliser | None, options: Options) -> tuple[Front, np.ndarray]:
    """How one array comes to the policy, and examples of it as the environment gives it."""
    from stable_baselines3.common.preprocessing import is_image_space, is_image_space_channels_first

    kind = action_kind(space)
    if kind in ("Discrete", "MultiDiscrete"):
        if options.frame_stack > 1:
            raise ExportError(f"observations of {space} cannot be stacked.")
        random = np.random.default_rng(0)
        sizes = np.asarray(space.n if kind == "Discrete" else space.nvec)
        return Front(), random.integers(sizes, size=(EXAMPLES, *space.shape)).astype(np.int32)
    image = len(space.shape) == 3 and is_image_space(space, check_channels=False, normalized_image=True)
    first = image and is_image_space_channels_first(space)
    turn = first and not options.channels_first
    along = 0 if first else -1  # the axis of a space's shape along which frames are stacked
    shape = list(space.shape)
    if shape[along] % options.frame_stack:
        raise ExportError(f"an observation of shape {shape} is no stack of {options.frame_stack} frames.")
    shape[along] //= options.frame_stack
    shown, stacked = (tuple([*s[1:], s[0]] if turn else s) for s in (shape, list(space.shape)))
    before = after = None
    if statistics is not None:
        found = tuple(statistics.mean.shape)
        if found == shown:
            before = statistics
        elif found == stacked:
            after = turned(statistics) if turn else statistics
        else:
            raise ExportError(
                f"the normaliser is of observations {list(found)}, the model takes {list(shown)}: give the "
                "statistics that were saved with it."
            )
    examples = samples(shown, "uint8" if space.dtype == np.uint8 else "float32")
    if before is not None and examples.dtype == np.float32:
        examples = before.mean.numpy() + examples * before.std.numpy()
    return Front(turn, options.frame_stack, 1 if first else -1, before, after), examples


def turned(normaliser: Normaliser) -> Normaliser:
    """The same for channels, height, width."""
    for name, buffer in list(normaliser.named_buffers()):
        setattr(normaliser, name, buffer.permute(2, 0, 1).contiguous())
    return normaliser


def normalisation(options: Options, single: bool) -> dict[str, Normaliser]:
    """What VecNormalize does to each array of the observation; `obs` where there is but one."""
    if options.normalize is None:
        return {}
    path = trusted(Path(options.normalize), options.trust)
    wrapper = saved_wrapper(path)
    if not wrapper.norm_obs:
        return {}
    rms = {"obs": wrapper.obs_rms} if single else wrapper.obs_rms
    if single == isinstance(wrapper.obs_rms, dict):
        raise ExportError(
            f"{path} normalises {'a dict of arrays' if single else 'one array'}, the model takes another."
        )
    return {
        name: Normaliser(item.mean, np.sqrt(item.var + wrapper.epsilon), float(wrapper.clip_obs))
        for name, item in rms.items()
    }


class AnyShape:
    """Equal to every shape: the statistics are held against the model afterwards."""

    __hash__ = None

    def __eq__(self, other: object) -> bool:
        return True


def saved_wrapper(path: Path) -> Any:
    """VecNormalize as saved, read by its own library, around no environment."""
    kind = library("stable_baselines3.common.vec_env", PACKAGE).VecNormalize
    nothing = SimpleNamespace(num_envs=1, render_mode=None, observation_space=SimpleNamespace(shape=AnyShape()))
    try:
        found = kind.load(str(path), nothing)
    except Exception as error:
        raise ExportError(f"{path} is no file of VecNormalize.save: {first_line(error)}.") from error
    return found
