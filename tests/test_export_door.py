"""What export takes and says at its door: names of outputs, the ONNX witness, warnings, faults of torch's own."""

from __future__ import annotations

import json
import re
import warnings
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minnow.cinfer import load
from minnow.cinfer.errors import MinnowError
from minnow.cli.main import main
from minnow.export import Box, Discrete, ExportError, MultiDiscrete, export, exporter
from minnow.export.errors import first_line
from minnow.export.exporter import build
from minnow.export.trace import Signature

B = 3  # agents in the examples
OBS, STATE = torch.linspace(-2, 2, 4 * B).view(B, 4), torch.zeros(B, 4)


class Net(nn.Module):
    """A layer, and a function of it and the arguments."""

    def __init__(self, function: Callable) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.function, self.linear, self.value = function, nn.Linear(4, 3), nn.Linear(4, 1)

    def forward(self, *args):
        return self.function(self, *args)

    def zeroed(self, x: Tensor) -> Tensor:
        y = x.clone()
        y[:, 0] = 0
        return y


# Names of outputs

Heads = namedtuple("Heads", "value logits")
OUTPUTS = {
    "one": (lambda m, x: m.linear(x), None, None, ["logits"]),
    "one, a box": (lambda m, x: m.linear(x), None, Box([-1] * 3, [1] * 3), ["mean"]),
    "one in a list": (lambda m, x: [m.linear(x)], None, None, ["logits"]),
    "two": (lambda m, x: (m.linear(x), m.value(x)), None, None, ["logits", "value"]),
    "dict": (lambda m, x: {"value": m.value(x), "logits": m.linear(x)}, None, Discrete(3), ["value", "logits"]),
    "named tuple": (lambda m, x: Heads(m.value(x), m.linear(x)), None, None, ["value", "logits"]),
    "dict of one": (lambda m, x: {"features": m.linear(x)}, None, None, ["features"]),
    "dict, ordered": (
        lambda m, x: {"value": m.value(x), "logits": m.linear(x)},
        ("logits", "value"),
        Discrete(3),
        ["logits", "value"],
    ),
}


@pytest.mark.parametrize("function, outputs, action, names", OUTPUTS.values(), ids=OUTPUTS)
def test_names_of_outputs(function, outputs, action, names) -> None:
    module = Net(function)
    built = build(module, OBS, outputs=outputs, action=action)
    assert [item.name for item in built.graph.outputs] == names
    assert [item.role for item in built.graph.outputs] == [name if name != "features" else "other" for name in names]
    sizes = {"value": 1}
    assert [built.graph.values[item.value].shape for item in built.graph.outputs] == [(sizes.get(n, 3),) for n in names]


def test_a_dict_beside_a_state(tmp_path: Path) -> None:
    def forward(m: Net, x: Tensor, state: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        state = torch.tanh(x + state)
        return {"value": m.value(state), "logits": m.linear(state)}, state

    outputs = ("logits", "value")  # not in the order that forward has them
    report = export(Net(forward), OBS, tmp_path / "p.minnow", example_state=STATE, outputs=outputs, action=Discrete(3))
    assert [item.name for item in load(report.path).outputs] == ["logits", "value"]
    assert all(report.card["parity"][name]["max_diff"] <= 1e-5 for name in ("c", "wasm", "onnx"))


NAMES = {
    "three": (lambda m, x: (x, x, x), None, None, "returned 3 outputs, and nothing says what they are: name them"),
    "two of a box": (lambda m, x: (x, x), None, Box([-1] * 4, [1] * 4), "returned 2 outputs, and nothing says"),
    "no": (lambda m, x: (), None, None, "returned 0 outputs, and nothing says"),
    "other keys": (lambda m, x: {"a": x}, ("b",), None, "returns a by name, and outputs= says b: name the same"),
    "numbers": (lambda m, x: {0: x, 1: x}, None, None, r"outputs=\(0, 1\): name every output"),
    "a nest": (lambda m, x: {"logits": {"a": x}}, None, None, "'logits' is a dict, not a tensor"),
    "too few": (lambda m, x: x, ("a", "b"), None, r"returned 1 values where 2 are expected \(a, b\)"),
}


@pytest.mark.parametrize("function, outputs, action, expected", NAMES.values(), ids=NAMES)
def test_names_that_are_refused(function, outputs, action, expected) -> None:
    with pytest.raises(ExportError, match=expected):
        Signature(Net(function), OBS, outputs=outputs, action=action)


# Probabilities for logits

LIKELY = {
    "softmax": (lambda m, x: m.linear(x).softmax(-1), True),
    "reshaped": (lambda m, x: m.linear(x).view(-1, 3, 1).softmax(1).flatten(1), True),
    "of several heads": (lambda m, x: torch.cat([x[:, :2].softmax(1), F.softmax(x[:, 2:], 1)], 1), True),
    "log": (lambda m, x: m.linear(x).log_softmax(-1), False),
    "logits": (lambda m, x: m.linear(x), False),
    "attention": (lambda m, x: m.linear(x * x.softmax(-1)), False),
    "one head of two": (lambda m, x: torch.cat([x[:, :2].softmax(1), x[:, 2:]], 1), False),
}


@pytest.mark.parametrize("function, told", LIKELY.values(), ids=LIKELY)
def test_probabilities_for_logits(function, told) -> None:
    built = build(Net(function), OBS)
    assert [("softmax" in words) for words in exporter.warnings(built.graph)] == [True] * told
    assert not exporter.warnings(build(Net(function), OBS, outputs=("p",)).graph)


# ONNX is a witness


class Attention(nn.Module):
    def forward(self, obs):
        return F.scaled_dot_product_attention(obs, obs, obs).softmax(-1).flatten(1)  # HERE


def orthogonal() -> nn.Module:
    return nn.utils.parametrizations.orthogonal(nn.Linear(4, 4))


NO_ONNX = {
    "attention": (
        Attention,
        torch.randn(B, 2, 4),
        r"cannot convert aten.scaled_dot_product_attention.default "
        r"\(tests/test_export_door.py:\d+ .*# HERE`\)\): only 4D query, key, and value are supported$",
    ),
    "orthogonal": (
        orthogonal,
        OBS,
        r"cannot convert aten.linalg_matrix_exp.default.*No ONNX function found for .*linalg_matrix_exp",
    ),
}


@pytest.mark.parametrize("make, obs, expected", NO_ONNX.values(), ids=NO_ONNX)
def test_without_onnx(make, obs, expected, tmp_path: Path) -> None:
    """The file is written, and the reason stands wherever one looks."""
    path = tmp_path / "p.minnow"
    path.with_suffix(".onnx").write_bytes(b"of an earlier export")
    report = export(make().eval(), obs, path)
    assert report.onnx is None and not path.with_suffix(".onnx").exists()
    assert report.c.max_diff <= 1e-5 and load(path).sha256 == report.sha256
    reason = report.no_onnx
    assert re.search(expected, reason) and "\x1b" not in reason and "\n" not in reason
    assert reason in report.line() and load(path).meta["onnx"] == reason
    assert report.card["no_onnx"] == reason and reason in report.card["parity"]["onnx"]
    assert json.loads(path.with_suffix(".json").read_text())["no_onnx"] == reason
    card = path.with_suffix(".md").read_text()
    assert reason.replace("|", "\\|") in card and 'tags: ["reinforcement-learning", "minnow"]' in card
    assert ("warning: the output 'logits' holds probabilities" in report.line()) == (make is Attention)
    assert ("> **Warning**: the output 'logits' holds probabilities" in card) == (make is Attention)


# Faults of others


def test_no_raw_exception_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever stage it comes from: with the line of the module where there is one."""

    def table(m: Net, x: Tensor) -> Tensor:
        return m.linear.weight.new_zeros(3, 4)[x[:, 0].long()] + x  # TABLE

    monkeypatch.setattr(exporter, "record", int)  # fails, and in no line of the user's
    with pytest.raises(ExportError, match=r"export stopped by TypeError: int\(\) .*report it") as caught:
        export(Net(lambda m, x: m.linear(x)), OBS, tmp_path / "p.minnow")
    assert isinstance(caught.value.__cause__, TypeError)

    monkeypatch.setattr(exporter, "record", lambda signature, **rest: signature.call([OBS + 100], []))
    with pytest.raises(ExportError, match=r"export stopped at .*# TABLE`\) by IndexError: index 98 is out of bounds"):
        export(Net(table), OBS.abs(), tmp_path / "p.minnow")
    assert not list(tmp_path.iterdir())
    assert first_line(ValueError("\x1b[96mno\x1b[0m luck.\nmore")) == "no luck"


def test_the_command_line_says_that_there_is_no_onnx(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from minnow.cli import export as verb

    monkeypatch.setattr(verb, "export_run", lambda source, out, *more: export(orthogonal(), OBS, out))
    assert main(["export", str(tmp_path), "--format", "onnx"]) == 1
    assert re.search("no ONNX model of .*linalg_matrix_exp", capsys.readouterr().err)
    assert not list(tmp_path.iterdir())


def test_several_heads_in_a_dict() -> None:
    built = build(Net(lambda m, x: {"logits": m.linear(x)}), OBS, action=MultiDiscrete([2, 1]))
    assert [item.role for item in built.graph.outputs] == ["logits"]


# Observations of other dtypes


class Mixed(nn.Module):
    """Each observation in the dtype that it came in, which is asserted."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear, self.table = nn.Linear(4, 3), nn.Embedding(6, 3)
        self.register_buffer("scale", torch.tensor([0.5, 1.0, 2.0, 3.0]))

    def forward(self, obs):
        assert [obs[name].dtype for name in "fkm"] == [torch.float64, torch.int64, torch.bool]
        far = (obs["f"] - 0.25) * self.scale / torch.tensor(3.0, dtype=torch.float64)  # float64 all the way
        logits = self.linear(far.tanh().float()) + self.table(obs["k"]).sum(1)
        return torch.where(obs["m"], logits, logits - 10.0), far.sum(-1)


def mixed(agents: int) -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(1)
    return {
        "f": torch.randn(agents, 4, generator=random, dtype=torch.float64),
        "k": torch.randint(0, 6, (agents, 2), generator=random),
        "m": torch.rand(agents, 3, generator=random) < 0.5,
    }


def test_wide_observations(tmp_path: Path) -> None:
    """What the file holds, what it says, and what the Python binding takes."""
    module, obs = Mixed().eval(), mixed(B)
    report = export(module, obs, tmp_path / "p.minnow", action=Discrete(3))
    policy = load(report.path)
    assert [str(item.dtype) for item in policy.inputs] == ["float32", "int32", "uint8"]
    assert policy.meta["dtypes"] == {"f": "float64", "k": "int64", "m": "bool"}
    assert all(report.card["parity"][name]["max_diff"] <= 1e-5 for name in ("c", "wasm", "onnx"))
    obs = mixed(50)
    with torch.no_grad():
        logits, value = module(obs)
    session = policy.session(50)
    out = session.step({name: item.numpy() for name, item in obs.items()})
    assert np.abs(out.logits - logits.numpy()).max() <= 1e-5 and np.abs(out.value - value.numpy()).max() <= 1e-5
    narrow = {"f": obs["f"].float(), "k": obs["k"].int(), "m": obs["m"].byte() * 200}  # any byte but 0 is true
    assert (session.step({name: item.numpy() for name, item in narrow.items()}).logits == out.logits).all()
    wrong = {name: item.numpy() for name, item in obs.items()}
    wrong["k"] = wrong["k"] + (1 << 40)
    with pytest.raises(
        MinnowError, match=r"input 'k' holds \d+, and the policy takes int32, -2147483648 to 2147483647"
    ):
        session.step(wrong)
    with pytest.raises(MinnowError, match="input 'k' has dtype float64, expected int32"):
        session.step(wrong | {"k": wrong["f"][:, :2]})


KINDS = {
    "statistics": (torch.float64, lambda m, x: torch.cat([x.std(1, keepdim=True), x.cumsum(1), x.sort(1).values], 1)),
    "made to go with it": (torch.float64, lambda m, x: x + torch.zeros(len(x), 1, dtype=x.dtype)),
    "written into": (torch.float64, lambda m, x: m.zeroed(x)),
    "beside float32": (torch.float64, lambda m, x: torch.cat([x * m.linear.weight[0], m.linear(x.float())], 1)),
    "logic": (torch.bool, lambda m, x: (x.any(1, keepdim=True) & ~x).float()),
    "counts": (torch.int64, lambda m, x: torch.cat([x / 7, (x * 3 + 1).float(), F.one_hot(x[:, 0] % 3, 3)], 1)),
    "a picture in place": (torch.uint8, lambda m, x: x.view(-1, 2, 2).permute(0, 2, 1).float().div_(255.0).flatten(1)),
}


@pytest.mark.parametrize("dtype, function", KINDS.values(), ids=KINDS)
def test_arithmetic_on_wide_observations(dtype: torch.dtype, function: Callable) -> None:
    """`build` itself holds C against torch."""
    assert build(Net(function), (OBS * 3).to(dtype) if dtype != torch.bool else OBS > 0).c.passed


def test_numpy_examples_of_wide_dtypes() -> None:
    """NumPy's own dtypes are float64 and int64."""
    net = Net(lambda m, obs: m.linear(obs["f"].float() * obs["k"]))
    built = build(net, {"f": np.linspace(0, 1, 4 * B).reshape(B, 4), "k": np.arange(4 * B).reshape(B, 4)})
    assert [built.graph.values[item.value].dtype for item in built.graph.inputs] == ["f32", "i32"]


WIDE = {
    "objects": (
        {"k": np.array([["a"], ["b"]], dtype=object)},
        "obs 'k' is an array of object: can't convert np.ndarray",
    ),
    "too far": ({"k": torch.tensor([[1], [1 << 40]])}, r"'k' is int64 and holds 1099511627776.* too large for int32"),
    "overflow": (torch.full((B, 4), 1e300, dtype=torch.float64), "'obs' is float64 and holds 1e\\+300.* for float32"),
    "half": (torch.zeros(B, 4).half(), "'obs' is float16: .*float32 or uint8 or int32 or float64 or int64 or bool"),
}


@pytest.mark.parametrize("obs, expected", WIDE.values(), ids=WIDE)
def test_observations_that_are_refused(obs, expected) -> None:
    with pytest.raises(ExportError, match=expected):
        Signature(Net(lambda m, x: x), obs)


def test_parameters_of_float64_are_refused() -> None:
    """As before, whatever the observation is."""
    module = Net(lambda m, x: m.linear(x)).double()
    with pytest.raises(ExportError, match=r"aten.linear.default .*computes in float64.*module.float"):
        build(module, OBS.double())
    with pytest.raises(ExportError, match=r"aten.to.dtype .*converts to float64"):
        build(Net(lambda m, x: (x.double() * 2).float()), OBS)


# Modules in wrappings of torch's


class Cell(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.encoder, self.cell, self.head = nn.Linear(4, 5), nn.LSTM(5, 5), nn.Linear(5, 3)

    def forward(self, obs: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        y, state = self.cell(torch.relu(self.encoder(obs)).unsqueeze(0), state)
        return self.head(y[0]).reshape(obs.shape[0], -1), state


def plain() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Unflatten(1, (2, 4)), nn.Flatten(), nn.Linear(8, 3))


WRAPPED = {
    "scripted": (torch.jit.script, plain),
    "traced": (lambda module: torch.jit.trace(module, OBS), plain),
    "compiled": (torch.compile, plain),
    "parallel": (nn.DataParallel, plain),
    "traced, recurrent": (lambda m: torch.jit.trace(m, (OBS, (torch.zeros(1, B, 5), torch.zeros(1, B, 5)))), Cell),
}


@pytest.mark.parametrize("wrap, make", WRAPPED.values(), ids=WRAPPED)
def test_wrapped_modules(wrap: Callable, make: Callable) -> None:
    """The same operations and weights as of the module itself."""
    state = (torch.zeros(1, B, 5), torch.zeros(1, B, 5)) if make is Cell else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is deprecated
        wrapped = wrap(make().eval())
    found, itself = (build(module, OBS, example_state=state).graph for module in (wrapped, make().eval()))
    assert [op.kind for op in found.ops] == [op.kind for op in itself.ops]
    stored, own = (sorted(item.tobytes() for item in graph.tensors) for graph in (found, itself))
    assert stored == own


def test_a_scripted_module_that_torch_cannot_convert() -> None:
    state = torch.zeros(1, B, 5), torch.zeros(1, B, 5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = torch.jit.script(Cell().eval())
    with pytest.raises(ExportError, match=r"TorchScript one.*\(.*prim::If\): export the module that it was scripted"):
        build(module, OBS, example_state=state)
