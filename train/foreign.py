"""Vector environments whose tensors live on a device: `vector:module:function`.

The function is called with `num_envs` and returns what Gymnasium calls a VectorEnv, of which `reset(seed=)` and
`step(actions)` give and take torch tensors [num_envs, ...] (NumPy arrays will do), with autoreset SAME_STEP (the last
observations in `info["final_obs"]`, or ManiSkill's `final_observation`) or NEXT_STEP. In the latter a row that has
ended is dead for one step, whose action means nothing and from which nothing is learned, and then begins a life."""

from __future__ import annotations

import secrets
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from minnow import envs
from minnow.train.observation import Obs, each

KEPT = struct.Struct("<q")  # what is saved of an environment: how often the vector was reset and stepped
FINAL = ("final_obs", "final_observation")


def rows(env: str | envs.Place, num_envs: int, **options: Any) -> envs.Rows:
    """`envs.rows`, and those of vector environments."""
    place = envs.place(env)
    if isinstance(place, envs.Foreign) and place.kind == "vector":
        return TensorVector(place, num_envs, **options)
    return envs.rows(place, num_envs, **options)


@dataclass
class Outcome:
    """A step's, on the environment's device, [N, ...]: see `envs.Buffers`. `final` means something where a life
    ended."""

    obs: Obs
    reward: Tensor
    terminated: Tensor
    truncated: Tensor
    alive: Tensor
    reset: Tensor
    final: Obs
    record: Tensor


class TensorVector(envs.Rows):
    """One vector environment as rows. options: those of `envs.Vector` that foreign environments take."""

    def __init__(
        self,
        ref: envs.Foreign,
        num_envs: int,
        *,
        seed: int | None = None,
        first_index: int = 0,
        agents: int | None = None,
        threads: int = 1,
        randomize: float = 0.0,
        shaping: str = "none",
        gamma: float = 1.0,
        params: Mapping[str, float] | None = None,
        script_skill: Any = None,
    ) -> None:
        from minnow.envs.foreign.games import Many, made
        from minnow.envs.foreign.vector import check

        self.spec = envs.spec(ref)
        check(self.spec, agents, randomize, shaping, params or {})
        self.num_envs, self.agents, self.rows = num_envs, 1, num_envs
        self.game = Many(made(ref, params or {}, num_envs=num_envs), ref.name)
        self.stream = (secrets.randbits(63) if seed is None else seed, first_index)
        self.clock = 0

    def move(self, first_index: int) -> None:
        self.stream, self.clock = (self.stream[0], first_index), 0

    def begin(self) -> Obs:
        """Starts an episode of every row: the first observations."""
        seed = int(np.random.SeedSequence((*self.stream, self.clock)).generate_state(1)[0] >> 1)
        self.clock += 1
        obs, _ = self.game.env.reset(seed=seed)
        seen = self._seen(obs)
        first = next(iter(seen.values())) if isinstance(seen, dict) else seen
        self.device = first.device
        self.numpy = not isinstance(_leaf(obs), Tensor)
        self.dead = torch.zeros(self.rows, dtype=torch.bool, device=self.device)
        self.sums = torch.zeros(self.rows, len(envs.RECORD), device=self.device)
        return seen

    def advance(self, action: Tensor) -> Outcome:
        """One step of every row, by actions [N, heads]."""
        self.clock += 1
        obs, reward, terminated, truncated, info = self.game.env.step(self._given(action))
        reward, terminated, truncated = (self._row(leaf) for leaf in (reward, terminated, truncated))
        live = ~self.dead
        terminated = terminated.bool() & live
        truncated = truncated.bool() & live & ~terminated
        ended = terminated | truncated
        reward = reward.float() * live
        seen = self._seen(obs)
        self.sums[:, 0] += reward
        self.sums[:, 1] = self.sums[:, 0]
        self.sums[:, 2] += live
        if self.spec.has_success:
            self.sums[:, 3] = torch.maximum(self.sums[:, 3], self._success(info, ended) * live)
        record = self.sums.clone()
        self.sums *= ~ended.unsqueeze(1)
        if self.game.pauses:
            reset, alive, final, self.dead = self.dead, ~ended, seen, ended
        else:
            reset, alive, final = ended, torch.ones_like(ended), self._final(info, seen, ended)
        return Outcome(seen, reward, terminated, truncated, alive, reset, final, record)

    def reset(self, buffers: envs.Buffers) -> None:
        each(_put, buffers.obs, self.begin())
        buffers.alive[:] = buffers.reset[:] = 1

    def step(self, buffers: envs.Buffers) -> None:
        found = self.advance(torch.from_numpy(np.ascontiguousarray(buffers.action)).to(self.device))
        each(_put, buffers.obs, found.obs)
        for name in ("reward", "terminated", "truncated", "alive", "reset"):
            _put(getattr(buffers, name), getattr(found, name))
        ended = found.terminated | found.truncated
        _put(buffers.over, ended)
        if ended.any():
            each(_put, buffers.final_obs, found.final)
            _put(buffers.record, found.record)

    def save(self, i: int) -> bytes:
        return KEPT.pack(self.clock)

    def load(self, i: int, saved: bytes) -> None:
        self.clock = KEPT.unpack(saved)[0]

    def _row(self, leaf: Any) -> Tensor:
        return torch.as_tensor(leaf, device=self.device).reshape(self.rows)

    def _given(self, action: Tensor) -> Any:
        """Actions as the environment wants them."""
        space = self.game.acts.space
        start = torch.as_tensor(np.asarray(getattr(space, "start", 0)), device=action.device)
        kind = torch.from_numpy(np.zeros(0, space.dtype)).dtype
        if self.game.acts.type == "box" and not kind.is_floating_point:
            action = action.round()
        found = (action.reshape(self.rows, *(space.shape or ())) + start).to(kind)
        return found.cpu().numpy() if self.numpy else found

    def _seen(self, obs: Any) -> Obs:
        """Observations as groups."""
        found = {}
        for part in self.game.parts:
            leaf = torch.as_tensor(part.find(obs))
            count = len(leaf)
            if part.form == "last":
                leaf = leaf.movedim(-1, 1)
            elif part.form == "flags":
                places = leaf.reshape(count, -1) + torch.as_tensor(part.first, device=leaf.device)
                leaf = torch.zeros(count, part.group.size, device=leaf.device).scatter_(1, places.long(), 1.0)
            kind = torch.uint8 if part.group.type == "u8" else torch.float32
            found[part.group.name] = leaf.reshape(count, *part.group.shape).to(kind)
        return found if len(found) > 1 else next(iter(found.values()))

    def _final(self, info: Mapping[str, Any], seen: Obs, ended: Tensor) -> Obs:
        """The last observations of those that ended, in the form of `seen`."""
        given = next((info[name] for name in FINAL if name in info), None)
        if given is None:
            return seen
        if not isinstance(given, np.ndarray) or given.dtype != object:
            return self._seen(given)
        places = ended.nonzero().squeeze(-1)  # Gymnasium's own: an object for each row
        several = [self._seen(_one(given[place])) for place in places.tolist()]

        def put(whole: Tensor, *parts: Tensor) -> Tensor:
            return whole.index_copy(0, places, torch.cat(parts)) if parts else whole

        return each(put, seen, *several)

    def _success(self, info: Mapping[str, Any], ended: Tensor) -> Tensor:
        from minnow.envs.foreign.games import SUCCESS

        def flag(said: Any) -> Tensor | None:
            found = next((said[key] for key in SUCCESS if key in said), None) if isinstance(said, Mapping) else None
            return None if found is None else self._row(found).float()

        now, last = flag(info), flag(info.get("final_info"))
        now = torch.zeros_like(self.sums[:, 3]) if now is None else now
        return now if last is None else torch.where(ended, last, now)


def _leaf(obs: Any) -> Any:
    while isinstance(obs, Mapping | tuple):
        obs = next(iter(obs.values())) if isinstance(obs, Mapping) else obs[0]
    return obs


def _one(obs: Any) -> Any:
    """A row's observation as a batch of one."""
    if isinstance(obs, Mapping):
        return {name: _one(leaf) for name, leaf in obs.items()}
    return tuple(map(_one, obs)) if isinstance(obs, tuple) else np.asarray(obs)[None]


def _put(array: np.ndarray, given: Tensor) -> None:
    if array.shape == given.shape:  # not where it is absent
        torch.from_numpy(array).copy_(given)
