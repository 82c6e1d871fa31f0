"""The wheel of `pip install .`: it carries C, headers, settings and page sources, and works far from the checkout."""

from __future__ import annotations

import email
import json
import os
import re
import shlex
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from sure import sure

from minnow.cinfer import errors
from minnow.cinfer.errors import DISTRIBUTION

ROOT = Path(__file__).resolve().parent.parent
FLOORS = ("minnow", "cinfer", "envs", "train", "export", "web", "bench", "cli")
# All that lies in the floors is in the wheel, but for what only tests and the checkout use.
LEFT_OUT = ("cinfer/fuzz/*", "cinfer/hostile/*", "bench/results/*", "web/tsconfig.json", "web/player/*.d.ts")
HEAVY = ("torch", "numpy", "gymnasium", "onnx", "flask", "tyro", "rich")


def run(*command: str, cwd: Path, **env: str) -> str:
    done = subprocess.run(command, cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_contents(wheel: Path, sources: Callable[..., list[Path]]) -> None:
    """The wheel holds every file of the floors that is not left out, under `minnow/`, and nothing else but its own
    records."""
    places = [path.relative_to(ROOT) for path in sources() if path.relative_to(ROOT).parts[0] in FLOORS]
    for pattern in LEFT_OUT:
        assert any(place.match(pattern) for place in places), f"{pattern} leaves nothing out"
    kept = [place for place in places if not any(place.match(pattern) for pattern in LEFT_OUT)]
    expected = {place if place.parts[0] == "minnow" else Path("minnow") / place for place in kept}
    with zipfile.ZipFile(wheel) as archive:
        names = {Path(name) for name in archive.namelist()}
    packed = {name for name in names if not name.parts[0].endswith(".dist-info")}
    assert sorted(expected - packed) == [], "missing from the wheel"
    assert sorted(packed - expected) == [], "in the wheel without need"


def test_name(wheel: Path, sources: Callable[..., list[Path]]) -> None:
    """The distribution is minnow-rl, whose extras exist; nothing tells anybody to install `minnow`, which is another
    project's."""
    with zipfile.ZipFile(wheel) as archive:
        (record,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        told = email.message_from_bytes(archive.read(record))
    assert told["Name"] == DISTRIBUTION == "minnow-rl"
    extras, strangers = (
        set(sure(told.get_all("Provides-Extra"))),
        re.compile(r"(?<![\w-])minnow\[|install [^`\n]*\bminnow(?![\w-])(?!/)"),
    )
    for path in sources(".py", ".md", ".toml", ".sh"):
        text = path.read_text()
        assert path == Path(__file__) or not strangers.search(text), f"{path} names another project's package"
        named = re.findall(r"minnow-rl\[(\w+)\]|'\.\[(\w+)\]'|missing\([^()]*, \"(\w+)\"\)", text)
        assert {name for found in named for name in found if name} <= extras, path


def test_the_command_that_installs_an_extra(installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a checkout the checkout is named, from the wheel the distribution; whichever fits is what a person reads."""
    monkeypatch.chdir(ROOT)
    assert errors.install("zoo") == "pip install -e '.[zoo]'"
    monkeypatch.chdir(tmp_path)
    assert errors.install("zoo") == f"pip install -e {shlex.quote(f'{ROOT}[zoo]')}"
    without = (
        "import sys; sys.modules['pettingzoo'] = None\n"
        "from minnow.cinfer.errors import MinnowError\n"
        "try: import minnow.envs.zoo\n"
        "except MinnowError as error: print(error)"
    )
    told = run(str(installed / "bin" / "python"), "-c", without, cwd=tmp_path)
    assert told == "PettingZoo is not installed: pip install 'minnow-rl[zoo]'\n"


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
    out = run(str(installed / "bin" / "python"), "-c", program, cwd=tmp_path)
    found = json.loads(out.splitlines()[-1])
    assert Path(found["home"]).is_relative_to(installed)
    assert found["moved"] and found["header"]
    assert {"pong", "cartpole"} <= set(found["names"])


def test_site(installed: Path, tmp_path: Path) -> None:
    """The installed package has all that a site is made of."""
    run(str(installed / "bin" / "minnow"), "site", "build", "cartpole", cwd=tmp_path)
    assert {path.name for path in (tmp_path / "site").glob("*.html")} == {
        "index.html",
        "about.html",
        "lessons.html",
        "cartpole.html",
    }


@pytest.mark.parametrize("statement", ["import minnow", "from minnow.cli.main import main; main(['--help'])"])
def test_instant(statement: str) -> None:
    """Nothing that takes long to import is imported before it is needed."""
    program = f"import sys; {statement}; print([name for name in {HEAVY!r} if name in sys.modules])"
    assert run(sys.executable, "-c", program, cwd=ROOT).splitlines()[-1] == "[]"


def test_command() -> None:
    """The command that the README speaks of stands beside this python."""
    out = run(str(Path(sys.executable).with_name("minnow")), "--help", cwd=ROOT)
    assert "minnow VERB" in out
