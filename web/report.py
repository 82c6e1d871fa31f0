"""The page that `minnow robust` writes: one file that needs no script, no font and nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from minnow.train.robust import Robustness
from minnow.web.site import TEMPLATES

LEFT, RIGHT, TOP, BOTTOM = 50, 700, 15, 290  # of the chart, in its units


def page(found: Robustness, told: Mapping[str, str]) -> str:
    """HTML. told: where the figures come from, by what each is called; `policy` is the title's."""
    made = TEMPLATES.overlay()
    made.filters = {**TEMPLATES.filters, "percent": percent}
    return made.get_template("robust.html").render(found=found, told=told, chart=_chart(found))


def percent(share: float) -> str:
    """`41.0 %`, with a narrow space that does not break."""
    return f"{100 * share:.1f}\u202f%"


def _chart(found: Robustness) -> dict[str, Any]:
    """What the curve's picture is made of."""
    xs = [round(LEFT + (RIGHT - LEFT) * strength, 1) for strength in found.strengths]
    rows = list(zip(xs, found.strengths, found.curve, strict=True))
    edge = [(x, share.high) for x, _, share in rows] + [(x, share.low) for x, _, share in reversed(rows)]
    return {
        "lines": [{"y": _y(share), "text": percent(share).replace(".0", "")} for share in (0, 0.25, 0.5, 0.75, 1)],
        "band": " ".join(f"{x},{_y(share)}" for x, share in edge),
        "curve": " ".join(f"{x},{_y(share.success)}" for x, _, share in rows),
        "dots": [
            {
                "x": x,
                "y": _y(share.success),
                "text": f"{strength:.0%}",
                "title": f"{percent(share.success)}, {percent(share.low)} to {percent(share.high)}",
            }
            for x, strength, share in rows
        ],
    }


def _y(share: float) -> float:
    return round(BOTTOM - (BOTTOM - TOP) * share, 1)
