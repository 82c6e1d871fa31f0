"""`./build.sh demo` in a checkout whose `minnow` is a stand-in: what it does with policies below Pong's bar."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MINNOW = """#!/usr/bin/env bash
printf '%s\\n' "$*" >>calls
if [[ $1 == train ]]; then
    mkdir -p runs/pong/demo
    n=$(grep -c ^train calls)
    echo "score beside the bar" >&2
    sed -n "${n}p" outcomes
fi
"""


def demo(folder: Path, reached: list[bool]) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """The demo where the first training, the second, ... reach the bar or not; and what it called `minnow` with."""
    for name in ("build.sh", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    program = folder / ".venv/bin/minnow"
    program.parent.mkdir(parents=True)
    program.write_text(MINNOW)
    program.chmod(0o755)
    (folder / "outcomes").write_text("".join(json.dumps({"reached": each}) + "\n" for each in reached))
    key = 'TORCH=$(sed -n "s/^TORCH=//p" build.sh); echo "$PWD $(cksum pyproject.toml) $TORCH" >.venv/minnow-run'
    subprocess.run(["bash", "-c", key], cwd=folder, check=True)
    done = subprocess.run(["./build.sh", "demo", "--no-serve"], cwd=folder, capture_output=True, text=True)
    return done, (folder / "calls").read_text().splitlines()


@pytest.mark.parametrize("reached", [[True], [False, True], [False, False, True]], ids=str)
def test_trains_again_until_the_bar_is_reached(reached: list[bool], tmp_path: Path) -> None:
    done, calls = demo(tmp_path, reached)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "score beside the bar" in done.stderr
    assert [call.split()[0] for call in calls] == ["train"] * len(reached) + ["verify", "site"]
    assert all("--seed" not in call for call in calls)  # each draws its own
    assert calls[-1] == "site build --policy pong=runs/pong/demo/policy.minnow"


def test_keeps_the_shipped_policy(tmp_path: Path) -> None:
    done, calls = demo(tmp_path, [False, False, False])
    assert done.returncode == 1
    assert [call.split()[0] for call in calls] == ["train"] * 3 + ["site"] and calls[-1] == "site build"
    assert "has the Pong that came with this checkout" in done.stderr
