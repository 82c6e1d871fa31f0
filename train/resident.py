"""PPO where the environments live on the accelerator too: nothing of a rollout crosses to the host but the records."""

from __future__ import annotations

import functools

import torch

from minnow import envs
from minnow.train.capture import Capture
from minnow.train.device import DevicePPO, Half
from minnow.train.foreign import Outcome, TensorVector
from minnow.train.observation import each


class ResidentPPO(DevicePPO):
    """DevicePPO on a `TensorVector`."""

    def connect(self, first_env: int) -> None:
        vector = self.environments(first_env, self.envs)
        assert isinstance(vector, TensorVector)
        self.vector, self.final_obs = vector, {}
        self.record = torch.zeros(self.train.horizon, self.envs, len(envs.RECORD), device=self.device)
        clock = torch.zeros(1, dtype=torch.int64, device=self.device)
        self.half = Half(vector, slice(0, self.envs), [], clock, lambda: None, None)
        self.half.act = Capture(functools.partial(self._act, self.half), self.device)
        self.begin()

    def begin(self) -> None:
        last = self.train.horizon
        each(lambda held, new: held[last].copy_(new), self.obs, self.vector.begin())
        self.alive[last] = self.resets[last] = 1
        if self.starts is not None:
            self.starts.first(self.vector, envs.Buffers())

    @torch.no_grad()
    def collect(self) -> None:
        horizon = self.train.horizon
        self.carry()
        self._noise()
        for kept, leaf in zip(self.start or (), self.state or (), strict=True):
            kept.copy_(leaf)
        self.half.clock.zero_()
        for t in range(horizon):
            self.half.act()
            self._take(t, self.vector.advance(self.env_action[t]))
        state = None if self.state is None else self.policy.clear(self.state, self.resets[horizon])
        self.head[horizon, :, :-1], self.head[horizon, :, -1], _ = self._see(self._at(horizon), state)
        self.rewards()
        self.ended((self.terminated | self.truncated).bool().cpu(), self.record.cpu())

    def _take(self, t: int, found: Outcome) -> None:
        each(lambda held, new: held[t + 1].copy_(new), self.obs, found.obs)
        for name in ("reward", "terminated", "truncated", "record"):
            getattr(self, name)[t].copy_(getattr(found, name))
        self.alive[t + 1].copy_(found.alive)
        self.resets[t + 1].copy_(found.reset)
        # The values of what lives that were cut ended with; of all rows, since to ask which would be to wait.
        value = self._see(each(lambda new, held: new.to(held.dtype), found.final, self._at(t)), self.state)[1]
        self.final_value[t].copy_(value)
