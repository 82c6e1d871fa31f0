"""Foreign environments in processes, as rows: what `envs.Vector` is to those in C.

Environment i plays the stream (seed, first_index + i): its first reset has a seed made of it, later ones go on from
there, and results do not depend on how many processes there are. What cannot be saved is an environment's state: after
`load` it plays new episodes of its stream."""

from __future__ import annotations

import functools
import json
import os
import secrets
import signal
import socket
import struct
import subprocess
import sys
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from minnow.cinfer.errors import MinnowError

from ..spec import Field, Group, Head, Param, Spec
from ..vector import ABSENT, Buffers, Rows
from . import worker
from .memory import Shared
from .reference import Foreign

WORDS = ("terminated", "truncated", "alive", "reset")
EPISODES = struct.Struct("<q")  # what is saved of an environment
PATIENCE = 5.0  # seconds that a process gets to close its environments


@dataclass(frozen=True)
class ForeignSpec(Spec):
    """threshold: the mean return from which its author calls it solved; None: he says nothing."""

    threshold: float | None = None

    @property
    def foreign(self) -> bool:
        return True


def declared(told: Mapping[str, Any]) -> ForeignSpec:
    """From `games.described`, read from JSON."""
    group = tuple(
        Group(**{**row, "shape": tuple(row["shape"]), "fields": tuple(Field(**field) for field in row["fields"])})
        for row in told["group"]
    )
    head = tuple(Head(**{**row, "labels": tuple(row["labels"])}) for row in told["head"])
    given = {**told, "group": group, "head": head, "param": tuple(Param(**row) for row in told["param"])}
    return ForeignSpec(
        slots=told["agents"],
        shapes=0,
        idle=(0,) * len(head),
        action_repeat=1,
        has_script=False,
        score_low=-np.inf,
        score_high=np.inf,
        view_width=0.0,
        view_height=0.0,
        three_d=False,
        control=(),
        gesture=(),
        **given,
    )


@functools.cache
def spec(ref: Foreign) -> ForeignSpec:
    """What a foreign environment declares, found out in a process of its own. Raises MinnowError where it cannot be
    had or learned."""
    with Process(ref, None, 1, {}) as one:
        return declared(json.loads(one.answer()))


class Frame(Rows):
    """The numbers of rows alone, for the shapes of memory."""

    def __init__(self, spec: Spec, num_envs: int) -> None:
        self.spec, self.num_envs, self.agents, self.rows = spec, num_envs, spec.agents, num_envs * spec.agents


class Process:
    """One of a vector's, from the environment `first` on `count` of them."""

    def __init__(self, ref: Foreign, memory: int | None, count: int, told: dict[str, Any], first: int = 0) -> None:
        self.name, self.first, self.count = ref.name, first, count
        self.channel, theirs = socket.socketpair()
        given = [theirs.fileno()] if memory is None else [theirs.fileno(), memory]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "minnow.envs.foreign.worker", str(theirs.fileno())],
            pass_fds=given,
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for who started it
            env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        theirs.close()
        path = [str(Path.cwd()), *filter(None, sys.path)]
        common = {"name": ref.name, "memory": memory, "path": path, "first": first, "count": count}
        text = {"params": {}, "render": False, "randomize": 0.0} | told | common
        worker.send(self.channel, worker.SAID, json.dumps(text).encode())

    def answer(self) -> bytes:
        """What it says. Raises MinnowError for what it could not do, and where it died."""
        try:
            kind, text = worker.receive(self.channel)
        except EOFError:
            raise self._died() from None
        if kind == worker.FAULT:
            raise MinnowError(text.decode())
        return text

    def ask(self, what: bytes) -> None:
        try:
            self.channel.sendall(what)
        except ConnectionError:
            raise self._died() from None

    def _died(self) -> MinnowError:
        status = self.process.wait()
        last = self.first + self.count - 1
        what = signal.Signals(-status).name if status < 0 else f"exit status {status}"
        return MinnowError(
            f"{self.name}: the process of environments {self.first} to {last} died ({what}); what it said, if "
            "anything, is above. It was not Minnow that ended it: look for the fault in the environment."
        )

    def close(self) -> None:
        self.channel.close()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class ForeignVector(Rows):
    """`num_envs` foreign environments in `threads` processes. The other options are those of `envs.Vector`, of which
    most are for environments in C alone. render: they draw (`picture`)."""

    def __init__(
        self,
        ref: Foreign,
        num_envs: int,
        *,
        seed: int | None = None,
        first_index: int = 0,
        agents: int | None = None,
        threads: int = 1,
        randomize: float = 0.0,
        shaping: str = "none",
        gamma: float = 1.0,
        script_skill: Any = None,
        params: Mapping[str, float] | None = None,
        render: bool = False,
    ) -> None:
        self.spec = spec(ref)
        check(self.spec, agents, randomize, shaping, params or {})
        self.num_envs, self.agents, self.rows = num_envs, self.spec.agents, num_envs * self.spec.agents
        self._shared = Shared(self)
        self.move(first_index)
        told = {
            "spec": json.loads(json.dumps(_described(self.spec))),
            "num_envs": num_envs,
            "seed": secrets.randbits(63) if seed is None else seed,
            "params": dict(params or {}),
            "render": render,
            "randomize": randomize,
            "shaping": shaping,
            "gamma": gamma,
        }
        count = max(1, min(threads, num_envs))
        ends = [num_envs * i // count for i in range(count + 1)]
        memory = self._shared.file
        self._workers = [Process(ref, memory, b - a, told, a) for a, b in pairwise(ends)]
        self._finalizer = weakref.finalize(self, _close, self._workers, memory)
        for one in self._workers:
            one.answer()

    def move(self, first_index: int) -> None:
        self._shared.array["index"][:] = np.arange(first_index, first_index + self.num_envs)
        self._shared.array["episodes"][:] = 0

    def reset(self, buffers: Buffers) -> None:
        self._all(worker.RESET)
        self._give(buffers, ("alive", "reset"))

    def step(self, buffers: Buffers) -> None:
        self._shared.array["action"][:] = buffers.action
        self._all(worker.STEP)
        self._give(buffers, ("reward", "terminated", "truncated", "alive", "reset", "over"))
        array = self._shared.array
        ended = array["terminated"] | array["truncated"]
        if ended.any():
            for name in ("record", *(f"final_obs.{group.name}" for group in self.spec.group)):
                target = _target(buffers, name)
                if target.shape != ABSENT.shape:
                    target[ended] = array[name][ended]

    def save(self, i: int) -> bytes:
        return EPISODES.pack(int(self._shared.array["episodes"][i]))

    def load(self, i: int, saved: bytes) -> None:
        self._shared.array["episodes"][i] = EPISODES.unpack(saved)[0]

    def picture(self) -> np.ndarray:
        """Environment 0 as it is, [height][width][3] u8. Raises MinnowError where it does not draw."""
        self._workers[0].ask(worker.DRAW)
        text = self._workers[0].answer()
        return np.frombuffer(text, np.uint8, offset=12).reshape(np.frombuffer(text[:12], "<u4"))

    @property
    def pids(self) -> list[int]:
        return [one.process.pid for one in self._workers]

    def close(self) -> None:
        """Ends the processes; without it they end with the vector."""
        self._finalizer()

    def _all(self, what: bytes) -> None:
        for one in self._workers:
            one.ask(what)
        for one in self._workers:
            one.answer()

    def _give(self, buffers: Buffers, names: tuple[str, ...]) -> None:
        masked = ("mask",) if self.spec.masked else ()
        for name in (*names, *masked, *(f"obs.{group.name}" for group in self.spec.group)):
            target = _target(buffers, name)
            if target.shape != ABSENT.shape:
                target[...] = self._shared.array[name]


def _target(buffers: Buffers, name: str) -> np.ndarray:
    name, _, group = name.partition(".")
    found = getattr(buffers, name)
    return found.get(group, ABSENT) if isinstance(found, Mapping) else found


def _close(workers: list[Process], memory: int) -> None:
    for one in workers:
        one.channel.close()  # all at once
    for one in workers:
        one.close()
    os.close(memory)


def _described(spec: ForeignSpec) -> dict[str, Any]:
    """What `declared` takes."""
    told = spec.to_json()
    derived = ("slots", "shapes", "idle", "action_repeat", "has_script", "score_low", "score_high", "view_width",
               "view_height", "three_d", "control", "gesture")  # fmt: skip
    return {name: value for name, value in told.items() if name not in derived}


def check(spec: Spec, agents: int | None, randomize: float, shaping: str, params: Mapping[str, float]) -> None:
    """Raises MinnowError for what this environment cannot do."""
    if agents not in (None, spec.agents):
        raise MinnowError(f"{spec.name} has {spec.agents} agents, and all are driven: there is no script for others.")
    if randomize and not any(param.kind == "physics" for param in spec.param):
        raise MinnowError(
            f"{spec.name} is not in C, so Minnow cannot draw its parameters anew at each reset: leave out --randomize, "
            "or let the environment do it."
        )
    if shaping != "none" and not spec.has_potential:
        raise MinnowError(f"{spec.name} has no potential that could be added to rewards: leave out --train.shaping.")
    for name, value in params.items():
        spec.check(name, value)
