"""`minnow train ENV --demos FILE ...`: what replays show, as demonstrations to learn from. Part of the verb `train`."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from minnow import envs
from minnow.cinfer.errors import MinnowError
from minnow.cli.replay import Found, find
from minnow.web.game import EVENT

if TYPE_CHECKING:
    from minnow.train.config import Config
    from minnow.train.demos import Demonstration

MOST = 256  # states of one demonstration: of a longer one, every second, third ... moment
SCORE, SUCCESS = envs.RECORD.index("score"), envs.RECORD.index("success")
SKILL = "skill"  # the script's, which is the training's own


@dataclass
class Episode:
    """One episode of a replay: a state for each step of a policy, and its record [slots, 4]; of one that the replay was
    over before, the score so far."""

    params: dict[str, float]
    record: np.ndarray
    states: list[bytes] = field(default_factory=list)
    ended: bool = False
    turned: bool = False  # somebody turned what the world is made of


def read(sources: Sequence[str], config: Config) -> tuple[list[Demonstration], list[str]]:
    """The demonstrations in replays of a run's environment, and a line on each. Raises MinnowError where a replay
    cannot be played here, or holds no episode that can be learned from."""
    if envs.spec(config.place).foreign:
        raise MinnowError(f"{config.name} is no game of ours, of which there are replays: leave out --demos.")
    found, said = [], []
    for source in sources:
        episodes = list(played(find(source, config.place), config.policy.action_repeat))
        spec, ended = envs.spec(config.place), any(episode.ended for episode in episodes)
        faults = [_fault(episode, config, spec, ended) for episode in episodes]
        used = [_shown(episode, spec) for episode, fault in zip(episodes, faults, strict=True) if not fault]
        left = [fault for fault in faults if fault]
        why = f"; {len(left)} left out: {', '.join(dict.fromkeys(left))}" if left else ""
        if not used:
            raise MinnowError(f"{_short(source)} has no episode to learn from{why}.")
        said.append(f"{_short(source)}: {len(used)} episodes, {sum(len(demo.states) for demo in used):,} states{why}")
        found += used
    return found, said


def _short(source: str) -> str:
    """As a line of text has room for it: a link is long."""
    return source if len(source) <= 100 else f"{source[:97]}..."


def played(found: Found, action_repeat: int = 0) -> Iterator[Episode]:
    """The episodes of a replay. action_repeat: ticks of a step; 0: as many as the environment says."""
    player = found.player()
    game, inputs = player.game, player.replay.inputs
    spec = game.spec
    # Plays each tick again from the state before it, for the records that a game does not keep.
    vector = envs.Vector(found.place, 1, seed=0, agents=spec.slots, action_repeat=1)
    buffers, size = vector.buffers(), vector.lib.env_saved_size()
    vector.reset(buffers)
    known = begun = 0
    episode = None
    for tick in itertools.count():
        state = game.state[:size]
        vector.load(0, state + vector.save(0)[size:])
        if episode is None:
            episode, begun = Episode(vector.params(0), np.zeros((spec.slots, len(envs.RECORD)))), tick
        entered, known = inputs[known : player.entered], player.entered
        turned = [entry.slot for entry in entered if entry.kind == EVENT and entry.values[0] == 0]
        episode.turned |= any(spec.param[slot].kind == "world" for slot in turned)
        if game.ticks >= player.replay.ticks:
            if episode.states:
                episode.record[:, SCORE] = [game.score(slot) for slot in range(spec.slots)]
                yield episode
            return
        if (tick - begun) % (action_repeat or spec.action_repeat) == 0:
            episode.states.append(state)
        player.tick()
        buffers.action[:] = [game.action(slot) for slot in range(spec.slots)]
        vector.step(buffers)
        if buffers.over[0]:
            episode.record, episode.ended = buffers.record.copy(), True
            yield episode
            episode = None


def _fault(episode: Episode, config: Config, spec: envs.Spec, ended: bool) -> str:
    """Why an episode cannot be learned from; empty where it can. ended: whether any of its replay has."""
    if episode.turned:
        return "the world was another one when it began"
    wanted = {param.name: param.value for param in spec.param} | config.env
    for param in spec.param:
        value, own = episode.params[param.name], wanted[param.name]
        free = param.kind == "reward" or param.name == SKILL or (param.kind == "physics" and config.randomize > 0)
        if not free and not math.isclose(value, own, rel_tol=1e-6):
            return f"{param.name} was {value:g} there and is {own:g} in this training (--env.{param.name} {value:g})"
    if spec.has_success and not (episode.record[:, SUCCESS] > 0).any():
        return "it did not succeed"
    return "it had not ended" if ended and not episode.ended else ""


def _shown(episode: Episode, spec: envs.Spec) -> Demonstration:
    from minnow.train.demos import Demonstration

    states = episode.states[:: -(-len(episode.states) // MOST)]
    return Demonstration(tuple(states), tuple(episode.record[:, SUCCESS if spec.has_success else SCORE].tolist()))
