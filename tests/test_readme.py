"""What the README shows is so: its commands exist, its links lead somewhere, its C example compiles and runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sure import sure

import minnow.cinfer

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


COMMANDS = [line.split() for block in blocks("sh") for line in block.splitlines()]


def there(words: list[str], run: Path) -> list[str]:
    """The words with `run` for the run that the README speaks of."""
    return [word.replace("runs/pong/mine", str(run)) for word in words]


def test_the_two_commands_come_first() -> None:
    assert blocks("sh")[0].split("\n")[:2] == ["./build.sh demo", "./build.sh test"]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_commands(words: list[str], pong_run: Path) -> None:
    """Each command's verb is one, and its options are in the verb's help."""
    place = next((i for i, word in enumerate(words) if word.startswith("--")), len(words))
    if words[0] == "./build.sh":
        shown = subprocess.run([ROOT / "build.sh", "--help"], capture_output=True, text=True, check=True).stdout
        assert re.search(rf"^  {words[1]} ", shown, re.MULTILINE)
    elif words[0] == "minnow":
        command = [sys.executable, "-m", "minnow.cli.main", *there(words[1:place], pong_run), "--help"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        shown = done.stdout
    else:
        assert words == [".", ".venv/bin/activate"]
        return
    for option in (word for word in words if word.startswith("--")):
        assert re.search(rf"{option}\b", shown), f"{option} is not in the help of {' '.join(words[:place])}"


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#]+)\)", README))
def test_links(link: str) -> None:
    assert (ROOT / link).is_file()


def test_c_example(pong_run: Path, tmp_path: Path) -> None:
    """At most 15 lines, clean under all warnings as C and as C++, and it prints the action that Python gets."""
    (example,) = blocks("c")
    assert len(example.splitlines()) <= 15
    (export,) = (words for words in COMMANDS if words[:2] == ["minnow", "export"])
    command = [sys.executable, "-m", "minnow.cli.main", *there(export[1:], pong_run)]
    subprocess.run(command, cwd=tmp_path, check=True)
    warnings = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", f"-I{ROOT / 'cinfer'}"]
    answers = []
    for compiler, standard, name in (("gcc", "-std=c99", "example.c"), ("g++", "-std=c++17", "example.cpp")):
        (tmp_path / name).write_text(example)
        subprocess.run([compiler, standard, *warnings, "-o", "example", name], cwd=tmp_path, check=True)
        answers.append(subprocess.run("./example", cwd=tmp_path, check=True, capture_output=True, text=True).stdout)
    size = int(sure(re.search(r"obs\[(\d+)\]", example))[1])
    out = minnow.cinfer.load(pong_run / "policy.minnow").session().step(np.zeros((1, size), np.float32))
    assert answers == [f"action {int(sure(out.action).item())}\n"] * 2
