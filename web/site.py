"""The static site generator: a gallery, one page an environment, every file with its hash in its name."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

import jinja2

import minnow.envs
from minnow.cinfer.errors import MinnowError, unknown
from minnow.envs.shapes import Shape, layout
from minnow.export.format import read
from minnow.train import config as configs
from minnow.web import card, compress, learn, npm, picture
from minnow.web.game import wasm
from minnow.web.lessons import lessons
from minnow.web.shipped import POLICIES, run_place
from minnow.web.shipped import policy as shipped_policy

HERE = Path(__file__).resolve().parent
MANIFEST = "manifest.json"
GENERATOR = "minnow"
LICENSE = "LICENSE.txt"
COMPILERS = 2  # that run side by side
TAGS = ("multi-agent", "self-play", "memory", "robotics", "board", "learns here")  # of the gallery, in its order
OWN = ("index", "about", "lessons")  # pages that are no environment's
THREE = (
    "three",
    "0.187.0",
    "sha512-Qiu7R+Cmh8CstZsY1uJOSWnVlfo7ZtNLV7mF8Jltk3LB3AtDu9cRZlcnRKkAk8Y4z6KKw35z7Y7Urd7jWY8etA==",
)
TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(HERE / "site"), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
)
TEMPLATES.globals |= {"env": None, "page": "", "url": None, "lessons": ()}
Progress = Callable[[str], None]
T = TypeVar("T")


@dataclass(frozen=True)
class Demo:
    """What one environment's page is made of. `place`: its name, or its folder. `policy` None: the scripted player
    drives."""

    place: str | Path
    policy: Path | None

    @cached_property
    def spec(self) -> minnow.envs.Spec:
        return minnow.envs.spec(self.place)

    @property
    def env(self) -> str:
        return self.spec.name

    @property
    def title(self) -> str:
        return self.spec.title

    @property
    def description(self) -> str:
        return self.spec.description

    @property
    def stages(self) -> dict[int, Path]:
        """Policies of earlier stages of the training, by the steps it had taken: `minnow export --stages`."""
        folder = self.policy.with_suffix(".stages") if self.policy else None
        return {int(path.stem): path for path in sorted(folder.glob("*.minnow"), key=_steps)} if folder else {}

    @property
    def onnx(self) -> Path | None:
        """The policy's ONNX twin, where it lies beside the policy."""
        twin = self.policy.with_suffix(".onnx") if self.policy else None
        return twin if twin and twin.is_file() else None

    @property
    def kilobytes(self) -> int:
        return round(self.policy.stat().st_size / 1024) if self.policy else 0

    @property
    def aspect(self) -> float:
        """Width of the picture / its height."""
        return round(self.spec.view_width / self.spec.view_height, 4)

    @cached_property
    def tags(self) -> list[str]:
        """Those of TAGS that are true of the environment as it is declared, tuned, and played by the policy."""
        spec, tuned = self.spec, configs.defaults(self.place)
        file = self._made(lambda _, policy: read(policy) if policy else None)
        recorded = file.meta.get("config") if file else None
        rivals = recorded.get("selfplay", {}).get("on") if isinstance(recorded, dict) else tuned.selfplay.on
        true = {
            "multi-agent": spec.slots > 1,
            "self-play": spec.agents > 1 or bool(rivals),
            "memory": bool(file.graph.states) if file else tuned.policy.core != "mlp",
            "robotics": spec.three_d and spec.action_type == "box",
            "board": spec.masked and spec.action_type == "discrete" and not spec.lives,
            "learns here": self.learns,
        }
        return [tag for tag in TAGS if true[tag]]

    @cached_property
    def wasm(self) -> Path:
        """A module that runs the policy."""
        return self._made(wasm)

    @cached_property
    def whole(self) -> Path:
        """A module that runs any policy."""
        return wasm(self.place, whole=True)

    @property
    def learns(self) -> bool:
        """Whether the page can learn it."""
        return learn.suits(self.place)

    @cached_property
    def learner(self) -> Path:
        """A module that learns it."""
        return learn.wasm(self.place)

    def kit(self, worker: str, wasm: str) -> bytes:
        """What the panel for learning is made of; addresses are relative to where this lies."""
        return json.dumps(learn.kit(self.place) | {"worker": worker, "wasm": wasm}).encode()

    def json(self) -> bytes:
        """What the environment declares, its bar, and how its draw lists are read."""
        bar = configs.bar(self.place)
        told = {"abi": layout(), "bar": {"key": bar.key, "least": bar.least} if bar else None}
        return json.dumps(self.spec.to_json() | told, separators=(",", ":")).encode()

    @cached_property
    def shapes(self) -> list[Shape]:
        """The game as it looks after a moment."""
        return self._made(picture.moment)

    def svg(self) -> str:
        """A picture of the game."""
        return picture.drawn(self.shapes, self.spec.view_width, self.spec.view_height)

    def compile(self) -> None:
        """All modules that the page may load, and what plays the pictures: each is asked for once."""
        _ = self.wasm, self.whole, self.learner if self.learns else None, self.shapes

    def _made(self, make: Callable[[str | Path, bytes | None], T]) -> T:
        """A policy that does not fit the environment is refused here, with its number."""
        try:
            return make(self.place, self.policy.read_bytes() if self.policy else None)
        except MinnowError as error:
            if self.policy is None:
                raise
            raise MinnowError(f"{self.policy}: {error}", error.number) from None


def _steps(stage: Path) -> int:
    if not stage.stem.isdecimal():
        raise MinnowError(f"{stage} should be named after its steps, as `minnow export --stages` names it.")
    return int(stage.stem)


def newest_policy(env: str | Path, runs: Path, shipped: Path = POLICIES) -> Path | None:
    """The policy of the newest run of an environment, or the one it comes with, or None."""
    place = minnow.envs.folder(env)
    found = [path for path in runs.glob(f"{place.name}/*/policy.minnow") if _home(path, place) == place]
    found.sort(key=lambda path: path.stat().st_mtime)
    return found[-1] if found else shipped_policy(place, shipped)


def _home(policy: Path, default: Path | None) -> Path | None:
    """The folder of the environment of a run's policy; `default` where no run is recorded beside it, and None where
    the environment is gone."""
    try:
        return run_place(policy) or default
    except MinnowError:
        return None


def places(named: Iterable[str | Path], runs: Path) -> list[Path]:
    """The folders of the environments that a site shows: those that are named; without a name, those that names find
    and those of the runs. Raises MinnowError where two share a name, since each page has its environment's."""
    found = [minnow.envs.folder(env) for env in named]
    if not found:
        homes = [_home(path, None) for path in sorted(runs.glob("*/*/policy.minnow"))]
        found = [*minnow.envs.folders(), *filter(None, homes)]
    names: dict[str, Path] = {}
    for place in found:
        if place.name in OWN:
            raise MinnowError(
                f"{place} cannot have a page: the site's own is called {place.name}.html. Rename the game."
            )
        if names.setdefault(place.name, place) != place:
            raise MinnowError(
                f"a site has one page for each name, and {place.name} is both {names[place.name]} and {place}: name "
                "the environments to show, as in: minnow site build ./orchard"
            )
    return [names[name] for name in sorted(names)]


def demos(
    policies: dict[str, Path], runs: Path, named: Iterable[str | Path] = (), shipped: Path = POLICIES
) -> list[Demo]:
    """One demo for each of `places`. `policies`, by the environment's name or path, overrides what is found in `runs`,
    and that the policy which the environment comes with; `shipped` holds those of our own."""
    found = places(named, runs)
    known = [place.name for place in found]
    given = {minnow.envs.folder(env).name if os.sep in env else env: path for env, path in policies.items()}
    for env, path in given.items():
        if env not in known:
            raise unknown("environment of this site", env, known)
        if not path.is_file():
            raise MinnowError(f"the policy given for {env}, {path}, is not there; train one with `minnow train {env}`")
    return [Demo(place, given.get(place.name) or newest_policy(place, runs, shipped)) for place in found]


def pages(
    demos: list[Demo], files: dict[str, str], script: str, gallery: str = "gallery.js", url: str | None = None
) -> dict[str, str]:
    """The HTML pages by name. `files` gives each source's address; `script` is the one that every page loads, `gallery`
    that of the gallery; `url` is the site's own address, where it is known."""
    counts = {tag: sum(tag in demo.tags for demo in demos) for tag in TAGS}
    tags = {tag: count for tag, count in counts.items() if 0 < count < len(demos)}
    held = [lesson for lesson in lessons() if lesson.env in {demo.env for demo in demos}]
    common = {"demos": demos, "files": files, "script": script, "gallery": gallery, "tags": tags, "url": url}
    common |= {"lessons": held}
    own = [name for name in OWN if name != "lessons" or held]
    made = {f"{name}.html": TEMPLATES.get_template(f"{name}.html").render(**common) for name in own}
    for demo in demos:
        made[f"{demo.env}.html"] = TEMPLATES.get_template("demo.html").render(
            **common | {"env": demo.env, "demo": demo}
        )
    return made


def parts() -> dict[str, str]:
    """What a page loads when a panel is opened, relative to HERE: NAME is player/NAME/panel.js, NAME-worker its
    worker."""
    found = [*(HERE / "player").glob("*/panel.js"), *(HERE / "player").glob("*/worker.js")]
    names = {path.parent.name + "-worker" * (path.stem == "worker"): path for path in found}
    return {name: names[name].relative_to(HERE).as_posix() for name in sorted(names)}


def parts_of(files: dict[str, str]) -> dict[str, str]:
    """The parts of the manifest, which the player reads."""
    return {name: files[f"{name}.js"] for name in parts()}


def manifest_of(demos: Iterable[Demo], files: dict[str, str]) -> dict[str, dict[str, Any]]:
    """The demos' part of the manifest, which the player reads."""
    return {
        demo.env: {
            "spec": files[f"{demo.env}.json"],
            "wasm": files[f"{demo.env}.wasm"],
            "whole": files.get(f"{demo.env}-whole.wasm"),
            "policy": files[f"{demo.env}.minnow"] if demo.policy else None,
            "onnx": files.get(f"{demo.env}.onnx"),
            "space": files["space.js"] if demo.spec.three_d else None,
            "stage": files.get("stage.js") if demo.spec.three_d else None,
            "learn": files.get(f"{demo.env}-learn.json"),
            "stages": [{"steps": steps, "policy": files[f"{demo.env}-{steps}.minnow"]} for steps in demo.stages],
        }
        for demo in demos
    }


def bundle(source: Path, packages: Path | None = None) -> bytes:
    """A module with all that it imports, minified by esbuild; packages of npm from a folder `node_modules`."""
    program = shutil.which("esbuild")
    if program is None:
        raise MinnowError(
            "esbuild is not installed, and it bundles the page's modules: `apt-get install esbuild`; "
            "`minnow serve` works without it, from the sources as they are"
        )
    command = [program, str(source), "--bundle", "--minify", "--format=esm", "--target=es2022", "--charset=utf8"]
    around = os.environ | ({"NODE_PATH": str(packages)} if packages else {})
    done = subprocess.run(command, capture_output=True, env=around)
    if done.returncode:
        raise MinnowError(f"esbuild could not bundle {source}:\n{done.stderr.decode()}")
    return done.stdout


def stage(progress: Progress = lambda words: None) -> bytes | None:
    """The module that draws by three.js, which npm fetches. None, and told, where that cannot be had: pages draw flat
    faces then."""
    try:
        return bundle(HERE / "player" / "stage.js", npm.package(*THREE).parent)
    except MinnowError as error:
        progress(f"pages in space go without three.js and draw flat faces: {error}")
        return None


def sheet(demos: Iterable[Demo]) -> str:
    """The pages' style sheet, in which each demo has its shape, so that nothing moves when the game arrives."""
    shapes = [f'minnow-demo[env="{demo.env}"] {{ --aspect: {demo.aspect}; }}\n' for demo in demos]
    return (HERE / "site" / "page.css").read_text("utf-8") + "".join(shapes)


def minify_css(text: str) -> bytes:
    """Without comments and needless space; enough for a sheet that has no strings with spaces in a row."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    text = re.sub(r"\s+", " ", text)
    return re.sub(r" ?([{};,]) ?", r"\1", text).replace(";}", "}").encode()


class Writer:
    """Writes files into a folder, fingerprinted, and remembers them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: dict[str, str] = {}  # source name: address
        self.sizes: dict[str, int] = {}  # address: bytes
        (folder / "assets").mkdir()

    def asset(self, name: str, data: bytes) -> None:
        stem, suffix = name.rsplit(".", 1)
        address = f"assets/{stem}-{hashlib.sha256(data).hexdigest()[:10]}.{suffix}"
        self.files[name] = address
        self.plain(address, data)

    def plain(self, address: str, data: bytes) -> None:
        (self.folder / address).write_bytes(data)
        self.sizes[address] = len(data)


def _compile(demos: list[Demo], progress: Progress) -> None:
    """All modules, side by side: each compiler is a process of its own. What Python reads and keeps is read first, by
    this thread."""
    kinds = [" · ".join(demo.tags) for demo in demos]
    with ThreadPoolExecutor(COMPILERS) as pool:
        waiting = [pool.submit(demo.compile) for demo in demos]
        try:
            for demo, tags, done in zip(demos, kinds, waiting, strict=True):
                done.result()
                progress(f"{demo.env}: {tags or 'no kind'}, {demo.policy or 'no policy, the script plays'}")
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _shared(writer: Writer, demos: list[Demo], progress: Progress) -> None:
    """What all pages load."""
    player, own = HERE / "player", HERE / "site"
    writer.asset("demo.js", bundle(player / "demo.js"))
    if any(demo.spec.three_d for demo in demos):
        writer.asset("space.js", bundle(player / "space.js"))
        if drawn := stage(progress):
            writer.asset("stage.js", drawn)
    writer.asset("page.js", bundle(own / "page.js"))
    writer.asset("gallery.js", bundle(own / "gallery.js"))
    writer.asset("page.css", minify_css(sheet(demos)))
    writer.asset("icon.svg", (own / "icon.svg").read_bytes())
    for name, path in parts().items():
        writer.asset(f"{name}.js", bundle(HERE / path))


def _demo(writer: Writer, demo: Demo) -> None:
    """What one environment's page loads."""
    writer.asset(f"{demo.env}.wasm", demo.wasm.read_bytes())
    writer.asset(f"{demo.env}-whole.wasm", demo.whole.read_bytes())
    writer.asset(f"{demo.env}.json", demo.json())
    writer.asset(f"{demo.env}.svg", demo.svg().encode())
    if demo.policy:
        writer.asset(f"{demo.env}.minnow", demo.policy.read_bytes())
    if demo.onnx:
        writer.asset(f"{demo.env}.onnx", demo.onnx.read_bytes())
    for steps, path in demo.stages.items():
        writer.asset(f"{demo.env}-{steps}.minnow", path.read_bytes())
    if demo.learns:
        writer.asset(f"{demo.env}-learn.wasm", demo.learner.read_bytes())
        beside = [writer.files[name].split("/")[1] for name in ("learn-worker.js", f"{demo.env}-learn.wasm")]
        writer.asset(f"{demo.env}-learn.json", demo.kit(*beside))


def _cards(writer: Writer, demos: list[Demo], progress: Progress) -> None:
    """The pictures that other sites show beside a link to a page."""
    try:
        card.pygame()
    except MinnowError as error:
        progress(f"no pictures for links: {error}")
        return
    for demo in demos:
        writer.asset(f"{demo.env}-card.png", card.png(demo.spec, demo.shapes))
    writer.asset("index-card.png", card.sheet([(demo.spec, demo.shapes) for demo in demos]))


def _write(folder: Path, demos: list[Demo], url: str | None, progress: Progress) -> None:
    writer = Writer(folder)
    progress("bundling the player")  # first: what it lacks shows at once, and compiling takes minutes
    _shared(writer, demos, progress)
    _compile(demos, progress)
    progress("drawing pictures")
    for demo in demos:
        _demo(writer, demo)
    _cards(writer, demos, progress)
    writer.plain(LICENSE, licences("stage.js" in writer.files))
    made = pages(demos, writer.files | {LICENSE: LICENSE}, "page.js", url=url)
    for name, text in made.items():
        writer.plain(name, text.encode())
    if url:
        writer.plain("sitemap.xml", TEMPLATES.get_template("sitemap.xml").render(url=url, pages=made).encode())
    # An address that stays, for pages elsewhere that embed a demo.
    writer.plain("minnow.js", f'import "./{writer.files["demo.js"]}";\n'.encode())
    worker = bundle(HERE / "site" / "sw.js")
    version = hashlib.sha256(
        b"".join((folder / address).read_bytes() for address in sorted(writer.sizes)) + worker
    ).hexdigest()[:16]
    writer.plain("sw.js", f"// {version}\n".encode() + worker)
    manifest = {
        "generator": GENERATOR,
        "version": version,
        "demos": manifest_of(demos, writer.files),
        "parts": parts_of(writer.files),
        "files": {address: size for address, size in sorted(writer.sizes.items()) if address != "sw.js"},
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", "utf-8")


def licences(three: bool) -> bytes:
    """Under which terms what the site is made of may be used; `three`: three.js too."""
    own = HERE.parent / "LICENSE"
    if not own.is_file():  # not in a checkout
        kept = [file for file in metadata.files("minnow-rl") or () if file.name == "LICENSE"]
        own = next((Path(str(file.locate())) for file in kept), own)
    try:
        found = own.read_bytes()
    except OSError:
        raise MinnowError(f"the licence, {own}, is not where it was installed: install Minnow anew, with pip") from None
    if three:
        found += b"\n\nthree.js\n\n" + (npm.package(*THREE) / "LICENSE").read_bytes()
    return found


def read_manifest(site: Path) -> dict:
    """A built site's manifest; a MinnowError where there is none."""
    try:
        manifest = json.loads((site / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError):
        manifest = None
    if not isinstance(manifest, dict) or manifest.get("generator") != GENERATOR:
        raise MinnowError(
            f"{site} is not a site of ours (it has no {MANIFEST}); `minnow site build -o {site}` makes one"
        )
    return manifest


def build(out: Path, demos: list[Demo], progress: Progress = lambda words: None, *, url: str | None = None) -> None:
    """Writes the site beside `out` and then puts it in its place, so that `out` is whole at every moment. `url`: where
    it will be, with a slash at its end, for what needs whole addresses: the sitemap and the pictures of links.

    A folder that holds something other than a site is not touched."""
    out = out.absolute()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        try:
            read_manifest(out)
        except MinnowError:
            raise MinnowError(
                f"{out} exists and is not a site: give another place with -o, or remove it first"
            ) from None
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as work:
            new, old = Path(work, "new"), Path(work, "old")
            new.mkdir()
            _write(new, demos, url, progress)
            progress("compressing")
            compress.beside(new, out)
            if out.exists():
                out.rename(old)
            new.rename(out)
    except OSError as error:
        raise MinnowError(f"the site could not be written to {out}: {error.strerror} ({error.filename})") from error
