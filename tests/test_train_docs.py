"""docs/training.md: its commands run, its list of metrics is complete; the dashboard shows what it should."""

from __future__ import annotations

import io
import json
import re
import shlex
from pathlib import Path

from rich.console import Console

from minnow.bench import ablate as ablation
from minnow.cli.main import main
from minnow.train import checkpoint
from minnow.train.dashboard import Dashboard

TEXT = (Path(__file__).parent.parent / "docs" / "training.md").read_text()


def test_the_commands_and_the_metrics(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    block = re.search(r"```sh\n(.*?)```", TEXT, re.DOTALL)
    assert block
    commands = [shlex.split(line) for line in block[1].splitlines()]
    assert len(commands) == 4
    for command in commands:
        assert command[0] == "minnow"
        extra = ["--no-export"] if command[1] == "train" else []
        assert main([*command[1:], *extra]) == 0, command
    weights = [checkpoint.read(checkpoint.find(Path("runs/cartpole") / run))[0] for run in ("doc", "again")]
    assert all(leaf.equal(weights[1][name]) for name, leaf in weights[0].items())
    table = set(re.findall(r"`([a-z_]+)`", "".join(line for line in TEXT.splitlines() if line.startswith("| `"))))
    lines = (Path("runs/cartpole/doc") / "metrics.jsonl").read_text().splitlines()
    written = set().union(*(json.loads(line) for line in lines))
    assert written == table - {"success_rate", "broken_rate", "elo", "elo_games", "randomize"}


def test_the_table_of_ablations_is_what_was_measured():
    recorded = json.loads((Path(__file__).parent.parent / "bench/results/ablations.json").read_text())
    found = [entry for run in recorded["runs"] for entry in run["result"]]
    assert "\n".join(ablation.table(found)) in TEXT
    for entry in found:
        assert entry["settings"] == ablation.ROWS[entry["row"]] and len(entry["runs"]) == entry["seeds"] >= 3
    assert {entry["row"] for entry in found if entry["env"] == "pong"} >= {
        row for row in ablation.ROWS if " / 3" not in row
    }


METRICS = {
    "steps": 5e5,
    "seconds": 1.0,
    "steps_per_second": 5e5,
    "score_mean": 7.0,
    "episodes": 3.0,
    "kl": 0.01,
    "elo": 12.3,
}


def test_plain_lines_where_there_is_no_terminal():
    stream = io.StringIO()
    with Dashboard("pong", 1_000_000, 20, Console(file=stream)) as dashboard:
        dashboard.show(METRICS)
        dashboard.show(METRICS)  # within the same second
        dashboard.show(METRICS, final=True)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2 and "Elo +12" in lines[0]
    assert lines[0].startswith("0.50 of 1.00 M steps, 1.0 of 20 s  score +7.00") and "\x1b" not in stream.getvalue()


def test_a_table_on_a_terminal():
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=120, _environ={"TERM": "xterm"})  # whatever this one is
    with Dashboard("pong (seed 3)", 1_000_000, None, console) as dashboard:
        dashboard.show(METRICS)
    shown = stream.getvalue()
    assert "pong (seed 3)" in shown and "+7.00" in shown and "500,000" in shown and "\x1b" in shown
