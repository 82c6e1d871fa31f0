"""One environment of Gymnasium or PettingZoo as one row an agent, written into shared memory.

`Single` and `Parallel` have the same face: `begin(seed)` starts an episode, `step(actions)` goes one step and, where
the episode is over, starts the next one (SAME_STEP, as everything in Minnow has it)."""

from __future__ import annotations

import functools
import hashlib
import importlib
import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.registration import load_env_creator

from minnow.cinfer.errors import MinnowError, missing, unknown

from ..spec import Param
from .reference import AT_END, Foreign
from .spaces import GROUPS, MASK, Acts, Part, acts, parts

SUCCESS = ("is_success", "success")  # what others call it in `info`


class Slice:
    """The rows of one environment: views of the shared arrays by their names there."""

    def __init__(self, array: dict[str, np.ndarray], env: int, agents: int) -> None:
        rows = slice(env * agents, (env + 1) * agents)
        per_env = ("over", "episodes", "index")
        self.array = {name: leaf[env : env + 1] if name in per_env else leaf[rows] for name, leaf in array.items()}
        for name in ("reward", "terminated", "truncated", "alive", "reset", "record", "over", "episodes"):
            setattr(self, name, self.array[name])

    reward: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray
    alive: np.ndarray
    reset: np.ndarray
    record: np.ndarray
    over: np.ndarray
    episodes: np.ndarray


class Game:
    """What both kinds share. agents: rows."""

    parts: list[Part]
    acts: Acts
    agents = 1
    masked = False
    success = False
    at_end = False  # whether the score is success in the last step, rather than the return
    progress: tuple[str, float] | None = None  # how `potential` is added to rewards, and by which gamma
    pauses = False  # whether a row is dead for a step between its episodes
    env: Any

    def attach(self, rows: Slice) -> None:
        self.rows = rows
        self.sums = [[0.0, 0, 0.0, 0.0] for _ in range(self.agents)]  # return, length, success and last success
        self.obs = [(part, rows.array[f"obs.{part.group.name}"]) for part in self.parts]
        self.final = [(part, rows.array[f"final_obs.{part.group.name}"]) for part in self.parts]
        self.mask = rows.array["mask"]

    def probe(self, seed: int) -> None:
        """Finds out what only an episode shows: `masked` and `success`."""
        raise NotImplementedError

    def begin(self, seed: int | None) -> None:
        raise NotImplementedError

    def step(self, actions: list[list]) -> None:
        raise NotImplementedError

    def picture(self) -> np.ndarray:
        """[height][width][3] u8. Raises MinnowError where the environment draws nothing."""
        drawn = self.env.render()
        if not isinstance(drawn, np.ndarray) or drawn.ndim != 3:
            raise MinnowError("this environment draws no picture: its render_mode rgb_array gave none.")
        if drawn.dtype.kind == "f" and drawn.max() <= 1:  # colours of 0 to 1, which MinAtar has
            drawn = drawn * 255
        return np.ascontiguousarray(drawn[..., :3], np.uint8)

    def _life(self, agent: int) -> None:
        self.rows.alive[agent] = self.rows.reset[agent] = True
        self.sums[agent] = [0.0, 0, 0.0, 0.0]

    def _earn(self, agent: int, reward: float, info: Mapping[str, Any]) -> None:
        self.rows.reward[agent] = reward
        sums = self.sums[agent]
        sums[0] += reward
        sums[1] += 1
        if self.success:
            sums[3] = float(any(np.any(info.get(key, False)) for key in SUCCESS))
            sums[2] = max(sums[2], sums[3])

    def _end(self, agent: int, obs: Any, terminated: bool) -> None:
        total, length, success, last = self.sums[agent]
        self.rows.record[agent] = (last if self.at_end else total, total, length, success, 0.0)
        self.rows.terminated[agent], self.rows.truncated[agent] = terminated, not terminated
        for part, array in self.final:
            part.put(part.find(obs), array[agent])

    def _see(self, agent: int, obs: Any, info: Mapping[str, Any]) -> None:
        for part, array in self.obs:
            part.put(part.find(obs), array[agent])
        if self.masked:
            self.mask[agent] = self.acts.mask(_mask(obs, info))


class Single(Game):
    """An environment of Gymnasium. One whose attribute `potential` says how far the last state has come can have the
    change of that added to its rewards."""

    def __init__(self, env: Any, name: str) -> None:
        self.env, self.bare = env, getattr(env, "unwrapped", env)
        self.at_end = getattr(self.bare, "score_name", "") == AT_END
        self.parts, self.acts = parts(env.observation_space, name), acts(env.action_space, name)

    def probe(self, seed: int) -> None:
        obs, info = self.env.reset(seed=seed)
        self.masked = self.acts.type != "box" and _mask(obs, info) is not None
        self.env.action_space.seed(seed)
        mask = self.acts.mask(_mask(obs, info)) if self.masked else None
        _, _, _, _, after = self.env.step(self.acts.take(_any(self.acts, mask)))
        self.success = any(key in found for key in SUCCESS for found in (info, after))

    def begin(self, seed: int | None) -> None:
        obs, info = self.env.reset(seed=seed)
        self.rows.episodes[0] += 1
        self.before = self.bare.potential if self.progress else 0.0
        self._life(0)
        self._see(0, obs, info)

    def step(self, actions: list[list]) -> None:
        obs, reward, terminated, truncated, info = self.env.step(self.acts.take(actions[0]))
        self._earn(0, float(reward), info)
        if self.progress:
            self.rows.reward[0] += self._gained(bool(terminated))
        if terminated or truncated:
            self._end(0, obs, bool(terminated))
            self.rows.over[0] = True
            self.begin(None)
        else:
            self._see(0, obs, info)

    def _gained(self, terminated: bool) -> float:
        """What the last step's progress pays, as rows.h has it."""
        shaping, gamma = self.progress or ("none", 1.0)
        before, self.before = self.before, self.bare.potential
        if shaping == "difference":
            return self.before - before
        return (0.0 if terminated else gamma * self.before) - before


class Many(Game):
    """A vector environment, to ask what it is like; train/foreign.py steps it."""

    def __init__(self, env: Any, name: str) -> None:
        self.env = env
        if not hasattr(env, "single_observation_space"):
            raise MinnowError(
                f"{name} gave {type(env).__name__}, which is no VectorEnv: it has no spaces of a single one."
            )
        self.parts, self.acts = parts(env.single_observation_space, name), acts(env.single_action_space, name)
        if any(part.form == "several" for part in self.parts):
            raise MinnowError(f"{name} observes more than {GROUPS} parts: give fewer, or one vector.")
        if (mode := autoreset(env)) == "disabled":
            raise MinnowError(f"{name} does not reset by itself: make it with autoreset NEXT_STEP or SAME_STEP.")
        self.pauses = mode == "next_step"

    def probe(self, seed: int) -> None:
        _, info = self.env.reset(seed=seed)
        self.success = any(key in info for key in SUCCESS)


def autoreset(env: Any) -> str:
    """The mode of a vector environment, in lower case; that of ManiSkill where it says none."""
    mode = (getattr(env, "metadata", None) or {}).get("autoreset_mode", "same_step")
    return str(getattr(mode, "name", mode)).lower()


class Parallel(Game):
    """A ParallelEnv of PettingZoo: one row for each of its possible agents, dead where it does not play."""

    def __init__(self, env: Any, name: str) -> None:
        self.env = env
        if not hasattr(env, "possible_agents") or not hasattr(env, "observation_space"):
            raise MinnowError(f"{name} gave {type(env).__name__}, which is no ParallelEnv (not an AEC one either).")
        self.names = list(env.possible_agents)
        self.agents = len(self.names)
        first = self.names[0]
        for other in self.names[1:]:
            for kind in ("observation_space", "action_space"):
                one, two = getattr(env, kind)(first), getattr(env, kind)(other)
                if one != two:
                    raise MinnowError(
                        f"{name} cannot be learned: {kind} of {other} is {two}, that of {first} is {one}, and one "
                        "policy plays all. Pad them alike (supersuit.pad_observations_v0, pad_action_space_v0)."
                    )
        self.parts, self.acts = parts(env.observation_space(first), name), acts(env.action_space(first), name)

    def probe(self, seed: int) -> None:
        obs, infos = self.env.reset(seed=seed)
        first = self.env.agents[0]
        self.masked = self.acts.type != "box" and _mask(obs[first], infos.get(first, {})) is not None
        actions = {}
        for agent in self.env.agents:
            mask = self.acts.mask(_mask(obs[agent], infos.get(agent, {}))) if self.masked else None
            actions[agent] = self.acts.take(_any(self.acts, mask))
        *_, after = self.env.step(actions)
        found = (infos.get(first, {}), after.get(first, {}))
        self.success = any(key in info for key in SUCCESS for info in found)

    def begin(self, seed: int | None) -> None:
        obs, infos = self.env.reset(seed=seed)
        self.rows.episodes[0] += 1
        self.rows.alive[:] = self.rows.reset[:] = False
        for agent, word in enumerate(self.names):
            if word in obs and word in self.env.agents:
                self._life(agent)
                self._see(agent, obs[word], infos.get(word, {}))

    def step(self, actions: list[list]) -> None:
        given = {word: self.acts.take(actions[i]) for i, word in enumerate(self.names) if self.rows.alive[i]}
        obs, rewards, terminations, truncations, infos = self.env.step(given)
        for agent, word in enumerate(self.names):
            if word not in given:
                if word in self.env.agents and word in obs:  # it comes late
                    self._life(agent)
                    self._see(agent, obs[word], infos.get(word, {}))
                continue
            info = infos.get(word, {})
            self._earn(agent, float(rewards.get(word, 0.0)), info)
            ended, cut = bool(terminations.get(word, False)), bool(truncations.get(word, False))
            if word in obs:
                self._see(agent, obs[word], info)
            if ended or cut or word not in self.env.agents:
                self._end(agent, obs[word], ended or not cut)
                self.rows.alive[agent] = False
        if not self.env.agents:
            self.rows.over[0] = True
            self.begin(None)


def _mask(obs: Any, info: Mapping[str, Any]) -> Any:
    return obs[MASK] if isinstance(obs, Mapping) and MASK in obs else info.get(MASK)


def _any(given: Acts, mask: np.ndarray | None) -> list:
    """An action that is possible, as a row of numbers."""
    if given.type == "box":
        return [(head.low + head.high) / 2 for head in given.head]
    ends = np.cumsum([head.size for head in given.head])[:-1]
    return [0] * len(given.head) if mask is None else [int(part.argmax()) for part in np.split(mask, ends)]


def game(ref: Foreign, params: Mapping[str, float], render: bool, randomize: float = 0.0) -> Game:
    """A new environment. Raises MinnowError where it cannot be had."""
    given: dict[str, Any] = {"render_mode": "rgb_array"} if render else {"num_envs": 2} if ref.kind == "vector" else {}
    if randomize:
        given["randomize"] = randomize
    kind = {"pettingzoo": Parallel, "vector": Many}.get(ref.kind, Single)
    return kind(made(ref, params, **given), ref.name)


def made(ref: Foreign, params: Mapping[str, float], **given: Any) -> Any:
    """What the reference's function returns for these parameters and what else it is given."""
    creator, settings = _creator(ref)
    for found in parameters(creator, settings):
        if found.name in params:
            whole = found.scale == "integer"
            kind = bool if whole and found.high == 1 else int if whole else float
            settings[found.name] = kind(params[found.name])
    return creator(**settings | given)


def described(ref: Foreign, example: Game) -> dict[str, Any]:
    """What the environment declares, as JSON has it: the members of a ForeignSpec."""
    env = example.env
    kind = type(getattr(env, "unwrapped", env))
    metadata = getattr(env, "metadata", None) or {}
    digest = hashlib.sha256(ref.name.encode())
    try:
        digest.update(Path(inspect.getfile(kind)).read_bytes())
    except (OSError, TypeError):
        digest.update(kind.__qualname__.encode())
    known = getattr(env, "spec", None) if ref.kind == "gym" else None
    creator, settings = _creator(ref)
    paragraphs = inspect.cleandoc(kind.__doc__ or "").split("\n\n")  # its own, none that it inherits
    doc = next((text.replace("\n", " ") for text in paragraphs if not text.startswith("#")), "")
    return {
        "name": ref.name,
        "title": ref.target,
        "description": doc,
        "agents": example.agents,
        "group": [part.group for part in example.parts],
        "lives": example.agents > 1 or example.pauses,
        "action_type": example.acts.type,
        "head": example.acts.head,
        "masked": example.masked,
        "tick_rate": float(metadata.get("render_fps") or 30),
        "has_success": example.success,
        "has_potential": hasattr(getattr(env, "unwrapped", env), "potential"),
        "score_name": AT_END if example.at_end else "return",
        "param": parameters(creator, settings),
        "source_hash": digest.hexdigest(),
        "threshold": getattr(known, "reward_threshold", None),
    }


def parameters(creator: Callable[..., Any], settings: Mapping[str, Any]) -> list[Param]:
    """The numbers that may be given to whoever makes the environment: its keywords with a number as default, or what
    its function `params` says."""
    found = []
    told: Callable[[], Iterable[Param]] | None = getattr(creator, "params", None)
    if told is not None:
        return list(told())
    try:
        keywords = inspect.signature(creator).parameters
    except (TypeError, ValueError):
        return []
    for name, keyword in keywords.items():
        value = settings.get(name, keyword.default)
        if name == "num_envs" or not isinstance(value, bool | int | float) or not math.isfinite(value):
            continue
        whole, flag = isinstance(value, int), isinstance(value, bool)
        low, high = (0.0, 1.0) if flag else (-1e9, 1e9) if whole else (-1e30, 1e30)
        doc = "given to whoever makes the environment."
        found.append(Param(name, float(value), low, high, "world", "integer" if whole else "linear", "", doc))
    return found


def _creator(ref: Foreign) -> tuple[Callable[..., Any], dict[str, Any]]:
    """What makes the environment, with the signature that shows its parameters, and what it is given already."""
    if ref.simulator:
        from ..simulators import creator

        return creator(ref.kind, ref.target), {}
    if ref.kind == "pettingzoo":
        try:
            import pettingzoo  # noqa: F401
        except ImportError:
            raise missing("PettingZoo", "zoo") from None
    module = _imported(ref) if ref.module else None
    register = getattr(module, "register_envs", None)
    if callable(register) and ref.target not in gymnasium.registry and not inspect.signature(register).parameters:
        register()
    if ref.kind == "gym" and (ref.target in gymnasium.registry or module is None):
        return _registered(ref)
    function = functools.reduce(lambda owner, word: getattr(owner, word, None), ref.target.split("."), module)
    if not callable(function):
        ids = "" if ref.kind != "gym" else f", and registers no environment {ref.target}"
        raise MinnowError(f"{ref}: {ref.module} has no function {ref.target}{ids}.")
    return function, {}


def _registered(ref: Foreign) -> tuple[Callable[..., Any], dict[str, Any]]:
    if ref.target not in gymnasium.registry:
        raise unknown("environment of Gymnasium", ref.target, list(gymnasium.registry))
    spec = gymnasium.registry[ref.target]
    entry = load_env_creator(spec.entry_point) if isinstance(spec.entry_point, str) else spec.entry_point

    def make(**settings: Any) -> Any:
        return gymnasium.make(ref.target, disable_env_checker=True, **settings)

    if entry is not None:  # whose signature has the parameters
        functools.update_wrapper(make, entry, assigned=(), updated=())
    return make, {name: value for name, value in spec.kwargs.items() if isinstance(value, bool | int | float)}


def _imported(ref: Foreign) -> Any:
    try:
        return importlib.import_module(ref.module)
    except ModuleNotFoundError as error:
        if error.name and (ref.module == error.name or ref.module.startswith(f"{error.name}.")):
            raise MinnowError(
                f"{ref}: there is no module {error.name}. Install its package, or start in the folder where it lies."
            ) from None
        raise
