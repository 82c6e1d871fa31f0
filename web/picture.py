"""A draw list as SVG: the pictures of the index page, made by playing each game for a moment."""

from __future__ import annotations

import math
from html import escape
from pathlib import Path

from minnow.envs.raster import KINDS
from minnow.web.game import Game, Shape

RECT, CIRCLE, LINE, POLYGON, TEXT, CAMERA = map(KINDS.get, ("RECT", "CIRCLE", "LINE", "POLYGON", "TEXT", "CAMERA"))


def _numbers(*values: float) -> str:
    return " ".join(f"{value:.4g}" for value in values)


def _element(shape: Shape) -> str:
    """One shape as an element; empty for a kind that a flat picture does not hold."""
    fill = f'fill="#{shape.color:08x}"'
    f = shape.f
    if shape.kind == RECT:
        x, y, width, height, angle, radius = f[:6]
        turn = f' transform="rotate({_numbers(math.degrees(angle), x, y)})"' if angle else ""
        place = f'x="{x - width / 2:.5g}" y="{y - height / 2:.5g}" rx="{radius:.4g}"'
        return f'<rect {place} width="{width:.5g}" height="{height:.5g}" {fill}{turn}/>'
    if shape.kind == CIRCLE:
        return f'<circle cx="{f[0]:.5g}" cy="{f[1]:.5g}" r="{f[2]:.4g}" {fill}/>'
    if shape.kind == LINE:
        ends = f'x1="{f[0]:.5g}" y1="{f[1]:.5g}" x2="{f[2]:.5g}" y2="{f[3]:.5g}"'
        return f'<line {ends} stroke="#{shape.color:08x}" stroke-width="{f[4]:.4g}" stroke-linecap="round"/>'
    if shape.kind == POLYGON:
        return f'<polygon points="{_numbers(*f[: 2 * shape.n])}" {fill}/>'
    if shape.kind == TEXT:
        anchor = "middle" if shape.n == 0 else "start" if shape.n < 0 else "end"
        place = f'x="{f[0]:.5g}" y="{f[1]:.5g}" font-size="{f[2]:.4g}" text-anchor="{anchor}"'
        style = 'font-family="system-ui,sans-serif" font-weight="700" dominant-baseline="central"'
        return f"<text {place} {style} {fill}>{escape(shape.text)}</text>"
    return ""


def svg(env: str | Path, policy: bytes | None, *, seconds: float = 3.0) -> str:
    """The game as it looks after some seconds."""
    game = Game(env, policy, seed=1)
    game.tick(int(seconds * game.spec.tick_rate))
    width, height = game.spec.view_width, game.spec.view_height
    shapes = game.draw(0, width / height)
    box = (0.0, 0.0, width, height)
    for shape in shapes:
        if shape.kind == CAMERA:
            x, y, w, h = shape.f[:4]
            box = (x - w / 2, y - h / 2, w, h)
    body = "".join(map(_element, shapes))
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{_numbers(*box)}">{body}</svg>'
