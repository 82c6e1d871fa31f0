"""A robot for the arm's tasks, from a URDF: the chain of joints up to a link, what each of them moves, and the C header
that envs/arm takes in place of its Panda's (envs/arm/panda.h says what the columns mean).

A joint's frame here has its origin where the URDF's has, and its z along the axis. What hangs from a link by other
joints counts as part of it, where it is when those are at 0."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from minnow.cinfer.errors import MinnowError

from .urdf import Inertia, Joint, Robot

LEAST, MOST = 4, 7  # joints: an action has 8 numbers, of which one is the gripper's
TURNS = 2 * np.pi  # the limits of a continuous joint
TCP = 0.1034  # m, of our gripper: from the hand's frame along its z to between the fingertips (envs/arm/chain.h)
START = np.array([0.0, 0.0, 0.17])  # where that is when an episode begins, the hand looking down, as the Panda's
STARTS, STEPS, ENOUGH = 200, 40, 12  # of the search for where episodes begin: tries, steps of each, finds
TORQUE = 100.0  # N m, where no joint gives its effort: the Panda's
# The Panda's hand and fingers, as its maker gives them, in the hand's frame.
HAND = (
    Inertia(0.73, np.array([-0.01, 0.0, 0.03]), np.diag([1e-3, 2.5e-3, 1.7e-3])),
    Inertia(0.03, np.array([0.0, 0.0, 0.08]), np.diag([1e-5, 1e-5, 1e-5])),
)


@dataclass(frozen=True)
class Arm:
    """frames: of each joint in the one before, at 0, then the hand's in the last, [joints + 1, 4, 4]; bodies: in those
    frames; rest: rad, [joints]."""

    name: str
    joints: list[Joint]
    low: np.ndarray
    high: np.ndarray
    frames: np.ndarray
    bodies: list[Inertia]
    base_x: float
    rest: np.ndarray
    notes: list[str]

    def places(self, q: np.ndarray) -> np.ndarray:
        """The joints' frames and the hand's in the world, [joints + 1, 4, 4]."""
        at = np.eye(4)
        at[0, 3] = self.base_x
        found = []
        for frame, angle in zip(self.frames, [*q, 0.0], strict=True):
            c, s = np.cos(angle), np.sin(angle)
            at = at @ frame @ np.array([[c, -s, 0, 0], [s, c, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
            found.append(at)
        return np.array(found)

    def mass_matrix(self, q: np.ndarray) -> np.ndarray:
        """kg m^2, [joints, joints], from each body's Jacobian."""
        found, count = self.places(q), len(self.joints)
        total = np.zeros((count, count))
        for i, body in enumerate(self.bodies):
            turn = found[i, :3, :3]
            centre = turn @ body.centre + found[i, :3, 3]
            linear, angular = np.zeros((3, count)), np.zeros((3, count))
            angular[:, : i + 1] = found[: i + 1, :3, 2].T
            linear[:, : i + 1] = np.cross(found[: i + 1, :3, 2], centre - found[: i + 1, :3, 3]).T
            total += body.mass * linear.T @ linear + angular.T @ turn @ body.about @ turn.T @ angular
        return total


def arm(robot: Robot, tip: str = "", rest: Sequence[float] = (), base_x: float = -0.615, hand: bool = False) -> Arm:
    """The arm up to the link `tip`, which is where our hand is fastened: it looks along the link's z, its fingers move
    along the y. rest: where the joints begin; none: found. hand: whether ours weighs something. Raises MinnowError
    where the robot is no such arm."""
    tip = tip or _tip(robot)
    chain = robot.way(tip)
    for joint in chain:
        if joint.kind in ("prismatic", "floating", "planar"):
            raise MinnowError(
                f"joint {joint.name!r} on the way to the tip is {joint.kind}: an arm stands still on its base and has "
                "joints that turn, revolute or continuous. Choose another --tip, or make the joint fixed."
            )
        if joint.mimics:
            raise MinnowError(
                f"joint {joint.name!r} on the way to the tip mimics {joint.mimics!r}: each joint of an arm has a drive "
                "of its own. Choose another --tip, or make the joint fixed."
            )
    joints = [joint for joint in chain if joint.kind != "fixed"]
    if not LEAST <= len(joints) <= MOST:
        raise MinnowError(
            f"{len(joints)} joints turn between {robot.root!r} and {tip!r}: an arm has {LEAST} to {MOST}, "
            "since an action is 8 numbers at most, one of them the gripper's. Choose another --tip, or fix a joint."
        )
    notes: list[str] = []
    turns = [(j.low, j.high) if j.kind == "revolute" else (-TURNS, TURNS) for j in joints]
    low, high = np.array(turns, float).T
    frames, bodies = _frames(robot, chain, notes)
    if hand:
        bodies[-1] = _together([bodies[-1], *(_moved(part, frames[-1]) for part in HAND)])
    for joint, body in zip(joints, bodies, strict=True):
        if not body.mass > 0 or not np.linalg.eigvalsh(body.about).min() > 0:
            raise MinnowError(
                f"the link {joint.child!r}, which joint {joint.name!r} turns, has no mass or no inertia of a solid "
                f"({body.mass:g} kg, moments {', '.join(f'{x:.3g}' for x in np.linalg.eigvalsh(body.about))} kg m^2): "
                "give it an <inertial>."
            )
    notes += [
        f"{j.name} is continuous: here it turns by at most a whole turn to either side."
        for j in joints
        if j.kind == "continuous"
    ]
    notes += [
        f"{j.name} gives no effort: it is taken to be as strong as the strongest." for j in joints if not j.effort
    ]
    notes += [f"{j.name} gives no velocity: nothing limits its speed." for j in joints if not j.velocity]
    found = Arm(robot.name, joints, low, high, frames, bodies, base_x, np.zeros(len(joints)), notes)
    start = np.array(rest, float) if len(rest) else _rest(found)
    if len(start) != len(joints) or not ((low <= start) & (start <= high)).all():
        told = ", ".join(f"{a:g} to {b:g}" for a, b in zip(low, high, strict=True))
        raise MinnowError(f"--rest takes {len(joints)} angles within the joints' limits, {told} rad; got {list(rest)}.")
    return Arm(robot.name, joints, low, high, frames, bodies, base_x, start, notes)


def _tip(robot: Robot) -> str:
    ends = robot.ends()
    if len(ends) != 1:
        raise MinnowError(
            f"the robot has {len(ends)} ends: say which link carries the hand, --tip {' or '.join(ends)}."
        )
    return ends[0]


def _frames(robot: Robot, chain: list[Joint], notes: list[str]) -> tuple[np.ndarray, list[Inertia]]:
    """The frames of Arm, and the bodies in them."""
    place = {robot.root: np.eye(4)}  # of every link in the root's frame, joints at 0
    owner: dict[str, int] = {robot.root: -1}  # the joint of the chain that moves it
    turning = [joint for joint in chain if joint.kind != "fixed"]
    waiting = list(robot.joints.values())
    while waiting:
        joint = next(each for each in waiting if each.parent in place)
        waiting.remove(joint)
        place[joint.child] = place[joint.parent] @ joint.origin
        owner[joint.child] = turning.index(joint) if joint in turning else owner[joint.parent]
        if joint.kind != "fixed" and joint not in turning:
            held = turning[owner[joint.parent]].child if owner[joint.parent] >= 0 else robot.root
            notes.append(
                f"{joint.name} is not on the way to the tip: what it moves counts as part of {held}, joint at 0."
            )
    worlds = [place[joint.child] @ _upright(joint.axis) for joint in turning]
    parts: list[list[Inertia]] = [[] for _ in turning]
    for name, body in robot.links.items():
        if body is not None and owner[name] >= 0:
            parts[owner[name]].append(_moved(body, np.linalg.inv(worlds[owner[name]]) @ place[name]))
    before = [np.eye(4), *worlds]
    nexts = [*worlds, place[chain[-1].child]]
    frames = np.array([np.linalg.inv(a) @ b for a, b in zip(before, nexts, strict=True)])
    frames[np.abs(frames) < 1e-9] = 0.0
    return frames, [_together(each) for each in parts]


def _upright(axis: np.ndarray) -> np.ndarray:
    """The least turn, [4, 4], that takes z to an axis."""
    found, (x, y, z) = np.eye(4), axis
    if z < -1 + 1e-12:
        found[:3, :3] = np.diag([1.0, -1.0, -1.0])
    elif z < 1 - 1e-12:
        k = 1 / (1 + z)
        found[:3, :3] = [[1 - k * x * x, -k * x * y, x], [-k * x * y, 1 - k * y * y, y], [-x, -y, z]]
    return found


def _moved(body: Inertia, frame: np.ndarray) -> Inertia:
    """A body in the frame in which its own is `frame`."""
    turn = frame[:3, :3]
    return Inertia(body.mass, turn @ body.centre + frame[:3, 3], turn @ body.about @ turn.T)


def _together(bodies: list[Inertia]) -> Inertia:
    """Several bodies of one frame as one."""
    mass = sum(body.mass for body in bodies)
    if not mass > 0:
        return Inertia(0.0, np.zeros(3), sum((body.about for body in bodies), np.zeros((3, 3))))
    centre = sum((body.mass * body.centre for body in bodies), np.zeros(3)) / mass
    about = np.zeros((3, 3))
    for body in bodies:
        off = body.centre - centre
        about += body.about + body.mass * (off @ off * np.eye(3) - np.outer(off, off))
    return Inertia(mass, centre, about)


def _rest(arm: Arm) -> np.ndarray:
    """Joints that bring the point between the fingertips to START, the hand looking down: by damped least squares from
    many places, of what is found with every joint above the table the nearest to the middle of the limits."""
    rng = np.random.default_rng(0)
    middle, half = (arm.low + arm.high) / 2, (arm.high - arm.low) / 2
    good: list[np.ndarray] = []
    for _ in range(STARTS):
        q = middle + half * rng.uniform(-0.5, 0.5, len(middle))
        for _ in range(STEPS):
            found = arm.places(q)
            down = found[-1, :3, 2]
            arms = found[-1, :3, 3] + TCP * down - found[:-1, :3, 3]
            off = np.array([*(START - found[-1, :3, 3] - TCP * down), *np.cross(down, [0, 0, -1])])
            if down[2] > 0.99:  # it looks straight up: any way round
                off[3:] += 0.5
            if np.abs(off).max() < 1e-4:
                good += [q] if found[1:, 2, 3].min() > 0.05 else []
                break
            axes = found[:-1, :3, 2]
            slope = np.vstack([np.cross(axes, arms).T, axes.T])
            q = q + slope.T @ np.linalg.solve(slope @ slope.T + 1e-3 * np.eye(6), off)
            q = np.clip(q, arm.low + 0.05 * half, arm.high - 0.05 * half)
        if len(good) == ENOUGH:
            break
    best = min(good, key=lambda q: float(((q - middle) ** 2).sum()), default=None)
    if best is None:
        raise MinnowError(
            f"no angles were found that bring the fingertips to {START[0]:g}, {START[1]:g}, {START[2]:g} m, the hand "
            f"looking down, with the base at x = {arm.base_x:g}: move it by --base-x, or give the angles by --rest."
        )
    return np.round(best, 4)


def header(arm: Arm) -> str:
    """The C header."""
    efforts = [joint.effort for joint in arm.joints if joint.effort]
    torque = max(efforts, default=TORQUE)
    inertias = np.diag(arm.mass_matrix(arm.rest))
    rows, thick = [], np.linspace(0.06, 0.04, len(arm.joints))
    for i, joint in enumerate(arm.joints):
        numbers = [
            0.0,
            arm.low[i],
            arm.high[i],
            arm.rest[i],
            inertias[i],
            joint.effort / torque if joint.effort else 1.0,
        ]
        speed = _c(joint.velocity) if joint.velocity else "ARM_ANY"
        rows.append(
            f"J({i + 1}, ({_list(arm.frames[i, :3, 3])}), ({_list(_quaternion(arm.frames[i]))}), {_list(numbers)}, "
            f"{speed}, {_c(thick[i])}, {_drum(arm, i)})"
        )
    links = [f"{{{_c(b.mass)}, {{{_list(b.centre)}}}, {{{_list(b.about[np.triu_indices(3)])}}}}}," for b in arm.bodies]
    names = "".join(f" *   {i + 1}: {_plain(joint.name)}\n" for i, joint in enumerate(arm.joints))
    end = " \\\n    "
    return f"""/* {_plain(arm.name)}, of a URDF by `minnow arm import`. A task's C file includes it before
 * anything else of the arm; arm/panda.h says what the columns mean. A URDF has no gains: they are to the torque as the
 * Panda's are. Joints:
{names} */
#ifndef ARM_JOINTS
#define ARM_JOINTS {len(arm.joints)}
#define ARM_BASE_X ({_c(arm.base_x)})
#define ARM_STIFFNESS {_c(10 * torque)}
#define ARM_DAMPING {_c(torque)}
#define ARM_TORQUE {_c(torque)}
#define ARM_ROBOT(J){end}{end.join(rows)}
#define ARM_HAND_PLACE {{{_list(arm.frames[-1, :3, 3])}}}
#define ARM_HAND_TURN {{{_list(_quaternion(arm.frames[-1]))}}}
#define ARM_LINKS{end}{end.join(links)}
#endif
"""


def _drum(arm: Arm, i: int) -> str:
    """How the joint at the end of a link is drawn: across it, or along it."""
    last = i + 1 == len(arm.joints)
    way = arm.frames[i + 1, :3, 3]
    size = float(np.linalg.norm(way))
    along = abs(float((np.array([0, 0, 1.0]) if last else arm.frames[i + 1, :3, 2]) @ way)) / size if size else 0.0
    if along < 0.5:
        return "ARM_PLAIN" if last else "ARM_ACROSS"
    return "ARM_SEAM" if size > 0.08 else "ARM_PLAIN"


def _quaternion(frame: np.ndarray) -> np.ndarray:
    """w, x, y, z of a turn, w at least 0: the eigenvector of the greatest eigenvalue (Bar-Itzhack, 2000)."""
    m = frame[:3, :3]
    sides = np.array([m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]])
    k = np.zeros((4, 4))
    k[0, 0], k[0, 1:], k[1:, 0] = np.trace(m), sides, sides
    k[1:, 1:] = m + m.T - np.trace(m) * np.eye(3)
    found = np.linalg.eigh(k)[1][:, -1]
    found[np.abs(found) < 1e-9] = 0.0
    return found * (-1 if found[0] < 0 or (found[0] == 0 and found.sum() < 0) else 1) + 0.0  # no -0


def _c(value: float) -> str:
    """A float literal."""
    text = f"{value:.9g}"
    return f"{text}f" if re.search(r"[.e]", text) else f"{text}.0f"


def _list(values: Sequence[float] | np.ndarray) -> str:
    return ", ".join(map(_c, values))


def _plain(name: str) -> str:
    """A name as a comment in C may hold it."""
    return re.sub(r"[^\w .+-]", "_", name, flags=re.ASCII)[:80]
