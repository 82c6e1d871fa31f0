"""The core in C learns what autograd does; the same bits in any number of threads and processes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from sure import sure

from minnow.cinfer.errors import MinnowError
from minnow.train import backend, device, group, learn
from minnow.train.backend import CorePPO
from minnow.train.config import Activation, Config, PolicyConfig, TrainConfig
from minnow.train.native import pointed
from minnow.train.observation import Input, Obs, each, inputs
from minnow.train.policy import Policy
from minnow.train.ppo import PPO, Minibatch, arranged
from minnow.train.space import Categorical, Gaussian
from minnow.train.weights import Weights

CROWD = Path(__file__).parent / "games" / "crowd"
torch.set_num_threads(1)  # two are slower, the more so on a busy machine
SETTINGS = TrainConfig(
    steps=10**6, envs=8, horizon=16, minibatch=64, epochs=2, value_clip=0.1, clip=0.05, entropy=0.1, learning_rate=0.01
)
CASES = {
    "relu": ("pong", {"layers": 2}, {}),
    "tanh": ("pong", {"layers": 1, "activation": "tanh", "normalize": True}, {"advantage": "vtrace"}),
    "linear": ("cartpole", {"layers": 0}, {"priority": 0.8, "normalize_advantage": False}),
    "gelu": ("cartpole", {"layers": 2, "activation": "gelu"}, {}),
    "silu": ("pong", {"core": "mingru", "activation": "silu"}, {}),
    "masked": ("connect4", {"layers": 1}, {"max_grad_norm": 0.1}),
    "parts": ("2048", {"layers": 2, "parts": True}, {}),
    "lstm": ("pong", {"core": "lstm"}, {}),
    "deep": ("cartpole", {"core": "lstm", "layers": 2, "activation": "tanh"}, {"priority": 0.5, "advantage": "vtrace"}),
    "bare": ("cartpole", {"core": "lstm", "layers": 0}, {"value_clip": 0.0}),
    "gru": ("cartpole", {"core": "gru", "normalize": True}, {"advantage": "vtrace"}),
    "mingru": ("cartpole", {"core": "mingru", "layers": 2}, {"epochs": 1}),
    "groups": ("crowd", {"layers": 2, "normalize": True}, {"agents": 1, "envs": 4, "advantage": "vtrace"}),
    "groups lstm": ("crowd", {"core": "lstm", "activation": "silu"}, {"agents": 2, "envs": 4}),
}


def trained(trainer: PPO, updates: int = 3) -> torch.Tensor:
    """Weights, what Adam remembers, and the last metrics."""
    metrics = {}
    for _ in range(updates):
        metrics = trainer.update()
    adam = trainer.adam
    return torch.cat([adam.flat, adam.mean, adam.square, torch.tensor(list(metrics.values()), dtype=adam.flat.dtype)])


def config(case: str, precision: str, **changes: object) -> Config:
    name, policy, train = CASES[case]
    settings = dataclasses.replace(SETTINGS, **{"precision": precision, "backend": "c"} | train | changes)
    place = {"path": str(CROWD), "env": {"time": 7.0}} if name == "crowd" else {}
    return Config(name, 5, policy=PolicyConfig(hidden=16, **{"core": "mlp"} | policy), train=settings, **place)


@pytest.mark.parametrize("case", CASES)
def test_three_updates_equal_those_by_autograd(case):
    """Settings under which clips and masks act and games end within a rollout."""
    ours = device.trainer(config(case, "float64"))
    found = trained(ours)
    theirs = device.trainer(config(case, "float64", backend="torch"))
    assert isinstance(ours, CorePPO) and not isinstance(theirs, CorePPO)
    expected = trained(theirs)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-11)
    for precision in ("float32", "exact"):
        single = trained(device.trainer(config(case, precision)))
        assert (single - expected).norm() < 1e-5 * expected.norm()
    assert ours.resets[1:].any() or ours.config.name in ("pong", "2048")


def _after_step(trainer: PPO, t: int, call: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls it after each step t of a rollout, before the policy sees what that left."""
    rollout = getattr(trainer, "rollout", None)
    if rollout is None:
        step = trainer.vector.step
        monkeypatch.setattr(trainer.vector, "step", lambda given: (step(given), given is trainer.buffers[t] and call()))
        return
    world, ffi = rollout.world, rollout.core.ffi
    step = world.step

    def stepping(envs, buffers, first, last, scratch):
        step(envs, buffers, first, last, scratch)
        if buffers == world.buffers[t]:
            call()

    rollout.kept = world.step = ffi.callback(ffi.typeof(step), stepping)


@pytest.mark.parametrize("backend", ["c", "torch"])
@pytest.mark.parametrize("case", ["relu", "tanh", "linear", "deep", "gru", "mingru"])
def test_what_is_not_finite_stops_learning(case, backend, monkeypatch: pytest.MonkeyPatch):
    """An observation or a reward, in the middle of a rollout or at its end, also where the row is not drawn."""
    spoilt = [("obs", 4, 3, number) for number in (math.nan, math.inf)] + [("obs", 15, 3, math.nan)]
    spoilt += [("reward", 4, row, number) for row, number in ((2, math.nan), (5, math.inf), (0, 1.0))]
    for name, t, row, number in spoilt:
        trainer = device.trainer(config(case, "float32", backend=backend))

        def spoil(trainer=trainer, t=t, name=name, row=row, number=number):
            getattr(trainer.buffers[t], name)[row] = number

        _after_step(trainer, t, spoil, monkeypatch)
        trainer.update()
        assert trainer.finite() == math.isfinite(number), (name, t, row, number)


SIGHT = (  # all that a group can be
    Input("self", "fields", (5,)),
    Input("items", "set", (6, 3)),
    Input("there", "present", (6,), "u8"),
    Input("map", "planes", (2, 4, 4), "u8"),
    Input("keys", "set", (2, 3), critic=True),
    Input("held", "present", (2,), "u8", critic=True),
    Input("luck", "fields", (1,), critic=True),
    Input("all", "set", (50, 2)),
)
SPACES = {
    "discrete": (Categorical((5,)), (7,)),
    "several": (Categorical((3, 1, 4)), (7,)),
    "many": (Categorical((70, 2)), (3,)),
    "masked": (Categorical((3, 4)), (7,)),
    "normal": (Gaussian((-1.0, 0.0, -3.0), (1.0, 5.0, -2.0)), (7,)),
    "bytes": (Categorical((5,)), (Input("obs", "planes", (2, 4, 4), "u8"),)),
    "groups": (Categorical((5,)), SIGHT),
    "smooth groups": (Categorical((5,)), SIGHT),
    "bare groups": (Gaussian((-1.0,), (1.0,)), SIGHT[:-1]),
    "set": (Categorical((5,)), (Input("obs", "set", (6, 3)),)),
    "parts": (Categorical((5,)), (3, 9)),
    "wide": (Categorical((2,)), (130,)),
}


def seen(groups: tuple[Input, ...], count: int) -> Obs:
    """Observations of any numbers; half of a set's entities are there, of every third agent none, and two are alike."""
    made = {}
    for item in groups:
        numbers = torch.randn(count, *item.shape)
        if item.type == "u8":
            numbers = torch.randint(0, 256, numbers.shape, dtype=torch.uint8)
        if item.kind == "present":
            numbers %= 2
            numbers[::3] = 0
        if item.kind == "set":
            numbers[:, 1] = numbers[:, 0]
        made[item.name] = numbers
    return made if len(made) > 1 else next(iter(made.values()))


class Whole:
    """Random numbers as a rollout of `rows` rows for 20 steps has them, for the core and for `PPO.differentiate`."""

    rows, horizon = 19, 20

    def __init__(self, case: str, type_: torch.dtype, hidden: int = 33, threads: int = 1, fused: bool = True) -> None:
        torch.manual_seed(0)
        self.space, shape = SPACES[case]
        smooth: dict[str, Activation] = {"several": "tanh", "smooth groups": "silu", "bare groups": "tanh"}
        normalize = case in ("several", "groups", "bare groups", "set")
        layers = 0 if case == "bare groups" else 2
        settings = PolicyConfig("mlp", hidden, layers, smooth.get(case, "relu"), normalize)
        settings.parts = case == "parts"
        self.policy = Policy(settings, shape, self.space).double()
        count = self.rows * self.horizon
        self.obs = seen(inputs(shape), count)
        with torch.no_grad():
            for leaf in self.policy.parameters():
                leaf += 0.1 * torch.randn_like(leaf)
            some = each(lambda leaf: (leaf * 3 + (leaf > 1)).unsqueeze(0).to(leaf.dtype), self.obs)
            self.policy.learn_scale(some, torch.ones(1, count, dtype=torch.uint8))
            self.policy.to(type_)
            self.mask = (torch.rand(count, self.space.out_size) < 0.5).to(torch.uint8) if case == "masked" else None
            if self.mask is not None:
                self.mask[:, ::3] = 1
            out, value = self.policy.evaluate(self._seen(type_))
            make = torch.randn if isinstance(self.space, Gaussian) else torch.rand
            noise = make(count, self.space.heads).to(type_)
            masked = self.space.masked(out, self.mask)
            self.action = self.space.sample(masked, noise)
            self.noise, self.value = noise, value + 0.2 * torch.randn_like(value)
            self.log_prob = self.space.log_prob(masked, self.action)[0] + 0.2 * torch.randn(count).to(type_)
        self.returns, self.advantage = (torch.randn(count).to(type_) for _ in range(2))
        self.weight = (torch.rand(count) < 0.8).to(type_)
        self.parameters = arranged(self.policy)
        self.flat = torch.cat([leaf.detach().flatten() for leaf in self.parameters])
        self.core = learn.Core(self.policy, self.flat, 1, self.rows, 0, self.rows, threads, fused)
        self.core.pack()
        self.core.begin(
            self.obs,
            {
                name: getattr(self, name)
                for name in ("mask", "action", "log_prob", "value", "returns", "advantage", "weight")
            },
            {"clip": 0.2, "value_clip": 0.1, "value_weight": 0.7, "entropy_weight": 0.05},
        )

    def _seen(self, type_: torch.dtype) -> Obs:
        return each(lambda leaf: leaf if leaf.dtype == torch.uint8 else leaf.to(type_), self.obs)

    def gradient(self, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        flat, core = self.flat.new_empty(len(self.flat) + 1), self.core
        core.make_room(len(index))
        core.point(core.descent, {"gradient": flat})
        assert core.backward(len(index), *(pointed(core.ffi, leaf) for leaf in (index, None)))
        return flat[:-1], core.sums[0]

    def expected(self, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The same by autograd."""
        trainer = PPO.__new__(PPO)
        trainer.train, trainer.value_weight = (
            TrainConfig(clip=0.2, value_clip=0.1),
            torch.tensor(0.7, dtype=self.flat.dtype),
        )
        trainer.policy, trainer.space, trainer.bucket = self.policy, self.space, torch.zeros(1, dtype=self.flat.dtype)
        trainer.spec = dataclasses.make_dataclass("Spec", ["masked"])(self.mask is not None)
        none = torch.zeros(len(index))
        mask = none if self.mask is None else self.mask[index]
        names = ("action", "log_prob", "value", "returns", "advantage", "weight")
        part = Minibatch(
            each(lambda leaf: leaf[index], self._seen(self.flat.dtype)),
            None,
            none,
            mask,
            *(getattr(self, n)[index] for n in names),
        )
        for leaf in self.parameters:
            leaf.grad = None
        sums = trainer.differentiate(part, index, 0.05)
        return torch.cat([sure(leaf.grad).flatten() for leaf in self.parameters]), sums


@pytest.mark.parametrize("case", SPACES)
def test_gradients_and_measures_equal_autograds(case):
    torch.manual_seed(1)
    index = torch.randperm(Whole.rows * Whole.horizon)[:301]
    for type_, near in ((torch.float64, 1e-12), (torch.float32, 1e-5)):
        whole = Whole(case, type_)
        (found, sums), (expected, right) = whole.gradient(index), whole.expected(index)
        start = 0
        for leaf in whole.parameters:
            part = slice(start, start := start + leaf.numel())
            assert (found[part] - expected[part]).norm() <= near * expected[part].norm()
        torch.testing.assert_close(sums, right, rtol=10 * near, atol=10 * near)
        assert right[4] > 0 and right[4] < right[5]  # some are clipped, some are not


@pytest.mark.parametrize("case", SPACES)
def test_acting_equals_the_policys(case):
    whole = Whole(case, torch.float64)
    count, space = Whole.rows * Whole.horizon, whole.space
    head = torch.empty(count, space.out_size + 1, dtype=torch.float64)
    action, log_prob = torch.empty_like(whole.action), torch.empty(count, dtype=torch.float64)
    told = torch.empty(count, space.heads, dtype=torch.int32 if isinstance(space, Categorical) else torch.float32)
    whole.core.forward(whole.obs, None, head)
    whole.core.sample(head, whole.mask, whole.noise, action, told, log_prob)
    with torch.no_grad():
        out, value = whole.policy.evaluate(whole._seen(torch.float64))
        masked = space.masked(out, whole.mask)
        torch.testing.assert_close(head, torch.cat([out, value.unsqueeze(1)], 1), rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(action, space.sample(masked, whole.noise))
        torch.testing.assert_close(log_prob, space.log_prob(masked, action)[0], rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(told, space.to_env(action).to(told.dtype))


def test_threads_do_not_show():
    index = torch.arange(Whole.rows * Whole.horizon)
    for case in ("several", "normal", "groups"):
        one, three, many = (Whole(case, torch.float32, threads=count).gradient(index) for count in (1, 3, 8))
        for other in (three, many):
            assert torch.equal(one[0], other[0]) and torch.equal(one[1], other[1])


def _learned(everyone: group.Group, case: str) -> list[float]:
    trainer = CorePPO(config(case, "float32"), everyone)
    for _ in range(4):
        trainer.update(measure=False)
    return trainer.adam.flat.tolist()


@pytest.mark.parametrize("case", ["relu", "masked", "lstm"])
def test_processes_do_not_show(case):
    """Bit for bit, where torch's sums differ in the last places."""
    one, two, four = (group.together(count, _learned, case) for count in (1, 2, 4))
    assert one == two == four


@pytest.mark.parametrize("case", ["masked", "lstm", "mingru"])
def test_either_goes_on_with_the_others_run(case):
    """And the core's own goes on bit for bit."""
    trainer = CorePPO(config(case, "float64"))
    trainer.update()
    saved = {name: leaf.clone() for name, leaf in trainer.tensors().items()}
    expected = trained(trainer, 2)
    for class_, near in ((CorePPO, 0.0), (PPO, 1e-9)):
        other = class_(config(case, "float64"))
        other.load({name: leaf.clone() for name, leaf in saved.items()}, 1)
        torch.testing.assert_close(trained(other, 2), expected, rtol=near, atol=near)


def test_what_the_core_lacks_is_said_and_learned_by_torch():
    muon = config("relu", "float32", optimizer="muon")
    with pytest.raises(MinnowError, match=r"does not have train.optimizer muon: use --train.backend auto or torch"):
        backend.trainer(muon)
    muon.train.backend = "auto"
    assert not isinstance(backend.trainer(muon), CorePPO)
    muon.train.precision = "exact"
    with pytest.raises(MinnowError, match=r"exact is the core's in C, which does not have train.optimizer muon"):
        backend.trainer(muon)


@pytest.mark.parametrize(("out", "in_"), [(5, 5), (64, 17), (3, 40), (1, 7), (1, 1)])
def test_initial_weights_are_orthogonal_and_the_seeds(out, in_):
    def drawn(seed: int, skipped: int = 0) -> torch.Tensor:
        weights = Weights(seed)
        layer = [weights.linear(in_, out, 3.0) for _ in range(skipped + 1)][-1]
        assert not layer.bias.any()
        return layer.weight.detach()

    weight = drawn(1)
    small = weight @ weight.T if out < in_ else weight.T @ weight
    torch.testing.assert_close(small, 9 * torch.eye(min(out, in_)), rtol=0, atol=1e-5)
    assert torch.equal(weight, drawn(1))
    assert out == 1 or not any(torch.equal(weight, other) for other in (drawn(2), drawn(1 + 2**40), drawn(1, 1)))


def test_initial_weights_have_no_favourite_direction():
    """As of evenly spread rotations: n times a square has a mean of 1, and its square one of 3 n / (n + 2)."""
    many = torch.stack([Weights(seed).linear(8, 8, 1.0).weight.detach() for seed in range(500)])
    square = 8 * many.square()
    torch.testing.assert_close(square.mean(0), torch.ones(8, 8), rtol=0, atol=0.3)
    torch.testing.assert_close(square.square().mean(), torch.tensor(2.4), rtol=0, atol=0.1)
    torch.testing.assert_close(many.mean(0), torch.zeros(8, 8), rtol=0, atol=0.08)
    assert 0.4 < (torch.linalg.det(many) > 0).float().mean() < 0.6
