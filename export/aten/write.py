"""Writing at places: a new array, some of whose elements are others'."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from minnow.export.aten.choose import choose, truth_of
from minnow.export.aten.reduce import along
from minnow.export.aten.shape import gather, join, positions_of, spread, to_shape
from minnow.export.call import Batched, Call, Const, Layout, aten


@aten("index_put.default", "_unsafe_index_put.default")
def index_put(call: Call) -> Batched:
    """x[indices] = values: at a fixed list of places along one axis, or one number wherever a mask is true."""
    call.float_result(torch.int32, torch.int64, torch.bool)
    places = [(dim, item) for dim, item in enumerate(call["indices"]) if item is not None]
    whole = _whole(call, call["self"], call.layout)
    if len(places) == 1:
        dim, item = places[0]
        dtype = call.given[1][dim].meta["val"].dtype
        if dtype in (torch.bool, torch.uint8) and (isinstance(item, Batched) or item.tensor.dim() > 1):
            return _masked(call, whole, dim, item, dtype)
        if isinstance(item, Const):
            return _at(call, whole, dim, positions_of(item.tensor))
    raise call.refuse(
        "only a fixed list of places along one axis, or a mask, can be written to", "write with slices or torch.where"
    )


def _whole(call: Call, item: Any, layout: Layout) -> Batched:
    """An array that fills a layout, whatever it was given as."""
    if isinstance(item, Batched):
        ref = call.exactly(item)
        missing = len(layout.shape) - call.rank(ref)
        if (ref.axis + missing, ref.fold) != (layout.axis, layout.fold):
            raise call.mixing()
        value = ref.value
        if call.shape(ref) != layout.one:
            ones = call.lowering.constant(Const(torch.ones(layout.one)))
            value = call.emit("mul", [value, ones], layout.one)
        return Batched(value, layout.axis, layout.fold)
    return Batched(spread(call, item, layout), layout.axis, layout.fold)


def _masked(call: Call, whole: Batched, dim: int, mask: Batched | Const, dtype: torch.dtype) -> Batched:
    value = call["values"]
    if not isinstance(value, Const) or value.tensor.numel() != 1 or call["accumulate"]:
        raise call.refuse("a mask can be filled with one number only", "use torch.where(mask, values, array)")
    behind = call.rank(whole) - dim - (call.rank(mask) if isinstance(mask, Batched) else mask.tensor.dim())
    if isinstance(mask, Const):
        mask = Const(mask.tensor.reshape(*mask.tensor.shape, *[1] * behind), mask.names)
    else:
        if dim + mask.axis != whole.axis:
            raise call.mixing()
        one = (*call.shape(mask), *[1] * behind)
        mask = Batched(to_shape(call, mask.value, one), mask.axis, mask.fold)
    return choose(call, truth_of(call, mask, dtype), Const(value.tensor.reshape(()), value.names), whole)


def _at(call: Call, whole: Batched, dim: int, places: Tensor) -> Batched:
    axis = call.axis(whole, dim)
    n, flat = call.shape(whole)[axis], [int(i) % call.shape(whole)[axis] for i in places.flatten()]
    shape = list(call.layout.shape)
    shape[dim : dim + 1] = places.shape
    layout = Layout(tuple(shape), call.layout.axis + (places.dim() - 1) * (dim < call.layout.axis), call.layout.fold)
    values = _whole(call, call["values"], layout).value
    one = list(call.shape(whole))
    one[axis] = len(flat)
    values = to_shape(call, values, one)
    if call["accumulate"]:
        hits = torch.zeros(n, len(flat))
        hits[flat, range(len(flat))] = 1
        return Batched(
            call.emit("add", [whole.value, along(call, values, axis, Const(hits))], call.shape(whole)),
            whole.axis,
            whole.fold,
        )
    last = {place: n + i for i, place in enumerate(flat)}  # where a place is named twice, the last one stays
    both = join(call, [whole.value, values], axis)
    return call.result(gather(call, both, axis, [last.get(i, i) for i in range(n)]))
