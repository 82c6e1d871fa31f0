"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path


def write_atomic(path: Path, data: bytes) -> None:
    """Writes the whole file or nothing. Raises OSError; the old file, if any, is then still there."""
    with _whole(path, data) as temporary:
        temporary.replace(path)


def write_new(path: Path, data: bytes) -> None:
    """As write_atomic, where there is no file yet: of several that write one at an instant one succeeds, the others get
    FileExistsError."""
    with _whole(path, data) as temporary:
        try:
            path.hardlink_to(temporary)
        except FileExistsError:
            raise
        except OSError:  # a file system without links
            path.open("x").close()
            temporary.replace(path)


@contextlib.contextmanager
def _whole(path: Path, data: bytes) -> Iterator[Path]:
    """A temporary file beside `path` that is on the disk; the name that it gets within survives a power cut too."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
