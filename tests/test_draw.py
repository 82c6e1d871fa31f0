"""Draw lists: one of every kind, by every renderer; some that break the contract; what is picked, and gestures."""

from __future__ import annotations

import base64
import io
import json
import math
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from visits import Host, demo

from minnow import envs
from minnow.cinfer.errors import MinnowError
from minnow.cli.play import Table
from minnow.envs import shapes, solids, window
from minnow.envs.find import OURS
from minnow.envs.raster import Raster
from minnow.envs.spec import ffi
from minnow.web import picture, server, site

GALLERY = Path(__file__).resolve().parent / "games" / "gallery"
SIZE, WORLD = (640, 480), (16.0, 12.0)
FLAT, PART, SPACE = 0, 1, 2  # scenes
TURNED, DISC, BAR, FLAG, FIELD, BALL = range(1, 7)  # ids
POKE, MOVE, PUSH = 16, 17, 18  # gestures
FAULTS = ["58 shapes, but declares 24 at most", "at most 15 bytes", "a shape of kind 99", "tiles of 0 rows"]


def listed(scene: int, fault: int = 0) -> list[shapes.Shape]:
    vector = envs.Vector(GALLERY, 1, seed=1, params={"scene": scene, "fault": fault})
    vector.reset(vector.buffers())
    return vector.draw(0)


def pixels(png: bytes) -> np.ndarray:
    """[height][width][3]."""
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(float)


def test_every_kind_is_known() -> None:
    """abi.h is the one source: what it lists has a class, and a page is told of it."""
    header = re.sub(r"/\*.*?\*/", "", (OURS / "abi.h").read_text(), flags=re.DOTALL)
    found = re.search(r"enum \{\s*ENV_RECT = [^}]*\}", header)
    assert found
    kinds = {number: name.lower() for name, number in re.findall(r"ENV_(\w+)\s*=\s*(\d+)", found[0])}
    assert shapes.layout()["kinds"] == kinds and len(kinds) == len(shapes.CLASSES)
    drawn = {type(shape) for scene in (FLAT, PART, SPACE) for shape in listed(scene)}
    assert drawn == {*shapes.CLASSES, shapes.Camera3}  # by the gallery


def test_a_list_is_read_as_it_was_written() -> None:
    (_, turned, *_, tiles, words, left, number) = listed(FLAT)
    assert isinstance(turned, shapes.Rect) and turned[:2] == (0xE4572EFF, TURNED)
    assert turned[2:] == pytest.approx((3, 3, 3.6, 2, 0.5, 0.5))
    assert isinstance(tiles, shapes.Tiles) and (tiles.rows, tiles.columns) == (4, 6)  # without the rest of each row
    assert tiles.cells == bytes((x + y) % 3 for y in range(4) for x in range(6))
    assert tiles.rgba()[0, :3].tolist() == [[0xF2, 0xC1, 0x4E, 0xFF], [0, 0, 0, 0], [0x4A, 0x7F, 0xC0, 0xFF]]
    assert [(t.text, t.align) for t in (words, left, number) if isinstance(t, shapes.Text)] == [
        ("Fish", 0),
        ("left", -1),
        ("-42", 1),
    ]
    space = listed(SPACE)
    ground = next(shape for shape in space if isinstance(shape, shapes.Ground3))
    assert ground[2:] == ((0, 0, 0), (2, 1.5), 0.5, 0x4A6076FF)


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """The gallery's page, with the player's modules as they are."""
    with Host(server.developing(lambda: [site.Demo(GALLERY, None)], tmp_path_factory.mktemp("runs"))) as host:
        yield host


@pytest.fixture
def page(browser: Browser, workshop: Host) -> Iterator[Page]:
    with browser.new_context(viewport={"width": 1200, "height": 850}) as context:
        page = context.new_page()
        page.goto(f"{workshop.address}gallery.html")
        page.evaluate("document.querySelector('minnow-demo').ready")
        demo(page, "demo.pause()")
        yield page


def turn(page: Page, scene: int, fault: int = 0) -> None:
    demo(page, "game.turn(0, args[0]); game.turn(1, args[1]); game.tick(); demo.store.changed()", scene, fault)


# A canvas of its own, of the size of the other pictures.
CANVAS = """
const { Canvas } = await import("/player/canvas.js"), { Space } = await import("/player/space.js");
const element = Object.assign(document.createElement("canvas"), { style: "width: 640px; height: 480px" });
document.body.append(element);
const picture = new Canvas(element, demo.spec, new Space(demo.spec, null));
picture.draw(game.draw(0, 4 / 3));
"""


def in_page(page: Page, script: str) -> Any:
    body = f"const demo = document.querySelector('minnow-demo'), game = demo.game; {CANVAS} {script}"
    return page.evaluate(f"(async () => {{ {body} }})()")


WINDOW = """
import json, pickle, sys
from minnow import envs
from minnow.envs.window import Pointer, Window
lists, spec = pickle.load(sys.stdin.buffer), envs.spec(sys.argv[1])
window = Window("gallery", 640, 480, (16.0, 12.0))
for i, shapes in enumerate(lists):
    window.draw(shapes, "")
    window.draw(shapes, "")
    window.rl.take_screenshot(f"{i}.png")
pointer, count = Pointer(spec, window), int(sys.argv[2])
window.draw(lists[0], "")
print("ready", flush=True)
end = window.rl.get_time() + 60
while count and window.rl.get_time() < end:
    if done := pointer.read():
        print(json.dumps(done), flush=True)
        count -= 1
    window.draw(lists[0], "")
window.close()
"""


def in_window(screen: str, folder: Path, lists: list[list[shapes.Shape]], count: int) -> subprocess.Popen[bytes]:
    import pickle

    around = os.environ | {"DISPLAY": screen, "LIBGL_ALWAYS_SOFTWARE": "1"}
    command = [sys.executable, "-c", WINDOW, str(GALLERY), str(count)]
    begun = subprocess.Popen(command, cwd=folder, env=around, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert begun.stdin
    begun.stdin.write(pickle.dumps(lists))
    begun.stdin.close()
    return begun


def test_all_renderers_draw_one_picture(page: Page, browser: Browser, screen: str, tmp_path: Path) -> None:
    """The same things at the same places in the same colours: the means of squares of 16 x 16 pixels. Letters differ in
    form, and are only held to be where they should be."""
    lists = [listed(scene) for scene in (FLAT, PART, SPACE)]
    done = in_window(screen, tmp_path, lists, 0)
    assert done.wait(60) == 0
    flat = browser.new_page(viewport={"width": SIZE[0], "height": SIZE[1]})
    first = np.zeros(0)
    for scene, shown in enumerate(lists):
        turn(page, scene)
        flat.set_content(f"<body style='margin: 0; background: #000'>{picture.drawn(shown, *WORLD)}</body>")
        flat.add_style_tag(content=f"svg {{ width: {SIZE[0]}px; height: {SIZE[1]}px }}")
        pictures = {
            "pygame": Raster(*SIZE, WORLD).draw(shown).astype(float),
            "raylib": pixels((tmp_path / f"{scene}.png").read_bytes())[: SIZE[1]],
            "canvas": pixels(base64.b64decode(in_page(page, "return element.toDataURL()").split(",")[1])),
            "svg": pixels(flat.screenshot()),
        }
        first = pictures["pygame"]
        for name, other in pictures.items():
            if folder := os.environ.get("MINNOW_PICTURES"):  # to look at
                Image.fromarray(other.astype(np.uint8)).save(f"{folder}/{scene}-{name}.png")
            assert other.shape == first.shape == (480, 640, 3), name
            apart = np.abs(other - first).mean(2).reshape(30, 16, 40, 16).mean((1, 3))
            if scene != SPACE:
                letters = (other[230:, 466:] if scene == FLAT else other[150:, 466:]).reshape(-1, 3)
                for color in ([255, 255, 255], [0x7B, 0xD3, 0x89], [0xF2, 0xC1, 0x4E]):
                    assert (np.abs(letters - color).max(1) < 60).sum() > 50, (name, scene, color)
                apart[:, 29:] *= np.arange(30)[:, None] < (14 if scene == FLAT else 9)
            most = 21 if (name, scene) == ("raylib", SPACE) else 12  # there what is round has faces
            assert apart.max() < most and apart.mean() < 1, (name, scene, apart.max(), apart.mean())
    flat.close()
    white = first[60, 60]  # the circle over what lies in space
    assert white.min() > 250


# The same in a canvas by three.js, as pixels [480][640][4]; `shot` waits until it is drawn so, or by flat faces.
STAGE = """
const { Stage } = await import("/made/stage.js");
const solid = Object.assign(document.createElement("canvas"), { style: "width: 640px; height: 480px" });
document.body.append(solid);
const space = new Space(demo.spec, Stage), seen = new Canvas(solid, demo.spec, space);
const shot = async (ready) => {
  let clear; // the canvas, where three.js draws below it
  do {
    await new Promise(requestAnimationFrame);
    seen.draw(game.draw(0, 4 / 3));
    clear = !seen.context.getImageData(2, 2, 1, 1).data[3];
  } while (clear !== ready);
  const copy = Object.assign(document.createElement("canvas"), { width: 640, height: 480 });
  const context = copy.getContext("2d");
  if (ready) context.drawImage(space.stage.element, 0, 0, 640, 480);
  context.drawImage(solid, 0, 0);
  return copy.toDataURL();
};
"""


def test_three_draws_what_flat_faces_show(page: Page) -> None:
    """Every solid of the gallery lies where flat faces show it, in its colour; a lost context is no loss; and without
    WebGL there are flat faces."""
    if site.stage() is None:
        pytest.skip("three.js cannot be had: npm or the network is missing")
    turn(page, SPACE)
    script = """
    const shots = [element.toDataURL(), await shot(true)];
    const lose = space.stage.renderer.getContext().getExtension("WEBGL_lose_context");
    lose.loseContext();
    shots.push(await shot(false));
    lose.restoreContext();
    shots.push(await shot(true));
    const kinds = Object.values(demo.spec.abi.kinds).filter((kind) => /3$|^light$/.test(kind));
    const unknown = [...kinds, "camera3"].filter((kind) => !Stage.prototype[kind]);
    const without = new Space(demo.spec, class { constructor() { throw new Error("no WebGL"); } });
    const eye = () => seen.shapes.find(({ kind }) => kind === "camera3").f.slice(0, 3);
    const eyes = [eye()];
    for (const code of ["ArrowLeft", "PageUp", "Home"]) {
      space.key({ shiftKey: true, code });
      seen.draw(game.draw(0, 4 / 3));
      eyes.push(eye());
    }
    WebGL2RenderingContext.prototype.getParameter = () => "Google SwiftShader"; // it draws by the processor
    await without.raise("/made/stage.js", document.body);
    return [shots, unknown, without.stage, eyes];
    """
    shots, unknown, without, eyes = in_page(page, STAGE + script)
    assert unknown == [] and without is None
    first, turned, nearer, home = (np.subtract(eye, (0, 0, 0.3)) for eye in eyes)  # from where the camera looks
    far = np.linalg.norm(first)
    assert np.linalg.norm(turned) == pytest.approx(far) and turned[2] == pytest.approx(first[2])
    assert math.dist(turned, first) > 0.1 and np.linalg.norm(nearer) < 0.95 * far and (home == first).all()
    flat, lit, lost, again = (pixels(base64.b64decode(shot.split(",")[1])) for shot in shots)
    assert np.array_equal(lost, flat) and np.abs(again - lit).mean() < 1 < np.abs(lit - flat).mean()
    squares = [shot.reshape(30, 16, 40, 16, 3).mean((1, 3)) for shot in (flat, lit)]
    there = squares[0].max(2) > 20  # not the background
    hues = [square[there] - square[there].mean(1, keepdims=True) for square in squares]
    hues = [hue / np.maximum(np.linalg.norm(hue, axis=1, keepdims=True), 1e-6) for hue in hues]
    assert there.sum() > 300 and ((hues[0] * hues[1]).sum(1) > 0.9).mean() > 0.9


@pytest.mark.parametrize("fault", range(1, 5))
def test_a_list_that_breaks_the_contract_is_refused_in_words(page: Page, fault: int) -> None:
    words = FAULTS[fault - 1]
    with pytest.raises(MinnowError, match=f"gallery draws .*{words}"):
        listed(FLAT, fault)
    table = Table(GALLERY, None, 1)
    assert len(table.seen()) > 5 and "gallery" not in table.words()
    table.turn(1, fault)
    table.tick()
    assert table.seen() == [] and re.search(words, table.words())
    turn(page, FLAT, fault)
    alert = page.locator("minnow-demo [role=alert]")
    expect(alert).to_contain_text(re.compile(words))
    expect(alert).to_contain_text("Gallery draws")
    turn(page, FLAT)
    page.get_by_role("button", name="Go on").click()
    page.wait_for_timeout(100)
    assert page.locator("minnow-demo [role=alert]").count() == 0


@pytest.mark.parametrize("scene", [FLAT, SPACE])
def test_what_lies_where(page: Page, scene: int) -> None:
    """Python and the page pick the same, at every place of a grid."""
    flat = solids.flatten(listed(scene), *WORLD)
    places = [(0.25 + 0.5 * i, 0.25 + 0.5 * j) for j in range(24) for i in range(32)]
    picked = [shapes.pick(flat, x, y) for x, y in places]
    assert set(picked) == ({0, TURNED, DISC, BAR, FLAG, FIELD} if scene == FLAT else {0, BALL})
    turn(page, scene)
    assert in_page(page, f"return {json.dumps(places)}.map(([x, y]) => picture.pick({{ x, y }}))") == picked
    if scene == FLAT:
        at = {(3, 3): TURNED, (4.5, 2.2): 0, (8, 4): DISC, (12.5, 3): BAR, (12.5, 3.8): 0, (3, 8): FLAG, (5, 10): 0}
        at |= {(6.8, 7.1): DISC * 0 + FIELD, (7.8, 7.1): 0, (7, 2): DISC, (0.1, 0.1): 0}  # a hole; under another shape
        assert {place: shapes.pick(flat, *place) for place in at} == at


def test_ends_of_drums_and_round_bodies_hide_each_other(page: Page) -> None:
    """A ring around a link shows its rim alone, a drum across it its end too, from wherever one looks; a link that
    comes past the eye is cut off."""
    script = """
    const { flatten } = await import("/player/solids.js"), half = Math.SQRT1_2, told = [];
    const solid = (kind, id, ...f) => {
      return { kind, id, color: "#808080ff", n: 0, text: "", tile: () => 0, f: Object.assign(Array(12).fill(0), f) };
    };
    for (const eye of [[0.3, -3, 1.5], [-2, -2, 0.4], [1, -2.5, 3], [2.5, -1.5, 2]]) {
      const link = solid("capsule3", 1, 0, 0, 0, 0, 0, 1, 0.1);
      const ring = solid("cylinder3", 2, 0, 0, 0.5, 0.103, 0.01, 1, 0, 0, 0);
      const drum = solid("cylinder3", 3, 0, 0, 0, 0.11, 0.12, half, half, 0, 0); // its axis is y
      const drawn = flatten([solid("camera3", 0, ...eye, 0, 0, 0.5, 0.6), link, ring, drum], 16, 12);
      told.push([...new Set(drawn.map(({ id, shade }) => `${id}${shade ? "" : " end"}`))]);
    }
    const past = solid("capsule3", 1, 0, 0, 0, 0, -9, 1, 0.1);
    const cut = flatten([solid("camera3", 0, 0.3, -3, 1.5, 0, 0, 0.5, 0.6), past], 16, 12);
    return [told, cut.map(({ n, f }) => n > 2 && f.every(Number.isFinite))];"""
    told, cut = in_page(page, script)
    for drawn in told:
        assert drawn.index("2 end") < drawn.index("1") < drawn.index("2"), drawn
        assert drawn.index("1") < drawn.index("3 end"), drawn
    assert cut and all(cut)


def test_gestures_say_what_they_use() -> None:
    spec = envs.spec(GALLERY)
    place, to = (3.0, 3.0, 0.0), (5.0, 2.5, 0.0)
    assert window.gestured(spec, False, DISC, place, place, 0.1) == (POKE, DISC, (3, 3, 0), (0, 0, 0), 0)
    assert window.gestured(spec, True, DISC, place, to, 0.1) == (PUSH, DISC, (3, 3, 0), (2, -0.5, 0), 0)
    assert window.gestured(spec, True, 0, place, to, 0.1) == (MOVE, 0, (3, 3, 0), (2, -0.5, 0), 0.1)
    assert window.gestured(spec, False, 0, place, place, 0.1) is None  # it uses a target


def test_places_in_space(page: Page) -> None:
    """Python and the page lead a pointer along one plane, through the body's middle; a body follows the pointer."""
    shown = listed(SPACE)
    turn(page, SPACE)
    places = [(2.0, 3.0), (8.0, 6.0), (12.0, 9.0)]
    for id in (0, BALL):
        found = solids.plane(shown, id, *WORLD)
        assert found and not solids.plane(listed(FLAT), id, *WORLD)
        there = [found(place) for place in places]
        script = f"""
        const plane = picture.space.plane(picture.shapes, {id});
        return {json.dumps(places)}.map(([x, y]) => plane({{ x, y }}));"""
        assert np.allclose(in_page(page, script), there, atol=1e-5)
    (ball,) = (shape for shape in shown if isinstance(shape, shapes.Sphere3))
    moved = ball._replace(centre=there[2])
    drawn = solids.flatten([moved if shape is ball else shape for shape in shown], *WORLD)
    assert shapes.pick(drawn, *places[2]) == BALL


def test_a_body_is_picked_and_dragged_in_the_window(screen: str, tmp_path: Path) -> None:
    running = in_window(screen, tmp_path, [listed(FLAT)], 3)
    assert running.stdout and running.stdout.readline() == b"ready\n"
    around = os.environ | {"DISPLAY": screen}

    def x(*words: object) -> str:
        done = subprocess.run(["xdotool", *map(str, words)], env=around, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    name = x("search", "--sync", "--name", "^gallery$").splitlines()[0]
    told = []
    for start, end in (((320, 130), (320, 130)), ((320, 150), (400, 110)), ((20, 460), (100, 460))):
        x("mousemove", "--window", name, *start, "sleep", 0.3, "mousedown", 1, "sleep", 0.3)
        x("mousemove", "--window", name, *end, "sleep", 0.3, "mouseup", 1)
        told.append(json.loads(running.stdout.readline()))
    assert running.wait(30) == 0
    click, drag, free = (window.Gestured(*each) for each in told)
    assert (click.kind, click.target, click.value) == (POKE, DISC, 0) and click.at == pytest.approx([8, 3.25, 0])
    assert (drag.kind, drag.target) == (PUSH, DISC) and drag.at == pytest.approx([8, 3.75, 0])
    assert drag.way == pytest.approx([2, -1, 0])
    assert (free.kind, free.target) == (MOVE, 0) and 0.3 < free.value < 10 and free.way == pytest.approx([2, 0, 0])


def test_a_body_is_picked_and_dragged_in_the_page(page: Page) -> None:
    box = page.locator("canvas").first.bounding_box()
    assert box

    def pixel(x: float, y: float) -> tuple[float, float]:
        return box["x"] + x / WORLD[0] * box["width"], box["y"] + y / WORLD[1] * box["height"]

    def line() -> list[float]:
        return demo(
            page,
            """
            game.tick();
            const { buffer, at, count } = game.draw(0, 4 / 3), { abi } = demo.spec;
            return [...new Float32Array(buffer, at + (count - 1) * abi.size + abi.at.f, 4)];
            """,
        )

    page.mouse.click(*pixel(8, 4))
    line()
    assert demo(page, "return game.score(0)") == DISC
    page.mouse.move(*pixel(3, 3))
    page.mouse.down()
    page.mouse.move(*pixel(5, 4), steps=3)
    page.mouse.up()
    assert line() == pytest.approx([3, 3, 5, 4], abs=0.05)
    assert demo(page, "return game.score(0)") == TURNED
    page.mouse.move(*pixel(1, 11))
    page.mouse.down()
    page.mouse.move(*pixel(2, 11), steps=3)
    page.mouse.up()
    assert line() == pytest.approx([1, 11, 2, 11], abs=0.05)
    assert demo(page, "return game.score(0)") == 0


PARTS = {"group": "EnvGroup", "head": "EnvHead", "param": "EnvParam", "control": "EnvControl", "gesture": "EnvGesture"}


def test_the_player_knows_the_specification() -> None:
    """The JSON has what abi.h declares, and the bar; what spec.js says has these names, and their kinds of values."""
    text = (site.HERE / "player" / "spec.js").read_text()
    whole = json.loads(site.Demo(GALLERY, None).json())

    def declared(struct: str) -> set[str]:
        return {name for name, _ in ffi().typeof(struct).fields}

    assert whole.keys() - {"abi", "source_hash", "bar"} == declared("EnvSpec") - {f"{part}s" for part in PARTS}
    for part, struct in PARTS.items():
        assert whole[part][0].keys() == declared(struct), part
    plain = {"number": (int, float), "string": str, "boolean": bool}
    found = re.search(r"@typedef \{object\} Spec\n(.*?)\n \*\n", text, re.DOTALL)
    assert found
    for kind, name in re.findall(r"@property \{(.+?)\} (\w+)", found[1]):
        assert name in whole, name
        if kind in plain:
            assert isinstance(whole[name], plain[kind]), name
    for part in ("Param", "Head", "Control", "Gesture"):
        known = re.search(rf"@typedef \{{\{{(.*)\}}\}} {part}\b", text)
        assert known and set(re.findall(r"(\w+):", known[1])) <= whole[part.lower()][0].keys(), part
