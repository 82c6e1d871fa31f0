"""Learning in the page: the core in WebAssembly as natively, its files, its links, and the panel in Chromium."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from page_scripts import node
from playwright.sync_api import Browser, Page, expect
from werkzeug.serving import make_server

import minnow.envs
from minnow.bench import page as measure
from minnow.cinfer import binding, load
from minnow.export import format
from minnow.web import learn, server, site

PLAYER = site.HERE / "player"
STEPS = 20_000  # of a short training of CartPole
TEACH = """
import { readFileSync, writeFileSync } from "node:fs";
const [player, wasm, given, out] = process.argv.slice(2);
const { Run } = await import(`${player}/learn/run.js`);
const { Tutor } = await import(`${player}/learn/tutor.js`);
const { tuned } = await import(`${player}/learn/settings.js`);
const { kit, spec, settings, turns } = JSON.parse(readFileSync(given, "utf8"));
const plan = { ...tuned(kit, spec, 7), turns };
Object.assign(plan.settings, settings);
const tutor = await Tutor.create(await WebAssembly.compile(readFileSync(wasm)), kit.order, plan.settings, plan.params);
const news = [];
const run = new Run(tutor, { spec, plan, order: kit.order }, (one) => news.push(one));
run.go();
while (run.advance());
writeFileSync(out, news.filter((one) => one.told === "file").pop().bytes);
console.log(JSON.stringify(news.filter((one) => one.told !== "file")));
"""
LINKS = """
const [player, given] = process.argv.slice(2);
const { decode, encode } = await import(`${player}/learn/settings.js`);
const { kit, spec, links } = JSON.parse(given);
for (const link of links) {
  try {
    const plan = decode(spec, kit, link);
    console.log(JSON.stringify(encode(spec, kit.order, plan)));
  } catch (error) {
    console.log(JSON.stringify(`Error: ${error.message}`));
  }
}
"""


def player_in(folder: Path) -> Path:
    return shutil.copytree(PLAYER, folder / "player", dirs_exist_ok=True)


def taught(folder: Path, env: str, settings: dict[str, float], turns: list[list[float]]) -> tuple[bytes, list[dict]]:
    """The file that a training in Node ends with, and what it told."""
    given = {"kit": learn.kit(env), "spec": minnow.envs.spec(env).to_json(), "settings": settings, "turns": turns}
    (folder / "given.json").write_text(json.dumps(given))
    said = node(folder, TEACH, player_in(folder), learn.wasm(env), folder / "given.json", folder / "out.minnow")
    return (folder / "out.minnow").read_bytes(), json.loads(said)


def natively(env: str, settings: dict[str, float], turns: list[list[float]]) -> bytes:
    """The weights that the same training ends with on this machine."""
    library = binding.load(learn.shared(env), learn.HERE / "tutor.h")
    c, ffi = library.c, library.ffi
    values = learn.settings(env) | {"seed": 7} | settings
    given = ffi.new("TutorSettings *", [values[name] for name in learn.order()])
    assert c.tutor_refuses(given) == ffi.NULL
    param = ffi.new("float[]", [float(param.value) for param in minnow.envs.spec(env).param])
    room = np.zeros(c.tutor_size(given) + 64, np.uint8)
    tutor = c.tutor_open(given, param, ffi.cast("void *", (room.ctypes.data + 63) // 64 * 64))
    while c.tutor_updates(tutor) == 0 or not c.tutor_ended(tutor):
        for at, which, value in turns:
            if at == c.tutor_updates(tutor):
                c.tutor_turn(tutor, int(which), value)
        assert c.tutor_update(tutor)
    return bytes(ffi.buffer(c.tutor_weights(tutor), 4 * c.tutor_count(tutor)))


@pytest.mark.parametrize("env", ["cartpole", pytest.param("pong", marks=pytest.mark.full)])
def test_a_page_learns_the_bits_that_this_machine_learns(env: str, tmp_path: Path) -> None:
    """A world that is turned on the way included; and its file is as the exporter would write it."""
    settings = {"steps": STEPS, "layers": 1, "hidden": 16, "randomize": 0.1}
    turns = [[2, 0, minnow.envs.spec(env).param[0].high]]
    file, news = taught(tmp_path, env, settings, turns)
    weights = natively(env, settings, turns)
    rest = next(one for one in news if one["told"] == "rest")
    assert rest["ended"] and rest["hash"] == hashlib.sha256(weights).hexdigest()
    assert rest["hash"] != hashlib.sha256(natively(env, settings, [])).hexdigest()

    assert [one["exam"]["steps"] for one in news if one["told"] == "exam"][-1] == rest["figures"]["steps"]
    read = format.read(file)
    again = format.write(read.graph, None, action=read.action, meta=read.meta, golden=read.golden, dtypes=read.dtypes)
    assert again == file
    session = load(file).session(agents=8)
    for t in range(2):
        out = session.step(read.golden.inputs[0][t])
        for mine, golden in zip(out.outputs, read.golden.outputs, strict=True):
            assert np.abs(mine - golden[t]).max() <= 1e-5
    held = b"".join(tensor.tobytes() for name, tensor in zip(read.graph.tensor_names, read.graph.tensors, strict=True)
                    if name == "encoder.0.weight")  # fmt: skip
    assert weights.startswith(held)
    assert read.meta["environment"] == env
    assert rest["hash"][:16] in read.meta["command"]


def test_every_setting_is_a_number_with_a_range() -> None:
    size = binding.load(learn.shared("cartpole"), learn.HERE / "tutor.h").ffi.sizeof("TutorSettings")
    assert size == 8 * len(learn.order())
    for env in filter(learn.suits, minnow.envs.names()):
        kit = learn.kit(env)
        assert all(low <= kit["settings"][name] <= high for name, (low, high) in kit["ranges"].items()), env
    assert {"pong", "cartpole", "snake", "breakout", "connect4"} <= set(filter(learn.suits, minnow.envs.names()))


def test_a_link_says_all_and_nothing_else(tmp_path: Path) -> None:
    spec, kit = minnow.envs.spec("cartpole").to_json(), learn.kit("cartpole")
    settings = kit["settings"] | {"seed": 12345}
    fields = [
        f"learn=cartpole&source={spec['source_hash'][:12]}",
        *(f"{name}={settings[name]:g}" for name in kit["order"]),
    ]
    good = (
        "#"
        + "&".join(fields)
        + f"&world={spec['param'][0]['name']}:{spec['param'][0]['high']:g}&stop=9&hash=0123456789abcdef"
    )
    bad = {
        good.replace("=cartpole", "=pong"): "learns",
        good.replace("source=", "source=0"): "another version",
        good.replace("hidden=64", "hidden=1e9"): "hidden",
        good.replace("gamma=0.99", "gamma="): "gamma",
        good.replace("seed=12345", "seed=<script>"): "seed",
        good.replace("world=", "world=nothing:1,"): "nothing",
        good.replace("hash=0", "hash=x"): "hash",
        good + "&turns=" + ",".join(["1:gravity:9.8"] * 1001): "1000 times",
        "#learn": "learns",
    }
    links = [good, *bad]
    given = json.dumps({"kit": kit, "spec": spec, "links": links})
    said = [json.loads(line) for line in node(tmp_path, LINKS, player_in(tmp_path), given).splitlines()]
    assert said[0].split("&") == good.split("&")
    for answer, word in zip(said[1:], bad.values(), strict=True):
        assert answer.startswith("Error: ") and word in answer, (answer, word)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A site of the two games that learn soonest."""
    out = tmp_path_factory.mktemp("site") / "site"
    site.build(out, [site.Demo(env, site.shipped_policy(env)) for env in ("cartpole", "pong")])
    host = make_server("127.0.0.1", 0, server.built(out), threaded=True)
    threading.Thread(target=host.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{host.server_port}/"
    host.shutdown()
    host.server_close()


def opened(browser: Browser, address: str) -> tuple[Page, list[str]]:
    faults: list[str] = []
    page = browser.new_page(service_workers="block", viewport={"width": 1200, "height": 1000})
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(address)
    expect(page.locator("minnow-demo .chip")).to_be_visible(timeout=60_000)
    return page, faults


def scores(page: Page) -> list[float]:
    """Of the exams so far, from the curve's height on the page."""
    points = page.locator(".curve .now").get_attribute("points") or ""
    return [-float(point.split(",")[1]) for point in points.split()]


def test_a_policy_learns_in_the_page(browser: Browser, address: str, tmp_path: Path) -> None:
    """CartPole until it balances; its file; and a link, by which another page learns the same weights."""
    asked: list[str] = []
    page, faults = opened(browser, address + "cartpole.html")
    page.on("request", lambda request: asked.append(request.url))
    assert page.locator(".learning").count() == 0
    page.get_by_text("Learn it here").click()
    expect(page.locator(".lesson li")).to_have_count(4)
    page.get_by_text("Settings").click()
    page.locator("#learn-seed").fill("3")
    page.locator("#learn-seed").press("Enter")
    page.get_by_role("button", name="Start learning").click()
    expect(page.locator(".learning .score.big b")).to_have_text(re.compile(r"^(4[5-9]\d|500)"), timeout=60_000)
    page.locator(".learning").get_by_role("button", name="Pause").click()
    expect(page.locator(".seal")).to_contain_text("Weights", timeout=10_000)
    curve = scores(page)
    assert len(curve) >= 2 and curve[-1] > curve[0]
    expect(page.locator("minnow-demo .chip")).to_contain_text("The policy plays")
    assert any("learn-worker" in url for url in asked)

    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download .minnow").click()
    waiting.value.save_as(tmp_path / "mine.minnow")
    meta = format.read(tmp_path / "mine.minnow").meta
    assert meta["environment"] == "cartpole" and meta["seed"] == 3
    page.get_by_role("button", name="Compare on this seed").click()
    expect(page.locator(".learning .thoughts .figure")).to_have_count(2, timeout=20_000)

    page.get_by_role("button", name="Share as a link").click()
    link = page.get_by_label("The link").input_value()
    digest = page.locator(".seal").get_attribute("data-hash") or ""
    assert f"hash={digest[:16]}" in link
    page.close()
    page, more = opened(browser, link)
    expect(page.locator(".seal")).to_contain_text("promises")
    page.get_by_role("button", name="Start learning").click()
    expect(page.locator(".seal.good")).to_contain_text(digest[:16], timeout=60_000)
    page.close()
    assert faults + more == []


def test_learning_in_a_page_is_measured(browser: Browser, address: str) -> None:
    watched = browser.new_page(service_workers="block")
    watched.add_init_script(measure.LISTEN)
    watched.goto(address + "cartpole.html")
    row = measure.learned(watched, 4, 300.0, measure.Options("cartpole", seconds=60))
    watched.close()
    assert 0 < row["seconds"] < 60 and row["best"] >= 300 and row["steps"] > 0


@contextlib.contextmanager
def watched(page: Page) -> Iterator[list[float]]:
    """Receives at the end how long each task of the page's thread took of a processor, ms, whatever else the machine
    does."""
    took: list[float] = []
    session = page.context.new_cdp_session(page)
    events: list[dict[str, Any]] = []
    complete: list[bool] = []
    session.on("Tracing.dataCollected", lambda data: events.extend(data["value"]))
    session.on("Tracing.tracingComplete", lambda _: complete.append(True))
    wanted = ["toplevel", "devtools.timeline", "disabled-by-default-devtools.timeline", "__metadata"]
    session.send("Tracing.start", {"transferMode": "ReportEvents", "traceConfig": {"includedCategories": wanted}})
    yield took
    session.send("Tracing.end")
    while not complete:
        page.wait_for_timeout(100)
    names = {(one["pid"], one["tid"]): one["args"]["name"] for one in events if one["name"] == "thread_name"}
    for one in events:
        if names.get((one["pid"], one["tid"])) == "CrRendererMain" and one["name"].endswith("RunTask"):
            took.append(one.get("tdur", 0) / 1000)


@pytest.mark.full
def test_pong_is_learned_in_the_page(browser: Browser, address: str) -> None:
    """From zero past +15; no task of the page's own takes 50 ms meanwhile."""
    page, faults = opened(browser, address + "pong.html")
    page.get_by_text("Learn it here").click()
    start = page.get_by_role("button", name="Start learning")
    start.wait_for()
    with watched(page) as took:
        start.click()
        page.wait_for_timeout(5000)
    assert len(took) > 100 and max(took) < 50
    expect(page.locator(".learning .score.big b")).to_have_text(re.compile(r"^(1[5-9]|2[01])"), timeout=240_000)
    curve = scores(page)
    assert curve[-1] > curve[0]
    page.keyboard.press("ArrowUp")
    expect(page.locator("minnow-demo .chip")).to_contain_text("You play")
    page.close()
    assert faults == []


@pytest.mark.full
def test_memory_does_not_grow(browser: Browser, address: str) -> None:
    """Over ten trainings, in the page and of workers."""
    page, faults = opened(browser, address + "cartpole.html")
    page.get_by_text("Learn it here").click()
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    used = []
    for _ in range(10):
        page.get_by_role("button", name="Start learning").click()
        expect(page.locator(".curve .now")).to_be_attached(timeout=60_000)
        expect(page.locator(".learning")).to_contain_text("a second")
        page.locator(".learning").get_by_role("button", name="Reset").click()
        session.send("HeapProfiler.collectGarbage")
        metrics = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
        used.append((metrics.get("JSHeapUsedSize", 0), len(page.workers)))
    assert max(workers for _, workers in used) <= 1
    assert used[-1][0] < 1.3 * used[1][0] + 1e6, used
    page.close()
    assert faults == []
