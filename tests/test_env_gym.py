"""Gymnasium's view, checked by Gymnasium's own tools."""

from __future__ import annotations

import copy
import pickle
import re
import tomllib
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gymnasium
import numpy as np
import pytest
from each import every, few, of_all
from gymnasium.utils.env_checker import check_env, data_equivalence
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers import RecordEpisodeStatistics, RecordVideo, TimeLimit
from gymnasium.wrappers.vector import NormalizeObservation, NormalizeReward
from gymnasium.wrappers.vector import RecordEpisodeStatistics as VectorStatistics
from sure import sure

from minnow import envs
from minnow.cinfer.errors import MinnowError
from minnow.envs.gym import masks

SAME_STEP = AutoresetMode.SAME_STEP


@every
def test_check_env(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(envs.make(name), skip_render_check=True)


@few
def test_vector_equals_single_ones(name: str) -> None:
    """Observations, rewards, ends and all of info; from the constructor's seeds and from reset's."""
    count, options = 5, {"seed": 7, "randomize": 0.3}
    if any(param.name == "time" for param in envs.spec(name).param):
        options["time"] = 100  # so that episodes end
    single = [lambda i=i: envs.make(name, first_index=i, **options) for i in range(count)]
    sync = gymnasium.vector.SyncVectorEnv(single, autoreset_mode=SAME_STEP)
    vector = envs.make(name, num_envs=count, **options)
    assert vector.metadata["autoreset_mode"] == SAME_STEP
    assert vector.single_observation_space == sync.single_observation_space
    assert vector.observation_space == sync.observation_space and vector.action_space == sync.action_space
    vector.action_space.seed(3)
    ended = 0
    for seed in (None, 11, [4, 4, 9, 8, None]):
        (obs, info), (want, told) = vector.reset(seed=seed), sync.reset(seed=seed)
        assert (obs == want).all() and data_equivalence(info, told)
        for _ in range(500):
            action = vector.action_space.sample()
            got, want = vector.step(action), sync.step(action)
            for mine, theirs in zip(got[:4], want[:4], strict=True):
                assert mine.dtype == theirs.dtype and (mine == theirs).all()
            assert data_equivalence(got[4], want[4])
            ended += int((got[2] | got[3]).sum())
    assert ended >= 10


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.DISABLED], ids=lambda mode: mode.name)
@few
def test_the_other_autoreset_modes(name: str, mode: AutoresetMode) -> None:
    """As Gymnasium's SyncVectorEnv has them: the last observation with the end, the next episode at the next step or by
    a mask, which may ask for more than those that ended, and may give seeds."""
    count, options = 5, {"seed": 7, "randomize": 0.3}
    if any(param.name == "time" for param in envs.spec(name).param):
        options["time"] = 100  # so that episodes end
    single = [lambda i=i: envs.make(name, first_index=i, **options) for i in range(count)]
    sync = gymnasium.vector.SyncVectorEnv(single, autoreset_mode=mode)
    vector = envs.make(name, num_envs=count, autoreset_mode=mode.value, **options)
    assert vector.metadata["autoreset_mode"] == mode
    vector.action_space.seed(3)
    random, ended = np.random.default_rng(3), 0

    def equal(got: tuple, want: tuple) -> None:
        for mine, theirs in zip(got[:-1], want[:-1], strict=True):
            assert mine.dtype == theirs.dtype and (mine == theirs).all()
        assert data_equivalence(got[-1], want[-1])

    for seed in (None, 11, [4, 4, 9, 8, None]):
        equal(vector.reset(seed=seed), sync.reset(seed=seed))
        for _ in range(300):
            action = vector.action_space.sample()
            got, want = vector.step(action), sync.step(action)
            equal(got, want)
            over = got[2] | got[3]
            ended += int(over.sum())
            if mode == AutoresetMode.DISABLED and over.any():
                mask = over | (random.random(count) < 0.2)
                seeds = [int(random.integers(99)) if random.random() < 0.3 else None for _ in range(count)]
                asked = {"seed": seeds, "options": {"reset_mask": mask}}
                equal(vector.reset(**asked), sync.reset(**asked))
    assert ended >= (1 if envs.remember(envs.folder(name)) else 5)  # a game that lies elsewhere may last longer


def test_wrappers_that_refuse_to_reset_in_the_same_step() -> None:
    """Gymnasium's normaliser of observations wants NEXT_STEP; with it, it gives what it gives for SyncVectorEnv."""
    with pytest.raises((AssertionError, ValueError), match="NEXT_STEP"):
        NormalizeObservation(envs.make("cartpole", num_envs=3))
    vector = envs.make("cartpole", num_envs=3, seed=1, autoreset_mode="NEXT_STEP")
    sync = gymnasium.vector.SyncVectorEnv([lambda i=i: envs.make("cartpole", first_index=i, seed=1) for i in range(3)])
    both = [NormalizeReward(NormalizeObservation(VectorStatistics(made))) for made in (vector, sync)]
    one, other = (made.reset()[0] for made in both)
    assert np.allclose(one, other)
    finished = 0
    for _ in range(200):
        action = vector.action_space.sample()
        mine, theirs = (made.step(action) for made in both)
        assert all(np.allclose(a, b) for a, b in zip(mine[:4], theirs[:4], strict=True))
        told = [info.get("episode", {"r": np.zeros(3)})["r"] for info in (mine[4], theirs[4])]
        assert (told[0] == told[1]).all()
        finished += "episode" in mine[4]
    assert finished > 5


def test_autoreset_modes_that_cannot_be() -> None:
    with pytest.raises(MinnowError, match="did you mean NEXT_STEP"):
        envs.make("pong", num_envs=2, autoreset_mode="NEXTSTEP")
    with pytest.raises(MinnowError, match="one agent an environment, and there are 2"):
        envs.make("pong", num_envs=2, agents=2, autoreset_mode="DISABLED")
    made = envs.make("cartpole", num_envs=2, autoreset_mode="DISABLED")
    made.reset()
    for wrong in ([True, False], np.ones(3, bool), np.ones(2), np.zeros(2, bool)):
        with pytest.raises(MinnowError, match="reset_mask must be a bool array"):
            made.reset(options={"reset_mask": wrong})
    while not (over := np.logical_or(*made.step(np.zeros(2, int))[2:4])).any():
        pass
    with pytest.raises(gymnasium.error.ResetNeeded, match="reset_mask"):
        made.step(np.zeros(2, int))
    made.reset(options={"reset_mask": over})
    made.step(np.zeros(2, int))


@few
def test_a_seed_means_the_same_in_the_constructor_and_in_reset(name: str) -> None:
    a, b = envs.make(name, seed=21), envs.make(name)
    assert (a.reset()[0] == b.reset(seed=21)[0]).all()
    assert a.vector.hash(0) == b.vector.hash(0)


def test_made_without_a_seed_no_two_are_alike() -> None:
    sync = gymnasium.vector.SyncVectorEnv([lambda: envs.make("pong")] * 4)
    assert len(np.unique(sync.reset()[0], axis=0)) == 4
    for made in (lambda: envs.make("pong"), lambda: envs.make("pong", num_envs=2), lambda: envs.parallel("pong")):
        one, other = made(), made()
        one.reset()
        other.reset()
        assert one.vector.hash(0) != other.vector.hash(0)
        before = one.vector.hash(0)
        one.reset(seed=7)
        other.reset(seed=7)
        assert one.vector.hash(0) == other.vector.hash(0) != before
        one.reset()  # goes on with the stream
        assert one.vector.hash(0) != other.vector.hash(0)
    assert len({envs.Vector("pong", 1).hash(0) for _ in range(4)}) == 4


@pytest.mark.parametrize("name", of_all("connect4", among=[name for name in envs.names() if envs.spec(name).masked]))
def test_masks_are_what_sample_takes(name: str) -> None:
    """A choice that is drawn under the mask is a possible one."""
    env, many, zoo = envs.make(name), envs.make(name, num_envs=3), envs.parallel(name)
    _, info = env.reset()
    _, told = many.reset()
    _, infos = zoo.reset()
    ruled_out = 0
    for _ in range(100):
        action, actions = (
            env.action_space.sample(info["action_mask"]),
            many.action_space.sample(tuple(told["action_mask"])),
        )
        each = {agent: zoo.action_space(agent).sample(infos[agent]["action_mask"]) for agent in zoo.agents}
        assert info["action_mask"][action] and told["action_mask"][range(3), actions].all()
        assert all(infos[agent]["action_mask"][choice] for agent, choice in each.items())
        ruled_out += int((info["action_mask"] == 0).sum())
        *_, terminated, truncated, info = env.step(action)
        if terminated or truncated:
            _, info = env.reset()
        told = many.step(actions)[4]
        infos = zoo.step(each)[4]
        if not zoo.agents:
            _, infos = zoo.reset()
    assert ruled_out, "no choice was ever impossible"


def test_masks_of_several_heads() -> None:
    heads: Any = SimpleNamespace(action_type="multi_discrete", head=[SimpleNamespace(size=3), SimpleNamespace(size=2)])
    found: Any = masks(heads, np.array([0, 1, 0, 0, 1], bool))
    assert gymnasium.spaces.MultiDiscrete([3, 2]).sample(found).tolist() == [1, 1]


COPIES = [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))]
MADE = {
    "single": lambda name: envs.make(name, render_mode="rgb_array", randomize=0.2),
    "vector": lambda name: envs.make(name, num_envs=3, randomize=0.2),
    "zoo": lambda name: envs.parallel(name, randomize=0.2),
}


@pytest.mark.parametrize("copied", COPIES, ids=["deepcopy", "pickle"])
@pytest.mark.parametrize("made", MADE.values(), ids=list(MADE))
@few
def test_a_copy_goes_on_as_the_original(name: str, made: Callable[[str], Any], copied: Callable[[Any], Any]) -> None:
    env = made(name)
    env.reset()
    many = isinstance(env, gymnasium.vector.VectorEnv)

    def action(t: int) -> Any:
        if not hasattr(env, "possible_agents"):
            env.action_space.seed(t)
            return env.action_space.sample()
        found = {}
        for i, agent in enumerate(env.agents):
            env.action_space(agent).seed(1000 * i + t)
            found[agent] = env.action_space(agent).sample()
        return found

    def on(env: Any, action: Any) -> Any:
        result = env.step(action)
        over = not env.agents if hasattr(env, "agents") else not many and bool(result[2] or result[3])
        return (result, env.reset()) if over else result

    for t in range(20):
        on(env, action(t))
    if env.render_mode:
        env.render()
    other = copied(env)
    assert other.vector.hash(0) == env.vector.hash(0)
    for t in range(20, 120):
        chosen = action(t)
        assert data_equivalence(on(env, chosen), on(other, chosen))
    if env.render_mode:
        assert (env.render() == other.render()).all()
    before = other.vector.hash(0)
    on(env, action(1))
    assert other.vector.hash(0) == before, "the copy shares memory with the original"


def test_a_pickle_of_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = envs.Vector("pong", 1).__getstate__()
    with pytest.raises(MinnowError, match="pickled with another version"):
        envs.Vector.__new__(envs.Vector).__setstate__(kept | {"source_hash": "0"})


@few
def test_stepping_a_finished_environment_is_refused(name: str) -> None:
    env = envs.make(name)
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(env.action_space.sample())
    env.reset()
    over, info = False, {}
    while not over:
        *_, terminated, truncated, info = env.step(env.action_space.sample())
        over = terminated or truncated
    assert set(info["outcome"]) == {"score", "return", "length", "success", "broken"}
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(env.action_space.sample())


@few
def test_parameters_are_keywords(name: str) -> None:
    p = envs.spec(name).param[0]
    high: dict[str, Any] = {p.name: p.high}
    beyond: dict[str, Any] = {p.name: p.high + 100}
    env = envs.make(name, num_envs=2, **high)
    env.reset()
    assert env.vector.params(1)[p.name] == np.float32(p.high)
    with pytest.raises(MinnowError, match=f"{p.name} = .* is out of its range, {p.low:g} to {p.high:g}"):
        envs.make(name, **beyond)
    with pytest.raises(MinnowError, match=f"did you mean {p.name}"):
        envs.make(name, **{p.name + "e": 1})


def test_unknown_environment() -> None:
    with pytest.raises(MinnowError, match="did you mean pong"):
        envs.make("pongg")


def rendered(env: gymnasium.Env) -> np.ndarray:
    picture = env.render()
    assert isinstance(picture, np.ndarray)
    return picture


@few
def test_gymnasiums_wrappers(name: str) -> None:
    """They own `info["episode"]`, and film what `render` gives."""
    env = envs.make(name, render_mode="rgb_array")
    env.reset(seed=0)
    before = rendered(env)
    assert before.dtype == np.uint8 and before.shape[1:] == (480, 3) and before.std() > 1
    env = RecordEpisodeStatistics(TimeLimit(env, 3))
    env.reset()
    over, info = False, {}
    while not over:
        *_, terminated, truncated, info = env.step(env.action_space.sample())
        over = terminated or truncated
        assert rendered(env).shape == before.shape
    assert info["episode"]["l"] <= 3
    assert envs.make(name).render() is None
    with pytest.raises(MinnowError, match="unknown render mode 'human'"):
        envs.make(name, render_mode="human")


@pytest.mark.full
def test_record_video_makes_a_film(tmp_path: Path) -> None:
    env = RecordVideo(envs.make("cartpole", render_mode="rgb_array"), str(tmp_path))
    env.reset(seed=0)
    while not env.step(1)[2]:
        pass
    env.close()
    (film,) = tmp_path.iterdir()
    assert film.suffix == ".mp4" and film.read_bytes()[4:8] == b"ftyp"


def test_what_record_video_wants_is_an_extra() -> None:
    """The extra that the document names brings what Gymnasium's wrapper and our pictures import."""
    root = Path(sure(envs.__file__)).resolve().parent.parent
    named = re.search(r"`RecordVideo` makes films \(extra `(\w+)`\)", (root / "docs/environments.md").read_text())
    extra = tomllib.loads((root / "pyproject.toml").read_text())["project"]["optional-dependencies"][sure(named)[1]]
    assert {sure(re.match(r"\w+", line))[0] for line in extra} >= {"moviepy", "pygame"}


def test_an_episode_ends_under_the_wrappers() -> None:
    env = RecordEpisodeStatistics(envs.make("cartpole", render_mode="rgb_array"))
    env.reset(seed=0)
    over, info = False, {}
    picture = last = np.zeros(0)
    while not over:
        last, picture = picture, rendered(env)
        *_, over, _, info = env.step(1)
    assert info["episode"]["l"] == info["outcome"]["length"] and info["episode"]["r"] == info["outcome"]["return"]
    assert (rendered(env) == picture).all() and (picture != last).any()  # not yet of the next episode
    env.reset()
    assert (rendered(env) != picture).any()
    many = VectorStatistics(envs.make("cartpole", num_envs=3))
    _, info = many.reset(seed=0)
    for _ in range(40):
        *_, info = many.step(np.ones(3, int))
        if info.get("final_info"):
            break
    assert info["episode"]["l"].max() == info["final_info"]["outcome"]["length"].max() > 0


def test_an_episode_is_a_life() -> None:
    """Snakes die and come back: an episode ends by death, and the next one begins in the same game."""
    env = envs.make("snake", seed=1, rest=30, time=2000)
    assert env.reset()[0].any()
    rng, died, games = np.random.default_rng(0), 0, []
    while died < 5:
        _, _, terminated, truncated, info = env.step(int(rng.integers(3)))
        if terminated or truncated:
            died += terminated
            assert info["outcome"]["length"] >= 1
            games.append(env.vector.params(0))
            first, _ = env.reset()
            assert first.any(), "the first observation of a life, not of one who is dead"
    assert all(game == games[0] for game in games)


def test_the_dead_are_told_where_there_are_several_agents() -> None:
    env = envs.make("snake", 2, agents=3, seed=1, rest=30)
    obs, info = env.reset()
    assert info["alive"].all()
    rng, fell = np.random.default_rng(0), np.zeros(6, bool)
    for _ in range(300):
        before = info["alive"]
        obs, reward, terminated, _, info = env.step(rng.integers(0, 3, 6))
        fell |= terminated
        assert not (terminated & ~before).any() and not reward[~before].any()
        assert (info["alive"] == obs.reshape(6, -1).any(1)).all()
    assert fell.any()
