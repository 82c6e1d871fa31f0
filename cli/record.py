"""`minnow record`: a picture or a film of a game, drawn without a window, or its replay."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import tyro

from minnow import envs
from minnow.cinfer.errors import MinnowError, missing
from minnow.cli import flags
from minnow.cli.eval import player_of
from minnow.cli.replay import find
from minnow.web import shipped

if TYPE_CHECKING:
    from minnow.web.game import Game

SUMMARY = "record a game as GIF, PNG, MP4 or replay"
USAGE = """usage: minnow record NAME -o FILE.gif|FILE.png|FILE.mp4|FILE.replay [options]
       minnow record RUN|FILE.minnow --on SIMULATOR -o FILE.gif|FILE.png|FILE.mp4 [options]
       minnow record --replay FILE -o FILE.gif|FILE.png|FILE.mp4 [options]

NAME is an environment's name, or the path of its folder: pong, ./orchard.
minnow record NAME --help lists the options."""
KINDS = (".gif", ".png", ".mp4", ".replay")
LONGEST = 1 << 20  # ticks of what is played for its episodes
FASTEST_GIF = 50  # pictures a second: browsers show shorter ones for a tenth of a second each


@dataclass
class Flags:
    """Play a game and write what it looks like, a film (GIF or MP4) or its last picture (PNG), or the game itself as a
    replay. A policy drives the slots that a policy may drive; without one, the script."""

    env: Any
    out: Annotated[str, tyro.conf.arg(aliases=["-o"])] = ""
    """The file to write, .gif, .png, .mp4 or .replay."""
    on: str = ""
    """Of a run or a file in NAME's place: the simulator in which it plays, such as maniskill/PickCube-v1."""
    policy: str = ""
    """A .minnow file. Empty: the one that the game comes with, if there is one; `none`: the script."""
    replay: str = ""
    """A replay, a file or a link from a page, which is filmed from its start: as it was played, whoever drove."""
    seconds: float | None = None
    """Of the game's own time; absent: 6, or all of the replay."""
    episodes: int = 0
    """Of a replay that is written: so many whole episodes, however many seconds they last."""
    skip: float = 0.0
    """Seconds that pass before the first picture."""
    width: int = 480
    """Of the picture, in pixels; its height follows."""
    fps: int = 30
    """Pictures a second, at most one a tick; of a GIF at most 50."""
    seed: int = 1
    """Which game: a film is the same each time unless another seed is given."""
    json: bool = False
    """Print one JSON object on standard output: the file, its size, pictures and the score."""


def main(argv: list[str]) -> int:
    name, rest = flags.leading(argv)
    if not name and not flags.value_of("--replay", argv):
        print(USAGE)
        return 0 if argv and argv[0] in ("-h", "--help") else 2
    file, policy = (flags.value_of(flag, argv) for flag in ("--replay", "--policy"))
    found = find(file, *name[:1], policies=[policy] if policy else ()) if file else None
    player: Any = None
    if on := flags.value_of("--on", argv):
        if len(name) != 1:
            raise MinnowError(f"--on {on} needs a run or a file first: minnow record RUN --on {on} -o FILM.mp4")
        player, place, _ = player_of(name[0], on=on)
    else:
        place = found.place if found else envs.place(name[0])
    spec = envs.spec(place)
    verb = " ".join(["minnow record", *name[:1]])
    chosen = flags.parse(Flags, [*name[1:], *rest], verb, Flags(flags.parameters(spec, {})))
    if isinstance(place, envs.Foreign):
        return _foreign(place, chosen, player)
    if player is not None:
        raise MinnowError(f"--on {on} is no simulator: name it in the run's place, and the policy by --policy.")
    whole = found.replay.ticks / spec.tick_rate if found else 6.0
    seconds = min(whole, 600.0) if chosen.seconds is None else chosen.seconds
    out = Path(chosen.out)
    if out.suffix not in KINDS:
        raise MinnowError(f"-o is {chosen.out!r}: the file's name must end in {', '.join(KINDS)}.")
    for label, value, low, high in (
        ("seconds", seconds, 0, 600),
        ("skip", chosen.skip, 0, 600),
        ("width", chosen.width, 16, 4096),
        ("fps", chosen.fps, 1, 120),
        ("episodes", chosen.episodes, 0, LONGEST if out.suffix == ".replay" else 0),
    ):
        if not low <= value <= high:
            raise MinnowError(f"--{label} is {value:g}: it must be {low} to {high}.")
    if out.suffix == ".mp4" and not shutil.which("ffmpeg"):
        raise MinnowError("ffmpeg was not found. Install it: apt-get install ffmpeg (as root), or write a .gif.")
    params = flags.changed(spec, chosen.env)
    if found and (params or out.suffix == ".replay"):
        wrong = "its parameters are its own: leave out --env" if params else "-o must be a film or a picture"
        raise MinnowError(f"{chosen.replay} is a replay, and {wrong}.")
    from minnow.envs.raster import Raster
    from minnow.web.replay import Player

    played = found.player() if found else opened(place, policy_of(place, chosen.policy), chosen.seed, params)
    if out.suffix == ".replay" and not isinstance(played, Player):
        return _replay(played, chosen, round(seconds * spec.tick_rate))
    game = played.game if isinstance(played, Player) else played
    size = (chosen.width // 2 * 2, round(chosen.width * spec.view_height / spec.view_width / 2) * 2)
    raster = Raster(*size, (spec.view_width, spec.view_height))
    played.tick(round(chosen.skip * spec.tick_rate))
    ticks = max(1, round(spec.tick_rate / chosen.fps))
    if out.suffix == ".gif":
        ticks = max(ticks, math.ceil(spec.tick_rate / FASTEST_GIF))
    count = max(1, round(seconds * spec.tick_rate / ticks))

    def pictures() -> Iterator[np.ndarray]:
        for _ in range(count):
            played.tick(ticks)
            yield raster.draw(game.draw(0, size[0] / size[1]))

    try:
        write(out, pictures(), size, spec.tick_rate / ticks)
    except OSError as error:
        raise MinnowError(f"cannot write {out}: {error.strerror or error}.") from None
    told = {"file": str(out), "bytes": out.stat().st_size, "pictures": 1 if out.suffix == ".png" else count}
    told["score"] = game.score()
    print(
        json.dumps(told) if chosen.json else f"wrote {out}: {told['pictures']} pictures, {told['bytes'] / 1024:.0f} KB"
    )
    return 0


def _foreign(ref: envs.Foreign, chosen: Flags, player: Any) -> int:
    """Films an environment that is not in C, as it draws itself, one picture a step. player: None: that of --policy."""
    from minnow import cinfer
    from minnow.envs.foreign.vector import ForeignVector
    from minnow.train.evaluation import EVALUATION, FilePlayer

    out, seconds = Path(chosen.out), 6.0 if chosen.seconds is None else chosen.seconds
    if out.suffix not in KINDS[:-1]:
        raise MinnowError(f"-o is {chosen.out!r}: the file's name must end in {', '.join(KINDS[:-1])}.")
    if (
        ref.kind == "vector"
        or not (chosen.policy or player)
        or not 0 <= seconds <= 600
        or not 16 <= chosen.width <= 4096
    ):
        raise MinnowError(
            f"{ref}: give --policy FILE.minnow, --seconds 0 to 600 and --width 16 to 4096, of gym: or pettingzoo:."
        )
    player, spec = player or FilePlayer(cinfer.load(chosen.policy)), envs.spec(ref)
    params = flags.changed(spec, chosen.env)
    vector = ForeignVector(ref, 1, seed=EVALUATION | chosen.seed, params=params, render=True)
    buffers = vector.buffers()
    vector.reset(buffers)
    player.begin(vector.rows, chosen.seed)
    first = vector.picture()
    scale = max(1, chosen.width // first.shape[1])  # some draw a pixel a cell
    height, width = (side * scale // 2 * 2 for side in first.shape[:2])
    count = max(1, round(seconds * spec.tick_rate))

    def pictures() -> Iterator[np.ndarray]:
        for _ in range(count):
            mask = buffers.mask if spec.masked else None
            buffers.action[:] = player.act(buffers.obs, mask, buffers.reset, buffers.alive)
            vector.step(buffers)
            yield vector.picture().repeat(scale, 0).repeat(scale, 1)[:height, :width]

    write(out, pictures(), (width, height), spec.tick_rate)
    told = {"file": str(out), "bytes": out.stat().st_size, "pictures": 1 if out.suffix == ".png" else count}
    print(json.dumps(told) if chosen.json else f"wrote {out}: {told['pictures']} pictures")
    return 0


def opened(place: Path, policy: bytes | None, seed: int, params: dict[str, float]) -> Game:
    """A game with these parameters. What the world is made of, such as its size, counts from the episode after the
    first one, which is played out here."""
    from minnow.web.game import Game

    game = Game(place, policy, seed=seed)
    for name, value in params.items():
        game.event(0, game.spec.index(name), value=value)  # ENV_EVENT_PARAM
    if any(game.spec.param[game.spec.index(name)].kind == "world" for name in params):
        _play(game, 1)
    return game


def _play(game: Game, episodes: int) -> None:
    """Until so many have ended since the start. Raises MinnowError where they do not."""
    while game.episodes < episodes:
        if game.ticks >= LONGEST:
            raise MinnowError(
                f"{game.spec.name}: only {game.episodes} of {episodes} episodes ended within {LONGEST:,} ticks: ask "
                "for fewer, by --episodes, or for --seconds."
            )
        game.tick()


def _replay(game: Game, chosen: Flags, ticks: int) -> int:
    """Plays on for so many ticks, or episodes, and writes all that was played."""
    from minnow.web import replay

    begun, out = game.episodes, Path(chosen.out)
    game.tick(round(chosen.skip * game.spec.tick_rate))
    _play(game, begun + chosen.episodes)
    game.tick(0 if chosen.episodes else max(1, ticks))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(replay.encode(replay.of(game)))
    told = {"file": str(out), "bytes": out.stat().st_size, "ticks": game.ticks, "episodes": game.episodes - begun}
    words = "wrote {file}: {episodes} episodes in {ticks} ticks, {bytes} bytes".format(**told)
    print(json.dumps(told | {"score": game.score()}) if chosen.json else words)
    return 0


def policy_of(env: str | Path, policy: str) -> bytes | None:
    """The bytes of the policy that is asked for, the one the game comes with by default; None for the script."""
    path = Path(policy) if policy else shipped.policy(env)
    if policy == "none" or path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise MinnowError(f"cannot read {path}: {error.strerror}.") from None


def write(out: Path, pictures: Iterator[np.ndarray], size: tuple[int, int], rate: float) -> None:
    """One file of pictures u8 [height][width][3], `rate` a second."""
    if out.suffix == ".mp4":
        form = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{size[0]}x{size[1]}", "-r", f"{rate:g}", "-i", "-"]
        command = [
            "ffmpeg",
            "-loglevel",
            "error",
            "-y",
            *form,
            "-pix_fmt",
            "yuv420p",
            "-movflags",
            "+faststart",
            str(out),
        ]
        done = subprocess.run(command, input=b"".join(p.tobytes() for p in pictures), capture_output=True)
        if done.returncode:
            raise MinnowError(f"ffmpeg failed: {done.stderr.decode(errors='replace').strip()[-1000:]}")
        return
    try:
        from PIL import Image
    except ImportError:
        raise missing("Pillow", "record") from None
    frames = [Image.fromarray(picture) for picture in pictures]
    if out.suffix == ".png":
        frames[-1].save(out)
        return
    palette = frames[-1].quantize(128)  # one for all, so that nothing flickers
    small = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    # GIF counts in hundredths of a second: what rounding takes from one picture the next ones get.
    ends = [round(100 * (i + 1) / rate) for i in range(len(small))]
    lengths = [10 * (end - begin) for begin, end in zip([0, *ends], ends, strict=False)]
    small[0].save(out, save_all=True, append_images=small[1:], duration=lengths, loop=0, optimize=True)
