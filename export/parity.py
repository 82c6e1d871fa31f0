"""Parity: a policy file and its ONNX twin, run beside what torch computed.

The reference is 64 steps of 16 agents, recurrent state and resets in mid-episode included. It lies beside the policy
file, bound to it by its SHA-256; without it the file's own golden vectors serve.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError, safe_open

from minnow.export import files
from minnow.export.errors import ExportError

STEPS = 64
AGENTS = 16
LIMIT = 1e-5  # of max_diff, but for networks that magnify rounding
FORMAT = 1
GROUPS = ("obs", "outputs", "states", "start")
LARGEST = float(np.finfo(np.float32).max)  # stands for "not a number" and infinity in reports

Arrays = dict[str, np.ndarray]


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
    limit: float = LIMIT  # a max_diff up to this is agreement

    @property
    def steps(self) -> int:
        return self.reset.shape[0]

    @property
    def agents(self) -> int:
        return self.reset.shape[1]

    def save(self, path: Path) -> None:
        """Writes the parity file."""
        tensors = {"reset": self.reset}
        for group in GROUPS:
            tensors |= {f"{group}/{name}": np.ascontiguousarray(item) for name, item in getattr(self, group).items()}
        meta = {"format": FORMAT, "policy_sha256": self.sha256, "limit": self.limit}
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
        if meta.get("format") != FORMAT or "reset" not in tensors:
            raise ExportError(f"{path} is not a parity file of this version: export the policy again.")
        groups: dict[str, Arrays] = {group: {} for group in GROUPS}
        for key, item in tensors.items():
            group, _, name = key.partition("/")
            if group in groups:
                groups[group][name] = item
        return Reference(
            **groups, reset=tensors["reset"], sha256=meta["policy_sha256"], limit=float(meta.get("limit", LIMIT))
        )


def beside(policy: Path) -> Path:
    """Where the parity file of a policy file lies."""
    return policy.with_suffix(".parity.safetensors")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True)
class Difference:
    """The largest distance from the reference: absolute, and relative to the tensor's largest number if above 1."""

    max_abs_diff: float
    max_diff: float
    limit: float = LIMIT

    @property
    def passed(self) -> bool:
        return self.max_diff <= self.limit

    def to_dict(self) -> dict[str, float]:
        return {"max_abs_diff": self.max_abs_diff, "max_diff": self.max_diff}


def difference(found: tuple[Arrays, Arrays], reference: Reference) -> Difference:
    """Over every output and every leaf of the state; where the reference is not finite, the same must be found."""
    worst = worst_scaled = 0.0
    for ours, theirs in zip(found, (reference.outputs, reference.states), strict=True):
        for name, expected in theirs.items():
            if name not in ours or ours[name].shape != expected.shape:
                shape = list(ours[name].shape) if name in ours else "nothing"
                raise ExportError(f"{name!r} should have shape {list(expected.shape)}, and {shape} came back.")
            distance, size = _distance(ours[name].astype(np.float64), expected.astype(np.float64))
            worst = max(worst, distance)
            worst_scaled = max(worst_scaled, distance / max(1.0, size))
    return Difference(worst, worst_scaled, reference.limit)


def _distance(found: np.ndarray, expected: np.ndarray) -> tuple[float, float]:
    finite = np.isfinite(expected)
    same = np.isnan(found[~finite]) & np.isnan(expected[~finite]) | (found[~finite] == expected[~finite])
    if not same.all() or not np.isfinite(found[finite]).all():
        return LARGEST, 1.0
    if not finite.any():
        return 0.0, 1.0
    return float(np.abs(found[finite] - expected[finite]).max()), float(np.abs(expected[finite]).max())
