"""The game core, `game.c`: compiled for the page, and natively, with a thin binding, for the site's build and tests."""

from __future__ import annotations

import ctypes
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import minnow.envs
from minnow.cinfer import compile
from minnow.cinfer.errors import MinnowError
from minnow.cinfer.policy import messages
from minnow.envs.find import OURS
from minnow.export.format import read
from minnow.export.ops import KINDS

HERE = Path(__file__).resolve().parent
CINFER = Path(compile.__file__).resolve().parent
SCRIPT, POLICY, PERSON = 0, 1, 2  # who drives a slot
TYPES = {"uint32_t": ctypes.c_uint32, "int32_t": ctypes.c_int32, "float": ctypes.c_float, "void": None}


def _declarations() -> list[tuple[str, str, list[str]]]:
    """(result, name, arguments) of every function in game.h."""
    found = re.findall(r"^(\w[\w ]*[ *]+)(game_\w+)\((.*?)\);", (HERE / "game.h").read_text("utf-8"), re.MULTILINE)
    return [(result, name, [] if args == "void" else args.split(",")) for result, name, args in found]


def options(env: str | Path) -> dict[str, Any]:
    return {
        "defines": {"GAME_ENV": f'"{minnow.envs.source(env)}"'},
        "include": [OURS, CINFER, HERE],
    }


def wasm(env: str | Path, policy: bytes | None = None, *, whole: bool = False) -> Path:
    """The `.wasm` that the page plays: environment, interpreter and game core, without imports. Built for size: one
    agent of a small policy takes microseconds either way. It has the operations of `policy`, a file, and no others;
    whole: all that there are, for any file that fits the environment."""
    exports = [name for _, name, _ in _declarations()]
    built = options(env)
    built["defines"] |= {"MINNOW_NO_MESSAGES": "1"}  # errors.js has them
    if not whole:
        needed = {op.kind for op in read(policy).graph.ops} if policy else set()
        built["defines"] |= {f"MINNOW_NO_{name}": "1" for name in sorted(set(KINDS) - needed)}
        if minnow.envs.spec(env).action_type != "box":
            built["defines"] |= {"MINNOW_NO_BOX": "1"}
    # Every browser that has SIMD128 copies memory by one instruction. What a flat function is made into is smaller.
    flags = ["-Oz", "-mbulk-memory", "-sBINARYEN_EXTRA_PASSES=--flatten,--rereloop,-Oz,-Oz"]
    return compile.wasm(
        [HERE / "game.c"], exports=exports, grow=True, flags=flags, name=minnow.envs.folder(env).name, **built
    )


def shared(env: str | Path, *, flags: Sequence[str] = (), cc: str | None = None) -> Path:
    """The same core as a library of this machine."""
    name = f"game-{minnow.envs.folder(env).name}"
    return compile.shared([HERE / "game.c"], flags=list(flags), cc=cc, name=name, **options(env))


@cache
def _library(path: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path))

    def kind(words: str) -> Any:
        return ctypes.c_void_p if "*" in words or "[" in words else TYPES[words.split()[0]]

    for result, name, arguments in _declarations():
        function = getattr(library, name)
        function.restype = kind(result)
        function.argtypes = [kind(argument) for argument in arguments]
    return library


@dataclass(frozen=True)
class Shape:
    """One record of a draw list: `EnvShape` of abi.h."""

    kind: int
    color: int
    n: int
    f: tuple[float, ...]
    text: str


class _CShape(ctypes.Structure):
    _fields_ = (
        ("kind", ctypes.c_uint32),
        ("color", ctypes.c_uint32),
        ("n", ctypes.c_int32),
        ("id", ctypes.c_uint32),
        ("f", ctypes.c_float * 12),
        ("text", ctypes.c_char * 16),
    )


class _CError(ctypes.Structure):
    _fields_ = (
        ("number", ctypes.c_int32),
        *((name, ctypes.c_uint32) for name in ("misfit", "index", "offset", "found", "expected")),
    )

    def __str__(self) -> str:
        """In words, as errors.js has them."""
        words = "the policy was made for another game: " * self.misfit + messages()[self.number]
        if not 10 <= self.number < 91:
            return words
        place = f"at byte {self.offset}, item {self.index}"
        return f"{words} ({place}: found {self.found}, expected {self.expected})"


class Game:
    """One game, natively; the same calls as the page's game.js.

    `policy` is the bytes of a `.minnow` file, or None; a refused one is a MinnowError with its number. As in the page,
    the first `agents` slots are driven by the policy if there is one, all others by the script. seed: 64 bits, of the
    game (None: fresh entropy)."""

    def __init__(
        self, env: str | Path, policy: bytes | None = None, *, seed: int | None = None, library: Path | None = None
    ) -> None:
        self.spec = minnow.envs.spec(env)
        self.c = _library(library or shared(env))
        self._policy = policy  # borrowed by the game
        loaded = None
        if policy is not None:
            error = _CError()
            need = self.c.game_policy_size(policy, len(policy), ctypes.byref(error))
            self._policy_block = ctypes.create_string_buffer(max(need, 1))
            if need:
                loaded = self.c.game_load(policy, len(policy), self._policy_block, need, ctypes.byref(error))
            if error.number:
                raise MinnowError(str(error), error.number)
        self._loaded = loaded
        need = self.c.game_size(loaded)
        self._block = ctypes.create_string_buffer(need)
        self.at = self.c.game_open(loaded, self._block, need)
        for slot in range(self.spec.agents):
            self.drive(slot, POLICY)
        self.start(secrets.randbits(64) if seed is None else seed)

    def selftest(self) -> tuple[bool, float]:
        """Whether the policy reproduces its golden vectors, and the largest difference."""
        need, found = self.c.game_selftest_size(self._loaded), ctypes.c_float(float("nan"))
        block = ctypes.create_string_buffer(max(need, 1))
        passed = self.c.game_selftest(self._loaded, block, need, ctypes.byref(found)) == 0
        return passed, found.value

    def start(self, seed: int) -> None:
        self.c.game_start(self.at, seed & 0xFFFFFFFF, seed >> 32)

    def drive(self, slot: int, driver: int) -> None:
        self.c.game_drive(self.at, slot, driver)

    def act(self, slot: int, *values: float) -> None:
        for head, value in enumerate(values):
            self.c.game_act(self.at, slot, head, value)

    def event(self, kind: int, slot: int, x: float = 0, y: float = 0, z: float = 0, value: float = 0) -> bool:
        return bool(self.c.game_event(self.at, kind, slot, x, y, z, value))

    def tick(self, ticks: int = 1) -> int:
        """Some ticks; returns the bits of them all."""
        bits = 0
        for _ in range(ticks):
            bits |= self.c.game_tick(self.at)
        return bits

    def score(self, slot: int = 0) -> float:
        return self.c.game_score(self.at, slot)

    def value(self, slot: int = 0) -> float:
        """The policy's estimate of its return, at its last observation."""
        return self.c.game_value(self.at, slot)

    def action(self, slot: int = 0) -> tuple[float, ...]:
        """The action of the last tick, one number a head."""
        return self._heads(self.c.game_action(self.at, slot))

    def chosen(self, slot: int = 0) -> tuple[float, ...]:
        """What the policy would have done, whether or not it drives."""
        return self._heads(self.c.game_chosen(self.at, slot))

    def _heads(self, at: int) -> tuple[float, ...]:
        kind = ctypes.c_float if self.spec.action_type == "box" else ctypes.c_int32
        return tuple((kind * self.spec.heads).from_address(at))

    def hash(self) -> str:
        """16 hexadecimal digits, as the page shows them."""
        out = (ctypes.c_uint32 * 2)()
        self.c.game_hash(self.at, out)
        return f"{out[1]:08x}{out[0]:08x}"

    @property
    def state(self) -> bytes:
        """A snapshot."""
        return ctypes.string_at(self.c.game_state(self.at), self.c.game_state_size(self.at))

    @state.setter
    def state(self, saved: bytes) -> None:
        size = self.c.game_state_size(self.at)
        if len(saved) != size:
            raise MinnowError(f"a snapshot of this game has {size} bytes, not {len(saved)}")
        ctypes.memmove(self.c.game_state(self.at), saved, size)

    def draw(self, slot: int = 0, aspect: float = 1.5) -> list[Shape]:
        count = self.c.game_draw(self.at, slot, aspect)
        shapes = ctypes.cast(self.c.game_shapes(self.at), ctypes.POINTER(_CShape))[:count]
        return [Shape(s.kind, s.color, s.n, tuple(s.f), s.text.decode()) for s in shapes]
