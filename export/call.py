"""One call in torch's graph, as the lowerings of `export/aten/` see it; and the register of these lowerings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, fx
from torch.fx.node import map_arg
from torch.utils import _pytree as pytree

from minnow.export.errors import ExportError, brief, place

if TYPE_CHECKING:
    from minnow.export.lower import Lowering


@dataclass(frozen=True)
class Batched:
    """torch's array = our `value` with the agents put in as axis `axis`. With `fold` = k, agents and our axis of k
    elements at that place are flattened into one of agents x k; with `fold` = -k, into one of k x agents."""

    value: int
    axis: int
    fold: int = 0


@dataclass(frozen=True)
class Const:
    """An array that no observation or state touches; `names` are the parameters and buffers it was made from."""

    tensor: Tensor
    names: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Own:
    """torch.arange over the agents: each agent's own number, which says which row is whose and nothing else."""


@dataclass(frozen=True)
class Layout:
    """An array's shape as torch sees it, the agents' size as 1 in `shape`; axis -1 where there are no agents."""

    shape: tuple[int, ...]
    axis: int = -1
    fold: int = 0

    @property
    def one(self) -> tuple[int, ...]:
        """The shape of one agent's part."""
        if self.fold or self.axis < 0:
            return self.shape
        return self.shape[: self.axis] + self.shape[self.axis + 1 :]


Handler = Callable[["Call"], Any]
HANDLERS: dict[str, Handler] = {}


def aten(*names: str) -> Callable[[Handler], Handler]:
    """Registers the lowering of operations named as `linear.default`."""

    def register(handler: Handler) -> Handler:
        for name in names:
            assert name not in HANDLERS, name
            HANDLERS[name] = handler
        return handler

    return register


@dataclass
class Call:
    """One aten call: its arguments as Batched, Const and plain numbers, and what torch says of its result."""

    lowering: Lowering
    node: fx.Node
    outer: Call | None = None  # the call of the module that this one is a part of, once taken apart
    args: list[Any] = field(init=False)
    kwargs: dict[str, Any] = field(init=False)
    bound: dict[str, Any] = field(init=False)  # by the names of the operation's schema

    def __post_init__(self) -> None:
        env = self.lowering.env
        self.args = [map_arg(arg, env.__getitem__) for arg in self.node.args]
        self.kwargs = {key: map_arg(arg, env.__getitem__) for key, arg in self.node.kwargs.items()}
        self.name = str(self.node.target).removeprefix("aten.") if self._schema else "getitem"
        if self.inplace:  # lowered as the operation that makes a new array
            self.name = self.name.replace("_.", ".", 1)
        flat = pytree.tree_leaves((self.args, self.kwargs))
        self.batched = [item for item in flat if isinstance(item, Batched)]
        self.constants = [item for item in flat if isinstance(item, Const)]
        self.own = [item for item in flat if isinstance(item, Own)]
        vals = [val for val in pytree.tree_leaves(self.node.meta.get("val")) if isinstance(val, Tensor)]
        if any(len(free_axes(val)) > 1 for val in vals):
            raise self.mixing()
        try:
            self.layouts = [layout_of(val) for val in vals]
        except ValueError:
            raise self.mixing() from None
        self.agents = any(layout.axis >= 0 for layout in self.layouts)
        self.bound = self._bind()
        if self.name.startswith("arange.") and self.agents:
            if self.layout.fold or self.bound.get("start", 0) != 0 or self.bound.get("step", 1) != 1:
                raise self.mixing()
            self.own = [Own()]

    @property
    def target(self) -> Any:
        """torch's operation, which can be called."""
        return self.node.target

    @property
    def given(self) -> tuple[Any, ...]:
        """The arguments as the graph has them: nodes, and plain numbers."""
        return self.node.args

    @property
    def _schema(self) -> Any:
        return _schema(self.node)

    def _bind(self) -> dict[str, Any]:
        if self._schema is None:
            return {}
        bound = {}
        for i, argument in enumerate(self._schema.arguments):
            if i < len(self.args):
                bound[argument.name] = self.args[i]
            elif argument.name in self.kwargs:
                bound[argument.name] = self.kwargs[argument.name]
            elif argument.has_default_value():
                bound[argument.name] = argument.default_value
        return bound

    def __getitem__(self, name: str) -> Any:
        """An argument by the name it has in the operation's schema, or its default."""
        return self.bound[name]

    @property
    def layout(self) -> Layout:
        return self.layouts[0]

    @property
    def inplace(self) -> bool:
        return writes(self.node)

    @property
    def source(self) -> str:
        return brief((self.outer or self).node.meta.get("stack_trace"))

    def refuse(self, why: str, instead: str) -> ExportError:
        return refusal(self.outer.node if self.outer else self.node, why, instead)

    def unknown(self) -> ExportError:
        inner = f", nor {self.node.target}, which it comes down to" if self.outer else ""
        return self.refuse(
            f"minnow.h has no such operation{inner}", "write it with the operations that docs/format.md lists"
        )

    def mixing(self) -> ExportError:
        return self.refuse(
            "it mixes agents, whose number is free and who must not see each other (B above)",
            "act on the other axes only; what one agent needs of others belongs in its observation",
        )

    def fold(self) -> Any:
        """Runs an operation on constants."""
        names: set[str] = set()

        def real(item: Any) -> Any:
            if isinstance(item, Const):
                names.update(item.names)
                return item.tensor.clone() if self.inplace else item.tensor
            return item

        args, kwargs = pytree.tree_map(real, (self.args, self.kwargs), is_leaf=lambda x: isinstance(x, Const))
        with torch.no_grad():
            result = self.target(*args, **kwargs)
        result = pytree.tree_map(lambda t: Const(t, frozenset(names)) if isinstance(t, Tensor) else t, result)
        if self.inplace:
            self.lowering.env[self.given[0]] = result
        return result

    def with_own(self) -> Any:
        """The result where the agents' own numbers are an argument: x[arange, i] is element i of each agent's row."""
        if self.name.startswith(("arange.", "to.", "_to_copy.", "lift_fresh", "clone.", "alias.", "_assert")):
            return Own()
        ref, kind = self.bound.get("self"), self.name.split(".")[0]
        if kind not in ("index", "index_put") or not isinstance(ref, Batched) or ref.axis != 0 or ref.fold:
            raise self.mixing()
        first, *others = self["indices"]
        together = None not in others
        others = [item for item in others if item is not None]
        if not isinstance(first, Own) or not all(isinstance(item, Batched) for item in others):
            raise self.mixing()
        if any(self.rank(item) != 1 for item in others):
            raise self.refuse("each agent's row can be asked for one place only", "use torch.gather or scatter")
        if kind == "index":
            return self.lowering.apart(self, "index of own rows") if others else ref
        if not others or not together or self["accumulate"]:
            raise self.refuse("places of the first axes of each agent's row can be written to", "use torch.scatter")
        return self.lowering.apart(self, "index_put of own rows")

    def apart(self) -> Any:
        """The result by the operations that this one is made of, for a handler that knows only some of its forms."""
        return self.lowering.apart(self)

    # What handlers use

    def batch(self, name: str) -> Batched:
        """An argument that differs between agents, as f32."""
        return self.exactly(self.held(name))

    def exactly(self, ref: Batched) -> Batched:
        """An array as f32. Refuses whole numbers that f32 does not hold, unless torch makes floats of them too."""
        if self.lowering.beyond(ref) and not self._real:
            raise self.refuse(
                "its whole numbers may lie beyond 2^24, where float32 does not hold each of them",
                "declare their range with observation=, clamp them before it, or convert them with .float()",
            )
        return self.lowering.float(ref)

    def held(self, name: str) -> Batched:
        """An argument that differs between agents: as i32 where f32 would not hold it, else as f32."""
        item = self[name]
        if not isinstance(item, Batched):
            raise self.refuse(f"its argument {name!r} is a constant", "let the first argument be the one that varies")
        return item if self.lowering.beyond(item) else self.lowering.float(item)

    def rounded(self, name: str) -> Batched:
        """An argument that differs between agents, as the nearest f32: enough for indices and truth."""
        item = self[name]
        if not isinstance(item, Batched):
            raise self.refuse(f"its argument {name!r} is a constant", "let the first argument be the one that varies")
        return self.lowering.float(item)

    @property
    def _real(self) -> bool:
        """Whether all results are floats, to which torch converts whole numbers as `cast` does."""
        vals = pytree.tree_leaves(self.node.meta["val"])
        return all(val.is_floating_point() for val in vals if isinstance(val, Tensor))

    def const(self, name: str) -> Const:
        """An argument that is a constant array."""
        item = self[name]
        if not isinstance(item, Const):
            raise self.refuse(
                f"its argument {name!r} depends on the observation or state", "use a parameter or buffer there"
            )
        return item

    def float_result(self, *also: torch.dtype) -> None:
        """Refuses results that are not float32. also: kinds of whole numbers that float32 may stand for."""
        if self.node in self.lowering.door:
            return
        for val in pytree.tree_leaves(self.node.meta["val"]):
            if isinstance(val, Tensor) and val.dtype not in (torch.float32, *also):
                kind = str(val.dtype).removeprefix("torch.")
                why = f"it computes in {kind}, and policies compute in float32"
                raise self.refuse(why, "convert with .float() before it (parameters with module.float())")

    def shape(self, ref: Batched) -> tuple[int, ...]:
        """The shape of one agent's part."""
        return self.lowering.graph.values[ref.value].shape

    def rank(self, ref: Batched) -> int:
        """The number of axes that torch sees."""
        return len(self.shape(ref)) + (0 if ref.fold else 1)

    def axis(self, ref: Batched, dim: int) -> int:
        """Our axis for torch's `dim`; refuses the agents'."""
        dim = dim + self.rank(ref) if dim < 0 else dim
        if dim == ref.axis:
            raise self.mixing()
        return dim - 1 if dim > ref.axis and not ref.fold else dim

    def emit(
        self, kind: str, inputs: Sequence[int], shape: Sequence[int], tensors: Sequence[int] = (), **attrs: Any
    ) -> int:
        """Appends an operation; returns the value."""
        return self.lowering.op(kind, inputs, shape, tensors, self.source, **attrs)

    def result(self, value: int, index: int = 0) -> Batched:
        """Our value as the call's result, the agents where torch has them."""
        fold = self.layouts[index].fold
        inner = {item.fold < 0 for item in self.batched if item.fold}
        if fold and len(inner) > 1:
            raise self.mixing()
        return Batched(value, self.layouts[index].axis, -fold if True in inner else fold)

    def dtype(self, name: str) -> torch.dtype | None:
        """What torch computes an argument in; None for a plain number."""
        names = [argument.name for argument in self._schema.arguments]
        found = (dict(zip(names, self.given, strict=False)) | self.node.kwargs)[name]
        return found.meta["val"].dtype if isinstance(found, fx.Node) else None

    def check(self, result: Any) -> None:
        """Holds the result against what torch found: a fault here is one of this package."""
        results = result if isinstance(result, list | tuple) else [result]
        for ref, layout in zip(results, self.layouts, strict=True):
            if not isinstance(ref, Batched):
                continue
            found = (self.shape(ref), ref.axis, abs(ref.fold))
            if found != (layout.one, layout.axis, layout.fold):
                raise self.refuse(
                    f"it was lowered to {found} where torch has {layout}", "please report this fault of Minnow"
                )


def refusal(node: fx.Node, why: str, instead: str) -> ExportError:
    """The error for one call: the operation, the shapes it is on, the line of the module, or the layer where no line of
    its author's is known."""
    where = place(node.meta.get("stack_trace")) or layer(node)
    return ExportError(f"{describe(node)}{where} cannot be exported: {why}; {instead}.")


def layer(node: fx.Node) -> str:
    """` in layer NAME`, the innermost one that a call belongs to; empty where that is the module itself."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    name = stack[-1][0] if stack else ""
    return f" in layer {name!r}" if name else ""


def describe(node: fx.Node) -> str:
    """`aten.name on [B, 4] float32 and [4] float32`, B being the agents."""
    shapes = []
    for arg in node.all_input_nodes:
        for val in pytree.tree_leaves(arg.meta.get("val")):
            if isinstance(val, Tensor):
                free = free_axes(val)
                dims = ["B" if i in free else str(n) for i, n in enumerate(val.shape)]
                shapes.append(f"[{', '.join(dims)}] {str(val.dtype).removeprefix('torch.')}")
    return f"{node.target}" + (f" on {' and '.join(shapes)}" if shapes else "")


def _schema(node: fx.Node) -> Any:
    return getattr(node.target, "_schema", None)


def _alias(node: fx.Node) -> Any:
    """What an operation's schema says of its first argument's memory."""
    schema = _schema(node)
    return schema.arguments[0].alias_info if schema is not None and schema.arguments else None


def writes(node: fx.Node) -> bool:
    """Whether a call writes in place into its first argument."""
    return _alias(node) is not None and _alias(node).is_write


def shares(node: fx.Node) -> bool:
    """Whether the result of a call may share memory with its first argument. Of another dtype it does not."""
    vals = [item.meta.get("val") for item in (node, *node.args[:1]) if isinstance(item, fx.Node)]
    if len({val.dtype for val in vals if isinstance(val, Tensor)}) > 1:
        return False
    return _schema(node) is None or _alias(node) is not None or "dropout" in str(node.target)


def free_axes(val: Tensor) -> list[int]:
    """The axes whose size is not a plain number."""
    return [i for i, n in enumerate(val.shape) if not isinstance(n, int) and not _fixed(n)]


def layout_of(val: Tensor) -> Layout:
    """Where the agents are in an array of torch's. Raises ValueError where their number is part of a longer formula."""
    axes = free_axes(val)
    if not axes:
        return Layout(tuple(int(n) for n in val.shape))
    axis = axes[0]
    size = _formula(val.shape[axis])
    symbol = next(iter(size.free_symbols))
    times = size.subs(symbol, 1)
    if not times.is_Integer or size != times * symbol:
        raise ValueError(f"a size of {size}")
    shape = tuple(int(times) if i == axis else int(n) for i, n in enumerate(val.shape))
    return Layout(shape, axis, int(times) if times > 1 else 0)


def _fixed(n: torch.SymInt) -> bool:
    return not _formula(n).free_symbols


def _formula(n: Any) -> Any:
    """sympy's, of a size that depends on the agents."""
    return n.node.expr
