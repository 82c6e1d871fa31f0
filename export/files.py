"""What an export writes appears whole or not at all."""

from __future__ import annotations

from pathlib import Path

from minnow.cinfer.errors import MinnowError
from minnow.cinfer.files import write_atomic


def remove(path: Path) -> None:
    """Removes a file if it is there. Raises MinnowError where that fails."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise MinnowError(f"cannot remove {path}, which is of an earlier export: {error.strerror}.") from None


def write(path: Path, data: bytes) -> None:
    """Writes a file, its folder included. Raises MinnowError where that fails; an old file is then still there."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, data)
    except OSError as error:
        raise MinnowError(f"cannot write {path}: {error.strerror}; free space or choose another place.") from None
