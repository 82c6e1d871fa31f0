"""The picture of a benchmark: how near each back end comes to the limit of its machine."""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape

COLOURS = {"minnow": "#0f766e", "onnxruntime": "#b45309", "onnxruntime-web": "#b45309", "torch": "#6b7280"}
LABEL, BAR, LINE, GAP, TOP = 190, 170, 17, 46, 64


def svg(rows: list[dict[str, Any]]) -> str:
    """One panel a network (across) and number of agents (down); bars are shares of the limit, numbers microseconds."""
    nets = list(dict.fromkeys(row["net"] for row in rows))
    agents = list(dict.fromkeys(row["agents"] for row in rows))
    names = list(dict.fromkeys(_name(row) for row in rows))
    wide, high = BAR + 60, LINE * len(names) + GAP
    out = [_text(12, 24, "Share of the machine's limit (bars) and microseconds a step (numbers)", "font-weight='bold'")]
    for down, count in enumerate(agents):
        y = TOP + down * high
        for i, name in enumerate(names):
            out.append(_text(LABEL - 8, y + LINE * i + 12, name, "text-anchor='end'"))
        for across, net in enumerate(nets):
            x = LABEL + across * wide
            out.append(_text(x, y - 8, f"net {net}, {count} agent{'s' * (count > 1)}", "font-weight='bold'"))
            out.append(f"<rect x='{x}' y='{y}' width='{BAR}' height='{LINE * len(names)}' fill='#f1f5f9'/>")
            for row in rows:
                if row["net"] == net and row["agents"] == count:
                    at = y + LINE * names.index(_name(row))
                    length = BAR * min(1.0, row["ratio_to_limit"])
                    faint = " fill-opacity='0.6'" if row["mode"] == "exact" else ""
                    colour = COLOURS[row["backend"]]
                    out.append(
                        f"<rect x='{x}' y='{at + 2}' width='{length:.1f}' height='{LINE - 4}' fill='{colour}'{faint}/>"
                    )
                    out.append(_text(x + length + 4, at + 12, f"{row['us']:.3g}", ""))
    width, height = LABEL + wide * len(nets), TOP + high * len(agents) - GAP + 16
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' font-family='sans-serif' "
        f"font-size='11' fill='#0f172a'>\n<rect width='{width}' height='{height}' fill='#ffffff'/>\n"
        + "\n".join(out)
        + "\n</svg>\n"
    )


def _name(row: dict[str, Any]) -> str:
    if row["backend"] == "minnow":
        place = row["isa"] if row["host"] == "native" else row["host"]
        return f"minnow, {place}, {row['mode']}"
    return row["backend"] if row["host"] == "native" else f"{row['backend']}, {row['host']}"


def _text(x: float, y: float, text: str, more: str) -> str:
    return f"<text x='{x:.1f}' y='{y}' {more}>{escape(text)}</text>"
