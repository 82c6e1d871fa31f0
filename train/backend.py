"""PPO by the core in C (core/learn.h): what ppo.py does, for networks that it takes, many times faster. Which of both a
run gets, `train.backend` says."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from minnow import envs
from minnow.cinfer.errors import MinnowError
from minnow.train.config import Config
from minnow.train.group import ALONE, Group
from minnow.train.learn import Core
from minnow.train.native import REALS
from minnow.train.observation import Obs, each
from minnow.train.policy import State
from minnow.train.ppo import LEAST, PPO, Minibatch
from minnow.train.rollout import Rollout


def lacking(config: Config) -> str:
    """The setting, or what else of a run on the processor, that the core does not have; empty where it has all."""
    if config.train.optimizer != "adam":
        return f"train.optimizer {config.train.optimizer}"
    if config.train.precision == "bfloat16":
        return "train.precision bfloat16"
    return ""


def check(config: Config) -> str:
    """What the core lacks where that makes torch learn; empty otherwise. Raises MinnowError where the core is asked for
    what it does not have."""
    train = config.train
    found = lacking(config) if train.backend != "torch" else ""
    if found and train.backend == "c":
        raise MinnowError(f"train.backend is c, which does not have {found}: use --train.backend auto or torch.")
    if train.precision == "exact" and (found or train.backend == "torch"):
        why = f"which does not have {found}" if found else "and train.backend is torch"
        raise MinnowError(f"train.precision exact is the core's in C, {why}: use float32.")
    return found


def trainer(config: Config, group: Group = ALONE) -> PPO:
    """A trainer on the processor."""
    by_torch = check(config) or config.train.backend == "torch"
    return PPO(config, group) if by_torch else CorePPO(config, group)


class CorePPO(PPO):
    """The same numbers as PPO's but for rounding; of one run the same bits for any number of threads, and of processes
    1, 2, 4 and 8."""

    def __init__(self, config: Config, group: Group = ALONE) -> None:
        super().__init__(config, group)
        rows = self.resets.shape[1]
        steps, threads, fused = config.train.horizon, config.train.threads, config.train.precision != "exact"
        place = (steps, rows, self.first_row, self.all_rows)
        self.core = Core(self.policy, self.adam.flat, *place, threads, fused)
        values = torch.zeros(steps + 1, rows, dtype=self.type)
        self.value, self.last_value = values[:steps], values[steps]
        self._prepare()
        # Past networks, starts and the dead ask for a step at a time, and so do environments that are not of C.
        alone = (
            self.rivals is None and self.starts is None and not self.spec.lives and config.train.env_threads <= threads
        )
        self.rollout = self._rollout(values) if alone and isinstance(self.vector, envs.Vector) else None

    def _prepare(self) -> None:
        """What is learned from, in the same memory each time, and the calls by which it comes there."""
        train, core, adam = self.train, self.core, self.adam
        self.advantage, normal, returns, weight = (torch.zeros_like(self.learned_reward) for _ in range(4))
        self.carried_back = torch.zeros_like(self.last_value)
        obs = each(lambda leaf: leaf[: train.horizon], self.obs)
        resets, mask = (leaf[: train.horizon] for leaf in (self.resets, self.mask))
        seen = (
            self.action,
            self.log_prob,
            self.value,
            returns,
            normal if train.normalize_advantage else self.advantage,
        )
        self.whole = Minibatch(obs, None, resets, mask, *seen, weight)
        leaves = {name: leaf for name, leaf in vars(self.whole).items() if name not in ("obs", "state", "mask")}
        leaves |= {
            "mask": mask if self.spec.masked else None,
            "ratio": self.ratio if train.advantage == "vtrace" else None,
        }
        settings = {name: getattr(train, name) for name in ("clip", "value_clip", "value_weight")}
        core.begin(obs, leaves, settings)
        shape, clips = self.advantage.shape, (train.vtrace_delta, train.vtrace_trace)
        given = (self.learned_reward, self.value, self.final_value, self.terminated, self.truncated, self.last_value)
        given += (leaves["ratio"], self.gamma, train.gae_lambda, *clips, self.carried_back, self.advantage)
        self._advantages = core.bound("advantages", *shape, *given)
        lives = (self.alive, self.learns, core.rows)
        self._outcome = core.bound("outcome", shape.numel(), *lives, self.value, self.advantage, returns, weight)
        strands = (core.strand, core.first, core.count)
        self._moments = core.bound("moments", *shape, *strands, self.advantage, weight, core.moment)
        self._normalise = core.bound("normalise", shape.numel(), self.advantage, normal)
        core.point(core.descent, {"gradient": self.bucket, "mean": adam.mean, "square": adam.square})
        core.descent.max_norm = train.max_grad_norm
        self._exchange()
        # NumPy takes a tenth of torch's time for what is small.
        self._carried = [leaf.numpy() for leaf in self.carried().values()]
        self._rewards = self.reward.numpy(), self.learned_reward.numpy()
        self._moment = core.moment[0], core.moment[0].numpy()
        self._ends = [leaf.numpy().ravel() for leaf in (self.terminated, self.truncated)]
        self._records = self.record.view(-1, self.record.shape[-1]).numpy()

    def _exchange(self) -> None:
        """How the descent adds up gradients over processes."""
        core, mailbox = self.core, self.group.mailbox
        if mailbox is not None and mailbox.fits(self.bucket):
            core.exchange(mailbox.box, getattr(mailbox.lib, f"mailbox_sum_{REALS[self.type]}"))
        elif self.group.size > 1:
            core.callback("exchange", lambda *_: self.group.sum_(self.bucket) is self.bucket)

    def _rollout(self, values: Tensor) -> Rollout:
        leaves = {
            "mask": self.mask if self.spec.masked else None,
            "resets": self.resets,
            "truncated": self.truncated,
            "noise": self.noise,
            "action": self.action,
            "told": self.env_action,
            "log_prob": self.log_prob,
            "value": values,
            "final_value": self.final_value,
        }
        return Rollout(self.core, self.vector, self.buffers, {"obs": self.obs, "final_obs": self.final_obs}, leaves)

    def collect(self) -> None:
        self.core.pack()
        if self.rollout is None:
            return super().collect()
        self.carry()
        self._noise()
        self.start = self.state
        self.state = self.rollout.collect(self.state)
        self.rewards()
        if len(ended := np.flatnonzero(self._ends[0] | self._ends[1])):
            self.episodes.append(self._records[ended])

    def scale_rewards(self) -> None:
        given, learned = self._rewards
        np.multiply(given, self.train.reward_scale, out=learned, dtype=learned.dtype)

    def carry(self) -> None:
        for leaf in self._carried:
            leaf[0] = leaf[-1]

    def _step(self, t: int, state: State | None) -> State | None:
        state = super()._step(t, state)
        (self.value[t] if t < len(self.value) else self.last_value).copy_(self.head[t, :, -1])
        return state

    def _forward(self, obs: Obs, state: State | None, head: Tensor) -> State | None:
        return self.core.forward(obs, state, head)

    def _sample(self, t: int) -> None:
        mask = self.mask[t] if self.spec.masked else None
        self.core.sample(self.head[t], mask, self.noise[t], self.action[t], self.env_action[t], self.log_prob[t])

    def _final_values(self, steps: slice, state: State | None) -> None:
        cut = self.truncated[steps].bool()
        of_rows = None if state is None else self.policy.rows(state, cut[0].nonzero().squeeze(-1))
        obs = each(lambda leaf: leaf[steps][cut], self.final_obs)
        head = self.head.new_empty(int(cut.count_nonzero()), self.head.shape[2])
        self.core.forward(obs, of_rows, head)
        self.final_value[steps][cut] = head[:, -1]

    def advantages(self) -> Tensor:
        self._advantages()
        return self.advantage

    def learn_scale(self) -> None:
        if self.policy.normalize is not None:
            horizon = self.train.horizon
            sums = self.core.observe(each(lambda leaf: leaf[:horizon], self.obs), self.alive[:horizon])
            self.core.normalize(self.group.sum_(sums))

    def samples(self, advantage: Tensor) -> Minibatch:
        """In the same memory each time."""
        train = self.train
        self._outcome()
        if train.normalize_advantage or train.normalize_value:
            summed, moments = self._moment
            self._moments(0.0)
            self.group.sum_(summed)
            total, off, _ = moments.tolist()
            mean = off / max(total, 1.0)
            self._moments(mean)
            self.group.sum_(summed)
            variance = moments.tolist()[2] / max(total, 1.0)
            if train.normalize_value:
                self.core.batch.value_weight = train.value_weight / max(mean * mean + variance, LEAST)
            if train.normalize_advantage:
                self._normalise(mean, math.sqrt(variance) + 1e-8)
        if self.start is not None:
            self.core.point(self.core.batch, dict(zip(("hidden", "cell"), self.start, strict=False)))
        return self.whole

    def learn_epoch(
        self,
        whole: Minibatch,
        advantage: Tensor,
        epoch: int,
        count: int,
        learning_rate: float,
        entropy_weight: float,
        sums: Tensor,
    ) -> float:
        """As PPO's, in one call."""
        train, core = self.train, self.core
        sequences = self.policy.recurrent or train.priority > 0
        if not sequences and train.minibatch == self.batch:
            index, importance = torch.arange(self.batch), None
        else:
            index, importance = self.drawn(advantage, epoch)
            wanted = count * train.minibatch // (train.horizon if sequences else 1)
            index = index if wanted == index.numel() else index[:wanted]
        importance = None if importance is None else importance[index]
        if sequences and not self.policy.recurrent:  # of rows, to places
            steps = torch.arange(train.horizon).unsqueeze(1)
            index = (steps * self.all_rows + index.view(count, 1, -1)).flatten()
            importance = None if importance is None else importance.view(count, 1, -1).repeat(1, train.horizon, 1)
        core.batch.entropy_weight, core.descent.steps = entropy_weight, self.adam.count
        norm = core.descend(index, importance, count, learning_rate, sums)
        self.adam.count = core.descent.steps
        if norm < 0 and self.group.mailbox is not None:
            self.group.mailbox.fail()
        return norm
