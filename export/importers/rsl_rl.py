"""rsl_rl: the actor, or the distilled student, of a runner's checkpoint: an MLP, with an LSTM or GRU before it, with
convolutions beside it, with its empirical normaliser.

| versions | where the policy is | its normaliser |
|---|---|---|
| 4 and 5 | `actor_state_dict`, `student_state_dict` | `obs_normalizer.` beside it |
| 3 | `model_state_dict`: `actor.`, `student.`, `memory_a.`, `memory_s.` | `actor_obs_normalizer.`, `student_...` |
| 1 and 2 | the same | `obs_norm_state_dict`, on its own |

The library neither squashes nor clips actions: options say what the environment does. Where it is installed, each
import is held to the model of version 5 with the same weights.
"""

from __future__ import annotations

import importlib.util
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from minnow.export.errors import ExportError, first_line
from minnow.export.importers import layers
from minnow.export.importers.domain import Domain
from minnow.export.importers.imported import EXAMPLES, Imported, library, version
from minnow.export.importers.said import Bounds, box, needed
from minnow.export.importers.weights import Weights, opened
from minnow.export.importers.witness import AGENTS, STEPS, Witness, resets

PACKAGE = "rsl-rl-lib"
EPSILON = 1e-2  # of EmpiricalNormalization
LEAST, MOST = 1e-6, 1e6  # of a deviation
# What stands beside a policy in a checkpoint, and is no part of it.
LEFT_OUT = (
    *("optimizer_state_dict.", "rnd_", "critic_state_dict.", "teacher_state_dict."),
    *("critic_obs_norm_state_dict.", "privileged_obs_norm_state_dict.", "teacher_obs_norm_state_dict."),
    *(
        "model_state_dict.critic",
        "model_state_dict.memory_c.",
        "model_state_dict.memory_t.",
        "model_state_dict.teacher",
    ),
    *("critic", "memory_c.", "memory_t.", "teacher"),
)


@dataclass
class Options(Bounds):
    """Export a checkpoint of rsl_rl, model_N.pt, or an actor's state dict. Only tensors are read."""

    activation: str | None = None
    """The hidden layers' activation, which the checkpoint does not show."""
    distribution: Literal["gaussian", "heteroscedastic", "heteroscedastic-log", "beta", "none"] | None = None
    """What the actor's outputs are, where the checkpoint does not show it: a Gaussian whose deviation the network
    gives, or its logarithm (std_type log), a Beta distribution, or the action itself (none)."""
    range: tuple[float, ...] = ()
    """The Beta distribution's action_range, two numbers."""
    cnn: str | None = None
    """cnn_cfg of an actor with convolutions, as JSON; the library itself then builds them."""
    image: tuple[int, ...] = ()
    """Height and width of the images that it takes."""


TWICE = ("heteroscedastic", "heteroscedastic-log", "beta")  # the network gives two numbers for each action


class Actor(nn.Module):
    """forward(obs[, state]) -> mean[, log_std][, state]. obs: [agents, n], or, with convolutions, a dict of that,
    `obs`, where there is any, and of images by name, [agents, channels, height, width]."""

    mean: Tensor | None
    std: Tensor
    log_std: Tensor

    def __init__(self, tensors: Weights, options: Options, kind: str, activation: str, cnns: nn.ModuleDict) -> None:
        super().__init__()
        self.kind, self.range, self.cnns = kind, options.range, cnns
        self.rnn = layers.recurrent(tensors, "rnn.rnn.") if tensors.has("rnn.rnn.") else None
        self.mlp = layers.mlp(tensors, "mlp.", activation)
        inputs = layers.taken(self.mlp) if self.rnn is None else self.rnn.input_size
        images: Any = cnns.values()
        self.inputs = inputs - sum(int(part.output_dim) for part in images)
        outputs = layers.given(self.mlp)
        self.size = outputs // 2 if kind in TWICE else outputs
        mean = std = logarithm = None
        if tensors.has("obs_normalizer."):
            mean, std = (tensors[f"obs_normalizer.{name}"].reshape(1, -1) for name in ("_mean", "_std"))
            std = std + EPSILON
        if kind == "gaussian":
            scale = tensors.get("distribution.std_param")
            logarithm = tensors["distribution.log_std_param"] if scale is None else scale.clamp(LEAST, MOST).log()
            logarithm = logarithm.clamp(math.log(LEAST), math.log(MOST))
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)
        self.register_buffer("log_std", logarithm)

    @property
    def outputs(self) -> tuple[str, ...]:
        return ("mean",) if self.kind in ("none", "beta") else ("mean", "log_std")

    def forward(self, obs: Any, state: Any = None) -> Any:
        latent = self.latent(obs)
        if self.rnn is not None:
            out, state = self.rnn(latent.unsqueeze(0), state)
            latent = out.squeeze(0)
        found = self.means(self.mlp(latent))
        if self.rnn is not None:
            return (*found, state)
        (first, *rest) = found
        return found if rest else first

    def latent(self, obs: Any) -> Tensor:
        parts = []
        if self.inputs:
            flat = obs["obs"] if self.cnns else obs
            parts.append(flat if self.mean is None else (flat - self.mean) / self.std)
        parts += [part(obs[name]) for name, part in self.cnns.items()]
        return torch.cat(parts, 1) if len(parts) > 1 else parts[0]

    def means(self, out: Tensor) -> tuple[Tensor, ...]:
        if self.kind == "none":
            return (out,)
        if self.kind == "gaussian":
            return out, self.log_std.expand_as(out)
        first, second = out[:, : self.size], out[:, self.size :]
        if self.kind == "beta":
            alpha, beta = (nn.functional.softplus(part) + 1.0 for part in (first, second))
            return ((alpha / (alpha + beta)) * (self.range[1] - self.range[0]) + self.range[0],)
        if self.kind == "heteroscedastic":
            return first, second.clamp(LEAST, MOST).log()
        return first, second.clamp(math.log(LEAST), math.log(MOST))


def load(path: Path | str, **options: Any) -> Imported:
    """A checkpoint; the options are those of `Options`. Raises ExportError."""
    chosen, path = Options(**options), Path(path)
    whole = opened(path)
    tensors = whole.renamed(names(whole))
    activation = layers.said(chosen.activation, path)
    kind = distribution(tensors, chosen)
    actor = Actor(tensors, chosen, kind, activation, convolutions(tensors, chosen)).eval()
    for name in ("_var", "count"):  # what the normaliser's other numbers were computed from
        tensors.get(f"obs_normalizer.{name}")
    whole.finish(*LEFT_OUT)
    domains = {}
    if actor.inputs:
        known = (None, None) if actor.mean is None else (actor.mean[0].numpy(), actor.std[0].numpy())
        domains["obs"] = Domain((actor.inputs,), mean=known[0], std=known[1])
    images: Any = actor.cnns.items()
    for name, part in images:
        domains[name] = Domain((part[0].in_channels, *chosen.image), low=0, high=1)
    action = box(path, chosen, actor.size)
    examples = {name: domain.draw(EXAMPLES) for name, domain in domains.items()}
    return Imported(
        module=actor,
        obs=examples if actor.cnns else examples["obs"],
        outputs=actor.outputs,
        action=action,
        state=None if actor.rnn is None else layers.start(actor.rnn, EXAMPLES),
        meta={"library": "rsl_rl"},
        witness=witness(actor, tensors, domains, activation, chosen, np.array([action.low, action.high])),
    )


def distribution(tensors: Weights, options: Options) -> str:
    shown = "gaussian" if tensors.has("distribution.") else None
    kind = options.distribution or shown
    how = f"--distribution {', '.join(KINDS)}"
    kind = needed(kind, tensors.path, "the distribution of the actor's outputs", how)
    if (kind == "gaussian") != (shown == "gaussian"):
        holds = "holds the deviation of a Gaussian" if shown else "holds no deviation of a Gaussian"
        raise ExportError(f"{tensors.path} {holds}, and --distribution is {kind}.")
    if kind == "beta" and len(options.range) != 2:
        raise ExportError(f"{tensors.path} does not show the Beta distribution's range: say --range LOW HIGH.")
    return kind


KINDS = ("heteroscedastic", "heteroscedastic-log", "beta", "none")


def convolutions(tensors: Weights, options: Options) -> nn.ModuleDict:
    """The library's own CNNs of an actor, by the names of what they see, with the weights."""
    groups = list(dict.fromkeys(name.split(".")[1] for name in tensors if name.startswith("cnns.")))
    made = nn.ModuleDict()
    if not groups:
        return made
    path = tensors.path
    given = needed(options.cnn, path, "the strides and pools of its convolutions", "--cnn CNN_CFG, as JSON")
    if len(needed(options.image, path, "the size of its images", "--image HEIGHT WIDTH")) != 2:
        raise ExportError("--image is two numbers: height and width.")
    try:
        config = json.loads(given)
        modules = library("rsl_rl.modules", PACKAGE)
        for group in groups:
            own = tensors.under(f"cnns.{group}.")
            channels = own["0.weight"].shape[1]
            made[group] = modules.CNN(tuple(options.image), channels, **config.get(group, config))
            made[group].load_state_dict(dict(own))
    except (ValueError, TypeError, AttributeError, RuntimeError, KeyError) as error:
        raise ExportError(f"{path}: --cnn does not build its convolutions: {first_line(error)}.") from None
    return made


def names(whole: Weights) -> dict[str, str]:
    """The policy's tensors by the names of version 5: new names by those in the file."""
    found: dict[str, str] = {}
    for root in ("actor_state_dict.", "student_state_dict.", "model_state_dict.", ""):
        if not whole.has(root):
            continue
        own = [name.removeprefix(root) for name in whole if name.startswith(root)]
        if any(name.startswith("mlp.") for name in own):
            found = {name: root + name for name in own if not root or not name.startswith("critic")}
            break
        part = next((part for part in ("student", "actor") if any(name.startswith(f"{part}.0.") for name in own)), None)
        if part is None:
            continue
        known = {
            f"{part}_obs_normalizer.": "obs_normalizer.",
            f"memory_{part[0]}.": "rnn.",
            f"{part}.": "mlp.",
            "std": "distribution.std_param",
            "log_std": "distribution.log_std_param",
        }
        for name in own:
            for old, new in known.items():
                if name == old or (old.endswith(".") and name.startswith(old)):
                    found[new + name.removeprefix(old)] = root + name
        break
    if not found:
        raise ExportError(f"{whole.path} has no actor of rsl_rl: it holds {whole.holds()}.")
    apart = "obs_norm_state_dict."
    return found | {f"obs_normalizer.{name.removeprefix(apart)}": name for name in whole if name.startswith(apart)}


def witness(
    actor: Actor, tensors: Weights, domains: dict[str, Domain], activation: str, options: Options, bounds: np.ndarray
) -> Witness | None:
    """The library's own predictions, where it is installed."""
    if importlib.util.find_spec("rsl_rl") is None:
        return None
    models = library("rsl_rl.models", PACKAGE)
    from tensordict import TensorDict

    def given(rows: dict[str, np.ndarray]) -> Any:
        return TensorDict({name: torch.from_numpy(item) for name, item in rows.items()}, batch_size=[AGENTS])

    obs = {name: domain.draw(STEPS, AGENTS, seed=i) for i, (name, domain) in enumerate(domains.items())}
    settings: dict[str, Any] = {
        "hidden_dims": [part.out_features for part in list(actor.mlp)[:-1] if isinstance(part, nn.Linear)],
        "activation": LIBRARY.get(activation, activation),
        "obs_normalization": actor.mean is not None,
        "distribution_cfg": settled(actor, "distribution.log_std_param" in tensors),
    }
    kind = models.MLPModel
    if actor.cnns:
        kind = models.CNNModel
        settings["cnn_cfg"] = json.loads(options.cnn or "{}")
    if actor.rnn is not None:
        kind = models.RNNModel
        settings |= {
            "rnn_type": "gru" if isinstance(actor.rnn, nn.GRU) else "lstm",
            "rnn_hidden_dim": actor.rnn.hidden_size,
            "rnn_num_layers": actor.rnn.num_layers,
        }
    try:
        example = given({name: item[0] for name, item in obs.items()})
        model = kind(example, {"actor": list(obs)}, "actor", actor.size, **settings)
        own = dict(tensors)
        for name in ("_mean", "_var", "_std"):
            if f"obs_normalizer.{name}" in own:
                own[f"obs_normalizer.{name}"] = own[f"obs_normalizer.{name}"].reshape(1, -1)
        model.load_state_dict(own)
        model.eval()
        again, actions = resets(), []
        with torch.no_grad():
            for step in range(STEPS):
                model.reset(torch.from_numpy(again[step].astype(np.int64)))
                actions.append(model(given({name: item[step] for name, item in obs.items()})).numpy().clip(*bounds))
    except (RuntimeError, ValueError, TypeError) as error:
        raise ExportError(
            f"{version(PACKAGE)} does not take the weights of {tensors.path} for what they seem to be: "
            f"{first_line(error)}. Check the options; else export the module in Python."
        ) from error
    return Witness(version(PACKAGE), obs, again, np.stack(actions))


# Names of activations that the library has otherwise.
LIBRARY = {"leaky_relu": "lrelu", "silu": "swish", "celu": "crelu"}


def settled(actor: Actor, logarithm: bool) -> dict[str, Any] | None:
    """distribution_cfg of the library's own model."""
    if actor.kind == "none":
        return None
    if actor.kind == "beta":
        return {"class_name": "BetaDistribution", "action_range": tuple(actor.range)}
    if actor.kind == "gaussian":
        return {"class_name": "GaussianDistribution", "std_type": "log" if logarithm else "scalar"}
    kind = "log" if actor.kind.endswith("log") else "scalar"
    return {"class_name": "HeteroscedasticGaussianDistribution", "std_type": kind}
