"""What every verb does alike: whatever the system refuses is told in words, on any terminal."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sure import sure

from minnow.cli.main import main
from minnow.train import config as configs

ROOT = Path(__file__).resolve().parent.parent
MINNOW = [sys.executable, "-m", "minnow.cli.main"]


def a_run(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(configs.dump(configs.defaults("pong"), {"score_mean": 1.0, "score_ci95": 0.5}))
    (folder / "metrics.jsonl").write_text('{"steps": 1000, "seconds": 1.0, "score_mean": 1.0}\n')
    return folder


@pytest.mark.parametrize(
    "argv",
    [
        ["plot", "{run}", "-o", "file/x.png"],
        ["plot", "{run}", "-o", "file/x.html"],
        ["plot", "{run}", "-o", "folder.png"],
        ["sweep", "cartpole", "--trials", "1"],
        ["sweep", "cartpole", "--storage", "file/x.journal"],
        ["sweep", "cartpole", "--storage", "folder.png"],
        ["train", "cartpole", "--steps", "2048"],
        ["train", "cartpole", "--config", "folder.png"],
        ["record", "pong", "-o", "file/x.gif", "--seconds", "0.1"],
        ["verify", "folder.png"],
        ["inspect", "file/x.minnow"],
    ],
    ids=" ".join,
)
def test_what_cannot_be_used_is_named(
    argv: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where a folder is a file, or a file a folder; nobody may write there, not even the superuser."""
    monkeypatch.chdir(tmp_path)
    for name in ("file", "runs"):
        (tmp_path / name).write_text("")
    (tmp_path / "folder.png").mkdir()
    run = a_run(tmp_path / "elsewhere" / "a")
    assert main([word.format(run=run) for word in argv]) == 1
    words = capsys.readouterr().err
    assert words.startswith("minnow: error: ") and any(name in words for name in ("file", "runs", "folder.png")), words


@pytest.mark.parametrize(
    "refusal", [OSError(5, "Input/output error"), PermissionError(13, "Permission denied", "/a"), OSError("odd")]
)
def test_every_refusal_is_words(
    refusal: OSError, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from minnow.cli import envs as verb

    def refuse(argv: list[str]) -> int:
        raise refusal

    monkeypatch.setattr(verb, "main", refuse)
    assert main(["envs"]) == 1
    words = capsys.readouterr().err
    assert words.startswith("minnow: error: ") and (refusal.strerror or "odd") in words
    assert refusal.filename is None or refusal.filename in words


def test_text_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    run = a_run(tmp_path / "a")
    (run / "config.toml").write_bytes(b"\xff\xfe")
    assert main(["plot", str(run)]) == 1
    assert "minnow: error: " in capsys.readouterr().err


def test_a_terminal_that_knows_ascii_only(tmp_path: Path) -> None:
    """Tables with a score and its interval, and words of ours that are not ASCII."""
    a_run(tmp_path / "runs" / "pong" / "a")
    ascii_only = os.environ | {"PYTHONIOENCODING": "ascii", "LANG": "C", "LC_ALL": "C"}
    script = "import sys; from minnow.cli.main import main, plain; plain(); print('5 ± 1 × 2 → ü'); sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", script, "runs"], cwd=tmp_path, env=ascii_only, capture_output=True, text=True
    )
    assert done.returncode == 0 and not done.stderr
    assert done.stdout.splitlines()[0] == "5 +- 1 x 2 -> ?" and "+1.00 +- 0.50" in done.stdout


def test_a_reader_that_goes_ends_it_in_silence() -> None:
    process = subprocess.Popen([*MINNOW, "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    sure(process.stdout).close()
    assert sure(process.stderr).read() == b"" and process.wait() == 141


def test_words_for_a_stream_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(sys, "stderr", Gone())
    assert main(["nonsense"]) == 1


def test_files_are_utf_8_whatever_the_terminal(tmp_path: Path) -> None:
    """A person's comment in a configuration is read, and written back as it was, also where Python takes files for
    ASCII."""
    config = tmp_path / "config.toml"
    config.write_text("# größer ± 1\n" + configs.dump(configs.defaults("pong")), "utf-8")
    script = (
        "import sys; from pathlib import Path; from minnow.train import config; from minnow.cli import plot\n"
        "path = Path(sys.argv[1]); config.load(path); print(ascii(path.open().encoding))"
    )
    narrow = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run([sys.executable, "-c", script, str(config)], env=narrow, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "utf" not in done.stdout.lower(), "the test's own locale is one of UTF-8"
    for path in (ROOT / folder for folder in ("cinfer", "envs", "train", "export", "web", "cli")):
        for source in path.rglob("*.py"):
            loose = [line for line in source.read_text("utf-8").splitlines() if ".read_text()" in line]
            assert all("/proc/" in line for line in loose), f"{source}: say in which encoding: {loose}"
