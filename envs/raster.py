"""Draw lists as pixels, without a window: pygame's surfaces, drawn at twice the size and scaled down."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np

from minnow.cinfer.errors import missing

from .find import OURS

# The kinds of shape, by name: ENV_RECT and its kin of abi.h, which is their one source.
KINDS = {
    name: int(number)
    for name, number in re.findall(
        r"ENV_(RECT|CIRCLE|LINE|POLYGON|TEXT|CAMERA) = (\d+)", (OURS / "abi.h").read_text(encoding="utf-8")
    )
}
FINER = 2  # pixels drawn for each pixel kept, along each side


class Shape(Protocol):
    """One record of a draw list: `EnvShape` of abi.h."""

    @property
    def kind(self) -> int: ...
    @property
    def color(self) -> int: ...
    @property
    def n(self) -> int: ...
    @property
    def f(self) -> tuple[float, ...]: ...
    @property
    def text(self) -> str: ...


def view_of(shapes: Iterable[Shape], width: float, height: float) -> tuple[float, float, float, float]:
    """The rectangle of the world in the picture: centre, width, height."""
    for shape in shapes:
        if shape.kind == KINDS["CAMERA"]:
            return shape.f[0], shape.f[1], shape.f[2], shape.f[3]
    return width / 2, height / 2, width, height


def pygame() -> Any:
    """The library, without its greeting and without a screen; MinnowError where it is not installed."""
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    try:
        import pygame
    except ImportError:
        raise missing("pygame", "record") from None
    pygame.font.init()
    return pygame


class Raster:
    """Pictures of `width` x `height` pixels of a world of `view` = (width, height) in its own units."""

    def __init__(self, width: int, height: int, view: tuple[float, float]) -> None:
        self.pygame = pygame()
        self.size, self.view = (width, height), view
        self.surface = self.pygame.Surface((width * FINER, height * FINER))
        self.fonts: dict[int, Any] = {}

    def draw(self, shapes: Sequence[Shape]) -> np.ndarray:
        """u8 [height][width][3]."""
        x, y, width, height = view_of(shapes, *self.view)
        wide, high = self.surface.get_size()
        scale = min(wide / width, high / height)
        self.surface.fill((0, 0, 0))
        for shape in shapes:
            self._shape(shape, scale, wide / 2 - x * scale, high / 2 - y * scale)
        small = self.pygame.transform.smoothscale(self.surface, self.size)
        return np.ascontiguousarray(self.pygame.surfarray.array3d(small).swapaxes(0, 1))

    def _shape(self, shape: Shape, scale: float, left: float, top: float) -> None:
        f, kind, draw = shape.f, shape.kind, self.pygame.draw
        color = tuple(shape.color.to_bytes(4, "big"))

        def at(x: float, y: float) -> tuple[float, float]:
            return left + x * scale, top + y * scale

        def paint(how: Any) -> None:
            """Opaque shapes go straight to the picture, the others through a layer."""
            if color[3] == 255:
                how(self.surface)
            else:
                layer = self.pygame.Surface(self.surface.get_size(), self.pygame.SRCALPHA)
                how(layer)
                self.surface.blit(layer, (0, 0))

        if kind == KINDS["RECT"]:
            x, y, width, height, angle, corner = f[:6]
            if angle:
                ends = [(sx * width / 2, sy * height / 2) for sx, sy in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
                cos, sin = math.cos(angle), math.sin(angle)
                points = [at(x + a * cos - b * sin, y + a * sin + b * cos) for a, b in ends]
                paint(lambda to: draw.polygon(to, color, points))
            else:
                box = self.pygame.Rect(0, 0, round(width * scale), round(height * scale))
                box.center = tuple(round(v) for v in at(x, y))
                paint(lambda to: draw.rect(to, color, box, border_radius=round(corner * scale)))
        elif kind == KINDS["CIRCLE"]:
            paint(lambda to: draw.circle(to, color, at(f[0], f[1]), f[2] * scale))
        elif kind == KINDS["LINE"]:
            (x0, y0), (x1, y1), half = at(f[0], f[1]), at(f[2], f[3]), f[4] * scale / 2
            length = math.hypot(x1 - x0, y1 - y0) or 1.0
            a, b = (y1 - y0) / length * half, (x0 - x1) / length * half

            def line(to: Any) -> None:
                draw.polygon(to, color, [(x0 + a, y0 + b), (x1 + a, y1 + b), (x1 - a, y1 - b), (x0 - a, y0 - b)])
                draw.circle(to, color, (x0, y0), half)
                draw.circle(to, color, (x1, y1), half)

            paint(line)
        elif kind == KINDS["POLYGON"]:
            paint(lambda to: draw.polygon(to, color, [at(f[2 * i], f[2 * i + 1]) for i in range(shape.n)]))
        elif kind == KINDS["TEXT"]:
            size = max(1, round(f[2] * scale * 1.2))
            font = self.fonts.setdefault(size, self.pygame.font.Font(None, size))
            words = font.render(shape.text, True, color[:3])
            words.set_alpha(color[3])
            x, y = at(f[0], f[1])
            x -= words.get_width() * (0.5 if shape.n == 0 else 0 if shape.n < 0 else 1)
            self.surface.blit(words, (x, y - words.get_height() / 2))
