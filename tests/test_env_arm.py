"""The arm's tasks beside an independent arm in NumPy, and a cube that falls, slides and is held."""

from __future__ import annotations

import math
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from sure import sure

from minnow import envs
from minnow.envs import shapes
from minnow.train import evaluation
from minnow.web.game import PERSON, Game

REST = np.array([0, np.pi / 8, 0, -5 * np.pi / 8, 0, 3 * np.pi / 4, np.pi / 4])
# a, d, alpha of Denavit and Hartenberg in Craig's form: Franka Emika, "Robot and interface specifications".
DH = [
    (0, 0.333, 0),
    (0, 0, -np.pi / 2),
    (0, 0.316, np.pi / 2),
    (0.0825, 0, np.pi / 2),
    (-0.0825, 0.384, -np.pi / 2),
    (0, 0, np.pi / 2),
    (0.088, 0, np.pi / 2),
]
# Mass, centre of mass, Ixx Ixy Ixz Iyy Iyz Izz about it, in the link's frame: Gaz et al., 2019; then the hand, by its
# maker, and two fingers.
LINKS = [
    (4.970684, (3.875e-3, 2.081e-3, -0.175), (0.70337, -1.39e-4, 6.772e-3, 0.70661, 1.9169e-2, 9.117e-3)),
    (0.646926, (-3.141e-3, -2.872e-2, 3.495e-3), (7.962e-3, -3.925e-3, 1.0254e-2, 2.811e-2, 7.04e-4, 2.5995e-2)),
    (3.228604, (2.7518e-2, 3.9252e-2, -6.6502e-2), (3.7242e-2, -4.761e-3, -1.1396e-2, 3.6155e-2, -1.2805e-2, 1.083e-2)),
    (3.587895, (-5.317e-2, 1.04419e-1, 2.7454e-2), (2.5853e-2, 7.796e-3, -1.332e-3, 1.9552e-2, 8.641e-3, 2.8323e-2)),
    (1.225946, (-1.1953e-2, 4.1065e-2, -3.8437e-2), (3.5549e-2, -2.117e-3, -4.037e-3, 2.9474e-2, 2.29e-4, 8.627e-3)),
    (1.666555, (6.0149e-2, -1.4117e-2, -1.0517e-2), (1.964e-3, 1.09e-4, -1.158e-3, 4.354e-3, 3.41e-4, 5.433e-3)),
    (0.735522, (1.0517e-2, -4.252e-3, 6.1597e-2), (1.2516e-2, -4.28e-4, -1.196e-3, 1.0027e-2, -7.41e-4, 4.815e-3)),
    (0.73, (-0.01, 0, 0.03), (1e-3, 0, 0, 2.5e-3, 0, 1.7e-3)),
    (0.03, (0, 0, 0.08), (1e-5, 0, 0, 1e-5, 0, 1e-5)),
]


def frames(q: np.ndarray) -> list[np.ndarray]:
    """Of the seven links and of the hand, [4, 4] each."""

    def link(a: float, d: float, alpha: float, theta: float) -> np.ndarray:
        c, s, ca, sa = np.cos(theta), np.sin(theta), np.cos(alpha), np.sin(alpha)
        return np.array([[c, -s, 0, a], [s * ca, c * ca, -sa, -d * sa], [s * sa, c * sa, ca, d * ca], [0, 0, 0, 1]])

    base = np.eye(4)
    base[0, 3] = -0.615
    found = [base]
    for (a, d, alpha), theta in zip([*DH, (0, 0.107, 0)], [*q, -np.pi / 4], strict=True):
        found.append(found[-1] @ link(a, d, alpha, theta))
    return found[1:]


def masses(q: np.ndarray) -> np.ndarray:
    """The mass matrix, [7, 7], from each body's Jacobian."""
    found, total = frames(q), np.zeros((7, 7))
    for i, (mass, centre, (xx, xy, xz, yy, yz, zz)) in enumerate(LINKS):
        frame, joints = found[min(i, 7)], min(i + 1, 7)
        turn, place = frame[:3, :3], frame[:3, :3] @ centre + frame[:3, 3]
        axes = np.array([found[j][:3, 2] for j in range(joints)])
        arms = np.array([place - found[j][:3, 3] for j in range(joints)])
        linear, angular = np.zeros((3, 7)), np.zeros((3, 7))
        linear[:, :joints], angular[:, :joints] = np.cross(axes, arms).T, axes.T
        inertia = turn @ np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]) @ turn.T
        total += mass * linear.T @ linear + angular.T @ inertia @ angular
    return total


def rotation(turn: np.ndarray) -> np.ndarray:
    w, x, y, z = turn
    return np.eye(3) + 2 * np.array(
        [
            [-y * y - z * z, x * y - w * z, x * z + w * y],
            [x * y + w * z, -x * x - z * z, y * z - w * x],
            [x * z - w * y, y * z + w * x, -x * x - y * y],
        ]
    )


def begun(name: str, count: int, **options) -> tuple[envs.Vector, envs.Buffers]:
    options["params"] = {"limit": 1000} | options.get("params", {})
    vector = envs.Vector(name, count, seed=2, **options)
    b = vector.buffers()
    vector.reset(b)
    return vector, b


def test_the_hand_is_where_denavit_and_hartenberg_put_it() -> None:
    vector, b = begun("reach", 40)
    rng = np.random.default_rng(0)
    for _ in range(60):
        b.action[:] = rng.uniform(-1, 1, b.action.shape)
        vector.step(b)
    assert np.ptp(b.obs[:, :7], axis=0).min() > 0.5  # many different positions
    for seen in b.obs.astype(float):
        hand = frames(seen[:7])[-1]
        assert np.allclose(seen[18:21], hand[:3, 3] + 0.1034 * hand[:3, 2], atol=3e-6)
        assert np.allclose(rotation(seen[21:25]), hand[:3, :3], atol=3e-6)


def test_what_the_tasks_share_is_in_their_hash(tmp_path: Path) -> None:
    """An edit of a header beside the task's folder makes another environment of it."""
    home = envs.folder("reach").parent
    for folder in ("reach", "arm"):
        shutil.copytree(home / folder, tmp_path / folder)
    before, header = envs.source_hash(tmp_path / "reach"), tmp_path / "arm" / "params.h"
    header.write_text(header.read_text().replace("20.0f, 5.0f, 50.0f", "20.0f, 5.0f, 60.0f"))
    assert envs.source_hash(tmp_path / "reach") != before
    assert "arm" not in envs.names()


def test_free_motion_is_near_that_of_coupled_joints() -> None:
    """50 random steps against drives on the whole mass matrix, solved exactly: mean error of joints at most 5 mrad. A
    step realises 27 to 40 % of what it asks for."""
    inverse = np.linalg.inv(masses(REST))
    system = np.block([[np.zeros((7, 7)), np.eye(7)], [-1000 * inverse, -100 * inverse]])
    values, vectors = np.linalg.eig(system)
    response = np.real(vectors * np.exp(values * 0.05) @ np.linalg.inv(vectors))
    free = {"start_spread": 0, "near": 0.005, "table": -0.05, "torque": 400}
    vector, b = begun("reach", 30, params=free)
    rng = np.random.default_rng(1)
    q, v = np.tile(REST, (30, 1)), np.zeros((30, 7))
    for step in range(50):
        b.action[:] = rng.uniform(-0.7, 0.7, b.action.shape)
        goal = q + 0.1 * b.action[:, :7]
        moved = np.hstack([q - goal, v]) @ response.T
        q, v = goal + moved[:, :7], moved[:, 7:]
        vector.step(b)
        if step == 0:
            share = (b.obs[:, :7] - REST) / (0.1 * b.action[:, :7])
            assert share.min() > 0.26 and share.max() < 0.41
    assert not b.terminated.any() and np.abs(b.obs[:, :7] - q).mean() < 5e-3


@pytest.mark.parametrize("name", ["reach", "pick_cube"])
def test_the_script_knows_how(name: str) -> None:
    assert sure(evaluation.evaluate(evaluation.ScriptPlayer(), name, 200).success_rate) >= 0.95


@pytest.mark.parametrize("name", ["reach", "pick_cube"])
def test_only_progress_pays(name: str) -> None:
    """Without success no step pays anything; there and back again pays what it costs."""
    vector, b = begun(name, 16, shaping="difference", params={"start_spread": 0, "near": 0.005})
    total = np.zeros(16)
    first = b.potential.copy()
    for step in range(60):
        b.action[:] = 0.8 * np.sign(np.sin(0.4 * step))
        vector.step(b)
        total += b.reward
        if step == 0:
            first = b.potential - b.reward
    assert not b.terminated.any() and np.allclose(total, b.potential - first, atol=1e-5)
    still, b = begun(name, 16, params={"start_spread": 0, "near": 0.005})
    for _ in range(20):
        b.action[:] = 0
        still.step(b)
        assert (b.reward == 0).all()


def test_a_kicked_cube_slides_as_far_as_friction_lets_it() -> None:
    """v^2 / (2 mu g), upright; and one left alone stays where it is."""
    vector, b = begun("pick_cube", 2, params={"cube_friction": 0.3, "table_friction": 0.3})
    b.action[:] = 0
    for _ in range(3):  # it settles
        vector.step(b)
    before = b.obs[:, 29:32].copy()
    kick = next(g for g in vector.spec.gesture if "target" in g.uses)
    vector.event(0, kick.kind, target=2, way=(-0.1, 0.0, 0.0))  # 0.5 m/s
    for _ in range(30):
        vector.step(b)
    way = np.linalg.norm(b.obs[:, 29:32] - before, axis=1)
    assert way[0] == pytest.approx(0.5**2 / (2 * 0.3 * 9.81), rel=0.15) and way[1] < 1e-4
    assert np.abs(b.obs[:, 31] - 0.02).max() < 5e-4


def test_a_cube_that_is_grasped_and_lifted_stays_level() -> None:
    """Fingers do not go into it, nor does it stick to the table: both had tilted 51 of 64 by up to 52 degrees."""
    vector, b = begun("pick_cube", 64)
    lifted, least = np.zeros(64, bool), 1.0
    for _ in range(24):
        b.action[:] = [vector.script(i, 0, 1.0) for i in range(64)]
        vector.step(b)
        lifted |= b.obs[:, 31] > 0.04
        least = min(least, (1 - 2 * (b.obs[:, 33] ** 2 + b.obs[:, 34] ** 2)).min())
    assert lifted.sum() > 40 and least > np.cos(np.radians(5))


def test_a_held_cube_stays_in_the_hand_and_falls_when_let_go() -> None:
    vector, b = begun("pick_cube", 64, params={"near": 0.005})
    for _ in range(30):
        b.action[:] = [vector.script(i, 0, 1.0) for i in range(64)]
        vector.step(b)
    held = (b.obs[:, 18] == 1) & (b.obs[:, 31] > 0.1)  # where the goal is high
    before = b.obs[:, 36:39].copy()
    for _ in range(20):
        b.action[:] = 0
        b.action[:, 7] = -1
        vector.step(b)
        held &= b.terminated == 0  # at the goal, as soon as the arm rests
    assert held.sum() > 5
    assert np.abs((b.obs[:, 36:39] - before)[held]).max() < 2e-3 and (b.obs[held, 18] == 1).all()
    b.action[:, 7] = 1
    for _ in range(20):
        vector.step(b)
    assert (b.obs[held, 18] == 0).all() and (b.obs[held, 31] < 0.06).all()


def test_a_held_cube_that_is_far_from_its_goal_gains_by_coming_nearer() -> None:
    """A potential that is flat there lets a policy drag the cube about, and never learn to bring it."""
    vector, b = begun("pick_cube", 16, params={"limit": 1000})
    drag = next(gesture for gesture in vector.spec.gesture if "target" in gesture.uses)
    for _ in range(20):
        b.action[:] = [vector.script(i, 0, 1.0) for i in range(16)]
        vector.step(b)
    held = b.obs[:, 18] == 1
    assert held.sum() >= 8
    b.action[:, :7] = 0
    found = []
    for _ in range(8):  # the goal goes away, and the cube stays
        for i in range(16):
            vector.event(i, drag.kind, target=1, way=(0.05, 0.0, 0.0))
        vector.step(b)
        found.append((np.linalg.norm(b.obs[held, 39:42], axis=1), b.potential[held].copy()))
    for (near, much), (far, less) in pairwise(found):
        some = (near > 0.15) & (far < 0.45) & (far > near + 0.01)
        assert some.any() and ((much - less)[some] > 0.4 * (far - near)[some]).all()


def acted(seed: int = 4, steps: int = 30, **params: float) -> np.ndarray:
    """Observations of pick_cube under the same random actions, [steps, 16, 42]."""
    vector, b = begun("pick_cube", 16, params=params)
    rng, seen = np.random.default_rng(seed), []
    for _ in range(steps):
        b.action[:] = rng.uniform(-1, 1, b.action.shape)
        b.action[:, 7] = np.where(len(seen) // 8 % 2, 1, -1)
        vector.step(b)
        seen.append(b.obs.copy())
    return np.array(seen, float)


def test_sensors_and_motors_err_as_told() -> None:
    plain = acted()
    off = acted(bias=0.05) - plain  # in an episode a number is off by the same from step to step
    assert np.allclose(off, off[0], atol=1e-5) and 0.04 < off[0].std() < 0.06
    assert abs((acted(dropout=0.2)[plain != 0] == 0).mean() - 0.2) < 0.02
    after = acted(steps=1, action_noise=0.5)[0, :, :7] - acted(steps=1)[0, :, :7]
    assert 0.5 * 0.1 * 0.25 < after.std() < 0.5 * 0.1 * 0.45  # of what is asked for 27 to 40 % comes about
    high = np.array([2.8973, 1.7628, 2.8973, -0.0698, 2.8973, 3.7525, 2.8973])
    vector, b = begun("pick_cube", 16, params={"margin": 0.3, "table": -0.05})
    for _ in range(100):
        b.action[:] = 1
        vector.step(b)
    assert (b.obs[:, :7] <= high - 0.3 + 1e-5).all() and np.allclose(b.obs[:, 6], high[6] - 0.3, atol=1e-3)
    assert 0.3 < np.abs(acted(grip_speed=2)[:, :, 16:18]).max() < 0.51
    assert np.abs(acted(grip_speed=0.1)[:, :, 16]).max() < 0.11


def test_pushes_and_an_uneven_cube() -> None:
    still = acted(steps=40)
    moved = np.abs(acted(steps=40, push_rate=2.0, push=0.5) - still)[-1, :, 29:31].max(axis=1) > 5e-3
    assert moved.mean() > 0.8  # 4 pushes each in these 2 s
    heavy = {"cube_mass": 0.5, "hardness": 3000}
    for side in (-0.5, 0.0, 0.5):  # it leans on soft contacts at its corners, as far as moments say
        vector, b = begun("pick_cube", 16, params=heavy | {"centre_x": side})
        b.action[:] = 0
        for _ in range(10):
            vector.step(b)
        lean = np.array([-rotation(turn)[2, 0] for turn in b.obs[:, 32:36].astype(float)])
        assert np.allclose(lean, 0.5 * 9.81 * side * 0.02 / (4 * 3000 * 0.02**2), atol=5e-4), lean


@pytest.mark.parametrize("name", ["reach", "pick_cube"])
def test_nothing_breaks_at_the_corners(name: str) -> None:
    """Every parameter alone at either end, then all of them: the arm thrown about, downwards too."""
    listed = [param for param in envs.spec(name).param if param.name not in ("limit", "skill")]
    corners = [{param.name: end} for param in listed for end in (param.low, param.high)]
    corners += [{param.name: getattr(param, end) for param in listed} for end in ("low", "high")]
    rng = np.random.default_rng(3)
    for corner in corners:
        vector, b = begun(name, 16, params={"limit": 40} | corner)
        for step in range(60):
            if step % 6 == 0:
                b.action[:] = rng.choice([-1, 0, 1], b.action.shape)
                b.action[::2, 1], b.action[::2, 3] = 1, 1  # into the table
            vector.step(b)
            assert np.isfinite(b.obs).all() and np.abs(b.obs).max() <= 30, corner
            assert np.isfinite(b.reward).all(), corner


def test_a_person_moves_the_hand_in_space() -> None:
    """Right, away and up as the camera looks, and round, with the hand looking down; the gripper stays as it was."""
    game = Game("pick_cube", None, seed=3)
    camera = next(shape for shape in game.draw(0, 1.32) if isinstance(shape, shapes.Camera3))
    away = np.subtract(camera.target, camera.eye) * [1, 1, 0]
    away /= np.linalg.norm(away)
    axes = np.array([[away[1], -away[0], 0], away, [0, 0, 1]])

    def hand() -> tuple[np.ndarray, float, np.ndarray]:
        """The point between the pads, how far these are from each other, and how the hand is turned."""
        boxes = [shape for shape in game.draw(0, 1.32) if isinstance(shape, shapes.Box3)]
        left, right = (box for box in boxes if box.color == 0xF6885FFF)
        middle = (np.array(left.centre) + right.centre) / 2
        return middle, math.dist(left.centre, right.centre), np.array(left.turn)

    game.drive(0, PERSON)
    game.act(0, 0, 0, 0, 0, 0, 0, 0, -1)
    game.tick(6)
    for axis in range(3):
        before, shut, _ = hand()
        game.act(0, *np.eye(8)[axis].tolist())
        game.tick(8)
        after, width, turn = hand()
        moved = axes @ (after - before)
        assert 0.06 < moved[axis] < 0.16 and np.abs(np.delete(moved, axis)).max() < 0.02, (axis, moved)
        assert width == pytest.approx(shut, abs=1e-3) and shut < 0.03
        assert 2 * (turn[0] ** 2 + turn[3] ** 2) - 1 < -0.99  # its z is down
    game.act(0, 0, 0, 0, 1, 0, 0, 0, 1)
    _, _, before = hand()
    game.tick(8)
    _, width, turn = hand()
    assert width > 0.08 and 0.2 < 2 * (np.arctan2(turn[2], turn[1]) - np.arctan2(before[2], before[1])) < 1.2


def test_a_shut_hand_stops_at_a_cube() -> None:
    """Pressed straight down on a cube in the table's middle: it neither sinks in nor slips between the fingers."""
    vector, b = begun("pick_cube", 3, params={"cube_spread": 0.01, "start_spread": 0})
    lowest = np.full(3, 1.0)
    for _ in range(60):
        for i, seen in enumerate(b.obs.astype(float)):
            q, cube = seen[:7], seen[29:32]

            def tip(q: np.ndarray) -> np.ndarray:
                hand = frames(q)[-1]
                return np.append(hand[:3, 3] + 0.1034 * hand[:3, 2], 0.3 * hand[:2, 2])

            jacobian = np.array([(tip(q + 1e-4 * e) - tip(q)) / 1e-4 for e in np.eye(7)]).T
            way = np.array([*(cube[:2] - seen[19:21]), -0.02, *-tip(q)[3:]])
            b.action[i] = [*np.clip(20 * np.linalg.pinv(jacobian, 0.05) @ way, -1, 1), -1]
        vector.step(b)
        lowest = np.minimum(lowest, b.obs[:, 31])
        assert not b.terminated.any()
    assert (lowest > 0.018).all() and (b.obs[:, 21] > 0.04).all() and (b.obs[:, 21] < 0.06).all()
