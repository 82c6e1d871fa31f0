"""`minnow export --from LIBRARY FILE`: a policy of another library as a policy file. Part of the verb `export`."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from minnow.cinfer.errors import MinnowError
from minnow.cli import flags


@dataclass
class Flags:
    out: Path | None = None
    """Where to (default: beside the source, as .minnow). Short: -o. The ONNX twin and the parity file go beside it."""


def export(name: str, argv: list[str]) -> int:
    """argv: the command line without `--from LIBRARY`: the file, and the options of its importer."""
    from minnow.export import importers

    chosen = importers.importer(name)
    files = [word for word in argv[:1] if not word.startswith("-")]
    verb = f"minnow export --from {name}"
    doc = f"{chosen.Options.__doc__}\n\nusage: {verb} FILE [options]"
    kind = dataclasses.make_dataclass("Chosen", [], bases=(chosen.Options, Flags), namespace={"__doc__": doc})
    found = flags.parse(kind, argv[len(files) :], verb)
    if not files:
        raise MinnowError(f"{verb} needs the file that the library saved: {verb} FILE [options].")
    source = Path(files[0])
    options = {field.name: getattr(found, field.name) for field in dataclasses.fields(chosen.Options)}
    imported = importers.load(name, source, **options)
    print(imported.export(found.out or source.with_suffix(".minnow")).line())
    return 0


def split(argv: list[str]) -> tuple[str | None, list[str]]:
    """The library that `--from` names, and the other words, the source first."""
    name = flags.value_of("--from", argv)
    if name is None:
        if any(word == "--from" for word in argv):
            raise MinnowError("--from needs the name of a library: minnow export --help lists them.")
        return None, argv
    at = next(i for i, word in enumerate(argv) if word.partition("=")[0] == "--from")
    return name, argv[:at] + argv[at + (1 if "=" in argv[at] else 2) :]
