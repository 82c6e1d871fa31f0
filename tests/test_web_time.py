"""Time in the page: back and forth, two games from one beginning, and links that play it again."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import visits
from page_scripts import until
from playwright.sync_api import expect
from visits import SEED, Host, Visit, demo, paused

from minnow.cinfer.errors import MinnowError
from minnow.cli.replay import find
from minnow.web.game import PERSON, POLICY, RANDOM, Game

built, host, policy, visit = visits.built, visits.host, visits.policy, visits.visit


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
