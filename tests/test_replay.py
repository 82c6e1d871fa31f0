"""Replays: their encoding, what readers refuse, and that they play the same game natively and in WebAssembly."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import re
import shutil
import subprocess
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sure import sure

import minnow.envs
from minnow.cinfer import compile
from minnow.cinfer.errors import MinnowError
from minnow.cli import play
from minnow.cli.main import main
from minnow.web import replay, shipped
from minnow.web.game import PERSON, POLICY, SCRIPT, Game, GameInput, options, wasm
from minnow.web.replay import Player, Replay

HERE = Path(__file__).resolve().parent
SANITIZERS = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]
GAMES = ("pong", "connect4")  # one of reflexes, one of turns with a mask
LONG = 1000  # lists a game in the long form
HASHES = ("11" * 32, "ab" * 32, "00" * 32)
REALS = st.floats(width=32, allow_nan=False, allow_infinity=False)


def policies_of(env: str) -> list[Path]:
    """The shipped one, and two of earlier stages."""
    final = shipped.policy(env)
    assert final
    return [final, *sorted((final.parent / f"{env}.stages").iterdir())[:2]]


@cache
def entries(env: str, policies: int) -> st.SearchStrategy[list[GameInput]]:
    """What may enter a game, at tick 0."""
    spec = minnow.envs.spec(env)
    slots, params = spec.slots, spec.param
    slot = st.integers(0, slots - 1)
    span = st.tuples(slot, st.integers(1, slots)).map(lambda span: (span[0], min(span[1], slots - span[0])))
    whole, three = st.integers(-1, 9).map(float), st.tuples(REALS, REALS, REALS)
    held = st.tuples(*(whole | REALS if head.size else REALS for head in spec.head))
    kinds = st.sampled_from([gesture.kind for gesture in spec.gesture] or [99])
    share = st.floats(0, 1, width=32)
    turned = st.tuples(st.sampled_from(range(len(params))), share).map(
        lambda it: (it[0], float(np.float32(params[it[0]].low + it[1] * (params[it[0]].high - params[it[0]].low))))
    )
    return st.lists(
        st.tuples(span, st.integers(0, policies)).map(lambda it: GameInput.seat(0, it[0][0], it[1], it[0][1]))
        | st.tuples(span, st.integers(0, 2)).map(lambda it: GameInput.drive(0, it[0][0], it[1], it[0][1]))
        | st.tuples(slot, held).map(lambda it: GameInput.act(0, it[0], *it[1]))
        | turned.map(lambda it: GameInput.event(0, 0, it[0], value=it[1]))
        | REALS.map(lambda value: GameInput.event(0, 1, value=value))
        | st.tuples(kinds, slot, st.integers(0, 2**32 - 1), three, three, REALS).map(lambda it: GameInput.event(0, *it))
        | st.booleans().map(lambda sampled: GameInput.sample(0, sampled)),
        max_size=16,
    )


@cache
def replays(env: str, hashes: tuple[str, ...]) -> st.SearchStrategy[Replay]:
    """Games of at most 400 ticks, which begin with every slot at the first policy."""
    spec = minnow.envs.spec(env)
    ticks = st.lists(st.integers(0, 400), min_size=17, max_size=17).map(sorted)
    start = st.tuples(st.integers(0, 2**64 - 1), st.sampled_from((0.0, 0.3, 1.0)))

    def made(parts: tuple[tuple[int, float], list[GameInput], list[int]]) -> Replay:
        first, later, at = parts
        inputs = [
            GameInput.start(*first),
            GameInput.seat(0, 0, 1, spec.slots),
            GameInput.drive(0, 0, POLICY, spec.slots),
        ]
        inputs += [dataclasses.replace(entry, tick=tick) for entry, tick in zip(later, at, strict=False)]
        return Replay(spec.name, spec.source_hash, hashes, spec.heads, at[-1], tuple(inputs))

    return st.tuples(start, entries(env, len(hashes)), ticks).map(made)


@settings(max_examples=100, deadline=None)
@given(st.deferred(lambda: replays("pong", HASHES)))
def test_what_is_encoded_is_decoded(one: Replay) -> None:
    data = replay.encode(one)
    assert replay.decode(data) == one
    assert replay.encode(replay.decode(data)) == data


def test_the_page_of_the_format_has_the_words() -> None:
    text = (HERE.parent / "docs" / "replay.md").read_text()
    told = {int(number): words for number, words in re.findall(r"^\| (\d+) \| (.*) \|$", text, re.MULTILINE)}
    assert told == replay.messages()


def person(seconds: int = 60) -> Game:
    """A restless one at Pong: a key every eighth of a second, a parameter turned every second, a click, a takeover."""
    game, dice = Game("pong", [path.read_bytes() for path in policies_of("pong")], seed=7), random.Random(1)
    for tick in range(round(seconds * game.spec.tick_rate)):
        if tick == 60:
            game.drive(0, PERSON)
        if tick % 7 == 0:
            game.act(0, float(dice.randrange(3)))
        if tick % 60 < 10:
            param = dice.randrange(len(game.spec.param))
            low, high = game.spec.param[param].low, game.spec.param[param].high
            assert game.event(0, param, value=dice.uniform(low, high))
        if tick % 200 == 0:
            assert game.event(game.spec.gesture[0].kind, 0, 0, (dice.random(), dice.random(), 0.0))
        game.tick()
    return game


def test_a_minute_of_pong_is_small_and_plays_again() -> None:
    game = person()
    data = replay.encode(replay.of(game))
    assert len(data) <= 8192
    player = Player(replay.decode(data), "pong", [path.read_bytes() for path in policies_of("pong")])
    list(player.hashes())
    assert player.game.hash() == game.hash() and player.game.inputs == game.inputs


# ---- The reader in C, and what is refused.


@pytest.fixture(scope="module")
def reader() -> Callable[[Sequence[bytes], int], list[list[str]]]:
    """Reads and plays files under sanitizers: see replay.c."""
    made = options("pong")
    made["defines"] |= {"MINNOW_SCALAR": "1"}  # less to compile; every build computes the same
    program = compile.program([HERE / "replay.c"], cc="gcc", flags=[*WARNINGS, *SANITIZERS], **made)

    def read(files: Sequence[bytes], most: int) -> list[list[str]]:
        sent = b"".join(len(data).to_bytes(4, "little") + data for data in files)
        command = [str(program), str(most), *map(str, policies_of("pong"))]
        around = os.environ | {"ASAN_OPTIONS": "detect_leaks=0"}  # it frees nothing at its end
        done = subprocess.run(command, input=sent, capture_output=True, timeout=500, env=around)
        assert done.returncode == 0, done.stderr.decode()[-3000:]
        found = [line.split() for line in done.stdout.decode().splitlines()]
        assert len(found) == len(files)
        return found

    return read


def sealed(data: bytes) -> bytes:
    """With a checksum that is right."""
    return data[:-4] + zlib.crc32(data[:-4]).to_bytes(4, "little")


def fault(data: bytes) -> tuple[int, int, int]:
    """What Python finds: number, input and offset."""
    try:
        replay.decode(data)
    except MinnowError as error:
        assert error.number and str(error).startswith(replay.messages()[error.number])
        place = re.search(r"\(input (\d+), at byte (\d+)\)$", str(error))
        assert bool(place) == (error.number >= 30)
        return (error.number, int(place[1]), int(place[2])) if place else (error.number, 0, 0)
    return 0, 0, 0


def crc(one: Replay) -> str:
    """Of the inputs, as replay.c has it."""
    rows = [[entry.tick, entry.kind, entry.slot, *entry.values, *[0] * (9 - len(entry.values))] for entry in one.inputs]
    return f"{zlib.crc32(np.array(rows, '<u4').tobytes()):08x}"


@pytest.mark.parametrize("count", (2000, pytest.param(10_000, marks=pytest.mark.full)))
def test_every_truncation_and_mutation_is_refused_or_played(reader: Any, count: int) -> None:
    """In words, the same ones in C and Python, where the checksum is wrong, and where it is made right again."""
    whole = replay.encode(replay.of(person(2)))
    rng = np.random.default_rng(4)
    files = [
        whole,
        *(whole[:size] for size in range(len(whole))),
        *(sealed(whole[:size]) for size in range(4, len(whole))),
    ]
    for _ in range(count):
        data = bytearray(whole)
        for _ in range(rng.integers(1, 4)):
            at = int(rng.integers(len(data)))
            if rng.random() < 0.7:
                data[at] = rng.choice(
                    [int(rng.integers(256)), 0, 1, 0x7F, 0x80, 0xFF, data[at] ^ 1 << int(rng.integers(8))]
                )
            elif rng.random() < 0.5:
                data[at:at] = rng.bytes(int(rng.integers(1, 6)))
            else:
                del data[at : at + int(rng.integers(1, 6))]
        files.append(sealed(bytes(data)) if rng.random() < 0.9 else bytes(data))
    seen = set()
    for data, told in zip(files, reader(files, 20), strict=True):
        number, which, place = (int(word) for word in told[:3])
        seen.add(number)
        ours = fault(data)
        assert ours[0] == number and (number < 30 or ours == (number, which, place)), (ours, told)
        if number == 0:
            assert told[3] == crc(replay.decode(data))
    assert {0, 10, 11, 12, 14, 20, 21, 22, 23, 24, 25, 30, 31, 32, 33, 34, 35, 36, 37, 40} <= seen


def test_what_readers_refuse_is_what_the_page_says(reader: Any) -> None:
    """One file for each fault that chance seldom makes."""
    start, act = GameInput.start(1), GameInput.act(3, 0, 1.0)
    plain = Replay("pong", "00" * 32, (), 1, 5, (start, act))
    data = replay.encode(plain)
    before, after = data[:-7], data[-4:]  # the last input is three bytes: tick and kind, slot, value
    tail = lambda *values: sealed(before + bytes(values) + after)  # noqa: E731
    cases = {
        0: tail(3 << 3 | 3, 0, 4),
        13: sealed(data[:-4] + bytes(1 << 24) + after),
        32: tail(3 << 3 | 6, 0, 4),
        33: tail(6 << 3 | 3, 0, 4),
        34: tail(3 << 3 | 3, 0x80, 0x20, 4),
        36: tail(3 << 3 | 2, 0, 1, 4),
        35: tail(3 << 3 | 1, 0, 1, 1),
        37: tail(3 << 3 | 4, 0, 15, 0),
        38: tail(3 << 3 | 5, 2),
        40: tail(3 << 3 | 3, 0, 4, 0),
    }
    shortest = [
        tail(3 << 3 | 3, 0x80, 0x00, 4),  # a count with a byte that it does not need
        tail(3 << 3 | 3, 0, 1, 0, 0, 0x80, 0x3F),  # 1.0 as four bytes
        tail(3 << 3 | 3, 0, 1, 0, 0, 0x80, 0x7F),  # infinite
        tail(3 << 3 | 3, 0, 3),  # neither a whole number nor four bytes
        tail(3 << 3 | 3, 0, 0x84, 0x80, 0x80, 0x20),  # 2^24 + 1
    ]
    flags = [tail(3 << 3 | 4, 0, 16, 1, 0), tail(3 << 3 | 4, 0, 16, 2, 0, 0, 0), tail(3 << 3 | 4, 0, 16, 8, 0)]
    files = [*cases.values(), *shortest, *flags]
    wanted = [*cases, *[31] * len(shortest), *[37] * len(flags)]
    assert [fault(each)[0] for each in files] == wanted
    assert [int(told[0]) for told in reader(files, 10)] == wanted
    minus = Replay("pong", "00" * 32, (), 1, 5, (start, GameInput.act(3, 0, -0.0)))  # not the 0 that is a whole number
    assert replay.decode(replay.encode(minus)) == minus


def test_a_writer_refuses_what_a_reader_would() -> None:
    with pytest.raises(MinnowError, match="more than 16,777,216 ticks") as error:
        replay.encode(Replay("pong", "00" * 32, (), 1, 1 << 25, (GameInput.start(1),)))
    assert error.value.number == 24


# ---- The same game everywhere.


class Module:
    """The page's module of an environment, in a process of Node that waits for lists of inputs."""

    def __init__(self, env: str | Path, files: Sequence[Path]) -> None:
        module = wasm(env, files[0].read_bytes()) if files else wasm(env)
        command = ["node", HERE / "plays.mjs", module, *files]
        self.process = subprocess.Popen(
            list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def play(self, inputs: Sequence[GameInput], ticks: int, every: int = 100, **more: int) -> dict[str, Any]:
        sent = {"ticks": ticks, "every": every, "inputs": [(e.tick, e.kind, e.slot, e.values) for e in inputs], **more}
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(sent) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        self.process.communicate()


@pytest.fixture(scope="module", params=GAMES)
def both(request: pytest.FixtureRequest) -> Iterator[tuple[str, list[bytes], Module]]:
    env = request.param
    files = policies_of(env)
    module = Module(env, files)
    yield env, [path.read_bytes() for path in files], module
    module.close()


@pytest.mark.parametrize("count", (50, pytest.param(LONG, marks=pytest.mark.full)))
def test_lists_of_inputs_play_alike_natively_and_in_webassembly(
    both: tuple[str, list[bytes], Module], count: int
) -> None:
    env, policies, module = both

    @settings(max_examples=count, deadline=None, suppress_health_check=list(HealthCheck))  # pyright: ignore[reportArgumentType]
    @given(replays(env, HASHES))
    def alike(one: Replay) -> None:
        player = Player(one, env, policies)
        natively = list(player.hashes())
        assert module.play(one.inputs, one.ticks) == {"hashes": natively, "actions": [], "taken": len(one.inputs)}
        assert player.game.ticks == one.ticks and len(natively) == one.ticks // 100

    alike()


@settings(max_examples=25, deadline=None)
@given(st.deferred(lambda: replays("pong", HASHES)), st.data())
def test_scrubbing_equals_playing_straight_through(one: Replay, data: st.DataObject) -> None:
    policies = [path.read_bytes() for path in policies_of("pong")]
    straight, player = [], Player(one, "pong", policies)
    snapshots = [(player.entered, player.game.state)]
    for _ in range(one.ticks):
        player.tick()
        straight.append(player.game.hash())
        snapshots.append((player.entered, player.game.state))
    for tick in data.draw(st.lists(st.integers(0, one.ticks), max_size=6)):
        player.entered, player.game.state = snapshots[tick]
        for later in range(tick, min(tick + 40, one.ticks)):
            player.tick()
            assert player.game.hash() == straight[later]


# ---- At the command line.


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("replay") / "pong.replay"
    path.write_bytes(replay.encode(replay.of(person(5))))
    return path


def told(capsys: pytest.CaptureFixture[str], *argv: str | Path) -> tuple[int, dict[str, Any]]:
    status = main(["replay", *map(str, argv), "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_the_verb(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, found = told(capsys, file)
    game = person(5)
    assert status == 0 and found["env"] == "pong" and found["ticks"] == game.ticks and found["refused"] is None
    assert len(found["hashes"]) == game.ticks // 100
    assert told(capsys, file, "--ticks", "100")[1] == found | {"ticks": 100, "hashes": found["hashes"][:1]}
    assert main(["replay", str(file)]) == 0
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()[:-1]] == found["hashes"]


def test_what_cannot_be_played_is_told(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = replay.decode(file.read_bytes())
    spec, bad = minnow.envs.spec("pong"), GameInput.drive(2, 5, SCRIPT)
    for change, words_of_it in (
        ({"source_hash": "22" * 32}, f"other sources of pong .*{spec.source_hash[:12]}"),
        ({"env": "pnog"}, "did you mean pong"),
        ({"env": "./pong"}, "unknown environment"),
        ({"policies": (*one.policies[:2], "33" * 32)}, "SHA-256 333333333333… .*--policy"),
        ({"inputs": (one.inputs[0], bad), "ticks": 300}, r"does not take input 0 .*it has 2 slots"),
    ):
        path = tmp_path / "changed.replay"
        path.write_bytes(replay.encode(replace(one, **change)))
        status, found = told(capsys, path)
        assert status == 1 and re.search(words_of_it, found["refused"]), found
    path.write_bytes(file.read_bytes()[:-20])
    status, found = told(capsys, path)
    assert status == 1 and found["env"] is None and "cut short or damaged" in found["refused"]
    assert main(["replay", str(path)]) == 1 and "cut short or damaged" in capsys.readouterr().err
    assert told(capsys, tmp_path / "none")[1]["refused"].startswith("cannot read")


def test_policies_are_found_by_their_contents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In runs/, or where --policy says."""
    from minnow.cli.replay import find

    data = policies_of("pong")[0].read_bytes()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(shipped, "POLICIES", tmp_path / "none")
    game = Game("pong", data, seed=1)
    game.tick(20)
    path = tmp_path / "one.replay"
    path.write_bytes(replay.encode(replay.of(game)))
    with pytest.raises(MinnowError, match="neither given, nor shipped, nor in runs"):
        find(str(path))
    named = tmp_path / "mine.bin"
    named.write_bytes(data)
    assert find(str(path), policies=[str(named)]).policies == [data]
    (tmp_path / "runs" / "pong" / "a").mkdir(parents=True)
    shutil.move(named, tmp_path / "runs" / "pong" / "a" / "policy.minnow")
    assert find(str(path)).policies == [data]


def test_a_replay_is_filmed(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "one.gif"
    assert main(["record", "--replay", str(file), "-o", str(out), "--width", "64", "--fps", "5", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    game = person(5)
    assert found["pictures"] == 25 and found["score"] == game.score() and out.stat().st_size > 100


def test_the_window_watches_and_writes(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from minnow.cli.replay import find

    table = play.Table(minnow.envs.folder("pong"), None, 0, find(str(file)))
    for _ in range(120):
        table.tick()
    assert play.save(table, str(tmp_path / "watched")) is None  # there is a file of it
    hashed = table.game.hash()
    values = table.values
    assert values != {param.name: param.value for param in table.spec.param}  # the replay has turned some
    table.press(0, "r")
    for _ in range(120):
        table.tick()
    assert table.game.hash() == hashed and table.values == values
    table.take_over()
    table.game.act(0, 1.0)
    for _ in range(80):
        table.tick()
    where = play.save(table, str(tmp_path / "new" / "mine.replay"))
    assert where and f"minnow play pong --replay {where}" in capsys.readouterr().err
    again = find(where).player()
    list(again.hashes())
    assert again.game.hash() == table.game.hash()
    watched = play.Table(minnow.envs.folder("pong"), None, 0, find(str(file)))
    while watched.running:
        watched.tick()
    assert watched.game.ticks == sure(watched.player).replay.ticks and "is over" in watched.words()
