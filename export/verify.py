"""`verify`: a policy file in C, WebAssembly and ONNX Runtime, each against the reference."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from minnow.cinfer.errors import MinnowError
from minnow.export import backends, format, parity
from minnow.export.graph import Graph, State
from minnow.export.parity import Difference, Reference, acted

BACKENDS = ("c", "wasm", "onnx")
GOLDEN_LIMIT = 4 * parity.LIMIT  # the file says more only where torch itself is further off


@dataclass
class Verdict:
    """What came of a verification."""

    path: Path
    reference: Reference
    found: dict[str, Difference | None] = field(default_factory=dict)  # by back end; None: it could not run
    faults: dict[str, str] = field(default_factory=dict)  # why it could not
    missing: set[str] = field(default_factory=set)  # those whose tool or file is not there
    absent: set[str] = field(default_factory=set)  # of these, those that are only a witness
    notes: list[str] = field(default_factory=list)
    stale: bool = False  # the parity file was made for other bytes

    def passed(self, allow_missing: bool = False, require: Collection[str] = ()) -> bool:
        """Whether every back end ran and is close enough; with `allow_missing`, every one that could be tried. A policy
        file may travel without its ONNX model, unless `require` has "onnx"."""
        excused = self.missing if allow_missing else self.missing & self.absent
        excused = excused - set(require)
        ran = [back_end for back_end in BACKENDS if back_end not in excused]
        return not self.stale and bool(ran) and all((found := self.found[name]) and found.passed for name in ran)

    def to_dict(self) -> dict[str, Any]:
        """What `minnow verify --json` prints."""
        return {
            "reference": self.reference.origin,
            "steps": self.reference.steps,
            "agents": self.reference.agents,
            **{name: item.to_dict() if item else None for name, item in self.found.items()},
            "limit": self.reference.limit,
            "decided": self.reference.decided,
            "inputs": self.reference.inputs,
            "notes": [*self.notes, *(f"{name}: {text}" for name, text in self.faults.items())],
        }


def verify(path: Path | str) -> Verdict:
    """Runs a policy file in every back end. Raises MinnowError where the file itself is faulty."""
    path = Path(path)
    data = format.read(path)
    raw = path.read_bytes()
    recorded = parity.beside(path)
    if recorded.exists():
        verdict = Verdict(path, Reference.load(recorded))
        if verdict.reference.sha256 != parity.sha256(raw):
            verdict.stale = True
            verdict.notes.append(f"{recorded.name} was made for other bytes than {path.name}: export the policy again")
    else:
        verdict = Verdict(path, golden(data, parity.sha256(raw)))
        verdict.notes.append(f"{recorded.name} is not there: the golden vectors in the file are the reference")
    runs: dict[str, Callable[[], parity.Run]] = {
        "c": lambda: backends.run_c(raw, verdict.reference),
        "wasm": lambda: backends.run_wasm(raw, verdict.reference),
        "onnx": lambda: backends.run_onnx(path.with_suffix(".onnx"), verdict.reference),
    }
    if not path.with_suffix(".onnx").exists():
        verdict.absent.add("onnx")
        why = data.meta.get("onnx")
        verdict.notes.append(
            f"there is no ONNX model of this policy: {why}"
            if why
            else f"{path.with_suffix('.onnx').name} is not beside it"
        )
    for name, run in runs.items():
        verdict.found[name] = None
        try:
            verdict.found[name] = parity.difference(run(), verdict.reference)
        except backends.Missing as error:
            verdict.missing.add(name)
            verdict.faults[name] = str(error)
        except MinnowError as error:
            verdict.faults[name] = str(error)
    return verdict


def golden(file: format.File, sha256: str) -> Reference:
    """The golden vectors of a file as a reference."""
    graph, vectors = file.graph, file.golden

    def named(items: list[Any], arrays: list[np.ndarray]) -> parity.Arrays:
        return {item.name: array for item, array in zip(items, arrays, strict=True)}

    shape = vectors.inputs[0].shape[:2]
    by_role = {output.role: output.name for output in reversed(graph.outputs)}
    reference = Reference(
        obs=named(graph.inputs, vectors.inputs),
        reset=np.zeros(shape, np.uint8) if vectors.reset is None else vectors.reset,
        outputs=named(graph.outputs, vectors.outputs),
        states=named(graph.states, vectors.states),
        start=named(graph.states, [_start(graph, state) for state in graph.states]),
        sha256=sha256,
        origin="golden",
    )
    limit = np.full(shape, file.meta.get("golden_limit", GOLDEN_LIMIT), np.float32)
    reference.tolerance = dict.fromkeys(parity.named(reference), limit)
    return acted(reference, file.action, (by_role.get("logits", by_role.get("mean", "")), by_role.get("log_std", "")))


def _start(graph: Graph, state: State) -> np.ndarray:
    shape = graph.values[state.before].shape
    return np.zeros(shape, np.float32) if state.initial < 0 else graph.tensors[state.initial]
