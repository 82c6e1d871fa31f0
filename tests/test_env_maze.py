"""Maze beside plain Python: its mazes, what is seen of them, and how an episode ends."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
import pytest

from minnow import envs

MARGIN, STRIDE, ROOMS, DOOR = 5, 40, 225, 2
WAYS = ((0, -1), (1, 0), (0, 1), (-1, 0))  # up, right, down, left


def world(vector: envs.Vector, i: int) -> dict[str, Any]:
    """The members of State after EnvBase, of environment i."""
    saved = np.frombuffer(vector.save(i), np.uint8)
    end = vector.lib.env_saved_size() - 4 * 7
    side, x, y, from_x, from_y, goal, ended = saved[end : end + 28].view(np.int32).tolist()
    left = saved[end - ROOMS - 3 : end]
    cell = saved[end - ROOMS - 3 - STRIDE**2 : end - ROOMS - 3].reshape(STRIDE, STRIDE)
    inner = cell[MARGIN - 1 : MARGIN + 2 * side, MARGIN - 1 : MARGIN + 2 * side]  # with the outer wall
    return {
        "side": side,
        "at": (x, y),
        "from": (from_x, from_y),
        "goal": goal,
        "ended": ended,
        "left": left[: side * side].reshape(side, side),
        "cell": inner,
    }


def distances(w: dict, start: tuple[int, int]) -> np.ndarray:
    """[y, x]: rooms on the shortest way, -1: there is none. Passages are walked one by one."""
    found = np.full((w["side"], w["side"]), -1)
    found[start[1], start[0]] = 0
    queue = deque([start])
    while queue:
        x, y = queue.popleft()
        for dx, dy in WAYS:
            if w["cell"][2 * y + 1 + dy, 2 * x + 1 + dx] == 0 and found[y + dy, x + dx] < 0:
                found[y + dy, x + dx] = found[y, x] + 1
                queue.append((x + dx, y + dy))
    return found


@pytest.mark.parametrize("size, loops, doors", [(3, 0, 4), (5, 0, 2), (7, 0, 4), (15, 0, 3), (7, 0.3, 4)])
def test_mazes_are_whole(size: int, loops: float, doors: int) -> None:
    """One way between any two rooms (more with loops), doors of as many colours in dead ends, distances measured."""
    vector = envs.Vector("maze", 20, seed=2, params={"size": size, "loops": loops, "doors": doors})
    b = vector.buffers()
    vector.reset(b)
    goals, seen = set(), set()
    for i in range(20):
        w = world(vector, i)
        assert w["side"] == size and w["at"] == (size // 2, size // 2)
        cell = w["cell"]
        passages = int((cell[1::2, 2::2] == 0).sum() + (cell[2::2, 1::2] == 0).sum())
        assert (cell[0] == 1).all() and (cell[-1] == 1).all() and (cell[:, 0] == 1).all() and (cell[:, -1] == 1).all()
        assert passages == size * size - 1 if loops == 0 else passages > size * size - 1
        corners = [(x, y) for x in (0, size - 1) for y in (0, size - 1)]
        colors = [int(cell[2 * y + 1, 2 * x + 1]) - DOOR for x, y in corners]
        assert sorted(colors) == [-DOOR] * (4 - doors) + list(range(doors)) and (cell >= DOOR).sum() == doors
        assert all(sum(cell[2 * y + 1 + dy, 2 * x + 1 + dx] == 0 for dx, dy in WAYS) == 1 for x, y in corners)
        assert (w["left"] == distances(w, corners[colors.index(w["goal"])])).all()
        goals.add((w["goal"], colors.index(w["goal"])))
        seen.add(cell.tobytes())
    assert len(goals) > 2 * doors and len(seen) > 15


def test_the_goal_is_shown_once_and_the_window_is_small() -> None:
    vector = envs.Vector("maze", 16, seed=5)
    b = vector.buffers()
    vector.reset(b)
    rng = np.random.default_rng(0)
    for step in range(100):
        for i in range(16):
            w = world(vector, i)
            x, y = w["at"]
            want = np.zeros((6, 7, 7), np.uint8)
            padded = np.pad(w["cell"], 4, constant_values=1)
            window = padded[2 * y + 2 : 2 * y + 9, 2 * x + 2 : 2 * x + 9].copy()
            fresh = not b.terminated[i] and not b.truncated[i] and step > 0
            window[3, 3] = 0 if fresh else DOOR + w["goal"]
            for plane in range(5):
                want[plane] = 255 * (window == 1 + plane)
            row, column = 3 + 2 * (w["from"][1] - y), 3 + 2 * (w["from"][0] - x)
            want[5, row, column] = 255
            assert (b.obs[i] == want).all()
        b.action[:] = rng.integers(0, 5, b.action.shape)
        vector.step(b)


def test_doors_end_the_episode() -> None:
    """The right one earns 1, a wrong one costs `wrong`, walls stop; the script always arrives on the shortest way."""
    vector = envs.Vector("maze", 64, seed=6, params={"wrong": 0.5})
    b = vector.buffers()
    vector.reset(b)
    rng = np.random.default_rng(0)
    ends = {1.0: 0, -0.5: 0}
    for _ in range(400):
        b.action[:] = rng.integers(1, 5, b.action.shape)
        before = [world(vector, i) for i in range(64)]
        vector.step(b)
        for i, w in enumerate(before):
            (x, y), (dx, dy) = w["at"], WAYS[b.action[i, 0] - 1]
            free = w["cell"][2 * y + 1 + dy, 2 * x + 1 + dx] == 0
            there = int(w["cell"][2 * (y + dy) + 1, 2 * (x + dx) + 1]) if free else 0
            want = 0.0 if there < DOOR else 1.0 if there == DOOR + w["goal"] else -0.5
            assert b.reward[i] == want and bool(b.terminated[i]) == (there >= DOOR)
            if there >= DOOR:
                ends[want] += 1
                assert b.record[i, 0] == b.record[i, 3] == (want > 0)
            elif not b.truncated[i]:
                assert world(vector, i)["at"] == ((x + dx, y + dy) if free else (x, y))
    assert ends[1.0] > 5 and ends[-0.5] > 15
    scripted = envs.Vector("maze", 64, seed=7)
    b = scripted.buffers()
    scripted.reset(b)
    way = [int(world(scripted, i)["left"][world(scripted, i)["at"][::-1]]) for i in range(64)]
    blind = envs.Buffers(b.obs, terminated=b.terminated, record=b.record)
    done = np.zeros(64, bool)
    for step in range(1, max(way) + 1):
        scripted.step(blind)
        first = b.terminated & ~done
        assert (first == (np.array(way) == step)).all() and (b.record[first, 0] == 1).all()
        done |= first
    assert done.all()
