"""Draw lists read: what an environment's draw() wrote, as typed shapes, and the one interface that renderers have.

Kinds and layout are those of EnvShape in abi.h, read from it."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from minnow.cinfer.errors import MinnowError

from .spec import Spec, ffi

Point: TypeAlias = tuple[float, float]
Point3: TypeAlias = tuple[float, float, float]
Turn: TypeAlias = tuple[float, float, float, float]  # a unit quaternion, the real part first


# Every shape begins with its colour, 0xRRGGBBAA, and its id, 0 for none.


class Rect(NamedTuple):
    color: int
    id: int
    x: float  # the centre
    y: float
    width: float
    height: float
    angle: float  # rad
    corner: float  # radius


class Circle(NamedTuple):
    color: int
    id: int
    x: float
    y: float
    radius: float


class Line(NamedTuple):
    color: int
    id: int
    x0: float
    y0: float
    x1: float
    y1: float
    width: float


class Shade(NamedTuple):
    """Colours, 0xRRGGBBAA, at shares of the way from one place to another."""

    start: Point
    end: Point
    stops: tuple[float, ...]
    colors: tuple[int, ...]


class Polygon(NamedTuple):
    color: int
    id: int
    corners: tuple[Point, ...]
    edge: float = 0.0  # width of a line of the same colour around it, where a renderer smooths borders
    shade: Shade | None = None  # in place of its colour


class Text(NamedTuple):
    color: int
    id: int
    x: float
    y: float
    height: float
    align: int  # 0: x is the centre, -1: the left end, 1: the right end
    text: str


class Tiles(NamedTuple):
    color: int
    id: int
    x: float  # the centre
    y: float
    width: float
    height: float
    columns: int
    rows: int
    cells: bytes  # [rows][columns], each an index into the palette
    palette: tuple[int, ...]  # [256], colours; alpha 0: nothing is drawn there

    def rgba(self) -> np.ndarray:
        """u8 [rows][columns][4]."""
        colors = np.array(self.palette, ">u4").view(np.uint8).reshape(256, 4)
        return colors[np.frombuffer(self.cells, np.uint8).reshape(self.rows, self.columns)]


class Box3(NamedTuple):
    color: int
    id: int
    centre: Point3
    half: Point3
    turn: Turn


class Sphere3(NamedTuple):
    color: int
    id: int
    centre: Point3
    radius: float


class Capsule3(NamedTuple):
    color: int
    id: int
    start: Point3
    end: Point3
    radius: float


class Cylinder3(NamedTuple):
    color: int
    id: int
    centre: Point3
    radius: float
    half: float  # of its length, along its own z
    turn: Turn


class Ground3(NamedTuple):
    color: int
    id: int
    centre: Point3
    half: Point
    side: float  # of the squares; 0: one colour
    other: int  # the other colour


class Camera(NamedTuple):
    """What a flat picture shows."""

    color: int
    id: int
    x: float  # the centre
    y: float
    width: float
    height: float


class Camera3(NamedTuple):
    color: int
    id: int
    eye: Point3
    target: Point3
    field: float  # of view, from the lower edge of the picture to the upper one, rad


class Light(NamedTuple):
    color: int
    id: int
    direction: Point3  # in which it shines
    strength: float


Solid: TypeAlias = Box3 | Sphere3 | Capsule3 | Cylinder3 | Ground3
Shape: TypeAlias = Rect | Circle | Line | Polygon | Text | Tiles | Solid | Camera | Camera3 | Light
CLASSES: tuple[type[Shape], ...] = (
    *(Rect, Circle, Line, Polygon, Text, Tiles, Box3, Sphere3, Capsule3, Cylinder3, Ground3, Camera, Light),
)


class Renderer:
    """What a list is drawn by: a method for each kind. What it leaves as it is, it does not draw."""

    def rect(self, shape: Rect) -> None: ...
    def circle(self, shape: Circle) -> None: ...
    def line(self, shape: Line) -> None: ...
    def polygon(self, shape: Polygon) -> None: ...
    def text(self, shape: Text) -> None: ...
    def tiles(self, shape: Tiles) -> None: ...
    def box3(self, shape: Box3) -> None: ...
    def sphere3(self, shape: Sphere3) -> None: ...
    def capsule3(self, shape: Capsule3) -> None: ...
    def cylinder3(self, shape: Cylinder3) -> None: ...
    def ground3(self, shape: Ground3) -> None: ...
    def camera(self, shape: Camera) -> None: ...
    def camera3(self, shape: Camera3) -> None: ...
    def light(self, shape: Light) -> None: ...


def render(shapes: Iterable[Shape], to: Renderer) -> None:
    for shape in shapes:
        getattr(to, type(shape).__name__.lower())(shape)


@functools.cache
def kinds() -> dict[int, type[Shape]]:
    """The class of each kind: ENV_BOX3 is Box3."""
    header = ffi().dlopen(None)
    return {getattr(header, f"ENV_{each.__name__.upper()}"): each for each in CLASSES}


def layout() -> dict[str, Any]:
    """What a page needs to read a list: the kinds' names, the size of a shape, the offset of each of its members."""
    at = {name: field.offset for name, field in ffi().typeof("EnvShape").fields}
    at |= {name: at["tiles"] + field.offset for name, field in ffi().typeof("EnvTiles").fields}
    names = {str(kind): each.__name__.lower() for kind, each in kinds().items()}
    return {"kinds": names, "size": ffi().sizeof("EnvShape"), "at": at}


@functools.cache
def _record() -> np.dtype:
    fields = dict(ffi().typeof("EnvShape").fields)
    formats = {"kind": "<u4", "color": "<u4", "n": "<i4", "id": "<u4", "f": ("<f4", 12)}
    return np.dtype(
        {
            "names": list(formats),
            "formats": list(formats.values()),
            "offsets": [fields[name].offset for name in formats],
            "itemsize": ffi().sizeof("EnvShape"),
        }
    )


def decode(at: Any, wanted: int, spec: Spec) -> list[Shape]:
    """The list at an address (or `EnvShape *`), where env_draw() wanted to write so many shapes. Raises MinnowError
    for a list that breaks the contract."""
    if wanted > spec.shapes:
        raise MinnowError(
            f"{spec.name} draws {wanted} shapes, but declares {spec.shapes} at most: raise ENV_SHAPES, or draw fewer "
            "(env_tiles is a whole field in one)."
        )
    c = ffi().cast("EnvShape *", at)
    records = np.frombuffer(ffi().buffer(c, wanted * ffi().sizeof("EnvShape")), _record())
    columns = (records[name].tolist() for name in ("kind", "color", "n", "id", "f"))
    try:
        return [_shape(c, i, *row) for i, row in enumerate(zip(*columns, strict=True))]
    except ValueError as error:
        raise MinnowError(f"{spec.name} draws {error}.") from None


def _shape(c: Any, i: int, kind: int, color: int, n: int, id: int, f: list[float]) -> Shape:
    cls = kinds().get(kind)
    if cls in (Rect, Circle, Line):
        return cls(color, id, *f[: len(cls._fields) - 2])
    if cls is Polygon:
        if not 3 <= n <= 6:
            raise ValueError(f"a polygon of {n} corners: 3 to 6 fit a shape")
        return Polygon(color, id, tuple((f[2 * k], f[2 * k + 1]) for k in range(n)))
    if cls is Text:
        return Text(color, id, f[0], f[1], f[2], n, _text(c[i]))
    if cls is Tiles:
        return _tiles(c[i], color, n, id, f)
    if cls is Box3:
        return Box3(color, id, (f[0], f[1], f[2]), (f[3], f[4], f[5]), (f[6], f[7], f[8], f[9]))
    if cls is Sphere3:
        return Sphere3(color, id, (f[0], f[1], f[2]), f[3])
    if cls is Capsule3:
        return Capsule3(color, id, (f[0], f[1], f[2]), (f[3], f[4], f[5]), f[6])
    if cls is Cylinder3:
        return Cylinder3(color, id, (f[0], f[1], f[2]), f[3], f[4], (f[5], f[6], f[7], f[8]))
    if cls is Ground3:
        return Ground3(color, id, (f[0], f[1], f[2]), (f[3], f[4]), f[5], n & 0xFFFFFFFF)
    if cls is Camera and f[6] > 0:  # only one in space has a field of view
        return Camera3(color, id, (f[0], f[1], f[2]), (f[3], f[4], f[5]), f[6])
    if cls is Camera:
        return Camera(color, id, f[0], f[1], f[2], f[3])
    if cls is Light:
        return Light(color, id, (f[0], f[1], f[2]), f[3])
    raise ValueError(f"a shape of kind {kind}, which abi.h does not know")


def _text(c: Any) -> str:
    letters = bytes(ffi().buffer(c.text))
    text, end, _ = letters.partition(b"\0")
    if not end:
        words = text.decode("utf-8", "replace")
        raise ValueError(f"a text that begins with {words!r}: at most {len(letters) - 1} bytes fit a shape")
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise ValueError(f"a text that is not UTF-8, {text!r}") from None


def _tiles(c: Any, color: int, columns: int, id: int, f: list[float]) -> Tiles:
    rows, stride = int(f[4]), int(f[5])
    if rows < 1 or not 1 <= columns <= stride or not c.tiles.cells or not c.tiles.palette:
        raise ValueError(
            f"tiles of {rows} rows, {columns} columns and a stride of {stride}: each must be 1 or more, the stride not "
            "less than the columns, and neither address 0"
        )
    size = (rows - 1) * stride + columns
    cells = bytes(ffi().buffer(ffi().cast("uint8_t *", c.tiles.cells), size))
    if stride > columns:
        cells = b"".join(cells[row * stride : row * stride + columns] for row in range(rows))
    palette = tuple(ffi().cast("uint32_t *", c.tiles.palette)[0:256])
    x, y, width, height = f[:4]
    return Tiles(color, id, x, y, width, height, columns, rows, cells, palette)


def camera_of(shapes: Iterable[Shape], width: float, height: float) -> Camera:
    """What the flat picture shows: the whole world, width x height, unless a camera says otherwise."""
    for shape in shapes:
        if isinstance(shape, Camera):
            return shape
    return Camera(0, 0, width / 2, height / 2, width, height)


ARC = 6  # steps of a quarter of a circle


def outline(shape: Rect | Line) -> tuple[Point, ...]:
    """The corners of a convex polygon that is this rectangle, or this line with its round ends."""
    if isinstance(shape, Rect):
        x, y, angle = shape.x, shape.y, shape.angle
        radius = min(shape.corner, shape.width / 2, shape.height / 2)
        wide, high = shape.width / 2 - radius, shape.height / 2 - radius
    else:
        x, y, radius = (shape.x0 + shape.x1) / 2, (shape.y0 + shape.y1) / 2, shape.width / 2
        angle = math.atan2(shape.y1 - shape.y0, shape.x1 - shape.x0)
        wide, high = math.hypot(shape.x1 - shape.x0, shape.y1 - shape.y0) / 2, 0.0
    cos, sin, corners = math.cos(angle), math.sin(angle), []
    for quarter, (sx, sy) in enumerate(((1, 1), (-1, 1), (-1, -1), (1, -1))):
        for step in range(ARC + 1 if radius > 0 else 1):
            turn = (quarter + step / ARC) * math.pi / 2
            a, b = sx * wide + radius * math.cos(turn), sy * high + radius * math.sin(turn)
            corners.append((x + a * cos - b * sin, y + a * sin + b * cos))
    return tuple(corners)


class _Picker(Renderer):
    """Remembers the last shape with an id that lies at a place."""

    def __init__(self, x: float, y: float) -> None:
        self.x, self.y, self.id = x, y, 0

    def _take(self, shape: Rect | Circle | Line | Polygon | Tiles, hit: bool) -> None:
        if shape.id and hit:
            self.id = shape.id

    def rect(self, shape: Rect) -> None:
        dx, dy, cos, sin = self.x - shape.x, self.y - shape.y, math.cos(shape.angle), math.sin(shape.angle)
        along, across = dx * cos + dy * sin, dy * cos - dx * sin
        self._take(shape, abs(along) <= shape.width / 2 and abs(across) <= shape.height / 2)

    def circle(self, shape: Circle) -> None:
        self._take(shape, math.hypot(self.x - shape.x, self.y - shape.y) <= shape.radius)

    def line(self, shape: Line) -> None:
        dx, dy = shape.x1 - shape.x0, shape.y1 - shape.y0
        along = ((self.x - shape.x0) * dx + (self.y - shape.y0) * dy) / (dx * dx + dy * dy or 1.0)
        t = min(max(along, 0.0), 1.0)
        self._take(shape, math.hypot(self.x - shape.x0 - t * dx, self.y - shape.y0 - t * dy) <= shape.width / 2)

    def polygon(self, shape: Polygon) -> None:
        inside = False
        for (x0, y0), (x1, y1) in zip(shape.corners, shape.corners[-1:] + shape.corners[:-1], strict=True):
            if (y0 > self.y) != (y1 > self.y) and self.x < (x1 - x0) * (self.y - y0) / (y1 - y0) + x0:
                inside = not inside
        self._take(shape, inside)

    def tiles(self, shape: Tiles) -> None:
        column = math.floor(((self.x - shape.x) / shape.width + 0.5) * shape.columns)
        row = math.floor(((self.y - shape.y) / shape.height + 0.5) * shape.rows)
        if 0 <= column < shape.columns and 0 <= row < shape.rows:
            self._take(shape, shape.palette[shape.cells[row * shape.columns + column]] & 0xFF != 0)


def pick(shapes: Iterable[Shape], x: float, y: float) -> int:
    """The id of the topmost flat shape that has one and lies at this place of the world; 0 where none does."""
    picker = _Picker(x, y)
    render(shapes, picker)
    return picker.id
