"""Operations that minnow.h lacks, taken apart: each beside torch in C, all in WebAssembly; and what stays refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minnow.export import ExportError, parity
from minnow.export.backends import run_wasm_all
from minnow.export.exporter import build
from minnow.export.lower import lower
from minnow.export.trace import Signature, trace

B = 3  # agents in the examples
ROW, TABLE, IMAGE = (4,), (5, 4), (4, 6, 8)


class Net(nn.Module):
    mask: Tensor

    def __init__(self, function: Callable) -> None:
        super().__init__()
        self.function = function
        self.bilinear, self.linear, self.other = nn.Bilinear(4, 4, 3), nn.Linear(4, 4), nn.Linear(4, 4)
        self.spectral = nn.utils.spectral_norm(nn.Linear(4, 3))
        self.features = None
        self.register_buffer("mask", torch.tensor([[1, 0, 0, 1], [0, 1, 0, 0]], dtype=torch.bool))

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self, x)


def fresh(m: Net, x: Tensor) -> Tensor:
    """Masked writes into a new tensor."""
    y = torch.zeros(x.shape[0], 6)
    y[:, 0] = 1
    y[:, 1:3] = x[:, :2]
    y[:, 3:6:2] = x[:, 2:]
    y[..., -2] = x.sum(-1)
    return y


def part(m: Net, x: Tensor) -> Tensor:
    """Views of what is written, from before and after."""
    y = x + 1
    early, half = y[:, 1], y[:, :2]
    half.mul_(2)
    y[:, 2] += early
    y.view(-1, 2, 2)[:, 1].neg_()
    return torch.cat([y, early.unsqueeze(1), half], 1)


def masked(m: Net, x: Tensor) -> Tensor:
    y, z = x.clone(), x.unsqueeze(1).repeat(1, 2, 1)
    y[x < 0] = 0.5
    z[:, m.mask] = -1
    z[x[:, 0] > 0] = 2
    return torch.cat([y, z.flatten(1)], 1)


def listed(m: Net, x: Tensor) -> Tensor:
    y = torch.zeros(x.shape[0], 6)
    y[:, [0, 2, 3, 5]] = x
    y[:, torch.tensor([1, 1])] = x[:, :2]
    return y.index_add(1, torch.tensor([0, 1, 1, 4]), x).index_fill(1, torch.tensor([3]), 7.0)


def own_rows(m: Net, x: Tensor) -> Tensor:
    """What each agent's row holds at a place of its own: the last valid step of a window, and a choice made one."""
    mine, last = torch.arange(x.shape[0]), (x[:, :, 0] > 0).sum(1) - 1
    hot = torch.zeros(x.shape[0], 4)
    hot[mine, x[:, 0].argmax(1)] = 2
    return torch.cat(
        [x[mine, last], x[mine, :, x[:, 1].argmax(1)], x[mine, last, last.clamp(0, 3)].unsqueeze(1), hot], 1
    )


def ensemble(m: Net, x: Tensor) -> Tensor:
    """Two networks of one form side by side."""
    weights, buffers = torch.func.stack_module_state([m.linear, m.other])
    call = torch.vmap(lambda *state: torch.func.functional_call(m.linear, cast(Any, state), (x,)))
    return call(weights, buffers).mean(0)


def assigned(m: Net, x: Tensor) -> Tensor:
    """What is kept on self for others to look at, and read by no later call, does no harm."""
    m.features = m.linear(x)
    return m.features.tanh()


WORKS: dict[str, tuple[tuple[int, ...], Callable]] = {
    # Whole axes
    "std_mean": (ROW, lambda m, x: torch.cat(torch.std_mean(x, 1, keepdim=True), 1)),
    "var_mean": (TABLE, lambda m, x: torch.cat(torch.var_mean(x, (1, 2), correction=0, keepdim=True), 1).flatten(1)),
    "norms": (
        TABLE,
        lambda m, x: torch.linalg.norm(x, dim=-1) + torch.linalg.vector_norm(x, 3, -1) + x.norm(p=0, dim=2),
    ),
    "norm, least": (TABLE, lambda m, x: torch.linalg.vector_norm(x, -torch.inf, (1, 2), keepdim=True).flatten(1)),
    "renorm, aminmax": (ROW, lambda m, x: torch.cat([*torch.aminmax(x, dim=1, keepdim=True), x.renorm(2, 0, 1.0)], 1)),
    "cumprod": (TABLE, lambda m, x: x.cumprod(1).flatten(1) + x.cumprod(-1).flatten(1)),
    "cumsum": (TABLE, lambda m, x: x.cumsum(2).flatten(1) + x.logcumsumexp(1).flatten(1)),
    "trapezoid": (TABLE, lambda m, x: torch.trapezoid(x, dim=1)),
    "nansum": (
        ROW,
        lambda m, x: torch.nansum(x, 1, True) + torch.nanmean(x, 1, True) + torch.count_nonzero(x, 1)[:, None],
    ),
    # Products
    "cross": ((2, 3), lambda m, x: torch.cross(x[:, 0], x[:, 1], dim=1) + torch.linalg.cross(x[:, 1], x[:, 0] ** 2)),
    "cosine_similarity": (TABLE, lambda m, x: F.cosine_similarity(x[:, :2], x[:, 1:3], dim=-1)),
    "bilinear": (ROW, lambda m, x: m.bilinear(x, x.tanh())),
    "take_along_dim": (TABLE, lambda m, x: x.take_along_dim(x[:, :1].argmax(2, keepdim=True), 2).flatten(1)),
    "cdist": (TABLE, lambda m, x: (torch.cdist(x[:, :2], x[:, 2:]) + torch.cdist(x[:, :2], x[:, 2:], p=1)).flatten(1)),
    "pairwise_distance": (ROW, lambda m, x: F.pairwise_distance(x, x.tanh()) + torch.linalg.vecdot(x, x)),
    "tensordot": (TABLE, lambda m, x: torch.tensordot(x, torch.ones(4, 2), 1).flatten(1)),
    # Elements
    "hypot": (ROW, lambda m, x: torch.hypot(x[:, :2], x[:, 2:])),
    "hyperbolic": (
        ROW,
        lambda m, x: x.sinh() + (x / 2).cosh() + x.asinh() + x.clamp(-0.9, 0.9).atanh() + (1 + x * x).acosh(),
    ),
    "signs": (ROW, lambda m, x: torch.copysign(x, x.flip(1) * 0) + torch.copysign(x, -1.0) * torch.signbit(x)),
    "losses": (
        ROW,
        lambda m, x: F.smooth_l1_loss(x, x * 0, reduction="none") + F.mse_loss(x, x.flip(1), reduction="none"),
    ),
    "special": (
        ROW,
        lambda m, x: torch.xlogy(x.abs(), x.abs() + 1) + torch.sinc(x) + torch.erfc(x) + torch.logit(x, 0.1),
    ),
    "bins": (
        ROW,
        lambda m, x: (
            torch.bucketize(x, torch.tensor([-1.0, 0.0, 1.0])).float()
            + torch.searchsorted(torch.tensor([-1.0, 0.5]), x, right=True)
            + torch.isin(x.round(), torch.tensor([0.0, 2.0]))
        ),
    ),
    # Moving elements
    "roll": (TABLE, lambda m, x: torch.roll(x, (1, -2), (1, 2)).flatten(1)),
    "diff": (TABLE, lambda m, x: torch.diff(x, 2, 1).flatten(1)),
    "triangles": (TABLE, lambda m, x: (x.tril() + 2 * x.triu(1)).flatten(1)),
    "diagonal": (
        TABLE,
        lambda m, x: torch.cat([x.diagonal(-1, 1, 2), x.diagonal(2, 2, 1), torch.diag_embed(x[:, 0]).flatten(1)], 1),
    ),
    "repeat_interleave": (ROW, lambda m, x: x.repeat_interleave(2, 1) * x.repeat_interleave(2, 0).view(x.shape[0], -1)),
    "channel_shuffle": (IMAGE, lambda m, x: F.channel_shuffle(x, 2).flatten(1)),
    "turned": (TABLE, lambda m, x: torch.hstack([torch.rot90(x, 1, (1, 2)).flatten(1), torch.fliplr(x).flatten(1)])),
    "unfold": (TABLE, lambda m, x: x.unfold(1, 3, 2).flatten(1)),
    "nn.Unfold": (IMAGE, lambda m, x: F.unfold(x, (2, 3), dilation=(1, 2), padding=1, stride=2).flatten(1)),
    "nn.Fold": ((8, 6), lambda m, x: F.fold(x, (3, 4), (2, 2)).flatten(1)),
    "indexed by a grid": (
        IMAGE,
        lambda m, x: x[:, :, [0, 2, 5], [7, 1, 0]].flatten(1) + x[:, 0, :2, :4][:, m.mask].repeat(1, 4),
    ),
    # Larger pictures
    "bilinear upsampling": (IMAGE, lambda m, x: F.interpolate(x, scale_factor=1.5, mode="bilinear").flatten(1)),
    "with corners aligned": (
        IMAGE,
        lambda m, x: F.interpolate(x, (4, 11), mode="bilinear", align_corners=True).flatten(1),
    ),
    "bicubic, antialiased": (IMAGE, lambda m, x: F.interpolate(x, (3, 9), mode="bicubic", antialias=True).flatten(1)),
    "linear upsampling": (TABLE, lambda m, x: F.interpolate(x, 7, mode="linear").flatten(1)),
    "nearest exact": (TABLE, lambda m, x: F.interpolate(x, 7, mode="nearest-exact").flatten(1)),
    # Writing into parts
    "fresh": (ROW, fresh),
    "part": (ROW, part),
    "masked": (ROW, masked),
    "listed": (ROW, listed),
    # Constants and sizes
    "boolean zeros": (ROW, lambda m, x: torch.where(torch.zeros(x.shape[0], 1, dtype=torch.bool), x, -x)),
    "whole numbers": (
        ROW,
        lambda m, x: x + torch.full((x.shape[0], 1), 3) + x.new_ones(x.shape[0], 1, dtype=torch.int32),
    ),
    "len": (ROW, lambda m, x: x + torch.ones(len(x), 4)),
    "vmap of rows": (TABLE, lambda m, x: torch.vmap(torch.vmap(lambda row: row.softmax(0).cumsum(0)))(x).flatten(1)),
    "ensemble": (ROW, ensemble),
    "nearest row": (ROW, lambda m, x: m.linear.weight[torch.cdist(x, m.linear.weight).argmin(1)]),
    "own rows": (TABLE, own_rows),
    "assigned": (ROW, assigned),
    "spectral norm": (ROW, lambda m, x: m.spectral(x)),
    "autocast off": (ROW, lambda m, x: torch.autocast("cpu", enabled=False)(m.linear)(x)),
    "distributions": (
        ROW,
        lambda m, x: torch.distributions.Categorical(logits=x).probs + torch.distributions.Normal(x, x.exp()).mean,
    ),
    "einsum of three": (ROW, lambda m, x: torch.einsum("bi,bj,ij->bj", x, x, m.linear.weight)),
    "einsum, dots": (TABLE, lambda m, x: torch.einsum("...i,ij->...j", x, m.linear.weight).flatten(1)),
    "more axes": (ROW, lambda m, x: x.repeat(2, 1, 3).permute(1, 0, 2).flatten(1)),
    "in order": (TABLE, lambda m, x: x.median(1).values + x.kthvalue(2, 1).values + x.quantile(0.3, 1)),
    "vmap": (ROW, lambda m, x: torch.vmap(lambda row: m.linear(row).softmax(0) * row.max())(x)),
}


FUNCTIONAL = (
    "fresh",
    "part",
    "masked",
    "listed",
    "vmap",
    "vmap of rows",
    "ensemble",
    "autocast off",
    "own rows",
    "nearest row",
)


class Many(Net):
    """Many functions of one observation, an output each."""

    def __init__(self, functions: dict[str, Callable]) -> None:
        super().__init__(lambda m, x: {name: function(m, x) for name, function in functions.items()})


def test_works_together() -> None:
    """In C and in WebAssembly: those whose graphs are made functional in one module a shape, the others in another."""
    groups: dict[tuple, dict[str, Callable]] = {}
    for name, (shape, function) in WORKS.items():
        groups.setdefault((shape, name in FUNCTIONAL), {})[name] = function
    found = []
    for (shape, _), functions in groups.items():
        torch.manual_seed(0)
        found.append(build(Many(functions).eval(), torch.randn(B, *shape)))
        assert [item.name for item in found[-1].graph.outputs] == list(functions) and found[-1].c.passed
    for one, run in zip(found, run_wasm_all([(one.data, one.reference) for one in found]), strict=True):
        assert parity.difference(run, one.reference) == one.c


@pytest.mark.full
@pytest.mark.parametrize("name", WORKS)
def test_works_alone(name: str) -> None:
    torch.manual_seed(0)
    shape, function = WORKS[name]
    assert build(Net(function).eval(), torch.randn(B, *shape), outputs=("out",)).c.passed


def test_what_is_known_stays_whole() -> None:
    """A part taken apart, or made functional, leaves the operations around it as they are."""

    class Around(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm, self.norm, self.gru = nn.LSTM(4, 4), nn.LayerNorm(4), nn.GRUCell(4, 4)

        def forward(self, x: Tensor, state: tuple[Tensor, Tensor, Tensor]) -> Any:
            y, (h, c) = self.lstm(F.gelu(self.norm(x)).unsqueeze(0), state[:2])
            y = y[0].clone()
            y[:, 0] = torch.hypot(x[:, 0], x[:, 1])
            z = self.gru(y, state[2])
            return F.softmax(z, -1), (h, c, z)

    state = torch.zeros(1, B, 4), torch.zeros(1, B, 4), torch.zeros(B, 4)
    kinds = [op.kind for op in build(Around().eval(), torch.randn(B, 4), example_state=state).graph.ops]
    assert [kind for kind in kinds if kind in ("layer_norm", "gelu", "lstm", "gru", "softmax")] == [
        "layer_norm",
        "gelu",
        "lstm",
        "gru",
        "softmax",
    ]


MIXES = "it mixes agents, whose number is free"
REFUSED = {
    "roll": (ROW, lambda m, x: torch.roll(x, 1, 0), rf"aten.roll.default on \[B, 4\] float32 at .*{MIXES}"),
    "renorm": (ROW, lambda m, x: x.renorm(2, 1, 1.0), rf"aten.renorm.default .*{MIXES}"),
    "roll of all": (ROW, lambda m, x: torch.roll(x, 1), rf"aten.roll.default .*{MIXES}"),
    "std_mean": (ROW, lambda m, x: x - torch.std_mean(x, 0)[1], rf"aten.std_mean.dim on \[B, 4\] .*{MIXES}"),
    "cosine_similarity": (ROW, lambda m, x: x * F.cosine_similarity(x, x, dim=0), rf"aten.cosine_similarity.* {MIXES}"),
    "diff": (ROW, lambda m, x: torch.diff(x, dim=0, append=x[-1:]), MIXES),
    "cumprod": (ROW, lambda m, x: torch.cumprod(x, 0), rf"aten.cumprod.default .*{MIXES}"),
    "unfold": (ROW, lambda m, x: x.unfold(0, 1, 1)[..., 0], rf"aten.unfold.default .*{MIXES}"),
    "diagonal": (ROW, lambda m, x: x + x.diagonal(0, 0, 1).sum(), rf"aten.diagonal.default .*{MIXES}"),
    "first agent": (ROW, lambda m, x: write(x, (0, 0)), MIXES),
    "some agents": (ROW, lambda m, x: write(x, slice(1, None)), MIXES),
    "two axes of places": (TABLE, lambda m, x: write(x, ([0], [1])), "aten.index_put.* list of places along one axis"),
    "a mask filled with many": (ROW, lambda m, x: x.index_put((x > 0,), x[0]), "one number only"),
    "inverse": ((3, 3), lambda m, x: torch.linalg.inv(x), r"aten.linalg_inv.* \[B, 3, 3\] .*nor aten.linalg_inv_ex"),
    "special": (ROW, lambda m, x: torch.special.bessel_j0(x), "aten.special_bessel_j0.default .* no such operation"),
    "own numbers": (ROW, lambda m, x: x * torch.arange(x.shape[0]).unsqueeze(1), MIXES),
    "another agent": (ROW, lambda m, x: x[torch.arange(x.shape[0]) - 1], MIXES),
    "own argument": (ROW, lambda m, x: x[:, 0].zero_(), "aten.zero_.* forward's own arguments"),
    "own buffer": (ROW, lambda m, x: x[:, :2] + m.mask[:, 0].zero_(), "aten.zero_.* memory on self"),
}


def write(x: Tensor, where: Any) -> Tensor:
    y = x + 1
    y[where] = 0.0
    return y


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    """By the name that it has in the module, with its shapes and its line."""
    shape, function, expected = REFUSED[name]
    with pytest.raises(ExportError) as caught:
        signature = Signature(Net(function).eval(), torch.randn(B, *shape), outputs=("out",))
        lower(trace(signature), signature)
    text = str(caught.value)
    assert re.search(expected, text) and __file__ in text and "\n" not in text, text
