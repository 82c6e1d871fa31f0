"""The page's files: policies proved, refused or exchanged; sites damaged, moved, offline, or still in the making."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import visits
from page_scripts import until
from playwright.sync_api import Browser, expect
from visits import Host, Visit, demo

from minnow.cinfer import load
from minnow.cinfer.errors import MinnowError
from minnow.cli.main import main
from minnow.export import Discrete, export
from minnow.web import server, site
from minnow.web.game import Game

built, host, policy, visit = visits.built, visits.host, visits.policy, visits.visit


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
