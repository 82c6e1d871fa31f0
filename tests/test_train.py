"""The mathematics of training: advantages, action spaces, policies with memory, settings, checkpoints as files."""

from __future__ import annotations

import errno
import json
import os

import pytest
import torch
from safetensors.torch import save_file
from sure import sure
from torch.distributions import Categorical as TorchCategorical
from torch.distributions import Normal

from minnow.cinfer.errors import MinnowError
from minnow.cinfer.files import write_atomic
from minnow.train import backend, checkpoint, native
from minnow.train import config as configs
from minnow.train.config import Config, PolicyConfig, TrainConfig
from minnow.train.observation import any_of
from minnow.train.policy import CORES, Normalize, Policy
from minnow.train.ppo import PPO
from minnow.train.space import Categorical, Gaussian


@pytest.mark.parametrize("sizes", [(3,), (2, 5), (4, 1, 3)])
def test_categorical_equals_torchs(sizes):
    torch.manual_seed(1)
    space = Categorical(sizes)
    out = torch.randn(6, 11, space.out_size, dtype=torch.float64)
    action = torch.stack([torch.randint(0, size, (6, 11)) for size in sizes], -1)
    log_prob, entropy = space.log_prob(out, action)
    parts = [TorchCategorical(logits=part) for part in out.split(sizes, -1)]
    torch.testing.assert_close(log_prob, sum(part.log_prob(action[..., i]) for i, part in enumerate(parts)))
    torch.testing.assert_close(entropy, sum(part.entropy() for part in parts))


def test_samples_follow_the_probabilities_and_the_mask():
    space = Categorical((3, 2))
    logits = torch.tensor([0.0, 1.0, -1.0, 0.5, 0.0])
    count = 200_000
    uniform = torch.rand(count, space.heads, generator=torch.Generator().manual_seed(5))
    action = space.sample(logits.expand(count, -1), uniform)
    for head, part in enumerate(logits.split((3, 2))):
        share = torch.bincount(action[:, head], minlength=len(part)) / count
        torch.testing.assert_close(share, part.softmax(-1), rtol=0, atol=0.005)
    masked = space.masked(logits.expand(count, -1), torch.tensor([1, 0, 1, 0, 1], dtype=torch.uint8))
    action = space.sample(masked, uniform)
    assert not (action[:, 0] == 1).any() and (action[:, 1] == 1).all()
    assert space.log_prob(masked[:1], action[:1])[1].isfinite().all()


def test_gaussian_equals_torchs_and_acts_within_bounds():
    torch.manual_seed(2)
    space = Gaussian((-1.0, 0.0), (1.0, 5.0))
    out = torch.randn(100_000, 4) * 0.3
    action = space.sample(out, torch.randn(100_000, 2))
    normal = Normal(out[:, :2], out[:, 2:].exp())
    log_prob, entropy = space.log_prob(out, action)
    torch.testing.assert_close(log_prob, normal.log_prob(action).sum(-1), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(entropy, normal.entropy().sum(-1))
    standard = (action - out[:, :2]) / out[:, 2:].exp()
    assert abs(standard.mean().item()) < 0.01 and abs(standard.std().item() - 1) < 0.01
    acted = space.to_env(action)
    assert acted[:, 0].min() == -1 and acted[:, 0].max() == 1 and acted[:, 1].min() == 0


@pytest.mark.parametrize("space", [Categorical((3,)), Gaussian((-1.0,), (2.0,))], ids=["categorical", "gaussian"])
@pytest.mark.parametrize("core", CORES)
def test_unrolling_equals_stepping_with_resets(core, space):
    torch.manual_seed(3)
    policy = Policy(PolicyConfig(core=core, hidden=16, normalize=True), (5,), space).double()
    policy.normalize.update(torch.randn(100, 5) * 3 + 1)
    obs = torch.randn(9, 6, 5, dtype=torch.float64)
    resets = (torch.rand(9, 6) < 0.25).to(torch.uint8)
    resets[0, 2] = 1
    assert resets[0].any() and resets[1:].any()
    start = policy.initial_state(6)
    if start is not None:
        start = tuple(torch.randn_like(leaf, dtype=torch.float64) for leaf in start)
    out, value, end = policy.unroll(obs, start, resets)
    state, outs, values = start, [], []
    for t in range(9):
        if state is not None:
            state = policy.clear(state, resets[t])
        step_out, step_value, state = policy.step(obs[t], state)
        outs.append(step_out)
        values.append(step_value)
    torch.testing.assert_close(out, torch.stack(outs))
    torch.testing.assert_close(value, torch.stack(values))
    if state is not None:
        torch.testing.assert_close(end, state)
        ignored, _, _ = policy.unroll(obs, start, torch.zeros_like(resets))
        assert not torch.allclose(out, ignored)  # so that the resets are seen to matter


def test_forward_returns_what_export_expects():
    policy = Policy(PolicyConfig(core="lstm"), (5,), Categorical((3,)))
    logits, value, state = policy(torch.zeros(4, 5), policy.initial_state(4))
    assert logits.shape == (4, 3) and value.shape == (4, 1) and [leaf.shape for leaf in state] == [(1, 4, 64)] * 2
    assert policy.outputs == ("logits", "value")
    assert len(Policy(PolicyConfig(core="mlp"), (5,), Categorical((3,)))(torch.zeros(4, 5))) == 2
    images = Policy(PolicyConfig(core="mlp"), (2, 4, 4), Categorical((3,)))
    grey = torch.full((1, 2, 4, 4), 255, dtype=torch.uint8)
    assert torch.equal(images(grey)[0], images(torch.ones(1, 2, 4, 4))[0])


def test_cells_that_remember_keep_what_they_hold() -> None:
    """With `remember`, an untrained LSTM's outputs still tell its first inputs apart many steps later."""
    torch.manual_seed(0)
    space, first = Categorical((3,)), torch.randn(2, 5)
    kept = {}
    for steps in (0, 64):
        policy = Policy(PolicyConfig(core="lstm", hidden=32, remember=steps), (5,), space)
        state = policy.initial_state(2)
        for t in range(30):
            *_, state = policy.step(first if t == 0 else torch.zeros(2, 5), state)
        kept[steps] = (sure(state)[1][0, 0] - sure(state)[1][0, 1]).abs().mean().item()
    assert kept[64] > 20 * kept[0]
    for config in (PolicyConfig(core="mlp", remember=8), PolicyConfig(core="lstm", remember=1)):
        with pytest.raises(MinnowError, match=r"policy\.remember"):
            Policy(config, (5,), space)


@torch.no_grad()
def test_the_first_steps_leave_units_alive() -> None:
    """While values began at random, Pong's seed 3682831841 lost 26 of 64 units of its second layer in 25 updates, and
    stalled for good."""
    config = configs.defaults("pong")
    config.seed, config.train.value_weight = 3682831841, 40.0
    trainer = backend.trainer(config)
    trainer.update(measure=False)
    assert trainer.value.abs().max() < 0.05
    while trainer.update_index < 25:
        trainer.update(measure=False)
    said = trainer.policy.encoder(any_of(trainer.obs).flatten(0, 1))
    assert int((said <= 0).all(0).sum()) < 13


def test_one_network_scores_all_parts_alike():
    """However the parts are ordered, each gets its own score, and the value stays."""
    torch.manual_seed(0)
    policy = Policy(PolicyConfig(core="mlp", hidden=16, layers=2, parts=True), (4, 2, 3), Categorical((6,)))
    obs, order = torch.randn(9, 4, 2, 3), torch.tensor([2, 0, 3, 1])
    logits, value = policy(obs)
    assert logits.shape == (9, 6) and value.shape == (9, 1) and not logits[:, 4:].any() and logits[:, :4].std() > 0
    again, same = policy(obs[:, order])
    torch.testing.assert_close(again[:, :4], logits[:, order])
    torch.testing.assert_close(same, value)
    assert policy.encoder[0].weight.shape == (16, 6)


@pytest.mark.parametrize(
    "core, shape, space", [("lstm", (2, 3), Categorical((3,))), ("mlp", (2, 3), Gaussian((0.0,), (1.0,)))]
)
def test_parts_want_a_choice_and_no_memory(core, shape, space):
    with pytest.raises(MinnowError, match=r"policy\.parts needs"):
        Policy(PolicyConfig(core=core, parts=True), shape, space)


def test_parts_want_an_action_each():
    with pytest.raises(MinnowError, match="5 parts for 3 actions"):
        Policy(PolicyConfig(core="mlp", parts=True), (5, 2), Categorical((3,)))


def test_the_script_plays_the_sides_that_the_network_leaves():
    for agents, rows in ((0, 16), (1, 8)):
        settings = TrainConfig(envs=8, minibatch=64, agents=agents)
        assert PPO(Config("connect4", policy=PolicyConfig("mlp"), train=settings)).vector.rows == rows
    with pytest.raises(MinnowError, match=r"train\.agents is 2, but cartpole has 1"):
        PPO(Config("cartpole", train=TrainConfig(agents=2)))


def test_statistics_survive_a_change_of_type():
    """Far from 0, and after many observations, where float32 has no digits left."""
    seen = 1000 + 0.1 * torch.randn(4096, 3)
    found = Normalize((3,)).to(torch.float32)
    found.count += 2**26
    found.update(seen[:1])
    assert found.count == 2**26 + 1 and found.mean.dtype == torch.float32
    found = Normalize((3,)).float()
    found.update(seen)
    torch.testing.assert_close(found.scale, 1 / seen.double().std(0).float(), rtol=0.01, atol=0)


def test_normaliser_equals_the_whole_datas_statistics():
    data = torch.randn(1000, 3) * torch.tensor([0.1, 1.0, 50.0]) + torch.tensor([5.0, 0.0, -100.0])
    whole, parts = Normalize((3,)), Normalize((3,))
    whole.update(data)
    for part in data.split(130):
        parts.update(part)
    torch.testing.assert_close(whole.mean, parts.mean, rtol=1e-6, atol=1e-6)
    normal = parts(data)
    torch.testing.assert_close(normal.mean(0), torch.zeros(3), rtol=0, atol=1e-3)
    torch.testing.assert_close(normal.std(0), torch.ones(3), rtol=1e-2, atol=0)


def _noise(seed: int, update: int, first: int, rows: int, normal: bool = False, shape=(9, 3)) -> torch.Tensor:
    horizon, size = shape
    noise = torch.full((horizon, rows, size), torch.nan)
    native.call(torch.float32, "noise", seed, update, normal, horizon, first, rows, size, noise)
    return noise


def test_noise_of_a_row_does_not_depend_on_where_rows_are_split():
    whole = _noise(9, 4, 0, 40)
    assert whole.unique().numel() > 0.99 * whole.numel() and whole.min() >= 0 and whole.max() < 1
    assert torch.equal(whole[:, 17:], _noise(9, 4, 17, 23))
    for other in (_noise(9, 5, 0, 40), _noise(8, 4, 0, 40), _noise(9 + 2**32, 4, 0, 40)):
        assert (whole != other).any(1).all()


def test_noise_of_continuous_actions_is_normal():
    noise = _noise(1, 2, 0, 5000, True, (21, 1))
    torch.testing.assert_close(noise.mean(1), torch.zeros(21, 1), rtol=0, atol=0.06)
    torch.testing.assert_close(noise.std(1), torch.ones(21, 1), rtol=0, atol=0.05)
    torch.testing.assert_close((noise.abs() < 1).float().mean(), torch.tensor(0.6827), rtol=0, atol=0.01)
    pairs = torch.corrcoef(noise[..., 0])
    assert (pairs - torch.eye(21)).abs().max() < 0.07  # a step's is not the next one's


def test_an_epochs_order_has_every_sample_once():
    def order(seed: int, update: int, epoch: int, count: int = 1000) -> torch.Tensor:
        found = torch.empty(count, dtype=torch.int64)
        native.call(None, "order", seed, update, epoch, count, found)
        return found

    one = order(1, 2, 3)
    assert torch.equal(one.sort().values, torch.arange(1000))
    assert not any(torch.equal(one, other) for other in (order(2, 2, 3), order(1, 3, 3), order(1, 2, 4)))
    places = torch.stack([order(1, update, 0, 4) for update in range(2000)])
    share = torch.stack([(places == number).float().mean(0) for number in range(4)])
    torch.testing.assert_close(share, torch.full((4, 4), 0.25), rtol=0, atol=0.04)


def test_settings_survive_their_file(tmp_path):
    config = Config(
        "pong", 2**63 - 1, 0.1, {"gravity": 3.7}, PolicyConfig(core="mingru"), TrainConfig(gamma=1 / 3, steps=10**12)
    )
    path = tmp_path / "config.toml"
    path.write_text(configs.dump(config, {"steps": 5, "ended": "schedule"}))
    assert configs.load(path) == config
    path.write_text(configs.dump(config, {"steps": 5, "ended": "budget"}))
    assert configs.load(path).train.stop == 5


BAD_SETTINGS = {
    'name = "pong"\n[train]\nlearnin_rate = 1.0': "learning_rate",
    'name = "pong"\n[policy]\ncore = "lsmt"': "lstm",
    'name = "pong"\n[train]\nsteps = "many"': "train.steps is an integer, got 'many'",
    'name = "pong"\n[train]\nlogs = 1.5': "train.logs is an integer, got 1.5",
    'name = "pong"\ntrain = 3': "train is a table",
    'name = "pong"\n[env]\ngravity = "low"': "env is a table of numbers",
    'name = "pong"\n[train': "not valid TOML",
    "seed = 3": "names no environment",
    'name = "pong"\n[train]\nenvs = 0': "train.envs is 0, outside 1",
    'name = "pong"\n[train]\ngamma = 1.5': "train.gamma is 1.5, outside 0 .. 1",
    'name = "pong"\n[train]\nlearning_rate = nan': "train.learning_rate is nan",
    'name = "pong"\nseed = -1': "seed is -1",
    'name = "pong"\n[policy]\nhidden = 0': "policy.hidden is 0",
}


@pytest.mark.parametrize(("text", "words"), BAD_SETTINGS.items())
def test_bad_settings_are_named(tmp_path, text, words):
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(MinnowError) as error:
        configs.validate(configs.load(path))
    assert words in str(error.value)


def test_batches_must_divide():
    config = Config("pong", train=TrainConfig(envs=10, horizon=16, minibatch=100))
    with pytest.raises(MinnowError, match=r"does not divide a rollout of 10 rows x 16 steps = 160 .*minibatch 80"):
        configs.check_batch(config, 1)
    config = Config("pong", policy=PolicyConfig(core="lstm"), train=TrainConfig(envs=10, horizon=16, minibatch=40))
    with pytest.raises(MinnowError, match=r"not a multiple of the horizon, 16.*minibatch 32"):
        configs.check_batch(config, 1)
    configs.check_batch(Config("pong", policy=config.policy, train=TrainConfig(envs=5, horizon=16, minibatch=160)), 2)


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomic(path, b"old")

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_foreign_and_damaged_checkpoints_are_refused(tmp_path):
    foreign = tmp_path / "foreign.safetensors"
    save_file({"x": torch.zeros(1)}, foreign)
    with pytest.raises(MinnowError, match="not a checkpoint of Minnow"):
        checkpoint.read(foreign)
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(foreign.read_bytes()[:-2])
    with pytest.raises(MinnowError, match="damaged, or is not a checkpoint"):
        checkpoint.read(damaged)
    save_file({"x": torch.zeros(1)}, foreign, metadata={"minnow": json.dumps({"format": 99})})
    with pytest.raises(MinnowError, match="format 99"):
        checkpoint.read(foreign)
    with pytest.raises(MinnowError, match="does not exist"):
        checkpoint.find(tmp_path / "nothing")
    (tmp_path / "runs/pong/7/checkpoints").mkdir(parents=True)
    with pytest.raises(MinnowError, match=r"has no checkpoints.*runs/pong/7"):
        checkpoint.find(tmp_path / "runs")
    with pytest.raises(MinnowError, match=r"has no checkpoint: it ended before its first one. Train again"):
        checkpoint.find(tmp_path / "runs/pong/7")
