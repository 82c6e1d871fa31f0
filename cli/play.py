"""`minnow play`: a game in a window, to watch and to play."""

from __future__ import annotations

import json
import re
import secrets
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minnow import envs
from minnow.cinfer.errors import MinnowError
from minnow.cli import flags
from minnow.cli.record import policy_of
from minnow.cli.replay import Found, find

if TYPE_CHECKING:
    from minnow.envs.shapes import Shape
    from minnow.envs.window import Window
    from minnow.web.game import Game
    from minnow.web.replay import Player

SUMMARY = "play a game in a window"
USAGE = """usage: minnow play NAME [--policy FILE] [options]

NAME is an environment's name, or the path of its folder: pong, ./orchard.
minnow play NAME --help lists the options."""
SPEEDS = (0.25, 0.5, 1, 2, 4, 8, 16)
LONGEST_GAP = 0.1  # s of real time that one frame may stand for
TURN = 20  # presses from one end of a parameter's range to the other
SCRIPT, POLICY, PERSON, RANDOM = range(4)  # game.h
EVENT = 4
DRIVERS = ("The script", "The policy", "You", "Chance")
HELP = (
    ("SPACE", "play or pause"),
    (".", "one tick"),
    ("- +", "slower, faster"),
    ("R", "the same seed again"),
    ("ESC", "hand back"),
    ("F2", "next player"),
    ("F3", "who drives this player"),
    ("TAB", "next parameter"),
    ("PGUP PGDN", "turn it (HOME: its default)"),
    ("F1 or ?", "this help"),
    ("CTRL Q", "close"),
    ("", "Drop a .minnow file here to try it"),
)
F1, F2, F3, TAB, ESCAPE, PAGE_UP, PAGE_DOWN, HOME, SPACE = 290, 291, 292, 258, 256, 266, 267, 268, 32  # GLFW
CONTROL, QUIT = 341, 81


@dataclass
class Flags:
    """Open a window in which the policy plays until you press one of the game's keys. F1 lists them."""

    policy: str = ""
    """A .minnow file. Empty: the one that the game comes with, if there is one; `none`: the script."""
    replay: str = ""
    """A replay to watch, a file or a page's link in quotes. Whoever touches the game's keys plays on from there."""
    save_replay: str = ""
    """Where to write the game since its last start as a replay, when the window closes. Empty: a new file in replays/;
    `none`: nowhere."""
    seed: int | None = None
    """Which game; drawn and printed if absent."""
    height: int = 640
    """Of the picture, in pixels; its width follows."""
    seconds: float = 0.0
    """Close after so many seconds of real time; 0: when the window is closed."""
    json: bool = False
    """Print one JSON object on standard output at the end: ticks, episodes, the score, who drove."""


def main(argv: list[str]) -> int:
    if not argv or argv[0].startswith("-"):
        print(USAGE)
        return 0 if argv and argv[0] in ("-h", "--help") else 2
    name = argv[0]
    place = envs.folder(name)
    chosen = flags.parse(Flags, argv[1:], f"minnow play {name}")
    spec = envs.spec(place)
    if not 100 <= chosen.height <= 4096:
        raise MinnowError(f"--height is {chosen.height}: it must be 100 to 4096.")
    from minnow.envs.window import Window

    if chosen.replay:
        found = find(chosen.replay, place, [chosen.policy] if chosen.policy else ())
        table = Table(place, None, 0, found)
    else:
        seed = secrets.randbits(32) if chosen.seed is None else chosen.seed
        print(f"seed {seed}: --seed {seed} plays this game again", file=sys.stderr)
        table = Table(place, policy_of(place, chosen.policy), seed)
    width = round(chosen.height * spec.view_width / spec.view_height)
    window = Window(f"minnow: {spec.title}", max(width, 200), chosen.height, (spec.view_width, spec.view_height))
    try:
        table.run(window, chosen.seconds)
    finally:
        window.close()
        saved = save(table, chosen.save_replay)
    if chosen.json:
        print(json.dumps(table.told() | {"replay": saved}))
    return 0


def save(table: Table, where: str) -> str | None:
    """Writes the game as a replay, unless it is one that was only watched; returns where."""
    from minnow.web import replay

    if where == "none" or table.player or not table.game.ticks:
        return None
    name = f"{table.spec.name}-{datetime.now():%Y%m%d-%H%M%S}.replay"
    path = Path(where) if where else Path("replays") / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(replay.encode(replay.of(table.game)))
    except (OSError, MinnowError) as error:  # the game is over, and what there is to tell of it is told
        print(f"the replay is not written: {error}", file=sys.stderr)
        return None
    print(f"replay: {path}: minnow play {table.spec.name} --replay {path}", file=sys.stderr)
    return str(path)


def key_name(code: str) -> str:
    """KeyboardEvent.code as keyboards are labelled."""
    return re.sub("^(Key|Digit|Arrow)", "", code)


class Table:
    """A game, who plays it, and what the keys do to it; the same rules as the page's."""

    def __init__(self, env: str | Path, policy: bytes | None, seed: int, found: Found | None = None) -> None:
        self.env, self.spec, self.seed, self.found = env, envs.spec(env), seed, found
        self.player: Player | None = None  # what the game follows until a person does something
        self.values = {param.name: param.value for param in self.spec.param}
        self.focus, self.param, self.speed = 0, 0, 1.0
        self.running, self.help, self.taken = True, False, False
        self.message = self.fault = ""
        if found:
            self.policy = bool(found.policies)
            self.watch(found)
        else:
            self.open(policy)

    @property
    def drivers(self) -> list[int]:
        """Who drives each player."""
        return self.game.drivers

    def watch(self, found: Found) -> None:
        """Plays a replay from its start."""
        self.player = found.player()
        self.game = self.player.game
        start = found.replay.inputs[0].values
        self.seed = start[0] | start[1] << 32
        self.values = {param.name: param.value for param in self.spec.param}
        self.ticks = self.episodes = self.known = 0
        self.owed = 0.0
        self._learn()

    def _learn(self) -> None:
        """The parameters that the replay has turned."""
        from minnow.web.game import floats

        for entry in self.game.inputs[self.known :]:
            if entry.kind == EVENT and entry.values[0] == 0:  # ENV_EVENT_PARAM
                (self.values[self.spec.param[entry.slot].name],) = floats(entry.values[8])
        self.known = len(self.game.inputs)

    def open(self, policy: bytes | None) -> None:
        """Starts a game with a policy; raises MinnowError, and leaves the game there was, where it is refused."""
        from minnow.web.game import Game

        self.game: Game = Game(self.env, policy, seed=self.seed)
        self.policy, self.player, self.found = policy is not None, None, None
        for slot, driver in enumerate(self.game.drivers):
            if driver != self.best(slot):
                self.game.drive(slot, self.best(slot))
        self.message = self.fault = ""
        self.again()

    def best(self, slot: int) -> int:
        """Who drives a player unless a person does."""
        if self.policy and (slot < self.spec.agents or not self.spec.has_script):
            return POLICY
        return SCRIPT if self.spec.has_script else PERSON

    def again(self) -> None:
        """The same seed once more; parameters stay turned. A replay that nobody has touched begins again."""
        if self.player and self.found:
            self.watch(self.found)
            return
        self.game.start(self.seed)
        for i, param in enumerate(self.spec.param):
            if self.values[param.name] != param.value:
                self.turn(i, self.values[param.name])
        self.ticks = self.episodes = 0
        self.owed = 0.0

    def tick(self) -> None:
        if self.player and self.game.ticks >= self.player.replay.ticks:
            self.running, self.message = False, "The replay is over. Touch the game's keys to play on."
            return
        self.episodes += bool((self.player or self.game).tick() & 3)  # terminated or truncated
        self.ticks += 1
        if self.player:
            self._learn()

    def play_on(self) -> None:
        """From here on the game is a person's, and no replay."""
        if self.player:
            self.player, self.message, self.running = None, "", True

    def drive(self, slot: int, driver: int) -> None:
        self.play_on()
        self.game.drive(slot, driver)

    def event(self, kind: int, *members: Any) -> None:
        """What a person does to the world: target, at, way, value."""
        self.play_on()
        self.game.event(kind, self.focus, *members)

    def take_over(self) -> None:
        self.play_on()
        if self.drivers[self.focus] != PERSON:
            self.drive(self.focus, PERSON)
        self.taken = True

    def hand_back(self) -> None:
        if self.drivers[self.focus] == PERSON:
            self.drive(self.focus, self.best(self.focus))

    def next_driver(self) -> None:
        """Script, policy and person in turn, as far as there are such."""
        offered = [SCRIPT] * self.spec.has_script + [POLICY] * self.policy + [PERSON, RANDOM]
        at = offered.index(self.drivers[self.focus])
        self.drive(self.focus, offered[(at + 1) % len(offered)])

    def next_player(self) -> None:
        """Looks at the next player; a person goes there with the eyes."""
        mine = self.drivers[self.focus] == PERSON and not self.player
        if mine:
            self.hand_back()
        self.focus = (self.focus + 1) % self.spec.slots
        if mine:
            self.drive(self.focus, PERSON)

    def turn(self, index: int, value: float) -> None:
        """From the next tick on."""
        param = self.spec.param[index]
        value = min(max(round(value) if param.scale == "integer" else value, param.low), param.high)
        self.values[param.name] = value
        self.play_on()
        self.game.event(0, index, value=value)  # ENV_EVENT_PARAM

    def press(self, key: int, letter: str) -> None:
        """A key that is none of the game's own."""
        at = SPEEDS.index(self.speed)
        param = self.spec.param[self.param]
        step = max((param.high - param.low) / TURN, 1.0 if param.scale == "integer" else 0.0)
        value = self.values[param.name]
        if key == SPACE:
            self.running = not self.running
        elif letter == ".":
            self.running = False
            self.tick()
        elif letter == "-":
            self.speed = SPEEDS[max(at - 1, 0)]
        elif letter in ("+", "="):
            self.speed = SPEEDS[min(at + 1, len(SPEEDS) - 1)]
        elif letter in ("r", "R"):
            self.again()
        elif key == F1 or letter == "?":
            self.help = not self.help
        elif key == ESCAPE:
            self.help = False
            self.hand_back()
        elif key == F2:
            self.next_player()
        elif key == F3:
            self.next_driver()
        elif key == TAB:
            self.param = (self.param + 1) % len(self.spec.param)
        elif key in (PAGE_UP, PAGE_DOWN):
            self.turn(self.param, value + (step if key == PAGE_UP else -step))
        elif key == HOME:
            self.turn(self.param, param.value)

    def seen(self) -> list[Shape]:
        """The picture; where the environment's list breaks the contract, its fault in words."""
        wide, high = self.spec.view_width, self.spec.view_height
        try:
            shapes, self.fault = self.game.draw(self.focus, wide / high), ""
        except MinnowError as error:
            shapes, self.fault = [], str(error)
        return shapes

    def words(self) -> str:
        """What stands below the picture, in two lines."""
        if self.message or self.fault:
            return self.message or self.fault
        param = self.spec.param[self.param]
        driver = self.drivers[self.focus]
        who = f" player {self.focus + 1}" if self.spec.slots > 1 else ""
        player = [
            f"{DRIVERS[driver]} play{'' if driver == PERSON else 's'}{who}",
            f"{self.spec.score_name} {self.game.score(self.focus):.4g}",
        ]
        game = [
            ("" if self.running else "paused, ") + f"speed {self.speed:g}x",
            f"{param.name.replace('_', ' ')} {self.values[param.name]:.3g}",
            "F1 keys",
        ]
        return "   ".join(player) + "\n" + "   ".join(game)

    def lines(self) -> list[tuple[str, str]]:
        """The help, while it is asked for: keys, and what they do."""
        own = [(" ".join(map(key_name, control.keys)), control.label) for control in self.spec.control]
        return [*own, ("", ""), *HELP] if self.help else []

    def run(self, window: Window, seconds: float) -> None:
        """Plays until the window is closed, or for so many seconds."""
        from minnow.envs.window import Hands, Pointer

        rl, hands, pointer = window.rl, Hands(self.spec), Pointer(self.spec, window)
        begun = rl.get_time()
        while not rl.window_should_close() and (not seconds or rl.get_time() - begun < seconds):
            touched, keys = hands.read()
            if QUIT in keys and (CONTROL in keys or rl.is_key_down(CONTROL)):  # held, or as short a tap
                break
            letters = [chr(letter) for letter in iter(rl.get_char_pressed, 0)]
            if touched:
                self.take_over()
            # Keys that make signs come twice, as a key and as its sign: the sign counts, and knows the keyboard.
            for key in keys:
                if key >= 256 or key == SPACE:
                    self.press(key, "")
            for letter in letters:
                if letter != " " and ord(letter.upper()) not in hands.keys:
                    self.press(0, letter)
            if done := pointer.read():
                self.event(*done)
            if rl.is_file_dropped():
                self._dropped(rl)
            if self.drivers[self.focus] == PERSON and not self.player:
                self.game.act(self.focus, *hands.action())
            if self.running and not self.help:
                self.owed += min(rl.get_frame_time(), LONGEST_GAP) * self.spec.tick_rate * self.speed
                due, self.owed = int(self.owed), self.owed % 1
                for _ in range(due):
                    self.tick()
            window.draw(self.seen(), self.words(), self.lines())

    def _dropped(self, rl: Any) -> None:
        files = rl.load_dropped_files()
        path = Path(rl.ffi.string(files.paths[0]).decode()) if files.count else None
        rl.unload_dropped_files(files)
        if path is None:
            return
        try:
            self.open(path.read_bytes())
        except (MinnowError, OSError) as error:
            self.message = f"{path.name}: {error}"

    def told(self) -> dict[str, object]:
        return {
            "env": self.spec.name,
            "seed": self.seed,
            "ticks": self.ticks,
            "episodes": self.episodes,
            "score": self.game.score(self.focus),
            "driver": ("script", "policy", "person")[self.drivers[self.focus]],
            "taken_over": self.taken,
            "speed": self.speed,
            "parameters": self.values,
        }
