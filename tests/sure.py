"""What a test knows to be there, in words that a type checker takes."""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")


def sure(thing: T | None) -> T:
    assert thing is not None
    return thing
