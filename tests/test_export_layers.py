"""Layers beyond plain networks: convolutions, pools, attention, embeddings, choices; in C, WebAssembly and ONNX."""

from __future__ import annotations

import functools
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from minnow.export import onnx, parity
from minnow.export.backends import run_onnx, run_wasm
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


@functools.cache
def built(name: str) -> Built:
    torch.manual_seed(0)
    shape, (function, layers) = LAYERS[name]
    net = Net(function, layers).eval()
    for module in net.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.running_mean.uniform_(-1, 1)
            module.running_var.uniform_(0.5, 2)
    return build(net, torch.randn(B, *shape), outputs=("out",))


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name):
    """`build` itself holds C against torch; WebAssembly gives the same bits."""
    found = built(name)
    assert parity.difference(run_wasm(found.data, found.reference), found.reference) == found.c


ONNX = ("conv2d", "conv1d", "transposed 2d", "max pool", "mean pool inside", "batch norm")


@pytest.mark.parametrize("name", ONNX)
def test_onnx_agrees(name, tmp_path):
    found = built(name)
    twin = onnx.convert(found.program, found.signature, {"policy_sha256": found.reference.sha256})
    (tmp_path / "p.onnx").write_bytes(twin)
    assert parity.difference(run_onnx(tmp_path / "p.onnx", found.reference), found.reference).passed
