"""Every environment under two compilers: no warning, no fault that a sanitizer sees, the same states always."""

from __future__ import annotations

from pathlib import Path
from subprocess import run

import pytest

from minnow import envs
from minnow.cinfer import compile
from minnow.envs.spec import FLAGS

DRIVER = Path(__file__).with_name("env_driver.c")
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fsanitize=float-cast-overflow", "-g", "-O1"]
BUILDS = [("gcc", ["-O0"]), ("gcc", ["-O3"]), ("gcc", FLAGS), ("clang", ["-O0"]), ("clang", ["-O3"])]

pytestmark = pytest.mark.parametrize("name", envs.names())


def driver(name: str, *flags: str, cc: str = "gcc", lanes: int | None = None, vector: bool = False) -> Path:
    defines = {"ENV_SOURCE": f'"{envs.folder(name) / name}.c"'} | ({} if lanes is None else {"ENV_LANES": lanes})
    if vector:
        defines |= {"ENV_VECTOR": 1, "_POSIX_C_SOURCE": "200809L"}
        flags = (*flags, "-pthread")
    return compile.program([DRIVER], defines=defines, flags=flags, cc=cc, name=f"driver_{name}")


def output(program: Path, *args: str) -> str:
    done = run([program, *args], capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, f"{program} {' '.join(args)}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("lanes", [None, 1])
@pytest.mark.parametrize("cc", ["gcc", "clang"])
def test_no_warnings(name: str, cc: str, lanes: int | None) -> None:
    defines = {"ENV_VECTOR": 1, "_POSIX_C_SOURCE": "200809L"} | ({} if lanes is None else {"ENV_LANES": lanes})
    compile.object([envs.folder(name) / f"{name}.c"], defines=defines, flags=["-O2", *STRICT], cc=cc)
    driver(name, "-O1", *STRICT, cc=cc, lanes=lanes)


@pytest.mark.parametrize("cc", ["gcc", "clang"])
@pytest.mark.parametrize("lanes", [None, 1])
def test_a_storm_of_input(name: str, cc: str, lanes: int | None) -> None:
    """100,000 random agent-steps at the defaults: observations stay in their fields' ranges. As many with everything
    randomized and random events: every number stays finite. Nothing is read or written out of bounds on the way."""
    output(driver(name, *SANITIZE, cc=cc, lanes=lanes), "storm", "100000")


@pytest.mark.parametrize("sanitizer", ["address,undefined", "thread"])
@pytest.mark.parametrize("lanes", [None, 1])
def test_threads_share_nothing(name: str, sanitizer: str, lanes: int | None) -> None:
    program = driver(name, f"-fsanitize={sanitizer}", "-fno-sanitize-recover=all", "-O1", lanes=lanes, vector=True)
    output(program, "vector", "1000")


def test_golden_states(name: str) -> None:
    """10,000 steps, the last 5,000 with randomized physics: one hash for each compiler, level and number of lanes."""
    hashes = {
        (cc, *flags, lanes): output(driver(name, *flags, cc=cc, lanes=lanes), "golden", "2500")
        for cc, flags in BUILDS
        for lanes in (None, 1)
    }
    assert len(set(hashes.values())) == 1, hashes


@pytest.mark.parametrize("lanes", [None, 1])
def test_state_has_no_padding(name: str, lanes: int | None) -> None:
    output(driver(name, "-O1", lanes=lanes), "padding")


def test_the_source_keeps_the_rules(name: str) -> None:
    source = (envs.folder(name) / f"{name}.c").read_text()
    for banned in ("math.h", "stdlib.h", "time.h", "malloc", "rand("):
        assert banned not in source, f"{name}.c uses {banned}"
