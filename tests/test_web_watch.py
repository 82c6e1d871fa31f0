"""The page of a run in training."""

from __future__ import annotations

import json
import re
import threading
import time
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from werkzeug.serving import make_server

from minnow.cinfer.errors import MinnowError
from minnow.cli import watch
from minnow.web import site
from minnow.web.watch import Feed, watching

SHIPPED = site.HERE / "policies" / "cartpole.minnow"


def test_a_new_page_gets_everything_and_then_what_is_new() -> None:
    feed = Feed()
    feed.add([{"steps": 1, "seconds": 0.5}])
    feed.show(b"policy", "1 step")
    stream = feed.events()
    assert json.loads(next(stream).split("data: ")[1]) == [{"steps": 1, "seconds": 0.5}]
    assert next(stream) == 'event: policy\ndata: "1 step"\n\n'
    assert next(stream) == 'event: state\ndata: "training"\n\n'
    feed.add([{"steps": 2, "seconds": 0.7}])
    feed.say("finished")
    assert json.loads(next(stream).split("data: ")[1]) == [{"steps": 2, "seconds": 0.7}]
    assert next(stream) == 'event: state\ndata: "finished"\n\n'


def test_the_page(browser: Browser) -> None:
    feed = Feed()
    server = make_server("127.0.0.1", 0, watching("cartpole", feed), threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    faults: list[str] = []
    page = browser.new_page()
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(f"http://127.0.0.1:{server.server_port}/")
    expect(page.locator("#state")).to_contain_text("the script plays")
    feed.add([{"steps": 100 * i, "seconds": 0.1 * i, "score_mean": 5.0 * i} for i in range(1, 5)])
    expect(page.locator("#curves figcaption")).to_have_text("score: 20")
    feed.show(SHIPPED.read_bytes(), "400 steps")
    expect(page.locator("#state")).to_contain_text("400 steps in 0.4 s. Playing: 400 steps.")
    expect(page.locator("minnow-demo .chip")).to_contain_text("The policy plays")
    feed.add([{"steps": 500, "seconds": 0.5, "score_mean": 30.0}])
    feed.say("finished")
    expect(page.locator("#curves figcaption")).to_have_text("score: 30")
    expect(page.locator("#state")).to_contain_text("finished")
    points = page.locator("#curves polyline").get_attribute("points")
    assert points is not None
    assert len(points.split()) == 5
    page.close()
    server.shutdown()
    assert faults == []


def test_a_run_is_followed(pong_run: Path) -> None:
    feed = Feed()
    threading.Thread(target=watch.follow, args=(pong_run, feed), daemon=True).start()
    for _ in range(600):
        if feed.policy is not None:
            break
        time.sleep(0.1)
    assert feed.policy is not None
    assert feed.policy[:4] == b"\x89MNW"
    assert re.fullmatch(r"[\d,]+ steps", feed.name)
    assert feed.lines[-1]["steps"] == int(feed.name.replace(",", "").split()[0])


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ([], "takes one run"),
        (["nowhere"], "holds no run"),
        (["a", "b"], "one run"),
        (["a", "--port", "70000"], "65535"),
    ],
)
def test_bad_input(argv: list[str], words: str) -> None:
    with pytest.raises(MinnowError, match=words):
        watch.main(argv)
