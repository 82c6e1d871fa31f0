"""minnow.h is what its rooms make, and the rooms stay small enough to read."""

from __future__ import annotations

from pathlib import Path

import pytest

from minnow.cinfer import assemble
from minnow.cinfer.errors import MinnowError

MOST_LINES, MOST_IN_FUNCTION = 900, 100


def blocks(text: str) -> list[tuple[str, int]]:
    """The first line and the number of lines of everything in braces that begins at the left margin."""
    found, start = [], None
    lines = text.splitlines()
    for i, line in enumerate(lines):
        if start is None and line[:1].isalpha() and not line.startswith('extern "C"'):
            start = i
        if start is not None and (line.startswith("}") or (line.endswith(";") and i == start)):
            found.append((lines[start], i - start + 1))
            start = None
    return found


def test_header() -> None:
    assert assemble.HEADER.read_text() == assemble.assemble(), "cinfer/minnow.h is not of its rooms: ./build.sh header"


def test_every_room_is_used() -> None:
    header = assemble.assemble()
    for room in assemble.ROOMS.iterdir():
        outside = room.name in ("header.h", "scalar.h")  # the plan, and the door for others
        assert outside or room.read_text() in header, f"{room.name} is not in the header"


@pytest.mark.parametrize("room", sorted(assemble.ROOMS.iterdir()), ids=lambda path: path.name)
def test_limits(room: Path) -> None:
    text = room.read_text()
    assert text.count("\n") <= MOST_LINES
    for first, lines in blocks(text):
        assert lines <= MOST_IN_FUNCTION, f"{room.name}: {lines} lines from {first!r} on"


def test_a_long_function_is_seen() -> None:
    body = "static int f(int x) {\n" + "    x++;\n" * 99 + "    return x;\n}\n"
    assert blocks("int a;\n\n" + body + "\nint g(\n    int x) {\n    return x;\n}\n") == [
        ("int a;", 1),
        ("static int f(int x) {", 102),
        ("int g(", 4),
    ]


def test_faults(tmp_path: Path) -> None:
    (tmp_path / "header.h").write_text('#include "one.h"\nint x;\n#include "one.h"\n')
    with pytest.raises(MinnowError, match="cannot read the room"):
        assemble.assemble(tmp_path)
    (tmp_path / "one.h").write_text("int y;\n")
    with pytest.raises(MinnowError, match=r"one\.h twice"):
        assemble.assemble(tmp_path)
