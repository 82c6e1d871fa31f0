"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from minnow.cinfer.errors import MinnowError


def write(path: Path, data: bytes) -> None:
    """Writes a file, its folder included. Raises MinnowError where that fails; an old file is then still there."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise MinnowError(f"cannot write {path}: {error.strerror}; free space or choose another place.") from None
    finally:
        temporary.unlink(missing_ok=True)
