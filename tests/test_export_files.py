"""What an export writes: policy file, ONNX twin, parity file, C header."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from typing import Any, cast

import numpy as np
import onnx
import pytest
import torch
from sure import sure
from torch import nn

from minnow.cinfer import compile
from minnow.cinfer.errors import MinnowError
from minnow.export import Box, Discrete, ExportError, MultiDiscrete, export, format, parity
from minnow.export.backends import run_onnx
from minnow.export.header import header, identifier
from minnow.export.parity import Reference


class Policy(nn.Module):
    """An LSTM with logits and value; the state is a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.lstm = nn.Linear(4, 8), nn.LSTM(8, 8)
        self.logits, self.value = nn.Linear(8, 5), nn.Linear(8, 1)
        self.spare = nn.Linear(2, 2)

    def forward(self, obs, state):
        x = torch.relu(self.encoder(obs))
        y, (h, c) = self.lstm(x.unsqueeze(0), (state["h"], state["c"]))
        y = y.squeeze(0)
        return self.logits(y), self.value(y), {"h": h, "c": c}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The report of one export."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("export") / "policy.minnow"
    return export(
        Policy().eval(),
        torch.zeros(2, 4),
        path,
        example_state={name: torch.zeros(1, 2, 8) for name in "hc"},
        action=MultiDiscrete([3, 2]),
        observation=["a", "b", "c", "d"],
        meta={"environment": "test", "seed": 7},
    )


def test_report(exported):
    assert exported.path.exists() and exported.onnx.exists() and exported.parity.exists()
    assert exported.size == exported.path.stat().st_size
    assert exported.parameters == sum(p.numel() for name, p in Policy().named_parameters() if "spare" not in name)
    assert exported.unused == ["spare.bias", "spare.weight"]
    assert exported.c.max_diff <= parity.LIMIT
    assert "spare.bias" in exported.line()
    assert not list(exported.path.parent.glob(".*"))  # nothing half-written is left


def test_policy_file(exported):
    file = format.read(exported.path)
    assert file.action == MultiDiscrete([3, 2])
    assert file.meta["observation"] == ["a", "b", "c", "d"]
    assert (file.meta["environment"], file.meta["seed"], file.meta["name"]) == ("test", 7, "policy")
    assert [(state.name, state.axis) for state in file.graph.states] == [("h", 1), ("c", 1)]
    assert any("test_export_files.py" in op.source for op in file.graph.ops)
    assert not any("/tests/test_export_files.py" in op.source.removeprefix("tests") for op in file.graph.ops)
    assert file.golden.inputs[0].shape[0] >= 2


def test_parity_file(exported):
    reference = Reference.load(exported.parity)
    assert (reference.steps, reference.agents) == (64, 16)
    assert reference.sha256 == parity.sha256(exported.path.read_bytes()) == exported.sha256
    assert reference.reset[0].sum() == 0 and 0 < reference.reset.sum() < reference.reset.size / 4
    reset = sure(format.read(exported.path).golden.reset)
    assert reset[1:].any() and not reset[1:].all()
    assert {name: item.shape for name, item in reference.states.items()} == {"h": (64, 16, 1, 8), "c": (64, 16, 1, 8)}


def test_resets_show_in_the_reference(exported):
    """Leaving one reset out moves the outputs far beyond the limit."""
    reference = Reference.load(exported.parity)
    reset = reference.reset.copy()
    step, agent = np.argwhere(reset)[0]
    reset[step, agent] = 0
    late = replace(reference, reset=reset)
    assert parity.difference(run_onnx(exported.onnx, reference), reference).max_diff <= parity.LIMIT
    assert parity.difference(run_onnx(exported.onnx, late), reference).max_diff > 1000 * parity.LIMIT


def test_onnx_model(exported):
    model = onnx.load(exported.onnx)
    onnx.checker.check_model(model, full_check=True)
    shapes = {
        item.name: [dim.dim_param or dim.dim_value for dim in item.type.tensor_type.shape.dim]
        for item in (*model.graph.input, *model.graph.output)
    }
    assert shapes == {
        "obs": ["agents", 4],
        "state.h": [1, "agents", 8],
        "state.c": [1, "agents", 8],
        "logits": ["agents", 5],
        "value": ["agents", 1],
        "next_state.h": [1, "agents", 8],
        "next_state.c": [1, "agents", 8],
    }
    properties = {item.key: item.value for item in model.metadata_props}
    assert properties["policy_sha256"] == exported.sha256
    assert json.loads(properties["observation"]) == ["a", "b", "c", "d"]
    assert properties["environment"] == "test"


class Passing(nn.Module):
    """Outputs that are inputs, the same output twice, and states that take each other's places."""

    def forward(self, obs, state):
        return obs, obs, (state[1], state[0] + 1)


def test_onnx_of_values_that_are_inputs_and_outputs_at_once(tmp_path):
    state = torch.zeros(2, 3), torch.ones(2, 3)
    report = export(Passing(), torch.zeros(2, 4), tmp_path / "p.minnow", example_state=state, outputs=("a", "b"))
    reference = Reference.load(report.parity)
    assert parity.difference(run_onnx(sure(report.onnx), reference), reference).max_diff == 0


PROGRAM = """
#include <stdio.h>
#include <stdlib.h>
#define MINNOW_IMPLEMENTATION
#include "minnow.h"
#include "small.h"

int main(void)
{
    minnow_error error;
    size_t need = minnow_size(small_policy, small_policy_size, &error);
    const minnow_policy *policy = minnow_load(small_policy, small_policy_size, malloc(need), need, &error);
    if (!policy || (size_t)small_policy % 64 != 0)
        return 1;
    need = minnow_session_size(policy, 1, 0);
    minnow_session *session = minnow_session_init(policy, 1, 0, 0, malloc(need), need, &error);
    const float obs[4] = {0.5f, -1.0f, 2.0f, 0.25f};
    if (!session || minnow_step(session, obs, NULL) != MINNOW_OK)
        return 2;
    for (int i = 0; i < 5; i++)
        printf("%.9g ", (double)minnow_result(session, 0)[i]);
    return 0;
}
"""


def test_header_compiles_and_runs(exported, tmp_path):
    """In C99, C11 and C++, warnings as errors; the program prints the logits that torch computes."""
    (tmp_path / "small.h").write_text(header(exported.path.read_bytes(), "small_policy", "small.h", "a policy"))
    source = tmp_path / "main.c"
    source.write_text(PROGRAM)
    flags = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]
    program = compile.program([source], include=[compile.HERE, tmp_path], flags=flags, name="header")
    printed = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    torch.manual_seed(0)
    policy = Policy().eval()
    with torch.no_grad():
        state = {name: torch.zeros(1, 1, 8) for name in "hc"}
        logits = policy(torch.tensor([[0.5, -1.0, 2.0, 0.25]]), state)[0].flatten().tolist()
    np.testing.assert_allclose([float(word) for word in printed.split()], logits, atol=1e-6)
    only = tmp_path / "only.c"
    only.write_text(
        '#include "small.h"\nconst unsigned char *bytes(void);\n'
        "const unsigned char *bytes(void) { return small_policy_size ? small_policy : 0; }\n"
    )
    for standard in (["gcc", "-std=c99"], ["gcc", "-std=c11"], ["g++", "-std=c++11", "-x", "c++"]):
        subprocess.run([*standard, *flags, "-c", only, "-o", tmp_path / "only.o"], check=True)


@pytest.mark.parametrize("stem, name", [("pong", "pong_policy"), ("policy", "policy"), ("2-x", "_2_x_policy")])
def test_names_of_arrays(stem, name):
    assert identifier(stem) == name
    assert f"static const unsigned char {name}[3]" in header(b"abc", name, "x.h")


def test_impossible_array_name():
    with pytest.raises(ExportError, match="'a b' cannot be the name of a C array"):
        header(b"", "a b", "x.h")


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Discrete(0), "Discrete: .0. choices"),
        (lambda: MultiDiscrete([3, -1]), "MultiDiscrete: .3, -1. choices"),
        (lambda: Box([0, 0], [1]), "2 low and 1 high bounds"),
        (lambda: Box([1], [0]), "bounds 1 .. 0: low must be less"),
        (lambda: Box([0], [float("inf")], squash="tanh"), "both finite"),
        (lambda: Box([0], [1], squash=cast(Any, "sin")), "squash is 'sin'"),
    ],
)
def test_bad_actions(make, message):
    with pytest.raises(ExportError, match=message):
        make()


def test_action_must_fit_the_outputs(tmp_path):
    with pytest.raises(ExportError, match="needs 7 numbers, output 'logits' differs"):
        export(nn.Linear(4, 5), torch.zeros(2, 4), tmp_path / "p.minnow", outputs=("logits",), action=Discrete(7))
    assert not list(tmp_path.iterdir())


def test_numbers_that_are_not_finite(tmp_path):
    module = nn.Linear(4, 5)
    module.weight.data[2, 1] = float("nan")
    with pytest.raises(ExportError, match="'weight' holds a NaN"):
        export(module, torch.zeros(2, 4), tmp_path / "p.minnow", outputs=("out",))
    assert not list(tmp_path.iterdir())


def test_full_disk(tmp_path, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(MinnowError, match=r"cannot write .*\.onnx: No space left on device"):
        export(nn.Linear(4, 5), torch.zeros(2, 4), tmp_path / "p.minnow", outputs=("out",))
    assert not list(tmp_path.iterdir())
