"""`minnow plot RUN...`: draws learning curves against steps and against seconds; `minnow plot SEEDS.json`: how the
scores of many seeds are spread, which `minnow bench seeds --out` has measured."""

from __future__ import annotations

import base64
import html
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minnow.cinfer.errors import MinnowError, unknown
from minnow.cinfer.files import write_atomic
from minnow.cli import flags
from minnow.train import records
from minnow.train.records import Record

SUMMARY = "draw learning curves against steps and seconds"
ENDINGS = (".png", ".svg", ".html")
ACROSS = 4  # places in a row


@dataclass
class Flags:
    """Draw the learning curves of runs, or the scores of `minnow bench seeds --out SEEDS.json`: minnow plot RUN... [-o
    FILE], or minnow plot SEEDS.json [-o FILE]"""

    output: Path = Path("curves.png")
    """A .png, .svg or .html file; the last holds the picture and a table of the runs."""
    metric: str = "score_mean"
    """Which metric of metrics.jsonl."""


def main(argv: list[str]) -> int:
    named, rest = flags.leading(argv)
    chosen = flags.parse(Flags, ["--output" if word == "-o" else word for word in rest], "minnow plot")
    if not named:
        raise MinnowError("minnow plot takes at least one run, such as runs/pong/<id>; minnow runs lists them.")
    if chosen.output.suffix not in ENDINGS:
        raise MinnowError(f"--output is {chosen.output}: its name must end in {', '.join(ENDINGS)}.")
    if Path(named[0]).suffix == ".json":
        if len(named) > 1 or chosen.output.suffix == ".html":
            raise MinnowError("minnow plot draws one file of seeds, into a .png or .svg.")
        chosen.output.parent.mkdir(parents=True, exist_ok=True)
        _spread(Path(named[0])).savefig(chosen.output, dpi=120)
        print(chosen.output)
        return 0
    found = [records.read(Path(name)) for name in named]
    curves = [record.curve() for record in found]
    for record, curve in zip(found, curves, strict=True):
        if not curve:
            raise MinnowError(f"{record.path} has no metrics yet.")
    known = sorted({name for curve in curves for line in curve for name in line})
    if chosen.metric not in known:
        raise unknown("metric", chosen.metric, known)
    labels = label(found)
    figure = _figure(curves, labels, chosen.metric)
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    if chosen.output.suffix == ".html":
        write_atomic(chosen.output, _page(found, labels, figure, chosen.metric).encode())
    else:
        figure.savefig(chosen.output, dpi=120)
    print(chosen.output)
    return 0


def label(found: list[Record]) -> list[str]:
    """What tells each run from the others: at most three settings, or its name."""
    apart = records.differences(found)
    names = [name for name in apart if name != "seed"][:3]
    if not names or len({tuple(str(apart[name][i]) for name in names) for i in range(len(found))}) < len(found):
        return [record.name for record in found]
    return [", ".join(f"{name.split('.')[-1]} {apart[name][i]}" for name in names) for i in range(len(found))]


def _figure(curves: list[list[dict[str, float]]], labels: list[str], metric: str) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for place, axis in ((left, "steps"), (right, "seconds")):
        for curve, name in zip(curves, labels, strict=True):
            points = [(line[axis], line[metric]) for line in curve if metric in line]
            place.plot([point[0] for point in points], [point[1] for point in points], label=name, lw=1.5)
        place.set(xlabel=axis, ylabel=metric if place is left else None)
        place.grid(alpha=0.3)
    left.legend(loc="best")
    return figure


def _spread(path: Path) -> Any:
    """A dot a seed, the lowest first, and the bar: a place for each environment, four in a row."""
    from matplotlib.figure import Figure

    from minnow.bench import keep
    from minnow.train import config as configs

    rows = keep.read(path, "seeds")
    names = list(dict.fromkeys(row["env"] for row in rows))
    if not names:
        raise MinnowError(f"{path} holds no seeds: measure some by minnow bench seeds ENV --out {path}.")
    across, down = min(len(names), ACROSS), -(-len(names) // ACROSS)
    figure = Figure(figsize=(2.8 * across, 2.5 * down), layout="constrained")
    places = figure.subplots(down, across, squeeze=False).flatten()
    for place in places[len(names) :]:
        place.set_axis_off()
    for name, place in zip(names, places[: len(names)], strict=True):
        bar = configs.needed_bar(name)
        scores = sorted(row[bar.key] for row in rows if row["env"] == name)
        place.plot(range(1, len(scores) + 1), scores, ".", ms=4)
        place.axhline(bar.least, color="crimson", lw=1)
        place.set(title=f"{name}, {len(scores)} seeds", ylabel=bar.key, xticks=[])
        place.grid(alpha=0.3)
    return figure


def _page(found: list[Record], labels: list[str], figure: Any, metric: str) -> str:
    """A page that stands alone."""
    import io

    picture = io.BytesIO()
    figure.savefig(picture, format="svg")
    rows = "".join(
        "<tr>"
        + "".join(f"<td>{html.escape(cell)}</td>" for cell in (str(record.path), name, f"{record.steps:,}",
            f"{record.seconds:.1f}", "" if record.score is None else f"{record.score:+.2f}"))
        + "</tr>"
        for record, name in zip(found, labels, strict=True)
    )  # fmt: skip
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(metric)}</title>'
        "<style>body{font:15px system-ui;margin:2rem auto;max-width:75rem;padding:0 1rem}img{width:100%}"
        "table{border-collapse:collapse}td,th{text-align:left;padding:.3rem .8rem;border-bottom:1px solid #ccc}</style>"
        f"<h1>{html.escape(metric)}</h1>"
        f'<img alt="Curves of {html.escape(metric)} against steps and seconds" '
        f'src="data:image/svg+xml;base64,{base64.b64encode(picture.getvalue()).decode()}">'
        "<table><tr><th>run<th>curve<th>steps<th>seconds<th>final score</tr>"
        f"{rows}</table></html>\n"
    )
