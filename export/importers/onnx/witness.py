"""ONNX Runtime as the witness: the module computes what it does, on inputs in the manner of the model's own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from minnow.export.action import Action
from minnow.export.errors import ExportError, first_line
from minnow.export.importers.imported import library, version
from minnow.export.importers.onnx.network import Input, Network
from minnow.export.importers.onnx.values import DTYPES
from minnow.export.importers.witness import AGENTS, Played, Witness, act, resets
from minnow.export.importers.witness import STEPS as STEPS_HELD

ROWS = 256
STEPS = 4
LIMIT = 1e-5  # of a number, or of what is usual in its column, or of 1
FAR = 1 << 20  # an input that may be so large is no index
SMALL, KINDS = 100, 10
NUMPY = {1: np.float32, 10: np.float16, 11: np.float64, 2: np.uint8, 3: np.int8, 4: np.uint16, 5: np.int16}
NUMPY |= {6: np.int32, 7: np.int64, 9: np.bool_, 12: np.uint32, 13: np.uint64}


class Runtime:
    """The model as it is, run for as many agents as it is written for at a time."""

    def __init__(self, path: Path, network: Network) -> None:
        runtime = library("onnxruntime", "onnxruntime")
        settings = runtime.SessionOptions()
        settings.log_severity_level = 4
        settings.intra_op_num_threads = settings.inter_op_num_threads = 1
        self.path, self.network = path, network
        self.names = [*network.outputs, *network.state.values()]
        self.fixed = max(item.fixed for item in network.given.values())
        if any(item.fixed not in (0, self.fixed) for item in network.given.values()):
            found = ", ".join(f"{item.name} {item.fixed}" for item in network.given.values())
            raise ExportError(f"{path} is written for different numbers of agents: {found}.")
        try:
            self.session = runtime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise ExportError(f"{path} cannot be loaded by ONNX Runtime: {first_line(error)}.") from None

    def run(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Outputs and states by name for any number of agents, a multiple of those the model is written for."""
        given = self.network.given
        count = next(item.shape[given[name].axis] for name, item in feeds.items())
        size = self.fixed or count
        axes = {after: given[name].axis for name, after in self.network.state.items()}
        parts = []
        for first in range(0, count, size):
            own = {name: item.take(range(first, first + size), given[name].axis) for name, item in feeds.items()}
            own |= {
                name: np.zeros(given[name].shape(size), NUMPY[given[name].kind]) for name in given if name not in own
            }
            own = {name: item.astype(NUMPY[given[name].kind]) for name, item in own.items()}
            found = self.session.run(self.names, own)
            for name, item in zip(self.names, found, strict=True):
                if item.ndim <= axes.get(name, 0) or item.shape[axes.get(name, 0)] != size:
                    raise ExportError(
                        f"{self.path}: the output {name!r} has shape {list(item.shape)} for {size} agents, where one "
                        "row each is expected: keep others, with --keep."
                    )
            parts.append(found)
        joined = zip(self.names, zip(*parts, strict=True), strict=True)
        return {name: np.concatenate(items, axes.get(name, 0)) for name, items in joined}


def bounds(runtime: Runtime, item: Input) -> tuple[int, int] | None:
    """The whole numbers, both ends among them, that an input of whole numbers may be: those of its type, where that is
    bytes or truth, or the rows of the table that it indexes; None where nothing says any."""
    kind = DTYPES[item.kind]
    if kind == torch.bool:
        return 0, 1
    limits = np.iinfo(NUMPY[item.kind])
    count = runtime.fixed or 1

    def fits(number: int) -> bool:
        inputs = {name: np.zeros(each.shape(count)) for name, each in runtime.network.given.items()}
        inputs[item.name] = np.full(item.shape(count), number)
        try:
            runtime.run(inputs)
        except ExportError:
            raise
        except Exception:  # ONNX Runtime's own, for an index that is none
            return False
        return True

    top = min(FAR, int(limits.max))
    if not fits(0):
        raise ExportError(f"{runtime.path} cannot be run by ONNX Runtime, even for inputs of zero.")
    if fits(top):
        if item.dtype == "uint8":
            return 0, 255
        return None
    low = 0  # fits, and `top` does not
    while top - low > 1:
        middle = (low + top) // 2
        low, top = (middle, top) if fits(middle) else (low, middle)
    return 0, low


def observations(network: Network, runtime: Runtime, rows: int, seed: int = 0) -> tuple[dict, list[dict]]:
    """Inputs in the manner of the model's own, [rows, ...] each, and what is known of each input.

    Whole numbers stay whole, truth 0 or 1, indices within their table; floating ones are normal, wider, and in the last
    quarter small whole ones, which are equal to each other and to edges. Whole ones without bounds are small, in the
    second half those that kinds of things are counted by."""
    random, found, said = np.random.default_rng(seed), {}, []
    for name, item in network.inputs.items():
        shape = item.shape(rows)
        described: dict[str, Any] = {"name": name, "shape": list(item.dims)}
        if item.dtype == "float32":
            part = random.standard_normal(shape).astype(np.float32)
            part[rows // 2 :] *= 3
            part[3 * rows // 4 :] = part[3 * rows // 4 :].round()
        else:
            found_bounds = bounds(runtime, item)
            low, high = found_bounds or (max(-SMALL, int(np.iinfo(NUMPY[item.kind]).min)), SMALL)
            part = random.integers(low, high + 1, shape).astype(item.dtype)
            if found_bounds is None:
                part[rows // 2 :] %= KINDS
            else:
                described |= {"low": low, "high": high}
        found[name] = part
        said.append(described)
    return found, said


def check(network: Network, runtime: Runtime, obs: dict[str, np.ndarray]) -> list[int]:
    """The width of each output. Raises ExportError unless the module gives what ONNX Runtime does, over a few steps of
    as many agents as there are rows in obs."""
    rows = {name: torch.from_numpy(item) for name, item in obs.items()}
    count = len(next(iter(obs.values())))
    ours: dict[str, Tensor] = {name: torch.zeros(item.shape(count)) for name, item in network.start.items()}
    theirs = {name: item.numpy() for name, item in ours.items()}
    expected: dict[str, np.ndarray] = {}
    for step in range(STEPS if ours else 1):
        shown = {name: item.roll(step, 0) for name, item in rows.items()}
        with torch.no_grad():
            found = network(shown, ours) if ours else network(shown)
        try:
            expected = runtime.run({name: item.numpy() for name, item in shown.items()} | theirs)
        except ExportError:
            raise
        except Exception as error:
            raise ExportError(f"{runtime.path} cannot be run by ONNX Runtime: {first_line(error)}.") from None
        found = found if isinstance(found, tuple) else (found,)
        parts = dict(zip(network.outputs, found, strict=False))
        if ours:
            ours, theirs = found[-1], {name: expected[after] for name, after in network.state.items()}
            parts |= {after: ours[name] for name, after in network.state.items()}
        for name, part in parts.items():
            compare(runtime, name, part.numpy(), expected[name])
    return [expected[name].shape[-1] if expected[name].ndim > 1 else 1 for name in network.outputs]


def witness(
    network: Network, runtime: Runtime, obs: dict[str, np.ndarray], names: Sequence[str], action: Action
) -> Witness | None:
    """ONNX Runtime's actions, to which the policy file in C is held; None where the model is written for a number of
    agents that does not fit. names: of the outputs, in order."""
    rows = STEPS_HELD * AGENTS
    if runtime.fixed and AGENTS % runtime.fixed:
        return None
    shown = {name: item[:rows].reshape(STEPS_HELD, AGENTS, *item.shape[1:]) for name, item in obs.items()}
    again, played = resets(), Played()
    start = {name: np.zeros(item.shape(AGENTS), np.float32) for name, item in network.start.items()}
    state = dict(start)
    for step in range(STEPS_HELD):
        for name, item in network.start.items():
            gone = again[step].reshape([-1 if i == item.axis else 1 for i in range(start[name].ndim)])
            state[name] = np.where(gone, start[name], state[name])
        found = runtime.run({name: item[step] for name, item in shown.items()} | state)
        state = {name: found[after] for name, after in network.state.items()}
        outputs = {name: found[own] for name, own in zip(names, network.outputs, strict=True)}
        act(action, outputs, None, played)
    return Witness(version("onnxruntime"), shown, again, np.stack(played.action))


def compare(runtime: Runtime, name: str, found: np.ndarray, expected: np.ndarray) -> None:
    fixed = f" where the model is run {runtime.fixed} at a time" if runtime.fixed else ""
    if found.shape != expected.shape:
        raise ExportError(
            f"{runtime.path}: the output {name!r} has shape {list(found.shape)} with torch and {list(expected.shape)} "
            f"with ONNX Runtime{fixed}: export the module itself."
        )
    expected = expected.astype(np.float64)
    finite = np.where(np.isfinite(expected), np.abs(expected), 0)
    scale = np.maximum(1.0, np.maximum(finite, np.sqrt(np.mean(finite**2, 0, keepdims=True))))
    with np.errstate(invalid="ignore"):
        same = (found == expected) | (np.isnan(found) & np.isnan(expected))
        far = np.where(same, 0.0, np.abs(found - expected) / scale)
    worst = float(np.nan_to_num(far, nan=math.inf).max(initial=0.0))
    if not worst <= LIMIT:
        raise ExportError(
            f"{runtime.path}: the output {name!r} is {worst:.1e} from ONNX Runtime's{fixed}, and {LIMIT:g} is the "
            "most: export the module itself."
        )
