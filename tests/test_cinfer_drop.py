"""Builds of minnow.h that leave operations out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import minnow.cinfer
from minnow.cinfer import compile
from minnow.cinfer.errors import MinnowError
from minnow.export import format
from minnow.export.graph import Graph, Input, Op, Output, Value
from minnow.export.ops import KINDS

STAY = {"add", "sub", "mul", "div", "exp", "log", "tanh", "relu"}  # the interpreter itself uses them


def one_op_file(kind: str) -> bytes:
    """A policy that is one activation of six numbers. Its golden vectors are zeros: only its shapes matter here."""
    graph = Graph([Value((6,)), Value((6,))], [Op(kind, [0], [1])], inputs=[Input("x", 0)], outputs=[Output("y", 1)])
    zeros = np.zeros((2, 1, 6), np.float32)
    return format.write(graph, None, golden=format.Golden([zeros], [zeros]))


def build(dropped: set[str], cc: str | None = None) -> Path:
    return compile.shared(
        compile.HERE / "library.c", defines=dict.fromkeys((f"MINNOW_NO_{name}" for name in sorted(dropped)), "1"), cc=cc
    )


def test_a_file_that_needs_what_was_left_out_is_refused() -> None:
    library = build({"gelu", "conv"})
    with pytest.raises(MinnowError, match="left out") as caught:
        minnow.cinfer.load(one_op_file("gelu"), build=library)
    assert caught.value.number == 60
    x = np.linspace(-3, 3, 12, dtype=np.float32).reshape(2, 6)
    for name in ("silu", "tanh", "sigmoid"):
        whole, less = (minnow.cinfer.load(one_op_file(name), build=path) for path in (None, library))
        np.testing.assert_array_equal(
            whole.session(agents=2).step(x).outputs[0], less.session(agents=2).step(x).outputs[0]
        )


@pytest.mark.parametrize("cc", ["gcc", "clang"])
def test_all_can_be_left_out_but_what_the_interpreter_uses(cc: str) -> None:
    library = build(set(KINDS), cc)
    for name in ("tanh", "relu", "exp"):
        x = np.linspace(-2, 2, 6, dtype=np.float32).reshape(1, 6)
        out = minnow.cinfer.load(one_op_file(name), build=library).session(agents=1).step(x).outputs[0]
        np.testing.assert_allclose(
            out, {"tanh": np.tanh, "exp": np.exp, "relu": lambda v: v.clip(0)}[name](x), rtol=1e-6
        )
    for name in ("sigmoid", "silu"):
        with pytest.raises(MinnowError):
            minnow.cinfer.load(one_op_file(name), build=library)


def test_leaving_out_makes_it_smaller() -> None:
    size = [build(dropped).stat().st_size for dropped in (set(), set(KINDS) - STAY - {"linear", "lstm", "constant"})]
    assert size[1] < 0.85 * size[0]
