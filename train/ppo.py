"""Proximal policy optimisation (Schulman et al., 2017) with memory, from top to bottom: collect a rollout, estimate
advantages, learn from them.

T is the horizon, N the rows: environments x agents. Every number lives in one tensor [T, N, ...] that the
environments write into directly. A trainer at a given update is a pure function of its configuration: the noise of
sampling and the order of minibatches come from a counter-based generator keyed by seed, update and global row, so
neither resuming nor the way rows are spread over processes changes them. Minibatches are drawn from the rows of all
processes; each learns from those of its own, and the sums of gradients are added up before they are divided.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from minnow import envs
from minnow.train import advantage as advantages
from minnow.train import foreign, priority
from minnow.train.adam import Adam
from minnow.train.config import Config, check_batch
from minnow.train.demos import Starts
from minnow.train.evaluation import FEW
from minnow.train.group import ALONE, Group
from minnow.train.muon import Muon
from minnow.train.native import call
from minnow.train.observation import Obs, arrays, declared, each, leaves, zeros
from minnow.train.policy import Policy
from minnow.train.scale import RewardScale
from minnow.train.selfplay import Rivals, sides
from minnow.train.space import Categorical, Gaussian, Space
from minnow.train.widen import Width

CPU = torch.device("cpu")
DRAW, SEATS, STARTS = 3, 4, 5  # streams of random numbers; those of noise, order and weights are core/random.h's
LEAST = 1e-8  # mean square of advantages by which errors of the value are divided
MEASURED = ("policy_loss", "value_loss", "entropy", "kl", "clip_fraction")


def action_space(spec: envs.Spec) -> Space:
    """The action space that an environment declares."""
    if spec.action_type == "box":
        return Gaussian(tuple(head.low for head in spec.head), tuple(head.high for head in spec.head))
    return Categorical(tuple(head.size for head in spec.head))


def build_policy(config: Config, spec: envs.Spec) -> Policy:
    """A fresh policy; the same seed gives the same weights."""
    with torch.random.fork_rng(devices=[]):  # which torch's own layers draw from in vain
        return Policy(config.policy, declared(spec), action_space(spec), config.seed)


def arranged(policy: Policy) -> list[torch.nn.Parameter]:
    """A policy's parameters in the order in which they lie in memory: matrices between layers, other hidden ones, then
    the heads, actor's and critic's weights side by side, and so their biases."""
    heads = [policy.actor.weight, policy.critic.weight, policy.actor.bias, policy.critic.bias]
    chosen = {id(leaf) for leaf in heads}
    hidden = [leaf for leaf in policy.parameters() if id(leaf) not in chosen]
    return sorted(hidden, key=lambda leaf: leaf.ndim != 2) + heads


def annealed(start: float, end: float, done: float, form: str) -> float:
    """Between `start` and `end` when a share `done` of the schedule is over."""
    return call(None, "annealed", start, end, done, form == "cosine")


def living(alive: Tensor) -> Tensor | None:
    """The places of those of a few that are alive [N] bytes; None where they are many."""
    count = int(alive.count_nonzero())
    return alive.nonzero().squeeze(-1) if count < FEW * len(alive) else None


def generator(seed: int, stream: int, update: int, epoch: int = 0) -> np.random.Generator:
    """Random numbers that are a function of their address."""
    return np.random.Generator(np.random.Philox(key=(seed, stream), counter=(0, update, epoch, 0)))


@dataclass
class Minibatch:
    """Samples [B] of a policy without memory, or sequences [T, B] of one with."""

    obs: Obs
    state: tuple[Tensor, ...] | None  # before the first step
    resets: Tensor
    mask: Tensor
    action: Tensor
    log_prob: Tensor  # of the action, by the policy that took it
    value: Tensor  # as that policy saw it
    returns: Tensor
    advantage: Tensor
    weight: Tensor  # 1, or 0 for steps of dead agents and of past networks; times the importance of drawn segments


class PPO:
    """Environments, policy, optimiser and rollout memory. `update()` is one rollout and what is learned from it.
    device.py has the form for accelerators."""

    estimate = staticmethod(advantages.estimate)
    final_obs: Obs  # [T, N, ...]: what lives that were cut ended with; nothing where it is not kept so long

    def __init__(self, config: Config, group: Group = ALONE, device: torch.device = CPU) -> None:
        train = config.train
        self.config, self.train, self.group, self.device = config, train, group, device
        self.spec = envs.spec(config.place)
        if train.privileged:
            self.spec = envs.privileged(self.spec)
        self.gamma = config.discount
        self.envs, first_env = group.share(train.envs)  # of this process
        self.sides = sides(config)
        rows = self.envs * self.sides
        check_batch(config, self.sides)
        self.first_row, self.all_rows = first_env * self.sides, train.envs * self.sides
        self.type = torch.float64 if train.precision == "float64" else torch.float32
        self.policy = build_policy(config, self.spec).to(self.type).to(device)
        self.space = self.policy.space
        self.parameters = arranged(self.policy)
        # All parameters in one piece; all gradients in another, and behind them the weight of the samples they are sums
        # over.
        sizes = [leaf.numel() for leaf in self.parameters]
        flat = torch.cat([leaf.detach().flatten() for leaf in self.parameters])
        self.bucket = flat.new_zeros(len(flat) + 1)
        parts = zip(self.parameters, flat.split(sizes), self.bucket[:-1].split(sizes), strict=True)
        for leaf, values, gradients in parts:
            leaf.data, leaf.grad = values.view_as(leaf), gradients.view_as(leaf)
        # Adam for everything; or Muon for the matrices between layers and Adam for biases, deviations and heads.
        matrices = [leaf for leaf in self.parameters[:-4] if leaf.ndim == 2 and train.optimizer == "muon"]
        self.muon = Muon(matrices, train.learning_rate) if matrices else None
        first = sum(leaf.numel() for leaf in matrices)
        self.adam = Adam(self.parameters[len(matrices) :], flat[first:], self.bucket[first:-1])
        if train.precision == "bfloat16":
            self.policy.products = functools.partial(torch.autocast, device.type, torch.bfloat16, cache_enabled=False)
        self.reward_scale = RewardScale(rows, device) if train.normalize_reward else None
        self.update_index = 0
        self.value_weight = torch.full((), train.value_weight, dtype=self.type, device=device)  # see `samples`
        self.norm: Tensor | float = 0.0  # of the gradients of the last update, summed over its minibatches
        self.batch = train.horizon * self.all_rows  # of all processes
        self.updates = math.ceil(train.steps / self.batch)  # of the whole schedule
        self.rivals = self._rivals(first_env) if config.selfplay.on and config.selfplay.share > 0 else None
        self.learns = torch.ones(rows, dtype=torch.bool, device=device) if self.rivals is None else self.rivals.learns
        self.starts = self._starts(first_env) if config.demonstrations else None
        self.width = Width(config, self.spec, group) if train.widen > 0 else None
        self.episodes: list[np.ndarray] = []  # records of the lives that ended since `take_episodes`: [n, RECORD]

        horizon = train.horizon
        self.obs = zeros(self.policy.inputs, horizon + 1, rows, device=device)
        empty, ones = (functools.partial(make, device=device) for make in (torch.zeros, torch.ones))
        # The policy's output, of which actions are samples, and the value; last, of what follows the rollout.
        self.head = empty(horizon + 1, rows, self.space.out_size + 1, dtype=self.type)
        self.out, self.value = self.head[:horizon, :, :-1], self.head[:horizon, :, -1]
        self.last_value = self.head[horizon, :, -1]
        discrete = isinstance(self.space, Categorical)
        self.action = empty(horizon, rows, self.space.heads, dtype=torch.int64 if discrete else self.type)
        self.env_action = empty(self.action.shape, dtype=torch.int32 if discrete else torch.float32)
        choices = self.space.out_size if self.spec.masked else 0
        self.mask = ones(horizon + 1, rows, choices, dtype=torch.uint8)
        self.noise = empty(horizon, rows, self.space.heads, dtype=self.type)
        self.log_prob = empty(horizon, rows, dtype=self.type)
        self.reward = empty(horizon, rows)
        self.final_value, self.learned_reward = (empty(horizon, rows, dtype=self.type) for _ in range(2))
        self.ratio = ones(horizon, rows, dtype=self.type)
        self.terminated, self.truncated = (empty(horizon, rows, dtype=torch.uint8) for _ in range(2))
        self.alive = ones(horizon + 1, rows, dtype=torch.uint8)
        self.resets = ones(horizon + 1, rows, dtype=torch.uint8)  # an observation begins a life
        state = self.policy.initial_state(rows)  # memory now, and before obs[0]
        self.state = self.start = None if state is None else tuple(leaf.to(device, self.type) for leaf in state)
        self.connect(first_env)

    def connect(self, first_env: int) -> None:
        """Makes the environments and what they read and write at each step: views of the rollout's tensors."""
        horizon, rows = self.train.horizon, self.resets.shape[1]
        self.final_obs = zeros(self.policy.inputs, horizon, rows)
        self.record = torch.zeros(horizon, rows, len(envs.RECORD))
        self.vector = self.environments(first_env, self.envs)
        self.buffers = [
            envs.Buffers(
                obs=arrays(each(lambda leaf, t=t: leaf[t + 1], self.obs)),
                action=self.env_action[t].numpy(),
                mask=self.mask[t + 1].numpy() if self.spec.masked else envs.ABSENT,
                reward=self.reward[t].numpy(),
                terminated=self.terminated[t].numpy(),
                truncated=self.truncated[t].numpy(),
                alive=self.alive[t + 1].numpy(),
                reset=self.resets[t + 1].numpy(),
                final_obs=arrays(each(lambda leaf, t=t: leaf[t], self.final_obs)),
                record=self.record[t].numpy(),
                over=envs.ABSENT if self.starts is None else self.starts.over[t],
            )
            for t in range(horizon)
        ]
        self.begin()

    def begin(self) -> None:
        """Lets every environment begin an episode. Fills obs[T]; collect() begins by carrying it to obs[0]."""
        self.vector.reset(self.buffers[-1])
        if self.starts is not None:
            self.starts.first(self.vector, self.buffers[-1])

    def environments(self, first: int, count: int) -> envs.Rows:
        """Some of all the environments."""
        train = self.train
        return foreign.rows(
            self.config.place,
            count,
            seed=self.config.seed,
            first_index=first,
            agents=self.sides,
            threads=train.env_threads,
            randomize=self.config.randomize if self.width is None else 0.0,
            shaping=train.shaping,
            gamma=self.gamma,
            params=self.config.env,
            **({"privileged": True} if train.privileged else {}),
            **({"action_repeat": repeat} if (repeat := self.config.policy.action_repeat) else {}),
        )

    def _rivals(self, first_env: int) -> Rivals:
        return Rivals(
            self.config,
            lambda: build_policy(self.config, self.spec).to(self.type).eval().requires_grad_(False),
            lambda update: generator(self.config.seed, SEATS, update),
            math.ceil(self.updates / self.config.selfplay.snapshots),
            self.envs,
            first_env,
            self.group,
        )

    def _starts(self, first_env: int) -> Starts:
        return Starts(
            self.config,
            self.spec,
            functools.partial(generator, self.config.seed, STARTS),
            self.envs,
            self.sides,
            first_env,
            self.group,
        )

    def finite(self) -> bool:
        """Whether the last update was by finite gradients, which no rollout makes that holds a number that is not; but
        for infinite observations where these are clipped, of which the statistics tell that clip them."""
        return math.isfinite(self.norm) and all(bool(leaf.isfinite().all()) for leaf in self.policy.buffers())

    @property
    def steps(self) -> int:
        """Agent-steps taken so far."""
        return self.update_index * self.batch

    def scheduled(self, start: float, end: float) -> float:
        """A setting that goes from `start` to `end` over the schedule, in a line or along half a wave."""
        return annealed(start, end, self.update_index / self.updates, self.train.anneal)

    def update(self, measure: bool = True) -> dict[str, float]:
        """One rollout and one round of learning; the metrics, or nothing where they are not asked for."""
        known = len(self.episodes)
        self.collect()
        metrics = self.learn(self.advantages(), measure)
        self.learn_scale()  # only now, so that old and new probabilities saw the same statistics
        if self.rivals is not None and measure:
            metrics["elo"], metrics["elo_games"] = self.rivals.rating()
        if self.starts is not None:
            self.starts.settle()
            metrics |= self.starts.metrics() if measure else {}
        if self.width is not None:
            self.width.settle(self.vector, self.envs, self.episodes[known:])
            metrics |= {"randomize": self.width.value} if measure else {}
        self.update_index += 1
        return metrics

    def learn_scale(self) -> None:
        """Takes the rollout's observations into the statistics that normalise them."""
        horizon = self.train.horizon
        self.policy.learn_scale(each(lambda leaf: leaf[:horizon], self.obs), self.alive[:horizon], self.group.sum_)

    @torch.no_grad()
    def collect(self) -> None:
        """Acts for T steps."""
        horizon = self.train.horizon
        self.carry()
        if self.rivals is not None:
            self.rivals.begin(self.policy, self.update_index)
        if self.starts is not None:
            self.starts.begin(self.update_index, self.updates)
        self._noise()
        state = self.start = self.state
        at_once = state is not None or self.rivals is not None  # whether ends of lives matter at once
        for t in range(horizon):
            if state is not None:
                state = self.policy.clear(state, self.resets[t])
            state = self._step(t, state)
            if self.rivals is not None:
                self.rivals.answer(self._seen(self._at(t)), self.resets[t], self.alive[t], self.out[t])
            self._sample(t)
            self.vector.step(self.buffers[t])
            if self.starts is not None:
                self.starts.note(t, self.vector, self.buffers[t])
            if at_once and self.buffers[t].truncated.any():
                self._final_values(slice(t, t + 1), state)
            if self.rivals is not None:
                self.rivals.note(self.alive[t], self.terminated[t] | self.truncated[t], self.record[t])
        if not at_once and self.truncated.any():
            self._final_values(slice(0, horizon), state)
        self.state = state
        if state is not None:
            state = self.policy.clear(state, self.resets[horizon])
        self._step(horizon, state)
        self.rewards()
        ended = (self.terminated | self.truncated).bool()
        if self.rivals is not None:
            ended &= self.rivals.judged
        self.ended(ended, self.record)

    def carry(self) -> None:  # what the last rollout ended with, this one begins with
        for leaf in self.carried().values():
            leaf[0] = leaf[self.train.horizon]

    def carried(self) -> dict[str, Tensor]:
        """By name, what is [T + 1, N, ...]."""
        found = {f"obs.{name}" if name else "obs": leaf for name, leaf in leaves(self.obs).items()}
        return found | {"mask": self.mask, "alive": self.alive, "resets": self.resets}

    def rewards(self) -> None:
        """Rewards as they are learned from."""
        self.scale_rewards()
        if self.reward_scale is not None:
            lives = self.alive[: self.train.horizon]
            deviation = self.reward_scale.update(self.learned_reward, lives, self.resets[1:], self.gamma, self.group)
            self.learned_reward /= deviation
        if self.train.advantage == "vtrace":
            self.ratio.fill_(1)

    def scale_rewards(self) -> None:
        self.learned_reward.copy_(self.reward).mul_(self.train.reward_scale)

    def ended(self, ended: Tensor, record: Tensor) -> None:
        """Keeps the records [T, N, RECORD] of lives that ended [T, N], in episodes that began ordinarily."""
        if self.starts is not None:
            ended &= self.starts.ordinary()
        if ended.any():
            self.episodes.append(record[ended].numpy())

    def _step(self, t: int, state: tuple[Tensor, ...] | None) -> tuple[Tensor, ...] | None:
        """What the policy says of obs[t] into head[t]; the new memory. Zeros, and the old memory, where nobody lives,
        if that is so in many rows."""
        obs, head = self._at(t), self.head[t]
        rows = living(self.alive[t]) if self.spec.lives else None
        if rows is None:
            return self._forward(obs, state, head)
        head.zero_()
        if not len(rows):
            return state
        part = head.new_empty(len(rows), head.shape[1])
        some = self._forward(
            each(lambda leaf: leaf[rows], obs), None if state is None else self.policy.rows(state, rows), part
        )
        head.index_copy_(0, rows, part)
        return None if state is None or some is None else self.policy.with_rows(state, rows, some)

    def _forward(self, obs: Obs, state: tuple[Tensor, ...] | None, head: Tensor) -> tuple[Tensor, ...] | None:
        head[:, :-1], head[:, -1], state = self.policy.step(self._seen(obs), state)
        return state

    def _at(self, t: int) -> Obs:
        return each(lambda leaf: leaf[t], self.obs)

    def _seen(self, obs: Obs) -> Obs:
        return each(lambda leaf: leaf if leaf.dtype == torch.uint8 else leaf.to(self.type), obs)

    def _sample(self, t: int) -> None:
        """Actions at step t, and the logarithms of their probabilities."""
        mask = self.mask[t] if self.spec.masked else None
        out = self.space.masked(self.out[t], mask)
        self.action[t] = self.space.sample(out, self.noise[t])
        self.env_action[t] = self.space.to_env(self.action[t])
        self.log_prob[t] = self.space.log_prob(out, self.action[t])[0]

    def _final_values(self, steps: slice, state: tuple[Tensor, ...] | None) -> None:
        """What the observations are worth that truncated lives ended with; with memory, of one step, after which it was
        `state`."""
        cut = self.truncated[steps].bool()
        of_rows = None if state is None else self.policy.rows(state, cut[0].nonzero().squeeze(-1))
        last = each(lambda leaf: leaf[steps][cut], self.final_obs)
        self.final_value[steps][cut] = self.policy.step(self._seen(last), of_rows)[1]

    def _noise(self) -> None:
        """What all actions of a rollout are drawn by, [T, N, heads], each row's from its own place in the stream."""
        horizon, rows, heads = self.noise.shape
        noise = torch.empty(self.noise.shape, dtype=self.type) if self.device.type != "cpu" else self.noise
        place = (self.config.seed, self.update_index, isinstance(self.space, Gaussian))
        call(self.type, "noise", *place, horizon, self.first_row, rows, heads, noise)
        if noise is not self.noise:
            self.noise.copy_(noise)

    @torch.no_grad()
    def advantages(self) -> Tensor:
        """[T, N]; by V-trace's ratios where the policy has moved since it acted."""
        train = self.train
        return self.estimate(
            self.learned_reward,
            self.value,
            self.final_value,
            self.terminated,
            self.truncated,
            self.last_value,
            self.gamma,
            train.gae_lambda,
            self.ratio if train.advantage == "vtrace" else None,
            train.vtrace_delta,
            train.vtrace_trace,
        )

    def learn(self, advantage: Tensor, measure: bool) -> dict[str, float]:
        """Some epochs of clipped policy gradient on the rollout. Learning rate and entropy fall with the steps."""
        train = self.train
        learning_rate = self.scheduled(train.learning_rate, train.learning_rate_end)
        entropy_weight = self.scheduled(train.entropy, train.entropy_end)
        sums = torch.zeros(len(MEASURED) + 1, dtype=torch.float64, device=self.device)
        norm: Tensor | float = 0.0
        whole = self.samples(advantage)
        per_epoch, total = self.batch // train.minibatch, self.minibatches_an_update
        for first in range(0, total, per_epoch):
            epoch, count = first // per_epoch, min(per_epoch, total - first)
            if epoch > 0 and train.advantage == "vtrace":
                advantage = self.advantages()
                whole = self.samples(advantage)
            norm = norm + self.learn_epoch(whole, advantage, epoch, count, learning_rate, entropy_weight, sums)
        self.norm = norm
        if not measure:
            return {}
        sums = self.group.sum_(sums)
        means = (sums[:-1] / sums[-1].clamp_min(1)).tolist()
        return dict(zip(MEASURED, means, strict=True)) | {
            "gradient_norm": float(norm) / total,
            "explained_variance": self.explained_variance(advantage),
            "learning_rate": learning_rate,
            "entropy_weight": entropy_weight,
        }

    def learn_epoch(
        self,
        whole: Minibatch,
        advantage: Tensor,
        epoch: int,
        count: int,
        learning_rate: float,
        entropy_weight: float,
        sums: Tensor,
    ) -> Tensor | float:
        """Learns from an epoch's first minibatches, so many. Adds to the sums of what is measured; the summed lengths
        of the gradients."""
        norm = torch.zeros((), dtype=self.type, device=self.device)
        for index, importance in self.minibatches(advantage, epoch)[:count]:
            self.bucket.zero_()
            if len(index):
                sums += self.backward(whole, index, importance, entropy_weight)
            self.group.sum_(self.bucket)
            norm += self.step(learning_rate)
        return norm

    @property
    def minibatches_an_update(self) -> int:
        return max(1, round(self.train.epochs * (self.batch // self.train.minibatch)))

    def step(self, learning_rate: float) -> Tensor:
        """One step of the optimisers by the bucket's gradients; their length."""
        root, change = self.adam.factors(learning_rate)
        return self.descend(root, change, learning_rate)

    @torch.no_grad()
    def descend(self, root: float | Tensor, change: float | Tensor, learning_rate: float | Tensor) -> Tensor:
        """`step` with Adam's factors."""
        gradient = self.bucket[:-1]
        gradient /= self.bucket[-1].clamp_min(1e-6)
        length = gradient.norm()
        if self.train.max_grad_norm > 0:
            gradient *= (self.train.max_grad_norm / (length + 1e-6)).clamp_max(1)
        self.adam.apply(root, change)
        if self.muon is not None:
            self.muon.param_groups[0]["lr"] = learning_rate
            self.muon.step()
        return length

    @torch.no_grad()
    def samples(self, advantage: Tensor) -> Minibatch:
        """The whole rollout, ready to be picked from."""
        horizon = self.train.horizon
        weight = (self.alive[:horizon] & self.learns).to(self.type)
        returns = advantage + self.value
        mean, deviation = self.spread(advantage, weight)
        if self.train.normalize_value:  # the errors of the value are the advantages, before it learns
            square = mean.square() + deviation.square()
            self.value_weight.copy_(self.train.value_weight / square.clamp_min(LEAST))
        if self.train.normalize_advantage:
            advantage = (advantage - mean) / (deviation + 1e-8)
        return Minibatch(
            self._seen(each(lambda leaf: leaf[:horizon], self.obs)),
            self.start,
            self.resets[:horizon],
            self.mask[:horizon],
            self.action,
            self.log_prob,
            self.value.contiguous(),
            returns,
            advantage,
            weight,
        )

    def spread(self, advantage: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and deviation of all processes' weighted advantages [T, N]."""
        sums = torch.stack([weight.sum(dtype=torch.float64), (advantage * weight).sum(dtype=torch.float64)])
        total, mean = self.group.sum_(sums).unbind()
        total = total.clamp_min(1)
        mean = mean / total
        square = self.group.sum_(((advantage - mean).square() * weight).sum(dtype=torch.float64))
        return mean, (square / total).sqrt()

    def explained_variance(self, advantage: Tensor) -> float:
        """1 - variance of (return - value) / variance of returns, over all processes; of the steps that are learned
        from."""
        counts = (self.alive[: self.train.horizon] & self.learns).bool()
        both = torch.stack([advantage, advantage + self.value]).double()[:, counts]
        sums = torch.cat([both.sum(1), both.square().sum(1), both.new_tensor([both.shape[1]])])
        *sums, count = self.group.sum_(sums)
        residual, returns = (torch.stack(sums) / count).reshape(2, 2).T.tolist()
        return 1 - (residual[1] - residual[0] ** 2) / max(returns[1] - returns[0] ** 2, 1e-12)

    def minibatches(self, advantage: Tensor, epoch: int) -> list[tuple[Tensor, Tensor | None]]:
        """An epoch's minibatches: the places of their samples, or of their rows where whole sequences are learned from,
        in this process's memory; and where these were drawn by priority, their importance weights."""
        train, rows = self.train, self.resets.shape[1]
        sequences = self.policy.recurrent or train.priority > 0
        if not sequences and train.minibatch == self.batch:
            return [(torch.arange(train.horizon * rows), None)]  # all of this process's
        order, importance = self.drawn(advantage, epoch)
        picks = []
        for index in order.split(train.minibatch // (train.horizon if sequences else 1)):
            # Places of samples are t x rows + row.
            t, row = (0, index) if sequences else (index // self.all_rows, index % self.all_rows)
            mine = (row >= self.first_row) & (row < self.first_row + rows)
            places = t * rows + row - self.first_row
            picks.append((places[mine], None if importance is None else importance[index[mine]]))
        return picks

    def drawn(self, advantage: Tensor, epoch: int) -> tuple[Tensor, Tensor | None]:
        """The order in which an epoch learns from samples, t x all_rows + row, or from whole sequences, rows, of all
        processes; and with priorities, the importance of each row."""
        train = self.train
        if train.priority <= 0:
            return self.order(self.all_rows if self.policy.recurrent else self.batch, epoch), None
        sums = (advantage.abs() * (self.alive[: train.horizon] & self.learns)).sum(0, dtype=torch.float64)
        chance = priority.probabilities(self.group.gather(sums).cpu(), train.priority)
        beta = 1 - self.scheduled(1 - train.priority_weight, 0)
        rng = generator(self.config.seed, DRAW, self.update_index, epoch)
        order = priority.draw(chance, torch.from_numpy(rng.random(self.all_rows)))
        return order, priority.weights(chance, beta).to(self.type)

    def order(self, count: int, epoch: int) -> Tensor:
        """The order in which an epoch learns from so many samples or rows."""
        order = torch.empty(count, dtype=torch.int64)
        call(None, "order", self.config.seed, self.update_index, epoch, count, order)
        return order

    def pick(self, whole: Minibatch, index: Tensor, importance: Tensor | None) -> Minibatch:
        """Some samples, or with memory or priorities some rows, of the rollout."""
        sequences = self.policy.recurrent or self.train.priority > 0
        found = {name: leaf for name, leaf in vars(whole).items() if name != "state"}

        def all_of(work: Callable[[Tensor], Tensor]) -> None:
            for name, leaf in found.items():
                found[name] = each(work, leaf)

        if sequences:
            all_of(lambda leaf: leaf.index_select(1, index))
        else:
            all_of(lambda leaf: leaf.flatten(0, 1).index_select(0, index))
        if importance is not None:
            found["weight"] = found["weight"] * importance
        if self.policy.recurrent:
            return Minibatch(state=self.policy.rows(whole.state or (), index), **found)
        if sequences:
            all_of(lambda leaf: leaf.flatten(0, 1))
        return Minibatch(state=None, **found)

    def backward(self, whole: Minibatch, index: Tensor, importance: Tensor | None, entropy_weight: float) -> Tensor:
        """Adds the gradients of the clipped objective, the value's error and the entropy bonus, summed over samples, to
        the bucket, and the samples' weight. Returns sums of what is measured, and the weight again."""
        if self.spec.lives and not (self.policy.recurrent or self.train.priority > 0):
            some = living(whole.weight.view(-1)[index])  # steps of the dead cost nothing where they are many
            index = index if some is None else index[some]
            if not len(index):
                return torch.zeros(len(MEASURED) + 1, dtype=torch.float64)
        return self.differentiate(self.pick(whole, index, importance), index, entropy_weight)

    def differentiate(self, part: Minibatch, index: Tensor, entropy_weight: float | Tensor) -> Tensor:
        """`backward` of picked samples: the objective in full."""
        train = self.train
        if self.policy.recurrent:
            out, value, _ = self.policy.unroll(part.obs, part.state, part.resets)
        else:
            out, value = self.policy.evaluate(part.obs)
        log_prob, entropy = self.space.log_prob(
            self.space.masked(out, part.mask if self.spec.masked else None), part.action
        )
        log_ratio = log_prob - part.log_prob
        ratio = log_ratio.exp()
        gain = torch.minimum(ratio * part.advantage, ratio.clamp(1 - train.clip, 1 + train.clip) * part.advantage)
        error = (value - part.returns).square()
        if train.value_clip > 0:
            near = part.value + (value - part.value).clamp(-train.value_clip, train.value_clip)
            error = torch.maximum(error, (near - part.returns).square())
        weight = part.weight
        policy_loss, value_loss, bonus = -(gain * weight).sum(), 0.5 * (error * weight).sum(), (entropy * weight).sum()
        (policy_loss + self.value_weight * value_loss - entropy_weight * bonus).backward()
        with torch.no_grad():
            total = weight.sum()
            self.bucket[-1] += total
            if train.advantage == "vtrace":  # for the next epoch's advantages
                rows_too = self.policy.recurrent or train.priority > 0
                ratios, axis = (self.ratio, 1) if rows_too else (self.ratio.view(-1), 0)
                ratios.index_copy_(axis, index, ratio.reshape(train.horizon, -1) if rows_too else ratio)
            kl = ((ratio - 1 - log_ratio) * weight).sum()  # Schulman's third estimator
            clipped = (((ratio - 1).abs() > train.clip) * weight).sum()
            return torch.stack([policy_loss, value_loss, bonus, kl, clipped, total]).double()

    def take_episodes(self) -> np.ndarray:
        """Records of the lives that ended since the last call, [n, RECORD]."""
        taken = np.concatenate(self.episodes) if self.episodes else np.zeros((0, len(envs.RECORD)), np.float32)
        self.episodes = []
        return taken

    def tensors(self) -> dict[str, Tensor]:
        """Everything that the next update depends on besides the configuration and the number of updates; the same
        however many processes there are. All of them call it."""
        found = {f"policy.{name}": leaf for name, leaf in self.policy.state_dict().items()}
        for name, parameter in self.policy.named_parameters():
            for key, leaf in self.moments(parameter).items():
                found[f"optimizer.{name}.{key}"] = leaf
        last = self.train.horizon
        found |= {f"carry.{name}": self.group.gather(leaf[last]) for name, leaf in self.carried().items()}
        for i, leaf in enumerate(self.state or ()):
            found[f"carry.state.{i}"] = self.group.gather(leaf, self.policy.memory.batch_axis)
        if self.reward_scale is not None:
            found["carry.discounted"] = self.group.gather(self.reward_scale.discounted)
            found["reward.sums"] = self.reward_scale.sums
        if self.rivals is not None:
            found |= {f"rivals.{name}": leaf for name, leaf in self.rivals.tensors().items()}
        if self.starts is not None:
            found |= {f"demos.{name}": leaf for name, leaf in self.starts.tensors().items()}
        if self.width is not None:
            found |= {f"width.{name}": leaf for name, leaf in self.width.tensors().items()}
        saved = np.stack([np.frombuffer(self.vector.save(i), np.uint8) for i in range(self.envs)])
        found["envs"] = self.group.gather(torch.from_numpy(saved))
        return found

    def moments(self, parameter: Tensor) -> dict[str, Tensor]:
        """What its optimiser remembers of a parameter."""
        found = self.adam.moments(parameter)
        if found is None:
            assert self.muon is not None
            return self.muon.state[parameter]
        return found

    def load(self, tensors: dict[str, Tensor], updates: int) -> None:
        """Goes back to where `tensors()` was taken, after so many updates."""
        self.policy.load_state_dict(_under(tensors, "policy."))
        for name, parameter in self.policy.named_parameters():
            moments = _under(tensors, f"optimizer.{name}.")
            if "exp_avg" in moments:
                self.adam.load(parameter, moments)
            elif self.muon is not None:
                self.muon.state[parameter].update({key: leaf.to(self.device) for key, leaf in moments.items()})
        last, rows = self.train.horizon, slice(self.first_row, self.first_row + self.resets.shape[1])
        for name, leaf in self.carried().items():
            leaf[last] = tensors[f"carry.{name}"][rows]
        if self.state is not None:
            kept = self.policy.rows([tensors[f"carry.state.{i}"] for i in range(len(self.state))], rows)
            self.state = tuple(leaf.to(self.device) for leaf in kept)
        if self.reward_scale is not None:
            self.reward_scale.discounted = tensors["carry.discounted"][rows].to(self.device)
            self.reward_scale.sums = tensors["reward.sums"].to(self.device)
        if self.rivals is not None:
            self.rivals.load(_under(tensors, "rivals."))
        if self.starts is not None:
            self.starts.load(_under(tensors, "demos."))
        if self.width is not None:
            self.width.load(_under(tensors, "width."))
        first = self.first_row // self.sides
        for i, row in enumerate(tensors["envs"][first : first + self.envs].numpy()):
            self.vector.load(i, row.tobytes())
        if self.spec.foreign:  # what was carried is of episodes that nobody can go on with
            self.begin()
        self.update_index = updates


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): leaf for name, leaf in tensors.items() if name.startswith(prefix)}
