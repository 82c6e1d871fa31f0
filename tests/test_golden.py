"""Golden trajectories: the same seed and inputs play the same game, whatever compiled it and wherever it runs."""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from each import FEW, of_all
from nets import Net

import minnow.envs
from minnow.cinfer import compile
from minnow.export import action, format
from minnow.export.graph import Output, Value
from minnow.web import game

HERE = Path(__file__).resolve().parent
STEPS = 10_000
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]
SANITIZERS = ["-O0", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
BUILDS = {
    "gcc -O0": ("gcc", ["-O0"]),
    "gcc -O3": ("gcc", ["-O3"]),
    "clang -O0": ("clang", ["-O0"]),
    "clang -O3": ("clang", ["-O3"]),
    "gcc for any x86": ("gcc", ["-O2", "-march=x86-64"]),
}
USUAL = ("gcc -O3", "clang -O0")  # for other environments than Pong, in the ordinary run
PLAY = """
const fs = require("fs");
const [wasm, policy, steps] = process.argv.slice(1);
const core = new WebAssembly.Instance(new WebAssembly.Module(fs.readFileSync(wasm))).exports;
let free = core.game_heap();
const take = (bytes) => {
  const at = Math.ceil(free / 64) * 64;
  free = at + bytes;
  const missing = Math.ceil((free - core.memory.buffer.byteLength) / 65536);
  if (missing > 0) core.memory.grow(missing);
  return at;
};
const scratch = take(256);
let loaded = 0;
if (policy) {
  const bytes = fs.readFileSync(policy);
  const file = take(bytes.length);
  new Uint8Array(core.memory.buffer).set(bytes, file);
  const need = core.game_policy_size(file, bytes.length, scratch);
  loaded = core.game_load(file, bytes.length, take(need), need, scratch);
  if (!loaded) throw new Error("refused");
}
const count = loaded ? 1 : 0;
new Uint32Array(core.memory.buffer, scratch, 1)[0] = loaded;
const need = core.game_size(scratch, count);
core.golden_play(core.game_open(scratch, count, take(need), need), count, Number(steps), scratch);
const words = [...new Uint32Array(core.memory.buffer, scratch, 5)].map((word) => word.toString(16).padStart(8, "0"));
console.log(`${words[1]}${words[0]} ${words[3]}${words[2]} ${parseInt(words[4], 16)}`);
"""


@pytest.fixture(scope="session")
def policy(env: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A policy for an environment, whose parameter has the scope "session": an encoder, an LSTM and heads, with weights
    large enough to make it restless."""
    spec = minnow.envs.spec(env)
    sizes = [head.size for head in spec.head]
    net = Net(tuple(spec.obs_shape), 7)
    net.graph.values[0] = Value(tuple(spec.obs_shape), spec.obs_type)
    if spec.obs_type == "u8":
        net.same("cast")
    net.op("reshape", (math.prod(spec.obs_shape),)).linear(32).same("tanh").cell("lstm", 32)
    if spec.obs_type == "u8":
        net.graph.tensors[0] /= 64
    core = net.at
    value = net.linear(1).at
    net.at = core
    actor = net.linear(sum(sizes) or len(sizes)).at
    role = "logits" if any(sizes) else "mean"
    net.graph.outputs = [Output(role, actor, role), Output("value", value, "value")]
    net.graph.tensors = [2 * tensor for tensor in net.graph.tensors]
    if not any(sizes):
        kind: action.Action = action.Box([head.low for head in spec.head], [head.high for head in spec.head])
    else:
        kind = action.Discrete(sizes[0]) if len(sizes) == 1 else action.MultiDiscrete(sizes)
    obs = np.zeros((2, 1, *spec.obs_shape), spec.obs_dtype)
    shapes = [net.graph.values[at].shape for at in (actor, value)]
    outputs, states = ([np.zeros((2, 1, *s), np.float32) for s in group] for group in (shapes, [(32,)] * 2))
    golden = format.Golden([obs], outputs, states)
    path = tmp_path_factory.mktemp("golden") / f"{env}.minnow"
    format.write(net.graph, path, action=kind, golden=golden)
    return path


def options(env: str) -> dict:
    return game.options(env) | {"name": f"golden-{env}"}


def length(env: str, steps: int) -> int:
    """Fewer where many players, or bodies in space, make each step dear."""
    spec = minnow.envs.spec(env)
    return steps - steps // 20 * 17 if spec.slots > 4 or spec.three_d else steps


@cache
def interpreter(cc: str, *flags: str) -> Path:
    """minnow.h as one build makes it, once for all games."""
    return compile.object(game.HERE / "interpreter.c", cc=cc, flags=flags, include=[compile.HERE])


def native(env: str, cc: str, flags: list[str], *args: str, steps: int = STEPS) -> str:
    made = options(env)
    made["defines"] |= {"GAME_APART": 1}
    sources = [HERE / "golden.c", interpreter(cc, *WARNINGS, *flags)]
    program = compile.program(sources, cc=cc, flags=[*WARNINGS, *flags], **made)
    done = subprocess.run([program, str(length(env, steps)), *args], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def wasm(env: str, *args: str) -> str:
    exports = ["game_heap", "game_policy_size", "game_load", "game_size", "game_open", "golden_play"]
    module = compile.wasm([HERE / "golden.c"], exports=exports, grow=True, flags=["-Os", *WARNINGS], **options(env))
    policy = args[0] if args else ""
    done = subprocess.run(["node", "-e", PLAY, module, policy, str(length(env, STEPS))], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def cases(policy: Path) -> Iterator[tuple[str, ...]]:
    yield ()
    yield (str(policy),)


@pytest.mark.parametrize("env", minnow.envs.names(), scope="session")
def test_one_hash_everywhere(env: str, policy: Path, request: pytest.FixtureRequest) -> None:
    builds = BUILDS if env == "pong" or request.config.getoption("--full") else USUAL
    for args in cases(policy):
        hashes = {name: native(env, *BUILDS[name], *args) for name in builds}
        hashes["WebAssembly"] = wasm(env, *args)
        assert len(set(hashes.values())) == 1, json.dumps(hashes, indent=1)
        assert int(hashes["WebAssembly"].split()[2]) > 0, "no episode ended, so no reset was tried"


@pytest.mark.parametrize("env", of_all("pong"), scope="session")
def test_the_hash_sees_a_change(env: str, policy: Path) -> None:
    everything = [native(env, "gcc", ["-O3"], *args, steps=2000) for args in cases(policy)]
    everything.append(native(env, "gcc", ["-O3"], str(policy), steps=2001))
    assert len({line.split()[0] for line in everything}) == 3
    assert len({line.split()[1] for line in everything}) == 3


@pytest.mark.parametrize(
    ("env", "cc"),
    [
        pytest.param(*case.values, cc, id=f"{case.id}-{cc}", marks=case.marks)
        for cc, cases in (("clang", of_all(*FEW, "pick_cube")), ("gcc", of_all()))
        for case in cases
    ],
    scope="session",
)
def test_sanitizers_find_nothing(env: str, policy: Path, cc: str) -> None:
    for args in cases(policy):
        assert native(env, cc, SANITIZERS, *args, steps=3000) == native(env, "gcc", ["-O3"], *args, steps=3000)
