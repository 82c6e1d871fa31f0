"""The policy file: writes and reads what docs/format.md specifies.

What is read is first validated by minnow.h, so that a fault has the same number in C, in Python and on the page.
"""

from __future__ import annotations

import json
import math
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from minnow.cinfer import load
from minnow.export import files
from minnow.export.action import Action, Box, Discrete, MultiDiscrete
from minnow.export.graph import Graph, Input, Op, Output, State, Value
from minnow.export.ops import BY_CODE, FLOATS, KINDS, MAX_RANK, dtype_of, infer

MAGIC = b"\x89MNW\r\n\x1a\n"
VERSION = 1
NONE = 0xFFFFFFFF
# Tag and bytes of a record, in the order of the file.
SECTIONS = {
    "STRS": 1,
    "VALS": 32,
    "INPS": 8,
    "STAT": 24,
    "OUTS": 12,
    "OPER": 16,
    "ARGS": 4,
    "TENS": 48,
    "ACTN": 4,
    "META": 1,
    "GOLD": 4,
    "DATA": 1,
}
DTYPES = ("f32", "f16", "int8", "u8", "i32")
NUMPY = {
    "f32": np.dtype("<f4"),
    "f16": np.dtype("<f2"),
    "int8": np.dtype("i1"),
    "u8": np.dtype("u1"),
    "i32": np.dtype("<i4"),
}
ROLES = ("other", "logits", "mean", "log_std", "value")
ACTIONS = (None, Discrete, MultiDiscrete, Box)
SQUASHES = ("none", "clip", "tanh")
GOLDEN_BYTES, GOLDEN_SHARE = 8192, 0.05


@dataclass
class Golden:
    """Recorded steps. Each array is [steps, agents, *shape]; the states are those after each step. reset: [steps,
    agents], 1 where the agent starts anew before the step; None: nowhere."""

    inputs: list[np.ndarray]
    outputs: list[np.ndarray]
    states: list[np.ndarray] = field(default_factory=list)
    reset: np.ndarray | None = None


@dataclass
class File:
    """A policy file's content. `dtypes`: how each of the graph's tensors is stored; there they are float32."""

    graph: Graph
    action: Action | None
    meta: dict[str, Any]
    golden: Golden
    dtypes: list[str]


def write(
    graph: Graph,
    path: Path | str | None,
    *,
    action: Action | None = None,
    meta: Mapping[str, Any] | None = None,
    golden: Golden,
    dtypes: Sequence[str] | None = None,
) -> bytes:
    """The file's bytes; also written to `path`, whole or not at all, unless that is None.

    The action's logits, mean and log_std are the outputs that have these roles. dtypes: for each tensor "f32"
    (default), "f16" or "int8" (one scale for each index of axis 0). Of the golden steps as many are kept as the format
    allows. Raises ValueError for a graph that is not well-formed."""
    check(graph)
    graph = ordered(graph)
    dtypes = list(dtypes or ["f32"] * len(graph.tensors))
    names = _Names()
    parts = {
        "VALS": b"".join(_array(names, v.name, v.dtype, v.shape) for v in graph.values),
        "INPS": b"".join(struct.pack("<II", names.add(i.name), i.value) for i in graph.inputs),
        "STAT": b"".join(
            struct.pack("<6I", names.add(s.name), s.before, s.after, s.initial & NONE, s.axis, 0) for s in graph.states
        ),
        "OUTS": b"".join(struct.pack("<III", names.add(o.name), o.value, ROLES.index(o.role)) for o in graph.outputs),
        "ACTN": _action(graph, action),
        "META": _meta(graph, meta or {}),
    }
    parts["OPER"], parts["ARGS"] = _operations(graph)
    stored = [encode(tensor, dtype) for tensor, dtype in zip(graph.tensors, dtypes, strict=True)]
    places, data = _places(stored)
    heads = [
        _array(names, name, dtype, tensor.shape)
        for name, dtype, tensor in zip(graph.tensor_names, dtypes, graph.tensors, strict=True)
    ]
    parts["DATA"], parts["STRS"], parts["TENS"] = data, names.bytes(), b"".join(bytes(48) for _ in heads)
    rest = sum(map(len, parts.values()))
    parts["GOLD"] = _golden(graph, golden, max(GOLDEN_BYTES, int(GOLDEN_SHARE * rest)))

    offsets, at = {}, 32 + 24 * len(SECTIONS)
    for tag in SECTIONS:
        at = _align(at, 64 if tag == "DATA" else 8)
        offsets[tag] = at
        at += len(parts[tag])
    start = offsets["DATA"]
    parts["TENS"] = b"".join(
        head + struct.pack("<QQ", start + place, start + scales if scales >= 0 else 0)
        for head, (place, scales) in zip(heads, places, strict=True)
    )
    out = bytearray(at)
    out[:32] = MAGIC + struct.pack("<IIQII", VERSION, 0, at, len(SECTIONS), 0)
    for i, (tag, record) in enumerate(SECTIONS.items()):
        size = len(parts[tag])
        struct.pack_into("<4sIQQ", out, 32 + 24 * i, tag.encode(), size // record, offsets[tag], size)
        out[offsets[tag] : offsets[tag] + size] = parts[tag]
    seal(out)
    if path is not None:
        files.write(Path(path), bytes(out))
    return bytes(out)


def seal(data: bytearray) -> None:
    """Puts the right checksum into a file's bytes."""
    data[12:16] = bytes(4)
    struct.pack_into("<I", data, 12, zlib.crc32(data))


def read(source: bytes | Path | str) -> File:
    """The content of a policy file, given as bytes or as a path. Raises MinnowError with a number for a faulty one."""
    data = load(source).data
    sections = {}
    for i, tag in enumerate(SECTIONS):
        _, offset, size = struct.unpack_from("<IQQ", data, 32 + 24 * i + 4)
        sections[tag] = data[offset : offset + size]
    graph, dtypes = _parse(data, sections)
    meta = json.loads(sections["META"].decode())
    for op, where in zip(graph.ops, meta.pop("sources", []), strict=False):
        op.source = where
    return File(graph, _parse_action(sections["ACTN"]), meta, _parse_golden(graph, sections["GOLD"]), dtypes)


def check(graph: Graph) -> None:
    """Raises ValueError for a graph that is not well-formed, with the operation at fault."""
    known = [False] * len(graph.values)

    def define(value: int, what: str) -> None:
        if not 0 <= value < len(known) or known[value]:
            raise ValueError(f"{what} gives value {value}, which does not exist or is given twice")
        known[value] = True

    for item in graph.inputs:
        define(item.value, f"input {item.name!r}")
    for state in graph.states:
        define(state.before, f"state {state.name!r}")
    for i, op in enumerate(graph.ops):
        what = f"operation {i} ({op.kind}{', ' + op.source if op.source else ''})"
        for value in op.inputs:
            if not 0 <= value < len(known) or not known[value]:
                raise ValueError(f"{what} uses value {value} before it is computed")
        shapes = [graph.values[value].shape for value in op.inputs]
        tensors = [None if t < 0 else graph.tensors[t].shape for t in op.tensors]
        said = [tuple(graph.values[value].shape) for value in op.outputs]
        try:
            dtype = dtype_of(op.kind, [graph.values[value].dtype for value in op.inputs], op.attrs)
            found = infer(op.kind, shapes, op.attrs, tensors, said)
        except ValueError as error:
            raise ValueError(f"{what}: {error}") from error
        if found != said:
            raise ValueError(f"{what} gives shapes {found}, not {said}")
        for value in op.outputs:
            define(value, what)
            if graph.values[value].dtype != dtype:
                raise ValueError(f"{what} gives dtype {graph.values[value].dtype}, expected {dtype}")
    for state in graph.states:
        shape = tuple(graph.values[state.before].shape)
        if not known[state.after] or tuple(graph.values[state.after].shape) != shape:
            raise ValueError(f"state {state.name!r} has no value of shape {shape} after the step")
        if state.initial >= 0 and graph.tensors[state.initial].shape != shape:
            raise ValueError(
                f"state {state.name!r} begins with shape {graph.tensors[state.initial].shape}, not {shape}"
            )
    for output in graph.outputs:
        if not known[output.value] or graph.values[output.value].dtype != "f32":
            raise ValueError(f"output {output.name!r} is not computed, or is not f32")
    if not all(known):
        raise ValueError(f"value {known.index(False)} is never computed")
    for what, items in (("inputs", graph.inputs), ("states", graph.states), ("outputs", graph.outputs)):
        names = [item.name for item in items]
        if len(set(names)) < len(names) or "" in names:
            raise ValueError(f"the names of {what} are {names}: each must be there and differ from the others")
    if not graph.inputs or not graph.outputs:
        raise ValueError("a policy has at least one input and one output")
    for name, tensor in zip(graph.tensor_names, graph.tensors, strict=True):
        if np.isnan(tensor).any():
            raise ValueError(f"tensor {name!r} holds a NaN")


def ordered(graph: Graph) -> Graph:
    """The same graph with its values numbered as the file has them: inputs, states before the step, then what the
    operations give, in the order they run."""
    order = [item.value for item in graph.inputs] + [state.before for state in graph.states]
    order += [value for op in graph.ops for value in op.outputs]
    new = {old: i for i, old in enumerate(order)}
    return Graph(
        [graph.values[old] for old in order],
        [replace(op, inputs=[new[i] for i in op.inputs], outputs=[new[i] for i in op.outputs]) for op in graph.ops],
        graph.tensors,
        graph.tensor_names,
        [replace(item, value=new[item.value]) for item in graph.inputs],
        [replace(state, before=new[state.before], after=new[state.after]) for state in graph.states],
        [replace(output, value=new[output.value]) for output in graph.outputs],
    )


def encode(tensor: np.ndarray, dtype: str) -> tuple[np.ndarray, np.ndarray | None]:
    """A float32 tensor as it is stored: its elements, and for int8 the scale of each index of axis 0."""
    tensor = np.ascontiguousarray(tensor, np.float32).reshape(np.shape(tensor))
    if dtype == "int8":
        if tensor.ndim == 0 or not np.isfinite(tensor).all():
            raise ValueError("a scalar, or a tensor with infinite elements, cannot be stored as int8")
        rows = tensor.reshape(len(tensor), -1)
        scales = np.maximum(np.abs(rows).max(axis=1) / np.float32(127), np.float32(1e-30)).astype(np.float32)
        return np.rint(rows / scales[:, None]).clip(-127, 127).astype(np.int8).reshape(tensor.shape), scales
    if dtype == "f16" and (np.isfinite(tensor) & (np.abs(tensor) > 65504)).any():
        raise ValueError("an element is too large for f16 (65504)")
    if dtype not in ("f32", "f16"):
        raise ValueError(f"a tensor is stored as f32, f16 or int8, not {dtype}")
    return tensor.astype(NUMPY[dtype]), None


def decode(elements: np.ndarray, scales: np.ndarray | None) -> np.ndarray:
    """What is stored as float32."""
    if scales is None:
        return elements.astype(np.float32)
    return elements.astype(np.float32) * scales.reshape(-1, *[1] * (elements.ndim - 1))


class _Names:
    """The section STRS while it grows."""

    def __init__(self) -> None:
        self._at = {"": 0}
        self._data = bytearray(1)

    def add(self, name: str) -> int:
        if "\0" in name:
            raise ValueError(f"the name {name!r} holds a zero byte")
        if name not in self._at:
            self._at[name] = len(self._data)
            self._data += name.encode() + b"\0"
        return self._at[name]

    def bytes(self) -> bytes:
        return bytes(self._data)


def _align(at: int, to: int) -> int:
    return -(-at // to) * to


def _array(names: _Names, name: str, dtype: str, shape: Sequence[int]) -> bytes:
    sizes = [*shape, *[0] * (MAX_RANK - len(shape))]
    return struct.pack("<IBBH6I", names.add(name), DTYPES.index(dtype), len(shape), 0, *sizes)


def _operations(graph: Graph) -> tuple[bytes, bytes]:
    records, arguments = bytearray(), bytearray()
    for op in graph.ops:
        kind = KINDS[op.kind]
        tensors = [*op.tensors, *[-1] * (len(kind.tensors) - len(op.tensors))]
        attrs: list[bytes] = []
        for name in kind.attrs:
            found = op.attrs[name.rstrip("*")]
            code = "<f" if name in FLOATS else "<i"
            attrs += [struct.pack(code, value) for value in (found if name.endswith("*") else [found])]
        counts = len(op.inputs), len(op.outputs), len(tensors), len(attrs)
        records += struct.pack("<6HI", kind.code, 0, *counts, len(arguments) // 4)
        arguments += struct.pack(f"<{sum(counts[:3])}i", *op.inputs, *op.outputs, *tensors) + b"".join(attrs)
    return bytes(records), bytes(arguments)


def _places(stored: Sequence[tuple[np.ndarray, np.ndarray | None]]) -> tuple[list[tuple[int, int]], bytes]:
    """For each tensor where its elements and scales (-1: none) are in the section, and the section."""
    places, data = [], bytearray()

    def put(array: np.ndarray) -> int:
        data.extend(bytes(_align(len(data), 64) - len(data)))
        data.extend(array.tobytes())
        return len(data) - array.nbytes

    for elements, scales in stored:
        places.append((put(elements), -1 if scales is None else put(scales)))
    return places, bytes(data)


def _action(graph: Graph, action: Action | None) -> bytes:
    if action is None:
        return struct.pack("<6I", 0, 0, NONE, NONE, 0, 0)
    by_role = {output.role: i for i, output in reversed(list(enumerate(graph.outputs)))}
    if isinstance(action, Box):
        heads = [(0, low, high) for low, high in zip(action.low, action.high, strict=True)]
        role, wanted, squash = "mean", len(heads), SQUASHES.index(action.squash)
        log_std = by_role.get("log_std", -1)
    else:
        heads = [(size, 0.0, 0.0) for size in action.sizes]
        role, wanted, squash, log_std = "logits", sum(action.sizes), 0, -1
    if role not in by_role:
        raise ValueError(f"the action {action} needs an output with the role {role!r}")
    for index in (by_role[role], log_std):
        if index >= 0 and math.prod(graph.values[graph.outputs[index].value].shape) != wanted:
            raise ValueError(
                f"the action {action} needs {wanted} numbers, output {graph.outputs[index].name!r} differs"
            )
    head = struct.pack("<6I", ACTIONS.index(type(action)), len(heads), by_role[role], log_std & NONE, squash, 0)
    return head + b"".join(struct.pack("<Iff", *each) for each in heads)


def _meta(graph: Graph, meta: Mapping[str, Any]) -> bytes:
    sources = [op.source for op in graph.ops]
    whole = {**meta, **({"sources": sources} if any(sources) else {})}
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _golden(graph: Graph, golden: Golden, most: int) -> bytes:
    groups = (
        ([item.value for item in graph.inputs], golden.inputs),
        ([item.value for item in graph.outputs], golden.outputs),
        ([state.after for state in graph.states], golden.states),
    )
    pairs = []
    for values, arrays in groups:
        for index, array in zip(values, arrays, strict=True):
            value = graph.values[index]
            pairs.append(np.ascontiguousarray(array, NUMPY[value.dtype]))
            if pairs[-1].shape[2:] != tuple(value.shape) or pairs[-1].shape[:2] != pairs[0].shape[:2]:
                raise ValueError(
                    f"golden vectors have shape {pairs[-1].shape}, expected [steps, agents, *{value.shape}]"
                )
    steps, agents = pairs[0].shape[:2]
    if steps < 2:
        raise ValueError(f"golden vectors hold {steps} steps, expected at least 2")

    reset = np.zeros((steps, agents), np.uint8) if golden.reset is None else golden.reset.astype(np.uint8)

    def size(steps: int, agents: int) -> int:
        return 8 + steps * sum(_align(agents * p[0, 0].nbytes, 4) for p in pairs) + _align(steps * agents, 4)

    while agents > 1 and size(2, agents) > most:
        agents -= 1
    least = 3 if agents == 1 and reset.any() else 2  # so that one step of some agent follows on another
    while steps > least and size(steps, agents) > most:
        steps -= 1
    out = bytearray(struct.pack("<II", steps, agents))
    for step in range(steps):
        for pair in pairs:
            data = pair[step, :agents].tobytes()
            out += data + bytes(_align(len(data), 4) - len(data))
    kept = reset[:steps, :agents]
    return bytes(out) + (kept.tobytes() + bytes(-kept.size % 4) if kept.any() else b"")


def _parse(data: bytes, sections: Mapping[str, bytes]) -> tuple[Graph, list[str]]:
    graph, dtypes, names = Graph(), [], sections["STRS"]

    def name(at: int) -> str:
        return names[at : names.index(0, at)].decode()

    for where, dtype, rank, _, *sizes in struct.iter_unpack("<IBBH6I", sections["VALS"]):
        graph.values.append(Value(tuple(sizes[:rank]), DTYPES[dtype], name(where)))
    for where, value in struct.iter_unpack("<II", sections["INPS"]):
        graph.inputs.append(Input(name(where), value))
    for where, before, after, initial, axis, _ in struct.iter_unpack("<3Ii2I", sections["STAT"]):
        graph.states.append(State(name(where), before, after, initial, axis))
    for where, value, role in struct.iter_unpack("<III", sections["OUTS"]):
        graph.outputs.append(Output(name(where), value, ROLES[role]))
    for code, _, inputs, outputs, tensors, attrs, first in struct.iter_unpack("<6HI", sections["OPER"]):
        found = sections["ARGS"][4 * first :]
        all_of = struct.unpack_from(f"<{inputs + outputs + tensors}i", found)
        bits = found[4 * len(all_of) : 4 * (len(all_of) + attrs)]
        kind = BY_CODE[code]
        graph.ops.append(
            Op(
                kind.name,
                list(all_of[:inputs]),
                list(all_of[inputs : inputs + outputs]),
                list(all_of[inputs + outputs :]),
                _attrs(kind.attrs, bits),
            )
        )
    for where, dtype, rank, _, *rest in struct.iter_unpack("<IBBH6IQQ", sections["TENS"]):
        shape, offset, scales = rest[:rank], rest[6], rest[7]
        elements = np.frombuffer(data, NUMPY[DTYPES[dtype]], math.prod(shape), offset).reshape(shape)
        factor = np.frombuffer(data, "<f4", shape[0], scales) if scales else None
        graph.tensors.append(decode(elements, factor))
        graph.tensor_names.append(name(where))
        dtypes.append(DTYPES[dtype])
    return graph, dtypes


def _attrs(names: Sequence[str], bits: bytes) -> dict[str, Any]:
    attrs: dict[str, Any] = {}
    for i, name in enumerate(names):
        rest = bits[4 * i :]
        if name.endswith("*"):
            attrs[name[:-1]] = list(struct.unpack(f"<{len(rest) // 4}i", rest))
        else:
            (attrs[name],) = struct.unpack_from("<f" if name in FLOATS else "<i", rest)
    return attrs


def _parse_action(data: bytes) -> Action | None:
    kind, heads, _, _, squash, _ = struct.unpack_from("<6I", data)
    rows = list(struct.iter_unpack("<Iff", data[24 : 24 + 12 * heads]))
    if ACTIONS[kind] is None:
        return None
    if ACTIONS[kind] is Box:
        return Box([row[1] for row in rows], [row[2] for row in rows], SQUASHES[squash])
    sizes = [row[0] for row in rows]
    return Discrete(*sizes) if ACTIONS[kind] is Discrete else MultiDiscrete(sizes)


def _parse_golden(graph: Graph, data: bytes) -> Golden:
    steps, agents = struct.unpack_from("<II", data)
    at, found = 8, Golden([], [], [])
    groups = (
        ([item.value for item in graph.inputs], found.inputs),
        ([item.value for item in graph.outputs], found.outputs),
        ([state.after for state in graph.states], found.states),
    )
    for values, arrays in groups:
        for index in values:
            value = graph.values[index]
            arrays.append(np.zeros((steps, agents, *value.shape), NUMPY[value.dtype]))
    for step in range(steps):
        for _, arrays in groups:
            for array in arrays:
                size = array[step].nbytes
                array[step] = np.frombuffer(data, array.dtype, array[step].size, at).reshape(array[step].shape)
                at += _align(size, 4)
    if at < len(data):
        found.reset = np.frombuffer(data, np.uint8, steps * agents, at).reshape(steps, agents)
    return found
