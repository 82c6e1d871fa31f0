"""PPO in JAX as PureJaxRL writes it (Lu et al., 2022), for `minnow bench solve ENV --peers`: its networks and settings;
acting, advantages and all minibatches of an update are compiled. The environment is ours, by its Gymnasium adapter, on
the host, where PureJaxRL's own are compiled too."""

# pyright: reportMissingImports=false
from __future__ import annotations

from typing import Any, cast

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import optax

from minnow.bench.peers import STEPS, Clock, Peer, Player, discrete
from minnow.envs.gym import GymVectorEnv

COUNT, HORIZON, EPOCHS, MINIBATCHES = 4, 128, 4, 4
RATE, GAMMA, LAMBDA, CLIP, ENTROPY, VALUE, NORM = 2.5e-4, 0.99, 0.95, 0.2, 0.01, 0.5, 0.5

Weights = dict[str, list[tuple[jax.Array, jax.Array]]]  # of actor and critic: the layers' matrices and biases


def measure(name: str, seed: int, budget: float) -> Peer:
    """4 environments, 128 steps, 4 epochs of 4 minibatches, learning rate 2.5e-4 falling to 0."""
    with jax.default_device(jax.devices("cpu")[0]):
        return _measure(name, seed, budget)


def _measure(name: str, seed: int, budget: float) -> Peer:
    vector = GymVectorEnv(name, COUNT, seed=seed)
    choices = discrete(name, vector)
    space = vector.single_observation_space
    assert isinstance(space, gymnasium.spaces.Box)
    key = jax.random.key(seed)
    key, *keys = jax.random.split(key, 3)
    size, root = int(np.prod(space.shape)), 2**0.5
    weights: Weights = {
        part: _layers(key_, [(size, 64, root), (64, 64, root), (64, last, gain)])
        for part, key_, last, gain in (("actor", keys[0], choices, 0.01), ("critic", keys[1], 1, 1.0))
    }
    updates = STEPS // (COUNT * HORIZON)
    rate = optax.linear_schedule(RATE, 0.0, updates * EPOCHS * MINIBATCHES)
    optimizer = optax.chain(optax.clip_by_global_norm(NORM), optax.adam(rate, eps=1e-5))
    learned = {"weights": weights}
    state = optimizer.init(weights)
    learn = jax.jit(lambda *given: _learn(optimizer, *given))
    now = _flat(vector.reset(seed=seed)[0])
    # Compiling is the price of starting, as its authors count it; ours is compiled before its clock starts too.
    key, key_ = jax.random.split(key)
    _act(weights, now, key_)[0].block_until_ready()
    blank = {name_: np.zeros((HORIZON, COUNT), np.float32) for name_ in ("log_prob", "value", "reward", "done")}
    blank |= {"action": np.zeros((HORIZON, COUNT), np.int32), "obs": np.zeros((HORIZON, COUNT, size), np.float32)}
    jax.block_until_ready(learn(weights, state, blank, now, key_))
    greedy = jax.jit(lambda weights_, obs: _network(weights_["actor"], obs).argmax(-1))
    clock = Clock(lambda: learned["weights"], STEPS, budget)
    for update in range(updates):
        seen = {name_: leaf.copy() for name_, leaf in blank.items()}
        for t in range(HORIZON):
            key, key_ = jax.random.split(key)
            action, log_prob, value = (np.asarray(each) for each in _act(weights, now, key_))
            seen["obs"][t], seen["action"][t], seen["log_prob"][t], seen["value"][t] = now, action, log_prob, value
            obs, reward, ended, cut, _ = vector.step(action)
            now, seen["reward"][t], seen["done"][t] = _flat(obs), reward, ended | cut
        key, key_ = jax.random.split(key)
        weights, state = learn(weights, state, seen, now, key_)
        learned["weights"] = jax.block_until_ready(weights)
        if not clock.goes_on((update + 1) * COUNT * HORIZON):
            break
    player = Player(lambda obs: np.asarray(greedy(learned["weights"], _flat(obs))))
    return Peer(clock.snapshots, player, lambda weights_: learned.update(weights=weights_))


def _layers(key: jax.Array, sizes: list[tuple[int, int, float]]) -> list[tuple[jax.Array, jax.Array]]:
    keys = jax.random.split(key, len(sizes))
    return [
        (jax.nn.initializers.orthogonal(gain)(key_, (before, after)), jnp.zeros(after))
        for key_, (before, after, gain) in zip(keys, sizes, strict=True)
    ]


def _network(layers: list[tuple[jax.Array, jax.Array]], x: jax.Array) -> jax.Array:
    *hidden, (last, bias) = layers
    for matrix, offset in hidden:
        x = jnp.tanh(x @ matrix + offset)
    return x @ last + bias


@jax.jit
def _act(weights: Weights, obs: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    logits = _network(weights["actor"], obs)
    action = jax.random.categorical(key, logits)
    return action, _log_prob(logits, action), _network(weights["critic"], obs)[:, 0]


def _log_prob(logits: jax.Array, action: jax.Array) -> jax.Array:
    return jnp.take_along_axis(jax.nn.log_softmax(logits), action[:, None], -1)[:, 0]


def _learn(
    optimizer: optax.GradientTransformation,
    weights: Weights,
    state: Any,
    seen: dict[str, Any],
    now: Any,
    key: jax.Array,
) -> tuple[Weights, Any]:
    """One update by a rollout, every leaf of which is [128][4] or [128][4][size]."""

    def back(carry: tuple[Any, Any], step: tuple[Any, Any, Any]) -> tuple[tuple[Any, Any], Any]:
        advantage, after = carry
        reward, done, value = step
        delta = reward + GAMMA * after * (1 - done) - value
        advantage = delta + GAMMA * LAMBDA * (1 - done) * advantage
        return (advantage, value), advantage

    after = _network(weights["critic"], now)[:, 0]
    steps = (seen["reward"], seen["done"], seen["value"])
    _, advantages = jax.lax.scan(back, (jnp.zeros_like(after), after), steps, reverse=True)
    batch = {name: seen[name] for name in ("obs", "action", "log_prob", "value")}
    batch |= {"advantage": advantages, "returns": advantages + seen["value"]}
    batch = {name: leaf.reshape(-1, *leaf.shape[2:]) for name, leaf in batch.items()}

    def minibatch(carry: tuple[Weights, Any], index: jax.Array) -> tuple[tuple[Weights, Any], None]:
        gradients = jax.grad(_loss)(carry[0], {name: leaf[index] for name, leaf in batch.items()})
        changes, after_ = optimizer.update(gradients, carry[1], carry[0])
        return (cast("Weights", optax.apply_updates(carry[0], changes)), after_), None

    keys = jax.random.split(key, EPOCHS)
    order = jnp.concatenate([jax.random.permutation(each, COUNT * HORIZON).reshape(MINIBATCHES, -1) for each in keys])
    return jax.lax.scan(minibatch, (weights, state), order)[0]


def _loss(weights: Weights, part: dict[str, jax.Array]) -> jax.Array:
    logits, value = _network(weights["actor"], part["obs"]), _network(weights["critic"], part["obs"])[:, 0]
    ratio = jnp.exp(_log_prob(logits, part["action"]) - part["log_prob"])
    advantage = (part["advantage"] - part["advantage"].mean()) / (part["advantage"].std() + 1e-8)
    policy_loss = -jnp.minimum(ratio * advantage, jnp.clip(ratio, 1 - CLIP, 1 + CLIP) * advantage).mean()
    near = part["value"] + jnp.clip(value - part["value"], -CLIP, CLIP)
    value_loss = 0.5 * jnp.maximum((value - part["returns"]) ** 2, (near - part["returns"]) ** 2).mean()
    chances = jax.nn.log_softmax(logits)
    entropy = -(jnp.exp(chances) * chances).sum(-1).mean()
    return policy_loss + VALUE * value_loss - ENTROPY * entropy


def _flat(obs: np.ndarray) -> np.ndarray:
    return obs.reshape(len(obs), -1).astype(np.float32)
