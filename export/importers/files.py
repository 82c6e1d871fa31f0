"""Foreign files: which may be opened."""

from __future__ import annotations

from pathlib import Path

from minnow.export.errors import ExportError


def present(path: Path) -> Path:
    if not path.is_file():
        raise ExportError(f"{path} does not exist, or is not a file: give the file that the library saved.")
    return path


def trusted(path: Path, trust: bool) -> Path:
    """The path of a file that holds pickles. Raises ExportError unless its reader says that it is trusted."""
    present(path)
    if not trust:
        raise ExportError(
            f"{path} holds Python pickles, which can run any code as they are loaded: if you trust whoever made the "
            "file, say so with --trust (in Python, trust=True)."
        )
    return path
