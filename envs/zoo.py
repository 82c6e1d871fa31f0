"""PettingZoo's view of the environments: every slot is an agent, and all act at once (`ParallelEnv`).

Agents are called player_0, player_1, ... in the order of slots. All stay to the end of the environment's episode, since
PettingZoo lets nobody return, and here one that has died may: `info["alive"]` says whether it plays now,
`info["reset"]` that its observation begins a life. `info["action_mask"]` is what `action_space(agent).sample` takes,
where actions can be impossible. Random streams are those of Gymnasium's view
(gym.py)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces

from minnow.cinfer.errors import MinnowError, missing

from .gym import action_space, masks, observation_space, seen, vector_of, wide
from .spec import spec
from .vector import RECORD, Obs, each

try:
    from pettingzoo import ParallelEnv
except ImportError:
    raise missing("PettingZoo", "zoo") from None


class ZooEnv(ParallelEnv):
    """One environment of which the caller drives all slots, or the first `agents`. options: those of Vector, and
    parameters by name. Where an agent's life ended in a step, its `info` holds `outcome` (score, return, length,
    success, broken), `final_obs`, and `terminated` and `truncated` as they are for that life; those that step() returns
    are the environment's."""

    metadata = {"render_modes": [], "is_parallelizable": True}  # noqa: RUF012 (PettingZoo's name and type)

    def __init__(self, name: str | Path, **options: Any) -> None:
        self.vector = vector_of(name, 1, {"agents": spec(name).slots, **options})
        declared = self.vector.spec
        told = {"name": declared.name, "render_fps": declared.tick_rate / self.vector.action_repeat}
        self.metadata = {**self.metadata, **told}
        self.render_mode = None
        self.possible_agents = [f"player_{slot}" for slot in range(self.vector.agents)]
        self.agents: list[str] = []
        self.observation_spaces = {agent: observation_space(declared) for agent in self.possible_agents}
        self.action_spaces = {agent: action_space(declared) for agent in self.possible_agents}
        self._buffers = self.vector.buffers()
        self._idle = self._buffers.action.copy()
        self._fresh = False  # whether the vector has begun the next episode already

    def observation_space(self, agent: str) -> spaces.Space:
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space:
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Obs], dict[str, dict]]:
        if seed is not None:
            self.vector.seed(0, seed)
        if seed is not None or not self._fresh:
            self.vector.reset(self._buffers)
        self._fresh, self.agents = False, list(self.possible_agents)
        return self._each(self._buffers.obs), self._infos()

    def step(self, actions: dict[str, Any]) -> tuple[dict, dict, dict, dict, dict]:
        """An agent without an action stands idle. Raises MinnowError where no episode runs."""
        if not self.agents:
            raise MinnowError("the episode is over, or none has begun: call reset().")
        b = self._buffers
        b.action[:] = self._idle
        for agent, action in actions.items():
            if agent not in self.action_spaces:
                raise MinnowError(f"there is no agent {agent!r}: they are {', '.join(self.possible_agents)}.")
            b.action[self.possible_agents.index(agent)] = action
        before = each(np.copy, b.obs) if self.vector.spec.lives else b.final_obs
        self.vector.step(b)
        infos, over, ended = self._infos(), bool(b.over[0]), b.terminated | b.truncated
        for i, agent in enumerate(self.agents):
            if ended[i]:
                final, _ = seen(self.vector.spec, b.final_obs, i)
                outcome = dict(zip(RECORD, b.record[i].tolist(), strict=True))
                flags = {"terminated": bool(b.terminated[i]), "truncated": bool(b.truncated[i])}
                infos[agent] |= {"outcome": outcome, "final_obs": final, **flags}
        rewards = {agent: float(reward) for agent, reward in zip(self.agents, b.reward, strict=True)}
        obs = b.obs
        if over:  # the dead show what they saw last
            obs = each(lambda old, last: np.where(wide(ended, old), last, old), before, b.final_obs)
        terminations = {agent: over and bool(flag) for agent, flag in zip(self.agents, b.terminated, strict=True)}
        truncations = {agent: over and not flag for agent, flag in terminations.items()}
        answer = self._each(obs), rewards, terminations, truncations, infos
        if over:
            for info in infos.values():
                info["alive"] = info["reset"] = False
            self._fresh, self.agents = True, []
        return answer

    def render(self) -> None:
        """Pictures are drawn by `minnow record`."""

    def close(self) -> None:
        pass

    def _each(self, obs: Obs) -> dict[str, Obs]:
        return {agent: seen(self.vector.spec, obs, i)[0] for i, agent in enumerate(self.agents)}

    def _infos(self) -> dict[str, dict[str, Any]]:
        b, spec = self._buffers, self.vector.spec
        return {
            agent: {"alive": bool(b.alive[i]), "reset": bool(b.reset[i])}
            | ({"action_mask": masks(spec, b.mask[i])} if spec.masked else {})
            | seen(spec, b.obs, i)[1]
            for i, agent in enumerate(self.agents)
        }
