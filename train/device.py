"""PPO on an accelerator: environments step on the host, everything else happens on the device.

The algorithm is ppo.py's, by autograd. What differs: the environments are two halves, of which one steps while the
device acts for the other; observations and actions cross in pinned memory, and the host waits for nothing but actions;
acting, advantages, gradients and the optimiser's step are captures (capture.py), and whatever changes from one
minibatch to the next (places, learning rate) is sent in one piece before the epoch. It runs on any device of torch, the
processor too, and does there what ppo.py does.
"""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from minnow import envs
from minnow.cinfer.errors import MinnowError
from minnow.train import advantage as advantages
from minnow.train import backend
from minnow.train.capture import Capture
from minnow.train.config import Config
from minnow.train.group import ALONE, Group
from minnow.train.observation import Obs, any_of, arrays, each, zeros
from minnow.train.policy import State
from minnow.train.ppo import CPU, MEASURED, PPO, Minibatch

SPARE = 6  # deviations of a process's share of a minibatch for which there is room


def trainer(config: Config, group: Group = ALONE) -> PPO:
    """A trainer where `train.device` says."""
    device = chosen(config, group)
    if device.type == "cpu":
        return backend.trainer(config, group)
    for name, value in (("backend", "c"), ("precision", "exact")):
        if getattr(config.train, name) == value:
            raise MinnowError(f"train.{name} {value} is for the processor: use --train.device cpu, or leave it out.")
    if getattr(config.place, "kind", "") == "vector":
        from minnow.train.resident import ResidentPPO

        return ResidentPPO(config, group, device)
    return DevicePPO(config, group, device)


def chosen(config: Config, group: Group = ALONE) -> torch.device:
    """The device of this process. `auto`: what MINNOW_DEVICE in the environment says, or a GPU where there is one for
    each process of this machine, and otherwise the processor. Raises MinnowError where there is not what was asked
    for."""
    name = config.train.device
    if name == "auto":
        name = os.environ.get("MINNOW_DEVICE", name)
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    here = int(os.environ.get("LOCAL_WORLD_SIZE", group.size)) if group.size > 1 else 1
    rivals = config.selfplay.on and config.selfplay.share > 0
    if name == "cpu" or (name == "auto" and (rivals or gpus < here)):
        return CPU
    if gpus == 0:
        why = "was built without CUDA" if torch.version.cuda is None else "finds no GPU"
        raise MinnowError(f"train.device is {name}, but torch {torch.__version__} {why}: use --train.device cpu.")
    if rivals:
        raise MinnowError(f"train.device is {name}, but past networks play on the processor only: use cpu.")
    number = name.partition(":")[2]
    if number and here > 1:
        raise MinnowError(f"train.device is {name}, one GPU for {here} processes: use --train.device cuda.")
    if gpus < here or int(number or 0) >= gpus:
        raise MinnowError(
            f"train.device is {name} and needs a GPU for each of {here} processes, but this machine has {gpus}: "
            "give fewer --processes, a lower number, or --train.device cpu."
        )
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)) if here > 1 else int(number or 0))
    torch.cuda.set_device(device)
    return device


class Host:
    """What environments read and write, in memory from which the device can copy by itself. N rows, T steps."""

    def __init__(self, trainer: PPO) -> None:
        horizon, rows = trainer.train.horizon, trainer.resets.shape[1]
        pinned = trainer.device.type == "cuda"
        empty = functools.partial(torch.zeros, pin_memory=pinned)
        self.obs = zeros(trainer.policy.inputs, 2, rows, pin_memory=pinned)  # in turn
        self.final_obs = zeros(trainer.policy.inputs, rows, pin_memory=pinned)  # of the last step
        self.action = empty(trainer.env_action.shape[1:], dtype=trainer.env_action.dtype)  # [N, heads] of the next one
        self.mask = empty(horizon + 1, *trainer.mask.shape[1:], dtype=torch.uint8)
        self.reward = empty(horizon, rows)
        self.terminated, self.truncated = (empty(horizon, rows, dtype=torch.uint8) for _ in range(2))
        self.alive, self.resets = (empty(horizon + 1, rows, dtype=torch.uint8) for _ in range(2))
        self.record = torch.zeros(horizon, rows, len(envs.RECORD))

    def buffers(self, rows: slice, masked: bool, over: np.ndarray | None) -> list[envs.Buffers]:
        """Views for each step of some rows, and of `over` [T, environments]."""
        return [
            envs.Buffers(
                obs=arrays(each(lambda leaf, t=t: leaf[(t + 1) % 2, rows], self.obs)),
                action=self.action[rows].numpy(),
                mask=self.mask[t + 1, rows].numpy() if masked else envs.ABSENT,
                reward=self.reward[t, rows].numpy(),
                terminated=self.terminated[t, rows].numpy(),
                truncated=self.truncated[t, rows].numpy(),
                alive=self.alive[t + 1, rows].numpy(),
                reset=self.resets[t + 1, rows].numpy(),
                final_obs=arrays(each(lambda leaf: leaf[rows], self.final_obs)),
                record=self.record[t, rows].numpy(),
                over=envs.ABSENT if over is None else over[t],
            )
            for t in range(len(self.reward))
        ]


@dataclass
class Half:
    vector: envs.Rows
    rows: slice
    buffers: list[envs.Buffers]
    clock: Tensor  # [1] on the device: the step at which it acts next
    act: Callable[[], None]
    arrived: torch.cuda.Event | None  # when its actions are on the host


class Halves:
    """Their environments, numbered as if they were one vector's."""

    def __init__(self, halves: list[Half]) -> None:
        self.halves = halves

    def save(self, i: int) -> bytes:
        vector, i = self._find(i)
        return vector.save(i)

    def load(self, i: int, saved: bytes) -> None:
        vector, i = self._find(i)
        vector.load(i, saved)

    def event(self, i: int, kind: int, *, value: float) -> None:
        vector, i = self._find(i)
        assert isinstance(vector, envs.Vector)
        vector.event(i, kind, value=value)

    def _find(self, i: int) -> tuple[envs.Rows, int]:
        first = self.halves[0].vector.num_envs
        return (self.halves[0].vector, i) if i < first else (self.halves[1].vector, i - first)


class DevicePPO(PPO):
    """Where a class attribute or tensor is not explained here, it is PPO's, on `device`."""

    estimate = staticmethod(advantages.batched)

    def __init__(self, config: Config, group: Group = ALONE, device: torch.device = CPU) -> None:
        super().__init__(config, group, device)
        assert self.rivals is None
        if self.policy.core is not None:
            self.policy.core.stepwise = True
            self.start = tuple(leaf.clone() for leaf in self.state or ())
        self.whole: Minibatch | None = None
        self.room = 0  # samples or rows of a minibatch
        self.advantage = torch.zeros_like(self.learned_reward)
        self.sums = torch.zeros(len(MEASURED) + 1, dtype=torch.float64, device=device)
        self.length = torch.zeros((), dtype=self.type, device=device)
        self.now = torch.zeros(4, dtype=self.type, device=device)  # of a minibatch: see `learn`
        self.estimation = Capture(self._estimate, device)
        self.descent = Capture(self._descend, device)

    def connect(self, first_env: int) -> None:
        self.host = Host(self)
        self.final_obs = {}
        self.halves = []
        middle, starts = (self.envs + 1) // 2, self.starts
        for first, last in ((0, middle), (middle, self.envs)):
            if first == last:
                continue
            rows = slice(first * self.sides, last * self.sides)
            half = Half(
                self.environments(first_env + first, last - first),
                rows,
                self.host.buffers(rows, self.spec.masked, None if starts is None else starts.over[:, first:last]),
                torch.zeros(1, dtype=torch.int64, device=self.device),
                lambda: None,
                torch.cuda.Event() if self.device.type == "cuda" else None,
            )
            half.act = Capture(functools.partial(self._act, half), self.device)
            self.halves.append(half)
        self.vector = Halves(self.halves)
        self.begin()

    def begin(self) -> None:
        last = self.train.horizon
        for half in self.halves:
            half.vector.reset(half.buffers[-1])
            if self.starts is not None:
                self.starts.first(half.vector, half.buffers[-1], half.rows.start // self.sides)
        each(lambda held, sent: held[last].copy_(sent[last % 2]), self.obs, self.host.obs)
        for name in ("mask", "alive", "resets"):
            getattr(self, name)[last].copy_(getattr(self.host, name)[last])

    @torch.no_grad()
    def collect(self) -> None:
        horizon, host = self.train.horizon, self.host
        self.carry()
        if self.starts is not None:
            self.starts.begin(self.update_index, self.updates)
        self._noise()
        for kept, leaf in zip(self.start or (), self.state or (), strict=True):
            kept.copy_(leaf)
        for half in self.halves:
            half.clock.zero_()
            self._ask(half, 0)
        for t in range(horizon):
            for half in self.halves:
                if half.arrived is not None:
                    half.arrived.synchronize()
                half.vector.step(half.buffers[t])
                if self.starts is not None:
                    self.starts.note(t, half.vector, half.buffers[t], half.rows.start // self.sides)
                self._tell(half, t)
                if t + 1 < horizon:
                    self._ask(half, t + 1)
        for name in ("reward", "terminated", "truncated"):
            getattr(self, name).copy_(getattr(host, name), non_blocking=True)
        for name in ("alive", "resets"):
            getattr(self, name)[1:].copy_(getattr(host, name)[1:], non_blocking=True)
        state = None if self.state is None else self.policy.clear(self.state, self.resets[horizon])
        self.head[horizon, :, :-1], self.head[horizon, :, -1], _ = self._see(self._at(horizon), state)
        self.rewards()
        self.ended((host.terminated | host.truncated).bool(), host.record)

    def _ask(self, half: Half, t: int) -> None:
        """Lets the device act and send the actions."""
        half.act()
        self.host.action[half.rows].copy_(self.env_action[t, half.rows], non_blocking=True)
        if half.arrived is not None:
            half.arrived.record()

    def _tell(self, half: Half, t: int) -> None:
        """Sends what step t left: of it the device needs at once what it acts by."""
        host, rows = self.host, half.rows
        each(lambda held, sent: held[t + 1, rows].copy_(sent[(t + 1) % 2, rows], non_blocking=True), self.obs, host.obs)
        if self.spec.masked:
            self.mask[t + 1, rows].copy_(host.mask[t + 1, rows], non_blocking=True)
        if self.state is not None:
            self.resets[t + 1, rows].copy_(host.resets[t + 1, rows], non_blocking=True)
        if half.buffers[t].truncated.any():
            cut = torch.from_numpy(np.flatnonzero(half.buffers[t].truncated)) + rows.start
            obs, cut = each(lambda leaf: self._sent(leaf[cut]), host.final_obs), self._sent(cut)
            state = None if self.state is None else self.policy.rows(self.state, cut)
            self.final_value[t].index_copy_(0, cut, self._see(obs, state)[1])

    def _sent(self, tensor: Tensor) -> Tensor:
        """On the device, without waiting for it."""
        pinned = tensor.pin_memory() if self.device.type == "cuda" else tensor
        return pinned.to(self.device, non_blocking=True)

    def _see(self, obs: Obs, state: State | None) -> tuple[Tensor, Tensor, State | None]:
        """What the policy says of obs [n, ...]: out [n, out_size], value [n], the new state."""
        obs = self._seen(obs)
        if state is None:
            return (*self.policy.evaluate(obs), None)
        first = any_of(obs)
        resets = torch.zeros(1, len(first), dtype=torch.uint8, device=first.device)
        out, value, state = self.policy.unroll(each(lambda leaf: leaf.unsqueeze(0), obs), state, resets)
        return out[0], value[0], state

    def _act(self, half: Half) -> None:
        """Half's next step: all that is read and written lies in the rollout's tensors, at the time of its clock."""
        rows, clock = half.rows, half.clock

        def now(tensor: Tensor) -> Tensor:
            return tensor[:, rows].index_select(0, clock)[0]

        state = None if self.state is None else self.policy.rows(self.state, rows)
        cleared = None if state is None else self.policy.clear(state, now(self.resets))
        out, value, after = self._see(each(now, self.obs), cleared)
        for held, leaf in zip(state or (), after or (), strict=True):
            held.copy_(leaf)
        masked = self.space.masked(out, now(self.mask) if self.spec.masked else None)
        action = self.space.sample(masked, now(self.noise))
        made = {
            "head": torch.cat([out, value.unsqueeze(-1)], -1),
            "action": action,
            "env_action": self.space.to_env(action).to(self.env_action.dtype),
            "log_prob": self.space.log_prob(masked, action)[0],
        }
        for name, leaf in made.items():
            getattr(self, name)[:, rows].index_copy_(0, clock, leaf.unsqueeze(0))
        clock += 1

    def advantages(self) -> Tensor:
        self.estimation()
        return self.advantage

    def _estimate(self) -> None:
        self.advantage.copy_(super().advantages())

    def learn(self, advantage: Tensor, measure: bool) -> dict[str, float]:
        """As PPO.learn, after the optimiser's factors, the learning rate and the entropy's weight were sent for all
        minibatches."""
        train = self.train
        rate = self.scheduled(train.learning_rate, train.learning_rate_end)
        entropy = self.scheduled(train.entropy, train.entropy_end)
        count = self.minibatches_an_update
        plan = torch.tensor([(*self.adam.factors(rate), rate, entropy) for _ in range(count)], dtype=self.type)
        self.plan = iter(self._sent(plan))
        return super().learn(advantage, measure)

    def samples(self, advantage: Tensor) -> Minibatch:
        """Always in the same memory."""
        found = super().samples(advantage)
        if self.whole is None:
            self.whole = found
        for name, leaf in vars(found).items():
            if name != "state":
                each(_kept, getattr(self.whole, name), leaf)
        return self.whole

    def minibatches(self, advantage: Tensor, epoch: int) -> list[tuple[Tensor, Tensor | None]]:
        """All of one length, [room] each: where a process has fewer samples its first one is repeated, with weight
        0."""
        picks = super().minibatches(advantage, epoch)
        longest = max(len(places) for places, _ in picks)
        if longest > self.room:
            self._make_room(longest)
        index = torch.zeros(len(picks), self.room, dtype=torch.int64)
        weight = torch.zeros(len(picks), self.room, dtype=self.type)
        for i, (places, importance) in enumerate(picks):
            count = len(places)
            index[i, :count], index[i, count:] = places, places[0] if count else 0
            weight[i, :count] = 1 if importance is None else importance
        return list(zip(self._sent(index), self._sent(weight), strict=True))

    def _make_room(self, longest: int) -> None:
        train, size = self.train, self.group.size
        whole = train.minibatch // (train.horizon if self.policy.recurrent or train.priority > 0 else 1)
        if size > 1 and train.minibatch < self.batch:
            likely = whole / size + SPARE * math.sqrt(whole / size * (1 - 1 / size))
            longest = max(longest, min(whole, math.ceil(likely)))
        self.room = longest
        self.index = torch.zeros(longest, dtype=torch.int64, device=self.device)
        self.importance = torch.zeros(longest, dtype=self.type, device=self.device)
        self.gradients = Capture(self._differentiate, self.device)

    def backward(self, whole: Minibatch, index: Tensor, importance: Tensor | None, entropy_weight: float) -> Tensor:
        assert importance is not None  # `minibatches` has made it
        self.index.copy_(index)
        self.importance.copy_(importance)
        self.now.copy_(next(self.plan))
        self.gradients()
        return self.sums

    def _differentiate(self) -> None:
        assert self.whole is not None
        part = self.pick(self.whole, self.index, self.importance)
        self.sums.copy_(self.differentiate(part, self.index, self.now[3]))

    def step(self, learning_rate: float) -> Tensor:
        self.descent()
        return self.length

    def _descend(self) -> None:
        root, change, rate, _ = self.now.unbind()
        self.length.copy_(self.descend(root, change, rate))

    def load(self, tensors: dict[str, Tensor], updates: int) -> None:
        held = self.state
        super().load(tensors, updates)
        for old, new in zip(held or (), self.state or (), strict=True):
            old.copy_(new)
        self.state = held


def _kept(held: Tensor, new: Tensor) -> None:
    if held.data_ptr() != new.data_ptr():
        held.copy_(new)
