"""How fast an environment steps, compiled for one instruction set: natively, or as WebAssembly in Node."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from minnow import cinfer
from minnow.bench import hosts
from minnow.cinfer import binding, compile
from minnow.cinfer.errors import MinnowError
from minnow.envs.find import OURS, folder
from minnow.envs.spec import FLAGS, source

HERE = Path(__file__).resolve().parent
WASM = "wasm"
LEVELS = {"x86-64-v2": "sse2", "x86-64-v3": "avx2", "x86-64-v4": "avx512"}  # and what minnow.h calls such a machine


def isas() -> list[str]:
    """What environments can be compiled for and run here: the levels of x86-64 (elsewhere `native`), and `wasm`."""
    have = set(cinfer.isas())
    return [*([level for level, isa in LEVELS.items() if isa in have] or ["native"]), WASM]


class Pace(Protocol):
    """About so many agents as were asked for, in one thread, with random actions. steps: agent-steps of one time."""

    steps: int

    def run(self, times: int) -> float:
        """Seconds of so many times."""
        ...

    def hash(self) -> int:
        """32 bits of all states and observations, the same for every instruction set after equally many times."""
        ...


def make(
    env: str | Path,
    isa: str,
    agents: int,
    node: hosts.Node,
    params: Mapping[str, float] | None = None,
    randomize: float = 0.0,
) -> Pace:
    """An environment, by its name or folder, with `params` in place of their defaults, compiled for `isa`, one of
    `isas()`; WebAssembly runs in `node`. Raises MinnowError where a compiler is missing or there is no memory."""
    name = folder(env).name
    defines = {"ENV_SOURCE": f'"{source(env)}"', "ENV_ROWS": 1, "PACE_AGENTS": agents}
    defines["PACE_PARAMS"] = "".join(
        f"param[P_{key}]=(float){float(value)!r};" for key, value in (params or {}).items()
    )
    defines["PACE_RANDOMIZE"] = f"(float){float(randomize)!r}"
    made = _Wasm(name, defines, agents, node) if isa == WASM else _Native(name, defines, isa)
    if not made.steps:
        raise MinnowError(f"no memory for {agents} agents of {name}: take fewer (--agents).")
    return made


class _Native:
    def __init__(self, name: str, defines: compile.Defines, isa: str) -> None:
        # What instructions there are is all that differs: they are ordered for this machine.
        flags = [] if isa == "native" else [f"-march={isa}", "-mtune=native"]
        defines = {**defines, "_POSIX_C_SOURCE": "200809L"}
        made = compile.shared(
            [HERE / "pace.c"], defines=defines, include=[OURS], flags=[*FLAGS, *flags], name=f"pace_{name}"
        )
        self._c = binding.load(made, HERE / "pace.c").c
        self.steps: int = self._c.pace_start()

    def run(self, times: int) -> float:
        start = time.perf_counter()
        self._c.pace_run(times)
        return time.perf_counter() - start

    def hash(self) -> int:
        return self._c.pace_hash()


class _Wasm:
    def __init__(self, name: str, defines: compile.Defines, agents: int, node: hosts.Node) -> None:
        names = {"amount": "pace_start", "body": "pace_run", "result": "pace_hash"}
        flags = [flag for flag in FLAGS if flag != "-pthread"]
        room = {"memory": (64 << 20) + (agents << 14), "name": f"pace_{name}"}  # 16 KB an agent
        made = compile.wasm(
            [HERE / "pace.c"], exports=names.values(), defines=defines, include=[OURS], flags=flags, **room
        )
        self._item = hosts.Item(node, "loop", f"pace {name}", module=node.add(made), **names)
        self.steps = self._item.amount

    def run(self, times: int) -> float:
        return self._item.run(times)

    def hash(self) -> int:
        return self._item.host.ask("output", key=self._item.key)["output"][0] % 2**32
