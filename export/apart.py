"""Operations that minnow.h lacks, taken apart into others: by the forms below, else as torch itself does it.

Each is traced on its own, so that everything around it stays as it is. A form is written in torch, for one operation
of aten by its name and arguments; it is there where torch's own way ends in operations that minnow.h lacks too.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable, Collection, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx
from torch._decomp import decomposition_table
from torch._dispatch.python import enable_python_dispatcher
from torch._guards import detect_fake_mode
from torch.fx.experimental.proxy_tensor import make_fx
from torch.fx.node import map_arg

Form = Callable[..., Any]
FORMS: dict[str, Form] = {}


class OverAgents(Exception):
    """A form would go through an axis element by element, and that axis counts the agents."""


def graph_of(node: fx.Node, name: str) -> fx.Graph | None:
    """The graph of one call, its placeholders `node.all_input_nodes`; None where there is no way to take it apart.

    `name` is that of the operation that makes a new array. Raises OverAgents."""
    function = FORMS.get(name) or _torch_way(name)
    if function is None:
        return None
    inputs = node.all_input_nodes

    def run(*given: Any) -> Any:
        found = dict(zip(inputs, given, strict=True))
        args: Any = map_arg(node.args, found.__getitem__)
        kwargs: Any = map_arg(node.kwargs, found.__getitem__)
        result = function(*(list(item) if isinstance(item, tuple | list) else item for item in args), **kwargs)
        return tuple(result) if isinstance(result, tuple | list) else result

    examples = [item.meta["val"] for item in inputs]
    mode = detect_fake_mode(examples)
    if mode is None:
        return None
    with mode, torch.no_grad(), enable_python_dispatcher(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make_fx(torch.func.functionalize(run))(*examples).graph


def _torch_way(name: str) -> Form | None:
    """torch's own decomposition of an operation: what it is composed of in C++, or its table's."""
    packet, _, overload = name.partition(".")
    operation = getattr(getattr(torch.ops.aten, packet, None), overload, None)
    if operation is None:
        return None
    return operation.decompose if operation._can_decompose() else decomposition_table.get(operation)


def composed(graph: fx.Graph, known: Collection[str]) -> dict[Any, Form]:
    """How torch takes apart those operations of a graph that are composed of others and are not known whole."""
    table, targets = torch.export.default_decompositions(), {node.target for node in graph.nodes}
    return {
        target: table[target]
        for target in targets
        if isinstance(target, torch._ops.OpOverload)
        and str(target).startswith("aten.")
        and str(target).removeprefix("aten.") not in {*known, *FORMS}
        and target._can_decompose()
        and target in table
    }


def form(*names: str) -> Callable[[Form], Form]:
    """Registers the form of operations named as `roll.default`."""

    def register(function: Form) -> Form:
        for name in names:
            assert name not in FORMS, name
            FORMS[name] = function
        return function

    return register


def fixed(size: int) -> int:
    """A size that a form counts through."""
    if isinstance(size, torch.SymInt):
        raise OverAgents
    return size


# Elements

FORMS |= {
    "erfc.default": lambda x: 1 - torch.erf(x),
    "hypot.default": lambda x, y: torch.sqrt(x * x + y * y),
    "signbit.default": lambda x: torch.where(x == 0, 1 / x, x) < 0,  # minus zero has a sign too
    "copysign.Tensor": lambda x, y: torch.where(torch.signbit(y), -x.abs(), x.abs()),
    "copysign.Scalar": lambda x, y: x.abs() if math.copysign(1, y) > 0 else -x.abs(),
    "copy.default": lambda x, y, non_blocking=False: y.to(x.dtype).expand_as(x),
    "fill.Tensor": lambda x, value: value.to(x.dtype).expand_as(x),
    "fill.Scalar": torch.full_like,
    "bucketize.Tensor": lambda x, edges, *, out_int32=False, right=False: _places(edges, x, right),
}


@form("searchsorted.Tensor")
def searchsorted(
    edges: Tensor,
    x: Tensor,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Tensor | None = None,
) -> Tensor:
    edges = edges if sorter is None else edges.gather(-1, sorter)
    return _places(edges, x, right or side == "right")


def _places(edges: Tensor, x: Tensor, right: bool) -> Tensor:
    """How many edges are below each element; with `right`, below or equal."""
    edges, x = edges.unsqueeze(-2) if edges.dim() > 1 else edges, x.unsqueeze(-1)
    return ((edges <= x) if right else (edges < x)).sum(-1)


# Whole axes


@form("std_mean.correction")
def std_mean(x: Tensor, dim: Any = None, *, correction: float | None = None, keepdim: bool = False) -> Any:
    return torch.std(x, dim, correction=correction, keepdim=keepdim), torch.mean(x, dim, keepdim)


@form("var_mean.correction")
def var_mean(x: Tensor, dim: Any = None, *, correction: float | None = None, keepdim: bool = False) -> Any:
    return torch.var(x, dim, correction=correction, keepdim=keepdim), torch.mean(x, dim, keepdim)


@form("linalg_vector_norm.default")
def vector_norm(x: Tensor, order: float = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    if order == -math.inf:
        return x.abs().amin(dim, keepdim)
    if order == 0:
        return (x != 0).to(x.dtype).sum(dim, keepdim)
    return (x.abs() ** order).sum(dim, keepdim) ** (1 / order)


@form("norm.ScalarOpt_dim")
def norm(x: Tensor, p: float | None, dim: Any, keepdim: bool = False) -> Tensor:
    return torch.linalg.vector_norm(x, 2 if p is None else p, dim, keepdim)


@form("cumprod.default")
def cumprod(x: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    return _running(torch.mul, x, dim)


@form("logcumsumexp.default")
def logcumsumexp(x: Tensor, dim: int) -> Tensor:
    return _running(torch.logaddexp, x, dim)


def _running(function: Form, x: Tensor, dim: int) -> Tensor:
    parts = (x.select(dim, i) for i in range(fixed(x.shape[dim])))
    return torch.stack(list(itertools.accumulate(parts, function)), dim)


@form("median.dim")
def median(x: Tensor, dim: int, keepdim: bool = False) -> Any:
    """The lower one of two in the middle."""
    middle = (fixed(x.shape[dim]) - 1) // 2
    found = [item.narrow(dim, middle, 1) for item in torch.sort(x, dim)]
    return tuple(found if keepdim else [item.squeeze(dim) for item in found])


@form("kthvalue.default")
def kthvalue(x: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    found = [item.narrow(dim, k - 1, 1) for item in torch.sort(x, dim)]
    return tuple(found if keepdim else [item.squeeze(dim) for item in found])


# Products


@form("bilinear.default")
def bilinear(a: Tensor, b: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    rows = F.linear(a, weight.transpose(1, 2).flatten(0, 1)).unflatten(-1, (weight.shape[0], weight.shape[2]))
    found = (rows * b.unsqueeze(-2)).sum(-1)
    return found if bias is None else found + bias


@form("cdist.default")
def cdist(a: Tensor, b: Tensor, p: float = 2.0, compute_mode: int | None = None) -> Tensor:
    return torch.linalg.vector_norm(a.unsqueeze(-2) - b.unsqueeze(-3), p, -1)


# Moving elements


@form("index of own rows")
def own_rows(x: Tensor, indices: Sequence[Tensor | None]) -> Tensor:
    """x[arange(agents), i, ...]: the agents' own numbers come first."""
    dims = [dim for dim, index in enumerate(indices) if dim and index is not None]
    x = x.movedim(dims, list(range(1, len(dims) + 1)))
    place = _own_place(x, [index for index in indices[1:] if index is not None])
    return x.flatten(1, len(dims)).gather(1, place).squeeze(1)


@form("index_put of own rows")
def own_places(x: Tensor, indices: Sequence[Tensor], values: Tensor, accumulate: bool = False) -> Tensor:
    """x[arange(agents), i, ...] = values."""
    place, flat = _own_place(x, indices[1:]), x.flatten(1, len(indices) - 1)
    return flat.scatter(1, place, values.expand(flat[:, 0].shape).unsqueeze(1)).view(x.shape)


def _own_place(x: Tensor, indices: Sequence[Tensor]) -> Tensor:
    """[agents, 1, ...]: where each agent's place is in x with the axes that are indexed made one."""
    flat: Tensor | None = None
    for size, index in zip(x.shape[1:], indices, strict=False):
        index = torch.where(index < 0, index + size, index)
        flat = index if flat is None else flat * size + index
    assert flat is not None
    rest = x.shape[len(indices) + 1 :]
    return flat.reshape(-1, 1, *[1] * len(rest)).expand(-1, 1, *rest)


@form("roll.default")
def roll(x: Tensor, shifts: Any, dims: Any = ()) -> Tensor:
    shifts, dims = ([item] if isinstance(item, int | torch.SymInt) else list(item) for item in (shifts, dims))
    if not dims:
        return torch.roll(x.flatten(), shifts, [0]).view(x.shape)
    for shift, dim in zip(shifts, dims, strict=True):
        back = shift % fixed(x.shape[dim])
        x = torch.cat([x.narrow(dim, x.shape[dim] - back, back), x.narrow(dim, 0, x.shape[dim] - back)], dim)
    return x


@form("diagonal.default")
def diagonal(x: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    x = x.movedim((dim1, dim2), (-2, -1))
    rows, columns = (fixed(n) for n in x.shape[-2:])
    places = range(max(0, -offset), min(rows, columns - offset))
    return torch.stack([x.select(-2, i).select(-1, i + offset) for i in places], -1)


@form("unfold.default")
def unfold(x: Tensor, dimension: int, size: int, step: int) -> Tensor:
    dim = dimension % x.dim()
    starts = range(0, fixed(x.shape[dim]) - size + 1, step)
    return torch.stack([x.narrow(dim, start, size) for start in starts], dim).movedim(dim + 1, -1)


def _one_hot_kernels(channels: int, size: Sequence[int], like: Tensor) -> Tensor:
    """[channels x places, 1, height, width]: each picks one place of its window."""
    places = math.prod(size)
    return torch.eye(places, dtype=like.dtype).view(places, 1, *size).repeat(channels, 1, 1, 1)


@form("im2col.default")
def im2col(x: Tensor, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> Tensor:
    """nn.Unfold."""
    kernels = _one_hot_kernels(x.shape[1], kernel_size, x)
    return F.conv2d(x, kernels, None, stride, padding, dilation, x.shape[1]).flatten(2)


@form("col2im.default")
def col2im(x: Tensor, output_size: Any, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> Tensor:
    """nn.Fold."""
    channels = x.shape[1] // math.prod(kernel_size)
    room = [n + 2 * p - d * (k - 1) - 1 for n, k, d, p in zip(output_size, kernel_size, dilation, padding, strict=True)]
    x = x.unflatten(2, [n // s + 1 for n, s in zip(room, stride, strict=True)])
    more = [n % s for n, s in zip(room, stride, strict=True)]
    kernels = _one_hot_kernels(channels, kernel_size, x)
    return F.conv_transpose2d(x, kernels, None, stride, padding, more, channels, dilation)


# Writing into a part: a new array with that part replaced


@form("select_scatter.default")
def select_scatter(x: Tensor, part: Tensor, dim: int, index: int) -> Tensor:
    index = index % fixed(x.shape[dim])
    return _replaced(x, part.unsqueeze(dim), dim, range(index, index + 1))


@form("slice_scatter.default")
def slice_scatter(
    x: Tensor, part: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Tensor:
    if step == 1 and not start and (end is None or (isinstance(end, int) and end >= 2**31)):
        return part.expand_as(x).clone()
    return _replaced(x, part, dim, range(*slice(start, end, step).indices(fixed(x.shape[dim]))))


def _replaced(x: Tensor, part: Tensor, dim: int, places: range) -> Tensor:
    """x with its elements at `places` along an axis replaced by those of `part`."""
    n, parts = x.shape[dim], []
    if not places:
        return x.clone()
    if places.step == 1:
        parts = [x.narrow(dim, 0, places.start), part, x.narrow(dim, places.stop, n - places.stop)]
    else:
        parts = [part.narrow(dim, places.index(i), 1) if i in places else x.narrow(dim, i, 1) for i in range(n)]
    return torch.cat(
        [
            item.expand([*x.shape[: dim % x.dim()], -1, *x.shape[dim % x.dim() + 1 :]])
            for item in parts
            if item.shape[dim] != 0
        ],
        dim,
    )
