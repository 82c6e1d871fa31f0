"""What tests share: `--full`, their order, what is made once for all, and the browser."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parent.parent

if "PYTEST_XDIST_WORKER" in os.environ:  # one thread each, where tests run in a process a core
    os.environ.setdefault("OMP_NUM_THREADS", "1")

os.environ["MINNOW_BUSY"] = "1"  # tests run side by side: each trains in one process, unless it asks for more
os.environ["MINNOW_DEVICE"] = "cpu"  # bit for bit is promised there; tests/test_train_device.py asks for GPUs itself

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # of a command that a script puts into the background
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Files that take long run last, the longest at the end; all others run before them, in the order of their names.
LATE = (
    "test_packaging",
    "test_readme",
    "test_cinfer",
    "test_export",
    "test_verify",
    "test_golden",
    "test_web",
    "test_train",
)
FIRST = ("test_lint", "test_floors")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="run the long forms too")


def rank(item: pytest.Item) -> tuple[bool, int]:
    """Where a test runs: the long forms last, then by file."""
    name = item.path.stem
    if name in FIRST:
        place = FIRST.index(name) - len(FIRST)
    else:
        place = max((1 + i for i, late in enumerate(LATE) if name.startswith(late)), default=0)
    return item.get_closest_marker("full") is not None, place


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=rank)
    if not config.getoption("--full"):
        long = [item for item in items if item.get_closest_marker("full")]
        items[:] = [item for item in items if not item.get_closest_marker("full")]
        config.hook.pytest_deselected(items=long)


@pytest.fixture(scope="session")
def sources() -> Callable[..., list[Path]]:
    """`sources(".c", ".h")`: the repository's files with these suffixes, new ones included, ignored ones not."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    paths = [ROOT / name for name in sorted(names) if (ROOT / name).is_file()]
    return lambda *suffixes: [path for path in paths if not suffixes or path.name.endswith(suffixes)]


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], object]], Path]:
    """`once(name, make)`: a folder of this name that `make` has filled, once for all the processes of a run."""
    own = tmp_path_factory.getbasetemp()
    shelf = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own

    def made(name: str, make: Callable[[Path], object]) -> Path:
        folder, done = shelf / name, shelf / f".{name}.done"
        with (shelf / f".{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                make(folder)
                done.touch()
        return folder

    return made


@pytest.fixture(scope="session")
def screen() -> Iterator[str]:
    """The name of a display that nobody sees."""
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x900x24", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL)
    os.close(write)
    number = os.read(read, 16).decode().strip()
    assert number, "Xvfb did not start"
    yield f":{number}"
    server.terminate()
    server.wait()


@pytest.fixture(scope="session")
def wheel(once: Callable[..., Path], sources: Callable[..., list[Path]]) -> Path:
    """A wheel built from a copy of the sources, so that nothing lying about in the checkout can help."""

    def make(folder: Path) -> None:
        for path in sources():
            target = folder / "copy" / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
        subprocess.run([*command, "--wheel-dir", folder, "."], cwd=folder / "copy", check=True)

    (built,) = once("wheel", make).glob("*.whl")
    return built


@pytest.fixture(scope="session")
def installed(wheel: Path, once: Callable[..., Path]) -> Path:
    """An environment of Python (its folder) in which the wheel is installed, and whose other packages are ours."""

    def make(home: Path) -> None:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True)
        (site,) = home.glob("lib/python*/site-packages")
        theirs = [path for path in sys.path if path.endswith("-packages")]  # a .pth's line that installs us is not run
        (site / "others.pth").write_text("\n".join(theirs) + "\n")
        command = [sys.executable, "-m", "pip", "--python", home / "bin" / "python", "install", "--quiet", "--no-deps"]
        subprocess.run([*command, "--no-index", "--no-compile", "--ignore-installed", wheel], check=True)

    return once("installed", make)


@pytest.fixture(scope="session")
def pong_run(once: Callable[..., Path]) -> Path:
    """The run folder of `minnow train pong`, trained to its schedule's end, exported and verified."""

    def make(folder: Path) -> None:
        command = [sys.executable, "-m", "minnow.cli.main", "train", "pong", "--budget", "20"]
        command += ["--out", str(folder / "run")]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, f"{' '.join(command)} failed:\n{done.stdout}\n{done.stderr}"

    return once("pong", make) / "run"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, once a session: a second Playwright beside it is refused."""
    from playwright.sync_api import sync_playwright

    quiet = ("background-networking", "component-update")
    args = ["--no-sandbox", "--headless", "--disable-sync", "--no-first-run", *(f"--disable-{name}" for name in quiet)]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=args)
        yield browser
        browser.close()
