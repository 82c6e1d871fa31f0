"""ONNX models, opset 7 and later: the graph becomes a module of torch operations, held against ONNX Runtime.

Recurrent state is what comes in and goes out by paired names: `state.NAME` and `next_state.NAME`, as our own models
have it, or names that differ in `in` and `out` alone, or pairs that `state` names. It starts at zero.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from minnow.export.action import Action, Box, Discrete, MultiDiscrete
from minnow.export.errors import ExportError, first_line
from minnow.export.importers.files import present
from minnow.export.importers.imported import EXAMPLES, Imported, library
from minnow.export.importers.onnx import fixed, witness
from minnow.export.importers.onnx.network import Network

OPSET = 7  # before it, nodes broadcast otherwise


@dataclass
class Options:
    """Export an ONNX model of a policy."""

    keep: tuple[str, ...] = ()
    """Outputs to keep, by the model's names (default: all but the state)."""
    outputs: tuple[str, ...] = ()
    """Names for the outputs in order, state left out: logits, mean, log_std and value have a meaning."""
    state: tuple[str, ...] = ()
    """Recurrent state as IN=OUT, where names do not show it."""
    sizes: tuple[int, ...] = ()
    """Choices of each head of the logits, for several."""
    low: float = -math.inf
    """What the environment clips each action (mean) to from below."""
    high: float = math.inf
    """And from above."""


def load(path: Path | str, **options: Any) -> Imported:
    """A model; the options are those of `Options`. Raises ExportError, also where ONNX Runtime says otherwise."""
    path = Path(path)
    try:
        return imported(path, Options(**options))
    except ExportError:
        raise
    except Exception as error:
        raise ExportError(
            f"{path} cannot be imported: {type(error).__name__}: {first_line(error)}; export the module itself."
        ) from error


def imported(path: Path, chosen: Options) -> Imported:
    model = read(path)
    state = pairs(model, chosen.state)
    network = Network(model, kept(model, chosen.keep, state, path), state, path).eval()
    names = chosen.outputs or network.outputs
    if len(names) != len(network.outputs):
        raise ExportError(f"{path} has the outputs {', '.join(network.outputs)}, state left out: name each of them.")
    runtime = witness.Runtime(path, network)
    each = runtime.fixed or 1
    obs, described = witness.observations(network, runtime, math.ceil(witness.ROWS / each) * each)
    if runtime.fixed:
        fixed.free(network, {name: torch.from_numpy(item[:each]) for name, item in obs.items()}, each)
    widths = dict(zip(names, witness.check(network, runtime, obs), strict=True))
    action: Action | None = None
    if "logits" in names:
        action = MultiDiscrete(chosen.sizes) if chosen.sizes else Discrete(widths["logits"])
    elif "mean" in names:
        action = Box([chosen.low] * widths["mean"], [chosen.high] * widths["mean"])
    meta = {"library": f"ONNX opset {network.opset}", "producer": model.producer_name}
    return Imported(
        module=network,
        obs={name: item[:: len(item) // EXAMPLES][:EXAMPLES] for name, item in obs.items()},
        outputs=tuple(names),
        action=action,
        state={name: torch.zeros(item.shape(EXAMPLES)) for name, item in network.start.items()} or None,
        state_axes={name: item.axis for name, item in network.start.items()} or None,
        observation=described,
        witness=None if action is None else witness.witness(network, runtime, obs, names, action),
        meta=meta | ({"left_out": network.left_out} if network.left_out else {}),
    )


def read(path: Path) -> Any:
    """The model of a file, functions of its own written out. Raises ExportError."""
    onnx = library("onnx", "onnx")
    try:
        model = onnx.load(str(present(path)))
        onnx.checker.check_model(model)
        if model.functions:
            model = onnx.inliner.inline_local_functions(model)
    except ExportError:
        raise
    except Exception as error:
        raise ExportError(f"{path} is no ONNX model: {first_line(error)}.") from None
    opset = max((item.version for item in model.opset_import if item.domain in ("", "ai.onnx")), default=0)
    if opset < OPSET:
        raise ExportError(
            f"{path} is of opset {opset}, and {OPSET} is the least: convert it with onnx.version_converter."
        )
    return model


def kept(model: Any, asked: tuple[str, ...], state: dict[str, str], path: Path) -> tuple[str, ...]:
    """The outputs to keep."""
    names = [item.name for item in model.graph.output if item.name not in state.values()]
    for name in asked:
        if name not in names:
            raise ExportError(f"{path} has no output {name!r} to keep: {', '.join(names)} are there.")
    if not names:
        raise ExportError(f"{path} gives nothing but its state: a policy needs an output.")
    return tuple(asked or names)


def pairs(model: Any, said: tuple[str, ...]) -> dict[str, str]:
    """Names of state coming in, and of the same going out."""
    out = [item.name for item in model.graph.output]
    stored = {item.name for item in model.graph.initializer}
    given = [item.name for item in model.graph.input if item.name not in stored]
    found = {}
    for name in given:
        for other in (f"next_{name}", re.sub(r"(?<![a-zA-Z])in(?=s?(?![a-zA-Z]))", "out", name)):
            if other in out and other != name:
                found[name] = other
    for pair in said:
        before, _, after = pair.partition("=")
        if after not in out or before not in given:
            raise ExportError(f"the state {pair!r} is not an input and an output of the model, given as IN=OUT.")
        found[before] = after
    return found
