"""`minnow check`: holds an environment to the contract."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass

from minnow import envs
from minnow.cinfer.errors import MinnowError
from minnow.cli import flags

SUMMARY = "hold an environment to the contract"
USAGE = """usage: minnow check NAME [options]    run the contract's checks on one environment

NAME is an environment's name, or the path of its folder: pong, ./orchard.
minnow check NAME --help lists the options."""


@dataclass
class Flags:
    """Hold an environment to the contract: its source and declaration, compilers' warnings, state outside the struct,
    determinism and snapshots, ranges, masks and pictures under sanitizers, threads and leaks, equal states from every
    compiler, processor and WebAssembly."""

    json: bool = False
    """Print one JSON object on standard output: whether each check holds, what it found, and how long it took."""


def main(argv: list[str]) -> int:
    if not argv or argv[0].startswith("-"):
        print(USAGE)
        return 0 if argv and argv[0] in ("-h", "--help") else 2
    from minnow.envs.check import CHECKS

    name = argv[0]
    chosen = flags.parse(Flags, argv[1:], f"minnow check {name}")
    place = envs.folder(name)
    out = sys.stderr if chosen.json else sys.stdout
    results = {}
    for label, check in CHECKS.items():
        start = time.perf_counter()
        try:
            holds, found = True, check(place)
        except MinnowError as error:
            holds, found = False, str(error)
        seconds = time.perf_counter() - start
        results[label] = {"ok": holds, "found": found, "seconds": round(seconds, 2)}
        print(f"{'ok  ' if holds else 'FAIL'} {label:<12} {seconds:5.1f} s  {found}", file=out, flush=True)
        if not holds and label in ("source", "declaration", "warnings"):
            print("     the checks that follow need this one first", file=out)
            break
    ok = all(each["ok"] for each in results.values())
    if chosen.json:
        print(json.dumps({"env": place.name, "ok": ok, "checks": results}))
    return 0 if ok else 1
