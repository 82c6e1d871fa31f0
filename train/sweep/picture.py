"""A study as a picture: the front, the importances, and the score along each axis."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from minnow.cinfer.errors import MinnowError
from minnow.train.sweep.study import Study, front

ACROSS = 4  # slices in a row


def draw(study: Study, path: Path, by: str | None = None) -> None:
    """Writes a PNG, PDF or SVG, by the ending of its name. by: the setting of which each part's front is drawn too."""
    if path.suffix not in (".png", ".pdf", ".svg"):
        raise MinnowError(f"--plot is {path}: its name must end in .png, .pdf or .svg.")
    results = study.results()
    if not results:
        raise MinnowError("no trial of this study has finished with a score yet.")
    numeric = [axis for axis in study.axes if axis.form != "choice"]
    rows = -(-len(numeric) // ACROSS)
    figure = Figure(figsize=(14, 4 + 2.6 * rows), layout="constrained")
    halves: Any = figure.subfigures(2, 1, height_ratios=(4, 2.6 * rows))
    upper, lower = halves
    left, right = upper.subplots(1, 2)
    colours = {result.number: result.seconds for result in results}
    left.set(
        title=f"{study.base.name}: {len(results)} trials", xlabel="seconds of training", ylabel="score", xscale="log"
    )
    for result in results:
        left.plot([point[2] for point in result.curve], [point[1] for point in result.curve], color="#bbbbbb", lw=0.5)
    left.scatter(
        [r.seconds for r in results], [r.score for r in results], c=list(colours.values()), cmap="viridis", s=18
    )
    best = front(results)
    left.step([r.seconds for r in best], [r.score for r in best], where="post", color="crimson", label="best so far")
    for label, part in study.parts(by).items() if by else ():
        own = front(part)
        left.step([r.seconds for r in own], [r.score for r in own], where="post", lw=1, label=f"{by} {label}")
    left.legend(loc="lower right")
    weights = study.importances()
    names = list(weights)[::-1]
    right.barh(names, [weights[name] for name in names], color="steelblue")
    right.set(
        title="what decides the score" if weights else "too few trials to say what decides the score", xlabel="share"
    )
    for axis, place in zip(numeric, lower.subplots(rows, ACROSS, squeeze=False).flat, strict=False):
        values = [axis.value(result.params[axis.name]) for result in results]
        place.scatter(values, [r.score for r in results], c=list(colours.values()), cmap="viridis", s=10)
        wide = axis.form == "power" or (axis.log and axis.form != "complement")
        place.set(title=axis.name, xscale="log" if wide else "linear")
        place.xaxis.set_minor_formatter(NullFormatter())
    for place in lower.axes[len(numeric) :]:
        place.remove()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
