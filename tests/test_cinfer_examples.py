"""The examples of embedding minnow.h: each is built as its first lines say, and all print what Python gets."""

from __future__ import annotations

import functools
import http.server
import os
import re
import shutil
import struct
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser
from sure import sure

from minnow.cinfer import compile, load
from minnow.export import action, export

ROOT = Path(__file__).resolve().parent.parent
CINFER = ROOT / "cinfer"
EXAMPLES = CINFER / "examples"
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]
STEPS, INPUTS, CHOICES = 5, 8, 3
Lines = list[tuple[int, ...]]  # for each step the action and the bits of the logits


class Mlp(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.body = torch.nn.Sequential(
            torch.nn.Linear(INPUTS, 64), torch.nn.Tanh(), torch.nn.Linear(64, 64), torch.nn.Tanh()
        )
        self.policy, self.value = torch.nn.Linear(64, CHOICES), torch.nn.Linear(64, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = self.body(x)
        return self.policy(x), self.value(x)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """policy.minnow and policy.h of a 64x64 MLP."""
    made = tmp_path_factory.mktemp("examples")
    export(Mlp().eval(), torch.zeros(4, INPUTS), made / "policy.minnow", action=action.Discrete(CHOICES))
    run(sys.executable, "-m", "minnow.cli.main", "export", "policy.minnow", "--format", "c", cwd=made)
    return made


@pytest.fixture(scope="module")
def expected(folder: Path) -> Lines:
    session, lines = load(folder / "policy.minnow").session(1, 42), []
    for step in range(STEPS):
        out = session.step(np.array([[(7 * step + 3 * i) % 11 * 0.25 - 1 for i in range(INPUTS)]], np.float32))
        lines.append((int(sure(out.action).item()), *sure(out.logits)[0].view(np.uint32).tolist()))
    assert len({line[0] for line in lines}) > 1 and len(set(lines)) == STEPS
    return lines


def run(*command: str | Path, cwd: Path, **env: str) -> str:
    done = subprocess.run(command, cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def read(text: str) -> Lines:
    """Lines with decimal logits."""
    words = [line.split() for line in text.strip().splitlines()]
    return [(int(a), *(struct.unpack("<I", struct.pack("<f", float(x)))[0] for x in logits)) for a, *logits in words]


@pytest.mark.parametrize("cc", ["gcc", "clang"])
def test_c(cc: str, folder: Path, expected: Lines) -> None:
    run(cc, "-std=c99", "-O2", *WARNINGS, f"-I{CINFER}", EXAMPLES / "act.c", "-o", "act", cwd=folder)
    assert read(run("./act", "policy.minnow", cwd=folder)) == expected
    (folder / "bad.minnow").write_bytes((folder / "policy.minnow").read_bytes()[:-1])
    refused = subprocess.run(["./act", "bad.minnow"], cwd=folder, capture_output=True, text=True)
    assert refused.returncode == 1 and refused.stderr.startswith("error 13: ")


def test_aarch64(folder: Path, expected: Lines) -> None:
    """NEON under qemu gives the bits of this machine."""
    run("aarch64-linux-gnu-gcc", "-O3", f"-I{CINFER}", EXAMPLES / "act.c", "-o", "act-arm", cwd=folder)
    assert read(run("qemu-aarch64", "-L", "/usr/aarch64-linux-gnu", "act-arm", "policy.minnow", cwd=folder)) == expected


def cmake(home: Path, folder: Path, build: str) -> str:
    """Builds the CMake example against the package in `home` and runs it."""
    source = shutil.copytree(EXAMPLES / "cmake", folder / f"{build}-source")
    flags = " ".join(WARNINGS)
    run("cmake", "-B", build, f"-Dminnow_DIR={home}", f"-DCMAKE_CXX_FLAGS={flags}", "-S", source, cwd=folder)
    run("cmake", "--build", build, cwd=folder)
    return run(f"./{build}/act", "policy.minnow", cwd=folder)


def test_cmake_from_the_checkout(folder: Path, expected: Lines) -> None:
    assert read(cmake(CINFER / "cmake", folder, "checkout")) == expected
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"set(PACKAGE_VERSION {version})" in (CINFER / "cmake" / "minnow-config-version.cmake").read_text()


def test_cmake_from_a_package(folder: Path, expected: Lines, tmp_path: Path) -> None:
    """As the wheel carries it: the header beside the folder `cmake`. (test_packaging holds the wheel's contents.)"""
    package = tmp_path / "site-packages" / "minnow" / "cinfer"
    shutil.copytree(CINFER / "cmake", package / "cmake")
    shutil.copy(CINFER / "minnow.h", package)
    assert read(cmake(package / "cmake", folder, "package")) == expected


def test_ctypes(folder: Path, expected: Lines) -> None:
    example = EXAMPLES / "act.py"
    (command,) = re.findall(r"^(cc .*)$", example.read_text(), re.MULTILINE)
    run(*command.replace("../minnow.h", str(CINFER / "minnow.h")).split(), cwd=folder)
    python = (sys.executable, "-I", example, "libminnow.so")
    assert read(run(*python, "policy.minnow", cwd=folder)) == expected
    (folder / "bad.minnow").write_bytes(b"no policy")
    refused = subprocess.run([*python, "bad.minnow"], cwd=folder, capture_output=True, text=True)
    assert refused.returncode == 1 and "not a .minnow file" in refused.stderr


def test_rust(folder: Path, expected: Lines, tmp_path: Path) -> None:
    """With the crate `cc` that Debian carries, without a network."""
    tree = tmp_path / "cinfer"
    shutil.copytree(EXAMPLES / "rust", tree / "examples" / "rust")
    shutil.copy(CINFER / "minnow.h", tree)
    source = "/usr/share/cargo/registry"
    config = ["source.crates-io.replace-with='debian'", f"source.debian.directory='{source}'"]
    options = [word for each in config for word in ("--config", each)]
    out = run("cargo", *options, "run", "--offline", "--quiet", "--release", folder / "policy.minnow",
              cwd=tree / "examples" / "rust", CARGO_HOME=str(tmp_path / "cargo"))  # fmt: skip
    assert read(out) == expected


def test_cortex_m4(folder: Path, expected: Lines) -> None:
    """The policy in flash: at most 64 KB of code, and the RAM that board.ld gives."""
    text = (EXAMPLES / "cortex-m4" / "main.c").read_text()
    build, emulate = sure(
        re.search(r"^ \* (arm-none-eabi-gcc .*? -o act.elf)\n \* (qemu.*?)$", text, re.S | re.M)
    ).groups()
    words = build.replace("\\\n *", " ").replace("-I../..", f"-I{CINFER} -I.").split()
    words = [str(EXAMPLES / "cortex-m4" / word) if word in ("main.c", "board.ld") else word for word in words]
    run(*words, *WARNINGS, cwd=folder)
    done = subprocess.run(emulate.split(), cwd=folder, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 0, done.stderr
    *lines, memory = done.stderr.decode().strip().splitlines()
    assert [(int(a), *(int(x, 16) for x in bits)) for a, *bits in map(str.split, lines)] == expected
    sizes = run("arm-none-eabi-size", "act.elf", cwd=folder).splitlines()[1].split()
    code = int(sizes[0]) - (folder / "policy.minnow").stat().st_size
    assert code <= 64 * 1024
    policy, session, stack = map(int, memory.split())
    assert stack < 4096 and policy + session + 4096 <= 32 * 1024


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def served(folder: Path) -> Iterator[str]:
    """The page with its module and policy, from a server that knows nothing but files."""
    made = folder / "page"
    made.mkdir()
    shutil.copy(EXAMPLES / "page" / "index.html", made)
    shutil.copy(folder / "policy.minnow", made)
    text = (made / "index.html").read_text()
    (command,) = re.findall(r"^emcc .*?(?=\nServe)", text, re.S | re.M)
    words = command.replace("-I../..", f"-I{CINFER}").replace("page.c", str(EXAMPLES / "page" / "page.c")).split()
    run(*words, cwd=made, NODE_PATH=compile.NODE_MODULES)
    handler = functools.partial(Quiet, directory=str(made))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_page(served: str, expected: Lines, browser: Browser) -> None:
    text = (EXAMPLES / "page" / "index.html").read_text()
    script = sure(re.search(r'<script type="module">\n(.*)</script>', text, re.S))[1]
    assert len(script.splitlines()) <= 20
    page = browser.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(served)
    page.wait_for_function(f"document.querySelector('#out').textContent.split('\\n').length > {STEPS}")
    assert read(page.inner_text("#out")) == expected
    assert complaints == [] and float(page.evaluate("document.body.dataset.milliseconds")) > 0
    page.close()
