"""`minnow runs` and `minnow plot`: what past runs left, listed, compared and drawn."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from minnow.cinfer.errors import MinnowError
from minnow.cli import plot, runs
from minnow.train import config as configs
from minnow.train import records
from minnow.train.run import Folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two finished runs of Pong that differ in a setting and an unfinished one of CartPole."""
    for name, run, gamma, score in (("pong", "a", 0.9, 3.0), ("pong", "b", 0.99, 18.5), ("cartpole", "c", 0.99, None)):
        path = tmp_path / name / run
        path.mkdir(parents=True)
        config = configs.defaults(name)
        config = dataclasses.replace(config, train=dataclasses.replace(config.train, gamma=gamma))
        result = {"steps": 2000, "seconds": 4.5, "ended": "budget", "score_mean": score, "score_ci95": 0.25}
        (path / "config.toml").write_text(configs.dump(config, result if score else None))
        lines = [{"steps": 1000 * i, "seconds": 2.0 * i, "loss": 1.0 / i, "score_mean": score or 0.0} for i in (1, 2)]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (path / "metrics.jsonl").write_text(text + '{"steps": 3000, "sec')  # killed while writing
    return tmp_path


def test_list(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert runs.main(["--folder", str(folder), "--sort", "score", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(Path(row["run"]).name, row["state"], row["steps"], row["score_mean"]) for row in rows] == [
        ("b", "budget", 2000, 18.5),
        ("a", "budget", 2000, 3.0),
        ("c", "unfinished", 2000, None),
    ]
    assert runs.main(["--folder", str(folder / "pong"), "--json"]) == 0  # as --out runs/NAME makes them
    assert len(json.loads(capsys.readouterr().out)) == 2
    assert runs.main(["--folder", str(folder), "--env", "cartpole", "--json"]) == 0
    assert [row["env"] for row in json.loads(capsys.readouterr().out)] == ["cartpole"]
    assert runs.main(["--folder", str(folder)]) == 0
    assert "+18.50 ± 0.25" in capsys.readouterr().out


def test_a_damaged_run_hides_no_other(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    damaged = folder / "pong" / "a" / "config.toml"
    damaged.write_text(damaged.read_text().replace("steps = ", 'steps = "many" # ', 1))
    assert runs.main(["--folder", str(folder), "--json"]) == 0
    captured = capsys.readouterr()
    assert len(json.loads(captured.out)) == 2
    assert "left out: " in captured.err and "pong/a/config.toml" in captured.err and "'many'" in captured.err


def test_damaged_metrics_are_told(folder: Path) -> None:
    run = folder / "pong" / "a"
    lines = (run / "metrics.jsonl").read_text().splitlines(keepends=True)
    for damage in ('{"ste\n', "3\n", '{"loss": 1.0}\n', "\x00\n"):
        (run / "metrics.jsonl").write_text(lines[0] + damage + lines[1])
        with pytest.raises(MinnowError, match=r"metrics.jsonl: line 2 is damaged .*remove it"):
            records.read(run)
        with pytest.raises(MinnowError, match=r"metrics.jsonl: line 2 is damaged .*remove it"):
            Folder(run).open_metrics(configs.defaults("pong"), 1000)
    (run / "metrics.jsonl").write_text(lines[0] + lines[1])
    opened = Folder(run)
    opened.open_metrics(configs.defaults("pong"), 1000)
    opened.close()
    assert (run / "metrics.jsonl").read_text() == lines[0]  # what came after the checkpoint is written again


def test_a_result_edited_by_hand(folder: Path) -> None:
    file = folder / "pong" / "a" / "config.toml"
    whole = file.read_text()
    head = whole[: whole.index("[result]")]
    for result in ("result = 3\n", '[result]\nsteps = "many"\n', "[result]\nended = 3\n"):
        file.write_text(result + head if result[0] == "r" else head + result)
        for read in (lambda: records.read(file.parent), lambda: configs.load(file)):
            with pytest.raises(MinnowError, match="result is a table of numbers"):
                read()
    file.write_text(head + '[result]\nended = "budget"\n')
    assert configs.load(file).train.stop == 0
    file.write_text(head.replace("[env]", "[env]\nspeed = true") + "[result]\n")
    with pytest.raises(MinnowError, match="env is a table of numbers"):
        configs.load(file)


def test_compare(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    named = [str(folder / "pong" / name) for name in "ab"]
    assert runs.main([*named, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["settings"] for row in rows] == [{"train.gamma": 0.9}, {"train.gamma": 0.99}]
    assert plot.label([records.read(Path(name)) for name in named]) == ["gamma 0.9", "gamma 0.99"]


@pytest.mark.parametrize(("ending", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("html", b"<!doctype html>")])
def test_plot(folder: Path, ending: str, start: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    output = folder / f"curves.{ending}"
    assert plot.main([str(folder / "pong" / "a"), str(folder / "pong" / "b"), "-o", str(output)]) == 0
    assert output.read_bytes().startswith(start)
    if ending == "html":
        assert "gamma 0.99" in output.read_text()


def test_a_curve_leaves_out_a_line_that_is_being_written(folder: Path) -> None:
    curve = records.read(folder / "pong" / "a").curve()
    assert [line["steps"] for line in curve] == [1000, 2000]


@pytest.mark.parametrize(
    ("verb", "argv", "words"),
    [
        (plot, [], "at least one run"),
        (plot, ["{pong}", "-o", "x.gif"], "must end in .png"),
        (plot, ["{pong}", "--metric", "score"], "score_mean"),
        (plot, ["nowhere"], "holds no run"),
        (runs, ["--folder", "nowhere"], "minnow train pong"),
        (runs, ["--sort", "scores"], "score"),
        (runs, ["nowhere"], "holds no run"),
    ],
)
def test_bad_input(verb: Any, argv: list[str], words: str, folder: Path) -> None:
    with pytest.raises(MinnowError, match=words):
        verb.main([word.format(pong=folder / "pong" / "a") for word in argv])
