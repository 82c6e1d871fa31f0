"""Layers beyond plain networks: convolutions, pools, attention, embeddings, choices; in C, WebAssembly and ONNX."""

from __future__ import annotations

import functools
from collections.abc import Callable

import pytest
import torch
from sure import sure
from torch import nn
from torch.nn import functional as F

from minnow.export import onnx, parity
from minnow.export.backends import run_onnx, run_wasm, run_wasm_all
from minnow.export.exporter import Built, build

B = 3  # agents in the examples


class Net(nn.Module):
    """Layers, and a function of them and the observation."""

    def __init__(self, function: Callable, layers: dict[str, nn.Module]) -> None:
        super().__init__()
        self.function = function
        self.layers = nn.ModuleDict(layers)

    def forward(self, *args):
        return self.function(*self.layers.values(), *args)


def flat(*layers: nn.Module) -> tuple[Callable, dict[str, nn.Module]]:
    return (lambda net, x: net(x).flatten(1)), {"net": nn.Sequential(*layers)}


def plain(function: Callable) -> tuple[Callable, dict[str, nn.Module]]:
    return function, {}


IMAGE, LINE, BLOCK = (4, 9, 8), (4, 12), (2, 5, 6, 4)
LAYERS: dict[str, tuple[tuple[int, ...], tuple[Callable, dict[str, nn.Module]]]] = {
    "conv1d": (LINE, flat(nn.Conv1d(4, 6, 3, stride=2, padding=1, dilation=2))),
    "conv2d": (IMAGE, flat(nn.Conv2d(4, 7, (3, 2), stride=(2, 1), padding=(0, 1), bias=False))),
    "conv3d": (BLOCK, flat(nn.Conv3d(2, 3, 2, padding=1))),
    "groups": (IMAGE, flat(nn.Conv2d(4, 8, 3, groups=2), nn.ReLU(), nn.Conv2d(8, 8, 3, groups=8))),
    "same": (IMAGE, flat(nn.Conv2d(4, 5, (4, 3), padding="same"))),
    "valid": (LINE, flat(nn.Conv1d(4, 5, 3, padding="valid"))),
    "reflected": (IMAGE, flat(nn.Conv2d(4, 5, 3, padding=2, padding_mode="reflect"))),
    "transposed 1d": (LINE, flat(nn.ConvTranspose1d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2))),
    "transposed 2d": (IMAGE, flat(nn.ConvTranspose2d(4, 3, (3, 2), stride=(1, 3), dilation=(2, 1)))),
    "frames folded in": (
        (3, 4, 9, 8),
        (lambda conv, x: conv(x.flatten(0, 1)).reshape(x.shape[0], -1), {"conv": nn.Conv2d(4, 5, 3, stride=2)}),
    ),
    "max pool": (IMAGE, flat(nn.MaxPool2d(3, 2, 1), nn.MaxPool2d(2, ceil_mode=True))),
    "max pool 1d": (LINE, flat(nn.MaxPool1d(3, 2, dilation=2))),
    "max pool 3d": (BLOCK, flat(nn.MaxPool3d(2))),
    "mean pool": (IMAGE, flat(nn.AvgPool2d(3, 2, 1))),
    "mean pool inside": (IMAGE, flat(nn.AvgPool2d((3, 2), 2, 1, ceil_mode=True, count_include_pad=False))),
    "mean pool 1d": (LINE, flat(nn.AvgPool1d(5, 3, 2, ceil_mode=True))),
    "mean pool 3d": (BLOCK, flat(nn.AvgPool3d(2, 1))),
    "adaptive": (IMAGE, flat(nn.AdaptiveAvgPool2d((3, 4)))),
    "adaptive, uneven": (IMAGE, flat(nn.AdaptiveAvgPool2d((4, 3)))),
    "adaptive to one": (LINE, flat(nn.AdaptiveAvgPool1d(1))),
    "adaptive max": (IMAGE, flat(nn.AdaptiveMaxPool2d((4, 2)))),
    "global pool": (IMAGE, plain(lambda x: x.mean((2, 3)))),
    "batch norm": (IMAGE, flat(nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6), nn.ReLU())),
    "batch norm 1d": (LINE, flat(nn.BatchNorm1d(4))),
    "dropout 2d off": (IMAGE, flat(nn.Dropout2d(0.5), nn.Conv2d(4, 2, 1))),
    "pad": (IMAGE, plain(lambda x: F.pad(x, (1, 2, 0, -1), value=0.5).flatten(1))),
    "pad by copies": (IMAGE, plain(lambda x: F.pad(x, (1, 2, 2, 1), mode="replicate").flatten(1))),
    "pad round": (LINE, plain(lambda x: F.pad(x, (3, 2), mode="circular").flatten(1))),
    "upsample": (IMAGE, flat(nn.Upsample(scale_factor=2), nn.MaxPool2d(3))),
    "upsample to size": (IMAGE, plain(lambda x: F.interpolate(x, (5, 11)).flatten(1))),
    "pixel shuffle": ((8, 3, 4), flat(nn.PixelShuffle(2), nn.PixelUnshuffle(2))),
}

ROW, TABLE = (6,), (5, 8)  # TABLE: entities and their features
LAYERS |= {
    # Choices and comparisons
    "where": (ROW, plain(lambda x: torch.where(x > 0.3, x.exp(), -x))),
    "where of arrays": (ROW, plain(lambda x: torch.where(x >= x.mean(-1, keepdim=True), 1.0, x))),
    "where beside infinity": (ROW, plain(lambda x: torch.where(x > 0, x.log(), 0.0))),
    "fixed mask": (ROW, plain(lambda x: torch.where(torch.arange(6) < 3, x, 1 / torch.zeros(6)).exp().clamp(max=9.0))),
    "logic": (ROW, plain(lambda x: ((x > 0) & (x < 1) | ~(x.abs() <= 2) ^ (x != x)).float())),
    "logical": (
        ROW,
        plain(lambda x: torch.logical_or(x.floor(), x > 9).float() + torch.logical_not(x.round()).float()),
    ),
    "comparisons": (
        ROW,
        plain(lambda x: (x.round() == 0).float() + (x.round() != 1).float() + (x < x.flip(1)).float()),
    ),
    "masked_fill": (ROW, plain(lambda x: x.masked_fill(x < 0, -1e9).softmax(-1))),
    "any and all": (ROW, plain(lambda x: (x > 1).any(-1, keepdim=True).float() + (x > -1).all(1, keepdim=True) + x)),
    "counted": (ROW, plain(lambda x: x / ((x > 0).sum(-1, keepdim=True) + 1))),
    "nan_to_num": (ROW, plain(lambda x: (x / x.round()).nan_to_num().clamp(-5, 5) + torch.isnan(x.log()).float())),
    "argmax": (ROW, plain(lambda x: x.argmax(-1, keepdim=True) + x.view(-1, 2, 3).argmin(1).float().sum(1, True) + x)),
    "max and where": (ROW, plain(lambda x: (lambda best: best.values * best.indices)(x.max(1, keepdim=True)))),
    "gather": (TABLE, plain(lambda x: x.gather(1, x[:, :2].argmax(1, keepdim=True)).squeeze(1))),
    "gather last": (TABLE, plain(lambda x: x.gather(2, x.argmax(2, keepdim=True)).squeeze(2))),
    "best one": (ROW, plain(lambda x: F.one_hot(x.argmax(-1), 6) * x)),
    # Arithmetic
    "rounding": (ROW, plain(lambda x: (3 * x).floor() + x.ceil() + x.round() + (2 * x).trunc() + x.frac() + x.sign())),
    "division": (ROW, plain(lambda x: x // 0.7 + x % 0.7 + torch.div(x, 0.3, rounding_mode="trunc"))),
    "waves": (ROW, plain(lambda x: x.sin() + (5 * x).cos() + (x / 4).tan() + torch.erf(x))),
    "powers": (ROW, plain(lambda x: x**5 - x**7 / 9 + (x.abs() + 1) ** 1.5 + 2**x + (x.abs() + 1) ** -3)),
    "logarithms": (ROW, plain(lambda x: (lambda a: a.log1p() + a.log2() + a.log10() + x.expm1())(x.abs() + 0.1))),
    "logaddexp": (ROW, plain(lambda x: torch.logaddexp(x, 2 * x.flip(1)))),
    "spread": (TABLE, plain(lambda x: x.std(1) + x.var((1, 2), unbiased=False).unsqueeze(1) + x.amin(1) + x.prod(1))),
    "norms": (TABLE, plain(lambda x: x.norm(1, dim=-1) + x.norm(float("inf"), dim=2))),
    "cumsum": (TABLE, plain(lambda x: x.cumsum(1).flatten(1) + x.cumsum(-1).flatten(1))),
    "shrink": (ROW, flat(nn.Hardshrink(0.4), nn.Softshrink(0.2), nn.Threshold(-0.3, 7.0))),
    "slopes": (ROW, flat(nn.RReLU(), nn.CELU(1.7), nn.Softmin(-1))),
    # Norms
    "group norm": (IMAGE, flat(nn.Conv2d(4, 6, 3), nn.GroupNorm(3, 6))),
    "group norm of rows": (ROW, flat(nn.GroupNorm(2, 6))),
    "instance norm": (IMAGE, flat(nn.InstanceNorm2d(4, affine=True))),
    # Products of two values, and attention
    "bmm": (TABLE, plain(lambda x: torch.bmm(x, x.transpose(1, 2)).flatten(1))),
    "matmul by table": (TABLE, plain(lambda x: torch.matmul(torch.linspace(-1, 1, 15).view(3, 5), x).flatten(1))),
    "matmul by rows": (TABLE, plain(lambda x: (x @ torch.linspace(-1, 1, 8)) @ torch.linspace(0, 1, 10).view(5, 2))),
    "matmul of vector": (TABLE, plain(lambda x: torch.linspace(-1, 1, 5) @ x)),
    "baddbmm": (TABLE, plain(lambda x: torch.baddbmm(x[:, :, :5], x, x.mT, beta=0.5, alpha=2).flatten(1))),
    "einsum": (TABLE, plain(lambda x: torch.einsum("bnd,bmd->bmn", x, x.tanh()).flatten(1))),
    "einsum with a table": (
        TABLE,
        plain(lambda x: torch.einsum("bnd,de->bne", x, torch.linspace(-1, 1, 24).view(8, 3)).flatten(1)),
    ),
    "einsum, summed": (TABLE, plain(lambda x: torch.einsum("bnd,bnd->bd", x, x.exp()) + torch.einsum("bnd->bd", x))),
    "einsum, outer": (TABLE, plain(lambda x: torch.einsum("bi,bj->bji", x[:, 0], x[:, 1]).flatten(1))),
    "sdpa": (TABLE, plain(lambda x: F.scaled_dot_product_attention(x, x.tanh(), x).flatten(1))),
    "sdpa, causal": (TABLE, plain(lambda x: F.scaled_dot_product_attention(x, x, x, is_causal=True).flatten(1))),
    "sdpa, masked": (
        TABLE,
        plain(lambda x: F.scaled_dot_product_attention(x, x, x, attn_mask=(x[:, :, 0] > 0.5).unsqueeze(1)).flatten(1)),
    ),
    "sdpa, biased": (
        TABLE,
        plain(
            lambda x: F.scaled_dot_product_attention(
                x, x, x, attn_mask=torch.linspace(-2, 2, 25).view(5, 5), scale=1.0
            ).flatten(1)
        ),
    ),
    "attention": (
        TABLE,
        (
            lambda a, x: a(x, x, x, need_weights=False)[0].flatten(1),
            {"a": nn.MultiheadAttention(8, 2, batch_first=True)},
        ),
    ),
    "attention, weights": (
        TABLE,
        (
            lambda a, x: torch.cat([item.flatten(1) for item in a(x, x, x)], 1),
            {"a": nn.MultiheadAttention(8, 2, batch_first=True)},
        ),
    ),
    "attention, axes turned": (
        TABLE,
        (
            lambda a, x: a(x[:, :2].transpose(0, 1), x.transpose(0, 1), x.transpose(0, 1))[0].sum(0),
            {"a": nn.MultiheadAttention(8, 4)},
        ),
    ),
    "attention, masked": (
        TABLE,
        (
            lambda a, x: a(
                x, x, x, key_padding_mask=torch.cat([x[:, :1, 0] > 9, x[:, 1:, 0] > 0], 1), need_weights=False
            )[0].flatten(1),
            {"a": nn.MultiheadAttention(8, 2, batch_first=True)},
        ),
    ),
    "transformer": (
        TABLE,
        flat(
            nn.TransformerEncoderLayer(8, 2, 16, batch_first=True),
            nn.TransformerEncoderLayer(8, 1, 9, batch_first=True, norm_first=True, activation="gelu"),
        ),
    ),
}


@functools.cache
def built(name: str) -> Built:
    torch.manual_seed(0)
    shape, (function, layers) = LAYERS[name]
    net = Net(function, layers).eval()
    for module in net.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            sure(module.running_mean).uniform_(-1, 1)
            sure(module.running_var).uniform_(0.5, 2)
    return build(net, torch.randn(B, *shape), outputs=("out",))


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name):
    """`build` itself holds C against torch."""
    assert built(name).c.passed


def test_layers_in_wasm():
    """WebAssembly gives the same bits as C."""
    for name, run in zip(
        LAYERS, run_wasm_all([(built(name).data, built(name).reference) for name in LAYERS]), strict=True
    ):
        assert parity.difference(run, built(name).reference) == built(name).c, name


class Entities(nn.Module):
    """Kinds of entities by number, in whole numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.kinds, self.table = nn.Embedding(7, 4), nn.Parameter(torch.randn(5, 3, 2))

    def forward(self, obs):
        kinds = obs.long()
        found = self.kinds(kinds).sum(1) + F.one_hot(kinds[:, 0] % 4, 4)
        return torch.cat([found, self.table[kinds[:, 1] // 2].flatten(1), (kinds[:, 2:] + 1).float()], 1)


@pytest.mark.parametrize("dtype", (torch.int32, torch.uint8, torch.float32), ids=str)
def test_entities_by_number(dtype):
    torch.manual_seed(0)
    net = Net(lambda entities, x: entities(x.clamp(0, 6)), {"entities": Entities()}).eval()
    if dtype != torch.float32:
        net = Net(lambda entities, x: entities(torch.remainder(x.int(), 7)), {"entities": Entities()}).eval()
    found = build(net, torch.randint(0, 7, (B, 4)).to(dtype), outputs=("out",))
    assert parity.difference(run_wasm(found.data, found.reference), found.reference) == found.c


def plain_cell(cell, x, h):
    h = cell(x, h)
    return h, h


def network(layers, x, h):
    y, h = layers(x.unsqueeze(0), h)
    return y[0], h


RECURRENT = {
    "rnn": (network, nn.RNN(6, 5, 2), torch.zeros(2, B, 5), ["rnn", "rnn"]),
    "rnn, relu": (network, nn.RNN(6, 5, nonlinearity="relu", bias=False), torch.zeros(1, B, 5), ["rnn"]),
    "rnn cell": (plain_cell, nn.RNNCell(6, 5), torch.zeros(B, 5), ["rnn"]),
    "rnn cell, relu": (plain_cell, nn.RNNCell(6, 5, nonlinearity="relu"), torch.zeros(B, 5), ["rnn"]),
    "gru": (network, nn.GRU(6, 17, 2), torch.zeros(2, B, 17), ["gru", "gru"]),
    "gru cell": (plain_cell, nn.GRUCell(6, 5, bias=False), torch.zeros(B, 5), ["gru"]),
}


@pytest.mark.parametrize("name", RECURRENT)
def test_cells(name):
    torch.manual_seed(0)
    function, layer, state, kinds = RECURRENT[name]
    found = build(Net(function, {"layer": layer}).eval(), torch.randn(B, 6), example_state=state, outputs=("out",))
    assert parity.difference(run_wasm(found.data, found.reference), found.reference) == found.c
    assert [op.kind for op in found.graph.ops if op.kind in ("gru", "rnn")] == kinds


def window(network, x):
    """The last output, and all of them, of a window of history."""
    y, _ = network(x)
    return torch.cat([y[:, -1], y.flatten(1)], 1)


def ended(network, x):
    """What the state is after the window."""
    after = network(x.transpose(0, 1))[1]
    return torch.cat([item.transpose(0, 1).flatten(1) for item in (after if isinstance(after, tuple) else [after])], 1)


WINDOWS = {
    "lstm": (window, nn.LSTM(4, 5, 2, batch_first=True)),
    "lstm, projected": (window, nn.LSTM(4, 5, 2, proj_size=3, batch_first=True)),
    "lstm, both ways": (ended, nn.LSTM(4, 5, proj_size=2, bidirectional=True, bias=False)),
    "gru": (ended, nn.GRU(4, 5, 2)),
    "gru, both ways": (window, nn.GRU(4, 5, 2, bidirectional=True, batch_first=True, bias=False)),
    "rnn, both ways": (window, nn.RNN(4, 5, bidirectional=True, batch_first=True, nonlinearity="relu")),
}


@pytest.mark.parametrize("function, network", WINDOWS.values(), ids=WINDOWS)
def test_windows_of_history(function, network):
    """Unrolled: a cell for each step of each layer, the weights stored once."""
    torch.manual_seed(0)
    found = build(Net(function, {"network": network}).eval(), torch.randn(B, 4, 4), outputs=("out",))
    stored = sum(item.numel() for item in network.parameters())
    assert found.c.passed and stored <= sum(item.size for item in found.graph.tensors) <= stored + 100


def test_a_projection_and_its_state():
    def carried(network, x, state):
        y, state = network(x.unsqueeze(0), state)
        return y[0], state

    state = torch.zeros(1, B, 2), torch.zeros(1, B, 5)
    net = Net(carried, {"network": nn.LSTM(6, 5, proj_size=2)}).eval()
    found = build(net, torch.randn(B, 6), example_state=state, outputs=("out",))
    assert [found.graph.values[item.before].shape for item in found.graph.states] == [(1, 2), (1, 5)]
    assert parity.difference(run_wasm(found.data, found.reference), found.reference) == found.c


ONNX = ("conv2d", "conv1d", "transposed 2d", "max pool", "mean pool inside", "batch norm", "where", "argmax")
ONNX += ("group norm", "baddbmm", "attention", "einsum", "gather")


@pytest.mark.parametrize("name", ONNX)
def test_onnx_agrees(name, tmp_path):
    found = built(name)
    twin = onnx.convert(found.program, found.signature, {"policy_sha256": found.reference.sha256})
    (tmp_path / "p.onnx").write_bytes(twin)
    assert parity.difference(run_onnx(tmp_path / "p.onnx", found.reference), found.reference).passed
