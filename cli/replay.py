"""`minnow replay FILE`: plays a replay without a window, and prints the hashes that prove it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minnow import envs
from minnow.cinfer.errors import MinnowError, unknown
from minnow.cli import flags
from minnow.web import shipped

if TYPE_CHECKING:
    from minnow.web.replay import Player, Replay

SUMMARY = "play a replay, and print the hashes that prove it"
USAGE = """usage: minnow replay FILE [options]

FILE is what minnow play or a page wrote, or a link from a page. minnow replay FILE --help lists the options."""


@dataclass
class Flags:
    """Play a replay file as fast as this machine can. Each 100 ticks its state is hashed: equal hashes, equal games."""

    env: str = ""
    """The environment's folder, if it is not one that its name finds."""
    policy: tuple[str, ...] = ()
    """Files of the policies that it was played with. Shipped ones and those in runs/ and site/ are found by
    themselves."""
    ticks: int = 1 << 24
    """Stop after so many."""
    json: bool = False
    """Print one JSON object on standard output: env, ticks, hashes (one each 100 ticks), refused (null, or why)."""


@dataclass
class Found:
    """A replay and all that it takes to play it."""

    replay: Replay
    place: Path
    policies: list[bytes] = field(repr=False)

    def player(self) -> Player:
        from minnow.web.replay import Player

        return Player(self.replay, self.place, self.policies)


def main(argv: list[str]) -> int:
    if not argv or argv[0].startswith("-"):
        print(USAGE)
        return 0 if argv and argv[0] in ("-h", "--help") else 2
    chosen = flags.parse(Flags, argv[1:], "minnow replay FILE")
    if chosen.ticks < 0:
        raise MinnowError(f"--ticks is {chosen.ticks}: it must be 0 or more.")
    told: dict[str, Any] = {"env": None, "ticks": 0, "hashes": [], "refused": None}
    try:
        for key, value in _play(argv[0], chosen):
            told[key] = [*told[key], value] if key == "hashes" else value
            if key == "hashes" and not chosen.json:
                print(f"{100 * len(told[key]):9} {value}")
    except MinnowError as error:
        if not chosen.json:
            raise
        told["refused"] = str(error)
    print(json.dumps(told) if chosen.json else f"{told['env']}: {told['ticks']} ticks")
    return 1 if told["refused"] else 0


def _play(file: str, chosen: Flags) -> Iterator[tuple[str, Any]]:
    """What there is to tell, as it becomes known: (its key, value)."""
    found = find(file, chosen.env, chosen.policy)
    yield "env", found.replay.env
    player = found.player()
    for value in player.hashes(chosen.ticks):
        yield "hashes", value
    yield "ticks", player.game.ticks


def data_of(source: str) -> tuple[str, bytes]:
    """How to call a replay, and its bytes, from a file or from a page's link, which carries them (docs/replay.md)."""
    page, mark, text = source.partition("#replay=")
    if mark:
        try:
            return page, base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except ValueError:
            raise MinnowError(f"the link to {page} is damaged: its replay is not whole. Copy it once more.") from None
    try:
        return source, Path(source).read_bytes()
    except OSError as error:
        raise MinnowError(f"cannot read {source}: {error.strerror}.") from None


def find(source: str, env: str | Path = "", policies: Sequence[str] = ()) -> Found:
    """Reads a replay from a file or a link, and finds its environment, by name unless `env` says where, and its
    policies. Raises MinnowError where it cannot be played here."""
    from minnow.web import replay

    called, data = data_of(source)
    try:
        read = replay.decode(data)
    except MinnowError as error:
        raise MinnowError(f"{called}: {error}.", error.number) from None
    if not env and read.env not in envs.names():
        raise unknown("environment", read.env, envs.names())
    place = envs.folder(env or read.env)
    replay.check(read, place)
    named = [Path(name) for name in policies]
    for path in named:
        if not path.is_file():
            raise MinnowError(f"cannot read {path}: there is no such file.")
    near = [
        place / "policy.minnow",
        *sorted(shipped.POLICIES.rglob("*.minnow")),
        *sorted(Path("runs").rglob("*.minnow")),
        *sorted(Path("site").rglob("*.minnow")),  # where `minnow site build` writes
    ]
    return Found(read, place, replay.find(read, [*named, *filter(Path.is_file, near)]))
