"""Sessions of minnow.h: agents, recurrent state, sampling, masks, snapshots, and the same in WebAssembly."""

from __future__ import annotations

import math
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sure import sure

from minnow.cinfer import MinnowError, Policy, Trace, load, messages, wasm
from minnow.cinfer.policy import ffi, library
from minnow.export import format
from minnow.export.action import Action, Box, Discrete, MultiDiscrete
from minnow.export.graph import Graph, Input, Op, Output, State, Value

ROOT = Path(__file__).resolve().parent.parent
HEADER = ROOT / "cinfer" / "minnow.h"
INPUTS, HIDDEN = 5, 20


def graph(outputs: int, role: str = "logits") -> Graph:
    """Linear, tanh, LSTM with an initial state that is not zero; heads for logits, value and, for a box, log_std."""
    rng = np.random.default_rng(3)

    def draw(*shape: int) -> np.ndarray:
        return rng.normal(0, 1.5 / math.sqrt(shape[-1]), shape).astype(np.float32)

    made = Graph()
    shapes = [INPUTS, HIDDEN, HIDDEN, HIDDEN, HIDDEN, HIDDEN, HIDDEN, outputs, 1, outputs]
    made.values = [Value((n,), name=f"v{i}") for i, n in enumerate(shapes)]
    made.inputs = [Input("obs", 0)]
    made.states = [State("h", 1, 5, 8, 1), State("c", 2, 6, -1, 1)]
    made.tensors = [draw(HIDDEN, INPUTS), draw(HIDDEN), draw(4 * HIDDEN, HIDDEN), draw(4 * HIDDEN, HIDDEN)]
    made.tensors += [draw(4 * HIDDEN), draw(outputs, HIDDEN), draw(1, HIDDEN), draw(outputs, HIDDEN), draw(HIDDEN)]
    made.tensor_names = [f"t{i}" for i in range(len(made.tensors))]
    made.ops = [
        Op("linear", [0], [3], [0, 1]),
        Op("tanh", [3], [4]),
        Op("lstm", [4, 1, 2], [5, 6], [2, 3, 4, -1]),
        Op("linear", [5], [7], [5, -1]),
        Op("linear", [5], [8], [6, -1]),
        Op("linear", [5], [9], [7, -1]),
    ]
    made.outputs = [Output(role, 7, role), Output("value", 8, "value")]
    made.outputs.append(Output("spread", 9, "log_std" if role == "mean" else "other"))
    return made


def policy(action: Action | None) -> Policy:
    """A file for an action, its golden vectors recorded by the library itself."""
    size = 4 if action is None else action.size if isinstance(action, Box) else sum(action.sizes)
    made = graph(size, "mean" if isinstance(action, Box) else "logits")
    xs = np.random.default_rng(4).normal(0, 1, (3, 2, INPUTS)).astype(np.float32)

    def write(trace: Trace | None) -> bytes:
        ahead = (3, 2)
        outputs = trace.outputs if trace else [np.zeros((*ahead, n), np.float32) for n in (size, 1, size)]
        states = trace.states if trace else [np.zeros((*ahead, HIDDEN), np.float32)] * 2
        return format.write(
            made, None, action=action, golden=format.Golden([xs], outputs, states), meta={"name": "tiny"}
        )

    return load(write(load(write(None)).run([xs])))


ACTIONS = {
    "discrete": Discrete(6),
    "multi-discrete": MultiDiscrete([3, 2, 4]),
    "clip": Box([-1, -0.5, 0], [1, 0.5, math.inf]),
    "tanh": Box([-1, 2], [1, 5], "tanh"),
    "none": None,
}


@pytest.fixture(params=ACTIONS)
def any_policy(request: pytest.FixtureRequest) -> Policy:
    return policy(ACTIONS[request.param])


def observations(steps: int, agents: int) -> np.ndarray:
    return np.random.default_rng(7).normal(0, 1, (steps, agents, INPUTS)).astype(np.float32)


def bits(array: np.ndarray | None) -> bytes | None:
    return None if array is None else array.tobytes()


def same(a: Trace, b: Trace) -> None:
    for x, y in zip(
        [*a.outputs, *a.states, a.action, a.probabilities],
        [*b.outputs, *b.states, b.action, b.probabilities],
        strict=True,
    ):
        assert bits(x) == bits(y)


def test_selftest(any_policy: Policy) -> None:
    assert any_policy.selftest() == 0
    data = bytearray(any_policy.data)
    data[-30] ^= 0x80  # the sign of a weight
    format.seal(data)
    with pytest.raises(MinnowError, match="golden") as caught:
        load(bytes(data)).selftest()
    assert caught.value.number == 91


@pytest.mark.parametrize("sample", [False, True])
def test_many_agents_are_many_single_ones(any_policy: Policy, sample: bool) -> None:
    """One call for 37 agents gives the bits of 37 sessions of one agent, and of sessions that share them out."""
    xs = observations(5, 37)
    whole = any_policy.run([xs], seed=9, sample=sample, resets={3: [5, 36]})
    for first, agents in ((0, 1), (5, 1), (36, 1), (16, 21)):
        session = any_policy.session(agents, 9, sample=sample, first=first)
        for t in range(5):
            for agent in (5, 36) if t == 3 else ():
                if first <= agent < first + agents:
                    session.reset([agent - first])
            out = session.step(xs[t, first : first + agents])
            for part, outputs in zip(out.outputs, whole.outputs, strict=True):
                assert part.tobytes() == outputs[t, first : first + agents].tobytes()
            if out.action is not None:
                assert out.action.tobytes() == sure(whole.action)[t, first : first + agents].tobytes()


def test_reset_of_one_agent(any_policy: Policy) -> None:
    xs = observations(8, 4)
    session, fresh = any_policy.session(4), any_policy.session(4)
    others = any_policy.session(4)
    for t in range(4):
        session.step(xs[t])
        others.step(xs[t])
    session.reset([2])
    assert np.array_equal(session.states()[0][2], fresh.states()[0][2])
    assert fresh.states()[0][2].any(), "the initial state is the file's"
    for t in range(4, 8):
        a, b, c = session.step(xs[t]), fresh.step(xs[t]), others.step(xs[t])
        assert np.array_equal(a.outputs[0][2], b.outputs[0][2])
        assert np.array_equal(a.outputs[0][[0, 1, 3]], c.outputs[0][[0, 1, 3]])
    with pytest.raises(MinnowError) as caught:
        session.reset([4])
    assert caught.value.number == 3


def test_snapshot(any_policy: Policy) -> None:
    xs = observations(9, 3)
    session = any_policy.session(3, seed=1, sample=True)
    for t in range(4):
        session.step(xs[t])
    saved = session.state
    first = [session.step(xs[t]) for t in range(4, 9)]
    session.state = saved
    assert session.state == saved
    elsewhere = any_policy.session(3, seed=2, sample=True)
    elsewhere.state = saved
    for t, out in zip(range(4, 9), first, strict=True):
        for other in (session.step(xs[t]), elsewhere.step(xs[t])):
            assert other.outputs[0].tobytes() == out.outputs[0].tobytes()
            assert bits(other.action) == bits(out.action)
    for wrong in (saved[:-1], b"", b"\xff" * len(saved)):
        with pytest.raises(MinnowError) as caught:
            session.state = wrong
        assert caught.value.number == 6
    with pytest.raises(MinnowError) as caught:
        any_policy.session(4).state = saved
    assert caught.value.number == 6


def test_restart_is_a_new_session(any_policy: Policy) -> None:
    xs = observations(3, 2)
    session = any_policy.session(2, seed=1, sample=True)
    for x in xs:
        session.step(x)
    session.restart(5)
    assert session.state == any_policy.session(2, seed=5, sample=True).state


def test_without_a_seed_no_two_sessions_draw_alike(any_policy: Policy) -> None:
    one, other = (any_policy.session(2, sample=True) for _ in range(2))
    assert one.state != other.state
    before = one.state
    one.restart()
    assert one.state != before
    assert any_policy.session(2).state == any_policy.session(2).state, "nothing is drawn: the seed is of no account"


def test_wasm_plays_the_same(any_policy: Policy) -> None:
    xs = observations(50, 18)
    masks = None
    if any_policy.action.choices:
        masks = np.random.default_rng(1).random((50, 18, any_policy.action.choices)) < 0.7
        starts = np.cumsum([0, *any_policy.action.sizes[:-1]])
        masks[:, :, starts] = True
    for sample in (False, True):
        there = wasm.run(any_policy.data, [xs], masks=masks, seed=2**63 + 5, sample=sample, resets={7: [0, 17]})
        same(any_policy.run([xs], masks=masks, seed=2**63 + 5, sample=sample, resets={7: [0, 17]}), there)


def test_masked_choices_are_never_taken() -> None:
    made = policy(MultiDiscrete([3, 2, 4]))
    rng = np.random.default_rng(2)
    for sample in (False, True):
        session = made.session(50, seed=3, sample=sample)
        for _ in range(200):
            mask = rng.random((50, 9)) < 0.5
            for start, size in ((0, 3), (3, 2), (5, 4)):
                mask[np.arange(50), start + rng.integers(size, size=50)] = True
            out = session.step(rng.normal(0, 3, (50, INPUTS)).astype(np.float32), mask)
            for head, (start, size) in enumerate(((0, 3), (3, 2), (5, 4))):
                assert mask[np.arange(50), start + sure(out.action)[:, head]].all()
                shares = sure(out.probabilities)[:, start : start + size]
                assert np.abs(shares.sum(1) - 1).max() < 1e-6
                assert (shares[~mask[:, start : start + size]] == 0).all()
    before = session.state
    with pytest.raises(MinnowError) as caught:
        session.step(observations(1, 50)[0], np.zeros((50, 9)))
    assert caught.value.number == 5 and session.state == before


def test_sampling_follows_the_probabilities() -> None:
    made = policy(Discrete(6))
    agents = 20000
    session = made.session(agents, seed=11, sample=True)
    x = np.repeat(observations(1, 1)[0], agents, axis=0)
    out = session.step(x)
    counts = np.bincount(sure(out.action)[:, 0], minlength=6)
    expected = sure(out.probabilities)[0] * agents
    assert ((counts - expected) ** 2 / expected).sum() < 25.7  # chi-squared, 5 degrees of freedom, 1e-4
    greedy = made.session(2).step(x[:2])
    assert (sure(greedy.action)[:, 0] == sure(greedy.logits).argmax(1)).all()
    other = made.session(agents, seed=12, sample=True).step(x)
    assert (other.action != out.action).any()


def test_sampling_differs_from_step_to_step() -> None:
    """Over time and over agents, draws look independent."""
    made = policy(Discrete(2))
    session = made.session(64, seed=1, sample=True)
    draws = []
    for _ in range(500):
        session.reset()
        out = session.step(np.zeros((64, INPUTS), np.float32))
        draws.append(sure(out.action)[:, 0] - sure(out.probabilities)[:, 1])
    draws = np.array(draws) / np.std(draws)
    assert abs((draws[1:] * draws[:-1]).mean()) < 4 / math.sqrt(draws.size)
    assert abs((draws[:, 1:] * draws[:, :-1]).mean()) < 4 / math.sqrt(draws.size)


def test_a_box_is_normal_and_bounded() -> None:
    made = policy(ACTIONS["clip"])
    agents = 20000
    x = np.repeat(observations(1, 1)[0], agents, axis=0)
    mean = made.session(1).step(x[:1])
    assert np.array_equal(sure(mean.action), np.clip(sure(mean.mean), [-1, -0.5, 0], [1, 0.5, np.inf]))
    out = made.session(agents, seed=4, sample=True).step(x)
    spread = np.exp(out.outputs[2][0])
    free = sure(out.action)[:, 2][sure(out.action)[:, 2] > 0]  # bounded below only
    z = (free - sure(out.mean)[0, 2]) / spread[2]
    grid = np.linspace(z.min(), 3, 20)
    normal = np.array([0.5 * math.erfc(g / math.sqrt(2)) for g in grid])
    found = np.array([(z > g).sum() / agents for g in grid])
    assert np.abs(found - normal)[1:].max() < 0.014  # Kolmogorov-Smirnov, 1e-3
    assert sure(out.action)[:, 0].min() >= -1 and sure(out.action)[:, 0].max() <= 1

    made = policy(ACTIONS["tanh"])
    out = made.session(1).step(x[:1])
    low, high = np.array([-1, 2]), np.array([1, 5])
    assert np.abs(sure(out.action) - (low + (np.tanh(sure(out.mean)) + 1) / 2 * (high - low))).max() < 2e-6


def test_reading_intermediate_values() -> None:
    made = policy(Discrete(6))
    x = observations(1, 20)[0]
    session = made.session(20, keep=True)
    out = session.step(x)
    assert np.array_equal(session.activation("v7", 19), sure(out.logits)[19])
    weight, bias = format.read(made.data).graph.tensors[:2]
    assert np.abs(session.activation("v4", 3) - np.tanh(weight @ x[3] + bias)).max() < 1e-6
    assert np.array_equal(session.activation(7, 19), session.activation("v7", 19))
    for wrong, name in ((made.session(20), "v4"), (session, "nothing"), (session, 1000)):
        with pytest.raises(MinnowError, match="no value"):
            wrong.activation(name)


def test_values_and_meta() -> None:
    made = policy(Discrete(6))
    out = made.session(3).step(observations(1, 3)[0])
    assert made.meta == {"name": "tiny"} and sure(out.value).shape == (3,) and out.mean is None
    assert [spec.name for spec in made.outputs] == ["logits", "value", "spread"]
    assert np.array_equal(sure(out.value), out.outputs[1][:, 0])
    assert sure(made.session(1).step({"obs": observations(1, 1)[0]}).action).shape == (1, 1)
    assert policy(None).session(1).step(observations(1, 1)[0]).action is None


@pytest.mark.parametrize(
    "obs,words",
    [
        (np.zeros((3, 4), np.float32), "shape"),
        (np.zeros((2, INPUTS), np.float32), "shape"),
        ({"other": np.zeros((3, INPUTS))}, "other"),
    ],
)
def test_wrong_observations(obs: Any, words: str) -> None:
    with pytest.raises(MinnowError, match=words) as caught:
        policy(Discrete(6)).session(3).step(obs)
    assert caught.value.number == 4


def test_wrong_sessions_and_files(tmp_path: Path) -> None:
    with pytest.raises(MinnowError, match="at least one agent"):
        policy(None).session(0)
    with pytest.raises(MinnowError, match="No such file"):
        load(tmp_path / "nothing.minnow")
    (tmp_path / "text.minnow").write_text("a text\n" * 100)
    with pytest.raises(MinnowError, match=r"text\.minnow.*not a \.minnow file") as caught:
        load(tmp_path / "text.minnow")
    assert caught.value.number == 11


def test_unaligned_bytes_and_blocks() -> None:
    """File and blocks at every misalignment give the same bits, and nothing outside the blocks is written."""
    c, made = library(), policy(Discrete(6))
    x = observations(1, 1)[0]
    ref = made.session(1).step(x).outputs[0].tobytes()
    obs = ffi().from_buffer(x)
    for shift in (0, 1, 2, 3, 5, 7, 13, 63):
        room = ffi().new("uint8_t[]", b"\0" * shift + made.data)
        need = c.minnow_size(room + shift, len(made.data), ffi().NULL)
        block = ffi().new("uint8_t[]", b"\xa5" * (need + 128))
        at = c.minnow_load(room + shift, len(made.data), block + 64 - shift, need, ffi().NULL)
        size = c.minnow_session_size(at, 1, 0)
        memory = ffi().new("uint8_t[]", b"\xa5" * (size + 128))
        session = c.minnow_session_init(at, 1, 0, 0, memory + shift, size, ffi().NULL)
        assert c.minnow_step(session, obs, ffi().NULL) == 0
        assert bytes(ffi().buffer(c.minnow_result(session, 0), 24)) == ref
        for whole, before, inside in ((block, 64 - shift, need), (memory, shift, size)):
            data = bytes(ffi().buffer(whole))[:-1]
            assert set(data[:before] + data[before + inside :]) == {0xA5}


def test_blocks_that_are_too_small() -> None:
    c, made, error = library(), policy(Discrete(6)), ffi().new("minnow_error *")
    block = ffi().new("uint8_t[]", 1 << 20)
    need = c.minnow_size(ffi().from_buffer(made.data), len(made.data), error)
    assert not c.minnow_load(ffi().from_buffer(made.data), len(made.data), block, need - 1, error)
    assert (error.code, error.found, error.expected) == (2, need - 1, need)
    need = c.minnow_session_size(made.at, 2, 0)
    assert not c.minnow_session_init(made.at, 2, 0, 0, block, need - 1, error) and error.code == 2
    assert c.minnow_session_size(made.at, 0, 0) == 0
    assert not c.minnow_load(ffi().NULL, 10, block, 10, error) and error.code == 1


# The header


def compile_header(tmp_path: Path, *command: str, source: str = "") -> subprocess.CompletedProcess[str]:
    path = tmp_path / "unit.c"
    path.write_text(source or '#define MINNOW_IMPLEMENTATION\n#include "minnow.h"\n')
    whole = [*command, f"-I{HEADER.parent}", "-c", str(path), "-o", str(tmp_path / "unit.o")]
    return subprocess.run(whole, capture_output=True, text=True)


STRICT = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")


@pytest.mark.parametrize("level", ["-O0", "-O3"])
@pytest.mark.parametrize(
    "compiler",
    [
        ("gcc", "-std=c99"),
        ("clang", "-std=c99"),
        ("gcc", "-std=c11"),
        ("g++", "-std=c++17", "-x", "c++"),
        ("clang++", "-std=c++17", "-x", "c++"),
    ],
    ids=" ".join,
)
def test_warnings(compiler: tuple[str, ...], level: str, tmp_path: Path) -> None:
    plain = ((), ("-DMINNOW_SCALAR",), ("-DMINNOW_API=static", "-Wno-unused-function"))
    for extra in (("-march=native",),) if level == "-O3" else plain:
        done = compile_header(tmp_path, *compiler, level, *STRICT, *extra)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_no_library_is_needed(compiler: str, tmp_path: Path) -> None:
    """Only functions of string.h are undefined in the object, and it has no variables; test_cinfer_safety tries -O2."""
    for level in ("-O0", "-O3"):
        assert compile_header(tmp_path, compiler, "-std=c99", level).returncode == 0
        lines = subprocess.run(["nm", str(tmp_path / "unit.o")], capture_output=True, text=True).stdout.splitlines()
        symbols = [line.split()[-2:] for line in lines]
        undefined = {name for kind, name in symbols if kind == "U"}
        assert undefined <= {"memcpy", "memmove", "memset", "memcmp", "strcmp", "_GLOBAL_OFFSET_TABLE_"}, undefined
        assert not [name for kind, name in symbols if kind in "bBdDcC"]


def test_two_files_can_include_it(tmp_path: Path) -> None:
    (tmp_path / "a.c").write_text('#define MINNOW_IMPLEMENTATION\n#include "minnow.h"\n#include "minnow.h"\n')
    (tmp_path / "b.c").write_text('#include "minnow.h"\nint main(void) { return minnow_message(1) == 0; }\n')
    files = [str(tmp_path / "a.c"), str(tmp_path / "b.c")]
    command = ["gcc", "-std=c99", f"-I{HEADER.parent}", *files, "-o", str(tmp_path / "both")]
    subprocess.run(command, check=True)
    assert subprocess.run([tmp_path / "both"]).returncode == 0


@pytest.mark.parametrize("flag", ["-ffast-math", "-Ofast", "-ffinite-math-only"])
def test_fast_math_is_refused(flag: str, tmp_path: Path) -> None:
    for compiler in ("gcc", "clang"):
        done = compile_header(tmp_path, compiler, "-O2", flag)
        assert done.returncode and "MINNOW_ONLY_FAST" in done.stderr


def test_the_errors_list() -> None:
    text = HEADER.read_text()
    rows = re.findall(r'X\((\w+), (\d+), "(.*?)"\)', text)
    assert messages() == {int(number): message for _, number, message in rows}
    assert len({number for _, number, _ in rows}) == len(rows) == len({message for *_, message in rows})
    assert ffi().string(library().minnow_message(250)).decode() == "unknown error"


def test_every_function_is_documented() -> None:
    """Each public function is declared below a comment, and defined."""
    text = HEADER.read_text()
    head, body = text.split("#endif /* MINNOW_H */")
    declared = re.findall(r"MINNOW_API [^;(]*?(minnow_\w+)\(", head)
    assert len(declared) > 25 and all(re.search(rf"\b{name}\([^;]*?\) \{{", body) for name in declared)


def test_square_roots_without_instructions(tmp_path: Path) -> None:
    """The digit-by-digit root is the correctly rounded one."""
    source = tmp_path / "root.c"
    source.write_text(
        "#define MINNOW_SCALAR\n#define MINNOW_IMPLEMENTATION\n"
        '#include "minnow.h"\n#include <math.h>\n#include <stdio.h>\n'
        "int main(void) {\n    uint32_t bad = 0;\n"
        "    for (uint64_t u = 0; u < 0x100000000u; u += 9973) {\n"
        "        float x = mnw_from((uint32_t)u), a = mnw_sqrt(x), b = sqrtf(x);\n"
        "        bad += mnw_bits(a) != mnw_bits(b) && (a == a || b == b);\n    }\n"
        '    printf("%u\\n", bad);\n    return 0;\n}\n'
    )
    program = tmp_path / "root"
    subprocess.run(["gcc", "-O2", "-std=c99", f"-I{HEADER.parent}", str(source), "-o", str(program), "-lm"], check=True)
    assert subprocess.run([program], capture_output=True, text=True).stdout == "0\n"


def test_a_host_that_flushes_denormals(tmp_path: Path) -> None:
    """Tiny numbers stay what they are in a program that runs with flush-to-zero, and its own setting stays too."""
    made = Graph([Value((4,)), Value((4,))], [Op("square", [0], [1])], inputs=[Input("x", 0)], outputs=[Output("y", 1)])
    x = np.array([1e-20, 3e-20, -2e-20, 1e-19], np.float32)
    assert (x * x > 0).all() and (x * x < 1e-37).all()
    golden = format.Golden([np.tile(x, (2, 1, 1))], [np.tile(x * x, (2, 1, 1))])
    (tmp_path / "flush.c").write_text(
        "#define MINNOW_IMPLEMENTATION\n"
        '#include "minnow.h"\n#include <stdio.h>\n#include <stdlib.h>\n'
        "int main(void) {\n    static uint8_t bytes[65536];\n    volatile float tiny = 1e-30f;\n"
        "    size_t size = fread(bytes, 1, sizeof bytes, stdin), need = minnow_size(bytes, size, NULL);\n"
        "    float flushed = tiny * 1e-10f, x[4] = {1e-20f, 3e-20f, -2e-20f, 1e-19f};\n"
        "    const minnow_policy *policy = minnow_load(bytes, size, malloc(need), need, NULL);\n"
        "    need = minnow_session_size(policy, 1, 0);\n"
        "    minnow_session *session = minnow_session_init(policy, 1, 0, 0, malloc(need), need, NULL);\n"
        "    minnow_step(session, x, NULL);\n    for (int i = 0; i < 4; i++)\n"
        '        printf("%u ", mnw_bits(minnow_result(session, 0)[i]));\n'
        '    printf("%d\\n", flushed == 0 && tiny * 1e-10f == 0);\n    return 0;\n}\n'
    )
    program, unit = tmp_path / "flush", tmp_path / "flush.o"
    command = ["gcc", "-O2", "-std=c99", f"-I{HEADER.parent}", "-c", str(tmp_path / "flush.c"), "-o", str(unit)]
    subprocess.run(command, check=True)
    subprocess.run(["gcc", "-ffast-math", str(unit), "-o", str(program)], check=True)
    out = subprocess.run([program], input=format.write(made, None, golden=golden), capture_output=True).stdout.split()
    assert [int(word) for word in out[:4]] == (x * x).view(np.uint32).tolist()
    assert out[4] == b"1", "the host does flush, before and after"


def example() -> str:
    """The program in the header's opening comment."""
    text = HEADER.read_text()
    lines = sure(re.search(r"A whole program:\n \*\n(.*?)\n \*\n", text, re.DOTALL))[1].splitlines()
    return "\n".join(re.sub(r"^ \*\s{0,5}", "", line) for line in lines)


def test_the_example_runs(tmp_path: Path) -> None:
    """It compiles as it stands, and chooses what Python chooses."""
    code = example()
    assert len(code.splitlines()) <= 15
    (tmp_path / "example.c").write_text(
        "#define MINNOW_IMPLEMENTATION\n"
        '#include "minnow.h"\n#include <stdio.h>\n#include <stdlib.h>\n'
        "static int steps;\n"
        "static int game_step(int32_t choice, float *obs) {\n"
        '    printf("%d ", (int)choice);\n    obs[steps % 5] += 1.0f;\n'
        "    if (++steps == 12)\n        exit(0);\n    return steps % 5 == 0;\n}\n"
        "int main(void) {\n    static uint8_t bytes[65536];\n    float obs[5] = {0};\n"
        f"    size_t size = fread(bytes, 1, sizeof bytes, stdin);\n{code}\n}}\n"
    )
    program = tmp_path / "example"
    command = ["gcc", "-O2", "-std=c99", f"-I{HEADER.parent}", str(tmp_path / "example.c"), "-o", str(program)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    made = policy(Discrete(6))
    out = subprocess.run([program], input=made.data, capture_output=True).stdout.decode().split()
    session, x, expected = made.session(1), np.zeros((1, 5), np.float32), []
    for step in range(12):
        expected.append(int(sure(session.step(x).action)[0, 0]))
        x[0, step % 5] += 1
        if (step + 1) % 5 == 0:
            session.reset([0])
    assert list(map(int, out)) == expected
