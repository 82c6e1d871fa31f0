"""Flags from dataclasses: tyro reads them, and an unknown one gets the nearest names."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import re
from collections.abc import Iterator
from typing import Annotated, Any, TypeVar

import tyro

from minnow import envs
from minnow.cinfer.errors import MinnowError, unknown

T = TypeVar("T")


def parse(kind: type[T], argv: list[str], verb: str, default: T | None = None) -> T:
    """`argv` as a `kind`. Raises MinnowError for an unknown flag or a wrong value."""
    given: dict[str, Any] = {} if default is None else {"default": default}
    with contextlib.redirect_stderr(io.StringIO()) as said:
        try:
            told = kind.__doc__
            value, rest = tyro.cli(kind, prog=verb, description=told, args=argv, return_unknown_args=True, **given)
        except SystemExit as end:
            if not end.code:  # --help
                raise
            raise _refusal(said.getvalue(), verb) from None
    if rest:
        name = rest[0].split("=")[0]
        if not name.startswith("-"):
            raise MinnowError(f"{verb} does not know what to do with {name!r}: flags begin with --.")
        raise unknown(f"option of {verb}", name, _names(type(value), value, ""))
    return value


def _refusal(box: str, verb: str) -> MinnowError:
    """What tyro says in a box of several lines, as an error of ours."""
    rows = [line.strip("│| ") for line in box.splitlines()]
    # Drawn in signs of ASCII where the terminal has no others: between its first two rules is what is wrong.
    rules = [i for i, row in enumerate(rows) if row.startswith(("╭", "─", "╰", "+", "--- ", "-----"))]
    words = " ".join(rows[rules[0] + 1 : rules[1]] if len(rules) > 1 else rows).strip()
    if match := re.match(r"invalid choice '(.*)' for argument '(.*)'\. Expected one of \((.*)\)", words):
        return unknown(f"value of {match[2]}", match[1], re.findall(r"'([^']*)'", match[3]))
    return MinnowError(f"{words.rstrip('.')}. See: {verb} --help")


def _names(kind: type, value: Any, prefix: str) -> Iterator[str]:
    for field in dataclasses.fields(kind):
        inner, name = getattr(value, field.name), f"{prefix}{field.metadata.get('flag', field.name)}"
        if dataclasses.is_dataclass(inner):
            yield from _names(type(inner), inner, f"{name}.")
        else:
            yield f"--{name}".replace("_", "-")


def parameters(spec: envs.Spec, values: dict[str, float]) -> Any:
    """A dataclass with one number for each parameter of an environment, at its default or at that of `values`."""
    rows = []
    for param in spec.param:
        unit = f" {param.unit}" if param.unit else ""
        help = f"{param.doc} {param.low:g} to {param.high:g}{unit}."
        rows.append((param.name, Annotated[float, tyro.conf.arg(help=help)], dataclasses.field(default=param.value)))
    for name in values:
        spec.index(name)  # raises where there is none of that name
    return dataclasses.make_dataclass("Parameters", rows, namespace={"__doc__": f"Parameters of {spec.name}."})(
        **values
    )


def changed(spec: envs.Spec, values: Any) -> dict[str, float]:
    """The parameters that differ from the environment's defaults."""
    return {
        param.name: getattr(values, param.name) for param in spec.param if getattr(values, param.name) != param.value
    }


def value_of(flag: str, argv: list[str]) -> str | None:
    """The value of one flag, before the others can be read."""
    for i, word in enumerate(argv):
        name, equals, value = word.partition("=")
        if name == flag and (equals or i + 1 < len(argv)):
            return value if equals else argv[i + 1]
    return None


def leading(argv: list[str]) -> tuple[list[str], list[str]]:
    """The words before the first flag, and the rest."""
    count = next((i for i, word in enumerate(argv) if word.startswith("-")), len(argv))
    return argv[:count], argv[count:]
