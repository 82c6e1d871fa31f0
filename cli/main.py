"""`minnow VERB ...`: finds the verb's module, runs it, turns errors into words and exit codes.

A verb is one file, `cli/<verb>.py`, with `SUMMARY`, one line, and `main(argv) -> int`. The table below holds the
summaries too, so that `minnow --help` imports no verb.
"""

from __future__ import annotations

import codecs
import contextlib
import importlib
import io
import os
import select
import sys

VERBS = {
    "envs": "list the environments, or describe one",
    "new": "make an environment from the template",
    "check": "hold an environment to the contract",
    "arm": "make a robot for the arm's tasks from its URDF",
    "train": "train a policy, export and verify it",
    "runs": "list the runs, or compare some of them",
    "watch": "watch a run while it trains, in a browser",
    "plot": "draw learning curves against steps and seconds",
    "eval": "score a policy over whole episodes",
    "robust": "measure how robust a policy is, as a page to share",
    "doctor": "find what is wrong between a policy and a simulator",
    "match": "let two policies play each other, or rate a run's checkpoints",
    "play": "play a game in a window",
    "replay": "play a replay, and print the hashes that prove it",
    "record": "record a game as GIF, PNG, MP4 or replay",
    "export": "write a run's policy as .minnow, ONNX or C",
    "include": "print the folder of the C headers, for compilers",
    "inspect": "show what a policy file holds",
    "verify": "prove that a policy file does what torch does",
    "sweep": "search for the settings that reach a good score fastest",
    "site": "build or check the static site",
    "serve": "serve the site on loopback, rebuilding as files change",
    "bench": "measure environments, inference and training",
}
# What stands for a character on a terminal that cannot show it.
PLAIN = {"±": "+-", "×": "x", "–": "-", "—": "-", "…": "...", "→": "->", "≤": "<=", "≥": ">=", "·": "*", "°": " deg"}


def usage() -> str:
    width = max(map(len, VERBS))
    rows = "\n".join(f"  {verb:<{width}}  {summary}" for verb, summary in VERBS.items())
    return (
        "minnow: train a small policy in PyTorch, ship it as one C file, play it in a browser\n\n"
        f"usage: minnow VERB [options]    (minnow VERB --help describes one)\n\n{rows}"
    )


def main(argv: list[str] | None = None) -> int:
    """Runs one verb. 0 is success, 1 a failed verb, 2 bad usage, 130 Ctrl-C, 141 a reader that has gone."""
    plain()
    from minnow.cinfer.errors import MinnowError

    try:
        status = _dispatch(sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
        return status
    except MinnowError as error:
        # A fault of a policy file begins with "error N:", or has it after the file's name.
        numbered = error.number is not None and f"error {error.number}:" in str(error)
        return _failed(f"{'' if numbered else 'error: '}{error}")
    except KeyboardInterrupt:
        return _failed("interrupted", 130)
    except UnicodeError as error:
        return _failed(
            f"error: a file or a stream is not the text that it should be: {error}. "
            "If your locale is not one of UTF-8, set PYTHONUTF8=1."
        )
    except OSError as error:
        if isinstance(error, BrokenPipeError) and _reader_gone():
            return 141
        return _failed(f"error: {in_words(error)}")
    finally:
        _let_go()


def _dispatch(argv: list[str]) -> int:
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(usage())
        return 0
    if argv[0] in ("-V", "--version"):
        import minnow

        print(f"minnow {minnow.__version__}")
        return 0
    if argv[0] not in VERBS:
        from minnow.cinfer.errors import unknown

        raise unknown("verb", argv[0], VERBS)
    return importlib.import_module(f"minnow.cli.{argv[0]}").main(argv[1:])


def in_words(error: OSError) -> str:
    """What the system refused, and of which file or folder."""
    name = error.filename2 or error.filename
    why = error.strerror or str(error) or type(error).__name__
    return f"{why}." if name is None else f"cannot use {os.fsdecode(name)}: {why}. Is it there, and are you allowed to?"


def _reader_gone() -> bool:
    """Whether nobody reads standard output any more, as after `| head`."""
    poll = select.poll()
    poll.register(1, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def _let_go() -> None:
    """Throws away what can no longer be written, as to a closed terminal: Python would end with a status of its own."""
    for stream, number in ((sys.stdout, 1), (sys.stderr, 2)):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), number)


def plain() -> None:
    """Lets a terminal that cannot show a character show another one."""
    codecs.register_error("minnow", _replaced)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors in ("strict", "surrogateescape"):
            stream.reconfigure(errors="minnow")


def _replaced(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    there = error.object[error.start : error.end]
    return "".join(PLAIN.get(letter, "?") for letter in there), error.end


def _failed(words: str, status: int = 1) -> int:
    with contextlib.suppress(OSError):  # of a terminal that has closed
        print(f"minnow: {words}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
