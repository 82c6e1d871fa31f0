"""The loader of C libraries reads declarations from the C file that holds them."""

from __future__ import annotations

from pathlib import Path

import pytest

from minnow.cinfer import binding
from minnow.cinfer.errors import MinnowError

TWICE = """
#ifndef REAL
#define JOIN(name, type) name##_##type
#define NAMED(name, type) JOIN(name, type)
#define FN(name) NAMED(name, REAL)
/* cffi: begin (what Python reads) */
enum { SIDES = 4 };
typedef struct { int corner[SIDES]; } square;
MINNOW_API int last(const square *s); // of the corners
/* cffi: end */
int last(const square *s) { return s->corner[SIDES - 1]; }
#define REAL float
#include "twice.c"
#undef REAL
#define REAL double
#include "twice.c"
#else
/* cffi: begin */
REAL FN(twice)(REAL x);
/* cffi: end */
REAL FN(twice)(REAL x) { return 2 * x; }
#endif
""".replace("#ifndef REAL", "#ifndef REAL\n#define MINNOW_API extern", 1)


def test_what_stands_between_the_marks_can_be_called(tmp_path: Path) -> None:
    path = tmp_path / "twice.c"
    path.write_text(TWICE)
    made = binding.source(path)
    assert made.c.last(made.ffi.new("square *", ([1, 2, 3, 5],))) == 5 and made.c.SIDES == 4
    assert made.c.twice_double(0.1) == 0.2 and made.c.twice_float(0.1) == pytest.approx(0.2, rel=1e-6)
    assert made.c.twice_float(0.1) != 0.2
    assert binding.source(path) is made


def test_a_file_without_marks(tmp_path: Path) -> None:
    path = tmp_path / "plain.c"
    path.write_text("int one(void) { return 1; }\n")
    with pytest.raises(MinnowError, match=r"plain\.c has no declarations between"):
        binding.source(path)
