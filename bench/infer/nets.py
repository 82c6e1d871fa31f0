"""The four networks of the benchmark, and what they cost."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from minnow.export import ExportError, export

State = tuple[Tensor, ...]


class Plain(nn.Module):
    """42-256-256-8, tanh."""

    shape, outputs = (42,), ("logits",)
    leaves, axis = (), 0

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(42, 256), nn.Tanh(), nn.Linear(256, 256), nn.Tanh(), nn.Linear(256, 8))

    def forward(self, obs: Tensor) -> Tensor:
        return self.layers(obs)


class Memory(nn.Module):
    """42 inputs, Linear 128, GELU, LSTM 128, heads 8 + 1."""

    shape, outputs = (42,), ("logits", "value")
    leaves, axis = ((1, 128), (1, 128)), 1  # one agent's part of each state, and the axis of agents

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(42, 128), nn.GELU())
        self.lstm = nn.LSTM(128, 128)
        self.actor, self.critic = nn.Linear(128, 8), nn.Linear(128, 1)

    def forward(self, obs: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        y, state = self.lstm(self.encoder(obs).unsqueeze(0), state)
        return self.actor(y[0]), self.critic(y[0]), state


class Sight(Memory):
    """8x11x11, convolutions 5x5 stride 3 and 3x3 of 32 channels, Linear 128, LSTM 128, heads 6 + 1."""

    shape = (8, 11, 11)

    def __init__(self) -> None:
        super().__init__()
        convolutions = nn.Sequential(nn.Conv2d(8, 32, 5, 3), nn.ReLU(), nn.Conv2d(32, 32, 3), nn.ReLU())
        self.encoder = nn.Sequential(convolutions, nn.Flatten(), nn.Linear(32, 128), nn.ReLU())
        self.actor = nn.Linear(128, 6)


class Highway(nn.Module):
    """A MinGRU of 128 whose output passes through a highway gate, all without bias."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.gate, self.carry = (nn.Linear(128, 128, bias=False) for _ in range(3))

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        v = self.hidden(x)
        g = torch.relu(v) + torch.sigmoid(torch.minimum(v, torch.zeros_like(v)))
        h = h + torch.sigmoid(self.gate(x)) * (g - h)
        p = torch.sigmoid(self.carry(x))
        return p * h + (1 - p) * x, h


class Gated(nn.Module):
    """42 inputs, Linear 128, four MinGRUs with highways, 9 outputs, all without bias."""

    shape, outputs = (42,), ("logits",)
    leaves, axis = ((128,),) * 4, 0

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.head = nn.Linear(42, 128, bias=False), nn.Linear(128, 9, bias=False)
        self.layers = nn.ModuleList(Highway() for _ in range(4))

    def forward(self, obs: Tensor, state: State) -> tuple[Tensor, State]:
        x, after = self.encoder(obs), []
        for layer, h in zip(self.layers, state, strict=True):
            x, h = layer(x, h)
            after.append(h)
        return self.head(x), tuple(after)


KINDS: dict[str, Callable[[], Any]] = {"a": Plain, "b": Memory, "c": Sight, "d": Gated}


@dataclass
class Net:
    """A network with its files. flops: operations of one agent's step, two a multiply-add; bytes: of its weights."""

    name: str
    module: Any
    flops: int
    bytes: int
    policy: bytes
    model: bytes  # ONNX

    def arguments(self, agents: int) -> tuple[Any, ...]:
        """What `module` takes: the observation that all back ends step on, and the state, if there is one."""
        return arguments(self.module, agents)

    def obs(self, agents: int) -> np.ndarray:
        """[agents, ...]"""
        return self.arguments(agents)[0].numpy()

    def state(self, agents: int) -> State:
        """Zeros."""
        return next(iter(self.arguments(agents)[1:]), ())


def arguments(module: Any, agents: int) -> tuple[Any, ...]:
    obs = torch.from_numpy(np.random.default_rng(0).standard_normal((agents, *module.shape), np.float32))
    axis = module.axis
    state = tuple(torch.zeros(*leaf[:axis], agents, *leaf[axis:]) for leaf in module.leaves)
    return (obs, state) if state else (obs,)


def make(name: str, folder: Path) -> Net:
    """Exports a network into `folder`. Raises ExportError where export refuses it."""
    torch.manual_seed(0)
    module = KINDS[name]().eval()
    obs, *rest = arguments(module, 2)
    path = folder / f"{name}.minnow"
    report = export(module, obs, path, example_state=rest[0] if rest else None, outputs=module.outputs)
    size = 4 * sum(item.numel() for item in module.parameters())
    if report.onnx is None:
        raise ExportError(report.no_onnx)
    return Net(name, module, flops(module), size, path.read_bytes(), report.onnx.read_bytes())


@torch.no_grad()
def flops(module: nn.Module) -> int:
    """Twice the multiply-adds of weights with one agent's activations."""
    counts = []

    def count(part: nn.Module, _: Any, output: Any) -> None:
        places = math.prod(output.shape[2:]) if isinstance(part, nn.Conv2d) else 1
        counts.append(2 * places * sum(item.numel() for item in part.parameters() if item.dim() > 1))

    kinds = (nn.Linear, nn.Conv2d, nn.LSTM)
    hooks = [item.register_forward_hook(count) for item in module.modules() if isinstance(item, kinds)]
    module(*arguments(module, 1))
    for hook in hooks:
        hook.remove()
    return sum(counts)
