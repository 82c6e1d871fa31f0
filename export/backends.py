"""The reference's steps through each back end. All give outputs and states as the reference holds them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from minnow.export.errors import ExportError, first_line
from minnow.export.onnx import obs_name, state_name
from minnow.export.parity import Arrays, Reference


class Missing(ExportError):
    """A back end cannot be tried, because a tool or a file is not there."""


def run_onnx(path: Path, reference: Reference) -> tuple[Arrays, Arrays]:
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


def _onnx_steps(session: Any, reference: Reference) -> tuple[Arrays, Arrays]:
    axes = {item.name: item.shape.index("agents") for item in session.get_inputs()}
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
        inputs = {name: item for name, item in (inputs | states).items() if name in axes}
        found = dict(zip(wanted, session.run(wanted, inputs), strict=True))
        for name in reference.outputs:
            outputs[name][step] = found[name]
        for name in reference.states:
            states[state_name(name)] = found[f"next_{state_name(name)}"].copy()
            after[name][step] = np.moveaxis(states[state_name(name)], axes[state_name(name)], 0)
    return outputs, after


def _empty(reference: Reference) -> tuple[Arrays, Arrays]:
    """Arrays for what comes back."""
    return tuple(
        {name: np.zeros_like(item) for name, item in group.items()} for group in (reference.outputs, reference.states)
    )
