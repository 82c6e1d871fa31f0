"""The wheel of `pip install .`: it carries C, headers, settings and page sources, and works far from the checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FLOORS = ("minnow", "cinfer", "envs", "train", "export", "web", "cli")
CARRIED = {
    ".py",
    ".c",
    ".h",
    ".toml",
    ".js",
    ".mjs",
    ".html",
    ".css",
    ".svg",
    ".minnow",
    ".cmake",
    ".rs",
    ".ld",
    ".txt",
}
HEAVY = ("torch", "numpy", "gymnasium", "onnx", "flask", "tyro", "rich")


def run(*command: str, cwd: Path, **env: str) -> str:
    done = subprocess.run(command, cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory, sources: Callable[..., list[Path]]) -> Path:
    """A wheel built from a copy of the sources, so that nothing lying about in the checkout can help."""
    copy, out = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("wheel")
    for path in sources():
        target = copy / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index")
    run(*pip, "--wheel-dir", str(out), ".", cwd=copy)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, installed into a folder of its own."""
    target = tmp_path_factory.mktemp("installed")
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-compile")
    run(*pip, "--target", str(target), str(wheel), cwd=target)
    return target


def test_contents(wheel: Path, sources: Callable[..., list[Path]]) -> None:
    """The wheel holds every source of the floors, under `minnow/`, and nothing else but its own records."""
    expected = set()
    for path in sources(*CARRIED):
        place = path.relative_to(ROOT)
        if place.parts[0] in FLOORS:
            expected.add(place if place.parts[0] == "minnow" else Path("minnow") / place)
    with zipfile.ZipFile(wheel) as archive:
        names = {Path(name) for name in archive.namelist()}
    packed = {name for name in names if not name.parts[0].endswith(".dist-info")}
    assert sorted(expected - packed) == [], "missing from the wheel"
    assert sorted(packed - expected) == [], "in the wheel without need"


def test_use(installed: Path, tmp_path: Path) -> None:
    """The installed package, not the checkout, lists its environments, compiles and steps Pong, and has the header."""
    program = """
import json, pathlib, numpy, minnow, minnow.envs, minnow.cinfer
pong = minnow.envs.make("pong", num_envs=4, seed=1)
first, _ = pong.reset()
moved = False
for _ in range(20):
    obs, *_ = pong.step(pong.action_space.sample())
    moved = moved or bool((obs != first).any())
header = pathlib.Path(minnow.cinfer.__file__).parent / "minnow.h"
print(json.dumps({"home": minnow.__file__, "names": minnow.envs.names(), "moved": moved, "header": header.is_file()}))
"""
    out = run(sys.executable, "-c", program, cwd=tmp_path, PYTHONPATH=str(installed))
    found = json.loads(out.splitlines()[-1])
    assert Path(found["home"]).is_relative_to(installed)
    assert found["moved"] and found["header"]
    assert {"pong", "cartpole"} <= set(found["names"])


def test_site(installed: Path, tmp_path: Path) -> None:
    """The installed package has all that a site is made of."""
    run(sys.executable, "-m", "minnow.cli.main", "site", "build", cwd=tmp_path, PYTHONPATH=str(installed))
    assert list(tmp_path.rglob("index.html")) and list(tmp_path.rglob("*.wasm"))


@pytest.mark.parametrize("statement", ["import minnow", "from minnow.cli.main import main; main(['--help'])"])
def test_instant(statement: str) -> None:
    """Nothing that takes long to import is imported before it is needed."""
    program = f"import sys; {statement}; print([name for name in {HEAVY!r} if name in sys.modules])"
    assert run(sys.executable, "-c", program, cwd=ROOT).splitlines()[-1] == "[]"


def test_command() -> None:
    """The command that the README speaks of stands beside this python."""
    out = run(str(Path(sys.executable).with_name("minnow")), "--help", cwd=ROOT)
    assert "minnow VERB" in out
