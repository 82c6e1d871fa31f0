"""Records what torch computes: the reference that every back end is held against."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from minnow.export.errors import ExportError
from minnow.export.parity import AGENTS, LIMIT, STEPS, Reference, difference
from minnow.export.trace import Leaf, Signature

QUIET = 8  # steps at the beginning with resets as below; some become golden vectors
RESETS = 0.06  # share of agents that start anew at a later step
SLACK = 4.0
MOST = 1e-3  # beyond it nothing would be proved


def limit(signature: Signature, reference: Reference) -> float:
    """The difference from `reference` up to which a back end agrees with torch: 1e-5. A recurrent network may magnify
    what one step rounds, and then torch does not agree so closely with itself: if its results move further when each
    weight moves by its last bit, four times as far as they do, at most 1e-3."""
    random, weights = torch.Generator().manual_seed(0), [*signature.module.parameters()]
    weights = [weight for weight in weights if weight.dtype == torch.float32]
    kept = [weight.detach().clone() for weight in weights]
    with torch.no_grad():
        try:
            for weight in weights:
                way = torch.where(torch.rand(weight.shape, generator=random) < 0.5, torch.inf, -torch.inf)
                weight.copy_(torch.where(weight.isfinite(), torch.nextafter(weight, way), weight))
            moved = record(signature, reference.steps, reference.agents)
        finally:
            for weight, before in zip(weights, kept, strict=True):
                weight.copy_(before)
    return min(max(LIMIT, SLACK * difference((moved.outputs, moved.states), reference).max_diff), MOST)


def record(signature: Signature, steps: int = STEPS, agents: int = AGENTS, seed: int = 0) -> Reference:
    """Runs the module over random observations like the examples, some agents starting anew on the way."""
    random = np.random.default_rng(seed)
    reset = (random.random((steps, agents)) < RESETS).astype(np.uint8)
    reset[:QUIET] = 0
    # Of the golden vectors' few steps and agents, some must follow on the step before and some start anew.
    reset[1, 1::2] = reset[2, ::2] = 1
    reset[steps // 2, ::2] = 1
    obs = {leaf.name: observations(leaf, steps, agents, random) for leaf in signature.obs}
    start = [leaf.one.unsqueeze(leaf.axis).repeat_interleave(agents, leaf.axis) for leaf in signature.states]
    states, outputs, after = start, [], []
    for step in range(steps):
        again = torch.from_numpy(reset[step].astype(bool))
        states = [_choose(again, *pair, leaf.axis) for *pair, leaf in zip(start, states, signature.states, strict=True)]
        out, states = signature.call([torch.from_numpy(item[step]) for item in obs.values()], states)
        outputs.append([item.numpy() for item in out])
        after.append([item.movedim(leaf.axis, 0).numpy() for item, leaf in zip(states, signature.states, strict=True)])
    reference = Reference(
        obs=obs,
        reset=reset,
        outputs=dict(zip(signature.outputs, map(np.stack, zip(*outputs, strict=True)), strict=True)),
        states=dict(
            zip((leaf.name for leaf in signature.states), map(np.stack, zip(*after, strict=True)), strict=True)
        ),
        start={leaf.name: leaf.one.numpy() for leaf in signature.states},
        sha256="",
    )
    for name, item in (reference.outputs | reference.states).items():
        if not np.isfinite(item).all():
            raise ExportError(
                f"{name!r} is not finite for ordinary observations: the module divides by zero or overflows, or its "
                "parameters hold a NaN."
            )
    return reference


def observations(leaf: Leaf, steps: int, agents: int, random: np.random.Generator) -> np.ndarray:
    """[steps, agents, ...]: rows of the example in any order; f32 with noise of their size, at least 1, and u8 at
    random every second step."""
    rows = leaf.tensor.numpy()
    chosen = rows[random.integers(len(rows), size=(steps, agents))]
    if chosen.dtype == np.float32:
        noise = random.standard_normal(chosen.shape) * np.maximum(1, np.abs(chosen))
        return (chosen + noise * random.choice((0.1, 0.5, 1.0, 3.0), size=chosen.shape)).astype(np.float32)
    if chosen.dtype == np.uint8:
        chosen[::2] = random.integers(256, size=chosen[::2].shape)
    return chosen


def _choose(again: Tensor, start: Tensor, state: Tensor, axis: int) -> Tensor:
    shape = [1] * state.dim()
    shape[axis] = -1
    return torch.where(again.reshape(shape), start, state)
