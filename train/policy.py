"""Policies: an encoder, a memory or none, and heads for the action and the value.

`forward` is one step and is what export traces; `unroll` is a stretch of steps and is what training uses. Both compute
the same function. Observations keep the environment's shape and type; the agent axis is 0, time comes before it.

A vector or a picture alone goes into the encoder as it is, flattened. Of several groups, pictures and sets first go
through networks of their own, `stems`, and the encoder gets all results side by side. What is for the critic alone goes
through such an encoder too, and from there to the value, past the memory.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from minnow.cinfer.errors import MinnowError
from minnow.train.config import PolicyConfig
from minnow.train.observation import FIELDS, PRESENT, SET, Input, Inputs, Obs, any_of, each, inputs
from minnow.train.space import Categorical, Gaussian, Space
from minnow.train.weights import Weights, deviations, lasting

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "gelu": nn.GELU, "silu": nn.SiLU}
State = tuple[Tensor, ...]


class Normalize(nn.Module):
    """(obs - mean) / deviation, clipped to +-10, by statistics of all observations seen in training."""

    mean: Tensor
    scale: Tensor
    count: Tensor
    total: Tensor
    square: Tensor

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("scale", torch.ones(shape))  # 1 / deviation
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))
        self.register_buffer("total", torch.zeros(shape, dtype=torch.float64))  # sum of observations
        self.register_buffer("square", torch.zeros(shape, dtype=torch.float64))  # and of their squares

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Normalize:
        """Sums stay in float64, whatever type the policy is given: in float32 the variance of what lies far from 0 is
        lost, and a long run's count stands still."""
        sums = {name: getattr(self, name) for name in ("count", "total", "square")}
        super()._apply(fn, recurse)
        for name, leaf in sums.items():
            setattr(self, name, leaf.to(getattr(self, name).device))
        return self

    def forward(self, obs: Tensor) -> Tensor:
        return ((obs - self.mean) * self.scale).clamp(-10.0, 10.0)

    @torch.no_grad()
    def update(self, obs: Tensor, sum_: Callable[[Tensor], Tensor] = lambda sums: sums) -> None:
        """Takes in observations [..., *shape]. Sums in float64 add up the same however they are split; `sum_` adds up
        those of several processes."""
        flat = obs.reshape(-1, *self.mean.shape).double()
        sums = sum_(torch.stack([flat.new_full(self.mean.shape, len(flat)), flat.sum(0), flat.square().sum(0)]))
        self.count += sums[0].flatten()[0]
        self.total += sums[1]
        self.square += sums[2]
        if self.count == 0:  # nobody was there
            return
        mean = self.total / self.count
        variance = (self.square / self.count - mean.square()).clamp_min(0)
        self.mean.copy_(mean)
        self.scale.copy_((variance + 1e-6).rsqrt())


class Memory(nn.Module):
    """What the kinds of memory have in common: a step of all agents, x [B, size] -> [B, size], and many steps."""

    batch_axis: int  # of the agents, in every leaf of the state
    stepwise: bool = False  # go step by step, whatever the resets are, as a captured graph must

    def initial(self, batch: int) -> State:
        """Zeros."""
        raise NotImplementedError

    def unroll(self, x: Tensor, state: State, resets: Tensor) -> tuple[Tensor, State]:
        """x [T, B, size], resets [T, B] -> outputs [T, B, size], and the state after them."""
        raise NotImplementedError


class LSTM(Memory):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997). State: h and c, [1, B, size] each."""

    lstm: Any  # nn.LSTM, whose weights have no types

    def __init__(self, size: int, weights: Weights) -> None:
        super().__init__()
        self.lstm = nn.LSTM(size, size)
        weights.orthogonal_(self.lstm.weight_ih_l0, 1.0)
        weights.orthogonal_(self.lstm.weight_hh_l0, 1.0)
        nn.init.zeros_(self.lstm.bias_ih_l0)
        nn.init.zeros_(self.lstm.bias_hh_l0)
        self.batch_axis = 1

    @torch.no_grad()
    def remember(self, steps: int) -> None:
        """Biases by which the cells keep what they hold for 1 to `steps` steps (Tallec and Ollivier, 2018, "Can
        recurrent neural networks warp time?", but spread evenly, not drawn)."""
        size = self.lstm.hidden_size
        keep = lasting(size, steps)
        self.lstm.bias_hh_l0[:size] = -keep  # the input gate
        self.lstm.bias_hh_l0[size : 2 * size] = keep  # the forget gate

    def initial(self, batch: int) -> State:
        return torch.zeros(1, batch, self.lstm.hidden_size), torch.zeros(1, batch, self.lstm.hidden_size)

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        y, state = self.lstm(x.unsqueeze(0), state)
        return y.squeeze(0), state

    def unroll(self, x: Tensor, state: State, resets: Tensor) -> tuple[Tensor, State]:
        if not self.stepwise:
            return _stretches(self.lstm, x, state, resets)
        lstm = self.lstm
        given = nn.functional.linear(x, lstm.weight_ih_l0, lstm.bias_ih_l0 + lstm.bias_hh_l0).to(state[0].dtype)

        def step(given: Tensor, state: State) -> State:
            remembered = nn.functional.linear(state[0], lstm.weight_hh_l0)
            enter, keep, candidate, leave = (given + remembered).chunk(4, -1)
            cell = keep.sigmoid() * state[1] + enter.sigmoid() * candidate.tanh()
            return leave.sigmoid() * cell.tanh(), cell

        return _steps(step, given, state, resets)


class GRU(Memory):
    """Gated recurrent unit (Cho et al., 2014). State: h, [1, B, size]."""

    gru: Any  # nn.GRU, whose weights have no types

    def __init__(self, size: int, weights: Weights) -> None:
        super().__init__()
        self.gru = nn.GRU(size, size)
        weights.orthogonal_(self.gru.weight_ih_l0, 1.0)
        weights.orthogonal_(self.gru.weight_hh_l0, 1.0)
        nn.init.zeros_(self.gru.bias_ih_l0)
        nn.init.zeros_(self.gru.bias_hh_l0)
        self.batch_axis = 1

    def initial(self, batch: int) -> State:
        return (torch.zeros(1, batch, self.gru.hidden_size),)

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        y, h = self.gru(x.unsqueeze(0), state[0])
        return y.squeeze(0), (h,)

    def unroll(self, x: Tensor, state: State, resets: Tensor) -> tuple[Tensor, State]:
        def gru(x: Tensor, state: State) -> tuple[Tensor, State]:
            y, h = self.gru(x, state[0])
            return y, (h,)

        if not self.stepwise:
            return _stretches(gru, x, state, resets)
        given = nn.functional.linear(x, self.gru.weight_ih_l0, self.gru.bias_ih_l0).to(state[0].dtype)

        def step(given: Tensor, state: State) -> State:
            (h,) = state
            remembered = nn.functional.linear(h, self.gru.weight_hh_l0, self.gru.bias_hh_l0).to(h.dtype)
            size = h.shape[-1]
            reset, update = (given + remembered)[..., : 2 * size].sigmoid().chunk(2, -1)
            candidate = (given[..., 2 * size :] + reset * remembered[..., 2 * size :]).tanh()
            return (candidate + update * (h - candidate),)

        return _steps(step, given, state, resets)


def _stretches(
    run: Callable[[Tensor, State], tuple[Tensor, State]], x: Tensor, state: State, resets: Tensor
) -> tuple[Tensor, State]:
    """One call of the kernel for each stretch of steps in which no episode begins."""
    begins = [t for t, some in enumerate(resets.any(1).tolist()) if some and t > 0]
    parts = []
    for start, stop in zip([0, *begins], [*begins, len(x)], strict=True):
        keep = (1 - resets[start].to(x.dtype)).reshape(1, -1, 1)
        y, state = run(x[start:stop], tuple(leaf * keep for leaf in state))
        parts.append(y)
    return torch.cat(parts), state


def _steps(step: Callable[[Tensor, State], State], given: Tensor, state: State, resets: Tensor) -> tuple[Tensor, State]:
    """A call for every step, whatever `resets` [T, B] are: a captured graph cannot ask. given: [T, B, ...]; the first
    leaf of the state, [1, B, size], is the output."""
    keep = (1 - resets.to(state[0].dtype)).unsqueeze(-1)
    outputs = []
    for t in range(len(given)):
        state = step(given[t], tuple(leaf * keep[t] for leaf in state))
        outputs.append(state[0][0])
    return torch.stack(outputs), state


class MinGRU(Memory):
    """Minimal gated recurrent unit (Feng et al., 2024, "Were RNNs all we needed?", section 3.1): gate and candidate
    depend on the input alone. State: h, [B, size]."""

    def __init__(self, size: int, weights: Weights) -> None:
        super().__init__()
        self.gate = weights.linear(size, size, 1.0)
        self.candidate = weights.linear(size, size, 1.0)
        self.batch_axis = 0

    def initial(self, batch: int) -> State:
        return (torch.zeros(batch, self.gate.out_features),)

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        z = torch.sigmoid(self.gate(x))
        h = state[0] + z * (self.candidate(x) - state[0])
        return h, (h,)

    def unroll(self, x: Tensor, state: State, resets: Tensor) -> tuple[Tensor, State]:
        h, steps = state[0], []
        z = torch.sigmoid(self.gate(x).to(h.dtype))
        candidate = self.candidate(x).to(h.dtype)
        keep = (1 - resets.to(h.dtype)).unsqueeze(-1)
        for t in range(len(x)):
            h = h * keep[t]
            h = h + z[t] * (candidate[t] - h)
            steps.append(h)
        return torch.stack(steps), (h,)


LEAST = -1e9  # below what any entity's network gives; finite, as every number in a policy's file
CORES: dict[str, Callable[[int, Weights], Memory] | None] = {"mlp": None, "lstm": LSTM, "gru": GRU, "mingru": MinGRU}


class SetEncoder(nn.Module):
    """A set of entities as one vector, whatever their order (Zaheer et al., 2017, "Deep sets"): one network for each
    entity, then the mean and the maximum of its outputs over those that are there; zeros where none is."""

    def __init__(self, fields: int, config: PolicyConfig, weights: Weights) -> None:
        super().__init__()
        self.each = _layers(fields, config, max(config.layers, 1), weights)
        self.size = 2 * config.hidden

    def forward(self, x: Tensor, there: Tensor | None) -> Tensor:
        """x: [..., entities, fields], there: [..., entities], 1 or 0 -> [..., 2 hidden]."""
        if there is None:
            y = self.each(x)
            return torch.cat([y.mean(-2), y.amax(-2)], -1)
        absent = (there == 0).unsqueeze(-1)
        y = self.each(x.masked_fill(absent, 0.0))  # what the absent hold means nothing, and may be anything
        count = there.to(y.dtype).sum(-1, keepdim=True)
        mean = y.masked_fill(absent, 0.0).sum(-2) / count.clamp_min(1.0)
        most = y.masked_fill(absent, LEAST).amax(-2).masked_fill(count == 0, 0.0)
        return torch.cat([mean, most], -1)


class Policy(nn.Module):
    """given: the groups of an observation; or the shape of the only one. 8-bit observations are scaled to 0 .. 1 before
    anything else. The same seed gives the same weights; without one torch's generator draws it."""

    middle: Tensor
    reach: Tensor
    normalize: Any  # Normalize; of several groups a dict of them by group; or None

    def __init__(
        self, config: PolicyConfig, given: Sequence[Input] | Sequence[int], space: Space, seed: int | None = None
    ) -> None:
        super().__init__()
        weights = Weights(seed)
        self.config, self.space, self.inputs = config, space, inputs(given)
        self.products: Callable[[], AbstractContextManager[Any]] = (
            contextlib.nullcontext
        )  # in which training multiplies
        alone = len(self.inputs) == 1
        wanted = [item for item in self.inputs if config.normalize and item.type == "f32" and item.kind != PRESENT]
        made = {_key(item): Normalize(item.shape[1:] if item.kind == SET else item.shape) for item in wanted}
        self.normalize = (made[_key(self.inputs[0])] if alone else nn.ModuleDict(made)) if made else None
        obs_shape = self.inputs[0].shape
        self.parts = obs_shape[0] if config.parts else 0
        if self.parts and (not alone or config.core != "mlp" or not isinstance(space, Categorical) or space.heads > 1):
            raise MinnowError(
                "policy.parts needs policy.core mlp, an observation of one group and one choice among several actions: "
                "leave it out."
            )
        if self.parts and self.parts > space.out_size:
            raise MinnowError(f"policy.parts: the observation has {self.parts} parts for {space.out_size} actions.")
        plain = [item for item in self.inputs if not item.critic and item.kind != PRESENT]
        private = [item for item in self.inputs if item.critic and item.kind != PRESENT]
        if not plain:
            raise MinnowError("every group of the observation is for the critic alone: the policy would see nothing.")
        self.stems = nn.ModuleDict()
        size = sum(self._stem(item, config, weights) for item in plain)
        if self.parts:
            size = math.prod(obs_shape[1:])
        self.encoder = _layers(size, config, config.layers, weights)
        core = CORES[config.core]
        if core is not None and config.layers == 0:
            self.encoder = nn.Sequential(weights.linear(size, config.hidden, 1.0))  # the memory wants its own width
        self.core = core(config.hidden, weights) if core is not None else None
        if config.remember:
            if not isinstance(self.core, LSTM) or config.remember < 2:
                raise MinnowError("policy.remember is a number of steps, 2 or more, for policy.core lstm.")
            self.core.remember(config.remember)
        width = config.hidden if core is not None or config.layers else size
        out_size = space.heads if isinstance(space, Gaussian) else 1 if self.parts else space.out_size
        self.actor = weights.linear(width, out_size, 0.01)  # makes the first policy even
        self.private = None  # the encoder of what is for the critic alone
        if private:
            seen = sum(self._stem(item, config, weights) for item in private)
            self.private = _layers(seen, config, config.layers, weights)
            width += config.hidden if config.layers else seen
        # Values begin near zero: what they begin with must be unlearned, and Adam's first steps, all of one size, kill
        # units on the way.
        self.critic = weights.linear(width, 1, 0.01)
        if isinstance(space, Gaussian):
            low, high = torch.tensor(space.low), torch.tensor(space.high)
            self.register_buffer("middle", (low + high) / 2)
            self.register_buffer("reach", (high - low) / 2)
            self.log_std = nn.Parameter(deviations(self.reach))

    def _stem(self, item: Input, config: PolicyConfig, weights: Weights) -> int:
        """Makes the network that a group goes through first, if it wants one; how many numbers come out."""
        if item.kind == SET:
            stem = self.stems[_key(item)] = SetEncoder(item.shape[1], config, weights)
            return stem.size
        size = math.prod(item.shape)
        if item.kind == FIELDS or len(self.inputs) == 1:
            return size
        self.stems[_key(item)] = _layers(size, config, 1, weights)
        return config.hidden

    @property
    def outputs(self) -> tuple[str, ...]:
        """What `forward` returns before the state."""
        found = ("logits",) if isinstance(self.space, Categorical) else ("mean", "log_std")
        return found if self.private is not None else (*found, "value")

    @property
    def acting(self) -> Inputs:
        """The groups that the action depends on: all that `forward` wants."""
        return tuple(item for item in self.inputs if not item.critic)

    @property
    def recurrent(self) -> bool:
        return self.core is not None

    @property
    def statistics(self) -> dict[str, Normalize]:
        """By the names of the groups that are normalised, in their order."""
        if self.normalize is None:
            return {}
        if isinstance(self.normalize, Normalize):
            return {self.inputs[0].name: self.normalize}
        return {item.name: self.normalize[_key(item)] for item in self.inputs if _key(item) in self.normalize}

    @property
    def memory(self) -> Memory:
        """That of a recurrent policy."""
        assert self.core is not None
        return self.core

    def initial_state(self, batch: int) -> State | None:
        """Zeros; None without memory."""
        return None if self.core is None else self.core.initial(batch)

    def forward(self, obs: Obs, state: State | None = None) -> tuple[Any, ...]:
        """One step: obs [B, *obs_shape] -> logits [B, choices] (or mean and log_std [B, heads]), value [B, 1], and the
        next state where there is memory. Where some groups are for the critic alone, neither these nor the value."""
        x, state = self._remember(self._encode(obs, 1), obs, state)
        outputs = self._outputs(x) if self.private is not None else (*self._outputs(x), self._value(x))
        return outputs if self.core is None else (*outputs, state)

    def step(self, obs: Obs, state: State | None) -> tuple[Tensor, Tensor, State | None]:
        """`forward` with the action's outputs joined as training wants them, and always with the value: out
        [B, out_size], value [B], state."""
        x, state = self._remember(self._encode(obs, 1), obs, state)
        return (*self._heads(x, self._privately(obs, 1)), state)

    def act(self, obs: Obs, state: State | None) -> tuple[Tensor, State | None]:
        """`step` without the value, which needs no group that is for the critic alone."""
        x, state = self._remember(self._encode(obs, 1), obs, state)
        return _joined(self._outputs(x)), state

    def unroll(self, obs: Obs, state: State | None, resets: Tensor) -> tuple[Tensor, Tensor, State | None]:
        """Many steps: obs [T, B, *obs_shape], resets [T, B] true where an observation begins a life.
        Returns out [T, B, out_size], value [T, B], and the state after the last step."""
        with self.products():
            x, private = self._encode(obs, 2), self._privately(obs, 2)
            if self.core is not None:
                x, state = self.core.unroll(x, self.core.initial(resets.shape[1]) if state is None else state, resets)
        return (*self._heads(x.to(self.actor.weight.dtype), private), state)

    def evaluate(self, obs: Obs) -> tuple[Tensor, Tensor]:
        """Many unrelated samples of a policy without memory: obs [B, *obs_shape] -> out [B, out_size], value [B]."""
        with self.products():
            x, private = self._encode(obs, 1), self._privately(obs, 1)
        return self._heads(x.to(self.actor.weight.dtype), private)

    def clear(self, state: State, resets: Tensor) -> State:
        """The state with zeros for the agents whose life begins. resets: [B]."""
        shape = [1] * state[0].dim()
        shape[self.memory.batch_axis] = -1
        keep = (1 - resets.to(state[0].dtype)).reshape(shape)
        return tuple(leaf * keep for leaf in state)

    def rows(self, state: Sequence[Tensor], index: Tensor | slice) -> State:
        """The state of some agents."""
        return tuple(leaf[index] if self.memory.batch_axis == 0 else leaf[:, index] for leaf in state)

    def with_rows(self, state: State, index: Tensor, part: State) -> State:
        """The state, with that of some agents [n] in place of theirs."""
        return tuple(leaf.index_copy(self.memory.batch_axis, index, new) for leaf, new in zip(state, part, strict=True))

    @torch.no_grad()
    def learn_scale(self, obs: Any, lives: Tensor, sum_: Callable[[Tensor], Tensor] = lambda sums: sums) -> None:
        """Takes observations [T, B, ...] into the statistics that normalise them, where somebody lives [T, B]."""
        if self.normalize is None:
            return
        if not lives.all():
            lives = lives.bool()
            obs = each(lambda leaf: leaf[lives], obs)
        if isinstance(self.normalize, Normalize):
            return self.normalize.update(obs, sum_)
        there = self._presence(obs)
        for item in self.inputs:
            if _key(item) in self.normalize:
                seen = obs[item.name] if there.get(item.name) is None else obs[item.name][there[item.name] != 0]
                self.normalize[_key(item)].update(seen, sum_)

    def _remember(self, x: Tensor, obs: Obs, state: State | None) -> tuple[Tensor, State | None]:
        if self.core is None:
            return x, state
        return self.core(x, self.initial_state(len(any_of(obs))) if state is None else state)

    def _presence(self, obs: Any) -> dict[str, Any]:
        """By a set's name, which of its entities are there; None where that is not given."""
        pairs = pairwise(self.inputs)
        return {item.name: obs.get(after.name) for item, after in pairs if item.kind == SET and after.kind == PRESENT}

    def _numbers(self, item: Input, obs: Tensor) -> Tensor:
        if obs.dtype == torch.uint8:
            obs = obs.to(self.actor.weight.dtype) * (1 / 255)
        if self.normalize is None:
            return obs
        if isinstance(self.normalize, Normalize):
            return self.normalize(obs)
        return self.normalize[_key(item)](obs) if _key(item) in self.normalize else obs

    def _encode(self, obs: Obs, lead: int) -> Tensor:
        """What the action depends on: [..., *obs_shape], with `lead` axes before, -> [..., width]."""
        if isinstance(obs, Mapping) or self.stems:
            return self.encoder(self._gathered(obs, lead, False))
        obs = self._numbers(self.inputs[0], obs)
        lead += bool(self.parts)
        return self.encoder(obs.flatten(lead) if obs.dim() > lead + 1 else obs)

    def _privately(self, obs: Obs, lead: int) -> Tensor | None:
        """What the value depends on beside that."""
        if self.private is None:
            return None
        return self.private(self._gathered(obs, lead, True)).to(self.actor.weight.dtype)

    def _gathered(self, obs: Obs, lead: int, critic: bool) -> Tensor:
        """The groups of one kind of reader, each through its own network, side by side."""
        if not isinstance(obs, Mapping):
            obs = {self.inputs[0].name: obs}
        there, found = self._presence(obs), []
        for item in self.inputs:
            if item.critic != critic or item.kind == PRESENT:
                continue
            x = self._numbers(item, obs[item.name])
            if item.kind == SET:
                found.append(self.stems[_key(item)](x, there.get(item.name)))
                continue
            x = x.flatten(lead) if x.dim() > lead + 1 else x
            found.append(self.stems[_key(item)](x) if _key(item) in self.stems else x)
        return torch.cat(found, -1) if len(found) > 1 else found[0]

    def _outputs(self, x: Tensor) -> tuple[Tensor, ...]:
        """Logits [..., choices], or mean and log_std [..., heads]."""
        if self.parts:  # x: [..., parts, width]
            scores = self.actor(x).squeeze(-1)
            return (nn.functional.pad(scores, (0, self.space.out_size - self.parts)),)
        out = self.actor(x)
        if isinstance(self.space, Gaussian):
            mean = out * self.reach + self.middle
            return mean, self.log_std.expand_as(mean)
        return (out,)

    def _value(self, x: Tensor, private: Tensor | None = None) -> Tensor:
        """[..., 1]"""
        x = x.mean(-2) if self.parts else x
        return self.critic(x if private is None else torch.cat([x, private], -1))

    def _heads(self, x: Tensor, private: Tensor | None) -> tuple[Tensor, Tensor]:
        return _joined(self._outputs(x)), self._value(x, private).squeeze(-1)


def _joined(parts: tuple[Tensor, ...]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts, -1)


def _key(item: Input) -> str:
    """The name of a group's networks: a module cannot be called `keys` or `items`."""
    return f"of_{item.name}"


def _layers(size: int, config: PolicyConfig, count: int, weights: Weights) -> nn.Sequential:
    """Fully connected, `count` of them, each with its activation."""
    layers: list[nn.Module] = []
    for before, after in pairwise([size] + [config.hidden] * count):
        layers += [weights.linear(before, after, math.sqrt(2)), ACTIVATIONS[config.activation]()]
    return nn.Sequential(*layers)
