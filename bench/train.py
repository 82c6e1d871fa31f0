"""`minnow bench train`: how fast training runs, and where its time goes."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from minnow.bench import Measured, Say
from minnow.cinfer.errors import MinnowError, unknown
from minnow.train import backend, group, run
from minnow.train import config as configs

NETS = {"mlp2x64": ("mlp", 64, 2), "mlp2x128": ("mlp", 128, 2), "lstm128": ("lstm", 128, 1)}  # core, width, layers
PARTS = {  # where a training step's time goes, by the functions of the trainer, or of what it has, that spend it
    "environment": [("vector", "step")],
    "forward": [("", "_forward"), ("", "_sample")],
    "backward": [("", "backward")],
    "exchange": [("group", "sum_")],
}


@dataclass
class Options:
    """Measure training on Pong with its tuned settings: steps a second, where the time goes, and the limit that the
    machine's measured speed of matrix products sets."""

    net: str = ""
    """Only this network."""
    seconds: float = 3.0
    """Of each measurement."""
    backend: configs.Backend = "auto"
    """What learns; see --train.backend of minnow train."""
    processes: int = field(default_factory=group.cores)
    """Processes that train together, one thread each; as many as there are cores by default."""


def measure(options: Options, say: Say) -> Measured:
    if options.net and options.net not in NETS:
        raise unknown("network", options.net, NETS)
    if not options.seconds > 0:
        raise MinnowError(f"--seconds is {options.seconds:g}: it must be a positive number.")
    check_processes(options.processes)
    found = []
    for net in [options.net] if options.net else NETS:
        found.append(group.together(options.processes, speed, net, options.seconds, options.backend))
        line = "{net:<10} {steps_per_second:10,} steps/s of {limit:12,}   {backend:<5}   ".format(**found[-1])
        line += "  ".join(f"{part} {share:.0%}" for part, share in found[-1]["share"].items())
        say(line)
    return Measured(found)


def check_processes(count: int) -> None:
    """Raises MinnowError unless so many can train together."""
    if not 1 <= count <= 1024:
        raise MinnowError(f"--processes is {count}: it must be 1 or more, at best the number of cores.")


def speed(everyone: group.Group, net: str, seconds: float, by: configs.Backend = "auto") -> dict[str, Any]:
    """Training steps a second of one network, and the shares of the first process's time."""
    core, hidden, layers = NETS[net]
    config = configs.defaults("pong")
    config = dataclasses.replace(
        config, policy=dataclasses.replace(config.policy, core=core, hidden=hidden, layers=layers)
    )
    config.train.backend = by
    run.prepare(config)
    best = peak(torch.float32) * everyone.size
    everyone = dataclasses.replace(everyone)  # whose functions are timed below
    trainer = backend.trainer(config, everyone)
    trainer.update()
    start = time.perf_counter()
    trainer.update(measure=False)
    count = max(1, round(everyone.first(seconds / (time.perf_counter() - start))))
    spent: dict[str, float] = dict.fromkeys([*PARTS, "rest"], 0.0)
    now, since = "rest", 0.0

    def timed(call: Callable[..., Any], part: str) -> Callable[..., Any]:
        def timing(*given: Any, **named: Any) -> Any:
            nonlocal now, since
            outer = now
            spent[outer] += (moment := time.perf_counter()) - since
            now, since = part, moment
            try:
                return call(*given, **named)
            finally:
                spent[part] += (moment := time.perf_counter()) - since
                now, since = outer, moment

        return timing

    for part, functions in PARTS.items():
        for owner, name in functions:
            holder = getattr(trainer, owner) if owner else trainer
            object.__setattr__(holder, name, timed(getattr(holder, name), part))
    everyone.sum_(torch.zeros(1))  # all begin together
    start = since = time.perf_counter()
    spent, before, processor = dict.fromkeys(spent, 0.0), trainer.steps, time.process_time()
    for _ in range(count):
        trainer.update(measure=False)
    end = time.perf_counter()  # once: a busy machine may do something else between two readings
    passed, processor = end - start, time.process_time() - processor
    spent["rest"] += end - since
    # Of each product and sum of a weight: one forward to act; forward and twice that backward for each sample learned.
    weights = sum(leaf.numel() for leaf in trainer.parameters if leaf.ndim == 2)
    work = 2 * weights * (1 + 3 * config.train.epochs)
    return {
        "net": net,
        "processes": everyone.size,
        "backend": "c" if isinstance(trainer, backend.CorePPO) else "torch",
        "precision": config.train.precision,
        "steps_per_second": round((trainer.steps - before) / passed),
        "steps_per_cpu_second": round((trainer.steps - before) / everyone.size / processor),
        "share": {part: round(time / passed, 4) for part, time in spent.items()},
        "limit": round(best / work),
    }


def peak(type_: torch.dtype) -> float:
    """Operations a second of torch's matrix product with its present threads, the median of several."""
    size = 1024
    left, right = (torch.randn(size, size, dtype=type_) for _ in range(2))
    times = []
    for _ in range(9):
        start = time.perf_counter()
        torch.mm(left, right)
        times.append(time.perf_counter() - start)
    return 2 * size**3 / statistics.median(times)
