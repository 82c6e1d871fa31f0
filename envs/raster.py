"""Draw lists as pixels, without a window: pygame's surfaces, drawn at twice the size and scaled down."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from minnow.cinfer.errors import missing

from .shapes import Circle, Line, Point, Polygon, Rect, Renderer, Shade, Shape, Text, Tiles, camera_of, outline, render
from .solids import flatten

FINER = 2  # pixels drawn for each pixel kept, along each side


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


class Raster(Renderer):
    """Pictures of `width` x `height` pixels of a world of `view` = (width, height) in its own units."""

    def __init__(self, width: int, height: int, view: tuple[float, float]) -> None:
        self.pygame = pygame()
        self.size, self.view = (width, height), view
        self.surface = self.pygame.Surface((width * FINER, height * FINER))
        self.fonts: dict[int, Any] = {}
        self.scale, self.left, self.top = 1.0, 0.0, 0.0

    def draw(self, shapes: list[Shape]) -> np.ndarray:
        """u8 [height][width][3]."""
        camera = camera_of(shapes, *self.view)
        wide, high = self.surface.get_size()
        self.scale = min(wide / camera.width, high / camera.height)
        self.left, self.top = wide / 2 - camera.x * self.scale, high / 2 - camera.y * self.scale
        self.surface.fill((0, 0, 0))
        render(flatten(shapes, *self.view), self)
        small = self.pygame.transform.smoothscale(self.surface, self.size)
        return np.ascontiguousarray(self.pygame.surfarray.array3d(small).swapaxes(0, 1))

    def _at(self, x: float, y: float) -> Point:
        return self.left + x * self.scale, self.top + y * self.scale

    def _paint(self, color: int, how: Callable[[Any, tuple[int, ...]], None]) -> None:
        """Opaque shapes go straight to the picture, the others through a layer."""
        if color & 0xFF == 255:
            how(self.surface, tuple(color.to_bytes(4, "big")))
        else:
            layer = self.pygame.Surface(self.surface.get_size(), self.pygame.SRCALPHA)
            how(layer, tuple(color.to_bytes(4, "big")))
            self.surface.blit(layer, (0, 0))

    def rect(self, shape: Rect) -> None:
        draw = self.pygame.draw
        if shape.angle:
            corners = [self._at(x, y) for x, y in outline(shape)]
            self._paint(shape.color, lambda to, color: draw.polygon(to, color, corners))
        else:
            box = self.pygame.Rect(0, 0, round(shape.width * self.scale), round(shape.height * self.scale))
            box.center = tuple(round(v) for v in self._at(shape.x, shape.y))
            radius = round(shape.corner * self.scale)
            self._paint(shape.color, lambda to, color: draw.rect(to, color, box, border_radius=radius))

    def circle(self, shape: Circle) -> None:
        place, radius = self._at(shape.x, shape.y), shape.radius * self.scale
        self._paint(shape.color, lambda to, color: self.pygame.draw.circle(to, color, place, radius))

    def line(self, shape: Line) -> None:
        corners = [self._at(x, y) for x, y in outline(shape)]
        self._paint(shape.color, lambda to, color: self.pygame.draw.polygon(to, color, corners))

    def polygon(self, shape: Polygon) -> None:
        corners = [self._at(x, y) for x, y in shape.corners]
        if shape.shade:
            return self._shaded(corners, shape.shade)
        self._paint(shape.color, lambda to, color: self.pygame.draw.polygon(to, color, corners))

    def _shaded(self, corners: list[Point], shade: Shade) -> None:
        places = np.array(corners)
        low = np.maximum(np.floor(places.min(axis=0)), 0).astype(int)
        wide, high = (np.minimum(np.ceil(places.max(axis=0)), self.surface.get_size()) - low).astype(int)
        if wide < 1 or high < 1:
            return
        layer = self.pygame.Surface((wide, high), self.pygame.SRCALPHA)
        self.pygame.draw.polygon(layer, (255, 255, 255, 255), (places - low).tolist())
        start, end = (np.array(self._at(*place)) - low for place in (shade.start, shade.end))
        way = (end - start) / max(float((end - start) @ (end - start)), 1e-12)
        share = ((np.arange(wide) + 0.5 - start[0]) * way[0])[:, None] + (np.arange(high) + 0.5 - start[1]) * way[1]
        parts = np.array([list(color.to_bytes(4, "big")) for color in shade.colors], float)
        colors = [np.interp(share, shade.stops, part) for part in parts.T]
        self.pygame.surfarray.pixels3d(layer)[:] = np.stack(colors[:3], axis=2)
        alpha = self.pygame.surfarray.pixels_alpha(layer)
        alpha[:] = np.where(alpha, colors[3], 0)
        del alpha  # which holds the surface
        self.surface.blit(layer, low.tolist())

    def text(self, shape: Text) -> None:
        size = max(1, round(shape.height * self.scale * 1.2))
        font = self.fonts.setdefault(size, self.pygame.font.Font(None, size))
        red, green, blue, alpha = shape.color.to_bytes(4, "big")
        words = font.render(shape.text, True, (red, green, blue))
        words.set_alpha(alpha)
        x, y = self._at(shape.x, shape.y)
        x -= words.get_width() * (0.5 if shape.align == 0 else 0 if shape.align < 0 else 1)
        self.surface.blit(words, (x, y - words.get_height() / 2))

    def tiles(self, shape: Tiles) -> None:
        field = self.pygame.image.frombuffer(shape.rgba().tobytes(), (shape.columns, shape.rows), "RGBA")
        left, top = (round(v) for v in self._at(shape.x - shape.width / 2, shape.y - shape.height / 2))
        right, bottom = (round(v) for v in self._at(shape.x + shape.width / 2, shape.y + shape.height / 2))
        self.surface.blit(self.pygame.transform.scale(field, (right - left, bottom - top)), (left, top))
