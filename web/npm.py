"""Packages from npm, which some pages and benchmarks are made with: fetched once, into the cache."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

from minnow.cinfer import compile
from minnow.cinfer.errors import MinnowError


def package(name: str, version: str, integrity: str | None = None) -> Path:
    """The folder of a package, `node_modules/NAME`, fetched by npm if it is not in the cache.

    integrity: what npm must say of it, "sha512-..."; None: whatever it says. Raises MinnowError where npm is missing,
    cannot fetch it, or brings something else."""
    wanted = f"{name}@{version}"
    home = compile.cache() / wanted.replace("@", "-")
    found = home / "node_modules" / name
    if found.is_dir():
        return found
    npm = shutil.which("npm")
    if not npm:
        raise MinnowError(f"npm was not found, and {wanted} is not in {home}: apt-get install npm (as root).")
    making = home.with_name(f".{home.name}-{os.getpid()}")
    making.mkdir(parents=True, exist_ok=True)
    (making / "package.json").write_text("{}")
    quiet = ("--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=0")
    try:
        command = [npm, "install", *quiet, "--prefix", str(making), wanted]
        done = subprocess.run(command, cwd=making, capture_output=True, text=True)
        if done.returncode:
            raise MinnowError(f"npm could not fetch {wanted} (is there a network?): {done.stderr.strip()[-300:]}")
        lock = json.loads((making / "package-lock.json").read_text("utf-8"))["packages"][f"node_modules/{name}"]
        if integrity and lock.get("integrity") != integrity:
            raise MinnowError(f"npm brought a {wanted} that is {lock.get('integrity')}, and it should be {integrity}.")
        if not found.is_dir():
            making.replace(home)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return found
