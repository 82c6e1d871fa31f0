"""Other trainers on the same environment, through its Gymnasium adapter, for `minnow bench solve ENV --peers`:
Stable-Baselines3's PPO, one in plain torch as CleanRL's single files write it (Huang et al., 2022), and, where JAX is
installed, one in JAX (jaxed.py). Each runs with its authors' settings; torch on one thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import gymnasium
import numpy as np
import torch
from torch import nn

from minnow.cinfer.errors import MinnowError, missing
from minnow.envs.gym import GymEnv, GymVectorEnv

Snapshot = tuple[float, float, int, Any]  # seconds, the processor's, steps, weights
STEPS = 500_000  # of a schedule, where its authors name none
SNAPSHOTS = 50


class Player:
    """Evaluation's view of a function from observations [n, ...] to discrete actions [n]."""

    def __init__(self, act: Callable[[np.ndarray], np.ndarray]) -> None:
        self.greedy = act

    def begin(self, rows: int, seed: int) -> None:
        pass

    def act(self, obs: np.ndarray, mask: np.ndarray | None, reset: np.ndarray, alive: np.ndarray) -> np.ndarray:
        return self.greedy(obs).astype(np.int32).reshape(len(obs), 1)


@dataclass
class Peer:
    """What a trainer left: snapshots in order, who plays, and what gives the player a snapshot's weights."""

    snapshots: list[Snapshot]
    player: Player
    load: Callable[[Any], Any]


class Clock:
    """Collects what `weights` gives each 50th of the schedule, and says when the time is up."""

    def __init__(self, weights: Callable[[], Any], steps: int, budget: float) -> None:
        self.weights, self.every, self.budget = weights, steps // SNAPSHOTS, budget
        self.start, self.processor, self.snapshots = time.perf_counter(), time.process_time(), list[Snapshot]()

    def goes_on(self, steps: int) -> bool:
        passed = time.perf_counter() - self.start
        if passed >= self.budget or steps // self.every > len(self.snapshots):
            self.snapshots.append((passed, time.process_time() - self.processor, steps, self.weights()))
        return passed < self.budget


def discrete(name: str, vector: GymVectorEnv) -> int:
    """How many choices its one discrete action has."""
    if not isinstance(vector.single_action_space, gymnasium.spaces.Discrete):
        raise MinnowError(f"--peers needs an environment with one discrete action, which {name} does not have.")
    return int(vector.single_action_space.n)


def _copy(module: nn.Module) -> Callable[[], dict[str, torch.Tensor]]:
    return lambda: {name: leaf.clone() for name, leaf in module.state_dict().items()}


def stable_baselines3(name: str, seed: int, budget: float) -> Peer:
    """With the settings of RL Zoo for CartPole, else the library's own for eight environments."""
    try:
        from stable_baselines3 import PPO
        from stable_baselines3.common.callbacks import BaseCallback
        from stable_baselines3.common.monitor import Monitor
        from stable_baselines3.common.vec_env import DummyVecEnv
    except ImportError:
        raise missing("Stable-Baselines3, which --peers measures,", "importers") from None
    settings: dict[str, Any] = {}
    steps = STEPS
    if name == "cartpole":
        steps = 100_000
        settings = {"n_steps": 32, "batch_size": 256, "n_epochs": 20, "gamma": 0.98, "gae_lambda": 0.8}
        settings |= {"learning_rate": lambda left: 1e-3 * left, "clip_range": lambda left: 0.2 * left}

    class Watch(BaseCallback):
        def _on_step(self) -> bool:
            return clock.goes_on(self.num_timesteps)

    vector = DummyVecEnv([lambda i=i: Monitor(GymEnv(name, seed=seed, first_index=i)) for i in range(8)])
    model = PPO("MlpPolicy", vector, seed=seed, device="cpu", **settings)
    clock = Clock(_copy(model.policy), steps, budget)
    model.learn(steps, callback=Watch())
    player = Player(lambda obs: model.policy.predict(obs, deterministic=True)[0])
    return Peer(clock.snapshots, player, model.policy.load_state_dict)


class Plain(nn.Module):
    """Two networks of their own for action and value."""

    def __init__(self, inputs: int, choices: int) -> None:
        super().__init__()

        def layer(before: int, after: int, gain: float) -> nn.Linear:
            linear = nn.Linear(before, after)
            nn.init.orthogonal_(linear.weight, gain)
            nn.init.zeros_(linear.bias)
            return linear

        def body(last: int, gain: float) -> nn.Sequential:
            root = 2**0.5
            first = (layer(inputs, 64, root), nn.Tanh(), layer(64, 64, root), nn.Tanh())
            return nn.Sequential(nn.Flatten(), *first, layer(64, last, gain))

        self.critic, self.actor = body(1, 1.0), body(choices, 0.01)


def plain(name: str, seed: int, budget: float) -> Peer:
    """One file's worth of PPO: 4 environments, 128 steps, 4 epochs of 4 minibatches, learning rate 2.5e-4 falling to 0,
    gamma 0.99, lambda 0.95, entropy 0.01."""
    torch.manual_seed(seed)
    count, horizon, rate = 4, 128, 2.5e-4
    vector = GymVectorEnv(name, count, seed=seed)
    choices = discrete(name, vector)
    size = int(np.prod(vector.single_observation_space.shape or ()))
    agent = Plain(size, choices)
    optimizer = torch.optim.Adam(agent.parameters(), lr=rate, eps=1e-5)
    clock = Clock(_copy(agent), STEPS, budget)
    obs, actions = torch.zeros(horizon, count, size), torch.zeros(horizon, count, dtype=torch.int64)
    log_probs, rewards, dones, values = (torch.zeros(horizon, count) for _ in range(4))
    now, done = _flat(vector.reset(seed=seed)[0]), torch.zeros(count)
    updates = STEPS // (count * horizon)
    for update in range(updates):
        for group in optimizer.param_groups:
            group["lr"] = rate * (1 - update / updates)
        for t in range(horizon):
            obs[t], dones[t] = now, done
            with torch.no_grad():
                chance = torch.distributions.Categorical(logits=agent.actor(now))
                actions[t] = chance.sample()
                log_probs[t], values[t] = chance.log_prob(actions[t]), agent.critic(now).squeeze(-1)
            seen, reward, ended, cut, _ = vector.step(actions[t].numpy())
            now, rewards[t] = _flat(seen), torch.from_numpy(np.asarray(reward, np.float32))
            done = torch.from_numpy((ended | cut).astype(np.float32))
        with torch.no_grad():
            after, carry, advantages = agent.critic(now).squeeze(-1), torch.zeros(count), torch.zeros_like(rewards)
            for t in reversed(range(horizon)):
                goes_on = 1 - (done if t == horizon - 1 else dones[t + 1])
                delta = rewards[t] + 0.99 * after * goes_on - values[t]
                advantages[t] = carry = delta + 0.99 * 0.95 * goes_on * carry
                after = values[t]
        batch = [leaf.flatten(0, 1) for leaf in (obs, actions, log_probs, advantages, advantages + values, values)]
        for part in _minibatches(batch):
            _learn(agent, optimizer, *part)
        if not clock.goes_on((update + 1) * count * horizon):
            break

    def act(seen: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return agent.actor(_flat(seen)).argmax(-1).numpy()

    return Peer(clock.snapshots, Player(act), agent.load_state_dict)


def _flat(obs: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(obs.reshape(len(obs), -1).astype(np.float32))


def _minibatches(batch: list[torch.Tensor]) -> Iterator[list[torch.Tensor]]:
    for _ in range(4):
        for index in torch.randperm(len(batch[0])).chunk(4):
            yield [leaf[index] for leaf in batch]


def _learn(
    agent: Plain,
    optimizer: torch.optim.Optimizer,
    obs: torch.Tensor,
    action: torch.Tensor,
    log_prob: torch.Tensor,
    advantage: torch.Tensor,
    returns: torch.Tensor,
    before: torch.Tensor,
) -> None:
    chance, value = torch.distributions.Categorical(logits=agent.actor(obs)), agent.critic(obs).squeeze(-1)
    ratio = (chance.log_prob(action) - log_prob).exp()
    advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
    policy_loss = torch.maximum(-advantage * ratio, -advantage * ratio.clamp(0.8, 1.2)).mean()
    near = before + (value - before).clamp(-0.2, 0.2)
    value_loss = 0.5 * torch.maximum((value - returns).square(), (near - returns).square()).mean()
    loss = policy_loss - 0.01 * chance.entropy().mean() + 0.5 * value_loss
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(agent.parameters(), 0.5)
    optimizer.step()


def jaxed(name: str, seed: int, budget: float) -> Peer | None:
    """None where JAX is not installed."""
    if not all(find_spec(package) for package in ("jax", "optax")):
        return None
    from minnow.bench import jaxed

    return jaxed.measure(name, seed, budget)


PEERS: dict[str, Callable[[str, int, float], Peer | None]] = {
    "stable-baselines3": stable_baselines3,
    "plain torch": plain,
    "jax": jaxed,
}
