"""Parity: a policy file and its ONNX twin, run beside what torch computed.

The reference is 64 steps of 16 agents, recurrent state and resets in mid-episode included. It lies beside the policy
file, bound to it by its SHA-256; without it the file's own golden vectors serve.

Every number is compared by itself: the distance is divided by the number's own size, or by 1 where that is more; where
all of an output's numbers in that place are below 1, by the largest of them. Actions are compared too: the likeliest,
the likeliest of what a mask leaves, and those drawn with equal noise; another action counts only where torch's own
numbers are further apart than they may differ.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError, safe_open

from minnow.export import acting, files
from minnow.export.action import Action, Box, from_dict, to_dict
from minnow.export.errors import ExportError

STEPS = 64
AGENTS = 16
LIMIT = 1e-5  # of max_diff, but for networks that magnify rounding
MOST = 1e-3  # beyond it nothing would be proved
FORMAT = 2
GROUPS = ("obs", "outputs", "states", "start", "tolerance")
LARGEST = float(np.finfo(np.float32).max)  # stands for "not a number" and infinity in reports

Arrays = dict[str, np.ndarray]


class Run(NamedTuple):
    """What came of the reference's observations, [steps, agents, ...] each. actions: int32 or float32 [steps, agents,
    heads] by kind: "greedy", "masked", "sampled"; none where the back end gives no actions."""

    outputs: Arrays
    states: Arrays
    actions: Arrays = {}  # noqa: RUF012


@dataclass
class Reference:
    """Inputs and what is expected of them, each [steps, agents, ...] with the state's leaves per agent."""

    obs: Arrays
    reset: np.ndarray  # uint8 [steps, agents]: the agent starts anew before this step
    outputs: Arrays
    states: Arrays  # after the step
    start: Arrays  # what every agent's state starts from, without the first two axes
    sha256: str  # of the policy file
    origin: str = "torch"  # or "golden"
    tolerance: Arrays = field(
        default_factory=dict
    )  # [steps, agents] by output and state; inf: nothing is decided there
    action: Action | None = None
    mask: np.ndarray | None = None  # uint8 [steps, agents, choices], for the kinds "masked" and "sampled"
    noise: int = 0  # the seed that "sampled" is drawn with
    feeds: tuple[str, str] = ("", "")  # the outputs that the action is made of: logits or mean, and log_std or ""
    inputs: dict[str, Any] = field(default_factory=dict)  # what was observed: domains, how often each manner
    jumps: np.ndarray | None = None  # bool [steps, agents]: observations beside a jump; not kept in the file

    @property
    def steps(self) -> int:
        return self.reset.shape[0]

    @property
    def agents(self) -> int:
        return self.reset.shape[1]

    @property
    def limit(self) -> float:
        """The largest tolerance of a step that is decided."""
        finite = [item[np.isfinite(item)] for item in self.tolerance.values()]
        return max(LIMIT, *(float(item.max()) for item in finite if item.size and item.max() > np.float32(LIMIT)), 0.0)

    @property
    def decided(self) -> float:
        """The share of the agents' steps at which torch agrees with itself."""
        lost = [np.isinf(item) for item in self.tolerance.values()]
        return 1.0 - float(np.mean(np.any(lost, 0))) if lost else 1.0

    def tolerated(self, name: str) -> np.ndarray:
        """[steps, agents] of an output or state."""
        return self.tolerance.get(name, np.full(self.reset.shape, LIMIT, np.float32))

    def save(self, path: Path) -> None:
        """Writes the parity file."""
        tensors = {"reset": self.reset} | ({} if self.mask is None else {"mask": self.mask})
        for group in GROUPS:
            tensors |= {f"{group}/{name}": np.ascontiguousarray(item) for name, item in getattr(self, group).items()}
        meta = {
            "format": FORMAT,
            "policy_sha256": self.sha256,
            "action": None if self.action is None else to_dict(self.action),
            "noise": self.noise,
            "feeds": self.feeds,
            "inputs": self.inputs,
        }
        files.write(path, safetensors.numpy.save(tensors, metadata={"minnow": json.dumps(meta)}))

    @staticmethod
    def load(path: Path) -> Reference:
        """Reads a parity file. Raises ExportError where it is damaged or something else."""
        try:
            with safe_open(path, framework="numpy") as file:
                meta = json.loads((file.metadata() or {}).get("minnow", "{}"))
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError, ValueError) as error:
            raise ExportError(f"cannot read the parity file {path}: {error}; export the policy again.") from None
        if meta.get("format") not in (1, FORMAT) or "reset" not in tensors:
            raise ExportError(f"{path} is not a parity file of this version: export the policy again.")
        groups: dict[str, Arrays] = {group: {} for group in GROUPS}
        for key, item in tensors.items():
            group, _, name = key.partition("/")
            if group in groups:
                groups[group][name] = item
        if meta["format"] == 1:  # it had one limit, and compared outputs alone
            limit = np.full(tensors["reset"].shape, meta.get("limit", LIMIT), np.float32)
            groups["tolerance"] = dict.fromkeys((*groups["outputs"], *groups["states"]), limit)
        return Reference(
            **groups,  # pyright: ignore[reportArgumentType] - GROUPS are the fields that hold arrays
            reset=tensors["reset"],
            sha256=meta["policy_sha256"],
            mask=tensors.get("mask"),
            action=from_dict(meta["action"]) if meta.get("action") else None,
            noise=int(meta.get("noise", 0)),
            feeds=tuple(meta.get("feeds", ("", ""))),
            inputs=meta.get("inputs", {}),
        )


def beside(policy: Path) -> Path:
    """Where the parity file of a policy file lies."""
    return policy.with_suffix(".parity.safetensors")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True)
class Difference:
    """The largest distance from the reference: absolute, and relative as this file's beginning says; over the steps
    that are decided. actions: how many were compared; wrong: how many of them are others than torch's."""

    max_abs_diff: float
    max_diff: float
    limit: float = LIMIT
    passed: bool = True
    actions: int = 0
    wrong: int = 0
    where: str = ""  # of the first fault

    def to_dict(self) -> dict[str, float]:
        found = {"max_abs_diff": self.max_abs_diff, "max_diff": self.max_diff}
        return found | ({"actions": self.actions, "actions_wrong": self.wrong} if self.actions else {})

    def words(self) -> str:
        """What is wrong, for people."""
        if not self.wrong:
            return f"{self.max_diff:.1e} from torch in {self.where}"
        return f"{self.wrong} of {self.actions} actions are not torch's, the first {self.where}"


def difference(found: Run, reference: Reference) -> Difference:
    """Over every output, every leaf of the state and every action."""
    worst = worst_scaled = 0.0
    where, excess = "", 1.0
    far = distances(found, reference)
    for name, expected in named(reference).items():
        tolerance = reference.tolerated(name)
        decided = np.isfinite(tolerance)
        if not decided.any():
            continue
        off = np.where(decided, far[name], 0)
        worst_scaled = max(worst_scaled, float(off.max()))
        ours = named(found)[name][decided].astype(np.float64)
        with np.errstate(invalid="ignore"):
            apart = np.abs(ours - expected[decided])
        worst = max(worst, float(np.nan_to_num(apart[np.isfinite(apart)], posinf=0).max(initial=0)))
        over = off / np.where(decided, tolerance, 1)
        if over.max() > excess:
            excess = float(over.max())
            step, agent = np.unravel_index(over.argmax(), over.shape)
            where = f"{name!r}, agent {agent} at step {step}"
    if not np.isfinite(worst_scaled):
        worst = worst_scaled = LARGEST
    passed = not where
    count, wrong, example = actions(found, reference)
    return Difference(worst, worst_scaled, reference.limit, passed and not wrong, count, wrong, example or where)


def named(item: Run | Reference) -> Arrays:
    """Outputs and states by name; a state has its own name with a mark, as an output may have the same."""
    return item.outputs | {f"state {name}": array for name, array in item.states.items()}


def distances(found: Run, reference: Reference) -> dict[str, np.ndarray]:
    """The largest distance at each agent's step, [steps, agents], by output and state; infinite where one is not finite
    and the other is, or is so in another way."""
    ours, far = named(found), {}
    for name, expected in named(reference).items():
        if name not in ours or ours[name].shape != expected.shape:
            shape = list(ours[name].shape) if name in ours else "nothing"
            raise ExportError(f"{name!r} should have shape {list(expected.shape)}, and {shape} came back.")
        if np.array_equal(ours[name], expected, equal_nan=True):  # such as pictures remembered
            far[name] = np.zeros(expected.shape[:2])
            continue
        x, ref = ours[name].astype(np.float64), expected.astype(np.float64)
        with np.errstate(invalid="ignore"):
            off = np.abs(x - ref) / scale(ref)
        same = (x == ref) | (np.isnan(x) & np.isnan(ref))
        off = np.where(same, 0.0, np.where(np.isfinite(x) & np.isfinite(ref), off, np.inf))
        far[name] = off.reshape(*off.shape[:2], -1).max(2)
    return far


def scale(ref: np.ndarray) -> np.ndarray:
    """What the distance of each number is divided by."""
    size = np.abs(np.where(np.isfinite(ref), ref, 0.0))
    floor = np.clip(size.max((0, 1), keepdims=True), 1e-30, 1.0)
    return np.maximum(size, floor)


SEED = 1  # of the noise that sampled actions are drawn with
POSSIBLE = 0.7  # share of choices that the masks leave


def acted(reference: Reference, action: Action | None, feeds: tuple[str, str] | None = None) -> Reference:
    """The reference with what its actions are compared by. feeds: the outputs that they are made of, by default those
    named `logits`, or `mean` and `log_std`."""
    if action is None:
        return reference
    heads, mask = acting.heads_of(action), None
    if feeds is None:
        feeds = ("logits", "") if heads else ("mean", "log_std" if "log_std" in reference.outputs else "")
    if heads is not None:
        random = np.random.default_rng(SEED)
        mask = (random.random((*reference.reset.shape, sum(heads.sizes))) < POSSIBLE).astype(np.uint8)
        for part in heads.parts(mask):
            chosen = random.integers(part.shape[-1], size=part.shape[:-1])
            np.put_along_axis(part, chosen[..., None], 1, -1)  # something is possible
    return replace(reference, action=action, mask=mask, noise=SEED, feeds=feeds)


def expected_actions(reference: Reference, outputs: Arrays) -> Arrays:
    """The actions that these outputs mean, by kind."""
    action, (feed, spread) = reference.action, reference.feeds
    if action is None:
        return {}
    steps, agents = reference.reset.shape
    x = outputs[feed].reshape(steps, agents, -1)
    noise = acting.uniforms(steps, agents, _heads(action), reference.noise)
    if isinstance(action, Box):
        log_std = outputs[spread].reshape(x.shape) if spread else None
        return {"greedy": acting.box(action, x), "sampled": acting.box(action, x, log_std, noise)}
    heads = acting.Heads(action.sizes)
    return {
        "greedy": heads.greedy(x),
        "masked": heads.greedy(x, reference.mask),
        "sampled": heads.sampled(x, reference.mask, noise),
    }


def _heads(action: Action) -> int:
    return action.size if isinstance(action, Box) else len(action.sizes)


def actions(found: Run, reference: Reference) -> tuple[int, int, str]:
    """How many actions were compared, how many are wrong, and the first of these in words."""
    if reference.action is None or not found.actions:
        return 0, 0, ""
    feed, spread = reference.feeds
    shape = (*reference.reset.shape, -1)
    x = reference.outputs[feed].reshape(shape).astype(np.float64)
    tolerance = reference.tolerated(feed)[..., None]
    slack = tolerance * scale(reference.outputs[feed].astype(np.float64)).reshape(shape)
    decided = np.isfinite(tolerance[..., 0]) & ~np.isnan(x).any(-1)
    if spread:
        decided &= np.isfinite(reference.tolerated(spread)) & np.isfinite(reference.outputs[spread].reshape(shape)).all(
            -1
        )
    count = wrong = 0
    example = ""
    for kind, right in expected_actions(reference, reference.outputs).items():
        ours = found.actions[kind]
        if ours.shape != right.shape:
            raise ExportError(f"actions should have shape {list(right.shape)}, and {list(ours.shape)} came back.")
        if isinstance(reference.action, Box):
            off = np.abs(ours.astype(np.float64) - right) > _box_slack(reference, right, slack, kind)
        else:
            off = _choices_off(reference, kind, ours, right, x, slack)
        off &= decided[..., None]
        count += int(decided.sum()) * right.shape[-1]
        wrong += int(off.sum())
        if off.any() and not example:
            step, agent, head = np.argwhere(off)[0]
            say = [f"{item[step, agent, head]:g}" for item in (ours, right)]
            example = f"({kind}) {say[0]} for torch's {say[1]}, head {head} of agent {agent} at step {step}"
    return count, wrong, example


def _choices_off(
    reference: Reference, kind: str, ours: np.ndarray, right: np.ndarray, x: np.ndarray, slack: np.ndarray
) -> np.ndarray:
    """Where another choice is no tie: bool [steps, agents, heads]."""
    heads, off = acting.heads_of(reference.action), ours != right
    if heads is None or not off.any():
        return off
    slack = np.where(np.isfinite(slack), slack, 0)
    mask = np.ones(x.shape, np.uint8) if kind == "greedy" or reference.mask is None else reference.mask
    steps, agents = reference.reset.shape
    noise = acting.uniforms(steps, agents, len(heads.sizes), reference.noise)
    parts = zip(heads.parts(x), heads.parts(slack), heads.parts(mask), strict=True)
    for i, (part, near, possible) in enumerate(parts):
        size = part.shape[-1]
        inside = (ours[..., i] >= 0) & (ours[..., i] < size)
        at, best = (np.clip(item[..., i : i + 1], 0, size - 1).astype(np.int64) for item in (ours, right))

        def pick(values: np.ndarray, where: np.ndarray) -> np.ndarray:
            return np.take_along_axis(values, where, -1)[..., 0]

        allowed = inside & (pick(possible, at) != 0)
        if kind == "sampled":
            shown = np.where(possible != 0, part, -np.inf)
            p = acting.probabilities(shown)
            ends = np.cumsum(p, -1)
            room = (p * near).sum(-1) + 1e-6 * size
            u = noise[..., i]
            tie = (pick(ends - p, at) <= u + room) & (pick(ends, at) >= u - room)
        else:
            with np.errstate(invalid="ignore"):
                tie = ~(pick(part, best) - pick(part, at) > pick(near, best) + pick(near, at))
        off[..., i] &= ~(allowed & tie)
    return off


def _box_slack(reference: Reference, right: np.ndarray, slack: np.ndarray, kind: str) -> np.ndarray:
    """How far an action may be from torch's."""
    action, (_, spread) = reference.action, reference.feeds
    assert isinstance(action, Box)
    near = slack + 0.0
    if kind == "sampled" and spread:
        log_std = reference.outputs[spread].astype(np.float64)
        off = (reference.tolerated(spread)[..., None] * scale(log_std).reshape(right.shape)) + 1e-6
        steps, agents = reference.reset.shape
        noise = acting.uniforms(steps, agents, action.size, reference.noise)
        size = np.exp(np.minimum(log_std.reshape(right.shape), 80)) * (np.abs(acting.quantile(noise)) + 1)
        near = near + size * (off + LIMIT)
    if action.squash == "tanh":
        near = near * (np.array(action.high) - np.array(action.low)) / 2
    return near + LIMIT * np.maximum(1e-3, np.abs(right))
