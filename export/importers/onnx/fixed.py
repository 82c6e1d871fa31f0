"""Models written for a fixed number of agents, usually one: that number made free.

Where a shape that a Reshape is given holds it, the axis on which it lies there becomes free. Found by running the
model for that number and for three times as many; what comes of it is held against the model as it is."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from minnow.export.errors import ExportError
from minnow.export.importers.onnx.network import Network, Step
from minnow.export.importers.onnx.values import Known

MORE = 3


def free(network: Network, obs: dict[str, Tensor], agents: int) -> None:
    """Frees the number of agents in a network that is written for `agents`. obs: [agents, ...] each."""
    before: dict[str, tuple[int, ...]] = {}

    def inputs(times: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        state = {name: torch.zeros(item.shape(agents * times)) for name, item in network.start.items()}
        return {name: torch.cat([item] * times) for name, item in obs.items()}, state

    def sizes(step: Step, values: dict[str, Any]) -> None:
        before.update((name, tuple(item.shape)) for name, item in values.items() if isinstance(item, Tensor))

    def change(step: Step, values: dict[str, Any]) -> None:
        if step.kind != "Reshape" or not isinstance(values[step.inputs[0]], Tensor):
            return
        wanted, place = wish(step, values), before[step.inputs[0]]
        if wanted is None:
            return
        now = tuple(values[step.inputs[0]].shape)
        where = [i for i, (n, m) in enumerate(zip(place, now, strict=True)) if n != m]
        if not where:
            return
        wanted = [place[i] if n == 0 and not step.at.get("allowzero") else n for i, n in enumerate(wanted)]
        full = resolved(wanted, math.prod(place))
        ahead = math.prod(place[: where[0]])
        fitting = [i for i, n in enumerate(full) if math.prod(full[:i]) == ahead and n % agents == 0]
        if not fitting:
            raise ExportError(
                f"{network.path} is written for {agents} agents, and {step.place}, gives them no axis of their own: "
                "export the model with a free first axis."
            )
        best = where[0] if where[0] in fitting else next((i for i in fitting if full[i] == agents), fitting[0])
        step.at.wanted = [-1 if i == best else n for i, n in enumerate(full)]

    with torch.no_grad():
        network.compute(*inputs(1), note=sizes)
        network.compute(*inputs(MORE), note=change)


def wish(step: Step, values: dict[str, Any]) -> list[int] | None:
    """The shape that a Reshape is given, where it is a constant."""
    if len(step.inputs) < 2:
        return list(step.at.get("shape"))
    item = values[step.inputs[1]]
    return item.array.tolist() if isinstance(item, Known) and item.tensor is not None else None


def resolved(wanted: list[int], count: int) -> list[int]:
    """The shape with the number that -1 stands for."""
    rest = math.prod(n for n in wanted if n != -1)
    return [count // rest if n == -1 else n for n in wanted]
