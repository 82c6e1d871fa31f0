"""`minnow bench`: reads the options of a benchmark of `minnow.bench`, runs it and prints what it found."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import json
import sys
from typing import Annotated, Any, get_type_hints

import tyro

from minnow import envs
from minnow.bench import KINDS
from minnow.cinfer.errors import MinnowError, unknown
from minnow.cli import flags

SUMMARY = "measure environments, inference and training"


def main(argv: list[str]) -> int:
    """0 if what was to be reached was reached."""
    if not argv or argv[0].startswith("-"):
        print(usage())
        return 0 if argv and argv[0] in ("-h", "--help") else 2
    name, rest = argv[0], argv[1:]
    if name not in KINDS:
        raise unknown("benchmark", name, KINDS)
    if KINDS[name].takes == "ENV" and len(flags.leading(rest)[0]) != 1 and not {"-h", "--help"} & {*rest}:
        raise MinnowError(f"minnow bench {name} takes one environment: {', '.join(envs.names())}.")
    benchmark = importlib.import_module(f"minnow.bench.{name}")
    kind, default = printed(benchmark.Options), None
    given = flags.value_of("--env", rest)
    spec = envs.spec(envs.folder(given)) if given else None
    has_params = "params" in kind.__dataclass_fields__  # of the environment that --env names
    if has_params:
        default = kind(params=flags.parameters(spec, {}) if spec else dataclasses.make_dataclass("Parameters", [])())
    chosen = flags.parse(kind, rest, f"minnow bench {name}", default)
    if has_params:
        chosen.params = flags.changed(spec, chosen.params) if spec else {}
    say = functools.partial(print, file=sys.stderr if chosen.json else sys.stdout, flush=True)
    measured = benchmark.measure(chosen, say)
    if chosen.json:
        print(json.dumps(measured.rows))
    return 0 if measured.passed else 1


def usage() -> str:
    """What `minnow bench` alone prints."""
    width = max(len(f"{name} {kind.takes}") for name, kind in KINDS.items())
    rows = [f"minnow bench {f'{name} {kind.takes}':<{width}}   {kind.summary}" for name, kind in KINDS.items()]
    return "usage: " + "\n       ".join(rows) + "\n\nEach lists its options with --help."


def printed(options: type) -> Any:
    """The options of a benchmark and --json; those without a default stand alone, without a flag."""
    hints = get_type_hints(options)
    words: list[Any] = [
        (field.name, tyro.conf.Positional[Annotated[hints[field.name], tyro.conf.arg(metavar=field.name.upper())]])
        for field in dataclasses.fields(options)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    help = tyro.conf.arg(help="Print one JSON list on standard output.")
    json_field = ("json", Annotated[bool, help], dataclasses.field(default=False))
    told = {"__doc__": options.__doc__}
    return dataclasses.make_dataclass("Flags", [*words, json_field], bases=(options,), namespace=told)
