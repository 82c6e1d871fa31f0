"""`minnow envs` and `minnow bench envs`."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from each import FEW, every

from minnow import envs
from minnow.bench import envs as bench
from minnow.bench import pace
from minnow.cli import main, scores


def test_envs_lists_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["envs"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in envs.names())
    assert main.main(["envs", "--json"]) == 0
    assert [each["name"] for each in json.loads(capsys.readouterr().out)] == envs.names()


@every
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
    monkeypatch.setattr(envs, "folders", lambda: [envs.ours(name) for name in FEW])
    assert main.main(["bench", "envs", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["env"], row["threads"]) for row in rows] == [(name, n) for name in FEW for n in (1, 2)]
    assert all(row["steps_per_second"] > 0 for row in rows)
    made, vector = [], envs.Vector
    monkeypatch.setattr(envs, "Vector", lambda *args, **options: made.append(options) or vector(*args, **options))
    argv = ["bench", "envs", "--env", "pong", "--env.points", "3", "--randomize", "0.3", "--threads", "1", "--json"]
    assert main.main(argv) == 0
    assert len(json.loads(capsys.readouterr().out)) == 1
    assert made[0]["params"] == {"points": 3} and made[0]["randomize"] == 0.3


def test_bench_compares_instruction_sets(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """One environment with lanes and floats; all builds play the same game, or none is measured."""
    monkeypatch.setattr(bench, "TURNS", 1)
    monkeypatch.setattr(bench, "WARM_UP", 0.0)
    argv = ["bench", "envs", "--isa", "--env", "pong", "--env.points", "3", "--randomize", "0.3", "--agents", "100"]
    argv += ["--json"]
    assert main.main(argv) == 0
    said = capsys.readouterr()
    rows = json.loads(said.out)
    assert [(row["env"], row["isa"]) for row in rows] == [("pong", isa) for isa in pace.isas()]
    assert pace.isas()[-1] == "wasm" and len(rows) >= 2
    assert all(0 < row["steps_per_second"] <= row["steps_per_second_best"] for row in rows)
    table = said.err.splitlines()
    assert table[0].split()[: len(rows)] == pace.isas() and len(table[1].split()) == 1 + len(rows)

    native = pace.make
    monkeypatch.setattr(pace, "make", lambda name, isa, *rest: Other(native(name, isa, *rest), isa))
    assert main.main(argv) == 1
    assert "pong plays differently when compiled differently" in capsys.readouterr().err


@dataclass
class Other:
    """A build whose WebAssembly plays another game."""

    made: pace.Pace
    isa: str

    def run(self, times: int) -> float:
        return self.made.run(times + (self.isa == "wasm"))

    def hash(self) -> int:
        return self.made.hash()


@pytest.mark.parametrize(
    "argv, words",
    [
        (["bench", "envs", "--isa", "--threads", "2"], "--isa compares single threads, got --threads 2"),
        (["bench", "envs", "--isa", "--agents", "0"], "--agents 0: at least one agent must step"),
        (["envs", "pnog"], "did you mean pong"),
        (["envs", "--jsn"], "did you mean --json"),
        (["bench", "env"], "did you mean envs"),
        (["bench", "envs", "--env", "pnog"], "did you mean pong"),
        (["bench", "envs", "--env", "pong", "--env.point", "3"], "did you mean --env.points"),
        (["bench", "envs", "--env", "pong", "--randomize", "2"], "--randomize 2: it must be 0 to 1"),
        (["bench", "envs", "--threads", "-3"], "threads = -3 is out of its range"),
    ],
)
def test_mistakes_are_named(argv: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(argv) == 1
    assert words in capsys.readouterr().err


def test_documented_scores(capsys: pytest.CaptureFixture[str]) -> None:
    """Every row of the table of skills in docs/environments.md is what its command prints."""
    text = (Path(__file__).parent.parent / "docs" / "environments.md").read_text()
    rows = re.findall(r"\| (-?[\d.]+) \| `minnow (eval [^`]+)` \|", text)
    assert len(rows) == 4
    for score, command in rows:
        assert main.main([*command.split(), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["score_mean"] == pytest.approx(float(score), abs=0.00501), command


def test_documented_table() -> None:
    """The table of scores has a row for every environment, and a trained score wherever a policy is shipped."""
    root = Path(__file__).parent.parent
    table = (root / "docs" / "environments.md").read_text().split(scores.BEGIN)[1].split(scores.END)[0]
    rows = [re.split(r" *\| *", line.strip("| ")) for line in table.splitlines()[2:]]
    assert [row[0] for row in rows] == [envs.spec(name).title for name in envs.names()]
    for name, row in zip(envs.names(), rows, strict=True):
        assert (row[4] != "none") == (root / "web" / "policies" / f"{name}.minnow").exists(), name


def test_scores_of_all_players(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    doc = tmp_path / "table.md"
    assert main.main(["eval", "--all", "--doc", str(doc)]) == 1
    assert "cannot read" in capsys.readouterr().err
    doc.write_text("above\n")
    assert main.main(["eval", "--all", "--doc", str(doc)]) == 1
    assert "no place for the table" in capsys.readouterr().err
    assert main.main(["eval", "--all", "--doc", str(doc), "--env", "cartpole"]) == 1
    assert "the whole table" in capsys.readouterr().err
    doc.write_text(f"above\n{scores.BEGIN}old\n{scores.END}below\n")
    monkeypatch.setattr(envs, "folders", lambda: [envs.ours("cartpole")])
    assert main.main(["eval", "--all", "--episodes", "20", "--doc", str(doc), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["score_mean"] > 400 and row["scripted_score"] == 500 and row["random_score"] < 60
    text = doc.read_text()
    assert text.startswith("above\n") and text.endswith("below\n") and "old" not in text
    assert f"{row['random_score']:.2f} ± {row['random_ci95']:.2f}" in text
