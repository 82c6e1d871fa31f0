"""Checks types over the whole tree; what `./build.sh types` runs. Its settings are in pyproject.toml.

The folders are packages of minnow by setuptools' table, which no checker reads: the sources are linked into
build/types/ as the packages that they become.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LINKS = ROOT / "build" / "types"


def link() -> None:
    """Links every source of every package to where `minnow` has it."""
    shutil.rmtree(LINKS, ignore_errors=True)
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["package-dir"]
    for name, folder in packages.items():
        for source in (ROOT / folder).rglob("*.py"):
            target = LINKS.joinpath(*name.split(".")) / source.relative_to(ROOT / folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(source)


def check() -> tuple[int, str]:
    """The checker's exit status, and what it says, with the sources' own paths."""
    link()
    command = [sys.executable, "-m", "basedpyright", "--pythonpath", sys.executable]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return done.returncode, (done.stdout + done.stderr).replace(f"{LINKS / 'minnow'}/", "").replace(f"{ROOT}/", "")


if __name__ == "__main__":
    status, said = check()
    print(said)
    sys.exit(status)
