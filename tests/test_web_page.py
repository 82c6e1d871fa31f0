"""The page in Chromium: what a visitor sees and does."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
import visits
from page_scripts import until
from playwright.sync_api import Page, expect
from visits import SEED, Host, Visit, demo, paused

from minnow.cinfer import load
from minnow.envs.shapes import Circle, Rect
from minnow.export.format import read
from minnow.web.game import PERSON, POLICY, Game

built, host, policy, visit = visits.built, visits.host, visits.policy, visits.visit


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
    until(page, "demo.game.ticks > 5")
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
    until(page, f"demo.game.ticks > {ticks + 4}")


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
    until(page, f"demo.game.ticks > {demo(page, 'return game.ticks') + 30}")
    assert paddle(page) > top + 1e-3
    page.keyboard.up("KeyS")
    until(page, "demo.game.action(0)[0] === 0")
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
    until(page, f"demo.game.ticks > {demo(page, 'return game.ticks') + 30}")
    assert paddle(page) != start
    assert demo(page, "return [...game.action(0)]") == demo(page, "return [demo.hands.action()[0]]")


@pytest.mark.parametrize("env", ["cartpole", "pong"])
def test_every_environment_has_its_page(visit: Callable[..., Visit], host: Host, env: str) -> None:
    page = visit().open(f"{host.address}{env}.html")
    assert demo(page, "return demo.spec.name") == env
    until(page, "demo.game.ticks > 20")
    if env == "cartpole":
        expect(page.get_by_text("The script plays")).to_be_visible()


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
