"""A window by raylib: draw lists as a picture, and what a person holds as an action."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

from minnow.cinfer.errors import MinnowError, missing

from .raster import KINDS, Shape, view_of
from .spec import Control, Spec

DEAD_ZONE = 0.35  # of a gamepad's stick
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


class Window:
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

    def close(self) -> None:
        self.rl.close_window()

    def world(self, x: float, y: float) -> tuple[float, float]:
        """Where in the world a pixel is."""
        scale, left, top = self.place
        return (x - left) / scale, (y - top) / scale

    def draw(self, shapes: Sequence[Shape], words: str, more: Iterable[tuple[str, str]] = ()) -> None:
        """One frame: the picture, `words` of at most two lines below it, and lines of two columns that cover it if
        there are `more`. Waits for the screen."""
        rl = self.rl
        wide, high = rl.get_screen_width(), max(rl.get_screen_height() - FOOT, 1)
        x, y, width, height = view_of(shapes, *self.view)
        scale = min(wide / width, high / height)
        self.place = scale, wide / 2 - x * scale, high / 2 - y * scale
        rl.begin_drawing()
        rl.clear_background(rl.BLACK)
        rl.begin_scissor_mode(0, 0, wide, high)
        for shape in shapes:
            self._shape(shape)
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

    def _shape(self, shape: Shape) -> None:
        rl, f, kind = self.rl, shape.f, shape.kind
        scale, left, top = self.place
        color = rl.Color(*shape.color.to_bytes(4, "big"))

        def at(x: float, y: float) -> Any:
            return rl.Vector2(left + x * scale, top + y * scale)

        if kind == KINDS["RECT"]:
            middle, width, height, angle, corner = at(*f[:2]), f[2] * scale, f[3] * scale, f[4], f[5] * scale
            if angle or corner <= 0:
                box = rl.Rectangle(middle.x, middle.y, width, height)
                rl.draw_rectangle_pro(box, rl.Vector2(width / 2, height / 2), math.degrees(angle), color)
            else:
                box = rl.Rectangle(middle.x - width / 2, middle.y - height / 2, width, height)
                rl.draw_rectangle_rounded(box, min(1.0, 2 * corner / max(min(width, height), 1e-6)), 8, color)
        elif kind == KINDS["CIRCLE"]:
            rl.draw_circle_v(at(*f[:2]), f[2] * scale, color)
        elif kind == KINDS["LINE"]:
            ends, width = (at(*f[:2]), at(*f[2:4])), f[4] * scale
            rl.draw_line_ex(*ends, width, color)
            for end in ends:
                rl.draw_circle_v(end, width / 2, color)
        elif kind == KINDS["POLYGON"]:
            rl.draw_triangle_fan([at(f[2 * i], f[2 * i + 1]) for i in range(shape.n)], shape.n, color)
        elif kind == KINDS["TEXT"]:
            font, size, place = rl.get_font_default(), f[2] * scale, at(*f[:2])
            box = rl.measure_text_ex(font, shape.text, size, size / 10)
            place.x -= box.x * (0.5 if shape.n == 0 else 0 if shape.n < 0 else 1)
            place.y -= box.y / 2
            rl.draw_text_ex(font, shape.text, place, size, size / 10, color)


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
