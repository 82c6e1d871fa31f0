"""Operations that move elements or make constants: reshape, permute, slice, join, expand."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from minnow.export.aten import whole
from minnow.export.call import Batched, Call, Const, Layout, aten

NO_END = 2**31


@aten(
    "contiguous.default",
    "clone.default",
    "detach.default",
    "alias.default",
    "lift_fresh_copy.default",
    "lift_fresh.default",
    "positive.default",
)
def same(call: Call) -> Batched:
    return call["self"]


@aten("dropout.default", "feature_dropout.default", "alpha_dropout.default")
def dropout(call: Call) -> Batched:
    if call["train"] and call["p"] > 0:
        raise call.refuse("dropout in training mode draws random numbers", "call module.eval() before export")
    return call["input"]


@aten("to.dtype", "to.device", "to.other", "to.dtype_layout", "_to_copy.default", "type_as.default")
def cast(call: Call) -> Batched:
    before = call.given[0].meta["val"].dtype
    after = call.node.meta["val"].dtype
    if after == torch.float32:
        return call.lowering.float(call["self"])
    whole = (torch.int32, torch.int64)
    exact = {
        torch.uint8: (torch.int16, *whole),
        torch.int32: whole,
        torch.int64: whole,
        torch.bool: (torch.uint8, *whole),
    }
    if after == before or after in exact.get(before, ()) or call.node in call.lowering.door:
        return call["self"]
    if before in (torch.float32, torch.float64) and after in whole:
        value = call.batch("self").value
        whole_part = truncated(call, value)
        call.lowering.cut[whole_part] = value
        return call.result(whole_part)
    if after == torch.bool:
        ref = call.rounded("self")
        zero = call.lowering.constant(Const(torch.tensor(0.0)))
        same = call.emit("eq", [ref.value, zero], call.shape(ref))
        return call.result(call.emit("eq", [same, zero], call.shape(ref)))
    kind = str(after).removeprefix("torch.")
    raise call.refuse(f"it converts to {kind}, and policies compute in float32", "leave the values in float32")


def truncated(call: Call, value: int) -> int:
    """The value without what is behind the point."""
    shape = call.lowering.graph.values[value].shape
    size = call.emit("floor", [call.emit("abs", [value], shape)], shape)
    return call.emit("mul", [size, call.emit("sign", [value], shape)], shape)


@aten(
    "view.default",
    "reshape.default",
    "_unsafe_view.default",
    "flatten.using_ints",
    "unflatten.int",
    "squeeze.default",
    "squeeze.dim",
    "squeeze.dims",
    "unsqueeze.default",
    "view_as.default",
    "reshape_as.default",
)
def reshape(call: Call) -> Batched:
    ref = call.held("self")
    after = call.layout
    # Elements keep their order, so the agents stay in place exactly if as many elements come before them.
    ahead = math.prod(_torch_shape(call, ref)[: ref.axis]) * max(1, -ref.fold)
    found = math.prod(after.shape[: after.axis])
    if ahead not in (found, found * max(1, after.fold)):
        raise call.mixing()
    fold = after.fold if ahead == found else -after.fold
    return Batched(to_shape(call, ref.value, after.one), after.axis, fold)


def to_shape(call: Call, value: int, shape: Sequence[int]) -> int:
    """The value with another shape."""
    value = call.lowering.reshaped.get(value, value)
    if call.lowering.graph.values[value].shape == tuple(shape):
        return value
    new = call.emit("reshape", [value], shape)
    call.lowering.reshaped[new] = value
    return new


def _torch_shape(call: Call, ref: Batched) -> tuple[int, ...]:
    shape = call.shape(ref)
    return shape if ref.fold else (*shape[: ref.axis], 1, *shape[ref.axis :])


@aten(
    "permute.default",
    "transpose.int",
    "t.default",
    "swapaxes.default",
    "swapdims.default",
    "mT.default",
    "numpy_T.default",
)
def permute(call: Call) -> Batched:
    ref = call.held("self")
    rank = call.rank(ref)
    # torch's own rule, tried on the axes' numbers, says which axis comes where.
    probe = torch.empty_strided([2] * rank, [3**i for i in range(rank)])
    moved = call.target(probe, *call.args[1:], **call.kwargs)
    perm = [round(math.log(stride, 3)) for stride in moved.stride()]
    return call.result(to_order(call, ref, perm))


@aten("movedim.int", "movedim.intlist", "moveaxis.int", "moveaxis.intlist")
def movedim(call: Call) -> Batched:
    return permute(call)


def to_order(call: Call, ref: Batched, perm: Sequence[int]) -> int:
    """The value with torch's axes in another order."""
    ours = [axis if axis < ref.axis or ref.fold else axis - 1 for axis in perm if axis != ref.axis or ref.fold]
    if ours == sorted(ours):
        return ref.value
    shape = call.shape(ref)
    return call.emit("permute", [ref.value], [shape[axis] for axis in ours], axes=ours)


@aten("cat.default", "concat.default", "concatenate.default")
def cat(call: Call) -> Batched:
    call.float_result(torch.uint8, torch.int32, torch.int64, torch.bool)
    dim = call["dim"] % len(call.layout.shape)
    if dim == call.layout.axis:
        raise call.mixing()
    parts = [part for part in call["tensors"] if isinstance(part, Batched) or part.tensor.numel()]
    words = whole.apart(call, *parts)
    values = [like(call, part, dim, words) for part in parts]
    axis = dim - 1 if dim > call.layout.axis and not call.layout.fold else dim
    return call.result(join(call, values, axis))


@aten("stack.default")
def stack(call: Call) -> Batched:
    call.float_result(torch.int32, torch.int64, torch.bool)
    dim = call["dim"] % len(call.layout.shape)
    if dim == call.layout.axis:
        raise call.mixing()
    axis = dim - 1 if dim > call.layout.axis and not call.layout.fold else dim
    one = list(call.layout.one)
    one[axis] = 1
    shape = tuple(n for i, n in enumerate(call.layout.shape) if i != dim)
    inner = Layout(shape, call.layout.axis - (dim < call.layout.axis), call.layout.fold)
    values, words = [], whole.apart(call, *call["tensors"])
    for part in call["tensors"]:
        value = spread(call, part, inner, words) if isinstance(part, Const) else _aligned(call, part, inner, words)
        values.append(to_shape(call, value, one))
    return call.result(join(call, values, axis))


def like(call: Call, part: Batched | Const, dim: int, words: bool = False) -> int:
    """A part of a concatenation along torch's `dim` as a value, f32 or i32."""
    if isinstance(part, Batched):
        return _aligned(call, part, call.layout, words)
    shape = list(call.layout.shape)
    shape[dim] = part.tensor.shape[dim]
    return spread(call, part, Layout(tuple(shape), call.layout.axis, call.layout.fold), words)


def _aligned(call: Call, ref: Batched, layout: Layout, words: bool = False) -> int:
    if ref.axis != layout.axis or ref.fold != layout.fold:
        raise call.mixing()
    return whole.word(call, ref) if words else call.lowering.float(ref).value


def spread(call: Call, const: Const, layout: Layout, words: bool = False) -> int:
    """A constant as a value that fills one agent's part of a layout, f32 or i32."""
    shape = list(layout.shape)
    if not layout.fold and layout.axis >= 0:
        shape[layout.axis] = 1
    tensor = const.tensor.expand(shape)
    if not layout.fold and layout.axis >= 0:
        tensor = tensor.squeeze(layout.axis)
    const = Const(tensor, const.names)
    return whole.constant(call, const) if words else call.lowering.constant(const)


def join(call: Call, values: Sequence[int], axis: int) -> int:
    """Values one after another along our `axis`."""
    if len(values) == 1:
        return values[0]
    shapes = [call.lowering.graph.values[value].shape for value in values]
    shape = list(shapes[0])
    shape[axis] = sum(each[axis] for each in shapes)
    return call.emit("concat", list(values), shape, axis=axis)


def cut(call: Call, value: int, axis: int, start: int, stop: int, step: int = 1) -> int:
    """Elements start, start + step, ... before stop along our `axis`."""
    shape = list(call.lowering.graph.values[value].shape)
    if (start, stop, step) == (0, shape[axis], 1):
        return value
    shape[axis] = len(range(start, stop, step))
    return call.emit("slice", [value], shape, axis=axis, start=start, step=step)


@aten("slice.Tensor", "narrow.default")
def slice_(call: Call) -> Batched:
    ref, dim = call.held("self"), call["dim"]
    if call.name.startswith("narrow"):
        axis = call.axis(ref, dim)
        start = call["start"] % call.shape(ref)[axis]
        return call.result(cut(call, ref.value, axis, start, start + call["length"]))
    start, stop, step = call["start"] or 0, call["end"], call["step"]
    if dim % call.rank(ref) == ref.axis and start == 0 and step == 1 and (not isinstance(stop, int) or stop > NO_END):
        return ref
    axis = call.axis(ref, dim)
    start, stop, step = slice(start, None if not isinstance(stop, int) or stop > NO_END else stop, step).indices(
        call.shape(ref)[axis]
    )
    return call.result(cut(call, ref.value, axis, start, stop, step))


@aten("select.int")
def select(call: Call) -> Batched:
    ref = call.held("self")
    axis = call.axis(ref, call["dim"])
    index = call["index"] % call.shape(ref)[axis]
    return call.result(to_shape(call, cut(call, ref.value, axis, index, index + 1), call.layout.one))


@aten("chunk.default", "split.Tensor", "split_with_sizes.default", "split.sizes", "tensor_split.sections")
def split(call: Call) -> list[Batched]:
    ref = call.held("self")
    axis = call.axis(ref, call["dim"])
    parts, start = [], 0
    for i, layout in enumerate(call.layouts):
        stop = start + layout.one[axis]
        parts.append(call.result(cut(call, ref.value, axis, start, stop), i))
        start = stop
    return parts


@aten("unbind.int")
def unbind(call: Call) -> list[Batched]:
    ref = call.held("self")
    axis = call.axis(ref, call["dim"])
    return [
        call.result(to_shape(call, cut(call, ref.value, axis, i, i + 1), layout.one), i)
        for i, layout in enumerate(call.layouts)
    ]


@aten("index.Tensor", "index_select.default")
def index(call: Call) -> Batched:
    if isinstance(call["self"], Const) and not call.name.startswith("index_select"):
        return look_up(call)
    ref = call.held("self")
    if call.name.startswith("index_select"):
        where = [(call["dim"] % call.rank(ref), call["index"])]
    else:
        where = [(dim, item) for dim, item in enumerate(call["indices"]) if item is not None]
    dims = [dim for dim, _ in where]
    if not all(isinstance(item, Const) for _, item in where) or dims != list(range(dims[0], dims[0] + len(dims))):
        raise call.refuse(
            "only neighbouring axes can be indexed, by fixed lists of numbers", "select with slices and torch.cat"
        )
    found = [part for _, item in where for part in _numbers(item.tensor)]
    axes = [call.axis(ref, dims[0] + i) for i in range(len(found))]
    sizes = [call.shape(ref)[axis] for axis in axes]
    if axes != list(range(axes[0], axes[0] + len(axes))):
        raise call.mixing()
    flat = torch.zeros((), dtype=torch.int64)
    for part, size in zip(found, sizes, strict=True):
        flat = flat * size + part % size
    shape = call.shape(ref)
    value = to_shape(call, ref.value, [*shape[: axes[0]], math.prod(sizes), *shape[axes[-1] + 1 :]])
    return call.result(to_shape(call, gather(call, value, axes[0], flat.flatten().tolist()), call.layout.one))


def _numbers(index: torch.Tensor) -> list[torch.Tensor]:
    """An index as numbers along each axis that it is for: a mask is for as many as it has."""
    return list(index.nonzero(as_tuple=True)) if index.dtype in (torch.bool, torch.uint8) else [index]


def positions_of(index: torch.Tensor) -> torch.Tensor:
    """The same for an index of one axis."""
    return _numbers(index)[0]


def look_up(call: Call) -> Batched:
    """A fixed table at varying rows."""
    table, where = call["self"], [item for item in call["indices"] if item is not None]
    if len(where) != 1 or call["indices"][0] is None or not isinstance(where[0], Batched):
        raise call.refuse("a table can be asked for whole rows only", "index its first axis alone")
    rows, known = call.lowering.float(where[0]), whole.range_of(call, where[0])
    if known is None or known.low < 0:  # from the end
        shape = call.shape(rows)
        zero, count = (call.lowering.constant(Const(torch.tensor(float(n)))) for n in (0, len(table.tensor)))
        below = call.emit("mul", [call.emit("lt", [rows.value, zero], shape), count], shape)
        rows = Batched(call.emit("add", [rows.value, below], shape), rows.axis, rows.fold)
    return words_of(call, table, rows) if whole.apart(call, table) else embedded(call, table, rows)


def words_of(call: Call, table: Const, rows: Batched) -> Batched:
    """The same where its whole numbers are i32."""
    flat = Const(table.tensor.reshape(len(table.tensor), -1), table.names)
    count, wide = math.prod(call.shape(rows)), flat.tensor.shape[1]
    ones = call.lowering.constant(Const(torch.ones(1, wide)))
    places = call.emit("mul", [to_shape(call, rows.value, [count, 1]), ones], [count, wide])
    value = call.emit("gather", [whole.constant(call, flat), places], [count, wide], axis=0)
    return call.result(to_shape(call, value, call.layout.one))


def embedded(call: Call, table: Const, rows: Batched) -> Batched:
    """The rows of a table that an array names."""
    ref = call.lowering.float(rows)
    flat = Const(table.tensor.reshape(len(table.tensor), -1), table.names)
    shape = (*call.shape(ref), flat.tensor.shape[1])
    value = call.emit("embedding", [ref.value], shape, [call.lowering.tensor(flat)])
    return call.result(to_shape(call, value, call.layout.one))


@aten("embedding.default")
def embedding(call: Call) -> Batched:
    call.float_result()
    return embedded(call, call.const("weight"), call["indices"])


@aten("flip.default")
def flip(call: Call) -> Batched:
    ref = call.held("self")
    value = ref.value
    for dim in call["dims"]:
        axis = call.axis(ref, dim)
        value = gather(call, value, axis, list(reversed(range(call.shape(ref)[axis]))))
    return call.result(value)


def gather(call: Call, value: int, axis: int, positions: Sequence[int]) -> int:
    """The elements at fixed positions along our `axis`: runs of neighbours, joined."""
    runs: list[list[int]] = []
    for position in positions:
        if runs and runs[-1][1] == position:
            runs[-1][1] += 1
        else:
            runs.append([position, position + 1])
    return join(call, [cut(call, value, axis, start, stop) for start, stop in runs], axis)


@aten("expand.default", "expand_as.default", "broadcast_to.default")
def expand(call: Call) -> Batched:
    if isinstance(call["self"], Const):
        call.float_result(torch.bool, torch.int32, torch.int64)
        return call.result(spread(call, call["self"], call.layout, whole.apart(call, call["self"])))
    ref = call.held("self")
    if call.rank(ref) - ref.axis != len(call.layout.shape) - call.layout.axis:
        raise call.mixing()
    value = ref.value
    if call.shape(ref) != call.layout.one:
        ones = call.lowering.constant(Const(torch.ones(call.layout.one)))
        if call.lowering.beyond(ref):
            value = whole.integer(call, "mul", value, whole.word(call, Batched(ones, 0)), call.layout.one)
        else:
            value = call.emit("mul", [value, ones], call.layout.one)
    return call.result(value)


@aten("repeat.default", "tile.default")
def repeat(call: Call) -> Batched:
    times = list(call["repeats"] if call.name.startswith("repeat") else call["dims"])
    if isinstance(call["self"], Const):
        call.float_result(torch.bool, torch.int32, torch.int64)
        counts = [1 if i == call.layout.axis and not isinstance(n, int) else n for i, n in enumerate(times)]
        if call.layout.fold or any(not isinstance(n, int) for n in counts):
            raise call.mixing()
        return call.result(spread(call, Const(call["self"].tensor.repeat(counts), call["self"].names), call.layout))
    ref = call.held("self")
    times = [1] * (call.rank(ref) - len(times)) + times
    if (more := len(times) - call.rank(ref)) > 0:  # axes in front of all others
        if ref.fold:
            raise call.mixing()
        ref = Batched(to_shape(call, ref.value, [*[1] * more, *call.shape(ref)]), ref.axis + more)
    value = ref.value
    for dim, count in enumerate(times):
        if count != 1:
            value = join(call, [value] * count, call.axis(ref, dim))
    return call.result(value)


@aten(
    "zeros.default",
    "ones.default",
    "full.default",
    "new_zeros.default",
    "new_ones.default",
    "new_full.default",
    "zeros_like.default",
    "ones_like.default",
    "full_like.default",
    "empty.memory_format",
    "new_empty.default",
    "empty_like.default",
)
def fill(call: Call) -> Batched:
    call.float_result(torch.bool, torch.int32, torch.int64)
    number = 1.0 if "ones" in call.name else call["fill_value"] if "full" in call.name else 0.0
    if isinstance(number, int) and whole.apart(call, number):
        return call.result(whole.constant(call, Const(torch.full(call.layout.one, number))))
    return call.result(call.lowering.constant(Const(torch.full(call.layout.one, float(number)))))
