"""Exact arithmetic is exact: whatever compiles minnow.h, with whatever flags, wherever it runs, bits are the same."""

from __future__ import annotations

import os
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nets import NETS
from test_cinfer_ops import CASES
from test_cinfer_session import ACTIONS
from test_cinfer_session import policy as policy_of

from minnow.cinfer import compile, isas
from minnow.export import format

ROOT = Path(__file__).resolve().parent.parent
HOSTILE_FLAGS = ("-O3", "-march=native", "-ffp-contract=fast")
EMCC = ("emcc", "-O3", "-sNODERAWFS=1", "-sALLOW_MEMORY_GROWTH=1")
NODE = ("node", "--no-experimental-fetch")
ARM = ("qemu-aarch64", "-L", "/usr/aarch64-linux-gnu")
BUILDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {  # how to compile, and what runs it
    "gcc gnu99": (("gcc", "-std=gnu99", *HOSTILE_FLAGS), ()),
    "gcc gnu17": (("gcc", "-std=gnu17", *HOSTILE_FLAGS), ()),
    "g++ gnu++17": (("g++", "-std=gnu++17", *HOSTILE_FLAGS, "-xc++"), ()),
    "clang gnu99": (("clang", "-std=gnu99", *HOSTILE_FLAGS), ()),
    "clang gnu17": (("clang", "-std=gnu17", *HOSTILE_FLAGS), ()),
    "clang++ gnu++17": (("clang++", "-std=gnu++17", *HOSTILE_FLAGS, "-xc++"), ()),
    "gcc plain": (("gcc", "-O2", "-DMINNOW_SCALAR"), ()),
    "gcc -O0": (("gcc", "-O0"), ()),
    "neon": (("aarch64-linux-gnu-gcc", "-O3", "-ffp-contract=fast", "-static"), ARM),
    "arm plain": (("aarch64-linux-gnu-gcc", "-O3", "-ffp-contract=fast", "-static", "-DMINNOW_SCALAR"), ARM),
    "simd128": ((*EMCC, "-msimd128"), NODE),
    "wasm": (EMCC, NODE),
}
SHORT = ("gcc gnu17", "gcc plain", "clang++ gnu++17", "neon", "simd128")  # the others run in the long form


def stored(data: bytes, dtype: str) -> bytes:
    """The same policy with every tensor stored otherwise."""
    file = format.read(data)
    dtypes = [dtype if tensor.ndim else "f32" for tensor in file.graph.tensors]
    return format.write(file.graph, None, action=file.action, golden=file.golden, dtypes=dtypes)


def policies() -> Iterator[tuple[str, bytes]]:
    """Nets, operations and actions, as f32, f16 and int8."""
    smallest: dict[str, bytes] = {}
    for case in CASES:
        known = smallest.get(case.kind)
        smallest[case.kind] = case.file if known is None or len(case.file) < len(known) else known
    for dtype in ("f32", "f16", "int8"):
        yield from ((f"net-{name}-{dtype}", net(dtype)) for name, net in NETS.items())
        for kind, data in smallest.items():
            if dtype == "f32" or format.read(data).graph.tensors:
                yield f"op-{kind}-{dtype}", stored(data, dtype)
        for name, action in ACTIONS.items():
            yield f"action-{name}-{dtype}", stored(policy_of(action).data, dtype)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("policies")
    for name, data in policies():
        (folder / f"{name}.minnow").write_bytes(data)
    return sorted(folder.iterdir())


def hashes(build: str, steps: int, files: list[Path], folder: Path) -> dict[tuple[str, str], str]:
    """For each file and instruction set, the hash of all results."""
    command, runner = BUILDS[build]
    program = folder / ("bits.js" if command[0] == "emcc" else "bits")
    source = ROOT / "tests" / "bits.c"
    words = [*command, f"-I{ROOT / 'cinfer'}", str(source), "-o", str(program)]
    run(words, env={**os.environ, "NODE_PATH": compile.NODE_MODULES})
    lines = run([*runner, str(program), str(steps), *map(str, files)]).splitlines()
    found = {}
    for line in lines:
        path, isa, *words = line.split()
        found[Path(path).stem, isa] = " ".join(words)
    return found


def run(words: list[str], **options: Any) -> str:
    done = subprocess.run(words, capture_output=True, text=True, timeout=1500, **options)
    assert done.returncode == 0, f"{' '.join(words)[:500]}\n{done.stdout[-1000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def compare(builds: tuple[str, ...], steps: int, files: list[Path], tmp_path: Path) -> None:
    seen: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    sets = set()
    for build in builds:
        folder = tmp_path / build.replace(" ", "-")
        folder.mkdir()
        for (name, isa), result in hashes(build, steps, files, folder).items():
            seen[name][result].append(f"{build} ({isa})")
            sets.add(isa)
    assert {"neon", "simd128", *isas()} <= sets
    assert sorted(seen) == [path.stem for path in files]
    assert {name: dict(results) for name, results in seen.items() if len(results) > 1} == {}
    assert len({next(iter(results)) for results in seen.values()}) > len(files) * 0.9  # hashes of different policies


def test_short(files: list[Path], tmp_path: Path) -> None:
    assert len(files) > 100
    compare(SHORT, 40, files, tmp_path)


@pytest.mark.full
@pytest.mark.timeout(3000)
def test_a_thousand_recurrent_steps(files: list[Path], tmp_path: Path) -> None:
    compare(tuple(BUILDS), 1000, files, tmp_path)


def test_the_hash_sees_the_last_bit(tmp_path: Path) -> None:
    """A weight that differs in its last bit gives another hash."""
    file = format.read(NETS["odd"]("f32"))
    (tmp_path / "one.minnow").write_bytes(format.write(file.graph, None, golden=file.golden))
    weights = file.graph.tensors[0].reshape(-1)
    weights[0] = np.nextafter(weights[0], np.float32(9), dtype=np.float32)
    (tmp_path / "two.minnow").write_bytes(format.write(file.graph, None, golden=file.golden))
    found = hashes("gcc plain", 5, [tmp_path / "one.minnow", tmp_path / "two.minnow"], tmp_path)
    assert len(set(found.values())) == 2
