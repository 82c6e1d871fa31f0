"""Puts `minnow.h` together from the rooms of `src/`: `./build.sh header`.

`src/header.h` is the plan: each room that it includes takes the place of that line. What others include of the rooms
keeps its guard, so that the header and a room may meet in one program.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from minnow.cinfer.errors import MinnowError
from minnow.cinfer.files import write_atomic

HERE = Path(__file__).resolve().parent
ROOMS = HERE / "src"
HEADER = HERE / "minnow.h"


def assemble(rooms: Path = ROOMS) -> str:
    """The text of the header. Raises MinnowError where a room is missing or is included twice."""
    seen: set[str] = set()

    def room(match: re.Match[str]) -> str:
        name = match[1]
        if name in seen:
            raise MinnowError(f"{rooms / 'header.h'} includes {name} twice: once is what an assembled header can hold.")
        seen.add(name)
        return _read(rooms / name)

    return re.sub(r'^#include "(\w+\.h)"\n', room, _read(rooms / "header.h"), flags=re.MULTILINE)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise MinnowError(f"cannot read the room {path}: {error.strerror}.") from error


def main() -> int:
    """Writes the header, if it is not so already, and says so."""
    text = assemble().encode()
    same = HEADER.is_file() and HEADER.read_bytes() == text
    if not same:
        write_atomic(HEADER, text)
    print(f"{HEADER} is {'as it was' if same else 'written'}: {len(text)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
