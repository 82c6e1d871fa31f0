"""Every environment is held to the contract, and the checks that hold it find what they are for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from each import every, of_all

from minnow import envs
from minnow.cinfer.errors import MinnowError
from minnow.cli.main import main
from minnow.envs import check

QUICK = ("source", "declaration", "snapshots")  # the others compile; tests/test_golden.py does so for every environment


@pytest.mark.parametrize("label", QUICK)
@every
def test_the_contract(name: str, label: str) -> None:
    check.CHECKS[label](name)


@pytest.mark.parametrize("label", [label for label in check.CHECKS if label not in (*QUICK, "storm")])
@pytest.mark.parametrize("name", of_all("pong"))
def test_the_rest_of_the_contract(name: str, label: str) -> None:
    found = check.CHECKS[label](name)
    if label == "golden":
        builds = found.split(", ")
        assert len(builds) == 2 + 5 * len(check.lane_counts(name)) and {"aarch64", "wasm"} < set(builds)


@pytest.mark.parametrize("name", [each for each in of_all("pong") if not each.marks])
def test_a_storm(name: str) -> None:
    check.storm(name)


@pytest.mark.full
@pytest.mark.timeout(2100)
@every
def test_a_long_storm(name: str) -> None:
    """It begins with the contract's own storm, step by step."""
    check.storm(name, 1_000_000)


FAULTS = {
    "source": ('#include "../env.h"', '#include "../env.h"\n#include <math.h>', "math.h: use mathf.h's functions"),
    "declaration": (".score_low = -21.0f", ".score_low = 99.0f", "score_low must lie below score_high"),
    "warnings": ("int winner = ", "int unused, winner = ", "unused"),
    "state": (
        "static void serve(",
        "static int served;\nstatic void serve(",
        "keeps served outside State: move it in",
    ),
    "snapshots": ("static void serve(", "static int served;\nstatic void serve(", "something outside State matters"),
    "storm": ('{"ball_y", -1.0f, 1.0f}', '{"ball_y", -0.5f, 0.5f}', "leaves the range.*ball_y is"),
    "golden": ("0.2f + 0.6f *", "0.1f * (float)sizeof(void *) + 0.6f *", "builds of broken_golden disagree"),
}


@pytest.mark.parametrize("label", FAULTS)
def test_a_fault_is_found(
    label: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pong with one fault, in a folder of its own."""
    old, new, words = FAULTS[label]
    name = f"broken_{label}"
    text = envs.source("pong").read_text()
    assert old in text
    text = text.replace(old, new).replace('"pong"', f'"{name}"').replace('"../', '"')
    if "served" in new:  # counts serves of all games, and lets them matter
        text = text.replace(
            "    s->x[lane] = 0.5f", "    slope += (float)(served++ & 7) * 0.01f;\n    s->x[lane] = 0.5f"
        )
    (tmp_path / name).mkdir()
    (tmp_path / name / f"{name}.c").write_text(text)
    monkeypatch.setattr(check, "BUILDS", check.BUILDS[:1])  # the others are of this processor too
    with pytest.raises(MinnowError, match=rf"(?s){words}"):
        check.CHECKS[label](tmp_path / name)
    if label == "source":
        assert main(["check", str(tmp_path / name), "--json"]) == 1
        told = json.loads(capsys.readouterr().out)
        assert not told["ok"] and not told["checks"]["source"]["ok"]


def test_a_picture_that_is_too_long_at_a_corner_is_found(tmp_path: Path) -> None:
    """Snake draws more than it does by default where there is food everywhere."""
    text = envs.source("snake").read_text().replace('"../', '"').replace('"snake"', '"fed"')
    (tmp_path / "fed").mkdir()
    (tmp_path / "fed" / "fed.c").write_text(text.replace("#define ENV_SHAPES 4131", "#define ENV_SHAPES 500"))
    with pytest.raises(MinnowError, match="more shapes than ENV_SHAPES declares, with parameters at their ends"):
        check.storm(tmp_path / "fed", 1000)
