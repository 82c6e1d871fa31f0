"""Instruction sets give the same bits: every operation, whole networks, each way of storing weights."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from nets import NETS, Net
from test_cinfer_ops import CASES, run

import minnow.cinfer
from minnow.cinfer import MinnowError, Policy, isas, load

ISAS = isas()
X86 = platform.machine() in ("x86_64", "AMD64")


def bits(policy: Policy, isa: str | None, agents: int, steps: int) -> bytes:
    """Outputs, states and actions of some steps."""
    rng = np.random.default_rng(agents)
    spec = policy.inputs[0]
    session = policy.session(agents, seed=3, sample=True, isa=isa)
    assert session.isa == (isa or ISAS[-1])
    found = []
    for step in range(steps):
        out = session.step(rng.normal(0, 1, (agents, *spec.shape)).astype(np.float32))
        found += [array.tobytes() for array in (*out.outputs, out.action, out.probabilities) if array is not None]
        if step % 7 == 0:
            session.reset([step % agents])
    return b"".join(found) + session.state


def test_the_list() -> None:
    assert ISAS and len(set(ISAS)) == len(ISAS)
    if X86:
        assert ISAS[:2] == ["plain", "sse2"]
    assert load(NETS["odd"]()).session().isa == ISAS[-1]
    assert load(NETS["odd"](), isa=ISAS[0]).session().isa == ISAS[0]


def test_one_that_is_not_here() -> None:
    with pytest.raises(MinnowError, match=r"error 8: .*'mmx'") as error:
        load(NETS["odd"]()).session(isa="mmx")
    assert error.value.number == 8


@pytest.mark.parametrize("isa", ISAS)
def test_every_operation(isa: str) -> None:
    for case in CASES:
        for x, y in zip(run(load(case.file), case), run(load(case.file, isa=isa), case), strict=True):
            assert x.tobytes() == y.tobytes(), f"{case}: {isa} differs"


@pytest.mark.parametrize("dtype", ["f32", "f16", "int8"])
@pytest.mark.parametrize("net", NETS.values(), ids=NETS)
def test_networks(net: Callable[[str], bytes], dtype: str) -> None:
    policy = load(net(dtype))
    for agents, steps in ((1, 1000 if dtype == "f32" else 50), (3, 5), (64, 3), (101, 2)):
        sets = [*ISAS, None]  # the best one may borrow from another
        first, *others = [bits(policy, isa, agents, steps) for isa in sets]
        for isa, other in zip(sets[1:], others, strict=True):
            assert other == first, f"{isa} differs from {ISAS[0]} for {agents} agents"


@pytest.mark.parametrize("agents", [1, 4, 7])
def test_widths_around_a_block(agents: int) -> None:
    """Layers whose outputs fill blocks of one row and of several, and one more or less."""
    net, layers = Net((5,), 6), []
    for n in (16, 31, 32, 33, 47, 48, 49, 63, 64, 65, 79, 80, 81, 96, 97, 112, 127, 128, 129, 17):
        net.linear(n)
        layers.append(net.graph.tensors[-2:])
    policy = load(net.file())
    x = np.random.default_rng(agents).normal(0, 1, (agents, 5)).astype(np.float32)
    y = x.astype(np.float64)
    for weight, bias in layers:
        y = y @ weight.T.astype(np.float64) + bias
    first, *others = [policy.session(agents, isa=isa).step(x).outputs[0] for isa in (*ISAS, None)]
    assert np.abs(first - y).max() <= 1e-5 * np.abs(y).max()
    for other in others:
        assert other.tobytes() == first.tobytes()
    for isa in ISAS:
        fast = policy.session(agents, exact=False, isa=isa).step(x).outputs[0]
        assert np.abs(fast - first).max() <= 1e-5 * np.abs(first).max()


LONG = ("gcc -std=gnu17 -march=native", "g++ -std=gnu++17 -march=native -x c++")  # as in test_cinfer_ops's builds


@pytest.mark.parametrize("command", ["gcc -std=gnu99", *(pytest.param(each, marks=pytest.mark.full) for each in LONG)])
def test_flags_of_the_host(command: str, tmp_path: Path) -> None:
    """Whatever a program is compiled with, all instruction sets of it give the bits of this library."""
    build = tmp_path / "flags.so"
    for compiler in ("gcc", "clang"):
        words = command.replace("g++", "clang++").replace("gcc", "clang") if compiler == "clang" else command
        source = str(Path(minnow.cinfer.__path__[0]) / "library.c")
        flags = ["-O3", "-ffp-contract=fast", "-shared", "-fPIC", source, "-o", str(build)]
        subprocess.run([*words.split(), *flags], check=True)
        path = build.rename(tmp_path / f"{compiler}.so")
        for net in NETS.values():
            policy, other = load(net()), load(net(), build=path)
            for agents in (1, 19):
                first = bits(policy, ISAS[0], agents, 4)
                for isa in ISAS:
                    assert bits(other, isa, agents, 4) == first, f"{isa} differs as {words} compiles it"


@pytest.mark.parametrize("agents", [1, 2, 3, 64, 100])
@pytest.mark.parametrize("net", NETS.values(), ids=NETS)
def test_fast_arithmetic_is_close(net: Callable[[], bytes], agents: int) -> None:
    x = np.random.default_rng(7).normal(0, 1, (agents, *load(net()).inputs[0].shape)).astype(np.float32)
    exact = load(net()).session(agents).step(x).outputs[0]
    for isa in ISAS:
        fast = load(net()).session(agents, exact=False, isa=isa).step(x).outputs[0]
        assert np.abs(fast - exact).max() <= 2e-6 * max(1, np.abs(exact).max())
