"""Whole numbers: right beyond 2^24 too, where float32 does not hold each of them, or refused by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from test_export_numbers import Apply, compare, lowered
from torch import Tensor
from torch.nn import functional as F

from minnow.cinfer import MinnowError, load
from minnow.cinfer.policy import ffi
from minnow.export import ExportError
from minnow.export.lower import lower
from minnow.export.trace import Signature, trace

LARGE = torch.tensor(
    [[19999999, 60], [1700000123, 1700000100], [16777217, 16777216], [-19999999, 7], [2**31 - 1, -1], [-(2**31), 3]],
    dtype=torch.int32,
)
SMALL = torch.tensor([[3, 7], [0, 8], [8, 0], [5, 5]], dtype=torch.int32)


def pair(x: Tensor) -> tuple[Tensor, Tensor]:
    return x[:, :1], x[:, 1:]


def split(function: Callable[[Tensor, Tensor], Any]) -> Callable[[Tensor], Any]:
    return lambda x: function(*pair(x))


@pytest.mark.parametrize(
    "function",
    [
        lambda a, b: a % b,
        lambda a, b: a // b,
        lambda a, b: a - b,
        lambda a, b: a + b,
        lambda a, b: a * b,
        lambda a, b: a * a * a,
        lambda a, b: torch.div(a, b, rounding_mode="trunc"),
        lambda a, b: torch.fmod(a, b),
        lambda a, b: (a % 60, a % -7),
        lambda a, b: (a // 86400, a // -7),
        lambda a, b: (a == b, a != b),
        lambda a, b: (a < b, a >= b),
        lambda a, b: (a == 16777217, a > 16777216),
        lambda a, b: (a - 1700000100, 1700000123 - a),
        lambda a, b: (a > 0.5, a * 0.5),
        lambda a, b: (torch.maximum(a, b), torch.minimum(a, b)),
        lambda a, b: (torch.where(a > b, a, b) % 1000, torch.where(a > b, a, 16777217) % 1000),
        lambda a, b: (a.masked_fill(a < 0, 123456789) % 1000, (-a) % 1000),
        lambda a, b: (a.abs() % 1000, a.clamp(-5, 5)),
        lambda a, b: (a.clamp(max=20000001) % 1000, torch.sign(a)),
        lambda a, b: (torch.cat([a, b, a], 1) % 1000, torch.stack([a, b], 1).flatten(1) % 77),
        lambda a, b: (torch.cat([a, b], 1).flip(1) % 1000, torch.cat([a, b], 1).repeat(1, 2) % 1000),
        lambda a, b: (a.expand(-1, 3) % 1000, torch.cat([a, b], 1).amax(1) % 1000),
        lambda a, b: (torch.cat([a, b, a + 1], 1).argmax(1), torch.cat([a, a - 1, b], 1).argmin(1)),
        lambda a, b: (torch.cat([a, b, a + 1], 1).max(1)[0] % 1000, torch.cat([a, b], 1).min(1)[1]),
        lambda a, b: (a & b, a | b),
        lambda a, b: (torch.cat([a // 9, b // 9, a // 7], 1).cumsum(1) % 1000, torch.floor(a) % 1000),
        lambda a, b: (a ^ b, ~a),
        lambda a, b: (a & 255, a >> 4),
        lambda a, b: (a << 3, (a >> 16) & 15),
        lambda a, b: (a.float(), a / b),
        lambda a, b: (torch.cat([a, b], 1).gather(1, (a > b).long()) % 1000, a.bool()),
        lambda a, b: (a.long() % 1000 * 3 + 1, (a.long() // 1000) * 7),
        lambda a, b: (a.int() ** 3, a**2),
        lambda a, b: ((a % 1000).sum(1), (a // 4).sum(1) % 1000),
        lambda a, b: ((a + torch.tensor([16777217, 5], dtype=torch.int32)) % 1000, a % 8 == 7),
    ],
)
def test_int32_is_torchs(function: Callable[[Tensor, Tensor], Any]) -> None:
    found = split(function)(LARGE)
    count = len(found) if isinstance(found, tuple) else 1
    compare(split(function), LARGE, count=count)


def test_the_examples() -> None:
    policy = load(lowered(lambda x: (x % 60, x - 1700000100), torch.ones(2, 1, dtype=torch.int32), 2))
    for value, wanted in ((19999999, 19), (1700000123, 1700000123 % 60)):
        assert policy.session(1).step(np.array([[value]], np.int32)).outputs[0][0, 0] == wanted
    assert policy.session(1).step(np.array([[1700000123]], np.int32)).outputs[1][0, 0] == 23


def graph_of(function: Callable[..., Any], obs: Any, bounds: dict[str, tuple[float, float]] | None = None) -> list[str]:
    signature = Signature(Apply(function), obs, None, ("y",))
    graph, _ = lower(trace(signature), signature, bounds)
    return [op.kind for op in graph.ops]


def test_floats_where_they_are_exact() -> None:
    """Small whole numbers stay floats: of bytes, of truth, of what is declared, and of what comes of them."""
    byte = torch.zeros(2, 4, dtype=torch.uint8)
    for function in (
        lambda x: x.long()[:, :2] * 8 + x.long()[:, 2:],
        lambda x: (x.int() * 255 // 7) % 5,
        lambda x: (x > 3).sum(1, keepdim=True) * 100,
        lambda x: F.one_hot(x.long(), 300).argmax(2) * 3 + 1,
        lambda x: torch.where(x > 3, x.int(), -1) + 1,
    ):
        assert not {"integer", "whole"} & set(graph_of(function, byte))
    declared: dict[str, tuple[float, float]] = {"obs": (0, 99)}
    assert not {"integer", "whole"} & set(graph_of(lambda x: x * 100 + 5, SMALL, declared))
    assert {"integer"} <= set(graph_of(lambda x: x * 100 + 5, SMALL))
    assert not {"integer", "whole"} & set(graph_of(lambda x: x.long() * 100 + 5, SMALL.float(), declared))
    assert not {"integer", "whole"} & set(graph_of(lambda x: x.clamp(0, 7).long() * 8 + 5, torch.randn(2, 3)))


def test_what_leaves_32_bits_is_refused_where_it_is_declared() -> None:
    declared: dict[str, tuple[float, float]] = {"obs": (0, 2_000_000_000)}
    with pytest.raises(ExportError, match=r"aten.mul.Tensor .*between 0 and 8,000,000,000.*32 bits.*observation="):
        graph_of(lambda x: x.long() * 4, SMALL, declared)
    assert "integer" in graph_of(lambda x: x * 4, SMALL, declared)  # int32 wraps
    with pytest.raises(ExportError, match=r"aten.sum.dim_IntList .*between 0 and 4,000,000,000.*32 bits"):
        graph_of(lambda x: x.sum(1), SMALL, declared)
    with pytest.raises(ExportError, match=r"aten.argsort.default .*beyond 2\^24.*clamp them before it"):
        graph_of(lambda x: x.argsort(1), SMALL)
    with pytest.raises(ExportError, match=r"aten.cumsum.default .*between 0 and 4,000,000,000.*32 bits"):
        graph_of(lambda x: x.cumsum(1), SMALL, declared)
    with pytest.raises(ExportError, match=r"aten.prod.dim_int .*beyond 2\^24"):
        graph_of(lambda x: x.prod(1), SMALL)
    with pytest.raises(ExportError, match=r"aten.scatter_add.default .*beyond 2\^24"):
        graph_of(lambda x: torch.zeros(x.shape[0], 3).int().scatter_add(1, (x % 3).long(), x % 2**24), SMALL)
    with pytest.raises(ExportError, match="more than 32 bits"):
        graph_of(lambda x: x.long() == 2**40, SMALL)


def test_a_histogram() -> None:
    compare(lambda x: torch.zeros(x.shape[0], 9).long().scatter_add(1, x.long(), torch.ones_like(x).long()), SMALL)


TABLE = torch.arange(12.0).reshape(4, 3)


def test_a_table_is_asked_from_both_ends() -> None:
    index = torch.tensor([[-4], [-1], [0], [3]], dtype=torch.int32)
    compare(lambda i: TABLE[i[:, 0].long()], index)
    compare(lambda i: TABLE[i.long()[:, 0] - 1], index[2:])
    compare(lambda x: torch.tensor([5, 7, 9])[x[:, 0].long()] * 1000 + 1, index[1:3].float())


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("function", "obs", "row", "nearest"),
    [
        (lambda x: TABLE[x[:, 0].long()], torch.zeros(2, 1), 4, 9),
        (lambda x: TABLE[x[:, 0].long()], torch.zeros(2, 1), -5, 0),
        (lambda x: F.embedding(x[:, 0].long(), TABLE), torch.zeros(2, 1), -1, 0),
        (lambda x: F.embedding(x[:, 0].long(), TABLE), torch.zeros(2, 1), INF, 9),
        (lambda x: F.embedding(x[:, 0].long(), TABLE), torch.zeros(2, 1), NAN, 0),
        (lambda x: F.one_hot(x[:, 0].long(), 3)[:, 2], torch.zeros(2, 1), 3, 1),
        (lambda x: F.one_hot(x[:, 0].long(), 3)[:, 0], torch.zeros(2, 1, dtype=torch.int32), -9, 1),
        (lambda x: TABLE[:1].expand(x.shape[0], 3).gather(1, x.long()), torch.zeros(2, 1), 3, 2),
        (lambda x: torch.zeros(x.shape[0], 2).scatter(1, x.long(), 1.0)[:, 1], torch.zeros(2, 1), 2, 1),
        (lambda x: 5 // x, torch.ones(2, 1, dtype=torch.int32), 0, 0),
        (lambda x: 5 % x.long(), torch.ones(2, 1), 0, 0),
        (lambda x: (x.long() * 4) // 1024, torch.ones(2, 1, dtype=torch.int32), 2**30, (2**31 - 1) // 1024),
        (lambda x: (x.long() * 3 + 1) // 1024, torch.ones(2, 1), -1e30, -(2**31) // 1024),
    ],
)
def test_a_step_tells_where_torch_would_raise(
    function: Callable[[Tensor], Tensor], obs: Tensor, row: float, nearest: float
) -> None:
    """The step is made all the same, with the nearest row, or 0, or the bound that was passed."""
    policy = load(lowered(function, obs))
    session = policy.session(2)
    x = np.array([[1], [row]], policy.inputs[0].dtype)
    with pytest.raises(MinnowError, match="error 9") as caught:
        session.step(x)
    assert caught.value.number == 9
    size = 2 * policy.outputs[0].shape[0] if policy.outputs[0].shape else 2
    found = np.frombuffer(ffi().buffer(session.c.minnow_result(session.at, 0), 4 * size), np.float32)
    assert found[size // 2] == nearest
    session.step(x[[0, 0]])  # and the next one is as it was
