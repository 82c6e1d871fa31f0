"""Documents: their links lead somewhere, their commands name what there is."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from minnow import bench
from minnow.cli.main import VERBS
from minnow.export import importers

ROOT = Path(__file__).resolve().parent.parent
DOCS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "cli" / "template" / "README.md"])


@pytest.mark.parametrize("doc", DOCS, ids=lambda doc: doc.relative_to(ROOT).as_posix())
def test_links(doc: Path) -> None:
    """Files exist, and so do the headings that a link points to."""
    for link in re.findall(r"\]\(([^)\s]+)\)", doc.read_text()):
        name, _, heading = link.partition("#")
        if "://" in name:
            continue
        target = (doc.parent / name).resolve() if name else doc
        assert target.exists(), link
        if heading:
            titles = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
            assert heading in [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles], link


@pytest.mark.parametrize("doc", DOCS, ids=lambda doc: doc.relative_to(ROOT).as_posix())
def test_verbs(doc: Path) -> None:
    """Every `minnow VERB` in a block of commands or between backticks is a verb."""
    text = doc.read_text()
    found = re.findall(r"`minnow ([a-z]+)", text)
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
        found += re.findall(r"^minnow ([a-z]+)", block, re.MULTILINE)
    assert set(found) <= set(VERBS), doc


def test_registers() -> None:
    """What lies beside others of its kind is in their register, and what is in a register is there."""

    def holders(folder: str, *names: str) -> set[str]:
        """The files of a folder that define all these names."""
        files = {path.stem: path.read_text() for path in (ROOT / folder).glob("[a-z]*.py")}
        files |= {path.parent.name: path.read_text() for path in (ROOT / folder).glob("*/__init__.py")}
        wanted = [rf"^(?:def|class) {name}\b|^{name}\b.* = " for name in names]
        return {stem for stem, text in files.items() if all(re.search(word, text, re.MULTILINE) for word in wanted)}

    assert holders("cli", "SUMMARY", "main") == set(VERBS)
    assert holders("bench", "Options", "measure") == set(bench.KINDS)
    assert holders("export/importers", "load") == {row.module for row in importers.LIBRARIES.values()}


def test_contributing(sources: Callable[..., list[Path]]) -> None:
    """The files that CONTRIBUTING.md names exist, and its pytest commands find tests."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    known = {path.relative_to(ROOT).as_posix() for path in sources()}
    for name in re.findall(r"`((?:tests|cinfer|envs|export|train|bench|cli|web)/[^`\s]*)`", text):
        parts = name.replace("VERB", "check").replace("NAME", "solve")
        assert any(re.fullmatch(re.escape(parts).replace(r"\*", "[^/]*") + ".*", path) for path in known), name
    lines = [shlex.split(line) for line in re.findall(r"^python -m pytest .*$", text, re.MULTILINE)]
    assert len(lines) == 4
    for words in lines:
        assert all(word in known for word in words if word.startswith("tests/")), words
    (chosen,) = [words for words in lines if "-k" in words]
    command = [sys.executable, *chosen[1:], "--collect-only", "-p", "no:cacheprovider"]
    assert "test_" in subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
