"""Rows of a benchmark that takes long, kept in a JSON file one by one: so it may be interrupted, and extended."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from minnow.cinfer.errors import MinnowError
from minnow.cinfer.files import write_atomic

Row = dict[str, Any]
KEYS = {  # by benchmark, what is asked for
    "seeds": {"env", "seed", "episodes", "settings"},
    "solve": {"env", "seed", "bar", "core", "processes", "device", "settings"},
}


class Keep:
    """path: None keeps nothing. kind: the benchmark. Raises MinnowError for a file that holds something else."""

    def __init__(self, path: Path | None, kind: str) -> None:
        self.path, self.rows = path, read(path, kind) if path else []

    def row(self, asked: Row, measure: Callable[[], Row]) -> Row:
        """What was asked, and what was or, if that is not known yet, is now measured."""
        known = next((row for row in self.rows if asked.items() <= row.items()), None)
        if known is not None:
            return known
        made = asked | measure()
        self.rows.append(made)
        if self.path:
            write_atomic(self.path, ("[\n" + ",\n".join(map(json.dumps, self.rows)) + "\n]\n").encode())
        return made


def read(path: Path, kind: str) -> list[Row]:
    """The rows that a file holds; none where there is no file."""
    if not path.exists():
        return []
    try:
        rows = json.loads(path.read_text("utf-8"))
        if isinstance(rows, list) and all(row.keys() >= KEYS[kind] for row in rows):
            return rows
    except (ValueError, AttributeError, TypeError):
        pass
    raise MinnowError(f"{path} is not what minnow bench {kind} --out writes: choose another file.")
