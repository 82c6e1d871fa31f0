"""The card of an export; weights stored with fewer bits; `minnow inspect`."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch
import yaml
from sure import sure
from torch import nn

from minnow.cinfer import load
from minnow.cli.main import main
from minnow.export import Box, Discrete, ExportError, card, export, format
from minnow.export.verify import verify


class Policy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.lstm = nn.Linear(4, 24), nn.LSTM(24, 24)
        self.logits, self.spare = nn.Linear(24, 3), nn.Linear(2, 2)

    def forward(self, obs, state):
        y, state = self.lstm(torch.relu(self.encoder(obs)).unsqueeze(0), state)
        return self.logits(y[0]), state


META = {
    "name": "tiny",
    "description": "A game: it is played.",
    "environment": "game",
    "source_hash": "ab",
    "steps": 1000,
    "seed": 7,
    "score": 1.5,
    "score_ci95": 0.25,
    "episodes": 200,
    "protocol": "Mean score over 200 whole episodes.",
    "action": [{"name": "move", "labels": ["left", "stay", "right"]}],
}


def exported(path: Path, dtype: str = "f32"):
    torch.manual_seed(0)
    state = torch.zeros(1, 2, 24), torch.zeros(1, 2, 24)
    names = [{"name": name, "low": -1.0, "high": 1.0} for name in ("x", "y", "speed", "angle")]
    return export(
        Policy().eval(),
        torch.randn(2, 4),
        path,
        example_state=state,
        outputs=("logits",),
        action=Discrete(3),
        observation=names,
        meta=META,
        dtype=dtype,
    )


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory):
    return exported(tmp_path_factory.mktemp("card") / "policy.minnow")


def test_json(report) -> None:
    found = json.loads(report.path.with_suffix(".json").read_text())
    assert found == json.loads(json.dumps(report.card)) == card.beside(report.path)
    assert (found["name"], found["sha256"], found["bytes"]) == ("tiny", report.sha256, report.path.stat().st_size)
    assert found["action"]["heads"] == [{"name": "move", "labels": ["left", "stay", "right"], "size": 3}]
    assert [item["name"] for item in found["observation"]] == ["x", "y", "speed", "angle"]
    assert found["score"] == {"mean": 1.5, "ci95": 0.25, "episodes": 200, "protocol": META["protocol"]}
    assert found["provenance"]["seed"] == 7 and found["unused"] == ["spare.bias", "spare.weight"]
    verdict = verify(report.path).to_dict()
    assert all(found["parity"][name] == verdict[name] for name in ("c", "wasm", "onnx"))
    assert 0 < found["speed"]["us"] < 10_000 and found["speed"]["machine"]


def test_markdown(report) -> None:
    text = report.path.with_suffix(".md").read_text()
    _, head, body = text.split("---\n", 2)
    meta = yaml.safe_load(head)
    assert meta["pipeline_tag"] == "reinforcement-learning" and "game" in meta["tags"]
    (result,) = meta["model-index"][0]["results"]
    assert result["dataset"] == {"type": "game", "name": "game"} and result["metrics"][0]["value"] == "1.50 +/- 0.25"
    for words in ("# tiny", "A game: it is played.", "left, stay, right", "| 2 | speed | -1 to 1 |", "200 whole"):
        assert words in body
    for name in ("C", "WebAssembly", "ONNX Runtime"):
        assert f"| {name} | " in body and f"| {name} | could" not in body
    assert report.sha256 in body and "µs in C on" in body and "spare.weight" in body


def test_a_card_of_other_bytes_is_not_shown(report, tmp_path: Path) -> None:
    path = tmp_path / "policy.minnow"
    path.write_bytes(report.path.read_bytes())
    assert card.beside(path) is None
    path.with_suffix(".json").write_text(json.dumps(report.card | {"sha256": "0"}))
    assert card.beside(path) is None


def test_box_and_nothing_known(tmp_path: Path) -> None:
    action = Box([-1, float("-inf")], [1, float("inf")])
    made = export(nn.Linear(4, 2).eval(), torch.zeros(2, 4), tmp_path / "p.minnow", outputs=("mean",), action=action)
    assert made.card["action"]["heads"] == [{"low": -1, "high": 1}, {"low": None, "high": None}]
    text = (tmp_path / "p.md").read_text()
    assert "no bound to no bound" in text and "Not measured." in text and "model-index" not in text


@pytest.mark.parametrize("dtype, least, most", [("f16", 1e-6, 3e-3), ("int8", 1e-4, 0.1)])
def test_weights_with_fewer_bits(report, tmp_path: Path, dtype: str, least: float, most: float) -> None:
    """The parity is that of the rounded network, in every back end; what rounding changed is recorded."""
    small = exported(tmp_path / "small.minnow", dtype)
    assert small.size < report.size * (0.75 if dtype == "f16" else 0.6)
    file = format.read(small.path)
    stored = dict(zip(file.graph.tensor_names, file.dtypes, strict=True))
    assert stored["lstm.weight_hh_l0"] == dtype and stored["lstm.bias_hh_l0"] == "f32"
    assert small.c.max_diff <= 1e-5 and verify(small.path).passed()
    assert least < sure(small.rounding)["max_diff"] < most
    assert file.meta["rounding"] == small.rounding == small.card["weights"]["rounding"]
    assert file.meta["weights"] == dtype and "from the unrounded network" in small.line()
    plain = load(report.path).session().step(torch.ones(4).numpy()).logits
    rounded = load(small.path).session().step(torch.ones(4).numpy()).logits
    assert 0 < abs(sure(plain) - sure(rounded)).max() < most * 10


def test_unknown_dtype(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="dtype is 'f8': it must be one of f32, f16, int8"):
        exported(tmp_path / "p.minnow", "f8")
    assert not list(tmp_path.iterdir())


def test_inspect(report, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    picture = tmp_path / "graph.svg"
    assert main(["inspect", str(report.path), "--json", "--graph", str(picture)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [op["operation"] for op in found["operations"]] == report.operations
    lstm = next(op for op in found["operations"] if op["operation"] == "lstm")
    assert lstm["parameters"] == 4 * 24 * (24 + 24 + 2) and "test_export_card.py" in lstm["source"]
    assert found["parameters"] == report.parameters and found["golden"] <= 1e-5
    assert found["parity"] == report.card["parity"] and found["meta"]["steps"] == 1000
    assert [(item["name"], item["shape"]) for item in found["states"]] == [("0", [1, 24]), ("1", [1, 24])]
    assert main(["inspect", str(report.path)]) == 0
    printed = capsys.readouterr().out
    for words in ("lstm", "4,800", "Discrete(n=3)", "parity, wasm", "source_hash", report.sha256):
        assert words in printed
    boxes = ElementTree.parse(picture).getroot().iterfind(".//{*}g/{*}rect")
    assert len(list(boxes)) == 1 + 2 + len(report.operations) + 1 + 2


def test_inspect_of_rounded_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = exported(tmp_path / "policy.minnow", "int8")
    small.path.with_suffix(".json").unlink()
    assert main(["inspect", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert f"int8, {sure(small.rounding)['max_diff']:.1e} from the unrounded network" in printed
    assert "not recorded beside this file" in printed


def test_no_boxes_overlap(report) -> None:
    from minnow.export import graphic

    drawn = ElementTree.fromstring(graphic.svg(format.read(report.path), "a < b"))
    places = [
        tuple(float(sure(box.get(key))) for key in ("x", "y", "width", "height"))
        for box in drawn.iterfind(".//{*}g/{*}rect")
    ]
    across, down = (float(sure(drawn.get(key))) for key in ("width", "height"))
    for i, (x, y, width, height) in enumerate(places):
        assert x >= 0 and x + width <= across and y + height <= down
        assert not any(abs(x - u) < width and abs(y - v) < height for u, v, *_ in places[:i])


def test_inspect_refuses_what_is_no_policy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "p.minnow").write_bytes(b"nonsense")
    assert main(["inspect", str(tmp_path / "p.minnow")]) == 1
    assert "error 11:" in capsys.readouterr().err
