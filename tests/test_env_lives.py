"""Lives: what rows say of births, deaths and ends, beside a plain account of the same ticks."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minnow import envs
from minnow.envs import Vector

GAMES = Path(__file__).parent / "games"
LIVES = GAMES / "lives"
SLOTS, AT_ONCE, LEAVES, STRIKE, CALL = 6, 2, 4, 16, 17
FIELDS = ("obs", "reward", "potential", "terminated", "truncated", "alive", "reset", "over")


@dataclass
class Life:
    """A row's life so far, as the account has it."""

    reward: float = 0  # of this step
    returned: float = 0
    length: int = 0
    success: float = 0
    potential: float = 0
    seen: bool = True  # at the last observation


@dataclass
class Told:
    """What a step yields for one row."""

    reward: float = 0
    potential: float = 0
    terminated: bool = False
    truncated: bool = False
    final_obs: np.ndarray | None = None
    record: tuple[float, ...] | None = None


@dataclass
class Account:
    """One environment, tick by tick through the ABI, one lane: what its rows should say, in so many words."""

    vector: Vector
    index: int
    agents: int
    repeat: int
    shaping: str
    gamma: float
    lives: dict[int, Life] = field(default_factory=dict)
    over: bool = False

    def __post_init__(self) -> None:
        self.lib, self.ffi = envs.library(LIVES, 1), self.vector._ffi
        self.state = self.ffi.new("char[]", self.lib.env_block_size())
        self.scratch = self.ffi.new("char[]", self.lib.env_scratch_size())
        self.lib.env_load(self.state, 0, self.vector.save(self.index))
        self.begin()

    def begin(self) -> None:
        self.lives = {slot: Life(potential=self.of("potential", slot)) for slot in self.living()}

    def of(self, what: str, slot: int) -> float:
        return getattr(self.lib, f"env_{what}")(self.state, 0, slot)

    def living(self) -> list[int]:
        return [slot for slot in range(self.agents) if self.lib.env_alive(self.state, 0, slot)]

    def obs(self, slot: int) -> np.ndarray:
        made = np.zeros(4, np.float32)
        self.lib.env_observe(self.state, 0, slot, 0, self.ffi.cast("void *", made.ctypes.data), self.scratch)
        return made

    def event(self, kind: int, target: int) -> None:
        self.lib.env_event(self.state, 0, self.ffi.new("EnvEvent *", {"kind": kind, "target": target}))

    def script(self, slot: int) -> int:
        action = self.ffi.new("int32_t[1]")
        self.lib.env_script(self.state, 0, slot, -1.0, action)
        return action[0]

    def step(self, action: list[int]) -> dict[int, Told]:
        for slot in self.living():  # called back by an event
            self.lives.setdefault(slot, Life(potential=self.of("potential", slot)))
        for life in self.lives.values():
            life.reward, life.seen = 0.0, True
        told: dict[int, Told] = {}
        self.over = False
        for _ in range(self.repeat):
            if not self.over:
                self.tick(action, told)
        for slot, life in self.lives.items():
            if life.seen:
                told[slot] = self.earned(slot, life, False, False)
            else:
                life.potential = self.of("potential", slot)
        if self.over:
            self.lib.env_reset(self.state, 0)
            self.begin()
        return told

    def tick(self, action: list[int], told: dict[int, Told]) -> None:
        sent = [*action, *map(self.script, range(self.agents, SLOTS))]
        reward, left = self.ffi.new(f"float[{SLOTS}]"), self.ffi.new(f"uint8_t[{SLOTS}]")
        ended, cut = self.ffi.new("int32_t[1]"), self.ffi.new("int32_t[1]")
        self.lib.env_tick(self.state, self.ffi.new("int32_t[]", sent), reward, ended, cut, left, self.scratch)
        self.over = bool(ended[0] or cut[0])
        for slot, life in list(self.lives.items()):
            life.reward += reward[slot]
            life.returned += reward[slot]
            died = slot not in self.living()
            if died or self.over:
                if life.seen:
                    flags = (not left[slot], bool(left[slot])) if died else (bool(ended[0]), bool(cut[0]))
                    told[slot] = self.earned(slot, life, *flags)
                    told[slot].final_obs = self.obs(slot)
                    told[slot].record = (self.of("score", slot), life.returned, life.length, life.success, 0)
                del self.lives[slot]
        if self.over:
            return
        self.lib.env_spawn(self.state, 0)
        for slot in self.living():
            self.lives.setdefault(slot, Life(seen=False))
        self.over = not self.lib.env_goes_on(self.state, 0)

    def earned(self, slot: int, life: Life, terminated: bool, truncated: bool) -> Told:
        life.length += 1
        life.success = max(life.success, self.of("success", slot))
        before, life.potential = life.potential, self.of("potential", slot)
        extra = {
            "none": 0.0,
            "difference": life.potential - before,
            "discounted": self.gamma * life.potential * (not terminated) - before,
        }[self.shaping]
        return Told(life.reward + extra, life.potential, terminated, truncated)


def close(got: Any, want: Any) -> bool:
    return bool(np.allclose(got, want, rtol=1e-5, atol=1e-5))


@settings(max_examples=25, deadline=None)
@given(
    st.fixed_dictionaries(
        {
            "seed": st.integers(0, 1000),
            "agents": st.integers(1, SLOTS),
            "action_repeat": st.integers(1, 5),
            "threads": st.integers(1, 3),
            "shaping": st.sampled_from(["none", "difference", "discounted"]),
        }
    ),
    st.fixed_dictionaries(
        {
            "time": st.integers(10, 60),
            "danger": st.sampled_from([0.0, 0.05, 0.4, 1.0]),
            "rest": st.integers(0, 9),
            "births": st.sampled_from([0, 5, 25, 500]),
        }
    ),
    st.sampled_from([None, 1, 3]),
    st.integers(1, 5),
)
def test_rows_say_what_happened(options: dict[str, Any], params: dict[str, int], lanes: int | None, count: int) -> None:
    """Random deaths and births, strikes and calls of visitors between steps, in lanes and threads."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("minnow.envs.vector.library", functools.partial(envs.library, lanes=lanes))
        vector = Vector(LIVES, count, gamma=0.9, params=params, **options)
    agents = options["agents"]
    b = vector.buffers()
    vector.reset(b)
    assert (b.reset == b.alive).all()
    accounts = [Account(vector, i, agents, options["action_repeat"], options["shaping"], 0.9) for i in range(count)]
    luck = np.random.default_rng(options["seed"])
    for step in range(25):
        if luck.random() < 0.3:
            i, kind, target = int(luck.integers(count)), int(luck.choice([STRIKE, CALL])), int(luck.integers(SLOTS + 2))
            vector.event(i, kind, target=target)
            accounts[i].event(kind, target)
            vector.observe(b)
        for row in range(count * agents):
            account, slot = accounts[row // agents], row % agents
            life = account.lives.get(slot, Life())
            assert b.alive[row] == (slot in account.living())
            assert b.reset[row] == (b.alive[row] and life.length == 0)
        b.action[:] = luck.integers(0, 2, b.action.shape)
        b.final_obs[:] = b.record[:] = 77
        vector.step(b)
        for i, account in enumerate(accounts):
            told = account.step(b.action[i * agents : (i + 1) * agents, 0].tolist())
            assert b.over[i] == account.over
            for slot in range(agents):
                row, want = i * agents + slot, told.get(slot, Told())
                where = (step, i, slot)
                assert close(b.reward[row], want.reward) and close(b.potential[row], want.potential), where
                assert (b.terminated[row], b.truncated[row]) == (want.terminated, want.truncated), where
                assert close(b.record[row], 77 if want.record is None else want.record), where
                assert (b.final_obs[row] == (77 if want.final_obs is None else want.final_obs)).all(), where
                assert (b.obs[row] == account.obs(slot)).all(), where
                life = account.lives.get(slot)
                assert b.alive[row] == (life is not None), where
                assert b.reset[row] == (life is not None and life.length == 0), where
            assert vector.hash(i) == vector.lib.env_hash(*vector._place(i)) == account.lib.env_hash(account.state, 0)
