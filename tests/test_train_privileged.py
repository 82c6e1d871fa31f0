"""What randomization drew, for the critic alone: in C, in both backends, and not in the policy's file."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from test_train_core import SETTINGS, trained

from minnow import cinfer, envs
from minnow.cinfer.errors import MinnowError
from minnow.cli.main import main
from minnow.train import device
from minnow.train.backend import CorePPO
from minnow.train.config import Config, PolicyConfig


def config(precision: str = "float64", **changes: object) -> Config:
    settings = dataclasses.replace(SETTINGS, **{"precision": precision, "privileged": True} | changes)
    return Config("cartpole", 5, 0.3, policy=PolicyConfig(core="mlp", hidden=16, layers=2), train=settings)


@pytest.mark.parametrize("ranges", [{}, {"half_length": (0.3, 0.6)}])
def test_it_is_where_each_parameter_lies_in_its_interval(ranges: dict[str, tuple[float, float]]) -> None:
    made = {"seed": 3, "randomize": 0.3, "ranges": ranges}
    vector, plain = envs.Vector("cartpole", 20, privileged=True, **made), envs.Vector("cartpole", 20, **made)
    b, other = vector.buffers(), plain.buffers()
    vector.reset(b)
    plain.reset(other)
    assert [group.name for group in vector.spec.group if group.critic] == ["drawn"]
    for _ in range(60):
        b.action[:] = other.action[:] = 1
        before = b.obs["drawn"].copy()
        vector.step(b)
        plain.step(other)
        assert np.array_equal(b.obs["obs"], other.obs)  # nothing else changes
        ended = b.terminated | b.truncated
        assert np.array_equal(b.final_obs["drawn"][ended], before[ended])
        assert np.array_equal(b.obs["drawn"][~ended], before[~ended])
    for i in range(20):
        now = vector.params(i)
        for k, param in enumerate(vector.spec.param):
            low, high = ranges[param.name] if param.name in ranges else param.spread(0.3)
            wanted = 2 * (now[param.name] - low) / (high - low) - 1 if high > low else 0
            assert b.obs["drawn"][i, k] == pytest.approx(wanted, abs=1e-4)
    assert np.ptp(b.obs["drawn"], axis=0).max() > 1.5


def test_both_backends_learn_the_same_with_it_and_only_the_value_sees_it() -> None:
    ours, theirs = device.trainer(config(backend="c")), device.trainer(config(backend="torch"))
    assert isinstance(ours, CorePPO) and not isinstance(theirs, CorePPO)
    torch.testing.assert_close(trained(ours), trained(theirs), rtol=1e-9, atol=1e-11)
    learned, begun = (dict(one.policy.named_parameters()) for one in (ours, device.trainer(config(backend="c"))))
    assert not torch.equal(learned["private.0.weight"], begun["private.0.weight"])
    assert isinstance(theirs.obs, dict)
    obs = {name: leaf[0].to(torch.float64) for name, leaf in theirs.obs.items()}
    out, value = theirs.policy.evaluate(obs)
    after, worth = theirs.policy.evaluate(obs | {"drawn": -obs["drawn"]})
    assert torch.equal(out, after) and (value != worth).all()


def test_a_policy_s_file_does_without_it(tmp_path, capsys) -> None:
    sizes = []
    for word, more in (("plain", []), ("privileged", ["--train.privileged"])):
        out = tmp_path / word
        small = ["--train.steps", "2048", "--train.envs", "16", "--train.horizon", "32", "--train.minibatch", "512"]
        assert main(["train", "cartpole", "--randomize", "0.3", "--out", str(out), *small, *more]) == 0
        policy = cinfer.load(out / "policy.minnow")
        assert [item.name for item in policy.inputs] == ["obs"]
        sizes.append(sum(item.size for item in policy.weights()) if hasattr(policy, "weights") else len(policy.data))
        assert main(["eval", str(out), "--episodes", "4", "--json"]) == 0
    assert abs(sizes[0] - sizes[1]) < 2048 and sizes[1] < 1.05 * sizes[0]


def test_who_cannot_tell_is_named() -> None:
    with pytest.raises(MinnowError, match="is for environments in C: gym:CartPole-v1 does not tell"):
        device.trainer(dataclasses.replace(config(), name="gym:CartPole-v1"))
