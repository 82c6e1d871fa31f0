"""Forward and backward passes by hand of fully connected layers with ReLU or tanh, then an LSTM, then discrete heads
and a value; on the CPU. (Networks without memory have core/learn.h.)

They compute what `Policy` and autograd do (tests/test_train_passes.py), in a third of the time: memory is kept, bias,
activation and the sums of its gradient are one loop in C (passes.c), the actor and the critic are one matrix, and
gradients are added where the optimiser reads them. Products of matrices are torch's.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from minnow.train.config import TrainConfig
from minnow.train.native import REALS, library
from minnow.train.policy import LSTM, Policy, State
from minnow.train.space import Categorical

KINDS = {nn.ReLU: 1, nn.Tanh: 2}  # passes.c's numbers; 0 is no activation


def suits(policy: Policy) -> bool:
    """Whether the network is one of these."""
    layers = all(isinstance(module, (nn.Linear, *KINDS)) for module in policy.encoder)
    memory = isinstance(policy.core, LSTM)
    discrete = isinstance(policy.space, Categorical)
    return policy.plain and layers and memory and discrete and policy.actor.weight.device.type == "cpu"


def joined(first: Tensor, second: Tensor) -> Tensor:
    """Two parameters that lie one behind the other, as one, on their common memory."""
    assert first.data_ptr() + first.numel() * first.element_size() == second.data_ptr()
    shape = (len(first) + len(second), *first.shape[1:])
    return torch.as_strided(first, shape, first.stride())


class Passes:
    """Of one policy, whose actor's and critic's weights lie one behind the other in memory, and so do their biases and
    the gradients of both."""

    def __init__(self, policy: Policy, products: torch.dtype) -> None:
        """`products`: what the memory's matrices are multiplied in; call `refresh` whenever weights have changed."""
        assert isinstance(policy.space, Categorical)  # as `suits` says
        self.policy, self.space = policy, policy.space
        modules = list(policy.encoder)
        self.layers = []  # weight, bias, activation, and the gradients
        for i, linear in enumerate(modules):
            if isinstance(linear, nn.Linear):
                kind = KINDS[type(modules[i + 1])] if i + 1 < len(modules) else 0
                self.layers.append((*_data(linear.weight, linear.bias), kind))
        weights, biases = (
            [joined(*pair) for pair in zip(_data(a), _data(b), strict=True)]
            for a, b in ((policy.actor.weight, policy.critic.weight), (policy.actor.bias, policy.critic.bias))
        )
        self.head = (weights[0], biases[0], weights[1], biases[1], 0)
        core: Any = policy.memory.lstm
        self.lstm = _data(core.weight_ih_l0, core.weight_hh_l0, core.bias_ih_l0, core.bias_hh_l0)
        self.both = torch.empty(4 * core.hidden_size, 2 * core.hidden_size, dtype=products)
        self.type, self.products = policy.actor.weight.dtype, products
        self.library = library("passes")
        self.sizes = torch.tensor(self.space.sizes)
        self.outputs = self.space.out_size + 1  # logits and value
        self.rooms: dict[str, Tensor] = {}

    def room(self, name: str, *shape: int, dtype: torch.dtype | None = None) -> Tensor:
        """Memory of that name, the same at each call; what it held is lost when it has to grow."""
        held = self.rooms.get(name)
        if held is None or len(held) < shape[0] or held.shape[1:] != shape[1:]:
            held = self.rooms[name] = torch.empty(shape, dtype=dtype or self.type)
        return held[: shape[0]]

    def refresh(self) -> None:
        """Takes over the memory's weights: those of inputs and those of outputs side by side, in the products' type."""
        size = self.both.shape[1] // 2
        self.both[:, :size], self.both[:, size:] = self.lstm[0], self.lstm[1]

    def call(self, name: str, *items: Any) -> None:
        """A function of passes.c."""
        cast, null = self.library.ffi.cast, self.library.ffi.NULL
        given = [
            cast("void *", item.data_ptr()) if isinstance(item, Tensor) else null if item is None else item
            for item in items
        ]
        getattr(self.library.c, f"{name}_{REALS[self.type]}")(*given)

    def prepare(self, obs: Tensor) -> Tensor:
        """[n, *obs_shape] as the first layer wants it: [n, inputs]."""
        if obs.dtype == torch.uint8:
            obs = obs.to(self.type) * (1 / 255)
        elif obs.dtype != self.type:
            obs = obs.to(self.type)
        if self.policy.normalize is not None:
            obs = self.policy.normalize(obs)
        return obs.flatten(1)

    def encode(self, x: Tensor, room: str) -> list[Tensor]:
        """The input and every layer's output."""
        outputs = [x]
        for i, (weight, bias, _, _, kind) in enumerate(self.layers):
            y = self.room(f"{room} {i}", len(x), len(weight))
            torch.mm(outputs[-1], weight.T, out=y)
            self.call("forward", *y.shape, y, bias, kind)
            outputs.append(y)
        return outputs

    def heads(self, x: Tensor, out: Tensor) -> Tensor:
        """x [n, width] -> logits and value, [n, choices + 1], in `out`."""
        torch.mm(x, self.head[0].T, out=out)
        self.call("forward", *out.shape, out, self.head[1], 0)
        return out

    def remember(self, x: Tensor, hidden: Tensor, cell: Tensor, out: tuple[Tensor, ...]) -> None:
        """One step of the memory: x, hidden and cell [n, size]; out: both inputs side by side [n, 2 size] in the
        products' type, the gates [n, 4 size], the new hidden and the new cell."""
        inputs, gates, new_hidden, new_cell = out
        size = x.shape[1]
        inputs[:, :size], inputs[:, size:] = x, hidden
        self.product(inputs, self.both.T, gates)
        self.call("gates", *x.shape, gates, self.lstm[2] + self.lstm[3], cell, new_cell, new_hidden)

    def product(self, left: Tensor, right: Tensor, out: Tensor) -> Tensor:
        """left x right, both of the products' type, into `out`, which may be of another."""
        if self.products == out.dtype:
            return torch.mm(left, right, out=out)
        return out.copy_(torch.mm(left, right))

    def step(self, obs: Tensor, state: State, out: Tensor) -> State:
        """Acts once: obs [n, *obs_shape] -> logits and value in `out` [n, choices + 1]; returns the new state."""
        x = self.encode(self.prepare(obs), "step")[-1]
        hidden, cell = torch.empty_like(state[0]), torch.empty_like(state[1])
        gates = self.room("step gates", len(x), 4 * x.shape[1])
        inputs = self.room("step inputs", len(x), 2 * x.shape[1], dtype=self.products)
        self.remember(x, state[0][0], state[1][0], (inputs, gates, hidden[0], cell[0]))
        self.heads(hidden[0], out)
        return hidden, cell

    def sample(
        self, head: Tensor, mask: Tensor | None, noise: Tensor, action: Tensor, told: Tensor, log_prob: Tensor
    ) -> None:
        """As `Categorical.sample` does it, from logits and value [n, choices + 1]: actions twice, int64 and int32, and
        their probabilities' logarithms."""
        scratch = self.room("scratch", 2 * self.library.c.BLOCK * self.space.out_size)
        of_space = (self.space.heads, self.sizes, self.space.out_size)
        self.call("sample", len(head), *of_space, head, mask, noise, action, told, log_prob, scratch)

    def objective(
        self,
        head: Tensor,
        places: Tensor,
        importance: Tensor | None,
        whole: Any,
        ratio: Tensor | None,
        train: TrainConfig,
        entropy_weight: float,
        sums: Tensor,
    ) -> None:
        """Turns logits and value [n, choices + 1] of the samples at `places` of `whole` (ppo.Minibatch, every tensor
        contiguous) into the gradient of the objective; adds to `sums`, and writes `ratio` where it is given."""
        mask = whole.mask if whole.mask.numel() else None
        given = (mask, whole.action, whole.log_prob, whole.value, whole.returns, whole.advantage, whole.weight)
        settings = (train.clip, train.value_clip, train.value_weight, entropy_weight)
        scratch = self.room("scratch", 2 * self.library.c.BLOCK * self.space.out_size)
        n, count, choices = len(places), self.space.heads, self.space.out_size
        self.call(
            "objective",
            n,
            places,
            count,
            self.sizes,
            choices,
            head,
            *given,
            importance,
            ratio,
            *settings,
            scratch,
            sums,
        )

    def of_heads(self, d: Tensor, x: Tensor) -> Tensor:
        """From the gradient of logits and value to that of the heads' input x."""
        weight, _, of_weight, of_bias, _ = self.head
        self.call("backward", *d.shape, d, d, of_bias, 0)
        of_weight.addmm_(d.T, x)
        return torch.mm(d, weight, out=self.room("d x", *x.shape))

    def back(self, d: Tensor, y: list[Tensor]) -> None:
        """From the gradient of the last layer's output through all of them; y: as `encode` returned."""
        for i in range(len(self.layers) - 1, -1, -1):
            weight, _, of_weight, of_bias, kind = self.layers[i]
            self.call("backward", *d.shape, d, y[i + 1], of_bias, kind)
            if y[i].shape[1] < d.shape[1]:  # which way round makes a difference to narrow products
                of_weight += torch.mm(y[i].T, d).T
            else:
                of_weight.addmm_(d.T, y[i])
            if i > 0:
                d = torch.mm(d, weight, out=self.room(f"d {i}", *y[i].shape))

    def sequences(self, obs: Tensor, state: State, resets: Tensor, objective: Any) -> None:
        """Adds the gradients of whole sequences of a policy with memory. obs: [T, n, *obs_shape], resets: [T, n];
        `objective` as for samples, of all T x n at once."""
        steps, n = resets.shape
        y = self.encode(self.prepare(obs.flatten(0, 1)), "learn")
        x = y[-1].view(steps, n, -1)
        size = x.shape[2]
        gates = self.room("gates", steps * n, 4 * size).view(steps, n, 4 * size)
        inputs = self.room("inputs", steps * n, 2 * size, dtype=self.products).view(steps, n, 2 * size)
        hidden, cell = (self.room(name, steps * n, size).view(-1, n, size) for name in ("hidden", "cell"))
        h, c = state[0][0], state[1][0]
        begins = resets.any(1).tolist()
        keep = (1 - resets.to(self.type)).unsqueeze(-1)
        before = []
        for t in range(steps):
            if begins[t]:
                h, c = h * keep[t], c * keep[t]
            before.append(c)
            self.remember(x[t], h, c, (inputs[t], gates[t], hidden[t], cell[t]))
            h, c = hidden[t], cell[t]
        last = hidden.flatten(0, 1)
        d = self.heads(last, self.room("head", steps * n, len(self.head[0])))
        objective(d, slice(None))
        d = self.of_heads(d, last).view(steps, n, size)
        self.unwind(d, inputs, gates, before, cell, keep)
        self.back(d.flatten(0, 1), y)

    def unwind(
        self, d: Tensor, inputs: Tensor, gates: Tensor, before: list[Tensor], cell: Tensor, keep: Tensor
    ) -> None:
        """Back through the steps of the memory: d [T, n, size], the gradient of its outputs, becomes that of inputs.
        inputs, gates, cell: as the steps left them; before: the cell that each step began with; keep [T, n, 1]: 0 where
        an episode began."""
        steps, n, size = d.shape
        d_cell, d_hidden = torch.zeros_like(d[0]), torch.zeros_like(d[0])
        bias = torch.zeros(4 * size, dtype=self.type)
        narrow = gates
        if self.products != self.type:
            narrow = self.room("narrow", steps * n, 4 * size, dtype=self.products).view_as(gates)
        d_inputs = self.room("d inputs", n, 2 * size)
        for t in range(steps - 1, -1, -1):
            d_hidden += d[t]
            self.call("gates_back", n, size, gates[t], bias, before[t], cell[t], d_hidden, d_cell)
            if narrow is not gates:
                narrow[t] = gates[t]
            self.product(narrow[t], self.both, d_inputs)
            d[t] = d_inputs[:, :size]
            torch.mul(d_inputs[:, size:], keep[t], out=d_hidden)
            d_cell *= keep[t]
        of_both = torch.mm(narrow.flatten(0, 1).T, inputs.flatten(0, 1)).to(self.type)
        for of_weight, part in zip(self.lstm[4:6], of_both.split(size, 1), strict=True):
            of_weight += part
        for of_bias in self.lstm[6:]:
            of_bias += bias


def _data(*parameters: Tensor) -> tuple[Tensor, ...]:
    """Their values, then their gradients."""
    gradients = tuple(leaf.grad for leaf in parameters if leaf.grad is not None)
    assert len(gradients) == len(parameters)
    return tuple(leaf.detach() for leaf in parameters) + gradients
