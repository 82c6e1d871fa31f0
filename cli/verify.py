"""`minnow verify`: proves that a policy file does what torch does, in C, in WebAssembly and in ONNX Runtime."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from minnow.cli import flags

SUMMARY = "prove that a policy file does what torch does"
USAGE = """usage: minnow verify FILE.minnow [options]    a policy file, or a run's folder with one

The file is run beside what torch computed at export (FILE.parity.safetensors), or, without that, beside its own golden
vectors. The exit status is 0 only if C and WebAssembly ran, and agree, as must ONNX Runtime where there is an ONNX
model: every number to 1e-5, or, where a network magnifies rounding, to what the export recorded; and every action.

minnow verify FILE --help lists the options."""


@dataclass
class Flags:
    """Run a policy file in C, WebAssembly (Node) and ONNX Runtime, and compare with torch."""

    json: bool = False
    """Print one JSON object on standard output."""
    allow_missing: bool = False
    """A back end whose tool or file is not there is no failure."""
    require: Literal["", "onnx"] = ""
    """`onnx`: a policy file without its ONNX model fails. By default it agrees, and a note says so."""


def main(argv: list[str]) -> int:
    if not argv or argv[0].startswith("-"):
        print(USAGE)
        return 0 if argv and argv[0] in ("-h", "--help") else 2
    chosen = flags.parse(Flags, argv[1:], f"minnow verify {argv[0]}")
    from minnow.export.verify import verify

    path = Path(argv[0])
    verdict = verify(path / "policy.minnow" if path.is_dir() else path)
    passed = verdict.passed(chosen.allow_missing, {chosen.require})
    if chosen.json:
        print(json.dumps(verdict.to_dict()))
    for line in lines(verdict, passed):
        print(line, file=sys.stderr if chosen.json else sys.stdout)
    return 0 if passed else 1


def lines(verdict: Any, passed: bool) -> list[str]:
    """A verdict for people."""
    from minnow.export.parity import LIMIT

    reference = verdict.reference
    result = "agrees with" if passed else "FAILS against"
    out = [f"{verdict.path} {result} {reference.origin} over {reference.steps} steps of {reference.agents} agents"]
    for name, found in verdict.found.items():
        if found is None:
            words = "not beside it" if name in verdict.absent else f"could not run: {verdict.faults[name]}"
        else:
            words = f"difference {found.max_diff:.1e}, absolute {found.max_abs_diff:.1e}"
            if found.actions:
                words += f", {found.actions - found.wrong:,} of {found.actions:,} actions alike"
            if not found.passed:
                words += f"  FAR: {found.words()}"
        out.append(f"  {name:<5} {words}")
    if reference.limit > LIMIT:
        out.append(f"  note: this network magnifies rounding, of torch's too: up to {reference.limit:.1g} is agreement")
    if reference.decided < 1:
        out.append(
            f"  note: in {1 - reference.decided:.1%} of the steps torch does not agree with itself when what is "
            "rounded moves by its last bit: they were left out"
        )
    if reference.inputs:
        counts = ", ".join(f"{count} {manner}" for manner, count in reference.inputs["manners"].items())
        out.append(f"  observed: {counts}")
        out += [f"  not observed: {manner}, since {why}" for manner, why in reference.inputs["refused"].items()]
    return out + [f"  note: {note}" for note in verdict.notes]
