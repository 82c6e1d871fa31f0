"""A process that steps some of a vector's foreign environments.

It is told what to do through a socket, a letter a step, and answers with a letter; numbers go by shared memory. Where
the socket closes it ends, so it never outlives who started it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import traceback
from dataclasses import asdict
from typing import Any

import numpy as np

from minnow.cinfer.errors import MinnowError

STEP, RESET, DRAW, DONE, SAID, FAULT = b"s", b"r", b"d", b".", b"+", b"!"
LINES = 12  # of a traceback that are shown


def send(channel: socket.socket, kind: bytes, text: bytes = b"") -> None:
    """A letter; with some, a length and bytes after it."""
    channel.sendall(kind if kind in (STEP, RESET, DRAW, DONE) else kind + len(text).to_bytes(8, "little") + text)


def receive(channel: socket.socket) -> tuple[bytes, bytes]:
    """What `send` sent. Raises EOFError where the other end is gone."""
    kind = _exactly(channel, 1)
    if kind in (STEP, RESET, DRAW, DONE):
        return kind, b""
    return kind, _exactly(channel, int.from_bytes(_exactly(channel, 8), "little"))


def _exactly(channel: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        try:
            part = channel.recv(count - len(found))
        except ConnectionError:
            part = b""
        if not part:
            raise EOFError
        found += part
    return found


def serve(channel: socket.socket) -> None:
    """Makes the environments it is told of, and steps them until the socket closes."""
    told = json.loads(receive(channel)[1])
    sys.path[:] = told["path"]
    import gymnasium

    from .games import Slice, described, game
    from .memory import Shared
    from .reference import reference
    from .vector import Frame, declared

    ref = reference(told["name"])
    assert ref is not None
    made: list[Any] = []
    doing = "could not be made"
    try:
        first, count = told["first"], told["count"]
        made = [game(ref, told["params"], told["render"], told["randomize"]) for _ in range(count)]
        if told["memory"] is None:
            doing = "failed in its first step"
            made[0].probe(0)
            fields = described(ref, made[0])
            send(channel, SAID, json.dumps(fields, default=asdict).encode())
            return
        spec = declared(told["spec"])
        array = Shared(Frame(spec, told["num_envs"]), told["memory"]).array
        for i, one in enumerate(made, first):
            one.masked, one.success = spec.masked, spec.has_success
            one.progress = (told["shaping"], told["gamma"]) if told["shaping"] != "none" else None
            one.attach(Slice(array, i, spec.agents))
        rows = slice(first * spec.agents, (first + count) * spec.agents)
        cleared = [array[name][rows] for name in ("reward", "terminated", "truncated", "reset")]
        cleared.append(array["over"][first : first + count])
        action, agents, number = array["action"][rows], spec.agents, first
        send(channel, DONE)
        while True:
            kind, _ = receive(channel)
            if kind == STEP:
                doing = "failed in step()"
                for leaf in cleared:
                    leaf[:] = 0
                given = action.tolist()
                for number, one in enumerate(made, first):
                    at = (number - first) * agents
                    one.step(given[at : at + agents])
            elif kind == RESET:
                doing = "failed in reset()"
                for number, one in enumerate(made, first):
                    one.begin(_seed(told["seed"], int(array["index"][number]), int(array["episodes"][number])))
            else:
                doing = "failed in render()"
                picture = made[0].picture()
                send(channel, SAID, np.array(picture.shape, "<u4").tobytes() + picture.tobytes())
                continue
            send(channel, DONE)
    except MinnowError as error:
        send(channel, FAULT, str(error).encode())
    except gymnasium.error.Error as error:
        send(channel, FAULT, f"{ref} {doing}: {error}".encode())
    except EOFError:
        pass
    except Exception as error:
        send(channel, FAULT, _words(f"{ref} {doing}", error).encode())
    finally:
        for one in made:
            with contextlib.suppress(Exception):
                one.env.close()


def _seed(seed: int, index: int, episode: int) -> int:
    """31 bits, which everybody takes: of the stream (seed, index), from an episode on."""
    return int(np.random.SeedSequence((seed, index, episode)).generate_state(1)[0] >> 1)


def _words(what: str, error: Exception) -> str:
    """The end of a traceback, without what is ours."""
    lines = "".join(traceback.format_exception(error)).strip().splitlines()
    return f"{what}: {type(error).__name__}: {error}\n  " + "\n  ".join(lines[-LINES:])


if __name__ == "__main__":
    os.dup2(2, 1)  # what environments print is no figure of ours
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        serve(socket.socket(fileno=int(sys.argv[1])))
