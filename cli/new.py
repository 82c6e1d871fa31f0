"""`minnow new`: a working environment from the template, to be made into another."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from minnow.cinfer.errors import MinnowError
from minnow.cinfer.files import write_atomic
from minnow.cli import flags

SUMMARY = "make an environment from the template"
USAGE = """usage: minnow new NAME [options]    write envs/NAME/NAME.c and envs/NAME/train.toml in this checkout

minnow new NAME --help lists the options."""


@dataclass
class Flags:
    """Make a working environment of its own folder in the checkout: fruit falls, a basket catches it. It trains, plays
    on the page and passes every check at once; from there it is yours to change."""

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
    written = make(name, title)
    if chosen.json:
        print(json.dumps({"env": name, "files": [str(path) for path in written]}))
    else:
        print("\n".join(f"wrote {path}" for path in written))
        print(f"next: minnow check {name}; minnow train {name}; minnow serve")
    return 0


def make(name: str, title: str) -> list[Path]:
    """Writes the files of a new environment; MinnowError where it cannot be."""
    from minnow.envs.spec import HERE as here

    if not re.fullmatch(r"[a-z][a-z0-9_]{0,30}", name):
        raise MinnowError(
            f"{name!r} cannot name an environment: small letters, digits and _, a letter first, up to 31."
        )
    if "site-packages" in here.parts:
        raise MinnowError(f"{here} is an installed package: run `minnow new` in a checkout, where envs/ is yours.")
    folder = here / name
    if folder.exists():
        raise MinnowError(f"{folder} is there already: choose another name, or remove it.")
    try:
        folder.mkdir()
        written = []
        for template, path in (
            (here / "template.c", folder / f"{name}.c"),
            (here / "template.toml", folder / "train.toml"),
        ):
            text = template.read_text(encoding="utf-8")
            text = re.sub(r"\bNAME\b", name, text).replace("TITLE", title)
            write_atomic(path, text.encode())
            written.append(path)
    except OSError as error:
        raise MinnowError(f"cannot write {folder}: {error.strerror}.") from None
    return written
