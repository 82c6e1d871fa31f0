"""`minnow bench foreign`: how fast training runs on an environment of others, beside Stable-Baselines3."""

from __future__ import annotations

import functools
import importlib
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import gymnasium
import torch

from minnow import envs
from minnow.bench import Measured, Say, processors
from minnow.cinfer.errors import MinnowError, missing
from minnow.envs.foreign.games import made
from minnow.envs.foreign.vector import ForeignVector
from minnow.train import backend, group
from minnow.train import config as configs

ACTIONS = 256  # that the environment alone is given in turn


@dataclass
class Options:
    """Measure training on an environment that is not in C, and Stable-Baselines3's PPO on it: as many processes
    (SubprocVecEnv, which has one environment in each; PettingZoo's by SuperSuit, with as many environments as here),
    rollouts and minibatches as large, as many epochs, the same layers. And the environment alone, which one process
    steps at random: times the processes, what none can exceed. All take turns."""

    env: str
    """The environment: gym:..., pettingzoo:..."""
    processes: int = field(default_factory=group.cores)
    """In which environments step; as many as there are cores by default."""
    rounds: int = 5
    """Turns of each; medians count."""
    seconds: float = 5.0
    """Of each turn, at least."""


Lap = tuple[int, float, float]  # steps, seconds, those of processors


def measure(options: Options, say: Say) -> Measured:
    ref = envs.place(options.env)
    if not isinstance(ref, envs.Foreign) or ref.kind == "vector":
        raise MinnowError(f"minnow bench foreign measures gym:... and pettingzoo:..., not {options.env}.")
    for name, value, least in (("processes", options.processes, 1), ("rounds", options.rounds, 1)):
        if value < least:
            raise MinnowError(f"--{name} is {value}: it must be {least} or more.")
    if not options.seconds > 0:
        raise MinnowError(f"--seconds is {options.seconds:g}: it must be a positive number.")
    if sys.platform != "linux":
        raise MinnowError("minnow bench foreign reads the clocks of other processes, which only Linux has.")
    torch.set_num_threads(1)
    config = configs.defaults(ref)
    config.train.env_threads = options.processes
    ours = Ours(config)
    runners = {"minnow": ours, "sb3": Peer(config, ours.rows), "alone": Alone(ref)}
    laps: dict[str, list[Lap]] = {name: [] for name in runners}
    for turn in range(options.rounds + 1):
        for name, runner in runners.items():
            lap = timed(runner.advance, runner.pids(), options.seconds if turn else 0.0)
            if turn:  # the first one loads and compiles
                laps[name].append(lap)
    for runner in runners.values():
        runner.close()
    row = told(laps, options.processes) | {"backend": "c" if isinstance(ours.trainer, backend.CorePPO) else "torch"}
    say(
        "{steps_per_second:,} steps/s, Stable-Baselines3 {sb3_steps_per_second:,}: {ratio:.2f} times, "
        "{cpu_ratio:.2f} by processor time; at most {limit:,}".format(**row)
    )
    return Measured([{"env": ref.name, "processes": options.processes, "rounds": options.rounds} | row])


def told(laps: dict[str, list[Lap]], processes: int) -> dict[str, Any]:
    """Medians of rounds: agent-steps a second, and a second of all processors; ratios within rounds."""
    fast = {name: [steps / seconds for steps, seconds, _ in some] for name, some in laps.items()}
    cheap = {name: [steps / spent for steps, _, spent in some] for name, some in laps.items()}

    def middle(numbers: Iterable[float], digits: int | None = None) -> float:
        return round(statistics.median(numbers), digits)

    def ratio(rates: dict[str, list[float]]) -> float:
        return middle((a / b for a, b in zip(rates["minnow"], rates["sb3"], strict=True)), 2)

    return {
        "steps_per_second": middle(fast["minnow"]),
        "sb3_steps_per_second": middle(fast["sb3"]),
        "ratio": ratio(fast),
        "steps_per_cpu_second": middle(cheap["minnow"]),
        "sb3_steps_per_cpu_second": middle(cheap["sb3"]),
        "cpu_ratio": ratio(cheap),
        "limit": processes * middle(cheap["alone"]),
    }


def timed(advance: Callable[[], int], pids: list[int], seconds: float) -> Lap:
    """Advances for so long at least."""
    steps, start, spent = 0, time.perf_counter(), processors(pids)
    while not steps or time.perf_counter() - start < seconds:
        steps += advance()
    return steps, time.perf_counter() - start, processors(pids) - spent


class Ours:
    def __init__(self, config: configs.Config) -> None:
        self.trainer = backend.trainer(config)
        self.rows, vector = self.trainer.all_rows, self.trainer.vector
        assert isinstance(vector, ForeignVector)
        self.vector = vector

    def pids(self) -> list[int]:
        return self.vector.pids

    def advance(self) -> int:
        self.trainer.update(measure=False)
        self.trainer.take_episodes()
        return self.trainer.batch

    def close(self) -> None:
        self.vector.close()


class Peer:
    """rows: environments x agents of ours, by which a rollout's size is known."""

    def __init__(self, config: configs.Config, rows: int) -> None:
        try:
            from stable_baselines3 import PPO
        except ImportError:
            raise missing("Stable-Baselines3, with which minnow bench foreign compares,", "importers") from None
        ref, before = config.place, set(multiprocessing.active_children())
        assert isinstance(ref, envs.Foreign)
        self.vector = vectored(ref, config.train)
        self.processes = [one for one in multiprocessing.active_children() if one not in before]
        train, policy = config.train, config.policy
        many = isinstance(self.vector.observation_space, gymnasium.spaces.Dict)
        self.batch = train.horizon * rows // self.vector.num_envs * self.vector.num_envs
        self.model = PPO(
            "MultiInputPolicy" if many else "MlpPolicy",
            self.vector,
            n_steps=self.batch // self.vector.num_envs,
            batch_size=train.minibatch,
            n_epochs=round(train.epochs),
            learning_rate=train.learning_rate,
            gamma=train.gamma,
            policy_kwargs={"net_arch": [policy.hidden] * policy.layers},
            device="cpu",
            seed=0 if ref.kind == "gym" else None,  # which SuperSuit lacks
        )

    def pids(self) -> list[int]:
        return [one.pid for one in self.processes if one.pid is not None]

    def advance(self) -> int:
        self.model.learn(self.batch, reset_num_timesteps=False)
        return self.batch

    def close(self) -> None:
        self.vector.close()


def vectored(ref: envs.Foreign, train: configs.TrainConfig) -> Any:
    """The environment in processes, as Stable-Baselines3 has it."""
    if ref.kind == "gym":
        from stable_baselines3.common.vec_env import SubprocVecEnv

        return SubprocVecEnv([functools.partial(monitored, ref)] * train.env_threads)
    try:
        supersuit = importlib.import_module("supersuit")
    except ImportError:
        raise MinnowError(
            "Stable-Baselines3 takes PettingZoo's environments by SuperSuit: pip install supersuit."
        ) from None
    one = supersuit.pettingzoo_env_to_vec_env_v1(made(ref, {}))
    return supersuit.concat_vec_envs_v1(one, train.envs, train.env_threads, base_class="stable_baselines3")


def monitored(ref: envs.Foreign) -> gymnasium.Env:
    from stable_baselines3.common.monitor import Monitor

    return Monitor(made(ref, {}))


class Alone:
    """The environment itself, as it comes."""

    def __init__(self, ref: envs.Foreign) -> None:
        self.env = made(ref, {})
        self.env.reset(seed=0)
        self.parallel = ref.kind == "pettingzoo"
        spaces = (
            [self.env.action_space(agent) for agent in self.env.agents] if self.parallel else [self.env.action_space]
        )
        self.actions = [[space.sample() for space in spaces] for _ in range(ACTIONS)]

    def pids(self) -> list[int]:
        return []

    def advance(self) -> int:
        steps, env = 0, self.env
        for actions in self.actions:
            if self.parallel:
                given = dict(zip(env.agents, actions, strict=False))
                steps += len(given)
                env.step(given)
                over = not env.agents
            else:
                steps += 1
                _, _, terminated, truncated, _ = env.step(actions[0])
                over = terminated or truncated
            if over:
                env.reset()
        return steps

    def close(self) -> None:
        self.env.close()
