"""What moves elements and makes arrays. The same on sizes that are known stands beside each."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from minnow.export.errors import ExportError
from minnow.export.importers.onnx.nodes import At, node, sizes
from minnow.export.importers.onnx.values import Item, Known, known, number, positions, tensor, whole

FAR = 1 << 31  # an end that means the last element


@node("Shape")
def shape(at: At, x: Item) -> Known:
    dims = list(x.array.shape if isinstance(x, Known) else x.shape)
    return known(dims[at.get("start", 0) : at.get("end")])


@node("Size")
def size(at: At, x: Item) -> Known:
    count: Any = 1
    for n in x.array.shape if isinstance(x, Known) else x.shape:
        count = count * n
    return known(count)


@node("Reshape")
def reshape(at: At, x: Item, shape: Item | None = None) -> Tensor:
    x = tensor(x)
    wanted = at.wanted or (list(at.get("shape")) if shape is None else whole(shape))
    return x.reshape([x.shape[i] if n == 0 and not at.get("allowzero") else n for i, n in enumerate(wanted)])


sizes("Reshape", lambda at, x, shape: known(x.reshape(shape.tolist())))


@node("Flatten")
def flatten(at: At, x: Item) -> Tensor:
    x, axis = tensor(x), at.get("axis", 1)
    axis = axis % x.dim() if axis < 0 else axis
    if axis == 0:
        return x.reshape(1, -1)
    return x.flatten(axis).flatten(0, axis - 1) if axis < x.dim() else x.flatten(0, axis - 1).unsqueeze(1)


def _axes(at: At, axes: Any) -> list[int] | None:
    """As an attribute before opset 13, as an input since."""
    found = at.get("axes") if axes is None else whole(axes)
    return None if found is None else list(found)


@node("Unsqueeze")
def unsqueeze(at: At, x: Item, axes: Item | None = None) -> Tensor:
    x, found = tensor(x), _axes(at, axes) or []
    rank = x.dim() + len(found)
    for axis in sorted(n % rank for n in found):
        x = x.unsqueeze(axis)
    return x


def _unsqueeze_sizes(at: At, x: np.ndarray, axes: np.ndarray | None = None) -> Known:
    return known(np.expand_dims(x, tuple(at.get("axes") if axes is None else axes.tolist())))


sizes("Unsqueeze", _unsqueeze_sizes)


@node("Squeeze")
def squeeze(at: At, x: Item, axes: Item | None = None) -> Tensor:
    x, found = tensor(x), _axes(at, axes)
    if found is None:
        found = [i for i, n in enumerate(x.shape) if isinstance(n, int) and n == 1 and (i or x.dim() == 1)]
    for axis in sorted((n % x.dim() for n in found), reverse=True):
        x = x.squeeze(axis)
    return x


def _squeeze_sizes(at: At, x: np.ndarray, axes: np.ndarray | None = None) -> Known:
    found = at.get("axes") if axes is None else axes.tolist()
    return known(np.squeeze(x, None if found is None else tuple(found)))


sizes("Squeeze", _squeeze_sizes)


@node("Transpose")
def transpose(at: At, x: Item) -> Tensor:
    x = tensor(x)
    return x.permute(at.get("perm", list(reversed(range(x.dim())))))


@node("Concat")
def concat(at: At, *items: Item) -> Tensor:
    parts, axis = [tensor(item) for item in items], at.get("axis")
    axis %= parts[0].dim()
    most = max(parts, key=lambda part: not isinstance(part.shape[0], int) or part.shape[0])
    for i, item in enumerate(items):  # constants of one row beside rows of agents
        if isinstance(item, Known) and axis != 0 and parts[i].shape[0] == 1 and most.shape[0] != 1:
            parts[i] = parts[i].expand(most.shape[0], *parts[i].shape[1:])
    return torch.cat(parts, axis)


sizes("Concat", lambda at, *items: known(np.concatenate([item.astype(object) for item in items], at.get("axis"))))


@node("Split")
def split(at: At, x: Item, sizes: Item | None = None) -> tuple[Tensor, ...]:
    x, axis = tensor(x), at.get("axis", 0)
    found = at.get("split") if sizes is None else whole(sizes)
    if found is None:
        each = -(-x.shape[axis] // at.get("num_outputs", at.outputs))
        return tuple(x.split(each, axis))
    return tuple(x.split(list(found), axis))


def _windows(at: At, items: tuple[Any, ...]) -> list[tuple[int, Any, Any, int]]:
    """Slice's axes, starts, ends and steps: attributes before opset 10."""
    if at.opset < 10:
        starts, ends, axes, steps = at.get("starts"), at.get("ends"), at.get("axes"), None
    else:
        starts, ends = (whole(item) for item in items[:2])
        axes, steps = (None if item is None else whole(item) for item in (*items[2:], None, None)[:2])
    axes = list(range(len(starts))) if axes is None else axes
    return list(zip(axes, starts, ends, steps or [1] * len(starts), strict=True))


@node("Slice")
def slice_(at: At, x: Item, *items: Item | None) -> Tensor:
    x = tensor(x)
    for axis, start, end, step in _windows(at, items):
        size = x.shape[axis]
        if not isinstance(size, int):
            if isinstance(start, int) and start == 0 and step == 1 and (not isinstance(end, int) or end >= FAR - 1):
                continue
            raise ExportError("it takes a part of the agents, whose number is free")
        places = range(size)[start:end:step]
        if places.step > 0 or len(places) < 2:
            window = slice(places.start, places.start + places.step * len(places), places.step)
            x = x[(slice(None),) * (axis % x.dim()) + (window if len(places) else slice(0, 0),)]
        else:
            x = positions(x, axis, list(places))
    return x


def _slice_sizes(at: At, x: np.ndarray, *items: np.ndarray | None) -> Known:
    index = [slice(None)] * x.ndim
    for axis, *window in _windows(at, tuple(None if item is None else Known(item) for item in items)):
        index[axis] = slice(*window)
    return known(x[tuple(index)])


sizes("Slice", _slice_sizes)


@node("Gather")
def gather(at: At, x: Item, index: Item) -> Tensor:
    x, axis = tensor(x), at.get("axis", 0)
    axis %= x.dim()
    if isinstance(index, Known):
        places = index.array % x.shape[axis] if isinstance(x.shape[axis], int) else index.array
        if places.ndim == 0:
            return x.select(axis, int(places))
        found = positions(x, axis, places.reshape(-1).tolist())
        return found if places.ndim == 1 else found.unflatten(axis, places.shape)
    if not all(isinstance(n, int) for n in x.shape):
        raise ExportError("it takes places that depend on the observation, of every agent at once: use GatherElements")
    table = x.movedim(axis, 0) if axis else x
    rows = F.embedding(index, table.reshape(table.shape[0], -1)).reshape(*index.shape, *table.shape[1:])
    back = list(range(index.dim(), index.dim() + axis)), list(range(axis))
    return rows.movedim(*back) if axis else rows


@node("GatherND")
def gather_nd(at: At, x: Item, index: Item) -> Tensor:
    """Fixed places along several axes behind the first `batch_dims`, flattened into one."""
    x, first = tensor(x), at.get("batch_dims", 0)
    if not isinstance(index, Known) or index.symbolic:
        raise ExportError("it takes places that depend on the observation: use GatherElements")
    places = index.array
    for _ in range(first):
        if (places != places[:1]).any():
            raise ExportError("it takes other places of each agent")
        places = places[0]
    depth = places.shape[-1]
    axes = list(x.shape[first : first + depth])
    if not all(isinstance(n, int) for n in axes):
        raise ExportError("it takes a part of the agents, whose number is free")
    flat = np.ravel_multi_index(tuple(places[..., i] % n for i, n in enumerate(axes)), axes)
    found = positions(x.flatten(first, first + depth - 1), first, flat.reshape(-1).tolist())
    return found.unflatten(first, flat.shape) if flat.ndim != 1 else found


sizes("Gather", lambda at, x, index: known(np.take(x, index, at.get("axis", 0))))


@node("Expand")
def expand(at: At, x: Item, shape: Item) -> Tensor:
    x, wanted = tensor(x), whole(shape)
    rank = max(x.dim(), len(wanted))
    own = [1] * (rank - x.dim()) + list(x.shape)
    wanted = [1] * (rank - len(wanted)) + wanted
    return x.expand([b if isinstance(b, torch.SymInt) or b != 1 else a for a, b in zip(own, wanted, strict=True)])


@node("Tile")
def tile(at: At, x: Item, times: Item) -> Tensor:
    return tensor(x).repeat(whole(times))


@node("ConstantOfShape")
def constant_of_shape(at: At, shape: Item) -> Item:
    value = at.get("value")
    fill = 0.0 if value is None else value.reshape(-1)[0].item()
    dims = whole(shape)
    if all(isinstance(n, int) for n in dims):
        return known(np.full(dims, fill, np.float32 if value is None else value.dtype))
    kind = torch.float32 if value is None else torch.from_numpy(np.array(value)).dtype
    return torch.full(dims, fill, dtype=torch.float32 if kind.is_floating_point else kind)


@node("Range")
def range_(at: At, start: Item, limit: Item, step: Item) -> Known:
    low, high, by = (number(item) for item in (start, limit, step))
    if low is None or high is None or by is None or isinstance(start, Tensor):
        raise ExportError("its ends depend on the observation or on the number of agents")
    return known(np.arange(low, high, by, dtype=start.array.dtype))


@node("EyeLike")
def eye_like(at: At, x: Item) -> Known:
    rows, columns = x.array.shape if isinstance(x, Known) else x.shape
    return known(np.eye(rows, columns, at.get("k", 0), dtype=np.float32))


@node("Pad")
def pad(at: At, x: Item, pads: Item | None = None, value: Item | None = None, axes: Item | None = None) -> Tensor:
    x, mode = tensor(x), at.get("mode", "constant")
    amounts = list(at.get("pads")) if pads is None else whole(pads)
    fill = at.get("value", 0.0) if value is None else number(value)
    if fill is None:
        raise ExportError("what it pads with depends on the observation")
    named = [axis % x.dim() for axis in (range(x.dim()) if axes is None else whole(axes))]
    ends = {axis: (amounts[i], amounts[i + len(named)]) for i, axis in enumerate(named)}
    if mode == "constant":
        return F.pad(x, [n for axis in reversed(range(x.dim())) for n in ends.get(axis, (0, 0))], value=fill)
    for axis, (before, after) in ends.items():
        if before or after:
            places = np.arange(max(0, -before), x.shape[axis] - max(0, -after))
            grown = np.pad(places, (max(0, before), max(0, after)), mode)
            x = positions(x, axis, grown.tolist())
    return x


@node("DepthToSpace")
def depth_to_space(at: At, x: Item) -> Tensor:
    x, n = tensor(x), at.get("blocksize")
    if at.get("mode", "DCR") == "CRD":
        return F.pixel_shuffle(x, n)
    x = x.unflatten(1, (n, n, x.shape[1] // (n * n)))
    return x.permute(0, 3, 4, 1, 5, 2).flatten(4, 5).flatten(2, 3)


@node("SpaceToDepth")
def space_to_depth(at: At, x: Item) -> Tensor:
    x, n = tensor(x), at.get("blocksize")
    x = x.unflatten(3, (-1, n)).unflatten(2, (-1, n))
    return x.permute(0, 3, 5, 1, 2, 4).flatten(1, 3)
