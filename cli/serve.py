"""`minnow serve`: the site on loopback."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import tyro

from minnow.cinfer.errors import MinnowError
from minnow.cli.site import policy_table

SUMMARY = "serve the site on loopback, rebuilding as files change"


def serve(
    site: tyro.conf.Positional[Path | None] = None,
    port: int = 8000,
    policy: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = (),
    runs: Path = Path("runs"),
) -> int:
    """Serves a built site as it is; without SITE the sources, rebuilding and reloading as they change.

    Args:
        site: a folder that `minnow site build` wrote
        port: of 127.0.0.1; 0 takes a free one
        policy: while developing, policies to show, as ENVIRONMENT=FILE, once for each
        runs: while developing, where training puts its runs
    """
    if not 0 <= port <= 65535:
        raise MinnowError(f"--port got {port}; ports are 0 to 65535")
    from minnow.web import server
    from minnow.web import site as sites

    if site is not None:
        app, what = server.built(site), f"{site}"
    else:
        table = policy_table(policy)
        print("compiling the environments ...", file=sys.stderr, flush=True)
        app, what = server.developing(lambda: sites.demos(table, runs), runs), "the sources, reloading as they change"

    def ready(address: str) -> None:
        print(f"serving {what}: {address} (Ctrl-C ends)", flush=True)

    server.serve(app, port, ready)
    print("stopped", file=sys.stderr)
    return 0


def main(argv: list[str]) -> int:
    return tyro.cli(serve, args=argv, prog="minnow serve")
