"""Writes what fuzzing starts from: `python tests/seeds.py FOLDER`. Small policies by our own exporter, every operation,
every kind of action, every storage among them."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main(folder: Path) -> None:
    sys.path.insert(0, str(HERE))
    folder.mkdir(parents=True, exist_ok=True)
    hostile, session = (importlib.import_module(f"test_cinfer_{name}") for name in ("hostile", "session"))
    seeds = {f"all-{i}": hostile.good(action) for i, action in enumerate((hostile.MultiDiscrete([2, 3]), hostile.BOX))}
    seeds |= {f"action-{name}": session.policy(action).data for name, action in session.ACTIONS.items()}
    for path in sorted(HERE.glob("test_cinfer_ops*.py")):
        cases = getattr(importlib.import_module(path.stem), "CASES", [])
        for case in cases:
            name = f"op-{case.kind}"
            if len(case.file) < len(seeds.get(name, bytes(1 << 15))):
                seeds[name] = case.file
    for name, data in seeds.items():
        (folder / f"{name}.minnow").write_bytes(data)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
