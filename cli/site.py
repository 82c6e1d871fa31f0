"""`minnow site`: build the static site, or check a built one."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Annotated, Any

import tyro

from minnow.cinfer.errors import MinnowError

SUMMARY = "build or check the static site"


def policy_table(pairs: tuple[str, ...]) -> dict[str, Path]:
    """`("pong=FILE",)` as a table."""
    table = {}
    for pair in pairs:
        env, equals, path = pair.partition("=")
        if not (env and equals and path):
            raise MinnowError(
                f"--policy got {pair!r}; it takes ENVIRONMENT=FILE, for example pong=runs/pong/1/policy.minnow"
            )
        table[env] = Path(path)
    return table


def build(
    env: tyro.conf.Positional[tuple[str, ...]] = (),
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("site"),
    policy: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = (),
    runs: Path = Path("runs"),
    url: str = "",
    json: bool = False,
) -> int:
    """Builds the site: a gallery and a page for each environment.

    Args:
        env: environments to show, each a name or a path; by default all that names find, and those of the runs
        out: the folder to write; an older site there is replaced
        policy: policies to show, as ENVIRONMENT=FILE, once for each; by default the newest run's, or the shipped one
        runs: where training put its runs
        url: the address at which the site will be, as https://name.github.io/demos/, for the pictures of links and the
            sitemap; without it there is none
        json: print the pages and their sizes as JSON
    """
    from minnow.web import site

    if url and not re.fullmatch(r"https?://[\w.:-]+(/[\w.~%-]+)*/?", url):
        raise MinnowError(f"--url got {url!r}; it takes a whole address, for example https://name.github.io/demos/")
    demos = site.demos(policy_table(policy), runs, env)
    where = f"{url.rstrip('/')}/" if url else None
    site.build(out, demos, lambda words: print(words, file=sys.stderr), url=where)
    return _report(out, json)


def check(site: tyro.conf.Positional[Path] = Path("site"), json: bool = False, browser: bool = True) -> int:
    """Checks a built site: sizes, links, missing files, and what a browser complains of.

    Args:
        site: the folder that `minnow site build` wrote
        json: print one JSON value
        browser: open each page in Chromium too, where that and Playwright are installed
    """
    return _report(site, json, browser)


def _heard(folder: Path, pages: list[dict[str, Any]]) -> None:
    """Adds what Chromium complains of to the faults of pages; tells where it cannot be asked."""
    from minnow.bench import hosts
    from minnow.web import browse

    try:
        playwright, browser = hosts.launched()
    except MinnowError as error:
        print(f"pages are not opened in a browser: {error}", file=sys.stderr)
        return
    try:
        found = browse.complaints(browser, folder, [page["page"] for page in pages if not page["faults"]])
    finally:
        browser.close()
        playwright.stop()
    for page in pages:
        page["faults"] += found.get(page["page"], [])


def _report(folder: Path, as_json: bool, browser: bool = False) -> int:
    """Prints each page's sizes and faults; 1 if there are faults."""
    from minnow.web import check

    pages = check.check(folder)
    if browser:
        _heard(folder, pages)
    faulty = any(page["faults"] for page in pages)
    if as_json:
        print(json.dumps({"pages": pages}, indent=1))
        return int(faulty)
    for page in pages:
        size, policy = page["gzip_bytes"] / 1024, page["policy_gzip_bytes"] / 1024
        print(f"{folder / page['page']}  {size:.1f} KB gzip" + (f" + policy {policy:.1f} KB" if policy else ""))
        for fault in page["faults"]:
            print(f"  fault: {fault}", file=sys.stderr)
    return int(faulty)


def main(argv: list[str]) -> int:
    return tyro.extras.subcommand_cli_from_dict({"build": build, "check": check}, args=argv, prog="minnow site")
