"""LSTM, GRU and RNN over a window of steps, usually one. Without an initial state they begin with zeros."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from minnow.export.errors import ExportError
from minnow.export.importers.onnx.nodes import At, node
from minnow.export.importers.onnx.values import Item, Known, tensor

USUAL = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}
ORDER = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}  # ONNX's gates as torch has them: ifgo, rzn


class Layer:
    """One recurrent layer in one direction: torch's weights from ONNX's."""

    def __init__(self, kind: str, items: tuple[Any, ...], way: int) -> None:
        self.kind, order = kind, ORDER[kind]
        b: Any = items[3] if len(items) > 3 else None
        self.w, self.r = (_gates(tensor(item)[way], order) for item in items[1:3])
        size = self.w.shape[0]
        halves = torch.zeros(2 * size).chunk(2) if b is None else tensor(b)[way].chunk(2)
        self.bias = [_gates(half, order) for half in halves]
        self.hidden = self.r.shape[1]

    def run(self, at: At, x: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """x [T, B, inputs], state [1, B, hidden] each -> what is given at each step, and the state after them."""
        params = [self.w, self.r, *self.bias]
        settings = (params, True, 1, 0.0, False, False, False)
        if self.kind == "LSTM":
            y, *after = torch._VF.lstm(x, tuple(state), *settings)
        elif self.kind == "RNN":
            y, *after = torch._VF.rnn_tanh(x, state[0], *settings)
        elif at.get("linear_before_reset", 0):
            y, *after = torch._VF.gru(x, state[0], *settings)
        else:
            return self._reset_first(x, state)
        return y, after

    def _reset_first(self, x: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """A GRU whose candidate sees the state after the reset gate, as its paper has it and torch does not."""
        h, found = state[0].squeeze(0), []
        n = self.hidden
        for step in x.unbind(0):
            ours = torch.nn.functional.linear(step, self.w, self.bias[0])
            gates = torch.nn.functional.linear(h, self.r[: 2 * n], self.bias[1][: 2 * n]) + ours.narrow(1, 0, 2 * n)
            reset, update = torch.sigmoid(gates).chunk(2, 1)
            own = torch.nn.functional.linear(reset * h, self.r[2 * n :], self.bias[1][2 * n :])
            h = (1 - update) * torch.tanh(ours.narrow(1, 2 * n, n) + own) + update * h
            found.append(h)
        return torch.stack(found), [h.unsqueeze(0)]


def _gates(array: Tensor, order: tuple[int, ...]) -> Tensor:
    """Rows of the gates, one block each, in another order."""
    return torch.cat([array.chunk(len(order))[i] for i in order])


def _refuse(kind: str, at: At, items: tuple[Any, ...], steps: int) -> None:
    """Raises ExportError for what is more than a plain layer."""
    usual = [name.lower() for name in USUAL[kind]]
    given = [item.decode().lower() for item in at.get("activations", [])]
    if given not in ([], usual, usual * 2) or at.get("clip") is not None or at.get("input_forget", 0):
        raise ExportError(
            f"activations other than {' and '.join(USUAL[kind])}, clip and input_forget are not supported"
        )
    lengths, peephole = items[4] if len(items) > 4 else None, items[7] if len(items) > 7 else None
    if lengths is not None and not (isinstance(lengths, Known) and (lengths.array == steps).all()):
        raise ExportError("sequences of several lengths are not supported: leave sequence_lens out")
    if peephole is not None:
        raise ExportError("peepholes are not supported")


def _recurrent(kind: str, at: At, items: tuple[Any, ...]) -> tuple[Tensor, ...]:
    x = tensor(items[0])
    batch_first = bool(at.get("layout", 0))
    x = x.transpose(0, 1) if batch_first else x
    _refuse(kind, at, items, x.shape[0])
    ways = 2 if at.get("direction", "forward") == "bidirectional" else 1
    given = items[5 : 7 if kind == "LSTM" else 6]
    starts = [*given, *[None] * ((2 if kind == "LSTM" else 1) - len(given))]
    found, ends = [], []
    for way in range(ways):
        layer = Layer(kind, items, way)
        backward = at.get("direction", "forward") == "reverse" or way == 1
        state = []
        for item in starts:
            if item is None:
                state.append(x.new_zeros(1, x.shape[1], layer.hidden))
                continue
            own = tensor(item).transpose(0, 1) if batch_first else tensor(item)
            own = own.narrow(0, way, 1) if ways > 1 else own
            state.append(own if isinstance(item, Tensor) else own.expand(1, x.shape[1], layer.hidden))
        y, after = layer.run(at, x.flip(0) if backward and x.shape[0] > 1 else x, state)
        found.append((y.flip(0) if backward and x.shape[0] > 1 else y).unsqueeze(1))
        ends.append(after)
    y = found[0] if ways == 1 else torch.cat(found, 1)
    after = list(ends[0]) if ways == 1 else [torch.cat(pair, 0) for pair in zip(*ends, strict=True)]
    if batch_first:
        y, after = y.permute(2, 0, 1, 3), [item.transpose(0, 1) for item in after]
    return y, *after


@node("LSTM")
def lstm(at: At, *items: Item | None) -> tuple[Tensor, ...]:
    return _recurrent("LSTM", at, items)


@node("GRU")
def gru(at: At, *items: Item | None) -> tuple[Tensor, ...]:
    return _recurrent("GRU", at, items)


@node("RNN")
def rnn(at: At, *items: Item | None) -> tuple[Tensor, ...]:
    return _recurrent("RNN", at, items)
