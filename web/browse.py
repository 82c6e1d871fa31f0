"""What a browser complains of in the pages of a built site."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from minnow.web import server

if TYPE_CHECKING:
    from playwright.sync_api import Browser

LATE = 300  # ms for what comes after a demo plays


def complaints(browser: Browser, site: Path, pages: Iterable[str]) -> dict[str, list[str]]:
    """Opens each page once: errors and warnings of its console, files it did not get, and what it tells a visitor went
    wrong, by the page's name."""
    found: dict[str, list[str]] = {}
    with server.hosted(server.built(site)) as address:
        for name in pages:
            heard = found[name] = []
            context = browser.new_context()
            try:
                page = context.new_page()
                page.on("console", lambda m, to=heard: to.append(m.text) if m.type in ("error", "warning") else None)
                page.on("pageerror", lambda error, to=heard: to.append(str(error)))
                page.goto(address + name, wait_until="load")
                page.evaluate("document.querySelector('minnow-demo')?.ready")
                page.wait_for_timeout(LATE)
                heard += [alert.inner_text() for alert in page.get_by_role("alert").all() if alert.is_visible()]
            finally:
                context.close()
    return {name: [" ".join(f"in the browser: {words}".split()) for words in heard] for name, heard in found.items()}
