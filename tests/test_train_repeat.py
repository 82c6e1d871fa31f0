"""A policy may act more rarely, or more often, than its environment says: whoever trains, scores, plays or searches
keeps to that."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from minnow import cinfer, envs, train
from minnow.cinfer.errors import MinnowError
from minnow.cli.export import export_run
from minnow.train import advantage, checkpoint, device, evaluation, match
from minnow.train import config as configs
from minnow.train.config import Backend, Config, PolicyConfig, TrainConfig
from minnow.web.game import POLICY, Game

OWN = envs.spec("pong").action_repeat
REPEAT = 3 * OWN


def rare(backend: Backend = "auto") -> Config:
    schedule = TrainConfig(steps=128, envs=8, horizon=16, minibatch=128, gamma=0.9, backend=backend, checkpoints=1)
    return Config("pong", 5, policy=PolicyConfig(core="mlp", hidden=8, action_repeat=REPEAT), train=schedule)


@pytest.mark.parametrize("backend", ["c", "torch"])
def test_the_discount_goes_by_the_tick(backend: Backend) -> None:
    trainer = device.trainer(rare(backend))
    assert isinstance(trainer.vector, envs.Vector) and trainer.vector.action_repeat == REPEAT
    assert trainer.vector.raw(()).rows and trainer.config.discount == 0.9**3
    trainer.collect()
    found = trainer.advantages().clone()
    given = (trainer.learned_reward, trainer.value, trainer.final_value, trainer.terminated, trainer.truncated)
    expected = advantage.estimate(*given, trainer.last_value, 0.9**3, trainer.train.gae_lambda, None, 1.0, 1.0)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert dataclasses.replace(rare(), policy=PolicyConfig()).discount == 0.9


def test_a_file_is_played_as_its_policy_was_trained(tmp_path: Path) -> None:
    run = train.train(rare(), out=tmp_path / "run")
    policy, _ = checkpoint.load(run.checkpoint)
    path = export_run(tmp_path / "run").path
    players = [evaluation.TorchPlayer(policy), evaluation.FilePlayer(cinfer.load(path))]
    assert [player.action_repeat for player in players] == [REPEAT, REPEAT]
    scores = [evaluation.evaluate(player, "pong", 4) for player in players]
    assert scores[0] == scores[1]

    # The game core, tick by tick, against steps of as many ticks.
    vector = envs.Vector("pong", 1, seed=7, agents=1, action_repeat=REPEAT)
    buffers = vector.buffers()
    vector.reset(buffers)
    game, size = Game("pong", [path.read_bytes()]), vector.lib.env_saved_size()
    game.start(7)
    game.seat(0, 1)
    game.drive(0, POLICY)
    players[1].begin(1, 0)
    for _ in range(40):
        buffers.action[:] = players[1].act(buffers.obs, None, buffers.reset, buffers.alive)
        vector.step(buffers)
        acted = [game.tick() & 4 for _ in range(REPEAT)]
        assert acted == [4] + [0] * (REPEAT - 1)
        assert game.state[:size] == vector.save(0)[:size]

    chance = evaluation.RandomPlayer(envs.spec("pong"))
    with pytest.raises(MinnowError, match=f"one player acts every {REPEAT} ticks, the other every {OWN}"):
        match.match(players[0], chance, "pong", 2)
    assert match.match(players[0], players[1], "pong", 2).games == 2


def test_steps_that_are_another_authors() -> None:
    with pytest.raises(MinnowError, match=r"leave out --policy\.action-repeat"):
        configs.validate(dataclasses.replace(rare(), name="gym:CartPole-v1"))
