"""`minnow new` and `minnow check`: the template is an environment, and mistakes are met in words."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sumo import write

from minnow import envs
from minnow.cli.main import main
from minnow.envs import check

ROOT = Path(__file__).resolve().parent.parent
MINE = ("test_env_new", "test_env_find")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, and in it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_template_is_an_environment(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "fruit_fall", "--into", "games", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    place = Path(told["folder"])
    assert place == Path("games") / "fruit_fall" and envs.folder(place) == folder / place
    written = ["fruit_fall.c", "train.toml", "test_fruit_fall.py", "README.md"]
    assert told["files"] == [str(place / name) for name in written] and "fruit_fall" not in envs.names()
    assert (place / "fruit_fall.c").read_text().count("\n") < 120
    assert not re.search(r"\b(NAME|TITLE)\b", "".join(path.read_text() for path in place.iterdir()))
    assert envs.spec(place).title == "Fruit fall"
    for label in ("source", "declaration", "warnings", "state", "snapshots"):
        check.CHECKS[label](place)
    scores = {}
    for player in ("random", "script"):
        assert main(["eval", str(place), "--player", player, "--episodes", "50", "--json"]) == 0
        scores[player] = json.loads(capsys.readouterr().out)
    assert scores["script"]["score_mean"] == 20 > 2 * scores["random"]["score_mean"]
    assert scores["script"]["env"] == "fruit_fall"


@pytest.mark.parametrize(
    "argv, words",
    [
        (["new", "Fruit"], "cannot name an environment"),
        (["new", "../fruit"], "cannot name an environment"),
        (["new", "pong"], "one of the games that Minnow comes with"),
        (["new", "fruit", "--title", 'say "fruit"'], "goes into a C string"),
        (["new", "fruit", "--tittle", "x"], "did you mean --title"),
        (["check", "pnog"], "unknown environment"),
        (["include", "env.h"], "takes nothing"),
    ],
)
def test_mistakes_are_named(folder: Path, argv: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 1
    assert words in capsys.readouterr().err
    assert list(folder.iterdir()) == []


def test_nothing_is_overwritten(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "fruit"]) == 0
    assert "minnow check ./fruit;" in capsys.readouterr().out
    (folder / "fruit" / "fruit.c").write_text("mine")
    assert main(["new", "fruit"]) == 1
    assert "is there already" in capsys.readouterr().err
    assert (folder / "fruit" / "fruit.c").read_text() == "mine"


def test_the_headers(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What `minnow include` prints holds the headers whole, for a compiler and for whoever copies them."""
    assert main(["include"]) == 0
    headers = Path(capsys.readouterr().out.strip())
    assert (headers / "minnow.h").read_bytes() == (ROOT / "cinfer" / "minnow.h").read_bytes()
    assert main(["new", "fruit"]) == 0
    for source in ("fruit/fruit.c", "runs.c"):
        Path("runs.c").write_text("#define MINNOW_IMPLEMENTATION\n#include <minnow.h>\n")
        subprocess.run(["cc", f"-I{headers}", "-O1", "-c", source, "-o", "made.o"], cwd=folder, check=True)


def run(folder: Path, *words: str, **more: str) -> str:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **more}
    done = subprocess.run([sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{words}\n{done.stdout[-5000:]}{done.stderr[-5000:]}"
    return done.stdout


def minnow(folder: Path, *words: str) -> str:
    return run(folder, "-m", "minnow.cli.main", *words)


@pytest.mark.full
@pytest.mark.timeout(1200)
def test_a_new_environment_passes_all_tests(tmp_path: Path) -> None:
    """Every test of each environment, of one that lies elsewhere; its own test; and the page's core with it."""
    minnow(tmp_path, "new", "fruit")
    run(tmp_path, "-c", "import minnow.web.game; minnow.web.game.wasm('./fruit')")
    tests = [path for path in sorted((ROOT / "tests").glob("test_env_*.py")) if path.stem not in MINE]
    pytest = ("-m", "pytest", "-q", "-p", "no:cacheprovider")
    ours = ("--rootdir", str(ROOT), "-c", str(ROOT / "pyproject.toml"), "-k", "fruit", *map(str, tests))
    assert " passed" in run(tmp_path, *pytest, *ours, MINNOW_ENVS=str(tmp_path))
    assert "2 passed" in run(tmp_path, *pytest, "fruit")


@pytest.mark.full
@pytest.mark.timeout(1200)
def test_the_guide_does_what_it_says(tmp_path: Path) -> None:
    """The commands of "Writing your own" in docs/environments.md, one after another, in an empty folder."""
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
                subprocess.run(words, cwd=tmp_path, check=True)
            elif words[1] == "eval":
                scores.append(json.loads(minnow(tmp_path, *words[1:], "--json"))["score_mean"])
            elif words[1] != "serve":
                minnow(tmp_path, *words[1:])
    fruit, script, stones = scores
    assert fruit > 15 and 10 < script < 18 and stones > 0.8 * script


@pytest.fixture
def sumo(folder: Path) -> Path:
    """The second example of docs/environments.md, as it stands there."""
    place = write(folder)
    assert (place / "sumo.c").read_text().count("\n") < 160
    return place


def test_the_second_example(sumo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two players with continuous actions: the contract is kept, it learns a little, and the outcomes are as said."""
    spec = envs.spec(sumo)
    assert spec.slots == 2 and spec.action_type == "box" and spec.has_potential and spec.has_success
    for label in ("source", "declaration", "warnings", "state", "snapshots"):
        check.CHECKS[label](sumo)
    env, terminated, truncated, infos = envs.parallel(sumo, seed=5, time=5.0), {}, {}, {}
    right = np.array([1.0, 0.0], np.float32)
    for name, act in (("terminated", lambda obs: right), ("truncated", lambda obs: -obs[:2] / np.abs(obs[:2]).max())):
        obs, _ = env.reset()
        while env.agents:
            obs, _, terminated, truncated, infos = env.step({agent: act(seen) for agent, seen in obs.items()})
        ended = {"terminated": all(terminated.values()), "truncated": all(truncated.values())}
        assert ended == {flag: flag == name for flag in ended}  # both to the right, one is out; both inwards, none
        first, second = (info["outcome"]["score"] for info in infos.values())
        assert first == -second and abs(first) == (name == "terminated")
    argv = ["train", "./sumo", "--steps", "65536", "--seed", "1", "--processes", "1", "--no-export", "--out", "run"]
    assert main(argv) == 0
    assert main(["eval", "run", "--episodes", "20", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["env"] == "sumo"


@pytest.mark.full
def test_the_second_example_learns(sumo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every check of the contract, and a training that wins."""
    assert main(["check", "./sumo"]) == 0
    assert main(["train", "./sumo", "--seed", "1", "--steps", "1000000", "--out", "run"]) == 0
    capsys.readouterr()
    assert main(["eval", "run/policy.minnow", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["success_rate"] > 0.9
