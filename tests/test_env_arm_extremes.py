"""The arm's tasks at every level and every corner of their parameters, thrown about: nothing breaks unseen."""

from __future__ import annotations

import numpy as np
import pytest
from sure import sure

from minnow import envs
from minnow.train import evaluation

TASKS = ("reach", "pick_cube", "push_cube", "stack_cube", "lift_peg")
SENSORS = ("noise", "bias", "dropout", "ring")
APART = ("level", "limit", "skill", "raw", *SENSORS)
LOW = np.array([-2.8973, -1.7628, -2.8973, -3.0718, -2.8973, -0.0175, -2.8973])
HIGH = np.array([2.8973, 1.7628, 2.8973, -0.0698, 2.8973, 3.7525, 2.8973])
TIPS = [(x, y, 0.112) for x in (-0.01, 0.01) for y in (0.0, 0.014)]  # in the hand's frame, y from a finger's inner face
ENVS = 400


def upwards(turn: np.ndarray) -> np.ndarray:
    """The heights of the axes' ends [n, 3] of frames that are turned by unit quaternions [n, 4]."""
    w, x, y, z = turn.T
    return np.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], 1)


def columns(vector: envs.Vector) -> dict[str, int]:
    return {field.name: i for i, field in enumerate(vector.spec.group[0].fields)}


class Corners:
    """Environments each at a corner of its own: every parameter alone at either end, then all of them at random ends.
    Sensors err in a quarter of them, of which only the bounds of observations are held."""

    def __init__(self, name: str, level: int) -> None:
        spec, rng = envs.spec(name), np.random.default_rng((len(name), level))
        self.free = [param for param in spec.param if param.name not in APART]
        self.vector = envs.Vector(name, ENVS, seed=5, params={"level": level})
        self.value = {param.name: np.full(ENVS, param.value) for param in spec.param}
        alone = [(param, end) for param in self.free for end in (param.low, param.high)]
        assert len(alone) < ENVS / 2
        for i in range(ENVS):
            many = [(param, (param.low, param.high)[int(rng.integers(2))]) for param in self.free]
            chosen = [alone[i]] if i < len(alone) else many
            if i % 4 == 3:
                chosen = [*chosen, *((param, param.high) for param in spec.param if param.name in SENSORS)]
            for param, end in chosen:
                self.value[param.name][i] = end
                self.vector.event(i, 0, spec.index(param.name), value=end)
        self.sharp = np.arange(ENVS) % 4 != 3
        self.rng, self.style = rng, rng.integers(0, 4, ENVS)

    def act(self, t: int, b: envs.Buffers) -> None:
        """Random; from end to end; near joint limits, by sines; and straight into the table."""
        if t % 6 == 0:
            self.bang = self.rng.choice([-1.0, 0.0, 1.0], b.action.shape)
        b.action[:] = self.rng.uniform(-1, 1, b.action.shape)
        wave = np.sin(0.05 * t + np.arange(b.action.shape[1]))
        styles = ((1, self.bang), (2, np.sign(wave)), (3, self.bang))
        for style, action in styles:
            b.action[self.style == style] = np.broadcast_to(action, b.action.shape)[self.style == style]
        down = self.style == 3
        b.action[down, 1], b.action[down, 3] = 1, 1


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("name", TASKS)
def test_extremes_stay_finite_and_bounded(name: str, level: int, request: pytest.FixtureRequest) -> None:
    """A tenth of a million steps, with `--full` a million. Of every state, and of the last one of each episode: numbers
    are finite and within their fields, joints within limits, nothing is faster than the bounds of arm.h and cube.h; and
    where the episode has not been counted as broken, fingertips and bodies are at most so deep in the table."""
    corners = Corners(name, level)
    vector, value, sharp = corners.vector, corners.value, corners.sharp
    b, at = vector.buffers(), columns(vector)
    bodies = [key[:-3] for key in at if key.endswith("_qw") and key != "tcp_qw"]
    half = value["peg_width"] if "peg_width" in value else value.get("cube_size")
    field = vector.spec.group[0].fields
    names, least, most = (np.array([getattr(f, key) for f in field]) for key in ("name", "low", "high"))
    ended, broken = np.zeros(ENVS, int), np.zeros(ENVS, int)
    vector.reset(b)
    for t in range(100_000 // ENVS * (10 if request.config.getoption("--full") else 1)):
        corners.act(t, b)
        vector.step(b)
        over = b.terminated | b.truncated
        seen = np.where(over[:, None], b.final_obs, b.obs).astype(float)
        breaks = over & (b.record[:, envs.RECORD.index("broken")] > 0)
        assert np.isfinite(seen).all() and np.isfinite(b.reward).all()
        assert np.abs(seen).max() <= 30
        outside = (seen < least - 1e-5) | (seen > most + 1e-5)
        assert not outside[sharp].any(), names[outside[sharp].any(0)]
        assert not (breaks & ~b.terminated).any() and not (breaks & (b.record[:, 0] > 0)).any()
        ended, broken = ended + over, broken + breaks
        margin = value["margin"][:, None]
        within = (seen[:, :7] >= LOW + margin - 1e-5) & (seen[:, :7] <= HIGH - margin + 1e-5)
        assert within[sharp].all()
        assert (np.abs(seen[sharp, 9:18]) <= 20).all()  # ARM_SPEED
        sound = sharp & ~breaks
        o = seen[sound]
        up = upwards(o[:, at["tcp_qw"] : at["tcp_qw"] + 4])
        for side in (1, -1):
            for x, y, z in TIPS:
                point = up[:, 0] * x + up[:, 1] * side * (o[:, 7 + (side < 0)] + y) + up[:, 2] * (z - 0.1034)
                assert (o[:, at["tcp_z"]] + point > value["table"][sound] - 0.05).all()  # ARM_SUNK
        for body in bodies:
            assert half is not None
            turn, place = o[:, at[f"{body}_qw"] : at[f"{body}_qw"] + 4], o[:, at[f"{body}_x"] : at[f"{body}_x"] + 3]
            assert np.allclose((turn**2).sum(1), 1, atol=1e-5)
            height = place[:, 2] - value["table"][sound]
            assert (height > 0.7 * half[sound] - 1e-6).all() and (height < 2).all() and (np.abs(place[:, :2]) < 1).all()
    alone = slice(0, 2 * len(corners.free))
    assert ended.sum() > 100 and broken[alone].sum() < 0.2 * ended[alone].sum(), (ended.sum(), broken.sum())


@pytest.mark.parametrize("name", TASKS)
def test_a_sound_game_never_breaks(name: str) -> None:
    score = sure(evaluation.evaluate(evaluation.ScriptPlayer(), name, 64))
    assert score.broken is None and "broken" not in str(score)


def test_what_is_lost_ends_the_episode_and_is_counted() -> None:
    """A cube that is kicked out of reach: the row ends where it comes to rest, and fails; evaluation counts it."""
    vector = envs.Vector("pick_cube", 2, seed=2, params={"limit": 1000, "table_friction": 0.05, "cube_friction": 0.05})
    b = vector.buffers()
    vector.reset(b)
    kick = next(g for g in vector.spec.gesture if "target" in g.uses)
    vector.event(0, kick.kind, target=2, way=(0.14, 0.0, 0.0))
    b.action[:] = 0
    for _ in range(200):
        vector.step(b)
        if b.terminated[0]:
            break
    outcome = dict(zip(envs.RECORD, b.record[0].tolist(), strict=True))
    assert b.terminated.tolist() == [True, False] and outcome["broken"] == 1 and outcome["success"] == 0
    assert 0.35 < b.final_obs[0, 29] < 0.99  # out of reach, on the table

    class Thrower(evaluation.RandomPlayer):
        """Pushes of the world do the rest."""

    spec = envs.spec("pick_cube")
    thrown = evaluation.evaluate(Thrower(spec), "pick_cube", 64, params={"push_rate": 2.0, "push": 2.0})
    assert thrown.broken is not None and f", broken {thrown.broken} of 64" in str(thrown)
    assert thrown.to_dict()["broken"] == thrown.broken > 3
