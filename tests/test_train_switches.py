"""The mathematics behind each switch of the algorithm, against slow or foreign references."""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import Any

import pytest
import torch
from sure import sure
from torch.optim._muon import _zeropower_via_newtonschulz

from minnow.train import advantage as advantages
from minnow.train import muon, priority
from minnow.train.adam import Adam
from minnow.train.config import Config, Core, PolicyConfig, TrainConfig
from minnow.train.group import ALONE
from minnow.train.ppo import PPO, annealed
from minnow.train.scale import RewardScale

torch.set_num_threads(1)  # two are slower, the more so on a busy machine
FORMS = [advantages.native, advantages.batched]


def slow(reward, value, final_value, terminated, truncated, last_value, gamma, lam, ratio, clip_delta, clip_trace):
    """The definition, one row and one step at a time: the sum of discounted errors up to the episode's end."""
    horizon, rows = reward.shape
    advantage = torch.zeros_like(reward)
    for row, start in itertools.product(range(rows), range(horizon)):
        weight = 1.0
        for t in range(start, horizon):
            if terminated[t, row]:
                following = 0.0
            elif truncated[t, row]:
                following = final_value[t, row]
            else:
                following = value[t + 1, row] if t + 1 < horizon else last_value[row]
            delta = reward[t, row] + gamma * following - value[t, row]
            advantage[start, row] += weight * min(ratio[t, row], clip_delta) * delta
            if terminated[t, row] or truncated[t, row]:
                break
            weight *= gamma * lam * min(ratio[t, row], clip_trace)
    return advantage


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("clips", [None, (1.0, 1.0), (1.5, 0.7)])
@pytest.mark.parametrize(("gamma", "lam"), [(0.99, 0.95), (0.9, 0.0), (1.0, 1.0), (0.0, 0.9)])
def test_advantages_equal_their_definition(form, clips, gamma, lam):
    torch.manual_seed(0)
    reward, value, final_value = (torch.randn(13, 7, dtype=torch.float64) for _ in range(3))
    last_value = torch.randn(7, dtype=torch.float64)
    terminated, truncated = ((torch.rand(13, 7) < 0.2).to(torch.uint8) for _ in range(2))
    assert (terminated & truncated).any() and (truncated & ~terminated & 1).any()
    arguments = (reward, value, final_value, terminated, truncated, last_value, gamma, lam)
    ratio = torch.randn(13, 7, dtype=torch.float64).exp()
    if clips is None:
        expected = slow(*arguments, torch.ones_like(ratio), 1, 1)
        torch.testing.assert_close(form(*arguments), expected, rtol=0, atol=1e-12)
    else:
        found = form(*arguments, ratio, *clips)
        torch.testing.assert_close(found, slow(*arguments, ratio, *clips), rtol=0, atol=1e-12)
        assert not torch.allclose(found, form(*arguments))
    single = [
        leaf.float() if isinstance(leaf, torch.Tensor) and leaf.is_floating_point() else leaf for leaf in arguments
    ]
    torch.testing.assert_close(form(*single), form(*arguments).float(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_truncation_bootstraps_and_termination_does_not(form):
    one, zero = torch.ones(1, 1), torch.zeros(1, 1)
    flag = torch.ones(1, 1, dtype=torch.uint8)
    none = torch.zeros(1, 1, dtype=torch.uint8)

    def advantage(terminated, truncated):
        return form(one, zero, 10 * one, terminated, truncated, 100 * torch.ones(1), 0.5, 0.9).item()

    assert advantage(none, flag) == 1 + 0.5 * 10  # the final observation's value
    assert advantage(flag, none) == 1
    assert advantage(flag, flag) == 1  # termination wins
    assert advantage(none, none) == 1 + 0.5 * 100  # the next observation's


@pytest.mark.parametrize("shape", [(8, 8), (64, 6), (5, 40), (256, 64)])
def test_orthogonalisation_equals_torchs(shape):
    torch.manual_seed(0)
    matrix = torch.randn(shape)
    theirs = _zeropower_via_newtonschulz(matrix, muon.COEFFICIENTS, muon.ROUNDS, 1e-7)
    assert torch.equal(muon.orthogonalized(matrix.bfloat16()), theirs)
    exact = muon.orthogonalized(matrix.double())
    torch.testing.assert_close(exact.float(), theirs.float(), rtol=0, atol=0.05)
    singular = torch.linalg.svdvals(exact)
    assert singular.min() > 0.3 and singular.max() < 1.3  # a random matrix's come near 1


def test_adam_equals_torchs():
    torch.manual_seed(0)
    start, gradients = torch.randn(12, dtype=torch.float64), torch.randn(9, 12, dtype=torch.float64)
    theirs = start.clone().requires_grad_()
    flat, gradient = start.clone(), torch.zeros_like(start)
    leaves = list(flat.split([5, 7]))
    mine, other = Adam(leaves, flat, gradient), torch.optim.Adam([theirs], lr=0.1, eps=1e-5)
    for now in gradients:
        theirs.grad = now.clone()
        gradient.copy_(now)
        other.step()
        mine.step(0.1)
    torch.testing.assert_close(flat, theirs.detach(), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(sure(mine.moments(leaves[1]))["exp_avg"], other.state[theirs]["exp_avg"][5:])
    assert mine.moments(start) is None


def test_muon_steps_as_torchs_does():
    """Torch works in bf16; on parameters of that type both take the same steps."""
    torch.manual_seed(0)
    start = torch.randn(24, 16).bfloat16()
    ours, theirs = (start.clone().requires_grad_() for _ in range(2))
    mine = muon.Muon([ours], lr=0.01)
    other = torch.optim.Muon([theirs], lr=0.01, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
    for _ in range(10):
        gradient = torch.randn(24, 16).bfloat16()
        for parameter, optimizer in ((ours, mine), (theirs, other)):
            parameter.grad = gradient.clone()
            optimizer.step()
    assert torch.equal(ours, theirs) and not torch.equal(ours, start)


def test_priorities_follow_their_formula():
    sums = torch.tensor([0.0, 1.0, 2.0, 5.0])
    chance = priority.probabilities(sums, 0.5)
    powers = [math.sqrt(number) for number in sums.tolist()]
    expected = torch.tensor([power / sum(powers) for power in powers], dtype=torch.float64)
    torch.testing.assert_close(chance, expected, rtol=1e-12, atol=0)
    torch.testing.assert_close(priority.weights(chance, 0.7)[1:], (4 * expected[1:]) ** -0.7, rtol=1e-12, atol=0)
    assert torch.equal(priority.probabilities(torch.zeros(5), 1.0), torch.full((5,), 0.2, dtype=torch.float64))
    uniform = (torch.arange(100_000) + 0.5) / 100_000
    share = torch.bincount(priority.draw(chance, uniform), minlength=4) / 100_000
    torch.testing.assert_close(share.double(), expected, rtol=0, atol=2e-5)


def test_importance_weights_take_the_bias_out():
    """With full weights, the mean over drawn segments is the mean over all."""
    values = torch.tensor([3.0, -1.0, 7.0, 0.5], dtype=torch.float64)
    chance = priority.probabilities(values.abs(), 1.0)
    torch.testing.assert_close((chance * priority.weights(chance, 1.0) * values).sum(), values.mean())


def test_schedules():
    assert [annealed(2, 0, done, "linear") for done in (0, 0.25, 1)] == [2, 1.5, 0]
    for done in (0, 0.3, 1):
        assert annealed(2, 1, done, "cosine") == pytest.approx(1 + (1 + math.cos(math.pi * done)) / 2)


def test_rewards_are_divided_by_the_deviation_of_their_discounted_sums():
    torch.manual_seed(0)
    reward, ended = torch.randn(3, 20, 4).double() * 30, (torch.rand(3, 20, 4) < 0.1).to(torch.uint8)
    scale = RewardScale(4)
    seen = []
    carry = [0.0] * 4
    for part, ends in zip(reward, ended, strict=True):
        deviation = scale.update(part, torch.ones_like(ends), ends, 0.9, ALONE)
        for t, row in itertools.product(range(20), range(4)):
            carry[row] = 0.9 * carry[row] + part[t, row].item()
            seen.append(carry[row])
            if ends[t, row]:
                carry[row] = 0.0
        assert deviation == pytest.approx(torch.tensor(seen).std(correction=0).item(), rel=1e-5)


SWITCHES = {
    "vtrace": {"advantage": "vtrace"},
    "priority": {"priority": 0.8},
    "muon": {"optimizer": "muon"},
    "half": {"epochs": 0.5},
    "reward": {"normalize_reward": True},
    "value": {"normalize_value": False},
    "cosine": {"anneal": "cosine"},
}


def tiny(core: Core, **changes: Any) -> Config:
    settings = TrainConfig(steps=4 * 8 * 16, envs=8, horizon=16, minibatch=32, epochs=2, entropy=0.1)
    return Config(
        "cartpole", 5, policy=PolicyConfig(core=core, hidden=8), train=dataclasses.replace(settings, **changes)
    )


def weights_after(config: Config, updates: int = 2) -> torch.Tensor:
    trainer = PPO(config)
    for _ in range(updates):
        trainer.update()
    return torch.cat([leaf.detach().flatten() for leaf in trainer.parameters])


@pytest.mark.parametrize("core", ["mlp", "lstm"])
@pytest.mark.parametrize("switch", SWITCHES)
def test_each_switch_changes_what_is_learned(switch, core):
    changed = weights_after(tiny(core, **SWITCHES[switch]))
    assert changed.isfinite().all() and not torch.allclose(changed, weights_after(tiny(core)))


@pytest.mark.parametrize("core", ["mlp", "gru"])
def test_the_gradient_is_that_of_the_mean_loss(core):
    """The bucket's sums over samples, divided by their weight, against a plain mean over the minibatch."""
    config = tiny(core, epochs=1, minibatch=128, max_grad_norm=0.0, normalize_advantage=False, precision="float64")
    trainer = PPO(config)
    trainer.collect()
    advantage = trainer.advantages()
    returns = advantage + trainer.value
    assert isinstance(trainer.obs, torch.Tensor)
    out, value, _ = trainer.policy.unroll(trainer.obs[:-1].double(), trainer.start, trainer.resets[:-1])
    log_prob, entropy = trainer.space.log_prob(out, trainer.action)
    ratio = (log_prob - log_prob.detach()).exp()
    error = (value - returns) / advantage.square().mean().sqrt()
    loss = -(ratio * advantage).mean() + 0.5 * 0.5 * error.square().mean() - 0.1 * entropy.mean()
    expected = torch.autograd.grad(loss, trainer.parameters)
    trainer.learn(advantage, measure=False)
    for found, right in zip(trainer.parameters, expected, strict=True):
        torch.testing.assert_close(found.grad, right, rtol=1e-9, atol=1e-12)


def test_ratios_are_those_of_the_policy_now():
    """After an epoch whose learning rate is 0 they are 1; otherwise they are not, and V-trace sees them."""
    for rate, same in ((0.0, True), (0.05, False)):
        trainer = PPO(tiny("mlp", advantage="vtrace", learning_rate=rate))
        trainer.update()
        assert torch.allclose(trainer.ratio, torch.ones_like(trainer.ratio), atol=1e-5) == same


@pytest.mark.parametrize(("epochs", "count"), [(0.25, 1), (0.5, 2), (1.0, 4), (1.5, 6), (3.0, 12)])
def test_the_replay_ratio_counts_minibatches(epochs, count, monkeypatch):
    trainer = PPO(tiny("mlp", epochs=epochs))
    calls = []
    backward = trainer.backward
    monkeypatch.setattr(trainer, "backward", lambda *given: calls.append(1) or backward(*given))
    trainer.update()
    assert len(calls) == count
