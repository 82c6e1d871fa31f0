"""The limit of parity for networks that magnify rounding: as wide as torch's own disagreement with itself, no wider."""

from __future__ import annotations

import json

import pytest
import safetensors.numpy
import torch
from sure import sure
from torch import nn

from minnow.cli.main import main
from minnow.export import ExportError, export, format, parity
from minnow.export.backends import run_c
from minnow.export.parity import Reference
from minnow.export.verify import verify


class Echo(nn.Module):
    """Forgets nothing: what a step rounds, the next ones magnify by about `gain`."""

    def __init__(self, gain: float) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.obs, self.state = nn.Linear(4, 32), nn.Linear(32, 32)
        self.logits = nn.Linear(32, 3)
        with torch.no_grad():
            self.state.weight.copy_(nn.init.orthogonal_(torch.empty(32, 32)) * gain)

    def forward(self, obs, state):
        after = torch.tanh(0.1 * self.obs(obs) + self.state(state))
        return self.logits(after), after


def exported(gain: float, path):
    return export(Echo(gain).eval(), torch.zeros(2, 4), path, example_state=torch.zeros(2, 32), outputs=("logits",))


def test_other_networks_keep_the_limit(tmp_path):
    report = exported(0.9, tmp_path / "p.minnow")
    assert Reference.load(report.parity).limit == parity.LIMIT == report.card["parity"]["limit"]


def test_a_network_that_magnifies_rounding_is_exported(tmp_path, capsys):
    report = exported(1.6, tmp_path / "p.minnow")
    limit = Reference.load(report.parity).limit
    assert parity.LIMIT < limit <= 1e-3 and report.card["parity"]["limit"] == limit
    assert main(["verify", str(report.path)]) == 0
    assert f"up to {limit:.1g} is agreement" in capsys.readouterr().out
    assert main(["verify", str(report.path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["limit"] == limit
    assert f"up to {limit:.1g} is agreement" in report.path.with_suffix(".md").read_text()


def test_a_fault_in_it_is_seen(tmp_path):
    """One weight of a thousand off by a thousandth."""
    report = exported(1.6, tmp_path / "p.minnow")
    file = format.read(report.path)
    weights = max(file.graph.tensors, key=lambda tensor: tensor.size)
    weights.flat[7] *= 1.001
    data = format.write(file.graph, None, action=None, meta=file.meta, golden=file.golden)
    reference = Reference.load(report.parity)
    found = parity.difference(run_c(data, reference), reference)
    assert found.limit == reference.limit and not found.passed


def test_chaos_is_refused(tmp_path):
    """Where torch does not agree with itself at all, nothing can be proved."""
    with pytest.raises(ExportError, match="nothing could be proved, and no file was written"):
        exported(40.0, tmp_path / "p.minnow")
    assert list(tmp_path.iterdir()) == []


def test_what_chaos_leaves_is_compared(tmp_path, capsys):
    """Steps at which torch no longer agrees with itself are left out, and said to be; a fault shows in the others."""
    report = exported(4.0, tmp_path / "p.minnow")
    reference = Reference.load(report.parity)
    assert 0.5 < reference.decided < 1 and reference.limit <= 1e-3
    assert main(["verify", str(report.path)]) == 0
    assert "torch does not agree with itself" in capsys.readouterr().out
    file = format.read(report.path)
    max(file.graph.tensors, key=lambda tensor: tensor.size).flat[7] *= 1.01
    data = format.write(file.graph, None, action=None, meta=file.meta, golden=file.golden)
    assert not parity.difference(run_c(data, reference), reference).passed


@pytest.mark.parametrize("limit", [None, 3e-4])
def test_a_parity_file_of_format_1(tmp_path, limit):
    """It had one limit for all, or none, and no actions."""
    report = exported(0.9, tmp_path / "p.minnow")
    reference = Reference.load(report.parity)
    groups = {group: getattr(reference, group) for group in ("obs", "outputs", "states", "start")}
    tensors = {f"{group}/{name}": item for group, items in groups.items() for name, item in items.items()}
    meta = {"format": 1, "policy_sha256": reference.sha256} | ({} if limit is None else {"limit": limit})
    old = safetensors.numpy.save(tensors | {"reset": reference.reset}, metadata={"minnow": json.dumps(meta)})
    report.parity.write_bytes(old)
    found = Reference.load(report.parity)
    assert found.limit == pytest.approx(limit or parity.LIMIT) and found.action is None
    assert sure(verify(report.path).found["c"]).passed
