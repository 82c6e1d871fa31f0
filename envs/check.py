"""What the contract demands of an environment, as checks that say what to mend. `minnow check` and the tests run them.

A check is a function of an environment (its name, or its folder's path) that returns what it found, or raises
MinnowError."""

from __future__ import annotations

import itertools
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np

from minnow.cinfer import compile
from minnow.cinfer.errors import MinnowError

from .find import OURS, folder
from .spec import FLAGS, declared_name, library, spec
from .spec import source as file_of
from .vector import Vector

STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fsanitize=float-cast-overflow", "-g", "-O1"]
BUILDS = [("gcc", ["-O0"]), ("gcc", ["-O3"]), ("gcc", FLAGS), ("clang", ["-O0"]), ("clang", ["-O3"])]
AARCH64 = "aarch64-linux-gnu-gcc"
BANNED = {
    "math.h": "use mathf.h's functions, which give the same bits everywhere",
    "stdlib.h": "everything lives in State; nothing is allocated",
    "stdio.h": "an environment has no input and output",
    "time.h": "an environment has no clock: count ticks",
    "malloc": "everything lives in State",
    "rand(": "draw from env_uniform and its kin",
}
GOLDEN, VECTOR = "1000", "400"  # steps
RANKS = {"fields": {1}, "planes": {2, 3}, "set": {2}, "present": {1}}


def compilers() -> list[str]:
    """gcc and clang, where they are."""
    found = [cc for cc in ("gcc", "clang") if shutil.which(cc)]
    return found or [compile.compiler()]


def lane_counts(env: str | Path) -> list[int | None]:
    """The environment's own number of lanes (None), and 1 where that is another."""
    return [None] if library(env).env_lanes() == 1 else [None, 1]


def driver(env: str | Path, *flags: str, cc: str, lanes: int | None = None, vector: bool = False) -> Path:
    """driver.c with this environment, compiled."""
    defines: dict[str, str | int] = {"ENV_SOURCE": f'"{file_of(env)}"'} | (
        {} if lanes is None else {"ENV_LANES": lanes}
    )
    if vector:
        defines |= {"ENV_POOL": 1, "_POSIX_C_SOURCE": "200809L"}
        flags = (*flags, "-pthread")
    return compile.program(
        [OURS / "driver.c"], defines=defines, include=[OURS], flags=flags, cc=cc, name=f"driver_{folder(env).name}"
    )


def output(program: Path, *args: str, by: tuple[str, ...] = (), seconds: float = 280) -> str:
    """What the driver prints; its complaint as a MinnowError. by: the emulator that runs it. seconds: at most."""
    done = subprocess.run([*by, program, *args], capture_output=True, text=True, errors="replace", timeout=seconds)
    if done.returncode:
        words = (done.stderr + done.stdout).strip()
        raise MinnowError(f"`{program.name.split('-')[0]} {' '.join(args)}` failed: {words[-3000:]}")
    return done.stdout.strip()


def declaration(env: str | Path) -> str:
    """The tables of `spec` agree with each other."""
    found = spec(env)
    faults = []

    def demand(holds: bool, words: str) -> None:
        if not holds:
            faults.append(words)

    declared = declared_name(env)
    demand(declared == found.name, f"spec.name is {declared!r}, but the folder is {found.name!r}")
    demand(bool(found.title and found.score_name), "title and score_name must not be empty")
    demand(found.description.endswith("."), "description is a sentence: end it with a full stop")
    for i, group in enumerate(found.group):
        where = f"group {group.name!r}"
        demand(re.fullmatch(r"[a-z][a-z0-9_]*", group.name) is not None, f"{where}: its name must be lower case")
        demand(len(found.group) > 1 or group.name == "obs", f'{where}: where there is one group its name is "obs"')
        demand(len(group.shape) in RANKS[group.kind], f"{where}: {group.kind} cannot have the shape {group.shape}")
        before = found.group[i - 1] if i else None
        demand(
            group.kind != "present"
            or (before is not None and before.kind == "set" and group.shape == before.shape[:1] and group.type == "u8"),
            f"{where}: ENV_PRESENT is ENV_U8, follows its set, and has as many entities",
        )
        demand(bool(group.fields) or group.kind == "present", f"{where}: it needs fields")
        for field in group.fields:
            demand(bool(field.name) and field.low < field.high, f"field {field.name!r}: needs a name and low < high")
    demand(len({group.name for group in found.group}) == len(found.group), "two groups have one name")
    demand(any(not group.critic for group in found.group), "every group is for the critic alone: a policy sees nothing")
    size = sum(group.size for group in found.group)
    demand(1 <= found.agents <= found.slots, f"agents is {found.agents}: it must be 1 to ENV_SLOTS = {found.slots}")
    demand(found.tick_rate > 0 and found.action_repeat >= 1, "tick_rate and action_repeat must be positive")
    demand(found.score_low < found.score_high, "score_low must lie below score_high")
    demand(found.view_width > 0 and found.view_height > 0, "view_width and view_height must be positive")
    demand(bool(found.control), "a person needs controls: fill in spec.control")
    demand(found.has_script, "there must be a scripted player: .script, with a parameter named skill")
    demand("skill" in [p.name for p in found.param], "the script's skill is the parameter named skill: add it")
    for p in found.param:
        demand(p.low <= p.value <= p.high and p.low < p.high, f"parameter {p.name}: must have low <= default <= high")
        demand(p.doc.endswith("."), f"parameter {p.name}: its doc is a sentence, with a full stop")
        demand(p.scale != "log" or p.low > 0, f"parameter {p.name}: a logarithmic one needs a low above 0")
        demand(p.kind != "physics" or p.value == 0 or p.low * p.high >= 0, f"parameter {p.name}: bounds change sign")
    for head in found.head:
        demand(head.size in (0, len(head.labels)), f"head {head.name}: {head.size} choices, {len(head.labels)} labels")
    for c in found.control:
        demand(c.head < found.heads and bool(c.keys or c.touch), f"control {c.label}: needs a head and keys or touch")
        top = found.head[c.head].size if c.head < found.heads else 0
        demand(not top or 0 <= c.value < top, f"control {c.label}: the head has no choice {c.value:g}")
    if faults:
        raise MinnowError("; ".join(faults) + ".")
    return f"{found.slots} slots, {size} numbers seen, {len(found.param)} parameters"


def source(env: str | Path) -> str:
    """Nothing but the contract's own headers and functions is used."""
    text = file_of(env).read_text(encoding="utf-8")
    for word, advice in BANNED.items():
        if word in text:
            raise MinnowError(f"{folder(env).name}.c uses {word}: {advice}.")
    return f"{text.count(chr(10))} lines"


def warnings(env: str | Path) -> str:
    """No compiler has anything to say about it, with lanes or without."""
    for cc in compilers():
        for lanes in lane_counts(env):
            defines = {"ENV_POOL": 1, "_POSIX_C_SOURCE": "200809L"} | ({} if lanes is None else {"ENV_LANES": lanes})
            compile.object([file_of(env)], defines=defines, include=[OURS], flags=["-O2", *STRICT], cc=cc)
    return ", ".join(compilers())


def state(env: str | Path) -> str:
    """All that changes lies in State, which has no gaps."""
    plain = compile.object(
        [file_of(env)],
        include=[OURS],
        flags=["-O1", "-fno-pic"],
        cc=compile.compiler(),
        name=f"plain_{folder(env).name}",
    )
    nm = shutil.which("nm")
    if not nm:
        raise MinnowError("nm was not found. Install it: apt-get install binutils (as root).")
    listing = subprocess.run([nm, str(plain)], capture_output=True, text=True, check=True).stdout
    found = re.findall(r"^\w+ [bBdDCcsSgG] (\S+)$", listing, re.MULTILINE)
    loose = [symbol for symbol in found if not re.fullmatch(r"spec(\.\d+)?", symbol)]  # env_spec()'s answer
    if loose:
        raise MinnowError(f"{folder(env).name}.c keeps {', '.join(loose)} outside State: move it in, or make it const.")
    if shutil.which("gcc"):
        for lanes in lane_counts(env):
            output(driver(env, "-O1", cc="gcc", lanes=lanes), "padding")
    return f"{library(env).env_saved_size()} bytes"


def storm(env: str | Path, steps: int = 100_000) -> str:
    """Random agent-steps under sanitizers, by each compiler and with each number of lanes once, as declared and with
    everything turned: ranges, masks, pictures, whose length is tried at corners of the parameters too."""
    for cc, lanes in zip(itertools.cycle(compilers()), [*reversed(lane_counts(env)), None][:2], strict=False):
        output(driver(env, *SANITIZE, cc=cc, lanes=lanes), "storm", str(steps), seconds=max(280, steps / 1000))
    return f"{steps} agent-steps, as declared and with everything turned"


def threads(env: str | Path) -> str:
    """Many environments by several threads: equal results, no race, no leak."""
    for sanitizer in ("address,undefined", "thread"):
        flags = [f"-fsanitize={sanitizer}", "-fno-sanitize-recover=all", "-O1"]
        output(driver(env, *flags, cc=compilers()[-1], vector=True), "vector", VECTOR)
    return "address, undefined and thread sanitizers"


def golden(env: str | Path) -> str:
    """The same states from every compiler, level, lane count and processor, and in WebAssembly."""
    hashes: dict[str, str] = {}
    for cc, flags in BUILDS:
        if cc in compilers():
            for lanes in lane_counts(env):
                label = " ".join([cc, *flags, *([] if lanes is None else ["one lane"])])
                hashes[label] = output(driver(env, *flags, cc=cc, lanes=lanes), "golden", GOLDEN)
    if shutil.which(AARCH64) and shutil.which("qemu-aarch64"):
        hashes["aarch64"] = output(driver(env, "-static", cc=AARCH64), "golden", GOLDEN, by=("qemu-aarch64",))
    if shutil.which("emcc") and shutil.which("node"):
        hashes["wasm"] = _in_wasm(env)
    if len(set(hashes.values())) > 1:
        told = "\n".join(f"  {found}  {build}" for build, found in hashes.items())
        raise MinnowError(
            f"builds of {folder(env).name} disagree:\n{told}\nLook for numbers that were never set, shifts and "
            "conversions out of range, evaluation order, and functions that are not mathf.h's."
        )
    return ", ".join(hashes)


def _in_wasm(env: str | Path) -> str:
    built = compile.wasm(
        [OURS / "driver.c"],
        exports=["driver_golden"],
        defines={"ENV_SOURCE": f'"{file_of(env)}"'},
        include=[OURS],
        memory=16 << 20,
        name=f"driver_{folder(env).name}",
    )
    code = (
        "WebAssembly.instantiate(require('fs').readFileSync(process.argv[1])).then(({instance}) =>"
        f"console.log(BigInt.asUintN(64, instance.exports.driver_golden({GOLDEN})).toString(16).padStart(16, '0')))"
    )
    done = subprocess.run(["node", "-e", code, str(built)], capture_output=True, text=True, timeout=280)
    if done.returncode:
        raise MinnowError(f"node failed on {built.name}: {done.stderr.strip()[-2000:]}")
    return done.stdout.strip()


def snapshots(env: str | Path) -> str:
    """Equal seeds play equal games; a snapshot of one goes on elsewhere as the game did."""
    games = [Vector(env, 3, seed=seed, randomize=0.2) for seed in (1, 1, 99)]
    buffers = [game.buffers() for game in games]
    for game, b in zip(games, buffers, strict=True):
        game.reset(b)
    rng = np.random.default_rng(0)

    def step(which: tuple[int, ...]) -> None:
        u = rng.random(buffers[0].action.shape)
        for i in which:
            for h, head in enumerate(games[i].spec.head):
                buffers[i].action[:, h] = u[:, h] * (head.size or head.high - head.low) + head.low * (not head.size)
            games[i].step(buffers[i])

    for _ in range(100):
        step((0, 1))
    if games[0].hash(1) != games[1].hash(1):
        raise MinnowError(
            f"two games of {games[0].spec.name} with equal seeds and actions differ: something outside State matters."
        )
    games[2].load(1, games[0].save(1))
    for tick in range(100):
        step((0, 2))
        if games[0].hash(1) != games[2].hash(1):
            raise MinnowError(
                f"{games[0].spec.name}: a snapshot leaves its game after {tick + 1} steps: State does not hold all."
            )
    return "restored in mid-episode, 100 steps"


CHECKS: dict[str, Callable[[str | Path], str]] = {
    each.__name__: each for each in (source, declaration, warnings, state, snapshots, storm, threads, golden)
}
