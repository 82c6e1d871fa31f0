"""An LSTM's passes by hand do what the policy and autograd do; Adam does what torch's does."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from minnow.train.adam import Adam
from minnow.train.config import Config, PolicyConfig, TrainConfig
from minnow.train.ppo import PPO

torch.set_num_threads(1)  # two are slower, the more so on a busy machine
SETTINGS = TrainConfig(
    steps=10**6, envs=8, horizon=16, minibatch=64, epochs=2, value_clip=0.1, clip=0.05, entropy=0.1, learning_rate=0.01
)
CASES = {
    "lstm": ("pong", {"core": "lstm"}, {}),
    "deep": ("cartpole", {"core": "lstm", "layers": 2, "activation": "tanh"}, {"priority": 0.5, "advantage": "vtrace"}),
    "bare": ("cartpole", {"core": "lstm", "layers": 0}, {"value_clip": 0.0}),
}


def trained(case: str, precision: str, by_hand: bool) -> tuple[PPO, torch.Tensor]:
    name, policy, train = CASES[case]
    settings = dataclasses.replace(SETTINGS, precision=precision, **train)
    trainer = PPO(Config(name, 3, policy=PolicyConfig(hidden=16, **{"core": "mlp"} | policy), train=settings))
    assert trainer.passes is not None
    if not by_hand:
        trainer.passes = None
    for _ in range(3):
        metrics = trainer.update()
    weights = torch.cat([leaf.detach().flatten() for leaf in trainer.parameters])
    return trainer, torch.cat([weights, torch.tensor(list(metrics.values()), dtype=weights.dtype)])


@pytest.mark.parametrize("case", CASES)
def test_three_updates_by_hand_equal_those_by_autograd(case):
    """Weights and metrics, in float64; settings under which clips and masks act and games end within a rollout."""
    ours, found = trained(case, "float64", True)
    _, expected = trained(case, "float64", False)
    torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-10)
    single = trained(case, "float32", True)[1]
    assert (single - expected).norm() < 1e-2 * expected.norm()
    assert ours.resets[1:].any() or ours.config.name in ("pong", "2048")


def test_bfloat16_is_float32_but_for_rounding():
    exact, rounded = (trained("lstm", precision, True)[1] for precision in ("float32", "bfloat16"))
    assert 0 < (rounded - exact).norm() < 0.05 * exact.norm()


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
    torch.testing.assert_close(mine.moments(leaves[1])["exp_avg"], other.state[theirs]["exp_avg"][5:])
    assert mine.moments(start) is None
