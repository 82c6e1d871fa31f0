"""The house: a folder uses only those above it, and the repository holds nothing of the machine it was written on."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
Sources = Callable[..., list[Path]]
FLOORS = ("cinfer", "envs", "train", "export", "web", "bench", "cli")

# Beyond the order of the floors: what a folder must not know of.
STRANGERS = {"cinfer": {"torch"}, "envs": {"torch"}, "export": {"minnow.envs", "minnow.train"}, "web": {"torch"}}

# Written in two parts, so that this file does not find itself.
REGISTRIES = (
    ("pypi", "org"),
    ("files.pythonhosted", "org"),
    ("download.pytorch", "org"),
    ("registry.npmjs", "org"),
    ("deb.debian", "org"),
    ("unpkg", "com"),
    ("cdn.jsdelivr", "net"),
)
BINARY = {".minnow": 2_000_000, ".png": 500_000}  # the binary files that may be in the repository, and their most bytes


def imports(source: str, package: str) -> set[str]:
    """The modules that a Python source of `package` names in its imports, at any depth of its functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            base = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
            module = ".".join(filter(None, [base, node.module]))
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return found


def below(floor: str) -> set[str]:
    """What `floor` must not import: the folders after it in the order, and those that it must not know of."""
    return {f"minnow.{name}" for name in FLOORS[FLOORS.index(floor) + 1 :]} | STRANGERS.get(floor, set())


def offends(module: str, banned: set[str]) -> bool:
    return any(module == name or module.startswith(name + ".") for name in banned)


@pytest.mark.parametrize("floor", FLOORS)
def test_python_imports_point_up(floor: str, sources: Sources) -> None:
    wrong = []
    for path in sources(".py"):
        place = path.relative_to(ROOT)
        if place.parts[0] == floor:
            package = ".".join(["minnow", *place.parts[:-1]])
            modules = imports(path.read_text(), package)
            wrong += [f"{place}: {module}" for module in sorted(modules) if offends(module, below(floor))]
    assert not wrong, f"{floor}/ imports what stands below it: {wrong}"


@pytest.mark.parametrize("floor", FLOORS)
def test_c_includes_point_up(floor: str, sources: Sources) -> None:
    owners: dict[str, set[str]] = {}
    for path in sources(".c", ".h"):
        owners.setdefault(path.name, set()).add(path.relative_to(ROOT).parts[0])
    wrong = []
    for path in sources(".c", ".h"):
        if path.relative_to(ROOT).parts[0] != floor:
            continue
        for name in re.findall(r'^\s*#\s*include\s+"([^"]+)"', path.read_text(), re.MULTILINE):
            homes = owners.get(Path(name).name, set()) & set(FLOORS)
            if homes and all(FLOORS.index(home) > FLOORS.index(floor) for home in homes):
                wrong.append(f"{path.relative_to(ROOT)}: {name}")
    assert not wrong, f"{floor}/ includes what stands below it: {wrong}"


def test_the_checks_see_faults() -> None:
    """The two helpers above, on sources that offend in each way an import can be written."""
    for source in (
        "import minnow.train.ppo",
        "from minnow import train",
        "from ..train import ppo",
        "from .. import train",
        "def f():\n    from minnow.train.ppo import x",
    ):
        assert any(offends(module, below("envs")) for module in imports(source, "minnow.envs")), source
    for source in ("from minnow.cinfer.errors import x", "from . import spec", "import minnow.trainer"):
        assert not any(offends(module, below("envs")) for module in imports(source, "minnow.envs")), source


def test_nothing_of_the_machine(sources: Sources) -> None:
    folders = "|".join(["work", "root", "opt", "home/[a-z]"])
    hosts = "|".join(re.escape(f"{name}.{top}") for name, top in REGISTRIES)
    pattern = re.compile(rf"(?<![\w.$}}])/(?:{folders})(?:/|\b(?=[a-z]))|(?:{hosts})".encode())
    wrong = []
    for path in sources():
        if path.suffix not in BINARY:
            wrong += [f"{path.relative_to(ROOT)}: {found.decode()}" for found in pattern.findall(path.read_bytes())]
    assert not wrong, f"machine paths or registry hosts in the repository: {wrong}"


def test_no_binary_files(sources: Sources) -> None:
    wrong = []
    for path in sources():
        data = path.read_bytes()
        if len(data) > BINARY.get(path.suffix, 200_000) or (path.suffix not in BINARY and b"\0" in data):
            wrong.append(f"{path.relative_to(ROOT)}: {len(data)} bytes")
    assert not wrong, f"binary or oversized files in the repository: {wrong}"
