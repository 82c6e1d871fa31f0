"""The shapes of three dimensions as flat faces, lit; and seen by a camera, as polygons of a flat picture, what is round
by its outline."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from . import outlines
from .shapes import (
    Box3,
    Camera3,
    Capsule3,
    Cylinder3,
    Ground3,
    Light,
    Point,
    Point3,
    Polygon,
    Renderer,
    Shade,
    Shape,
    Solid,
    Sphere3,
    Turn,
    render,
)

# web/player/solids.js draws the same: what changes here changes there.
SEGMENTS = 16  # around a sphere, a cylinder or a capsule
RINGS = 4  # from a sphere's equator to its pole
PIECES = 6  # of a cylinder's or a capsule's length, none longer than its radius unless these are too few
SQUARES = 64  # of a ground, along each side at most: more are drawn larger
AMBIENT = 0.4
SUN = Light(0xFFFFFFFF, 0, (0.48, 0.36, -0.8), 0.6)  # where a list has no light
STEEP = 0.7  # a camera that looks down so steeply drags along the ground, others along an upright plane
NEAR = 0.01  # m: what is nearer to the eye is cut off
GROUND = 1e4  # m: what lies on a ground is nearer than all of it
CLOSE = 1e-6  # m: how much nearer a face is than what it lies on
SEAM = 0.0015  # of the picture's width: the line around each face, so that none shows between two


class Face(NamedTuple):
    corners: np.ndarray  # [4][3], from the eye: to the right, up, forwards; where two are the same, a triangle
    color: int
    id: int
    far: float  # m: its furthest corner; of a ground, GROUND more


class Scene(NamedTuple):
    camera: Camera3
    faces: list[Face]  # those that the eye is in front of, lit; the furthest first


def _rotation(turn: Turn) -> np.ndarray:
    w, x, y, z = turn
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def _towards(axis: np.ndarray) -> np.ndarray:
    """A rotation that takes z to this direction."""
    z = axis / np.linalg.norm(axis)
    x = np.cross([0.0, 1.0, 0.0] if abs(z[1]) < 0.9 else [1.0, 0.0, 0.0], z)
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(z, x), z], axis=1)


@functools.cache
def _cap() -> tuple[tuple[float, float], ...]:
    """From a pole to the equator of a unit sphere: height above the equator, radius."""
    return tuple((math.cos(a), math.sin(a)) for a in (math.pi / 2 * k / RINGS for k in range(RINGS + 1)))


def _revolved(profile: list[tuple[float, float]]) -> np.ndarray:
    """[faces][4][3]: a line of (height, radius), from below, turned around z; what is long in pieces, since faces lie
    over each other as wholes."""
    whole, profile = profile, profile[:1]
    for (low, inner), (high, outer) in pairwise(whole):
        pieces = max(1, min(math.ceil((high - low) / max(inner, outer, 1e-9)), PIECES))
        for k in range(1, pieces + 1):
            profile.append((low + (high - low) * k / pieces, inner + (outer - inner) * k / pieces))
    turn = 2 * math.pi * np.arange(SEGMENTS + 1) / SEGMENTS
    ring = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    points = np.array([[(*(r * xy), h) for xy in ring] for h, r in profile])  # [heights][segments + 1][3]
    quads = np.stack([points[:-1, :-1], points[:-1, 1:], points[1:, 1:], points[1:, :-1]], axis=2)
    return quads.reshape(-1, 4, 3)


_SIDES = [[0, 2, 3, 1], [4, 5, 7, 6], [0, 1, 5, 4], [2, 6, 7, 3], [0, 4, 6, 2], [1, 3, 7, 5]]
_CUBE = np.array([[x, y, z] for z in (-1, 1) for y in (-1, 1) for x in (-1, 1)], float)[_SIDES]


class _Faces(Renderer):
    """Gathers what is needed for a scene."""

    def __init__(self) -> None:
        self.seen_by: Camera3 | None = None
        self.lights: list[Light] = []
        # faces [n][4][3], whose corners run anticlockwise as one sees them; their colours; what they are of
        self.solids: list[tuple[np.ndarray, list[int], Solid]] = []

    def camera3(self, shape: Camera3) -> None:
        self.seen_by = self.seen_by or shape

    def light(self, shape: Light) -> None:
        self.lights.append(shape)

    def _add(self, faces: np.ndarray, rotation: np.ndarray, centre: Point3 | np.ndarray, of: Solid) -> None:
        self.solids.append((faces @ rotation.T + np.asarray(centre), [of.color] * len(faces), of))

    def box3(self, shape: Box3) -> None:
        self._add(_CUBE * shape.half, _rotation(shape.turn), shape.centre, shape)

    def sphere3(self, shape: Sphere3) -> None:
        self._round(shape.radius, 0.0, np.eye(3), shape.centre, shape)

    def capsule3(self, shape: Capsule3) -> None:
        start, end = np.array(shape.start), np.array(shape.end)
        length = float(np.linalg.norm(end - start))
        rotation = _towards(end - start) if length > 0 else np.eye(3)
        self._round(shape.radius, length / 2, rotation, (start + end) / 2, shape)

    def _round(self, radius: float, half: float, rotation: np.ndarray, centre: Point3 | np.ndarray, of: Solid) -> None:
        above = [(half + radius * h, radius * r) for h, r in _cap()]
        self._add(_revolved([(-h, r) for h, r in above] + above[::-1]), rotation, centre, of)

    def cylinder3(self, shape: Cylinder3) -> None:
        half, radius = shape.half, shape.radius
        profile = [(-half, 0.0), (-half, radius), (half, radius), (half, 0.0)]
        self._add(_revolved(profile), _rotation(shape.turn), shape.centre, shape)

    def ground3(self, shape: Ground3) -> None:
        (x, y, z), (wide, deep) = shape.centre, shape.half
        side = shape.side if shape.side > 0 else 2 * max(wide, deep)
        side *= max(1, math.ceil(2 * max(wide, deep) / (side * SQUARES)))
        faces, colors = [], []
        for j in range(math.ceil(2 * deep / side)):
            for i in range(math.ceil(2 * wide / side)):
                x0, y0 = x - wide + i * side, y - deep + j * side
                x1, y1 = min(x0 + side, x + wide), min(y0 + side, y + deep)
                faces.append([[x0, y0, z], [x1, y0, z], [x1, y1, z], [x0, y1, z]])
                colors.append(shape.other if (i + j) % 2 else shape.color)
        self.solids.append((np.array(faces, float).reshape(-1, 4, 3), colors, shape))


def scene(shapes: Iterable[Shape]) -> Scene | None:
    """What lies in space, or None where nothing does: where the list has no camera there."""
    found = _Faces()
    render(shapes, found)
    camera = found.seen_by
    if not camera:
        return None
    eye, axes = np.array(camera.eye), _axes(camera)
    faces: list[Face] = []
    for corners, colors, solid in found.solids:
        normal = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
        seen = np.einsum("fi,fi->f", normal, eye - corners.mean(axis=1)) > 0
        lit = _lit(normal, np.array(colors, ">u4"), found.lights or [SUN])
        far = np.linalg.norm(corners - eye, axis=2).max(axis=1) + (GROUND if isinstance(solid, Ground3) else 0.0)
        placed = (corners - eye) @ axes.T
        faces += [Face(placed[k], int(lit[k]), solid.id, float(far[k])) for k in np.flatnonzero(seen)]
    return Scene(camera, sorted(faces, key=lambda face: -face.far))


def _lit(normal: np.ndarray, colors: np.ndarray, lights: list[Light]) -> np.ndarray:
    """The colours [faces] of faces with these normals, under these lights."""
    share = np.full((len(normal), 3), AMBIENT)
    for light in lights:
        shade = np.array(list(light.color.to_bytes(4, "big")[:3])) / 255
        share += light.strength * np.maximum(normal @ -outlines.unit(light.direction), 0)[:, None] * shade
    parts = colors.view(np.uint8).reshape(-1, 4).copy()
    parts[:, :3] = np.minimum(parts[:, :3] * share + 0.5, 255)
    return parts.reshape(-1).view(">u4")


def _axes(camera: Camera3) -> np.ndarray:
    """[3][3]: to the right, up and forwards, as rows."""
    forwards = _towards(np.array(camera.target) - camera.eye)[:, 2]
    right = np.cross(forwards, [0.0, 0.0, 1.0])
    size = np.linalg.norm(right)
    right = right / size if size > 1e-6 else np.array([1.0, 0.0, 0.0])  # straight up or down
    return np.stack([right, np.cross(right, forwards), forwards])


def _cut(points: np.ndarray) -> np.ndarray:
    """The part of a polygon [n][3] that lies before the eye."""
    kept = []
    for a, b in zip(np.roll(points, 1, axis=0), points, strict=True):
        if (a[2] < NEAR) != (b[2] < NEAR):
            kept.append(a + (b - a) * ((NEAR - a[2]) / (b[2] - a[2])))
        if b[2] >= NEAR:
            kept.append(b)
    return np.array(kept).reshape(-1, 3)


class _Rounds(Renderer):
    """What is round, as polygons: how far each is, m."""

    def __init__(self, camera: Camera3, lights: list[Light], width: float, height: float) -> None:
        self.eye, self.axes, self.edge = np.array(camera.eye), _axes(camera), SEAM * width
        self.middle, self.scale = np.array([width / 2, height / 2]), height / 2 / math.tan(camera.field / 2)
        # ways of light as the eye has them
        self.lights = [light._replace(direction=tuple(self.axes @ light.direction)) for light in lights]
        self.polygons: list[list[Any]] = []  # how far, polygon
        self.capsules: list[tuple[float, outlines.Capsule]] = []
        self.ends: list[
            tuple[list[Any], np.ndarray, np.ndarray]
        ] = []  # of cylinders: the polygon, its middle, its normal

    def places(self, points: np.ndarray) -> tuple[Point, ...]:
        """Of points before the eye, in the picture."""
        places = self.middle + points[:, :2] / points[:, 2:] * [self.scale, -self.scale]
        return tuple((x, y) for x, y in places.tolist())

    def _placed(self, place: Point3) -> np.ndarray:
        return self.axes @ (np.array(place) - self.eye)

    def _add(self, of: Solid, outline: outlines.Outline, far: float | None = None) -> list[Any]:
        colors = _lit(outline.normals, np.full(len(outline.normals), of.color, ">u4"), self.lights)
        if far is None:
            far = float(np.linalg.norm(outline.points, axis=1).max())
        shade = None
        if outline.across is not None:
            cover = np.rint((colors & 0xFF) * outline.cover).astype(int)
            start, end = self.places(np.maximum(outline.across, [-np.inf, -np.inf, NEAR]))
            mixed = tuple(int(color) & ~0xFF | int(alpha) for color, alpha in zip(colors, cover, strict=True))
            shade = Shade(start, end, tuple(outline.stops.tolist()), mixed)
        points = _cut(outline.points)
        found = [far, Polygon(int(colors[0]), of.id, self.places(points), self.edge, shade)]
        if len(points) >= 3:
            self.polygons.append(found)
        return found

    def _capsule(self, of: Solid, start: Point3, end: Point3, radius: float) -> None:
        body = outlines.Capsule((self._placed(start), self._placed(end)), radius)
        far = None
        for outline in outlines.capsule(body, -outlines.unit(self.lights[0].direction)):
            far = self._add(of, outline, far)[0]
        if far is not None:
            self.capsules.append((far, body))

    def sphere3(self, shape: Sphere3) -> None:
        self._capsule(shape, shape.centre, shape.centre, shape.radius)

    def capsule3(self, shape: Capsule3) -> None:
        self._capsule(shape, shape.start, shape.end, shape.radius)

    def cylinder3(self, shape: Cylinder3) -> None:
        centre, turn = self._placed(shape.centre), _rotation(shape.turn).T @ self.axes.T
        for outline in outlines.cylinder(centre, turn, shape.radius, shape.half):
            found = self._add(shape, outline)
            if outline.across is None:
                normal = outline.normals[0]
                self.ends.append((found, centre + shape.half * normal, normal))

    def settled(self) -> list[list[Any]]:
        """With the ends of cylinders behind links around them, and before those behind their plane."""
        for found, centre, normal in self.ends:
            ways = [(far, outlines.before(centre, normal, body)) for far, body in self.capsules]
            if around := [far for far, way in ways if way < 0]:
                found[0] = max(found[0], max(around) + CLOSE)
            else:
                found[0] = min(found[0], *(far - CLOSE for far, way in ways if way > 0), math.inf)
        return self.polygons


def flatten(shapes: list[Shape], width: float, height: float) -> list[Shape]:
    """A list with what lies in space seen in perspective, as polygons of the whole picture, width x height, below the
    flat shapes."""
    found = scene(shape for shape in shapes if not isinstance(shape, Sphere3 | Capsule3 | Cylinder3))
    if not found:
        return shapes
    rounds = _Rounds(found.camera, [shape for shape in shapes if isinstance(shape, Light)] or [SUN], width, height)
    render(shapes, rounds)
    flat = rounds.settled()
    for face in found.faces:
        if len(points := _cut(face.corners)) >= 3:
            flat.append([face.far, Polygon(face.color, face.id, rounds.places(points), rounds.edge)])
    return [shape for _, shape in sorted(flat, key=lambda found: -found[0])] + list(shapes)


def plane(shapes: list[Shape], id: int, width: float, height: float) -> Callable[[Point], Point3] | None:
    """Where in space places of the picture, width x height, are: in a plane through the middle of the body with this id
    (0: where the camera looks), upright and across the eye's way, or level where the camera looks down steeply. None
    where nothing lies in space. web/player/space.js does the same."""
    camera = next((shape for shape in shapes if isinstance(shape, Camera3)), None)
    if not camera:
        return None
    body = next((shape for shape in reversed(shapes) if id and shape.id == id), camera)
    if isinstance(body, Capsule3):
        middle = (np.array(body.start) + body.end) / 2
    else:
        middle = np.array(body.centre if isinstance(body, Solid) else camera.target)
    eye, axes = np.array(camera.eye), _axes(camera)
    normal = np.array([0.0, 0.0, 1.0]) if axes[2, 2] < -STEEP else axes[2] * [1.0, 1.0, 0.0]
    scale, last = height / 2 / math.tan(camera.field / 2), middle

    def place(at: Point) -> Point3:
        nonlocal last
        way = np.array([(at[0] - width / 2) / scale, (height / 2 - at[1]) / scale, 1.0]) @ axes
        ahead = float(way @ normal)
        far = float((middle - eye) @ normal) / ahead if ahead else 0.0
        last = eye + far * way if far > 0 else last
        return (float(last[0]), float(last[1]), float(last[2]))

    return place
