"""Demonstrations: states from replays, episodes that begin in them, and points that move backwards."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from each import few

from minnow import envs, train
from minnow.cinfer.errors import MinnowError
from minnow.cli import demos as replays
from minnow.cli.main import main
from minnow.train import checkpoint, demos, device
from minnow.train import config as configs
from minnow.train.config import Config, DemosConfig, PolicyConfig, SelfPlayConfig, TrainConfig

SCORE, RETURN, LENGTH = range(3)
TEXT = (Path(__file__).parent.parent / "docs" / "demonstrations.md").read_text()


def record(out: Path, *options: str, env: str = "maze") -> Path:
    assert main(["record", env, "--policy", "none", "-o", str(out), *options]) == 0
    return out


@few
def test_an_episode_that_begins_midway(name: str) -> None:
    """It shows what its state shows, and nobody else does; sums begin there; what comes later is the environment's."""
    played = envs.Vector(name, 1, seed=7, randomize=0.2)
    seen = played.buffers()
    told = dataclasses.replace(seen, action=envs.ABSENT)
    played.reset(told)
    for _ in range(9):
        played.step(told)
        if seen.over[0]:
            break
    state = played.save(0)
    played.observe(seen)

    vector, other = (envs.Vector(name, 3, seed=1, shaping="difference") for _ in range(2))
    b, plain = vector.buffers(), other.buffers()
    vector.reset(b)
    other.reset(plain)
    vector.start(1, state, b)
    agents = vector.agents
    rows = slice(agents, 2 * agents)
    for group, at in zip(each(b.obs), each(seen.obs), strict=True):
        assert (group[rows] == at).all()
    assert (b.reset[rows] == b.alive[rows]).all() and vector.params(1) == played.params(0)
    rest = np.r_[0:agents, 2 * agents : 3 * agents]
    assert (b.reset[rest] == plain.reset[rest]).all()
    assert [vector.hash(i) for i in (0, 2)] == [other.hash(i) for i in (0, 2)]
    assert all((x[rest] == y[rest]).all() for x, y in zip(*(each(buffers.obs) for buffers in (b, plain)), strict=True))

    steps, earned = 0, np.zeros(agents)
    raw = envs.Vector(name, 1, seed=1)  # without shaping
    c = raw.buffers()
    raw.reset(c)
    raw.start(0, state, c)
    while not c.over[0] and steps < 3000:
        raw.step(c)
        steps += 1
        earned += c.reward
    ended = c.terminated | c.truncated
    if c.over[0] and not raw.spec.lives:
        assert ended.all() and (c.record[:, LENGTH] == steps).all()
        np.testing.assert_allclose(c.record[:, RETURN], earned, rtol=1e-4, atol=1e-4)
    if c.over[0]:
        defaults = {param.name: param.value for param in raw.spec.param}
        assert raw.params(0) == pytest.approx(defaults), "what comes after it is drawn as the environment's own"


def each(obs: Any) -> list[np.ndarray]:
    return [obs] if isinstance(obs, np.ndarray) else list(obs.values())


def test_random_numbers_and_rewards_remain_an_environments_own() -> None:
    maze = envs.Vector("maze", 1, seed=3, params={"size": 7, "slip": 0.5})
    seen = maze.buffers()
    maze.reset(seen)
    state = maze.save(0)
    vector = envs.Vector("maze", 2, seed=4, params={"wrong": 0.7})
    b = vector.buffers()
    vector.reset(b)
    for i in range(2):
        vector.start(i, state, b)
    assert vector.params(0)["slip"] == 0.5 and vector.params(0)["size"] == 7
    assert vector.params(0)["wrong"] == pytest.approx(0.7)
    ways: list[list[bytes]] = [[], []]
    for _ in range(30):
        b.action[:] = 1 + np.arange(2)[:, None] * 0
        vector.step(b)
        for i in range(2):
            ways[i].append(b.obs[i].tobytes())
    assert ways[0] != ways[1], "two that begin in one state slip differently"
    with pytest.raises(MinnowError, match=r"has .* bytes or more, got 3"):
        vector.start(0, b"abc", b)


def test_a_replay_becomes_demonstrations(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world = ["--env.size", "7", "--env.show", "1000"]
    file = record(tmp_path / "a.replay", "--episodes", "3", "--seed", "2", *world, "--json")
    told = json.loads(capsys.readouterr().out)
    assert told["episodes"] == 3
    config = configs.defaults("maze")
    config.env = {"size": 7.0, "show": 1000.0}
    found, said = replays.read([str(file)], config)
    assert len(found) == 3 and "1 left out: the world was another one when it began" in said[0]
    assert sum(len(demo.states) for demo in found) < told["ticks"]  # the first maze, of the old size, is left out
    vector = envs.Vector("maze", 1, seed=9, params=config.env)
    b = vector.buffers()
    vector.reset(b)
    for demo in found:
        assert demo.aims == (1.0,)
        for back, state in enumerate(reversed(demo.states)):
            vector.start(0, state, b)
            steps, b.over[0] = 0, False
            while not b.over[0]:
                b.action[0] = vector.script(0, 0)
                vector.step(b)
                steps += 1
            assert steps == back + 1 and b.record[0, 3] == 1

    config.env = {"size": 7.0}
    with pytest.raises(MinnowError, match=r"show was 1000 there and is 1 in this training \(--env.show 1000\)"):
        replays.read([str(file)], config)
    config.env = {"size": 7.0, "show": 1000.0, "wrong": 0.5, "near": 0.0}  # coefficients of rewards are the training's
    assert len(replays.read([str(file)], config)[0]) == 3
    short = record(tmp_path / "short.replay", "--seconds", "0.5")
    with pytest.raises(MinnowError, match="no episode to learn from; 1 left out: it did not succeed"):
        replays.read([str(short)], configs.defaults("maze"))
    half = record(tmp_path / "half.replay", "--seconds", "3", env="snake")
    (demo,) = replays.read([str(half)], configs.defaults("snake"))[0]  # the score counts that had been reached by then
    assert len(demo.states) == round(3 * envs.spec("snake").tick_rate) / envs.spec("snake").action_repeat
    assert main(["record", "--replay", str(file), "-o", str(tmp_path / "b.replay")]) == 1
    assert "is a replay, and -o must be a film" in capsys.readouterr().err


def small(folder: Path, **changes: Any) -> Config:
    """Twenty updates in a maze of 5 x 5 where the script has shown the way three times."""
    spec = envs.spec("maze")
    vector = envs.Vector("maze", 3, seed=1, params={"time": 30})
    b = vector.buffers()
    told = dataclasses.replace(b, action=envs.ABSENT)
    vector.reset(told)
    states: list[list[bytes]] = [[], [], []]
    open_ = [True] * 3
    while any(open_):
        for i in np.flatnonzero(open_):
            states[i].append(vector.save(i))
        vector.step(told)
        open_ = [held and not over for held, over in zip(open_, b.over, strict=True)]
    file = folder / "shown.safetensors"
    demos.save(file, spec, [demos.Demonstration(tuple(each), (1.0,)) for each in states])
    settings = TrainConfig(steps=20 * 32 * 16, envs=32, horizon=16, minibatch=256, checkpoints=2, logs=20)
    return Config(
        "maze",
        5,
        env={"time": 30.0},
        policy=PolicyConfig(core="lstm", hidden=16),
        train=dataclasses.replace(settings, **changes),
        demos=DemosConfig(trials=8, window=0.3),
        demonstrations=str(file),
    )


class Killed(Exception):
    pass


def kill(path: Path) -> None:
    raise Killed


@pytest.mark.parametrize("backend", ["c", "torch"])
def test_points_move_back_and_a_resumed_run_equals_an_uninterrupted_one(tmp_path: Path, backend: str) -> None:
    config = small(tmp_path, backend=backend)
    whole = train.train(config, out=tmp_path / "whole")
    with pytest.raises(Killed):
        train.train(config, out=tmp_path / "killed", on_checkpoint=kill)
    Path(config.demonstrations).unlink()  # a run keeps what it began with
    resumed = train.resume(tmp_path / "killed")
    first, second = (checkpoint.read(outcome.checkpoint)[0] for outcome in (whole, resumed))
    assert first.keys() == second.keys() and all(torch.equal(leaf, second[name]) for name, leaf in first.items())

    lines = [json.loads(line) for line in (whole.run / "metrics.jsonl").read_text().splitlines()]
    assert lines[0]["demo_point"] > lines[15]["demo_point"]
    assert first["demos.turns"][1].min() > 0, "no turn was decided"
    late = [line["demo_episodes"] for line in lines[18:]]  # 16 updates, and the 30 steps of what began before
    assert late == [0, 0], "at the end all begin ordinarily"
    assert sum(line["demo_episodes"] for line in lines) > 20

    # A restart from all but one part of the curriculum ends elsewhere, so the comparison above can fail.
    file = checkpoint.all_of(tmp_path / "killed")[0]
    tensors, meta = checkpoint.read(file)
    for part in ("turns", "envs"):
        trainer = device.trainer(dataclasses.replace(config, demonstrations=str(whole.run / demos.FILE)))
        fresh = trainer.tensors()
        trainer.load(tensors | {f"demos.{part}": fresh[f"demos.{part}"]}, meta["updates"])
        while trainer.update_index < trainer.updates:
            trainer.update()
        after = trainer.tensors()
        assert any(not torch.equal(leaf, after[name]) for name, leaf in first.items()), part


def test_episodes_of_demonstrations_are_no_score(tmp_path: Path) -> None:
    """With nothing but these, no ordinary episode ends; each of the others is judged, and begins in a state of them."""
    config = small(tmp_path)
    config.demos = DemosConfig(share=1.0, until=1.0, trials=10**6, window=1.0)
    trainer = device.trainer(config)
    ended, judged, metrics = 0, 0.0, {}
    for _ in range(8):
        metrics = trainer.update()
        ended += int(((trainer.terminated | trainer.truncated) != 0).sum())
        judged += metrics["demo_episodes"]
    assert ended == judged > 20 and len(trainer.take_episodes()) == 0 and metrics["demos_left"] == 3
    config.demos.share = 0.0
    trainer = device.trainer(config)
    for _ in range(8):
        assert trainer.update()["demo_episodes"] == 0
    assert len(trainer.take_episodes()) > 0


def test_turns(tmp_path: Path) -> None:
    """A point moves backwards where enough of a turn's episodes succeed, and away from the beginning again where few
    do; those of earlier turns do not count."""
    starts = device.trainer(small(tmp_path)).starts
    assert starts is not None
    length, window = starts.lengths[0], starts.windows[0]
    step = (window + 1) // 2

    def turn(begun: int, ended: int, succeeded: int) -> int:
        starts.fresh[:, 0] = begun, ended, succeeded
        starts.settle()
        return int(starts.point[0])

    starts.begun[:] = starts.ended[:] = starts.succeeded[:] = 0
    assert turn(7, 7, 7) == length - window, "too few to tell"
    assert turn(3, 1, 0) == length - window - step, "7 of 10 suffice, though 2 are still under way"
    assert turn(10, 9, 0) == length - window - step, "one may yet succeed"
    assert turn(0, 1, 0) == length - window, "none did"
    assert [turn(8, 8, 8) for _ in range(2 * length)][-1] == demos.DONE
    assert starts.metrics()["demos_left"] == 2


def test_what_cannot_be_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = small(tmp_path)
    config.selfplay = SelfPlayConfig(on=True)
    with pytest.raises(MinnowError, match=r"demonstrations and selfplay.on exclude each other"):
        configs.validate(config)
    file = Path(config.demonstrations)
    with pytest.raises(MinnowError, match="holds states of maze, which are none of this version of pong"):
        demos.load(file, envs.spec("pong"))
    with pytest.raises(MinnowError, match="cannot read the demonstrations"):
        demos.load(tmp_path / "none", envs.spec("maze"))
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(MinnowError, match="is damaged"):
        demos.load(file, envs.spec("maze"))
    with pytest.raises(MinnowError, match="of one state or more each, all of one length"):
        demos.save(file, envs.spec("maze"), [])
    asked = ["train", "maze", "--demos", str(tmp_path / "nothing.replay"), "--out", str(tmp_path / "run")]
    assert main(asked) == 1 and not (tmp_path / "run").exists()
    assert "cannot read" in capsys.readouterr().err


def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
    commands = [shlex.split(line) for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    assert {command[1] for command in commands} == {"record", "train", "eval"}
    short = {"record": [], "train": ["--train.steps", "40000", "--no-export"], "eval": ["--episodes", "8"]}
    for command in commands:
        assert command[0] == "minnow" and main([*command[1:], *short[command[1]]]) == 0, command
    lines = [json.loads(line) for line in Path("runs/maze/shown/metrics.jsonl").read_text().splitlines()]
    told = set(re.findall(r"^\| `(demo\w+)`", TEXT, re.MULTILINE))
    assert told == {name for line in lines for name in line if name.startswith("demo")}
