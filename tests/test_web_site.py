"""The site generator and the servers, without a browser."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from each import few
from sure import sure

import minnow.envs
from minnow.cinfer import compile
from minnow.cinfer.errors import MinnowError
from minnow.cli.main import main
from minnow.web import check, compress, server, site
from minnow.web.game import wasm

CLI = [sys.executable, "-m", "minnow.cli.main"]


SHOWN = ("cartpole", "pong", "reach")  # of a demo four modules are compiled


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site without any policy."""
    out = tmp_path_factory.mktemp("plain") / "site"
    nothing = tmp_path_factory.mktemp("runs")
    site.build(out, [site.Demo(env, None) for env in SHOWN])
    assert not any(nothing.iterdir())
    return out


def test_every_file_is_fingerprinted_and_listed(plain: Path) -> None:
    manifest = json.loads((plain / "manifest.json").read_text())
    files = {str(path.relative_to(plain)) for path in plain.rglob("*") if path.is_file()}
    own = {*manifest["files"], "manifest.json", "sw.js"}
    forms = {name for name in files - own if name.rpartition(".")[0] in own and name.endswith((".gz", ".br"))}
    assert files == own | forms
    for name in own:
        if name.startswith("assets/"):
            stem = name.rsplit(".", 1)[0]
            digest = __import__("hashlib").sha256((plain / name).read_bytes()).hexdigest()
            assert stem.endswith(digest[:10])
    assert set(manifest["demos"]) == set(SHOWN)


def test_building_twice_gives_the_same_site(plain: Path, tmp_path: Path) -> None:
    site.build(tmp_path / "again", [site.Demo(env, None) for env in SHOWN])
    for path in plain.rglob("*"):
        if path.is_file():
            assert (tmp_path / "again" / path.relative_to(plain)).read_bytes() == path.read_bytes()


def test_no_page_names_another_host(plain: Path) -> None:
    for path in plain.rglob("*"):
        if path.suffix in (".html", ".js", ".css", ".svg"):
            text = re.sub(r"http://www\.w3\.org/(2000/svg|1999/xhtml)", "", path.read_text())
            assert "http://" not in text and "https://" not in text, path


@few
def test_wasm_is_small_and_stands_alone(name: str) -> None:
    module = wasm(name)
    assert compile.wasm_imports(module.read_bytes()) == []
    limit = check.WASM_LIMIT_3D if minnow.envs.spec(name).three_d else check.WASM_LIMIT
    assert compress.compressed(module) <= limit


def test_check(plain: Path, tmp_path: Path) -> None:
    done = subprocess.run([*CLI, "site", "check", str(plain), "--json", "--no-browser"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    pages = {row["page"]: row for row in json.loads(done.stdout)["pages"]}
    own = {"index.html", "about.html", "lessons.html"}
    assert set(pages) == own | {f"{env}.html" for env in SHOWN}
    for row in pages.values():
        assert set(row) == {"page", "env", "gzip_bytes", "policy_gzip_bytes", "three_d", "faults"}
        assert row["faults"] == [] and 0 < row["gzip_bytes"] <= (250 * 1024 if row["three_d"] else check.PAGE_LIMIT)
    shutil.copytree(plain, tmp_path / "site")
    next((tmp_path / "site" / "assets").glob("pong-*.wasm")).unlink()
    page = tmp_path / "site" / "cartpole.html"
    page.write_text(page.read_text().replace('href="./"', 'href="https://example.org/"'))
    command = [*CLI, "site", "check", str(tmp_path / "site"), "--json", "--no-browser"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    faults = {row["page"]: " ".join(row["faults"]) for row in json.loads(done.stdout)["pages"]}
    assert "missing" in faults["pong.html"] and "not a relative link" in faults["cartpole.html"]


@pytest.mark.full
def test_a_site_of_all_has_no_faults(tmp_path: Path) -> None:
    """With the policies that the repository ships."""
    site.build(tmp_path / "site", site.demos({}, tmp_path / "none"))
    rows = check.check(tmp_path / "site")
    assert {*minnow.envs.names()} <= {row["env"] for row in rows} and not any(row["faults"] for row in rows)


def _spoil(site: Path, pattern: str, change: Callable[[bytes], bytes]) -> None:
    (path,) = site.glob(pattern)
    path.write_bytes(change(path.read_bytes()))


@pytest.mark.parametrize(
    ("pattern", "change", "words"),
    [
        ("assets/demo-*.js", lambda data: data + os.urandom(check.ELEMENT_LIMIT), "the element takes"),
        ("assets/demo-*.js", lambda data: data + os.urandom(check.PAGE_LIMIT), "the page takes"),
        ("assets/pong-??????????.wasm", lambda data: data + os.urandom(check.WASM_LIMIT), "the .wasm takes"),
        ("assets/gallery-*.js", lambda data: data + b'fetch("https://example.org/x.js")', "names another host"),
        ("assets/gallery-*.js.gz", lambda data: data[:-9], "does not hold"),
        ("about.html", lambda data: data.replace(b"LICENSE.txt", b"LICENCE.txt"), "LICENCE.txt is missing"),
        ("manifest.json", lambda data: data.replace(b"LICENSE.txt", b"LICENCE.txt"), "on which terms Minnow"),
    ],
)
def test_check_sees(plain: Path, tmp_path: Path, pattern: str, change: Callable, words: str) -> None:
    shutil.copytree(plain, tmp_path / "site")
    _spoil(tmp_path / "site", pattern, change)
    faults = [fault for row in check.check(tmp_path / "site") for fault in row["faults"]]
    assert any(words in fault for fault in faults), faults


def test_forms_are_what_their_files_are(plain: Path) -> None:
    """And are what a visitor gets who takes them."""
    manifest = json.loads((plain / "manifest.json").read_text())
    script = next(name for name in manifest["files"] if name.startswith("assets/demo-"))
    client = server.built(plain).test_client()
    whole = client.get("/" + script)
    assert "Content-Encoding" not in whole.headers
    packed = client.get("/" + script, headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip" and gzip.decompress(packed.data) == whole.data
    assert packed.headers["Content-Type"] == whole.headers["Content-Type"]
    short = client.get("/" + script, headers={"Accept-Encoding": "gzip, br"})
    assert short.headers["Content-Encoding"] == "br" and len(short.data) < len(packed.data)


def test_tags_come_from_what_is_declared() -> None:
    found = {env: site.Demo(env, site.shipped_policy(env)).tags for env in ("pong", "snake", "maze", "reach", "2048")}
    assert "multi-agent" in found["pong"] and "memory" not in found["pong"]
    assert {"multi-agent", "self-play"} <= {*found["snake"]}
    assert "memory" in found["maze"] and "robotics" in found["reach"] and "board" in found["2048"]
    for tags in found.values():
        assert [tag for tag in site.TAGS if tag in tags] == tags


def test_an_address_makes_whole_links(tmp_path: Path) -> None:
    address = "https://example.org/demos/"
    site.build(tmp_path / "site", [site.Demo("pong", None)], url=address)
    page = (tmp_path / "site" / "pong.html").read_text()
    assert f'rel="canonical" href="{address}pong.html"' in page
    (card,) = (tmp_path / "site" / "assets").glob("pong-card-*.png")
    assert f'property="og:image" content="{address}assets/{card.name}"' in page
    assert card.read_bytes()[16:24] == struct.pack(">II", 1200, 630)
    places = re.findall("<loc>(.*)</loc>", (tmp_path / "site" / "sitemap.xml").read_text())
    assert places == [address, f"{address}about.html", f"{address}pong.html"]
    assert not any(row["faults"] for row in check.check(tmp_path / "site"))


def test_a_page_of_the_sites_own_name_is_refused(tmp_path: Path) -> None:
    assert main(["new", "about", "--into", str(tmp_path)]) == 0
    with pytest.raises(MinnowError, match="Rename the game"):
        site.demos({}, tmp_path, [tmp_path / "about"])


def test_only_a_site_is_replaced(tmp_path: Path) -> None:
    precious = tmp_path / "thesis"
    precious.mkdir()
    (precious / "thesis.tex").write_text("years of work")
    with pytest.raises(MinnowError, match="is not a site"):
        site.build(precious, [])
    assert (precious / "thesis.tex").read_text() == "years of work"
    empty = tmp_path / "empty"
    empty.mkdir()
    site.build(empty, [site.Demo("pong", None)])
    site.build(empty, [site.Demo("pong", None)])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "thesis"]


def test_a_failed_build_leaves_the_old_site(plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(plain, tmp_path / "site")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(MinnowError, match="apt-get install esbuild"):
        site.build(tmp_path / "site", [site.Demo("pong", None)])
    assert check.check(tmp_path / "site") == check.check(plain)
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


@pytest.mark.parametrize(
    ("policies", "words"),
    [
        (("pung=x",), "did you mean pong"),
        (("pong",), "ENVIRONMENT=FILE"),
        (("pong=nowhere.minnow",), "is not there"),
    ],
)
def test_policies_that_cannot_be_shown(policies: tuple[str, ...], words: str, tmp_path: Path) -> None:
    options = [part for policy in policies for part in ("--policy", policy)]
    command = [*CLI, "site", "build", "-o", str(tmp_path / "site"), *options]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and words in done.stderr
    assert not (tmp_path / "site").exists()


def test_a_refused_policy_stops_the_build_with_its_number(tmp_path: Path) -> None:
    (tmp_path / "bad.minnow").write_bytes(b"PK\x03\x04" + bytes(500))
    with pytest.raises(MinnowError, match="bad") as refused:
        site.build(tmp_path / "site", [site.Demo("pong", tmp_path / "bad.minnow")])
    assert refused.value.number
    assert not (tmp_path / "site").exists()


def test_the_newest_run_is_shown(tmp_path: Path) -> None:
    """Else the shipped policy, else none."""
    shipped = tmp_path / "shipped"
    shipped.mkdir()
    (shipped / "pong.minnow").touch()
    assert site.newest_policy("pong", tmp_path, tmp_path / "none") is None
    assert site.newest_policy("pong", tmp_path, shipped) == shipped / "pong.minnow"
    for age, run in enumerate(("new", "old")):
        path = tmp_path / "pong" / run / "policy.minnow"
        path.parent.mkdir(parents=True)
        path.touch()
        os.utime(path, (1e9 - age, 1e9 - age))
    assert site.newest_policy("pong", tmp_path, shipped) == tmp_path / "pong" / "new" / "policy.minnow"


def test_types_caching_and_no_way_out(plain: Path) -> None:
    client = server.built(plain).test_client()
    manifest = json.loads((plain / "manifest.json").read_text())
    wasm = client.get("/" + manifest["demos"]["pong"]["wasm"])
    assert wasm.headers["Content-Type"] == "application/wasm"
    assert "immutable" in wasm.headers["Cache-Control"]
    (script,) = (name for name in manifest["files"] if name.startswith("assets/demo-"))
    assert client.get("/" + script).headers["Content-Type"].startswith("text/javascript")
    index = client.get("/")
    assert index.headers["Cache-Control"] == "no-cache" and b"<title>" in index.data
    (plain.parent / "secret.json").write_text("{}")
    for path in (
        "/../secret.json",
        "/%2e%2e/secret.json",
        "/assets/../../secret.json",
        "//etc/passwd",
        "/nothing.html",
    ):
        assert client.get(path).status_code == 404, path


def test_developing_serves_the_sources(tmp_path: Path) -> None:
    client = server.developing(lambda: site.demos({}, tmp_path, ["pong"]), tmp_path).test_client()
    page = client.get("/pong.html").text
    assert 'src="player/demo.js"' in page and 'src="site/live.js"' in page
    manifest: Any = client.get("/manifest.json").json
    assert client.get("/player/demo.js").data == (site.HERE / "player" / "demo.js").read_bytes()
    assert client.get("/" + manifest["demos"]["pong"]["wasm"]).data[:4] == b"\0asm"
    assert sure(client.get("/" + manifest["demos"]["pong"]["spec"]).json)["name"] == "pong"
    for path in ("/player/../game.py", "/site/../game.py", "/game.py", "/made/core.py"):
        assert client.get(path).status_code == 404, path


def test_developing_sees_what_a_changed_game_declares(tmp_path: Path) -> None:
    """A game that lies elsewhere, while its C file is written."""
    assert main(["new", "fruit", "--into", str(tmp_path)]) == 0
    source, seen = tmp_path / "fruit" / "fruit.c", []
    shop = server.Workshop(lambda: seen.append(minnow.envs.spec(source).description) or [], tmp_path / "runs")
    source.write_text(source.read_text().replace("Fruit falls; catch", "Apples fall; catch"))
    shop.rebuild()
    assert [words.split(";")[0] for words in seen] == ["Fruit falls", "Apples fall"]


def test_developing_rebuilds_when_a_policy_appears(tmp_path: Path) -> None:
    calls = []
    shop = server.Workshop(lambda: calls.append(1) or site.demos({}, tmp_path, ["pong"]), tmp_path)
    events = shop.events()
    first = next(events)
    assert first.startswith("event: version")
    path = tmp_path / "pong" / "1" / "policy.minnow"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not a policy")
    second = next(events)
    assert second.startswith("event: fault") and "policy.minnow" in second
    path.unlink()
    third = next(events)
    assert third.startswith("event: version") and third != first
    assert len(calls) == 3


def test_a_busy_port_is_named_with_a_free_one(plain: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run([*CLI, "serve", str(plain), "--port", str(port)], capture_output=True, text=True)
    assert done.returncode == 1
    assert f"port {port} cannot be used" in done.stderr and "--port" in done.stderr
    for arguments in (["--port", "70000"], [str(plain.parent)]):
        done = subprocess.run([*CLI, "serve", *arguments], capture_output=True, text=True)
        assert done.returncode == 1 and done.stderr.startswith("minnow: error:")


def test_ctrl_c_ends_the_server(plain: Path) -> None:
    command = [*CLI, "serve", str(plain), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stderr
        line = process.stdout.readline()
        address = next(word for word in line.split() if word.startswith("http://127.0.0.1:"))
        with urllib.request.urlopen(address + "pong.html") as answer:
            assert b"minnow-demo" in answer.read()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 0
        assert process.stderr.read() == "stopped\n"
