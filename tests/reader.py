"""A reader and interpreter of policy files, written from docs/format.md alone: NumPy and the standard library only.

It is a witness: it shares no line with minnow.h and export/. Everything is computed in float64 and rounded to float32
after each operation. Slow, and meant to be read beside the document.
"""

from __future__ import annotations

import itertools
import json
import math
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray
TAGS = ["STRS", "VALS", "INPS", "STAT", "OUTS", "OPER", "ARGS", "TENS", "ACTN", "META", "GOLD", "DATA"]
RECORDS = (1, 32, 8, 24, 12, 16, 4, 48, 4, 1, 4, 1)
DTYPES = ("<f4", "<f2", "i1", "u1", "<i4")


@dataclass
class Operation:
    code: int
    inputs: list[int]
    outputs: list[int]
    tensors: list[Any]  # arrays; None: this one is absent
    integers: list[int]  # the attributes, read as i32
    floats: list[float]  # the same, read as f32


class Reader:
    """A policy file's content; `step` runs it."""

    def __init__(self, data: bytes) -> None:
        self.sections = sections(data)
        strs = self.sections["STRS"]

        def name(at: int) -> str:
            return strs[at : strs.index(b"\0", at)].decode()

        self.values = []  # (name, dtype, shape per agent)
        for at, dtype, rank, zero, *sizes in struct.iter_unpack("<IBBH6I", self.sections["VALS"]):
            assert zero == 0 and not any(sizes[rank:]) and all(sizes[:rank])
            self.values.append((name(at), np.dtype(DTYPES[dtype]), tuple(sizes[:rank])))
        self.inputs = [(name(at), value) for at, value in struct.iter_unpack("<II", self.sections["INPS"])]
        self.outputs = [
            (name(at), value, role) for at, value, role in struct.iter_unpack("<III", self.sections["OUTS"])
        ]
        self.tensors = []
        for _, dtype, rank, _, *rest in struct.iter_unpack("<IBBH6IQQ", self.sections["TENS"]):
            shape, at, scales = tuple(rest[:rank]), rest[6], rest[7]
            array = np.frombuffer(data, DTYPES[dtype], math.prod(shape), at).reshape(shape).astype(np.float64)
            if scales:
                factors = np.frombuffer(data, "<f4", shape[0], scales).astype(np.float64)
                array = array * factors.reshape(-1, *[1] * (rank - 1))
            self.tensors.append(array)
        self.states = []  # (name, before, after, start)
        for at, before, after, tensor, _, zero in struct.iter_unpack("<IIIiII", self.sections["STAT"]):
            assert zero == 0
            start = np.zeros(self.values[before][2]) if tensor < 0 else self.tensors[tensor]
            self.states.append((name(at), before, after, start))
        self.operations = []
        for code, zero, *counts, first in struct.iter_unpack("<6HI", self.sections["OPER"]):
            assert zero == 0
            inputs, outputs, tensors, attributes = counts
            words = self.sections["ARGS"][4 * first : 4 * (first + sum(counts))]
            numbers = list(struct.unpack(f"<{sum(counts)}i", words))
            bits = words[4 * (inputs + outputs + tensors) :]
            self.operations.append(
                Operation(
                    code,
                    numbers[:inputs],
                    numbers[inputs : inputs + outputs],
                    [None if i < 0 else self.tensors[i] for i in numbers[inputs + outputs :][:tensors]],
                    numbers[len(numbers) - attributes :] if attributes else [],
                    list(struct.unpack(f"<{attributes}f", bits)),
                )
            )
        self.meta = json.loads(self.sections["META"].decode())
        self.action = self._action()

    def _action(self) -> dict:
        data = self.sections["ACTN"]
        kind, heads, mean, log_std, squash, zero = struct.unpack_from("<IIiiII", data)
        assert zero == 0 and len(data) == 24 + 12 * heads
        rows = list(struct.iter_unpack("<Iff", data[24:]))
        return {"kind": kind, "heads": rows, "output": mean, "log_std": log_std, "squash": squash}

    def start(self, agents: int) -> list[Array]:
        """The states that an episode begins with."""
        return [np.repeat(start[None], agents, 0) for *_, start in self.states]

    def step(self, inputs: list[Array], states: list[Array]) -> tuple[list[Array], list[Array]]:
        """Outputs and states after a step; all arrays are [agents, ...]."""
        agents = len(inputs[0])
        known: dict[int, Array] = {}
        for (_, value), array in zip(self.inputs, inputs, strict=True):
            known[value] = array
        for (_, before, _, _), array in zip(self.states, states, strict=True):
            known[before] = array.astype(np.float64)
        for item in self.operations:
            given = [known[i].astype(np.float64) for i in item.inputs]
            shapes = [self.values[i][2] for i in item.outputs]
            with np.errstate(all="ignore"):
                found = OPERATIONS[item.code](item, given, shapes)
                for i, array in zip(item.outputs, found if isinstance(found, tuple) else (found,), strict=True):
                    exact = np.asarray(array, np.float64)
                    whole = self.values[i][1] == np.int32  # float64 holds all of them
                    rounded = exact if whole else exact.astype(np.float32).astype(np.float64)
                    known[i] = np.broadcast_to(rounded, (agents, *self.values[i][2]))
        return [known[value] for _, value, _ in self.outputs], [known[after] for _, _, after, _ in self.states]

    def act(self, outputs: list[Array]) -> Array | None:
        """The action that is not sampled."""
        action = self.action
        if action["kind"] == 0:
            return None
        x = outputs[action["output"]].reshape(len(outputs[0]), -1)
        if action["kind"] == 3:
            low, high = (np.array([row[i] for row in action["heads"]]) for i in (1, 2))
            return x.clip(low, high) if action["squash"] == 1 else low + (np.tanh(x) + 1) / 2 * (high - low)
        ends = np.cumsum([row[0] for row in action["heads"]])
        return np.stack([part.argmax(-1) for part in np.split(x, ends[:-1], -1)], -1)

    def golden(self) -> tuple[list[list[Array]], list[list[Array]], list[list[Array]], Array]:
        """Inputs, outputs and states of each step, and [steps, agents]: who starts anew before it."""
        data = self.sections["GOLD"]
        steps, agents = struct.unpack_from("<II", data)
        at = 8
        groups = (
            [value for _, value in self.inputs],
            [value for _, value, _ in self.outputs],
            [after for *_, after, _ in self.states],
        )
        found: tuple[list, list, list] = ([], [], [])
        for _ in range(steps):
            for group, arrays in zip(groups, found, strict=True):
                arrays.append([])
                for value in group:
                    _, dtype, shape = self.values[value]
                    count = agents * math.prod(shape)
                    arrays[-1].append(np.frombuffer(data, dtype, count, at).reshape(agents, *shape))
                    at += -(-count * dtype.itemsize // 4) * 4
        reset = np.zeros((steps, agents), np.uint8)
        if at < len(data):
            reset = np.frombuffer(data, np.uint8, steps * agents, at).reshape(steps, agents)
            at += -(-steps * agents // 4) * 4
        assert at == len(data)
        return *found, reset

    def selftest(self) -> float:
        """The largest difference that the golden vectors show."""
        inputs, outputs, states, reset = self.golden()
        worst, now = 0.0, self.start(reset.shape[1])
        for step in range(len(inputs)):
            for state, start in zip(now, self.start(reset.shape[1]), strict=True):
                state[reset[step] == 1] = start[reset[step] == 1]
            out, now = self.step(inputs[step], now)
            now = [array.copy() for array in now]
            for found, expected in zip(out + now, outputs[step] + states[step], strict=True):
                worst = max(worst, np.abs(found - expected).max() / max(1.0, np.abs(expected).max()))
        return worst


def sections(data: bytes) -> dict[str, bytes]:
    """The sections by their tags. A file that is not as the document says fails an assertion."""
    magic, version, check, size, count, zero = struct.unpack_from("<8sIIQII", data)
    assert magic == bytes.fromhex("89 4D 4E 57 0D 0A 1A 0A") and version == 1 and size == len(data)
    assert count == len(TAGS) and zero == 0
    assert check == zlib.crc32(data[:12] + bytes(4) + data[16:])
    found, end = {}, 32 + 24 * count
    for i, (tag, record) in enumerate(zip(TAGS, RECORDS, strict=True)):
        said, records, at, size = struct.unpack_from("<4sIQQ", data, 32 + 24 * i)
        step = 64 if tag == "DATA" else 8
        assert said.decode() == tag and size == records * record and at == -(-end // step) * step
        assert not any(data[end:at])
        found[tag] = data[at : at + size]
        end = at + size
    assert end == len(data)
    return found


# ---- Operations: (operation, inputs [agents, ...], shapes of the outputs per agent) -> output or outputs.


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def softplus(x: Array, beta: float = 1.0, threshold: float = 20.0) -> Array:
    return np.where(x * beta > threshold, x, np.log1p(np.exp(np.minimum(x * beta, threshold))) / beta)


def erf(x: Array) -> Array:
    return np.vectorize(math.erf, otypes=[float])(x)


def affine(x: Array, weight: Array, bias: Array | None) -> Array:
    return x @ weight.T + (0 if bias is None else bias)


def broadcast(function: Callable[[Array, Array], Array]) -> Callable:
    """NumPy's broadcasting of the shapes per agent: missing axes are put in behind the agents."""

    def run(item: Operation, given: list[Array], shapes: list) -> Array:
        rank = max(array.ndim for array in given)
        wide = [array.reshape(len(array), *[1] * (rank - array.ndim), *array.shape[1:]) for array in given]
        return function(*wide)

    return run


def unary(function: Callable[..., Array]) -> Callable:
    return lambda item, given, shapes: function(given[0], *item.floats)


def reduction(function: Callable) -> Callable:
    return lambda item, given, shapes: function(given[0], axis=tuple(axis + 1 for axis in item.integers))


def lstm(item: Operation, given: list[Array], shapes: list) -> tuple[Array, Array]:
    x, h, c = given
    w_ih, w_hh, b_ih, b_hh = item.tensors
    i, f, g, o = np.split(affine(x, w_ih, b_ih) + affine(h, w_hh, b_hh), 4, -1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def mingru(item: Operation, given: list[Array], shapes: list) -> Array:
    x, h = given
    hidden, gate = np.split(affine(x, *item.tensors), 2, -1)
    return h + sigmoid(gate) * (np.where(hidden >= 0, hidden + 0.5, sigmoid(hidden)) - h)


def gru(item: Operation, given: list[Array], shapes: list) -> Array:
    x, h = given
    w_ih, w_hh, b_ih, b_hh = item.tensors
    of_x, of_h = np.split(affine(x, w_ih, b_ih), 3, -1), np.split(affine(h, w_hh, b_hh), 3, -1)
    r, z = sigmoid(of_x[0] + of_h[0]), sigmoid(of_x[1] + of_h[1])
    n = np.tanh(of_x[2] + r * of_h[2])
    return n + z * (h - n)


def rnn(item: Operation, given: list[Array], shapes: list) -> Array:
    w_ih, w_hh, b_ih, b_hh = item.tensors
    total = affine(given[0], w_ih, b_ih) + affine(given[1], w_hh, b_hh)
    return np.maximum(total, 0) if item.integers[0] == 1 else np.tanh(total)


def windows(size: int, out: int, width: int, stride: int, padding: int, dilation: int) -> list[list[int]]:
    """For each place of the result the places in x; some are outside."""
    return [[i * stride - padding + k * dilation for k in range(width)] for i in range(out)]


def conv(item: Operation, given: list[Array], shapes: list) -> Array:
    x, (weight, bias), (out,) = given[0], item.tensors, shapes
    axes = x.ndim - 2
    groups, (stride, padding, dilation) = item.integers[0], np.reshape(item.integers[1:], (3, axes))
    padded = np.pad(x, [(0, 0), (0, 0), *((int(p), int(p)) for p in padding)])
    result = np.zeros((len(x), *out))
    share_in, share_out = weight.shape[1], weight.shape[0] // groups
    for place in itertools.product(*map(range, weight.shape[2:])):
        part = (slice(None), slice(None))
        for i, k in enumerate(place):
            start = k * int(dilation[i])
            part += (slice(start, start + (out[1 + i] - 1) * int(stride[i]) + 1, int(stride[i])),)
        seen = padded[part]
        for group in range(groups):
            o = slice(group * share_out, (group + 1) * share_out)
            matrix = weight[(o, slice(None), *place)]
            result[:, o] += np.einsum("oc,nc...->no...", matrix, seen[:, group * share_in : (group + 1) * share_in])
    return result if bias is None else result + bias.reshape(-1, *[1] * axes)


def pool(item: Operation, given: list[Array], shapes: list) -> Array:
    x, (out,) = given[0], shapes
    axes = x.ndim - 2
    mode, (width, stride, padding, dilation) = item.integers[0], np.reshape(item.integers[1:], (4, axes))
    places = [
        windows(x.shape[2 + i], out[1 + i], *(int(n[i]) for n in (width, stride, padding, dilation)))
        for i in range(axes)
    ]
    result = np.zeros((len(x), *out))
    for at in itertools.product(*map(range, out[1:])):
        rows = [places[i][k] for i, k in enumerate(at)]
        inside = [[k for k in row if 0 <= k < x.shape[2 + i]] for i, row in enumerate(rows)]
        reach = [sum(k < x.shape[2 + i] + int(padding[i]) for k in row) for i, row in enumerate(rows)]
        seen = x[(slice(None), slice(None), *np.ix_(*inside))].reshape(*x.shape[:2], -1)
        count = seen.shape[-1]
        if mode == 0:
            found = seen.max(-1) if count else np.full(x.shape[:2], -np.inf)
        else:
            found = seen.sum(-1) / max(1, math.prod(reach) if mode == 1 else count)
        result[(slice(None), slice(None), *at)] = found
    return result


def matmul(item: Operation, given: list[Array], shapes: list) -> Array:
    turned = item.integers[0] == 1

    def multiply(a: Array, b: Array) -> Array:
        return a @ (np.swapaxes(b, -1, -2) if turned else b)

    return broadcast(multiply)(item, given, shapes)


def row(x: Array, rows: int) -> Array:
    """Indices into a table of so many rows."""
    return np.trunc(np.nan_to_num(x, nan=0.0, posinf=1e9, neginf=-1e9)).clip(0, rows - 1).astype(int)


def embedding(item: Operation, given: list[Array], shapes: list) -> Array:
    (weight,) = item.tensors
    return weight[row(given[0], len(weight))]


def gather(item: Operation, given: list[Array], shapes: list) -> Array:
    x, index = given
    axis = item.integers[0] + 1
    return np.take_along_axis(x, row(index, x.shape[axis]), axis)


def scatter(item: Operation, given: list[Array], shapes: list) -> Array:
    x, index, values = given
    axis, added = item.integers
    found = np.array(x)
    for place in np.ndindex(index.shape):
        to = (*place[: axis + 1], row(index[place], x.shape[axis + 1]), *place[axis + 2 :])
        found[to] = np.float32(found[to] + values[place]) if added else values[place]
    return found


def sort(item: Operation, given: list[Array], shapes: list) -> tuple[Array, Array]:
    axis, falling = item.integers[0] + 1, item.integers[1]
    lines = np.moveaxis(given[0], axis, -1)
    places = np.empty_like(lines, dtype=int)
    for at in np.ndindex(lines.shape[:-1]):
        line = lines[at]
        key = [(math.isnan(v), 0.0 if math.isnan(v) else v) for v in line]
        places[at] = (
            sorted(range(len(line)), key=key.__getitem__)
            if not falling
            else sorted(range(len(line)), key=lambda i, key=key: (not key[i][0], -key[i][1]))
        )
    places = np.moveaxis(places, -1, axis).take(range(shapes[0][axis - 1]), axis)
    return np.take_along_axis(given[0], places, axis), places


def whole(item: Operation, given: list[Array], shapes: list) -> Array:
    return np.trunc(np.nan_to_num(given[0], nan=0.0)).clip(-(2**31), 2**31 - 1)


def integer(item: Operation, given: list[Array], shapes: list) -> Array:
    way, wide = item.integers

    def one(a: float, b: float) -> int:
        u, v = int(a), int(b)
        if 3 <= way <= 6 and v == 0:
            return 0
        toward = (abs(u) // abs(v)) * (1 if (u < 0) == (v < 0) else -1) if v else 0
        found = (
            *(u + v, u - v, u * v, u // v if v else 0, u % v if v else 0, toward, u - v * toward),
            *(min(u, v), max(u, v), u == v, u < v, u <= v, u & v, u | v, u ^ v),
        )[way]
        return min(max(found, -(2**31)), 2**31 - 1) if wide else (found + 2**31) % 2**32 - 2**31

    return broadcast(np.vectorize(one, otypes=[float]))(item, given, shapes)


def remainder(a: Array, b: Array) -> Array:
    rest = np.fmod(a, b)
    return np.where((rest != 0) & ((rest < 0) != (b < 0)), rest + b, rest)


def floor_divide(a: Array, b: Array) -> Array:
    a, b = a.astype(np.float32), b.astype(np.float32)
    rest = np.fmod(a, b)
    q = (a - rest) / b - ((rest != 0) & ((rest < 0) != (b < 0))).astype(np.float32)
    below = np.floor(q)
    found = np.where(q == 0, np.copysign(np.float32(0), a / b), below + (q - below > 0.5))
    return np.where(b == 0, a / b, found)


def log_softmax(item: Operation, given: list[Array], shapes: list) -> Array:
    x = given[0] - given[0].max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def layer_norm(item: Operation, given: list[Array], shapes: list) -> Array:
    x, (weight, bias) = given[0], item.tensors
    x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + item.floats[0])
    return x * (1 if weight is None else weight) + (0 if bias is None else bias)


def rms_norm(item: Operation, given: list[Array], shapes: list) -> Array:
    x, (weight,) = given[0], item.tensors
    return x / np.sqrt(np.square(x).mean(-1, keepdims=True) + item.floats[0]) * (1 if weight is None else weight)


def part(item: Operation, given: list[Array], shapes: list) -> Array:
    axis, start, step = item.integers
    count = shapes[0][axis]
    return given[0].take(range(start, start + count * step, step), axis + 1)


SELU_ALPHA, SELU_SCALE = 1.6732632423543772848, 1.0507009873554804934
ACTIVATIONS = (
    lambda x: np.maximum(x, 0),
    lambda x, alpha: np.where(x >= 0, x, alpha * x),
    lambda x, alpha: np.where(x >= 0, x, alpha * np.expm1(x)),
    lambda x: SELU_SCALE * np.where(x >= 0, x, SELU_ALPHA * np.expm1(x)),
    lambda x: x / 2 * (1 + erf(x / math.sqrt(2))),
    lambda x: x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    lambda x: x * sigmoid(x),
    lambda x: x * np.tanh(softplus(x)),
    softplus,
    lambda x: x / (1 + np.abs(x)),
    np.tanh,
    sigmoid,
    lambda x: (x + 3).clip(0, 6) / 6,
    lambda x: x * (x + 3).clip(0, 6) / 6,
    lambda x, low, high: x.clip(low, high),
)
ELEMENTWISE = (
    np.abs,
    np.negative,
    np.exp,
    np.log,
    np.sqrt,
    lambda x: 1 / np.sqrt(x),
    lambda x: 1 / x,
    np.square,
    np.sin,
    np.cos,
    np.floor,
    np.rint,
    np.sign,
    erf,
    np.log2,
    np.log10,
    np.log1p,
    np.exp2,
    np.expm1,
)
BINARY = (
    np.add,
    np.subtract,
    np.multiply,
    np.divide,
    np.minimum,
    np.maximum,
    np.equal,
    np.less,
    np.less_equal,
    lambda a, b: np.where(b != 0, a, 0),
)
OPERATIONS: dict[int, Callable] = {
    1: lambda item, given, shapes: item.tensors[0][None],
    2: lambda item, given, shapes: given[0],
    3: whole,
    16: lambda item, given, shapes: affine(given[0], *item.tensors),
    17: conv,
    18: matmul,
    19: embedding,
    32: lstm,
    33: mingru,
    34: gru,
    35: rnn,
    48: pool,
    **{64 + i: unary(function) for i, function in enumerate(ACTIVATIONS)},
    **{96 + i: unary(function) for i, function in enumerate(ELEMENTWISE)},
    **{128 + i: broadcast(function) for i, function in enumerate(BINARY)},
    **{139 + i: broadcast(function) for i, function in enumerate((np.fmod, remainder, floor_divide, np.arctan2))},
    143: integer,
    138: lambda item, given, shapes: (1 - given[2]) * given[0] + given[2] * given[1],
    144: lambda item, given, shapes: np.exp(log_softmax(item, given, shapes)),
    145: log_softmax,
    **{146 + i: reduction(function) for i, function in enumerate((np.sum, np.mean, np.max, np.min, np.prod))},
    160: layer_norm,
    161: rms_norm,
    176: lambda item, given, shapes: np.concatenate(given, item.integers[0] + 1),
    177: part,
    178: lambda item, given, shapes: given[0].reshape(len(given[0]), *shapes[0]),
    179: lambda item, given, shapes: given[0].transpose(0, *(axis + 1 for axis in item.integers)),
    180: gather,
    181: scatter,
    182: sort,
}
