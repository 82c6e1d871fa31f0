"""The loopback servers: a built site as it is, or the sources with rebuild-and-reload."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Flask, Response, abort, request, send_from_directory
from werkzeug.security import safe_join
from werkzeug.serving import WSGIRequestHandler, make_server

import minnow.envs
from minnow.cinfer.errors import MinnowError
from minnow.envs.find import OURS
from minnow.web import compress, learn, site
from minnow.web.game import CINFER, wasm

HOST = "127.0.0.1"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
    ".minnow": "application/octet-stream",
    ".onnx": "application/octet-stream",
    ".png": "image/png",
    ".txt": "text/plain; charset=utf-8",
    ".xml": "application/xml",
}
POLL = 0.5  # s between two looks at the sources


def file_below(folder: Path, path: str) -> Response:
    """A file below a folder, with its type; 404 for what leads out of it or is of no known type."""
    kind = TYPES.get(Path(path).suffix)
    if kind is None:
        abort(404)
    response = send_from_directory(folder, path, mimetype=kind.split(";")[0])
    response.headers["Content-Type"] = kind
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def built(folder: Path) -> Flask:
    """Serves a site that `minnow site build` wrote."""
    site.read_manifest(folder)
    folder = folder.resolve()
    app = Flask("minnow", static_folder=None)

    @app.get("/")
    def index() -> Response:
        return file("index.html")

    @app.get("/<path:path>")
    def file(path: str) -> Response:
        response = file_below(folder, path)
        for suffix, coding in compress.FORMS.items():
            if request.accept_encodings.quality(coding) > 0 and (form := safe_join(str(folder), path + suffix)):
                if not Path(form).is_file():
                    continue
                kind = response.headers["Content-Type"]
                response = send_from_directory(folder, path + suffix)
                response.headers["Content-Type"], response.headers["Content-Encoding"] = kind, coding
                break
        response.headers["Vary"] = "Accept-Encoding"
        for_ever = path.startswith("assets/")  # the name holds the hash
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if for_ever else "no-cache"
        return response

    return app


class Workshop:
    """The site in memory while its sources change: rebuilt by a thread of its own, followed by open pages."""

    def __init__(self, find: Callable[[], list[site.Demo]], runs: Path) -> None:
        self.find, self.runs = find, runs
        self.version = 0
        self.fault: str | None = None
        self.places: list[Path] = []  # of the environments
        self.made: dict[str, bytes] = {}  # address: contents
        self.paths: dict[str, Path] = {}  # address: file
        self._changed = threading.Condition()
        self._seen: dict[str, int] = {}
        self.rebuild()
        threading.Thread(target=self._watch, daemon=True).start()

    def _stamp(self) -> dict[str, int]:
        folders = [site.HERE, CINFER, OURS, *self.places, *minnow.envs.folders()]
        paths = {path for folder in folders for pattern in ("*", "*/*") for path in folder.glob(pattern)}
        paths |= set(self.runs.glob("*/*/policy.minnow"))
        wanted = {".c", ".h", ".js", ".css", ".html", ".svg", ".toml", ".minnow"}
        return {str(path): path.stat().st_mtime_ns for path in paths if path.suffix in wanted and path.is_file()}

    def _watch(self) -> None:
        while True:
            time.sleep(POLL)
            try:
                stamp = self._stamp()
            except OSError:  # a file went away between being found and being looked at
                continue
            if stamp != self._seen:
                self._seen = stamp
                self.rebuild()

    def rebuild(self) -> None:
        """Compiles what changed. What does not build leaves the former version standing, and is shown."""
        minnow.envs.forget()
        made: dict[str, bytes] = {}
        paths: dict[str, Path] = {}
        try:
            demos = self.find()
            self.places = [minnow.envs.folder(demo.place) for demo in demos]
            self._seen = self._seen or self._stamp()
            for demo in demos:
                made[f"{demo.env}.json"] = demo.json()
                made[f"{demo.env}.svg"] = demo.svg().encode()
                paths[f"{demo.env}.wasm"] = demo.wasm
                if demo.policy:
                    paths[f"{demo.env}.minnow"] = demo.policy
                if demo.onnx:
                    paths[f"{demo.env}.onnx"] = demo.onnx
                paths |= {f"{demo.env}-{steps}.minnow": path for steps, path in demo.stages.items()}
                if demo.learns:
                    wanted = ("../player/learn/worker.js", f"{demo.env}-learn.wasm")
                    made[f"{demo.env}-learn.json"] = demo.kit(*wanted)
            made["page.css"] = site.sheet(demos).encode()
            here = {name: f"made/{name}" for name in (*made, *paths, *(f"{demo.env}-whole.wasm" for demo in demos))}
            here |= {name: f"site/{name}" for name in ("live.js", "gallery.js", "icon.svg")} | {
                "demo.js": "player/demo.js",
                "space.js": "player/space.js",
                "stage.js": "made/stage.js",
            }
            here |= {f"{name}.js": path for name, path in site.parts().items()}
            for name, text in site.pages(demos, here, "live.js").items():
                made[name] = text.encode()
            made[site.MANIFEST] = json.dumps(
                {"demos": site.manifest_of(demos, here), "parts": site.parts_of(here)}
            ).encode()
            fault = None
        except MinnowError as error:
            fault = str(error)
        with self._changed:
            self.fault = fault
            if fault is None:
                self.made, self.paths = made, paths
                self.version = time.time_ns()
            self._changed.notify_all()

    def events(self) -> Iterator[str]:
        """Server-sent events: the version now and whenever it changes, faults, and a sign of life between."""
        while True:
            with self._changed:
                if self.fault:
                    yield f"event: fault\ndata: {json.dumps(self.fault)}\n\n"
                else:
                    yield f"event: version\ndata: {self.version}\n\n"
                self._changed.wait(timeout=15)


def developing(find: Callable[[], list[site.Demo]], runs: Path) -> Flask:
    """Serves the sources as they are; `find` lists the demos, anew at each change."""
    shop = Workshop(find, runs)
    if shop.fault:
        raise MinnowError(shop.fault)
    app = Flask("minnow", static_folder=None)

    @app.after_request
    def fresh(response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        return response

    @app.get("/events")
    def events() -> Response:
        return Response(shop.events(), mimetype="text/event-stream")

    @app.get("/")
    def index() -> Response:
        return made("index.html")

    @app.get("/player/<path:path>")
    def player(path: str) -> Response:
        return file_below(site.HERE / "player", path)

    @app.get("/site/<path:path>")
    def sources(path: str) -> Response:
        return file_below(site.HERE / "site", path)

    @app.get("/made/<name>")
    @app.get("/<name>")
    def made(name: str) -> Response:
        env, _, kind = name.rpartition("-")
        place = next((place for place in shop.places if place.name == env), None)
        if place and kind in ("whole.wasm", "learn.wasm"):
            found = wasm(place, whole=True) if kind == "whole.wasm" else learn.wasm(place)  # when it is wanted
            return file_below(found.parent, found.name)
        if name == "stage.js" and (drawn := site.stage()):
            return Response(drawn, content_type=TYPES[".js"])
        if name in shop.paths:
            return file_below(shop.paths[name].parent, shop.paths[name].name)
        if name not in shop.made:
            abort(404)
        return Response(shop.made[name], content_type=TYPES[Path(name).suffix])

    return app


class _Quiet(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


def _socket(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        with socket.socket() as other:
            other.bind((HOST, 0))
            free = other.getsockname()[1]
        raise MinnowError(
            f"port {port} cannot be used ({error.strerror}); port {free} is free: --port {free}"
        ) from None
    listener.listen()
    return listener


@contextmanager
def hosted(app: Flask) -> Iterator[str]:
    """The address at which an app answers meanwhile, by threads of its own."""
    host = make_server(HOST, 0, app, threaded=True, request_handler=_Quiet)
    threading.Thread(target=host.serve_forever, daemon=True).start()
    try:
        yield f"http://{HOST}:{host.server_port}/"
    finally:
        host.shutdown()
        host.server_close()


def serve(app: Flask, port: int, ready: Callable[[str], None]) -> None:
    """Serves on loopback until Ctrl-C, then returns. `ready` gets the address; port 0 takes a free one."""
    with _socket(port) as listener:
        address = f"http://{HOST}:{listener.getsockname()[1]}/"
        server: Any = make_server(HOST, port, app, threaded=True, request_handler=_Quiet, fd=listener.fileno())
        server.daemon_threads = True
        ready(address)
        try:
            server.serve_forever()
        finally:
            server.server_close()
