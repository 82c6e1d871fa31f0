"""Self-play: every side is played by a network, and in a share of the environments all sides but one by past networks
(Bansal et al., 2018, "Emergent complexity via multi-agent competition"), so that what once worked stays learned.

In environment i of all, past networks play if a multiple of 1 / share lies in (i, i + 1]; the seat that is left to the
learner goes round. For each rollout one of the pool is drawn, evenly, to play the games that begin in it: only a few
play at once, so forward passes are not cut into many small ones. A game is over when none of its lives goes on; who has
the higher score by then has won. Steps of past networks are stored like all others, but
have no weight in the update. A full pool loses the network whose neighbours in time are closest to
each other: it stays spread over the whole run.

The Elo rating starts at 0 with the first network. A network that joins the pool keeps the rating it had by then; the
learner's is the likeliest one given the games that it finished since against those of the pool.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from minnow import envs
from minnow.cinfer.errors import MinnowError
from minnow.train.config import Config
from minnow.train.group import Group
from minnow.train.match import rating
from minnow.train.observation import Obs, each
from minnow.train.policy import Policy


def sides(config: Config) -> int:
    """How many slots of each environment a network plays. Raises MinnowError where self-play has no other side, or the
    environment too few."""
    spec = envs.spec(config.place)
    if config.train.agents > spec.slots:
        raise MinnowError(f"train.agents is {config.train.agents}, but {config.name} has {spec.slots}: leave it out.")
    if config.selfplay.on and spec.slots < 2:
        raise MinnowError(
            f"{config.name} has one side only: self-play needs two or more; leave out --selfplay.on (see: minnow envs)."
        )
    return spec.slots if config.selfplay.on else config.train.agents or spec.agents


class Rivals:
    """The past networks and their games, in the environments of one process.

    make: a network like the learner's. count: environments of this process, `first` the global index of its first one;
    interval: updates between two networks that join. Rows are environment x slot."""

    def __init__(
        self,
        config: Config,
        make: Callable[[], Policy],
        draw: Callable[[int], np.random.Generator],
        interval: int,
        count: int,
        first: int,
        group: Group,
    ) -> None:
        self.make, self.draw, self.interval, self.group = make, draw, interval, group
        self.size, self.first = config.selfplay.pool, first
        spec = envs.spec(config.place)
        slots, self.lives = spec.slots, spec.lives
        before = np.floor(np.arange(first, first + count + 1) * config.selfplay.share + 1e-9).astype(np.int64)
        self.present = before[1:] > before[:-1]  # [envs]: past networks play here
        self.seat = before[:-1] % slots  # [envs]: the learner's, there
        learner = np.arange(slots) == self.seat[:, None]  # [envs, slots]
        self.learns = torch.from_numpy((learner | ~self.present[:, None]).reshape(-1))  # [rows]
        self.judged = torch.from_numpy((learner & self.present[:, None]).reshape(-1))  # [rows]: learner against them
        self.others = self.present[:, None] & ~learner
        self.pool: list[Policy] = []
        self.born = np.zeros(0, np.int64)  # [pool]: updates before
        self.elo = np.zeros(0)  # [pool]
        self.tally = np.zeros((2, self.size))  # points and games of the learner against each, in this process
        self.member = np.full(count, -1)  # [envs]: who of the pool plays
        self.rated = np.ones(count, bool)  # [envs]: it has from the beginning of the game
        self.scores = np.zeros((count, slots), np.float32)  # of each one's last life in this game
        self.played = np.zeros(count, bool)  # [envs]: some life of this game has ended
        self.like = make()
        state = self.like.initial_state(count * slots)
        self.state = None if state is None else tuple(leaf.to(next(self.like.parameters()).dtype) for leaf in state)

    def begin(self, policy: Policy, update: int) -> None:
        """Before a rollout; the learner joins the pool if it is time."""
        if update % self.interval == 0:
            self._join(policy, update)
        self.choice = int(self.draw(update).integers(len(self.pool)))  # of the games that begin now
        self.member[self.member < 0] = self.choice
        self._seat()

    def answer(self, obs: Obs, resets: Tensor, alive: Tensor, out: Tensor) -> None:
        """Puts what the past networks make of `obs` [rows, ...] into their rows of `out`, where they live."""
        if self.state is not None:
            self.state = self.like.clear(self.state, resets)
        for policy, rows in zip(self.pool, self.rows, strict=True):
            if self.lives:
                rows = rows[alive[rows] != 0]
            if len(rows):
                state = None if self.state is None else policy.rows(self.state, rows)
                out[rows], state = policy.act(each(lambda leaf, rows=rows: leaf[rows], obs), state)
                if self.state is not None and state is not None:
                    for leaf, part in zip(self.state, state, strict=True):
                        leaf.index_copy_(policy.memory.batch_axis, rows, part)

    def note(self, lived: Tensor, ended: Tensor, record: Tensor) -> None:
        """After a step: who lived before it, and whose life ended in it, with `record` [rows, 5]. Counts the games that
        are over, by their scores, and seats whoever plays the next ones."""
        over, alive = (leaf.view(self.scores.shape).numpy().astype(bool) for leaf in (ended, lived))
        if not over.any():
            return
        np.copyto(self.scores, record[:, 0].view(self.scores.shape).numpy(), where=over)
        self.played |= over.any(1)
        over = self.played & self.present & ~(alive & ~over).any(1)
        if not over.any():
            return
        games = np.flatnonzero(over & self.rated)
        if len(games):
            mine = self.scores[games, self.seat[games]]
            won = (np.sign(mine[:, None] - self.scores[games]) + 1) / 2  # against each; half a point against itself
            np.add.at(self.tally[0], self.member[games], (won.sum(1) - 0.5) / (self.scores.shape[1] - 1))
            np.add.at(self.tally[1], self.member[games], 1)
        self.member[over], self.rated[over] = self.choice, True
        self.played[over], self.scores[over] = False, 0.0
        self._seat()

    def rating(self) -> tuple[float, int]:
        """The learner's rating, and the games since a network last joined that it rests on. All processes call it."""
        points, games = self.group.sum_(torch.from_numpy(self.tally.copy())).numpy()[:, : len(self.pool)]
        return rating(points, games, self.elo, self.elo[self.born.argmax()]), int(games.sum())

    def tensors(self) -> dict[str, Tensor]:
        """What the next rollout depends on, the same however many processes there are. All of them call it."""
        found = {
            f"{i}.{name}": leaf for i, policy in enumerate(self.pool) for name, leaf in policy.state_dict().items()
        }
        found |= {"born": torch.from_numpy(self.born), "elo": torch.from_numpy(self.elo)}
        found["tally"] = self.group.sum_(torch.from_numpy(self.tally.copy()))
        found["member"] = self.group.gather(torch.from_numpy(self.member))
        for name in ("rated", "played"):
            found[name] = self.group.gather(torch.from_numpy(getattr(self, name).astype(np.uint8)))
        found["scores"] = self.group.gather(torch.from_numpy(self.scores))
        for i, leaf in enumerate(self.state or ()):
            found[f"state.{i}"] = self.group.gather(leaf, self.like.memory.batch_axis)
        return found

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Goes back to where `tensors()` was taken."""
        mine = slice(self.first, self.first + len(self.member))
        self.born, self.elo = tensors["born"].numpy().copy(), tensors["elo"].numpy().copy()
        self.pool = [self.make() for _ in self.born]
        for i, policy in enumerate(self.pool):
            weights = {name: tensors[f"{i}.{name}"] for name in policy.state_dict()}
            policy.load_state_dict(weights)
        self.tally = tensors["tally"].numpy() * self.group.leads
        self.member = tensors["member"].numpy()[mine].copy()
        self.rated, self.played = (tensors[name].numpy()[mine].astype(bool) for name in ("rated", "played"))
        self.scores = tensors["scores"].numpy()[mine].copy()
        if self.state is not None:
            per = self.learns.numel() // len(self.member)
            rows = slice(mine.start * per, mine.stop * per)
            leaves = [tensors[f"state.{i}"] for i in range(len(self.state))]
            self.state = tuple(leaf.clone() for leaf in self.like.rows(leaves, rows))

    def _join(self, policy: Policy, update: int) -> None:
        elo = self.rating()[0] if self.pool else 0.0
        place = len(self.pool)
        if place < self.size:
            self.pool.append(self.make())
            self.born, self.elo = np.append(self.born, update), np.append(self.elo, elo)
        else:
            place = crowded(self.born, update)
            self.rated &= self.member != place
            self.born[place], self.elo[place] = update, elo
        self.pool[place].load_state_dict(policy.state_dict())
        self.tally[:] = 0

    def _seat(self) -> None:
        """Which rows each network of the pool plays."""
        self.rows = [
            torch.from_numpy(np.flatnonzero(self.others & (self.member == i)[:, None])) for i in range(len(self.pool))
        ]


def crowded(born: np.ndarray, now: int) -> int:
    """Which of networks born at these updates leaves for one born `now`: the first is kept while there are two or more,
    of the others the one goes whose neighbours in time are closest to each other, the oldest of several."""
    order = np.argsort(born)
    times = np.append(born[order], now)
    gaps = [math.inf if i == 0 and len(born) > 1 else times[i + 1] - times[max(i - 1, 0)] for i in range(len(born))]
    return int(order[int(np.argmin(gaps))])
