"""TITLE keeps the contract, and its players play better than chance. Run by: pytest NAME"""

from pathlib import Path
from typing import Any

from minnow import cinfer, envs
from minnow.cli.main import main
from minnow.train.evaluation import FilePlayer, RandomPlayer, ScriptPlayer, evaluate

HERE = Path(__file__).resolve().parent
POLICY = HERE / "policy.minnow"  # exported to here, it is what the game comes with


def test_the_contract() -> None:
    assert main(["check", str(HERE)]) == 0


def test_players_beat_chance() -> None:
    players: dict[str, Any] = {"script": ScriptPlayer()}
    if POLICY.exists():
        players["policy"] = FilePlayer(cinfer.load(POLICY))
    chance = evaluate(RandomPlayer(envs.spec(HERE)), HERE, 100)
    for name, player in players.items():
        score = evaluate(player, HERE, 100)
        assert score.score_mean > chance.score_mean, f"{name}: {score}, by chance: {chance}"
