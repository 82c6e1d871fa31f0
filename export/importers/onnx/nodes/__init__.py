"""What each kind of node computes, as calls of torch; export finds the operations of minnow.h for them.

A handler takes the node's attributes and its inputs, tensors or `Known`, None for those left out, and gives the output
or a tuple of them, as the ONNX specification has them from opset 7 on."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from minnow.export.importers.onnx.values import Known

FAMILIES = ("elementwise", "choose", "linear", "shape", "reduce", "window", "resize", "recurrent")
RANDOM = {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli"}

Handler = Callable[..., Any]
_HANDLERS: dict[str, Handler] = {}
_SIZES: dict[str, Handler] = {}


@dataclass
class At:
    """A node's attributes, and where it stands: the opset and how many outputs are asked for."""

    attributes: dict[str, Any]
    opset: int
    outputs: int = 1
    wanted: list[int] = field(default_factory=list)  # Reshape: the shape with the batch freed, if it was fixed

    def get(self, name: str, default: Any = None) -> Any:
        found = self.attributes.get(name, default)
        return found.decode() if isinstance(found, bytes) else found


def node(*names: str) -> Callable[[Handler], Handler]:
    """Registers what nodes of these kinds compute."""

    def register(handler: Handler) -> Handler:
        for name in names:
            assert name not in _HANDLERS, name
            _HANDLERS[name] = handler
        return handler

    return register


def sizes(name: str, handler: Handler) -> None:
    """Registers what nodes of a kind do to known arrays, the number of agents among them."""
    _SIZES[name] = handler


def table() -> dict[str, Handler]:
    """Every kind of node that is known."""
    for family in FAMILIES:
        importlib.import_module(f"minnow.export.importers.onnx.nodes.{family}")
    return _HANDLERS


def compute(kind: str, at: At, args: list[Any], eager: bool = False) -> tuple[Any, ...]:
    """A node's outputs. eager: nothing is being traced, so that known arrays of any kind can be computed as tensors."""
    found = None
    if all(item is None or isinstance(item, Known) for item in args) and kind in _SIZES and not eager:
        found = _SIZES[kind](at, *(None if item is None else item.array for item in args))
    if found is None:
        found = table()[kind](at, *args)
    return found if isinstance(found, tuple) else (found,)
