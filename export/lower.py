"""From torch's graph to ours: each aten operation is written with the operations of minnow.h.

torch's arrays carry the agents on some axis; ours are per agent. A `Batched` says which value of ours stands for an
array of torch's and where the agents are; a `Const` is an array that is the same for every agent and is computed here
and now. Every result is checked against the shape that torch found for it. `export/aten/` holds the operations, one
file a family.
"""

from __future__ import annotations

import importlib
import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx
from torch.fx.node import map_arg
from torch.utils import _pytree as pytree

from minnow.export import apart, ops
from minnow.export.aten import whole
from minnow.export.call import HANDLERS, Batched, Call, Const, Layout, layout_of, refusal, shares, writes
from minnow.export.errors import ExportError, first_line, place
from minnow.export.graph import Graph, Input, Op, Output, State, Value
from minnow.export.patterns import mingru, mix
from minnow.export.trace import DTYPES, Leaf, Signature, quiet

FAMILIES = ("shape", "elementwise", "linear", "reduce", "recurrent", "choose", "window", "write")
ROLES = ("logits", "mean", "log_std", "value")


def lower(
    program: torch.export.ExportedProgram,
    signature: Signature,
    bounds: Mapping[str, tuple[float, float]] | None = None,
) -> tuple[Graph, list[str]]:
    """The graph of a traced module, and the names of the parameters that it does not use. bounds: for arrays of the
    observation, by name, the least and the greatest number that is declared of them.

    Raises ExportError where an operation cannot be expressed or mixes agents."""
    for family in FAMILIES:
        importlib.import_module(f"minnow.export.aten.{family}")
    lowering = Lowering(program, signature, bounds or {})
    if lowering.entangled():
        with quiet(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Nothing that is known is taken apart, and no array is written into.
            program = program.run_decompositions(apart.composed(program.graph, HANDLERS))
        lowering = Lowering(program, signature, bounds or {})
    lowering.run()
    mingru.fuse(lowering.graph, lowering.derived)
    mix.fuse(lowering.graph)
    lowering.prune()
    unused = sorted(set(dict(signature.module.named_parameters())) - lowering.used())
    return lowering.graph, unused


class Lowering:
    """One pass over torch's graph."""

    def __init__(
        self, program: torch.export.ExportedProgram, signature: Signature, bounds: Mapping[str, tuple[float, float]]
    ) -> None:
        self.program = program
        self.bounds = bounds
        self.signature = signature
        self.graph = Graph()
        self.env: dict[fx.Node, Any] = {}
        self.origins: list[frozenset[str]] = []  # of each tensor
        self.index: dict[tuple, int] = {}  # equal tensors are stored once
        self.constants: dict[int, int] = {}  # tensor -> value of its constant op
        self.casts: dict[int, int] = {}  # 8-bit or integer value -> the same as f32
        self.cut: dict[int, int] = {}  # what is without its part behind the point -> the number with it
        self.words: dict[int, int] = {}  # f32 value -> the same as i32
        self.ranges: dict[int, whole.Range] = {}  # of values that are of a whole kind in torch
        self.reshaped: dict[int, int] = {}  # result of a reshape -> what it was made of
        self.argument: set[fx.Node] = set()
        self.door: set[fx.Node] = set()  # float64 because the observation is, so f32 here
        self._inputs()

    def entangled(self) -> bool:
        """Whether the graph must be made functional first: something is written into that is also seen through another
        view, or vmap or autocast have left their marks. Writing in place into anything else becomes making a new array.

        Raises ExportError where forward writes into its arguments or memory on self."""
        order = {node: i for i, node in enumerate(self.program.graph.nodes)}
        root: dict[fx.Node, fx.Node] = {}  # the first node of each chain of views
        found = False
        for node in order:
            source = next(iter(node.args), None)
            source = source if isinstance(source, fx.Node) else None
            found |= node.op == "get_attr" or "_functorch" in getattr(node.target, "__module__", "")
            if node.op != "call_function" or source is None:
                continue
            if shares(node):
                root[node] = root.get(source, source)
            if not writes(node) or str(node.target) == "aten.detach_.default":
                continue
            first = root[node]
            if first in self.argument:
                if any("num_batches_tracked" in name for name in getattr(self.env[first], "names", ())):
                    raise refusal(node, "batch norm in training mode mixes agents", "call module.eval() before export")
                what = "memory on self" if isinstance(self.env[first], Const) else "forward's own arguments"
                raise refusal(
                    node,
                    f"it writes in place into {what}",
                    "make a new tensor, and pass memory in and return it as state",
                )
            for other in [first, *(n for n, r in root.items() if r is first)]:
                found |= other not in (source, node) and any(order[user] > order[node] for user in other.users)
        return found

    def run(self) -> None:
        for node in self.program.graph.nodes:
            if node.op == "call_function":
                self.env[node] = self._call(node)
            elif node.op == "output":
                self._outputs(node)
            elif node.op != "placeholder":
                raise ExportError(f"torch's graph holds a {node.op} node ({node.target}), which is not understood.")

    # Inputs and outputs

    def _inputs(self) -> None:
        kinds = torch.export.graph_signature.InputKind
        tensors = {
            **dict(self.program.named_parameters()),
            **dict(self.program.named_buffers()),
            **self.program.constants,
        }
        nodes = [node for node in self.program.graph.nodes if node.op == "placeholder"]
        user = []
        for node, spec in zip(nodes, self.program.graph_signature.input_specs, strict=True):
            if spec.kind == kinds.USER_INPUT:
                user.append(node)
            elif isinstance(tensor := tensors.get(spec.target or ""), Tensor):
                named = spec.kind in (kinds.PARAMETER, kinds.BUFFER)
                names = frozenset([spec.target or ""]) if named else frozenset()
                self.env[node] = Const(tensor.detach().cpu(), names)
                self.argument.add(node)
            else:
                raise ExportError(f"forward uses {spec.target!r}, which is not a tensor: only tensors can be stored.")
        leaves = [*self.signature.obs, *self.signature.states]
        for i, (node, leaf) in enumerate(zip(user, leaves, strict=True)):
            value = self._value(leaf.shape, DTYPES[leaf.tensor.dtype], leaf.name)
            self.env[node] = Batched(value, leaf.axis)
            self.argument.add(node)
            if leaf.dtype == torch.float64:
                self.door.add(node)
            if leaf.dtype == torch.bool:  # any byte but 0 is true, as torch has it
                self.env[node] = self._truth(self.env[node])
            if i < len(self.signature.obs):
                self.graph.inputs.append(Input(leaf.name, value))
                self._declare(value, leaf)
            else:
                start = leaf.one
                initial = self.tensor(Const(start), f"{leaf.name} at the start") if start.any() else -1
                self.graph.states.append(State(leaf.name, value, -1, initial, leaf.axis))

    def _declare(self, value: int, leaf: Leaf) -> None:
        """What an array of the observation can hold, where it is of a whole kind."""
        least, most = {"u8": (0, 255), "i32": (whole.LEAST, whole.MOST)}.get(
            self.graph.values[value].dtype, (-math.inf, math.inf)
        )
        low, high = self.bounds.get(leaf.name, (-math.inf, math.inf))
        sure = leaf.tensor.dtype == torch.uint8 or math.isfinite(high - low)
        low, high = max(low, least), min(high, most)
        if math.isfinite(high - low):
            self.ranges[value] = whole.Range(math.floor(low), math.ceil(high), sure)

    def _truth(self, ref: Batched) -> Batched:
        value, zero = self.float(ref).value, self.constant(Const(torch.tensor(0.0)))
        for _ in range(2):
            value = self.op("eq", [value, zero], self.graph.values[value].shape)
        self.ranges[value] = whole.BOOL
        return Batched(value, ref.axis)

    def _outputs(self, node: fx.Node) -> None:
        given: Any = node.args[0]
        results = list(given)
        names = self.signature.returned
        layouts = [Layout(leaf.resize(1).shape, leaf.axis) for leaf in self.signature.states]
        found = dict(zip(names, results, strict=False))
        for name in self.signature.names:
            item = found[name]
            ref = self._result(item, f"output {name!r}", None)
            role = name if name in ROLES else "other"
            self.graph.outputs.append(Output(name, ref.value, role))
        for state, layout, item in zip(self.graph.states, layouts, results[len(names) :], strict=True):
            state.after = self._result(item, f"state leaf {state.name!r}", layout).value

    def _result(self, item: Any, what: str, layout: Layout | None) -> Batched:
        """A result of forward as f32 with the agents where they belong: axis 0, or the state's own axis."""
        ref = self.env[item] if isinstance(item, fx.Node) else item
        if not isinstance(ref, Batched):
            raise ExportError(f"{what} does not depend on the observation or state: return one row per agent.")
        found = layout_of(item.meta["val"])
        axis = 0 if layout is None else layout.axis
        if found.axis != axis or found.fold:
            where = place(item.meta.get("stack_trace"))
            raise ExportError(
                f"{what}{where} has its agents on axis {found.axis}, not {axis}: one row per agent is expected."
            )
        if item.meta["val"].dtype != torch.float32 and item not in self.door:
            where = place(item.meta.get("stack_trace"))
            raise ExportError(f"{what}{where} is {str(item.meta['val'].dtype)[6:]}: outputs are float32; convert it.")
        return self.float(ref)

    # Operations

    def _call(self, node: fx.Node, outer: Call | None = None) -> Any:
        val = node.meta.get("val")
        if isinstance(val, torch.SymInt | torch.SymFloat | torch.SymBool | int | float | bool):
            return val
        if val is None:
            return None  # an assertion
        call = Call(self, node, outer)
        self._through_door(call)
        if call.name == "getitem":
            return call.args[0][call.args[1]]
        if call.own:
            return call.with_own()
        handler = HANDLERS.get(call.name)
        if handler is None and torch.Tag.nondeterministic_seeded in call.target.tags:
            raise call.refuse("it draws random numbers", "leave sampling to the policy's action head")
        # An array made for so many agents is the same for each of them; anything else without agents is a constant.
        if not call.batched and not call.agents:
            return call.fold()
        if call.batched and not call.agents:
            raise call.mixing()
        result = self.apart(call) if handler is None else handler(call)
        call.check(result)
        whole.note(call, result)
        if call.inplace:
            self.env[call.given[0]] = result
        return result

    def _through_door(self, call: Call) -> None:
        """Notes a float64 result that is so because the observation is, or made to go with it, and not because a
        parameter is."""
        stored = any(item.names and item.tensor.dtype == torch.float64 for item in call.constants)
        beside = bool(self.door) and not call.batched
        if not stored and (beside or self.door.intersection(call.node.all_input_nodes)):
            vals = [val for val in pytree.tree_leaves(call.node.meta["val"]) if isinstance(val, Tensor)]
            if any(val.dtype == torch.float64 for val in vals):
                self.door.add(call.node)

    def apart(self, call: Call, name: str = "") -> Any:
        """An operation by those that it is made of, or by a form of another name."""
        try:
            graph = apart.graph_of(call.node, name or call.name)
        except apart.OverAgents:
            raise call.mixing() from None
        except Exception as error:
            raise call.refuse(
                f"minnow.h has no such operation, and taking it apart fails ({first_line(error)})",
                "write it with the operations that docs/format.md lists",
            ) from error
        if graph is None:
            raise call.unknown()
        graph.eliminate_dead_code()
        given = iter(call.node.all_input_nodes)
        for node in graph.nodes:
            if node.op == "placeholder":
                outside = next(given)
                self.env[node] = self.env[outside]
                if outside in self.door:
                    self.door.add(node)
            elif node.op == "call_function":
                self.env[node] = self._call(node, call.outer or call)
            elif node.op == "output":
                return map_arg(node.args[0], self.env.__getitem__)
            else:
                raise call.unknown()
        raise AssertionError("a graph ends with its output")

    def float(self, ref: Batched) -> Batched:
        """The same array as f32."""
        value = self.graph.values[ref.value]
        if value.dtype == "f32":
            return ref
        if ref.value not in self.casts:
            self.casts[ref.value] = self.op("cast", [ref.value], value.shape)
            if ref.value in self.ranges and not self.beyond(ref):
                self.ranges[self.casts[ref.value]] = self.ranges[ref.value]
        return Batched(self.casts[ref.value], ref.axis, ref.fold)

    def beyond(self, ref: Batched) -> bool:
        """Whether it is i32 and float32 would not hold each number that it can be."""
        found = self.ranges.get(ref.value)
        return self.graph.values[ref.value].dtype == "i32" and not (found and found.exact)

    def op(
        self,
        kind: str,
        inputs: Sequence[int],
        shape: Sequence[int],
        tensors: Sequence[int] = (),
        source: str = "",
        **attrs: Any,
    ) -> int:
        """Appends an operation with one result; returns its value."""
        return self.op_many(kind, inputs, [shape], tensors, source, **attrs)[0]

    def op_many(
        self,
        kind: str,
        inputs: Sequence[int],
        shapes: Sequence[Sequence[int]],
        tensors: Sequence[int] = (),
        source: str = "",
        **attrs: Any,
    ) -> list[int]:
        """Appends an operation with several results; returns their values."""
        dtype = ops.dtype_of(kind, [self.graph.values[value].dtype for value in inputs], attrs)
        outputs = [self._value(tuple(int(n) for n in shape), dtype) for shape in shapes]
        self.graph.ops.append(Op(kind, list(inputs), outputs, list(tensors), attrs, source))
        return outputs

    def tensor(self, const: Const, name: str = "") -> int:
        """Stores an array as float32, once; returns its index."""
        array = const.tensor.detach().to(torch.float32).contiguous().numpy()
        key = (array.shape, array.tobytes())
        if key not in self.index:
            self.index[key] = len(self.graph.tensors)
            self.graph.tensors.append(array)
            self.graph.tensor_names.append(name or "+".join(sorted(const.names)) or "constant")
            self.origins.append(const.names)
        else:
            self.origins[self.index[key]] |= const.names
        return self.index[key]

    def derived(self, array: np.ndarray, parents: Sequence[int], name: str) -> int:
        """Stores an array made of stored ones; returns its index."""
        names = frozenset().union(*(self.origins[parent] for parent in parents))
        return self.tensor(Const(torch.from_numpy(array), names), name)

    def constant(self, const: Const) -> int:
        """An array as a value."""
        lost = const.tensor.isnan()
        if lost.any():  # a file holds no NaN, which comes of infinity minus infinity
            parts = (const.tensor.masked_fill(lost, math.inf), torch.where(lost, math.inf, 0.0))
            return self.op("sub", [self.constant(Const(part, const.names)) for part in parts], const.tensor.shape)
        tensor = self.tensor(const)
        if tensor not in self.constants:
            self.constants[tensor] = self.op("constant", [], const.tensor.shape, [tensor])
        return self.constants[tensor]

    def _value(self, shape: tuple[int, ...], dtype: str = "f32", name: str = "") -> int:
        self.graph.values.append(Value(tuple(shape), dtype, name))
        return len(self.graph.values) - 1

    # Afterwards

    def prune(self) -> None:
        """Leaves out what no output or state depends on, and numbers the rest anew."""
        graph = self.graph
        wanted = {output.value for output in graph.outputs} | {state.after for state in graph.states}
        ops = []
        for op in reversed(graph.ops):
            if wanted.intersection(op.outputs):
                wanted.update(op.inputs)
                ops.insert(0, op)
        kept = {item.value for item in graph.inputs} | {state.before for state in graph.states}
        kept.update(value for op in ops for value in op.outputs)
        values = {old: new for new, old in enumerate(sorted(kept))}
        used = {tensor for op in ops for tensor in op.tensors if tensor >= 0}
        used.update(state.initial for state in graph.states if state.initial >= 0)
        tensors = {old: new for new, old in enumerate(sorted(used))} | {-1: -1}
        for op in ops:
            op.inputs = [values[value] for value in op.inputs]
            op.outputs = [values[value] for value in op.outputs]
            op.tensors = [tensors[tensor] for tensor in op.tensors]
        for item in (*graph.inputs, *graph.outputs):
            item.value = values[item.value]
        for state in graph.states:
            state.before, state.after = values[state.before], values[state.after]
            state.initial = tensors[state.initial]
        graph.ops = ops
        graph.values = [graph.values[old] for old in sorted(kept)]
        graph.tensor_names = [graph.tensor_names[old] for old in sorted(used)]
        graph.tensors = [graph.tensors[old] for old in sorted(used)]
        self.origins = [self.origins[old] for old in sorted(used)]

    def used(self) -> set[str]:
        """The parameters and buffers behind the tensors, each under every name it has in the module."""
        names = set().union(*self.origins)
        by_id: dict[int, set[str]] = {}
        for name, parameter in self.signature.module.named_parameters(remove_duplicate=False):
            by_id.setdefault(id(parameter), set()).add(name)
        return names.union(*(group for group in by_id.values() if group & names))
