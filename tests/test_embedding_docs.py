"""docs/embedding.md and the opening comment of minnow.h: what they show compiles, runs, and is all there is."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from nets import NETS
from sure import sure

from minnow.cli.main import main
from minnow.export import format
from minnow.export.action import Discrete

ROOT = Path(__file__).resolve().parent.parent
CINFER = ROOT / "cinfer"
PAGE = (ROOT / "docs" / "embedding.md").read_text()
HEADER = (CINFER / "minnow.h").read_text()
OPENING = HEADER[: HEADER.index("*/")]
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", f"-I{CINFER}"]
BEFORE = """#include "minnow.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int game_step(int32_t choice, float *obs);
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def run(words: list[str], cwd: Path) -> str:
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """policy.minnow and policy.h."""
    file = format.read(NETS["odd"]())
    format.write(file.graph, tmp_path / "policy.minnow", action=Discrete(1), golden=file.golden)
    export = blocks("sh")[0].splitlines()[1].split()
    assert export[:2] == ["minnow", "export"]
    monkeypatch.chdir(tmp_path)
    assert main(export[1:]) == 0
    return tmp_path


PROGRAM, *SNIPPETS = blocks("c")


@pytest.mark.parametrize("compiler", [["gcc", "-std=c99"], ["clang", "-std=c99"], ["g++", "-xc++"]], ids=" ".join)
def test_the_program(compiler: list[str], folder: Path) -> None:
    """It is clean under all warnings, and acts."""
    (folder / "program.c").write_text(PROGRAM)
    run([*compiler, "-O1", *WARNINGS, "program.c", "-o", "program"], folder)
    assert run(["./program"], folder) == "action 0\n" * 3


@pytest.mark.parametrize("index", range(len(SNIPPETS)))
def test_snippets(index: int, tmp_path: Path) -> None:
    """Each is the body of a function that has a policy, a session and observations."""
    head = "void snippet(const minnow_policy *policy, minnow_session *session, const float *obs);\n"
    function = head + head.replace(";", " {") + SNIPPETS[index] + "(void)policy;\n(void)session;\n(void)obs;\n}\n"
    (tmp_path / "snippet.c").write_text(BEFORE + function)
    for compiler in (["gcc", "-std=c99"], ["clang", "-std=c99"]):
        run([*compiler, "-fsyntax-only", *WARNINGS, "snippet.c"], tmp_path)


def test_the_opening_comment(tmp_path: Path) -> None:
    """Its program is the body of a function that has a file's bytes and observations."""
    lines = sure(re.search(r"A whole program:\n \*\n(.*?\n) \*\n", OPENING, re.DOTALL))[1].splitlines()
    body = "\n".join(line.removeprefix(" *") for line in lines)
    head = "void program(const void *bytes, size_t size, float *obs);\n"
    (tmp_path / "program.c").write_text(BEFORE + head + head.replace(";", " {") + body + "\n}\n")
    run(["gcc", "-std=c99", "-fsyntax-only", *WARNINGS, "program.c"], tmp_path)


def test_cmake(folder: Path) -> None:
    (block,) = blocks("cmake")
    (folder / "program.c").write_text(PROGRAM)
    (folder / "CMakeLists.txt").write_text("cmake_minimum_required(VERSION 3.13)\nproject(program C)\n" + block)
    run(["cmake", "-B", "build", f"-Dminnow_DIR={CINFER / 'cmake'}", f"-DCMAKE_C_FLAGS=-I{folder}"], folder)
    run(["cmake", "--build", "build"], folder)
    assert (folder / "build" / "program").exists()


def test_the_shared_library(tmp_path: Path) -> None:
    words = blocks("sh")[1].split()
    run([str(CINFER / word) if word == "minnow.h" else word for word in words], tmp_path)
    assert "minnow_step" in run(["nm", "-D", "libminnow.so"], tmp_path)


def test_every_switch_is_listed() -> None:
    """In the page, the comment and the code alike."""
    page = set(re.findall(r"MINNOW_[A-Z0-9_]+", PAGE.split("## Switches")[1]))
    comment = set(re.findall(r"MINNOW_[A-Z0-9_]+", OPENING.split("MACROS heeded")[1].split("WORDS.")[0]))
    assert page == comment
    code = HEADER[len(OPENING) :]
    assert [name for name in page if name not in code] == []


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#]+)\)", PAGE))))
def test_links(link: str) -> None:
    assert (ROOT / "docs" / link).resolve().exists()
