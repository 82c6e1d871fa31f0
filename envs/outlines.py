"""The outlines of round bodies as an eye sees them, and how light goes over them: a path or three in place of many
faces. All places and ways are the eye's own: to the right, up, forwards. web/player/outlines.js does the same."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

HALF = 12  # steps along half a circle
SIDE = np.array([0, 0.05, 0.15, 0.5, 0.85, 0.95, 1])  # stops across a side
END = np.array([0, 0.4, 0.7, 0.9, 1])  # and from where a round end begins to its tip
COVER = np.array([0, 0.6, 0.85, 0.95, 1])
THIN = 0.004  # rad: what is no wider to each side has one colour


class Outline(NamedTuple):
    """A convex face. points [n][3]; normals: its only one, or one for each stop.

    across: two places between which the normal changes; stops: shares of the way between these; cover: how much is
    covered there of the outline before."""

    points: np.ndarray
    normals: np.ndarray
    across: np.ndarray | None = None
    stops: np.ndarray = SIDE
    cover: np.ndarray | float = 1.0


class Capsule(NamedTuple):
    ends: tuple[np.ndarray, np.ndarray]
    radius: float


def unit(vector: ArrayLike) -> np.ndarray:
    """A way of length 1; of none, none."""
    return np.asarray(vector) / max(float(np.linalg.norm(vector)), 1e-12)


def _across(vector: np.ndarray, way: np.ndarray) -> np.ndarray:
    """What of a vector is across a way of unit length."""
    return vector - way * (vector @ way)


def _bent(way: np.ndarray, facing: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Normals [n][3] of a round body, which bends from facing the eye to a way across that."""
    return shares[:, None] * way + np.sqrt(1 - shares * shares)[:, None] * facing


def _arc(middle: np.ndarray, side: np.ndarray, tip: np.ndarray, ends: tuple[float, float], steps: int) -> np.ndarray:
    """Places on a circle from one angle to another; side, tip: from its middle to angle 0 and to a right angle."""
    angle = np.linspace(*ends, steps + 1)[:, None]
    return middle + np.cos(angle) * side + np.sin(angle) * tip


def capsule(of: Capsule, light: np.ndarray) -> list[Outline]:
    """Its side, and its ends over that. A sphere is one without a length, shaded along the way that light comes.
    Nothing where the eye is inside."""
    radius, distances = of.radius, [float(np.linalg.norm(end)) for end in of.ends]
    if not min(distances) > radius:
        return []
    ways = [-unit(end) for end in of.ends]
    apart = float(np.linalg.norm(ways[0] - ways[1]))
    lean = (radius / distances[0] - radius / distances[1]) / apart if apart else math.inf
    ends, along = list(zip(of.ends, ways, distances, strict=True)), of.ends[1] - of.ends[0]
    if abs(lean) >= 1:  # one end hides the other
        near = min(ends, key=lambda end: end[2])
        ends, lean = [near, near], 0.0
        along = _across(light + np.array([1e-6, 2e-6, 3e-6]), near[1])  # it may come from where the eye is
    thin, tilt = all(radius < THIN * far for far in distances), math.asin(lean)
    sides, middles, arcs, caps = [], [], [], []
    for begin, sign, (place, way, far) in zip((-tilt, tilt), (-1, 1), ends, strict=True):
        middle, wide = place + way * (radius * radius / far), radius * math.sqrt(1 - (radius / far) ** 2)
        tip = sign * unit(_across(along, way))
        side = np.cross(way, tip)
        points = _arc(middle, wide * side, wide * tip, (begin, math.pi - begin), 2 if thin else HALF)
        caps.append(Outline(points, _bent(tip, way, END), np.stack([middle, middle + wide * tip]), END, COVER))
        sides.append(side)
        middles.append(middle)
        arcs.append(points)
    facing, middle = np.cross(sides[0], unit(along)), (middles[0] + middles[1]) / 2
    points = np.concatenate(arcs)
    if thin:
        return [Outline(points, facing[None])]
    across = np.stack([middle - radius * sides[0], middle + radius * sides[0]])
    return [Outline(points, _bent(sides[0], facing, 2 * SIDE - 1), across), *caps]


def cylinder(centre: np.ndarray, turn: np.ndarray, radius: float, half: float) -> list[Outline]:
    """Its side and its end, what of them the eye sees. turn: its axes, as rows."""
    x, y, z = -turn @ centre  # the eye, as the cylinder has it
    towards, far = math.atan2(y, x), math.hypot(x, y)

    def ring(begin: float, end: float, high: float) -> np.ndarray:
        return _arc(centre + high * turn[2], radius * turn[0], radius * turn[1], (begin, end), 2 * HALF)

    seen = []
    if far > radius:
        most = math.acos(radius / far)
        facing, side = (math.cos(a) * turn[0] + math.sin(a) * turn[1] for a in (towards, towards + math.pi / 2))
        rim = [ring(towards - most, towards + most, half), ring(towards + most, towards - most, -half)]
        across = np.stack([centre - radius * side, centre + radius * side])
        seen.append(Outline(np.concatenate(rim), _bent(side, facing, 2 * SIDE - 1), across))
    if abs(z) > half:
        up = math.copysign(1.0, z)
        seen.append(Outline(ring(0.0, 2 * math.pi, up * half), up * turn[2][None]))
    return seen


def before(centre: np.ndarray, normal: np.ndarray, of: Capsule) -> int:
    """Whether a flat face lies inside a capsule, -1, or a capsule wholly behind the plane of the face, 1; else 0."""
    (start, end), radius = of
    way, there = end - start, centre - start
    share = min(max(float(there @ way) / (float(way @ way) or 1.0), 0.0), 1.0)
    if np.linalg.norm(there - share * way) < radius:
        return -1
    return int(max(float(normal @ (place - centre)) for place in (start, end)) + radius <= 0)
