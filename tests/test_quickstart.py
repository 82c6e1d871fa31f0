"""docs/quickstart.md, followed in an empty folder outside any checkout, with nothing but the wheel."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import urllib.request
from pathlib import Path

import pytest
from sure import sure

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "docs" / "quickstart.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
SETUP = 2  # blocks that bring Debian's packages and the wheel: what they bring is here
LINES = [line for kind, block in BLOCKS[SETUP:] if kind == "sh" for line in block.splitlines()]
SHORT = (
    "minnow new",
    "sed ",
    "minnow train ./orchard",
    "minnow eval runs/orchard/faster",
    "minnow export",
    "cc ",
    "./",
)


class Person:
    """Who types the commands, in a folder of their own, into a shell that knows the environment of the wheel alone."""

    def __init__(self, folder: Path, installed: Path) -> None:
        self.folder, self.home = folder, installed
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        self.shell = {**kept, "PATH": f"{installed / 'bin'}{os.pathsep}{os.environ['PATH']}"}

    def types(self, line: str) -> str:
        """What a command prints."""
        command = ["bash", "-c", line]
        if line.startswith("minnow play"):
            command = ["xvfb-run", "-a", *command]
        done = subprocess.run(command, cwd=self.folder, env=self.shell, capture_output=True, text=True)
        assert done.returncode == 0, f"{line}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout

    def visits(self, line: str, page: str) -> str:
        """A page of the server that a command starts, which Ctrl-C ends."""
        server = subprocess.Popen(
            ["bash", "-c", f"exec {line}"], cwd=self.folder, env=self.shell, stdout=subprocess.PIPE, text=True
        )
        try:
            address = re.search(r"http://\S+", sure(server.stdout).readline())
            assert address, line
            with urllib.request.urlopen(address[0] + page) as answer:
                text = answer.read().decode()
        finally:
            server.send_signal(signal.SIGINT)
            server.communicate(timeout=60)
        assert server.returncode in (0, 130), line
        return text


@pytest.fixture
def person(tmp_path: Path, installed: Path) -> Person:
    (program,) = [block for kind, block in BLOCKS if kind == "c"]
    (tmp_path / "program.c").write_text(program)
    return Person(tmp_path, installed)


def test_what_it_installs(wheel: Path, tmp_path: Path) -> None:
    """The lines before the others name Debian packages that build.sh wants too, and the wheel with extras it has."""
    packages, install = (block for _, block in BLOCKS[:SETUP])
    (setup,) = re.findall(r"system=\(([^)]*)\)", (ROOT / "build.sh").read_text())[:1]
    assert packages.splitlines()[-1].split()[4:] == setup.split()
    shutil.copy(wheel, tmp_path)
    words = sure(re.search(r'pip install "(.*)\[record,play\]"', install))[1]
    assert "`pip install -e '.[record,play]'`" in TEXT, "with a clone the same extras are needed"
    assert subprocess.check_output(["bash", "-c", f"echo {words}"], cwd=tmp_path, text=True).strip() == wheel.name


def test_the_short_way(person: Person) -> None:
    """A game from `minnow new` to a C program, after a second of training."""
    told = ""
    for line in LINES:
        if line.startswith(SHORT) and "orchard/first" not in line:
            told = person.types(line.replace("--budget 20", "--budget 1 --no-export"))
    assert len(told.split()) == 3 and set(told.split()) <= {"stay", "left", "right"}
    assert person.types("python -c 'import minnow; print(minnow.__file__)'").startswith(str(person.home))


@pytest.mark.full
@pytest.mark.timeout(1200)
def test_word_by_word(person: Person) -> None:
    scores, told = {}, ""
    for line in LINES:
        if line.startswith("minnow serve"):
            title = "Pong" if line.endswith("site") else "Orchard"
            assert f"<h1>{title}</h1>" in person.visits(line, f"{title.lower()}.html")
            continue
        told = person.types(line)
        if line.startswith("minnow eval"):
            scores[line.split()[-1]] = float(sure(re.search(r"score ([+-][\d.]+)", told))[1])
    assert scores["runs/pong/first"] > 10 and scores["runs/orchard/first"] > 15 and scores["runs/orchard/faster"] > 15
    assert told.split()[0] == "left" and told.split()[-1] == "right"
    assert (person.folder / "orchard.gif").read_bytes()[:4] == b"GIF8"
    # What the game's own README says of keeping it with its policy and its test.
    kept = re.findall(r"```sh\n(.*?)```", (person.folder / "orchard" / "README.md").read_text(), re.DOTALL)[1]
    for line in kept.splitlines():
        told = person.types(line.replace("pytest", "python -m pytest -q -p no:cacheprovider"))
    assert "2 passed" in told
    shutil.rmtree(person.folder / "runs")
    person.types("minnow site build ./orchard")
    manifest = json.loads((person.folder / "site" / "manifest.json").read_text())
    assert list(manifest["demos"]) == ["orchard"] and manifest["demos"]["orchard"]["policy"]
