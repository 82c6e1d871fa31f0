"""skrl: the policy, or the Q-network, of an agent's checkpoint as the model instantiators build it, with its scaler.

A state dict shows layers by their containers, but neither activations nor what becomes of the outputs: options say
them, as the agent's configuration does. Where the library is installed, its own instantiator builds the same model
anew, and the import is held to it.
"""

from __future__ import annotations

import importlib.util
import itertools
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from minnow.export.action import Action, Box, Discrete
from minnow.export.errors import ExportError, first_line
from minnow.export.importers import layers
from minnow.export.importers.domain import Domain
from minnow.export.importers.imported import EXAMPLES, Imported, library, version
from minnow.export.importers.said import Bounds, box, choices, needed
from minnow.export.importers.weights import Weights, opened
from minnow.export.importers.witness import AGENTS, STEPS, Witness

EPSILON = 1e-8  # of RunningStandardScaler
LOG_STD = (-20.0, 2.0)  # what the Gaussian models clip to by default
SCALERS = ("observation_preprocessor.", "state_preprocessor.")  # the second is the first's name before version 2
HEADS = ("output_layer", "policy_layer", "value_layer", "net_layer")
# What stands beside a policy in a checkpoint, and is no part of it.
LEFT_OUT = (
    *("value", "critic", "target_", "discriminator", "optimizer", "policy_optimizer", "entropy_optimizer"),
    *("amp_", "state_preprocessor.", "log_entropy_coefficient", "policy.value_layer."),
)


@dataclass
class Options(Bounds):
    """Export a checkpoint of skrl, agent_N.pt, or a policy's state dict. Only tensors are read."""

    activation: tuple[str, ...] = ()
    """The hidden layers' activations, which the checkpoint does not show: one for all or one each."""
    output: Literal["ACTIONS", "tanh(ACTIONS)"] | None = None
    """The model's `output`, which the checkpoint does not show."""
    kind: Literal["gaussian", "categorical", "deterministic"] | None = None
    """What the outputs are; shown where the policy has a log_std_parameter (gaussian)."""
    sizes: tuple[int, ...] = ()
    """Choices of each action, of a categorical policy."""
    containers: tuple[str, ...] = ()
    """The order in which an observation goes through several containers, where it does so one after another."""
    clip: float | None = None
    """The scaler's clip_threshold, where there is a scaler."""
    agent: str | None = None
    """Whose policy to take from a checkpoint of several agents."""


class Policy(nn.Module):
    """forward(obs) -> logits, or mean and log_std."""

    mean: Tensor | None
    std: Tensor
    log_std: Tensor | None

    def __init__(self, net: nn.Sequential, scaler: Weights | None, options: Options, log_std: Tensor | None) -> None:
        super().__init__()
        self.net, self.clip, self.tanh = net, options.clip or math.inf, options.output == "tanh(ACTIONS)"
        mean = std = None
        if scaler is not None:
            mean = scaler["running_mean"]
            std = scaler["running_variance"].sqrt() + EPSILON
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)
        self.register_buffer("log_std", None if log_std is None else log_std.clamp(*LOG_STD))

    def forward(self, obs: Tensor) -> Any:
        if self.mean is not None:
            obs = ((obs - self.mean) / self.std).clamp(-self.clip, self.clip)
        out = self.net(obs)
        out = out.tanh() if self.tanh else out
        return out if self.log_std is None else (out, self.log_std.expand_as(out))


def load(path: Path | str, **options: Any) -> Imported:
    """A checkpoint; the options are those of `Options`. Raises ExportError."""
    chosen, path = Options(**options), Path(path)
    chosen.activation = (chosen.activation,) if isinstance(chosen.activation, str) else tuple(chosen.activation)
    whole = opened(path)
    root = of_agent(whole, chosen)
    part = next((part for part in ("policy.", "q_network.") if whole.has(root + part)), None)
    tensors = whole.under(root + part) if part else whole.under(root)
    parts = order(tensors, chosen)
    scaler = next((whole.under(root + name) for name in SCALERS if part and whole.has(f"{root}{name}")), None)
    if scaler is not None:
        needed(chosen.clip, path, "the clip_threshold of its scaler", "--clip, which is 5 unless it was set")
        scaler.get("current_count")
    needed(chosen.output, path, "the model's output", "--output ACTIONS, or tanh(ACTIONS)")
    policy = Policy(network(tensors, parts, chosen), scaler, chosen, tensors.get("log_std_parameter")).eval()
    others = [f"{name}." for name in agents(whole) if root and f"{name}." != root]
    whole.finish(*(root + name for name in LEFT_OUT), *others)
    size, kind = layers.given(policy.net), kind_of(policy, part == "q_network.", chosen, path)
    action: Action
    if kind == "values":
        action = Discrete(size)
    elif kind == "categorical":
        action = choices(path, chosen.sizes, size)
    else:
        action = box(path, chosen, size)
    known = (None, None) if policy.mean is None else (policy.mean.numpy(), policy.std.numpy())
    domain = Domain((layers.taken(policy.net),), mean=known[0], std=known[1])
    outputs = {"deterministic": ("mean",), "gaussian": ("mean", "log_std")}.get(kind, ("logits",))
    return Imported(
        module=policy,
        obs=domain.draw(EXAMPLES),
        outputs=outputs,
        action=action,
        meta={"library": "skrl"},
        witness=witness(tensors, scaler, parts, domain, kind, action, chosen),
    )


def agents(whole: Weights) -> list[str]:
    """Whose policies a checkpoint of several agents holds."""
    return sorted({name.split(".policy.")[0] for name in whole if ".policy." in name})


def of_agent(whole: Weights, options: Options) -> str:
    """The prefix of one agent's modules in a checkpoint of several."""
    found = agents(whole)
    if not found:
        return ""
    if options.agent not in found:
        said = "does not show" if options.agent is None else f"has no agent {options.agent!r}, and does not show"
        raise ExportError(f"{whole.path} {said} whose policy to take: say --agent, one of {', '.join(found)}.")
    return f"{options.agent}."


def kind_of(policy: Policy, values: bool, options: Options, path: Path) -> str:
    if values:
        return "values"
    shown = "gaussian" if policy.log_std is not None else None
    kind = needed(options.kind or shown, path, "what its outputs are", "--kind categorical, or deterministic")
    if (kind == "gaussian") != (shown == "gaussian"):
        raise ExportError(
            f"{path} has {'a' if shown else 'no'} log_std_parameter, and --kind is {kind}: the policy is "
            f"{'gaussian' if shown else 'categorical or deterministic'}."
        )
    return kind


@dataclass
class Part:
    """A container's linear layers, or a layer on its own. numbers: their places in the container."""

    name: str
    numbers: list[int]

    @property
    def layers(self) -> list[str]:
        return [f"{self.name}.{number}" for number in self.numbers] or [self.name]


def order(tensors: Weights, options: Options) -> list[Part]:
    """The policy's layers in the order that an observation goes through them, its containers first."""
    names = [name.removesuffix(".weight") for name in tensors if name.endswith(".weight")]
    names = [name for name in names if name != "value_layer"]
    strange = [n for n in names if not re.fullmatch(r"\w+\.\d+", n) and n not in HEADS]
    if strange or not names:
        raise ExportError(
            f"{tensors.path}: the policy's layers {', '.join(strange or names) or '(none)'} are none that skrl's "
            "instantiators make: export the module in Python."
        )
    parts: dict[str, Part] = {}
    for name in names:
        if "." in name:
            container, _, number = name.partition(".")
            parts.setdefault(container, Part(container, [])).numbers.append(int(number))
    found = list(parts.values())
    if len(found) > 1:
        short = {part.name.removesuffix("_container"): part for part in found}
        said = [name.removesuffix("_container") for name in options.containers]
        if sorted(said) != sorted(short):
            raise ExportError(
                f"{tensors.path} has the containers {', '.join(short)} and does not show whether an observation goes "
                "through them one after another or side by side: say --containers in their order if it is the first; "
                "else export the module in Python."
            )
        found = [short[name] for name in said]
    found += [Part(name, []) for name in names if "." not in name]
    widths = [tensors[f"{layer}.weight"].shape for part in found for layer in part.layers]
    if any(len(width) != 2 for width in widths) or any(a[0] != b[1] for a, b in itertools.pairwise(widths)):
        raise ExportError(
            f"{tensors.path}: the policy's layers {', '.join(names)} are not a chain of linear ones: export the module "
            "in Python."
        )
    return found


def network(tensors: Weights, parts: list[Part], options: Options) -> nn.Sequential:
    """The chain of layers, an activation after each but the last: within a container the numbers show where."""
    hidden = [layer for part in parts for layer in part.layers]
    acts = spread(options.activation, len(hidden) - 1, tensors.path)
    made: list[nn.Module] = []
    for part in parts:
        steps = [b - a for a, b in itertools.pairwise(part.numbers)]
        shown = acts[len(made) // 2 :][: len(steps)]
        if part.numbers[:1] not in ([], [0]) or steps != [1 if act == "identity" else 2 for act in shown]:
            raise ExportError(
                f"{tensors.path}: the layers of {part.name} are at {', '.join(map(str, part.numbers))}, where every "
                "second place from 0 is expected, activations between, or the next where --activation says identity."
            )
        for layer in part.layers:
            made.append(layers.linear(tensors, layer))
            if layer != hidden[-1]:
                made.append(layers.activation(acts[len(made) // 2]))
    return nn.Sequential(*made)


def spread(said: tuple[str, ...], count: int, path: Path) -> list[str]:
    """The activation after each of `count` hidden layers."""
    if count and not said:
        layers.said(None, path)
    if count and len(said) not in (1, count):
        raise ExportError(f"--activation names {len(said)}: give one for all {count} hidden layers, or one for each.")
    return [layers.named(name) for name in (said * count if len(said) == 1 else said)][:count]


def witness(
    tensors: Weights,
    scaler: Weights | None,
    parts: list[Part],
    domain: Domain,
    kind: str,
    action: Action,
    options: Options,
) -> Witness | None:
    """The predictions of the model that the library's own instantiator builds, where it is installed."""
    if importlib.util.find_spec("skrl") is None:
        return None
    from gymnasium import spaces

    made = library("skrl.utils.model_instantiators.torch", "skrl")
    scalers = library("skrl.resources.preprocessors.torch", "skrl")
    space = spaces.Box(-math.inf, math.inf, domain.shape, np.float32)
    if isinstance(action, Box):
        bounds = np.asarray([action.low, action.high])
        acts: Any = spaces.Box(*bounds.astype(np.float32))
    else:
        bounds = np.asarray([-np.inf, np.inf])
        acts = spaces.Discrete(action.sizes[0]) if len(action.sizes) == 1 else spaces.MultiDiscrete(list(action.sizes))
    network, said = [], spread(options.activation, sum(len(part.layers) for part in parts) - 1, tensors.path)
    before = "OBSERVATIONS"
    shared = parts[-1].name == "policy_layer"
    for part in parts:
        if not part.numbers:
            break
        sizes = [int(tensors[f"{layer}.weight"].shape[0]) for layer in part.layers]
        own, said = said[: len(sizes)], said[len(sizes) :]
        last = part is parts[-1]  # ends with the layer of the output
        name = part.name.removesuffix("_container")
        item = {"name": name, "input": before, "layers": sizes[:-1] if last else sizes}
        network.append(item | {"activations": ["" if act == "identity" else act for act in own]})
        before = name
    settings = {"network": network, "output": options.output}
    built = "deterministic" if kind == "values" else kind
    if built == "categorical" and not isinstance(action, Box) and len(action.sizes) > 1:
        built = "multicategorical"
    both = {"observation_space": space, "action_space": acts, "device": "cpu"}
    try:
        if shared:
            roles = {
                "gaussian": "GaussianMixin",
                "categorical": "CategoricalMixin",
                "deterministic": "DeterministicMixin",
            }
            mixin = roles.get(built, "MultiCategoricalMixin")
            value = {"network": network, "output": "ONE"}
            model = made.shared_model(
                structure=[mixin, "DeterministicMixin"], roles=["policy", "value"], parameters=[settings, value], **both
            )
        else:
            model = getattr(made, f"{built}_model")(**both, **settings)
        rows = domain.draw(STEPS, AGENTS)
        flat = torch.from_numpy(rows.reshape(-1, *domain.shape))
        if scaler is not None:
            standard = scalers.RunningStandardScaler(size=space, clip_threshold=options.clip, device="cpu")
            standard.load_state_dict(dict(scaler))
            flat = standard(flat)
        with torch.no_grad():
            model.act({"observations": flat}, role="policy")
            model.load_state_dict(dict(tensors))
            acted, outputs = model.act({"observations": flat}, role="policy")
    except Exception as error:
        raise ExportError(
            f"{version('skrl')} does not build the model of {tensors.path} from what the options say: "
            f"{first_line(error)}. Check them; else export the module in Python."
        ) from error
    if isinstance(action, Box):
        actions = outputs.get("mean_actions", acted).numpy().clip(*bounds)
    else:
        scores = outputs.get("net_output", acted).numpy()
        actions = np.stack([head.argmax(1) for head in np.split(scores, np.cumsum(action.sizes)[:-1], 1)], 1)
    again = np.zeros((STEPS, AGENTS), bool)
    return Witness(f"the model of {version('skrl')}", {"obs": rows}, again, actions.reshape(STEPS, AGENTS, -1))
