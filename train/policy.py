"""Policies: an encoder, a memory or none, and heads for the action and the value.

`forward` is one step and is what export traces; `unroll` is a stretch of steps and is what training uses. Both compute
the same function. Observations keep the environment's shape and type; the agent axis is 0, time comes before it.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import pairwise

import torch
from torch import Tensor, nn

from minnow.cinfer.errors import MinnowError
from minnow.train.config import PolicyConfig
from minnow.train.space import Categorical, Gaussian, Space

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "gelu": nn.GELU, "silu": nn.SiLU}
State = tuple[Tensor, ...]


class Normalize(nn.Module):
    """(obs - mean) / deviation, clipped to +-10, by statistics of all observations seen in training."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("scale", torch.ones(shape))  # 1 / deviation
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))
        self.register_buffer("total", torch.zeros(shape, dtype=torch.float64))  # sum of observations
        self.register_buffer("square", torch.zeros(shape, dtype=torch.float64))  # and of their squares

    def forward(self, obs: Tensor) -> Tensor:
        return ((obs - self.mean) * self.scale).clamp(-10.0, 10.0)

    @torch.no_grad()
    def update(self, obs: Tensor, sum_: Callable[[Tensor], Tensor] = lambda sums: sums) -> None:
        """Takes in observations [..., *shape]. Sums in float64 add up the same however they are split; `sum_` adds up
        those of several processes."""
        flat = obs.reshape(-1, *self.mean.shape).double()
        sums = sum_(torch.stack([torch.full_like(flat[0], len(flat)), flat.sum(0), flat.square().sum(0)]))
        self.count += sums[0].flatten()[0]
        self.total += sums[1]
        self.square += sums[2]
        mean = self.total / self.count
        variance = (self.square / self.count - mean.square()).clamp_min(0)
        self.mean.copy_(mean)
        self.scale.copy_((variance + 1e-6).rsqrt())


class LSTM(nn.Module):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997). State: h and c, [1, B, size] each."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(size, size)
        nn.init.orthogonal_(self.lstm.weight_ih_l0)
        nn.init.orthogonal_(self.lstm.weight_hh_l0)
        nn.init.zeros_(self.lstm.bias_ih_l0)
        nn.init.zeros_(self.lstm.bias_hh_l0)
        self.batch_axis = 1
        self.stepwise = False

    @torch.no_grad()
    def remember(self, steps: int) -> None:
        """Biases by which the cells keep what they hold for 1 to `steps` steps (Tallec and Ollivier, 2018, "Can
        recurrent neural networks warp time?", but spread evenly, not drawn)."""
        size = self.lstm.hidden_size
        keep = torch.linspace(1, steps, size).log()
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


class GRU(nn.Module):
    """Gated recurrent unit (Cho et al., 2014). State: h, [1, B, size]."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.gru = nn.GRU(size, size)
        nn.init.orthogonal_(self.gru.weight_ih_l0)
        nn.init.orthogonal_(self.gru.weight_hh_l0)
        nn.init.zeros_(self.gru.bias_ih_l0)
        nn.init.zeros_(self.gru.bias_hh_l0)
        self.batch_axis = 1
        self.stepwise = False

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


class MinGRU(nn.Module):
    """Minimal gated recurrent unit (Feng et al., 2024, "Were RNNs all we needed?", section 3.1): gate and candidate
    depend on the input alone. State: h, [B, size]."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.gate = nn.Linear(size, size)
        self.candidate = nn.Linear(size, size)
        for layer in (self.gate, self.candidate):
            nn.init.orthogonal_(layer.weight)
            nn.init.zeros_(layer.bias)
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


CORES = {"mlp": None, "lstm": LSTM, "gru": GRU, "mingru": MinGRU}


class Policy(nn.Module):
    """`obs_shape` is one agent's observation; 8-bit observations are scaled to 0 .. 1 before anything else."""

    def __init__(self, config: PolicyConfig, obs_shape: tuple[int, ...], space: Space) -> None:
        super().__init__()
        self.space = space
        self.products: Callable[[], AbstractContextManager[None]] = (
            contextlib.nullcontext
        )  # in which training multiplies
        self.normalize = Normalize(obs_shape) if config.normalize else None
        self.parts = obs_shape[0] if config.parts else 0
        if self.parts and (config.core != "mlp" or not isinstance(space, Categorical) or space.heads > 1):
            raise MinnowError("policy.parts needs policy.core mlp and one choice among several actions: leave it out.")
        if self.parts and self.parts > space.out_size:
            raise MinnowError(f"policy.parts: the observation has {self.parts} parts for {space.out_size} actions.")
        sizes = [math.prod(obs_shape[1:] if self.parts else obs_shape)] + [config.hidden] * config.layers
        layers: list[nn.Module] = []
        for before, after in pairwise(sizes):
            layers += [_linear(before, after, math.sqrt(2)), ACTIVATIONS[config.activation]()]
        self.encoder = nn.Sequential(*layers)
        core = CORES[config.core]
        if core is not None and config.layers == 0:
            self.encoder = nn.Sequential(_linear(sizes[0], config.hidden, 1.0))  # the memory wants its own width
        self.core = core(config.hidden) if core is not None else None
        if config.remember:
            if not isinstance(self.core, LSTM) or config.remember < 2:
                raise MinnowError("policy.remember is a number of steps, 2 or more, for policy.core lstm.")
            self.core.remember(config.remember)
        width = config.hidden if core is not None else sizes[-1]
        out_size = space.heads if isinstance(space, Gaussian) else 1 if self.parts else space.out_size
        self.actor = _linear(width, out_size, 0.01)
        self.critic = _linear(width, 1, 1.0)
        if isinstance(space, Gaussian):
            low, high = torch.tensor(space.low), torch.tensor(space.high)
            self.register_buffer("middle", (low + high) / 2)
            self.register_buffer("reach", (high - low) / 2)
            self.log_std = nn.Parameter(torch.log(self.reach * 0.5))

    @property
    def outputs(self) -> tuple[str, ...]:
        """What `forward` returns before the state."""
        return ("logits", "value") if isinstance(self.space, Categorical) else ("mean", "log_std", "value")

    @property
    def recurrent(self) -> bool:
        return self.core is not None

    def initial_state(self, batch: int) -> State | None:
        return None if self.core is None else self.core.initial(batch)

    def forward(self, obs: Tensor, state: State | None = None) -> tuple[Tensor, ...]:
        """One step: obs [B, *obs_shape] -> logits [B, choices] (or mean and log_std [B, heads]), value [B, 1], and the
        next state where there is memory."""
        x = self._encode(obs, 1)
        if self.core is not None:
            x, state = self.core(x, self.initial_state(len(obs)) if state is None else state)
        outputs = self._outputs(x)
        return outputs if self.core is None else (*outputs, state)

    def step(self, obs: Tensor, state: State | None) -> tuple[Tensor, Tensor, State | None]:
        """`forward` with the action's outputs joined as training wants them: out [B, out_size], value [B], state."""
        outputs = self(obs, state)
        if self.core is not None:
            *outputs, state = outputs
        *parts, value = outputs
        return (parts[0] if len(parts) == 1 else torch.cat(parts, -1)), value.squeeze(-1), state

    def unroll(self, obs: Tensor, state: State | None, resets: Tensor) -> tuple[Tensor, Tensor, State | None]:
        """Many steps: obs [T, B, *obs_shape], resets [T, B] true where an observation is an episode's first.
        Returns out [T, B, out_size], value [T, B], and the state after the last step."""
        with self.products():
            x = self._encode(obs, 2)
            if self.core is not None:
                x, state = self.core.unroll(x, self.initial_state(obs.shape[1]) if state is None else state, resets)
        return (*self._heads(x.to(self.actor.weight.dtype)), state)

    def evaluate(self, obs: Tensor) -> tuple[Tensor, Tensor]:
        """Many unrelated samples of a policy without memory: obs [B, *obs_shape] -> out [B, out_size], value [B]."""
        with self.products():
            x = self._encode(obs, 1)
        return self._heads(x.to(self.actor.weight.dtype))

    def clear(self, state: State, resets: Tensor) -> State:
        """The state with zeros for the agents whose episode begins. resets: [B]."""
        shape = [1] * state[0].dim()
        shape[self.core.batch_axis] = -1
        keep = (1 - resets.to(state[0].dtype)).reshape(shape)
        return tuple(leaf * keep for leaf in state)

    def rows(self, state: State, index: Tensor | slice) -> State:
        """The state of some agents."""
        return tuple(leaf[index] if self.core.batch_axis == 0 else leaf[:, index] for leaf in state)

    def _encode(self, obs: Tensor, lead: int) -> Tensor:
        if obs.dtype == torch.uint8:
            obs = obs.to(self.actor.weight.dtype) * (1 / 255)
        if self.normalize is not None:
            obs = self.normalize(obs)
        lead += bool(self.parts)
        return self.encoder(obs.flatten(lead) if obs.dim() > lead + 1 else obs)

    def _outputs(self, x: Tensor) -> tuple[Tensor, ...]:
        """Logits [..., choices] (or mean and log_std [..., heads]) and value [..., 1]."""
        if self.parts:  # x: [..., parts, width]
            scores = self.actor(x).squeeze(-1)
            return nn.functional.pad(scores, (0, self.space.out_size - self.parts)), self.critic(x.mean(-2))
        out, value = self.actor(x), self.critic(x)
        if isinstance(self.space, Gaussian):
            mean = out * self.reach + self.middle
            return mean, self.log_std.expand_as(mean), value
        return out, value

    def _heads(self, x: Tensor) -> tuple[Tensor, Tensor]:
        *parts, value = self._outputs(x)
        return (parts[0] if len(parts) == 1 else torch.cat(parts, -1)), value.squeeze(-1)


def _linear(before: int, after: int, gain: float) -> nn.Linear:
    """Orthogonal weights (Saxe et al., 2013), zero bias. A small gain on the actor makes the first policy even."""
    layer = nn.Linear(before, after)
    nn.init.orthogonal_(layer.weight, gain)
    nn.init.zeros_(layer.bias)
    return layer
