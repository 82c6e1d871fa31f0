"""A draw list as SVG: the pictures of the gallery, made by playing each game for a moment."""

from __future__ import annotations

import math
from html import escape
from pathlib import Path

from minnow.envs.shapes import (
    Circle,
    Line,
    Polygon,
    Rect,
    Renderer,
    Shade,
    Shape,
    Text,
    Tiles,
    camera_of,
    render,
)
from minnow.envs.solids import flatten
from minnow.web.game import Game

SECONDS = 3.0  # from the start of a game to its picture


def _numbers(*values: float) -> str:
    return " ".join(f"{value:.4g}" for value in values)


class Svg(Renderer):
    """The elements of a list."""

    def __init__(self) -> None:
        self.elements: list[str] = []

    def rect(self, shape: Rect) -> None:
        color, _, x, y, width, height, angle, corner = shape
        turn = f' transform="rotate({_numbers(math.degrees(angle), x, y)})"' if angle else ""
        place = f'x="{x - width / 2:.5g}" y="{y - height / 2:.5g}" rx="{corner:.4g}"'
        self.elements.append(f'<rect {place} width="{width:.5g}" height="{height:.5g}" fill="#{color:08x}"{turn}/>')

    def circle(self, shape: Circle) -> None:
        place = f'cx="{shape.x:.5g}" cy="{shape.y:.5g}" r="{shape.radius:.4g}"'
        self.elements.append(f'<circle {place} fill="#{shape.color:08x}"/>')

    def line(self, shape: Line) -> None:
        ends = f'x1="{shape.x0:.5g}" y1="{shape.y0:.5g}" x2="{shape.x1:.5g}" y2="{shape.y1:.5g}"'
        stroke = f'stroke="#{shape.color:08x}" stroke-width="{shape.width:.4g}" stroke-linecap="round"'
        self.elements.append(f"<line {ends} {stroke}/>")

    def polygon(self, shape: Polygon) -> None:
        points = _numbers(*(number for corner in shape.corners for number in corner))
        color = f"#{shape.color:08x}"
        if shape.shade:
            color = self._shade(shape.shade)
        edge = f' stroke="{color}" stroke-width="{shape.edge:.3g}" stroke-linejoin="round"' if shape.edge else ""
        self.elements.append(f'<polygon points="{points}" fill="{color}"{edge}/>')

    def _shade(self, shade: Shade) -> str:
        """Its paint."""
        (x1, y1), (x2, y2) = shade.start, shade.end
        name = f"s{len(self.elements)}"
        place = f'x1="{x1:.5g}" y1="{y1:.5g}" x2="{x2:.5g}" y2="{y2:.5g}" gradientUnits="userSpaceOnUse"'
        stops = (
            f'<stop offset="{at:g}" stop-color="#{color:08x}"/>'
            for at, color in zip(shade.stops, shade.colors, strict=True)
        )
        self.elements.append(f'<linearGradient id="{name}" {place}>{"".join(stops)}</linearGradient>')
        return f"url(#{name})"

    def text(self, shape: Text) -> None:
        anchor = "middle" if shape.align == 0 else "start" if shape.align < 0 else "end"
        place = f'x="{shape.x:.5g}" y="{shape.y:.5g}" font-size="{shape.height:.4g}" text-anchor="{anchor}"'
        style = 'font-family="system-ui,sans-serif" font-weight="700" dominant-baseline="central"'
        self.elements.append(f'<text {place} {style} fill="#{shape.color:08x}">{escape(shape.text)}</text>')

    def tiles(self, shape: Tiles) -> None:
        """One path for each colour, of the runs in each row."""
        runs: dict[int, list[str]] = {}
        for row in range(shape.rows):
            cells, start = shape.cells[row * shape.columns :][: shape.columns], 0
            for column in range(1, shape.columns + 1):
                if column == shape.columns or cells[column] != cells[start]:
                    length = column - start
                    runs.setdefault(shape.palette[cells[start]], []).append(f"M{start} {row}h{length}v1h-{length}z")
                    start = column
        corner = _numbers(shape.x - shape.width / 2, shape.y - shape.height / 2)
        scale = _numbers(shape.width / shape.columns, shape.height / shape.rows)
        paths = (f'<path fill="#{color:08x}" d="{"".join(runs[color])}"/>' for color in runs if color & 0xFF)
        style = f'transform="translate({corner}) scale({scale})" shape-rendering="crispEdges"'
        self.elements.append(f"<g {style}>{''.join(paths)}</g>")


def drawn(shapes: list[Shape], width: float, height: float) -> str:
    """The list in a world of this size."""
    svg, camera = Svg(), camera_of(shapes, width, height)
    render(flatten(shapes, width, height), svg)
    box = _numbers(camera.x - camera.width / 2, camera.y - camera.height / 2, camera.width, camera.height)
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}">{"".join(svg.elements)}</svg>'


def moment(env: str | Path, policy: bytes | None) -> list[Shape]:
    """The game as it looks after some seconds."""
    game = Game(env, policy, seed=1)
    game.tick(int(SECONDS * game.spec.tick_rate))
    return game.draw(0, game.spec.view_width / game.spec.view_height)
