"""Self-play: who plays where, whose steps count, ratings, and that it resumes exactly."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sure import sure

from minnow import train
from minnow.cli.main import main
from minnow.train import checkpoint
from minnow.train.config import Config, Core, PolicyConfig, SelfPlayConfig, TrainConfig
from minnow.train.match import ELO, rating
from minnow.train.ppo import PPO
from minnow.train.selfplay import crowded


def small(name: str, core: Core, **changes: Any) -> Config:
    """Eight updates; short games, so that many end, and a pool that is full after three."""
    settings = TrainConfig(steps=8 * 8 * 2 * 32, envs=8, horizon=32, minibatch=128, checkpoints=4, logs=8)
    selfplay = SelfPlayConfig(on=True, share=0.5, pool=3, snapshots=8)
    short = {"points": 1.0, "pause": 0.0} if name == "pong" else {}
    policy = PolicyConfig(core=core, hidden=16, normalize=True)
    return Config(name, 5, 0.0, short, policy, dataclasses.replace(settings, **changes), selfplay)


class Killed(Exception):
    pass


def kill_after(count: int):
    left = [count]

    def kill(path: Path) -> None:
        left[0] -= 1
        if not left[0]:
            raise Killed

    return kill


@pytest.mark.parametrize(("name", "core"), [("pong", "lstm"), ("connect4", "mlp"), ("connect4", "mingru")])
def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path, name, core):
    config = small(name, core, learning_rate=0.03)  # so that networks of different ages act differently
    whole = train.train(config, out=tmp_path / "whole")
    with pytest.raises(Killed):
        train.train(config, out=tmp_path / "killed", on_checkpoint=kill_after(2))
    tensors, meta = checkpoint.read(checkpoint.find(tmp_path / "killed"))
    resumed = train.resume(tmp_path / "killed")
    first, second = (checkpoint.read(run.checkpoint)[0] for run in (whole, resumed))
    assert first.keys() == second.keys() and all(torch.equal(leaf, second[key]) for key, leaf in first.items())
    lines = [(run.run / "metrics.jsonl").read_text().splitlines() for run in (whole, resumed)]
    timed = {"seconds", "steps_per_second"}
    left, right = ([{k: v for k, v in json.loads(line).items() if k not in timed} for line in part] for part in lines)
    assert left == right and sum(line["elo_games"] for line in left) > 0

    trainer = PPO(config)  # without the past networks and their games the run is another one
    trainer.load(tensors, meta["updates"])
    sure(trainer.rivals).load(sure(PPO(config).rivals).tensors())
    while trainer.update_index < trainer.updates:
        trainer.update()
    assert not torch.equal(trainer.policy.actor.weight, first["policy.actor.weight"])


def test_past_networks_play_their_rows_and_no_others():
    config = small("connect4", "lstm")
    trainer = PPO(config)
    for _ in range(5):
        trainer.update()
    rivals = sure(trainer.rivals)
    assert rivals.present.tolist() == [False, True] * 4  # half of the environments
    assert rivals.learns.view(8, 2).sum(1).tolist() == [2, 1] * 4
    assert set(rivals.seat[rivals.present]) == {0, 1}
    rivals.interval = 10**9  # nobody joins: the newest of the pool would be the learner itself
    trainer.collect()
    assert isinstance(trainer.obs, torch.Tensor)
    obs, resets = trainer.obs[-1], torch.ones(16, dtype=torch.uint8)
    mine = trainer.policy.step(obs, trainer.policy.initial_state(16))[0]
    out = mine.clone()
    rivals.answer(obs, resets, resets, out)
    assert torch.equal(out[rivals.learns], mine[rivals.learns])
    for row in (~rivals.learns).nonzero().flatten().tolist():
        policy = rivals.pool[rivals.member[row // 2]]
        wanted = policy.step(obs[row : row + 1], policy.initial_state(1))[0]
        torch.testing.assert_close(out[row : row + 1], wanted)
        assert not torch.equal(out[row], mine[row])


def test_steps_of_past_networks_are_not_learned_from():
    """Whatever they were rewarded and valued, the update is the same; what the learner was rewarded matters."""

    def learned(rows: str) -> tuple[torch.Tensor, dict[str, float]]:
        trainer = PPO(small("pong", "mlp", priority=0.5, normalize_advantage=True))
        trainer.collect()
        if rows:
            chosen = trainer.learns if rows == "learner" else ~trainer.learns
            trainer.learned_reward[:, chosen] += torch.randn(32, int(chosen.sum())) * 10
        metrics = trainer.learn(trainer.advantages(), True)
        return trainer.policy.actor.weight.detach(), metrics

    plain, others, learner = learned(""), learned("others"), learned("learner")
    assert torch.equal(plain[0], others[0]) and plain[1] == others[1]
    assert not torch.equal(plain[0], learner[0])


def test_games_are_counted_for_the_learner():
    trainer = PPO(small("pong", "mlp"))
    for _ in range(4):
        trainer.update()
    trainer.take_episodes()
    rivals = sure(trainer.rivals)
    before = rivals.tally.sum(1)
    rated = rivals.rated.copy()
    rivals.interval = 10**9  # nobody joins, nothing is wiped
    trainer.collect()
    won, games = rivals.tally.sum(1) - before
    episodes = trainer.take_episodes()
    assert 0 < games <= len(episodes) and len(episodes) - games <= (~rated).sum()
    if rated.all():
        assert won == (episodes[:, 0] > 0).sum()


def test_a_rating_is_the_likeliest_one():
    against = np.array([-200.0, 0.0, 300.0])
    games = np.full(3, 1e6)
    points = games / (1 + np.exp((against - 120.0) / ELO))
    assert rating(points, games, against, 0.0) == pytest.approx(120, abs=0.1)
    assert rating(np.zeros(3), np.zeros(3), against, 300.0) == pytest.approx(300)  # no games: as before
    assert 300 < rating(np.full(3, 10.0), np.full(3, 10.0), against, 300.0) < 1000  # unbeaten, and finite


@pytest.mark.parametrize(
    ("born", "now", "leaves"), [([0], 5, 0), ([0, 1], 2, 1), ([0, 1, 2, 3], 4, 1), ([0, 4, 2, 6], 7, 3)]
)
def test_a_full_pool_stays_spread_over_time(born, now, leaves):
    assert crowded(np.array(born), now) == leaves


def test_connect4_gets_stronger(tmp_path):
    config = Config("connect4", 1, policy=PolicyConfig("mlp", 64, 1), selfplay=SelfPlayConfig(on=True, snapshots=10))
    config.train = TrainConfig(steps=200_000, envs=64, horizon=16, minibatch=512, checkpoints=2, logs=10)
    run = train.train(config, out=tmp_path / "run")
    lines = [json.loads(line) for line in (run.run / "metrics.jsonl").read_text().splitlines()]
    assert abs(lines[0]["elo"]) < lines[-1]["elo"] and lines[-1]["elo"] > 100


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["cartpole", "--selfplay.on"], "cartpole has one side only"),
        (["pong", "--selfplay.share", "2"], "selfplay.share is 2.0, outside 0 .. 1"),
        (["pong", "--selfplay.pool", "0"], "selfplay.pool is 0"),
        (["pong", "--selfplay.on", "--train.envs", "3", "--train.minibatch", "64"], "6 rows x 16 steps"),
    ],
)
def test_bad_input(argv, words, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert main(["train", *argv]) == 1
    error = capsys.readouterr().err
    assert words in error and "Traceback" not in error
