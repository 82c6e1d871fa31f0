"""`--track`: wandb for real, offline; trackio by the calls that it gets; a package that is missing."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from types import ModuleType
from typing import Any

import pytest

from minnow.cinfer import compile
from minnow.cinfer.errors import MinnowError
from minnow.cli.main import main
from minnow.train import tracker
from minnow.train.config import Config

SHORT = ["--steps", "8192", "--train.checkpoints", "1", "--train.logs", "2", "--seed", "1", "--no-export"]


def test_wandb_gets_every_line(tmp_path):
    """A run offline, in a process of its own, since wandb starts helpers; its file holds the numbers."""
    run = tmp_path / "run"
    command = [sys.executable, "-m", "minnow.cli.main", "train", "cartpole", "--track", "wandb", "--out", str(run)]
    home = {"HOME": str(tmp_path), "WANDB_MODE": "offline", "PATH": "/usr/bin:/bin"}
    home["MINNOW_CACHE"] = str(compile.cache())
    done = subprocess.run([*command, *SHORT, "--json"], capture_output=True, text=True, env=home, timeout=120)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["steps"] == 8192  # wandb's words go elsewhere
    (file,) = run.glob(f"wandb/offline-run-*/run-{(run / 'track-id').read_text()}.wandb")
    kept = file.read_bytes()
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert len(lines) == 2
    for line in lines:
        assert repr(line["entropy"]).encode() in kept and repr(line["value_loss"]).encode() in kept


@pytest.mark.parametrize("kind", ["wandb", "trackio"])
def test_what_a_tracker_is_told(kind, monkeypatch, tmp_path):
    told = []

    class Run:
        def log(self, metrics, step):
            told.append((step, metrics))

        def finish(self):
            told.append("finished")

    def init(project, name, config, resume, **more):
        told.append((project, name, config["name"], resume, more))
        return Run()

    module: Any = ModuleType(kind)
    module.init, module.__spec__ = init, importlib.util.spec_from_loader(kind, None)
    monkeypatch.setitem(sys.modules, kind, module)
    run = tmp_path / "7"
    assert main(["train", "cartpole", "--track", kind, "--out", str(run), *SHORT]) == 0
    own = (run / "track-id").read_text()
    if kind == "wandb":
        assert told[0] == ("minnow", "cartpole/7", "cartpole", "allow", {"id": own, "dir": str(run)})
    else:
        assert told[0] == ("minnow", f"cartpole/7-{own}", "cartpole", "allow", {})
    assert [told[1][0], told[2][0], told[3:]] == [4096, 8192, ["finished"]] and "entropy" in told[1][1]
    assert main(["train", "--resume", str(run), "--track", kind, "--no-export"]) == 0
    assert told[4] == told[0], "a resumed run goes on under its id"


def test_runs_of_two_machines_do_not_merge(tmp_path):
    """Their folders may have one name; ids are drawn."""
    folders = [tmp_path / machine / "20260101-120000" for machine in "ab"]
    for folder in folders:
        folder.mkdir(parents=True)
    assert len({tracker.run_id(folder) for folder in folders * 2}) == 2


def test_a_missing_package_is_named_before_anything_else(monkeypatch, capsys, tmp_path):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "trackio" else find(name))
    monkeypatch.chdir(tmp_path)
    assert main(["train", "cartpole", "--track", "trackio"]) == 1
    assert "trackio, which --track asks for, is not installed: pip install -e" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_tracker_that_does_not_start_is_one_clear_error(monkeypatch, tmp_path, capsys):
    def init(**given):
        raise RuntimeError("api_key not configured (no-tty).\nmore lines")

    module: Any = ModuleType("wandb")
    module.init, module.__spec__ = init, importlib.util.spec_from_loader("wandb", None)
    monkeypatch.setitem(sys.modules, "wandb", module)
    for _ in range(2):  # the run's folder is as free as before
        assert main(["train", "cartpole", "--track", "wandb", "--out", str(tmp_path / "7"), *SHORT]) == 1
        assert "minnow: error: wandb did not start" in capsys.readouterr().err
    with pytest.raises(
        MinnowError, match=r"did not start: api_key not configured \(no-tty\). Try: .*WANDB_MODE=offline"
    ):
        tracker.Tracker("wandb", Config("cartpole"), tmp_path / "7")
