"""minnow.h on this machine, step by step in C, and the rates that bound it."""

from __future__ import annotations

import ctypes
import functools
import platform
import time
from pathlib import Path

import numpy as np

from minnow.cinfer import compile
from minnow.cinfer.errors import MinnowError
from minnow.cinfer.policy import ffi, isas, load

HERE = Path(__file__).resolve().parent
X86 = {"plain": "x86-64", "sse2": "x86-64", "avx2": "x86-64-v3", "avx512": "x86-64-v4"}  # -march of an instruction set


@functools.cache
def loops(isa: str) -> ctypes.CDLL:
    """`loops.c` for an instruction set."""
    plain = isa == "plain"
    flags = [f"-march={X86[isa]}"] if platform.machine() in ("x86_64", "AMD64") else []
    flags += ["-fno-tree-vectorize", "-fno-tree-slp-vectorize"] if plain else []
    defines = {"BENCH_PLAIN": None} if plain else {}
    made = ctypes.CDLL(str(compile.shared(HERE / "loops.c", defines=defines, flags=flags, name=f"loops-{isa}")))
    made.bench_multiply.restype = made.bench_read.restype = ctypes.c_float
    made.bench_steps.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint32]
    return made


class Loop:
    """One of the two loops, `multiply` or `read`. `amount`: what one time does, in operations or bytes."""

    def __init__(self, isa: str, kind: str) -> None:
        c = loops(isa)
        self._run = getattr(c, f"bench_{kind}")
        self.amount: int = (c.bench_flops if kind == "multiply" else c.bench_bytes)()

    def run(self, times: int) -> float:
        """Seconds of so many times."""
        start = time.perf_counter()
        self._run(times)
        return time.perf_counter() - start


class Steps:
    """A session of a policy without actions that steps on one observation."""

    def __init__(self, policy: bytes, obs: np.ndarray, isa: str, exact: bool) -> None:
        self._policy = load(policy, isa=None if isa == isas()[-1] else isa)  # the best one as sessions choose it
        self._session = self._policy.session(len(obs), exact=exact)
        self._obs = np.ascontiguousarray(obs)
        self._inputs = ffi().new("void *[]", [ffi().cast("void *", self._obs.ctypes.data)])
        self._step, self._at, self._from = (
            int(ffi().cast("uintptr_t", item))
            for item in (
                ffi().addressof(self._policy.c, "minnow_step_inputs"),
                self._session.at,
                self._inputs,
            )
        )
        self._steps = loops(isa).bench_steps

    def run(self, times: int) -> float:
        """Seconds of so many steps."""
        start = time.perf_counter()
        code = self._steps(self._step, self._at, self._from, times)
        seconds = time.perf_counter() - start
        if code:
            raise MinnowError(f"error {code} in a step.", code)
        return seconds

    def output(self) -> np.ndarray:
        """The first output of one more step, [agents, ...]."""
        return self._session.step(self._obs).outputs[0]
