"""The reference's steps through each back end. All give outputs and states as the reference holds them."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minnow.cinfer.errors import MinnowError
from minnow.export.errors import ExportError, first_line
from minnow.export.onnx import obs_name, state_name
from minnow.export.parity import Arrays, Reference, Run, expected_actions

# Dtypes of torch's that the file has narrower ones for.
OWN = {"tensor(double)": np.float64, "tensor(int64)": np.int64, "tensor(bool)": np.bool_}


class Missing(ExportError):
    """A back end cannot be tried, because a tool or a file is not there."""


def run_c(policy: bytes, reference: Reference) -> Run:
    """minnow.h, compiled for this machine."""
    from minnow.cinfer import load

    try:
        loaded = load(policy)
    except MinnowError as error:
        raise _absent(error, "cc", "gcc", "clang") from None
    inputs, resets = _inputs(loaded, reference), _resets(reference)
    return _named(loaded, [loaded.run(inputs, resets=resets, **kind) for kind in _kinds(reference).values()], reference)


def run_wasm(policy: bytes, reference: Reference) -> Run:
    """minnow.h as WebAssembly, in Node."""
    return run_wasm_all([(policy, reference)])[0]


def run_wasm_all(cases: Sequence[tuple[bytes, Reference]]) -> list[Run]:
    """The same for many policies, in one Node."""
    from minnow.cinfer import load, wasm

    try:
        loaded = [load(policy) for policy, _ in cases]
        jobs = [
            wasm.Job(policy.data, _inputs(policy, reference), resets=_resets(reference), **kind)
            for policy, (_, reference) in zip(loaded, cases, strict=True)
            for kind in _kinds(reference).values()
        ]
        traces = iter(wasm.run_all(jobs))
    except MinnowError as error:
        raise _absent(error, "node") if not shutil.which("node") else _absent(error, "emcc") from None
    return [
        _named(policy, list(itertools.islice(traces, len(_kinds(reference)))), reference)
        for policy, (_, reference) in zip(loaded, cases, strict=True)
    ]


def _kinds(reference: Reference) -> dict[str, dict[str, Any]]:
    """How the policy is run for each kind of action; the first run gives the outputs."""
    masks = {} if reference.mask is None else {"masks": reference.mask}
    sampled = {"sample": True, "seed": reference.noise, **masks}
    if reference.action is None:
        return {"": {}}
    return {"greedy": {}, **({"masked": masks} if masks else {}), "sampled": sampled}


def _absent(error: MinnowError, *tools: str) -> MinnowError:
    """The error, as Missing if that is because none of the tools is there."""
    missing = error.number is None and not any(shutil.which(tool) for tool in tools)
    return Missing(str(error)) if missing else error


def _inputs(policy: Any, reference: Reference) -> list[np.ndarray]:
    """The observations in the file's order."""
    names = [spec.name for spec in policy.inputs]
    if sorted(names) != sorted(reference.obs):
        raise ExportError(f"the policy takes {', '.join(names)}, and the reference has {', '.join(reference.obs)}.")
    return [reference.obs[name] for name in names]


def _resets(reference: Reference) -> dict[int, list[int]]:
    return {step: np.flatnonzero(row).tolist() for step, row in enumerate(reference.reset) if row.any()}


def _named(policy: Any, traces: Sequence[Any], reference: Reference) -> Run:
    first = traces[0]
    outputs = {spec.name: item for spec, item in zip(policy.outputs, first.outputs, strict=True)}
    states = {spec.name: item for spec, item in zip(policy.states, first.states, strict=True)}
    if reference.action is None:
        return Run(outputs, states)
    if first.action is None:
        raise ExportError("the policy file declares no action, and torch's policy has one: export the policy again.")
    return Run(outputs, states, {kind: t.action for kind, t in zip(_kinds(reference), traces, strict=True)})


def run_onnx(path: Path, reference: Reference) -> Run:
    """ONNX Runtime, on the model that was exported with the policy file."""
    if not path.exists():
        raise Missing(f"{path} is not there: export the policy again.")
    try:
        import onnxruntime
    except ImportError:
        raise Missing("onnxruntime is not installed: pip install onnxruntime.") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
        bound = session.get_modelmeta().custom_metadata_map.get("policy_sha256")
        if bound == reference.sha256:
            return _onnx_steps(session, reference)
    except Exception as error:  # ONNX Runtime's have no class in common
        raise ExportError(f"ONNX Runtime cannot run {path}: {first_line(error)}.") from error
    raise ExportError(f"{path} was made with another policy file (SHA-256 {bound}): export the policy again.")


def _onnx_steps(session: Any, reference: Reference) -> Run:
    axes = {item.name: item.shape.index("agents") for item in session.get_inputs()}
    own = {item.name: OWN.get(item.type) for item in session.get_inputs()}
    start = {
        state_name(name): np.repeat(
            np.expand_dims(item, axes[state_name(name)]), reference.agents, axes[state_name(name)]
        )
        for name, item in reference.start.items()
    }
    states = {name: item.copy() for name, item in start.items()}
    wanted = [*reference.outputs, *(f"next_{name}" for name in states)]
    outputs, after = _empty(reference)
    for step in range(reference.steps):
        again = np.flatnonzero(reference.reset[step])
        for name, item in states.items():
            np.moveaxis(item, axes[name], 0)[again] = np.moveaxis(start[name], axes[name], 0)[again]
        inputs = {obs_name(name): item[step] for name, item in reference.obs.items()}
        inputs = {
            name: item.astype(own[name] or item.dtype) for name, item in (inputs | states).items() if name in axes
        }
        found = dict(zip(wanted, session.run(wanted, inputs), strict=True))
        for name in reference.outputs:
            outputs[name][step] = found[name]
        for name in reference.states:
            states[state_name(name)] = found[f"next_{state_name(name)}"].copy()
            after[name][step] = np.moveaxis(states[state_name(name)], axes[state_name(name)], 0)
    return Run(outputs, after, expected_actions(reference, outputs))


def _empty(reference: Reference) -> tuple[Arrays, Arrays]:
    """Arrays for what comes back."""

    def zeros(group: Arrays) -> Arrays:
        return {name: np.zeros_like(item) for name, item in group.items()}

    return zeros(reference.outputs), zeros(reference.states)
