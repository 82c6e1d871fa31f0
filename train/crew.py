"""The processes of one machine that train together: forked from one that has everything loaded, which then watches them
and begins anew when one dies."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from minnow.cinfer.errors import MinnowError

RESTARTS = 3
PATIENCE = 10.0  # seconds that processes get to end by themselves
GRACE = 1.0  # in which one that fails because another has is ended, before it adds words that tell nothing
PR_SET_PDEATHSIG = 1  # sys/prctl.h
# What ends a training with a checkpoint: Ctrl-C, kill, a terminal that closes, and what schedulers send ahead of time.
ENDING = tuple(signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1") if hasattr(signal, name))


def cores() -> int:
    """Processors that this process may use: so many processes train fastest."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def together(count: int, call: Callable[..., Any], *given: Any, restarts: int = RESTARTS) -> Any:
    """What `call(*given)` returns to the first of `count` processes; in each of them group.join() finds the others.

    The signals of ENDING are handed on to all. A MinnowError in any of them is raised here. Where one dies without a
    word all are started again, at most `restarts` times, with TORCHELASTIC_RESTART_COUNT counted up as torchrun does;
    after that, MinnowError."""
    for attempt in range(restarts + 1):
        with signals() as caught:
            crew, patience = _start(count, attempt, call, given), 0.0
            try:
                answer = _answer(crew, caught)
                patience = PATIENCE
                return answer
            except EOFError:
                if caught:  # before it could heed it
                    raise SystemExit(128 + caught[0]) from None
            finally:
                for process, pipe in crew:
                    process.join(patience)
                    process.kill()
                    process.join()
                    pipe.close()
    raise MinnowError(f"one of {count} processes died, {restarts + 1} times: what it said is above.")


def _start(
    count: int, attempt: int, call: Callable[..., Any], given: tuple[Any, ...]
) -> list[tuple[BaseProcess, Connection]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    context = multiprocessing.get_context("fork")
    common = {"WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    common |= {"TORCHELASTIC_RESTART_COUNT": attempt}
    crew = []
    for rank in range(count):
        here, there = context.Pipe(duplex=False)
        variables = {name: str(value) for name, value in (common | {"RANK": rank, "LOCAL_RANK": rank}).items()}
        process = context.Process(target=_work, args=(os.getpid(), variables, there, call, given))
        process.start()
        there.close()  # so that the end of the process is the end of what can be read
        crew.append((process, here))
    return crew


def _work(parent: int, variables: dict[str, str], pipe: Connection, call: Callable[..., Any], given: Any) -> None:
    """In one of the processes."""
    os.setsid()  # Ctrl-C comes from the parent, once: a second one would not let it save
    for number in ENDING:
        signal.signal(number, signal.SIG_DFL)
    die_with_parent()
    if os.getppid() != parent:
        return
    os.environ.update(variables)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)  # a pool of the parent's has no threads here, and would be waited for
    try:
        pipe.send((True, call(*given)))
    except MinnowError as error:
        pipe.send((False, str(error)))
    except Exception:
        time.sleep(GRACE)
        raise


def _answer(crew: list[tuple[BaseProcess, Connection]], caught: list[int]) -> Any:
    """Of the first process, once all have answered. EOFError: one died."""
    open_, answer, told = [pipe for _, pipe in crew], None, False
    while open_:
        ready = wait(open_, timeout=0.05)
        for pipe in [pipe for pipe in open_ if pipe in ready]:
            good, words = pipe.recv()
            if not good:
                raise MinnowError(words)
            answer = words if pipe is crew[0][1] else answer
            open_.remove(pipe)
        if caught and not told:
            told = True
            for pid in (process.pid for process, _ in crew if process.pid is not None):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, caught[0])
    return answer


@contextlib.contextmanager
def signals() -> Iterator[list[int]]:
    """Collects the signals of ENDING, so that training ends between two updates; a second one acts at once. SIGHUP
    stays ignored under nohup."""
    caught: list[int] = []
    before: dict[int, Any] = {}

    def handler(number: int, frame: object) -> None:
        caught.append(number)
        for other, old in before.items():
            signal.signal(other, old)

    try:
        for number in ENDING:
            if number == getattr(signal, "SIGHUP", None) and signal.getsignal(number) is signal.SIG_IGN:
                continue
            before[number] = signal.signal(number, handler)
    except ValueError:  # not the main thread: its signals are somebody else's
        pass
    try:
        yield caught
    finally:
        for number, old in before.items():
            signal.signal(number, old)
