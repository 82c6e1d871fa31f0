"""`minnow robust`: success against randomization, each parameter alone, and the page of both."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from minnow import envs
from minnow.cli.main import main
from minnow.train import robust
from minnow.train.evaluation import Episodes, ScriptPlayer, played, wilson
from minnow.web import shipped

CARTPOLE = str(shipped.policy("cartpole"))


def test_it_says_the_same_again_as_numbers_and_as_a_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found, pages = [], []
    for _ in range(2):
        assert main(["robust", CARTPOLE, "--episodes", "4", "--json", "-o", "out/page.html"]) == 0
        found.append(json.loads(capsys.readouterr().out))
        pages.append((tmp_path / "out" / "page.html").read_text())
    assert found[0] == found[1] and pages[0] == pages[1]
    one, spec = found[0], envs.spec("cartpole")
    assert one["strengths"] == [i / 10 for i in range(11)] and len(one["curve"]) == 11
    assert one["curve"][0]["success"] == 1 and one["curve"][0]["low"] == pytest.approx(wilson(1, 4)[0])
    shares = [point["success"] for point in one["curve"]]
    assert one["area"] == pytest.approx(sum(shares) / 10 - (shares[0] + shares[-1]) / 20)
    rows = one["alone"]
    assert {row["name"] for row in rows} == {param.name for param in spec.param if param.kind == "physics"}
    assert [row["share"]["success"] for row in rows] == sorted(row["share"]["success"] for row in rows)
    page = pages[0]
    assert "<script" not in page and not re.search(r'(src|href)="(?!#)', page) and "<svg" in page
    assert all(f">{row['name']}<" in page for row in rows)


def test_what_counts_and_what_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    record = np.array([[[500, 0, 0, 0]], [[474, 0, 0, 1]]], float)
    episodes = Episodes(envs.spec("cartpole"), record, np.ones((2, 1)))
    assert robust.goal(envs.ours("cartpole")).passed(episodes).tolist() == [1, 0]  # the bar of its train.toml, 475
    assert robust.Goal(None).passed(episodes).tolist() == [0, 1]
    assert robust.Goal(400.0).passed(episodes).tolist() == [1, 1]
    for options, words in (
        (["--alone", "2"], "--alone is 2"),
        (["--bar", "nan"], "--bar is nan"),
        (["-o", "page.pdf"], "must end in .html"),
        (["--episodes", "0"], "--episodes is 0"),
    ):
        assert main(["robust", CARTPOLE, *options]) == 1
        assert words in capsys.readouterr().err


def test_levels_of_fidelity() -> None:
    place = envs.ours("reach")
    course = robust.Course(ScriptPlayer(), place, robust.goal(place), 8, 0, {"limit": 30.0})
    assert [row.name for row in robust.levels(course)] == ["level 0", "level 1", "level 2"]
    narrow = played(ScriptPlayer(), place, 4, seed=3, ranges={"stiffness": (500.0, 500.0)})
    fixed = played(ScriptPlayer(), place, 4, seed=3, params={"stiffness": 500.0})
    assert (narrow.record == fixed.record).all()
