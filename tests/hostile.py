"""Writes cinfer/hostile/ anew: `python tests/hostile.py`, for when the format grows a fault."""

from __future__ import annotations

import sys
from pathlib import Path
from unittest.mock import patch

import numpy as np

HERE = Path(__file__).resolve().parent
FOLDER = HERE.parent / "cinfer" / "hostile"
HEAD = """# Hostile files

Made by hand from one small policy (`python tests/hostile.py`), each with one fault behind a right checksum,
unless the checksum is the fault. A reader must refuse each with the number that its name begins with, and
`tests/test_cinfer_hostile.py` holds minnow.h to that; it tries truncation at each byte too, without files.

| file | number | message |
|---|---|---|
"""

# What the tests' faults of each number are called, in their order; those without a name get no file.
SLUGS = {
    "MAGIC": ["sent-in-text-mode"],
    "VERSION": ["future-version"],
    "TRUNCATED": ["size-beyond-the-file"],
    "TRAILING": ["trailing-bytes"],
    "DIRECTORY": ["one-section-too-many", "section-twice"],
    "PADDING": ["header-not-zero", "bytes-between-sections"],
    "OVERLAP": ["sections-overlap"],
    "OUTSIDE": ["section-before-the-file", "section-size-overflows", "data-beyond-the-file"],
    "RECORDS": ["record-count-overflows"],
    "TEXT": ["", "overlong-utf8"],
    "NAME": ["", "name-outside"],
    "TWICE": ["two-states-of-one-name"],
    "META": ["metadata-is-a-list"],
    "DTYPE": ["unknown-dtype", "", "", "", "integer-of-floats", "index-of-words", "output-of-words", "", "moved-words"],
    "RANK": ["seven-axes"],
    "SIZE": ["empty-axis"],
    "ELEMENTS": ["elements-overflow", "absurd-tensor"],
    "VALUE": ["no-such-value"],
    "ORDER": ["depends-on-itself", "used-before-computed"],
    "DUPLICATE": ["value-given-twice"],
    "GAP": ["value-left-out"],
    "ROLE": ["unknown-role"],
    "OPERATION": ["unknown-operation"],
    "ARITY": ["nothing-to-join", "", "", "weights-missing", "attribute-count-overflows"],
    "ARGUMENTS": ["arguments-overlap", "input-count-overflows"],
    "TENSOR": ["no-such-tensor", "weights-absent"],
    "ATTRIBUTE": ["step-of-zero", "", "nan-bound", *[""] * 11, "unknown-way", "", "", "unknown-order"],
    "SHAPE": [
        "slice-outside",
        "slice-overflows",
        *([""] * 28),
        "gather-outside",
        "",
        "scatter-too-few",
        "scatter-outside",
        "",
        "sort-more-than-there-are",
    ],
    "PLACE": ["tensors-overlap"],
    "BEYOND": ["tensor-offset-overflows", "scales-absent", "tensor-in-the-header"],
    "NUMBER": ["nan-weight", "nan-weight-f16", "infinite-scale"],
    "KIND": ["unknown-action"],
    "HEADS": ["", "head-count-overflows", "", "choices-overflow"],
    "FEED": ["fed-by-no-output"],
    "BOUNDS": ["bounds-of-a-choice"],
    "GOLDEN": ["one-golden-step", "golden-step-missing", "", "golden-agents-overflow"],
}


def main() -> None:
    sys.path.insert(0, str(HERE))
    import test_cinfer_hostile as tests

    from minnow.cinfer import messages
    from minnow.export import format

    good = tests.good()
    damaged = bytearray(good)
    damaged[-100] ^= 1
    files = {
        ("SHORT", "cut-in-the-header"): good[:100],
        ("TRUNCATED", "cut-in-the-data"): good[:-64],
        ("CHECKSUM", "damaged"): bytes(damaged),
        ("COUNT", "no-inputs"): without_inputs(),
    }
    for name, slugs in SLUGS.items():
        faults = [change for fault, change in tests.FAULTS if fault == name]
        for slug, change in zip(slugs, faults, strict=False):
            if slug:
                edit = tests.Edit(good)
                change(edit)
                format.seal(edit.data)
                files[name, slug] = bytes(edit.data)
    FOLDER.mkdir(exist_ok=True)
    rows = []
    for (name, slug), data in files.items():
        number = tests.number(name)
        (FOLDER / f"{number}-{slug}.minnow").write_bytes(data)
        rows.append(f"| `{number}-{slug}.minnow` | {number} | {messages()[number]} |\n")
    (FOLDER / "README.md").write_text(HEAD + "".join(sorted(rows)))


def without_inputs() -> bytes:
    """What the writer would refuse: a policy that sees nothing."""
    from minnow.export import format
    from minnow.export.graph import Graph, Output, State, Value

    graph = Graph([Value((1,))], states=[State("h", 0, 0)], outputs=[Output("y", 0)])
    one = np.zeros((2, 1, 1), np.float32)
    with patch.object(format, "check", lambda graph: None):
        return format.write(graph, None, golden=format.Golden([], [one], [one]))


if __name__ == "__main__":
    main()
