"""What must be true of a built site: its sizes, its links, its licence, and that its pages ask nobody else."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from minnow.web.compress import compressed
from minnow.web.site import LICENSE, read_manifest

# Bytes, gzip.
WASM_LIMIT = 17 * 1024  # of the module that a page begins with
WASM_LIMIT_3D = 32 * 1024  # likewise, of a game in space; of the arm with two cubes and its policy 30.5 KB
PAGE_LIMIT = 60 * 1024  # of all that a page loads before the game begins, without the policy
PAGE_LIMIT_3D = PAGE_LIMIT + WASM_LIMIT_3D - WASM_LIMIT  # likewise, of a game in space, three.js apart
POLICY_LIMIT = 320 * 1024
STAGE_LIMIT = 145 * 1024  # of the module that draws by three.js, on pages in space
ELEMENT_LIMIT = 45 * 1024  # of the player's own modules
TOTALS = {"pong": 85 * 1024}  # of a page with its policy

MARK = "Three.js Authors"  # what its scripts carry
LINK = re.compile(r'(?:src|href|manifest)="([^"#]*)"')
IMPORT = re.compile(r'(?:\bfrom|\bimport)\s*"\./([^"]+)"')  # of a bundled module, loaded with it
ELSEWHERE = re.compile(r"""https?:\\?/\\?/[^\s"'`<>)]+""")
NAMES = (
    "http://www.w3.org/",
    "https://www.w3.org/",
    "http://www.sitemaps.org/",
)  # of vocabularies, which nobody fetches


def check(site: Path) -> list[dict[str, Any]]:
    """For each page, in the form that `minnow site check --json` prints: sizes in bytes and what is wrong."""
    manifest = read_manifest(site)
    wrong = _files(site, manifest)
    return [_page(site, manifest, page, wrong) for page in sorted(manifest["files"]) if page.endswith(".html")]


def _files(site: Path, manifest: dict[str, Any]) -> list[str]:
    """What is wrong with the files, whichever page uses them."""
    faults = []
    for address, size in manifest["files"].items():
        file = site / address
        if not file.is_file():
            faults.append(f"{address} is missing")
            continue
        form = file.with_name(f"{file.name}.gz")
        if file.stat().st_size != size:
            faults.append(f"{address} is not what was built")
        elif form.is_file() and not _same(form, file):
            faults.append(f"{address}.gz does not hold what {address} does")
        if file.suffix in (".js", ".css", ".svg"):
            faults += [f"{address} names another host: {other}" for other in _elsewhere(_text(file))]
    terms = _text(site / LICENSE) if LICENSE in manifest["files"] and (site / LICENSE).is_file() else ""
    scripts = [address for address in manifest["files"] if address.endswith(".js") and (site / address).is_file()]
    for words, what in ((MARK, "three.js"), ("", "Minnow")):
        if (not words or any(words in _text(site / address) for address in scripts)) and what not in terms:
            faults.append(f"{LICENSE} does not say on which terms {what} may be copied")
    if (element := _size(site, _modules(site, {"minnow.js"}))) > ELEMENT_LIMIT:
        faults.append(f"the element takes {element} bytes gzip, more than {ELEMENT_LIMIT}")
    return faults


def _same(form: Path, file: Path) -> bool:
    try:
        return gzip.decompress(form.read_bytes()) == file.read_bytes()
    except (OSError, EOFError):
        return False


def _text(file: Path) -> str:
    """What a file says, damaged or not."""
    return file.read_text("utf-8", errors="replace")


def _elsewhere(text: str) -> list[str]:
    """Addresses of other hosts, without comments that are kept for their licence."""
    code = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    return [found for found in ELSEWHERE.findall(code) if not found.startswith(NAMES)]


def _modules(site: Path, addresses: Iterable[str]) -> set[str]:
    """Addresses with those of all modules that they import."""
    found: set[str] = set()
    waiting = list(addresses)
    while waiting:
        address = waiting.pop()
        if address in found or not (site / address).is_file():
            continue
        found.add(address)
        if address.endswith(".js"):
            folder = Path(address).parent
            waiting += [(folder / name).as_posix() for name in IMPORT.findall(_text(site / address))]
    return found


def _size(site: Path, addresses: Iterable[str]) -> int:
    return sum(compressed(site / address) for address in addresses if (site / address).is_file())


def _links(site: Path, page: str) -> tuple[set[str], list[str]]:
    """The files that a page names, and what is wrong with its links."""
    text = _text(site / page)
    own = re.search(r'<link rel="canonical" href="([^"]*)"', text)
    named, faults = set(), []
    for link in LINK.findall(text):
        path = link or "."
        if (own and link == own[1]) or path == "./":
            continue
        if re.match(r"[a-z]+:|/", path):
            faults.append(f"{path} is not a relative link")
        elif not (site / path).is_file():
            faults.append(f"{path} is missing")
        else:
            named.add(path)
    return named, faults


def _page(site: Path, manifest: dict[str, Any], page: str, wrong: list[str]) -> dict[str, Any]:
    row = {"page": page, "env": None, "gzip_bytes": 0, "policy_gzip_bytes": 0, "three_d": False}
    if not (site / page).is_file():
        return row | {"faults": [f"{page} is missing"]}
    env = page.removesuffix(".html")
    demo = manifest["demos"].get(env)
    named, faults = _links(site, page)
    loaded = _modules(site, {page, *(link for link in named if link.endswith((".js", ".css")))})
    policy = wasm = drawn = 0
    three_d = False
    if demo:
        loaded |= _modules(site, ["manifest.json", *filter(None, (demo["spec"], demo["wasm"], demo["space"]))])
        spec = site / demo["spec"]
        three_d = spec.is_file() and json.loads(spec.read_text("utf-8"))["three_d"]
        drawn = _size(site, filter(None, [demo["stage"]]))
        wasm, policy = _size(site, [demo["wasm"]]), _size(site, filter(None, [demo["policy"]]))
    total = _size(site, loaded)
    faults += [
        f"{what} {taken} bytes gzip, more than {most}"
        for what, taken, most in (
            ("the page takes", total, PAGE_LIMIT_3D if three_d else PAGE_LIMIT),
            ("three.js and what draws by it take", drawn, STAGE_LIMIT),
            ("the .wasm takes", wasm, WASM_LIMIT_3D if three_d else WASM_LIMIT),
            ("the policy takes", policy, POLICY_LIMIT),
            ("page and policy take", total + policy, TOTALS.get(env, PAGE_LIMIT_3D + POLICY_LIMIT)),
        )
        if taken > most
    ]
    return row | {
        "env": env if demo else None,
        "gzip_bytes": total + drawn,
        "policy_gzip_bytes": policy,
        "three_d": three_d,
        "faults": faults + wrong,
    }
