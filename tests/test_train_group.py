"""Several processes do what one does: gloo on this machine."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import multiprocessing
import os
import re
import resource
import signal
import subprocess
import sys
import time
import tomllib
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from sure import sure

from minnow import envs
from minnow.cinfer.errors import MinnowError
from minnow.cli.main import main
from minnow.cli.train import _processes as processes
from minnow.train import checkpoint, crew, demos, group, mailbox
from minnow.train import config as configs
from minnow.train.config import Config, Core, PolicyConfig, SelfPlayConfig, TrainConfig
from minnow.train.device import DevicePPO
from minnow.train.group import Group
from minnow.train.ppo import PPO


def work(make: type[PPO], config: Config, updates: int, out: Path, environment: dict[str, str]) -> None:
    """One process: writes what its updates leave, and the gradient of the first one."""
    os.environ |= environment
    torch.set_num_threads(1)
    everyone = group.join()
    trainer = make(config, everyone)
    found: dict[str, torch.Tensor] = {}
    metrics = {}
    for i in range(updates):
        metrics = trainer.update()
        if i == 0:
            found["gradient"] = trainer.bucket[:-1].clone()
    found |= trainer.tensors()
    found |= {f"metric.{name}": torch.tensor(number, dtype=torch.float64) for name, number in metrics.items()}
    if everyone.leads:
        save_file({name: leaf.detach().contiguous() for name, leaf in found.items()}, out)
    group.leave()


def trained(
    folder: Path, config: Config, processes: int, updates: int, make: type[PPO] = PPO
) -> dict[str, torch.Tensor]:
    """What so many updates in so many processes leave, and the gradient of the first one."""
    out = folder / f"{processes}.safetensors"
    common = {"WORLD_SIZE": str(processes), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    context = multiprocessing.get_context("fork")  # spares them the loading of torch
    started = [
        context.Process(target=work, args=(make, config, updates, out, common | {"RANK": str(rank)}))
        for rank in range(processes)
    ]
    for process in started:
        process.start()
    for process in started:
        process.join(120)
    assert [process.exitcode for process in started] == [0] * processes
    return load_file(out)


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


CASES = {
    "mlp": ("mlp", {}),
    "lstm": ("lstm", {"normalize_reward": True}),
    "priority": ("gru", {"priority": 0.8, "advantage": "vtrace"}),
    "selfplay": ("lstm", {"normalize_reward": True}),
    "demos": ("mlp", {}),
    "device": ("mlp", {"advantage": "vtrace"}),
    "device with memory": ("mingru", {"priority": 0.8}),
    "device with demos": ("lstm", {}),
}


def settings(core: Core, precision: Any, updates: int, **changes: Any) -> Config:
    train = TrainConfig(
        steps=2 * updates * 8 * 16, envs=8, horizon=16, minibatch=64, epochs=2, precision=precision, **changes
    )
    return Config("pong", 3, 0.2, policy=PolicyConfig(core=core, hidden=16, normalize=True), train=train)


@pytest.mark.parametrize("case", CASES)
def test_two_processes_do_what_one_does(tmp_path, case):
    """In float64, 20 updates of two processes with half the environments each."""
    core, changes = CASES[case]
    config = settings(core, "float64", 20, **changes)
    if case == "selfplay":
        config.selfplay = SelfPlayConfig(on=True, share=0.375, pool=3, snapshots=10)
        config.env = {"points": 1.0, "pause": 0.0}
    if case.endswith("demos"):
        config.demonstrations = str(tmp_path / "shown.safetensors")
        config.demos.trials, config.demos.until = 2, 1.0
        config.env = {"points": 1.0, "pause": 0.0}
        vector = envs.Vector("pong", 1, seed=1, params=config.env)
        told = dataclasses.replace(vector.buffers(), action=envs.ABSENT)
        vector.reset(told)
        states = []
        while not told.over[0]:
            states.append(vector.save(0))
            vector.step(told)
        parts = ((len(states), 1.0), (len(states) // 2, -1.0))
        shown = [demos.Demonstration(tuple(states[:last]), (aim, 0.0)) for last, aim in parts]
        demos.save(Path(config.demonstrations), vector.spec, shown)
    make = DevicePPO if case.startswith("device") else PPO
    one, two = (trained(tmp_path, config, processes, 20, make) for processes in (1, 2))
    assert one.keys() == two.keys() and torch.equal(one["envs"], two["envs"])
    for name, leaf in one.items():
        torch.testing.assert_close(
            two[name].double(), leaf.double(), rtol=1e-9, atol=1e-9, msg=lambda m, n=name: f"{n}: {m}"
        )
    if case.endswith("demos"):
        assert one["demos.turns"][1].min() > 0, "points are decided on"


@pytest.mark.parametrize("core", ["mlp", "lstm"])
def test_gradients_agree_in_float32(tmp_path, core):
    """Of one update of one minibatch, on equal data."""
    config = settings(core, "float32", 1)
    config.train.minibatch, config.train.epochs, config.train.max_grad_norm = 128, 1.0, 0.0
    one, two = (trained(tmp_path, config, processes, 1)["gradient"] for processes in (1, 2))
    assert (one - two).norm() <= 1e-6 * one.norm() and one.norm() > 0


@pytest.mark.full
def test_a_killed_process_changes_nothing(tmp_path):
    """kill -9 of one of two: both begin again from the last checkpoint, and end where an undisturbed run does."""
    flags = ["--train.steps", str(100 * 2048), "--train.minibatch", "2048", "--train.epochs", "1", "--seed", "7"]
    flags += ["--train.checkpoints", "50", "--train.logs", "10", "--processes", "2", "--no-export"]
    assert main(["train", "cartpole", *flags, "--out", str(tmp_path / "whole")]) == 0
    run = tmp_path / "killed"
    process = subprocess.Popen(
        [sys.executable, "-m", "minnow.cli.main", "train", "cartpole", *flags, "--out", str(run)],
        stderr=subprocess.PIPE,
        text=True,
    )
    victim = None
    for _ in range(1200):
        victim = victim or worker_of(process.pid, rank=1)
        if victim and len(checkpoint.all_of(run)) >= 2:
            break
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    assert victim is not None
    before = checkpoint.all_of(run)[-1]
    os.kill(victim, signal.SIGKILL)
    _, words = process.communicate(timeout=120)
    assert process.returncode == 0 and "a process died: going on with" in words, words
    first, second = (checkpoint.read(checkpoint.find(path))[0] for path in (tmp_path / "whole", run))
    assert before != checkpoint.all_of(run)[-1]
    assert all(torch.equal(leaf, second[name]) for name, leaf in first.items() if name.startswith("policy."))
    steps = [json.loads(line)["steps"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert steps == sorted(set(steps))


@pytest.mark.full
def test_watched_and_interrupted(tmp_path):
    """Two processes with a page beside them; a signal to the command ends all of it, and leaves one checkpoint."""
    run = tmp_path / "run"
    flags = ["--processes", "2", "--watch", "--port", "0", "--steps", str(10**10), "--train.logs", "100000"]
    process = subprocess.Popen(
        [sys.executable, "-m", "minnow.cli.main", "train", "cartpole", *flags, "--out", str(run), "--seed", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    words, address = [], None
    for line in sure(process.stderr):
        words.append(line)
        address = re.search(r"watching .*(http://127.0.0.1:\d+/)", line) or address
        if address and (run / "metrics.jsonl").exists() and (run / "metrics.jsonl").stat().st_size:
            break
    assert address, words
    with urllib.request.urlopen(address[1], timeout=30) as page:
        assert b"minnow-demo" in page.read()
    assert tomllib.loads((run / "config.toml").read_text())["train"]["checkpoints"] == 20
    process.send_signal(signal.SIGTERM)
    _, rest = process.communicate(timeout=60)
    assert process.returncode == 143 and rest.count(f"to go on: minnow train --resume {run}") == 1, rest
    (saved,) = checkpoint.all_of(run)
    assert checkpoint.read(saved)[1]["steps"] > 0
    with pytest.raises(OSError):
        urllib.request.urlopen(address[1], timeout=5)
    before = checkpoint.read(saved)[1]
    again = ["--resume", str(run), "--processes", "2", "--budget", str(before["seconds"] + 1), "--no-export"]
    assert main(["train", *again]) == 0
    after = checkpoint.read(checkpoint.find(run))[1]
    assert after["steps"] > before["steps"] and after["seconds"] < before["seconds"] + 10


@pytest.mark.full
def test_a_fault_is_told_once_and_not_tried_again(tmp_path):
    """A full disk, which only the first process meets."""
    run = tmp_path / "run"
    flags = ["--processes", "2", "--train.checkpoints", "10", "--seed", "1", "--out", str(run), "--no-export"]
    done = subprocess.run(
        [sys.executable, "-m", "minnow.cli.main", "train", "cartpole", *flags],
        capture_output=True,
        text=True,
        timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000)),
    )
    assert done.returncode == 1 and done.stderr.count("minnow: error: cannot write to") == 1, done.stderr
    assert "Traceback" not in done.stderr and "a process died" not in done.stderr


def worker_of(parent: int, rank: int) -> int | None:
    """The process that `parent` forked to train as `rank`."""
    words = Path(f"/proc/{parent}/cmdline").read_bytes()
    found = []
    for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        with contextlib.suppress(OSError):
            if Path(f"/proc/{child}/cmdline").read_bytes() == words:
                found.append(int(child))
    return sorted(found)[rank] if len(found) == 2 else None


@pytest.mark.parametrize(
    ("name", "cores", "count"), [("pong", 2, 2), ("pong", 64, 4), ("pong", 3, 2), ("cartpole", 8, 2), ("maze", 64, 2)]
)
def test_how_many_processes_train_by_default(monkeypatch, name, cores, count):
    """One a core that gets 512 samples of a minibatch, if they can share the environments evenly."""
    monkeypatch.setattr(group, "cores", lambda: cores)
    config = configs.defaults(name)
    assert processes(None, config) == 1 and processes(2, config) == 2  # while the tests keep the cores busy
    monkeypatch.delenv("MINNOW_BUSY")
    assert processes(None, config) == count


def test_environments_must_be_shared_evenly(capsys, tmp_path):
    with pytest.raises(MinnowError, match=r"train.envs is 64, which 3 processes cannot share evenly: .*envs 63"):
        Group(1, 3).share(64)
    assert main(["train", "cartpole", "--processes", "3", "--out", str(tmp_path / "run")]) == 1
    assert "cannot share evenly" in capsys.readouterr().err
    assert Group(1, 2).share(64) == (32, 32)


def sums(everyone: Group) -> list[list[float]]:
    """Many small sums in both types, one too large for a box, one of another type."""
    assert everyone.mailbox is not None
    maps = [line for line in Path("/proc/self/maps").read_text().splitlines() if "/memfd:minnow" in line]
    assert maps and not list(Path("/dev/shm").glob("minnow*"))  # nothing stays when they are killed
    found = []
    for turn in range(300):
        tensor = torch.full((5,), float(turn + everyone.rank), dtype=(torch.float32, torch.float64)[turn % 2])
        found.append(everyone.sum_(tensor)[:1].tolist())
    found.append(everyone.sum_(torch.full((mailbox.CAPACITY,), 2.0))[-1:].tolist())
    found.append(everyone.sum_(torch.tensor([everyone.rank])).tolist())
    return found


def test_processes_of_one_machine_add_up_in_shared_memory():
    expected = [[3.0 * turn + 3] for turn in range(300)]
    assert group.together(3, sums) == [*expected, [6.0], [3]]


def die(everyone: Group) -> None:
    if not everyone.leads:
        os.kill(os.getpid(), signal.SIGKILL)
    everyone.sum_(torch.zeros(1))


def test_a_dead_process_is_noticed():
    with pytest.raises(MinnowError, match="one of 2 processes died, 1 times"):
        group.together(2, die)


def test_who_waits_for_a_dead_process_is_told(tmp_path):
    """By the memory that they share."""
    box = tmp_path / "box"
    box.write_bytes(bytes(mailbox._bytes(2)))
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    mine = mailbox.Mailbox(box, 0, [os.getpid(), dead.pid])
    with pytest.raises(RuntimeError, match="process 1 of 2 has died"):
        mine.sum_(torch.zeros(1))


def unlucky(fault: bool, counter: Path) -> str:
    """Dies, or meets a fault that a person must mend, the first two times."""
    attempt, rank = os.environ["TORCHELASTIC_RESTART_COUNT"], os.environ["RANK"]
    with counter.open("a") as file:
        file.write(f"{rank}{attempt} ")
    if fault and rank == "1":
        raise MinnowError("the disk is full.")
    if not fault and attempt < "2" and rank == "1":
        os._exit(9)
    if attempt < "2":
        time.sleep(60)  # waits for the other one
    return f"{rank} at last"


def test_all_begin_again_when_one_dies(tmp_path):
    begun = time.monotonic()
    assert crew.together(2, unlucky, False, tmp_path / "deaths") == "0 at last"
    assert {"02", "10", "11", "12"} <= set((tmp_path / "deaths").read_text().split())
    with pytest.raises(MinnowError, match="the disk is full"):
        crew.together(2, unlucky, True, tmp_path / "faults")
    assert "11" not in (tmp_path / "faults").read_text() and time.monotonic() - begun < 20


POOLED = """
import torch
from minnow.train import crew

def work(threads):
    torch.set_num_threads(threads or torch.get_num_threads())
    return float(torch.ones(1 << 20).clone().sum())

torch.set_num_threads(2)
assert work(0) == 1 << 20  # by a pool of two threads
assert crew.together(2, work, 0) == 1 << 20
"""


def test_processes_need_no_threads_of_the_one_they_were_forked_from():
    """They would wait for them for ever."""
    done = subprocess.run([sys.executable, "-c", POOLED], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_resumed_in_processes_after_reading_large_weights(tmp_path):
    """With two OpenMP threads for the one that reads them first."""
    command = [sys.executable, "-m", "minnow.cli.main", "train"]
    out, environment = tmp_path / "run", os.environ | {"OMP_NUM_THREADS": "2"}
    flags = ["--policy.hidden", "256", "--train.steps", "200000", "--budget", "0.5", "--no-export", "--seed", "1"]
    for rest in (["cartpole", *flags, "--out", out], ["--resume", out, "--budget", "1", "--no-export"]):
        done = subprocess.run(
            [*command, *map(str, rest), "--processes", "2"], env=environment, capture_output=True, timeout=200
        )
        assert done.returncode == 0, done.stderr
