"""How far torch's own results may be trusted: the module runs again, each rounded result moved by what was rounded.

Arithmetic that is exact, or rounded correctly by every machine (sums and products of two, comparisons, whatever moves
elements), is left alone, and so is any other result that has come out exact. What then still changes is what no two
implementations need to agree on: a number on the edge of a jump by accident, a memory that magnifies rounding.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

# Results that are the same on every machine: correctly rounded, or moved from somewhere else.
_EXACT = """
_local_scalar_dense _reshape_alias _to_copy _unsafe_index _unsafe_view abs add alias all amax amin any arange argmax
argmin argsort as_strided bitwise_and bitwise_not bitwise_or bitwise_xor broadcast_tensors cat ceil chunk clamp
clamp_max clamp_min clone constant_pad_nd contiguous copy detach diagonal div embedding empty empty_like
empty_strided eq expand fill flatten flip floor floor_divide fmod frac full full_like gather ge gt hardshrink
hardtanh heaviside index index_put index_select isfinite isinf isnan item le leaky_relu lift_fresh lift_fresh_copy
logical_and logical_not logical_or logical_xor lt masked_fill masked_scatter masked_select max
max_pool2d_with_indices max_pool3d_with_indices maximum median min minimum mul narrow ne neg new_empty new_full
new_ones new_zeros nonzero ones ones_like permute reciprocal relu relu6 remainder repeat reshape resize roll round
rsub scalar_tensor scatter select select_scatter sgn sign slice slice_scatter sort split split_with_sizes sqrt
square squeeze stack sub sum_to_size t take threshold topk transpose tril triu trunc unbind unfold unsqueeze view
where zero zeros zeros_like
"""
EXACT = frozenset(_EXACT.split())
SUMS = frozenset(("addmm", "addmv", "baddbmm", "bmm", "convolution", "cumsum", "linear", "mean", "mm", "mv", "sum"))
LAST = 2.0  # last bits that any other result may be off by: functions such as exp differ so between libraries
INFINITY = torch.tensor(torch.inf)
SHARE = 2.0**-25  # of all terms of a sum without their signs: what its order may change
SPREADS = ("norm", "var", "std")  # in names: a spread of numbers close to each other magnifies what they are off
MOST = 2**26  # numbers of a module that are kept changed too
TIMES = 2.0  # how far a result is moved, in what was rounded or may be


class Kept:
    """What comes to the same at every call, made once: of a module's parameters and buffers all that is made of them;
    of its observations what is made of nothing that was moved. Until the module writes in place."""

    def __init__(self, module: nn.Module) -> None:
        found = [item for item in (*module.parameters(), *module.buffers()) if place(item)]
        few = sum(item.numel() for item in found) <= MOST
        self.weights = {place(item): item.detach() for item in found if few}  # held: nothing may take their places
        self.made: dict[Any, Any] = {}
        self.share([])

    def share(self, arrays: Sequence[Tensor]) -> None:
        """From now on these are the observations."""
        self.same = self.weights | {place(item): item for item in arrays if place(item)}
        self.calls: dict[Any, Any] = {}

    def of(self, change: Callable[[Tensor], Any], item: Tensor) -> Any:
        """`change(item)`."""
        if place(item) not in self.weights:
            return change(item)
        key = change, self.name(item)
        if key not in self.made:
            self.made[key] = change(item)
        return self.made[key]

    def name(self, item: Any) -> Any:
        """By which an argument is known again. Raises KeyError where it was moved, or may have been."""
        if isinstance(item, list | tuple):
            return tuple(map(self.name, item))
        if not isinstance(item, Tensor):
            return type(item), item
        self.same[place(item)]
        return place(item), item.storage_offset(), item.shape, item.stride(), item.dtype

    def call(self, func: Any, args: Any, kwargs: Any) -> Any:
        """By which a call is known again; None where nothing of it is kept."""
        try:
            return (func, self.name(args), self.name(list(kwargs.items()))) if args else None
        except KeyError:
            return None

    def forget(self, args: Any) -> None:
        """Of what is written into, nothing is kept any more."""
        for item in pytree.tree_leaves(args):
            if isinstance(item, Tensor):
                self.weights.pop(place(item), None)
        self.share([])


def place(item: Tensor) -> int:
    """Where the numbers of a plain array lie; 0 of any other."""
    plain = type(item) in (Tensor, nn.Parameter) and item.layout == torch.strided
    return item.untyped_storage().data_ptr() if plain else 0


class Doubt(TorchDispatchMode):
    """Moves rounded results up or down at random; `sign` -1 moves each the other way than 1 does with equal `seed`."""

    def __init__(self, kept: Kept, seed: int, sign: int, times: float) -> None:
        super().__init__()
        self.kept = kept
        self.times = times
        self.random = torch.Generator().manual_seed(seed)
        self.sign = sign

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = func._schema.name.split("::")[1]
        changes = func._schema.is_mutable
        base = name.rstrip("_") if changes else name
        if changes:
            self.kept.forget((args, kwargs))
        kept = self.kept.calls
        call = None if changes else self.kept.call(func, args, kwargs)
        if name in EXACT or base in EXACT:
            if call not in kept:
                result = func(*args, **kwargs)
                leaves = [item for item in pytree.tree_leaves(result) if isinstance(item, Tensor)]
                if call is None or any(place(item) in self.kept.same for item in leaves):  # a view costs nothing
                    return result
                kept[call] = result
                self.kept.same.update({place(item): item for item in leaves if place(item)})
            return pytree.tree_map_only(Tensor, Tensor.detach, kept[call])
        if call in kept:
            return self.moved(*kept[call])
        spread = any(part in name for part in SPREADS)  # by chance
        better = None if changes else self.of(func, args, kwargs, torch.Tensor.double)
        off: list[Any] = []  # for each result, what it may be off by, apart from its last bits
        terms = self.of(func, args, kwargs, torch.Tensor.abs) if name in SUMS and not changes else None
        if isinstance(terms, Tensor) and terms.dtype == torch.float32:
            # While all terms together are below 2^24 times what each is a multiple of, every order gives the same.
            off, quantum = [SHARE * terms], self.quantum(name, args)
            if quantum:
                off[0].masked_fill_(terms <= quantum * 2.0**24, 0.0)
        elif better is not None and spread:
            shaken = pytree.tree_leaves(self.of(func, args, kwargs, self.shaken))
            off = [(x - y).abs() for x, y in zip(shaken, pytree.tree_leaves(better), strict=True)]
        result = func(*args, **kwargs)
        if call is not None and not spread:
            kept[call] = result, better, off
        moved = self.moved(result, better, off)
        if changes:
            for item, other in zip(*map(pytree.tree_leaves, (result, moved)), strict=True):
                if isinstance(item, Tensor):
                    item.copy_(other)
            return result
        return moved

    def moved(self, result: Any, better: Any, off: list[Any]) -> Any:
        """All results of a call moved; arguments as of `move`."""
        flat, spec = pytree.tree_flatten(result)
        betters = [None] * len(flat) if better is None else pytree.tree_leaves(better)
        return pytree.tree_unflatten([self.move(*each) for each in itertools.zip_longest(flat, betters, off)], spec)

    def move(self, result: Any, better: Any, off: Tensor | None) -> Any:
        """A result moved. better: the same in float64, if torch can."""
        if not isinstance(result, Tensor) or result.dtype != torch.float32:
            return result
        way = torch.rand(result.shape, generator=self.random).sub_(0.5)
        size = result.abs()
        bounded = size < torch.inf
        size = LAST * (torch.nextafter(size, INFINITY) - size)
        if off is not None:
            size = torch.maximum(size, off.float())
        if isinstance(better, Tensor) and better.dtype == torch.float64:
            rounded = (better - result).abs_()
            exact = rounded == 0 if off is None else (rounded == 0) & (off == 0)
            size = torch.maximum(size, rounded.float()).masked_fill_(exact, 0.0)
        bounded &= size < torch.inf
        return torch.where(bounded, result + torch.copysign(self.times * size, self.sign * way), result)

    def of(self, func: Any, args: Any, kwargs: Any, change: Callable[[Tensor], Tensor]) -> Any:
        """The same of changed numbers, such as of float64; None where torch cannot."""

        def changed(item: Any) -> Any:
            if isinstance(item, list | tuple):
                return [changed(each) for each in item]
            if not isinstance(item, Tensor) or item.dtype != torch.float32:
                return item
            return change(item) if change == self.shaken else self.kept.of(change, item)

        if change is not torch.Tensor.abs and kwargs.get("dtype") == torch.float32:
            kwargs = kwargs | {"dtype": torch.float64}
        try:
            return func(*map(changed, args), **{key: changed(item) for key, item in kwargs.items()})
        except (RuntimeError, NotImplementedError):
            return None

    def shaken(self, item: Tensor) -> Tensor:
        """In float64, each number a last bit off."""
        return item.double() * (1 + 2.0**-23 * (torch.rand(item.shape, generator=self.random) - 0.5).sign())

    def quantum(self, name: str, args: Any) -> float:
        """What every term of a sum is a multiple of; 0 where it is too small to matter."""
        sizes = [self.kept.of(lowest, item) for item in args if isinstance(item, Tensor)]
        if name in ("addmm", "addmv", "baddbmm"):
            sizes = [*sizes[1:], sizes[0]]
        if name in ("cumsum", "mean", "sum"):
            return sizes[0]
        product = sizes[0] * sizes[1]
        return min(product, *sizes[2:]) if sizes[2:] else product


def lowest(item: Tensor) -> float:
    """A power of two of which all numbers are multiples: 1 of whole numbers, 2^-8 of halves, quarters and the like; 0
    of all others."""
    for part in (item.flatten()[:64], item):  # a few numbers mostly tell
        scaled = part * 256
        if not bool((scaled == scaled.floor()).all()):
            return 0.0
    return 1.0 if bool((item == item.floor()).all()) else 2.0**-8


@contextmanager
def doubts(kept: Kept, runs: int, times: float = TIMES) -> Iterator[list[Doubt]]:
    """So many ways of moving torch's rounded results, twice, since each is followed by the opposite one. Without
    oneDNN, whose recurrent layers are one operation, and NNPACK, which is slow for a few small pictures."""
    before = torch._C._get_mkldnn_enabled(), torch._C._get_nnpack_enabled()
    torch._C._set_mkldnn_enabled(False)  # torch.backends.mkldnn.flags warns of settings that nobody asked for
    torch._C._set_nnpack_enabled(False)
    try:
        yield [Doubt(kept, seed, sign, times) for seed in range(runs) for sign in (1, -1)]
    finally:
        torch._C._set_mkldnn_enabled(before[0])
        torch._C._set_nnpack_enabled(before[1])
