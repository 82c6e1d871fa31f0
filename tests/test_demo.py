"""`./build.sh demo` in a checkout whose `minnow` is a stand-in: what it does with policies below Pong's bar."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
MINNOW = """#!/usr/bin/env bash
printf '%s\\n' "$*" >>calls
if [[ $1 == train ]]; then
    mkdir -p runs/pong/demo
    echo "score beside the bar" >&2
    cat outcome
    exit "$(cat status)"
fi
"""


def demo(folder: Path, outcome: str, status: int) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """The demo where training prints this and ends with this status; and what it called `minnow` with."""
    for name in ("build.sh", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    program = folder / ".venv/bin/minnow"
    program.parent.mkdir(parents=True)
    program.write_text(MINNOW)
    program.chmod(0o755)
    (folder / "outcome").write_text(outcome)
    (folder / "status").write_text(str(status))
    key = 'TORCH=$(sed -n "s/^TORCH=//p" build.sh); echo "$PWD $(cksum pyproject.toml) $TORCH" >.venv/minnow-run'
    subprocess.run(["bash", "-c", key], cwd=folder, check=True)
    done = subprocess.run(["./build.sh", "demo", "--no-serve"], cwd=folder, capture_output=True, text=True)
    return done, (folder / "calls").read_text().splitlines()


def test_shows_what_has_reached_the_bar(tmp_path: Path) -> None:
    done, calls = demo(tmp_path, json.dumps({"reached": True}), 0)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "score beside the bar" in done.stderr
    assert [call.split()[0] for call in calls] == ["train", "verify", "site"]
    assert "--until-bar" in calls[0] and "--seed" not in calls[0]  # it draws its own
    assert calls[-1] == "site build --policy pong=runs/pong/demo/policy.minnow"


def test_keeps_the_shipped_policy(tmp_path: Path) -> None:
    done, calls = demo(tmp_path, json.dumps({"reached": False}), 1)
    assert done.returncode == 1
    assert [call.split()[0] for call in calls] == ["train", "site"] and calls[-1] == "site build"
    assert "has the Pong that came with this checkout" in done.stderr


def test_a_training_that_fails_is_no_policy_below_the_bar(tmp_path: Path) -> None:
    done, calls = demo(tmp_path, "", 1)
    assert done.returncode == 1 and "training failed (exit status 1)" in done.stderr
    assert [call.split()[0] for call in calls] == ["train"]
