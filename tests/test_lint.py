"""Every source is formatted and passes its linter."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typecheck

ROOT = Path(__file__).resolve().parent.parent
Sources = Callable[..., list[Path]]


def lint(tool: str, *args: str) -> None:
    """Runs a linter of the virtual environment or of the system; any finding is a failure."""
    beside = Path(sys.executable).with_name(tool)
    program = str(beside) if beside.exists() else shutil.which(tool)
    assert program, f"{tool} is not installed: run ./build.sh setup --test"
    done = subprocess.run([program, *args], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, f"{tool} {args[0]}\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize("args", [("format", "--check", "--diff"), ("check",)], ids=["format", "check"])
def test_python(args: tuple[str, ...], sources: Sources) -> None:
    lint("ruff", *args, *map(str, sources(".py")))


def test_types() -> None:
    """Some 70 s of processor time."""
    status, said = typecheck.check()
    assert status == 0, said


def test_c(sources: Sources) -> None:
    files = [path for path in sources(".c", ".h") if not path.is_symlink()]  # each once
    lint("clang-format", "--dry-run", "-Werror", *map(str, files))


def test_web() -> None:
    lint("tsc", "--project", "web/tsconfig.json")


def test_shell() -> None:
    lint("shellcheck", "build.sh", ".ci/run")
