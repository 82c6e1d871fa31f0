"""<minnow-demo> in somebody else's page, as docs/web.md shows it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from page_scripts import axe, until
from playwright.sync_api import Browser, Page, expect
from werkzeug.serving import make_server

from minnow.web import server, site
from minnow.web.shipped import POLICIES

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = (ROOT / "docs" / "web.md").read_text()
ELSEWHERE = "https://demos.example/minnow/"  # where the document's page takes the player from
POST = re.findall(r"^```html\n(<!doctype html>.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)[0]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site") / "site"
    site.build(out, [site.Demo(env, POLICIES / f"{env}.minnow") for env in ("cartpole", "pong")])
    return out


@dataclass
class Web:
    """Two servers of other origins: `demos` has a site, `blog` has one page, /."""

    demos: str = ""
    blog: str = ""
    page: str = ""
    open: bool = True  # whether the site may be used from elsewhere
    asked: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def servers(built: Path) -> Iterator[Web]:
    web = Web()
    plain = server.built(built)

    def demos(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        web.asked.append(environ["PATH_INFO"])

        def begin(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            return start(status, [*headers, *([("Access-Control-Allow-Origin", "*")] if web.open else [])], *rest)

        return plain(environ, begin)

    def blog(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        found = environ["PATH_INFO"] == "/"
        start("200 OK" if found else "404 NOT FOUND", [("Content-Type", "text/html; charset=utf-8")])
        return [web.page.encode()] if found else [b""]

    running = [make_server("127.0.0.1", 0, app, threaded=True) for app in (demos, blog)]
    web.demos, web.blog = (f"http://127.0.0.1:{one.server_port}/" for one in running)
    for one in running:
        threading.Thread(target=one.serve_forever, daemon=True).start()
    yield web
    for one in running:
        one.shutdown()
        one.server_close()


@pytest.fixture
def visit(browser: Browser, servers: Web) -> Iterator[Callable[..., Page]]:
    """Opens a page of the blog with this text in it."""
    contexts = []
    servers.open = True
    servers.asked.clear()

    def make(text: str, script: str = f"{ELSEWHERE}minnow.js", **options: Any) -> Page:
        if "<!doctype" not in text:
            text = f'<!doctype html><title>A post</title><script type="module" src="{script}"></script>{text}'
        servers.page = text.replace(ELSEWHERE, servers.demos)
        options.setdefault("viewport", {"width": 900, "height": 700})
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.set_default_timeout(20_000)
        page.goto(servers.blog)
        return page

    yield make
    for context in contexts:
        context.close()


def test_the_post(visit: Callable[..., Page]) -> None:
    """The document's own: from another origin, with what it says that the page does."""
    page = visit(POST)
    until(page, "demo.game?.ticks > 10")
    assert page.evaluate("document.querySelector('minnow-demo').game.hasPolicy")
    page.evaluate(
        "() => { const { store } = document.querySelector('minnow-demo'); while (!store.game.episodes) store.tick(); }"
    )
    expect(page.locator("output")).to_have_text(re.compile(r"^Game 1: -?\d+"))
    assert (
        page.evaluate("getComputedStyle(document.querySelector('minnow-demo').canvas.parentElement).borderRadius")
        == "0px"
    )


@pytest.mark.full
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_the_post(visit: Callable[..., Page], scheme: str) -> None:
    page = visit(POST, color_scheme=scheme)
    page.wait_for_function("[...document.querySelectorAll('minnow-demo')].every((demo) => demo.game?.ticks > 5)")
    assert axe(page) == []


def test_attributes_are_obeyed_while_it_plays(visit: Callable[..., Page], servers: Web) -> None:
    page = visit('<minnow-demo env="pong" seed="7"></minnow-demo>')
    until(page, "demo.game?.ticks > 5")
    put = "([name, value]) => document.querySelector('minnow-demo').setAttribute(name, value)"
    assert page.evaluate("document.querySelector('minnow-demo').store.seed") == 7
    assert not page.get_by_role("toolbar").count()
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    page.evaluate(put, ["seed", "9"])
    until(page, "demo.store.seed === 9 && demo.game.ticks === 0")
    page.evaluate(put, ["policy", "script"])
    until(page, "!demo.game.hasPolicy")
    page.evaluate(put, ["panels", "toolbar thoughts"])
    page.evaluate(put, ["controls", ""])
    expect(page.get_by_role("toolbar")).to_be_visible()
    assert (
        page.evaluate("document.querySelector('minnow-demo').shadowRoot.querySelectorAll('[part~=panel]').length") == 2
    )
    stage = next((POLICIES / "pong.stages").glob("*.minnow"))
    page.route("**/mine.minnow", lambda route: route.fulfill(body=stage.read_bytes()))
    page.evaluate(put, ["policy", "mine.minnow"])
    until(page, "demo.store.policy.name === 'mine.minnow' && demo.game.hasPolicy")
    replay = page.evaluate(
        """() => {
          const demo = document.querySelector("minnow-demo");
          for (let i = 0; i < 50; i += 1) demo.store.tick();
          const letters = btoa(String.fromCharCode(...demo.replay()));
          return letters.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
        }"""
    )
    page.evaluate("document.querySelector('minnow-demo').reset(1)")
    page.evaluate(put, ["replay", f"#replay={replay}"])
    until(page, "demo.store.seed === 9 && demo.journal.last === 50")
    for name, value, words in (("panels", "toolbars", "there is no panel"), ("seed", "-1", "must be a whole number")):
        page.evaluate(put, [name, value])
        expect(page.get_by_role("alert")).to_contain_text(words)
        page.get_by_role("button", name="Go on").click()
    page.evaluate(put, ["env", "cartpole"])
    for name in ("policy", "panels", "seed", "replay"):
        page.evaluate("(name) => document.querySelector('minnow-demo').removeAttribute(name)", name)
    until(page, "demo.spec?.name === 'cartpole' && demo.game?.hasPolicy")


def test_several_and_lazy(visit: Callable[..., Page], servers: Web) -> None:
    """One far below is not loaded until it comes near, and one that left the window rests."""
    far = '<div style="height: 4000px"></div>'
    page = visit(f'<minnow-demo env="pong"></minnow-demo>{far}<minnow-demo env="cartpole" controls></minnow-demo>')
    until(page, "demo.game?.ticks > 5")
    assert not [path for path in servers.asked if "cartpole" in path]
    page.locator("minnow-demo").last.scroll_into_view_if_needed()
    page.wait_for_function("document.querySelectorAll('minnow-demo')[1].game?.ticks > 5")
    ticks = page.evaluate("document.querySelector('minnow-demo').game.ticks")
    page.wait_for_timeout(300)
    assert page.evaluate("document.querySelector('minnow-demo').game.ticks") == ticks
    # Keys are the page's own until the demo is touched.
    driver = "document.querySelectorAll('minnow-demo')[1].person"
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(driver) == -1
    page.locator("minnow-demo").last.locator(".foot").click(position={"x": 3, "y": 3})
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(driver) == 0
    # A worker of another origin.
    page.get_by_text("How robust it is").click()
    expect(page.get_by_text(re.compile("[1-9][0-9]* of [0-9]+ hidden episodes"))).to_be_visible(timeout=20_000)


def test_events(visit: Callable[..., Page]) -> None:
    page = visit('<minnow-demo env="cartpole" policy="script" seed="3"></minnow-demo>')
    page.evaluate(
        """() => {
          window.heard = [];
          for (const name of ["score", "episode"])
            document.addEventListener(`minnow-${name}`, (event) => heard.push([name, event.detail]));
        }"""
    )
    until(page, "demo.game?.ticks > 1")
    page.evaluate("document.querySelector('minnow-demo').store.setSpeed(64)")
    page.wait_for_function("heard.filter(([name]) => name === 'episode').length >= 2")
    heard = page.evaluate("heard")
    ends = [detail for name, detail in heard if name == "episode"]
    assert [end["episode"] for end in ends] == list(range(1, len(ends) + 1))
    assert all(end["env"] == "cartpole" and end["driver"] == "script" and end["score"] > 0 for end in ends)
    assert len([1 for name, _ in heard if name == "score"]) > 2


def test_without_permission_it_says_so(visit: Callable[..., Page], servers: Web) -> None:
    """The script is the page's own, the rest is another's, who does not let it."""
    inside = f'<minnow-demo env="pong" manifest="{ELSEWHERE}manifest.json"></minnow-demo>'
    page = visit(inside)
    until(page, "demo.game")
    servers.open = False
    page.evaluate("document.querySelector('minnow-demo').setAttribute('env', 'cartpole')")
    expect(page.get_by_role("alert")).to_contain_text("Access-Control-Allow-Origin")
    expect(page.get_by_role("alert")).to_contain_text("folder must be copied")
    page.reload()  # now the script is refused as well, and what stands in the element is seen
    servers.page = (
        f'<script type="module" src="{servers.demos}minnow.js"></script><minnow-demo>It did not load.</minnow-demo>'
    )
    page.reload()
    expect(page.get_by_text("It did not load.")).to_be_visible()


def test_the_package_of_npm(browser: Browser, built: Path, tmp_path: Path) -> None:
    """Packed, installed, bundled with the document's module, and played beside a copy of the site."""
    run = {"cwd": tmp_path, "check": True, "capture_output": True}
    subprocess.run(["npm", "pack", "--silent", "--pack-destination", tmp_path, site.HERE / "player"], **run)
    (packed,) = tmp_path.glob("*.tgz")
    subprocess.run(["npm", "install", "--offline", "--no-audit", "--no-fund", packed], **run)
    package = json.loads((tmp_path / "node_modules" / "minnow-player" / "package.json").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert package["version"] == project["version"] and "dependencies" not in package
    assert (packed.parent / "node_modules" / "minnow-player" / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()
    assert not (site.HERE / "player" / "LICENSE").exists()
    (script,) = re.findall(r"^```js\n(import \"minnow-player\".*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
    (tmp_path / "main.js").write_text(script)
    shutil.copytree(built, tmp_path / "copy")
    shutil.copytree(built, tmp_path / "copy" / "minnow")
    command = ["esbuild", "main.js", "--bundle", "--format=esm", "--outfile=copy/assets/main.js"]
    subprocess.run(command, **run)
    (tmp_path / "copy" / "page.html").write_text(
        '<!doctype html><body><script type="module" src="assets/main.js"></script>'
    )
    serving = make_server("127.0.0.1", 0, server.built(tmp_path / "copy"), threaded=True)
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    page = browser.new_page()
    page.goto(f"http://127.0.0.1:{serving.server_port}/page.html")
    until(page, "demo?.game?.ticks > 5 && demo.game.hasPolicy")
    page.close()
    serving.shutdown()
    serving.server_close()
