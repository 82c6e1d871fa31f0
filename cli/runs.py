"""`minnow runs`: lists the runs below runs/, or compares some of them."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minnow.cinfer.errors import MinnowError, unknown
from minnow.cli import flags
from minnow.train import records
from minnow.train.records import Record

SUMMARY = "list the runs, or compare some of them"
ORDERS = ("time", "score", "seconds", "steps")


@dataclass
class Flags:
    """List every run, or compare those that are named: minnow runs [RUN...]."""

    folder: Path = Path("runs")
    """Where the runs lie."""
    env: str | None = None
    """Only those of one environment."""
    sort: str = "time"
    """time (oldest first), score (best first), seconds or steps (fewest first)."""
    json: bool = False
    """Print one JSON list on standard output."""


def main(argv: list[str]) -> int:
    named, rest = flags.leading(argv)
    chosen = flags.parse(Flags, rest, "minnow runs")
    if chosen.sort not in ORDERS:
        raise unknown("order", chosen.sort, ORDERS)
    if named:
        found, faults = [records.read(Path(name)) for name in named], []
    else:
        found, faults = records.find(chosen.folder, chosen.env)
    for fault in faults:
        print(f"left out: {fault}", file=sys.stderr)
    if not found:
        raise MinnowError(f"there are no runs in {chosen.folder}. Make one with: minnow train pong")
    if chosen.sort == "score":
        found.sort(key=lambda record: -float("inf") if record.score is None else record.score, reverse=True)
    elif chosen.sort != "time":
        found.sort(key=lambda record: getattr(record, chosen.sort))
    apart = records.differences(found) if len(named) > 1 else {}
    if chosen.json:
        print(json.dumps([_row(record) | _settings(apart, i) for i, record in enumerate(found)]))
    else:
        _print(found, apart)
    return 0


def _row(record: Record) -> dict[str, Any]:
    return {
        "run": str(record.path),
        "env": record.config.name,
        "seed": record.config.seed,
        "state": record.state,
        "steps": record.steps,
        "seconds": record.seconds,
        "score_mean": record.score,
        "score_ci95": record.ci95,
    }


def _settings(apart: dict[str, list[Any]], index: int) -> dict[str, Any]:
    return {"settings": {name: values[index] for name, values in apart.items()}} if apart else {}


def _print(found: list[Record], apart: dict[str, list[Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(show_edge=False)
    for column in ("run", "network", "score", "steps", "seconds", "ended by", *(name.split(".")[-1] for name in apart)):
        table.add_column(column, justify="left" if column in ("run", "network", "ended by") else "right")
    for i, record in enumerate(found):
        policy = record.config.policy
        score = "" if record.score is None else f"{record.score:+.2f}"
        score += "" if record.ci95 is None else f" ± {record.ci95:.2f}"
        values = [f"{value:g}" if isinstance(value, float) else str(value) for value in (v[i] for v in apart.values())]
        table.add_row(
            str(record.path),
            f"{policy.core} {policy.layers} x {policy.hidden}",
            score,
            f"{record.steps:,}",
            f"{record.seconds:.1f}",
            record.state,
            *values,
        )
    Console().print(table)
