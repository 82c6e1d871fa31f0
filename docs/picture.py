"""Takes the README's picture: `python docs/picture.py SITE` plays Pong from a built site and writes docs/page.png."""

from __future__ import annotations

import functools
import http.server
import mimetypes
import sys
import threading
from pathlib import Path

from playwright.sync_api import sync_playwright


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def main() -> None:
    site = sys.argv[1] if len(sys.argv) > 1 else "site"
    mimetypes.add_type("application/wasm", ".wasm")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=site))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1100, "height": 720})
        page.goto(f"http://127.0.0.1:{server.server_port}/pong.html")
        page.evaluate("document.querySelector('minnow-demo').ready")
        page.get_by_label("Speed", exact=True).select_option("8")
        page.wait_for_timeout(15_000)  # so that the score shows who is better
        page.get_by_label("Speed", exact=True).select_option("1")
        page.screenshot(path=Path(__file__).with_name("page.png"))
        browser.close()
    server.shutdown()


if __name__ == "__main__":
    main()
