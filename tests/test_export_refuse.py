"""Modules that cannot be exported, and what is said about each."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from minnow.export import ExportError
from minnow.export.lower import lower
from minnow.export.trace import Signature, trace

B = 3  # agents in the examples


class Base(nn.Module):
    """What the modules below are made of."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.lstm = nn.LSTM(4, 4)
        self.norm = nn.BatchNorm1d(4)
        self.drop = nn.Dropout(0.5)
        self.register_buffer("count", torch.zeros(4))
        self.memory = None


class DataDependentBranch(Base):
    def forward(self, obs):
        if obs.sum() > 0:  # HERE
            return obs
        return -obs


class DataDependentLoop(Base):
    def forward(self, obs):
        total = obs
        for _ in range(int(obs[0, 0].abs().item()) + 1):  # HERE
            total = total + 1
        return total


class ToPython(Base):
    def forward(self, obs):
        return torch.tensor([[2 * x for x in row] for row in obs.tolist()])  # HERE


class ToNumpy(Base):
    def forward(self, obs):
        return torch.from_numpy(obs.numpy() * 2)  # HERE


class UnsupportedOperation(Base):
    def forward(self, obs):
        return torch.erfinv(self.linear(obs))  # HERE


class WindowsOverAgents(Base):
    def forward(self, obs):
        weight = self.linear.weight.reshape(4, 4, 1)
        return F.conv1d(obs.t().unsqueeze(0), weight)[0].t()  # HERE


class AgentsIntoFeatures(Base):
    def forward(self, obs):
        return obs.reshape(1, -1).softmax(1).reshape(-1, 4)  # HERE


class MeanOverAgents(Base):
    def forward(self, obs):
        return obs - obs.mean(0)  # HERE


class AgentsTimesAgents(Base):
    def forward(self, obs):
        return (obs @ obs.t()) @ obs  # HERE


class FirstAgentOnly(Base):
    def forward(self, obs):
        return obs + obs[0]  # HERE


class AgentsReversed(Base):
    def forward(self, obs):
        return obs.flip(0)  # HERE


class JoinedOverAgents(Base):
    def forward(self, obs):
        return torch.cat([obs, obs], 0).reshape(2, -1, 4)[0]  # HERE


class FixedNumberOfAgents(Base):
    def forward(self, obs):
        return obs.view(3, 4) * 2  # HERE


class LoopOverAgents(Base):
    def forward(self, obs):
        total = obs
        for _ in range(obs.shape[0]):  # HERE
            total = total + 1
        return total


class CountOfAgents(Base):
    def forward(self, obs):
        many = int(obs.shape[0])  # HERE
        return obs.view(many, 2, 2).flatten(1) * 2


class OtherForMany(Base):
    def forward(self, obs):
        return obs * 2 if obs.shape[0] > 20 else obs * 3


class LSTMWithoutAgents(Base):
    def forward(self, obs):
        return self.lstm(obs)[0]  # HERE


class LSTMOverAgents(Base):
    def forward(self, obs):
        return self.lstm(obs.unsqueeze(1))[0][:, 0]  # HERE


class Float64Weights(Base):
    def __init__(self):
        super().__init__()
        self.double()

    def forward(self, obs):
        return self.linear(obs)  # HERE


class HalfWeights(Base):
    def __init__(self):
        super().__init__()
        self.half()

    def forward(self, obs):
        return self.linear(obs)  # HERE


class HalfInside(Base):
    def forward(self, obs):
        return self.linear(obs).half().float()  # HERE


class ComplexWeights(Base):
    def __init__(self):
        super().__init__()
        self.phase = nn.Parameter(torch.randn(4, dtype=torch.complex64))

    def forward(self, obs):
        return (obs * self.phase).abs()  # HERE


class SparseWeights(Base):
    def __init__(self):
        super().__init__()
        self.register_buffer("sparse", torch.eye(4).to_sparse())

    def forward(self, obs):
        return torch.sparse.mm(self.sparse, obs.t()).t()  # HERE


class Eigenvalues(Base):
    def forward(self, obs):
        return torch.linalg.eigvalsh(obs.unsqueeze(1) * obs.unsqueeze(2))  # HERE


class BooleanIndex(Base):
    def forward(self, obs):
        return obs[obs > 0].sum().expand(obs.shape[0], 1)  # HERE


class HowMany(Base):
    def forward(self, obs):
        return obs * len(obs.nonzero())  # HERE


class LoopUntilSmall(Base):
    def forward(self, obs):
        while obs.abs().max() > 1:  # HERE
            obs = obs / 2
        return obs


class Draws(Base):
    def forward(self, obs):
        return torch.multinomial(obs.softmax(-1), 1).float()  # HERE


class SpreadOfAgents(Base):
    def forward(self, obs):
        return obs / obs.std(0)  # HERE


class MemoryInList(Base):
    def __init__(self):
        super().__init__()
        self.past = []

    def forward(self, obs):
        self.past.append(obs)  # HERE
        return obs + self.past[0]


class Float64Inside(Base):
    def forward(self, obs):
        return (obs.double() * 2).float()  # HERE


class Complex(Base):
    def forward(self, obs):
        return torch.fft.rfft(obs).real  # HERE


class Integers(Base):
    def forward(self, obs):
        return obs.to(torch.int8).float()  # HERE


class TrainingDropout(Base):
    def forward(self, obs):
        return self.drop(self.linear(obs))  # HERE


class TrainingBatchNorm(Base):
    def forward(self, obs):
        return self.norm(self.linear(obs))  # HERE


class RandomNumbers(Base):
    def forward(self, obs):
        return obs + torch.randn_like(obs)  # HERE


class MemoryInBuffer(Base):
    count: torch.Tensor

    def forward(self, obs):
        self.count.add_(1)  # HERE
        return obs + self.count


class MemoryOnSelf(Base):
    def forward(self, obs):
        self.memory = obs if self.memory is None else self.memory + obs  # HERE
        return self.memory


class WritesArgument(Base):
    def forward(self, obs):
        obs.mul_(2)  # HERE
        return obs + 1


class WritesElements(Base):
    def forward(self, obs):
        obs[:, 0] = 0.0  # HERE
        return obs


class ConstantOutput(Base):
    def forward(self, obs):
        return self.linear.weight


class IntegerOutput(Base):
    def forward(self, obs):
        return obs.argmax(-1, keepdim=True)  # HERE


class OneRowForAll(Base):
    def forward(self, obs):
        return obs.sum(0, keepdim=True)


class TwoOutputs(Base):
    def forward(self, obs):
        return obs, obs


class NestedOutput(Base):
    def forward(self, obs):
        return ((obs, obs),)


class Growing(Base):
    def forward(self, obs, state):
        return obs, torch.cat([state, obs], 1)


class OtherNesting(Base):
    def forward(self, obs, state):
        return obs, (state, state)


class Recurrent(Base):
    def forward(self, obs, state):
        state = torch.tanh(obs + state)
        return state, state


class Broken(Base):
    def forward(self, obs):
        return self.linear(obs[:, :3])  # HERE


OBS = torch.randn(B, 4)
TRAINING = (TrainingDropout, TrainingBatchNorm)
REFUSED = [
    (DataDependentBranch, "control flow depends on a tensor's values at {here}.*fixed list of operations"),
    (DataDependentLoop, "values.* at {here}"),
    (ToPython, "values go into Python at {here}.*obs.shape"),
    (ToNumpy, "cannot trace the module at {here}.*numpy.*plain torch operations"),
    (UnsupportedOperation, r"aten.erfinv.default on \[B, 4\] float32 at {here}.*no such operation"),
    (
        WindowsOverAgents,
        r"aten.conv1d.default on \[1, 4, B\] float32 and \[4, 4, 1\] float32.* at {here}.*mixes agents",
    ),
    (AgentsIntoFeatures, "aten.softmax.int.* at {here}.*mixes agents"),
    (MeanOverAgents, r"aten.mean.dim on \[B, 4\] float32 at {here}.*mixes agents"),
    (AgentsTimesAgents, r"aten.matmul.default on \[B, 4\] float32 and \[4, B\] float32 at {here}.*mixes agents"),
    (FirstAgentOnly, r"aten.select.int on \[B, 4\] float32 at {here}.*mixes agents"),
    (AgentsReversed, "aten.flip.default.* at {here}.*mixes agents"),
    (JoinedOverAgents, "aten.cat.default.* at {here}.*mixes agents"),
    (FixedNumberOfAgents, r"forward fails with \d+ agents instead of 3 at {here}.*obs.shape\[0\]"),
    (LoopOverAgents, "a loop is written for one number of agents at {here}.*take it from obs.shape"),
    (CountOfAgents, "a shape or a loop is written for one number of agents at {here}"),
    (OtherForMany, "'out' of an agent differs between 1 and 64 agents of the same observations"),
    (LSTMWithoutAgents, r"number of agents is fixed.* at {here}.*give recurrent layers \[1, agents, features\]"),
    (LSTMOverAgents, r"number of agents is fixed.* at {here}.*give recurrent layers \[1, agents, features\]"),
    (Float64Weights, r"parameter 'linear.weight' is float64.*module.float\(\).* at {here}"),
    (HalfWeights, r"parameter 'linear.weight' is float16.*module.float\(\).* at {here}"),
    (HalfInside, r"aten.to.dtype on \[B, 4\] float32 at {here}.*converts to float16.*float32"),
    (ComplexWeights, r"aten.mul.Tensor on \[B, 4\] float32 and \[4\] complex64 at {here}.*computes in complex64"),
    (SparseWeights, r"'sparse' is a sparse_coo tensor, used at {here}.*dense.*to_dense\(\)"),
    (Eigenvalues, r"aten.linalg_eigvalsh.default on \[B, 4, 4\] float32 at {here}.*no such operation"),
    (BooleanIndex, r"aten.index.Tensor on \[B, 4\] float32 and \[B, 4\] bool at {here}.*fixed lists of numbers"),
    (HowMany, "aten.nonzero.default.* at {here}.*no such operation"),
    (LoopUntilSmall, "control flow depends on a tensor's values at {here}.*fixed list of operations"),
    (Draws, "aten.multinomial.default.* at {here}.*random numbers.*action head"),
    (SpreadOfAgents, r"aten.std.dim on \[B, 4\] float32 at {here}.*mixes agents"),
    (MemoryInList, r"assigns the tensor attribute self.past.* at {here}.*forward\(obs, state\)"),
    (Float64Inside, r"aten.to.dtype on \[B, 4\] float32 at {here}.*converts to float64.*float32"),
    (Complex, "aten.fft_rfft.default.* at {here}.*no such operation"),
    (Integers, "aten.to.dtype.* at {here}.*converts to int8"),
    (TrainingDropout, r"aten.dropout.default.* at {here}.*training mode.*module.eval\(\)"),
    (TrainingBatchNorm, r"at {here}.*batch norm in training mode mixes agents.*module.eval\(\)"),
    (RandomNumbers, "aten.randn_like.default.* at {here}.*random numbers.*action head"),
    (MemoryInBuffer, "aten.add_.Tensor.* at {here}.*memory on self.*return it as state"),
    (MemoryOnSelf, r"assigns the tensor attribute self.memory at {here}.*forward\(obs, state\)"),
    (WritesArgument, "aten.mul_.Tensor.* at {here}.*own arguments"),
    (WritesElements, "aten.fill_.Tensor.* at {here}.*own arguments"),
    (ConstantOutput, "output 'out' has shape.*axis 0 must count the agents"),
    (IntegerOutput, "output 'out'.* at {here}.*int64: outputs are float32"),
    (OneRowForAll, "output 'out' has shape.*axis 0 must count the agents"),
    (TwoOutputs, r"forward returned 2 values where 1 are expected \(out\).*outputs="),
    (NestedOutput, "output 'out' is a tuple, not a tensor"),
    (Recurrent, "forward fails.*missing 1 required positional argument: 'state'.*example_state"),
    (Broken, "forward fails at {here}.*shapes cannot be multiplied.*example_obs"),
]


def line_of(kind: type) -> int:
    """The line of the module that is marked."""
    lines = Path(__file__).read_text().splitlines()
    start = next(i for i, text in enumerate(lines) if text.startswith(f"class {kind.__name__}("))
    return next((i + 1 for i in range(start, len(lines)) if "# HERE" in lines[i]), 0)


def message(module: nn.Module, *args, **kwargs) -> str:
    """What export says about a module."""
    with pytest.raises(ExportError) as caught:
        signature = Signature(module, *args, **kwargs)
        lower(trace(signature), signature)
        signature.check_repeats()
    text = str(caught.value)
    assert "\n" not in text and len(text) < 700, text
    return text


@pytest.mark.parametrize("kind, expected", REFUSED, ids=[kind.__name__ for kind, _ in REFUSED])
def test_refused(kind, expected, capfd):
    """One paragraph, and nothing else is printed."""
    module = kind().train(kind in TRAINING)
    text = message(module, OBS, outputs=("out",))
    assert capfd.readouterr() == ("", "")
    expected = expected.replace("{here}", f"{re.escape(__file__)}:{line_of(kind)} ")
    assert re.search(expected, text), text


STATE = torch.zeros(B, 4)
CALLS = [
    ("growing state", Growing, (OBS, STATE), {}, r"state leaf 'state'.* as \[3, 4\] float32.*comes back as \[3, 8\]"),
    ("other nesting", OtherNesting, (OBS, STATE), {}, "came as state and was returned as 0, 1: return it nested"),
    ("too few agents", Recurrent, (OBS, torch.zeros(2, 4)), {}, r"state leaf 'state' has shape \[2, 4\].*no axis of 3"),
    ("unequal starts", Recurrent, (OBS, torch.randn(B, 4)), {}, "differs between agents in 'state'"),
    ("state f64", Recurrent, (OBS, STATE.double()), {}, "state 'state' is float64"),
    ("state axis", Recurrent, (OBS, STATE), {"state_axes": 2}, r"axis 2 for 'state' of shape \[3, 4\]"),
    ("state axes", Recurrent, (OBS, STATE), {"state_axes": [0, 1]}, "state_axes has 2 numbers for 1 state leaves"),
    ("obs f16", TwoOutputs, (OBS.half(),), {}, "obs 'obs' is float16: it must be .*float32 or uint8 or int32"),
    ("obs sparse", TwoOutputs, (OBS.to_sparse(),), {}, "obs 'obs' is sparse_coo float32: it must be a dense array"),
    ("obs list", TwoOutputs, ([[1.0, 2.0]],), {}, "obs '0.0' is a float: a tensor or a NumPy array is expected"),
    ("missing obs", TwoOutputs, (None,), {}, "obs 'obs' is a NoneType: a tensor or a NumPy array is expected"),
    ("no obs", TwoOutputs, ({},), {}, "the example obs holds no array"),
    ("no agents", TwoOutputs, (OBS[:0],), {}, "example_obs has no agent"),
    ("scalar obs", TwoOutputs, (torch.tensor(1.0),), {}, "axis 0 counts the agents"),
    ("uneven obs", TwoOutputs, ({"a": OBS, "b": OBS[:2]},), {}, "'b' has shape.*one row per agent"),
    ("output names", TwoOutputs, (OBS,), {"outputs": ("a", "a")}, "name every output of forward once"),
]


@pytest.mark.parametrize("kind, args, kwargs, expected", [case[1:] for case in CALLS], ids=[case[0] for case in CALLS])
def test_refused_arguments(kind, args, kwargs, expected):
    outputs = {"outputs": ("a", "b") if kind is TwoOutputs else ("out",)}
    text = message(kind().eval(), *args, **(outputs | kwargs))
    assert re.search(expected, text), text


def test_ambiguous_axis_is_asked_for():
    """Nothing in the module tells which axis of [3, 3] counts the agents, and both run."""

    class Either(nn.Module):
        def forward(self, obs, state):
            return obs, state.tanh()

    text = message(Either(), torch.zeros(3, 4), torch.zeros(3, 3), ("out",))
    assert "ambiguous" in text and "state_axes" in text
    signature = Signature(Either(), torch.zeros(3, 4), torch.zeros(3, 3), ("out",), state_axes=1)
    assert signature.states[0].axis == 1


def test_there_are_enough_with_a_line():
    assert sum("{here}" in expected for _, expected in REFUSED) >= 25
