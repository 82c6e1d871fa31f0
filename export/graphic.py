"""A policy's operations as an SVG picture, from top to bottom in layers."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape

from minnow.export.format import File

WIDTH, HEIGHT, GAP, ROW = 190, 46, 26, 86  # of a box, and between boxes
MARGIN, FONT = 24, 13
COLOURS = {"input": "#bfdbfe", "state": "#fde68a", "output": "#bbf7d0", "weights": "#e9d5ff", "plain": "#f1f5f9"}


@dataclass
class Box:
    kind: str
    title: str
    note: str
    layer: int = 0
    x: float = 0.0
    above: list[int] = field(default_factory=list)  # the boxes it takes from

    @property
    def y(self) -> float:
        return MARGIN + 30 + self.layer * ROW


def svg(file: File, title: str) -> str:
    """The picture as text. Boxes: inputs, states before the step, operations, outputs, states after the step."""
    boxes = layers(file)
    rows: dict[int, list[Box]] = {}
    for box in boxes:
        rows.setdefault(box.layer, []).append(box)
    width = MARGIN * 2 + max(len(row) for row in rows.values()) * (WIDTH + GAP) - GAP
    width = max(width, MARGIN * 2 + WIDTH * 2)
    for row in rows.values():
        place(row, boxes, width)
    height = MARGIN * 2 + 30 + (max(rows) + 1) * ROW - (ROW - HEIGHT)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
        f'height="{height:g}" font-family="system-ui, sans-serif" font-size="{FONT}">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width:g}" height="{height:g}" fill="#ffffff"/>',
        f'<text x="{MARGIN}" y="{MARGIN + 6}" font-size="16" font-weight="600" fill="#0f172a">{escape(title)}</text>',
        '<g fill="none" stroke="#94a3b8" stroke-width="1.4">',
        *(line(boxes[i], box, detour(boxes[i], box, boxes)) for box in boxes for i in box.above),
        "</g>",
        *(draw(box) for box in boxes),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def layers(file: File) -> list[Box]:
    """Every box, each one layer below the lowest it takes from."""
    graph = file.graph
    boxes: list[Box] = []
    maker: dict[int, int] = {}  # value -> box

    def add(box: Box, values: list[int]) -> None:
        box.above = list(dict.fromkeys(maker[value] for value in values))
        box.layer = max((boxes[i].layer + 1 for i in box.above), default=0)
        boxes.append(box)

    for item in graph.inputs:
        value = graph.values[item.value]
        add(Box("input", item.name, f"{value.dtype} {list(value.shape)}"), [])
        maker[item.value] = len(boxes) - 1
    for state in graph.states:
        add(Box("state", f"{state.name} before", str(list(graph.values[state.before].shape))), [])
        maker[state.before] = len(boxes) - 1
    for op in graph.ops:
        weights = sum(graph.tensors[i].size for i in op.tensors if i >= 0)
        shapes = " ".join(str(list(graph.values[i].shape)) for i in op.outputs)
        note = f"{shapes} · {weights:,} weights" if weights else shapes
        add(Box("weights" if weights else "plain", op.kind, note), op.inputs)
        maker |= dict.fromkeys(op.outputs, len(boxes) - 1)
    first = len(boxes)
    for output in graph.outputs:
        add(Box("output", output.name, "" if output.role in ("other", output.name) else output.role), [output.value])
    for state in graph.states:
        add(Box("state", f"{state.name} after", ""), [state.after])
    for i, box in enumerate(boxes):
        if not box.above and box.title == "constant":  # beside what uses it
            box.layer = max(0, min((other.layer for other in boxes if i in other.above), default=1) - 1)
    lowest = max(box.layer for box in boxes)
    for box in boxes[first:]:
        box.layer = lowest
    return boxes


def place(row: list[Box], boxes: list[Box], width: float) -> None:
    """Puts a row below what it takes from, as near as there is room; rows above have their places already."""
    wish = [sum(boxes[i].x for i in box.above) / len(box.above) if box.above else width / 2 - WIDTH / 2 for box in row]
    order = sorted(range(len(row)), key=lambda i: wish[i])
    step, left, right = WIDTH + GAP, MARGIN, width - MARGIN - WIDTH
    at = left
    for k, i in enumerate(order):  # from the left, as far right as wished, leaving room for the rest
        row[i].x = at = min(max(wish[i], at), right - (len(order) - 1 - k) * step)
        at += step
    off = sum(wish[i] - row[i].x for i in order) / len(order)
    low, high = left - row[order[0]].x, right - row[order[-1]].x
    for box in row:
        box.x += min(max(off, low), high)


def detour(above: Box, below: Box, boxes: list[Box]) -> float | None:
    """Where a line that would run through other boxes passes them: the x beside them."""
    between = [box for box in boxes if above.layer < box.layer < below.layer]
    x = above.x + WIDTH / 2
    blocked = [box for box in between if box.x - 6 < x < box.x + WIDTH + 6]
    if not blocked:
        return x
    return max(box.x for box in between) + WIDTH + GAP / 2


def line(above: Box, below: Box, x: float | None) -> str:
    start, end = (above.x + WIDTH / 2, above.y + HEIGHT), (below.x + WIDTH / 2, below.y)
    bend = (ROW - HEIGHT) * 0.6
    if below.layer == above.layer + 1 or x is None:
        way = f"C {start[0]:g} {start[1] + bend:g} {end[0]:g} {end[1] - bend:g} {end[0]:g} {end[1]:g}"
    else:
        top, bottom = start[1] + ROW - HEIGHT, end[1] - (ROW - HEIGHT)
        way = f"C {start[0]:g} {start[1] + bend:g} {x:g} {top - bend:g} {x:g} {top:g} L {x:g} {bottom:g} "
        way += f"C {x:g} {bottom + bend:g} {end[0]:g} {end[1] - bend:g} {end[0]:g} {end[1]:g}"
    return f'<path d="M {start[0]:g} {start[1]:g} {way}"/>'


def draw(box: Box) -> str:
    middle = box.x + WIDTH / 2
    note = (
        f'<text x="{middle:g}" y="{box.y + 36:g}" text-anchor="middle" font-size="11" fill="#475569">'
        f"{escape(shorten(box.note, 32))}</text>"
        if box.note
        else ""
    )
    return (
        f'<g><rect x="{box.x:g}" y="{box.y:g}" width="{WIDTH}" height="{HEIGHT}" rx="8" fill="{COLOURS[box.kind]}" '
        f'stroke="#64748b"/><text x="{middle:g}" y="{box.y + (20 if box.note else 28):g}" text-anchor="middle" '
        f'font-weight="600" fill="#0f172a">{escape(shorten(box.title, 24))}</text>{note}</g>'
    )


def shorten(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
