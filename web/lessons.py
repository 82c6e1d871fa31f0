"""The lessons that come with the site: a file of TOML each, in their order, and the links that open them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from urllib.parse import urlencode

from minnow.cinfer.errors import MinnowError

HERE = Path(__file__).resolve().parent / "lessons"


@dataclass(frozen=True)
class Lesson:
    """What docs/web.md says of a link's fields; and `env`, the page it is held on, `minutes` that it takes, `lead`, a
    sentence for the list."""

    env: str
    title: str
    minutes: int
    lead: str
    text: str
    task: tuple[str, ...]
    question: str
    answer: str
    world: str = ""
    policy: str = ""
    drawn: str = ""
    seed: str = ""
    speed: str = ""
    show: str = ""
    open: str = ""

    @property
    def link(self) -> str:
        """Relative to the site."""
        told = [("lesson", self.env)]
        for name in (field.name for field in fields(self) if field.name not in ("env", "minutes", "lead")):
            value = getattr(self, name)
            told += [(name, each) for each in ([value] if isinstance(value, str) else value) if each]
        return f"{self.env}.html#{urlencode(told)}"


def lessons() -> list[Lesson]:
    """All, in the order of their files. Raises MinnowError where a file has other fields."""
    return [_read(path) for path in sorted(HERE.glob("*.toml"))]


def _read(path: Path) -> Lesson:
    try:
        read = tomllib.loads(path.read_text("utf-8"))
        return Lesson(**read | {"task": tuple(read["task"]), "text": read["text"].strip()})
    except (TypeError, KeyError, ValueError) as error:
        raise MinnowError(f"{path} is no lesson: {error}") from error
