"""Portable arithmetic and counted randomness: their errors, their known answers, the same bits from every build."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import cffi
import numpy as np
import pytest

import minnow.cinfer
from minnow.cinfer import compile
from minnow.export import format
from minnow.export.graph import Graph, Input, Op, Output, Value

SOURCE = Path(__file__).with_name("env_math.c")
BUILDS = [("gcc", "-O0"), ("gcc", "-O3"), ("clang", "-O0"), ("clang", "-O3")]
UNARY = ("sin", "cos", "exp", "log", "tanh", "sqrt", "floor", "nearest")

FFI: Any = cffi.FFI()
for one in UNARY:
    FFI.cdef(f"void math_{one}(const float *x, float *y, int n);")
FFI.cdef("void math_atan2(const float *y, const float *x, float *out, int n);")
FFI.cdef("void math_threefry(const uint32_t in[4], uint32_t out[2]);")
FFI.cdef("void math_draw(uint32_t key, int kind, float *out, int n);")


@functools.cache
def build(cc: str, level: str) -> Any:
    return FFI.dlopen(str(compile.shared([SOURCE], flags=[level], cc=cc, name="env_math")))


def call(lib: Any, name: str, *arrays: np.ndarray) -> np.ndarray:
    out = np.zeros_like(arrays[0])
    pointers = [FFI.from_buffer("float[]", np.ascontiguousarray(array)) for array in (*arrays, out)]
    getattr(lib, f"math_{name}")(*pointers, out.size)
    return out


def numbers(low: float, high: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.concatenate([rng.uniform(low, high, 200_000), np.linspace(low, high, 50_001)]).astype(np.float32)


def ulps(got: np.ndarray, want: np.ndarray) -> np.ndarray:
    return np.abs(got - want) / np.spacing(np.abs(want).astype(np.float32)).astype(np.float64)


@pytest.fixture(scope="module")
def lib() -> Any:
    return build("gcc", "-O3")


@pytest.mark.parametrize("name", ["sin", "cos"])
@pytest.mark.parametrize("span", [1.0, 10.0, 8192.0])
def test_sine_and_cosine(lib: Any, name: str, span: float) -> None:
    x = numbers(-span, span)
    assert np.abs(call(lib, name, x) - getattr(np, name)(x.astype(np.float64))).max() <= 1.2e-7


@pytest.mark.parametrize("name", ["sin", "cos"])
def test_sine_of_anything_is_bounded(lib: Any, name: str) -> None:
    x = np.array([np.inf, -np.inf, np.nan, 1e30, -1e9, 3e38], np.float32)
    assert (np.abs(call(lib, name, x)) <= 1).all()


def test_exp(lib: Any) -> None:
    x = numbers(-87.3, 88.3)
    assert ulps(call(lib, "exp", x), np.exp(x.astype(np.float64))).max() <= 2
    ends = call(lib, "exp", np.array([-105, -1e9, 200, np.inf, -np.inf, 0, np.nan], np.float32))
    assert (ends[[0, 1, 4, 6]] == 0).all() and np.isfinite(ends).all() and (ends[2:4] > 2e38).all() and ends[5] == 1


def test_log(lib: Any) -> None:
    x = np.exp(numbers(-87, 88).astype(np.float64)).astype(np.float32)
    assert (
        np.minimum(
            ulps(call(lib, "log", x), np.log(x.astype(np.float64))),
            np.abs(call(lib, "log", x) - np.log(x.astype(np.float64))) / 1e-7 * 2,
        ).max()
        <= 2
    )
    near = numbers(0.9, 1.1)
    assert np.abs(call(lib, "log", near) - np.log(near.astype(np.float64))).max() <= 1e-7
    assert np.isfinite(call(lib, "log", np.array([0, -1, np.nan, np.inf, 1e-45], np.float32))).all()


def test_tanh(lib: Any) -> None:
    x = numbers(-12, 12)
    want = np.tanh(x[x != 0].astype(np.float64))
    assert np.abs(call(lib, "tanh", x[x != 0]) / want - 1).max() <= 3.5e-7
    assert call(lib, "tanh", np.array([np.inf, -np.inf, 50, np.nan], np.float32)).tolist() == [1, -1, 1, -1]


def test_atan2(lib: Any) -> None:
    y, x = numbers(-3, 3), numbers(-3, 3)[::-1].copy()
    assert ulps(call(lib, "atan2", y, x), np.arctan2(y.astype(np.float64), x.astype(np.float64))).max() <= 0.501
    assert call(lib, "atan2", np.zeros(1, np.float32), np.zeros(1, np.float32))[0] == 0


def test_sqrt(lib: Any) -> None:
    x = np.abs(numbers(0, 1e6))
    assert (call(lib, "sqrt", x) == np.sqrt(x)).all()
    assert (call(lib, "sqrt", np.array([-1, np.nan, 0], np.float32)) == 0).all()


def test_floor(lib: Any) -> None:
    for span in (3, 1000, 4e6, 1e9):
        x = numbers(-span, span)
        assert (call(lib, "floor", x) == np.floor(x)).all()
        assert (call(lib, "nearest", x) == np.rint(x)).all()


def test_threefry(lib: Any) -> None:
    ones = 0xFFFFFFFF
    known = {
        (0, 0, 0, 0): (0x6B200159, 0x99BA4EFE),
        (ones, ones, ones, ones): (0x1CB996FC, 0xBB002BE7),
        (0x13198A2E, 0x03707344, 0x243F6A88, 0x85A308D3): (0xC4923A9C, 0x483DF7A0),
    }
    for given, answer in known.items():
        out = FFI.new("uint32_t[2]")
        lib.math_threefry(FFI.new("uint32_t[4]", given), out)
        assert tuple(out) == answer


def draw(lib: Any, kind: int, key: int = 5, n: int = 100_000) -> np.ndarray:
    out = np.zeros(n, np.float32)
    lib.math_draw(key, kind, FFI.from_buffer("float[]", out), n)
    return out


def test_draws(lib: Any) -> None:
    for kind in (0, 4):
        uniform = draw(lib, kind)
        assert uniform.min() >= 0 and uniform.max() < 1
        assert abs(uniform.mean() - 0.5) < 0.005 and abs(uniform.var() - 1 / 12) < 0.002
        assert abs(np.corrcoef(uniform[1:], uniform[:-1])[0, 1]) < 0.02
    normal = draw(lib, 1)
    assert abs(normal.mean()) < 0.02 and abs(normal.std() - 1) < 0.02 and np.abs(normal).max() < 5.8
    counts = np.bincount(draw(lib, 2).astype(int), minlength=6)
    assert len(counts) == 6 and (np.abs(counts - counts.mean()) < 600).all()
    between = draw(lib, 3)
    assert between.min() >= -1 and between.max() <= 3 and abs(between.mean() - 1) < 0.02
    assert (draw(lib, 0, key=6) != draw(lib, 0)).mean() > 0.99


@pytest.mark.parametrize("kind", ["exp", "log", "tanh", "sqrt", "floor"])
def test_policies_compute_the_same(lib: Any, kind: str) -> None:
    """One arithmetic: an operation of a policy has the bits of the environments' function."""
    x = numbers(1e-30, 88) if kind in ("log", "sqrt") else numbers(-100, 88)
    x = x[: len(x) // 50 * 50].reshape(-1, 50)
    graph = Graph(values=[Value((50,)), Value((50,))], inputs=[Input("x", 0)], outputs=[Output("y", 1)])
    graph.ops = [Op(kind, [0], [1])]
    golden = format.Golden([np.ones((2, 1, 50), np.float32)], [np.ones((2, 1, 50), np.float32)])
    session = minnow.cinfer.load(format.write(graph, None, golden=golden)).session(agents=len(x))
    assert session.step(x).outputs[0].tobytes() == call(lib, kind, x).tobytes()


@pytest.mark.parametrize("cc, level", BUILDS)
def test_every_build_gives_the_same_bits(lib: Any, cc: str, level: str) -> None:
    other = build(cc, level)
    x = np.concatenate([numbers(-100, 100), np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-40, 3e38], np.float32)])
    for name in UNARY:
        if name not in ("floor", "nearest"):
            assert call(lib, name, x).tobytes() == call(other, name, x).tobytes(), name
        assert call(lib, name, x[:-7]).tobytes() == call(other, name, x[:-7]).tobytes(), name
    assert call(lib, "atan2", x[:-7], x[6:-1]).tobytes() == call(other, "atan2", x[:-7], x[6:-1]).tobytes()
    for kind in range(5):
        assert draw(lib, kind).tobytes() == draw(other, kind).tobytes()
