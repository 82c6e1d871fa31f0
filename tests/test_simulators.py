"""Simulators that others wrote: what they share without them, and what they do where they are installed."""

from __future__ import annotations

import importlib.util
import json
import sys
import xml.etree.ElementTree as tree

import numpy as np
import pytest
import torch
from test_env_arm import REST, frames, rotation

from minnow import cinfer, envs
from minnow.cinfer.errors import MinnowError
from minnow.cli import eval as verb
from minnow.envs.foreign import AT_END, Foreign, reference
from minnow.envs.foreign.games import Single, Slice, described
from minnow.envs.foreign.memory import Shared
from minnow.envs.foreign.vector import Frame, declared
from minnow.envs.simulators import creator, panda, task
from minnow.train import config as configs
from minnow.train import device

PICK = envs.OURS.parent / "web" / "policies" / "pick_cube.minnow"
MUJOCO = pytest.mark.skipif(importlib.util.find_spec("mujoco") is None, reason="MuJoCo is not installed")
MANISKILL = pytest.mark.skipif(importlib.util.find_spec("mani_skill") is None, reason="ManiSkill is not installed")


class Climb(task.Task):
    """Progress is how much the first action was, so far; full is success."""

    def __init__(self, randomize: float = 0.0, **values: float) -> None:
        super().__init__(3, 6, values, randomize, None)

    def begin(self, seed: int) -> task.Moment:
        self.far = 0.0
        return task.Moment(np.full(3, seed % 7, float), False, 0.0)

    def advance(self, action: np.ndarray) -> task.Moment:
        self.far += float(action[0])
        return task.Moment(np.zeros(3), self.far >= 1, self.far)


def played(env: Climb, actions: list[float], progress: tuple[str, float] | None = None) -> tuple[list[float], Slice]:
    game = Single(env, "climb")
    game.probe(0)
    spec = declared(json.loads(json.dumps(described(Foreign("mujoco", "", "climb"), game) | FAKE, default=vars)))
    rows = Slice(Shared(Frame(spec, 1)).array, 0, 1)
    game.attach(rows)
    game.success, game.progress = True, progress
    game.begin(1)
    paid = []
    for action in actions:
        game.step([[action, *[0.0] * task.ARM]])
        paid.append(float(rows.reward[0]))
    return paid, rows


FAKE = {"param": []}


@pytest.fixture(autouse=True)
def _without(monkeypatch: pytest.MonkeyPatch) -> None:
    """`described` asks the simulator for its parameters: not this one."""
    monkeypatch.setattr("minnow.envs.foreign.games._creator", lambda ref: (Climb, {}))


def test_a_name_is_a_task_of_a_simulator() -> None:
    found = reference("maniskill/PickCube-v1")
    assert found is not None and found == Foreign("maniskill", "", "PickCube-v1") and found.simulator
    assert (found.name, found.shelf) == ("maniskill/PickCube-v1", "maniskill-PickCube-v1")
    assert reference("pick/maniskill") is None
    with pytest.raises(MinnowError, match="maniskill/TASK, such as"):
        reference("maniskill/")


def test_success_counts_at_any_step_and_at_the_end() -> None:
    """Going on to the last step unless `ends`; the score is that of the last step, a return has no shaping."""
    paid, rows = played(Climb(), [0.5, 0.5, -0.5, 0, 0, 0], ("difference", 1.0))
    assert paid == pytest.approx([0.5, 1.5, -0.5, 0, 0, 0])
    assert rows.truncated[0] and not rows.terminated[0] and rows.record[0].tolist() == [0, 1, 6, 1, 0]
    paid, rows = played(Climb(ends=1), [0.5, 0.5], ("discounted", 0.9))
    assert paid == pytest.approx([0.45, 1 - 0.5]) and rows.terminated[0]
    assert rows.record[0].tolist() == [1, 1, 2, 1, 0]
    assert played(Climb(raw=1), [0.25, 0.25])[0] == pytest.approx([0.25, 0.5])


def test_randomization_is_that_of_environments_in_c() -> None:
    """The same bounds as `randomize` gives there, on the same parameters."""
    rng, ours = np.random.default_rng(0), {param.name: param for param in envs.spec("pick_cube").param}
    for param in task.params():
        found = [task.drawn(param, 0.3, rng) for _ in range(200)]
        if param.kind != "physics":
            assert set(found) == {param.value}
            continue
        assert param == ours[param.name]
        half = 0.3 * (abs(param.value) or (param.high - param.low) / 2)
        low, high = max(param.low, param.value - half), min(param.high, param.value + half)
        assert low <= min(found) < low + 0.1 * (high - low) and high - 0.1 * (high - low) < max(found) <= high
    env = Climb(randomize=0.3)
    values = [env.reset(seed=seed)[0] is not None and env.value["reach"] for seed in (1, 1, 2)]
    assert values[0] == values[1] != values[2]


def test_the_scene_has_the_arm_s_measures() -> None:
    """The chain of bodies of the MJCF, at the rest position, beside Denavit and Hartenberg."""
    body = tree.fromstring(panda.scene(200)).find("worldbody/body[@name='base']")
    place, turn, angles = np.array([-0.615, 0.0, 0.0]), np.eye(3), iter(REST)
    for name in [*(f"link{i}" for i in range(1, 8)), "hand"]:
        assert body is not None
        body = body.find("body")
        assert body is not None and body.get("name") == name
        place = place + turn @ np.array(body.get("pos", "").split(), float)
        turn = turn @ rotation(np.array(body.get("quat", "").split(), float))
        if name != "hand":
            c, s = np.cos(angle := next(angles)), np.sin(angle)
            turn = turn @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    assert np.allclose(place, frames(REST)[-1][:3, 3], atol=1e-6)
    assert np.allclose(turn, frames(REST)[-1][:3, :3], atol=1e-6)


@pytest.mark.parametrize(("simulator", "module"), [("maniskill", "mani_skill"), ("mujoco", "mujoco")])
def test_what_is_missing_is_named(simulator: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*filter(lambda name: name.startswith("minnow.envs.simulators."), sys.modules)]:
        monkeypatch.delitem(sys.modules, name)
    for name in (module, "sapien"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MinnowError, match=r"is not installed: pip install .*\[sim\]"):
        creator(simulator, "pick_cube")


def test_a_policy_must_fit() -> None:
    spec, policy = envs.spec("pick_cube"), cinfer.load(PICK)
    inputs = {item.name: tuple(item.shape) for item in policy.inputs}
    verb.fit("it", inputs, 8, spec)
    for given, heads, word in (
        ({"obs": (41,)}, 8, r"sees obs \[41\], but pick_cube shows obs \[42\]"),
        (inputs, 7, "acts by 7 numbers, but pick_cube takes 8 numbers"),
        (inputs, [3], r"choices of \[3\]"),
    ):
        with pytest.raises(MinnowError, match=word):
            verb.fit("it", given, heads, spec)
    with pytest.raises(MinnowError, match="for a run or a file"):
        verb.player_of("pick_cube", "random", "mujoco/pick_cube")


@MUJOCO
def test_mujoco_moves_as_our_arm_does() -> None:
    """20 free steps from the same state: joints within 8 mrad of each other on the mean, and the same seed twice."""
    vector = envs.Vector("pick_cube", 4, seed=3, params={"limit": 1000})
    b = vector.buffers()
    vector.reset(b)
    tasks, rng = [creator("mujoco", "pick_cube")() for _ in range(4)], np.random.default_rng(1)
    for one, state in zip(tasks, b.obs.astype(float), strict=True):
        one.reset(seed=0)
        assert np.allclose(one.put(state).obs, state, atol=1e-5)
    found: list[np.ndarray] = []
    for _ in range(20):
        b.action[:] = rng.uniform(-0.5, 0.5, b.action.shape)
        vector.step(b)
        found = [one.advance(row).obs for one, row in zip(tasks, b.action, strict=True)]
    assert np.abs(np.array(found)[:, :7] - b.obs[:, :7]).mean() < 8e-3
    again = [creator("mujoco", "pick_cube")(randomize=0.3) for _ in range(2)]
    one, other = (each.reset(seed=5)[0] for each in again)
    assert np.array_equal(one, other)
    with pytest.raises(MinnowError, match="did you mean pick_cube"):
        creator("mujoco", "pickcube")()


def evaluated(on: str, capsys: pytest.CaptureFixture[str], episodes: int = 2) -> dict[str, float]:
    assert verb.main([str(PICK), "--on", on, "--episodes", str(episodes), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@MUJOCO
def test_a_policy_is_scored_in_mujoco(capsys: pytest.CaptureFixture[str]) -> None:
    """Of 12 cubes, most of which stand at an angle between the fingers, 10 or more are held."""
    found = evaluated("mujoco/pick_cube", capsys, 12)
    assert found["length_mean"] == 50 and min(found["success_rate"], found[AT_END]) >= 10 / 12


@MANISKILL
@pytest.mark.full
def test_a_policy_is_scored_in_maniskill(capsys: pytest.CaptureFixture[str]) -> None:
    found = evaluated("maniskill/PickCube-v1", capsys)
    assert found["length_mean"] == 50 and {"success_rate", AT_END} <= found.keys()
    with pytest.raises(MinnowError, match="did you mean PickCube"):
        evaluated("maniskill/PickCub-v1", capsys)


@MANISKILL
@pytest.mark.parametrize(("shaping", "randomize"), [("none", 0.0), ("difference", 0.3)])
def test_a_policy_is_trained_in_maniskill(shaping: configs.Shaping, randomize: float) -> None:
    """For three updates, with and without progress and randomization: of which the one pays, though chance does not
    succeed, and the other makes noise in the flag of the grasp."""
    config = configs.defaults("maniskill/PickCube-v1")
    train = config.train
    train.envs, train.env_threads, train.horizon, train.minibatch, train.steps = 2, 1, 16, 32, 96
    train.epochs, train.normalize_reward, train.shaping = 2, False, shaping
    config.randomize = randomize
    trainer = device.trainer(config)
    before = [item.detach().clone() for item in trainer.parameters]
    for _ in range(3):
        trainer.update()
        assert trainer.finite()
        assert bool(trainer.reward.any()) == (shaping != "none")
        assert isinstance(trainer.obs, torch.Tensor)
        grasped = trainer.obs[..., 18]
        assert bool((grasped != grasped.round()).any()) == bool(randomize)
    assert all(not old.equal(new) for old, new in zip(before, trainer.parameters, strict=True))
