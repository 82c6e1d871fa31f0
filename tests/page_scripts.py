"""Scripts of Node that import the page's modules; conditions on a page, and axe-core in it."""

from __future__ import annotations

import contextlib
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Error

from minnow.web import npm

if TYPE_CHECKING:
    from playwright.sync_api import Page


def node(folder: Path, script: str, *given: str | Path) -> str:
    """What a script prints; `import()` in it is relative to the folder."""
    (folder / "package.json").write_text('{"type": "module"}')  # Node 18 asks for it
    (folder / "script.js").write_text(script)
    done = subprocess.run(["node", "script.js", *map(str, given)], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def until(page: Page, condition: str, seconds: float = 20) -> None:
    """Waits until a condition on `demo` holds. (Playwright's own way of waiting is refused by the page's policy.)"""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(Error):  # the page was being loaded anew
            if page.evaluate(f"(() => {{ const demo = document.querySelector('minnow-demo'); return {condition} }})()"):
                return
        page.wait_for_timeout(50)
    pytest.fail(f"after {seconds} s still not: {condition}")


def axe(page: Page) -> list[str]:
    """What axe-core finds wrong in a page."""
    page.add_script_tag(content=(npm.package("axe-core", "4.14.1") / "axe.min.js").read_text())
    found = page.evaluate("async () => (await axe.run()).violations")
    return [f"{one['id']}: {node['html'][:120]}" for one in found for node in one["nodes"]]
