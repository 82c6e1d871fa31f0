"""`minnow new` and `minnow check`: the template is an environment, and mistakes are met in words."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from minnow import envs
from minnow.cli.main import main
from minnow.envs import check

ROOT = Path(__file__).resolve().parent.parent
HERE = envs.folder("pong").parent


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of environments that has none yet."""
    for path in [*HERE.glob("*.[ch]"), HERE / "template.toml"]:
        shutil.copy(path, tmp_path)
    for module in ("spec", "check"):
        monkeypatch.setattr(sys.modules[f"minnow.envs.{module}"], "HERE", tmp_path)
    return tmp_path


def test_the_template_is_an_environment(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "fruit_fall", "--json"]) == 0
    files = [Path(path) for path in json.loads(capsys.readouterr().out)["files"]]
    assert files == [folder / "fruit_fall" / "fruit_fall.c", folder / "fruit_fall" / "train.toml"]
    assert files[0].read_text().count("\n") < 120 and envs.names() == ["fruit_fall"]
    assert envs.spec("fruit_fall").title == "Fruit fall"
    for label in ("source", "declaration", "warnings", "state", "snapshots"):
        check.CHECKS[label]("fruit_fall")
    scores = {}
    for player in ("random", "script"):
        assert main(["eval", "fruit_fall", "--player", player, "--episodes", "50", "--json"]) == 0
        scores[player] = json.loads(capsys.readouterr().out)["score_mean"]
    assert scores["script"] == 20 > 2 * scores["random"]


@pytest.mark.parametrize(
    "argv, words",
    [
        (["new", "Fruit"], "cannot name an environment"),
        (["new", "../fruit"], "cannot name an environment"),
        (["new", "fruit", "--title", 'say "fruit"'], "goes into a C string"),
        (["new", "fruit", "--tittle", "x"], "did you mean --title"),
        (["check", "pnog"], "unknown environment"),
    ],
)
def test_mistakes_are_named(folder: Path, argv: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 1
    assert words in capsys.readouterr().err
    assert envs.names() == []


def test_nothing_is_overwritten(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "fruit"]) == 0
    (folder / "fruit" / "fruit.c").write_text("mine")
    assert main(["new", "fruit"]) == 1
    assert "is there already" in capsys.readouterr().err
    assert (folder / "fruit" / "fruit.c").read_text() == "mine"


def copied(folder: Path) -> None:
    """The package's sources, from which `run` imports."""
    package = folder / "minnow"
    shutil.copytree(ROOT / "minnow", package)
    for part in ("cinfer", "envs", "train", "export", "web", "cli"):
        shutil.copytree(ROOT / part, package / part)


def run(folder: Path, *words: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run([sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{words}\n{done.stdout[-5000:]}{done.stderr[-5000:]}"
    return done.stdout


def minnow(folder: Path, *words: str) -> str:
    return run(folder, "-m", "minnow.cli.main", *words)


@pytest.mark.full
def test_a_new_environment_passes_all_tests(tmp_path: Path) -> None:
    """In a copy of the checkout: the page's core with it, and every parametrised test."""
    copied(tmp_path)
    minnow(tmp_path, "new", "fruit")
    run(tmp_path, "-c", "import minnow.web.core; minnow.web.core.wasm('fruit')")
    tests = [str(path) for path in sorted((ROOT / "tests").glob("test_env_*.py")) if path.stem != "test_env_new"]
    told = run(tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "fruit", *tests, "--rootdir", str(ROOT))
    assert " passed" in told


@pytest.mark.full
def test_the_guide_does_what_it_says(tmp_path: Path) -> None:
    """The commands of "Writing your own" in docs/environments.md, one after another, in a copy of the checkout."""
    copied(tmp_path)
    text = (ROOT / "docs" / "environments.md").read_text().split("## Writing your own")[1].split("\n## ")[0]
    blocks = re.findall(r"```(sh|diff)\n(.*?)```", text, re.DOTALL)
    assert [kind for kind, _ in blocks] == ["sh", "diff", "sh"]
    scores = []
    for kind, block in blocks:
        if kind == "diff":
            (tmp_path / "stones.diff").write_text(block)
            continue
        for line in block.splitlines():
            words = line.split()
            if words[0] == "git":
                subprocess.run(["git", "apply", "../stones.diff"], cwd=tmp_path / "minnow", check=True)
            elif words[1] == "eval":
                scores.append(json.loads(minnow(tmp_path, *words[1:], "--json"))["score_mean"])
            elif words[1] != "serve":
                minnow(tmp_path, *words[1:])
    fruit, script, stones = scores
    assert fruit > 15 and 10 < script < 18 and stones > 0.8 * script
