"""Hostile links and files, through the page's own parser in Node and as whole pages; and faults told in a sentence."""

from __future__ import annotations

import base64
import contextlib
import json
import random
import shutil
from pathlib import Path

import pytest
from page_scripts import node, until
from playwright.sync_api import Browser, Page, expect
from test_web_player import PLAYER, served

import minnow.envs
from minnow.web import game, replay
from minnow.web.shipped import policy

HERE = Path(__file__).resolve().parent
ODD = ("", "<img src=x onerror=alert(1)>", "&learn=cartpole&envs=1e9", "%00", "javascript:alert(1)")
MEMORY = 2**28  # bytes that a page's game may take
LONG = pytest.param(10_000, marks=pytest.mark.full)
DROP = """([name, text]) => {
  const files = new DataTransfer(), bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  files.items.add(new File([bytes], name));
  document.querySelector("minnow-demo").dispatchEvent(new DragEvent("drop", { dataTransfer: files }));
}"""


@pytest.mark.parametrize("count", [300, LONG])
def test_what_is_mutated_plays_or_is_refused_in_words(count: int, tmp_path: Path) -> None:
    shutil.copytree(PLAYER, tmp_path / "player")
    file = policy("cartpole")
    assert file
    given = {"module": str(game.wasm("cartpole", file.read_bytes())), "spec": minnow.envs.spec("cartpole").to_json()}
    (tmp_path / "given.json").write_text(json.dumps(given | {"policies": [str(file)], "count": count, "seed": count}))
    found = json.loads(node(tmp_path, (HERE / "fuzz_page.js").read_text()))
    assert found["faults"] == [] and found["largest"] <= MEMORY
    kinds = [f"{kind} {end}" for kind in ("link", "replay", "policy") for end in ("played", "refused")]
    assert all(found["said"][kind] > count / 100 for kind in kinds) and sum(found["said"].values()) == count


def mutated(whole: bytes, dice: random.Random) -> bytes:
    data = bytearray(whole)
    for _ in range(dice.choice((1, 1, 3, 30))):
        data[dice.randrange(len(data))] = dice.randrange(256)
    return bytes(data[: dice.choice((len(data), len(data), dice.randrange(1, len(data))))])


def answers(page: Page) -> str:
    """What the page shows: it answers, and a game plays or a fault is told with a way out of it."""
    veil = page.locator(".veil [role=alert]")
    told = veil.inner_text() if veil.is_visible() else ""
    assert page.evaluate("typeof document.querySelector('minnow-demo').game.ticks") == "number"
    return told


@pytest.mark.parametrize("count", [5, pytest.param(500, marks=[pytest.mark.full, pytest.mark.timeout(1200)])])
def test_hostile_links_and_files_as_whole_pages(count: int, browser: Browser) -> None:
    dice, told, faults = random.Random(count), [], []
    file = policy("cartpole")
    assert file
    native = game.Game("cartpole", seed=3)
    native.tick(50)
    recorded = replay.encode(replay.of(native))
    with served("cartpole") as address, contextlib.closing(browser.new_page()) as page:
        page.on("dialog", lambda dialog: faults.append(dialog.message))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda it: None if it.url.startswith((address, "blob:")) else faults.append(it.url))
        for number in range(count):
            text = base64.urlsafe_b64encode(mutated(recorded, dice)).decode().rstrip("=")
            odd = dice.choice(ODD)
            page.goto("about:blank")
            page.goto(f"{address}#replay={text}{odd}")
            page.evaluate("document.querySelector('minnow-demo').ready")
            told.append(answers(page))
            data = mutated(file.read_bytes() if number % 2 else recorded, dice)
            page.evaluate(DROP, [f"<b onmouseover=alert(1)>{number}.minnow", base64.b64encode(data).decode()])
            page.wait_for_timeout(150)
            told.append(answers(page))
    assert faults == [] and any(told)


def test_faults_are_told_and_the_rest_lives(browser: Browser) -> None:
    """A part that cannot be fetched, files that are no policy or too large, a resize: in one visit."""
    faults: list[str] = []
    other = policy("pong")
    assert other
    with served("cartpole") as address, contextlib.closing(browser.new_page()) as page:
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.route("**/meter/panel.js", lambda route: route.abort())
        page.goto(address)
        page.evaluate("document.querySelector('minnow-demo').ready")
        alert = page.locator(".veil [role=alert]")
        page.get_by_text("How robust it is").click()
        expect(page.get_by_role("alert").first).to_be_visible()
        for button in page.locator(".veil button").all():
            button.click()
        cases = (
            ("large.minnow", "x", "16"),
            ("pong.minnow", base64.b64encode(other.read_bytes()).decode(), "made for another game"),
            ("broken.minnow", base64.b64encode(other.read_bytes()[:-9]).decode(), "cut short"),
            ("empty.minnow", "", "shorter than a header"),
            ("text.minnow", base64.b64encode(b"hello" * 900).decode(), "not a .minnow file"),
        )
        for name, text, words in cases:
            if name == "large.minnow":
                page.evaluate(DROP.replace("[bytes]", "[new Uint8Array(17 * 2 ** 20)]"), [name, "AA=="])
            else:
                page.evaluate(DROP, [name, text])
            expect(alert).to_contain_text(words, timeout=15_000)
            page.get_by_role("button", name="Go on with the game there was").click()
            expect(alert).to_have_count(0)
        page.set_viewport_size({"width": 380, "height": 700})
        before = page.evaluate("document.querySelector('minnow-demo').game.ticks")
        until(page, f"demo.game.ticks > {before} && demo.canvas.width > 300 && demo.canvas.width < 400")
        assert faults == []


def test_a_browser_without_webassembly_is_told_so(browser: Browser) -> None:
    with served("cartpole") as address, contextlib.closing(browser.new_page()) as page:
        page.add_init_script("delete window.WebAssembly")
        page.goto(address)
        expect(page.locator(".veil [role=alert]")).to_contain_text("WebAssembly")
