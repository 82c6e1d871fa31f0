"""Networks by the shapes of a state dict."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from minnow.export.errors import ExportError
from minnow.export.importers.said import needed
from minnow.export.importers.weights import Weights

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "elu": nn.ELU,
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "selu": nn.SELU,
    "leaky_relu": nn.LeakyReLU,
    "softplus": nn.Softplus,
    "softsign": nn.Softsign,
    "silu": nn.SiLU,
    "gelu": nn.GELU,
    "mish": nn.Mish,
    "celu": nn.CELU,
    "identity": nn.Identity,
}
ALIASES = {"swish": "silu", "lrelu": "leaky_relu", "crelu": "celu", "none": "identity", "leakyrelu": "leaky_relu"}


def named(name: str) -> str:
    """The one name of an activation."""
    return ALIASES.get(name.lower(), name.lower())


def activation(name: str) -> nn.Module:
    name = named(name)
    if name not in ACTIVATIONS:
        raise ExportError(f"the activation {name!r} is not supported: {', '.join(ACTIVATIONS)} are.")
    return ACTIVATIONS[name]()


def said(value: str | None, path: Path) -> str:
    """The activation of hidden layers that --activation names. Raises ExportError where nobody named one."""
    found = needed(value, path, "the activation of its hidden layers", f"--activation, one of {', '.join(ACTIVATIONS)}")
    activation(found)
    return found


def linear(tensors: Weights, name: str) -> nn.Linear:
    """The layer of `name.weight` [out, in] and `name.bias`, which may be absent."""
    weight, bias = tensors.get(f"{name}.weight"), tensors.get(f"{name}.bias")
    if weight is None or weight.dim() != 2:
        raise ExportError(f"the state dict has no linear layer {name!r}: export the module in Python.")
    made = nn.Linear(weight.shape[1], weight.shape[0], bias is not None)
    made.load_state_dict({"weight": weight} | ({} if bias is None else {"bias": bias}))
    return made


def mlp(tensors: Weights, prefix: str, between: str, last: bool = False) -> nn.Sequential:
    """The linear layers `prefix0.weight`, `prefix2.weight`, ... with an activation after each but the last, or also
    after the last. Raises ExportError where the numbers show that there is more than that."""
    own = tensors.under(prefix)
    numbers = sorted({int(name.split(".")[0]) for name in own if name.split(".")[0].isdigit()})
    if not numbers or numbers != list(range(0, 2 * len(numbers), 2)):
        found = ", ".join(map(str, numbers)) or "none"
        raise ExportError(
            f"the layers {prefix}N are {found}, where every second number from 0 is expected, activations between: "
            "export the module in Python."
        )
    layers: list[nn.Module] = []
    for number in numbers:
        layers += [linear(own, str(number)), activation(between)]
    return nn.Sequential(*(layers if last else layers[:-1]))


def recurrent(tensors: Weights, prefix: str) -> nn.RNNBase:
    """The LSTM or GRU of `prefixweight_ih_l0`, ..., by the number of its gates."""
    own = tensors.under(prefix)
    if "weight_ih_l0" not in own:
        raise ExportError(f"the state dict has no recurrent layer {prefix!r}.")
    (rows, inputs), hidden = own["weight_ih_l0"].shape, own["weight_hh_l0"].shape[1]
    kinds = {4: nn.LSTM, 3: nn.GRU}
    if rows // hidden not in kinds:
        raise ExportError(
            f"the recurrent layer {prefix!r} has {rows // hidden} gates: an LSTM (4) or GRU (3) is known."
        )
    count = sum(name.startswith("weight_ih_l") for name in own)
    made = kinds[rows // hidden](inputs, hidden, count, bias="bias_ih_l0" in own)
    try:
        made.load_state_dict(dict(own))
    except RuntimeError as error:
        raise ExportError(f"the recurrent layer {prefix!r} does not fit: {' '.join(str(error).split())}") from None
    return made


def start(layer: nn.RNNBase, agents: int) -> Tensor | tuple[Tensor, Tensor]:
    """Zeros for a recurrent layer's state, nested as it takes it."""
    zeros = [torch.zeros(layer.num_layers, agents, layer.hidden_size) for _ in range(2)]
    return zeros[0] if isinstance(layer, nn.GRU) else (zeros[0], zeros[1])


def taken(net: nn.Sequential) -> int:
    """The numbers that a network's first layer takes."""
    first: Any = net[0]
    return first.in_features


def given(net: nn.Sequential) -> int:
    """The numbers that a network's last layer gives."""
    last: Any = net[-1]
    return last.out_features
