"""What export says when it refuses: the operation, its shapes, the line of the module, what to do."""

from __future__ import annotations

import importlib.util
import linecache
import re
import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from minnow.cinfer.errors import MinnowError


class ExportError(MinnowError):
    """A module, or a part of one, that cannot become a policy file. No file is written."""


@contextmanager
def refusals() -> Iterator[None]:
    """Turns whatever torch, NumPy or ONNX Runtime raise into an ExportError, and lets our own errors through."""
    try:
        yield
    except MinnowError:
        raise
    except Exception as error:
        where = place_of(error)
        remedy = (
            "run that line on the example alone, and write it so that it takes any observation of its kind"
            if where
            else "this is a fault of Minnow, please report it with the module"
        )
        raise ExportError(f"export stopped{where} by {type(error).__name__}: {first_line(error)}; {remedy}.") from error


_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_FRAME = re.compile(r'File "([^"]+)", line (\d+)')
_HOME = str(Path(__file__).parent)
_TORCH = str(Path(getattr(importlib.util.find_spec("torch"), "origin", "")).parent)  # found, not imported
_STDLIB = sysconfig.get_path("stdlib")


def place(stack_trace: str | None) -> str:
    """` at FILE:LINE (code)`, the innermost line outside the libraries; empty where there is none."""
    return _words([(name, int(line)) for name, line in _FRAME.findall(stack_trace or "")])


def brief(stack_trace: str | None) -> str:
    """The same for a file that travels: the last two parts of the path are enough."""
    words = place(stack_trace).removeprefix(" at ")
    name, colon, rest = words.partition(":")
    return "/".join(Path(name).parts[-2:]) + colon + rest


def place_of(error: BaseException) -> str:
    """The same for an exception, from its traceback, or from the source that torch quotes in its message."""
    frames = [(f.filename, f.lineno or 0) for f in traceback.extract_tb(error.__traceback__)]
    words = _words(frames)
    return words if words else place(str(error))


def place_here() -> str:
    """The same for the line that is running now."""
    return _words([(f.filename, f.lineno or 0) for f in traceback.extract_stack()])


def _words(frames: list[tuple[str, int]]) -> str:
    ours = [i for i, (name, _) in enumerate(frames) if name.startswith(_HOME)]
    own = [frame for frame in frames[ours[0] if ours else 0 :] if not _library(frame[0])]
    if not own:
        return ""
    name, line = own[-1]
    code = linecache.getline(name, line).strip()
    return f" at {name}:{line}" + (f" (`{code}`)" if code else "")


def _library(name: str) -> bool:
    """Whether a source file is torch's, Python's or this package's."""
    return (
        name.startswith((_HOME, _TORCH, "torch/"))
        or name.startswith("<")
        or (name.startswith(_STDLIB) and "site-packages" not in name)
    )


def first_line(error: BaseException) -> str:
    """The first line of an exception's message, without its full stop and terminal colours."""
    text = _COLOUR.sub("", str(error)).strip() or type(error).__name__
    return text.splitlines()[0].rstrip(".")


def causes(error: BaseException) -> list[BaseException]:
    """An exception and what led to it, the first cause last."""
    found = [error]
    while (cause := error.__cause__ or (None if error.__suppress_context__ else error.__context__)) is not None:
        if cause in found:
            break
        error = cause
        found.append(error)
    return found
