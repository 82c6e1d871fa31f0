"""The policies that the repository ships: made for the environments as they are, and as good as their files say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from minnow import cinfer, envs
from minnow.cli.main import main
from minnow.train import config as configs
from minnow.web.site import Demo

SHIPPED = sorted((Path(__file__).parents[1] / "web" / "policies").glob("*.minnow"))


def test_each_is_for_an_environment() -> None:
    """An environment without one is played on its page by the script and by people."""
    with_bar = {name for name in envs.names() if configs.bar(name)}
    assert len(with_bar) >= 7 and with_bar <= {path.stem for path in SHIPPED} <= set(envs.names())


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy = cinfer.load(path)
    policy.selftest()
    assert policy.meta["environment"] == path.stem
    assert policy.meta["source_hash"] == envs.spec(path.stem).source_hash, "the environment changed: train it again"
    elsewhere = re.sub(rf"\bruns/({path.stem}/)?", "", policy.meta["command"].removeprefix("minnow train "))
    assert path.stat().st_size <= 320_000 and "/" not in elsewhere
    assert main(["eval", str(path), "--episodes", "200", "--seed", "0", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert abs(found["score_mean"] - policy.meta["score"]) <= max(0.5, found["score_ci95"])  # weights may be rounded
    bar = configs.bar(path.stem) or configs.Bar("score_mean", policy.meta["score"] - found["score_ci95"])
    assert bar.reached(found)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_stages(path: Path) -> None:
    """Five earlier stages of each policy's training at least, for the slider of its page."""
    policy = cinfer.load(path)
    stages = Demo(path.stem, path).stages
    assert len(stages) >= 5 and list(stages) == sorted(stages) and max(stages) < policy.meta["steps"]
    for steps, file in stages.items():
        stage = cinfer.load(file)
        stage.selftest()
        assert stage.meta["steps"] == steps and stage.meta["source_hash"] == policy.meta["source_hash"]
        assert stage.meta["seed"] == policy.meta["seed"]
        assert file.stat().st_size <= path.stat().st_size + 2048  # golden vectors are not equally many
