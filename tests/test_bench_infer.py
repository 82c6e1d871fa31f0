"""`minnow bench infer`: that it measures what it says. No speed is judged here."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from minnow import cinfer
from minnow.cli import main


def bench(*argv: str) -> list[dict[str, Any]]:
    """In a process of its own: one that holds the tests' browser may not open another."""
    command = [sys.executable, "-m", "minnow.cli.main", "bench", *argv, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


KEYS = ["net", "agents", "backend", "host", "isa", "mode", "us", "gflops", "limit_us", "ratio_to_limit"]


def test_infer_measures(tmp_path: Path) -> None:
    """Every back end that needs no network; each is compared with torch before it is timed."""
    quick = ["--rounds", "1", "--batch", "0.0002", "--net", "a", "--agents", "1,3"]
    picture = tmp_path / "bench.svg"
    backends = ["--backend", "minnow,onnxruntime,torch", "--plot", str(picture)]
    rows = bench("infer", *quick, *backends)
    isas, modes = cinfer.isas(), ("fast", "exact")
    expected = {("minnow", "native", isa, mode) for isa in isas for mode in modes}
    expected |= {("minnow", host, "simd128", mode) for host in ("node", "chromium") for mode in modes}
    expected |= {(name, "native", isas[-1], "fast") for name in ("onnxruntime", "torch")}
    for agents in (1, 3):
        here = [row for row in rows if row["agents"] == agents]
        assert {(row["backend"], row["host"], row["isa"], row["mode"]) for row in here} == expected
        assert len(here) == len(expected)
    multiply_adds = 42 * 256 + 256 * 256 + 256 * 8
    weights = multiply_adds + 256 + 256 + 8
    for row in rows:
        assert set(KEYS) <= set(row)
        numbers = [value for value in row.values() if isinstance(value, float)]
        assert all(math.isfinite(value) and value > 0 for value in numbers)
        flops = 2 * multiply_adds * row["agents"]
        limit = max(flops / row["limit_gflops"], 4 * weights / row["limit_gbytes"]) / 1e3
        assert row["limit_us"] == pytest.approx(limit, rel=2e-3)
        assert row["gflops"] == pytest.approx(flops / row["us"] / 1e3, rel=2e-3)
        assert row["ratio_to_limit"] == pytest.approx(row["limit_us"] / row["us"], rel=2e-3)
        assert row["ratio_to_limit"] < 4  # far beyond it would be a fault of the limit
    words = " ".join(ElementTree.parse(picture).getroot().itertext())
    assert "net a, 3 agents" in words
    assert all(f"minnow, {isa}, fast" in words for isa in isas)


def test_infer_knows_the_costs() -> None:
    """The networks' costs, by hand."""
    from minnow.bench.infer import nets

    lstm = 4 * 128 * 256
    expected = {
        "b": 42 * 128 + lstm + 128 * 9,
        "c": 9 * (8 * 25 * 32) + 32 * 9 * 32 + 32 * 128 + lstm + 128 * 7,
        "d": 42 * 128 + 4 * 128 * 3 * 128 + 128 * 9,
    }
    for name, multiply_adds in expected.items():
        assert nets.flops(nets.KINDS[name]()) == 2 * multiply_adds


@pytest.mark.parametrize(
    "argv, words",
    [
        (["--net", "e"], "known: a, b, c, d"),
        (["--backend", "onnxruntim"], "did you mean onnxruntime"),
        (["--agents", "0"], "expected numbers from 1 on"),
        (["--agents", "many"], "expected numbers from 1 on"),
        (["--backend", "torch", "--host", "node"], "nothing is left to measure"),
    ],
)
def test_infer_names_mistakes(argv: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["bench", "infer", *argv]) == 1
    assert words in capsys.readouterr().err


def test_infer_says_when_npm_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MINNOW_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main.main(["bench", "infer", "--backend", "onnxruntime-web", "--host", "node"]) == 1
    assert "npm was not found" in capsys.readouterr().err


def test_load_measures() -> None:
    """In every host; each loads and steps, or the measurement fails."""
    rows = bench("load", "--rounds", "1", "--net", "a")
    assert [(row["host"], row["net"]) for row in rows] == [(host, "a") for host in ("native", "node", "chromium")]
    assert all(0 < row["ms"] < 60_000 for row in rows)
