"""`minnow watch RUN`: a page on which the run's newest checkpoint plays while its curves grow."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from minnow.cinfer.errors import MinnowError
from minnow.cli import flags
from minnow.train import records
from minnow.train.config import placed
from minnow.web.server import serve
from minnow.web.watch import Feed, watching

SUMMARY = "watch a run while it trains, in a browser"
POLL = 0.5  # s between two looks at the run


@dataclass
class Flags:
    """Watch a run, in training or finished: minnow watch RUN."""

    port: int = 8001
    """Of 127.0.0.1; 0 takes a free one."""


def main(argv: list[str]) -> int:
    named, rest = flags.leading(argv)
    chosen = flags.parse(Flags, rest, "minnow watch")
    if len(named) != 1:
        raise MinnowError("minnow watch takes one run, such as runs/pong/<id>; minnow runs lists them.")
    if not 0 <= chosen.port <= 65535:
        raise MinnowError(f"--port got {chosen.port}; ports are 0 to 65535")
    run = Path(named[0])
    feed = Feed()
    app = watching(placed(records.read(run).config, run).place, feed)
    threading.Thread(target=follow, args=(run, feed), daemon=True).start()
    serve(app, chosen.port, lambda address: print(f"watching {run}: {address} (Ctrl-C ends)", flush=True))
    return 0


def beside(run: Path, port: int) -> subprocess.Popen[bytes]:
    """Watches `run`, which is about to begin, from a process of its own that gives way to training."""
    script = (
        "import ctypes, os, signal, sys, time; from pathlib import Path; os.nice(10)\n"
        "if sys.platform == 'linux': ctypes.CDLL(None).prctl(1, signal.SIGTERM, 0, 0, 0)  # ends with the training\n"
        f"while not Path(sys.argv[2], 'config.toml').exists(): time.sleep({POLL})\n"
        "from minnow.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    return subprocess.Popen([sys.executable, "-c", script, "watch", str(run), "--port", str(port)], stdout=2)


def follow(run: Path, feed: Feed) -> None:
    """Carries new lines of metrics and new checkpoints to the feed, until the process ends."""
    count, shown = 0, None
    with tempfile.TemporaryDirectory() as folder:
        while True:
            record = records.read(run)
            lines = record.curve()
            if len(lines) > count:
                feed.add(lines[count:])
                count = len(lines)
            newest = sorted((run / "checkpoints").glob("*.safetensors"))[-1:]
            if newest and newest[0] != shown:
                shown = newest[0]
                if policy := export(shown, Path(folder)):
                    feed.show(policy, f"{int(shown.stem):,} steps")
            words = {"unfinished": "training", "schedule": "finished", "stop": "stopped", "budget": "finished"}
            if feed.state != words[record.state]:
                feed.say(words[record.state])
            time.sleep(POLL)


def export(checkpoint: Path, folder: Path) -> bytes | None:
    """A checkpoint as a policy file, made by a process of its own, so that torch's memory is given back; None where it
    cannot be made (it says why itself)."""
    out = folder / "policy.minnow"
    command = [sys.executable, "-m", "minnow.cli.main", "export", str(checkpoint), "--out", str(out)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, stdout=subprocess.DEVNULL, env=environment)
    return out.read_bytes() if done.returncode == 0 else None
