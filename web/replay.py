"""The replay file, as docs/replay.md specifies it: encoded, decoded, and played natively."""

from __future__ import annotations

import hashlib
import re
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import minnow.envs
from minnow.cinfer.errors import MinnowError
from minnow.web.game import ACT, DRIVE, EVENT, HERE, RANDOM, SAMPLE, SEAT, START, Game, GameInput, floats, words

MAGIC = b"\x89MNR\r\n\x1a\n"
VERSION = 1
LEAST = 69  # bytes
MOST_BYTES = MOST_TICKS = WHOLE = 1 << 24  # WHOLE: beyond that not every whole number is a float
MOST_INPUTS, MOST_SLOTS, MOST_POLICIES, MOST_HEADS, MOST_NAME = 1 << 20, 4096, 16, 8, 64
ONE = 0x3F800000  # the bits of 1
PARTS = ((1, 2), (2, 5), (5, 8), (8, 9))  # of an event's values: target, at, way, value
EVERY = 100  # ticks from one hash to the next


@dataclass(frozen=True)
class Replay:
    """Everything that entered a game. `inputs` begin with the start, and their ticks never decrease."""

    env: str
    source_hash: str  # of the environment, in hexadecimal
    policies: tuple[str, ...]  # the SHA-256 of each file
    heads: int
    ticks: int
    inputs: tuple[GameInput, ...] = field(repr=False)


@cache
def messages() -> dict[int, str]:
    """The faults' words by their numbers, as replay.h has them."""
    found = re.findall(r'X\([A-Z]+, (\d+), "(.*)"\)', (HERE / "replay.h").read_text("utf-8"))
    return {int(number): words for number, words in found}


class _Fault(Exception):
    pass


class _Reader:
    def __init__(self, data: bytes, at: int) -> None:
        self.data, self.at = data, at

    def byte(self) -> int:
        if self.at >= len(self.data):
            raise _Fault(30)
        self.at += 1
        return self.data[self.at - 1]

    def count(self) -> int:
        value = 0
        for shift in range(0, 35, 7):
            byte = self.byte()
            if (shift == 28 and byte > 0xF) or (shift and not byte):
                raise _Fault(31)
            value |= (byte & 0x7F) << shift
            if not byte & 0x80:
                break
        return value

    def real(self) -> int:
        """The bits of a float."""
        count = self.count()
        if count % 2 == 0:
            if count > 4 * WHOLE:
                raise _Fault(31)
            return words(-(count + 2) // 4 if count % 4 else count // 4)[0]
        bits = int.from_bytes(bytes(self.byte() for _ in range(4)), "little") if count == 1 else 0
        if count != 1 or not _finite(bits) or _whole(bits) is not None:
            raise _Fault(31)
        return bits

    def event(self) -> tuple[int, ...]:
        kind, flags = self.count(), self.byte()
        if 1 < kind < 16 or kind > 0x7FFFFFFF or flags > 15:
            raise _Fault(37)
        values = [kind, self.count() if flags & 1 else 0]
        for part, (begin, end) in enumerate(PARTS[1:], 1):
            values += [self.real() if flags >> part & 1 else 0 for _ in range(begin, end)]
        if any(flags >> part & 1 and not any(values[begin:end]) for part, (begin, end) in enumerate(PARTS)):
            raise _Fault(37)
        return tuple(values)

    def input(self, replay: Replay, tick: int) -> GameInput:
        head = self.count()
        kind, tick = head & 7, tick + (head >> 3)
        if not SEAT <= kind <= SAMPLE:
            raise _Fault(32)
        if tick > replay.ticks:
            raise _Fault(33)
        slot = 0 if kind == SAMPLE else self.count()
        if slot >= MOST_SLOTS:
            raise _Fault(34)
        if kind == EVENT:
            return GameInput(tick, kind, slot, self.event())
        if kind == ACT:
            return GameInput(tick, kind, slot, tuple(self.real() for _ in range(replay.heads)))
        if kind == SAMPLE:
            sampled = self.byte()
            if sampled > 1:
                raise _Fault(38)
            return GameInput(tick, kind, slot, (sampled,))
        count = self.count()
        if not 1 <= count <= MOST_SLOTS - slot:
            raise _Fault(34)
        value = self.count()
        if kind == SEAT and value > len(replay.policies):
            raise _Fault(35)
        if kind == DRIVE and value > RANDOM:
            raise _Fault(36)
        return GameInput(tick, kind, slot, (count, value))


def _finite(bits: int) -> bool:
    return bits & 0x7F800000 != 0x7F800000


def _whole(bits: int) -> int | None:
    """The whole number that these bits of a float are, if it is one that is written as such."""
    (value,) = floats(bits)
    return int(value) if abs(value) <= WHOLE and value == int(value) and bits != 0x80000000 else None


def decode(data: bytes) -> Replay:
    """What a file holds. Raises MinnowError with the fault's number and words."""
    reader, inputs = _Reader(data[:-4], 0), []
    at = 0
    try:
        replay, count, reader.at = _header(data)
        tick = 0
        for _ in range(count):
            at = reader.at
            inputs.append(reader.input(replay, tick))
            tick = inputs[-1].tick
        at = reader.at
        if at != len(data) - 4:
            raise _Fault(40)
    except _Fault as fault:
        (number,) = fault.args
        place = f" (input {len(inputs)}, at byte {at})" if number >= 30 else ""
        raise MinnowError(f"{messages()[number]}{place}", number) from None
    return Replay(
        replay.env, replay.source_hash, replay.policies, replay.heads, replay.ticks, (*replay.inputs, *inputs)
    )


def _header(data: bytes) -> tuple[Replay, int, int]:
    """A replay with the start alone, how many inputs follow, and where."""
    if len(data) < LEAST:
        raise _Fault(10)
    if not data.startswith(MAGIC):
        raise _Fault(11)
    if data[8] != VERSION:
        raise _Fault(12)
    if len(data) > MOST_BYTES:
        raise _Fault(13)
    if zlib.crc32(data[:-4]) != int.from_bytes(data[-4:], "little"):
        raise _Fault(14)
    heads, policies, length = data[9:12]
    for number, wrong in (
        (20, not 1 <= heads <= MOST_HEADS),
        (21, policies > MOST_POLICIES),
        (22, not 1 <= length <= MOST_NAME),
    ):
        if wrong:
            raise _Fault(number)
    at = 12 + length + 32 + 32 * policies
    if len(data) - 4 < at + 20:
        raise _Fault(30)
    name = data[12 : 12 + length]
    low, high, randomize, ticks, count = struct.unpack("<5I", data[at : at + 20])
    for number, wrong in (
        (22, not all(0x21 <= letter <= 0x7E for letter in name)),
        (23, randomize > ONE),
        (24, ticks > MOST_TICKS),
        (25, count > MOST_INPUTS),
    ):
        if wrong:
            raise _Fault(number)
    hashes = [data[begin : begin + 32].hex() for begin in range(12 + length, at, 32)]
    start = GameInput(0, START, 0, (low, high, randomize))
    return Replay(name.decode(), hashes[0], tuple(hashes[1:]), heads, ticks, (start,)), count, at + 20


def _count(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _real(bits: int) -> bytes:
    whole = _whole(bits) if _finite(bits) else None
    if whole is None:
        return b"\x01" + bits.to_bytes(4, "little")
    return _count(4 * whole if whole >= 0 else -4 * whole - 2)


def _input(entry: GameInput, passed: int) -> bytes:
    out = _count(passed << 3 | entry.kind)
    if entry.kind == SAMPLE:
        return out + bytes(entry.values)
    out += _count(entry.slot)
    if entry.kind == ACT:
        return out + b"".join(map(_real, entry.values))
    if entry.kind != EVENT:
        return out + b"".join(map(_count, entry.values))
    flags = sum(1 << part for part, (begin, end) in enumerate(PARTS) if any(entry.values[begin:end]))
    out += _count(entry.values[0]) + bytes([flags])
    out += _count(entry.values[1]) if flags & 1 else b""
    for part, (begin, end) in enumerate(PARTS[1:], 1):
        out += b"".join(map(_real, entry.values[begin:end])) if flags >> part & 1 else b""
    return out


def encode(replay: Replay) -> bytes:
    """A file; raises MinnowError where `decode` would refuse it."""
    begin, name = replay.inputs[0], replay.env.encode()
    out = MAGIC + bytes([VERSION, replay.heads, len(replay.policies), min(len(name), 255)]) + name
    out += b"".join(map(bytes.fromhex, (replay.source_hash, *replay.policies)))
    out += struct.pack("<5I", *begin.values, replay.ticks, len(replay.inputs) - 1)
    written, tick = [out], 0
    for entry in replay.inputs[1:]:
        written.append(_input(entry, entry.tick - tick))
        tick = entry.tick
    out = b"".join(written)
    out += zlib.crc32(out).to_bytes(4, "little")
    decode(out)
    return out


def of(game: Game) -> Replay:
    """What has entered a game since its start."""
    policies = tuple(hashlib.sha256(policy.data).hexdigest() for policy in game.policies)
    spec = game.spec
    return Replay(spec.name, spec.source_hash, policies, spec.heads, game.ticks, tuple(game.inputs))


def find(replay: Replay, files: Iterable[Path]) -> list[bytes]:
    """The files of its policies among these, by their SHA-256. Raises MinnowError where one is not there."""
    wanted: dict[str, bytes] = dict.fromkeys(replay.policies, b"")
    for path in files:
        if all(wanted.values()):
            break
        data = path.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        if digest in wanted:
            wanted[digest] = data
    for digest, data in wanted.items():
        if not data:
            raise MinnowError(
                f"the policy with the SHA-256 {digest[:12]}… that this replay was played with is neither given, nor "
                "shipped, nor in runs/: name its file by --policy."
            )
    return [wanted[digest] for digest in replay.policies]


def check(replay: Replay, env: str | Path) -> None:
    """Raises MinnowError where the replay is of another environment, or of other sources of it."""
    spec = minnow.envs.spec(env)
    if replay.env != spec.name:
        raise MinnowError(f"the replay is of {replay.env}, not of {spec.name}.")
    if replay.source_hash != spec.source_hash:
        raise MinnowError(
            f"the replay was played with other sources of {spec.name} ({replay.source_hash[:12]}…, here "
            f"{spec.source_hash[:12]}…): another game would come of it. Check out the version that it was played with."
        )
    if replay.heads != spec.heads:
        raise MinnowError(f"an action of {spec.name} has {spec.heads} heads, and one of the replay {replay.heads}.")


class Player:
    """A game that follows a replay, tick by tick."""

    def __init__(self, replay: Replay, env: str | Path, policies: Sequence[bytes], library: Path | None = None) -> None:
        self.replay, self.entered = replay, 0
        self.game = Game(env, policies, seed=0, library=library)
        self._enter()

    def _enter(self) -> None:
        inputs, game = self.replay.inputs, self.game
        while self.entered < len(inputs) and (not self.entered or inputs[self.entered].tick == game.ticks):
            entry = inputs[self.entered]
            if not game.input(entry):
                number = f"input {self.entered - 1}" if self.entered else "its start"
                raise MinnowError(
                    f"{game.spec.name} does not take {number} of the replay ({entry}): it has {game.spec.slots} slots "
                    f"and {len(game.spec.param)} parameters."
                )
            self.entered += 1

    def tick(self, ticks: int = 1) -> int:
        """Returns the bits of these ticks."""
        bits = 0
        for _ in range(ticks):
            bits |= self.game.tick()
            self._enter()
        return bits

    def hashes(self, ticks: int = MOST_TICKS) -> Iterator[str]:
        """Plays to the end, or to tick `ticks`, and tells the hash after every EVERY ticks."""
        while self.game.ticks < min(self.replay.ticks, ticks):
            self.game.tick()
            if self.game.ticks % EVERY == 0:
                yield self.game.hash()
            self._enter()
