"""Snake beside a plain Python game of its rules, and the window of grid.h beside a plain rotation."""

from __future__ import annotations

import numpy as np

from minnow import envs

MARGIN, STRIDE, SLOTS = 8, 80, 32
FOOD, WALL, HEAD, BODY = 1, 0x20, 0x40, 0x80
EAST, SOUTH = (0, 1, 0, -1), (-1, 0, 1, 0)


def world(vector: envs.Vector, i: int) -> dict[str, np.ndarray]:
    """The members of State after EnvBase, of environment i."""
    saved = np.frombuffer(vector.save(i), np.uint8)
    numbers = 9 * SLOTS + 2
    end = vector.lib.env_saved_size()
    rest = saved[end - 4 * numbers : end].view(np.int32)
    cells = saved[end - 4 * numbers - 2 * STRIDE**2 : end - 4 * numbers].reshape(2, STRIDE, STRIDE)
    names = ("x", "y", "way", "tail_x", "tail_y", "length", "grows", "rest", "sum")
    return {name: rest[k * SLOTS : (k + 1) * SLOTS] for k, name in enumerate(names)} | {
        "food": rest[-2],
        "cell": cells[0],
        "turned": cells[1],
    }


def test_the_world_keeps_its_books() -> None:
    """Every cell belongs to what the numbers say: bodies lead from tail to head, lengths and food are counted right."""
    vector = envs.Vector("snake", 4, seed=3, params={"arena": 32, "time": 400})
    b = vector.buffers()
    vector.reset(b)
    rng = np.random.default_rng(0)
    seen = 0
    for step in range(300):
        b.action[:] = np.where(rng.random(b.action.shape) < 0.8, 0, rng.integers(0, 7, b.action.shape))
        vector.step(b)
        if step % 7:
            continue
        for i in range(4):
            w = world(vector, i)
            cell = w["cell"]
            assert (w["turned"] == cell.T).all()
            assert w["food"] == (cell == FOOD).sum()
            left = cell.copy()
            left[left == FOOD] = 0
            for slot in range(SLOTS):
                assert bool(b.alive[i * SLOTS + slot]) == (w["length"][slot] > 0)
                if w["length"][slot]:
                    x, y = w["tail_x"][slot], w["tail_y"][slot]
                    for _ in range(w["length"][slot] - 1):
                        assert left[y, x] & 0xFC == BODY | slot << 2
                        way, left[y, x] = left[y, x] & 3, 0
                        x, y = x + EAST[way], y + SOUTH[way]
                    assert (x, y) == (w["x"][slot], w["y"][slot]) and left[y, x] == HEAD | slot
                    left[y, x] = 0
                    seen += w["length"][slot] > 3
            assert set(np.unique(left)) <= {0, WALL}
    assert seen > 20


def reached(solid: np.ndarray, row: int, column: int) -> int:
    """Cells of the window that can be reached from one."""
    found, queue = set(), [(row, column)]
    while queue:
        at = queue.pop()
        inside = 0 <= at[0] < 11 and 0 <= at[1] < 11
        if at not in found and inside and not solid[at] and at != (7, 5):
            found.add(at)
            queue += [(at[0] + 1, at[1]), (at[0] - 1, at[1]), (at[0], at[1] + 1), (at[0], at[1] - 1)]
    return len(found)


def test_each_sees_the_world_turned_to_its_heading() -> None:
    vector = envs.Vector("snake", 3, seed=4)
    b = vector.buffers()
    vector.reset(b)
    rng = np.random.default_rng(1)
    ways, parted = set(), 0
    for _ in range(60):
        b.action[:] = np.where(rng.random(b.action.shape) < 0.7, 0, rng.integers(0, 7, b.action.shape))
        vector.step(b)
        for i in range(3):
            w = world(vector, i)
            for slot in range(0, SLOTS, 5):
                got = b.obs[i * SLOTS + slot]
                if not w["length"][slot]:
                    assert not got.any()
                    continue
                x, y, way = w["x"][slot], w["y"][slot], w["way"][slot]
                ways.add(int(way))
                want = np.zeros((3, 11, 11), np.uint8)
                for row in range(11):
                    for column in range(11):
                        on, across = 7 - row, column - 5
                        right = (way + 1) & 3
                        what = w["cell"][
                            y + on * SOUTH[way] + across * SOUTH[right], x + on * EAST[way] + across * EAST[right]
                        ]
                        want[0, row, column] = 128 if what & 0xFC == BODY | slot << 2 else 255 * (what >= WALL)
                        want[1, row, column] = 255 * (what == FOOD)
                        want[2, row, column] = 255 * (what & 0xC0 == HEAD)
                areas = [reached(want[0], *start) for start in ((6, 5), (7, 4), (7, 6))]
                beside = [want[0, 6, 4], want[0, 6, 5], want[0, 6, 6], want[0, 7, 4], want[0, 7, 6]]
                told = got[:, 7, 5] // 2
                if not any(beside):
                    assert (told == 121).all()
                else:
                    assert all(count == area or 60 < count < area for count, area in zip(told, areas, strict=True)), (
                        "a count is exact, or many"
                    )
                    parted += min(areas) < max(areas)
                want[:, 7, 5] = got[:, 7, 5]
                assert (got == want).all()
    assert ways == {0, 1, 2, 3} and parted > 50


def test_a_meal_a_death_and_the_score() -> None:
    """Rewards are meals and deaths; the score is the mean of the lengths after each tick."""
    vector = envs.Vector("snake", 2, seed=9, params={"time": 200, "meal": 2, "death": 5, "growth": 3})
    b = vector.buffers()
    vector.reset(b)
    rng = np.random.default_rng(2)
    total, births = np.zeros(2 * SLOTS), 0
    before = b.alive.copy()
    for _ in range(200):
        b.action[:] = np.where(rng.random(b.action.shape) < 0.6, 0, rng.integers(0, 7, b.action.shape))
        vector.step(b)
        if b.truncated.any():
            break
        assert set(np.unique(b.reward)) <= {-5, 0, 2, -3}
        assert ((b.reward < 0) == (before & ~b.alive)).all()
        births += int((~before & b.alive).sum())
        before = b.alive.copy()
        total += np.concatenate([world(vector, i)["length"] for i in range(2)])
    assert (b.truncated == before).all() and not b.terminated.all() and births > 20 and b.over.all()
    last = (b.record[:, 0] * 200 - total)[b.truncated]  # the lengths after the last tick
    assert ((last > -0.1) & (last < 100)).all() and np.allclose(last, np.round(last), atol=1e-2)
