"""Arithmetic as torch has it: quotients and remainders, functions near their ends, order, and what is not a number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from sure import sure
from torch import Tensor, nn
from torch.nn import functional as F

from minnow.cinfer import load
from minnow.export import Discrete, format
from minnow.export.graph import Graph
from minnow.export.lower import lower
from minnow.export.trace import Signature, trace

NAN, INF = float("nan"), float("inf")
EDGES = (0.0, -0.0, 1.0, -1.0, 0.1, 0.5, -0.7, 7.5, 1e-40, -1e-40, 1e-6, 86400.5, 3e38, -3e38, INF, -INF, NAN)


class Apply(nn.Module):
    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, obs):
        found = self.function(*obs.values()) if isinstance(obs, dict) else self.function(obs)
        return tuple(item.float() for item in found) if isinstance(found, tuple) else found.float()


def lowered(function: Callable[..., Any], obs: Any, count: int = 1) -> bytes:
    """The policy file of a function of the observation, whatever it gives for the examples."""
    names = tuple(f"y{i}" for i in range(count))
    signature = Signature(Apply(function), obs, None, names)
    graph, _ = lower(trace(signature), signature)
    return format.write(graph, None, golden=golden_of(graph))


def golden_of(graph: Graph) -> format.Golden:
    """Golden vectors of the right shapes; nothing is held against them."""
    return format.Golden(
        [
            np.zeros((2, 1, *graph.values[item.value].shape), format.NUMPY[graph.values[item.value].dtype])
            for item in graph.inputs
        ],
        [np.zeros((2, 1, *graph.values[item.value].shape), np.float32) for item in graph.outputs],
    )


def compare(function: Callable[..., Any], obs: Any, *, exact: bool = True, count: int = 1) -> None:
    """C gives what torch gives, NaN for NaN; to two units in the last place where it is not exact."""
    rows = obs if isinstance(obs, dict) else {"obs": obs}
    found = (
        load(lowered(function, obs, count))
        .session(len(next(iter(rows.values()))))
        .step({name: item.numpy() for name, item in rows.items()})
    )
    with torch.no_grad():
        wanted = Apply(function)(obs)
    for ours, theirs in zip(found.outputs, wanted if isinstance(wanted, tuple) else (wanted,), strict=True):
        same = (ours == theirs.numpy()) | (np.isnan(ours) & np.isnan(theirs.numpy()))
        if not exact:
            same |= np.abs(ours - theirs.numpy()) <= 2 * np.spacing(np.abs(theirs.numpy()))
        assert same.all(), (ours[~same], theirs.numpy()[~same])


def pairs() -> dict[str, Tensor]:
    a, b = torch.meshgrid(torch.tensor(EDGES), torch.tensor(EDGES), indexing="ij")
    return {"a": a.reshape(-1, 1).clone(), "b": b.reshape(-1, 1).clone()}


TENTHS = (torch.arange(1, 101).float() / 10).reshape(50, 2)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x // 0.1,
        lambda x: 7 // x,
        lambda x: x % 0.7,
        lambda x: 5 % x,
        lambda x: (x * 1e6) % 0.7,
        lambda x: torch.fmod(-x, 0.3),
        lambda x: torch.remainder(-x, 0.3),
        lambda x: torch.div(-x, 0.1, rounding_mode="trunc"),
        lambda x: torch.div(-x, 0.1, rounding_mode="floor"),
        lambda x: x.frac(),
        lambda x: torch.round(x * 0.377, decimals=1),
        lambda x: torch.round(x * 377, decimals=-2),
    ],
)
def test_quotients_and_remainders(function: Callable[[Tensor], Tensor]) -> None:
    compare(function, TENTHS)


def test_the_examples_of_quotients() -> None:
    compare(lambda x: torch.cat([x // 0.1, x % 0.7], 1), torch.tensor([[0.5, 86400.5]]))
    policy = load(lowered(lambda x: torch.cat([x[:, :1] // 0.1, x[:, 1:] % 0.7], 1), torch.ones(1, 2)))
    found = policy.session(1).step(np.array([[0.5, 86400.5]], np.float32)).outputs[0]
    np.testing.assert_allclose(found, [[4, 0.20147]], atol=1e-5)


@pytest.mark.parametrize(
    "function",
    [
        lambda a, b: a // b,
        lambda a, b: torch.div(a, b, rounding_mode="trunc"),
        lambda a, b: torch.fmod(a[:, 0], b[:, 0]).reshape(-1, 1),
        lambda a, b: a % b,
        torch.maximum,
        torch.minimum,
        lambda a, b: torch.clamp(a, max=b),
        lambda a, b: a < b,
        lambda a, b: a >= b,
        lambda a, b: a != b,
        lambda a, b: torch.where(b, a, 2.0) if b.dtype == torch.bool else torch.where(b > a, a, b),
    ],
)
def test_two_numbers_at_their_edges(function: Callable[[Tensor, Tensor], Tensor]) -> None:
    a, b = pairs().values()
    # The vectors of torch's fmod and remainder give NaN where a / b overflows on the way; single numbers do not.
    fits = ~((a / b).isinf() & a.isfinite() & (b != 0)).squeeze(1)
    compare(function, {"a": a[fits], "b": b[fits]})


UNARY = {
    name: getattr(torch, name)
    for name in (
        *("log2", "log10", "log1p", "exp2", "expm1", "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh"),
        *("sign", "floor", "ceil", "round", "trunc", "abs", "neg", "sqrt", "square", "relu", "isnan", "isinf"),
    )
}
ROUGH = {"asin", "acos", "sinh", "cosh", "asinh", "acosh", "atanh"}  # made of several operations


@pytest.mark.parametrize("name", UNARY)
def test_one_number_at_its_edges(name: str) -> None:
    """To 1e-6 of the true value near zero and everywhere, and infinite or NaN where torch is."""
    rng = np.random.default_rng(0)
    small = np.exp2(rng.uniform(-60, 0, 500)) * rng.choice((-1, 1), 500)
    x = np.concatenate([EDGES, small, rng.normal(0, 1, 500), rng.normal(0, 20, 500), 1 + small / 100, small * 1e9])
    x = x.astype(np.float32).reshape(-1, 1)
    found = load(lowered(UNARY[name], torch.ones(2, 1))).session(len(x)).step(x).outputs[0]
    with np.errstate(all="ignore"):
        wanted = UNARY[name](torch.from_numpy(x).double()).double().numpy()
        rounded = wanted.astype(np.float32)
        ends = ~np.isfinite(rounded)
        np.testing.assert_array_equal(found[ends], rounded[ends])
        units = np.abs(found.astype(float) - wanted)[~ends] / np.spacing(np.abs(rounded[~ends])).astype(float)
    assert units.max() <= (16 if name in ROUGH else 1)


def test_powers_are_exact() -> None:
    powers = torch.arange(-149, 128).float().reshape(-1, 1)
    compare(torch.exp2, powers)
    compare(torch.log2, torch.from_numpy(np.exp2(powers.double().numpy()).astype(np.float32)))
    compare(lambda x: torch.log2(x).floor(), torch.tensor([[8192.0], [2.0**-126], [8191.0]]))
    compare(lambda x: torch.exp2(x).floor(), torch.tensor([[15.0]]))
    tens = torch.tensor([[float(f"1e{k}")] for k in range(-37, 39)])
    compare(lambda x: torch.log10(x).round(), tens)
    compare(lambda x: torch.log10(x).floor(), tens[37:])
    compare(lambda x: 1e6 * torch.log1p(x), torch.tensor([[1e-6]]))


def test_angles() -> None:
    obs = pairs() | {}
    found = (
        load(lowered(torch.atan2, obs)).session(len(obs["a"])).step({k: v.numpy() for k, v in obs.items()}).outputs[0]
    )
    wanted = np.arctan2(obs["a"].double().numpy(), obs["b"].double().numpy()).astype(np.float32)
    np.testing.assert_array_equal(found, wanted)
    assert np.array_equal(np.signbit(found), np.signbit(wanted))


# Order


ROWS = torch.tensor(
    [
        [1.0, 3.0, 2.0, 3.0, 3.0, -1.0],
        [NAN, 1.0, INF, NAN, -INF, 0.0],
        [-INF, -INF, -0.0, 0.0, INF, INF],
        [0.0, NAN, 0.0, 0.0, 0.0, 0.0],
        [NAN] * 6,
    ]
)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.argmax(1),
        lambda x: x.argmin(1),
        lambda x: x.max(1),
        lambda x: x.min(1),
        lambda x: x.amax(1),
        lambda x: x.amin(1),
        lambda x: x.sort(stable=True, dim=1),
        lambda x: torch.sort(x, stable=True, dim=1, descending=True),
        lambda x: torch.argsort(x, dim=1, stable=True),
        lambda x: x.topk(1, 1)[0],
        lambda x: x.topk(3, 1)[0],
        lambda x: x.topk(3, 1, largest=False)[0],
        lambda x: x.topk(6, 1).values.sum(1),
        lambda x: x.clamp(-1, 2),
        lambda x: x.clamp(2, -1),
        lambda x: F.relu6(x),
        lambda x: F.max_pool1d(x.unsqueeze(1), 3),
        lambda x: x.reshape(-1, 2, 3).transpose(1, 2).sort(stable=True, dim=1)[1],
        lambda x: x.reshape(-1, 2, 3).argmax(1),
    ],
)
def test_order(function: Callable[[Tensor], Any]) -> None:
    found = function(ROWS)
    pair = isinstance(found, tuple)
    compare((lambda x: tuple(function(x))) if pair else function, ROWS, count=2 if pair else 1)


def test_a_greedy_choice_is_torchs_argmax() -> None:
    """The first NaN among the logits, or the first of the largest."""
    file = format.read(lowered(lambda x: x * 1, ROWS))
    file.graph.outputs[0].role = "logits"
    policy = load(format.write(file.graph, None, action=Discrete(6), golden=file.golden))
    found = policy.session(len(ROWS)).step(ROWS.numpy()).action
    np.testing.assert_array_equal(sure(found)[:, 0], ROWS.argmax(1).numpy())
    mask = np.ones(ROWS.shape, bool)
    mask[:, 0] = False
    found = policy.session(len(ROWS)).step(ROWS.numpy(), mask).action
    np.testing.assert_array_equal(sure(found)[:, 0], ROWS[:, 1:].argmax(1).numpy() + 1)


def test_where_tops_are_equal_the_first_is_taken() -> None:
    _, places = ROWS[:1].sort(stable=True, dim=1, descending=True)
    found = load(lowered(lambda x: x.topk(4, 1)[1], ROWS)).session(1).step(ROWS[:1].numpy()).outputs[0]
    np.testing.assert_array_equal(found, places[:, :4].numpy())


def test_sums_of_powers_of_infinities() -> None:
    rows = torch.tensor([[-INF, -INF], [INF, -INF], [INF, 1.0], [-INF, 2.0], [INF, INF], [NAN, INF], [0.0, 0.0]])
    compare(lambda x: x.logsumexp(1), rows, exact=False)
    compare(lambda x: torch.logaddexp(x[:, 0], x[:, 1]), rows, exact=False)
    compare(lambda x: x.softmax(1), rows, exact=False)


INDEX = torch.tensor([[0, 2, 1], [3, 3, 3], [1, 0, 2]], dtype=torch.int32)
BOARD = {"x": torch.arange(24).reshape(3, 8).float(), "index": INDEX}


@pytest.mark.parametrize(
    "function",
    [
        lambda x, i: x.gather(1, i.long()),
        lambda x, i: x.reshape(-1, 4, 2).gather(1, i.long().unsqueeze(2).expand(-1, -1, 2)),
        lambda x, i: x.reshape(-1, 4, 2).gather(1, i.long().unsqueeze(2)),
        lambda x, i: x.scatter(1, i.long(), 7.0),
        lambda x, i: x.scatter(1, i.long()[:, :1], x[:, 5:]),
        lambda x, i: x.scatter_add(1, i.long(), x[:, 4:7]),
        lambda x, i: torch.zeros(x.shape[0], 5).scatter(1, i.long(), 1.0),
        lambda x, i: x.scatter(1, i.long(), 2.0, reduce="add"),
        lambda x, i: x.scatter(1, x.argsort(1), x),
        lambda x, i: x.scatter_reduce(1, i.long(), x[:, 2:5], "sum"),
        lambda x, i: F.one_hot(i.long(), 4),
        lambda x, i: x.clone().scatter_(1, i.long(), -1.0),
    ],
)
def test_places(function: Callable[[Tensor, Tensor], Tensor]) -> None:
    compare(function, BOARD)
