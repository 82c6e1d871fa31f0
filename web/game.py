"""The game core, `game.c`: compiled for the page, and natively, with a thin binding, for the site's build and tests."""

from __future__ import annotations

import itertools
import re
import secrets
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import minnow.envs
from minnow.cinfer import binding, compile
from minnow.cinfer.errors import MinnowError
from minnow.cinfer.policy import messages
from minnow.envs.find import OURS
from minnow.envs.shapes import Shape, decode
from minnow.export.format import read
from minnow.export.ops import KINDS

HERE = Path(__file__).resolve().parent
CINFER = Path(compile.__file__).resolve().parent
SCRIPT, POLICY, PERSON, RANDOM = range(4)  # who drives a slot
START, SEAT, DRIVE, ACT, EVENT, SAMPLE = range(6)  # kinds of input


def _exports() -> list[str]:
    """The names of all functions of game.h."""
    return re.findall(r"^\w[\w ]*[ *]+(game_\w+)\(", (HERE / "game.h").read_text("utf-8"), re.MULTILINE)


def options(env: str | Path) -> dict[str, Any]:
    return {
        "defines": {"GAME_ENV": f'"{minnow.envs.source(env)}"'},
        "include": [OURS, CINFER, HERE],
    }


def wasm(env: str | Path, policy: bytes | None = None, *, whole: bool = False) -> Path:
    """The `.wasm` that the page plays: environment, interpreter and game core, without imports. Built for size: one
    agent of a small policy takes microseconds either way. It has the operations of `policy`, a file, and no others;
    whole: all that there are, for any file that fits the environment."""
    built = options(env)
    built["defines"] |= {"MINNOW_NO_MESSAGES": "1", "ENV_NO_WORDS": "1"}  # the page has them
    if not whole:
        needed = {op.kind for op in read(policy).graph.ops} if policy else set()
        built["defines"] |= {f"MINNOW_NO_{name}": "1" for name in sorted(set(KINDS) - needed)}
        if minnow.envs.spec(env).action_type != "box":
            built["defines"] |= {"MINNOW_NO_BOX": "1"}
    # Every browser that has SIMD128 copies memory by one instruction. What a flat function is made into is smaller.
    flags = ["-Oz", "-flto", "-mbulk-memory", "-sBINARYEN_EXTRA_PASSES=--flatten,--rereloop,-Oz"]
    return compile.wasm(
        [HERE / "game.c"], exports=_exports(), grow=True, flags=flags, name=minnow.envs.folder(env).name, **built
    )


def shared(env: str | Path, *, flags: Sequence[str] = (), cc: str | None = None) -> Path:
    """The same core as a library of this machine. The interpreter is compiled by itself, once for all games."""
    name = f"game-{minnow.envs.folder(env).name}"
    interpreter = compile.object(HERE / "interpreter.c", include=[CINFER], flags=["-fPIC", *flags], cc=cc)
    made = options(env)
    made["defines"] |= {"GAME_APART": "1"}
    return compile.shared([HERE / "game.c", interpreter], flags=list(flags), cc=cc, name=name, **made)


def _refusal(error: Any) -> MinnowError:
    """A GameError in words, as errors.js has them."""
    words = "the policy was made for another game: " * error.misfit + messages()[error.number]
    if 10 <= error.number < 91:
        place = f"at byte {error.offset}, item {error.index}"
        words = f"{words} ({place}: found {error.found}, expected {error.expected})"
    return MinnowError(words, error.number)


def words(*values: float) -> tuple[int, ...]:
    """Numbers as the 32-bit words of float32."""
    return struct.unpack(f"<{len(values)}I", struct.pack(f"<{len(values)}f", *values))


def floats(*words: int) -> tuple[float, ...]:
    """The float32 numbers of 32-bit words."""
    return struct.unpack(f"<{len(words)}f", struct.pack(f"<{len(words)}I", *words))


@dataclass(frozen=True)
class GameInput:
    """One thing that enters a game, before tick `tick`: docs/replay.md has the kinds and their values."""

    tick: int
    kind: int
    slot: int
    values: tuple[int, ...]

    @classmethod
    def start(cls, seed: int, randomize: float = 0.0) -> GameInput:
        return cls(0, START, 0, (seed & 0xFFFFFFFF, seed >> 32, *words(randomize)))

    @classmethod
    def seat(cls, tick: int, slot: int, policy: int, count: int = 1) -> GameInput:
        """policy: counted from 1; 0: none."""
        return cls(tick, SEAT, slot, (count, policy))

    @classmethod
    def drive(cls, tick: int, slot: int, driver: int, count: int = 1) -> GameInput:
        return cls(tick, DRIVE, slot, (count, driver))

    @classmethod
    def act(cls, tick: int, slot: int, *values: float) -> GameInput:
        return cls(tick, ACT, slot, words(*values))

    @classmethod
    def event(
        cls,
        tick: int,
        kind: int,
        slot: int = 0,
        target: int = 0,
        at: Sequence[float] = (0.0, 0.0, 0.0),
        way: Sequence[float] = (0.0, 0.0, 0.0),
        value: float = 0.0,
    ) -> GameInput:
        return cls(tick, EVENT, slot, (kind, target, *words(*at, *way, value)))

    @classmethod
    def sample(cls, tick: int, sampled: bool) -> GameInput:
        return cls(tick, SAMPLE, 0, (int(sampled),))


class _Policy(NamedTuple):
    """A loaded policy: bytes and block are borrowed by C."""

    data: bytes
    held: tuple[Any, Any]  # what C sees of the bytes, and the block
    at: Any


def _runs(items: Iterable[int]) -> Iterable[tuple[int, int, int]]:
    """(first index, count, item) of each run of equal items."""
    at = 0
    for item, run in itertools.groupby(items):
        count = len(list(run))
        yield at, count, item
        at += count


class Game:
    """One game, natively; the same calls as the page's game.js.

    `policies` are the bytes of `.minnow` files, of one or of several, or None; a refused one is a MinnowError with its
    number. As in the page, every slot is seated at the first of them, the first `agents` slots are driven by it if
    there is one, all others by the script. seed: 64 bits, of the game (None: fresh entropy). `inputs`: all that has
    entered since the start, from which the game can be played again; assigning `state` leaves them as they are."""

    def __init__(
        self,
        env: str | Path,
        policies: bytes | Sequence[bytes] | None = None,
        *,
        seed: int | None = None,
        library: Path | None = None,
    ) -> None:
        self.spec = minnow.envs.spec(env)
        made = binding.load(library or shared(env), HERE / "game.h")
        self.c, self.ffi = made.c, made.ffi
        given = [policies] if isinstance(policies, bytes) else list(policies or ())
        self.policies = [self._load(policy) for policy in given]
        pointers = self.ffi.new("const minnow_policy *[]", [policy.at for policy in self.policies])
        need = self.c.game_size(pointers, len(self.policies))
        self._block = self._room(need)
        self.at = self.c.game_open(pointers, len(self.policies), self._block, need)
        if not self.at:
            raise MinnowError(f"a game of {self.spec.name} cannot hold {len(self.policies)} policies: it may have 16.")
        slots, agents = self.spec.slots, self.spec.agents
        self.seats = [min(len(self.policies), 1)] * slots
        self.drivers = [POLICY if slot < agents and self.policies else SCRIPT for slot in range(slots)]
        self.sampled = False
        self.inputs: list[GameInput] = []
        self.held: dict[int, tuple[int, ...]] = {}
        self.start(secrets.randbits(64) if seed is None else seed)

    def _load(self, policy: bytes) -> _Policy:
        error, data = self.ffi.new("GameError *"), self.ffi.from_buffer(policy)
        need = self.c.game_policy_size(data, len(policy), error)
        block = self._room(need)
        at = self.c.game_load(data, len(policy), block, need, error) if need else None
        if error.number:
            raise _refusal(error)
        return _Policy(policy, (data, block), at)

    def _room(self, size: int) -> Any:
        return self.ffi.new("uint8_t[]", max(size, 1))

    def selftest(self, policy: int = 0) -> tuple[bool, float]:
        """Whether the policy reproduces its golden vectors, and the largest difference."""
        at, found = self.policies[policy].at, self.ffi.new("float *", float("nan"))
        need = self.c.game_selftest_size(at)
        passed = self.c.game_selftest(at, self._room(need), need, found) == 0
        return passed, found[0]

    def input(self, entry: GameInput) -> bool:
        """Whether the game took it; a start begins a new list."""
        numbers = (entry.tick, entry.kind, entry.slot, *entry.values)
        tick, kind, slot, *values = (number & 0xFFFFFFFF for number in numbers)
        if not self.c.game_input(self.at, self.ffi.new("GameInput *", (tick, kind, slot, values))):
            return False
        if entry.kind == START:
            self.inputs, self.held = [], {}
            self.seats, self.drivers, self.sampled = [0] * self.spec.slots, [SCRIPT] * self.spec.slots, False
        elif entry.kind in (SEAT, DRIVE):
            count, value = entry.values
            held = self.seats if entry.kind == SEAT else self.drivers
            held[entry.slot : entry.slot + count] = [value] * count
        elif entry.kind == ACT:
            self.held[entry.slot] = entry.values
        elif entry.kind == SAMPLE:
            self.sampled = bool(entry.values[0])
        self.inputs.append(entry)
        return True

    def _enter(self, entry: GameInput) -> None:
        if not self.input(entry):
            raise MinnowError(
                f"{self.spec.name} refuses {entry}: {self.spec.slots} slots, {len(self.policies)} policies."
            )

    def start(self, seed: int, randomize: float = 0.0) -> None:
        """Afresh; who sits where, who drives and whether choices are drawn stay."""
        seats, drivers, sampled = self.seats, self.drivers, self.sampled
        self._enter(GameInput.start(seed, randomize))
        for slot, count, seat in _runs(seats):
            if seat:
                self._enter(GameInput.seat(0, slot, seat, count))
        for slot, count, driver in _runs(drivers):
            if driver != SCRIPT:
                self._enter(GameInput.drive(0, slot, driver, count))
        if sampled:
            self._enter(GameInput.sample(0, True))

    def seat(self, slot: int, policy: int, count: int = 1) -> None:
        """Slots follow a policy, counted from 1, whose memory of them is empty; 0: none."""
        self._enter(GameInput.seat(self.ticks, slot, policy, count))

    def drive(self, slot: int, driver: int, count: int = 1) -> None:
        self._enter(GameInput.drive(self.ticks, slot, driver, count))

    def act(self, slot: int, *values: float) -> None:
        """What a person holds from now on, one number a head."""
        entry = GameInput.act(self.ticks, slot, *values)
        if self.held.get(slot) != entry.values:
            self._enter(entry)

    def sample(self, sampled: bool) -> None:
        """Whether policies draw their choices; otherwise they take the likeliest."""
        self._enter(GameInput.sample(self.ticks, sampled))

    def event(self, kind: int, slot: int = 0, *members: Any, **named: Any) -> bool:
        """An EnvEvent: kind, slot, target, at, way, value. Whether the game takes such a one."""
        return self.input(GameInput.event(self.ticks, kind, slot, *members, **named))

    @property
    def ticks(self) -> int:
        """Since the start."""
        return self.c.game_ticks(self.at)

    def tick(self, ticks: int = 1) -> int:
        """Some ticks; returns the bits of them all."""
        bits = 0
        for _ in range(ticks):
            bits |= self.c.game_tick(self.at)
        return bits

    @property
    def episodes(self) -> int:
        """That have ended since the start."""
        return self.c.game_episodes(self.at)

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

    def _heads(self, at: Any) -> tuple[float, ...]:
        kind = "float *" if self.spec.action_type == "box" else "int32_t *"
        return tuple(self.ffi.unpack(self.ffi.cast(kind, at), self.spec.heads))

    def hash(self) -> str:
        """16 hexadecimal digits, as the page shows them."""
        out = self.ffi.new("uint32_t[2]")
        self.c.game_hash(self.at, out)
        return f"{out[1]:08x}{out[0]:08x}"

    @property
    def state(self) -> bytes:
        """A snapshot. It begins with the environment, as `env_save` gives it."""
        return bytes(self.ffi.buffer(self.c.game_state(self.at), self.c.game_state_size(self.at)))

    @state.setter
    def state(self, saved: bytes) -> None:
        size = self.c.game_state_size(self.at)
        if len(saved) != size:
            raise MinnowError(f"a snapshot of this game has {size} bytes, not {len(saved)}")
        self.ffi.memmove(self.c.game_state(self.at), saved, size)

    def draw(self, slot: int = 0, aspect: float = 1.5) -> list[Shape]:
        """The picture; MinnowError for a list that breaks the contract."""
        wanted = self.c.game_draw(self.at, slot, aspect)
        return decode(self.c.game_shapes(self.at), wanted, self.spec)
