"""A model's graph as a module of torch operations."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from minnow.export.errors import ExportError, first_line
from minnow.export.importers.onnx.nodes import RANDOM, At, compute, table
from minnow.export.importers.onnx.values import DTYPES, Known, plain


@dataclass
class Input:
    """One of the model's inputs. `kind` is ONNX's type of it, `dims` without the agents' axis, `fixed` the number of
    agents that the model is written for, 0 where it is free."""

    name: str
    kind: int
    dims: tuple[int, ...]
    axis: int = 0
    fixed: int = 0

    @property
    def dtype(self) -> str:
        """What the policy is given for it: truth comes as bytes, whole numbers as int32."""
        found = DTYPES[self.kind]
        if found == torch.float32:
            return "float32"
        return "uint8" if found in (torch.uint8, torch.bool) else "int32"

    def shape(self, agents: int) -> tuple[int, ...]:
        return (*self.dims[: self.axis], agents, *self.dims[self.axis :])


class Step(nn.Module):
    """A node that is left after constants were folded: `place` in words, the names of its inputs and outputs. A module,
    so that what export refuses is named by its place."""

    def __init__(self, kind: str, place: str, at: At, inputs: list[str], outputs: list[str]) -> None:
        super().__init__()
        self.kind, self.place, self.at, self.inputs, self.outputs = kind, place, at, inputs, outputs

    def forward(self, args: list[Any], eager: bool = False) -> tuple[Any, ...]:
        return compute(self.kind, self.at, args, eager)


class Network(nn.Module):
    """forward(obs[, state]): both dicts by the model's names -> the outputs that are kept[, state].

    keep: names of outputs. state: names of state coming in, and of the same going out. Nodes that neither needs are
    left out; `left_out` names the inputs that fall away with them."""

    def __init__(self, model: Any, keep: tuple[str, ...], state: dict[str, str], path: Path) -> None:
        super().__init__()
        import onnx

        self.path, self.state, self.outputs = path, state, keep
        self.opset = next(item.version for item in model.opset_import if item.domain in ("", "ai.onnx"))
        stored = {item.name: item for item in model.graph.initializer}
        if model.graph.sparse_initializer:
            raise ExportError(f"{path} stores sparse arrays, which are not supported: store them dense.")
        nodes, needed = needed_by(model, {*keep, *state.values()})
        self._refuse(nodes, len(model.graph.node))
        known = {
            name: Known(plain(onnx.numpy_helper.to_array(item))) for name, item in stored.items() if name in needed
        }
        steps: list[Step] = []
        for i, item in nodes:
            place = f"node {i + 1} of {len(model.graph.node)}, {item.op_type} {item.name or item.output[0]!r}"
            attributes = {part.name: value_of(part) for part in item.attribute}
            outputs = max((n + 1 for n, name in enumerate(item.output) if name in needed), default=0)
            step = Step(item.op_type, place, At(attributes, self.opset, outputs), list(item.input), list(item.output))
            if item.op_type == "Constant":
                known[item.output[0]] = Known(plain(np.asarray(next(iter(attributes.values())))))
            elif item.input and all(name in known or not name for name in item.input):
                known.update(self._run(step, dict(known), eager=True))
            else:
                steps.append(step)
        self.steps = steps
        for step in steps:
            self.add_module(step.place.replace(".", "_"), step)
        self._keep({name for step in steps for name in step.inputs}, known)
        given = [item for item in model.graph.input if item.name not in stored]
        self.left_out = [item.name for item in given if item.name not in needed]
        found = [self._input(item) for item in given]
        self.given = {item.name: item for item in found}  # to ONNX Runtime
        self.inputs = {item.name: item for item in found if item.name not in (*state, *self.left_out)}
        self.start = {item.name: item for item in found if item.name in state}
        for name in keep:
            if name in known or name in stored:
                raise ExportError(
                    f"{path}: the output {name!r} depends on no input: name those to keep with --keep, of "
                    f"{', '.join(item.name for item in model.graph.output)}."
                )
        if not self.inputs:
            raise ExportError(f"{path}: the outputs {', '.join(keep)} depend on no observation.")

    def _refuse(self, nodes: list[tuple[int, Any]], count: int) -> None:
        """Raises ExportError for nodes that are not known, with their places."""
        for i, item in nodes:
            foreign = item.domain not in ("", "ai.onnx")
            parts = next((part.i for part in item.attribute if part.name == "num_outputs"), len(item.output))
            if parts != len(item.output):  # ends ONNX Runtime's process
                raise ExportError(
                    f"{self.path}: node {i + 1} of {count}, {item.op_type} {item.name or item.output[0]!r}, has "
                    f"{len(item.output)} outputs, and its num_outputs says {parts}."
                )
            if item.op_type == "Constant" or (item.op_type in table() and not foreign):
                continue
            kind = f"{item.domain}.{item.op_type}" if foreign else item.op_type
            if item.op_type in RANDOM:
                why = "draws random numbers, which is left to the policy's action head: keep outputs that are not drawn"
                raise ExportError(
                    f"{self.path}: the operation {kind} (node {i + 1} of {count}, {item.name or item.output[0]!r}) "
                    f"{why}, with --keep."
                )
            raise ExportError(
                f"{self.path}: the operation {kind} (node {i + 1} of {count}, {item.name or item.output[0]!r}) is not "
                "known: export the module itself, or keep outputs that do not need it, with --keep."
            )

    def _input(self, item: Any) -> Input:
        kind, name = item.type.tensor_type, item.name
        dims = tuple(part.dim_value for part in kind.shape.dim)
        if kind.elem_type not in DTYPES or not dims:
            what = "is a single number" if kind.elem_type in DTYPES else f"has ONNX's type {kind.elem_type}"
            raise ExportError(
                f"{self.path}: the input {name!r} {what}: arrays of numbers, one row an agent, are known."
            )
        free = [i for i, n in enumerate(dims) if n == 0]
        if len(free) > 1 or (free not in ([], [0]) and name not in self.state):
            raise ExportError(
                f"{self.path}: the input {name!r} has free sizes on the axes {free}: only the agents may be free, on "
                "axis 0; fix the others with python -m onnxruntime.tools.make_dynamic_shape_fixed."
            )
        axis = free[0] if free else 1 if name in self.state and len(dims) > 2 else 0
        return Input(name, kind.elem_type, (*dims[:axis], *dims[axis + 1 :]), axis, dims[axis])

    def _keep(self, names: set[str], known: dict[str, Known]) -> None:
        """Stores the constants that the steps read."""
        self.constants = {name: item for name, item in known.items() if name in names}
        self.place: dict[str, str] = {}  # a constant's name in the model, and here
        for name, item in self.constants.items():
            self.place[name] = f"array{len(self.place)}"
            self.register_buffer(self.place[name], torch.from_numpy(np.array(item.array)), persistent=False)

    def _run(self, step: Step, values: dict[str, Any], eager: bool = False) -> dict[str, Any]:
        """The outputs of one node by name. eager: constants are being computed."""
        args = [values[name] if name else None for name in step.inputs]
        try:
            results = step(args, eager)
        except Exception as error:
            raise ExportError(f"{self.path}: {step.place}, cannot be computed: {first_line(error)}.") from error
        if len(results) < step.at.outputs:
            raise ExportError(f"{self.path}: {step.place}, gives {len(results)} outputs, not {step.at.outputs}.")
        if eager:
            results = tuple(Known(plain(item.numpy())) if isinstance(item, Tensor) else item for item in results)
        return dict(zip(step.outputs, results, strict=False))

    def forward(self, obs: dict[str, Tensor], state: dict[str, Tensor] | None = None) -> Any:
        values = self.compute(obs, state or {})
        outputs = tuple(result(values[name]) for name in self.outputs)
        if self.state:
            return (*outputs, {name: result(values[after]) for name, after in self.state.items()})
        (first, *rest) = outputs
        return outputs if rest else first

    def compute(self, obs: dict[str, Tensor], state: dict[str, Tensor], note: Any = None) -> dict[str, Any]:
        """All values by name. note(step, values) is called before each node."""
        values: dict[str, Any] = {
            name: Known(item.array, getattr(self, self.place[name])) for name, item in self.constants.items()
        }
        values |= state
        for name, item in self.inputs.items():
            kind = DTYPES[item.kind]
            values[name] = obs[name] != 0 if kind == torch.bool else obs[name].to(kind)
        for step in self.steps:
            if note is not None:
                note(step, values)
            values |= self._run(step, values)
        return values


def result(item: Any) -> Tensor:
    """An output as the float32 that policies give."""
    if not isinstance(item, Tensor):
        raise ExportError("an output depends on no observation: name those to keep with --keep.")
    return item if item.dtype == torch.float32 else item.to(torch.float32)


def needed_by(model: Any, names: set[str]) -> tuple[list[tuple[int, Any]], set[str]]:
    """The nodes, with their numbers, that these values depend on; and all values on the way."""
    nodes, needed = [], set(names)
    for i, item in reversed(list(enumerate(model.graph.node))):
        if needed.intersection(item.output):
            nodes.insert(0, (i, item))
            needed.update(name for name in item.input if name)
    return nodes, needed


def value_of(attribute: Any) -> Any:
    import onnx

    found = onnx.helper.get_attribute_value(attribute)
    return plain(onnx.numpy_helper.to_array(found)) if attribute.type == onnx.AttributeProto.TENSOR else found
