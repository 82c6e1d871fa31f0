"""Policies of other libraries: the file's actions are the library's own, over 1,000 observations.

Each case has the real library make a policy, save it and predict; the file is what `importers.load` makes of it.
"""

from __future__ import annotations

import copy
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import sb3_contrib
import stable_baselines3
from gymnasium import spaces
from importer_cases import ACTIONS, FEW, OBSERVATIONS, SHORT, Case, cases
from stable_baselines3.common.policies import ActorCriticPolicy
from sure import sure

from minnow.cinfer import load
from minnow.cli.main import main
from minnow.export import Box, ExportError, importers
from minnow.export.exporter import build

ROWS = 1000
STEPS, AGENTS = 50, 20  # the same number, for policies with memory
CLOSE = 1e-5


class Game(gymnasium.Env):
    """Any observation and action, drawn at random: what a policy is trained on is not what is tested."""

    def __init__(self, observation: spaces.Space, action: spaces.Space) -> None:
        self.observation_space, self.action_space = copy.deepcopy(observation), action

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple[Any, dict]:
        super().reset(seed=seed)
        if seed is not None:
            self.observation_space.seed(seed)
        self.left = 9
        return self.observation_space.sample(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict]:
        self.left -= 1
        return self.observation_space.sample(), float(np.sum(action)), self.left == 0, False, {}


def observations(space: spaces.Space, *shape: int, seed: int = 0) -> Any:
    """[*shape, ...] of a space; of unbounded ones, also far from zero."""
    if isinstance(space, spaces.Dict):
        return {name: observations(inner, *shape, seed=seed) for name, inner in space.spaces.items()}
    random = np.random.default_rng(seed)
    if isinstance(space, spaces.Discrete):
        return random.integers(space.n, size=shape)
    whole = sure(space.shape)
    if space.dtype == np.uint8:
        light = random.uniform(0, 256, (*shape, *[1] * (len(whole) - 1), whole[-1]))
        return (random.uniform(0, light, (*shape, *whole))).astype(np.uint8)
    return (random.standard_normal((*shape, *whole)) * random.choice((0.1, 1, 10), (*shape, 1))).astype(np.float32)


def made(imported: Any) -> Any:
    """The policy file of what was imported, loaded."""
    return load(build(imported.module, imported.obs, **imported.arguments()).data)


def agree(out: Any, expected: np.ndarray, action: Any, least: int = 2, mask: np.ndarray | None = None) -> None:
    """Holds a step's actions to those of the library, [agents, ...], of which at least `least` differ."""
    found = out.action.reshape(len(out.action), -1)
    expected = np.asarray(expected).reshape(found.shape)
    assert len(np.unique(expected.round(3), axis=0)) >= least, "the library's actions hardly differ: a weak test"
    if action.kind == "box":
        reach = np.subtract(action.high, action.low)  # of what can be done, the unit of an action
        far = float((np.abs(found - expected) / np.maximum(1, np.where(np.isfinite(reach), reach, 1))).max())
        assert far <= CLOSE
        return
    shown = out.logits if mask is None else np.where(mask, out.logits, -1e9)
    start = 0
    for head, size in enumerate(action.sizes):
        logits = shown[:, start : start + size]
        best = np.sort(logits, 1)
        close = best[:, -1] - best[:, -2] < CLOSE
        assert ((found[:, head] == expected[:, head]) | close).all()
        assert close.sum() <= max(3, 0.01 * len(close)), "too many ties to say anything"
        start += size


def play(file: Any, step: Any, clear: Any, obs: Any) -> None:
    """Holds a policy to `step(obs) -> actions` over steps of obs, [STEPS, AGENTS, ...] or a dict of such arrays; agents
    start anew on the way by `clear(agents)`."""
    session, random, seen = file.session(AGENTS), np.random.default_rng(3), []
    for t in range(STEPS):
        row = {name: item[t] for name, item in obs.items()} if isinstance(obs, dict) else obs[t]
        again = random.random(AGENTS) < 0.1
        session.reset(np.flatnonzero(again))
        clear(again)
        seen.append(np.asarray(step(row)))
        agree(session.step(row), seen[-1], file.action, least=1)
    assert len(np.unique(np.concatenate(seen).round(3), axis=0)) > 1, "the actions hardly differ: a weak test"


# Stable-Baselines3


def spread(layer: Any, run: Callable[[], Any], least: float = 1e-6) -> None:
    """Makes a last layer's outputs differ as `run` runs it, each around 0, to a deviation of up to 1: what has hardly
    learnt gives nearly the same action everywhere. least: the deviation up to which weights grow; larger ones magnify
    rounding, torch's own too."""
    import torch

    seen: list[Any] = []
    hook = layer.register_forward_hook(lambda _, __, out: seen.append(out.detach().reshape(-1, out.shape[-1])))
    run()
    hook.remove()
    found = torch.cat(seen)
    with torch.no_grad():
        std = found.std(0).clamp_min(least)
        layer.weight.div_(std[:, None])
        if layer.bias is not None:
            layer.bias.copy_((layer.bias - found.mean(0)) / std)


def last(policy: Any) -> Any:
    """The layer that a policy of Stable-Baselines3 ends with."""
    if hasattr(policy, "action_net"):
        net = policy.action_net
        return net if hasattr(net, "weight") else [part for part in net if hasattr(part, "weight")][-1]
    if hasattr(policy, "actor"):
        mu = policy.actor.mu
        return mu if hasattr(mu, "weight") else mu[-2]
    return policy.q_net.q_net[-1] if hasattr(policy, "q_net") else policy.quantile_net.quantile_net[-1]


def some(cases: Any, long: tuple[str, ...] = ()) -> list[Any]:
    """The names of cases, some of them for the long form alone."""
    return [pytest.param(name, marks=pytest.mark.full) if name in long else name for name in cases]


def algorithms(*packages: Any) -> dict[str, tuple[str, ...]]:
    """Every algorithm of the installed libraries, with the names of its policies."""
    from stable_baselines3.common.base_class import BaseAlgorithm

    found = {}
    for package in packages:
        for name, kind in vars(package).items():
            if isinstance(kind, type) and issubclass(kind, BaseAlgorithm):
                found[name] = tuple(kind.policy_aliases)
    return found


TABLE = list(cases(algorithms(stable_baselines3, sb3_contrib)))


def test_the_table_has_every_algorithm_and_policy() -> None:
    """And what runs in the short form is in it."""
    for name, policies in algorithms(stable_baselines3, sb3_contrib).items():
        assert set(policies) == {case.policy for case in TABLE if case.algorithm == name}
    names = [str(case) for case in TABLE]
    assert len(names) == len(set(names)) and set(SHORT) <= set(names)


class Spy:
    """Remembers what an environment gives, before any wrapper."""

    def __init__(self, games: Any) -> None:
        self.seen: Any = None
        for name in ("reset", "step_wait"):
            setattr(games, name, self.spied(getattr(games, name), name == "reset"))

    def spied(self, inner: Callable[[], Any], resets: bool) -> Callable[[], Any]:
        def call() -> Any:
            found = inner()
            self.seen = copy.deepcopy(found if resets else found[0])
            return found

        return call


def wrapped(case: Case, path: Path) -> tuple[Spy, Any]:
    """The environments of a case behind its wrappers, with statistics, which are saved."""
    from stable_baselines3.common.vec_env import DummyVecEnv, VecFrameStack, VecNormalize

    space = OBSERVATIONS[case.observation]
    games = DummyVecEnv([lambda: Game(space, ACTIONS[case.action])] * AGENTS)
    games.seed(3)
    spy = Spy(games)
    for word in case.wrappers.split():
        if word == "stack":
            games = VecFrameStack(games, 3)
            continue
        keys = None
        if isinstance(space, spaces.Dict):
            keys = ["speed"] if "gear" in space.spaces else list(space.spaces)
        games = VecNormalize(games, norm_reward=False, clip_obs=1.5, gamma=1, norm_obs_keys=keys)
        games.reset()
        for _ in range(4):
            games.step(np.zeros((AGENTS, *sure(games.action_space.shape)), games.action_space.dtype))
        games.training = False
        games.save(str(path))
    return spy, games


def run(case: Case, folder: Path) -> None:
    """Holds the file of a case's model to the model over 1,000 observations, with episodes that end on the way."""
    package = stable_baselines3 if hasattr(stable_baselines3, case.algorithm) else sb3_contrib
    spy, games = wrapped(case, folder / "normal.pkl")
    settings = FEW.get(case.algorithm, {}) | case.settings
    kind = getattr(package, case.algorithm)
    model = kind(case.policy, games, seed=1, device="cpu", policy_kwargs=dict(case.kwargs), **settings)
    masked = case.algorithm == "MaskablePPO"
    shown, state, begins = games.reset(), None, np.ones(AGENTS, bool)

    def ahead() -> None:
        obs, memory = games.reset(), None
        for _ in range(4):
            action, memory = model.predict(obs, memory, begins, deterministic=True)
            obs = games.step(action)[0]

    spread(last(model.policy), ahead, 0.02 if "Cnn" in case.policy else 1e-6)
    model.save(folder / "model.zip")
    options = {"frame_stack": 3} if "stack" in case.wrappers else {}
    options |= {"normalize": folder / "normal.pkl"} if "normalize" in case.wrappers else {}
    name = "sb3" if package is stable_baselines3 else "sb3-contrib"
    if case.refused:
        with pytest.raises(ExportError, match=case.refused):
            importers.load(name, folder / "model.zip", trust=True, **options, **case.options)
        return
    imported = importers.load(name, folder / "model.zip", trust=True, **options, **case.options)
    assert imported.meta["algorithm"] == case.algorithm
    file = made(imported)
    session, random, seen = file.session(AGENTS), np.random.default_rng(5), []
    shown = games.reset()
    for _ in range(STEPS):
        mask = None
        if masked:
            mask = random.random((AGENTS, file.action.choices)) < 0.7
            mask[:, np.cumsum((0, *file.action.sizes[:-1]))] = True
        more = {"action_masks": mask} if masked else {}
        expected, state = model.predict(shown, state, begins, deterministic=True, **more)
        agree(session.step(spy.seen, mask), expected, file.action, least=1, mask=mask)
        seen.append(np.asarray(expected).reshape(AGENTS, -1))
        shown, _, begins, _ = games.step(expected)
        session.reset(np.flatnonzero(begins))
    assert len(np.unique(np.concatenate(seen).round(3), axis=0)) > 1, "the actions hardly differ: a weak test"


@pytest.mark.parametrize("case", [pytest.param(c, id=str(c), marks=() if c.short else pytest.mark.full) for c in TABLE])
@pytest.mark.filterwarnings("ignore:You have specified a mini-batch size")
def test_sb3(case: Case, tmp_path: Path) -> None:
    run(case, tmp_path)


class Careful(ActorCriticPolicy):
    """Takes half of each action that the standard policy would."""

    def _get_action_dist_from_latent(self, latent_pi: Any) -> Any:
        return self.action_dist.proba_distribution(0.5 * self.action_net(latent_pi), self.log_std)


class Doubtful(ActorCriticPolicy):
    """Thinks half of what the standard policy does of every state, and acts the same."""

    def predict_values(self, obs: Any) -> Any:
        return 0.5 * super().predict_values(obs)


def saved(folder: Path, kind: str, policy: Any, observation: spaces.Space, action: str, **settings: Any) -> Path:
    package = stable_baselines3 if hasattr(stable_baselines3, kind) else sb3_contrib
    model = getattr(package, kind)(policy, Game(observation, ACTIONS[action]), device="cpu", **settings)
    if kind == "PPO":
        spread(last(model.policy), lambda: model.predict(observations(observation, 100), deterministic=True))
    model.save(folder / "model.zip")
    return folder / "model.zip"


@pytest.fixture(scope="module")
def ordinary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of PPO."""
    return saved(tmp_path_factory.mktemp("ppo"), "PPO", "MlpPolicy", OBSERVATIONS["vector"], "box")


def test_a_policy_with_a_distribution_of_its_own_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """It is read as the standard one, and the library acts otherwise."""
    path = saved(tmp_path, "PPO", Careful, OBSERVATIONS["vector"], "box")
    assert main(["export", "--from", "sb3", str(path), "--trust", "-o", str(tmp_path / "policy.minnow")]) == 1
    said = capsys.readouterr().err
    assert "acts otherwise than stable-baselines3" in said and "of 256 observations" in said
    assert not (tmp_path / "policy.minnow").exists()


def test_a_value_of_its_own_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, "PPO", Doubtful, OBSERVATIONS["vector"], "box")
    with pytest.raises(ExportError, match="gives its output 'value' otherwise than stable-baselines3"):
        importers.load("sb3", path, trust=True)


def test_a_class_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Named by a pickle, and found as Python started there would find it."""
    home = "from stable_baselines3.common.torch_layers import FlattenExtractor"
    (tmp_path / "own_parts.py").write_text(f"{home}\n\n\nclass Own(FlattenExtractor):\n    pass\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    kwargs = {"features_extractor_class": importlib.import_module("own_parts").Own}
    path = saved(tmp_path, "A2C", "MlpPolicy", OBSERVATIONS["vector"], "box", policy_kwargs=kwargs)
    del sys.modules["own_parts"]
    monkeypatch.setattr(sys, "path", sys.path[1:])
    monkeypatch.chdir(tmp_path)
    importlib.invalidate_caches()
    assert main(["export", "--from", "sb3", str(path), "--trust", "--no-critic"]) == 0
    assert [spec.name for spec in load(tmp_path / "model.minnow").outputs] == ["mean", "log_std"]


def test_the_file_in_c_is_held_too(ordinary: Path, tmp_path: Path) -> None:
    """What is wrong between the module and the file: here an action spec with other bounds."""
    imported = importers.load("sb3", ordinary, trust=True)
    imported.action = Box([-9, -9, -9], [9, 9, 9])
    with pytest.raises(ExportError, match="acts otherwise"):
        imported.export(tmp_path / "policy.minnow")
    assert not list(tmp_path.glob("policy.*"))


def test_stacks_along_an_axis_that_is_not_shown(tmp_path: Path) -> None:
    space = spaces.Box(-1, 1, (4, 5, 4), np.float32)
    path = saved(tmp_path, "A2C", "MlpPolicy", space, "discrete")
    with pytest.raises(ExportError, match="--channels-order last"):
        importers.load("sb3", path, trust=True, frame_stack=2)
    for order, shape in (("first", (2, 5, 4)), ("last", (4, 5, 2))):
        found = importers.load("sb3", path, trust=True, frame_stack=2, channels_order=order)
        assert found.obs.shape[1:] == shape


def test_statistics_of_something_else(ordinary: Path, tmp_path: Path) -> None:
    from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

    for name, words in (("board", "give the statistics that were saved with the model"), ("boxes", "a dict of arrays")):
        games = DummyVecEnv([lambda name=name: Game(OBSERVATIONS[name], ACTIONS["box"])])
        VecNormalize(games).save(str(tmp_path / "normal.pkl"))
        with pytest.raises(ExportError, match=words):
            importers.load("sb3", ordinary, trust=True, normalize=tmp_path / "normal.pkl")


def test_the_file_says_the_domain(tmp_path: Path) -> None:
    """Of each array, so that the proof of the file draws from it."""
    path = saved(tmp_path, "A2C", "MultiInputPolicy", OBSERVATIONS["dict"], "box")
    found = importers.load("sb3", path, trust=True).observation
    assert {name: (item["low"], item["high"], item["whole"]) for name, item in found.items()} == {
        "picture": (0, 255, True),
        "speed": (-1, 1, False),
        "gear": (0, 3, True),
    }


def test_a_model_of_the_other_library(ordinary: Path, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="--from sb3-contrib"):
        importers.load("sb3", saved(tmp_path, "ARS", "MlpPolicy", OBSERVATIONS["vector"], "box"), trust=True)
    with pytest.raises(ExportError, match=r"--from sb3\."):
        importers.load("sb3-contrib", ordinary, trust=True)


# Faults


def test_trust_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Nothing of a pickle is read before its reader says that the file is trusted."""
    (tmp_path / "model.zip").write_bytes(b"not even a zip file")
    with pytest.raises(ExportError, match="if you trust whoever made the file, say so with --trust"):
        importers.load("sb3", tmp_path / "model.zip")
    assert main(["export", "--from", "sb3", str(tmp_path / "model.zip")]) == 1
    assert "--trust" in capsys.readouterr().err
    with pytest.raises(ExportError, match=r"was not written by model\.save"):
        importers.load("sb3", tmp_path / "model.zip", trust=True)


@pytest.mark.parametrize(
    "argv, words",
    [
        (["--from", "sb4", "x"], "sb3"),
        (["--from"], "the name of a library"),
        (["--from", "sb3"], "needs the file"),
        (["--from", "sb3", "none.zip", "--trust"], "none.zip does not exist"),
        (["--from=sb3", "none.zip", "--trsut"], "--trust"),
    ],
)
def test_bad_arguments(argv: list[str], words: str, capsys: pytest.CaptureFixture) -> None:
    assert main(["export", *argv]) == 1
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("name", importers.LIBRARIES)
def test_help(name: str, capsys: pytest.CaptureFixture) -> None:
    assert main(["export", "--help"]) == 0
    assert f"  {name} " in capsys.readouterr().out
    with pytest.raises(SystemExit) as done:
        main(["export", "--from", name, "--help"])
    assert done.value.code == 0 and "--out" in capsys.readouterr().out
