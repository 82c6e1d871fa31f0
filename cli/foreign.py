"""`minnow export --from LIBRARY FILE`: a policy of another library. Part of the verb `export`."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

from minnow.cinfer.errors import MinnowError
from minnow.cli import flags


@dataclasses.dataclass
class Flags:
    critic: bool = True
    """Whether the file gives the value too; without it, the layers that only it needs are left out."""


def read(name: str, argv: list[str], common: type) -> tuple[Any, Path, Any]:
    """The policy as an `Imported`, its file, and the options. argv: the command line without `--from LIBRARY`: the
    file, and options of its importer and of `common`."""
    from minnow.export import importers

    chosen = importers.importer(name)
    files = [word for word in argv[:1] if not word.startswith("-")]
    verb = f"minnow export --from {name}"
    doc = f"{chosen.Options.__doc__}\n\nusage: {verb} FILE [options]"
    kind = dataclasses.make_dataclass("Chosen", [], bases=(chosen.Options, Flags, common), namespace={"__doc__": doc})
    found = flags.parse(kind, argv[len(files) :], verb)
    if not files:
        raise MinnowError(f"{verb} needs the file that the library saved: {verb} FILE [options].")
    options = {field.name: getattr(found, field.name) for field in dataclasses.fields(chosen.Options)}
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)  # classes of the reader's own, which a trusted file names by their module
    imported = importers.load(name, Path(files[0]), **options)
    return imported if found.critic else imported.without("value"), Path(files[0]), found


def split(argv: list[str]) -> tuple[str | None, list[str]]:
    """The library that `--from` names, and the other words, the source first."""
    name = flags.value_of("--from", argv)
    if name is None:
        if any(word == "--from" for word in argv):
            raise MinnowError("--from needs the name of a library: minnow export --help lists them.")
        return None, argv
    at = next(i for i, word in enumerate(argv) if word.partition("=")[0] == "--from")
    return name, argv[:at] + argv[at + (1 if "=" in argv[at] else 2) :]
