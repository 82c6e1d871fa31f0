"""What Stable-Baselines3 puts between an environment and a policy: VecNormalize, VecFrameStack, VecTransposeImage.

A model shows what its policy is given. What the environment gives follows by trying the wrappers, the library's own, on
each space that it might be; and the library's own predictions come from a policy behind those wrappers.
"""

from __future__ import annotations

import copy
import pickle
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.preprocessing import is_image_space, is_image_space_channels_first
from stable_baselines3.common.vec_env import VecEnv, VecFrameStack, VecNormalize, VecTransposeImage
from stable_baselines3.common.vec_env.stacked_observations import StackedObservations
from torch import Tensor

from minnow.export.errors import ExportError, first_line
from minnow.export.importers.domain import Domain
from minnow.export.importers.front import Front, Normaliser
from minnow.export.importers.spaces import domain
from minnow.export.importers.witness import AGENTS, STEPS, Witness, masks, resets


@dataclass
class Way:
    """One array from the environment to the policy."""

    raw: Any  # the space that the environment has
    domain: Domain
    front: Front
    first: bool  # VecNormalize comes before VecFrameStack


def saved_wrapper(path: Path) -> VecNormalize:
    """VecNormalize as saved, around no environment. The file is trusted."""
    try:
        found = pickle.loads(path.read_bytes())
    except Exception as error:
        raise ExportError(f"{path} was not written by VecNormalize.save: {first_line(error)}.") from error
    if not isinstance(found, VecNormalize):
        raise ExportError(f"{path} holds a {type(found).__name__}, not VecNormalize: give what its `save` wrote.")
    found.training = False
    return found


def ways(space: Any, wrapper: VecNormalize | None, options: Any) -> dict[str, Way]:
    """The way of each array of an observation; `obs` where there is but one. Raises ExportError."""
    single = not isinstance(space, spaces.Dict)
    rms: dict[str, Any] = {}
    if wrapper is not None and wrapper.norm_obs:
        if single == isinstance(wrapper.obs_rms, dict):
            has, takes = ("one array", "a dict of arrays") if not single else ("a dict of arrays", "one array")
            raise ExportError(f"{options.normalize} normalises {has}, the model takes {takes}.")
        found: Any = wrapper.obs_rms
        rms = {"obs": found} if single else found
    inner = {"obs": space} if single else dict(space.spaces)
    if stray := sorted(set(rms) - set(inner)):
        raise ExportError(f"{options.normalize} normalises {', '.join(stray)}, which the model does not take.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of images whose channels are hard to tell
        return {name: way(name, item, rms.get(name), wrapper, options) for name, item in inner.items()}


def way(name: str, space: Any, rms: Any, wrapper: VecNormalize | None, options: Any) -> Way:
    count = options.frame_stack
    if not isinstance(space, spaces.Box):
        if count > 1:
            raise ExportError(f"observations of {space} cannot be stacked.")
        return Way(space, domain(space), Front(), True)
    tried = []
    for turn in (True, False) if len(space.shape) == 3 and not options.channels_first else (False,):
        for axis in (-1, 0) if count > 1 else (-1,):
            raw = unwrapped(space, turn, axis, count)
            if raw is None:
                continue
            stacked: Any = raw
            along = axis
            if count > 1:
                pile = StackedObservations(1, count, raw, options.channels_order)
                stacked, along = pile.stacked_observation_space, pile.repeat_axis
            image = is_image_space(stacked) and not is_image_space_channels_first(stacked)
            shown = VecTransposeImage.transpose_space(stacked) if image else stacked
            if along == axis and image == turn and shown.shape == space.shape:
                tried.append((raw, stacked, turn, axis))
    if not tried:
        axis = f"its {options.channels_order} axis" if options.channels_order else "the axis that VecFrameStack takes"
        said = f"a stack of {count} frames along {axis}" if count > 1 else "an image with its channels first"
        raise ExportError(
            f"{name!r}, an observation of {space}, is not {said}: check --frame-stack, --channels-order and "
            "--channels-first."
        )
    raw, stacked, turn, axis = tried[0]
    many = count > 1 and len(space.shape) > 1 and not is_image_space(space) and not options.channels_order
    if many and unwrapped(space, False, 0, count) is not None:
        raise ExportError(
            f"{name!r}, an observation of {space}, does not show along which axis {count} frames are stacked: say "
            "--channels-order last, which VecFrameStack takes by itself, or first."
        )
    before = after = None
    known = domain(raw)
    if rms is not None and wrapper is not None:
        std = np.sqrt(rms.var + wrapper.epsilon)
        normaliser = Normaliser(rms.mean, std, float(wrapper.clip_obs))
        if rms.mean.shape == raw.shape:
            before = normaliser
            known = seen(raw, rms.mean, std, float(wrapper.clip_obs))
        elif rms.mean.shape == stacked.shape:
            after = normaliser.turned() if turn else normaliser
            mean, std = (item.take(range(-raw.shape[axis], 0), axis) for item in (rms.mean, std))
            known = seen(raw, mean, std, float(wrapper.clip_obs))
        else:
            raise ExportError(
                f"{options.normalize} normalises {name!r} of shape {list(rms.mean.shape)}, and the environment gives "
                f"{list(raw.shape)}: give the statistics that were saved with the model."
            )
    along = {(True, -1): 1, (True, 0): 2, (False, -1): -1, (False, 0): 1}[turn, axis]  # behind the agents
    front = Front(turn, count, along, before, after)
    return Way(raw, known, front, after is None)


def unwrapped(space: spaces.Box, turn: bool, axis: int, count: int) -> spaces.Box | None:
    """The space before stacking `count` frames along an axis and, with `turn`, transposing; None where none is."""
    low, high = (np.moveaxis(bound, 0, -1) if turn else bound for bound in (space.low, space.high))
    if low.ndim == 0 or low.shape[axis] % count:
        return None
    last = range(low.shape[axis] - low.shape[axis] // count, low.shape[axis])
    return spaces.Box(low.take(last, axis), high.take(last, axis), dtype=space.dtype)


def seen(raw: spaces.Box, mean: np.ndarray, std: np.ndarray, clip: float) -> Domain:
    """The domain of what is normalised. Of images VecNormalize keeps its own bounds, not those of the pixels."""
    if np.all(raw.low == -clip) and np.all(raw.high == clip):
        return Domain(raw.shape, "float32", mean=mean, std=std)
    return domain(raw, mean, std)


class Rows(VecEnv):
    """An environment that gives rows of observations, whatever is done."""

    def __init__(self, space: Any, action: Any, rows: list[Any], again: np.ndarray) -> None:
        self.rows, self.again, self.at = rows, again, 0
        super().__init__(again.shape[1], space, action)

    def reset(self) -> Any:
        return copy.deepcopy(self.rows[0])

    def step_async(self, actions: np.ndarray) -> None:
        self.at += 1

    def step_wait(self) -> Any:
        last = {"terminal_observation": self.row(0)}
        infos = [dict(last) if done else {} for done in self.again[self.at]]
        return copy.deepcopy(self.rows[self.at]), np.zeros(self.num_envs, np.float32), self.again[self.at], infos

    def row(self, agent: int) -> Any:
        rows = self.rows[self.at]
        return {name: item[agent] for name, item in rows.items()} if isinstance(rows, dict) else rows[agent]

    def close(self) -> None:
        pass

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        return [None] * self.num_envs

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        pass

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        return [None] * self.num_envs

    def env_is_wrapped(self, wrapper_class: type, indices: Any = None) -> list[bool]:
        return [False] * self.num_envs


def witness(
    model: Any,
    found: dict[str, Way],
    wrapper: VecNormalize | None,
    options: Any,
    by: str,
    masked: tuple[int, ...],
    computed: dict[str, Callable[[Any], Tensor]],
) -> Witness:
    """The library's own deterministic predictions behind its own wrappers. masked: choices of each head, where the
    library takes masks. computed: outputs as the library itself computes them from its observation."""
    again = resets()
    obs = {name: item.domain.draw(STEPS, AGENTS, seed=i) for i, (name, item) in enumerate(found.items())}
    given = {name: array.astype(found[name].raw.dtype) for name, array in obs.items()}
    single = not isinstance(model.observation_space, spaces.Dict)
    raw = found["obs"].raw if single else spaces.Dict({name: item.raw for name, item in found.items()})
    rows = [given["obs"][t] if single else {name: item[t] for name, item in given.items()} for t in range(STEPS)]
    env: VecEnv = Rows(raw, model.action_space, rows, again)
    order = [item.first for item in found.values() if item.front.before is not None or item.front.after is not None]
    if wrapper is not None and all(order):
        env = wrapped(wrapper, env)
    if options.frame_stack > 1:
        env = VecFrameStack(env, options.frame_stack, options.channels_order)
    if wrapper is not None and not all(order):
        env = wrapped(wrapper, env)
    mask = masks(masked) if masked else None
    actions, state, begins = [], None, np.ones(AGENTS, bool)
    outputs: dict[str, list[np.ndarray]] = {name: [] for name in computed}
    try:
        shown = env.reset()
        for step in range(STEPS):
            more = {} if mask is None else {"action_masks": mask[step]}
            action, state = model.predict(shown, state, begins, deterministic=True, **more)
            actions.append(np.asarray(action).reshape(AGENTS, -1))
            with torch.no_grad():
                for name, compute in computed.items():
                    outputs[name].append(compute(model.policy.obs_to_tensor(shown)[0]).numpy())
            if step + 1 < STEPS:
                shown, _, begins, _ = env.step(action)
    except Exception as error:
        raise ExportError(
            f"{by} fails on observations of the model's own space, {model.observation_space}: {first_line(error)}. "
            "Check the options; what the library cannot do is not imported."
        ) from error
    return Witness(by, obs, again, np.stack(actions), mask, {name: np.stack(rows) for name, rows in outputs.items()})


def wrapped(wrapper: VecNormalize, env: VecEnv) -> VecNormalize:
    wrapper.set_venv(env)
    return wrapper
