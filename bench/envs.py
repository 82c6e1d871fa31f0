"""`minnow bench envs`: how fast the environments step."""

from __future__ import annotations

import contextlib
import statistics
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from minnow import envs
from minnow.bench import Measured, Say, hosts, pace
from minnow.cinfer.errors import MinnowError

TRIES, SECONDS = 9, 0.25  # the median of so many tries of about so long
TURNS, TURN, WARM_UP = 31, 0.02, 0.3  # with --isa: so many turns of about so many seconds, after as long a start


@dataclass
class Options:
    """Measure how many agent-steps a second the environments make, with random actions drawn beforehand; observations,
    ends of episodes and resets included."""

    env: str = ""
    """Only this environment."""
    params: Annotated[Any, tyro.conf.arg(name="env")] = field(default=None, metadata={"flag": "env"})
    """Its parameters: where `env` is given, a dataclass of one number each."""
    randomize: float = 0.0
    """Draw each physics parameter from its nominal +- this fraction at each reset."""
    threads: int = 0
    """Threads in C. 0: once with 1 and once with 2."""
    agents: int = 2048
    """Agents stepped together, in as many environments as that takes: enough that a step takes tens of microseconds, so
    that two threads have something to share."""
    isa: bool = False
    """Compile each environment for x86-64-v2, v3 and v4, as far as the machine has them, and for WebAssembly in Node,
    and measure these beside each other in turn, one thread each, everything in C."""


def measure(options: Options, say: Say) -> Measured:
    """options.params: by name, those that are not at their defaults."""
    places = [envs.folder(options.env)] if options.env else envs.folders()
    if not 0 <= options.randomize <= 1:
        raise MinnowError(f"--randomize {options.randomize:g}: it must be 0 to 1.")
    world = {"params": options.params or {}, "randomize": options.randomize}
    if options.isa:
        return compare(places, options, say)
    rows = []
    for place in places:
        name = place.name
        for threads in [options.threads] if options.threads else [1, 2]:
            speed, per_cpu = steps_per_second(place, threads, options.agents, **world)
            rows.append({"env": name, "threads": threads, "steps_per_second": round(speed)})
            rows[-1]["steps_per_cpu_second"] = round(per_cpu)
            say(f"{name:<16} {threads} thread{'s' if threads > 1 else ' '} {speed / 1e6:8.2f} million steps a second")
    return Measured(rows)


def steps_per_second(name: str | Path, threads: int, agents: int, **world: Any) -> tuple[float, float]:
    """Agent-steps a second, and a second of processor time (which others on the machine disturb less): medians of
    several tries. world: the params and randomize of an envs.Vector."""
    slots = envs.spec(name).slots  # none is the script's, which may think for long
    vector = envs.Vector(name, max(1, agents // slots), seed=0, agents=slots, threads=threads, **world)
    made = vector.buffers()
    # What a trainer without shaping passes.
    made = replace(made, mask=made.mask if vector.spec.masked else envs.ABSENT, potential=envs.ABSENT)
    rounds = [replace(made, action=action) for action in random_actions(vector, 64)]
    vector.reset(made)

    def measure(repeats: int) -> tuple[float, float]:
        start, cpu = time.perf_counter(), time.process_time()
        for _ in range(repeats):
            for buffers in rounds:
                vector.step(buffers)
        return time.perf_counter() - start, time.process_time() - cpu

    once = min(measure(1)[0] for _ in range(5))
    repeats = max(1, round(SECONDS / once))
    wall, cpu = zip(*(measure(repeats) for _ in range(TRIES)), strict=True)
    steps = vector.rows * len(rounds) * repeats
    return steps / statistics.median(wall), steps / statistics.median(cpu)


def compare(places: list[Path], options: Options, say: Say) -> Measured:
    """`bench envs --isa`: each environment for each instruction set, a line an environment."""
    if options.threads > 1:
        raise MinnowError(f"--isa compares single threads, got --threads {options.threads}: leave one of them out.")
    if options.agents < 1:
        raise MinnowError(f"--agents {options.agents}: at least one agent must step.")
    isas, rows = pace.isas(), []
    say(f"{'':<12}" + "".join(f"{isa:>11}" for isa in isas) + "   million steps a second")
    for place in places:
        name, speeds = place.name, by_isa(place, isas, options)
        say(f"{name:<12}" + "".join(f"{speeds[isa][0] / 1e6:11.2f}" for isa in isas))
        for isa, (median, best) in speeds.items():
            rows.append({"env": name, "isa": isa, "steps_per_second": round(median)})
            rows[-1]["steps_per_second_best"] = round(best)
    return Measured(rows)


def by_isa(place: Path, isas: list[str], options: Options) -> dict[str, tuple[float, float]]:
    """Agent-steps a second for each instruction set: the median of its turns and the best, which others on the machine
    disturb less. Raises MinnowError where two builds play different games."""
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(hosts.Node(Path(folder))) as node:
        paces = {isa: pace.make(place, isa, options.agents, node, options.params, options.randomize) for isa in isas}
        for each in paces.values():
            each.run(1)
        played = {isa: f"{each.hash():08x}" for isa, each in paces.items()}
        if len(set(played.values())) > 1:
            hashes = ", ".join(f"{isa} {hash}" for isa, hash in played.items())
            raise MinnowError(
                f"{place.name} plays differently when compiled differently; hashes of its states: {hashes}."
            )
        times = {isa: settle(each) for isa, each in paces.items()}
        seconds: dict[str, list[float]] = {isa: [] for isa in isas}
        for _ in range(TURNS):
            for isa, each in paces.items():
                seconds[isa].append(each.run(times[isa]) / times[isa])
    return {isa: (paces[isa].steps / statistics.median(s), paces[isa].steps / min(s)) for isa, s in seconds.items()}


def settle(each: pace.Pace) -> int:
    """Runs for WARM_UP seconds; returns how many times take about TURN seconds then."""
    end = time.perf_counter() + WARM_UP
    seconds = each.run(1)
    while time.perf_counter() < end:
        seconds = each.run(1)
    return max(1, round(TURN / seconds))


def random_actions(vector: envs.Vector, count: int) -> np.ndarray:
    """[count, rows, heads], drawn uniformly."""
    rng = np.random.default_rng(0)
    shape = (count, vector.rows)
    heads = [
        rng.integers(0, head.size, shape) if head.size else rng.uniform(head.low, head.high, shape)
        for head in vector.spec.head
    ]
    return np.stack(heads, axis=-1).astype(vector.spec.action_dtype)
