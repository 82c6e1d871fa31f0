"""What minnow.h asks of its host: a few functions of string.h, no memory of its own, nothing that threads share."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from nets import NETS
from sure import sure

from minnow.cinfer import Policy, load
from minnow.export import format
from minnow.export.action import Discrete
from minnow.export.graph import Graph, Input, Op, Output, State, Value

ROOT = Path(__file__).resolve().parent.parent
HEADER = ROOT / "cinfer" / "minnow.h"
ALLOWED = {"memcpy", "memmove", "memset", "memcmp", "strcmp"}
M4 = ("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16", "-DMINNOW_SCALAR")
BUILDS = {
    "gcc": ("gcc", "-O2"),
    "gcc plain": ("gcc", "-O2", "-DMINNOW_SCALAR"),
    "clang": ("clang", "-O2"),
    "aarch64": ("aarch64-linux-gnu-gcc", "-O2"),
    "cortex-m4": ("arm-none-eabi-gcc", "-Os", *M4),
}


def run(*command: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0 or not check, f"{' '.join(map(str, command))}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.mark.parametrize("build", BUILDS)
def test_the_object_needs_nothing_and_keeps_nothing(build: str, tmp_path: Path) -> None:
    """No allocation, no input or output, no libm, no exit; nothing that can be written outlives a call."""
    compiler, *flags = BUILDS[build]
    made = tmp_path / "minnow.o"
    freestanding = ("-xc", "-fno-pic", "-fno-stack-protector", "-DMINNOW_IMPLEMENTATION")
    run(compiler, *flags, *freestanding, "-c", HEADER, "-o", made)
    needs = {line.split()[-1] for line in run("nm", "-u", made).stdout.splitlines()}
    runtime = {name for name in needs if build == "cortex-m4" and name.startswith("__aeabi_")}  # the compiler's own
    assert needs - runtime <= ALLOWED
    sizes = dict(re.findall(r"^(\.\S+)\s+(\d+)", run("size", "-A", made).stdout, re.MULTILINE))
    assert int(sizes[".text"]) > 10_000
    written = {name: size for name, size in sizes.items() if re.match(r"\.(data|bss|tdata|tbss|init|ctors)", name)}
    assert all(int(size) == 0 for size in written.values()), written
    kinds = {line.split()[-2] for line in run("nm", made).stdout.splitlines()}
    assert not kinds & set("dDbBcC"), kinds


def recurrent() -> Policy:
    """Linear, GELU, LSTM and a discrete action; its golden vectors recorded by the library itself."""
    rng, n = np.random.default_rng(2), 24
    graph = Graph([Value((size,)) for size in (6, n, n, n, n, n, n, 5)])
    drawn = [(n, 6), (n,), (4 * n, n), (4 * n, n), (4 * n,), (5, n)]
    graph.tensors = [rng.normal(0, 0.4, shape).astype(np.float32) for shape in drawn]
    graph.tensor_names = [f"t{i}" for i in range(len(drawn))]
    graph.inputs, graph.states = [Input("obs", 0)], [State("h", 1, 5), State("c", 2, 6)]
    graph.ops = [Op("linear", [0], [3], [0, 1]), Op("gelu", [3], [4])]
    graph.ops += [Op("lstm", [4, 1, 2], [5, 6], [2, 3, 4, -1]), Op("linear", [5], [7], [5, -1])]
    graph.outputs = [Output("logits", 7, "logits")]
    xs = rng.normal(0, 1, (2, 3, 6)).astype(np.float32)
    golden = format.Golden([xs], [np.zeros((2, 3, 5), np.float32)], [np.zeros((2, 3, n), np.float32)] * 2)
    trace = load(format.write(graph, None, action=Discrete(5), golden=golden)).run([xs])
    golden = format.Golden([xs], trace.outputs, trace.states)
    return load(format.write(graph, None, action=Discrete(5), golden=golden))


@pytest.mark.parametrize("compiler", ["clang", pytest.param("gcc", marks=pytest.mark.full)])
def test_eight_threads_share_a_policy(compiler: str, tmp_path: Path) -> None:
    """Clean under ThreadSanitizer, and all get the same; which does complain where threads share a session."""
    policy, program = tmp_path / "policy.minnow", tmp_path / "threads"
    policy.write_bytes(recurrent().data)
    source = ROOT / "tests" / "threads.c"
    run(compiler, "-O1", "-g", "-fsanitize=thread", "-pthread", f"-I{HEADER.parent}", source, "-o", program)
    hashes = {run(program, policy).stdout for _ in range(2)}
    assert len(hashes) == 1
    wrong = run(program, policy, "shared", check=False)
    assert wrong.returncode and "data race" in wrong.stderr


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("compiler", ["clang", pytest.param("gcc", marks=pytest.mark.full)])
def test_calls_take_as_little_stack_as_the_header_says(compiler: str, plain: bool, tmp_path: Path) -> None:
    said = sure(re.search(r"less than (\d+) KB of\s+\* stack, in plain C less than (\d+)\.", HEADER.read_text()))
    policies = [tmp_path / f"{name}.minnow" for name in NETS]
    for path, net in zip(policies, NETS.values(), strict=True):
        path.write_bytes(net())
    program, switch = tmp_path / "stack", ["-DMINNOW_SCALAR"] if plain else []
    source = ROOT / "tests" / "stack.c"
    run(compiler, "-O2", "-w", "-Wl,-z,now", *switch, f"-I{HEADER.parent}", source, "-o", program)
    assert 1000 < int(run(program, *policies).stdout) < 1024 * int(said[1 + plain])
