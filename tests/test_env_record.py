"""`minnow record`: pictures and films of games, without a window."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from each import few
from PIL import Image
from PIL.GifImagePlugin import GifImageFile

from minnow import envs
from minnow.cli.main import main
from minnow.envs.raster import Raster
from minnow.envs.shapes import Camera, Circle, Line, Polygon, Rect, Text


def test_shapes_land_where_they_belong() -> None:
    """A world 20 x 10 in 200 x 100 pixels: each kind colours its own place, and no other."""
    raster = Raster(200, 100, (20.0, 10.0))
    red, blue = 0xFF0000FF, 0x0000FFFF
    blues = Rect(blue, 0, 10, 5, 20, 10, 0, 0)
    for drawn, inside, outside in (
        (Rect(red, 0, 5, 5, 4, 2, 0, 0), [(50, 50), (69, 59), (31, 41)], [(50, 65), (75, 50)]),
        (Rect(red, 0, 5, 5, 4, 2, np.pi / 2, 0), [(50, 50), (50, 68)], [(65, 50)]),
        (Circle(red, 0, 10, 5, 2), [(100, 50), (118, 50), (100, 68)], [(117, 67)]),
        (Line(red, 0, 2, 2, 18, 2, 1), [(20, 20), (180, 20), (100, 23)], [(100, 30)]),
        (Polygon(red, 0, ((2, 2), (8, 2), (2, 8))), [(25, 25), (40, 25)], [(75, 75)]),
    ):
        picture = raster.draw([blues, drawn])
        assert picture.shape == (100, 200, 3) and picture.dtype == np.uint8
        for x, y in inside:
            assert picture[y, x].tolist() == [255, 0, 0], (drawn, x, y)
        for x, y in outside:
            assert picture[y, x].tolist() == [0, 0, 255], (drawn, x, y)
    half = raster.draw([blues, Rect(0xFF000080, 0, 10, 5, 4, 4, 0, 0)])[50, 100]
    assert 120 <= half[0] <= 136 and 119 <= half[2] <= 135
    words = raster.draw([Text(red, 0, 10, 5, 3, 0, "88")])
    ys, xs = np.nonzero(words[:, :, 0] > 128)
    assert abs(xs.mean() - 100) < 3 and abs(ys.mean() - 50) < 4 and 12 < np.ptp(ys) < 32
    near = raster.draw([Camera(0, 0, 5, 5, 4, 2), Rect(red, 0, 5, 5, 4, 2, 0, 0)])
    assert (near == [255, 0, 0]).all()


@few
def test_a_picture_of_each(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "one.png"
    assert main(["record", name, "-o", str(out), "--seconds", "2", "--width", "200", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["pictures"] == 1 and told["bytes"] == out.stat().st_size
    picture, spec = np.asarray(Image.open(out).convert("RGB")), envs.spec(name)
    assert picture.shape[:2] == (round(200 * spec.view_height / spec.view_width / 2) * 2, 200)
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 4


def test_a_film_moves_and_repeats(tmp_path: Path) -> None:
    def film(*options: str) -> tuple[bytes, GifImageFile]:
        out = tmp_path / "film.gif"
        assert main(["record", "pong", "-o", str(out), "--seconds", "1", "--width", "120", *options]) == 0
        return out.read_bytes(), GifImageFile(out)

    once, opened = film()
    assert opened.n_frames > 20
    opened.seek(0)
    first = np.asarray(opened.convert("RGB"))
    opened.seek(opened.n_frames - 1)
    assert (np.asarray(opened.convert("RGB")) != first).any()
    assert film()[0] == once != film("--seed", "2")[0]
    assert film("--policy", "none")[0] != once


@pytest.mark.parametrize(("fps", "pictures"), [(30, 60), (7, 14), (120, 60)])
def test_a_gif_runs_at_the_games_own_speed(fps: int, pictures: int, tmp_path: Path) -> None:
    """GIF counts in hundredths of a second, and browsers take pictures of less than two for slow ones."""
    out = tmp_path / "film.gif"
    assert main(["record", "pong", "-o", str(out), "--seconds", "2", "--width", "64", "--fps", str(fps)]) == 0
    opened, lengths = GifImageFile(out), []
    for frame in range(opened.n_frames):
        opened.seek(frame)
        lengths.append(opened.info["duration"])
    ticks = round(envs.spec("pong").tick_rate / min(fps, 30))
    assert abs(sum(lengths) - 2000) <= 1000 * ticks / envs.spec("pong").tick_rate / 2 + 10
    assert min(lengths) >= 20 and len(lengths) <= pictures


def test_a_film_for_everybody_s_players(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "film.mp4"
    assert main(["record", "cartpole", "-o", str(out), "--seconds", "1", "--width", "121", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["pictures"] == 25
    probe = [
        "ffprobe",
        "-v",
        "error",
        "-count_frames",
        "-show_entries",
        "stream=width,nb_read_frames",
        "-of",
        "csv=p=0",
    ]
    done = subprocess.run([*probe, str(out)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "120,25"


@pytest.mark.parametrize(
    "argv, words",
    [
        (["pong"], "name must end in"),
        (["pong", "-o", "x.bmp"], "name must end in"),
        (["pong", "-o", "x.gif", "--width", "7"], "--width is 7"),
        (["pong", "-o", "x.gif", "--policy", "none.minnow"], "cannot read none.minnow"),
        (["pong", "-o", "/nowhere/x.gif", "--seconds", "0.1"], "cannot write /nowhere/x.gif"),
        (["pnog", "-o", "x.gif"], "did you mean pong"),
    ],
)
def test_mistakes_are_named(argv: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["record", *argv]) == 1
    assert words in capsys.readouterr().err


def test_a_film_without_ffmpeg_is_refused_in_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["record", "pong", "-o", "x.mp4"]) == 1
    assert "apt-get install ffmpeg" in capsys.readouterr().err
