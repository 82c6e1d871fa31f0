"""One interleaved run: every back end in turn, many rounds, and the limits in between."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from minnow import cinfer
from minnow.bench import hosts, native
from minnow.bench.infer import nets, runners
from minnow.cinfer import wasm
from minnow.cinfer.errors import MinnowError
from minnow.export import ExportError

TRIES = 20  # of each of the limit's two rates
WARM_UP = 0.3  # s; engines compile what runs often a second time
NEAR = 1e-4  # most that outputs may differ from torch's, relative to the largest
EXACT, FAST = "exact", "fast"


class Timed(Protocol):
    def run(self, times: int) -> float: ...
    def output(self) -> np.ndarray: ...


@dataclass(frozen=True)
class Series:
    """Who computes: one line in a picture."""

    backend: str
    host: str
    isa: str
    mode: str


@dataclass
class Rate:
    """The best of many tries of a loop. best: operations or bytes a second."""

    loop: Any
    best: float = 0.0
    times: int = 1

    def measure(self) -> None:
        while (seconds := self.loop.run(self.times)) < 1e-3:
            self.times *= 2
        self.best = max(self.best, self.loop.amount * self.times / seconds)


@dataclass
class Choice:
    """What to measure; an empty list means all."""

    net: Sequence[str] = ()
    agents: Sequence[int] = (1, 64, 1024)
    backend: Sequence[str] = ()
    host: Sequence[str] = ()
    isa: Sequence[str] = ()
    mode: Sequence[str] = ()
    rounds: int = 31
    batch: float = 0.001  # s that a back end runs for in each round, or one step

    def series(self) -> list[Series]:
        isas = cinfer.isas()[::-1]
        modes = (FAST, EXACT)
        found = [Series("minnow", "native", isa, mode) for isa in isas for mode in modes]
        found += [Series(name, "native", isas[0], FAST) for name in ("onnxruntime", "torch")]
        for host in ("node", "chromium"):
            found += [Series("minnow", host, "simd128", mode) for mode in modes]
            found.append(Series("onnxruntime-web", host, "simd128", FAST))
        return [item for item in found if self._has(item)]

    def _has(self, item: Series) -> bool:
        return all(not (want := getattr(self, key)) or getattr(item, key) in want for key in vars(item))


def rows(choice: Choice, folder: Path) -> list[dict[str, Any]]:
    """Measures, with files in `folder`, and returns a row a network, number of agents and series."""
    series = choice.series()
    if not series:
        raise MinnowError("nothing is left to measure: no back end is of that host, instruction set and mode.")
    with ExitStack() as stack:
        places: dict[str, hosts.Host] = {}
        web = hosts.onnxruntime_web() if any(item.backend == "onnxruntime-web" for item in series) else None
        for kind in (hosts.Node, hosts.Chromium):
            if any(item.host == kind.name for item in series):
                place = folder / kind.name
                place.mkdir()
                places[kind.name] = kind(place, web)
                stack.callback(places[kind.name].close)
        exported = [net for name in choice.net or nets.KINDS if (net := _export(name, folder))]
        cells = [(net, agents) for net in exported for agents in choice.agents]
        rates = _rates(series, places)
        tries = -(-TRIES // max(len(cells), 1))
        found: list[tuple[nets.Net, int, Series, list[float]]] = []
        for net, agents in cells:
            for _ in range(tries):
                for pair in rates.values():
                    for rate in pair:
                        rate.measure()
            print(f"net {net.name}, {agents} agent{'s' * (agents > 1)}", file=sys.stderr, flush=True)
            found += [(net, agents, *each) for each in _cell(net, agents, series, places, choice)]
    return [_row(net, agents, item, seconds, rates) for net, agents, item, seconds in found]


def _export(name: str, folder: Path) -> nets.Net | None:
    try:
        return nets.make(name, folder)
    except ExportError as error:
        print(f"net {name} is left out: {error}", file=sys.stderr)
        return None


def _rates(series: Sequence[Series], places: dict[str, hosts.Host]) -> dict[tuple[str, str], tuple[Rate, Rate]]:
    """The rates of multiply-adds and of reading, for each host and instruction set."""

    def loop(host: str, isa: str, kind: str) -> Rate:
        if host == "native":
            return Rate(native.Loop(isa, kind))
        names = {"body": f"bench_{kind}", "amount": "bench_flops" if kind == "multiply" else "bench_bytes"}
        return Rate(hosts.Item(places[host], "loop", kind, module=places[host].add(hosts.loops()), **names))

    return {
        (host, isa): (loop(host, isa, "multiply"), loop(host, isa, "read"))
        for host, isa in dict.fromkeys((item.host, item.isa) for item in series)
    }


def _cell(
    net: nets.Net, agents: int, series: Sequence[Series], places: dict[str, hosts.Host], choice: Choice
) -> Iterator[tuple[Series, list[float]]]:
    """Each series with its seconds a step in every round."""
    reference = runners.Torch(net, agents).output()
    with ExitStack() as stack:
        made = [stack.enter_context(_runner(item, net, agents, places)) for item in series]
        for item, runner in zip(series, made, strict=True):
            _compare(item, runner.output(), reference)
        times = [
            _warm(runner, choice.batch, (60 if item.host == "native" else 300) * choice.batch)
            for item, runner in zip(series, made, strict=True)
        ]
        seconds: list[list[float]] = [[] for _ in made]
        for _ in range(choice.rounds):
            for runner, count, into in zip(made, times, seconds, strict=True):
                into.append(runner.run(count) / count)
    yield from zip(series, seconds, strict=True)


@contextmanager
def _runner(item: Series, net: nets.Net, agents: int, places: dict[str, hosts.Host]) -> Iterator[Timed]:
    if item.backend == "torch":
        yield runners.Torch(net, agents)
    elif item.backend == "onnxruntime":
        yield runners.Onnx(net, agents)
    elif item.host == "native":
        yield native.Steps(net.policy, net.obs(agents), item.isa, item.mode == EXACT)
    else:
        host, obs = places[item.host], f"{net.name}-{agents}.bin"
        (host.folder / obs).write_bytes(net.obs(agents).tobytes())
        key = f"{item.backend} {item.mode}"
        if item.backend == "minnow":
            policy = cinfer.load(net.policy)
            (host.folder / f"{net.name}.minnow").write_bytes(net.policy)
            count = agents * int(np.prod(policy.outputs[0].shape))
            flags = 0 if item.mode == EXACT else policy.c.MINNOW_FAST
            command = {"policy": f"{net.name}.minnow", "flags": flags, "count": count, "agents": agents}
            made = hosts.Item(host, "minnow", key, module=host.add(wasm.module()), obs=obs, **command)
        else:
            (host.folder / f"{net.name}.onnx").write_bytes(net.model)
            states = [{"name": f"state.{i}", "shape": list(leaf.shape)} for i, leaf in enumerate(net.state(agents))]
            shape = list(net.obs(agents).shape)
            made = hosts.Item(host, "onnx", key, model=f"{net.name}.onnx", obs=obs, shape=shape, states=states)
        yield made
        made.close()


def _compare(item: Series, found: np.ndarray, reference: np.ndarray) -> None:
    off = np.abs(found.reshape(-1) - reference.reshape(-1)).max() / max(1.0, np.abs(reference).max())
    if not off <= NEAR:
        raise MinnowError(f"{item.backend} ({item.host}, {item.isa}, {item.mode}) is {off:.1e} from torch.")


def _warm(runner: Timed, batch: float, least: float) -> int:
    """Lets a runner settle for `least` seconds; returns how many of its steps take about `batch` seconds."""
    spent, times = 0.0, 1
    while True:
        seconds = runner.run(times)
        spent += seconds
        if seconds < batch / 2:
            times *= 2
        elif spent > min(WARM_UP, least):
            return max(1, round(times * batch / seconds))


def _row(
    net: nets.Net,
    agents: int,
    item: Series,
    seconds: list[float],
    rates: dict[tuple[str, str], tuple[Rate, Rate]],
) -> dict[str, Any]:
    multiply, read = rates[item.host, item.isa]
    median = statistics.median(seconds)
    limit = max(net.flops * agents / multiply.best, net.bytes / read.best)
    low, high = np.quantile(seconds, [0.25, 0.75])
    return {
        "net": net.name,
        "agents": agents,
        "backend": item.backend,
        "host": item.host,
        "isa": item.isa,
        "mode": item.mode,
        "us": _figure(median * 1e6),
        "gflops": _figure(net.flops * agents / median / 1e9),
        "limit_us": _figure(limit * 1e6),
        "ratio_to_limit": _figure(limit / median),
        "us_best": _figure(min(seconds) * 1e6),
        "us_quartiles": [_figure(low * 1e6), _figure(high * 1e6)],
        "limit_gflops": _figure(multiply.best / 1e9),
        "limit_gbytes": _figure(read.best / 1e9),
    }


def _figure(x: float) -> float:
    """Four digits."""
    return float(f"{x:.4g}")
