"""`minnow bench page`: how soon a policy learns in a page of the site."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minnow import envs
from minnow.bench import Measured, Say, hosts
from minnow.bench.seeds import check_seeds, wanted
from minnow.cinfer.errors import MinnowError
from minnow.web import learn, server, site

if TYPE_CHECKING:
    from playwright.sync_api import Browser

HELD = 3  # successive exams that must reach the score
FALLEN = 0.2  # of all that the score rose: who ends further below their best has collapsed
LISTEN = """
window.exams = [];
const Plain = window.Worker;
window.Worker = class extends Plain {
  constructor(...given) {
    super(...given);
    this.addEventListener("message", ({ data }) => {
      if (data.told === "exam") window.exams.push({ ...data.exam, at: (performance.now() - window.pressed) / 1000 });
      if (data.told === "rest" && data.ended) window.ended = true;
      if (data.told === "fault") window.fault = data.words;
    });
  }
};
addEventListener("click", () => (window.pressed = performance.now()), true);
"""


@dataclass
class Options:
    """Let a policy learn in an environment's page in Chromium, as the page's "Start learning" does, and find when the
    score was reached: from that press to the first of three exams in a row that show it. The page takes the exams
    itself, each of some whole games in which the likeliest actions are taken."""

    env: str
    """The environment."""
    seeds: int = 10
    """How many."""
    first: int = 0
    """The first of them; the others follow it."""
    score: float | None = None
    """What counts as solved (default: the bar of train.toml, if that is a score)."""
    seconds: float = 120.0
    """Give up after so many."""
    long: bool = False
    """Go on for all of them, or to the schedule's end, and pass if no seed ends a fifth of its rise or more below its
    best."""


def measure(options: Options, say: Say) -> Measured:
    """Passed if every seed reached the score, or with `long`, if none collapsed."""
    place = envs.folder(options.env)
    bar = wanted(options.env, options.score)
    if bar is None and not options.long:
        raise MinnowError(f"no score is known that solves {options.env}: give --score.")
    if not learn.suits(place):
        raise MinnowError(f"{options.env} cannot be learned in a page: docs/learning.md says what can.")
    check_seeds(options.seeds, options.first)
    found = []
    with shown(place) as (browser, address):
        for seed in range(options.first, options.first + options.seeds):
            page = browser.new_page()
            page.add_init_script(LISTEN)
            page.goto(address)
            found.append({"env": place.name, "seed": seed} | learned(page, seed, bar, options))
            page.close()
            row = found[-1]
            took = f"{row['seconds']:.1f} s" if row["seconds"] is not None else "not reached"
            say(f"seed {seed}: {took}; {row['steps']:,} steps, best {row['best']:.4g}, last {row['last']:.4g}")
    return Measured(found, all(not row["collapsed"] if options.long else row["seconds"] is not None for row in found))


@contextlib.contextmanager
def shown(place: Path) -> Iterator[tuple[Browser, str]]:
    """Chromium, and the address of an environment's page in a site that was built for it."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as ends:
        site.build(Path(folder) / "site", [site.Demo(place, site.shipped_policy(place))])
        address = ends.enter_context(server.hosted(server.built(Path(folder) / "site")))
        playwright, browser = hosts.launched()
        try:
            yield browser, f"{address}{place.name}.html"
        finally:
            browser.close()
            playwright.stop()


def learned(page: Any, seed: int, bar: float | None, options: Options) -> dict[str, Any]:
    """One training: seconds until the score was held (None: never), agent-steps, and the exams' scores."""
    page.get_by_text("Learn it here").click()
    page.get_by_text("Settings").click()
    page.locator("#learn-seed").fill(str(seed))
    page.locator("#learn-seed").press("Enter")
    page.get_by_role("button", name="Start learning").click()
    end, exams, reached = time.monotonic() + options.seconds, [], None
    while time.monotonic() < end:
        page.wait_for_timeout(100)
        fault, ended, exams = page.evaluate("[window.fault ?? '', Boolean(window.ended), window.exams]")
        if fault:
            raise MinnowError(f"seed {seed}: {fault}")
        held = [i for i in range(len(exams) - HELD + 1) if bar is not None and _least(exams[i : i + HELD]) >= bar]
        reached = exams[held[0]]["at"] if held else None
        if ended or (held and not options.long):
            break
    scores = [exam["score"] for exam in exams] or [float("nan")]
    return {
        "seconds": reached and round(reached, 3),
        "steps": exams[-1]["steps"] if exams else 0,
        "trained": round(exams[-1]["seconds"], 3) if exams else 0.0,
        "best": max(scores),
        "last": scores[-1],
        "collapsed": scores[-1] < max(scores) - FALLEN * (max(scores) - scores[0]),
    }


def _least(exams: list[dict[str, float]]) -> float:
    return min(exam["score"] for exam in exams)
