"""Proximal policy optimisation (Schulman et al., 2017) with memory, from top to bottom: collect a rollout, estimate
advantages, learn from them.

T is the horizon, N the rows: environments x agents. Every number lives in one tensor [T, N, ...] that the
environments write into directly. A trainer at a given update is a pure function of its configuration: the noise of
sampling and the order of minibatches come from a counter-based generator keyed by seed, update and global row, so
neither resuming nor the way rows are spread over processes changes them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from minnow import envs
from minnow.train.config import Config, check_batch
from minnow.train.policy import Policy
from minnow.train.space import Categorical, Gaussian, Space

NOISE, ORDER = 1, 2  # streams of random numbers


def gae(
    reward: Tensor,
    value: Tensor,
    final_value: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    last_value: Tensor,
    gamma: float,
    lam: float,
) -> Tensor:
    """Generalised advantage estimation (Schulman et al., 2015), [T, N].

    value: V of the observations acted on, [T, N]; last_value: V of the one after, [N]; final_value: V of the
    observation that a truncated episode ended with, read only where truncated. Where an episode terminates nothing
    follows; where it is truncated the future is worth final_value; either way, later steps are another episode's.
    """
    horizon = len(reward)
    goes_on = ((terminated | truncated) == 0).to(reward.dtype)
    following = torch.cat((value[1:], last_value.unsqueeze(0))) * goes_on
    cut = (truncated != 0) & (terminated == 0)
    following = torch.where(cut, final_value, following)
    delta = reward + gamma * following - value
    decay = goes_on * (gamma * lam)
    advantage = torch.empty_like(reward)
    carry = torch.zeros_like(last_value)
    for t in reversed(range(horizon)):
        carry = torch.addcmul(delta[t], decay[t], carry)
        advantage[t] = carry
    return advantage


def action_space(spec: envs.Spec) -> Space:
    """The action space that an environment declares."""
    if spec.action_type == "box":
        return Gaussian(tuple(head.low for head in spec.head), tuple(head.high for head in spec.head))
    return Categorical(tuple(head.size for head in spec.head))


def build_policy(config: Config, spec: envs.Spec) -> Policy:
    """A fresh policy; the same seed gives the same weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return Policy(config.policy, tuple(spec.obs_shape), action_space(spec))


def generator(seed: int, stream: int, update: int, epoch: int = 0, offset: int = 0) -> np.random.Generator:
    """Random numbers that are a function of their address. `offset` counts blocks of eight 32-bit numbers."""
    return np.random.Generator(np.random.Philox(key=(seed, stream), counter=(offset, update, epoch, 0)))


@dataclass
class Minibatch:
    """Samples [B] of a policy without memory, or sequences [T, B] of one with."""

    obs: Tensor
    state: tuple[Tensor, ...] | None  # before the first step
    resets: Tensor
    mask: Tensor
    action: Tensor
    log_prob: Tensor  # of the action, by the policy that took it
    value: Tensor  # as that policy saw it
    returns: Tensor
    advantage: Tensor
    weight: Tensor  # 1, or 0 for the steps of agents that were dead


class PPO:
    """Environments, policy, optimiser and rollout memory. `update()` is one rollout and what is learned from it."""

    def __init__(self, config: Config, *, first_env: int = 0) -> None:
        train = config.train
        self.config, self.train = config, train
        self.spec = envs.spec(config.name)
        self.vector = envs.Vector(
            config.name,
            train.envs,
            seed=config.seed,
            first_index=first_env,
            threads=train.env_threads,
            randomize=config.randomize,
            shaping=train.shaping,
            gamma=train.gamma,
            params=config.env,
        )
        rows = self.vector.rows
        check_batch(config, rows // train.envs)
        self.first_row = first_env * (rows // train.envs)
        self.policy = build_policy(config, self.spec)
        self.space = self.policy.space
        self.parameters = list(self.policy.parameters())
        self.optimizer = torch.optim.Adam(self.parameters, lr=train.learning_rate, eps=1e-5, fused=True)
        self.update_index = 0
        self.batch = train.horizon * rows
        self.updates = math.ceil(train.steps / self.batch)  # of the whole schedule
        self.episodes: list[np.ndarray] = []  # finished since `take_episodes`: [n, 4]

        horizon, shape = train.horizon, tuple(self.spec.obs_shape)
        obs_type = torch.uint8 if self.spec.obs_type == "u8" else torch.float32
        self.obs = torch.zeros(horizon + 1, rows, *shape, dtype=obs_type)
        self.final_obs = torch.zeros(horizon, rows, *shape, dtype=obs_type)
        self.out = torch.zeros(horizon, rows, self.space.out_size)  # the policy's, of which actions are samples
        discrete = isinstance(self.space, Categorical)
        self.action = torch.zeros(horizon, rows, self.space.heads, dtype=torch.int64 if discrete else torch.float32)
        self.env_action = torch.zeros(self.action.shape, dtype=torch.int32 if discrete else torch.float32)
        choices = self.space.out_size if self.spec.masked else 0
        self.mask = torch.ones(horizon + 1, rows, choices, dtype=torch.uint8)
        self.value, self.reward, self.final_value = (torch.zeros(horizon, rows) for _ in range(3))
        self.terminated, self.truncated = (torch.zeros(horizon, rows, dtype=torch.uint8) for _ in range(2))
        self.alive = torch.ones(horizon + 1, rows, dtype=torch.uint8)
        self.resets = torch.ones(horizon + 1, rows, dtype=torch.uint8)  # an observation is its episode's first
        self.episode = torch.zeros(horizon, rows, 4)
        self.state = self.start = self.policy.initial_state(rows)  # memory now, and before obs[0]
        # What the environment reads and writes at step t, as views of the tensors above.
        self.buffers = [
            envs.Buffers(
                obs=self.obs[t + 1].numpy(),
                action=self.env_action[t].numpy(),
                mask=self.mask[t + 1].numpy() if self.spec.masked else None,
                reward=self.reward[t].numpy(),
                terminated=self.terminated[t].numpy(),
                truncated=self.truncated[t].numpy(),
                alive=self.alive[t + 1].numpy(),
                final_obs=self.final_obs[t].numpy(),
                episode=self.episode[t].numpy(),
            )
            for t in range(horizon)
        ]
        self.vector.reset(self.buffers[-1])  # fills obs[T]; collect() begins by carrying it to obs[0]

    @property
    def steps(self) -> int:
        """Agent-steps taken so far."""
        return self.update_index * self.batch

    def scheduled(self, start: float, end: float) -> float:
        """A setting that goes from `start` to `end` over the schedule."""
        return end + (1 - self.update_index / self.updates) * (start - end)

    def update(self, measure: bool = True) -> dict[str, float]:
        """One rollout and one round of learning; the metrics, or nothing where they are not asked for."""
        self.collect()
        metrics = self.learn(self.advantages(), measure)
        if self.policy.normalize is not None:  # only now, so that old and new probabilities saw the same statistics
            self.policy.normalize.update(self.obs[: self.train.horizon])
        self.update_index += 1
        return metrics

    @torch.no_grad()
    def collect(self) -> None:
        """Acts for T steps."""
        horizon = self.train.horizon
        for carried in (self.obs, self.mask, self.alive, self.resets):
            carried[0] = carried[horizon]
        noise = self._noise()
        state = self.state
        self.start = state
        for t in range(horizon):
            if state is not None:
                state = self.policy.clear(state, self.resets[t])
            out, self.value[t], state = self.policy.step(self.obs[t], state)
            out = self.space.masked(out, self.mask[t] if self.spec.masked else None)
            self.out[t] = out
            self.action[t] = self.space.sample(out, noise[t])
            self.env_action[t] = self.space.to_env(self.action[t])
            self.vector.step(self.buffers[t])
            torch.bitwise_or(self.terminated[t], self.truncated[t], out=self.resets[t + 1])
            if self.buffers[t].truncated.any():
                self._final_values(t, state)
        self.state = state
        ended = self.resets[1:].bool()
        if ended.any():
            self.episodes.append(self.episode[ended].numpy())

    def _final_values(self, t: int, state: tuple[Tensor, ...] | None) -> None:
        """What the observations are worth that truncated episodes ended with, the memory being that of the episode."""
        rows = self.truncated[t].nonzero().squeeze(-1)
        of_rows = None if state is None else self.policy.rows(state, rows)
        self.final_value[t, rows] = self.policy.step(self.final_obs[t, rows], of_rows)[1]

    def _noise(self) -> Tensor:
        """[T, N, noise_size], each row's from its own place in the stream."""
        horizon, size = self.train.horizon, self.space.noise_size
        rows = self.resets.shape[1]
        blocks = math.ceil(horizon * size / 8)
        rng = generator(self.config.seed, NOISE, self.update_index, offset=self.first_row * blocks)
        uniform = rng.random((rows, blocks * 8), dtype=np.float32)[:, : horizon * size]
        uniform = torch.from_numpy(uniform.reshape(rows, horizon, size).transpose(1, 0, 2).copy())
        return self.space.noise(uniform)

    @torch.no_grad()
    def advantages(self) -> Tensor:
        """[T, N]"""
        horizon, train = self.train.horizon, self.train
        state = None if self.state is None else self.policy.clear(self.state, self.resets[horizon])
        last_value = self.policy.step(self.obs[horizon], state)[1]
        died = self.alive[:horizon] & ~self.alive[1:] & 1
        return gae(
            self.reward * train.reward_scale,
            self.value,
            self.final_value,
            self.terminated | died,
            self.truncated,
            last_value,
            train.gamma,
            train.gae_lambda,
        )

    def learn(self, advantage: Tensor, measure: bool) -> dict[str, float]:
        """Some epochs of clipped policy gradient on the rollout. Learning rate and entropy fall with the steps."""
        train, horizon = self.train, self.train.horizon
        learning_rate = self.scheduled(train.learning_rate, train.learning_rate_end)
        entropy_weight = self.scheduled(train.entropy, train.entropy_end)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate

        with torch.no_grad():
            weight = self.alive[:horizon].float()
            returns = advantage + self.value
            if train.normalize_advantage:
                mean = (advantage * weight).sum() / weight.sum()
                deviation = ((advantage - mean).square() * weight).sum().div(weight.sum()).sqrt()
                normalized = (advantage - mean) / (deviation + 1e-8)
            else:
                normalized = advantage
            whole = Minibatch(
                self.obs[:horizon],
                self.start,
                self.resets[:horizon],
                self.mask[:horizon],
                self.action,
                self.space.log_prob(self.out, self.action)[0],
                self.value,
                returns,
                normalized,
                weight,
            )
        sums: dict[str, float] = {}
        count = 0
        for epoch in range(train.epochs):
            for part in self.minibatches(whole, epoch):
                loss, measured = self.loss(part, entropy_weight, measure)
                self.optimizer.zero_grad(set_to_none=True)
                loss.backward()
                if train.max_grad_norm > 0:
                    norm = torch.nn.utils.clip_grad_norm_(self.parameters, train.max_grad_norm)
                    if measure:
                        measured["gradient_norm"] = norm.item()
                self.optimizer.step()
                count += 1
                for name, number in measured.items():
                    sums[name] = sums.get(name, 0.0) + number
        if not measure:
            return {}
        residual = (returns - self.value).var() / returns.var().clamp_min(1e-12)
        return {name: number / count for name, number in sums.items()} | {
            "explained_variance": 1 - residual.item(),
            "learning_rate": learning_rate,
            "entropy_weight": entropy_weight,
        }

    def minibatches(self, whole: Minibatch, epoch: int) -> Iterator[Minibatch]:
        """The rollout in a random order: by rows with memory, each a whole sequence, else by samples."""
        rng = generator(self.config.seed, ORDER, self.update_index, epoch)
        if self.policy.recurrent:
            size = self.train.minibatch // self.train.horizon
            order = torch.from_numpy(rng.permutation(self.resets.shape[1]))
            for index in order.split(size):
                picked = {
                    name: leaf.index_select(1, index) for name, leaf in vars(whole).items() if isinstance(leaf, Tensor)
                }
                yield Minibatch(state=self.policy.rows(whole.state, index), **picked)
        else:
            order = torch.from_numpy(rng.permutation(self.batch))
            flat = {name: leaf.flatten(0, 1) for name, leaf in vars(whole).items() if isinstance(leaf, Tensor)}
            for index in order.split(self.train.minibatch):
                yield Minibatch(state=None, **{name: leaf.index_select(0, index) for name, leaf in flat.items()})

    def loss(self, part: Minibatch, entropy_weight: float, measure: bool) -> tuple[Tensor, dict[str, float]]:
        """The clipped objective, the value's error and the entropy bonus, averaged over the agents alive."""
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
        share = part.weight / part.weight.sum().clamp_min(1)
        policy_loss, value_loss, entropy = -(gain * share).sum(), 0.5 * (error * share).sum(), (entropy * share).sum()
        loss = policy_loss + train.value_weight * value_loss - entropy_weight * entropy
        if not measure:
            return loss, {}
        with torch.no_grad():
            return loss, {
                "policy_loss": policy_loss.item(),
                "value_loss": value_loss.item(),
                "entropy": entropy.item(),
                "kl": ((ratio - 1 - log_ratio) * share).sum().item(),  # Schulman's third estimator
                "clip_fraction": (((ratio - 1).abs() > train.clip) * share).sum().item(),
            }

    def take_episodes(self) -> np.ndarray:
        """Score, return, length and success of the episodes finished since the last call, [n, 4]."""
        taken = np.concatenate(self.episodes) if self.episodes else np.zeros((0, 4), np.float32)
        self.episodes = []
        return taken

    def tensors(self) -> dict[str, Tensor]:
        """Everything that the next update depends on besides the configuration and the number of updates."""
        found = {f"policy.{name}": leaf for name, leaf in self.policy.state_dict().items()}
        for name, parameter in self.policy.named_parameters():
            for key, leaf in self.optimizer.state[parameter].items():
                found[f"optimizer.{name}.{key}"] = leaf
        last = self.train.horizon
        found |= {
            "carry.obs": self.obs[last],
            "carry.mask": self.mask[last],
            "carry.alive": self.alive[last],
            "carry.resets": self.resets[last],
        }
        for i, leaf in enumerate(self.state or ()):
            found[f"carry.state.{i}"] = leaf
        saved = np.stack([np.frombuffer(self.vector.save(i), np.uint8) for i in range(self.train.envs)])
        found["envs"] = torch.from_numpy(saved)
        return found

    def load(self, tensors: dict[str, Tensor], updates: int) -> None:
        """Goes back to where `tensors()` was taken, after so many updates."""
        self.policy.load_state_dict(_under(tensors, "policy."))
        for name, parameter in self.policy.named_parameters():
            self.optimizer.state[parameter] = _under(tensors, f"optimizer.{name}.")
        last = self.train.horizon
        for name in ("obs", "mask", "alive", "resets"):
            getattr(self, name)[last] = tensors[f"carry.{name}"]
        if self.state is not None:
            self.state = tuple(tensors[f"carry.state.{i}"] for i in range(len(self.state)))
        for i, row in enumerate(tensors["envs"].numpy()):
            self.vector.load(i, row.tobytes())
        self.update_index = updates


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): leaf for name, leaf in tensors.items() if name.startswith(prefix)}
