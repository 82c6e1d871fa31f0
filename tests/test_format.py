"""The policy file: what is written is read back, and what cannot be a policy is not written."""

from __future__ import annotations

import errno
import os
import re
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sure import sure

from minnow.cinfer import MinnowError, load
from minnow.export import format
from minnow.export.action import Box, Discrete, MultiDiscrete
from minnow.export.graph import Graph, Input, Op, Output, State, Value
from minnow.export.ops import KINDS, infer

ROOT = Path(__file__).resolve().parent.parent
SIZE = 40


def graph() -> Graph:
    """Two inputs, one of them bytes, and a state; values numbered in no order."""
    rng = np.random.default_rng(0)
    made = Graph()
    made.values = [
        Value((3,), name="y"),
        Value((2, 4), "u8"),
        Value((2, 4)),
        Value((8,)),
        Value((SIZE,)),
        Value((SIZE,)),
    ]
    made.values += [Value((SIZE,)), Value((SIZE,), "f32", "joined")]
    made.inputs, made.outputs = [Input("image", 1), Input("obs", 4)], [Output("logits", 0, "logits")]
    made.states = [State("memory", 5, 7, 2, 1)]
    made.tensors = [rng.normal(0, 1, (SIZE, 8)), rng.normal(0, 1, (3, SIZE)), rng.normal(0, 1, SIZE)]
    made.tensors = [tensor.astype(np.float32) for tensor in made.tensors]
    made.tensor_names = ["a.weight", "b.weight", "memory at the start"]
    made.ops = [
        Op("cast", [1], [2], [], {}, "net.py:3"),
        Op("reshape", [2], [3]),
        Op("linear", [3], [6], [0, -1], {}, "net.py:4"),
        Op("add", [6, 5], [7]),
        Op("linear", [7], [0], [1, -1]),
    ]
    return made


def golden(steps: int = 2, agents: int = 1) -> format.Golden:
    ahead, rng = (steps, agents), np.random.default_rng(1)
    return format.Golden(
        [rng.integers(0, 255, (*ahead, 2, 4)).astype(np.uint8), rng.normal(0, 1, (*ahead, SIZE)).astype(np.float32)],
        [rng.normal(0, 1, (*ahead, 3)).astype(np.float32)],
        [rng.normal(0, 1, (*ahead, SIZE)).astype(np.float32)],
    )


@pytest.mark.parametrize("dtype", ["f32", "f16", "int8"])
def test_read_gives_what_was_written(dtype: str, tmp_path: Path) -> None:
    path, meta, recorded = tmp_path / "new" / "policy.minnow", {"score": 1.5, "name": "Größe"}, golden()
    data = format.write(graph(), path, action=Discrete(3), meta=meta, golden=recorded, dtypes=[dtype] * 3)
    assert path.read_bytes() == data and [p.name for p in path.parent.iterdir()] == [path.name]
    file, expected = format.read(path), format.ordered(graph())
    assert file.action == Discrete(3) and file.meta == meta and file.dtypes == [dtype] * 3
    assert replace(file.graph, tensors=[]) == replace(expected, tensors=[])
    for stored, tensor in zip(file.graph.tensors, expected.tensors, strict=True):
        if dtype == "int8":  # half a step of each row's scale
            bound = np.abs(tensor).reshape(len(tensor), -1).max(axis=1) * 0.5001 / 127
            bound = bound.reshape(-1, *[1] * (tensor.ndim - 1))
        else:
            bound = np.abs(tensor) * (2**-11 if dtype == "f16" else 0)
        assert (np.abs(stored - tensor) <= bound).all()
    for part in ("inputs", "outputs", "states"):
        for kept, given in zip(getattr(file.golden, part), getattr(recorded, part), strict=True):
            assert np.array_equal(kept, given)
    assert format.write(file.graph, None, action=file.action, meta=meta, golden=file.golden, dtypes=file.dtypes) == data


@pytest.mark.parametrize("dtype", ["f16", "int8"])
def test_rounded_weights_run_as_they_are_stored(dtype: str) -> None:
    """C converts the stored numbers to exactly what Python reads, so that both files give the same bits."""
    rounded = format.write(graph(), None, golden=golden(), dtypes=[dtype] * 3)
    plain = format.write(format.read(rounded).graph, None, golden=golden())
    inputs = golden(5, 7).inputs
    a, b = load(rounded).run(inputs), load(plain).run(inputs)
    assert a.outputs[0].tobytes() == b.outputs[0].tobytes() and a.states[0].tobytes() == b.states[0].tobytes()
    assert not np.array_equal(a.outputs[0], load(format.write(graph(), None, golden=golden())).run(inputs).outputs[0])


def test_every_half() -> None:
    """Each of the 16-bit floats that is a number is read as what NumPy reads."""
    halves = np.arange(65536, dtype=np.uint16).view(np.float16)
    halves = halves[~np.isnan(halves)].astype(np.float32)
    made = Graph([Value((1,)), Value(halves.shape)], [Op("constant", [], [1], [0])], [halves], ["h"])
    made.inputs, made.outputs = [Input("x", 0)], [Output("y", 1)]
    value = np.zeros((2, 1, 1), np.float32)
    recorded = format.Golden([value], [np.stack([halves, halves])[:, None]])
    policy = load(format.write(made, None, golden=recorded, dtypes=["f16"]))
    assert policy.run([value]).outputs[0][0, 0].tobytes() == halves.tobytes()
    assert policy.selftest() == 0


@pytest.mark.parametrize("action", [None, Discrete(3), MultiDiscrete([2, 1]), Box([-1, 0, -np.inf], [1, 2, np.inf])])
def test_actions(action: Discrete | MultiDiscrete | Box | None) -> None:
    made, role = graph(), "mean" if isinstance(action, Box) else "logits"
    made.outputs = [Output(role, 0, role)]
    assert format.read(format.write(made, None, action=action, golden=golden())).action == action


def test_golden_vectors_stay_small() -> None:
    """At most 8 KB or 5 % of the file; two steps at least."""
    for steps, agents in ((64, 16), (64, 1), (3, 2)):
        file = format.read(format.write(graph(), None, golden=golden(steps, agents)))
        kept = file.golden.inputs[0].shape[:2]
        size = 8 + kept[0] * kept[1] * (8 + 4 * (SIZE + 3 + SIZE))
        assert kept[0] >= 2 and size <= 8192
        assert kept == (steps, agents) or size + kept[1] * 340 > 8192 or kept[0] == 2


def test_the_file_is_as_documented() -> None:
    """The figures that docs/format.md gives, and its list of operations."""
    data, text = format.write(graph(), None, golden=golden()), (ROOT / "docs" / "format.md").read_text()
    magic = bytes.fromhex(sure(re.search(r"magic `([0-9A-F ]+)`", text))[1])
    version, crc, size, sections = struct.unpack_from("<IIQI", data, 8)
    assert data.startswith(magic) and (version, size, sections) == (1, len(data), len(format.SECTIONS))
    assert crc == zlib.crc32(data[:12] + bytes(4) + data[16:])
    rows = re.findall(r"^\| `(\w{4})` \| (\d+)", text, re.MULTILINE)
    assert {tag: int(record) for tag, record in rows} == format.SECTIONS
    assert [data[32 + 24 * i :][:4].decode() for i in range(sections)] == list(format.SECTIONS)
    for i, tag in enumerate(format.SECTIONS):
        offset = struct.unpack_from("<Q", data, 32 + 24 * i + 8)[0]
        assert offset % (64 if tag == "DATA" else 8) == 0
    listed: dict[str, int] = {}
    for codes, names in re.findall(r"^\| ([\d–, ]+) \| ([^|]+) \|", text.split("## Operations")[1], re.MULTILINE):
        first = int(sure(re.match(r"\d+", codes))[0])
        words = re.findall(r"(?<![\w`])([a-z]\w+)", re.sub(r"`[^`]*`|\([^)]*\)| x.*", "", names))
        listed |= {name: first + i for i, name in enumerate(words)}
    assert listed == {kind.name: kind.code for kind in KINDS.values()}


def broken(change: Callable[[Graph], object]) -> Graph:
    made = graph()
    change(made)
    return made


@pytest.mark.parametrize(
    "change,words",
    [
        (lambda g: g.ops.reverse(), "uses value 7 before it is computed"),
        (lambda g: g.ops.pop(), "output 'logits' is not computed"),
        (lambda g: g.ops.append(g.ops[-1]), "given twice"),
        (lambda g: g.values.append(Value((1,))), "never computed"),
        (lambda g: setattr(g.ops[2], "kind", "conv9d"), "net.py:4.*no operation 'conv9d'"),
        (lambda g: setattr(g.ops[2], "tensors", [1, -1]), "net.py:4.*does not fit input"),
        (lambda g: setattr(g.ops[0], "attrs", {"axis": 1}), "net.py:3.*attributes"),
        (lambda g: setattr(g.values[0], "shape", (4,)), "gives shapes"),
        (lambda g: setattr(g.ops[3], "inputs", [6, 1]), "cannot take a value of dtype u8"),
        (lambda g: setattr(g.states[0], "after", 0), "after the step"),
        (lambda g: setattr(g.states[0], "initial", 1), "begins with shape"),
        (lambda g: setattr(g.inputs[1], "name", "image"), "names of inputs"),
        (lambda g: g.tensors[0].__setitem__((0, 0), np.nan), "NaN"),
        (lambda g: g.outputs.clear(), "at least one"),
    ],
)
def test_graphs_that_are_no_policy(change: Callable[[Graph], object], words: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=words):
        format.write(broken(change), tmp_path / "p.minnow", golden=golden())
    assert not list(tmp_path.iterdir())


def test_other_faults() -> None:
    for action, words in ((Discrete(4), "4"), (Box([0], [1]), "mean")):
        with pytest.raises(ValueError, match=words):
            format.write(graph(), None, action=action, golden=golden())
    with pytest.raises(ValueError, match="at least 2"):
        format.write(graph(), None, golden=golden(1))
    with pytest.raises(ValueError, match="65504"):
        format.encode(np.full(3, 1e6, np.float32), "f16")
    with pytest.raises(ValueError, match="int8"):
        format.encode(np.array(1, np.float32), "int8")
    for shape in ((1,) * 7, (0,), (1 << 20, 1 << 20)):
        with pytest.raises(ValueError, match="shape"):
            infer("relu", [shape])


def test_a_file_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old file stays, whole, when the disk is full; nothing else is left behind."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "policy.minnow"
    data = format.write(graph(), path, golden=golden())
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(MinnowError, match="No space left"):
        format.write(graph(), path, golden=golden(2, 3))
    assert path.read_bytes() == data and list(tmp_path.iterdir()) == [path]


def test_agents_that_start_anew_in_the_golden_vectors() -> None:
    """What is written is read back, shortened as the rest is; other bytes than 0 and 1, and padding, are refused."""
    recorded = golden(3, 3)
    recorded.reset = reset = np.array([[0, 0, 0], [0, 1, 0], [1, 0, 1]], np.uint8)
    data = format.write(graph(), None, golden=recorded)
    kept = sure(format.read(data).golden.reset)
    assert np.array_equal(kept, reset[: len(kept), : kept.shape[1]]) and kept.any()
    assert format.read(format.write(graph(), None, golden=golden(3, 3))).golden.reset is None
    at, size = struct.unpack_from("<QQ", data, 32 + 24 * list(format.SECTIONS).index("GOLD") + 8)
    flags = at + size - -(-kept.size // 4) * 4
    for place, value in ((flags, 2), (flags + kept.size - 1, 255), (at + size - 1, 1)):
        bad = bytearray(data)
        bad[place] = value
        format.seal(bad)
        with pytest.raises(MinnowError) as caught:
            load(bytes(bad))
        assert caught.value.number == 90
