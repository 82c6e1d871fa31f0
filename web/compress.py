"""Compressed forms beside a site's files, for hosts that send those: `.gz`, and `.br` where Node is at hand."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
from pathlib import Path

from minnow.cinfer.errors import MinnowError

KINDS = (".html", ".js", ".css", ".json", ".svg", ".wasm", ".minnow", ".txt", ".xml")
FORMS = {".br": "br", ".gz": "gzip"}  # suffix: what HTTP calls it; the smaller form first
SMALLEST = 512  # bytes; less fits a packet either way
WORTH = 0.95  # of a file's size: a form that is not smaller than this is left out
SCRIPT = Path(__file__).resolve().parent / "brotli.mjs"


def compressed(path: Path) -> int:
    """Bytes of a file as a server sends it, gzip."""
    return len(_gzip(path.read_bytes()))


def _gzip(data: bytes) -> bytes:
    return gzip.compress(data, 9, mtime=0)


def beside(folder: Path, former: Path) -> None:
    """Writes the forms of all files below `folder`. Those of a file whose name holds its hash are taken from `former`,
    an older build, where they are there."""
    files = [path for path in sorted(folder.rglob("*")) if path.suffix in KINDS and path.stat().st_size >= SMALLEST]
    waiting = []
    for path in files:
        old = former / path.relative_to(folder)
        if path.parent.name == "assets" and old.is_file():
            for suffix in FORMS:
                if (form := old.with_name(old.name + suffix)).is_file():
                    shutil.copyfile(form, path.with_name(path.name + suffix))
        else:
            waiting.append(path)
            path.with_name(path.name + ".gz").write_bytes(_gzip(path.read_bytes()))
    _brotli(waiting)
    for path in waiting:
        for suffix in FORMS:
            form = path.with_name(path.name + suffix)
            if form.is_file() and form.stat().st_size > WORTH * path.stat().st_size:
                form.unlink()


def _brotli(files: list[Path]) -> None:
    node = shutil.which("node")
    if node is None or not files:
        return
    paths = json.dumps([str(path) for path in files])
    done = subprocess.run([node, SCRIPT], input=paths, capture_output=True, text=True)
    if done.returncode:
        raise MinnowError(f"{node} could not compress the site's files: {done.stderr.strip()}")
