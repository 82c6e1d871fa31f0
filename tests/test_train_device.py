"""Learning on a device does what learning on the processor does; without a GPU the device is the processor."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from minnow.cinfer.errors import MinnowError
from minnow.train import config as configs
from minnow.train import device, evaluation
from minnow.train.capture import Capture
from minnow.train.config import Config, PolicyConfig, SelfPlayConfig, TrainConfig
from minnow.train.device import DevicePPO
from minnow.train.group import Group
from minnow.train.ppo import PPO

torch.set_num_threads(1)
DEVICES = ["cpu"] + ["cuda"] * torch.cuda.is_available()
SETTINGS = TrainConfig(steps=10**6, envs=9, horizon=16, minibatch=48, epochs=2, learning_rate=0.01, precision="float64")
SHORT = {"limit": 50.0, "max_angle": 45.0}  # of CartPole: episodes are cut off
CASES = {  # environment, policy, training
    "mlp": ("cartpole", {"core": "mlp", "layers": 2}, {"value_clip": 0.1}),
    "masked": ("connect4", {"core": "mlp"}, {"optimizer": "muon"}),
    "parts": ("2048", {"core": "mlp", "layers": 2, "parts": True}, {}),
    "lstm": ("pong", {"core": "lstm", "normalize": True}, {"normalize_reward": True}),
    "gru": ("cartpole", {"core": "gru"}, {"priority": 0.5, "advantage": "vtrace"}),
    "mingru": ("cartpole", {"core": "mingru"}, {"optimizer": "muon"}),
}


def settings(case: str, **changes: object) -> Config:
    name, policy, train = CASES[case]
    train = dataclasses.replace(SETTINGS, **train | changes)
    env = SHORT if name == "cartpole" else {}
    return Config(name, 3, 0.2, env, policy=PolicyConfig(hidden=16, **policy), train=train)


class Tape(TorchDispatchMode):
    """What a CUDA graph does: keeps every operation on tensors and does them again on the same memory. Refuses what
    capturing refuses: questions to the device, and numbers that the host would have to send."""

    FORBIDDEN = ("_local_scalar_dense", "nonzero", "masked_select", "lift_fresh", "unique")

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        assert name not in self.FORBIDDEN, f"{name} within a graph"
        assert name != "index" or all(leaf is None or leaf.dtype == torch.int64 for leaf in args[1])
        out = func(*args, **(kwargs or {}))
        self.calls.append((func, args, kwargs or {}, out))
        return out

    @torch.no_grad()
    def replay(self) -> None:
        for func, args, kwargs, out in self.calls:
            again = func(*args, **kwargs)
            for old, new in zip(tree_leaves(out), tree_leaves(again), strict=True):
                if isinstance(old, torch.Tensor) and old.data_ptr() != new.data_ptr():
                    old.copy_(new)


def taped(self: Any) -> None:
    """Capture's calls as on CUDA: a warm-up, a capture, then nothing but replays."""
    if self.graph is not None:
        return self.graph.replay()
    self.calls += 1
    if self.calls <= 3:
        return self.work()
    self.graph = Tape()
    with self.graph:
        return self.work()


def after(trainer: PPO, updates: int) -> tuple[dict[str, torch.Tensor], dict[str, float]]:
    metrics = {}
    for _ in range(updates):
        metrics = trainer.update()
    return {name: leaf.cpu() for name, leaf in trainer.tensors().items()}, metrics


def plain(config: Config) -> PPO:
    """On the processor, by autograd."""
    return PPO(config)


@pytest.mark.parametrize("case", CASES)
def test_what_is_captured_can_be_replayed(case, monkeypatch):
    """Nothing in a graph depends on the host or on memory that moves."""
    monkeypatch.setattr(Capture, "__call__", taped)
    config = settings(case)
    ours = DevicePPO(config)
    found, expected = after(ours, 4)[0], after(plain(config), 4)[0]
    graphs = [ours.estimation, ours.descent, ours.gradients, *(half.act for half in ours.halves)]
    assert all(isinstance(graph.graph, Tape) for graph in graphs)
    for key, leaf in expected.items():
        torch.testing.assert_close(found[key], leaf, rtol=1e-8, atol=1e-9, msg=lambda m, k=key: f"{k}: {m}")


@pytest.mark.parametrize("name", DEVICES)
@pytest.mark.parametrize("case", CASES)
def test_a_device_does_what_the_processor_does(case, name):
    """Everything that the next update depends on, and the metrics, after eight updates; and again after it was carried
    from one to the other."""
    config = settings(case)
    ours, theirs = DevicePPO(config, device=torch.device(name)), plain(config)
    for updates in (8, 2):
        (found, metrics), (expected, wanted) = after(ours, updates), after(theirs, updates)
        assert found.keys() == expected.keys()
        for key, leaf in expected.items():
            torch.testing.assert_close(found[key], leaf, rtol=1e-8, atol=1e-9, msg=lambda m, k=key: f"{k}: {m}")
        assert updates == 2 or ours.final_value.any() or not config.env
        assert metrics == pytest.approx(wanted, rel=1e-6, abs=1e-9)
        ours, theirs = DevicePPO(config, device=torch.device(name)), plain(config)
        ours.load(expected, 8)
        theirs.load(found, 8)
    assert theirs.update_index == 8
    start = plain(config).tensors()
    assert not torch.allclose(start["policy.actor.weight"], expected["policy.actor.weight"], atol=1e-3)


@pytest.mark.parametrize("name", DEVICES)
@pytest.mark.parametrize("case", ["mlp", "lstm"])
def test_bfloat16_is_float32_but_for_rounding(case, name):
    """One update from equal weights."""
    exact, rounded = (
        after(DevicePPO(settings(case, precision=precision, epochs=1), device=torch.device(name)), 1)[0]
        for precision in ("float32", "bfloat16")
    )
    key = "policy.encoder.0.weight"
    assert 0 < (rounded[key] - exact[key]).norm() < 0.05 * exact[key].norm()


@pytest.mark.parametrize("name", DEVICES)
def test_a_device_learns_cartpole(name):
    config = configs.defaults("cartpole")
    config.seed, config.train.steps = 1, 80_000
    config.train.envs, config.train.minibatch, config.train.epochs = 64, 512, 4.0
    trainer = DevicePPO(config, device=torch.device(name))
    while trainer.update_index < trainer.updates:
        trainer.update(measure=False)
    player = evaluation.TorchPlayer(trainer.policy.cpu())
    assert evaluation.evaluate(player, "cartpole", 50).score_mean > 300


@pytest.mark.parametrize("name", DEVICES)
def test_a_graph_counts_its_calls(name):
    """Warm-up, capture and replay each do the work once."""
    count = torch.zeros(1, device=name)

    def add() -> None:
        count.add_(1)

    graph = Capture(add, torch.device(name))
    for _ in range(6):
        graph()
    assert count.item() == 6


BAD = [  # device, processes, GPUs at hand, self-play, words of the error
    ("cuda", 1, 0, False, "--train.device cpu"),
    ("cuda:1", 1, 1, False, "has 1: give fewer"),
    ("cuda", 2, 1, False, "each of 2 processes, but this machine has 1"),
    ("cuda:0", 2, 2, False, "one GPU for 2 processes"),
    ("cuda", 1, 1, True, "on the processor only"),
]


@pytest.mark.parametrize(("name", "processes", "gpus", "selfplay", "words"), BAD)
def test_a_device_that_is_not_there(monkeypatch, name, processes, gpus, selfplay, words):
    monkeypatch.delenv("MINNOW_DEVICE")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    config = Config("pong", train=TrainConfig(device=name), selfplay=SelfPlayConfig(on=selfplay))
    with pytest.raises(MinnowError, match=words):
        device.chosen(config, Group(0, processes))
    config.train.device = "auto"
    if processes > gpus or selfplay:
        assert device.chosen(config, Group(0, processes)).type == "cpu"
