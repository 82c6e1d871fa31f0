"""Records what torch computes: the reference that every back end is held against."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor

from minnow.export import parity
from minnow.export.domain import domains
from minnow.export.doubt import Kept, doubts
from minnow.export.errors import ExportError
from minnow.export.parity import AGENTS, LIMIT, MOST, STEPS, Arrays, Reference
from minnow.export.probe import Probes, operations, probes, start
from minnow.export.trace import Signature

RUNS = 2  # of doubt, each in both directions
HEAVY = 5e9  # floating-point operations over all observations; beyond, twice what a single run moves must do
FLIPS, FLIP_TIMES = 12, 4.0  # of doubt beside jumps, each in both directions
TOGETHER = 256  # observations
AHEAD = 2  # steps
SLACK = 2.0  # of what doubt moves


def record(
    signature: Signature,
    steps: int = STEPS,
    agents: int = AGENTS,
    seed: int = 0,
    observation: Any = None,
    refused: Mapping[str, str] | None = None,
) -> Reference:
    """Runs the module over observations like the examples (see `probe.py`), some agents starting anew on the way.
    refused: manners of observing that are left out, and why."""
    found = domains(signature, observation)
    drawn = probes(signature, found, steps, agents, seed, refused or {})
    outputs, states = run(signature, drawn)
    reference = Reference(
        obs=drawn.obs,
        reset=drawn.reset,
        outputs=outputs,
        states=states,
        start={leaf.name: leaf.one.numpy() for leaf in signature.states},
        sha256="",
        jumps=drawn.jumps,
        inputs={
            "domains": {leaf.name: item.describe() for leaf, item in zip(signature.obs, found, strict=True)},
            "manners": drawn.counts,
            "refused": drawn.refused,
        },
    )
    for name, tensor in itertools.chain(signature.module.named_parameters(), signature.module.named_buffers()):
        if tensor.is_floating_point() and tensor.isnan().any():
            raise ExportError(f"{name!r} holds a NaN: nothing can be proved of such a module; look at its training.")
    for name, item in outputs.items():
        if np.isnan(item).all():
            raise ExportError(f"output {name!r} is NaN whatever is observed: the module divides zero by zero.")
    return reference


def run(signature: Signature, drawn: Probes | Reference) -> tuple[Arrays, Arrays]:
    """The module's outputs and next states over these observations, [steps, agents, ...] each."""
    return runs(signature, drawn, [nullcontext()])[0]


def runs(
    signature: Signature, drawn: Probes | Reference, ways: Sequence[AbstractContextManager], kept: Kept | None = None
) -> list[tuple[Arrays, Arrays]]:
    """The same in several ways, side by side, so that what they share is made once: within each of these contexts."""
    steps, agents = drawn.reset.shape
    begin = [start(leaf, agents) for leaf in signature.states]
    states = [begin] * len(ways)
    outputs: list[list[Any]] = [[] for _ in ways]
    after: list[list[Any]] = [[] for _ in ways]
    for step in range(steps):
        again = torch.from_numpy(drawn.reset[step].astype(bool))
        obs = [torch.from_numpy(item[step]) for item in drawn.obs.values()]
        if kept:
            kept.share(obs)
        for i, way in enumerate(ways):
            pairs = zip(begin, states[i], signature.states, strict=True)
            chosen = [choose(again, first, state, leaf.axis) for first, state, leaf in pairs]
            with way:
                out, states[i] = signature.call(obs, chosen)
            outputs[i].append([item.numpy() for item in out])
            leaves = zip(states[i], signature.states, strict=True)
            after[i].append([item.movedim(leaf.axis, 0).numpy() for item, leaf in leaves])
    names = [leaf.name for leaf in signature.states]
    return [
        (
            dict(zip(signature.names, map(np.stack, zip(*outputs[i], strict=True)), strict=True)),
            dict(zip(names, map(np.stack, zip(*after[i], strict=True)), strict=True)),
        )
        for i in range(len(ways))
    ]


def runs_together(
    signature: Signature, drawn: Reference, ways: Sequence[AbstractContextManager], kept: Kept
) -> list[tuple[Arrays, Arrays]]:
    """The same of a module without state, many steps at once."""
    shape = drawn.reset.shape
    rows = [torch.from_numpy(item.reshape(-1, *item.shape[2:])) for item in drawn.obs.values()]
    parts: list[list[list[Tensor]]] = [[] for _ in ways]
    for part in zip(*(item.split(TOGETHER) for item in rows), strict=True):
        kept.share(part)
        for found, way in zip(parts, ways, strict=True):
            with way:
                found.append(signature.call(list(part), [])[0])
    whole = [[torch.cat(items).numpy() for items in zip(*found, strict=True)] for found in parts]
    return [
        ({name: item.reshape(*shape, *item.shape[1:]) for name, item in zip(signature.names, found, strict=True)}, {})
        for found in whole
    ]


def judged(signature: Signature, reference: Reference) -> Reference:
    """The reference with the tolerance of each agent's step: 1e-5, or where torch's own results move further as what is
    rounded in them moves (see `doubt.py`), twice as far as they do, 1e-3 at most. Beyond that nothing is decided until
    the agent starts anew.

    Raises ExportError where less than half of the steps is decided."""
    far = {name: np.zeros(reference.reset.shape) for name in parity.named(reference)}
    kept = Kept(signature.module)
    heavy = operations(signature) * reference.reset.size > HEAVY
    with doubts(kept, 1 if heavy else RUNS) as ways:
        moved = (runs if reference.states else runs_together)(signature, reference, ways[:1] if heavy else ways, kept)
    for found in moved:
        for name, item in parity.distances(parity.Run(*found), reference).items():
            far[name] = np.maximum(far[name], 2 * item if heavy else item)
    if reference.jumps is not None and reference.jumps.any():
        for name, item in _beside_jumps(signature, reference, kept).items():
            far[name][reference.jumps] = np.maximum(far[name][reference.jumps], item)
    if reference.states:
        far = {name: _ahead(item, reference.reset) for name, item in far.items()}
    lost = np.zeros(reference.reset.shape, bool)
    for item in far.values():
        lost |= ~(SLACK * item <= MOST)
    for step in range(1, len(lost)):
        lost[step] |= lost[step - 1] & (reference.reset[step] == 0) & bool(reference.states)
    if lost.mean() > 0.5:
        raise ExportError(
            f"torch's results differ by more than {MOST:g} from themselves in {lost.mean():.0%} of the steps when what "
            "is rounded in them moves by its last bit: nothing could be proved, and no file was written. A memory that "
            "magnifies every difference does this, or a jump at numbers that are not exact."
        )
    tolerance = {}
    for name, item in far.items():
        usual = np.median(item[~lost])  # a step may agree by luck
        tolerance[name] = np.where(lost, np.inf, np.maximum(LIMIT, SLACK * np.maximum(item, usual))).astype(np.float32)
    return dataclasses.replace(reference, tolerance=tolerance)


def _beside_jumps(signature: Signature, reference: Reference, kept: Kept) -> Arrays:
    """How far results beside jumps may be off, [observations], by output and state: a number that is not exact lies on
    the edge by chance, and either side is right. Many runs, since each flips only some of them."""
    there = reference.jumps
    assert there is not None
    alone = Reference(
        obs={name: item[there][None] for name, item in reference.obs.items()},
        reset=np.zeros((1, int(there.sum())), np.uint8),
        outputs={name: item[there][None] for name, item in reference.outputs.items()},
        states={name: item[there][None] for name, item in reference.states.items()},
        start=reference.start,
        sha256="",
    )
    far = {name: np.zeros(alone.reset.shape[1]) for name in parity.named(alone)}
    with doubts(kept, FLIPS, FLIP_TIMES) as ways:
        moved = runs(signature, alone, ways, kept)
    for found in moved:
        for name, item in parity.distances(parity.Run(*found), alone).items():
            far[name] = np.maximum(far[name], np.where(SLACK * item[0] > MOST, item[0], 0))
    return far


def _ahead(far: np.ndarray, reset: np.ndarray) -> np.ndarray:
    """What a memory may be off by already, although only the next steps magnify it: the largest of a step and of the
    AHEAD after it, unless the agent starts anew. far, reset: [steps, agents]."""
    found, goes_on = far.copy(), np.ones(reset.shape, bool)
    for k in range(1, AHEAD + 1):
        goes_on[:-k] &= reset[k:] == 0
        goes_on[-k:] = False
        found = np.where(goes_on, np.maximum(found, np.roll(far, -k, 0)), found)
    return found


def choose(again: Tensor, start: Tensor, state: Tensor, axis: int) -> Tensor:
    shape = [1] * state.dim()
    shape[axis] = -1
    return torch.where(again.reshape(shape), start, state)
