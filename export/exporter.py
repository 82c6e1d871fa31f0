"""`minnow.export.export`: any `nn.Module` to a policy file, its ONNX twin and its parity file."""

from __future__ import annotations

import dataclasses
import datetime
import gc
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from minnow.cinfer.errors import MinnowError
from minnow.export import card, files, format, onnx, parity, rounding
from minnow.export.action import Action
from minnow.export.backends import run_c
from minnow.export.domain import bounds, described
from minnow.export.errors import ExportError, first_line, refusals
from minnow.export.graph import Graph, Op
from minnow.export.lower import lower
from minnow.export.parity import Difference, Reference, acted
from minnow.export.record import judged, record
from minnow.export.trace import NARROW, Signature, trace

GOLDEN_STEPS = 4
BEYOND = 9  # minnow.h's error where a whole number does not fit


@dataclass
class Report:
    """What an export wrote. `c`: how far the file in C is from torch, over the parity file's steps."""

    path: Path
    onnx: Path | None  # None: torch's exporter could not make one, and `no_onnx` says why
    parity: Path
    size: int  # of the policy file, bytes
    sha256: str
    parameters: int  # numbers stored
    operations: list[str]
    unused: list[str]  # parameters of the module that no output depends on; they are left out
    c: Difference
    seconds: dict[str, float]  # of each stage
    rounding: dict[str, float] | None = None  # f16 and int8: the difference from the unrounded network
    no_onnx: str = ""
    warnings: list[str] = dataclasses.field(default_factory=list)
    card: dict[str, Any] = dataclasses.field(default_factory=dict)

    def line(self) -> str:
        """One sentence for people, and one for each thing to know."""
        rounded = f", {self.rounding['max_diff']:.1e} from the unrounded network" if self.rounding else ""
        left_out = f"; left out as unused: {', '.join(self.unused)}" if self.unused else ""
        return (
            f"{self.path}: {self.parameters:,} parameters, {len(self.operations)} operations, {self.size:,} bytes, "
            f"{self.c.max_diff:.1e} from torch in C{rounded}{left_out}; {self.time()}"
            + "".join(f"\nwarning: {words}" for words in self.warnings)
            + (f"\nno ONNX model beside it: {self.no_onnx}" if self.no_onnx else "")
        )

    def time(self) -> str:
        """Where the time went; stages of less than a tenth of a second are not named."""
        stages = ", ".join(f"{name} {taken:.1f}" for name, taken in self.seconds.items() if taken >= 0.1)
        return f"{sum(self.seconds.values()):.1f} s" + (f" ({stages})" if stages else "")


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch on one thread: more only wait for each other over arrays this small."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def uncollected() -> Iterator[None]:
    """Without the garbage collector, which would go through torch's modules again and again while its exporters load:
    a quarter of the time of an export."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@refusals()
@one_thread()
@uncollected()
def export(
    module: nn.Module,
    example_obs: Any,
    path: Path | str,
    *,
    example_state: Any = None,
    outputs: Sequence[str] | None = None,
    action: Action | None = None,
    observation: Any = None,
    state_axes: Any = None,
    meta: Mapping[str, Any] | None = None,
    dtype: str = "f32",
    check: Callable[[bytes], None] | None = None,
) -> Report:
    """Writes `path` (a .minnow file) and beside it the same as .onnx, the parity file, and the card (.md and .json).

    module: `forward(obs)` or `forward(obs, state)`, which returns a tensor per name in `outputs`, or a dict of them,
    then the state, nested as it came; in evaluation mode. example_obs: a tensor or NumPy array, or any nest of them,
    [agents, ...] each, float32, uint8 or int32; float64, int64 and bool are taken as these, and given to the module as
    they were. example_state: float32, what every agent starts an episode with; its
    agent axis is found by tracing unless `state_axes`, nested alike, says it. outputs: their names; without it a
    dict's keys, else `logits` (`mean` where the action is a Box) and, after logits, `value`. action: how the outputs
    `logits`, or `mean` and `log_std`, become actions. observation: what the inputs are: a Gymnasium space, or in JSON's
    terms a dict of `low`, `high` and `whole` (a number, or one for each), a list of such dicts, one for each number or
    each index of the first or last axis, or a dict of either by input; the proof then keeps to it (see `domain.py`).
    meta: provenance, JSON.
    dtype: how weight matrices are stored, "f32", "f16" or "int8"; the parity is then that of the rounded network, and
    its distance from `module` is recorded. check: is given the policy file's bytes, and raises to refuse them.

    ONNX is a witness: where torch's exporter cannot make the model, the rest is written, the report and the card say
    why, and so does the file (`onnx` in its META).

    Raises ExportError, and writes nothing, where the module cannot be expressed or C does not agree with torch."""
    path = Path(path)
    meta = {"name": path.stem} | dict(meta or {})
    meta.setdefault("created", datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"))
    if observation is not None:
        meta["observation"] = described(observation)
    clock = Clock()
    stored: list[str] = []
    if dtype != "f32":
        signature = Signature(module, example_obs, example_state, outputs, state_axes, action)
        rounded = rounding.rounded(signature, dtype, observation)
        module, stored = rounded.module, rounded.names
        meta |= {"weights": dtype, "rounding": rounded.difference.to_dict()}
        clock.lap("round")
    built = build(
        module,
        example_obs,
        clock,
        example_state=example_state,
        outputs=outputs,
        action=action,
        observation=observation,
        state_axes=state_axes,
        meta=meta,
        dtypes=dict.fromkeys(stored, dtype),
    )
    if check is not None and not stored:  # rounded weights may act otherwise: how far is recorded
        check(built.data)
    reason = ""
    try:
        twin = onnx.convert(built.program, built.signature, meta | {"policy_sha256": built.reference.sha256})
    except ExportError as error:
        twin, reason = None, str(error)
        built = built.again(onnx=reason)
    clock.lap("onnx")
    beside = path.with_suffix(".onnx")
    far: Any = meta.get("rounding")
    report = Report(
        path=path,
        onnx=beside if twin else None,
        parity=parity.beside(path),
        size=len(built.data),
        sha256=built.reference.sha256,
        parameters=sum(tensor.size for tensor in built.graph.tensors),
        operations=[op.kind for op in built.graph.ops],
        unused=built.unused,
        c=built.c,
        seconds=clock.laps,
        rounding=far,
        no_onnx=reason,
        warnings=warnings(built.graph),
    )
    if twin:
        files.write(beside, twin)
    else:
        files.remove(beside)  # of an earlier export, another policy's
    built.reference.save(report.parity)
    files.write(path, built.data)
    clock.lap("files")
    report.card = card.write(path, built.reference, report.operations, report.unused, report.warnings)
    clock.lap("card")
    return report


@dataclass
class Built:
    """A policy file's bytes, and what they were made from and held against."""

    data: bytes
    graph: Graph
    reference: Reference
    c: Difference
    unused: list[str]
    program: Any  # torch.export.ExportedProgram
    signature: Signature
    action: Action | None
    meta: Mapping[str, Any]
    dtypes: Mapping[str, str]

    def again(self, **more: Any) -> Built:
        """The same policy with more metadata."""
        meta = {**self.meta, **more}
        data = _bytes(self.graph, self.action, meta, self.reference, self.dtypes)
        reference = dataclasses.replace(self.reference, sha256=parity.sha256(data))
        return dataclasses.replace(self, data=data, reference=reference, meta=meta)


@refusals()
@one_thread()
def build(
    module: nn.Module,
    example_obs: Any,
    clock: Clock | None = None,
    *,
    example_state: Any = None,
    outputs: Sequence[str] | None = None,
    action: Action | None = None,
    observation: Any = None,
    state_axes: Any = None,
    meta: Mapping[str, Any] | None = None,
    dtypes: Mapping[str, str] | None = None,
) -> Built:
    """The policy file of a module, held against torch in C. Arguments and errors are those of `export`. dtypes: how
    tensors are stored, by name, where it is not f32."""
    clock = clock or Clock()
    signature = Signature(module, example_obs, example_state, outputs, state_axes, action)
    program = trace(signature)
    clock.lap("trace")
    graph, unused = lower(program, signature, bounds(signature, observation))
    signature.check_repeats()
    clock.lap("lower")
    own = {leaf.name: str(leaf.dtype).removeprefix("torch.") for leaf in signature.obs if leaf.dtype in NARROW}
    meta = {**(meta or {}), **({"dtypes": own} if own else {})}

    def proved(refused: Mapping[str, str]) -> tuple[bytes, Reference, Difference]:
        reference = record(signature, observation=observation, refused=refused)
        reference = acted(judged(signature, reference), action)
        clock.lap("torch")
        data = _bytes(graph, action, meta, reference, dtypes or {})
        reference = dataclasses.replace(reference, sha256=parity.sha256(data))
        return data, reference, parity.difference(run_c(data, reference), reference)

    try:
        data, reference, c = proved({})
    except MinnowError as error:
        if error.number != BEYOND:
            raise
        try:  # the file says so itself whenever it happens, and nothing is declared that says it can
            data, reference, c = proved({"far": f"the policy file's steps end with {first_line(error)}"})
        except MinnowError as again:
            if again.number != BEYOND:
                raise
            raise ExportError(
                "the module computes whole numbers beyond 32 bits from the examples, or from what is near them: policy "
                "files hold 32 bits; compute in float32, or declare a smaller range with observation=."
            ) from again
    clock.lap("c")
    if not c.passed:
        raise ExportError(
            f"the policy in C differs: {c.words()}; no file was written. This is a fault of Minnow; please report it."
        )
    return Built(data, graph, reference, c, unused, program, signature, action, meta, dtypes or {})


def warnings(graph: Graph) -> list[str]:
    """What is right as a file and probably not meant."""
    made = {value: op for op in graph.ops for value in op.outputs}

    def probabilities(value: int) -> bool:
        """Whether a value is nothing but results of softmax, moved about."""
        op: Op | None = made.get(value)
        if op is None or op.kind not in ("softmax", "concat", "slice", "reshape", "permute"):
            return False
        return op.kind == "softmax" or all(map(probabilities, op.inputs))

    return [
        f"the output {output.name!r} holds probabilities, the results of softmax, and actions are drawn by the softmax "
        "of logits: return what goes into that softmax"
        for output in graph.outputs
        if output.role == "logits" and probabilities(output.value)
    ]


class Clock:
    """Seconds since the last lap, by name."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name], self._last = self.laps.get(name, 0.0) + now - self._last, now


def _bytes(
    graph: Graph, action: Action | None, meta: Mapping[str, Any], reference: Reference, dtypes: Mapping[str, str]
) -> bytes:
    # Of the agents those at whose steps torch agrees best with itself: a runtime has no other word of it.
    doubts = np.max([item[:GOLDEN_STEPS] for item in reference.tolerance.values()], (0, 1))
    kept = doubts <= max(doubts.min(), np.float32(parity.LIMIT))
    golden = format.Golden(
        *(
            [item[:GOLDEN_STEPS, kept] for item in group.values()]
            for group in (reference.obs, reference.outputs, reference.states)
        ),
        reset=reference.reset[:GOLDEN_STEPS, kept] if reference.states else None,
    )
    if doubts.min() > np.float32(parity.LIMIT):
        meta = {**meta, "golden_limit": float(np.nan_to_num(doubts.min(), posinf=parity.MOST))}
    try:
        stored = [dtypes.get(name, "f32") for name in graph.tensor_names]
        return format.write(graph, None, action=action, meta=meta, golden=golden, dtypes=stored)
    except (ValueError, TypeError) as error:
        raise ExportError(f"the policy cannot be stored: {error}.") from error
