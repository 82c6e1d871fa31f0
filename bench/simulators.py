"""`minnow bench simulators`: our arm beside simulators that others wrote: how alike they move, and how fast."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minnow import cinfer, envs
from minnow.bench import Measured, Say
from minnow.cinfer.errors import MinnowError
from minnow.envs.foreign.reference import reference
from minnow.envs.simulators import creator
from minnow.envs.simulators.task import ARM, Task
from minnow.train.evaluation import FilePlayer
from minnow.web import shipped

Player = Callable[[envs.Vector, envs.Buffers], None]  # writes the actions of all rows
SCRIPT = "script"
STEPS = 50
ROWS = 1024  # of our environment, whose speed is measured
HIGH = 0.03  # m: a hand that stays above moves freely
NEAR = 0.01  # m: cubes are where they should be


@dataclass
class Options:
    """Replays actions that were recorded in our pick_cube from the same states in simulators. Free motion: random
    actions, the mean error of a joint after 50 steps, of hands that stay above the table. Picking: what a player did in
    ours, in how many steps the flag of the grasp agrees, and in how many episodes the cube ends within 1 cm. Then
    counts control steps a second, of one core each."""

    on: tuple[str, ...] = ("maniskill/PickCube-v1", "mujoco/pick_cube")
    """The simulators."""
    episodes: int = 100
    """Of each comparison."""
    seconds: float = 3.0
    """Of each measurement of speed."""
    level: int = 0
    """Of our arm's joints, 0 to 2."""
    substeps: int = 5
    """Parts in which our arm reckons a step, 1 to 20."""
    picks: str = ""
    """Who picks: script, or a policy's file; absent: the shipped one."""


def measure(options: Options, say: Say) -> Measured:
    """A measurement alone."""
    if options.episodes < 1 or not options.seconds > 0:
        raise MinnowError("--episodes must be 1 or more, and --seconds above 0.")
    fidelity = {"level": float(options.level), "substeps": float(options.substeps)}
    params = fidelity | {"near": 0.005, "still": 0.02}  # so that hardly any ends before its time
    free = recorded(options.episodes, params, _random())
    picked = recorded(
        options.episodes, params, _script if options.picks == SCRIPT else _policy(options.picks, options.episodes)
    )
    fast = ours(options.seconds, fidelity)
    say(f"pick_cube: {fast:,.0f} control steps a second")
    rows = []
    for name in options.on:
        ref = reference(name)
        if ref is None or not ref.simulator:
            raise MinnowError(f"--on {name!r} is no simulator, such as mujoco/pick_cube.")
        task = creator(ref.kind, ref.target)()
        theirs = speed(task, options.seconds)
        row = {"on": name} | moved(task, free) | held(task, picked)
        row |= {"steps_per_second": round(theirs, 1), "ours": round(fast), "times": round(fast / theirs, 1)}
        task.close()
        rows.append(row)
        say(
            "{on}: joints {joint_mrad:.2f} mrad apart after {free} free episodes, grasp agrees in {grasp:.1%} of "
            "steps, cube within 1 cm in {cube:.1%} of {picked} episodes; {steps_per_second:,.0f} control steps a "
            "second, ours is {times:,.0f} times as fast".format(**row)
        )
    return Measured(rows)


def _script(vector: envs.Vector, buffers: envs.Buffers) -> None:
    buffers.action[:] = [vector.script(i, 0) for i in range(vector.num_envs)]


def _random() -> Player:
    rng = np.random.default_rng(11)

    def act(_: envs.Vector, buffers: envs.Buffers) -> None:
        buffers.action[:] = rng.uniform(-1, 1, buffers.action.shape)

    return act


def _policy(name: str, episodes: int) -> Player:
    """A policy's file; "": the shipped one."""
    path = Path(name) if name else shipped.policy("pick_cube")
    if path is None:
        raise MinnowError("no policy of pick_cube is shipped: name one by --picks.")
    player = FilePlayer(cinfer.load(path))
    player.begin(episodes, 0)

    def act(vector: envs.Vector, buffers: envs.Buffers) -> None:
        buffers.action[:] = player.act(buffers.obs, None, buffers.reset, buffers.alive)

    return act


@dataclass
class Recorded:
    """What our environment did. obs [steps + 1][episodes][42]; action [steps][episodes][8]; length [episodes]: steps
    until an episode ended."""

    obs: np.ndarray
    action: np.ndarray
    length: np.ndarray


def recorded(episodes: int, params: dict[str, float], act: Player) -> Recorded:
    """Episodes of a player, at parameters of our environment."""
    vector = envs.Vector("pick_cube", episodes, seed=11, params=params)
    buffers = vector.buffers()
    vector.reset(buffers)
    obs, action, length = [buffers.obs.copy()], [], np.full(episodes, STEPS)
    for step in range(STEPS):
        act(vector, buffers)
        action.append(buffers.action.copy())
        vector.step(buffers)
        ended = buffers.terminated | buffers.truncated
        seen = np.where(ended[:, None], buffers.final_obs, buffers.obs)
        obs.append(seen)
        length[ended] = np.minimum(length[ended], step + 1)
    return Recorded(np.array(obs, float), np.array(action), length)


def replayed(task: Task, record: Recorded, i: int) -> np.ndarray:
    """Episode i's actions in a simulator: observations [length][42]."""
    task.reset(seed=i)
    task.put(record.obs[0, i])
    return np.array([task.advance(record.action[t, i]).obs for t in range(record.length[i])])


def moved(task: Task, record: Recorded) -> dict[str, Any]:
    """How far joints are apart after free motion."""
    whole = np.flatnonzero((record.obs[:, :, 21].min(0) > HIGH) & (record.length == STEPS))
    apart = [np.abs(replayed(task, record, int(i))[-1, :ARM] - record.obs[STEPS, i, :ARM]).mean() for i in whole]
    return {"joint_mrad": round(1e3 * float(np.mean(apart)), 3) if apart else float("nan"), "free": len(apart)}


def held(task: Task, record: Recorded) -> dict[str, Any]:
    """Whether cubes are grasped when ours are, and end where ours do."""
    same, near = [], []
    for i, length in enumerate(record.length):
        there, here = replayed(task, record, i), record.obs[1 : length + 1, i]
        same.append(there[:, 18] == here[:, 18])
        near.append(np.linalg.norm(there[-1, 29:32] - here[-1, 29:32]) < NEAR)
    grasp = float(np.concatenate(same).mean())
    return {"grasp": round(grasp, 4), "cube": round(float(np.mean(near)), 4), "picked": len(near)}


def speed(task: Task, seconds: float) -> float:
    """Control steps a second of a simulator, by processor's time."""
    rng, count = np.random.default_rng(0), 0
    task.reset(seed=0)
    begun = time.process_time()
    while time.process_time() - begun < seconds:
        if count % STEPS == 0:
            task.reset(seed=count)
        task.advance(rng.uniform(-1, 1, ARM + 1))
        count += 1
    return count / (time.process_time() - begun)


def ours(seconds: float, params: dict[str, float]) -> float:
    """Control steps a second of our own environment, on one thread, by processor's time."""
    vector = envs.Vector("pick_cube", ROWS, seed=1, randomize=0.3, params=params)
    buffers, rng, count = vector.buffers(), np.random.default_rng(0), 0
    vector.reset(buffers)
    actions = [rng.uniform(-1, 1, buffers.action.shape) for _ in range(16)]
    begun = time.process_time()
    while time.process_time() - begun < seconds:
        buffers.action[:] = actions[count % len(actions)]
        vector.step(buffers)
        count += 1
    return count * ROWS / (time.process_time() - begun)
