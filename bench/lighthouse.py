"""`minnow bench lighthouse`: what Lighthouse and axe-core say of a built site, and how soon a policy acts there."""

from __future__ import annotations

import json
import statistics
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minnow.bench import Measured, Say
from minnow.cinfer.errors import MinnowError, unknown
from minnow.cinfer.files import write_atomic
from minnow.web import npm, server, site

SCRIPT = Path(__file__).resolve().parent / "hosts" / "lighthouse.mjs"
PACKAGE = ("lighthouse", "12.8.2")  # 12: the last that runs on Node 18; it brings axe-core and puppeteer-core
CHROMIUM = "/usr/bin/chromium"
WANTED = 95  # of each category
FIRST_ACTION = 1500  # ms
THROTTLED = {"processor": 4, "bytes": 1638.4 * 1024 / 8, "latency": 150}  # slow 4G: bytes a second, ms a request
CATEGORIES = ("performance", "accessibility", "best-practices", "seo")
FIGURES = ("first_paint_ms", "largest_paint_ms", "blocked_ms", "shift")


@dataclass
class Options:
    """Run Lighthouse (mobile profile) and axe-core (light and dark) on pages of a built site in Chromium, and measure
    when the policy has acted first, the processor four times slowed, on the network that Lighthouse calls slow 4G.
    Passed if the median of each category is at least 95, axe-core finds nothing, and the median first action comes
    within 1.5 s."""

    site: Path = Path("site")
    """The folder that `minnow site build` wrote."""
    pages: tuple[str, ...] = ()
    """Names of pages, as index or pong; all without any."""
    runs: int = 3
    """Of Lighthouse for each page; the median counts."""
    out: Path | None = None
    """Write what was found there too, as JSON."""


def measure(options: Options, say: Say) -> Measured:
    manifest = site.read_manifest(options.site)
    known = sorted(name.removesuffix(".html") for name in manifest["files"] if name.endswith(".html"))
    for name in options.pages:
        if name not in known:
            raise unknown("page of the site", name, known)
    modules = npm.package(*PACKAGE).parent.parent
    with server.hosted(server.built(options.site)) as address:
        asked = {
            "modules": str(modules),
            "chromium": CHROMIUM,
            "pages": [
                {"url": f"{address}{name}.html", "plays": bool(manifest["demos"].get(name, {}).get("policy"))}
                for name in options.pages or known
            ],
            "runs": max(1, options.runs),
            "throttled": THROTTLED,
        }
        rows = []
        for found in _judged(asked):
            rows.append(_row(found))
            say(_line(rows[-1]))
    if options.out:
        write_atomic(options.out, (json.dumps(rows, indent=1) + "\n").encode())
    return Measured(rows, all(passed(row) for row in rows))


def passed(row: dict[str, Any]) -> bool:
    first = row["first_action_ms"]
    return (
        all(row[name] >= WANTED for name in CATEGORIES) and not row["axe"] and (first is None or first <= FIRST_ACTION)
    )


def _judged(asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What the script finds of each page, as it comes."""
    with _running(["node", str(SCRIPT), json.dumps(asked)]) as process:
        assert process.stdout
        for line in process.stdout:
            yield json.loads(line)
        if process.wait():
            assert process.stderr
            raise MinnowError(f"Lighthouse could not judge the site: {process.stderr.read().strip()}")


@contextmanager
def _running(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()


def _row(found: dict[str, Any]) -> dict[str, Any]:
    """Medians of one page's runs."""
    runs, first = found["runs"], found["first_action_ms"]
    middle = {name: statistics.median(run[name] for run in runs) for name in (*CATEGORIES, *FIGURES)}
    return {
        "page": found["url"].rpartition("/")[2],
        **middle,
        "busy_ms": statistics.median(found["busy_ms"]),
        "first_action_ms": statistics.median(first) if first else None,
        "first_action_worst_ms": max(first) if first else None,
        "performance_runs": [run["performance"] for run in runs],
        "failed": sorted({audit for run in runs for audit in run["failed"]}),
        "axe": found["axe"],
    }


def _line(row: dict[str, Any]) -> str:
    scores = " ".join(f"{name} {row[name]:.0f}" for name in CATEGORIES)
    first = f", first action {row['first_action_ms']:.0f} ms" if row["first_action_ms"] is not None else ""
    wrong = f"; {', '.join([*row['failed'], *row['axe']])}" if row["failed"] or row["axe"] else ""
    blocked = f"blocked {row['blocked_ms']:.0f} ms, by the processor's clock {row['busy_ms']:.0f}"
    return f"{row['page']}: {scores}; {blocked}, shift {row['shift']:.3f}{first}{wrong}"
