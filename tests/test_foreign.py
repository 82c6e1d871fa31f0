"""Environments that others wrote: their spaces as groups and heads, their episodes as rows, their faults in words."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from foreign_games import Matching, Relay, Simple
from gymnasium import spaces
from sure import sure

from minnow import cinfer, envs
from minnow.cinfer.errors import MinnowError
from minnow.cli import export
from minnow.cli.main import main
from minnow.envs.foreign import Foreign, reference
from minnow.envs.foreign.games import Game, Parallel, Single, Slice, described
from minnow.envs.foreign.memory import Shared
from minnow.envs.foreign.spaces import acts, parts
from minnow.envs.foreign.vector import ForeignVector, Frame, declared
from minnow.train import config as configs
from minnow.train import device as devices
from minnow.train import evaluation, foreign, run
from minnow.train.config import Config
from minnow.train.evaluation import RandomPlayer
from minnow.train.observation import any_of, tensors
from minnow.train.ppo import PPO
from minnow.train.resident import ResidentPPO

MATCHING = sure(reference("gym:foreign_games:Matching"))


class Rows:
    """One environment in this process, with what it writes."""

    def __init__(self, made: Game) -> None:
        made.probe(0)
        told = json.loads(json.dumps(described(MATCHING, made), default=vars))
        self.game, self.spec = made, declared(told)
        self.array = Shared(Frame(self.spec, 1)).array
        made.attach(Slice(self.array, 0, made.agents))
        made.begin(1)

    def step(self, *actions: list) -> dict[str, np.ndarray]:
        for name in ("reward", "terminated", "truncated", "reset", "over"):
            self.array[name][:] = 0
        self.game.step(list(actions))
        return self.array


@pytest.mark.parametrize(
    "name", ["gym:CartPole-v1", "gym:ALE/Pong-v5", "gym:a.b:Some-v0", "pettingzoo:a.b:f", "vector:a:f"]
)
def test_a_reference_is_read_and_written(name: str) -> None:
    found = sure(reference(name))
    assert found.name == name and envs.place(name) == found and "/" not in found.shelf and ":" not in found.shelf
    assert Config(name).place == found == envs.recall(name, envs.remember(found), Path("runs"))


def test_settings_of_ours_give_way_to_yours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    place, mine = sure(reference("gym:Pendulum-v1")), tmp_path / "envs" / "gym-Pendulum-v1" / "train.toml"
    assert envs.written(place) == mine and envs.settings(place).is_file()
    assert configs.defaults(place).train.gamma == 0.9 and sure(configs.bar(place)).least == -230
    mine.parent.mkdir(parents=True)
    mine.write_text("[train]\ngamma = 0.5")
    assert envs.written(place) == envs.settings(place) == mine and configs.defaults(place).train.gamma == 0.5
    for path in envs.OURS.glob("foreign/*/train.toml"):
        configs.merge(Config("any"), configs.parse(path.read_text(), str(path)), str(path))


def test_what_is_no_reference_is_refused_or_left_alone() -> None:
    assert reference("pong") is None and reference("./odd:folder") is None
    for name in ("gym:", "pettingzoo:function", "vector:f", "gym:a b:f"):
        with pytest.raises(MinnowError, match="is incomplete"):
            reference(name)
    with pytest.raises(MinnowError, match="is not an environment in C"):
        envs.folder("gym:CartPole-v1")


def test_spaces_become_groups() -> None:
    found = parts(Matching().observation_space, "it")
    assert [(part.group.name, part.group.kind, part.group.shape) for part in found] == [
        ("bits", "fields", (2,)),
        ("in_far", "fields", (2,)),
        ("in_way", "fields", (2,)),
        ("wheels", "fields", (5,)),
    ]
    obs = {"wheels": np.array([2, 0]), "in": {"far": np.array([3.0, 4.0]), "way": 2}, "bits": np.array([1, 0])}
    rows = [np.full(part.group.shape, 7.0, np.float32) for part in found]
    for part, row in zip(found, rows, strict=True):
        part.put(part.find(obs), row)
    assert [row.tolist() for row in rows] == [[1, 0], [3, 4], [0, 1], [0, 0, 1, 1, 0]]


def test_a_picture_becomes_planes() -> None:
    (part,) = parts(spaces.Box(0, 255, (6, 5, 3), np.uint8), "it")
    group, picture = part.group, np.arange(90, dtype=np.uint8).reshape(6, 5, 3)
    row = np.zeros(group.shape, group.dtype)
    part.put(picture, row)
    assert (group.kind, group.type, group.shape) == ("planes", "u8", (3, 6, 5)) and (row[1] == picture[:, :, 1]).all()
    (grey,) = parts(spaces.Box(0, 255, (6, 5), np.uint8), "it")
    assert grey.group.shape == (1, 6, 5)
    (flags,) = parts(spaces.Box(0, 1, (6, 6, 4), np.uint8), "it")  # bytes that are no brightness
    assert flags.group.type == "f32" and flags.group.shape == (4, 6, 6)


def test_many_vectors_become_one() -> None:
    space = spaces.Tuple([spaces.Box(-1, 1, (1 + i % 2,)) for i in range(9)])
    (whole,) = parts(space, "it")
    row = np.zeros(whole.group.shape, np.float32)
    whole.put(whole.find(tuple(np.full(1 + i % 2, i) for i in range(9))), row)
    assert row.tolist() == [0, 1, 1, 2, 3, 3, 4, 5, 5, 6, 7, 7, 8]


@pytest.mark.parametrize(
    ("space", "row", "wanted", "heads"),
    [
        (spaces.Discrete(3, start=-1), [0], -1, [3]),
        (spaces.MultiDiscrete(np.array([[3, 2], [4, 5]])), [2, 1, 0, 4], [[2, 1], [0, 4]], [3, 2, 4, 5]),
        (spaces.MultiBinary(3), [0, 1, 1], [0, 1, 1], [2, 2, 2]),
        (spaces.Box(-2, 3, (2, 1)), [-2.0, 0.5], [[-2], [0.5]], [0, 0]),
        (spaces.Box(0, 9, (1,), np.int64), [3.7], [4], [0]),
    ],
)
def test_every_kind_of_action(space: spaces.Space, row: list, wanted: Any, heads: list[int]) -> None:
    found = acts(space, "it")
    given = found.take(row)
    assert [head.size for head in found.head] == heads and np.asarray(given).tolist() == wanted
    assert space.contains(given) or isinstance(space, spaces.Discrete)


@pytest.mark.parametrize(
    ("observation", "action", "word"),
    [
        (spaces.Text(5), spaces.Discrete(2), "text"),
        (spaces.Graph(spaces.Box(0, 1, (2,)), None), spaces.Discrete(2), "a graph"),
        (spaces.Dict({"a": spaces.Tuple([spaces.Sequence(spaces.Discrete(2))])}), spaces.Discrete(2), "'a.0' is a seq"),
        (spaces.Discrete(100_000), spaces.Discrete(2), "100000 choices"),
        (spaces.Dict({}), spaces.Discrete(2), "observes nothing"),
        (spaces.Discrete(2), spaces.Dict({"a": spaces.Discrete(2)}), "made of several spaces"),
        (spaces.Discrete(2), spaces.Box(-np.inf, 1, (1,)), "a lower and an upper bound"),
    ],
)
def test_what_cannot_be_learned_is_refused_in_words(observation: Any, action: Any, word: str) -> None:
    with pytest.raises(MinnowError, match=word):
        Single(Simple(observation, action), "it")


@pytest.mark.parametrize("cut", [False, True])
def test_an_episode_of_gymnasium_as_a_row(cut: bool) -> None:
    rows = Rows(Single(Matching(3, cut), "it"))
    assert rows.spec.masked and rows.spec.has_success and rows.array["reset"][0] and rows.array["alive"][0]
    for t in range(3):
        wheel = int(np.argmax(rows.array["obs.wheels"][0, 3:]))
        assert rows.array["mask"][0].tolist() == [True, True, True, wheel == 0, wheel == 1]
        rows.step([0, wheel])
        assert rows.array["reset"][0] == rows.array["over"][0] == (t == 2)
    assert rows.array["terminated"][0] != cut and rows.array["truncated"][0] == cut
    assert rows.array["final_obs.in_far"][0].tolist() == [3, 0.5] and rows.array["obs.in_far"][0].tolist() == [0, 0.5]
    score, total, length, success, broken = rows.array["record"][0]
    assert score == total >= 1.5 and length == 3 and success == broken == 0


def test_an_agent_of_pettingzoo_dies_while_the_other_goes_on() -> None:
    rows = Rows(Parallel(Relay(), "it"))
    seen = []
    for _ in range(4):
        array = rows.step([1], [2])
        seen.append([array[name].tolist() for name in ("reward", "terminated", "truncated", "alive", "reset")])
    yes, no = [True, True], [False, False]
    assert seen == [
        [[1, 2], no, no, yes, no],
        [[1, 2], [False, True], no, [True, False], no],
        [[1, 0], no, no, [True, False], no],
        [[1, 0], no, [True, False], yes, yes],
    ]
    assert rows.array["record"][:, :3].tolist() == [[4, 4, 4], [4, 4, 2]] and rows.array["over"][0]
    assert rows.array["final_obs.obs"].ravel().tolist() == [4, 2] and (rows.array["obs.obs"] == 0).all()


def test_agents_must_be_alike() -> None:
    class Odd(Relay):
        def action_space(self, agent: str) -> spaces.Space:
            return spaces.Discrete(2 if agent == "first" else 3)

    with pytest.raises(MinnowError, match="one policy plays all"):
        Parallel(Odd(), "it")


def test_neither_processes_nor_what_was_played_before_change_episodes() -> None:
    found = []
    for threads, before in ((1, 2), (2, 8)):
        vector = ForeignVector(MATCHING, 5, seed=4, first_index=before, threads=threads)
        for first in (before, 2):
            vector.move(first)
            buffers, seen = vector.buffers(), []
            vector.reset(buffers)
            for _ in range(12):
                buffers.action[:] = [1, 0]
                vector.step(buffers)
                seen += [np.copy(buffers.obs["wheels"]), np.copy(buffers.reward), np.copy(buffers.record)]
            found.append((np.concatenate([leaf.ravel() for leaf in seen]), vector.save(4)))
        vector.close()
    one, two, other, moved = found
    assert all((one[0] == each[0]).all() and one[1] == each[1] for each in (two, moved))
    assert (one[0] != other[0]).any()


def test_parameters_reach_the_environment() -> None:
    spec = envs.spec(MATCHING)
    assert [(param.name, param.value) for param in spec.param] == [("length", 5), ("cut", 0), ("gain", 1)]
    score = evaluation.evaluate(RandomPlayer(spec), MATCHING, 4, params={"length": 2, "gain": 10.0})
    assert score.length_mean == 2 and score.return_mean > 5
    with pytest.raises(MinnowError, match="--randomize"):
        ForeignVector(MATCHING, 1, randomize=0.1)
    with pytest.raises(MinnowError, match="must be a whole number"):
        ForeignVector(MATCHING, 1, params={"length": 2.5})


@pytest.mark.parametrize(("name", "words"), [("raises", "the motor is hot"), ("dies", r"died \(exit status 7\)")])
def test_a_crash_is_told(name: str, words: str) -> None:
    vector = envs.rows(f"gym:foreign_games:{name}", 2, seed=0, threads=2)
    buffers = vector.buffers()
    vector.reset(buffers)
    with pytest.raises(MinnowError, match=words) as error:
        for _ in range(3):
            vector.step(buffers)
    assert name == "dies" or "foreign_games.py" in str(error.value)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("gym:foreign_games:text", "mission' is text"),
        ("gym:nowhere.at_all:X-v0", "no module nowhere"),
        ("gym:foreign_games:nothing", "has no function nothing"),
        ("gym:CartPole-v9", "did you mean CartPole-v1"),
    ],
)
def test_what_cannot_be_had_is_told(name: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", name]) == 1
    assert words in capsys.readouterr().err


def test_an_environment_draws_itself() -> None:
    vector = ForeignVector(MATCHING, 1, threads=1, render=True)
    buffers = vector.buffers()
    vector.reset(buffers)
    buffers.action[:] = [1, 0]
    vector.step(buffers)
    assert vector.picture().shape == (12, 20, 3) and (vector.picture() == 10).all()


def test_processes_end_with_the_vector() -> None:
    vector = ForeignVector(Foreign("gym", "foreign_games", "picture"), 2, threads=2)
    pids = [one.process.pid for one in vector._workers]
    del vector
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.mark.full
def test_from_training_to_a_verified_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    name = "gym:foreign_games:Matching"
    Path("own.toml").write_text("[train]\nsteps = 512\nenvs = 8\nhorizon = 32\nenv_threads = 1\n[policy]\nhidden = 16")
    flags = ["--config", "own.toml", "--seed", "1", "--train.stop", "256", "--no-export", "--env.length", "4"]
    monkeypatch.setattr("minnow.cli.train.EPISODES", 8)
    assert main(["train", name, *flags, "--out", "run"]) == 0
    meta = json.loads(next(iter(run.Folder(Path("run")).path.glob("metrics.jsonl"))).read_text().splitlines()[-1])
    assert meta["steps"] == 256 and meta["length_mean"] == 4 and "success_rate" in meta
    capsys.readouterr()
    assert main(["train", "--resume", "run", "--more", "256", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["steps"] == 512 and told["verified"] and configs.load(Path("run/config.toml")).name == name
    policy = cinfer.load("run/policy.minnow")
    assert policy.meta["environment"] == name and policy.inputs[-1].name == "wheels"
    assert main(["eval", "run/policy.minnow", "--episodes", "8", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["episodes"] == 8


def test_pettingzoo_trains() -> None:
    config = configs.defaults("pettingzoo:foreign_games:Relay")
    config.train.envs, config.train.steps, config.train.horizon, config.train.env_threads = 4, 4096, 16, 1
    config.train.minibatch, config.train.epochs = 64, 2
    trainer = devices.trainer(config)
    for _ in range(20):
        trainer.update()
    scores = trainer.take_episodes()
    assert scores[-16:, 0].mean() > scores[:16, 0].mean()
    assert set(scores[:, 2]) == {2, 4}


def vector(name: str) -> tuple[Config, foreign.TensorVector]:
    config = configs.defaults(f"vector:foreign_games:{name}")
    config.train.envs, config.train.horizon, config.train.minibatch, config.train.steps = 3, 8, 24, 24 * 40
    config.train.epochs, config.train.normalize_reward = 2, False
    found = foreign.rows(config.place, 3, seed=1)
    assert isinstance(found, foreign.TensorVector)
    return config, found


@pytest.mark.parametrize("name", ["same_step", "same_step_numpy", "next_step"])
def test_rows_of_a_vector_environment(name: str) -> None:
    _, rows = vector(name)
    waits = name == "next_step"
    assert rows.spec.lives == waits
    buffers, time = rows.buffers(), np.zeros(3, int)
    rows.reset(buffers)
    alive = np.ones(3, bool)
    for _ in range(20):
        buffers.action[:] = 2
        rows.step(buffers)
        time += 1
        over = alive & (time == 2 + np.arange(3))
        assert (buffers.reward == 2 * alive).all() and (buffers.over == over).all()
        assert (buffers.terminated == (over & np.array([True, False, True]))).all()
        assert (buffers.truncated == (over & np.array([False, True, False]))).all()
        begins = ~alive if waits else over
        alive = ~over if waits else alive
        assert (buffers.reset == begins).all() and (buffers.alive == alive).all()
        assert (buffers.final_obs[over, 0] == time[over]).all()
        assert (buffers.record[over][:, 1] == 2 * time[over]).all() and (buffers.record[over][:, 2] == time[over]).all()
        time[begins] = 0
        assert (buffers.obs[alive, 0] == time[alive]).all()


@pytest.mark.parametrize("name", ["same_step", "next_step"])
def test_a_rollout_that_stays_on_the_device_is_that_of_the_host(name: str) -> None:
    config, _ = vector(name)
    config.train.backend = "torch"
    host, device = PPO(config), ResidentPPO(config)
    for _ in range(3):
        host.update()
        device.update()
    alive = host.alive[:8]
    for kept in ("obs", "action", "reward", "terminated", "truncated", "alive", "resets", "value"):
        mine, theirs = ((getattr(trainer, kept)[:8].squeeze(-1) * alive).float() for trainer in (host, device))
        assert torch.allclose(mine, theirs, atol=1e-5), kept
    assert torch.allclose(host.advantages() * alive, device.advantages() * alive, atol=1e-4)
    assert (host.take_episodes() == device.take_episodes()).all()


def test_a_vector_environment_is_learned_and_scored() -> None:
    config, _ = vector("next_step")
    config.train.learning_rate = 0.02
    trainer = devices.trainer(config)
    for _ in range(40):
        trainer.update()
    policy = trainer.policy.eval()
    score = evaluation.evaluate(evaluation.TorchPlayer(policy), config.place, 3)
    assert score.length_mean == 3 and score.score_mean > 5
    assert any_of(tensors(export.examples(config.place))).shape == (16, 1)
