"""`minnow eval --all`: every shipped policy beside the random and the scripted player, under one protocol."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minnow import envs
from minnow.cinfer.errors import MinnowError
from minnow.cinfer.files import write_atomic
from minnow.cli import flags
from minnow.web import shipped

BEGIN, END = "<!-- scores -->\n", "<!-- /scores -->\n"


@dataclass
class Flags:
    """Score the shipped policy, the random and the scripted player of every environment: greedily, with default
    parameters, nothing randomized, on the same seeds, which training never uses."""

    env: str = ""
    """Only this environment."""
    episodes: int = 400
    """Whole episodes of each player."""
    seed: int = 0
    """Which episodes."""
    doc: Path | None = None
    """Write the table into this Markdown file, between its lines <!-- scores --> and <!-- /scores -->."""
    json: bool = False
    """Print one JSON list on standard output."""


def main(argv: list[str]) -> int:
    chosen = flags.parse(Flags, argv, "minnow eval --all")
    if chosen.doc:
        if chosen.env:
            raise MinnowError("--doc writes the whole table: leave out --env.")
        _split(chosen.doc)  # complains before the work
    names = [envs.folder(chosen.env)] if chosen.env else envs.folders()
    rows = []
    for name in names:
        rows.append(row(name, chosen.episodes, chosen.seed))
        if not chosen.json:
            print(json.dumps(rows[-1]), flush=True)
    if chosen.doc:
        before, after = _split(chosen.doc)
        write_atomic(chosen.doc, (before + BEGIN + table(rows) + END + after).encode())
    if chosen.json:
        print(json.dumps(rows))
    return 0


def row(env: str | Path, episodes: int, seed: int) -> dict[str, Any]:
    """What evaluation says of the shipped policy, and `random_score`, `scripted_score`; without a policy or a script
    their figures are left out."""
    from minnow import cinfer
    from minnow.train import evaluation

    def score(player: Any) -> evaluation.Score:
        return evaluation.evaluate(player, env, episodes, seed=seed)

    spec, path = envs.spec(env), shipped.policy(env)
    found: dict[str, Any] = {"env": spec.name, "title": spec.title, "score_name": spec.score_name, "episodes": episodes}
    if path:
        policy = cinfer.load(path)
        found |= score(evaluation.FilePlayer(policy)).to_dict()
        found |= {"steps": policy.meta.get("steps"), "bytes": path.stat().st_size}
    others: dict[str, Any] = {"random": evaluation.RandomPlayer(spec)}
    if spec.has_script:
        others["scripted"] = evaluation.ScriptPlayer()
    for label, player in others.items():
        got = score(player)
        found |= {f"{label}_score": got.score_mean, f"{label}_ci95": got.score_ci95}
        if got.success_rate is not None:
            found[f"{label}_success"] = got.success_rate
    return found


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown."""

    def cell(row: dict[str, Any], mean: str, spread: str, success: str) -> str:
        if mean not in row:
            return "none"
        text = f"{row[mean]:.2f}" if row.get(spread) is None else f"{row[mean]:.2f} ± {row[spread]:.2f}"
        return text + (f" ({row[success]:.1%})" if success in row else "")

    lines = ["| environment | score | random | script | trained | steps | KB |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        trained = cell(row, "score_mean", "score_ci95", "success_rate")
        steps = f"{row['steps'] / 1e6:.1f} M" if row.get("steps") else ""
        size = f"{row['bytes'] / 1024:.0f}" if "bytes" in row else ""
        random = cell(row, "random_score", "random_ci95", "random_success")
        script = cell(row, "scripted_score", "scripted_ci95", "scripted_success")
        title = row["title"]
        lines.append(f"| {title} | {row['score_name']} | {random} | {script} | {trained} | {steps} | {size} |")
    return "\n".join(lines) + "\n"


def _split(doc: Path) -> tuple[str, str]:
    """What stands before and after the table."""
    try:
        text = doc.read_text(encoding="utf-8")
    except OSError as error:
        raise MinnowError(f"cannot read {doc}: {error.strerror}.") from None
    parts = re.split(f"{re.escape(BEGIN)}.*?{re.escape(END)}", text, flags=re.DOTALL)
    if len(parts) != 2:
        raise MinnowError(f"{doc} has no place for the table: put the lines {BEGIN.strip()} and {END.strip()} there.")
    return parts[0], parts[1]
