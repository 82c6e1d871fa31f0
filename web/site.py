"""The static site generator: an index, one page an environment, every file with its hash in its name."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import jinja2

import minnow.envs
from minnow.cinfer.errors import MinnowError, unknown
from minnow.envs.shapes import layout
from minnow.train import config as configs
from minnow.web import learn, npm, picture
from minnow.web.game import wasm
from minnow.web.lessons import lessons
from minnow.web.shipped import POLICIES, run_place
from minnow.web.shipped import policy as shipped_policy

HERE = Path(__file__).resolve().parent
MANIFEST = "manifest.json"
GENERATOR = "minnow"
WASM_LIMIT = 17 * 1024  # bytes, gzip, of the module that a page begins with
WASM_LIMIT_3D = 30 * 1024  # likewise, of a game in space
PLAYER_LIMIT = 40 * 1024  # bytes, gzip, of a page's HTML, CSS and JavaScript, three.js apart
STAGE_LIMIT = 145 * 1024  # bytes, gzip, of the module that draws by three.js
THREE = (
    "three",
    "0.187.0",
    "sha512-Qiu7R+Cmh8CstZsY1uJOSWnVlfo7ZtNLV7mF8Jltk3LB3AtDu9cRZlcnRKkAk8Y4z6KKw35z7Y7Urd7jWY8etA==",
)
TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(HERE / "site"), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
)
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

    def wasm(self) -> Path:
        """A module that runs the policy."""
        return self._made(wasm)

    def whole(self) -> Path:
        """A module that runs any policy."""
        return wasm(self.place, whole=True)

    @property
    def learns(self) -> bool:
        """Whether the page can learn it."""
        return learn.suits(self.place)

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

    def svg(self) -> str:
        """A picture of the game."""
        return self._made(picture.svg)

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


def pages(demos: list[Demo], files: dict[str, str], script: str) -> dict[str, str]:
    """The HTML pages by name. `files` gives each source's address, `script` is the one that every page loads."""
    held = [lesson for lesson in lessons() if lesson.env in {demo.env for demo in demos}]
    common = {"demos": demos, "files": files, "script": script, "lessons": held}
    made = {"index.html": TEMPLATES.get_template("index.html").render(env=None, **common)}
    if held:
        made["lessons.html"] = TEMPLATES.get_template("lessons.html").render(env=None, **common)
    for demo in demos:
        made[f"{demo.env}.html"] = TEMPLATES.get_template("demo.html").render(env=demo.env, demo=demo, **common)
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


def _write(folder: Path, demos: list[Demo], progress: Progress) -> None:
    writer = Writer(folder)
    progress("bundling the player")
    writer.asset("demo.js", bundle(HERE / "player" / "demo.js"))
    if any(demo.spec.three_d for demo in demos):
        writer.asset("space.js", bundle(HERE / "player" / "space.js"))
        if drawn := stage(progress):
            writer.asset("stage.js", drawn)
    writer.asset("page.js", bundle(HERE / "site" / "page.js"))
    writer.asset("page.css", minify_css((HERE / "site" / "page.css").read_text("utf-8")))
    writer.asset("icon.svg", (HERE / "site" / "icon.svg").read_bytes())
    for name, path in parts().items():
        writer.asset(f"{name}.js", bundle(HERE / path))
    for demo in demos:
        progress(f"{demo.env}: compiling to WebAssembly, {demo.policy or 'no policy, the script plays'}")
        writer.asset(f"{demo.env}.wasm", demo.wasm().read_bytes())
        writer.asset(f"{demo.env}-whole.wasm", demo.whole().read_bytes())
        writer.asset(f"{demo.env}.json", demo.json())
        writer.asset(f"{demo.env}.svg", demo.svg().encode())
        if demo.policy:
            writer.asset(f"{demo.env}.minnow", demo.policy.read_bytes())
        if demo.onnx:
            writer.asset(f"{demo.env}.onnx", demo.onnx.read_bytes())
        for steps, path in demo.stages.items():
            writer.asset(f"{demo.env}-{steps}.minnow", path.read_bytes())
        if demo.learns:
            writer.asset(f"{demo.env}-learn.wasm", demo.learner().read_bytes())
            beside = [writer.files[name].split("/")[1] for name in ("learn-worker.js", f"{demo.env}-learn.wasm")]
            writer.asset(f"{demo.env}-learn.json", demo.kit(*beside))
    for name, text in pages(demos, writer.files, "page.js").items():
        writer.plain(name, text.encode())
    # An address that stays, for pages elsewhere that embed a demo.
    writer.plain("minnow.js", f'import "./{writer.files["demo.js"]}";\n'.encode())
    version = hashlib.sha256(
        b"".join((folder / address).read_bytes() for address in sorted(writer.sizes)) + bundle(HERE / "site" / "sw.js")
    ).hexdigest()[:16]
    writer.plain("sw.js", f"// {version}\n".encode() + bundle(HERE / "site" / "sw.js"))
    manifest = {
        "generator": GENERATOR,
        "version": version,
        "demos": manifest_of(demos, writer.files),
        "parts": parts_of(writer.files),
        "files": {address: size for address, size in sorted(writer.sizes.items()) if address != "sw.js"},
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", "utf-8")


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


def build(out: Path, demos: list[Demo], progress: Progress = lambda words: None) -> None:
    """Writes the site beside `out` and then puts it in its place, so that `out` is whole at every moment.

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
            _write(new, demos, progress)
            if out.exists():
                out.rename(old)
            new.rename(out)
    except OSError as error:
        raise MinnowError(f"the site could not be written to {out}: {error.strerror} ({error.filename})") from error


def compressed(path: Path) -> int:
    """Bytes of a file as a server sends it, gzip."""
    return len(gzip.compress(path.read_bytes(), 9, mtime=0))


def _links(site: Path, page: str) -> tuple[set[str], list[str]]:
    """The files that a page names, and what is wrong with its links."""
    text = (site / page).read_text("utf-8")
    named, faults = set(), []
    for link in re.findall(r'(?:src|href|manifest)="([^"#]*)"', text):
        path = link or "."
        if re.match(r"[a-z]+:|/", path):
            faults.append(f"{path} is not a relative link")
        elif path == "./":
            continue
        elif not (site / path).is_file():
            faults.append(f"{path} is missing")
        else:
            named.add(path)
    return named, faults


def check(site: Path) -> list[dict]:
    """For each page, in the form that `minnow site check --json` prints: sizes in bytes and what is wrong."""
    manifest = read_manifest(site)
    strangers = [
        f"{address} {'is missing' if not (site / address).is_file() else 'is not what was built'}"
        for address, size in manifest["files"].items()
        if not (site / address).is_file() or (site / address).stat().st_size != size
    ]
    rows = []
    for page in sorted(address for address in manifest["files"] if address.endswith(".html")):
        if not (site / page).is_file():
            rows.append({"page": page, "env": None, "gzip_bytes": 0, "policy_gzip_bytes": 0, "three_d": False})
            rows[-1]["faults"] = [f"{page} is missing"]
            continue
        env = page.removesuffix(".html")
        demo = manifest["demos"].get(env)
        named, faults = _links(site, page)
        loaded = {page, *(link for link in named if link.endswith((".js", ".css")))}
        player = sum(compressed(site / address) for address in loaded)
        wasm = policy = spec = drawn = 0
        three_d = False
        if demo and all(
            (site / demo[part]).is_file() for part in ("spec", "wasm", "policy", "space", "stage") if demo[part]
        ):
            three_d = json.loads((site / demo["spec"]).read_text("utf-8"))["three_d"]
            wasm, spec = compressed(site / demo["wasm"]), compressed(site / demo["spec"])
            policy = compressed(site / demo["policy"]) if demo["policy"] else 0
            player += compressed(site / demo["space"]) if demo["space"] else 0
            drawn = compressed(site / demo["stage"]) if demo["stage"] else 0
        if player > PLAYER_LIMIT:
            faults.append(f"the player takes {player} bytes gzip, more than {PLAYER_LIMIT}")
        if drawn > STAGE_LIMIT:
            faults.append(f"three.js and what draws by it take {drawn} bytes gzip, more than {STAGE_LIMIT}")
        limit = WASM_LIMIT_3D if three_d else WASM_LIMIT
        if wasm > limit:
            faults.append(f"the .wasm takes {wasm} bytes gzip, more than {limit}")
        rows.append(
            {
                "page": page,
                "env": env if demo else None,
                "gzip_bytes": player + drawn + wasm + spec,
                "policy_gzip_bytes": policy,
                "three_d": three_d,
                "faults": faults + strangers,
            }
        )
    return rows
