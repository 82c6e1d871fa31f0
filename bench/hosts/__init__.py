"""WebAssembly hosts: Node, and Chromium on a page from a loopback server. Both obey measure.mjs."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import subprocess
import threading
from abc import ABC, abstractmethod
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from minnow.cinfer import compile
from minnow.cinfer.errors import MinnowError
from minnow.web import npm

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

HERE = Path(__file__).resolve().parent
TYPES = {".mjs": "text/javascript", ".wasm": "application/wasm"}
WEB = "1.30.0"  # of onnxruntime-web
PAGE = b"""<!doctype html><title>bench</title><script type="module">
import { Measure } from "/measure.mjs";
const read = async (name) => new Uint8Array(await (await fetch("/" + name)).arrayBuffer());
const ort = async () => {
    const found = await import("/ort/ort.wasm.min.mjs");
    found.env.wasm.numThreads = 1;
    found.env.wasm.wasmPaths = "/ort/";
    return found;
};
const measure = new Measure(read, ort);
window.bench = ({ op, ...command }) => measure[op](command).catch((error) => ({ error: String(error) }));
</script>"""


def loops() -> Path:
    """`loops.c` as WebAssembly."""
    exports = ("bench_flops", "bench_multiply", "bench_bytes", "bench_read")
    return compile.wasm(HERE.parent / "loops.c", exports=exports, name="loops")


def onnxruntime_web() -> Path:
    """The folder of onnxruntime-web's distribution, fetched by npm into the cache if it is not there."""
    return npm.package("onnxruntime-web", WEB) / "dist"


class Host(ABC):
    """Something that obeys measure.mjs. `folder`: where the files that commands name are."""

    name: str

    def __init__(self, folder: Path, ort: Path | None) -> None:
        self.folder, self.ort = folder, ort

    def add(self, module: Path) -> str:
        """A WebAssembly module that commands may name, from now on. Returns the name."""
        shutil.copyfile(module, self.folder / module.name)
        return module.name

    def ask(self, op: str, **command: Any) -> dict[str, Any]:
        """Sends a command. Raises MinnowError if it fails."""
        answer = self.send({"op": op, **command})
        if "error" in answer:
            raise MinnowError(f"{op} in {self.name}: {answer['error']}")
        return answer

    @abstractmethod
    def send(self, command: dict[str, Any]) -> dict[str, Any]: ...

    @abstractmethod
    def close(self) -> None: ...


class Node(Host):
    name = "node"

    def __init__(self, folder: Path, ort: Path | None = None) -> None:
        super().__init__(folder, ort)
        node = shutil.which("node")
        if not node:
            raise MinnowError("node was not found. Install it: apt-get install nodejs (as root).")
        command = [node, str(HERE / "node.mjs"), str(folder), *([str(ort / "ort.node.min.mjs")] if ort else [])]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdin and self._process.stdout
        self._to, self._from = self._process.stdin, self._process.stdout

    def send(self, command: dict[str, Any]) -> dict[str, Any]:
        self._to.write(json.dumps(command) + "\n")
        self._to.flush()
        for line in self._from:
            if line.startswith("answer "):
                return json.loads(line.removeprefix("answer "))
        raise MinnowError(f"node ended ({self._process.wait()}) on the command {command}.")

    def close(self) -> None:
        self._to.close()
        self._process.wait(10)


def launched() -> tuple[Playwright, Browser]:
    """Chromium, without a window. Close the one, and stop the other."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise MinnowError("playwright is not installed: pip install playwright.") from None
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if not browser:
        raise MinnowError("chromium was not found. Install it: apt-get install chromium (as root).")
    playwright = sync_playwright().start()
    args = ["--no-sandbox"] if os.geteuid() == 0 else []
    return playwright, playwright.chromium.launch(executable_path=browser, args=args)


class Chromium(Host):
    name = "chromium"

    def __init__(self, folder: Path, ort: Path | None = None) -> None:
        super().__init__(folder, ort)
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Files, folder, ort))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self._playwright, self._browser = launched()
        self._page = self._browser.new_page()
        self._page.set_default_timeout(120_000)
        self._page.goto(f"http://127.0.0.1:{self._server.server_port}/")
        self._page.wait_for_function("Boolean(window.bench)")

    def send(self, command: dict[str, Any]) -> dict[str, Any]:
        return self._page.evaluate("command => window.bench(command)", command)

    def close(self) -> None:
        self._browser.close()
        self._playwright.stop()
        self._server.shutdown()
        self._server.server_close()


class _Files(http.server.BaseHTTPRequestHandler):
    def __init__(self, folder: Path, ort: Path | None, *args: Any) -> None:
        self.folder, self.ort = folder, ort
        super().__init__(*args)

    def do_GET(self) -> None:
        base, name = self.folder, self.path.split("?")[0].removeprefix("/")
        if name == "measure.mjs":
            base = HERE
        elif name.startswith("ort/"):
            base, name = self.ort or self.folder, name.removeprefix("ort/")
        path = base / Path(name).name
        body = path.read_bytes() if name and path.is_file() else None if name else PAGE
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Type", TYPES.get(path.suffix, "text/html" if not name else "text/plain"))
        # An isolated page has the fine clock.
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Item:
    """A loop, or a policy at work, in a host. `facts`: what the host said when it was made."""

    def __init__(self, host: Host, op: str, key: str, **command: Any) -> None:
        self.host, self.key = host, key
        self.facts = host.ask(op, key=key, **command)

    @property
    def amount(self) -> int:
        return self.facts["amount"]

    def run(self, times: int) -> float:
        """Seconds of so many times."""
        return self.host.ask("run", key=self.key, times=times)["seconds"]

    def output(self) -> np.ndarray:
        """The first output of one more step, flat."""
        return np.array(self.host.ask("output", key=self.key)["output"], np.float32)

    def close(self) -> None:
        self.host.ask("close", key=self.key)
