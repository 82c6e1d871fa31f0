"""ONNX models, opset 13 and later: the graph becomes a module of torch operations, held against ONNX Runtime.

Recurrent state is what comes in and goes out by paired names: `state.NAME` and `next_state.NAME`, as our own models
have it, or `NAME_in` and `NAME_out`, or pairs that `state` names. It starts at zero.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from minnow.export.action import Action, Box, Discrete, MultiDiscrete
from minnow.export.errors import ExportError, first_line
from minnow.export.importers.imported import EXAMPLES, Imported, library, present, samples

LIMIT = 1e-5  # how far the module may be from ONNX Runtime, relative to the largest number above 1
STEPS = 4
OPSET = 13


@dataclass
class Options:
    """Export an ONNX model of a policy."""

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
    chosen, path = Options(**options), Path(path)
    onnx = library("onnx", "onnx")
    try:
        model = onnx.load(str(present(path)))
        onnx.checker.check_model(model)
    except ExportError:
        raise
    except Exception as error:
        raise ExportError(f"{path} is no ONNX model: {first_line(error)}.") from None
    opset = next(item.version for item in model.opset_import if item.domain in ("", "ai.onnx"))
    if opset < OPSET:
        raise ExportError(
            f"{path} is of opset {opset}, and {OPSET} is the least: convert it with onnx.version_converter."
        )
    module = Network(model, pairs(model, chosen.state), path).eval()
    obs = {name: samples(shape, dtype) for name, (shape, dtype) in module.inputs.items()}
    state = {name: torch.zeros(shape) for name, shape in module.start.items()}
    check(module, path, obs, state)
    names = chosen.outputs or tuple(module.outputs)
    if len(names) != len(module.outputs):
        raise ExportError(f"{path} has the outputs {', '.join(module.outputs)}, state left out: name each of them.")
    widths = dict(zip(names, module.widths, strict=True))
    action: Action | None = None
    if "logits" in names:
        action = MultiDiscrete(chosen.sizes) if chosen.sizes else Discrete(widths["logits"])
    elif "mean" in names:
        action = Box([chosen.low] * widths["mean"], [chosen.high] * widths["mean"])
    return Imported(
        module=module,
        obs=obs,
        outputs=names,
        action=action,
        state=state or None,
        observation=[{"name": name, "shape": list(shape)} for name, (shape, _) in module.inputs.items()],
        meta={"library": f"ONNX opset {opset}", "producer": model.producer_name},
    )


def pairs(model: Any, said: tuple[str, ...]) -> dict[str, str]:
    """Names of state coming in, and of the same going out."""
    out = {item.name for item in model.graph.output}
    found = {}
    for item in model.graph.input:
        name = item.name
        for other in (f"next_{name}", name.removesuffix("_in") + "_out" if name.endswith("_in") else ""):
            if other in out:
                found[name] = other
    for pair in said:
        before, _, after = pair.partition("=")
        if after not in out or before not in {item.name for item in model.graph.input}:
            raise ExportError(f"the state {pair!r} is no input and output of the model, given as IN=OUT.")
        found[before] = after
    return found


class Network(nn.Module):
    """forward(obs[, state]): both dicts by the model's names -> outputs[, state].

    A value is a tensor, or a plain number, or a list of whole ones: shapes, and the axes and indices of operations."""

    def __init__(self, model: Any, state: dict[str, str], path: Path) -> None:
        super().__init__()
        import onnx

        self.state, self.nodes = state, list(model.graph.node)
        self.constants: dict[str, list[int] | int | float] = {}
        self.place: dict[str, str] = {}  # a stored array's name in the model, and here
        for item in model.graph.initializer:
            self.keep(item.name, onnx.numpy_helper.to_array(item))
        for node in self.nodes:
            if node.op_type == "Constant":
                self.keep(node.output[0], np.asarray(attributes(node)["value"]))
            elif node.op_type not in OPERATIONS or node.domain not in ("", "ai.onnx"):
                raise ExportError(
                    f"{path}: the operation {node.op_type} ({node.name or node.output[0]}) is not known: "
                    f"{', '.join(sorted(OPERATIONS))} are; export the module itself."
                )
        self.inputs: dict[str, tuple[tuple[int, ...], str]] = {}
        self.start: dict[str, tuple[int, ...]] = {}
        for item in model.graph.input:
            if item.name not in self.place:
                self.input(item, path)
        self.outputs = [item.name for item in model.graph.output if item.name not in state.values()]
        shapes = {item.name: [d.dim_value for d in item.type.tensor_type.shape.dim] for item in model.graph.output}
        self.widths = [(shapes[name] or [1])[-1] for name in self.outputs]

    def input(self, item: Any, path: Path) -> None:
        kind = item.type.tensor_type
        dims = [d.dim_value for d in kind.shape.dim]
        if item.name in self.state:  # its agents: the axis of free size, or of size 1 that is not the first of three
            free = [i for i, n in enumerate(dims) if n == 0] or [min(1, len(dims) - 2)]
            self.start[item.name] = tuple(EXAMPLES if i == free[0] else n for i, n in enumerate(dims))
            return
        names = {1: "float32", 2: "uint8"}
        if kind.elem_type not in names or 0 in dims[1:]:
            raise ExportError(f"{path}: the input {item.name!r} must be float32 or uint8, only its first axis free.")
        self.inputs[item.name] = tuple(dims[1:]), names[kind.elem_type]

    def keep(self, name: str, array: np.ndarray) -> None:
        if array.dtype.kind in "iu" or array.ndim == 0:
            self.constants[name] = array.tolist()
        self.place[name] = f"array{len(self.place)}"
        self.register_buffer(self.place[name], torch.from_numpy(np.array(array)), persistent=False)

    def forward(self, obs: dict[str, Tensor], state: dict[str, Tensor] | None = None) -> Any:
        values: dict[str, Any] = {**obs, **(state or {}), **self.constants}
        for name, place in self.place.items():
            values.setdefault(name, getattr(self, place))
        for node in self.nodes:
            if node.op_type == "Constant":
                continue
            args = [values[name] if name else None for name in node.input]
            result = OPERATIONS[node.op_type](attributes(node), *args)
            results = result if isinstance(result, tuple) else (result,)
            values.update(zip(node.output, results, strict=False))
        outputs = tuple(values[name] for name in self.outputs)
        if state is not None:
            return (*outputs, {name: values[after] for name, after in self.state.items()})
        return outputs if len(outputs) > 1 else outputs[0]


def attributes(node: Any) -> dict[str, Any]:
    import onnx

    found = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
    if node.op_type == "Constant":
        key, value = next(iter(found.items()))
        value = onnx.numpy_helper.to_array(value) if key == "value" else np.array(value)
        return {"value": value.astype(np.float32) if value.dtype == np.float64 else value}
    return found


def check(module: Network, path: Path, obs: dict[str, np.ndarray], state: dict[str, Tensor]) -> None:
    """Raises ExportError unless the module computes what ONNX Runtime does, over a few steps."""
    runtime = library("onnxruntime", "onnxruntime")
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [item.name for item in session.get_outputs()]
    single = any(item.shape[0] == 1 for item in session.get_inputs() if item.name in obs)
    rows = {name: torch.from_numpy(item[:1] if single else item) for name, item in obs.items()}
    axes = {name: next(i for i, n in enumerate(item.shape) if n == EXAMPLES) for name, item in state.items()}
    ours = {name: item.narrow(axes[name], 0, 1) if single else item for name, item in state.items()}
    theirs = {name: item.numpy() for name, item in ours.items()}
    for _ in range(STEPS):
        try:
            with torch.no_grad():
                found = module(rows, ours) if state else module(rows)
        except Exception as error:
            raise ExportError(f"{path} cannot be computed with torch: {first_line(error)}.") from error
        found = found if isinstance(found, tuple) else (found,)
        expected = dict(zip(names, session.run(None, {n: r.numpy() for n, r in rows.items()} | theirs), strict=True))
        parts = dict(zip(module.outputs, found, strict=False))
        if state:
            ours, theirs = found[-1], {name: expected[after] for name, after in module.state.items()}
            parts |= {after: ours[name] for name, after in module.state.items()}
        for name, part in parts.items():
            far = np.abs(part.numpy() - expected[name]).max() / max(1.0, np.abs(expected[name]).max())
            if part.shape != expected[name].shape or not far <= LIMIT:
                raise ExportError(f"{path}: the output {name!r} is {far:.1e} from ONNX Runtime's: please report this.")


# Operations: (attributes, inputs...) -> output or outputs, as the ONNX specification has them


def whole(item: Any) -> list[int]:
    """A list of whole numbers."""
    if isinstance(item, Tensor):
        raise ExportError("a shape or axis depends on the observation, where a constant is expected.")
    return list(item) if isinstance(item, list | tuple) else [item]


def tensor(item: Any) -> Tensor:
    return item if isinstance(item, Tensor) else torch.as_tensor(item)


def gemm(at: dict, a: Tensor, b: Tensor, c: Any = None) -> Tensor:
    a = a.t() if at.get("transA") else a
    b = (b if at.get("transB") else b.t()) * at.get("alpha", 1.0)
    return F.linear(a, b, None if c is None else c * at.get("beta", 1.0))


def matmul(at: dict, a: Tensor, b: Tensor) -> Tensor:
    return torch.matmul(a, b)


def conv(at: dict, x: Tensor, w: Tensor, b: Any = None) -> Tensor:
    axes = w.dim() - 2
    pads = at.get("pads", [0] * 2 * axes)
    if at.get("auto_pad", b"NOTSET") != b"NOTSET":
        raise ExportError("Conv with auto_pad is not known: give it pads.")
    if pads[:axes] != pads[axes:]:
        x, pads = F.pad(x, [n for i in reversed(range(axes)) for n in (pads[i], pads[axes + i])]), [0] * 2 * axes
    function = (F.conv1d, F.conv2d, F.conv3d)[axes - 1]
    return function(
        x, w, b, at.get("strides", [1] * axes), pads[:axes], at.get("dilations", [1] * axes), at.get("group", 1)
    )


def reshape(at: dict, x: Any, shape: Any) -> Any:
    wanted = whole(shape)
    if not isinstance(x, Tensor):
        return x
    return x.reshape([x.shape[i] if n == 0 and not at.get("allowzero") else n for i, n in enumerate(wanted)])


def flatten(at: dict, x: Tensor) -> Tensor:
    axis = at.get("axis", 1)
    if axis % x.dim() != 1:
        raise ExportError(f"Flatten at axis {axis} mixes agents.")
    return x.flatten(1)


def unsqueeze(at: dict, x: Any, axes: Any) -> Any:
    if not isinstance(x, Tensor):
        return whole(x)
    rank = x.dim() + len(whole(axes))
    for axis in sorted(n % rank for n in whole(axes)):
        x = x.unsqueeze(axis)
    return x


def squeeze(at: dict, x: Any, axes: Any = None) -> Any:
    if not isinstance(x, Tensor):
        return whole(x)[0]
    if axes is None:
        raise ExportError("Squeeze without axes would take away the agents' too: name them.")
    for axis in sorted((n % x.dim() for n in whole(axes)), reverse=True):
        x = x.squeeze(axis)
    return x


def gather(at: dict, x: Any, index: Any) -> Any:
    axis = at.get("axis", 0)
    if not isinstance(x, Tensor):
        return [whole(x)[i] for i in index] if isinstance(index, list) else whole(x)[index]
    if isinstance(index, Tensor):
        raise ExportError("Gather by what depends on the observation is not known.")
    if isinstance(index, int):
        return x.select(axis, index)
    return torch.cat([x.narrow(axis, i % x.shape[axis], 1) for i in whole(index)], axis)


def slice_(at: dict, x: Any, starts: Any, ends: Any, axes: Any = None, steps: Any = None) -> Any:
    begin, end = whole(starts), whole(ends)
    axis = list(range(len(begin))) if axes is None else whole(axes)
    step = [1] * len(begin) if steps is None else whole(steps)
    if not isinstance(x, Tensor):
        return whole(x)[begin[0] : end[0] : step[0]]
    for place, *window in zip(axis, begin, end, step, strict=True):
        index = [slice(None)] * x.dim()
        index[place] = slice(*window)
        x = x[tuple(index)]
    return x


def concat(at: dict, *items: Any) -> Any:
    if any(isinstance(item, Tensor) for item in items):
        return torch.cat([tensor(item) for item in items], at["axis"])
    return [n for item in items for n in whole(item)]


def split(at: dict, x: Tensor, sizes: Any = None) -> tuple[Tensor, ...]:
    axis = at.get("axis", 0)
    count = at.get("num_outputs", 0)
    return tuple(x.split(whole(sizes), axis) if sizes is not None else x.chunk(count, axis))


def clip(at: dict, x: Tensor, low: Any = None, high: Any = None) -> Tensor:
    if isinstance(low, Tensor) or isinstance(high, Tensor):
        raise ExportError("Clip to what is no constant is not known: use Min and Max.")
    return x.clamp(low, high)


def power(at: dict, x: Tensor, exponent: Any) -> Tensor:
    if isinstance(exponent, Tensor):
        raise ExportError("Pow to what is no single constant is not known.")
    return torch.pow(x, exponent)


def layer_norm(at: dict, x: Tensor, weight: Tensor, bias: Any = None) -> Tensor:
    axis = at.get("axis", -1) % x.dim()
    return F.layer_norm(x, list(x.shape[axis:]), weight, bias, at.get("epsilon", 1e-5))


def gates(array: Any, order: tuple[int, ...]) -> Any:
    """Rows of the gates, one block each, in another order."""
    return torch.cat([array.chunk(len(order))[i] for i in order])


def recurrent(order: tuple[int, ...], at: dict, items: tuple[Any, ...]) -> tuple[list[Any], bool]:
    """Weights as torch has them; refuses what is more than a plain layer over one step."""
    w, r, b = (*items, None)[1:4]
    if at.get("direction", b"forward") != b"forward" or at.get("layout", 0) or "activations" in at or "clip" in at:
        raise ExportError("a recurrent layer that is not plain (direction, layout, activations, clip) is not known.")
    if len(items) < 6 or items[5] is None:
        raise ExportError("a recurrent layer without initial state is not known: let the model take the state.")
    found = [gates(w[0], order), gates(r[0], order)]
    if b is not None:
        found += [gates(half, order) for half in b[0].chunk(2)]
    return found, b is not None


def lstm(at: dict, *items: Any) -> tuple[Tensor, ...]:
    params, biases = recurrent((0, 2, 3, 1), at, items)
    y, h, c = torch._VF.lstm(items[0], (items[5], items[6]), params, biases, 1, 0.0, False, False, False)
    return y.unsqueeze(1), h, c


def gru(at: dict, *items: Any) -> tuple[Tensor, ...]:
    if not at.get("linear_before_reset"):
        raise ExportError("GRU without linear_before_reset is not torch's: not known.")
    params, biases = recurrent((1, 0, 2), at, items)
    y, h = torch._VF.gru(items[0], items[5], params, biases, 1, 0.0, False, False, False)
    return y.unsqueeze(1), h


def expand(at: dict, x: Tensor, shape: Any) -> Tensor:
    wanted = whole(shape)
    rank = max(x.dim(), len(wanted))
    own = [1] * (rank - x.dim()) + list(x.shape)
    wanted = [1] * (rank - len(wanted)) + wanted
    return x.expand([b if isinstance(b, torch.SymInt) or b != 1 else a for a, b in zip(own, wanted, strict=True)])


def reduction(function: Callable) -> Callable:
    def reduce(at: dict, x: Tensor, axes: Any = None) -> Tensor:
        axes = at.get("axes") if axes is None else whole(axes)
        if not axes:
            raise ExportError("a reduction over all axes mixes agents.")
        return function(x, axes, keepdim=bool(at.get("keepdims", 1)))

    return reduce


def one(function: Callable) -> Callable:
    return lambda at, x: function(x)


def two(function: Callable) -> Callable:
    def apply(at: dict, a: Any, b: Any) -> Any:
        if isinstance(a, list) or isinstance(b, list):
            raise ExportError("arithmetic on shapes is not known: fold constants before, as onnxsim does.")
        return function(a, b)

    return apply


def cast(at: dict, x: Any) -> Any:
    if not isinstance(x, Tensor):
        return x
    if at["to"] != 1:
        raise ExportError(f"Cast to type {at['to']} is not known: float32 is (1).")
    return x.float()


OPERATIONS: dict[str, Callable] = {
    "Constant": lambda at: None,
    "Identity": one(lambda x: x),
    "Dropout": lambda at, x, *_: x,
    "Cast": cast,
    "Gemm": gemm,
    "MatMul": matmul,
    "Conv": conv,
    "LSTM": lstm,
    "GRU": gru,
    "Add": two(operator.add),
    "Sub": two(operator.sub),
    "Mul": two(operator.mul),
    "Div": two(operator.truediv),
    "Min": lambda at, a, b: torch.minimum(tensor(a), tensor(b)),
    "Max": lambda at, a, b: torch.maximum(tensor(a), tensor(b)),
    "Relu": one(torch.relu),
    "Tanh": one(torch.tanh),
    "Sigmoid": one(torch.sigmoid),
    "Elu": lambda at, x: F.elu(x, at.get("alpha", 1.0)),
    "Selu": one(F.selu),
    "LeakyRelu": lambda at, x: F.leaky_relu(x, at.get("alpha", 0.01)),
    "Softplus": one(F.softplus),
    "Softsign": one(F.softsign),
    "Gelu": lambda at, x: F.gelu(x, approximate=at.get("approximate", b"none").decode()),
    "Erf": one(torch.erf),
    "Exp": one(torch.exp),
    "Log": one(torch.log),
    "Sqrt": one(torch.sqrt),
    "Reciprocal": one(torch.reciprocal),
    "Neg": one(torch.neg),
    "Abs": one(torch.abs),
    "Pow": power,
    "Clip": clip,
    "Softmax": lambda at, x: x.softmax(at.get("axis", -1)),
    "LogSoftmax": lambda at, x: x.log_softmax(at.get("axis", -1)),
    "LayerNormalization": layer_norm,
    "ReduceMean": reduction(torch.mean),
    "ReduceSum": reduction(torch.sum),
    "Flatten": flatten,
    "Reshape": reshape,
    "Transpose": lambda at, x: x.permute(at["perm"]),
    "Unsqueeze": unsqueeze,
    "Squeeze": squeeze,
    "Concat": concat,
    "Split": split,
    "Slice": slice_,
    "Gather": gather,
    "Expand": expand,
    "Shape": lambda at, x: list(x.shape)[at.get("start", 0) : at.get("end")],
}
