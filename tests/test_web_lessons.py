"""Lessons: their links, those that come with the site, the form that makes them, and who may use them."""

from __future__ import annotations

import contextlib
import itertools
import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from page_scripts import axe, node
from playwright.sync_api import Browser, Page, expect
from werkzeug.serving import make_server

from minnow.web import server, site
from minnow.web.lessons import lessons
from minnow.web.shipped import POLICIES

PLAYER = site.HERE / "player"
LESSONS = lessons()
READ = """
import { readFileSync } from "node:fs";
import { decode, encode } from "./player/lesson/link.js";
import { PANELS } from "./player/panels.js";
import { SPEEDS } from "./player/clock.js";
const { spec, stages, fragments } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const page = { panels: Object.keys(PANELS), stages, speeds: SPEEDS };
console.log(JSON.stringify(fragments.map((fragment) => {
  try {
    const lesson = decode(spec, page, fragment);
    const again = decode(spec, page, new URL(encode("http://x.example/", spec.name, lesson)).hash);
    return { lesson, same: JSON.stringify(again) === JSON.stringify(lesson) };
  } catch (error) {
    return { refused: error.message };
  }
})));
"""


def read(folder: Path, env: str, fragments: list[str]) -> list[dict[str, Any]]:
    """What the page's own parser makes of them: `lesson` and whether it survives the way back, or `refused`."""
    shutil.copytree(PLAYER, folder / "player")
    demo = site.Demo(env, POLICIES / f"{env}.minnow")
    given = {"spec": json.loads(demo.json()), "stages": len(demo.stages) + 1, "fragments": fragments}
    (folder / "given.json").write_text(json.dumps(given))
    return json.loads(node(folder, READ, folder / "given.json"))


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.title)
def test_ours(lesson: Any, tmp_path: Path) -> None:
    """The page takes each, and it is what a lesson should be: numbered tasks, ten minutes, a question and an answer."""
    (found,) = read(tmp_path, lesson.env, ["#" + lesson.link.split("#")[1]])
    assert found.get("same"), found
    assert found["lesson"]["tasks"] == list(lesson.task) and len(lesson.task) >= 4
    assert found["lesson"]["text"] == lesson.text
    assert 0 < lesson.minutes < 10 and lesson.question and lesson.answer


def test_there_are_six() -> None:
    assert len({lesson.title for lesson in LESSONS}) == 6


HOSTILE = {
    "lesson=pong&title=x": "is about",
    "lesson=cartpole": "no title",
    "lesson=cartpole&title=x&onload=alert(1)": "does not know",
    "lesson=cartpole&title=x&title=y": "twice",
    f"lesson=cartpole&title={'x' * 81}": "80 are the most",
    f"lesson=cartpole&title=x&text={'x' * 9000}": "8192 are the most",
    "lesson=cartpole&title=x%E2%80%AEy": "cannot be seen",
    "lesson=cartpole&title=x%00": "cannot be seen",
    "lesson=cartpole&title=x" + 11 * "&task=y": "10 are the most",
    "lesson=cartpole&title=x&world=gravity:1e9": "must be a number from",
    "lesson=cartpole&title=x&world=gravity:": "must be a number from",
    "lesson=cartpole&title=x&world=__proto__:1": "does not have",
    "lesson=cartpole&title=x&world=gravity:9:9": "does not have",
    "lesson=cartpole&title=x&policy=https://evil.example/x": "there are: best",
    "lesson=cartpole&title=x&policy=99": "there are: best",
    "lesson=cartpole&title=x&seed=-1": "must be a number from",
    "lesson=cartpole&title=x&seed=1.5": "whole number",
    "lesson=cartpole&title=x&seed=0x10": "must be a number from",
    "lesson=cartpole&title=x&speed=3": "there are:",
    "lesson=cartpole&title=x&drawn=yes": "0 or 1",
    "lesson=cartpole&title=x&show=state,constructor": "does not have",
    "lesson=cartpole&title=x&open=a%20b": "does not have",
}


def test_what_is_refused(tmp_path: Path) -> None:
    found = read(tmp_path, "cartpole", [f"#{fragment}" for fragment in HOSTILE])
    for words, result in zip(HOSTILE.values(), found, strict=True):
        assert words in result.get("refused", "it was taken"), result


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The sources as they are, with CartPole and its stages."""
    demos = [site.Demo("cartpole", POLICIES / "cartpole.minnow")]
    app = server.developing(lambda: demos, tmp_path_factory.mktemp("runs"))
    serving = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{serving.server_port}/"
    serving.shutdown()
    serving.server_close()


@contextlib.contextmanager
def visit(browser: Browser, address: str, **options: Any) -> Iterator[Page]:
    with contextlib.closing(browser.new_page(**options)) as page:
        page.set_default_timeout(20_000)
        page.goto(address)
        page.evaluate("document.querySelector('minnow-demo')?.ready")
        yield page


def store(page: Page, words: str) -> Any:
    return page.evaluate(f"(() => {{ const {{ store }} = document.querySelector('minnow-demo'); return {words} }})()")


def test_a_lesson_in_the_page(browser: Browser, address: str) -> None:
    """Words stay words; the world, the policy, the seed and the panels are as the link says."""
    evil = "<img src=x onerror=alert(1)> is text"
    told = {
        "lesson": "cartpole",
        "title": evil,
        "task": "Do this.",
        "question": "Why?",
        "answer": "Because.",
        "world": "gravity:20",
        "policy": "random",
        "seed": "12",
        "show": "toolbar,world",
        "open": "world",
    }
    with visit(browser, f"{address}cartpole.html#{urlencode(told)}") as page:
        expect(page.get_by_role("heading", name=evil)).to_be_visible()
        assert page.locator("minnow-demo img").count() == 0
        expect(page.get_by_label("gravity")).to_have_attribute("aria-valuetext", "20 m/s²")
        expect(page.get_by_text("Why?")).to_be_visible()
        expect(page.get_by_text("Because.")).to_be_hidden()
        page.get_by_text("Compare with our answer").click()
        expect(page.get_by_text("Because.")).to_be_visible()
        page.get_by_label("Do this.").check()
        expect(page.get_by_text("1 of 1 done")).to_be_visible()
        expect(page.get_by_text("Who plays")).to_have_count(0)
        assert store(page, "[store.seed, store.game.driver(0)]") == [12, 3]
        # The next lesson in the same page.
        page.evaluate("location.hash = '#lesson=cartpole&title=Another&policy=2'")
        expect(page.get_by_role("heading", name="Another")).to_be_visible()
        expect(page.get_by_label("trained for")).to_have_value("1")
        assert store(page, "[store.game.turned(0) ?? 9.8, store.game.driver(0)]") == [pytest.approx(9.8), 1]
        page.evaluate("location.hash = '#lesson=cartpole&title=Bad&policy=77'")
        expect(page.get_by_role("alert")).to_contain_text('the lesson\'s policy is "77"')
        page.get_by_role("button", name="Play without the lesson").click()
        expect(page.get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize(
    "lesson", [each for each in LESSONS if each.env == "cartpole"], ids=lambda lesson: lesson.title
)
def test_words_stand_beside_the_picture(browser: Browser, address: str, lesson: Any) -> None:
    """On a laptop the words begin on the first screen, beside the picture and over nothing, and the picture stays while
    one reads on, unless something stands below it; on a phone all buttons have the names that lessons call them by."""
    with visit(browser, address + lesson.link, viewport={"width": 1280, "height": 800}) as page:
        expect(page.locator(".main + .lesson-card")).to_be_visible()
        expect(page.get_by_role("toolbar").get_by_text("Pause")).to_be_visible()  # it is set up, and plays
        found = [page.locator(f"minnow-demo {part}").bounding_box() for part in (".main", ".lesson-card", ".panel")]
        boxes = [box for box in found if box]
        assert len(boxes) == 3 and all(box["y"] < 250 for box in boxes), found
        assert all(left["x"] + left["width"] <= right["x"] for left, right in itertools.pairwise(boxes)), boxes
        page.evaluate("scrollTo(0, 350)")
        box = page.locator(".stage").bounding_box()
        assert box and (box["y"] >= 0) != page.locator(".teach").is_visible()
        page.set_viewport_size({"width": 360, "height": 740})
        for words in ("Take over", "Pause", "Step", "Reset", "Speed"):
            expect(page.get_by_role("toolbar").get_by_text(words, exact=True)).to_be_visible()


def test_small_numbers_are_told_in_figures(browser: Browser, address: str) -> None:
    """What a policy sees: 0.0003 is 0 to three places, and not 3.0e-4."""
    with visit(browser, address + LESSONS[0].link) as page:
        page.get_by_role("button", name="Pause").click()
        figures = page.locator(".sight .figure")
        told = []
        for _ in range(30):
            page.get_by_role("button", name="Step: one tick").click()
            page.wait_for_timeout(30)
            told += figures.all_inner_texts()
        assert len(set(told)) > 30 and not [text for text in told if "e" in text]


def test_a_lesson_is_made_without_code(browser: Browser, address: str) -> None:
    """The form's link opens the lesson that was written."""
    with visit(browser, f"{address}cartpole.html") as page:
        page.get_by_text("Make a lesson").click()
        page.get_by_role("button", name="Copy link").last.click()
        expect(page.get_by_text("Not yet: the lesson has no title.")).to_be_visible()
        page.get_by_label("Title").fill("Heavy carts")
        page.get_by_label("Things to do, one a line").fill("Look.\n\nWrite.")
        page.get_by_label("A question").fill("What changed?")
        for name in ("share", "Policy file"):
            page.locator(".pick", has_text=name).locator("input").uncheck() if name != "share" else None
        page.evaluate("document.querySelector('minnow-demo').store.game.turn(1, 3)")
        page.evaluate("document.querySelector('minnow-demo').reset(5)")
        page.locator(".teach-form").get_by_role("button", name="Copy link").click()
        link = page.get_by_label("Link to the lesson").input_value()
    assert "Policy" not in link and "policy" not in link.split("show=")[1]
    with visit(browser, link) as page:
        expect(page.get_by_role("heading", name="Heavy carts")).to_be_visible()
        assert page.locator(".lesson-card ol li").count() == 2
        expect(page.get_by_text("Policy file")).to_have_count(0)
        assert store(page, "[store.seed, store.game.turned(1)]") == [5, 3]


@pytest.mark.full
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("place", ["lessons.html", "cartpole.html", *sorted({lesson.link for lesson in LESSONS})])
def test_axe_finds_nothing(browser: Browser, address: str, place: str, scheme: Any) -> None:
    if not place.startswith(("lessons", "cartpole")):
        pytest.skip("of another environment")
    with visit(browser, address + place, color_scheme=scheme, bypass_csp=True) as page:
        page.wait_for_timeout(500)
        if place == "cartpole.html":
            page.get_by_text("Make a lesson").click()
            expect(page.get_by_label("Title")).to_be_visible()
        assert axe(page) == []


@pytest.mark.full
@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.title)
def test_ours_on_a_phone(browser: Browser, tmp_path: Path, lesson: Any) -> None:
    """Nothing overflows, and nothing goes wrong."""
    app = server.developing(lambda: [site.Demo(lesson.env, POLICIES / f"{lesson.env}.minnow")], tmp_path)
    serving = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    phone = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
    with visit(browser, f"http://127.0.0.1:{serving.server_port}/{lesson.link}", **phone) as page:
        expect(page.get_by_role("heading", name=lesson.title)).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert store(page, "store.fault") is None
    serving.shutdown()
    serving.server_close()
