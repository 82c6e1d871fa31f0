"""The page in Chromium: what a visitor sees and does."""

from __future__ import annotations

import contextlib
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, BrowserContext, Error, Page, expect
from werkzeug.serving import make_server

from minnow.cinfer import load
from minnow.cinfer.errors import MinnowError
from minnow.cli.main import main
from minnow.cli.replay import find
from minnow.envs.shapes import Circle, Rect
from minnow.export import Discrete, export
from minnow.export.format import read
from minnow.web import server, site
from minnow.web.game import PERSON, POLICY, RANDOM, Game

SEED = 77


@pytest.fixture(scope="session")
def policy(pong_run: Path) -> bytes:
    return (pong_run / "policy.minnow").read_bytes()


@pytest.fixture(scope="session")
def built(pong_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site with the trained Pong; other environments play their script."""
    out = tmp_path_factory.mktemp("site") / "site"
    nothing = tmp_path_factory.mktemp("runs")
    shown = ("cartpole", "pong", "snake")
    site.build(out, site.demos({"pong": pong_run / "policy.minnow"}, nothing, shown, shipped=nothing))
    return out


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


def until(page: Page, condition: str, seconds: float = 20) -> None:
    """Waits until a condition on `demo` holds. (Playwright's own way of waiting is refused by the page's policy.)"""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(Error):  # the page was being loaded anew
            if page.evaluate(f"(() => {{ const demo = document.querySelector('minnow-demo'); return {condition} }})()"):
                return
        page.wait_for_timeout(50)
    pytest.fail(f"after {seconds} s still not: {condition}")


def paused(page: Page, seed: int = SEED) -> None:
    demo(page, "demo.pause(); demo.reset(args[0])", seed)


def paddle(page: Page) -> float:
    """The height of the left paddle's centre: the tall rectangle furthest to the left."""
    return demo(
        page,
        """
        const { buffer, at, count } = game.draw(0, 1.5), { view_width, view_height, abi } = demo.spec;
        const places = [...Array(count).keys()].map((i) => at + i * abi.size), view = new DataView(buffer);
        const found = places.filter((place) => abi.kinds[view.getUint32(place + abi.at.kind, true)] === "rect");
        const rects = found.map((place) => new Float32Array(buffer, place + abi.at.f, 4));
        const tall = rects.filter((r) => r[3] > 2 * r[2] && r[3] < view_height / 2 && r[0] < view_width / 4);
        return tall.sort((a, b) => b[3] - a[3])[0][1];
        """,
    )


def test_the_policy_plays_at_once_and_wins(visit: Callable[..., Visit], host: Host) -> None:
    page = visit().open(f"{host.address}pong.html")
    before = demo(page, "return game.ticks")
    page.wait_for_timeout(600)
    assert demo(page, "return game.ticks") > before
    page.get_by_label("Speed", exact=True).select_option("16")
    until(page, "demo.game.episodes >= 1", seconds=120)
    assert demo(page, "return game.finalScore(0)") > 0
    assert demo(page, "return game.driver(0)") == POLICY


def test_equal_seed_equal_hash_in_page_and_library(visit: Callable[..., Visit], host: Host, policy: bytes) -> None:
    page = visit().open(f"{host.address}pong.html")
    paused(page)
    game = Game("pong", policy, seed=SEED)
    seen = set()
    for ticks in (0, 1, 7, 500, 3000):
        demo(page, "for (let i = 0; i < args[0]; i += 1) game.tick()", ticks)
        game.tick(ticks)
        seen.add(game.hash())
        assert demo(page, "return game.hash()") == game.hash()
    assert len(seen) == 5
    # A person's turn, an event and handing back are part of the game too.
    demo(page, "game.drive(0, 2); game.act(0, [2]); game.turn(0, args[0])", game.spec.param[0].high)
    game.drive(0, PERSON)
    game.act(0, 2.0)
    game.event(0, 0, value=game.spec.param[0].high)
    for driver in (PERSON, POLICY):
        demo(page, "game.drive(0, args[0]); for (let i = 0; i < 100; i += 1) game.tick()", driver)
        game.drive(0, driver)
        game.tick(100)
        assert demo(page, "return game.hash()") == game.hash()


def test_step_advances_one_tick_and_pauses(visit: Callable[..., Visit], host: Host) -> None:
    page = visit().open(f"{host.address}pong.html")
    page.get_by_role("button", name="Pause").click()
    ticks = demo(page, "return game.ticks")
    page.wait_for_timeout(200)
    assert demo(page, "return game.ticks") == ticks
    for more in (1, 2, 3):
        page.get_by_role("button", name="Step").click()
        assert demo(page, "return game.ticks") == ticks + more
    page.locator("body").press(".")
    assert demo(page, "return game.ticks") == ticks + 4
    page.keyboard.press("Space")
    page.wait_for_timeout(200)
    assert demo(page, "return game.ticks") > ticks + 4


def test_speed_is_the_clock_s(visit: Callable[..., Visit], host: Host) -> None:
    page = visit().open(f"{host.address}pong.html")
    rate = demo(page, "return demo.spec.tick_rate")
    for speed in (0.25, 4):
        page.get_by_label("Speed", exact=True).select_option(str(speed))
        counted = page.evaluate(
            """async () => {
                const game = document.querySelector("minnow-demo").game;
                const [ticks, began] = [game.ticks, performance.now()];
                await new Promise((done) => setTimeout(done, 2000));
                return (game.ticks - ticks) / ((performance.now() - began) / 1000);
            }"""
        )
        assert counted == pytest.approx(rate * speed, rel=0.35)


def test_held_keys_move_the_paddle_and_escape_hands_back(visit: Callable[..., Visit], host: Host) -> None:
    page = visit().open(f"{host.address}pong.html")
    paused(page)
    start = paddle(page)
    demo(page, "demo.play()")
    page.keyboard.down("ArrowUp")
    until(page, "demo.game.ticks > 30")
    assert demo(page, "return game.driver(0)") == PERSON
    top = paddle(page)
    assert top < start - 1e-3
    page.keyboard.up("ArrowUp")
    page.keyboard.down("KeyS")
    page.wait_for_timeout(600)
    assert paddle(page) > top + 1e-3
    page.keyboard.up("KeyS")
    page.wait_for_timeout(100)
    at = paddle(page)
    page.wait_for_timeout(200)
    assert paddle(page) == pytest.approx(at, abs=1e-4)  # released keys hold nothing
    assert page.evaluate("scrollY") == 0
    expect(page.get_by_text("You play Player 1")).to_be_visible()
    page.keyboard.press("Escape")
    assert demo(page, "return game.driver(0)") == POLICY


def test_the_policy_follows_the_game_while_a_person_plays(visit: Callable[..., Visit], host: Host) -> None:
    """Its probabilities are those of an equal game that it drove by the same actions: so its memory went on."""
    page = visit().open(f"{host.address}pong.html")
    paused(page)
    same = demo(
        page,
        """
        const played = [];
        for (let i = 0; i < 400; i += 1) { game.tick(); played.push([...game.action(0)]); }
        const own = [game.hash(), ...game.probabilities(0)];
        demo.reset(); game.drive(0, 2);
        for (const action of played) { game.act(0, action); game.tick(); }
        return [own, [game.hash(), ...game.probabilities(0)]];
        """,
    )
    assert same[0] == same[1]


def test_reset_and_seed(visit: Callable[..., Visit], host: Host) -> None:
    page = visit().open(f"{host.address}pong.html")
    page.get_by_role("button", name="Pause").click()
    field = page.get_by_label("Seed", exact=True)
    hashes = []
    for seed in ("5", "6", "5", "4294967301"):
        field.fill(seed)
        field.press("Enter")
        hashes.append(demo(page, "return game.hash()"))
        assert demo(page, "return game.ticks") == 0
    assert hashes[0] == hashes[2]
    assert len(set(hashes)) == 3  # the seed's upper half counts
    demo(page, "for (let i = 0; i < 50; i += 1) game.tick()")
    page.get_by_role("button", name="Reset").click()
    assert demo(page, "return game.hash()") == hashes[3]
    for bad in ("-1", "twelve", "99999999999999999999", ""):
        field.fill(bad)
        field.press("Enter")
        expect(page.get_by_role("status")).to_contain_text("must be a whole number")
    assert demo(page, "return game.hash()") == hashes[3]


def test_a_click_is_an_event(visit: Callable[..., Visit], host: Host, policy: bytes) -> None:
    """Pong's click turns the ball; it arrives at the next tick, in the world's units."""
    page = visit().open(f"{host.address}pong.html")
    paused(page)
    game = Game("pong", policy, seed=SEED)
    game.tick(60)
    demo(page, "for (let i = 0; i < 60; i += 1) game.tick()")
    gesture = next(g for g in game.spec.gesture if g.pointer == "click")
    box = page.locator("canvas").bounding_box()
    assert box
    page.locator("canvas").click(position={"x": box["width"] / 2, "y": box["height"] / 4})
    assert demo(page, "return game.driver(0)") == POLICY
    game.event(gesture.kind, 0, at=(game.spec.view_width / 2, game.spec.view_height / 4, 0.0))
    untouched = game.hash()
    game.tick()
    demo(page, "game.tick()")
    game.tick(10)
    shown = demo(
        page,
        """
        for (let i = 0; i < 10; i += 1) game.tick();
        const { buffer, at, count } = game.draw(0, 1.5), { abi } = demo.spec;
        return [...new Float32Array(buffer, at + (count - 1) * abi.size + abi.at.f, 2)];
        """,
    )
    ball = game.draw()[-1]
    assert isinstance(ball, Circle | Rect) and shown == pytest.approx(
        (ball.x, ball.y), abs=2e-3
    )  # a click falls on a pixel
    assert untouched != game.hash()


def test_sliders_turn_parameters(visit: Callable[..., Visit], host: Host) -> None:
    page = visit().open(f"{host.address}pong.html")
    paused(page)
    page.get_by_text("World", exact=True).click()
    slider = page.locator("details").get_by_role("slider").first
    slider.focus()
    page.keyboard.press("End")
    high = demo(page, "for (let i = 0; i < 300; i += 1) game.tick(); return game.hash()")
    page.get_by_role("button", name="Defaults").click()
    demo(page, "demo.reset()")
    assert demo(page, "for (let i = 0; i < 300; i += 1) game.tick(); return game.hash()") != high


def test_what_the_policy_sees_and_makes_of_it(visit: Callable[..., Visit], host: Host, policy: bytes) -> None:
    """Loaded when it is opened; its numbers are those of the library."""
    page = visit(service_workers="block", strict=False).open(f"{host.address}pong.html")
    paused(page)
    demo(page, "for (let i = 0; i < 41; i += 1) game.tick()")
    wanted = demo(page, "return Object.values(demo.store.parts).map((each) => new URL(each).pathname)")
    assert wanted and not set(wanted) & set(
        page.evaluate("performance.getEntriesByType('resource').map((e) => new URL(e.name).pathname)")
    )
    page.get_by_text("Inside the policy", exact=True).press("Enter")
    expect(page.get_by_text("own y", exact=True)).to_be_visible()
    page.get_by_text("Layers", exact=True).press("Enter")
    expect(page.get_by_role("img", name=re.compile("^linear")).first).to_be_visible()
    made = load(policy)
    graph = read(policy).graph
    values = [i for i, value in enumerate(graph.values) if value.dtype == "f32" and i >= len(graph.inputs)]
    obs, found = demo(
        page, "return [[...game.observation(0, 0)], args[0].map((i) => [...game.activation(0, i)])]", values
    )
    session = made.session(1, keep=True)
    session.step(np.array([obs], np.float32))
    for value, numbers in zip(values, found, strict=True):
        assert np.array_equal(session.activation(value), np.array(numbers, np.float32)), value


def test_the_whole_screen_by_key_and_button(visit: Callable[..., Visit], host: Host) -> None:
    page = visit().open(f"{host.address}pong.html")
    full = "document.fullscreenElement !== null"
    page.keyboard.press("f")
    until(page, full)
    box = page.locator("minnow-demo canvas").first.bounding_box()
    height = page.evaluate("innerHeight")
    assert box and box["height"] > 0.6 * height and box["y"] + box["height"] < height
    expect(page.get_by_role("button", name="Pause")).to_be_in_viewport()
    page.get_by_role("button", name="Fullscreen").click()
    until(page, f"!({full})")


def test_a_policy_s_proof_speed_and_files(visit: Callable[..., Visit], host: Host, policy: bytes) -> None:
    page = visit().open(f"{host.address}pong.html")
    page.get_by_text("Policy file").press("Enter")
    page.get_by_text("Proof, speed and files").press("Enter")
    expect(page.get_by_text(re.compile("the largest difference from torch is .*e-"))).to_be_visible()
    expect(page.get_by_text(re.compile(r"A step of all 2 players takes [\d.]+ µs here"))).to_be_visible()
    found = {}
    for name in ("Policy (.minnow)", "Card", "ONNX"):
        with page.expect_download() as saved:
            page.get_by_text(name, exact=True).click()
        found[name] = Path(saved.value.path()).read_bytes()
    assert found["Policy (.minnow)"] == policy
    assert b"| Acts | move: stay, up, down |" in found["Card"] and b"\xc2\xb5s here" in found["Card"]
    assert len(found["ONNX"]) > 1000


def test_two_games_side_by_side(visit: Callable[..., Visit], host: Host, policy: bytes) -> None:
    """Chance beside the policy on one seed; then this game with one action changed. The library plays each of them."""
    page = visit().open(f"{host.address}pong.html")
    paused(page)
    page.get_by_text("Side by side", exact=True).press("Enter")
    page.get_by_label("Policy beside it").select_option("chance")
    page.get_by_role("button", name="Play both from the start").press("Enter")
    expect(page.get_by_role("img", name="The game beside it: chance")).to_be_visible()
    hashes = "return [...demo.store.twins, { game }].map((each) => each.game.hash())"
    ticks = lambda count: demo(page, f"for (let i = 0; i < args[0]; i += 1) demo.store.tick(); {hashes}", count)  # noqa: E731
    games = [Game("pong", policy, seed=SEED) for _ in range(4)]
    games[0].drive(0, RANDOM)
    for game in games[:2]:
        game.tick(300)
    assert ticks(300) == [games[0].hash(), games[1].hash()]
    demo(page, "demo.seek(40)")
    until(page, "[...demo.store.twins][0].game.ticks === 40")

    demo(page, "demo.seek(100)")
    games[2].tick(100)
    instead = (1, 2, 1)[int(games[2].chosen()[0])]
    page.get_by_text("Change one action here", exact=True).press("Enter")
    page.get_by_label("move", exact=True).select_option(str(instead))
    page.get_by_role("button", name="Branch off here").press("Enter")
    expect(page.get_by_text(re.compile("From tick 100 on Player 1 does"))).to_be_visible()
    until(page, "[...demo.store.twins][0].game.ticks === 100")
    games[2].drive(0, PERSON)
    games[2].act(0, instead)
    repeat = games[2].spec.action_repeat
    games[2].tick(repeat)
    games[3].tick(100 + repeat)
    apart = ticks(repeat)
    assert apart == [games[2].hash(), games[3].hash()] and apart[0] != apart[1]
    games[2].drive(0, POLICY)
    for game in games[2:]:
        game.tick(220 - repeat)
    assert ticks(220 - repeat) == [games[2].hash(), games[3].hash()]
    expect(page.get_by_text(re.compile("The games part at tick 10[1-9]"))).to_be_visible()
    # A turn of the world here is one there too.
    demo(page, "game.turn(1, 1.5)")
    for game in games[2:]:
        game.event(0, 1, value=1.5)
        game.tick(50)
    assert ticks(50) == [games[2].hash(), games[3].hash()]
    page.get_by_role("button", name="End").press("Enter")
    assert demo(page, "return demo.store.twins.size") == 0

    # Each player follows whom it is given.
    page.get_by_label("Player 2").select_option("Random")
    assert demo(page, "return [0, 1].map((slot) => game.driver(slot))") == [POLICY, RANDOM]


def test_back_and_forth_in_time(visit: Callable[..., Visit], host: Host) -> None:
    """By key, by the bar, and on from there as it was played."""
    page = visit().open(f"{host.address}pong.html")
    paused(page)
    hashes = demo(page, "return Array.from({ length: 90 }, () => (game.tick(), game.hash()))")
    for tick in (89, 88):
        page.keyboard.press(",")
        assert demo(page, "return [game.ticks, game.hash()]") == [tick, hashes[tick - 1]]
    page.get_by_label("Time", exact=True).fill("17")
    until(page, "demo.game.ticks === 17")
    assert demo(page, "return game.hash()") == hashes[16]
    page.get_by_role("button", name="Back one tick").click()
    page.keyboard.press(".")
    assert demo(page, "return [game.ticks, game.hash()]") == [17, hashes[16]]
    assert demo(page, "while (game.following) game.tick(); return [game.ticks, game.hash()]") == [90, hashes[89]]


def test_a_link_plays_the_same_game(visit: Callable[..., Visit], host: Host, policy: bytes, tmp_path: Path) -> None:
    """With a takeover and a turned parameter in it; in the page, where it pauses at its end, and natively."""
    page = visit(permissions=["clipboard-read", "clipboard-write"]).open(f"{host.address}pong.html")
    paused(page)
    demo(
        page, "for (let i = 0; i < 30; i += 1) game.tick(); game.turn(1, 1.5); demo.store.takeOver(0); game.act(0, [1])"
    )
    end = demo(page, "for (let i = 0; i < 30; i += 1) game.tick(); return game.hash()")
    page.get_by_text("Share", exact=True).click()
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_text("Copied:")).to_be_visible()
    link = page.evaluate("navigator.clipboard.readText()")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save the replay").click()
    assert link == page.get_by_label("Link").input_value() and link.startswith(f"{host.address}pong.html#replay=")

    again = visit().open(link)
    until(again, "!demo.store.clock.running && demo.game.ticks === 60")
    assert demo(again, "return game.hash()") == end
    expect(again.get_by_role("status").first).to_contain_text("The replay is over")
    file = tmp_path / "policy.minnow"
    file.write_bytes(policy)
    for source in (link, str(saved.value.path())):
        player = find(source, policies=[str(file)]).player()
        list(player.hashes())
        assert player.game.hash() == end

    for cut in (link[:-1], link[:-8], link + "*"):
        other = visit().open(cut)
        expect(other.get_by_text(re.compile("damaged|cut short"))).to_be_visible()
        other.get_by_role("button", name="Play without it").click()
        until(other, "demo.game.ticks > 0")
        with pytest.raises(MinnowError, match=r"damaged|cut short"):
            find(cut)


def test_a_long_game_is_a_file_and_no_link(visit: Callable[..., Visit], host: Host) -> None:
    page = visit().open(f"{host.address}pong.html")
    paused(page)
    demo(page, "game.drive(0, 2); for (let i = 0; i < 4000; i += 1) { game.act(0, [i % 3]); game.tick(); }")
    page.get_by_text("Share", exact=True).click()
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_text("save the replay and send the file")).to_be_visible()
    expect(page.get_by_label("Link")).to_be_hidden()


def test_help_lists_the_keys(visit: Callable[..., Visit], host: Host) -> None:
    page = visit().open(f"{host.address}pong.html")
    for key in ("F1", "?"):
        page.keyboard.press(key)
        dialog = page.get_by_role("dialog")
        expect(dialog).to_be_visible()
        for text in ("↑", "Space", "Esc", "one tick"):
            expect(dialog).to_contain_text(text)
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()


def test_state_line_and_labels(visit: Callable[..., Visit], host: Host) -> None:
    page = visit().open(f"{host.address}pong.html")
    expect(page.get_by_role("status")).to_contain_text(re.compile("^Playing: the policy drives Player 1"))
    page.keyboard.press("Space")
    expect(page.get_by_role("status")).to_contain_text(re.compile("^Paused"))
    unnamed = demo(
        page,
        """
        const named = (e) => e.getAttribute("aria-label") || e.labels?.length || e.textContent.trim();
        return [...demo.shadowRoot.querySelectorAll("button, input:not([hidden]), select, canvas")]
          .filter((e) => !named(e)).map((e) => e.outerHTML);
        """,
    )
    assert unnamed == []


def test_phone(visit: Callable[..., Visit], host: Host) -> None:
    """360 pixels wide, touch: nothing overflows, touching the picture takes over and moves."""
    watched = visit(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True, device_scale_factor=3)
    page = watched.open(f"{host.address}pong.html")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert demo(page, "return demo.canvas.width") == pytest.approx(3 * 312, abs=4)  # sharp
    paused(page)
    demo(page, "demo.play()")
    box = page.locator("canvas").bounding_box()
    assert box
    session = page.context.new_cdp_session(page)
    point = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] * 0.85}
    session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [point]})
    until(page, "demo.game.driver(0) === 2")
    start, ticks = paddle(page), demo(page, "return game.ticks")
    until(page, f"demo.game.ticks > {ticks + 30}")
    assert demo(page, "return game.driver(0)") == PERSON
    assert paddle(page) > start + 1e-3
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.get_by_role("button", name="Hand back").tap()
    assert demo(page, "return game.driver(0)") == POLICY


def test_gamepad(visit: Callable[..., Visit], host: Host) -> None:
    watched = visit()
    watched.page.add_init_script(
        """
        const pad = { axes: [0, 0, 0, 0], buttons: Array.from({ length: 17 }, () => ({ value: 0, pressed: false })) };
        window.pad = pad;
        navigator.getGamepads = () => [pad];
        """
    )
    page = watched.open(f"{host.address}pong.html")
    assert demo(page, "return game.driver(0)") == POLICY
    start = paddle(page)
    page.evaluate("pad.axes[1] = 1")
    until(page, "demo.game.driver(0) === 2")
    page.wait_for_timeout(700)
    assert paddle(page) != start
    assert demo(page, "return [...game.action(0)]") == demo(page, "return [demo.hands.action()[0]]")


def test_subfolder(visit: Callable[..., Visit], built: Path) -> None:
    with Host(server.built(built)) as own:
        page = visit(strict=False).open(f"{own.address}sub/folder/pong.html")
        assert demo(page, "return game.hasPolicy")
        page.get_by_role("link", name="Minnow").click()
        page.get_by_role("link", name="Pong").last.click()
        expect(page).to_have_url(f"{own.address}sub/folder/pong.html")
        assert all(path.startswith("/sub/folder/") for path in own.asked)


# The page, under its service worker, uses a file that this does not fetch by itself.
USED = """async () => {
  const moment = () => new Promise((done) => setTimeout(done, 20));
  await navigator.serviceWorker.ready;
  while (!navigator.serviceWorker.controller) await moment();
  const { demos } = await (await fetch("manifest.json")).json();
  localStorage.whole = new URL(demos.pong.whole, location.href).href;
  if (await caches.match(localStorage.whole)) throw new Error("it was there");
  await fetch(localStorage.whole);
  while (!(await caches.match(localStorage.whole))) await moment();
}"""


def test_without_the_network_after_load(browser: Browser, built: Path) -> None:
    context = browser.new_context()
    try:
        page = context.new_page()
        with Host(server.built(built)) as own:
            page.goto(f"{own.address}sub/folder/pong.html")
            page.evaluate(USED)
            assert not [path for path in own.asked if "/stage-" in path]  # three.js, for whom it draws nothing
        # The server is gone now.
        for name in ("pong.html", "cartpole.html", ""):
            page.goto(f"{own.address}sub/folder/{name}")
            if name:
                page.evaluate("document.querySelector('minnow-demo').ready")
                assert demo(page, "game.tick(); return game.ticks") > 0
        assert page.evaluate("caches.match(localStorage.whole).then((kept) => kept?.ok)")
        assert page.get_by_role("link", name="Pong").count() > 0
    finally:
        context.close()


@pytest.mark.parametrize("env", ["cartpole", "pong"])
def test_every_environment_has_its_page(visit: Callable[..., Visit], host: Host, env: str) -> None:
    page = visit().open(f"{host.address}{env}.html")
    assert demo(page, "return demo.spec.name") == env
    until(page, "demo.game.ticks > 20")
    if env == "cartpole":
        expect(page.get_by_text("The script plays")).to_be_visible()


def broken(policy: bytes) -> dict[str, bytes]:
    flipped = bytearray(policy)
    flipped[len(policy) // 2] ^= 0x80
    return {
        "truncated": policy[:-100],
        "corrupted": bytes(flipped),
        "foreign": b"PK\x03\x04" + bytes(300),
        "empty": b"",
    }


@pytest.mark.parametrize("how", ["truncated", "corrupted", "foreign", "empty"])
def test_refused_policies_are_numbered(
    visit: Callable[..., Visit], host: Host, policy: bytes, how: str, tmp_path: Path
) -> None:
    data = broken(policy)[how]
    with pytest.raises(MinnowError) as python:
        load(data)
    with pytest.raises(MinnowError) as native:
        Game("pong", data)
    assert python.value.number == native.value.number is not None
    page = visit().open(f"{host.address}pong.html")
    (tmp_path / "mine.minnow").write_bytes(data)
    page.locator("minnow-demo input[type=file]").set_input_files(tmp_path / "mine.minnow")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text(f"error {python.value.number}")
    expect(alert).to_contain_text(str(native.value))
    page.get_by_role("button", name="Go on").click()
    expect(alert).to_be_hidden()
    assert demo(page, "return game.hasPolicy")


class Layered(torch.nn.Module):
    """Operations that the page's own policy has no use for."""

    def __init__(self) -> None:
        super().__init__()
        self.see, self.norm, self.act = torch.nn.Linear(8, 6), torch.nn.LayerNorm(6), torch.nn.Linear(6, 3)

    def forward(self, obs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        hidden = torch.nn.functional.softplus(self.norm(self.see(obs)))
        return self.act(hidden), hidden.sum(-1)


def test_a_policy_of_other_operations_fetches_the_module_that_knows_all(
    visit: Callable[..., Visit], host: Host, tmp_path: Path
) -> None:
    export(
        Layered().eval(), torch.zeros(2, 8), tmp_path / "mine.minnow", outputs=("logits", "value"), action=Discrete(3)
    )
    page = visit().open(f"{host.address}pong.html")
    expect(page.locator("minnow-demo .badge")).to_have_text("verified")
    host.asked.clear()
    page.locator("minnow-demo input[type=file]").set_input_files(tmp_path / "mine.minnow")
    expect(page.locator("minnow-demo")).to_contain_text("mine.minnow")
    assert demo(page, "return game.verdict.verified")
    assert [path for path in host.asked if "pong-whole" in path]


def test_the_badge_replays_the_golden_vectors(
    visit: Callable[..., Visit], host: Host, policy: bytes, tmp_path: Path
) -> None:
    from minnow.export import format

    file = format.read(policy)
    file.graph.tensors[-1] = -file.graph.tensors[-1]
    other = format.write(file.graph, None, action=file.action, meta=file.meta, golden=file.golden)
    assert Game("pong", policy).selftest()[0] and not Game("pong", other).selftest()[0]
    page = visit().open(f"{host.address}pong.html")
    badge = page.locator("minnow-demo .badge")
    expect(badge).to_have_text("verified")
    (tmp_path / "mine.minnow").write_bytes(other)
    page.locator("minnow-demo input[type=file]").set_input_files(tmp_path / "mine.minnow")
    expect(badge).to_have_text("differs")
    assert not demo(page, "return game.verdict.verified")


def test_a_site_with_a_corrupt_policy_says_so(browser: Browser, built: Path, tmp_path: Path, policy: bytes) -> None:
    shutil.copytree(built, tmp_path / "site")
    (file,) = (tmp_path / "site" / "assets").glob("pong-*.minnow")
    file.write_bytes(policy[: len(policy) // 2])
    for form in (".gz", ".br"):  # which the server would send in its place
        Path(f"{file}{form}").unlink(missing_ok=True)
    context = browser.new_context(service_workers="block")
    try:
        with Host(server.built(tmp_path / "site")) as own:
            page = context.new_page()
            page.goto(f"{own.address}pong.html")
            expect(page.get_by_role("alert")).to_contain_text(re.compile(r"Policy file refused: error \d+"))
            page.get_by_role("button", name="Watch the scripted player").click()
            until(page, "demo.game.ticks > 5")
    finally:
        context.close()


def test_missing_file_and_unknown_demo_in_words(visit: Callable[..., Visit], host: Host) -> None:
    page = visit(strict=False).page
    page.route(re.compile(r"\.wasm$"), lambda route: route.fulfill(status=404))
    page.goto(f"{host.address}pong.html")
    expect(page.get_by_role("alert")).to_contain_text("could not be fetched: the server answers 404")
    page.unroute_all()
    page.get_by_role("button", name="Try again").click()
    until(page, "demo.game?.ticks > 5")
    page.evaluate("""() => { document.body.innerHTML = '<minnow-demo env="pung"></minnow-demo>' }""")
    expect(page.get_by_role("alert")).to_contain_text('there is no demo "pung" here')


def test_developing_reloads_the_page(browser: Browser, tmp_path: Path, policy: bytes) -> None:
    """Sources as they are, unbundled; a new policy appears in the open page by itself, a bad one as words."""
    context = browser.new_context()
    try:
        with Host(server.developing(lambda: site.demos({}, tmp_path, ["pong"], tmp_path), tmp_path)) as own:
            page = context.new_page()
            page.goto(f"{own.address}pong.html")
            until(page, "demo.game && !demo.game.hasPolicy")
            run = tmp_path / "pong" / "1" / "policy.minnow"
            run.parent.mkdir(parents=True)
            run.write_bytes(policy)
            until(page, "demo.game && demo.game.hasPolicy")
            run.write_bytes(policy[:1000])
            expect(page.get_by_role("alert")).to_contain_text("policy.minnow")
            assert demo(page, "game.tick(); return game.hasPolicy")
    finally:
        context.close()


def test_a_long_gap_is_not_caught_up(visit: Callable[..., Visit], host: Host) -> None:
    """A hidden or stuck page stands still; it does not rush through what it missed."""
    page = visit().open(f"{host.address}pong.html")
    missed = page.evaluate(
        """async () => {
            const { game } = document.querySelector("minnow-demo");
            const before = game.ticks;
            const end = performance.now() + 1500;
            while (performance.now() < end);
            for (let i = 0; i < 2; i += 1) await new Promise(requestAnimationFrame);
            return game.ticks - before;
        }"""
    )
    assert 1 <= missed <= 30  # of 90


def test_stages_of_training(browser: Browser, pong_run: Path, tmp_path: Path) -> None:
    """The slider goes back to a policy of an earlier time, which plays on, and returns to the finished one."""
    whole, nothing = tmp_path / "pong.minnow", tmp_path / "nothing"
    assert main(["export", str(pong_run), "--stages", "2", "-o", str(whole)]) == 0
    (pong,) = site.demos({"pong": whole}, nothing, ["pong"], shipped=nothing)
    site.build(tmp_path / "site", [pong])
    with Host(server.built(tmp_path / "site")) as host, contextlib.closing(browser.new_page()) as page:
        page.goto(f"{host.address}pong.html")
        slider = page.get_by_label("trained for")
        expect(slider).to_have_attribute("max", "2")
        last = demo(page, "return game.meta().steps")
        assert last > max(pong.stages)
        slider.focus()
        page.keyboard.press("Home")
        until(page, f"demo.game.meta().steps === {min(pong.stages)} && demo.game.ticks > 10")
        expect(page.locator(".slider .figure").first).to_have_text(re.compile(r"^[\d.]+ [kM] steps$"))
        page.keyboard.press("End")
        until(page, f"demo.game.meta().steps === {last} && demo.game.ticks > 10")


def test_one_of_many_players(visit: Callable[..., Visit], host: Host) -> None:
    """With 32 players one is shown at a time; whoever plays takes the eyes along."""
    page = visit().open(f"{host.address}snake.html")
    until(page, "demo.game?.ticks > 5")
    assert page.get_by_role("combobox").count() < 8
    page.get_by_label("Watch").select_option("4")
    expect(page.get_by_role("status")).to_contain_text("drives Player 5")
    page.get_by_role("button", name="Take over").click()
    expect(page.get_by_text("You play Player 5")).to_be_visible()
    assert demo(page, "return [game.driver(4), game.driver(0)]") == [2, 0]
    page.get_by_label("Watch").select_option("6")
    expect(page.get_by_text("You play Player 7")).to_be_visible()
    assert demo(page, "return [game.driver(6), game.driver(4)]") == [2, 0]
