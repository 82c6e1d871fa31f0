"""The library's own predictions over observations of the policy's domain, and the import held against them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from minnow.cinfer.policy import load
from minnow.export.action import Action, Box
from minnow.export.errors import ExportError
from minnow.export.record import choose
from minnow.export.trace import Signature

STEPS = AGENTS = 16  # 256 observations
RESETS = 0.1  # share of agents that start anew at a step
NEAR = 1e-3  # of the deviation of what is compared over all observations: what rounding may do
ROUNDING = 2e-6  # of the largest number


@dataclass
class Witness:
    """What a library does over STEPS steps of AGENTS agents. obs: arrays by name, [STEPS, AGENTS, ...], as the
    environment gives them; again: [STEPS, AGENTS], the agent starts anew before this step; action: [STEPS, AGENTS,
    heads], the library's own; mask: [STEPS, AGENTS, choices], where it has any; outputs: those of the import that the
    library shows too, by name, [STEPS, AGENTS, ...]: they differ where equal actions hide it."""

    by: str  # who says so
    obs: dict[str, np.ndarray]
    again: np.ndarray
    action: np.ndarray
    mask: np.ndarray | None = None
    outputs: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass
class Played:
    """What the import did over the same steps."""

    action: list[np.ndarray] = field(default_factory=list)
    logits: list[np.ndarray] = field(default_factory=list)  # after masks; of discrete actions only
    outputs: list[dict[str, np.ndarray]] = field(default_factory=list)


def resets(seed: int = 0) -> np.ndarray:
    """[STEPS, AGENTS]: who starts anew on the way, nobody at the first step."""
    again = np.random.default_rng(seed).random((STEPS, AGENTS)) < RESETS
    again[0] = False
    return again


def masks(sizes: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """[STEPS, AGENTS, sum of sizes]: random masks that leave each head a choice."""
    random = np.random.default_rng(seed)
    parts = []
    for size in sizes:
        part = random.random((STEPS, AGENTS, size)) < 0.6
        np.put_along_axis(part, random.integers(size, size=(STEPS, AGENTS, 1)), True, -1)
        parts.append(part)
    return np.concatenate(parts, -1)


def hold_module(imported: Any, witness: Witness) -> None:
    """Raises ExportError where the imported module, in torch, acts otherwise than the library."""
    signature = Signature(imported.module, imported.obs, imported.state, imported.outputs, imported.state_axes)
    start = [leaf.resize(AGENTS) for leaf in signature.states]
    states, played = start, Played()
    for step, again in enumerate(witness.again):
        gone = torch.from_numpy(again)
        states = [choose(gone, *pair, leaf.axis) for *pair, leaf in zip(start, states, signature.states, strict=True)]
        outputs, states = signature.call(
            [torch.from_numpy(witness.obs[leaf.name][step]) for leaf in signature.obs], states
        )
        found = dict(zip(imported.outputs, (item.numpy() for item in outputs), strict=True))
        mask = None if witness.mask is None else witness.mask[step]
        act(imported.action, found, mask, played)
        played.outputs.append(found)
    hold(witness, played, imported.action)


def hold_file(data: bytes, action: Action, witness: Witness) -> None:
    """Raises ExportError where the policy file, in C, acts otherwise than the library."""
    policy, played = load(data), Played()
    session = policy.session(AGENTS)
    for step, again in enumerate(witness.again):
        session.reset(np.flatnonzero(again))
        mask = None if witness.mask is None else witness.mask[step]
        out = session.step({name: item[step] for name, item in witness.obs.items()}, mask)
        assert out.action is not None
        played.action.append(out.action.astype(np.float64))
        played.outputs.append({spec.name: item for spec, item in zip(policy.outputs, out.outputs, strict=True)})
        if out.logits is not None:
            played.logits.append(out.logits if mask is None else np.where(mask, out.logits, -np.inf))
    hold(witness, played, action)


def act(action: Action, outputs: dict[str, np.ndarray], mask: np.ndarray | None, played: Played) -> None:
    """A step's deterministic actions by the action spec, [agents, heads]."""
    if isinstance(action, Box):
        low, high = np.asarray(action.low), np.asarray(action.high)
        mean = outputs["mean"].astype(np.float64)
        if action.squash == "tanh":
            mean = low + (np.tanh(mean) + 1) / 2 * (high - low)
        played.action.append(mean.clip(low, high) if action.squash == "clip" else mean)
        return
    logits = outputs["logits"] if mask is None else np.where(mask, outputs["logits"], -np.inf)
    parts = np.split(logits, np.cumsum(action.sizes)[:-1], 1)
    played.action.append(np.stack([part.argmax(1) for part in parts], 1))
    played.logits.append(logits)


def hold(witness: Witness, played: Played, action: Action) -> None:
    found = np.stack(played.action).astype(np.float64)
    expected = np.asarray(witness.action, np.float64).reshape(found.shape)
    if isinstance(action, Box):
        wrong = apart(found, expected)
    else:
        wrong = (found != expected) & ~ties(np.stack(played.logits), expected.astype(int), action.sizes)
    refuse(witness.by, "acts", wrong, found, expected)
    for name, theirs in witness.outputs.items():
        if name in played.outputs[0]:
            ours = np.stack([outputs[name] for outputs in played.outputs]).reshape(*witness.again.shape, -1)
            theirs = theirs.reshape(ours.shape).astype(np.float64)
            refuse(witness.by, f"gives its output {name!r}", apart(ours, theirs), ours, theirs)


def apart(found: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Where numbers [steps, agents, n] differ by more than rounding does."""
    most = NEAR * expected.std((0, 1)) + ROUNDING * max(1.0, float(np.abs(expected).max()))
    return ~(np.abs(found - expected) <= most)


def refuse(by: str, does: str, wrong: np.ndarray, found: np.ndarray, expected: np.ndarray) -> None:
    """Raises ExportError where anything is wrong, [steps, agents, n]."""
    rows = wrong.any(-1)
    if rows.any():
        step, agent = (int(i[0]) for i in np.nonzero(rows))
        theirs, ours = (item[step, agent].round(4).tolist() for item in (expected, found))
        raise ExportError(
            f"the import {does} otherwise than {by} in {int(rows.sum())} of {rows.size} observations (first: {ours} "
            f"where the library gives {theirs}): the policy does something that this importer does not read, or an "
            "option says what is not so. Check the options; else export the module in Python, with forward written as "
            "the library computes actions."
        )


def ties(logits: np.ndarray, expected: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
    """[steps, agents, heads]: whether the library's choice is as good as the best one, but for rounding."""
    found = []
    for head, part in enumerate(np.split(logits.astype(np.float64), np.cumsum(sizes)[:-1], -1)):
        possible = np.isfinite(part)
        known = np.where(possible, part, 0)
        centred = np.where(possible, known - known.sum(-1, keepdims=True) / possible.sum(-1, keepdims=True), 0)
        most = NEAR * centred.std() + ROUNDING * max(1.0, float(np.abs(known).max()))
        inside = np.clip(expected[..., head], 0, part.shape[-1] - 1)
        chosen = np.take_along_axis(part, inside[..., None], -1)[..., 0]
        found.append((part.max(-1) - chosen <= most) & (inside == expected[..., head]))
    return np.stack(found, -1)
