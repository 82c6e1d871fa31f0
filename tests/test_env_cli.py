"""`minnow envs` and `minnow bench envs`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from minnow import envs
from minnow.cli import bench, main


def test_envs_lists_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["envs"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in envs.names())
    assert main.main(["envs", "--json"]) == 0
    assert [each["name"] for each in json.loads(capsys.readouterr().out)] == envs.names()


@pytest.mark.parametrize("name", envs.names())
def test_envs_describes_one(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    spec = envs.spec(name)
    assert main.main(["envs", name]) == 0
    shown = capsys.readouterr().out
    for part in (*spec.param, *spec.fields, *spec.head, *spec.gesture):
        assert part.name in shown
    for param in spec.param:
        assert param.doc in shown
    assert main.main(["envs", name, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(spec.to_json()))


def test_bench_measures(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What it prints; the speed itself is judged by hand, on a machine that does nothing else."""
    monkeypatch.setattr(bench, "SECONDS", 0.01)
    assert main.main(["bench", "envs", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["env"], row["threads"]) for row in rows] == [(name, n) for name in envs.names() for n in (1, 2)]
    assert all(row["steps_per_second"] > 5e4 for row in rows)
    assert main.main(["bench", "envs", "--env", "pong", "--threads", "1", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 1


@pytest.mark.parametrize(
    "argv, words",
    [
        (["envs", "pnog"], "did you mean pong"),
        (["envs", "--jsn"], "did you mean --json"),
        (["bench", "env"], "did you mean envs"),
        (["bench", "envs", "--env", "pnog"], "did you mean pong"),
        (["bench", "envs", "--threads", "-3"], "threads = -3 is out of its range"),
    ],
)
def test_mistakes_are_named(argv: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(argv) == 1
    assert words in capsys.readouterr().err


def test_documented_scores(capsys: pytest.CaptureFixture[str]) -> None:
    """Every row of the table in docs/environments.md is what its command prints."""
    text = (Path(__file__).parent.parent / "docs" / "environments.md").read_text()
    rows = re.findall(r"\| (-?[\d.]+) \| `minnow (eval [^`]+)` \|", text)
    assert len(rows) == 12
    for score, command in rows:
        assert main.main([*command.split(), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["score_mean"] == pytest.approx(float(score), abs=0.00501), command
