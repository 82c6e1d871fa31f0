"""Random programs of whole numbers, truth, tables, remainders and comparisons: C gives torch's numbers to the last one.

`MINNOW_SEED` chooses others; a failure prints the program at fault.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from test_export_numbers import golden_of
from torch import Tensor, nn
from torch.nn import functional as F

from minnow.cinfer import MinnowError, load
from minnow.export import ExportError, format
from minnow.export.lower import lower
from minnow.export.trace import Signature, trace

SEED = int(os.environ.get("MINNOW_SEED", "0"))
ROWS, WIDTH = 24, 4
TABLE = torch.tensor([3, -1, 16777217, 40000000, 5, 0, -16777219])
BOUNDS = {"die": (1, 6), "clock": (0, 86400)}


def observation(rng: np.random.Generator) -> dict[str, Tensor]:
    """Bytes, a counter of any size, numbers whose range is declared, and floats among which are tenths and halves."""
    shape = (ROWS, WIDTH)
    large = np.where(rng.random(shape) < 0.5, rng.integers(-9, 10, shape), rng.integers(-(2**31), 2**31, shape))
    real = rng.choice([0.1, 0.5, 1.0, 37.0], shape) * rng.integers(-40, 41, shape)
    return {
        "byte": torch.from_numpy(rng.integers(0, 256, shape).astype(np.uint8)),
        "count": torch.from_numpy(large.astype(np.int32)),
        "die": torch.from_numpy(rng.integers(1, 7, shape).astype(np.int32)),
        "clock": torch.from_numpy(rng.integers(0, 86401, shape).astype(np.int32)),
        "real": torch.from_numpy(real.astype(np.float32)),
    }


def index(a: Tensor, n: int) -> Tensor:
    return a.long() % n


# What a step makes of two arrays [agents, WIDTH] of any kinds, and of a small number.
STEPS: dict[str, Callable[[Tensor, Tensor, int], Tensor]] = {
    "add": lambda a, b, k: a + b,
    "sub": lambda a, b, k: a - b,
    "mul": lambda a, b, k: a * b,
    "mul_by": lambda a, b, k: a * (2 * k + 1),
    "floor": lambda a, b, k: a // (k + 2),
    "remainder": lambda a, b, k: a % (7 * k + 3),
    "remainder_of": lambda a, b, k: a % (b.abs().clamp(max=99) + 1),
    "back": lambda a, b, k: (100 * k) - a,
    "trunc": lambda a, b, k: torch.div(a, -(k + 2), rounding_mode="trunc"),
    "fmod": lambda a, b, k: torch.fmod(a, k + 3),
    "tenth": lambda a, b, k: a.float() // 0.1,
    "part": lambda a, b, k: a.float() % 0.7,
    "top": lambda a, b, k: torch.maximum(a, b),
    "low": lambda a, b, k: torch.minimum(a, b),
    "less": lambda a, b, k: a < b,
    "same": lambda a, b, k: a == b,
    "above": lambda a, b, k: a >= k,
    "where": lambda a, b, k: torch.where(a > k, a, b),
    "masked": lambda a, b, k: a.masked_fill(b > 0, k),
    "clamp": lambda a, b, k: a.clamp(-k, 1000 * k),
    "abs": lambda a, b, k: abs(a),
    "int": lambda a, b, k: a.int(),
    "long": lambda a, b, k: a.long(),
    "float": lambda a, b, k: a.float() * 0.5,
    "cat": lambda a, b, k: torch.cat([a, b], 1)[:, 1 : 1 + WIDTH],
    "flip": lambda a, b, k: a.flip(1),
    "gather": lambda a, b, k: a.gather(1, index(b, WIDTH)),
    "table": lambda a, b, k: TABLE[index(a[:, 0], 7) - 3].unsqueeze(1).expand(-1, WIDTH),
    "sum": lambda a, b, k: a.sum(1, keepdim=True).expand(-1, WIDTH),
    "argmax": lambda a, b, k: a.argmax(1, keepdim=True).expand(-1, WIDTH),
    "most": lambda a, b, k: a.amax(1, keepdim=True).expand(-1, WIDTH),
    "hot": lambda a, b, k: F.one_hot(index(a[:, 1], WIDTH), WIDTH),
    "scatter": lambda a, b, k: torch.zeros(a.shape[0], WIDTH).scatter(1, index(a, WIDTH)[:, :2], 1.0),
    "bits": lambda a, b, k: a.int() & (16 * k + 15),
    "mixed": lambda a, b, k: a.int() ^ b.int(),
    "shift": lambda a, b, k: a.int() >> k,
    "count": lambda a, b, k: (a > b).sum(1, keepdim=True) + a * 0,
    "not": lambda a, b, k: ~(a > b),
}


@dataclass
class Program:
    steps: list[tuple[str, int, int, int]]  # what, of which two arrays so far, and the number
    names: tuple[str, ...]

    def run(self, obs: dict[str, Tensor]) -> list[Tensor]:
        known = [obs[name] for name in self.names]
        for what, a, b, k in self.steps:
            first, second = (
                item.int() if item.dtype in (torch.bool, torch.uint8) else item for item in (known[a], known[b])
            )
            known.append(STEPS[what](first, second, k))
        return known[len(self.names) :]


class Run(nn.Module):
    def __init__(self, program: Program) -> None:
        super().__init__()
        self.program = program

    def forward(self, obs):
        parts = []
        for item in self.program.run(obs)[-3:]:
            parts.append(item.float())
            if item.dtype in (torch.int32, torch.int64):
                parts.append((item % 1000).float())  # what float32 would lose
        return torch.cat(parts, 1)


def draw(rng: np.random.Generator) -> Program:
    names = (*tuple(BOUNDS), "byte", "count", "real")
    steps = []
    for i in range(int(rng.integers(2, 8))):
        pick = rng.integers(max(0, i + len(names) - 5) if rng.random() < 0.7 else 0, i + len(names), 2)
        steps.append((str(rng.choice([*STEPS])), int(pick[0]), int(pick[1]), int(rng.integers(1, 9))))
    return Program(steps, names)


def outcome(program: Program, obs: dict[str, Tensor]) -> str:
    """Compares a program in C with torch. Returns what became of it."""
    module = Run(program)
    try:
        with torch.no_grad():
            wanted = module(obs).numpy()
    except (RuntimeError, IndexError, NotImplementedError):
        return "torch refuses"
    signature = Signature(module, obs, None, ("y",))
    try:
        graph, _ = lower(trace(signature), signature, BOUNDS)
    except ExportError as error:
        assert any(words in str(error) for words in ("32 bits", "beyond 2^24", "computes in bool")), error
        return "refused"
    policy = load(format.write(graph, None, golden=golden_of(graph)))
    compared = 0
    for row in range(ROWS):
        session = policy.session(1)
        try:
            one = {spec.name: obs[spec.name][row : row + 1].numpy() for spec in policy.inputs}
            found = session.step(one).outputs[0][0]
        except MinnowError as error:
            assert error.number == 9
            continue
        compared += 1
        np.testing.assert_array_equal(found, wanted[row])
    return "compared" if compared > ROWS // 2 else "told"


@pytest.mark.parametrize("count", [25, pytest.param(300, marks=pytest.mark.full)])
def test_random_programs(count: int) -> None:
    outcomes: Counter[str] = Counter()
    for number in range(count):
        rng = np.random.default_rng((SEED, number))
        program, obs = draw(rng), observation(rng)
        try:
            outcomes[outcome(program, obs)] += 1
        except Exception as error:
            raise AssertionError(f"program {number} of MINNOW_SEED={SEED}: {program}") from error
    assert outcomes["compared"] > count / 2, outcomes
