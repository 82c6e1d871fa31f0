"""The whole learner in C (core/loop.h) learns, bit for bit, what the trainer does in exact arithmetic: by every
compiler, for every instruction set, and in WebAssembly."""

from __future__ import annotations

import math
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import sumo
import torch

from minnow import envs
from minnow.cinfer import binding, compile
from minnow.train import learn
from minnow.train.backend import CorePPO
from minnow.train.config import Config, PolicyConfig, TrainConfig

HERE = Path(__file__).resolve().parent
CORE = Path(learn.__file__).parent / "core"
OURS = envs.ours("pong").parent
SAME = (
    *("steps", "epochs", "learning_rate", "learning_rate_end", "gamma", "gae_lambda", "clip", "value_clip"),
    *("value_weight", "entropy", "entropy_end", "max_grad_norm", "reward_scale"),
    *("envs", "agents", "horizon", "minibatch", "normalize_advantage", "normalize_value"),
)  # names of settings that C and `TrainConfig` share; and of the network's
NET = ("hidden", "layers", "remember", "normalize", "parts")
ACTIVATIONS, MEMORIES = ("", "relu", "tanh", "gelu", "silu"), ("mlp", "lstm", "gru", "mingru")
SHAPING = ("none", "difference", "discounted")
SETTINGS: dict[str, Any] = {"envs": 8, "horizon": 16, "minibatch": 64, "epochs": 1.5, "learning_rate": 0.01}
CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "relu": ("pong", {"layers": 2}, {"shaping": "discounted", "value_clip": 0.1}),
    "tanh": ("cartpole", {"activation": "tanh", "normalize": True}, {"anneal": "cosine", "minibatch": 128}),
    "linear": ("cartpole", {"layers": 0}, {"normalize_advantage": False, "reward_scale": 0.1}),
    "masked": ("connect4", {}, {"max_grad_norm": 0.1, "normalize_value": False}),
    "parts": ("2048", {"layers": 2, "parts": True}, {}),
    "lstm": ("pong", {"core": "lstm", "remember": 20, "activation": "silu"}, {"entropy_end": 0.1}),
    "gru": ("cartpole", {"core": "gru", "normalize": True, "activation": "gelu"}, {}),
    "mingru": ("pong", {"core": "mingru", "layers": 2}, {"agents": 2}),
    "continuous": ("sumo", {"layers": 2, "activation": "tanh"}, {}),
    "lives": ("lives", {"core": "lstm"}, {"minibatch": 6 * 64}),
    "groups": ("crowd", {"core": "lstm", "normalize": True, "remember": 9}, {"agents": 2, "envs": 4}),
}


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Where environments lie that are not ours."""
    games = {name: HERE / "games" / name for name in ("lives", "crowd")}
    return games | {"sumo": sumo.write(tmp_path_factory.mktemp("loop"))}


def config(case: str, places: dict[str, Path]) -> Config:
    name, policy, train = CASES[case]
    settings = TrainConfig(**{**SETTINGS, "precision": "exact", "backend": "c"} | train)
    path = str(places.get(name, ""))
    settings.steps = 5 * settings.envs * settings.horizon * (settings.agents or envs.spec(path or name).agents)
    network = PolicyConfig(**{"core": "mlp", "hidden": 16} | policy)
    return Config(name, 2**40 + 3, 0.2, policy=network, train=settings, path=path)


def source(place: Path) -> dict[str, Any]:
    """How a C file includes an environment."""
    return {"defines": {"LEARN_ENV": f'"{place / place.name}.c"'}, "include": [OURS]}


def library(place: Path) -> binding.Library:
    """The learner of an environment."""
    built = compile.shared(CORE / "learner.c", flags=["-O1"], **source(place))  # whose compilation takes less time
    return binding.load(built, CORE / "loop.h", CORE / "learner.c")


def settings_of(held: binding.Library, wanted: Config) -> Any:
    made = held.ffi.new("LearnSettings *")
    held.c.learner_defaults(made)
    for name in SAME:
        setattr(made, name, getattr(wanted.train, name))
    for name in NET:
        setattr(made, name, getattr(wanted.policy, name))
    made.seed, made.seed_high, made.randomize = wanted.seed % 2**32, wanted.seed >> 32, wanted.randomize
    made.cosine, made.shaping = wanted.train.anneal == "cosine", SHAPING.index(wanted.train.shaping)
    made.activation, made.memory = ACTIVATIONS.index(wanted.policy.activation), MEMORIES.index(wanted.policy.core)
    return made


class Learner:
    """One learner, and its memory."""

    def __init__(self, held: binding.Library, settings: Any) -> None:
        size = held.c.learner_size(settings) + 64
        self.held, self.block = held, held.ffi.new("char[]", size)
        at = int(held.ffi.cast("uintptr_t", self.block))
        self.learner = held.c.learner_new(self.block + (-at) % 64, settings)

    def update(self) -> Any:
        measures = self.held.ffi.new("LearnMeasures *")
        assert self.held.c.learner_update(self.learner, measures)
        return measures

    def numbers(self) -> torch.Tensor:
        c, ffi = self.held.c, self.held.ffi
        count = c.learner_count(self.learner)
        return torch.frombuffer(ffi.buffer(c.learner_parameters(self.learner), 4 * count), dtype=torch.float32).clone()


@pytest.mark.parametrize("case", CASES)
def test_it_learns_the_trainers_bits(case, places):
    wanted = config(case, places)
    held = library(wanted.place)
    settings = settings_of(held, wanted)
    assert held.c.learner_refuses(settings) == held.ffi.NULL
    theirs, ours = CorePPO(wanted), Learner(held, settings)
    assert torch.equal(ours.numbers(), theirs.adam.flat)
    for _ in range(5):
        found, expected = ours.update(), theirs.update()
        assert torch.equal(ours.numbers(), theirs.adam.flat)
        for name in ("policy_loss", "value_loss", "entropy", "kl", "clip_fraction", "gradient_norm", "learning_rate"):
            assert getattr(found, name) == pytest.approx(expected[name], rel=1e-5, abs=1e-7)
    assert held.c.learner_done(ours.learner) and held.c.learner_steps(ours.learner) == theirs.steps


def test_defaults_are_those_of_training_and_what_does_not_fit_is_said():
    held = library(envs.ours("cartpole"))
    made = held.ffi.new("LearnSettings *")
    held.c.learner_defaults(made)
    usual = settings_of(held, Config("cartpole"))
    assert bytes(held.ffi.buffer(made)) == bytes(held.ffi.buffer(usual))
    for name, number, words in (
        ("minibatch", 1000, b"minibatch must divide envs x agents x horizon"),
        ("horizon", 0, b"must be above 0"),
        ("agents", 2, b"at most the environment's slots"),
        ("memory", 9, b"none that this learner has"),
        ("parts", 1, b"parts want"),
    ):
        wrong = settings_of(held, Config("cartpole"))
        setattr(wrong, name, number)
        assert words in held.ffi.string(held.c.learner_refuses(wrong))


def test_what_is_no_number_ends_it_and_the_network_stays():
    """After two updates rewards are NaN."""
    held, wanted = library(envs.ours("cartpole")), config("tanh", {})
    settings = settings_of(held, wanted)
    learner = Learner(held, settings)
    learner.update()
    learner.update()
    before = learner.numbers(), held.c.learner_hash(learner.learner), held.c.learner_steps(learner.learner)
    held.ffi.cast("LearnSettings *", learner.learner).reward_scale = math.nan  # a learner begins with its settings
    for _ in range(2):
        assert not held.c.learner_update(learner.learner, held.ffi.NULL)
        assert torch.equal(learner.numbers(), before[0])
        after = held.c.learner_hash(learner.learner), held.c.learner_steps(learner.learner)
        assert after == before[1:]


def bits(place: Path, *flags: str, cc: str = "gcc") -> list[str]:
    """Hashes of the weights of all networks, by one compiler and its flags."""
    built = compile.program(HERE / "learning.c", cc=cc, flags=flags, **source(place))
    found = subprocess.run([built], capture_output=True, text=True, check=True).stdout.split()
    assert len(set(found)) == 16 and "0" * 8 not in found  # every network learns something of its own
    return found


@pytest.fixture(scope="session")
def right(places: dict[str, Path]) -> list[str]:
    return bits(places["sumo"])


@pytest.mark.parametrize("cc", ["gcc", "clang"])
def test_sanitizers_find_nothing(places, right, cc):
    flags = (
        "-fsanitize=address,undefined",
        "-fno-sanitize-recover=all",
        "-g",
        "-O0",
    )  # optimisation takes compilers five times as long
    assert bits(places["sumo"], *flags, cc=cc) == right


@pytest.mark.parametrize("isa", ["x86-64", "x86-64-v3", "x86-64-v4"])
@pytest.mark.parametrize("cc", ["gcc", "clang"])
def test_every_compiler_and_instruction_set_learns_the_same_bits(places, right, cc, isa):
    has = Path("/proc/cpuinfo").read_text()
    wants = {"x86-64": " sse2 ", "x86-64-v3": " avx2 ", "x86-64-v4": " avx512vl "}[isa]
    if wants not in has or not shutil.which(cc):
        pytest.skip(f"needs{wants}and {cc}")
    assert bits(places["sumo"], f"-march={isa}", "-O1" if isa == "x86-64" else "-O2", cc=cc) == right


@pytest.mark.skipif(not shutil.which("emcc"), reason="needs emcc")
def test_webassembly_learns_the_same_bits(places, right):
    module = compile.wasm(HERE / "learning.c", exports=["learned"], memory=3 << 21, **source(places["sumo"]))
    script = """
        const {instance} = await WebAssembly.instantiate(require('fs').readFileSync(process.argv[1]));
        for (let memory = 0; memory < 4; memory++)
            for (let activation = 1; activation < 5; activation++)
                console.log((instance.exports.learned(memory, activation) >>> 0).toString(16).padStart(8, "0"));
    """
    said = ["node", "-e", f"(async () => {{{script}}})()", str(module)]
    assert subprocess.run(said, capture_output=True, text=True, check=True).stdout.split() == right


def test_a_c_program_learns():
    program = compile.program(CORE / "example.c", flags=binding.FLAGS)
    said = subprocess.run([program, "1", "120000"], capture_output=True, text=True, check=True).stdout.splitlines()
    assert float(said[-2].split()[2]) > 150, said  # ticks that the pole stands; by chance 22
