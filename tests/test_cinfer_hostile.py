"""Files that attack the loader: each fault is refused with its own number, and nothing outside is read or written."""

from __future__ import annotations

import re
import struct
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from sure import sure

from minnow.cinfer import MinnowError, load, messages
from minnow.export import format
from minnow.export.action import Action, Box, MultiDiscrete
from minnow.export.graph import Graph, Input, Op, Output, State, Value

ROOT = Path(__file__).resolve().parent.parent


@cache
def good(action: Action | None = MultiDiscrete([2, 3])) -> bytes:  # noqa: B008
    """A small policy with every sort of record in it."""
    rng = np.random.default_rng(1)
    shapes = [(2, 3), (4,), (4,), (2, 3), (6,), (4,), (4,), (2,), (6,), (5,), (3, 2)]
    graph = Graph(values=[Value(shape, name=f"v{i}") for i, shape in enumerate(shapes)])
    graph.values[0].dtype = "u8"
    graph.inputs, graph.states = [Input("image", 0)], [State("h", 1, 5, 3), State("c", 2, 6)]
    drawn = [(16, 6), (16, 4), (16,), (4,), (5, 4), (5,), (4, 2, 2), (12, 5), (12, 4), (12,), (4, 4), (4, 5), (1,)]
    graph.tensors = [rng.normal(0, 0.5, shape).astype(np.float32) for shape in drawn]
    graph.tensor_names = [f"t{i}" for i in range(len(drawn))]
    graph.ops = [
        Op("cast", [0], [3]),
        Op("reshape", [3], [4]),
        Op("lstm", [4, 1, 2], [5, 6], [0, 1, 2, -1]),
        Op("slice", [5], [7], [], {"axis": 0, "start": 1, "step": 2}),
        Op("concat", [5, 7], [8], [], {"axis": 0}),
        Op("linear", [5], [9], [4, 5]),
        Op("permute", [3], [10], [], {"axes": [1, 0]}),
    ]
    graph.values += [Value((6,)), Value((2,)), Value((1,)), Value((2,)), Value((5,))]
    graph.ops += [
        Op("clamp", [8], [11], [], {"low": -1.0, "high": 1.0}),
        Op("sum", [3], [12], [], {"axes": [1]}),
        Op("constant", [], [13], [12]),
        Op("mul", [12, 13], [14]),
        Op("softplus", [9], [15], [], {"beta": 1.0, "threshold": 20.0}),
    ]
    graph.values += [Value(shape) for shape in ((4, 2), (2, 2), (2, 2), (2, 3, 4), (4,), (4,))]
    graph.ops += [
        Op("conv", [3], [16], [6, -1], {"groups": 1, "window": [2, 1, 1]}),
        Op("pool", [3], [17], [], {"mode": 1, "window": [2, 2, 1, 1]}),
        Op("matmul", [3, 3], [18], [], {"turned": 1}),
        Op("embedding", [3], [19], [4]),
        Op("gru", [9, 5], [20], [7, 8, -1, 9]),
        Op("rnn", [9, 5], [21], [11, 10, -1, -1], {"relu": 1}),
    ]
    graph.values += [Value((2, 3), "i32"), Value((2, 3), "i32"), Value((2, 3)), Value((2, 3), "i32"), Value((2, 3))]
    graph.values += [Value((2, 2)), Value((2, 2)), Value((2, 3))]
    graph.ops += [
        Op("whole", [3], [22]),
        Op("integer", [22, 22], [23], [], {"way": 2, "wide": 1}),
        Op("cast", [23], [24]),
        Op("gather", [23, 3], [25], [], {"axis": 1}),
        Op("scatter", [3, 3, 24], [26], [], {"axis": 0, "added": 1}),
        Op("sort", [3], [27, 28], [], {"axis": 1, "falling": 1}),
        Op("fmod", [3, 24], [29]),
    ]
    mean = isinstance(action, Box)
    graph.outputs = [Output("logits", 9, "mean" if mean else "logits"), Output("other", 11), Output("turned", 10)]
    graph.outputs += [Output("last", 14), Output("spread", 15, "log_std" if mean else "other")]
    golden = format.Golden(
        [np.ones((2, 1, 2, 3), np.uint8)],
        [np.zeros((2, 1, *graph.values[output.value].shape), np.float32) for output in graph.outputs],
        [np.zeros((2, 1, 4), np.float32)] * 2,
    )
    dtypes = ["int8", "f16", *["f32"] * (len(drawn) - 2)]
    return format.write(graph, None, action=action, golden=golden, dtypes=dtypes, meta={"é": 1})


class Edit:
    """A file being changed; the sections by name."""

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)
        tags = list(format.SECTIONS)
        self.entry = {tag: 32 + 24 * i for i, tag in enumerate(tags)}
        self.at = {tag: struct.unpack_from("<Q", data, self.entry[tag] + 8)[0] for tag in tags}

    def u16(self, at: int, value: int) -> None:
        struct.pack_into("<H", self.data, at, value)

    def u32(self, at: int, value: int) -> None:
        struct.pack_into("<I", self.data, at, value & 0xFFFFFFFF)

    def u64(self, at: int, value: int) -> None:
        struct.pack_into("<Q", self.data, at, value & 2**64 - 1)

    def get(self, at: int) -> int:
        return struct.unpack_from("<I", self.data, at)[0]

    def op(self, index: int) -> int:
        return self.at["OPER"] + 16 * index

    def arg(self, index: int, argument: int) -> int:
        """Where an operation's argument is."""
        return self.at["ARGS"] + 4 * (self.get(self.op(index) + 12) + argument)

    def value(self, index: int) -> int:
        return self.at["VALS"] + 32 * index

    def tensor(self, index: int) -> int:
        return self.at["TENS"] + 48 * index


def text(edit: Edit, old: bytes, new: bytes) -> None:
    at = edit.data.index(old)
    edit.data[at : at + len(old)] = new


BOX = Box([-1, -1, -1, -1, -1], [1, 1, 1, 1, 1], "tanh")
LSTM, SLICE, CONCAT, LINEAR, PERMUTE, CLAMP, SUM, CONSTANT, MUL, SOFTPLUS = 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
CONV, POOL, MATMUL, EMBEDDING, GRU, RNN, WHOLE, INTEGER, _, GATHER, SCATTER, SORT = range(12, 24)

# The error, and what is done to the file.
FAULTS: list[tuple[str, Callable[[Edit], object]]] = [
    ("MAGIC", lambda e: text(e, b"\r\n", b"\n\n")),  # as a transfer in text mode does it
    ("VERSION", lambda e: e.u32(8, 2)),
    ("TRUNCATED", lambda e: e.u64(16, 2**63)),
    ("TRAILING", lambda e: e.data.extend(bytes(64))),
    ("TRAILING", lambda e: e.u64(16, 1)),
    ("DIRECTORY", lambda e: e.u32(24, 13)),
    ("DIRECTORY", lambda e: text(e, b"INPS", b"OUTS")),
    ("PADDING", lambda e: e.u32(28, 1)),
    ("OVERLAP", lambda e: e.u64(e.entry["INPS"] + 8, e.at["VALS"])),
    ("OUTSIDE", lambda e: e.u64(e.entry["INPS"] + 8, 2**64 - 8)),
    ("OUTSIDE", lambda e: e.u64(e.entry["INPS"] + 16, 2**64 - 8)),
    ("OUTSIDE", lambda e: e.u64(e.entry["DATA"] + 8, 2**40)),
    ("RECORDS", lambda e: e.u32(e.entry["VALS"] + 4, 0x80000001)),
    ("RECORDS", lambda e: e.u64(e.entry["STAT"] + 16, 24)),
    ("PADDING", lambda e: e.data.__setitem__(e.at["DATA"] - 1, 1)),
    ("TEXT", lambda e: e.data.__setitem__(e.at["STRS"], 65)),
    ("TEXT", lambda e: text(e, b"turned", b"tur\xc0\xafd")),
    ("TEXT", lambda e: text(e, "é".encode(), b"\xff\xff")),
    ("TEXT", lambda e: text(e, b"turned", b"t\xed\xa0\x80ed")),
    ("NAME", lambda e: e.u32(e.at["INPS"], 0)),
    ("NAME", lambda e: e.u32(e.at["INPS"], 10**9)),
    ("NAME", lambda e: e.u32(e.at["INPS"], e.get(e.at["INPS"]) + 1)),
    ("TWICE", lambda e: e.u32(e.at["STAT"] + 24, e.get(e.at["STAT"]))),
    ("META", lambda e: e.data.__setitem__(e.at["META"], 91)),
    ("DTYPE", lambda e: e.data.__setitem__(e.value(0) + 4, 9)),
    ("DTYPE", lambda e: e.data.__setitem__(e.value(0) + 4, 0)),  # cast of a float
    ("DTYPE", lambda e: e.data.__setitem__(e.value(9) + 4, 3)),
    ("DTYPE", lambda e: e.data.__setitem__(e.tensor(2) + 4, 3)),
    ("RANK", lambda e: e.data.__setitem__(e.value(0) + 5, 7)),
    ("SIZE", lambda e: e.u32(e.value(0) + 8, 0)),
    ("SIZE", lambda e: e.u32(e.value(1) + 12, 2)),
    ("ELEMENTS", lambda e: (e.u32(e.value(0) + 8, 65536), e.u32(e.value(0) + 12, 65536))),
    ("ELEMENTS", lambda e: (e.u32(e.tensor(0) + 8, 2**31), e.u32(e.tensor(0) + 12, 2**31))),
    ("VALUE", lambda e: e.u32(e.arg(LINEAR, 0), 30)),
    ("VALUE", lambda e: e.u32(e.at["OUTS"] + 4, 0xFFFFFFFF)),
    ("ORDER", lambda e: e.u32(e.arg(LINEAR, 0), 9)),  # its own output
    ("ORDER", lambda e: e.u32(e.arg(LSTM, 1), 12)),
    ("DUPLICATE", lambda e: e.u32(e.arg(LINEAR, 1), 5)),
    ("DUPLICATE", lambda e: e.u32(e.at["STAT"] + 4, 0)),
    ("GAP", lambda e: e.u32(e.arg(LINEAR, 1), 10)),
    ("ROLE", lambda e: e.u32(e.at["OUTS"] + 8, 5)),
    ("OPERATION", lambda e: e.u16(e.op(0), 999)),
    ("PADDING", lambda e: e.u16(e.op(0) + 2, 1)),
    ("ARITY", lambda e: e.u16(e.op(CONCAT) + 4, 0)),
    ("ARITY", lambda e: e.u16(e.op(LINEAR) + 4, 2)),
    ("ARITY", lambda e: e.u16(e.op(LSTM) + 6, 1)),
    ("ARITY", lambda e: e.u16(e.op(LINEAR) + 8, 0)),
    ("ARITY", lambda e: e.u16(e.op(CLAMP) + 10, 65535)),
    ("ARGUMENTS", lambda e: e.u32(e.op(3) + 12, 0)),
    ("ARGUMENTS", lambda e: e.u16(e.op(CONCAT) + 4, 65535)),
    ("TENSOR", lambda e: e.u32(e.arg(LINEAR, 2), 13)),
    ("TENSOR", lambda e: e.u32(e.arg(LINEAR, 2), -1)),
    ("TENSOR", lambda e: e.u32(e.at["STAT"] + 12, 100)),
    ("ATTRIBUTE", lambda e: e.u32(e.arg(SLICE, 4), 0)),
    ("ATTRIBUTE", lambda e: e.u32(e.arg(SLICE, 3), -1)),
    ("ATTRIBUTE", lambda e: e.u32(e.arg(CLAMP, 2), 0x7FC00000)),
    ("ATTRIBUTE", lambda e: e.u32(e.arg(SOFTPLUS, 2), 0)),
    ("ATTRIBUTE", lambda e: e.u32(e.arg(SOFTPLUS, 3), 0x7F800000)),
    ("SHAPE", lambda e: e.u32(e.arg(SLICE, 3), 3)),
    ("SHAPE", lambda e: e.u32(e.arg(SLICE, 4), 0x7FFFFFFF)),
    ("SHAPE", lambda e: e.u32(e.arg(SLICE, 2), 1)),
    ("SHAPE", lambda e: e.u32(e.arg(CONCAT, 3), 1)),
    ("SHAPE", lambda e: e.u32(e.arg(PERMUTE, 2), 0)),
    ("SHAPE", lambda e: e.u32(e.arg(SUM, 2), 2)),
    ("SHAPE", lambda e: e.u32(e.arg(LSTM, 5), 1)),
    ("SHAPE", lambda e: e.u32(e.arg(LINEAR, 2), 1)),
    ("SHAPE", lambda e: e.u32(e.arg(MUL, 1), 5)),
    ("SHAPE", lambda e: e.u32(e.arg(CONSTANT, 1), 2)),
    ("ARITY", lambda e: e.u16(e.op(CONV) + 10, 5)),  # takes what is the next one's
    ("ARITY", lambda e: e.u16(e.op(POOL) + 10, 1)),
    ("ATTRIBUTE", lambda e: e.u32(e.arg(CONV, 4), 0)),  # groups
    ("ATTRIBUTE", lambda e: e.u32(e.arg(CONV, 5), 0)),  # stride
    ("ATTRIBUTE", lambda e: e.u32(e.arg(CONV, 6), -1)),  # padding
    ("ATTRIBUTE", lambda e: e.u32(e.arg(CONV, 7), 0)),  # dilation
    ("ATTRIBUTE", lambda e: e.u32(e.arg(POOL, 2), 3)),  # mode
    ("ATTRIBUTE", lambda e: e.u32(e.arg(POOL, 3), 0)),  # width
    ("ATTRIBUTE", lambda e: e.u32(e.arg(POOL, 4), 0)),  # stride
    ("ATTRIBUTE", lambda e: e.u32(e.arg(MATMUL, 3), 2)),
    ("ATTRIBUTE", lambda e: e.u32(e.arg(RNN, 7), 2)),
    ("TENSOR", lambda e: e.u32(e.arg(CONV, 2), -1)),
    ("TENSOR", lambda e: e.u32(e.arg(EMBEDDING, 2), -1)),
    ("TENSOR", lambda e: e.u32(e.arg(GRU, 4), -1)),
    ("SHAPE", lambda e: e.u32(e.arg(CONV, 0), 5)),
    ("SHAPE", lambda e: e.u32(e.arg(CONV, 2), 8)),
    ("SHAPE", lambda e: e.u32(e.arg(CONV, 3), 2)),
    ("SHAPE", lambda e: e.u32(e.arg(CONV, 4), 2)),
    ("SHAPE", lambda e: e.u32(e.arg(CONV, 4), 0x7FFFFFFF)),
    ("SHAPE", lambda e: e.u32(e.arg(CONV, 5), 0x7FFFFFFF)),
    ("SHAPE", lambda e: e.u32(e.arg(CONV, 6), 0x7FFFFFFF)),
    ("SHAPE", lambda e: e.u32(e.arg(CONV, 7), 0x7FFFFFFF)),
    ("SHAPE", lambda e: e.u32(e.arg(POOL, 0), 5)),
    ("SHAPE", lambda e: e.u32(e.arg(POOL, 4), 5)),  # the second window begins beyond the end
    ("SHAPE", lambda e: e.u32(e.arg(POOL, 4), 0x7FFFFFFF)),
    ("SHAPE", lambda e: e.u32(e.arg(POOL, 5), 2)),  # padding of more than half a width
    ("SHAPE", lambda e: e.u32(e.arg(MATMUL, 1), 5)),
    ("SHAPE", lambda e: e.u32(e.arg(MATMUL, 3), 0)),
    ("SHAPE", lambda e: e.u32(e.arg(EMBEDDING, 2), 5)),
    ("SHAPE", lambda e: e.u32(e.arg(GRU, 3), 9)),
    ("SHAPE", lambda e: e.u32(e.arg(GRU, 6), 5)),
    ("SHAPE", lambda e: e.u32(e.arg(RNN, 0), 5)),
    ("SHAPE", lambda e: e.u32(e.at["STAT"] + 8, 9)),
    ("SHAPE", lambda e: e.u32(e.at["STAT"] + 12, 2)),
    ("RANK", lambda e: e.u32(e.at["STAT"] + 16, 2)),
    ("PLACE", lambda e: e.u64(e.tensor(3) + 32, e.get(e.tensor(2) + 32))),
    ("PLACE", lambda e: e.u64(e.tensor(2) + 40, e.get(e.tensor(2) + 32))),  # scales that are not int8's
    ("PLACE", lambda e: e.data.__setitem__(e.tensor(12) + 4, 1)),  # leaves the end over
    ("BEYOND", lambda e: e.u64(e.tensor(3) + 32, 2**64 - 64)),
    ("BEYOND", lambda e: e.u64(e.tensor(0) + 40, 0)),
    ("BEYOND", lambda e: e.u64(e.tensor(3) + 32, 64)),
    ("NUMBER", lambda e: e.u32(e.get(e.tensor(2) + 32), 0x7FC00000)),
    ("NUMBER", lambda e: e.u16(e.get(e.tensor(1) + 32), 0xFE00)),
    ("NUMBER", lambda e: e.u32(e.get(e.tensor(0) + 40), 0x7F800000)),
    ("KIND", lambda e: e.u32(e.at["ACTN"], 4)),
    ("KIND", lambda e: e.u32(e.at["ACTN"] + 16, 1)),
    ("HEADS", lambda e: e.u32(e.at["ACTN"], 1)),
    ("HEADS", lambda e: e.u32(e.at["ACTN"] + 4, 0x55555557)),
    ("HEADS", lambda e: e.u32(e.at["ACTN"] + 24, 0)),
    ("HEADS", lambda e: e.u32(e.at["ACTN"] + 24, 0xFFFFFFFF)),
    ("HEADS", lambda e: e.u32(e.at["ACTN"] + 24, 3)),
    ("FEED", lambda e: e.u32(e.at["ACTN"] + 8, 5)),
    ("FEED", lambda e: e.u32(e.at["ACTN"] + 8, -1)),
    ("FEED", lambda e: e.u32(e.at["ACTN"] + 12, 0)),
    ("BOUNDS", lambda e: e.u32(e.at["ACTN"] + 28, 1)),
    ("GOLDEN", lambda e: e.u32(e.at["GOLD"], 1)),
    ("GOLDEN", lambda e: e.u32(e.at["GOLD"], 3)),
    ("GOLDEN", lambda e: e.u32(e.at["GOLD"] + 4, 0)),
    ("GOLDEN", lambda e: e.u32(e.at["GOLD"] + 4, 0x40000001)),
    ("DTYPE", lambda e: e.u32(e.arg(INTEGER, 0), 3)),  # floats
    ("DTYPE", lambda e: e.u32(e.arg(GATHER, 1), 22)),  # an index of whole numbers
    ("DTYPE", lambda e: e.u32(e.at["OUTS"] + 16, 22)),
    ("DTYPE", lambda e: e.data.__setitem__(e.value(22) + 4, 0)),  # floats by `whole`
    ("DTYPE", lambda e: e.data.__setitem__(e.value(25) + 4, 0)),  # floats of whole numbers moved
    ("DTYPE", lambda e: e.data.__setitem__(e.value(24) + 4, 4)),
    ("DTYPE", lambda e: e.data.__setitem__(e.value(1) + 4, 4)),  # a state
    ("DTYPE", lambda e: e.u32(e.arg(SCATTER, 0), 22)),  # sums of whole numbers
    ("ATTRIBUTE", lambda e: e.u32(e.arg(INTEGER, 3), 15)),
    ("ATTRIBUTE", lambda e: e.u32(e.arg(INTEGER, 4), 2)),
    ("ATTRIBUTE", lambda e: e.u32(e.arg(SCATTER, 5), 2)),
    ("ATTRIBUTE", lambda e: e.u32(e.arg(SORT, 4), 2)),
    ("SHAPE", lambda e: e.u32(e.arg(GATHER, 3), 2)),
    ("SHAPE", lambda e: e.u32(e.arg(SCATTER, 1), 8)),
    ("SHAPE", lambda e: e.u32(e.arg(SCATTER, 2), 6)),
    ("SHAPE", lambda e: e.u32(e.arg(SCATTER, 4), 0x7FFFFFFF)),
    ("SHAPE", lambda e: e.u32(e.arg(SORT, 3), 0)),
    ("SHAPE", lambda e: (e.u32(e.value(27) + 12, 4), e.u32(e.value(28) + 12, 4))),  # more than there are
    ("SHAPE", lambda e: e.u32(e.value(28) + 12, 1)),
]
BOX_FAULTS: list[tuple[str, Callable[[Edit], object]]] = [
    ("KIND", lambda e: e.u32(e.at["ACTN"] + 16, 0)),
    ("HEADS", lambda e: e.u32(e.at["ACTN"] + 24, 1)),
    ("HEADS", lambda e: e.u32(e.at["ACTN"] + 12, 1)),
    ("BOUNDS", lambda e: e.u32(e.at["ACTN"] + 28, 0x3F800000)),
    ("BOUNDS", lambda e: e.u32(e.at["ACTN"] + 28, 0xFF800000)),
    ("BOUNDS", lambda e: e.u32(e.at["ACTN"] + 28, 0x7FC00000)),
    ("FEED", lambda e: e.u32(e.at["ACTN"] + 12, 77)),
]


def number(name: str) -> int:
    """An error's number in minnow.h's list."""
    return int(sure(re.search(rf"X\({name}, (\d+),", (ROOT / "cinfer" / "minnow.h").read_text()))[1])


def refused(data: bytes) -> int:
    with pytest.raises(MinnowError) as caught:
        load(data)
    assert str(caught.value).startswith(f"error {caught.value.number}: ")
    return sure(caught.value.number)


def test_the_good_files_are_good() -> None:
    for action in (MultiDiscrete([2, 3]), BOX, None):
        file = format.read(good(action))
        assert file.action == action
        load(good(action)).session(2, sample=True).step(np.ones((2, 2, 3), np.uint8))


@pytest.mark.parametrize(
    "name,change,action",
    [(*fault, MultiDiscrete([2, 3])) for fault in FAULTS] + [(*fault, BOX) for fault in BOX_FAULTS],
    ids=[f"{name}-{i}" for i, (name, _) in enumerate(FAULTS + BOX_FAULTS)],
)
def test_each_fault_has_its_number(name: str, change: Callable[[Edit], object], action: Action) -> None:
    edit = Edit(good(action))
    change(edit)
    assert edit.data != good(action)
    format.seal(edit.data)
    assert refused(bytes(edit.data)) == number(name)


def test_every_number_is_tested() -> None:
    """Those of files; 91 is selftest's, and those below 10 belong to calls."""
    seen = {number(name) for name, _ in FAULTS + BOX_FAULTS}
    seen |= {number(name) for name in ("SHORT", "CHECKSUM", "COUNT")}  # the tests below
    assert seen == {n for n in messages() if 10 <= n < 91}


HOSTILE = sorted((ROOT / "cinfer" / "hostile").glob("*.minnow"))


@pytest.mark.parametrize("path", HOSTILE, ids=lambda path: path.stem)
def test_hostile_files(path: Path) -> None:
    """Each file of cinfer/hostile/ is refused with the number its name begins with."""
    assert refused(path.read_bytes()) == int(path.name.split("-")[0])


def test_the_folder_of_hostile_files() -> None:
    """It has a file for every number that a file can earn, and its README names them all."""
    assert {int(path.name.split("-")[0]) for path in HOSTILE} == {n for n in messages() if 10 <= n < 91}
    listed = re.findall(r"^\| `([^`]+)` \| (\d+) \|", (ROOT / "cinfer/hostile/README.md").read_text(), re.MULTILINE)
    assert listed == [(path.name, path.name.split("-")[0]) for path in HOSTILE]


def test_truncated_anywhere() -> None:
    data = good()
    numbers = [refused(data[:size]) for size in range(len(data))]
    header = 32 + 24 * len(format.SECTIONS)
    assert set(numbers[:header]) == {number("SHORT")} and set(numbers[header:]) == {number("TRUNCATED")}


def test_any_changed_byte_is_seen() -> None:
    for at in range(len(good())):
        data = bytearray(good())
        data[at] ^= 0x10
        found = refused(bytes(data))
        assert found == number("CHECKSUM") or at < 24, at


def test_too_few_and_too_many_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(format, "check", lambda graph: None)
    value = np.zeros((2, 1, 1), np.float32)
    for inputs, outputs in ((1, 0), (0, 1), (257, 1), (1, 257)):
        graph = Graph([Value((1,)) for _ in range(max(inputs, 1))])
        graph.inputs = [Input(f"x{i}", i) for i in range(inputs)]
        graph.outputs = [Output(f"y{i}", 0) for i in range(outputs)]
        if inputs == 0:
            graph.states = [State("h", 0, 0)]
        golden = format.Golden([value] * inputs, [value] * outputs, [value] * len(graph.states))
        assert refused(format.write(graph, None, golden=golden)) == number("COUNT")


@pytest.mark.parametrize("dtype", ["f32", "f16", "int8"])
def test_every_weight_is_looked_at(dtype: str) -> None:
    """Of an odd number of weights, or scales: one that is none is found wherever it stands, and infinite ones pass."""
    graph = Graph([Value((1,)), Value((5, 1)), Value((1,))], inputs=[Input("x", 0)], outputs=[Output("y", 2)])
    graph.tensors, graph.tensor_names = [np.ones((5, 1), np.float32)], ["w"]
    graph.ops = [Op("constant", [], [1], [0]), Op("relu", [0], [2])]
    golden = format.Golden([np.ones((2, 1, 1), np.float32)], [np.ones((2, 1, 1), np.float32)], [])
    edit = Edit(format.write(graph, None, golden=golden, dtypes=[dtype]))
    start, wide = edit.get(edit.tensor(0) + (40 if dtype == "int8" else 32)), dtype != "f16"
    infinite, each = (0x7F800000, 4) if wide else (0x7C00, 2)
    for sign in (0, 1 << (8 * each - 1)):
        for i in range(5):
            now = Edit(bytes(edit.data))
            for k in range(5):
                if dtype != "int8":
                    (now.u32 if wide else now.u16)(start + each * k, infinite | sign)
            format.seal(now.data)
            load(bytes(now.data))
            (now.u32 if wide else now.u16)(start + each * i, infinite + (dtype != "int8") | sign)
            format.seal(now.data)
            with pytest.raises(MinnowError, match=f"at byte {start + each * i}, item 0") as caught:
                load(bytes(now.data))
            assert caught.value.number == number("NUMBER")


def test_words_say_what_where_and_what_was_expected() -> None:
    edit = Edit(good())
    edit.u32(8, 7)
    format.seal(edit.data)
    with pytest.raises(MinnowError, match=r"another format version.*at byte 8, item 0: found 7, expected 1"):
        load(bytes(edit.data))


@pytest.mark.parametrize("compiler", ["clang", pytest.param("gcc", marks=pytest.mark.full)])
def test_sanitizers(compiler: str, tmp_path: Path) -> None:
    """Every truncation, and thousands of changed files, under AddressSanitizer and UndefinedBehaviorSanitizer."""
    program = tmp_path / "hostile"
    flags = ["-O0", "-g", "-std=c99", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    source = ["-I", str(ROOT / "cinfer"), str(ROOT / "tests" / "hostile.c"), "-o", str(program)]
    for extra in ([], ["-DMINNOW_SCALAR"]) if compiler == "clang" else ([],):
        subprocess.run([compiler, *flags, *extra, *source], check=True)
        for action in (MultiDiscrete([2, 3]), BOX):
            done = subprocess.run([program, "2500"], input=good(action), capture_output=True, timeout=200)
            assert done.returncode == 0, done.stderr.decode(errors="replace")[-3000:]
            refusals, runs = (int(word) for word in done.stdout.decode().split() if word.isdigit())
            assert refusals > 1000 and runs > 100
