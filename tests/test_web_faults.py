"""What a page does where something is missing or slow, on other screens, in the background, and by keyboard alone."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from page_scripts import node, until
from playwright.sync_api import Browser, Page, expect

from minnow.web import browse, server, site

PLAYER = site.HERE / "player"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site of Pong, with its policy."""
    out = tmp_path_factory.mktemp("faults") / "site"
    site.build(out, site.demos({}, out.parent / "nothing", ["pong"]))
    return out


@pytest.fixture(scope="module")
def host(built: Path) -> Iterator[str]:
    with server.hosted(server.built(built)) as address:
        yield address


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1200, "height": 850}, service_workers="block")
    page = context.new_page()
    page.set_default_timeout(20_000)
    yield page
    context.close()


def ticks(page: Page) -> int:
    return page.evaluate("document.querySelector('minnow-demo').game?.ticks ?? -1")


def plays(page: Page) -> None:
    page.evaluate("document.querySelector('minnow-demo').ready")
    until(page, f"demo.game.ticks > {max(ticks(page), 0) + 5}")


def test_without_webassembly_it_says_so(page: Page, host: str) -> None:
    page.add_init_script("delete globalThis.WebAssembly")
    page.goto(f"{host}pong.html")
    expect(page.get_by_role("alert")).to_contain_text("could not compile the game")
    expect(page.get_by_role("alert")).to_contain_text("browsers have since 2023")


def test_without_simd_it_says_so(browser: Browser, host: str) -> None:
    """A browser that takes its processor for one without such instructions."""
    old = browser.browser_type.launch(
        executable_path="/usr/bin/chromium", args=["--no-sandbox", "--headless", "--js-flags=--no-enable-sse4-1"]
    )
    try:
        page = old.new_page()
        page.goto(f"{host}pong.html")
        expect(page.get_by_role("alert")).to_contain_text("WebAssembly with SIMD", timeout=20_000)
    finally:
        old.close()


def test_a_slow_network_shows_words_and_how_far_it_is(page: Page, host: str) -> None:
    held = threading.Event()
    page.route("**/*.minnow", lambda route: setattr(held, "route", route))
    page.goto(f"{host}pong.html", wait_until="commit")
    expect(page.get_by_role("heading", name="Pong")).to_be_visible()
    expect(page.get_by_text("Loading pong")).to_be_visible()
    expect(page.get_by_role("progressbar", name="Loading")).to_be_visible()
    held.route.continue_()  # type: ignore[attr-defined]
    plays(page)
    expect(page.get_by_text("Loading pong")).to_be_hidden()


# Chromium without a window shows all pages; so frames are held back here, as browsers do for a page that is hidden.
HIDE = """
const plain = requestAnimationFrame, held = [];
globalThis.requestAnimationFrame = (call) => (document.hidden ? held.push(call) : plain(call));
globalThis.hide = (hidden) => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  Object.defineProperty(document, "visibilityState", { value: hidden ? "hidden" : "visible", configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
  if (!hidden) for (const call of held.splice(0)) plain(call);
};
"""


def test_a_hidden_page_rests_and_goes_on_where_it_was(page: Page, host: str) -> None:
    page.add_init_script(HIDE)
    page.goto(f"{host}pong.html")
    plays(page)
    before = page.evaluate("globalThis.hide(true), document.querySelector('minnow-demo').game.ticks")
    page.wait_for_timeout(1500)  # 90 ticks of play
    meanwhile, after = page.evaluate(
        """async () => {
            const { game } = document.querySelector("minnow-demo");
            const meanwhile = game.ticks;
            globalThis.hide(false);
            for (let i = 0; i < 3; i += 1) await new Promise(requestAnimationFrame);
            return [meanwhile, game.ticks];
        }"""
    )
    assert meanwhile - before <= 7 and 0 < after - meanwhile <= 30  # a frame may have been under way
    plays(page)


CLOCK = """
import { Clock } from "./player/clock.js";
let now = 0, next = null;
globalThis.requestAnimationFrame = (call) => ((next = call), 1);
globalThis.cancelAnimationFrame = () => (next = null);
Object.defineProperty(globalThis, "performance", { value: { now: () => now } });
globalThis.navigator ??= {};
const played = (rate, speed, hertz, seconds) => {
  now = 0;
  let ticks = 0;
  const clock = new Clock(rate);
  Object.assign(clock, { running: true, speed });
  clock.start(() => (ticks += 1), () => {}, () => {});
  for (let frame = 1; frame <= hertz * seconds; frame += 1) {
    now = (1000 * frame) / hertz;
    next(now);
  }
  clock.stop();
  return ticks;
};
const found = [];
for (const hertz of [30, 60, 144, 240]) {
  for (const speed of [0.5, 1, 4]) found.push([60 * speed * 20, played(60, speed, hertz, 20)]);
}
console.log(JSON.stringify(found));
"""


def test_screens_of_any_rate_show_the_same_game(tmp_path: Path) -> None:
    """20 seconds at 30, 60, 144 and 240 Hz, at three speeds."""
    shutil.copytree(PLAYER, tmp_path / "player")
    for wanted, got in json.loads(node(tmp_path, CLOCK)):
        assert abs(wanted - got) <= 1


# What the keyboard should reach: controls that are seen.
CONTROLS = """() => {
  const found = [];
  const within = (root) => {
    for (const each of root.querySelectorAll("*")) {
      if (each.shadowRoot) within(each.shadowRoot);
      const control = each.matches("a[href], button, input, select, textarea, summary") && !each.disabled;
      if (control && each.checkVisibility()) found.push(each);
    }
  };
  within(document);
  globalThis.waiting = new Set(found);
  return found.length;
}"""
FOCUSED = """() => {
  let at = document.activeElement;
  while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
  globalThis.waiting.delete(at);
  const closed = at?.tagName === "SUMMARY" && !at.parentElement.open && Boolean(at.getRootNode().host);
  const seen = at === document.body || at?.matches(":focus-visible");
  return { tag: at?.tagName ?? "", left: globalThis.waiting.size, closed, seen };
}"""
LEFT = "() => [...globalThis.waiting].map((each) => each.outerHTML.slice(0, 120))"


def test_all_by_keyboard(page: Page, host: str) -> None:
    """With Tab, Enter and the arrows: each card opens, each control that is then seen is reached, and does its work;
    the game takes none of these keys from them."""
    page.goto(f"{host}pong.html")
    page.evaluate("document.querySelector('minnow-demo').ready")

    def walk(most: int) -> int:
        """Tab until nothing waits or the page is left; Enter opens each card on the way."""
        opened, inside = 0, False
        for _ in range(most):
            page.keyboard.press("Tab")
            at = page.evaluate(FOCUSED)
            assert at["seen"], at
            if at["closed"]:
                page.keyboard.press("Enter")
                opened += 1
            if (inside and at["tag"] == "BODY") or not at["left"]:
                break
            inside |= at["tag"] != "BODY"
        return opened

    count = page.evaluate(CONTROLS)
    assert count > 20
    assert walk(150) >= 8
    assert page.evaluate(LEFT) == []
    until(page, "!/Loading …/.test(demo.shadowRoot.textContent)")  # what the cards load is there
    more = page.evaluate(CONTROLS)
    assert more > count + 10
    page.evaluate("document.activeElement.blur()")
    walk(2 * more)
    assert page.evaluate(LEFT) == []

    speed = page.get_by_label("Speed", exact=True)
    speed.focus()
    page.keyboard.press("ArrowDown")
    expect(speed).to_have_value("2")
    page.get_by_role("button", name="Pause").focus()
    page.keyboard.press("Enter")
    time = page.get_by_label("Time", exact=True)
    time.focus()
    before = ticks(page)
    page.keyboard.press("ArrowLeft")
    until(page, f"demo.game.ticks === {before - 1}")
    assert page.evaluate("document.querySelector('minnow-demo').person") == -1
    page.get_by_role("button", name="Take over").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.querySelector('minnow-demo').person") == 0
    page.keyboard.press("Escape")
    assert page.evaluate("document.querySelector('minnow-demo').person") == -1


def test_the_check_hears_what_browsers_complain_of(browser: Browser, built: Path, tmp_path: Path) -> None:
    pages = ["index.html", "pong.html"]
    assert browse.complaints(browser, built, pages) == {"index.html": [], "pong.html": []}
    shutil.copytree(built, tmp_path / "site")
    (script,) = (tmp_path / "site" / "assets").glob("gallery-*.js")
    script.write_bytes(script.read_bytes() + b'console.error("no such tile");')
    (policy,) = (tmp_path / "site" / "assets").glob("pong-??????????.minnow")
    policy.write_bytes(policy.read_bytes()[:1000])
    for file in (script, policy):
        for form in (".gz", ".br"):
            file.with_name(file.name + form).unlink()
    found = browse.complaints(browser, tmp_path / "site", pages)
    assert found["index.html"] == ["in the browser: no such tile"]
    assert len(found["pong.html"]) == 1 and "Policy file refused" in found["pong.html"][0]


def test_a_gallery_that_is_held_still_rests(page: Page, host: str) -> None:
    page.add_init_script(
        "const plain = requestAnimationFrame; globalThis.asked = 0;"
        "globalThis.requestAnimationFrame = (call) => ((globalThis.asked += 1), plain(call));"
    )
    page.goto(host)
    page.locator("#cards canvas").first.wait_for()
    until(page, "globalThis.asked > 5")
    page.get_by_role("button", name="Hold still").click()
    before = page.evaluate("globalThis.asked")
    page.wait_for_timeout(800)
    assert page.evaluate("globalThis.asked") == before
