"""`minnow bench load`: the time from a policy's bytes to its first action."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minnow import cinfer
from minnow.bench import Measured, Say, hosts, infer
from minnow.bench.infer import nets
from minnow.cinfer import wasm


@dataclass
class Options:
    """Measure the time from the bytes of a policy (and, in WebAssembly, of the module) to what its first step
    gives, for the networks of `minnow bench infer`. What Python adds to a native load counts too."""

    net: str = ""
    """Their letters, separated by commas; empty: all."""
    rounds: int = 31
    """Times that each is measured; the median counts."""


def measure(options: Options, say: Say) -> Measured:
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = {net: nets.make(net, folder) for net in infer.values("net", options.net) or nets.KINDS}
        for net in made.values():
            (folder / f"{net.name}.obs").write_bytes(net.obs(1).tobytes())
        places = {"native": None, "node": hosts.Node(folder), "chromium": hosts.Chromium(folder)}
        try:
            for host, place in places.items():
                for net in made.values():
                    once = _native(net) if place is None else _there(place, net.name)
                    times = sorted(once() for _ in range(max(1, options.rounds)))
                    rows.append({"net": net.name, "host": host, "ms": round(1e3 * statistics.median(times), 3)})
                    say(f"{host:<9} {net.name} {rows[-1]['ms']:8.3f} ms")
        finally:
            for place in filter(None, places.values()):
                place.close()
    return Measured(rows)


def _native(net: Any) -> Callable[[], float]:
    obs = net.obs(1)

    def once() -> float:
        start = time.perf_counter()
        cinfer.load(net.policy).session(1).step(obs)
        return time.perf_counter() - start

    return once


def _there(host: Any, net: str) -> Callable[[], float]:
    command = {"key": net, "module": host.add(wasm.module()), "policy": f"{net}.minnow", "obs": f"{net}.obs"}
    return lambda: host.ask("load", agents=1, flags=0, count=1, **command)["seconds"]
