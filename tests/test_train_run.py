"""Runs: their folders, how they are interrupted and resumed, what stops them, and that they learn."""

from __future__ import annotations

import dataclasses
import fcntl
import itertools
import json
import os
import resource
import signal
import subprocess
import sys
import termios
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from sure import sure

from minnow import envs, train
from minnow.cinfer.errors import MinnowError
from minnow.cli.main import main
from minnow.train import checkpoint, crew, device, run
from minnow.train import config as configs
from minnow.train.backend import CorePPO
from minnow.train.config import Config, Core, PolicyConfig, TrainConfig
from minnow.train.group import Group
from minnow.train.ppo import PPO

NAMES = envs.names()
MINNOW = [sys.executable, "-m", "minnow.cli.main"]


def small(name: str, core: Core, **changes: Any) -> Config:
    """Six updates of a tiny run with everything switched on: two epochs, normalisation, randomization, checkpoints."""
    agents = envs.spec(name).agents
    count = max(8 // agents, 1)
    settings = TrainConfig(
        steps=6 * count * agents * 16,
        envs=count,
        horizon=16,
        minibatch=64,
        epochs=2,
        value_clip=0.2,
        checkpoints=3,
        logs=6,
    )
    policy = PolicyConfig(core=core, hidden=16, normalize=True)
    return Config(name, 5, 0.3, policy=policy, train=dataclasses.replace(settings, **changes))


# By optimiser: the second with everything else that a checkpoint must carry.
SWITCHED = {"adam": {}, "muon": {"normalize_reward": True, "advantage": "vtrace", "priority": 0.8}}


class Killed(Exception):
    pass


def kill(path: Path) -> None:
    raise Killed


def equal(left: Path, right: Path) -> bool:
    first, second = checkpoint.read(left)[0], checkpoint.read(right)[0]
    return first.keys() == second.keys() and all(torch.equal(leaf, second[name]) for name, leaf in first.items())


# Everything with Pong; in the ordinary run other environments with the settings that carry most.
RESUMED = [
    *itertools.product(["pong"], get_args(Core), SWITCHED),
    *((name, "lstm", "muon") for name in NAMES if name != "pong"),
]
LONG = [case for case in itertools.product(NAMES, get_args(Core), SWITCHED) if case not in RESUMED]


@pytest.mark.parametrize(
    ("name", "core", "optimizer"), [*RESUMED, *(pytest.param(*case, marks=pytest.mark.full) for case in LONG)]
)
def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path, name, core, optimizer):
    config = small(name, core, optimizer=optimizer, **SWITCHED[optimizer])
    whole = train.train(config, out=tmp_path / "whole")
    with pytest.raises(Killed):
        train.train(config, out=tmp_path / "killed", on_checkpoint=kill)
    first = checkpoint.find(tmp_path / "killed")
    resumed = train.resume(tmp_path / "killed")
    assert len(checkpoint.all_of(resumed.run)) == 3 and resumed.steps == whole.steps == config.train.steps
    assert equal(whole.checkpoint, resumed.checkpoint)
    with pytest.raises(MinnowError, match="not its run's newest"):
        train.resume(first)

    # A restart from the weights alone ends elsewhere, so the comparison above can fail.
    tensors, meta = checkpoint.read(first)
    restart = PPO(config)
    restart.policy.load_state_dict(
        {key.removeprefix("policy."): leaf for key, leaf in tensors.items() if key.startswith("policy.")}
    )
    restart.update_index = meta["updates"]
    while restart.update_index < restart.updates:
        restart.update()
    final = checkpoint.read(whole.checkpoint)[0]
    assert not torch.equal(restart.policy.actor.weight, final["policy.actor.weight"])


def test_each_part_of_a_checkpoint_matters(tmp_path):
    """Resuming without any one kind of state gives another run."""
    config = small("pong", "lstm")
    whole = train.train(config, out=tmp_path / "whole")
    final = checkpoint.read(whole.checkpoint)[0]["policy.actor.weight"]
    tensors, meta = checkpoint.read(checkpoint.all_of(whole.run)[0])

    def finish(without: str) -> torch.Tensor:
        trainer = device.trainer(config)
        fresh = trainer.tensors()
        trainer.load(
            {
                key: fresh.get(key, torch.zeros_like(leaf)) if key.startswith(without) else leaf
                for key, leaf in tensors.items()
            },
            meta["updates"],
        )
        while trainer.update_index < trainer.updates:
            trainer.update()
        return trainer.policy.actor.weight

    assert torch.equal(finish("nothing"), final)
    for part in ("envs", "carry.obs", "carry.state", "optimizer", "policy.normalize"):
        assert not torch.equal(finish(part), final), part


def test_a_runs_folder_and_its_repetition(tmp_path, capsys):
    """A run cut short by its budget is repeated by steps from its own config.toml."""
    first, second = tmp_path / "first", tmp_path / "second"
    flags = ["--train.steps", "100000000000", "--train.envs", "64", "--train.minibatch", "512", "--no-export"]
    assert main(["train", "cartpole", "--budget", "1", "--seed", "3", "--out", str(first), "--json", *flags]) == 0
    said = capsys.readouterr()
    printed = json.loads(said.out)
    bar = sure(configs.bar("cartpole"))
    assert printed["bar"] == {bar.key: bar.least} and printed["reached"] == (printed[bar.key] >= bar.least)
    assert f"the bar of train.toml is {bar.least:g}: {'' if printed['reached'] else 'NOT '}reached" in said.err
    assert printed["episodes"] == 200 and printed["run"] == str(first)
    result = configs.parse((first / "config.toml").read_text(), "")["result"]
    assert result["steps"] == printed["steps"] and result["score_mean"] == printed["score_mean"]
    assert configs.load(first / "config.toml").train.steps < 100000000000  # the schedule was fitted to the budget
    lines = [json.loads(line) for line in (first / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["steps"] == printed["steps"] or result["ended"] == "budget"  # on a machine that grew busier
    assert {"entropy", "kl", "explained_variance"} <= lines[-1].keys()
    assert list((first / "tb").glob("events.*"))
    _, meta = train.load(first)
    assert meta["env"] == "cartpole" and meta["score"] == printed["score_mean"] and meta["seed"] == 3
    assert meta["command"].startswith("minnow train cartpole --budget 1")
    with pytest.raises(MinnowError, match="already holds a run"):
        train.train(small("cartpole", "mlp"), out=first)

    again = ["train", "cartpole", "--config", str(first / "config.toml"), "--out", str(second), "--no-export"]
    assert main(again) == 0
    assert equal(checkpoint.find(first), checkpoint.find(second))


def start(folder: Path, *flags: str, **options: Any) -> subprocess.Popen[str]:
    command = [*MINNOW, "train", "cartpole", "--steps", str(10**10), "--out", str(folder), "--no-export", *flags]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options)


def wait_for(path: Path, process: subprocess.Popen[Any]) -> None:
    for _ in range(600):
        if path.exists() and path.stat().st_size:
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    raise AssertionError(f"{path} did not appear")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signals_leave_a_checkpoint_and_say_how_to_go_on(tmp_path, number, status):
    run = tmp_path / "run"
    process = start(run, "--seed", "1", "--train.logs", "1000000")
    wait_for(run / "metrics.jsonl", process)
    process.send_signal(number)
    _, words = process.communicate(timeout=60)
    assert process.returncode == status, words
    assert f"minnow train --resume {run}" in words
    (saved,) = checkpoint.all_of(run)
    before = checkpoint.read(saved)[1]
    assert before["steps"] > 0 and not list(run.glob("**/*.tmp"))
    outcome = train.resume(run, budget=before["seconds"] + 0.3)
    assert outcome.ended == "budget" and outcome.steps > before["steps"]
    steps = [json.loads(line)["steps"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert steps == sorted(set(steps))


@pytest.mark.parametrize("number", crew.ENDING)
def test_what_ends_a_training(number):
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may run under nohup
    try:
        with crew.signals() as caught:
            os.kill(os.getpid(), number)
            assert caught == [number]
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
        with crew.signals() as caught:
            os.kill(os.getpid(), signal.SIGHUP)
        assert caught == []
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_terminal_that_closes_leaves_a_checkpoint(tmp_path):
    """The kernel sends SIGHUP, and nothing can be shown any more."""
    run, (mine, theirs) = tmp_path / "run", os.openpty()
    command = [*MINNOW, "train", "cartpole", "--steps", str(10**10), "--out", str(run), "--seed", "1", "--no-export"]

    def take_terminal() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may run under nohup

    process = subprocess.Popen(
        [*command, "--train.logs", "1000000"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=take_terminal,
    )
    os.close(theirs)
    try:
        wait_for(run / "metrics.jsonl", process)
        os.close(mine)
        assert process.wait(60) == 128 + signal.SIGHUP
    finally:
        process.kill()
    assert len(checkpoint.all_of(run)) == 1


def test_tensorboard_has_every_point_of_a_resumed_run(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = tmp_path / "run"
    with pytest.raises(Killed):
        train.train(small("cartpole", "mlp"), out=run, on_checkpoint=kill)
    train.resume(run)
    board = EventAccumulator(str(run / "tb")).Reload()
    steps = [json.loads(line)["steps"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert len(steps) == 6 and [event.step for event in board.Scalars("entropy")] == steps


def test_runs_that_begin_at_one_instant_have_folders_of_their_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(time, "strftime", lambda form: "now")
    config = small("cartpole", "mlp")
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(run.new_folder, ["cartpole"] * 16))
        assert len(set(made)) == 16 and all(path.is_dir() for path in made)
        tried = [pool.submit(run.Folder(tmp_path / "one").create, config) for _ in range(8)]
        refused = [future.exception() for future in tried if future.exception()]
    assert len(refused) == 7 and all("already holds a run" in str(error) for error in refused)
    assert configs.load(tmp_path / "one" / "config.toml") == config


def test_a_full_disk_leaves_the_last_good_checkpoint(tmp_path):
    """The limit on a file's size fails a write in the kernel, half way through, as a full disk does."""
    config = small("cartpole", "mlp")
    whole = train.train(config, out=tmp_path / "whole")
    run = tmp_path / "run"
    with pytest.raises(Killed):
        train.train(config, out=run, on_checkpoint=kill)
    (good,) = checkpoint.all_of(run)
    limit = good.stat().st_size // 2
    process = subprocess.run(
        [*MINNOW, "train", "--resume", str(run), "--no-export"],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert process.returncode == 1 and "Traceback" not in process.stderr, process.stderr
    assert f"cannot write to {run}" in process.stderr and str(good) in process.stderr
    assert checkpoint.all_of(run) == [good] and not list(run.glob("**/*.tmp"))
    assert equal(train.resume(run).checkpoint, whole.checkpoint)


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(MinnowError, match="cannot write to"):
        train.train(small("cartpole", "mlp"), out=tmp_path / "file" / "run")


def test_divergence_is_told(tmp_path, monkeypatch):
    """A weight that is no number ends the run, and no checkpoint holds it."""
    learn = PPO.learn

    def poisoned(self, advantage, measure):
        if self.update_index == 3:
            self.parameters[0].data[0] = float("nan")
        return learn(self, advantage, measure)

    monkeypatch.setattr(PPO, "learn", poisoned)
    with pytest.raises(MinnowError, match=r"not finite after 512 steps.*last good checkpoint is .*000000000256"):
        train.train(small("cartpole", "mlp"), out=tmp_path / "run")
    assert len(checkpoint.all_of(tmp_path / "run")) == 1


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (("obs", 3, 5, 2), r"the observation 'angle' of cartpole is nan \(step 3 of a rollout, environment 5\)"),
        (
            ("final_obs", 6, 4, 1),
            r"the observation 'x_velocity' of cartpole is nan \(step 6 of a rollout, environment 4\)",
        ),
        (("reward", 7, 1), r"a reward of cartpole is inf \(step 7 of a rollout, environment 1\)"),
    ],
)
def test_an_environments_nan_is_no_divergence(tmp_path, monkeypatch, place, words):
    """Once, in the middle of a rollout: not the learning rate is at fault, and the value is named."""
    collect = CorePPO.collect
    name, *where = place

    def poisoned(self):
        collect(self)
        if self.update_index == 3:
            numbers = self.learned_reward if name == "reward" else getattr(self, name)
            if name == "final_obs":
                self.truncated[where[0], where[1]], self.final_value[where[0], where[1]] = 1, float("nan")
            getattr(self, name)[tuple(where)] = numbers[tuple(where)] = float("inf" if name == "reward" else "nan")

    monkeypatch.setattr(CorePPO, "collect", poisoned)
    config = small("cartpole", "mlp", logs=1)
    with pytest.raises(MinnowError, match=words + r".*the environment is at fault.*minnow check cartpole") as told:
        train.train(config, out=tmp_path / "run")
    assert "learning-rate" not in str(told.value) and "000000000256.safetensors" in str(told.value)


BAD_FLAGS = [
    (["pung"], "did you mean pong"),
    (["pong", "--train.learnin-rate", "1"], "--train.learning-rate"),
    (["pong", "--env.skil", "1"], "--env."),
    (["pong", "what"], "does not know what to do with 'what'"),
    (["pong", "--train.envs", "0"], "train.envs is 0"),
    (
        ["pong", "--train.minibatch", "4095"],
        "does not divide a rollout of 512 rows x 16 steps = 8192 samples: try --train",
    ),
    (["pong", "--policy.core", "lsmt"], "unknown value of --policy.core 'lsmt': did you mean lstm?"),
    (
        ["pong", "--train.envs", "many"],
        "--train.envs: invalid literal for int() with base 10: 'many'. See: minnow train",
    ),
    (["pong", "--env.gravity", "99"], "gravity"),
    (["--resume", "/nowhere", "--policy.core", "gru"], "keeps its settings: leave out --policy.core"),
    (["pong", "--train.device", "tpu"], "train.device is 'tpu': it must be auto, cpu, cuda or cuda:N"),
    (["pong", "--train.device", "cuda:63"], "train.device is cuda:63"),
    (["pong", "--train.gamma", "2"], "train.gamma is 2.0, outside"),
    (["pong", "--randomize", "-1"], "randomize is -1.0"),
    (["pong", "--seed", "-1"], "seed is -1"),
    (["pong", "--steps", "0"], "train.steps is 0"),
    (["pong", "--budget", "0"], "--budget is 0"),
    (["pong", "--config", "/nowhere.toml"], "cannot read /nowhere.toml"),
    (["pong", "--processes", "0"], "--processes is 0"),
    (["pong", "--processes", "2", "--train.minibatch", "4095"], "does not divide"),
    (["--resume", "/nowhere"], "/nowhere does not exist"),
    (["--resume", "/nowhere", "--processes", "2"], "/nowhere does not exist"),
    (["--budget", "3"], "which environment?"),
]


@pytest.mark.parametrize(("argv", "words"), BAD_FLAGS, ids=[" ".join(argv) for argv, _ in BAD_FLAGS])
def test_bad_flags_are_one_clear_error(argv, words, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert main(["train", *argv]) == 1
    error = capsys.readouterr().err
    assert words in error.splitlines()[-1] and error.count("minnow: error") == 1 and "Traceback" not in error
    assert not list(tmp_path.glob("runs/**/*.safetensors"))


def test_a_checkpoint_of_another_environment(tmp_path, capsys):
    train.train(small("cartpole", "mlp"), out=tmp_path / "run")
    assert main(["train", "pong", "--resume", str(tmp_path / "run")]) == 1
    assert "is a checkpoint of cartpole, not of pong" in capsys.readouterr().err


def test_a_checkpoint_of_another_network(tmp_path, capsys):
    """One whose settings were changed behind it: no torch message of several lines, whoever reads it."""
    with pytest.raises(Killed):
        train.train(small("cartpole", "gru"), out=tmp_path / "run", on_checkpoint=kill)
    file = checkpoint.find(tmp_path / "run")
    tensors, meta = checkpoint.read(file)
    meta["config"]["policy"]["hidden"] = 32
    checkpoint.save(file, tensors, meta)
    for argv in (["train", "--resume", str(tmp_path / "run")], ["eval", str(tmp_path / "run")]):
        assert main(argv) == 1
        error = capsys.readouterr().err
        assert (
            "another network: policy.actor.bias" in error or "another network: policy.actor.weight is [2, 16]" in error
        )
        assert "Traceback" not in error and error.splitlines()[-1].startswith("minnow: error")


def test_an_environment_that_has_changed_since(tmp_path, monkeypatch):
    config = small("cartpole", "mlp")
    with pytest.raises(Killed):
        train.train(config, out=tmp_path / "run", on_checkpoint=kill)
    file = checkpoint.find(tmp_path / "run")
    tensors, meta = checkpoint.read(file)
    checkpoint.save(file, tensors, meta | {"source_hash": "0" * 64})
    with pytest.raises(MinnowError, match="trained on another version of cartpole"):
        train.resume(tmp_path / "run")


def test_rows_do_not_depend_on_how_environments_are_spread():
    """Two trainers with half the environments each collect what one collects."""
    config = small("pong", "lstm")
    whole, left, right = PPO(config), PPO(config, Group(0, 2)), PPO(config, Group(1, 2))
    for trainer in (whole, left, right):
        trainer.collect()
    for name in ("action", "reward", "terminated", "obs"):
        parts = torch.cat([getattr(left, name), getattr(right, name)], 1)
        assert torch.equal(getattr(whole, name), parts), name


def test_pong_learns_within_seconds(tmp_path):
    """Far better than random play after a short run; the real bar is measured by the long form."""
    from minnow.train import evaluation

    random = evaluation.evaluate(evaluation.RandomPlayer(envs.spec("pong")), "pong", 50)
    config = train.defaults("pong")
    config.train.steps = 1_000_000  # not seconds: the test does not depend on how busy the machine is
    outcome = train.train(config, out=tmp_path / "run")
    score = evaluation.evaluate(evaluation.TorchPlayer(train.load(outcome.run)[0]), "pong", 50)
    assert score.score_mean > random.score_mean + 10


@pytest.mark.full
@pytest.mark.parametrize("name", sorted({*NAMES} - {"stack_cube"}))  # that one asks for demonstrations, and for longer
def test_each_environment_teaches_more_than_luck(tmp_path, name):
    """Two million steps with the environment's own settings; the intervals of the two scores do not meet."""
    from minnow.train import evaluation

    random = evaluation.evaluate(evaluation.RandomPlayer(envs.spec(name)), name)
    config = train.defaults(name)
    config.train.steps = 2_000_000
    outcome = train.train(config, out=tmp_path / "run")
    score = evaluation.evaluate(evaluation.TorchPlayer(train.load(outcome.run)[0]), name)
    assert score.score_mean - sure(score.score_ci95) > random.score_mean + sure(random.score_ci95)


@pytest.mark.full
@pytest.mark.parametrize("seed", [*range(5), 3682831841])  # the last one stalled in Pong once
@pytest.mark.parametrize(("name", "budget"), [("pong", 20), ("cartpole", 10)])
def test_the_bars(tmp_path, capsys, name, budget, seed):
    out = str(tmp_path / "run")
    argv = ["train", name, "--budget", str(budget), "--seed", str(seed), "--out", out, "--no-export", "--json"]
    assert main(argv) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["reached"] and found["score_mean"] >= found["bar"]["score_mean"]


def test_a_bar_is_one_number(tmp_path, monkeypatch):
    assert sure(configs.bar("pong")).key == "score_mean" and sure(configs.bar("maze")).key == "success_rate"
    monkeypatch.setattr(envs, "settings", lambda place: tmp_path / "train.toml")
    assert configs.bar("pong") is None
    (tmp_path / "train.toml").write_text("[bar]\nscore_mean = 3.5")
    assert configs.bar("pong") == configs.Bar("score_mean", 3.5)
    assert sure(configs.bar("pong")).words({"score_mean": 3.25}).endswith("the bar of train.toml is 3.5: NOT reached")
    for text, words in [("[bar]\nscore = 3", "did you mean score_mean"), ("bar = 3", "a table of one number")]:
        (tmp_path / "train.toml").write_text(text)
        with pytest.raises(MinnowError, match=words):
            configs.bar("pong")
