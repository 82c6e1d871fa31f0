"""`minnow verify` agrees with what is right, and sees what is wrong."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path

import pytest
import torch
from sure import sure
from torch import nn

from minnow import web
from minnow.cli.main import main
from minnow.export import Discrete, export, files, format, parity


class Policy(nn.Module):
    """Equal shapes in several places, so that tensors can be swapped; memory, so that resets matter."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(8, 8), nn.Linear(8, 8)
        self.lstm, self.logits, self.value = nn.LSTM(8, 8), nn.Linear(8, 3), nn.Linear(8, 1)

    def forward(self, obs, state):
        x = nn.functional.gelu(self.second(torch.tanh(self.first(obs))))
        y, state = self.lstm(x.unsqueeze(0), state)
        return self.logits(y[0]), self.value(y[0]), state


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("verify") / "policy.minnow"
    state = torch.zeros(1, 2, 8), torch.zeros(1, 2, 8)
    export(Policy().eval(), torch.randn(2, 8), path, example_state=state, action=Discrete(3))
    return path


@pytest.fixture
def policy(original, tmp_path) -> Path:
    """A copy to spoil, with all that belongs to it."""
    for path in original.parent.iterdir():
        shutil.copy(path, tmp_path)
    return tmp_path / original.name


def verify(capsys, *args) -> tuple[int, dict]:
    """The exit status, and the one JSON object on standard output."""
    capsys.readouterr()
    status = main(["verify", *map(str, args), "--json"])
    return status, json.loads(capsys.readouterr().out)


def rebind(policy: Path) -> None:
    """Has the parity file and the ONNX model say that they belong to the spoilt file."""
    import onnx

    reference = parity.Reference.load(parity.beside(policy))
    reference.sha256 = parity.sha256(policy.read_bytes())
    reference.save(parity.beside(policy))
    model = onnx.load(policy.with_suffix(".onnx"))
    for item in model.metadata_props:
        if item.key == "policy_sha256":
            item.value = reference.sha256
    onnx.save(model, policy.with_suffix(".onnx"))


def places(data: bytes) -> dict[str, tuple[int, int]]:
    """Offset and bytes of each tensor, by name."""
    sections = {}
    for i in range(12):
        tag, _, offset, size = struct.unpack_from("<4sIQQ", data, 32 + 24 * i)
        sections[tag.decode()] = data[offset : offset + size]
    found = {}
    for name, _, rank, _, *rest in struct.iter_unpack("<IBBH6IQQ", sections["TENS"]):
        text = sections["STRS"][name : sections["STRS"].index(0, name)].decode()
        size = 4
        for n in rest[:rank]:
            size *= n
        found[text] = rest[6], size
    return found


def spoil(policy: Path, change) -> None:
    """Changes the bytes and repairs the checksum."""
    data = bytearray(policy.read_bytes())
    change(data)
    format.seal(data)
    policy.write_bytes(data)


def test_a_good_file(policy, capsys):
    status, found = verify(capsys, policy)
    assert status == 0
    assert (found["reference"], found["steps"], found["agents"]) == ("torch", 64, 16)
    for back_end in ("c", "wasm", "onnx"):
        assert 0 <= found[back_end]["max_diff"] <= 1e-5
        assert 0 <= found[back_end]["max_abs_diff"] <= 1e-5
        assert found[back_end]["actions"] == 3 * 64 * 16 and found[back_end]["actions_wrong"] == 0
    assert found["c"] == found["wasm"]  # exact arithmetic


def test_a_run_folder_and_words(policy, capsys):
    assert main(["verify", str(policy.parent)]) == 0
    printed = capsys.readouterr().out
    assert "agrees with torch over 64 steps of 16 agents" in printed
    assert all(name in printed for name in ("c ", "wasm", "onnx"))


@pytest.mark.parametrize("bound", (True, False), ids=("parity bound again", "parity of other bytes"))
def test_a_flipped_sign_bit(policy, capsys, bound):
    """Of one single weight."""

    def flip(data):
        offset, _ = places(bytes(data))["second.weight"]
        data[offset + 4 * 11 + 3] ^= 0x80

    spoil(policy, flip)
    if bound:
        rebind(policy)
    status, found = verify(capsys, policy)
    assert status == 1
    assert found["c"]["max_diff"] > 1e-5 and found["wasm"]["max_diff"] > 1e-5
    assert found["onnx"]["max_diff"] <= 1e-5  # it is a witness of its own
    assert bool(found["notes"]) == (not bound)


@pytest.mark.parametrize("pair", [("first.weight", "second.weight"), ("lstm.weight_ih_l0", "lstm.weight_hh_l0")])
def test_two_tensors_swapped(policy, capsys, pair):
    def swap(data):
        (a, size), (b, _) = (places(bytes(data))[name] for name in pair)
        data[a : a + size], data[b : b + size] = data[b : b + size], data[a : a + size]

    spoil(policy, swap)
    rebind(policy)
    status, found = verify(capsys, policy)
    assert status == 1 and found["c"]["max_diff"] > 1e-5 and found["wasm"]["max_diff"] > 1e-5


def test_golden_vectors_without_the_parity_file(policy, capsys):
    parity.beside(policy).unlink()
    status, found = verify(capsys, policy)
    assert status == 0
    assert found["reference"] == "golden" and found["steps"] >= 2 and found["agents"] >= 1
    assert any("golden vectors" in note for note in found["notes"])


def test_golden_vectors_catch_a_flipped_bit(policy, capsys):
    def flip(data):
        offset, _ = places(bytes(data))["logits.weight"]
        data[offset + 3] ^= 0x80

    parity.beside(policy).unlink()
    spoil(policy, flip)
    status, found = verify(capsys, policy)
    assert status == 1 and found["c"]["max_diff"] > 1e-5


def test_a_file_that_travels_without_its_onnx_model(policy, capsys):
    policy.with_suffix(".onnx").unlink()
    status, found = verify(capsys, policy)
    assert status == 0 and found["onnx"] is None and found["c"]["max_diff"] <= 1e-5
    assert any("policy.onnx is not beside it" in note for note in found["notes"])
    assert main(["verify", str(policy)]) == 0
    assert "onnx  not beside it" in capsys.readouterr().out
    status, found = verify(capsys, policy, "--require", "onnx")
    assert status == 1 and found["onnx"] is None


@pytest.mark.parametrize("name", ["maze", "pong"])
def test_a_shipped_file_alone(capsys, name):
    path = Path(sure(web.__file__)).parent / "policies" / f"{name}.minnow"
    status, found = verify(capsys, path)
    assert status == 0 and found["reference"] == "golden" and found["wasm"] == found["c"]
    assert any(f"{name}.onnx is not beside it" in note for note in found["notes"])


def test_webassembly_without_its_tools(policy, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("MINNOW_CACHE", str(tmp_path / "cache"))
    status, found = verify(capsys, policy)
    assert status == 1 and found["wasm"] is None
    status, found = verify(capsys, policy, "--allow-missing")
    assert found["wasm"] is None and found["onnx"]["max_diff"] <= 1e-5


def test_a_damaged_onnx_model_is_never_excused(policy, capsys):
    policy.with_suffix(".onnx").write_bytes(b"nonsense")
    status, found = verify(capsys, policy, "--allow-missing")
    assert status == 1 and found["onnx"] is None


def test_another_policys_onnx_model(policy, capsys):
    other = policy.parent / "other.minnow"
    export(nn.Linear(8, 3).eval(), torch.zeros(2, 8), other, outputs=("logits",))
    shutil.move(other.with_suffix(".onnx"), policy.with_suffix(".onnx"))
    status, found = verify(capsys, policy)
    assert status == 1 and found["onnx"] is None
    assert any("made with another policy file" in note for note in found["notes"])


def test_a_damaged_parity_file(policy, capsys):
    data = parity.beside(policy).read_bytes()
    files.write(parity.beside(policy), data[: len(data) // 2])
    assert main(["verify", str(policy)]) == 1
    assert "cannot read the parity file" in capsys.readouterr().err


def test_a_damaged_policy_file_has_a_number(policy, capsys):
    data = bytearray(policy.read_bytes())
    data[-1] ^= 1
    policy.write_bytes(data)
    assert main(["verify", str(policy), "--json"]) == 1
    printed = capsys.readouterr()
    assert printed.out == "" and "error 15:" in printed.err


def test_no_such_file(capsys, tmp_path):
    assert main(["verify", str(tmp_path / "none.minnow")]) == 1
    assert "none.minnow" in capsys.readouterr().err
