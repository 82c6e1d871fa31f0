"""minnow.h on this machine, step by step in C, and the rates that bound it."""

from __future__ import annotations

import functools
import platform
import time
from pathlib import Path

import numpy as np

from minnow.cinfer import binding, compile
from minnow.cinfer.errors import MinnowError
from minnow.cinfer.policy import ffi, isas, load

HERE = Path(__file__).resolve().parent
X86 = {"plain": "x86-64", "sse2": "x86-64", "avx2": "x86-64-v3", "avx512": "x86-64-v4"}  # -march of an instruction set


@functools.cache
def loops(isa: str) -> binding.Library:
    """`loops.c` for an instruction set."""
    plain = isa == "plain"
    flags = [f"-march={X86[isa]}"] if platform.machine() in ("x86_64", "AMD64") else []
    flags += ["-fno-tree-vectorize", "-fno-tree-slp-vectorize"] if plain else []
    defines = {"BENCH_PLAIN": None} if plain else {}
    made = compile.shared(HERE / "loops.c", defines=defines, flags=flags, name=f"loops-{isa}")
    return binding.load(made, HERE / "loops.c")


class Loop:
    """One of the two loops, `multiply` or `read`. `amount`: what one time does, in operations or bytes."""

    def __init__(self, isa: str, kind: str) -> None:
        c = loops(isa).c
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
        step = ffi().addressof(self._policy.c, "minnow_step_inputs")
        made = loops(isa)
        self._steps = made.c.bench_steps
        self._given = (
            made.ffi.cast("int32_t (*)(void *, const void *const *, const uint8_t *)", step),
            self._session.at,
            made.ffi.cast("const void *const *", self._inputs),
        )

    def run(self, times: int) -> float:
        """Seconds of so many steps."""
        start = time.perf_counter()
        code = self._steps(*self._given, times)
        seconds = time.perf_counter() - start
        if code:
            raise MinnowError(f"error {code} in a step.", code)
        return seconds

    def output(self) -> np.ndarray:
        """The first output of one more step, [agents, ...]."""
        return self._session.step(self._obs).outputs[0]
