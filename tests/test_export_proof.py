"""Where the proof looks, what it compares, and how close it wants it."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from sure import sure
from torch import Tensor, nn
from torch.nn import functional as F

from minnow.cli.main import main
from minnow.export import Box, Discrete, MultiDiscrete, acting, doubt, export, format, parity
from minnow.export.action import Squash
from minnow.export.backends import run_c
from minnow.export.domain import domains
from minnow.export.exporter import build
from minnow.export.parity import Reference, Run
from minnow.export.probe import probes
from minnow.export.record import judged, record
from minnow.export.trace import Signature

ROWS = 16


class Module(nn.Module):
    """A function as a module."""

    def __init__(self, function: Any, **parts: nn.Module) -> None:
        super().__init__()
        self.function, self.parts = function, nn.ModuleDict(parts)

    def forward(self, obs: Any) -> Any:
        return self.function(obs, **self.parts)


def net(width: int, outputs: int) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(width, 16), nn.Tanh(), nn.Linear(16, outputs))


def mask(rows: int, choices: int) -> Tensor:
    random = torch.Generator().manual_seed(1)
    found = (torch.rand(rows, choices, generator=random) < 0.6).float()
    found[torch.arange(rows), torch.randint(choices, (rows,), generator=random)] = 1
    return found


BOARD = torch.randint(0, 3, (ROWS, 9), generator=torch.Generator().manual_seed(2), dtype=torch.uint8)
TENTHS = (torch.arange(1, 2 * ROWS + 1).float() / 10).reshape(ROWS, 2)
COUNTS = torch.randint(0, 9, (ROWS, 3), generator=torch.Generator().manual_seed(3))

# What was called equal and differed, or was refused and is right.
EXAMPLES: dict[str, tuple[nn.Module, Any]] = {
    "a huge mask beside a remainder": (
        Module(lambda o: torch.cat([(o["t"] * 1e6) % 0.7, o["m"] * -1e8], 1)),
        {"t": torch.rand(ROWS, 2, generator=torch.Generator().manual_seed(0)), "m": torch.ones(ROWS, 1)},
    ),
    "tenths in bins": (Module(lambda x: x // 0.1), TENTHS),
    "a board of bytes as indices": (Module(lambda x: F.one_hot(x.long(), 3).float().flatten(1)), BOARD),
    "a table by a count": (Module(lambda x, t: t(x).flatten(1), t=nn.Embedding(9, 4)), COUNTS),
    "-inf where a mask says so": (
        Module(lambda o, n: n(o["x"]).masked_fill(o["m"] == 0, -torch.inf), n=net(4, 3)),
        {"x": torch.randn(ROWS, 4, generator=torch.Generator().manual_seed(0)), "m": mask(ROWS, 3)},
    ),
    "log1p of counts": (Module(lambda x: x.log1p()), COUNTS.float()),
    "roots of distances": (Module(lambda x: x.sqrt()), torch.rand(ROWS, 3, generator=torch.Generator().manual_seed(0))),
    "long counters": (
        Module(lambda x: (x % 60).float() / 60),
        torch.tensor([[5], [1700000123], [19999999]], dtype=torch.int32),
    ),
    "powers of two": (Module(lambda x: x.log2().floor() + (x % 24).exp2().floor()), COUNTS.float() + 1),
    "a far horizon": (Module(lambda x: x % 0.7), torch.tensor([[86400.5], [0.25], [7.0], [1e6]])),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples(name: str) -> None:
    module, obs = EXAMPLES[name]
    built = build(module, obs, outputs=("out",))
    assert built.c.passed and built.reference.decided > 0.99
    leaves = obs if isinstance(obs, dict) else {"obs": obs}
    for key, rows in leaves.items():  # as they were given, in their order
        seen = built.reference.obs[key][0]
        assert np.array_equal(seen, np.resize(rows.numpy(), (ROWS, *rows.shape[1:])))


# ---- Where it looks.


def drawn(module: nn.Module, obs: Any, observation: Any = None) -> tuple[Signature, Any]:
    signature = Signature(module, obs, None, ("out",))
    return signature, probes(signature, domains(signature, observation), 64, 16)


def test_whole_numbers_stay_whole_and_flags_flags() -> None:
    obs = torch.cat([mask(ROWS, 2), torch.arange(ROWS).float()[:, None], torch.randn(ROWS, 1)], 1)
    _, found = drawn(Module(lambda x: x * 2), obs)
    seen = found.obs["obs"]
    assert set(np.unique(seen[..., :2])) >= {0, 1} and (seen[..., :3] == np.floor(seen[..., :3])).all()
    assert (seen[..., 3] != np.floor(seen[..., 3])).mean() > 0.5
    assert seen[..., 2].max() > 1000  # a counter that has run for long
    assert set(found.counts) == {"examples", "mixed", "within", "edges", "far"} and found.refused == {}


@pytest.mark.parametrize(
    "observation",
    [
        spaces.Box(np.array([0, -1, -np.inf], np.float32), np.array([1, 1, 5], np.float32)),
        {"low": [0, -1, None], "high": [1, 1, 5]},
        [{"low": 0, "high": 1}, {"low": -1, "high": 1}, {"name": "speed", "high": 5}],
    ],
    ids=["space", "dict", "fields"],
)
def test_what_is_declared_is_kept(observation: Any) -> None:
    _, found = drawn(Module(lambda x: x * 2), torch.rand(ROWS, 3), observation)
    seen = found.obs["obs"].reshape(-1, 3)
    assert (seen.min(0)[:2] == [0, -1]).all() and (seen.max(0) == [1, 1, 5]).all() and seen[:, 2].min() < -2


@pytest.mark.parametrize(
    ("space", "dtype"),
    [
        (spaces.Discrete(7, start=2), torch.int64),
        (spaces.MultiBinary(3), torch.int64),
        (spaces.MultiDiscrete([4, 5, 2]), torch.int64),
        (spaces.Box(0, 12, (3,), np.uint8), torch.uint8),
        (spaces.Box(-3, 3, (3,), np.int32), torch.int32),
    ],
    ids=str,
)
def test_spaces_of_whole_numbers(space: Any, dtype: torch.dtype) -> None:
    rows = np.stack([space.sample() for _ in range(ROWS)]).reshape(ROWS, -1)
    _, found = drawn(Module(lambda x: x.float()), torch.from_numpy(rows).to(dtype), space)
    seen = found.obs["obs"].reshape(-1, rows.shape[1])
    low, high = (
        (0, 1) if isinstance(space, spaces.MultiBinary) else (2, 8) if isinstance(space, spaces.Discrete) else (0, 0)
    )
    if isinstance(space, spaces.MultiDiscrete):
        high = space.nvec - 1
    if isinstance(space, spaces.Box):
        low, high = space.low, space.high
    assert (seen.min(0) == low).all() and (seen.max(0) == high).all()


def test_spaces_in_a_dict() -> None:
    space = spaces.Dict({"board": spaces.Box(0, 2, (4,), np.uint8), "clock": spaces.Discrete(100)})
    obs = {"board": BOARD[:, :4], "clock": torch.arange(ROWS)[:, None]}
    signature = Signature(Module(lambda o: o["board"].float().sum(1, keepdim=True) + o["clock"]), obs, None, ("out",))
    found = {leaf.name: item for leaf, item in zip(signature.obs, domains(signature, space), strict=True)}
    assert (found["board"].high == 2).all() and found["clock"].high == 99 and found["clock"].declared


def test_examples_beat_what_is_declared() -> None:
    """A bound that the examples break is none."""
    signature = Signature(Module(lambda x: x), torch.tensor([[0.5], [3.0]]), None, ("out",))
    (found,) = domains(signature, {"low": 0, "high": 1, "whole": True})
    assert (found.high == 3).all() and not found.whole.any()


@pytest.mark.parametrize("low", [[1, 2], "two"])
def test_a_declaration_that_does_not_fit(low: Any) -> None:
    with pytest.raises((parity.ExportError, ValueError)):
        domains(Signature(Module(lambda x: x), torch.zeros(2, 3), None, ("out",)), {"low": low})


def test_what_the_module_refuses_is_left_out_and_noted(tmp_path: Any, capsys: Any) -> None:
    path = tmp_path / "p.minnow"
    export(Module(lambda x, t: t(x).flatten(1), t=nn.Embedding(9, 4)), COUNTS, path, outputs=("out",))
    reference = Reference.load(parity.beside(path))
    assert "far" in reference.inputs["refused"] and "far" not in reference.inputs["manners"]
    assert reference.inputs["domains"]["obs"]["numbers"] == "whole"
    assert reference.obs["obs"].min() == 0 and reference.obs["obs"].max() == 8
    assert main(["verify", str(path)]) == 0
    printed = capsys.readouterr().out
    assert "observed: " in printed and "not observed: far, since " in printed
    assert main(["verify", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["inputs"] == reference.inputs


@pytest.mark.parametrize(
    ("function", "edge"),
    [
        (lambda x: (x > 0.3).float(), np.float32(0.3)),
        (lambda x: (x * 4).floor(), np.float32(0.25)),
        (lambda x: x % 0.7, np.float32(0.7)),
        (lambda x: torch.where(x.abs() >= 0.5, x, 0.0), np.float32(0.5)),
        (lambda x: x.round(), np.float32(0.5)),
    ],
    ids=["comparison", "floor", "remainder", "where", "round"],
)
def test_jumps_are_seen_from_both_sides(function: Any, edge: np.float32) -> None:
    _, found = drawn(Module(function), torch.rand(ROWS, 2, generator=torch.Generator().manual_seed(0)) * 1.4)
    seen = found.obs["obs"][found.jumps]
    near = [np.nextafter(edge, side, dtype=np.float32) for side in (-1, 1)]
    assert (seen == edge).any() and np.isin(near, seen).any()


def test_both_sides_of_a_choice() -> None:
    module = Module(lambda x, n: F.one_hot(n(x).argmax(1), 3).float(), n=net(4, 3))
    signature, found = drawn(module, torch.randn(ROWS, 4))
    rows = torch.from_numpy(found.obs["obs"][found.jumps])
    outputs = signature.call([rows], [])[0][0]
    pairs = outputs[: len(outputs) // 2 * 2].reshape(-1, 2, 3)
    assert (pairs[:, 0] != pairs[:, 1]).any(-1).float().mean() > 0.6


# ---- What it compares.


@pytest.fixture(scope="module")
def policy() -> tuple[bytes, Reference]:
    built = build(net(4, 9), torch.randn(ROWS, 4), outputs=("logits",), action=MultiDiscrete([3, 2, 4]))
    return built.data, built.reference


def test_actions_by_what_the_file_says(policy: tuple[bytes, Reference]) -> None:
    """Equal outputs, and heads cut in another way."""
    data, reference = policy
    run = run_c(data, reference)
    assert set(run.actions) == {"greedy", "masked", "sampled"}
    right = parity.difference(run, reference)
    assert right.passed and right.actions == 3 * 3 * 64 * 16 and right.wrong == 0
    other = dataclasses.replace(reference, action=MultiDiscrete([4, 2, 3]))
    wrong = parity.difference(run, other)
    assert not wrong.passed and wrong.wrong > 100 and "actions are not torch's" in wrong.words()


@pytest.mark.parametrize("kind", ["greedy", "masked", "sampled"])
def test_a_single_wrong_action_is_seen(policy: tuple[bytes, Reference], kind: str) -> None:
    data, reference = policy
    run = run_c(data, reference)
    moved = run.actions[kind].copy()
    moved[40, 3, 0] = (moved[40, 3, 0] + 1) % 3
    found = parity.difference(Run(run.outputs, run.states, run.actions | {kind: moved}), reference)
    assert found.wrong == 1 and f"({kind})" in found.where and "agent 3 at step 40" in found.where


def test_ties_are_no_faults() -> None:
    """Two choices of equal worth: either may be taken; a third may not."""
    logits = np.array([[[2.0, 2.0, 1.0]]], np.float32)
    reference = Reference({}, np.zeros((1, 1), np.uint8), {"logits": logits}, {}, {}, "")
    reference = parity.acted(reference, Discrete(3))
    sure(reference.mask)[:] = 1
    right = parity.expected_actions(reference, reference.outputs)
    for choice, wrong in ((0, 0), (1, 0), (2, 1)):
        actions = right | {"greedy": np.full((1, 1, 1), choice, np.int32)}
        assert parity.difference(Run(reference.outputs, {}, actions), reference).wrong == wrong


@pytest.mark.parametrize("squash", ["clip", "tanh"])
def test_boxes(squash: Squash) -> None:
    """Bounds and squash of the file are held against what was declared."""
    module = Module(lambda x, n: (n(x)[:, :2], n(x)[:, 2:].clamp(-2, 1)), n=net(4, 4))
    box = Box([-1, -2], [1, 3], squash)
    built = build(module, torch.randn(ROWS, 4), outputs=("mean", "log_std"), action=box)
    run = run_c(built.data, built.reference)
    assert set(run.actions) == {"greedy", "sampled"} and parity.difference(run, built.reference).wrong == 0
    other = dataclasses.replace(built.reference, action=Box([-1, -2], [1, 3.1], squash))
    assert parity.difference(run, other).wrong > 0


def test_noise_is_that_of_sessions() -> None:
    """NumPy's own Threefry and minnow.h's give one sequence, whatever the probabilities."""
    u = acting.uniforms(50, 7, 2, 1234567890123)
    assert u.dtype == np.float32 and u.min() > 0 and u.max() < 1 and len(np.unique(u)) == u.size
    module = Module(lambda x, n: n(x) * 0, n=net(4, 5))
    built = build(module, torch.randn(ROWS, 4), outputs=("logits",), action=MultiDiscrete([2, 3]))
    assert parity.difference(run_c(built.data, built.reference), built.reference).wrong == 0


def test_sampled_numbers_are_normal() -> None:
    """Of a standard normal distribution, to 2e-6."""
    module = Module(lambda x, n: (n(x) * 0, n(x) * 0), n=net(4, 8))
    built = build(module, torch.randn(ROWS, 4), outputs=("mean", "log_std"), action=Box([-9] * 8, [9] * 8))
    found = run_c(built.data, built.reference).actions["sampled"]
    steps, agents, heads = found.shape
    right = acting.quantile(acting.uniforms(steps, agents, heads, built.reference.noise))
    assert np.abs(found - right).max() < 2e-6 and np.abs(right).max() > 3.3 and abs(found.std() - 1) < 0.02


def test_small_and_large_numbers_are_judged_each_by_its_size() -> None:
    ref = np.array([[[1e-6, 3.0, -1e8]]], np.float32)
    reference = Reference({}, np.zeros((1, 1), np.uint8), {"out": ref}, {}, {}, "")
    for place, off, passed in ((0, 1e-10, False), (0, 1e-12, True), (1, 1e-4, False), (1, 1e-5, True), (2, 100, True)):
        found = ref.astype(np.float64)
        found[..., place] += off
        assert parity.difference(Run({"out": found}, {}), reference).passed == passed, (place, off)


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_numbers_that_are_not_finite_must_be_the_same(value: float) -> None:
    ref = np.array([[[value, 1.0]]], np.float32)
    reference = Reference({}, np.zeros((1, 1), np.uint8), {"out": ref}, {}, {}, "")
    assert parity.difference(Run({"out": ref.copy()}, {}), reference).passed
    for other in (1.0, -value if np.isinf(value) else np.inf):
        found = parity.difference(Run({"out": np.array([[[other, 1.0]]], np.float32)}, {}), reference)
        assert not found.passed and found.max_diff == parity.LARGEST


# ---- How close.


def test_exact_arithmetic_is_never_in_doubt() -> None:
    """Whole numbers, flags and sums of them: either side of an edge has one right answer."""
    module = Module(lambda x: ((x @ torch.ones(3, 1)) / 4 > 2).float() + (x.sum(1, keepdim=True) % 5 >= 3).float())
    signature = Signature(module, COUNTS.float(), None, ("out",))
    assert judged(signature, record(signature, observation={"low": 0, "high": 8})).decided == 1


def test_what_is_kept_of_weights_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor where a module writes into its weights between two steps."""
    found = []
    for most in (doubt.MOST, 0):
        monkeypatch.setattr(doubt, "MOST", most)
        module, x = net(4, 3), torch.ones(2, 4)
        kept = doubt.Kept(module)
        kept.share([x] if most else [])
        with torch.no_grad(), doubt.doubts(kept, 1) as (way, _), way:
            first = [module(x), module(x)]
            next(module.parameters()).data.mul_(0.7)
            found.append(torch.stack([*first, module(x), module(x)]))
    assert torch.equal(*found) and len(found[0].unique(dim=0)) == 4


def test_rounded_edges_are_in_doubt_and_nothing_else() -> None:
    module = Module(lambda x, n: (n(x) > 0).float(), n=net(4, 3))
    signature = Signature(module, torch.randn(ROWS, 4), None, ("out",))
    found = judged(signature, record(signature))
    lost = np.isinf(found.tolerance["out"])
    assert lost.any() and not (lost & ~sure(found.jumps)).any() and found.limit == parity.LIMIT


def test_a_fault_beside_doubt_is_seen(tmp_path: Any) -> None:
    module = Module(lambda x, n: (n(x) > 0).float(), n=net(4, 3))
    built = build(module, torch.randn(ROWS, 4), outputs=("out",))
    file = format.read(built.data)
    index = next(i for i, item in enumerate(file.graph.tensors) if item.shape == (16, 4))
    file.graph.tensors[index] = file.graph.tensors[index] * np.float32(1.01)
    data = format.write(file.graph, None, golden=file.golden)
    assert not parity.difference(run_c(data, built.reference), built.reference).passed
