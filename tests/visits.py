"""Visits of a site with the trained Pong, in Chromium: fixtures, which a test file takes by name, and what it does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page
from werkzeug.serving import make_server

from minnow.web import server, site

SEED = 77


@pytest.fixture(scope="session")
def policy(pong_run: Path) -> bytes:
    return (pong_run / "policy.minnow").read_bytes()


@pytest.fixture(scope="session")
def built(pong_run: Path, once: Callable[..., Path]) -> Path:
    """A site with the trained Pong; other environments play their script."""

    def make(folder: Path) -> None:
        nothing = folder / "runs"
        shown = ("cartpole", "pong", "snake")
        site.build(folder / "site", site.demos({"pong": pong_run / "policy.minnow"}, nothing, shown, shipped=nothing))

    return once("visits", make) / "site"


@dataclass
class Host:
    """A server of one site, below /sub/folder/ as well as at the root, that can be shut like a cut cable."""

    plain: Callable[..., Any]
    address: str = ""
    asked: list[str] = field(default_factory=list)

    def __enter__(self) -> Host:

        def app(environ: dict[str, Any], start: Callable[..., Any]) -> Any:
            self.asked.append(environ["PATH_INFO"])
            environ["PATH_INFO"] = environ["PATH_INFO"].removeprefix("/sub/folder")
            return self.plain(environ, start)

        self.server = make_server("127.0.0.1", 0, app, threaded=True)
        self.address = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(scope="session")
def host(built: Path) -> Iterator[Host]:
    with Host(server.built(built)) as host:
        yield host


@dataclass
class Visit:
    """A page that is watched: whatever it asks for elsewhere, and whatever its console complains of."""

    page: Page
    elsewhere: list[str]
    complaints: list[str]

    def open(self, address: str) -> Page:
        self.page.goto(address)
        self.page.evaluate("document.querySelector('minnow-demo').ready")
        return self.page


@pytest.fixture
def visit(browser: Browser, host: Host) -> Iterator[Callable[..., Visit]]:
    contexts: list[BrowserContext] = []
    visits: list[Visit] = []

    def make(*, strict: bool = True, **options: Any) -> Visit:
        context = browser.new_context(
            **(
                {"viewport": {"width": 1200, "height": 850}, "service_workers": "allow" if strict else "block"}
                | options
            )
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        watched = Visit(page, [], [])
        context.on("request", lambda r: None if r.url.startswith(host.address) else watched.elsewhere.append(r.url))
        page.on("console", lambda m: watched.complaints.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: watched.complaints.append(str(error)))
        if strict:
            visits.append(watched)
        return watched

    yield make
    for context in contexts:
        context.close()
    for watched in visits:
        assert watched.elsewhere == []
        assert watched.complaints == []


def demo(page: Page, script: str, *args: Any) -> Any:
    """Runs a script with `demo`, the page's element, and `game`, its game."""
    body = f"(...args) => {{ const demo = document.querySelector('minnow-demo'), game = demo.game; {script} }}"
    return page.evaluate(f"(args) => ({body})(...args)", list(args))


def paused(page: Page, seed: int = SEED) -> None:
    demo(page, "demo.pause(); demo.reset(args[0])", seed)
