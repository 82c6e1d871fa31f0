"""Builds of minnow.h that are exact only, fast only, or without words."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from nets import NETS
from test_cinfer_drop import STAY, one_op_file
from test_cinfer_ops import CASES, run

from minnow.cinfer import MinnowError, Policy, compile, load
from minnow.cinfer.policy import ffi
from minnow.export import format
from minnow.export.ops import KINDS

COMPILERS = {
    compiler: f"{compiler} -O2 -shared -fPIC {language} {compile.HERE / 'library.c'}"
    for compiler, language in (
        ("gcc", "-std=gnu99"),
        ("clang", "-std=gnu17 -march=native"),
        ("g++", "-x c++ -std=gnu++17"),
        ("clang++", "-x c++ -std=gnu++17"),
    )
}


def built(folder: Path, command: str, name: str = "library.so") -> Path:
    path = folder / name
    done = subprocess.run([*command.split(), "-o", str(path)], capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return path


def careless(folder: Path, compiler: str) -> Path:
    """Compiled with -ffast-math. Linked without, or this whole process would take tiny numbers for zero."""
    command = COMPILERS[compiler].replace("-shared", "-c")
    unit = built(folder, f"{command} -DMINNOW_ONLY_FAST -ffast-math", "unit.o")
    return built(folder, f"{compiler} -shared {unit}")


def steps(policy: Policy, *, exact: bool, isa: str | None = None) -> list[np.ndarray]:
    """Outputs of some agents over some steps."""
    rng = np.random.default_rng(5)
    session = policy.session(21, exact=exact, isa=isa)
    shape = (21, *policy.inputs[0].shape)
    return [session.step(rng.normal(0, 1, shape).astype(np.float32)).outputs[0].copy() for _ in range(3)]


@pytest.mark.parametrize(
    "compiler", ["gcc", "clang++", *(pytest.param(name, marks=pytest.mark.full) for name in ("clang", "g++"))]
)
def test_fast_only_may_be_compiled_with_fast_math(compiler: str, tmp_path: Path) -> None:
    path = careless(tmp_path, compiler)
    for net in NETS.values():
        for exact in (True, False):  # a session that asks for nothing is fast too
            for x, y in zip(steps(load(net()), exact=False), steps(load(net(), build=path), exact=exact), strict=True):
                np.testing.assert_allclose(x, y, rtol=0, atol=2e-6 * max(1, np.abs(x).max()))
    for case in CASES:
        for x, y in zip(run(load(case.file), case), run(load(case.file, build=path), case), strict=True):
            np.testing.assert_allclose(x, y, rtol=0, atol=2e-6 * max(1, np.abs(x).max()), err_msg=str(case))


def test_exact_only_has_one_arithmetic(tmp_path: Path) -> None:
    path = built(tmp_path, f"{COMPILERS['gcc']} -DMINNOW_ONLY_EXACT")
    for net in NETS.values():
        for exact in (True, False):
            for x, y in zip(steps(load(net()), exact=True), steps(load(net(), build=path), exact=exact), strict=True):
                assert x.tobytes() == y.tobytes()


def test_both_at_once_are_refused(tmp_path: Path) -> None:
    command = f"{COMPILERS['gcc']} -DMINNOW_ONLY_EXACT -DMINNOW_ONLY_FAST -o {tmp_path / 'library.so'}"
    done = subprocess.run(command.split(), capture_output=True, text=True)
    assert done.returncode and "not both" in done.stderr


def test_what_is_not_a_number_is_seen_in_spite_of_fast_math(tmp_path: Path) -> None:
    """An index that is not a number means the first row, and the step tells; nothing outside the table is read."""
    (case,) = [case for case in CASES if case.kind == "embedding"][:1]
    path = careless(tmp_path, "clang")
    file = format.read(case.file)
    table = file.graph.tensors[0]
    bad = {np.nan: 0, -np.nan: 0, np.inf: -1, -np.inf: 0, -1: 0, 1e30: -1, len(table): -1}
    for build in (None, path):
        policy = load(case.file, build=build)
        shape = policy.inputs[0].shape
        for value, row in {**bad, -0.0: 0, -0.5: 0, len(table) - 0.5: -1}.items():
            session = policy.session(1)
            x = np.full((1, *shape), value, np.float32)
            if value in bad or value != value:
                with pytest.raises(MinnowError, match="error 9") as caught:
                    session.step(x)
                assert caught.value.number == 9
            else:
                session.step(x)
            out = np.frombuffer(ffi().buffer(policy.c.minnow_result(session.at, 0), 4 * table.shape[1]), np.float32)
            np.testing.assert_array_equal(out, table[row])


def test_without_words_a_fault_has_its_number(tmp_path: Path) -> None:
    path = built(tmp_path, f"{COMPILERS['gcc']} -DMINNOW_NO_MESSAGES")
    with pytest.raises(Exception, match="see MINNOW_ERRORS") as caught:
        load(one_op_file("tanh")[:100], build=path)
    assert getattr(caught.value, "number", None) == 10


def code(folder: Path, *switches: str) -> int:
    """Bytes of code and constants, as gcc -O2 makes them."""
    made = folder / "minnow.o"
    defines = [f"-D{name}" for name in ("MINNOW_IMPLEMENTATION", *switches)]
    subprocess.run(["gcc", "-O2", *defines, "-x", "c", "-c", compile.HERE / "minnow.h", "-o", made], check=True)
    listing = subprocess.run(["size", "-A", made], capture_output=True, text=True, check=True).stdout
    return sum(int(size) for size in re.findall(r"^\.(?:text|rodata)\S*\s+(\d+)", listing, re.MULTILINE))


RARE = ("whole", "integer", "fmod", "remainder", "floor_divide", "atan2", "log2", "log10", "log1p", "exp2", "expm1")
RARE += ("gather", "scatter", "sort")


def test_the_code_is_small(tmp_path: Path) -> None:
    assert code(tmp_path) <= 60 * 1024
    assert code(tmp_path, "MINNOW_ONLY_AVX2") <= 44 * 1024
    assert code(tmp_path, "MINNOW_ONLY_AVX2", *(f"MINNOW_NO_{name}" for name in RARE)) <= 40 * 1024
    least = [
        f"MINNOW_NO_{name}" for name in sorted(set(KINDS) - STAY - {"linear", "lstm", "sigmoid", "constant", "cast"})
    ]
    switches = ("MINNOW_ONLY_AVX2", "MINNOW_ONLY_EXACT", "MINNOW_NO_MESSAGES", "MINNOW_NO_BOX")
    assert code(tmp_path, *switches, *least) <= 24 * 1024
