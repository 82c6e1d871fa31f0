"""A test of the proof itself: modules, and files of slightly different modules. None that acts differently on its own
domain may be called equal, and every module's own file must be.

`MINNOW_SEED` chooses the modules; a failure prints the family, the seed and what was changed.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from sure import sure
from torch import Tensor, nn
from torch.nn import functional as F

from minnow.cinfer import MinnowError
from minnow.export import Box, Discrete, MultiDiscrete, acting, format, parity
from minnow.export.action import Action, Squash
from minnow.export.backends import run_c
from minnow.export.lower import lower
from minnow.export.parity import Reference
from minnow.export.record import judged, record, run
from minnow.export.trace import Signature, trace

SEED = int(os.environ.get("MINNOW_SEED", "0"))
MUTANTS = 5  # of each module
ROWS, LENGTH = 64, 16  # of the judge's own observations: steps, agents
CLEAR = 1e-3  # two logits further apart than this, in their own size, are no tie

Obs = dict[str, np.ndarray]


class Family(nn.Module):
    """A module whose parts can be changed a little: parameters, buffers, and plain numbers and words in `k`.

    examples(random, rows): observations of its own domain, [rows, ...] each. words: what a word in `k` may be."""

    words: dict[str, tuple[str, ...]] = {}  # noqa: RUF012
    action: Action = Discrete(4)
    start: tuple[int, ...] | None = None  # of one agent's state
    begin: float = 0.0  # what all of that state is at first
    observation: Any = None

    def __init__(self) -> None:
        super().__init__()
        self.k: dict[str, Any] = {}
        self.head = nn.Linear(1, 1)

    def examples(self, random: np.random.Generator, rows: int) -> Obs:
        raise NotImplementedError

    def finish(self, width: int, outputs: int) -> None:
        self.head = nn.Linear(width, outputs)


def compare(word: str, a: Tensor, b: Any) -> Tensor:
    return {"gt": a > b, "ge": a >= b}[word].float()


def turned(x: Tensor, by: int) -> Tensor:
    return torch.cat([x[:, by:], x[:, :by]], 1) if by else x


class Plain(Family):
    mean: Tensor
    words = {"activation": ("gelu", "gelu_tanh", "silu", "mish"), "norm": ("layer", "rms", "none")}  # noqa: RUF012

    def __init__(self, random: np.random.Generator) -> None:
        super().__init__()
        self.first = nn.Linear(5, 16)
        self.k = {"activation": str(random.choice(self.words["activation"])), "norm": "layer", "clip": 5.0}
        self.register_buffer("mean", torch.from_numpy(random.normal(0, 1, 5)).float())
        self.finish(16, 4)

    def examples(self, random: np.random.Generator, rows: int) -> Obs:
        return {"obs": random.normal(0, 2, (rows, 5)).astype(np.float32)}

    def forward(self, o: dict[str, Tensor]) -> Any:
        x = self.first((o["obs"] - self.mean).clamp(-self.k["clip"], self.k["clip"]))
        x = {"layer": lambda: F.layer_norm(x, (16,)), "rms": lambda: F.rms_norm(x, (16,)), "none": lambda: x}[
            self.k["norm"]
        ]()
        x = {"gelu": F.gelu, "gelu_tanh": lambda y: F.gelu(y, approximate="tanh"), "silu": F.silu, "mish": F.mish}[
            self.k["activation"]
        ](x)
        return self.head(x) * 3


class Counts(Family):
    """Whole numbers: quotients, remainders, thresholds."""

    words = {"compare": ("gt", "ge"), "quotient": ("floor", "trunc")}  # noqa: RUF012

    def __init__(self, random: np.random.Generator) -> None:
        super().__init__()
        self.k = {
            "by": int(random.integers(2, 7)),
            "over": int(random.integers(2, 9)),
            "past": int(random.integers(1, 15)),
        }
        self.k |= {
            "compare": str(random.choice(("gt", "ge"))),
            "quotient": "floor",
            "shift": int(random.integers(0, 9)),
        }
        self.finish(4 * 4, 4)

    def examples(self, random: np.random.Generator, rows: int) -> Obs:
        return {"obs": random.integers(0, 20, (rows, 4)).astype(np.float32)}

    def forward(self, o: dict[str, Tensor]) -> Any:
        x = o["obs"]
        quotient = torch.div(x - self.k["shift"], self.k["over"], rounding_mode=self.k["quotient"])
        parts = [x / 20, (x % self.k["by"]) / self.k["by"], quotient, compare(self.k["compare"], x, self.k["past"])]
        return self.head(torch.cat(parts, 1)) * 4


class Masked(Family):
    """What is impossible gets a huge negative logit, or -inf."""

    words = {"mask": ("add", "fill", "inf")}  # noqa: RUF012

    def __init__(self, random: np.random.Generator) -> None:
        super().__init__()
        self.first = nn.Linear(4, 12)
        self.k = {
            "mask": str(random.choice(self.words["mask"])),
            "huge": float(random.choice((1e4, 1e8, 1e9))),
            "turn": 0,
        }
        self.finish(12, 4)

    def examples(self, random: np.random.Generator, rows: int) -> Obs:
        mask = (random.random((rows, 4)) < 0.6).astype(np.float32)
        mask[np.arange(rows), random.integers(4, size=rows)] = 1
        return {"mask": mask, "obs": random.normal(0, 1, (rows, 4)).astype(np.float32)}

    def forward(self, o: dict[str, Tensor]) -> Any:
        logits, mask = self.head(torch.tanh(self.first(o["obs"]))) * 4, turned(o["mask"], self.k["turn"])
        if self.k["mask"] == "add":
            return logits + (mask - 1) * self.k["huge"]
        return logits.masked_fill(mask == 0, -torch.inf if self.k["mask"] == "inf" else -self.k["huge"])


class Scales(Family):
    """Features of very different sizes behind a normaliser."""

    mean: Tensor
    std: Tensor

    def __init__(self, random: np.random.Generator) -> None:
        super().__init__()
        self.sizes = np.array([1e-3, 1.0, 30.0, 1e3, 1e5])
        self.register_buffer("mean", torch.from_numpy(random.normal(0, 1, 5) * self.sizes).float())
        self.register_buffer("std", torch.from_numpy(random.uniform(0.5, 2, 5) * self.sizes).float())
        self.first = nn.Linear(5, 12)
        self.k = {"clip": float(random.uniform(1.5, 3))}
        self.finish(12, 4)

    def examples(self, random: np.random.Generator, rows: int) -> Obs:
        return {"obs": (random.normal(0, 2, (rows, 5)) * self.sizes).astype(np.float32)}

    def forward(self, o: dict[str, Tensor]) -> Any:
        x = ((o["obs"] - self.mean) / self.std).clamp(-self.k["clip"], self.k["clip"])
        return self.head(F.elu(self.first(x))) * 3


class Board(Family):
    """A board of bytes, each a piece."""

    def __init__(self, random: np.random.Generator) -> None:
        super().__init__()
        self.k = {"turn": 0}
        self.finish(9 * 3, 9)

    action = Discrete(9)

    def examples(self, random: np.random.Generator, rows: int) -> Obs:
        return {"obs": random.integers(0, 3, (rows, 3, 3)).astype(np.uint8)}

    def forward(self, o: dict[str, Tensor]) -> Any:
        x = F.one_hot(turned(o["obs"], self.k["turn"]).long(), 3).float()
        return self.head(x.flatten(1)) * 3


class Table(Family):
    """Rows of a table by two small numbers."""

    def __init__(self, random: np.random.Generator) -> None:
        super().__init__()
        self.table = nn.Embedding(6, 5)
        self.k = {"weight": 1.0}
        self.finish(10, 4)

    def examples(self, random: np.random.Generator, rows: int) -> Obs:
        return {"obs": random.integers(0, 6, (rows, 2)).astype(np.int32)}

    def forward(self, o: dict[str, Tensor]) -> Any:
        return self.head(self.table(o["obs"].long()).flatten(1) * self.k["weight"]) * 3


class Remainder(Family):
    """Angles and phases of real numbers."""

    words = {"compare": ("gt", "ge")}  # noqa: RUF012

    def __init__(self, random: np.random.Generator) -> None:
        super().__init__()
        self.k = {"by": float(random.choice((0.1, 0.7, 1.5))), "over": float(random.choice((0.1, 0.3)))}
        self.k |= {"past": float(random.choice((0.2, 0.5))), "compare": "gt"}
        self.finish(9, 4)

    def examples(self, random: np.random.Generator, rows: int) -> Obs:
        return {"obs": (random.integers(1, 33, (rows, 3)) / 10).astype(np.float32)}

    def forward(self, o: dict[str, Tensor]) -> Any:
        x = o["obs"]
        parts = [x % self.k["by"], x // self.k["over"] / 8, compare(self.k["compare"], x % 1, self.k["past"])]
        return self.head(torch.cat(parts, 1)) * 4


class Best(Family):
    """The place of the largest decides."""

    def __init__(self, random: np.random.Generator) -> None:
        super().__init__()
        self.first = nn.Linear(5, 6)
        self.k = {"scale": 1.0}
        self.finish(6, 4)

    examples = Plain.examples

    def forward(self, o: dict[str, Tensor]) -> Any:
        x = self.first(o["obs"] * self.k["scale"])
        return self.head(F.one_hot(x.argmax(1), 6).float()) * 3


class Memory(Family):
    """An LSTM or a GRU that does not start at zero."""

    start = (12,)

    def __init__(self, random: np.random.Generator) -> None:
        super().__init__()
        self.cell = nn.GRUCell(4, 12)
        self.k = {"keep": 1.0}
        self.begin = float(random.uniform(-0.5, 0.5))
        self.finish(12, 4)

    def examples(self, random: np.random.Generator, rows: int) -> Obs:
        return {"obs": random.normal(0, 1.5, (rows, 4)).astype(np.float32)}

    def forward(self, o: dict[str, Tensor], h: Tensor) -> Any:
        h = self.cell(o["obs"], h * self.k["keep"])
        return self.head(h) * 5, h


class Counter(Family):
    """Acts by how many steps have passed, and by the last observation."""

    start = (4,)
    words = {"compare": ("gt", "ge")}  # noqa: RUF012

    def __init__(self, random: np.random.Generator) -> None:
        super().__init__()
        self.k = {"by": int(random.integers(2, 6)), "past": int(random.integers(2, 9)), "compare": "gt"}
        self.finish(8, 4)

    def examples(self, random: np.random.Generator, rows: int) -> Obs:
        return {"obs": random.normal(0, 1, (rows, 3)).astype(np.float32)}

    def forward(self, o: dict[str, Tensor], h: Tensor) -> Any:
        count = h[:, :1] + 1
        parts = [h[:, 1:], (count % self.k["by"]) / self.k["by"], compare(self.k["compare"], count, self.k["past"])]
        return self.head(torch.cat([*parts, o["obs"]], 1)) * 3, torch.cat([count, o["obs"]], 1)


class Numbers(Family):
    """A box: the file says how a mean becomes an action."""

    def __init__(self, random: np.random.Generator) -> None:
        super().__init__()
        self.first = nn.Linear(5, 12)
        self.k = {"gain": 1.0}
        squash: Squash = "tanh" if random.choice(("clip", "tanh")) == "tanh" else "clip"
        self.action = Box(random.uniform(-2, -0.2, 3).tolist(), random.uniform(0.2, 2, 3).tolist(), squash)
        self.finish(12, 3)

    examples = Plain.examples

    def forward(self, o: dict[str, Tensor]) -> Any:
        return self.head(F.silu(self.first(o["obs"]))) * self.k["gain"]


class Heads(Family):
    """Several choices at once."""

    action = MultiDiscrete([3, 2, 4])

    def __init__(self, random: np.random.Generator) -> None:
        super().__init__()
        self.first = nn.Linear(5, 12)
        self.k = {"gain": 3.0}
        self.finish(12, 9)

    examples = Plain.examples

    def forward(self, o: dict[str, Tensor]) -> Any:
        return self.head(F.silu(self.first(o["obs"]))) * self.k["gain"]


FAMILIES: tuple[Callable[[np.random.Generator], Family], ...] = (
    *(Plain, Counts, Masked, Scales, Board, Table, Remainder, Best, Memory, Counter, Numbers, Heads),
)


# ---- Changes.


def changed(module: Family, random: np.random.Generator) -> tuple[Family, str]:
    """A copy with one thing changed, and what it was."""
    other = copy.deepcopy(module)
    tensors = [*other.named_parameters(), *other.named_buffers()]
    sorts = ["tensor"] * 3 + ["k"] * 2 * bool(other.k) + ["action"] * (not isinstance(other.action, Discrete))
    sort = random.choice(sorts)
    if sort == "action":
        other.action, said = changed_action(other.action, random)
        return other, said
    if sort == "k":
        key = str(random.choice(sorted(other.k)))
        value = other.k[key]
        if isinstance(value, str):
            other.k[key] = str(random.choice([word for word in other.words[key] if word != value]))
        elif isinstance(value, int):
            other.k[key] = max(value + int(random.choice((-1, 1))), 1)
        else:
            other.k[key] = value * float(random.choice((0.5, 0.99, 1.01, 1.1)))
        return other, f"{key}: {value} -> {other.k[key]}"
    name, tensor = tensors[random.integers(len(tensors))]
    with torch.no_grad():
        flat = tensor.view(-1)
        i, j = (int(n) for n in random.integers(len(flat), size=2))
        way = str(random.choice(("sign", "more", "a little more", "rows", "exchange")))
        if way == "sign":
            flat[i] = -flat[i]
        elif way == "rows":
            tensor.copy_(torch.roll(tensor, 1, 0))
        elif way == "exchange":
            flat[i], flat[j] = flat[j].clone(), flat[i].clone()
        else:
            flat[i] *= 1.2 if way == "more" else 1.002
    return other, f"{name}[{i}]: {way}"


def changed_action(action: Action, random: np.random.Generator) -> tuple[Action, str]:
    if isinstance(action, MultiDiscrete):
        sizes = [int(n) for n in random.permutation(action.sizes)]
        return MultiDiscrete(sizes), f"heads {sizes}"
    assert isinstance(action, Box)
    if random.random() < 0.3:
        other = Box(action.low, action.high, "tanh" if action.squash == "clip" else "clip")
        return other, f"squash {other.squash}"
    low = list(action.low)
    low[random.integers(len(low))] *= float(random.choice((1.01, 1.5)))
    return Box(low, action.high, action.squash), f"low {low}"


# ---- The judge: what both do on observations of their own domain, drawn apart from the proof's.


@dataclass
class Case:
    """A module with its file's reference, and what the judge knows of it."""

    module: Family
    signature: Signature
    reference: Reference
    domain: Reference  # the judge's observations, and torch's outputs for them


def signature_of(module: Family, random: np.random.Generator) -> Signature:
    obs = {name: torch.from_numpy(item) for name, item in module.examples(random, 16).items()}
    state = None if module.start is None else torch.full((16, *module.start), module.begin)
    return Signature(module.eval(), obs, state, ("mean",) if isinstance(module.action, Box) else ("logits",))


def written(signature: Signature, action: Action, reference: Reference) -> bytes:
    graph, _ = lower(trace(signature), signature)
    inputs, outputs, states = (
        [item[:2, :1] for item in group.values()] for group in (reference.obs, reference.outputs, reference.states)
    )
    return format.write(graph, None, action=action, golden=format.Golden(inputs, outputs, states))


def made(family: Callable[[np.random.Generator], Family], seed: int) -> Case:
    random = np.random.default_rng(seed)
    torch.manual_seed(seed)
    module = family(random)
    signature = signature_of(module, random)
    reference = parity.acted(judged(signature, record(signature)), module.action)
    found = parity.difference(run_c(written(signature, module.action, reference), reference), reference)
    assert found.passed, f"{family.__name__}, seed {seed}: its own file is refused: {found.words()}"
    steps = [module.examples(random, LENGTH) for _ in range(ROWS)]
    obs = {name: np.stack([step[name] for step in steps]) for name in reference.obs}
    reset = (random.random((ROWS, LENGTH)) < 0.1).astype(np.uint8)
    domain = Reference(obs=obs, reset=reset, outputs={}, states={}, start=reference.start, sha256="")
    domain.outputs, domain.states = run(signature, domain)
    return Case(module, signature, reference, parity.acted(domain, module.action))


def called_equal(data: bytes, reference: Reference) -> bool:
    try:
        return parity.difference(run_c(data, reference), reference).passed
    except MinnowError:  # such as a mask that leaves nothing of what the file takes for a head
        return False


def acts_differently(case: Case, other: Signature, action: Action) -> bool:
    """Whether torch's two modules act differently in a way that is no tie."""
    outputs, _ = run(other, case.domain)
    if isinstance(action, Box):
        assert isinstance(case.module.action, Box)
        ours, theirs = (
            acting.box(a, item["mean"]) for a, item in ((case.module.action, case.domain.outputs), (action, outputs))
        )
        return bool((np.abs(ours - theirs) > CLEAR).any())
    first, second = sure(acting.heads_of(case.module.action)), sure(acting.heads_of(action))
    mine, its = first.greedy(case.domain.outputs["logits"]), second.greedy(outputs["logits"])
    off = mine != its
    for i, (part, other_part) in enumerate(
        zip(first.parts(case.domain.outputs["logits"]), second.parts(outputs["logits"]), strict=True)
    ):
        clear = [top_gap(item) > CLEAR for item in (part, other_part)]
        off[..., i] &= clear[0] & clear[1]
    return bool(off.any())


def top_gap(logits: np.ndarray) -> np.ndarray:
    """By how much the largest leads, in its own size."""
    two = np.sort(logits.astype(np.float64), -1)[..., -2:]
    return (two[..., 1] - two[..., 0]) / np.maximum(1, np.abs(two[..., 1]))


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("pairs", (60, pytest.param(2000, marks=pytest.mark.full)))
def test_no_file_that_acts_differently_is_called_equal(pairs: int) -> None:
    told, missed, alike = 0, [], 0
    for i in range(pairs // MUTANTS):
        family, seed = FAMILIES[i % len(FAMILIES)], 1000 * SEED + i
        case, random = made(family, seed), np.random.default_rng((seed, 1))
        for _ in range(MUTANTS):
            other, said = changed(case.module, random)
            signature = signature_of(other, np.random.default_rng(seed))
            data = written(signature, other.action, case.reference)
            equal = called_equal(data, case.reference)
            if acts_differently(case, signature, other.action):
                told += not equal
                if equal:
                    missed.append(f"{family.__name__}, seed {seed}, {said}")
            else:
                alike += 1
    assert not missed, f"{len(missed)} of {pairs} pairs act differently and were called equal:\n" + "\n".join(missed)
    assert told > 0.4 * pairs, f"only {told} of {pairs} pairs act differently, {alike} alike: change more"
