"""Lives in the game core: torch, the native game and the page's module act alike, since each clears what it remembers
of a player where a life of the player begins, and nowhere else."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from test_replay import Module
from test_train_lives import CORES, LIVES, SPEC, TICKS, exported, settings, undecided

from minnow import cinfer, envs
from minnow.cinfer import compile
from minnow.train.config import Core
from minnow.train.evaluation import FilePlayer, TorchPlayer
from minnow.train.policy import Policy
from minnow.web.game import HERE, PERSON, POLICY, Game, options

SEED = 11


@cache
def policy_of(core: Core) -> tuple[Policy, bytes]:
    policy = undecided(settings(core))
    return policy, exported(policy)


def game_of(data: bytes, library: Path | None = None) -> Game:
    game = Game(LIVES, data, seed=SEED, library=library)
    game.drive(0, POLICY, SPEC.slots)
    return game


def differ(core: str, ticks: int, library: Path | None = None) -> tuple[int, int, Game]:
    """How many actions of the living the native game takes otherwise than torch, and than a session beside rows, that
    see what the game's players see; and the game."""
    policy, data = policy_of(core)
    vector = envs.Vector(LIVES, 1, seed=SEED, agents=SPEC.slots)
    buffers = vector.buffers()
    vector.reset(buffers)
    players = [TorchPlayer(policy), FilePlayer(cinfer.load(data))]
    for player in players:
        player.begin(SPEC.slots, 0)
    game, found, births = game_of(data, library), [0, 0], 0
    for _ in range(ticks):
        alive, reset = buffers.alive.astype(bool), buffers.reset.astype(bool)
        births += int(reset.sum())
        game.tick()
        done = np.array([game.action(slot) for slot in range(SPEC.slots)])
        for i, player in enumerate(players):
            found[i] += int((player.act(buffers.obs, None, reset, alive) != done)[alive].sum())
        buffers.action[:] = done
        vector.step(buffers)
    assert births > ticks / 10
    return found[0], found[1], game


@pytest.mark.parametrize("ticks", TICKS)
@pytest.mark.parametrize("core", CORES)
def test_torch_the_game_and_the_page_act_alike(core: str, ticks: int, tmp_path: Path) -> None:
    *found, game = differ(core, ticks)
    assert found == [0, 0]
    file = tmp_path / "policy.minnow"
    file.write_bytes(policy_of(core)[1])
    again, actions, hashes = game_of(file.read_bytes()), [], []
    for tick in range(ticks):
        again.tick()
        actions += [int(action) for slot in range(SPEC.slots) for action in again.action(slot)]
        if (tick + 1) % 100 == 0:
            hashes.append(again.hash())
    assert again.hash() == game.hash()
    module = Module(LIVES, [file])
    played = module.play(game.inputs, ticks, slots=SPEC.slots, heads=1)
    module.close()
    assert played == {"hashes": hashes, "actions": actions, "taken": len(game.inputs)}


def without(line: str, tmp_path: Path) -> Path:
    """The game core with one line left out."""
    source = (HERE / "game.c").read_text()
    assert source.count(line) == 1, line
    (tmp_path / "game.c").write_text(source.replace(line, ";"))
    made = options(LIVES)
    made["defines"] |= {"MINNOW_SCALAR": "1"}  # less to compile
    return compile.shared([tmp_path / "game.c"], name="game-deaf", **made)


@pytest.mark.parametrize(
    "line",
    [
        "minnow_reset(session, slot);",
        "play->fresh[slot] |= game->left[slot] || !game_alive(game, slot);",
        "memset(play->fresh, 1, ENV_SLOTS);",
    ],
)
def test_a_reset_left_out_by_the_game_is_caught(line: str, tmp_path: Path) -> None:
    library = without(line, tmp_path)
    for core in CORES:
        torch_, session, _ = differ(core, 500, library)
        assert torch_ > 0 and session > 0


def value_after(away: int, library: Path | None = None) -> float:
    """What a policy makes of a player who was away from it for so many ticks; the world is the same."""
    game = Game(LIVES, [policy_of(core)[1] for core in CORES], seed=SEED, library=library)
    game.drive(0, PERSON, SPEC.slots)
    game.event(0, SPEC.index("danger"), value=0.0)  # nobody dies meanwhile
    game.tick(10 - away)
    if away:
        game.seat(0, 2)
        game.tick(away)
        game.seat(0, 1)
    game.tick(2)
    return game.value(0)


def test_who_takes_a_seat_again_is_not_remembered(tmp_path: Path) -> None:
    deaf = without("memset(play->fresh + slot, 1, values[0]);", tmp_path)
    assert value_after(3) == value_after(7) != value_after(0)
    assert value_after(3, deaf) == value_after(0, deaf)
