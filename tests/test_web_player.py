"""The player's modules: its list of panels, and what one more of them takes."""

from __future__ import annotations

import contextlib
import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from page_scripts import node
from playwright.sync_api import Browser, expect
from werkzeug.serving import make_server

from minnow.export.format import read
from minnow.export.header import header
from minnow.export.ops import KINDS
from minnow.web import site
from minnow.web.watch import Feed, watching

PLAYER = site.HERE / "player"
CARDS = {
    "foot",
    "toolbar",
    "state",
    "players",
    "thoughts",
    "world",
    "policy",
    "help",
    "timeline",
    "share",
    "learn",
    "meter",
    "insight",
    "compare",
    "duel",
}
ONE_MORE = """
import { make } from "../dom.js";

export function ticker(store) {
  const element = make("section", {}, "a new panel");
  const heard = { settled: 0, frames: 0 };
  return {
    element,
    settle: () => (element.dataset.settled = String((heard.settled += 1))),
    frame: (game) => (element.dataset.ticks = String(game.ticks)),
  };
}
"""


@contextlib.contextmanager
def served(env: str) -> Iterator[str]:
    """The address of a page whose game the script plays, from the player's sources as they are."""
    server = make_server("127.0.0.1", 0, watching(env, Feed()), threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def test_the_list_of_panels_holds_every_card(tmp_path: Path) -> None:
    shutil.copytree(PLAYER, tmp_path / "player")
    script = 'import { PANELS } from "./player/panels.js"; console.log(JSON.stringify(Object.keys(PANELS)));'
    names = json.loads(node(tmp_path, script))
    assert not CARDS - set(names) and len(names) == len(set(names))
    assert set(names) == {path.stem for path in (PLAYER / "panels").glob("*.js")}  # a file each, and none beside


NETWORK = """
import { readFileSync } from "node:fs";
import { OPERATIONS, network } from "./player/insight/network.js";
const nets = process.argv.slice(2).map((file) => network(readFileSync(file)));
console.log(JSON.stringify([OPERATIONS, nets]));
"""


def test_the_page_reads_networks(tmp_path: Path) -> None:
    """Names of operations are those of the register; layers and states of every shipped policy have their shapes."""
    shutil.copytree(PLAYER, tmp_path / "player")
    files = sorted((site.HERE / "policies").glob("*.minnow"))
    operations, nets = json.loads(node(tmp_path, NETWORK, *map(str, files)))
    assert operations == {str(KINDS[name].code): name for name in operations.values()}
    for file, net in zip(files, nets, strict=True):
        graph = read(file.read_bytes()).graph
        shapes = [list(graph.values[layer["value"]].shape) for layer in net["layers"]]
        assert shapes == [layer["shape"] for layer in net["layers"]] and len(shapes) >= 2, file
        assert [state["words"] for state in net["states"]] == [state.name for state in graph.states]
        assert [state["value"] for state in net["states"]] == [state.after for state in graph.states]


HEADER = """
import { readFileSync } from "node:fs";
import { header } from "./player/proof/header.js";
console.log(header(readFileSync(process.argv[2]), "swim", "swim.h", "A fish */ of\\nours"));
"""


def test_the_page_writes_the_same_c_header(tmp_path: Path) -> None:
    shutil.copytree(PLAYER, tmp_path / "player")
    file = site.HERE / "policies" / "cartpole.minnow"
    made = node(tmp_path, HEADER, file)
    assert made == header(file.read_bytes(), "swim", "swim.h", "A fish */ of\nours") + "\n"


def test_the_element_is_small() -> None:
    assert len((PLAYER / "demo.js").read_text().splitlines()) <= 250


def test_a_panel_is_a_file_and_a_line(browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Added to a copy of the player by nothing else, it is shown, and hears what happens."""
    for folder in ("player", "site"):
        shutil.copytree(site.HERE / folder, tmp_path / folder)
    (tmp_path / "player" / "panels" / "ticker.js").write_text(ONE_MORE)
    panels = tmp_path / "player" / "panels.js"
    text = panels.read_text().replace(
        "import { world }", 'import { ticker } from "./panels/ticker.js";\nimport { world }'
    )
    panels.write_text(text.replace("  world,\n", "  world,\n  ticker,\n"))
    monkeypatch.setattr(site, "HERE", tmp_path)
    with served("cartpole") as address, contextlib.closing(browser.new_page()) as page:
        page.goto(address)
        card = page.locator("minnow-demo .panel > section", has_text="a new panel")
        expect(card).to_be_visible()
        page.get_by_role("button", name="Pause").click()
        settled = int(card.get_attribute("data-settled") or 0)
        ticks = int(card.get_attribute("data-ticks") or 0)
        page.get_by_role("button", name="Step").click()
        expect(card).to_have_attribute("data-ticks", str(ticks + 1))
        page.get_by_role("button", name="Take over").click()
        expect(card).to_have_attribute("data-settled", str(settled + 1))


def test_stages_are_offered_where_nothing_may_move(browser: Browser) -> None:
    """To somebody who asked for reduced motion, who finds the game paused."""
    policy = (site.HERE / "policies" / "cartpole.minnow").read_bytes()
    with served("cartpole") as address, contextlib.closing(browser.new_page(reduced_motion="reduce")) as page:
        stages = [{"steps": 5000, "policy": "made/own.minnow"}]
        files = {"spec": "made/game.json", "wasm": "made/game.wasm", "policy": "made/own.minnow"}
        demo = {**files, "whole": None, "stages": stages}
        page.route("**/manifest.json", lambda route: route.fulfill(json={"demos": {"cartpole": demo}}))
        page.route("**/own.minnow", lambda route: route.fulfill(body=policy))
        page.goto(address)
        expect(page.get_by_label("trained for")).to_have_attribute("max", "1")
        expect(page.get_by_role("button", name="Play")).to_be_visible()
