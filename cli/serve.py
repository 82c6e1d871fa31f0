"""`minnow serve`: the site on loopback."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import tyro

from minnow import envs
from minnow.cinfer.errors import MinnowError
from minnow.cli.site import policy_table

SUMMARY = "serve the site on loopback, rebuilding as files change"


def serve(
    what: tyro.conf.Positional[tuple[str, ...]] = (),
    port: int = 8000,
    policy: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = (),
    runs: Path = Path("runs"),
) -> int:
    """Serves a built site as it is; or a site of the sources, rebuilding and reloading as they change.

    Args:
        what: a folder that `minnow site build` wrote; or environments, each a name or a path; by default all that names
            find, and those of the runs
        port: of 127.0.0.1; 0 takes a free one
        policy: while developing, policies to show, as ENVIRONMENT=FILE, once for each
        runs: while developing, where training puts its runs
    """
    if not 0 <= port <= 65535:
        raise MinnowError(f"--port got {port}; ports are 0 to 65535")
    from minnow.web import server
    from minnow.web import site as sites

    if len(what) == 1 and what[0] not in envs.names() and not envs.is_env(Path(what[0]).resolve()):
        app, told = server.built(Path(what[0])), what[0]
    else:
        table = policy_table(policy)
        print("compiling the environments ...", file=sys.stderr, flush=True)
        app = server.developing(lambda: sites.demos(table, runs, what), runs)
        told = "the sources, reloading as they change"

    def ready(address: str) -> None:
        print(f"serving {told}: {address} (Ctrl-C ends)", flush=True)

    server.serve(app, port, ready)
    print("stopped", file=sys.stderr)
    return 0


def main(argv: list[str]) -> int:
    return tyro.cli(serve, args=argv, prog="minnow serve")
