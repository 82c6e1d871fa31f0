"""The page on which a policy is watched while it trains: the newest checkpoint plays, its curves grow beside it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flask import Flask, Response, abort

from minnow.web import site
from minnow.web.server import TYPES, file_below

ALIVE = 15.0  # seconds between two signs of life on a quiet stream


class Feed:
    """What the page shows, filled by one thread and followed by any number of pages."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        self.policy: bytes | None = None
        self.name = ""
        self.version = 0
        self.state = "training"
        self._changed = threading.Condition()

    def add(self, lines: list[dict[str, Any]]) -> None:
        """Takes new lines of metrics; each holds `steps` and `seconds`."""
        with self._changed:
            self.lines += lines
            self._changed.notify_all()

    def show(self, policy: bytes, name: str) -> None:
        """Takes a newer policy file."""
        with self._changed:
            self.policy, self.name = policy, name
            self.version += 1
            self._changed.notify_all()

    def say(self, state: str) -> None:
        """Takes how the run stands, in words."""
        with self._changed:
            self.state = state
            self._changed.notify_all()

    def events(self) -> Iterator[str]:
        """Server-sent events from the beginning: `metrics` (a list of lines), `policy` (its name), `state`."""
        sent, version, state = 0, 0, ""
        while True:
            with self._changed:
                if (sent, version, state) == (len(self.lines), self.version, self.state):
                    self._changed.wait(ALIVE)
                news, sent = self.lines[sent:], len(self.lines)
                policy = self.name if self.version != version else None
                words = self.state if self.state != state else None
                version, state = self.version, self.state
            if news:
                yield f"event: metrics\ndata: {json.dumps(news)}\n\n"
            if policy is not None:
                yield f"event: policy\ndata: {json.dumps(policy)}\n\n"
            if words is not None:
                yield f"event: state\ndata: {json.dumps(words)}\n\n"
            if not news and policy is None and words is None:
                yield ": alive\n\n"


def watching(place: str | Path, feed: Feed) -> Flask:
    """The page of one run of an environment, by its name or folder."""
    demo = site.Demo(place, None)
    env = demo.env
    files = {
        f"{env}.wasm": "made/game.wasm",
        f"{env}.json": "made/game.json",
        "demo.js": "player/demo.js",
        "space.js": "player/space.js",
        "page.css": "site/page.css",
        "icon.svg": "site/icon.svg",
        "watch.js": "site/watch.js",
    } | {f"{name}.js": path for name, path in site.parts().items()}
    stage = site.stage() if demo.spec.three_d else None
    if stage:
        files["stage.js"] = "made/stage.js"
    template = site.TEMPLATES.get_template("watch.html")
    page = template.render(env=env, demo=demo, demos=[], files=files, script="watch.js")
    made = {
        "index.html": page.encode(),
        "manifest.json": json.dumps({"demos": site.manifest_of([demo], files), "parts": site.parts_of(files)}).encode(),
        "game.json": demo.json(),
        "game.wasm": demo.whole.read_bytes(),
    }
    if stage:
        made["stage.js"] = stage
    app = Flask("minnow", static_folder=None)

    @app.after_request
    def fresh(response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        return response

    @app.get("/")
    def index() -> Response:
        return file("index.html")

    @app.get("/events")
    def events() -> Response:
        return Response(feed.events(), mimetype="text/event-stream")

    @app.get("/policy.minnow")
    def policy() -> Response:
        if feed.policy is None:
            abort(404)
        return Response(feed.policy, content_type=TYPES[".minnow"])

    @app.get("/<folder>/<path:path>")
    def source(folder: str, path: str) -> Response:
        if folder == "made":
            return file(path)
        if folder not in ("player", "site"):
            abort(404)
        return file_below(site.HERE / folder, path)

    @app.get("/<name>")
    def file(name: str) -> Response:
        if name not in made:
            abort(404)
        return Response(made[name], content_type=TYPES[Path(name).suffix])

    return app
