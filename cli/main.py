"""`minnow VERB ...`: finds the verb's module, runs it, turns errors into words and exit codes.

A verb is one file, `cli/<verb>.py`, with `SUMMARY`, one line, and `main(argv) -> int`. The table below holds the
summaries too, so that `minnow --help` imports no verb.
"""

from __future__ import annotations

import importlib
import sys

VERBS = {
    "envs": "list the environments, or describe one",
    "new": "make an environment from the template",
    "check": "hold an environment to the contract",
    "train": "train a policy, export and verify it",
    "runs": "list the runs, or compare some of them",
    "watch": "watch a run while it trains, in a browser",
    "plot": "draw learning curves against steps and seconds",
    "eval": "score a policy over whole episodes",
    "match": "let two policies play each other, or rate a run's checkpoints",
    "play": "play a game in a window",
    "record": "record a game as GIF, PNG or MP4",
    "export": "write a run's policy as .minnow, ONNX or C",
    "inspect": "show what a policy file holds",
    "verify": "prove that a policy file does what torch does",
    "sweep": "search for the settings that reach a good score fastest",
    "site": "build or check the static site",
    "serve": "serve the site on loopback, rebuilding as files change",
    "bench": "measure environments and inference",
}


def usage() -> str:
    width = max(map(len, VERBS))
    rows = "\n".join(f"  {verb:<{width}}  {summary}" for verb, summary in VERBS.items())
    return (
        "minnow: train a small policy in PyTorch, ship it as one C file, play it in a browser\n\n"
        f"usage: minnow VERB [options]    (minnow VERB --help describes one)\n\n{rows}"
    )


def main(argv: list[str] | None = None) -> int:
    """Runs one verb. 0 is success, 1 a failed verb, 2 bad usage, 130 Ctrl-C."""
    argv = sys.argv[1:] if argv is None else argv
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(usage())
        return 0
    if argv[0] in ("-V", "--version"):
        import minnow

        print(f"minnow {minnow.__version__}")
        return 0
    from minnow.cinfer.errors import MinnowError, unknown

    try:
        if argv[0] not in VERBS:
            raise unknown("verb", argv[0], VERBS)
        return importlib.import_module(f"minnow.cli.{argv[0]}").main(argv[1:])
    except MinnowError as error:
        # A fault of a policy file begins with "error N:", or has it after the file's name.
        numbered = error.number is not None and f"error {error.number}:" in str(error)
        print(f"minnow: {'' if numbered else 'error: '}{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("minnow: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
