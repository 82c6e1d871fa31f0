"""The fuzz target of minnow.h: what it starts from and the hostile files give no finding, and its mutations get far."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from minnow.cinfer import MinnowError, load

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The target as `./build.sh fuzz` compiles it, with all instruction sets; not optimised, which takes clang a
    seventh of the time."""
    (command,) = re.findall(r"(clang -O1 .*?) -o build/fuzz/policy", (ROOT / "build.sh").read_text(), re.DOTALL)
    made = tmp_path_factory.mktemp("fuzz") / "policy"
    words = command.replace("\\\n", " ").replace("-O1", "-O0").split()
    warnings = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]
    done = subprocess.run([*words, *warnings, "-o", made], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return made


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("seeds")
    subprocess.run([sys.executable, ROOT / "tests" / "seeds.py", folder], cwd=ROOT, check=True)
    return folder


def fuzz(target: Path, *args: str | Path) -> str:
    done = subprocess.run([target, *args], cwd=target.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stderr


def test_nothing_is_found_in_known_files(target: Path, seeds: Path) -> None:
    files = sorted([*seeds.glob("*.minnow"), *(ROOT / "cinfer" / "hostile").glob("*.minnow")])
    assert len(files) > 100
    assert fuzz(target, *files).count("Executed ") == len(files)


def test_mutations_get_past_the_checks(target: Path, seeds: Path, tmp_path: Path) -> None:
    """Of the files that a short run keeps, many load, so the interpreter is attacked and not only the loader."""
    found = tmp_path / "found"
    found.mkdir()
    fuzz(target, "-runs=4000", "-max_total_time=30", "-seed=1", "-max_len=16384", found, seeds)
    numbers = []
    for path in found.iterdir():
        try:
            load(path.read_bytes())
            numbers.append(0)
        except MinnowError as error:
            numbers.append(error.number)
    assert len(numbers) > 100 and numbers.count(0) > len(numbers) / 4
    assert len(set(numbers)) > 15


@pytest.mark.full
@pytest.mark.timeout(1200)
def test_a_minute() -> None:
    done = subprocess.run([ROOT / "build.sh", "fuzz", "--minutes", "1"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    runs = re.findall(r"number_of_executed_units: (\d+)", done.stdout + done.stderr)
    assert len(runs) == 2 and sum(map(int, runs)) > 10_000
