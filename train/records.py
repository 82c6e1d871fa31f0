"""What runs left behind: their settings, how they ended, and their curves. Needs no torch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minnow.cinfer.errors import MinnowError
from minnow.train import config as configs
from minnow.train.config import Config


@dataclass(frozen=True)
class Record:
    """One run. `state`: schedule, stop or budget, by which it ended; or unfinished."""

    path: Path
    config: Config
    state: str
    steps: int
    seconds: float
    score: float | None
    ci95: float | None

    @property
    def name(self) -> str:
        return f"{self.config.name}/{self.path.name}"

    def curve(self) -> list[dict[str, float]]:
        """Its metrics, a line after another; each holds `steps` and `seconds`."""
        return metrics(self.path / "metrics.jsonl")


def read(path: Path) -> Record:
    """The run in a folder. Raises MinnowError where there is none."""
    file = path / "config.toml"
    if not file.exists():
        raise MinnowError(f"{path} holds no run: a run is a folder with a config.toml, such as runs/<env>/<id>.")
    tables = configs.parse(file.read_text("utf-8"), str(file))
    result = configs.result_of(tables, str(file))
    last = (metrics(path / "metrics.jsonl") or [{}])[-1]
    return Record(
        path,
        configs.from_dict(tables, str(file)),
        result.get("ended", "unfinished"),
        int(result.get("steps", last.get("steps", 0))),
        float(result.get("seconds", last.get("seconds", 0.0))),
        result.get("score_mean"),
        result.get("score_ci95"),
    )


def result(path: Path) -> dict[str, Any]:
    """What the config.toml of the run in a folder says of its end; empty where there is none."""
    file = path / "config.toml"
    if not file.exists():
        return {}
    return configs.result_of(configs.parse(file.read_text("utf-8"), str(file)), str(file))


def find(folder: Path, env: str | None = None) -> tuple[list[Record], list[str]]:
    """Every run below a folder, oldest first; only those of one environment if named. Sweeps keep theirs apart. And
    what is wrong with those that cannot be read."""
    files = [*folder.glob("*/config.toml"), *folder.glob("*/*/config.toml")]
    files = [file for file in files if file.parent.name != "sweeps"]
    files.sort(key=lambda file: file.stat().st_mtime)
    found, faults = [], []
    for file in files:
        try:
            found.append(read(file.parent))
        except MinnowError as error:
            faults.append(str(error))
    return [record for record in found if env is None or record.config.name == env], faults


def differences(records: Sequence[Record]) -> dict[str, list[Any]]:
    """The settings in which runs differ, by their dotted names, with each run's value (None: not set)."""
    flat = [_flat(record.config.to_dict()) for record in records]
    names = sorted({name for row in flat for name in row})
    table = {name: [row.get(name) for row in flat] for name in names}
    return {name: values for name, values in table.items() if any(value != values[0] for value in values)}


def _flat(tables: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    rows: dict[str, Any] = {}
    for name, value in tables.items():
        rows |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return rows


def metrics(path: Path) -> list[dict[str, float]]:
    """The whole lines of a file of metrics; one that is being written is left out. Raises MinnowError where one is
    damaged."""
    if not path.exists():
        return []
    found = []
    for number, line in enumerate(path.read_text(errors="replace").splitlines(keepends=True), 1):
        if not line.endswith("\n"):
            continue
        try:
            found.append(json.loads(line))
            found[-1]["steps"]
        except (ValueError, TypeError, KeyError):
            raise MinnowError(f"{path}: line {number} is damaged ({line[:30].strip()!r}): remove it.") from None
    return found
