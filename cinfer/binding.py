"""The one way in which Python calls C: what stands between two marks of a C file is read by cffi.

    /* cffi: begin */ ... declarations ... /* cffi: end */

A file that is compiled once for each type of number writes `REAL` and `FN(name)` there, and is read once for float and
once for double, whose functions are `name_float` and `name_double`.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cffi

from minnow.cinfer import compile
from minnow.cinfer.errors import MinnowError

MARKS = re.compile(r"/\* cffi: begin\b.*?\*/(.*?)/\* cffi: end \*/", re.DOTALL)
REALS = ("float", "double")
FLAGS = ["-fno-trapping-math"]  # changes no result, but lets gcc turn choices into SIMD


@dataclass(frozen=True)
class Library:
    """c: the functions and constants of a loaded library; ffi: what makes and reads its types."""

    c: Any
    ffi: Any


def declarations(*files: Path) -> str:
    """What stands between the marks of C files, without words such as `MINNOW_API`, which are the compiler's. Raises
    MinnowError for a file without marks."""
    found = []
    for path in files:
        parts = MARKS.findall(path.read_text("utf-8"))
        if not parts:
            raise MinnowError(f"{path} has no declarations between /* cffi: begin */ and /* cffi: end */.")
        for part in parts:
            plain = re.sub(r"\b[A-Z]+_(?:API|EXPORT)\b", "", part)
            found += [_of(real, plain) for real in REALS] if "FN(" in plain else [plain]
    return "\n".join(found)


def _of(real: str, text: str) -> str:
    return re.sub(r"\bREAL\b", real, re.sub(r"\bFN\((\w+)\)", rf"\1_{real}", text))


@functools.cache
def ffi(*files: Path) -> Any:
    """cffi's view of the declarations of C files; types of one view do not fit another's."""
    made = cffi.FFI()
    made.cdef(declarations(*files))
    return made


@functools.cache
def load(built: Path, *files: Path) -> Library:
    """A shared library, with the declarations of these C files."""
    view = ffi(*files)
    return Library(view.dlopen(str(built)), view)


@functools.cache
def source(path: Path) -> Library:
    """A C file, compiled for this machine, with its own declarations."""
    return load(compile.shared(path, flags=FLAGS), path)
