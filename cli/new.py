"""`minnow new`: a working environment from the template, to be made into another."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from minnow.cinfer.errors import MinnowError
from minnow.cinfer.files import write_atomic
from minnow.cli import flags

SUMMARY = "make an environment from the template"
USAGE = """usage: minnow new NAME [options]    write a game into the folder NAME: its C file, settings, a test, a README

minnow new NAME --help lists the options."""
TEMPLATE = Path(__file__).resolve().parent / "template"
FILES = {"game.c": "NAME.c", "train.toml": "train.toml", "test_game.py": "test_NAME.py", "README.md": "README.md"}


@dataclass
class Flags:
    """Make a working environment in a folder of its own: fruit falls, a basket catches it. It trains, plays on the page
    and passes every check at once; from there it is yours to change."""

    into: Path = Path()
    """The folder that its folder goes into (default: the present one)."""
    title: str = ""
    """What people call it. Empty: made of the name."""
    json: bool = False
    """Print one JSON object on standard output: the name and the files written."""


def main(argv: list[str]) -> int:
    if not argv or argv[0].startswith("-"):
        print(USAGE)
        return 0 if argv and argv[0] in ("-h", "--help") else 2
    name = argv[0]
    chosen = flags.parse(Flags, argv[1:], f"minnow new {name}")
    title = chosen.title or name.replace("_", " ").capitalize()
    if re.search(r'[^\x20-\x7e]|["\\]', title):
        raise MinnowError(
            f"the title {title!r} goes into a C string: letters without accents, no quotes or backslashes."
        )
    written = make(name, title, chosen.into)
    folder = written[0].parent
    if chosen.json:
        print(json.dumps({"env": name, "folder": str(folder), "files": [str(path) for path in written]}))
    else:
        print("\n".join(f"wrote {path}" for path in written))
        path = shlex.quote(str(folder) if folder.is_absolute() else f"./{folder}")
        print(f"next: minnow check {path}; minnow train {path}; minnow serve {path}")
    return 0


def make(name: str, title: str, into: Path) -> list[Path]:
    """Writes the files of a new environment into a new folder of `into`; MinnowError where it cannot be."""
    from minnow.envs.find import OURS

    if not re.fullmatch(r"[a-z][a-z0-9_]{0,30}", name):
        raise MinnowError(
            f"{name!r} cannot name an environment: lower-case letters, digits and _, a letter first, up to 31."
        )
    if (OURS / name / f"{name}.c").exists():
        raise MinnowError(f"{name} is one of the games that Minnow comes with: choose another name.")
    folder = into / name
    if folder.exists():
        raise MinnowError(f"{folder} is there already: choose another name, or remove it.")
    try:
        folder.mkdir(parents=True)
        written = []
        for template, target in FILES.items():
            text = (TEMPLATE / template).read_text(encoding="utf-8")
            path = folder / target.replace("NAME", name)
            write_atomic(path, re.sub(r"\bNAME\b", name, text).replace("TITLE", title).encode())
            written.append(path)
    except OSError as error:
        raise MinnowError(f"cannot write {folder}: {error.strerror}.") from None
    return written
