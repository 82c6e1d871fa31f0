"""The pictures that other sites show beside a link to a page: 1200 x 630 pixels, drawn by the headless renderer."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from minnow.envs.raster import Raster, pygame
from minnow.envs.shapes import Shape
from minnow.envs.spec import Spec

SIZE = (1200, 630)
EDGE = 56
COLUMN = 460  # pixels, of the words
BACK, INK, SOFT, ACCENT = (7, 27, 32), (236, 246, 244), (150, 178, 178), (45, 212, 191)
PROMISE = "The policy you trained is the policy they play."
MOST = 6  # games on the card of the gallery


def _lines(font: Any, text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.size(longer)[0] > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _words(card: Any, text: str, size: int, color: tuple[int, int, int], top: int) -> int:
    """Writes into the left column; returns where the next words may begin."""
    font = pygame().font.Font(None, size)
    for line in _lines(font, text, COLUMN):
        card.blit(font.render(line, True, color), (EDGE, top))
        top += round(size * 0.8)
    return top


def _card(title: str, text: str) -> Any:
    made = pygame().Surface(SIZE)
    made.fill(BACK)
    pygame().draw.rect(made, ACCENT, (0, 0, 12, SIZE[1]))
    top = _words(made, "Minnow", 40, ACCENT, EDGE) + 70
    top = _words(made, title, 104, INK, top) + 24
    _words(made, text, 44, SOFT, top)
    _words(made, PROMISE, 30, ACCENT, SIZE[1] - EDGE - 40)
    return made


def _game(spec: Spec, shapes: list[Shape], box: tuple[int, int]) -> Any:
    """A picture of the game, the largest that fits a box."""
    scale = min(box[0] / spec.view_width, box[1] / spec.view_height)
    size = (max(1, round(spec.view_width * scale)), max(1, round(spec.view_height * scale)))
    drawn = Raster(*size, (spec.view_width, spec.view_height)).draw(shapes)
    return pygame().image.frombuffer(drawn.tobytes(), size, "RGB")


def _png(card: Any) -> bytes:
    file = io.BytesIO()
    pygame().image.save(card, file, "card.png")
    return file.getvalue()


def png(spec: Spec, shapes: list[Shape]) -> bytes:
    """The card of one environment, with a picture of it. Raises MinnowError where pygame is not installed."""
    left = EDGE + COLUMN + 44
    box = (SIZE[0] - left - EDGE, SIZE[1] - 2 * EDGE)
    made, game = _card(spec.title, spec.description), _game(spec, shapes, box)
    made.blit(game, (left + (box[0] - game.get_width()) // 2, EDGE + (box[1] - game.get_height()) // 2))
    return _png(made)


def sheet(games: Sequence[tuple[Spec, list[Shape]]]) -> bytes:
    """The card of a gallery: environments with their pictures."""
    made = _card("Small policies", "to watch, and to beat")
    left, gap = EDGE + COLUMN + 44, 16
    wide, high = (SIZE[0] - left - EDGE - gap) // 2, (SIZE[1] - 2 * EDGE - 2 * gap) // 3
    for i, (spec, shapes) in enumerate(games[:MOST]):
        game = _game(spec, shapes, (wide, high))
        x, y = left + i % 2 * (wide + gap), EDGE + i // 2 * (high + gap)
        made.blit(game, (x + (wide - game.get_width()) // 2, y + (high - game.get_height()) // 2))
    return _png(made)
