"""The rules of the games, beside plain Python."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from minnow import envs
from minnow.train import evaluation


def played(name: str, player: evaluation.Player | evaluation.ScriptPlayer, **options: Any) -> evaluation.Score:
    return evaluation.evaluate(player, name, 100, **options)


@pytest.mark.parametrize("name, times", [("breakout", 5), ("2048", 5)])
def test_the_script_scores_many_times_what_luck_does(name: str, times: float) -> None:
    luck = played(name, evaluation.RandomPlayer(envs.spec(name)))
    assert played(name, evaluation.ScriptPlayer()).score_mean >= times * luck.score_mean


def test_the_script_beats_luck_at_snake() -> None:
    """In nearly all games: snake 0 of all-scripted ones grows longer than a random one in its place."""
    luck = played("snake", evaluation.RandomPlayer(envs.spec("snake")))
    assert played("snake", evaluation.ScriptPlayer()).score_mean > 3 * luck.score_mean


def test_the_script_beats_luck_at_connect4() -> None:
    """The opponent is the scripted player, so luck's losses are its wins."""
    luck = played("connect4", evaluation.RandomPlayer(envs.spec("connect4")))
    assert luck.score_mean < -0.8


def test_deeper_search_beats_shallower() -> None:
    """One disc ahead against four, and against itself."""
    assert played("connect4", evaluation.ScriptPlayer(0.25)).score_mean < -0.3
    assert abs(played("connect4", evaluation.ScriptPlayer(0.25), params={"skill": 0.25}).score_mean) < 0.3


@functools.cache
def slid(row: tuple[int, ...]) -> tuple[list[int], int]:
    """A row of exponents slid to its start, and the points made."""
    left = [tile for tile in row if tile]
    out, points = [], 0
    while left:
        tile = left.pop(0)
        if left and left[0] == tile < 15:
            left.pop(0)
            tile += 1
            points += 2**tile
        out.append(tile)
    return out + [0] * (4 - len(out)), points


def moved(board: np.ndarray, way: int) -> tuple[np.ndarray, int]:
    """up, right, down, left"""
    turns = {3: 0, 0: 1, 1: 2, 2: 3}[way]
    turned = np.rot90(board, turns)
    rows = [slid(tuple(map(int, row))) for row in turned]
    return np.rot90(np.array([row for row, _ in rows]), -turns), sum(points for _, points in rows)


def arranged(board: np.ndarray) -> np.ndarray:
    """Turned and mirrored so that the largest corner is the first, the larger of its neighbours the second."""
    board = board[::-1] if max(board[3, 0], board[3, 3]) > max(board[0, 0], board[0, 3]) else board
    board = board[:, ::-1] if board[0, 3] > board[0, 0] else board
    return board.T if board[1, 0] > board[0, 1] else board


def part(board: np.ndarray) -> np.ndarray:
    """What is seen of a board, [6, 16]."""
    board = arranged(board)
    right, below = np.pad(board[:, 1:], ((0, 0), (0, 1))), np.pad(board[1:], ((0, 1), (0, 0)))
    planes = [
        board * 17,
        (board == 0) * 255,
        ((board == right) & (board > 0)) * 255,
        ((board == below) & (board > 0)) * 255,
        np.maximum(right - board, 0) * 17,
        np.maximum(below - board, 0) * 17,
    ]
    return np.stack([np.concatenate([plane[:, ::2].ravel(), plane[:, 1::2].ravel()]) for plane in planes])


def boards_of(vector: envs.Vector, count: int) -> np.ndarray:
    """The boards [count, 4, 4] that lie at the end of the states."""
    words = [int.from_bytes(vector.save(i)[-40:-32], "little") for i in range(count)]
    return np.array([[word >> 4 * cell & 15 for cell in range(16)] for word in words]).reshape(-1, 4, 4)


def test_2048_slides_as_the_rules_say() -> None:
    """20,000 random moves of many games: boards but for the new tile, points, masks and observations."""
    vector = envs.Vector("2048", 40, seed=5, params={"merged": 0.001})
    b = vector.buffers()
    vector.reset(b)
    rng = np.random.default_rng(0)
    boards = boards_of(vector, 40)
    ends = 0
    for _ in range(500):
        results = [[moved(board, way) for way in range(4)] for board in boards]
        possible = np.array(
            [[(after != board).any() for after, _ in ways] for board, ways in zip(boards, results, strict=True)]
        )
        assert (b.mask[:, :4] == possible).all() and not b.mask[:, 4].any()
        for i in rng.integers(0, 40, 4):
            # as observe() holds them: their way to the left
            turned = [board.T if way in (0, 2) else board for way, (board, _) in enumerate(results[i])]
            parts = [part(board[:, ::-1] if way in (1, 2) else board) for way, board in enumerate(turned)]
            assert (b.obs[i].reshape(4, 6, 16) == parts).all()
        action = (rng.random((40, 4)) * possible).argmax(1)
        b.action[:, 0] = action
        vector.step(b)
        seen = boards_of(vector, 40)
        for i, way in enumerate(action):
            after, points = results[i][way]
            if b.terminated[i]:
                last = b.final_obs[i, 0, :16] // 17
                assert last.all() and last.sum() - after.sum() in (1, 2)
                assert b.reward[i] == pytest.approx(points / 1000 - 1)
            else:
                new = seen[i] != after
                assert new.sum() == 1 and after[new] == 0 and seen[i][new] in (1, 2)
                assert b.reward[i] == pytest.approx(points / 1000)
        ends += int(b.terminated.sum())
        boards = seen
    assert ends > 50


def fours() -> Iterator[list[int]]:
    """All that can be four in a row of the [6][7] cells."""
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        for y, x in itertools.product(range(6), range(7)):
            cells = [(y + i * dy, x + i * dx) for i in range(4)]
            if all(0 <= cy < 6 and 0 <= cx < 7 for cy, cx in cells):
                yield [7 * cy + cx for cy, cx in cells]


FOURS = np.array(list(fours()))


def wins(stones: np.ndarray) -> bool:
    """Whether four of the [6, 7] stones lie in a row."""
    return bool(stones.reshape(-1)[FOURS].all(1).any())


def threats(seen: np.ndarray, height: np.ndarray) -> None:
    """Asks for the right planes [6, 6, 7] of the player to move: cells that make four, and what columns lead to."""
    fours = np.zeros((2, 6, 7), bool)
    for y, x in np.argwhere(seen[0] + seen[1] == 0):
        for side in range(2):
            more = seen[side].copy()
            more[y, x] = 1
            fours[side, y, x] = wins(more)
    assert (seen[3:5] == fours).all()
    for column in np.flatnonzero(height < 6):
        now, above = height[column], height[column] + 1
        want = [fours[0, now, column], fours[1, now, column]]
        want += [fours[side, above, column] if above < 6 else False for side in (1, 0)]
        assert (seen[5, :, column] == [*want, 0, 0]).all() and seen[2, now, column]
    assert seen[2].sum() == (height < 6).sum() and not seen[5][:, height == 6].any()


def test_connect4_drops_and_wins_as_the_rules_say() -> None:
    """Random games by both slots: whose turn it is, where discs come to rest, who has won."""
    vector = envs.Vector("connect4", 30, seed=2, agents=2)
    b = vector.buffers()
    vector.reset(b)
    rng = np.random.default_rng(0)
    ends = draws = 0
    for _ in range(150):
        obs, mask = b.obs.reshape(30, 2, 6, 6, 7) // 255, b.mask.reshape(30, 2, 8)
        own, height = obs[:, :, 0], obs[:, 0, :2].sum((1, 2))
        assert (obs[:, 0, 0] == obs[:, 1, 1]).all() and (obs[:, 0, 1] == obs[:, 1, 0]).all()
        turn = np.where(mask[:, 0, 7], 1, 0)
        assert (mask[:, :, 7].sum(1) == 1).all()
        choice = np.full((30, 2), 7)
        for i in range(30):
            assert (mask[i, turn[i], :7] == (height[i] < 6)).all()
            if i == 0:
                threats(obs[i, turn[i]], height[i])
            choice[i, turn[i]] = rng.choice(np.flatnonzero(mask[i, turn[i], :7]))
        b.action[:, 0] = choice.reshape(-1)
        vector.step(b)
        over = b.terminated.reshape(30, 2)
        after = np.where(
            over[..., None, None, None], b.final_obs.reshape(30, 2, 6, 6, 7), b.obs.reshape(30, 2, 6, 6, 7)
        )
        for i in range(30):
            mover, column = turn[i], choice[i, turn[i]]
            want = own[i, mover].copy()
            want[height[i, column], column] = 1
            assert (after[i, mover, 0] // 255 == want).all()
            won = wins(want)
            full = height[i].sum() == 41
            assert over[i].all() == (won or full) and over[i, 0] == over[i, 1]
            assert b.reward[2 * i + mover] == won and b.reward[2 * i + 1 - mover] == -float(won)
            ends, draws = ends + int(over[i, 0]), draws + int(full and not won)
    assert ends > 50


def test_breakout_counts_its_bricks() -> None:
    """Rewards are bricks; the columns seen hold what is left; a life is lost for a ball."""
    vector = envs.Vector("breakout", 64, seed=3)
    b = vector.buffers()
    vector.reset(b)
    left, ended, broken = np.full(64, 72), 0, 0
    for _ in range(1000):
        b.action[:, 0] = [int(vector.script(i, 0, 0.9)[0]) for i in range(64)]
        vector.step(b)
        left = left - b.reward
        over = b.terminated | b.truncated
        seen = np.where(over[:, None], b.final_obs, b.obs)[:, 6:] * 6
        assert np.allclose(seen.sum(1), left, atol=1e-3)
        assert np.allclose(b.record[over, 0], (72 - left[over]) / 72 * 100, atol=1e-3)
        broken += int(b.reward.sum())
        left[over] = 72
        ended += int(over.sum())
    assert ended > 5 and broken > 1000
