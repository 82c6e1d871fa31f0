"""`minnow bench infer`: minnow.h beside ONNX Runtime, onnxruntime-web and torch, on four networks; the table and the
picture."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minnow.bench import Measured, Say
from minnow.cinfer.errors import MinnowError, unknown
from minnow.cinfer.files import write_atomic

VALUES = {
    "net": ("a", "b", "c", "d"),
    "backend": ("minnow", "onnxruntime", "torch", "onnxruntime-web"),
    "host": ("native", "node", "chromium"),
    "isa": ("plain", "sse2", "avx2", "avx512", "neon", "simd128"),
    "mode": ("exact", "fast"),
}


@dataclass
class Options:
    """Measure one step of four networks in minnow.h (natively for each instruction set, and in WebAssembly), ONNX
    Runtime, torch and onnxruntime-web, in one interleaved run, beside what the machine can do. Several values are
    separated by commas; an empty list means all."""

    net: str = ""
    """a: MLP 42-256-256-8; b: Linear, LSTM 128; c: convolutions, LSTM 128; d: four MinGRUs of 128."""
    agents: str = "1,64,1024"
    """Agents stepped together."""
    backend: str = ""
    """minnow, onnxruntime, torch, onnxruntime-web (fetched by npm on first use)."""
    host: str = ""
    """native, node, chromium."""
    isa: str = ""
    """plain, sse2, avx2, avx512, neon, simd128. Those of others than minnow count as the machine's best."""
    mode: str = ""
    """exact, fast. Others than minnow count as fast."""
    rounds: int = 31
    """Times that each is measured; the median counts."""
    batch: float = 0.001
    """Seconds that each is measured for in a round. Short ones are seldom interrupted on a machine that is shared."""
    plot: Path | None = None
    """Write a picture, an SVG file."""


def measure(options: Options, say: Say) -> Measured:
    picked = {name: values(name, getattr(options, name)) for name in VALUES}
    try:
        agents = [int(word) for word in options.agents.split(",")]
    except ValueError:
        agents = [0]
    if min(agents) < 1 or options.rounds < 1 or not 0 < options.batch < 10:
        raise MinnowError(
            f"--agents {options.agents} --rounds {options.rounds} --batch {options.batch}: expected numbers from 1 on, "
            "and a batch below 10 seconds."
        )
    from minnow.bench.infer import picture, rounds

    with tempfile.TemporaryDirectory() as folder:
        choice = rounds.Choice(agents=agents, rounds=options.rounds, batch=options.batch, **picked)
        rows = rounds.rows(choice, Path(folder))
    if options.plot:
        write_atomic(options.plot, picture.svg(rows).encode())
    say(table(rows))
    return Measured(rows)


def values(name: str, text: str) -> list[str]:
    """The words of an option of this name, which are among those it knows."""
    words = [word for word in text.split(",") if word]
    for word in words:
        if word not in VALUES[name]:
            raise unknown(name, word, VALUES[name])
    return words


def table(rows: list[dict[str, Any]]) -> str:
    """The rows for people."""
    lines = [f"{'net':<4}{'agents':>6}  {'backend':<16}{'host':<10}{'isa':<9}{'mode':<7}{'us':>9}  of limit"]
    for row in rows:
        lines.append(
            f"{row['net']:<4}{row['agents']:>6}  {row['backend']:<16}{row['host']:<10}{row['isa']:<9}{row['mode']:<7}"
            f"{row['us']:>9.4g}  {100 * row['ratio_to_limit']:5.1f} %"
        )
    return "\n".join(lines)
