"""A window by raylib: draw lists as a picture, and what a person holds as an action."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from minnow.cinfer.errors import MinnowError, missing

from .shapes import (
    Circle,
    Line,
    Point,
    Point3,
    Polygon,
    Rect,
    Renderer,
    Shape,
    Text,
    Tiles,
    camera_of,
    outline,
    pick,
    render,
)
from .solids import NEAR, Scene, flatten, plane, scene
from .spec import Control, Spec

DEAD_ZONE = 0.35  # of a gamepad's stick
DRAG = 8  # pixels of way that make a click a drag
PIECE = 0.05  # s: what is dragged in space follows in steps of so long at least
FOOT = 56  # pixels below the picture, for words
# KeyboardEvent codes that are not a letter, a digit or an arrow; the numbers of GLFW, which raylib has too.
CODES = {"Space": 32, "Comma": 44, "Minus": 45, "Period": 46, "Slash": 47, "Enter": 257, "Backspace": 259}
CODES |= {"ArrowRight": 262, "ArrowLeft": 263, "ArrowDown": 264, "ArrowUp": 265, "ShiftLeft": 340, "ControlLeft": 341}
# The Gamepad API's standard layout, button by button, in raylib's numbers.
BUTTONS = (7, 6, 8, 5, 9, 11, 10, 12, 13, 15, 16, 17, 1, 3, 4, 2, 14)


def raylib() -> Any:
    """The library, without its log; MinnowError where it is not installed, or the system lacks what windows need."""
    try:
        import pyray
    except ModuleNotFoundError:
        raise missing("raylib", "play") from None
    except ImportError as error:
        raise MinnowError(
            f"raylib cannot be loaded: {error}. Desktops have what it needs; Debian: apt-get install libx11-6 libgl1."
        ) from None
    pyray.set_trace_log_level(pyray.TraceLogLevel.LOG_ERROR)
    return pyray


def key_of(code: str) -> int:
    """A KeyboardEvent code's key in raylib; 0 where it has none."""
    if match := re.fullmatch(r"(?:Key|Digit)(\w)", code):
        return ord(match[1])
    if match := re.fullmatch(r"Numpad(\d)", code):
        return 320 + int(match[1])
    return CODES.get(code, 0)


class Window(Renderer):
    """One window, `width` x `height` pixels of picture above a line of words; it may be resized. A world of
    `view` = (width, height) in its own units fills the picture. Raises MinnowError where no window can be opened."""

    def __init__(self, title: str, width: int, height: int, view: tuple[float, float]) -> None:
        self.rl = rl = raylib()
        rl.set_config_flags(rl.ConfigFlags.FLAG_MSAA_4X_HINT | rl.ConfigFlags.FLAG_WINDOW_RESIZABLE)
        rl.set_config_flags(rl.ConfigFlags.FLAG_VSYNC_HINT)
        rl.init_window(width, height + FOOT, title)
        if not rl.is_window_ready():
            raise MinnowError(
                "no window could be opened: is there a display? Without one, `minnow record` films and `minnow serve` "
                "shows the game in a browser."
            )
        rl.set_exit_key(0)
        rl.set_target_fps(60)
        rl.rl_disable_backface_culling()  # polygons come in either order
        rl.set_texture_filter(rl.get_font_default().texture, rl.TextureFilter.TEXTURE_FILTER_BILINEAR)
        self.view = view
        self.place = (1.0, 0.0, 0.0)  # scale, left, top: of the world in the picture drawn last
        self.shapes: list[Shape] = []
        self.textures: dict[tuple[int, int], Any] = {}  # of fields of tiles, by columns and rows

    def close(self) -> None:
        self.rl.close_window()

    def world(self, x: float, y: float) -> Point:
        """Where in the world a pixel is, in the picture drawn last."""
        scale, left, top = self.place
        return (x - left) / scale, (y - top) / scale

    def pick(self, x: float, y: float) -> int:
        """The id of the topmost shape at a place of the world that has one, in the picture drawn last; or 0."""
        return pick(flatten(self.shapes, *self.view), x, y)

    def draw(self, shapes: list[Shape], words: str, more: Iterable[tuple[str, str]] = ()) -> None:
        """One frame: the picture, `words` of at most two lines below it, and lines of two columns that cover it if
        there are `more`. Waits for the screen."""
        rl = self.rl
        wide, high = rl.get_screen_width(), max(rl.get_screen_height() - FOOT, 1)
        self.shapes = shapes
        camera, space = camera_of(shapes, *self.view), scene(shapes)
        scale = min(wide / camera.width, high / camera.height)
        self.place = scale, wide / 2 - camera.x * scale, high / 2 - camera.y * scale
        rl.begin_drawing()
        rl.clear_background(rl.BLACK)
        rl.begin_scissor_mode(0, 0, wide, high)
        if space:
            self._space(space)
        render(shapes, self)
        lines = list(more)
        if lines:
            rl.draw_rectangle(0, 0, wide, high, rl.Color(10, 14, 22, 225))
        column = 44 + max((rl.measure_text(key, 20) for key, _ in lines), default=0)
        for i, (key, what) in enumerate(lines):
            rl.draw_text(key, 24, 22 + 26 * i, 20, rl.RAYWHITE)
            rl.draw_text(what, column, 22 + 26 * i, 20, rl.RAYWHITE)
        rl.end_scissor_mode()
        rl.draw_rectangle(0, high, wide, FOOT, rl.Color(24, 30, 42, 255))
        for i, line in enumerate(words.splitlines()):
            size = 20 if rl.measure_text(line, 20) <= wide - 20 else 10
            rl.draw_text(line, 10, high + 6 + 24 * i + (20 - size) // 2, size, rl.RAYWHITE)
        rl.end_drawing()

    def _color(self, color: int) -> Any:
        return self.rl.Color(*color.to_bytes(4, "big"))

    def _at(self, x: float, y: float) -> Any:
        scale, left, top = self.place
        return self.rl.Vector2(left + x * scale, top + y * scale)

    def _fill(self, corners: tuple[Point, ...], color: int) -> None:
        self.rl.draw_triangle_fan([self._at(x, y) for x, y in corners], len(corners), self._color(color))

    def rect(self, shape: Rect) -> None:
        self._fill(outline(shape), shape.color)

    def circle(self, shape: Circle) -> None:
        self.rl.draw_circle_v(self._at(shape.x, shape.y), shape.radius * self.place[0], self._color(shape.color))

    def line(self, shape: Line) -> None:
        self._fill(outline(shape), shape.color)

    def polygon(self, shape: Polygon) -> None:
        self._fill(shape.corners, shape.color)

    def text(self, shape: Text) -> None:
        rl = self.rl
        font, size, place = rl.get_font_default(), shape.height * self.place[0], self._at(shape.x, shape.y)
        box = rl.measure_text_ex(font, shape.text, size, size / 10)
        place.x -= box.x * (0.5 if shape.align == 0 else 0 if shape.align < 0 else 1)
        place.y -= box.y / 2
        rl.draw_text_ex(font, shape.text, place, size, size / 10, self._color(shape.color))

    def tiles(self, shape: Tiles) -> None:
        rl, size = self.rl, (shape.columns, shape.rows)
        texture = self.textures.get(size)
        if not texture:
            image = rl.gen_image_color(*size, rl.BLANK)  # R8G8B8A8
            texture = self.textures[size] = rl.load_texture_from_image(image)
            rl.unload_image(image)
        rl.rl_draw_render_batch_active()  # what another field of this size has put there is drawn first
        pixels = np.ascontiguousarray(shape.rgba())
        rl.update_texture(texture, rl.ffi.cast("void *", pixels.ctypes.data))
        corner, scale = self._at(shape.x - shape.width / 2, shape.y - shape.height / 2), self.place[0]
        place = rl.Rectangle(corner.x, corner.y, shape.width * scale, shape.height * scale)
        rl.draw_texture_pro(texture, rl.Rectangle(0, 0, *size), place, rl.Vector2(0, 0), 0, rl.WHITE)

    def _space(self, found: Scene) -> None:
        """What lies in space, by raylib's own projection and depth."""
        rl, (scale, left, top) = self.rl, self.place
        # Whole is the window, of which the picture is a part: its middle is where the eye looks.
        x, y = left + self.view[0] / 2 * scale, top + self.view[1] / 2 * scale
        unit = NEAR * math.tan(found.camera.field / 2) / (self.view[1] / 2 * scale)  # m a pixel, at the near plane
        far = max((float(face.corners[:, 2].max()) for face in found.faces), default=1.0) + 1.0
        rl.rl_draw_render_batch_active()
        rl.rl_matrix_mode(rl.RL_PROJECTION)
        rl.rl_push_matrix()
        rl.rl_load_identity()
        wide, high = rl.get_screen_width(), rl.get_screen_height()
        rl.rl_frustum(-x * unit, (wide - x) * unit, (y - high) * unit, y * unit, NEAR, far)
        rl.rl_matrix_mode(rl.RL_MODELVIEW)
        rl.rl_load_identity()
        rl.rl_enable_depth_test()
        rl.rl_begin(rl.RL_TRIANGLES)
        for face in found.faces:
            rl.rl_color4ub(*face.color.to_bytes(4, "big"))
            for corner in (0, 1, 2, 0, 2, 3):
                right, up, forwards = face.corners[corner].tolist()
                rl.rl_vertex3f(right, up, -forwards)
        rl.rl_end()
        rl.rl_draw_render_batch_active()
        rl.rl_matrix_mode(rl.RL_PROJECTION)
        rl.rl_pop_matrix()
        rl.rl_matrix_mode(rl.RL_MODELVIEW)
        rl.rl_load_identity()
        rl.rl_disable_depth_test()


class Gestured(NamedTuple):
    """What a visitor did to the world, as the members of EnvEvent of abi.h."""

    kind: int
    target: int = 0
    at: Point3 = (0.0, 0.0, 0.0)
    way: Point3 = (0.0, 0.0, 0.0)
    value: float = 0.0


def gestured(spec: Spec, drag: bool, target: int, at: Point3, to: Point3, seconds: float) -> Gestured | None:
    """The gesture, with what it uses, that a click or a drag from a place of the world to another one is; None where
    the environment knows none such. One that uses a target is none where there is no target."""
    all_of_it = Gestured(0, target, at, (to[0] - at[0], to[1] - at[1], to[2] - at[2]), seconds)
    for gesture in spec.gesture:
        if gesture.pointer == ("drag" if drag else "click") and (target or "target" not in gesture.uses):
            return Gestured(gesture.kind)._replace(**{name: getattr(all_of_it, name) for name in gesture.uses})
    return None


class Pointer:
    """The mouse, read once a frame: clicks and drags on the picture as gestures, as the page reads them. In space what
    is dragged follows: a drag comes in pieces."""

    def __init__(self, spec: Spec, window: Window) -> None:
        self.spec, self.window = spec, window
        self.start: tuple[float, float] | None = None  # pixels
        self.at: Point3 = (0.0, 0.0, 0.0)
        self.target, self.time, self.drag = 0, 0.0, False  # what was there when it was pressed, and when that was
        self.plane: Callable[[Point], Point3] | None = None  # of what lies in space

    def _place(self, here: tuple[float, float]) -> Point3:
        x, y = self.window.world(*here)
        return self.plane((x, y)) if self.plane else (x, y, 0.0)

    def read(self) -> Gestured | None:
        rl, window = self.window.rl, self.window
        here = (rl.get_mouse_x(), rl.get_mouse_y())
        if rl.is_mouse_button_pressed(0):
            self.start, self.time, self.drag = here, rl.get_time(), False
            self.target = window.pick(*window.world(*here))
            self.plane = plane(window.shapes, self.target, *window.view)
            self.at = self._place(here)
        end, now = rl.is_mouse_button_released(0), rl.get_time()
        if not self.start:
            return None
        self.drag |= math.dist(self.start, here) >= DRAG
        if not end and not (self.plane and self.drag and now - self.time >= PIECE):
            return None
        at, to, seconds = self.at, self._place(here), now - self.time
        self.at, self.time, self.start = to, now, None if end else self.start
        return gestured(self.spec, self.drag, self.target, at, to, seconds)


class Hands:
    """What a person holds: keys and gamepads, read through the specification's controls, as the page reads them."""

    def __init__(self, spec: Spec) -> None:
        self.spec, self.rl = spec, raylib()
        self.held: dict[Control, float] = {}  # in the order of pressing
        self.keys: dict[int, list[Control]] = {}
        for control in spec.control:
            for key in filter(None, map(key_of, control.keys)):
                self.keys.setdefault(key, []).append(control)

    def read(self) -> tuple[bool, list[int]]:
        """Once a frame: whether a control was pressed just now, and the other keys that were."""
        rl = self.rl
        pressed = list(iter(rl.get_key_pressed, 0))
        held = [key for key in self.keys if key in pressed or rl.is_key_down(key)]  # the shortest tap counts
        down = {control: 1.0 for key in held for control in self.keys[key]} | self._pads()
        new = bool(down.keys() - self.held.keys())
        order = [control for control in self.held if control in down]
        self.held = {control: down[control] for control in [*order, *(c for c in down if c not in order)]}
        return new, [key for key in pressed if key not in self.keys]

    def _pads(self) -> dict[Control, float]:
        rl, found = self.rl, {}
        for pad in (pad for pad in range(4) if rl.is_gamepad_available(pad)):
            for control in self.spec.control:
                for text in control.gamepad:
                    ((kind, number, side),) = re.findall(r"^(button|axis)(\d+)([+-]?)$", text)
                    if kind == "button":
                        value = float(rl.is_gamepad_button_down(pad, BUTTONS[int(number)]))
                    else:
                        value = rl.get_gamepad_axis_movement(pad, int(number)) * (-1 if side == "-" else 1)
                    if value > DEAD_ZONE:
                        found[control] = value
        return found

    def action(self) -> list[float]:
        """One number a head; of two choices of one head, the one pressed last."""
        box = self.spec.action_type == "box"
        values = [0.0] * self.spec.heads if box else [float(idle) for idle in self.spec.idle]
        for control, value in self.held.items():
            values[control.head] = values[control.head] + control.value * value if box else control.value
        if box:
            values = [min(max(v, head.low), head.high) for v, head in zip(values, self.spec.head, strict=True)]
        return values
