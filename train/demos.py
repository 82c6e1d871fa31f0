"""Learning from a few demonstrations: episodes begin in states along them, from their ends backwards.

For each demonstration there is a point, at first near its end. Some of the episodes begin in a state just behind it. As
soon as enough of these do as well as the demonstration did, the point moves backwards, and once they do so from its
beginning, the demonstration is done with (Salimans and Chen 2018, "Learning Montezuma's Revenge from a single
demonstration"; the second phase of Go-Explore, Ecoffet et al. 2021). No action of the demonstrations is looked at.

What a simulator needs for it are two functions, those of `Restorable`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from minnow import envs
from minnow.cinfer.errors import MinnowError
from minnow.cinfer.files import write_atomic
from minnow.train.config import Config
from minnow.train.group import ALONE, Group

FILE = "demos.safetensors"  # in a run's folder
SCORE, SUCCESS = envs.RECORD.index("score"), envs.RECORD.index("success")
ORDINARY, DONE = -1, -1  # in place of a demonstration; of a point


@runtime_checkable
class Restorable(Protocol):
    """Environments, several side by side, that can be brought back to a state; `envs.Vector` is such."""

    def save(self, i: int) -> bytes:
        """The state of environment i, all of it: as many bytes each time."""
        ...

    def start(self, i: int, state: bytes, buffers: envs.Buffers) -> None:
        """Begins another episode of environment i in a state that any environment of the kind has saved; writes obs,
        mask, alive and reset of its rows."""
        ...


@dataclass(frozen=True)
class Demonstration:
    """One episode that somebody played. states: in the order of time, what `Restorable.start` takes; aims [slots]: what
    it came to for each, success where the environment has such, otherwise the score."""

    states: tuple[bytes, ...]
    aims: tuple[float, ...]


def save(path: Path, spec: envs.Spec, found: Sequence[Demonstration]) -> None:
    """Writes the file that `Config.demonstrations` names. Raises MinnowError where there is nothing to write."""
    sizes = {len(state) for demo in found for state in demo.states}
    if not found or not all(demo.states for demo in found) or len(sizes) > 1:
        raise MinnowError("demonstrations are one or more, of one state or more each, all of one length.")
    states = np.frombuffer(b"".join(state for demo in found for state in demo.states), np.uint8)
    ends = np.cumsum([0, *(len(demo.states) for demo in found)])
    tensors = {
        "states": torch.from_numpy(states.reshape(ends[-1], -1).copy()),
        "ends": torch.from_numpy(ends),
        "aims": torch.tensor([demo.aims for demo in found], dtype=torch.float32),
    }
    meta = {"env": spec.name, "source_hash": spec.source_hash}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, to_bytes(tensors, metadata={"minnow": json.dumps(meta)}))


def load(path: Path, spec: envs.Spec) -> list[Demonstration]:
    """What `save` wrote. Raises MinnowError where the file is missing or damaged, or of another environment."""
    try:
        with safe_open(path, framework="pt") as file:
            meta = json.loads((file.metadata() or {}).get("minnow", "{}"))
            states, ends, aims = (file.get_tensor(name) for name in ("states", "ends", "aims"))
    except OSError as error:
        raise MinnowError(f"cannot read the demonstrations {path}: {error.strerror or error}.") from None
    except SafetensorError as error:
        raise MinnowError(f"{path} is damaged, or holds no demonstrations: {error}.") from None
    if meta != {"env": spec.name, "source_hash": spec.source_hash}:
        raise MinnowError(
            f"{path} holds states of {meta.get('env')}, which are none of this version of {spec.name}: give the "
            "replays again, by --demos."
        )
    rows = [row.tobytes() for row in states.numpy()]
    parts = zip(ends.tolist(), ends.tolist()[1:], aims.tolist(), strict=False)
    return [Demonstration(tuple(rows[first:last]), tuple(aim)) for first, last, aim in parts]


class Starts:
    """Where the episodes of a trainer's environments begin: `count` of them, the first of which is number `first_env`
    of all. numbers(update): of the run's seed, as `ppo.generator` makes them. All that is decided in a rollout
    follows from what all processes know at its beginning, and from the places of environments among all."""

    def __init__(
        self,
        config: Config,
        spec: envs.Spec,
        numbers: Callable[..., np.random.Generator],
        count: int,
        sides: int,
        first_env: int,
        group: Group = ALONE,
    ) -> None:
        self.name, self.settings, self.group = spec.name, config.demos, group
        self.numbers, self.sides = numbers, sides
        self.first_env, self.all = first_env, config.train.envs
        self.demos = load(Path(config.demonstrations), spec)
        self.aims = np.array([demo.aims[:sides] for demo in self.demos], np.float32)
        self.column = SUCCESS if spec.has_success else SCORE
        self.lengths = np.array([len(demo.states) for demo in self.demos])
        self.windows = np.maximum(1, np.round(self.settings.window * self.lengths)).astype(int)
        # Of each demonstration: where its window begins, or DONE; which of its windows that is; and of the episodes
        # that began in it, which are no more once there are `trials`, how many, how many of them ended, and how well.
        self.point = self.lengths - self.windows
        self.turn = np.zeros_like(self.point)
        self.begun, self.ended, self.succeeded = np.zeros((3, len(self.demos)))
        self.told = np.zeros(2)  # since the last metrics: episodes that ended, and how well
        # Of this process, in this rollout: what goes to `begun`, `ended` and `succeeded`, and to `told`.
        self.fresh, self.seen = np.zeros((3, len(self.demos))), np.zeros(2)
        horizon = config.train.horizon
        self.over = np.zeros((horizon, count), bool)
        # At each step, of each environment: the demonstration that its episode began in, or ORDINARY; and which turn of
        # it that was, if it counts for that, or -1.
        self.came = np.full((horizon + 1, count), ORDINARY)
        self.counted = np.full(count, -1)
        self.reached = np.zeros((count, sides), bool)  # whether an agent has done as well, in this episode
        self._draw(0, 1)

    def _draw(self, update: int, updates: int) -> None:
        """[environments, T + 1, 4] numbers in [0, 1): what begins where an episode ends; and what is open now."""
        steps, count = self.came.shape
        noise = self.numbers(update).random((self.all, steps, 4), dtype=np.float32)
        self.noise = noise[self.first_env : self.first_env + count]
        self.open = np.flatnonzero(self.point != DONE) if update / updates < self.settings.until else np.zeros(0, int)

    def first(self, vector: object, buffers: envs.Buffers, first: int = 0) -> None:
        """After the first reset of some of the environments, `first` and so on of this process's. Raises MinnowError
        where they cannot be brought back to a state."""
        if not isinstance(vector, Restorable):
            raise MinnowError(
                f"{self.name} cannot be brought back to a state, as demonstrations ask: its environments have no "
                "`start` (docs/demonstrations.md). Train without --demos."
            )
        for env in range(first, first + len(buffers.over)):
            self._start(len(self.came) - 1, env, vector, buffers, env - first, self.noise[env, 0])

    def begin(self, update: int, updates: int) -> None:
        """Before a rollout."""
        self._draw(update, updates)
        self.came[0] = self.came[-1]

    def note(self, t: int, vector: Any, buffers: envs.Buffers, first: int = 0) -> None:
        """After step t of some of the environments: judges those episodes that are over, and begins others."""
        last = first + len(buffers.over)
        self.came[t + 1, first:last] = self.came[t, first:last]
        shape = (last - first, self.sides)
        ended = ((buffers.terminated != 0) | (buffers.truncated != 0)).reshape(shape)
        ended &= (self.came[t, first:last] != ORDINARY)[:, None]
        if ended.any():
            aims = self.aims[self.came[t, first:last]]
            reached = buffers.record[:, self.column].reshape(shape) >= aims
            self.reached[first:last] |= ended & reached
        for env in (first + np.flatnonzero(buffers.over)).tolist():
            self._judge(env, self.came[t, env])
            self._start(t + 1, env, vector, buffers, env - first, self.noise[env, t + 1])

    def _judge(self, env: int, demo: int) -> None:
        if demo == ORDINARY:
            return
        share = self.reached[env].mean()
        self.seen += (1, share)
        if self.counted[env] == self.turn[demo]:
            self.fresh[1:, demo] += (1, share)

    def _start(
        self, t: int, env: int, vector: Restorable, buffers: envs.Buffers, place: int, noise: np.ndarray
    ) -> None:
        """Begins an episode by step t in one of a vector's environments, its number `place`; noise: [4]."""
        chance, which, where, _ = noise
        self.came[t, env], self.counted[env], self.reached[env] = ORDINARY, -1, False
        if not len(self.open) or chance >= self.settings.share:
            return
        demo = self.open[int(which * len(self.open))]
        state = self.point[demo] + int(where * self.windows[demo])
        vector.start(place, self.demos[demo].states[state], buffers)
        self.came[t, env] = demo
        if self.begun[demo] < self.settings.trials:
            self.counted[env] = self.turn[demo]
            self.fresh[0, demo] += 1

    def ordinary(self) -> Tensor:
        """[T, N] of the last rollout: rows in episodes that did not begin in a demonstration."""
        return torch.from_numpy(np.repeat(self.came[:-1] == ORDINARY, self.sides, axis=1))

    def settle(self) -> None:
        """After a rollout: moves the points. All processes call it.

        As soon as the episodes of a window are all there, and it is certain whether enough of them succeed, that is
        decided: waiting for those alone that end first would favour what ends soon."""
        sums = torch.from_numpy(np.concatenate([self.fresh.ravel(), self.seen]))
        self.group.sum_(sums)
        self.fresh[:], self.seen[:] = 0, 0
        self.told += sums[-2:].numpy()
        for counts, fresh in zip(self.counts(), sums[:-2].reshape(3, -1).numpy(), strict=True):
            counts += fresh
        least = self.settings.threshold * self.begun
        enough = (self.succeeded >= least) & (self.succeeded > 0)
        decided = (self.begun >= self.settings.trials) & (enough | (self.ended == self.begun))
        step = (self.windows + 1) // 2
        back = np.where(self.point > 0, np.maximum(self.point - step, 0), DONE)
        forth = np.minimum(self.point + step, self.lengths - self.windows)
        self.point = np.where(
            decided & enough, back, np.where(decided & (self.succeeded < least / 2), forth, self.point)
        )
        self.turn += decided
        for counts in self.counts():
            counts[decided] = 0

    def counts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """[demonstrations] each, of the episodes of its present turn."""
        return self.begun, self.ended, self.succeeded

    def metrics(self) -> dict[str, float]:
        """Since the last call."""
        ended, succeeded = self.told.tolist()
        self.told[:] = 0
        found = {
            "demo_point": float((np.maximum(self.point, 0) / self.lengths).mean()),
            "demos_left": float((self.point != DONE).sum()),
            "demo_episodes": ended,
        }
        return found | ({"demo_success": succeeded / ended} if ended else {})

    def tensors(self) -> dict[str, Tensor]:
        """What a checkpoint holds of it. All processes call it."""
        places = np.concatenate([np.stack([self.came[-1], self.counted], 1), self.reached], 1)
        return {
            "turns": torch.from_numpy(np.stack([self.point, self.turn])),
            "counts": torch.from_numpy(np.stack(self.counts())),
            "told": torch.from_numpy(self.told.copy()),
            "envs": self.group.gather(torch.from_numpy(places)),
        }

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Goes back to where `tensors` was taken."""
        found = {name: leaf.numpy() for name, leaf in tensors.items()}
        self.point, self.turn = found["turns"].copy()
        self.begun, self.ended, self.succeeded = found["counts"].copy()
        self.told = found["told"].copy()
        self.fresh[:], self.seen[:] = 0, 0  # of what began when the environments were made
        places = found["envs"][self.first_env : self.first_env + len(self.counted)]
        self.came[-1], self.counted[:], self.reached[:] = places[:, 0], places[:, 1], places[:, 2:]
