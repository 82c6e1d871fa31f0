"""Scores over whole episodes, greedy, on seeds that training never uses.

Episode i is environment i's first one, and every episode that is started is played to its end, so that short episodes
are not counted more often than long ones. Every agent that the player drives is scored: by the score of its last life,
the sums of its lives' returns and lengths, and success in any of them. Training seeds fill the lower half of the 64-bit
seeds; evaluation sets the highest bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from minnow import envs
from minnow.cinfer.errors import MinnowError
from minnow.train.config import MAX_SEED
from minnow.train.crew import cores

EVALUATION = 1 << 63  # the bit that tells evaluation seeds from training seeds
GROUP = 1024  # environments stepped side by side; fewer where each has many agents
FOREIGN = 64  # likewise, of environments that are not in C
ROWS = 4096  # of them at most, unless one environment has more
BROKEN = envs.RECORD.index("broken")
SEVERAL = 8  # episodes, from which a mean and its interval can be told
FEW = 0.75  # a smaller share of rows that live, or of samples with weight, is picked out before a forward pass
Obs = np.ndarray | dict[str, np.ndarray]  # one group's array [rows, ...], or those of several by name


class Player(Protocol):
    """Who acts. Rows are environment x agents; mask holds one byte a choice where the environment has one.

    reset: the observation begins a life, so what is remembered of the row goes first; alive: there is somebody to act,
    and any action will do elsewhere; both [rows]. It may have `action_repeat`, the ticks between its actions; without
    that, or where it is 0, they are as many as the environment says."""

    def begin(self, rows: int, seed: int) -> None:
        """Before the first step of a group of episodes."""
        ...

    def act(self, obs: Obs, mask: np.ndarray | None, reset: np.ndarray, alive: np.ndarray) -> np.ndarray:
        """Actions [rows, heads], int32 or f32 as the environment wants them."""
        ...


class TorchPlayer:
    """A policy module, acting greedily."""

    def __init__(self, policy: Any) -> None:
        self.policy, self.action_repeat = policy, policy.config.action_repeat

    def begin(self, rows: int, seed: int) -> None:
        self.state = self.policy.initial_state(rows)

    def act(self, obs: Obs, mask: np.ndarray | None, reset: np.ndarray, alive: np.ndarray) -> np.ndarray:
        import torch

        with torch.inference_mode():
            if self.state is not None and reset.any():
                self.state = self.policy.clear(self.state, torch.from_numpy(reset))
            rows = living(alive)
            if rows is None:
                actions, self.state = self._chosen(obs, mask, self.state)
                return actions
            if not len(rows):
                space = self.policy.space
                return space.to_env(torch.zeros(len(alive), space.heads)).numpy()
            index = torch.from_numpy(rows)
            part = None if self.state is None else self.policy.rows(self.state, index)
            some, part = self._chosen(*picked(rows, obs, mask), part)
            if part is not None:
                self.state = self.policy.with_rows(self.state, index, part)
            return spread(some, rows, len(alive))

    def _chosen(self, obs: Obs, mask: np.ndarray | None, state: Any) -> tuple[np.ndarray, Any]:
        import torch

        from minnow.train.observation import tensors

        space = self.policy.space
        out, state = self.policy.act(tensors(obs), state)
        out = space.masked(out, None if mask is None else torch.from_numpy(mask))
        return space.to_env(space.greedy(out)).numpy(), state


class FilePlayer:
    """A policy file, acting greedily through minnow.h. Needs no torch."""

    def __init__(self, policy: Any) -> None:
        self.policy, said = policy, policy.meta.get("action_repeat")
        self.action_repeat = said if isinstance(said, int) else 0

    def begin(self, rows: int, seed: int) -> None:
        self.session = self.policy.session(agents=rows, seed=seed)
        self.small: dict[int, Any] = {}  # sessions for a few of the rows, by how many
        self.rows = rows

    def act(self, obs: Obs, mask: np.ndarray | None, reset: np.ndarray, alive: np.ndarray) -> np.ndarray:
        self.session.reset(np.flatnonzero(reset).tolist())
        if isinstance(obs, Mapping):  # without what was for the critic alone
            obs = {item.name: obs[item.name] for item in self.policy.inputs}
        rows = living(alive)
        if rows is None:
            return np.asarray(self.session.step(obs, mask=mask).action).reshape(self.rows, -1)
        return spread(self._some(rows, obs, mask), rows, self.rows)

    def _some(self, rows: np.ndarray, obs: Obs, mask: np.ndarray | None) -> np.ndarray:
        """The actions of some rows, by a session for as many, or up to twice as many, where the last ones are idle."""
        count = len(rows)
        room = 1 << max(count - 1, 0).bit_length()
        session = self.small[room] = self.small.get(room) or self.policy.session(agents=room)
        places = np.resize(rows, room) if count else np.zeros(room, np.int64)
        states = self.session.states()
        session.put([leaf[places] for leaf in states])
        out = session.step(*picked(places, obs, mask)).action
        for whole, part in zip(states, session.states(), strict=True):
            whole[rows] = part[:count]
        self.session.put(states)
        return np.asarray(out).reshape(room, -1)[:count]


class RandomPlayer:
    """Every possible choice alike; continuous actions uniform between their bounds."""

    def __init__(self, spec: envs.Spec) -> None:
        self.spec = spec

    def begin(self, rows: int, seed: int) -> None:
        self.rng = np.random.default_rng((seed, 0x52414E44))
        self.rows = rows

    def act(self, obs: Obs, mask: np.ndarray | None, reset: np.ndarray, alive: np.ndarray) -> np.ndarray:
        heads = self.spec.head
        noise = self.rng.random((self.rows, sum(max(head.size, 1) for head in heads)), dtype=np.float32)
        if self.spec.action_type == "box":
            low, high = (np.array([getattr(head, side) for head in heads], np.float32) for side in ("low", "high"))
            return low + noise * (high - low)
        if mask is not None:
            noise = noise * mask
        ends = np.cumsum([head.size for head in heads])[:-1]
        return np.stack([part.argmax(1) for part in np.split(noise, ends, 1)], 1).astype(np.int32)


def repeated(player: Player) -> int:
    """Ticks between a player's actions; 0: as many as the environment says."""
    return getattr(player, "action_repeat", 0)


def living(alive: np.ndarray) -> np.ndarray | None:
    """The places of those of a few that are alive [rows]; None where they are many."""
    return np.flatnonzero(alive) if np.count_nonzero(alive) < FEW * len(alive) else None


def picked(rows: np.ndarray, obs: Obs, mask: np.ndarray | None) -> tuple[Obs, np.ndarray | None]:
    """Observations and masks of some rows."""
    some = {name: leaf[rows] for name, leaf in obs.items()} if isinstance(obs, Mapping) else obs[rows]
    return some, None if mask is None else mask[rows]


def spread(actions: np.ndarray, rows: np.ndarray, count: int) -> np.ndarray:
    """Actions of `count` rows: those of some in their places, zeros elsewhere."""
    whole = np.zeros((count, actions.shape[1]), actions.dtype)
    whole[rows] = actions
    return whole


@dataclass
class ScriptPlayer:
    """The environment's own scripted player, which decides at every tick. `skill` in [0, 1]; None: as the environment
    has it."""

    skill: float | None = None


@dataclass
class Score:
    """Means over whole episodes and the agents that were driven in them, of those who lived; `score_ci95` is half the
    width of the 95 % confidence interval of the mean score, by the episodes' means."""

    env: str
    episodes: int
    score_mean: float
    score_ci95: float | None  # unknown after one episode
    return_mean: float
    length_mean: float
    success_rate: float | None = None  # where the task has success
    lives: float | None = None  # of an agent in an episode, where they can die
    broken: int | None = None  # episodes that the environment gave up (rows.h, ENV_BREAKS), where there were any

    def to_dict(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if value is not None}

    def __str__(self) -> str:
        spread = "" if self.score_ci95 is None else f" +- {self.score_ci95:.2f} (95 %)"
        success = "" if self.success_rate is None else f", success {self.success_rate:.1%}"
        lives = "" if self.lives is None else f", lives {self.lives:.2f}"
        broken = "" if self.broken is None else f", broken {self.broken} of {self.episodes}"
        return (
            f"{self.env}: score {self.score_mean:+.2f}{spread} over {self.episodes} episodes, "
            f"return {self.return_mean:.2f}, length {self.length_mean:.1f}{success}{lives}{broken}"
        )


@dataclass
class Episodes:
    """Whole episodes one by one. record [episodes, agents, 5]: score of an agent's last life; the sums of its returns
    and lengths; success in any life; whether any broke. lives [episodes, agents]: 0 where an agent was never born."""

    spec: envs.Spec
    record: np.ndarray
    lives: np.ndarray

    def mean(self, column: int) -> np.ndarray:
        """Of a column of `record` in each episode [episodes], over the agents that lived; NaN where none did."""
        there = self.lives > 0
        count = there.sum(1)
        return np.where(count > 0, (self.record[:, :, column] * there).sum(1) / np.maximum(count, 1), np.nan)

    def score(self) -> Score:
        """Raises MinnowError where nobody lived."""
        lived = self.lives > 0
        if not lived.any():
            raise MinnowError(f"{self.spec.name}: none of the {lived.size} agents that were driven was ever born.")
        score, total, length, success, _ = self.record[lived].mean(0).tolist()
        means = self.mean(0)[lived.any(1)]
        spread = 1.96 * float(means.std(ddof=1)) / math.sqrt(len(means)) if len(means) > 1 else None
        return Score(
            self.spec.name,
            len(self.record),
            score,
            spread,
            total,
            length,
            success if self.spec.has_success else None,
            float(self.lives.mean()) if self.spec.lives else None,
            int((self.record[:, :, BROKEN] * lived).any(1).sum()) or None,
        )


def wilson(share: float, count: int) -> tuple[float, float]:
    """The 95 % interval of a share that was found in `count` trials (Wilson, 1927)."""
    z = 1.96
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    width = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    return middle - width, middle + width


def evaluate(player: Player | ScriptPlayer, name: str | envs.Place, episodes: int = 200, **options: Any) -> Score:
    """The score of `played`."""
    return played(player, name, episodes, **options).score()


def played(
    player: Player | ScriptPlayer,
    name: str | envs.Place,
    episodes: int = 200,
    *,
    seed: int = 0,
    params: dict[str, float] | None = None,
    randomize: float = 0.0,
    ranges: Mapping[str, tuple[float, float]] | None = None,
    threads: int = 1,
    agents: int | None = None,
) -> Episodes:
    """Plays `episodes` whole episodes, the same ones for the same seed. name: of the environment, or its folder's path.
    ranges: of parameters that are drawn anew for each episode, as of `envs.Vector`. agents: the slots that the player
    drives, from the first one; the script plays the others. None: one, or as many as the environment declares where it
    has no script.
    Raises MinnowError for impossible arguments."""
    if episodes < 1:
        raise MinnowError(f"--episodes is {episodes}: it must be 1 or more.")
    if not 0 <= seed <= MAX_SEED:
        raise MinnowError(f"--seed is {seed}, outside 0 .. {MAX_SEED}.")
    spec = envs.spec(name)
    skills, options = None, dict[str, Any]()
    if isinstance(player, ScriptPlayer):
        if not spec.has_script:
            raise MinnowError(f"{spec.name} has no scripted player: try --player random.")
        skills = [player.skill] + [None] * (spec.slots - 1)
    elif repeat := repeated(player):
        options["action_repeat"] = repeat
    if ranges:
        options["ranges"] = ranges
    agents = driven(spec) if agents is None else agents
    together = max(1, min(FOREIGN if spec.foreign else GROUP, ROWS // agents))
    if spec.foreign:
        threads = max(threads, cores())
        if isinstance(place := envs.place(name), envs.Foreign) and place.simulator:
            together = threads  # each has a scene of its own, which takes long to build
        together = math.ceil(episodes / math.ceil(episodes / together))
    from minnow.train.foreign import rows

    records, lives, vector = [], [], None
    for first in range(0, episodes, together):
        count = min(together, episodes - first)
        if vector is not None and spec.foreign:  # whose processes take long to start
            vector.move(first)
        else:
            vector = rows(
                name,
                count,
                seed=EVALUATION | seed,
                first_index=first,
                agents=agents,
                threads=threads,
                randomize=randomize,
                params=params,
                script_skill=skills,
                **options,
            )
        found = _play(player, vector, seed + first)
        records.append(found.records.reshape(-1, agents, found.records.shape[1])[:count].astype(np.float64))
        lives.append(found.lives.reshape(-1, agents)[:count])
    return Episodes(spec, np.concatenate(records), np.concatenate(lives))


class Played:
    """What the lives of a vector's rows come to, each environment being played to its end once. records [rows, 5]:
    score of the last life; the sums of returns and of lengths; success in any; whether any broke."""

    def __init__(self, vector: envs.Rows) -> None:
        self.agents = vector.agents
        self.records, self.lives = (
            np.zeros((vector.rows, len(envs.RECORD)), np.float32),
            np.zeros(vector.rows, np.int64),
        )
        self.playing = np.ones(vector.rows, bool)

    def note(self, buffers: envs.Buffers) -> None:
        """After a step."""
        ended = self.playing & (buffers.terminated | buffers.truncated)
        new, held = buffers.record[ended], self.records[ended]
        self.records[ended] = np.stack([new[:, 0], *(held + new).T[1:3], *np.maximum(held, new).T[3:]], 1)
        self.lives += ended
        self.playing &= ~np.repeat(buffers.over, self.agents)


def play(choose: Callable[[envs.Buffers, np.ndarray], None] | None, vector: envs.Rows) -> Played:
    """Plays every environment of a vector to its end. choose: writes the actions of those rows that are there to act
    [rows]; None: the script plays."""
    buffers, played = vector.buffers(), Played(vector)
    told = replace(buffers, action=envs.ABSENT) if choose is None else buffers
    vector.reset(told)
    while played.playing.any():
        if choose is not None:
            choose(buffers, buffers.alive & played.playing)
        vector.step(told)
        played.note(buffers)
    return played


def enough(name: str | envs.Place, episodes: int) -> int:
    """So many episodes, or fewer where each has many agents to score."""
    return min(episodes, max(SEVERAL, math.ceil(episodes / driven(envs.spec(name)))))


def driven(spec: envs.Spec) -> int:
    """How many agents of an environment a player drives: one against the script, or, where there is none, as many as
    the environment declares."""
    return 1 if spec.has_script else spec.agents


def _play(player: Player | ScriptPlayer, vector: envs.Rows, seed: int) -> Played:
    if isinstance(player, ScriptPlayer):
        return play(None, vector)
    player.begin(vector.rows, seed)

    def choose(buffers: envs.Buffers, there: np.ndarray) -> None:
        mask = buffers.mask if vector.spec.masked else None
        buffers.action[:] = player.act(buffers.obs, mask, buffers.reset, there)

    return play(choose, vector)
