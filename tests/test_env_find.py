"""Where environments are found: by path, in ./envs, in $MINNOW_ENVS, among ours; and what follows if one has moved."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from minnow import cinfer, envs
from minnow.cinfer.errors import MinnowError
from minnow.cli.main import main
from minnow.train import checkpoint
from minnow.train import config as configs
from minnow.web import shipped, site

SHORT = ["--train.steps", "8192", "--train.envs", "64", "--processes", "1", "--seed", "3"]


def fruit(folder: Path, title: str = "Fruit") -> Path:
    """A new environment called fruit in a folder."""
    assert main(["new", "fruit", "--title", title, "--into", str(folder)]) == 0
    return folder / "fruit"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """An empty folder, and in it; with a name that is hard on quoting."""
    place = tmp_path / "my gämes"
    place.mkdir()
    monkeypatch.chdir(place)
    monkeypatch.delenv("MINNOW_ENVS", raising=False)
    return place


def test_paths_and_names(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = fruit(here)
    for path in ("./fruit", "fruit/", str(place), Path("fruit"), "./fruit/fruit.c"):
        assert envs.folder(path) == place
    monkeypatch.chdir(place)
    assert envs.folder(".") == place
    monkeypatch.chdir(here)
    Path("versions").mkdir()
    place.rename(Path("versions") / "fruit-2")
    place.symlink_to(Path("versions") / "fruit-2")
    assert envs.folder("./fruit") == place and envs.spec("./fruit").title == "Fruit"
    place.unlink()
    (Path("versions") / "fruit-2").rename(place)
    assert envs.ours("pong") == envs.folder("pong") and envs.remember(envs.folder("pong")) == ""
    with pytest.raises(MinnowError, match=r"unknown environment 'fruit'.*There is one at \./fruit"):
        envs.folder("fruit")
    monkeypatch.setenv("MINNOW_ENVS", os.pathsep.join(["nowhere", "fruit"]))  # an environment itself
    assert envs.folder("fruit") == place and envs.names() == sorted([*(p.name for p in envs.folders())])
    monkeypatch.setenv("MINNOW_ENVS", ".")  # a folder of environments
    assert envs.folder("fruit") == place
    monkeypatch.delenv("MINNOW_ENVS")
    moved = Path("envs") / "fruit"
    moved.parent.mkdir()
    place.rename(moved)
    assert envs.folder("fruit") == here / moved


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("./nothing", "./nothing does not exist|nothing does not exist"),
        ("./empty", "empty is not an environment.*it has no empty.c"),
        ('./say "hi"', "do not take quotes"),
    ],
)
def test_paths_that_are_none(here: Path, path: str, words: str) -> None:
    Path("empty").mkdir()
    odd = Path('say "hi"')
    odd.mkdir()
    (odd / f"{odd.name}.c").touch()
    with pytest.raises(MinnowError, match=words):
        envs.folder(path)


def test_two_of_one_name(here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """They are told apart by their paths, not by chance; two copies of the same are one."""
    first, second = fruit(here / "envs", "Apples"), fruit(here / "more", "Pears")
    monkeypatch.setenv("MINNOW_ENVS", "more")
    with pytest.raises(MinnowError, match=f"several environments are called fruit: {first} and {second}"):
        envs.folder("fruit")
    games = [envs.make(str(path), seed=1) for path in (first, second)]
    assert [game.vector.spec.title for game in games] == ["Apples", "Pears"]
    assert envs.spec(first).source_hash != envs.spec(second).source_hash
    assert main(["envs"]) == 0  # lists both
    assert main(["site", "build"]) == 1
    assert "one page for each name" in capsys.readouterr().err
    shutil.copy(second / "fruit.c", first / "fruit.c")
    envs.forget()
    assert envs.folder("fruit") == first
    assert envs.spec(first).source_hash == envs.spec(second).source_hash  # wherever it lies


def test_everything_remembers_where_it_was(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run of an environment that lies anywhere: scored, exported, on the site; moved, lost and found again."""
    place, run = fruit(here), here / "runs" / "fruit" / "1"
    assert main(["train", "./fruit", *SHORT, "--out", str(run)]) == 0
    config = configs.load(run / "config.toml")
    assert (config.name, config.path, config.place) == ("fruit", str(place), place)
    policy = run / "policy.minnow"
    assert str(here) not in json.dumps(cinfer.load(policy).meta), "a policy that is passed on tells of this machine"
    monkeypatch.chdir(here.parent)
    for target in (run, policy):
        assert main(["eval", str(target), "--episodes", "5", "--json"]) == 0
    assert main(["match", str(run), "random", "--games", "2"]) == 1
    assert "fruit has 1 player: a match needs two sides" in capsys.readouterr().err
    found = {demo.env: demo.policy for demo in site.demos({}, here / "runs")}
    assert found["fruit"] == policy and set(found) == {*envs.names(), "fruit"}
    assert [demo.env for demo in site.demos({}, here / "runs", [place])] == ["fruit"]
    assert [demo.env for demo in site.demos({str(place): policy}, here / "none", [place, "pong"])] == ["fruit", "pong"]

    # Of another environment of that name, the run is none.
    other = fruit(here / "other")
    assert site.newest_policy(other, here / "runs") is None
    shutil.copy(policy, other / "policy.minnow")
    assert shipped.policy(other) == site.newest_policy(other, here / "runs") == other / "policy.minnow"
    assert shipped.place("fruit", other / "policy.minnow") == other

    # The whole folder moves, on this machine or to another.
    moved = here.parent / "moved"
    here.rename(moved)
    run = moved / "runs" / "fruit" / "1"
    assert checkpoint.place(checkpoint.load(run)[1]) == moved / "fruit"
    assert main(["eval", str(run / "policy.minnow"), "--episodes", "5"]) == 0

    # The environment alone moves: it is looked for by its name, or named.
    (moved / "shelf").mkdir()
    (moved / "fruit").rename(moved / "shelf" / "fruit")
    capsys.readouterr()
    assert main(["eval", str(run), "--episodes", "5"]) == 1
    told = capsys.readouterr().err
    assert "belongs to the environment fruit" in told and "set MINNOW_ENVS to the folder that it lies in now" in told
    assert "fruit" not in {demo.env for demo in site.demos({}, moved / "runs")}
    assert main(["train", str(moved / "shelf" / "fruit"), "--resume", str(run), "--no-export"]) == 0
    monkeypatch.setenv("MINNOW_ENVS", str(moved / "shelf"))
    assert main(["eval", str(run), "--episodes", "5"]) == 0
    assert main(["export", str(run), "--out", str(moved / "again.minnow")]) == 0


def test_an_environment_of_the_first_edition_is_told_what_to_change(tmp_path: Path) -> None:
    """Words, not a compiler's, where a C file is of Minnow 0.1; a compiler's where the fault is another."""
    text = envs.source("pong").read_text(encoding="utf-8").replace('"../', '"').replace('"pong"', '"old"')
    old = text
    for now, then in (
        ("#define ENV_SHAPES 28\n", ""),
        (".group = groups,", ".obs_type = ENV_F32,\n.obs_rank = 1,\n.obs_shape = {ENV_OBS},\n.fields = fields,"),
        (".observe = {observe}", ".observe = observe"),
        ("event->at[1]", "event->y"),
    ):
        assert now in old
        old = old.replace(now, then)
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "old.c").write_text(old)
    with pytest.raises(MinnowError) as told:
        envs.spec(tmp_path / "old")
    words = str(told.value)
    for word in ("0.1", "ENV_SHAPES", ".group = groups", "{observe}", "event->at", "docs/environments.md, From 0.1"):
        assert word in words
    assert "gcc" not in words and "\n" not in words and len(words) < 700
    (tmp_path / "old" / "old.c").write_text(text.replace("static void serve(", "static void serve(("))
    envs.forget()
    with pytest.raises(MinnowError, match="failed"):
        envs.spec(tmp_path / "old")
