"""Golden trajectories: the same seed and inputs play the same game, whatever compiled it and wherever it runs."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import costly
import pytest
import torch

import minnow.envs
from minnow.cinfer import compile
from minnow.export import action, export
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


class Recurrent(torch.nn.Module):
    """An encoder, an LSTM and heads, randomly initialised with weights large enough to make it restless."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        torch.manual_seed(inputs * 100 + outputs)
        self.encode = torch.nn.Linear(inputs, 32)
        self.core = torch.nn.LSTM(32, 32, batch_first=True)
        self.policy = torch.nn.Linear(32, outputs)
        self.value = torch.nn.Linear(32, 1)
        with torch.no_grad():
            for weights in self.parameters():
                weights *= 2.0

    def forward(
        self, obs: torch.Tensor, state: tuple[torch.Tensor, torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        x = obs.float().flatten(1) / (64.0 if obs.dtype == torch.uint8 else 1.0)
        x = torch.tanh(self.encode(x))
        x, state = self.core(x.unsqueeze(1), state)
        x = x.squeeze(1)
        return self.policy(x), self.value(x), state


@pytest.fixture(scope="session", params=costly.names())
def env(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="session")
def policy(env: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    spec = minnow.envs.spec(env)
    sizes = [head.size for head in spec.head]
    inputs = int(torch.tensor(spec.obs_shape).prod())
    module = Recurrent(inputs, sum(sizes) or len(sizes)).eval()
    path = tmp_path_factory.mktemp("golden") / f"{env}.minnow"
    if not any(sizes):
        kind: action.Action = action.Box([head.low for head in spec.head], [head.high for head in spec.head])
    else:
        kind = action.Discrete(sizes[0]) if len(sizes) == 1 else action.MultiDiscrete(sizes)
    outputs = ("logits" if any(sizes) else "mean", "value")
    state = (torch.zeros(1, 4, 32), torch.zeros(1, 4, 32))
    obs = torch.zeros(4, *spec.obs_shape, dtype=torch.uint8 if spec.obs_type == "u8" else torch.float32)
    export(module, obs, path, example_state=state, action=kind, outputs=outputs)
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
    return compile.object(HERE / "golden_minnow.c", cc=cc, flags=flags, include=[compile.HERE])


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


def test_one_hash_everywhere(env: str, policy: Path) -> None:
    for args in cases(policy):
        hashes = {name: native(env, cc, flags, *args) for name, (cc, flags) in BUILDS.items()}
        hashes["WebAssembly"] = wasm(env, *args)
        assert len(set(hashes.values())) == 1, json.dumps(hashes, indent=1)
        assert int(hashes["WebAssembly"].split()[2]) > 0, "no episode ended, so no reset was tried"


def test_the_hash_sees_a_change(env: str, policy: Path) -> None:
    everything = [native(env, "gcc", ["-O3"], *args, steps=2000) for args in cases(policy)]
    everything.append(native(env, "gcc", ["-O3"], str(policy), steps=2001))
    assert len({line.split()[0] for line in everything}) == 3
    assert len({line.split()[1] for line in everything}) == 3


@pytest.mark.parametrize("cc", ["gcc", "clang"])
def test_sanitizers_find_nothing(env: str, policy: Path, cc: str) -> None:
    for args in cases(policy):
        assert native(env, cc, SANITIZERS, *args, steps=3000) == native(env, cc, ["-O3"], *args, steps=3000)
