"""Evaluation: every episode started is counted to its end, on seeds of its own."""

from __future__ import annotations

import json

import numpy as np
import pytest

from minnow import envs
from minnow.cli.main import main
from minnow.train import evaluation
from minnow.train.evaluation import EVALUATION, RandomPlayer, evaluate


class Left:
    """Pushes the cart to the left, so that its episodes are short and of different lengths."""

    def begin(self, rows, seed):
        self.rows = rows

    def act(self, obs, mask, reset, alive):
        return np.zeros((self.rows, 1), np.int32)


def episode_alone(index: int, seed: int) -> float:
    vector = envs.Vector("cartpole", 1, seed=EVALUATION | seed, first_index=index)
    buffers = vector.buffers()
    vector.reset(buffers)
    total = 0.0
    while True:
        buffers.action[:] = 0
        vector.step(buffers)
        total += float(buffers.reward[0])
        if buffers.terminated[0] or buffers.truncated[0]:
            return total


def test_every_episode_counts_once(monkeypatch):
    returns = np.array([episode_alone(i, 4) for i in range(50)])
    assert len(set(returns)) > 1
    score = evaluate(Left(), "cartpole", 50, seed=4)
    assert score.episodes == 50 and score.return_mean == pytest.approx(returns.mean())
    assert score.score_ci95 == pytest.approx(1.96 * returns.std(ddof=1) / 50**0.5)
    monkeypatch.setattr(evaluation, "GROUP", 7)
    assert evaluate(Left(), "cartpole", 50, seed=4) == score
    assert evaluate(Left(), "cartpole", 50, seed=5) != score


def test_random_play_of_equal_seeds_is_equal():
    spec = envs.spec("cartpole")
    assert evaluate(RandomPlayer(spec), "cartpole", 20) == evaluate(RandomPlayer(spec), "cartpole", 20)


def test_training_seeds_cannot_reach_evaluations():
    from minnow.train.config import MAX_SEED, Config, validate

    assert MAX_SEED & EVALUATION == 0
    validate(Config("pong", seed=MAX_SEED))
    with pytest.raises(Exception, match="seed is"):
        validate(Config("pong", seed=MAX_SEED + 1))


def test_the_script_and_random_play_are_scored(capsys):
    scores = {}
    for player in ("random", "script=1"):
        assert main(["eval", "pong", "--player", player, "--episodes", "20", "--json"]) == 0
        printed = json.loads(capsys.readouterr().out)
        assert {"env", "episodes", "score_mean", "score_ci95", "return_mean", "length_mean"} <= printed.keys()
        scores[player] = printed["score_mean"]
    assert scores["random"] < -10 < scores["script=1"]


def test_a_policy_file_scores_as_its_run_does(tmp_path, capsys):
    """The exported file, played by minnow.h, against the module in torch; rounding may turn a few episodes."""
    from minnow import train
    from minnow.cli.export import export_run
    from minnow.train.config import Config, PolicyConfig, TrainConfig

    settings = TrainConfig(steps=8192, envs=16, horizon=32, minibatch=128, epochs=2)
    run = train.train(Config("cartpole", 2, policy=PolicyConfig("lstm", 16), train=settings), out=tmp_path / "run").run
    export_run(run)
    capsys.readouterr()
    scores = []
    for target in (run, run / "policy.minnow"):
        assert main(["eval", str(target), "--episodes", "100", "--json"]) == 0
        scores.append(json.loads(capsys.readouterr().out))
    assert scores[0]["episodes"] == scores[1]["episodes"] == 100
    assert scores[1]["score_mean"] == pytest.approx(scores[0]["score_mean"], rel=0.05)


BAD = [
    (["pung", "--player", "random"], "did you mean pong"),
    (["pong"], "add --player"),
    (["pong", "--player", "robot"], "must be random, script"),
    (["pong", "--player", "script=2"], "from 0 to 1"),
    (["pong", "--player", "random", "--episodes", "0"], "must be 1 or more"),
    (["pong", "--player", "random", "--seed", "-1"], "outside 0"),
    (["pong", "--player", "random", "--epsodes", "3"], "--episodes"),
    (["nowhere/run"], "does not exist"),
]


@pytest.mark.parametrize(("argv", "words"), BAD, ids=[" ".join(argv) for argv, _ in BAD])
def test_bad_arguments_are_one_clear_error(argv, words, capsys):
    assert main(["eval", *argv]) == 1
    assert words in capsys.readouterr().err
