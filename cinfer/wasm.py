"""Runs a policy in WebAssembly under Node, for comparison with the native library."""

from __future__ import annotations

import json
import re
import shutil
import struct
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from minnow.cinfer import compile
from minnow.cinfer.errors import MinnowError
from minnow.cinfer.policy import Array, Trace, empty_trace, fault, load

HERE = Path(__file__).resolve().parent
EXPORTS = (
    "library_heap",
    "minnow_size",
    "minnow_load",
    "minnow_session_size",
    "minnow_session_init",
    "minnow_step_inputs",
    "minnow_reset",
    "minnow_result",
    "minnow_state",
    "minnow_action",
    "minnow_action_box",
    "minnow_probabilities",
)


def module(*, simd: bool = True) -> Path:
    """minnow.h as WebAssembly."""
    return compile.wasm(HERE / "library.c", exports=EXPORTS, grow=True, simd=simd, name="minnow")


def run(
    policy: bytes | Path | str,
    inputs: Sequence[Array],
    *,
    masks: Array | None = None,
    resets: Mapping[int, Sequence[int]] | None = None,
    seed: int = 0,
    sample: bool = False,
    simd: bool = True,
) -> Trace:
    """What `Policy.run` does, in WebAssembly. Raises MinnowError where Node or emcc is missing, or a fault is found."""
    return run_all([Job(policy, inputs, masks, resets, seed, sample)], simd=simd)[0]


@dataclass
class Job:
    """The arguments of one `run`."""

    policy: bytes | Path | str
    inputs: Sequence[Array]
    masks: Array | None = None
    resets: Mapping[int, Sequence[int]] | None = None
    seed: int = 0
    sample: bool = False


def run_all(jobs: Sequence[Job], *, simd: bool = True) -> list[Trace]:
    """The same for many policies, each with memory of its own, in one process."""
    node = shutil.which("node")
    if not node:
        raise MinnowError("node was not found. Install it: apt-get install nodejs (as root).")
    traces, request = [], b""
    for job in jobs:
        trace, text = _request(job)
        traces.append(trace)
        request += text
    command = [node, str(HERE / "wasm.js"), str(module(simd=simd))]
    done = subprocess.run(command, input=request, capture_output=True)
    if done.returncode:
        words = done.stderr.decode(errors="replace").strip()
        number = re.fullmatch(r"Error: error (\d+)", words)
        raise fault(int(number[1])) if number else MinnowError(f"node failed ({done.returncode}): {words}")
    at = 0
    for job, trace in zip(jobs, traces, strict=True):
        parts = [*trace.outputs, *trace.states, *(a for a in (trace.action, trace.probabilities) if a is not None)]
        for step in range(len(job.inputs[0])):
            for array in parts:
                array[step] = np.frombuffer(done.stdout, array.dtype, array[step].size, at).reshape(array[step].shape)
                at += array[step].nbytes
    return traces


def _request(job: Job) -> tuple[Trace, bytes]:
    """Room for the results, and what wasm.js reads."""
    native, inputs, masks = load(job.policy), job.inputs, job.masks
    steps, agents = inputs[0].shape[:2]
    arrays = [np.ascontiguousarray(a, spec.dtype) for a, spec in zip(inputs, native.inputs, strict=True)]
    trace = empty_trace(native, steps, agents)
    head = {
        "policy": len(native.data),
        "steps": steps,
        "agents": agents,
        "seed": str(job.seed % 2**64),
        "sample": int(job.sample),
        "inputs": [array[0, 0].nbytes for array in arrays],
        "outputs": [array[0, 0].nbytes for array in trace.outputs],
        "states": sum(array[0, 0].nbytes for array in trace.states),
        "heads": native.action.heads,
        "choices": native.action.choices,
        "box": native.action.kind == "box",
        "masked": masks is not None,
        "resets": {str(step): list(map(int, who)) for step, who in (job.resets or {}).items()},
    }
    text = json.dumps(head).encode()
    request = [struct.pack("<I", len(text)), text, native.data]
    for step in range(steps):
        request += [array[step].tobytes() for array in arrays]
        if masks is not None:
            request.append(np.ascontiguousarray(masks[step] != 0, np.uint8).tobytes())
    return trace, b"".join(request)
