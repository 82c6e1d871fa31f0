"""`minnow bench train`: how fast training runs, and where its time goes."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from minnow.bench import Measured, Say, native
from minnow.cinfer import binding, policy
from minnow.cinfer.errors import MinnowError, unknown
from minnow.train import backend, group, ppo, run
from minnow.train import config as configs
from minnow.train.observation import PRESENT, SET, leaves

NETS = {  # core, width, layers
    "mlp2x64": ("mlp", 64, 2),
    "mlp2x128": ("mlp", 128, 2),
    "lstm64": ("lstm", 64, 1),
    "lstm128": ("lstm", 128, 1),
}
TRY = 0.002  # seconds of a try of the multiply-add rate: short enough for other processes to stay away from some
PARTS = {  # where a training step's time goes, by the functions of the trainer, or of what it has, that spend it
    "environment": [("vector", "step")],
    "act": [("rollout", "collect"), ("", "_forward"), ("", "_sample")],
    "learn": [("", "learn_epoch")],
    "exchange": [("group", "sum_")],
}


@dataclass
class Options:
    """Measure training on an environment with its tuned settings but the networks below: steps a second, where the time
    goes, and the limit that the machine's rate of multiply-adds sets, measured in the same run."""

    env: str = "pong"
    """The environment, by name or path."""
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
        found.append(group.together(options.processes, speed, net, options.seconds, options.backend, options.env))
        line = "{net:<10} {steps_per_second:10,} steps/s, {ratio_to_limit:.0%} of {limit:,}   {backend:<5}   ".format(
            **found[-1]
        )
        line += "  ".join(f"{part} {share:.0%}" for part, share in found[-1]["share"].items())
        say(line)
    return Measured(found)


def check_processes(count: int) -> None:
    """Raises MinnowError unless so many can train together."""
    if not 1 <= count <= 1024:
        raise MinnowError(f"--processes is {count}: it must be 1 or more, at best the number of cores.")


def speed(
    everyone: group.Group, net: str, seconds: float, by: configs.Backend = "auto", env: str = "pong"
) -> dict[str, Any]:
    """Training steps a second of one network, and the shares of the first process's time."""
    core, hidden, layers = NETS[net]
    config = configs.defaults(env)
    config = dataclasses.replace(
        config, policy=dataclasses.replace(config.policy, core=core, hidden=hidden, layers=layers)
    )
    config.train.backend = by
    run.prepare(config)
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
            holder = getattr(trainer, owner, None) if owner else trainer
            if holder is None:
                continue
            object.__setattr__(holder, name, timed(getattr(holder, name), part))
    hidden = clocks(trainer)
    best = [peak()]  # together with the others', before and after
    everyone.sum_(torch.zeros(1))  # all begin together
    start = since = time.perf_counter()
    spent, before, processor = dict.fromkeys(spent, 0.0), trainer.steps, time.process_time()
    for _ in range(count):
        trainer.update(measure=False)
    end = time.perf_counter()  # once: a busy machine may do something else between two readings
    passed, processor = end - start, time.process_time() - processor
    spent["rest"] += end - since
    for part, (within, clock) in hidden.items():
        spent[part] += clock.seconds
        spent[within] -= clock.seconds
    share = {part: round(time / passed, 4) for part, time in spent.items()}
    everyone.sum_(torch.zeros(1))
    best.append(peak())
    limit = everyone.sum_(torch.tensor(max(best), dtype=torch.float64)).item() / work(trainer)
    speed = (trainer.steps - before) / passed
    return {
        "env": config.name,
        "net": net,
        "processes": everyone.size,
        "backend": "c" if isinstance(trainer, backend.CorePPO) else "torch",
        "precision": config.train.precision,
        "steps_per_second": round(speed),
        "steps_per_cpu_second": round((trainer.steps - before) / everyone.size / processor),
        "share": share,
        "limit": round(limit),
        "ratio_to_limit": round(speed / limit, 4),
    }


def work(trainer: ppo.PPO) -> float:
    """Multiplications and additions that an agent-step cannot do without: one pass forward to act, and for each sample
    learned one forward and two back, for weights and for inputs, of which those of first layers are not needed. What a
    set goes through counts for each of its entities that are there."""
    policy, total, first = trainer.policy, 0.0, 0.0
    for name, leaf in policy.named_parameters():
        if leaf.ndim != 2:
            continue
        times = entities(trainer, name.split(".")[1]) if name.startswith("stems.") else 1.0
        total += times * leaf.numel()
        # An encoder's first layer passes gradients on where there are stems before it.
        if ".0." in name and (name.startswith("stems.") or not policy.stems):
            first += times * leaf.numel()
    return 2 * (total * (1 + 3 * trainer.train.epochs) - first * trainer.train.epochs)


def entities(trainer: ppo.PPO, stem: str) -> float:
    """How many entities go through a stem, `of_` a group, in the mean over the last rollout."""
    inputs = trainer.policy.inputs
    (at,) = (i for i, item in enumerate(inputs) if f"of_{item.name}" == stem)
    there = [item.name for item in inputs[at + 1 : at + 2] if item.kind == PRESENT]
    if there:
        return float(leaves(trainer.obs)[there[0]].float().sum(-1).mean())
    return float(inputs[at].shape[0] if inputs[at].kind == SET else 1)


class Clock:
    """Of a function that the core in C calls by a pointer, `step` or `exchange`, of which Python sees nothing; the
    other pointer of its struct is what the function is given."""

    def __init__(self, ffi: Any, owner: Any, name: str, given: str) -> None:
        built = binding.source(Path(__file__).resolve().parent / "timed.c")
        call, whom = (int(ffi.cast("uintptr_t", getattr(owner, leaf))) for leaf in (name, given))
        self._timed = built.ffi.new("Timed *", {"whom": built.ffi.cast("void *", whom)})
        setattr(self._timed, name, built.ffi.cast(built.ffi.typeof(getattr(self._timed, name)), call))
        timing = int(built.ffi.cast("uintptr_t", built.ffi.addressof(built.c, f"bench_{name}")))
        setattr(owner, name, ffi.cast(ffi.typeof(getattr(owner, name)), timing))
        setattr(owner, given, ffi.cast("void *", int(built.ffi.cast("uintptr_t", self._timed))))

    @property
    def seconds(self) -> float:
        return self._timed.seconds


def clocks(trainer: ppo.PPO) -> dict[str, tuple[str, Clock]]:
    """By parts that Python does not see: the part which they are within, and their clock."""
    found = {}
    if isinstance(trainer, backend.CorePPO):
        core, rollout = trainer.core, trainer.rollout
        if rollout is not None:
            found["environment"] = "act", Clock(core.ffi, rollout.world, "step", "envs")
        if core.descent.exchange:
            found["exchange"] = "learn", Clock(core.ffi, core.descent, "exchange", "others")
    return found


def peak() -> float:
    """Multiplications and additions in float32 a second that a core can do: the best of some tries."""
    loop = native.Loop(policy.isas()[-1], "multiply")
    times = max(1, round(1000 * TRY / loop.run(1000)))
    return max(times * loop.amount / loop.run(times) for _ in range(20))
