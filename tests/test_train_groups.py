"""Policies that observe several named groups: vectors, pictures, sets, and what is for the critic alone."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from sure import sure
from test_replay import Module

from minnow import cinfer, envs, train
from minnow.cinfer.errors import MinnowError
from minnow.cli.export import export_run
from minnow.cli.main import main
from minnow.export import Discrete
from minnow.export.exporter import build
from minnow.export.verify import verify
from minnow.train import checkpoint, fault, observation
from minnow.train import config as configs
from minnow.train.config import Config, Core, PolicyConfig
from minnow.train.evaluation import FilePlayer, TorchPlayer, evaluate
from minnow.train.group import ALONE
from minnow.train.observation import Input, declared
from minnow.train.policy import CORES, Policy
from minnow.train.ppo import build_policy
from minnow.train.space import Categorical, Gaussian
from minnow.web.game import Game

torch.set_num_threads(1)
CROWD = Path(__file__).parent / "games" / "crowd"
GROUPS = (
    Input("self", "fields", (5,)),
    Input("items", "set", (6, 3)),  # a name that a module's dict of modules has a use of its own for
    Input("there", "present", (6,), "u8"),
    Input("map", "planes", (2, 4, 4), "u8"),
    Input("keys", "set", (2, 3), critic=True),
    Input("held", "present", (2,), "u8", critic=True),
)


def seen(*lead: int, groups: tuple[Input, ...] = GROUPS) -> dict[str, torch.Tensor]:
    """Observations of any numbers; half of the entities are there, and of the first agent none."""
    made = {item.name: torch.randn(*lead, *item.shape) for item in groups}
    made = {
        item.name: (made[item.name] * 40).abs().to(item.dtype) if item.type == "u8" else made[item.name]
        for item in groups
    }
    for item in groups:
        if item.kind == "present":
            made[item.name] = (torch.rand(*lead, *item.shape) < 0.5).to(torch.uint8)
            made[item.name][..., 0, :] = 0
    return made


def made(core: Core = "mlp", groups: tuple[Input, ...] = GROUPS, **changes: Any) -> Policy:
    torch.manual_seed(3)
    config = PolicyConfig(core=core, hidden=16, normalize=True, **changes)
    policy = Policy(config, groups, Categorical((3,))).double()
    policy.learn_scale(seen(4, 50, groups=groups), torch.ones(4, 50, dtype=torch.uint8))
    return policy


def double(obs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: leaf.double() if leaf.is_floating_point() else leaf for name, leaf in obs.items()}


def test_a_set_has_no_order_and_the_absent_say_nothing():
    policy, obs = made(activation="tanh"), double(seen(8))
    wanted = policy.step(obs, None)
    order = torch.randperm(6)
    moved = obs | {"items": obs["items"][:, order], "there": obs["there"][:, order]}
    torch.testing.assert_close(policy.step(moved, None), wanted)
    absent = obs["there"].unsqueeze(-1) == 0
    torch.testing.assert_close(policy.step(obs | {"items": obs["items"].masked_fill(absent, torch.nan)}, None), wanted)
    other = obs | {"items": obs["items"] + (obs["there"].unsqueeze(-1) != 0)}
    assert not torch.allclose(policy.step(other, None)[0][1:], wanted[0][1:])
    torch.testing.assert_close(policy.step(other, None)[0][0], wanted[0][0])  # who sees nobody
    stem: Any = policy.stems["of_items"]
    assert not stem(obs["items"], torch.zeros_like(obs["there"])).any()
    everyone = stem(obs["items"], torch.ones_like(obs["there"]))
    torch.testing.assert_close(everyone, stem(obs["items"], None))
    each = stem.each(obs["items"])
    torch.testing.assert_close(everyone, torch.cat([each.mean(1), each.amax(1)], -1))


def test_what_is_for_the_critic_alone_moves_the_value_alone():
    policy, obs = made("lstm"), double(seen(8))
    state = tuple(leaf.double() for leaf in sure(policy.initial_state(8)))
    out, value, after = policy.step(obs, state)
    after = sure(after)
    other = obs | {"keys": obs["keys"] + 1.0}
    again, moved, held = policy.step(other, state)
    assert torch.equal(out, again) and torch.equal(after[0], sure(held)[0])
    assert not torch.allclose(value[1:], moved[1:]) and torch.equal(value[0], moved[0])
    public = {item.name: obs[item.name] for item in policy.acting}
    assert policy.outputs == ("logits",) and set(public) == {"self", "items", "there", "map"}
    logits, kept = policy(public, state)
    assert torch.equal(logits, out) and torch.equal(kept[1], after[1])
    assert torch.equal(policy.act(public, state)[0], out)
    value.sum().backward()
    for part in (sure(policy.private), policy.encoder):
        assert sure(next(part.parameters()).grad).abs().sum() > 0


@pytest.mark.parametrize("space", [Categorical((3, 2)), Gaussian((-1.0,), (2.0,))], ids=["categorical", "gaussian"])
@pytest.mark.parametrize("layers", [0, 2])
@pytest.mark.parametrize("core", CORES)
def test_unrolling_equals_stepping(core, layers, space):
    torch.manual_seed(0)
    policy = Policy(PolicyConfig(core=core, hidden=8, layers=layers), GROUPS, space).double()
    obs, resets = double(seen(5, 6)), (torch.rand(5, 6) < 0.3).to(torch.uint8)
    state = policy.initial_state(6)
    state = None if state is None else tuple(leaf.double() for leaf in state)
    out, value, end = policy.unroll(obs, state, resets)
    for t in range(5):
        state = None if state is None else policy.clear(state, resets[t])
        step = {name: leaf[t] for name, leaf in obs.items()}
        one, worth, state = policy.step(step, state)
        torch.testing.assert_close((one, worth), (out[t], value[t]))
    if state is not None:
        torch.testing.assert_close(end, state)
    else:
        flat = {name: leaf.flatten(0, 1) for name, leaf in obs.items()}
        torch.testing.assert_close(policy.evaluate(flat), (out.flatten(0, 1), value.flatten()))


def test_statistics_are_of_those_who_live_and_of_what_is_there():
    policy = Policy(PolicyConfig(core="mlp", normalize=True), GROUPS, Categorical((3,)))
    obs, lives = seen(7, 9), (torch.rand(7, 9) < 0.5).to(torch.uint8)
    policy.learn_scale(obs, lives)
    own, items = policy.normalize["of_self"], policy.normalize["of_items"]
    torch.testing.assert_close(own.mean, obs["self"][lives.bool()].mean(0))
    present = (lives.unsqueeze(-1) & obs["there"]).bool()
    torch.testing.assert_close(items.mean, obs["items"][present].mean(0))
    assert items.count == present.sum() and items.mean.shape == (3,)
    assert set(policy.normalize) == {"of_self", "of_items", "of_keys"}  # bytes are scaled, not normalised
    alone = Policy(PolicyConfig(core="mlp", normalize=True), (3,), Categorical((3,)))
    alone.learn_scale(torch.zeros(4, 2, 3), torch.zeros(4, 2, dtype=torch.uint8))  # nobody lives
    assert torch.equal(alone.normalize.mean, torch.zeros(3)) and torch.equal(alone.normalize.scale, torch.ones(3))


def test_one_group_is_what_it_was():
    """Names of parameters, on which checkpoints and exported files rest; and one set alone is a network of its own."""
    names = ["actor.bias", "actor.weight", "critic.bias", "critic.weight", "encoder.0.bias", "encoder.0.weight"]
    for shape in ((5,), (2, 4, 4)):
        policy = Policy(PolicyConfig(core="mlp"), shape, Categorical((3,)))
        assert sorted(policy.state_dict()) == names
        torch.manual_seed(1)
        first = Policy(PolicyConfig(core="lstm"), shape, Categorical((3,)))
        torch.manual_seed(1)
        named = Policy(PolicyConfig(core="lstm"), observation.inputs(shape), Categorical((3,)))
        assert all(torch.equal(leaf, named.state_dict()[name]) for name, leaf in first.state_dict().items())
    alone = Policy(PolicyConfig(core="mlp", normalize=True), (Input("obs", "set", (6, 3)),), Categorical((3,)))
    obs = torch.randn(4, 6, 3)
    alone.learn_scale(obs.unsqueeze(0), torch.ones(1, 4))
    torch.testing.assert_close(alone(obs), alone(obs[:, torch.randperm(6)]))


def test_a_policy_must_see_something():
    with pytest.raises(MinnowError, match="would see nothing"):
        Policy(PolicyConfig(core="mlp"), (Input("obs", "fields", (3,), critic=True),), Categorical((3,)))
    with pytest.raises(MinnowError, match="of one group"):
        Policy(PolicyConfig(core="mlp", parts=True), GROUPS[:2], Categorical((9,)))


def test_groups_survive_a_checkpoint_and_old_ones_have_one(tmp_path):
    for meta, groups in (({"groups": observation.to_dict(GROUPS)}, GROUPS), ({"obs_shape": [2, 3]}, (2, 3))):
        policy = Policy(PolicyConfig(core="gru"), groups, Categorical((3,)))
        config = Config("cartpole", policy=PolicyConfig(core="gru"))
        meta |= {"config": config.to_dict(), "space": policy.space.to_dict(), "steps": 0}
        file = tmp_path / "000000000000.safetensors"
        checkpoint.save(file, {f"policy.{name}": leaf for name, leaf in policy.state_dict().items()}, meta)
        loaded, _ = checkpoint.load(file)
        assert loaded.inputs == policy.inputs and torch.equal(loaded.critic.weight, policy.critic.weight)


def test_a_file_has_the_groups_as_inputs():
    """Without those for the critic, and then without the value."""
    policy = made(activation="tanh").float().requires_grad_(False)
    policy.actor.weight.mul_(100)
    obs = seen(16)
    public = {item.name: obs[item.name].numpy() for item in policy.acting}
    loaded = cinfer.load(build(policy, public, outputs=policy.outputs, action=Discrete(3)).data)
    assert [item.name for item in loaded.inputs] == list(public) and loaded.inputs[2].dtype == np.uint8
    out = loaded.session(agents=16).step(public)
    np.testing.assert_allclose(sure(out.logits), policy.step(obs, None)[0].numpy(), rtol=1e-5, atol=1e-5)
    assert out.value is None
    with pytest.raises(MinnowError, match="the inputs are"):
        loaded.session(agents=16).step({name: leaf.numpy() for name, leaf in obs.items()})


@pytest.mark.parametrize("kept", ["obs", "final_obs"])
def test_an_environments_nan_is_named_in_its_group(kept):
    spec = envs.spec(CROWD)
    places = {item.name: (0,) if item.kind == "fields" else (5, 0) for item in spec.group if item.type == "f32"}
    assert len(places) > 1
    for name, place in places.items():
        seen: dict[str, Any] = {key: observation.zeros(declared(spec), 2, 6) for key in ("obs", "final_obs")}
        seen[kept][name][1, 4][place] = torch.nan
        given = {"reward": torch.zeros(2, 6), "sides": 2, "first_row": 10, "spec": spec, "config": Config("crowd")}
        trainer: Any = SimpleNamespace(group=ALONE, **seen, **given)
        told = fault.of_environment(trainer)
        field = next(item for item in spec.group if item.name == name).fields[0].name
        named = field if len(place) == 1 else f"{name} {place[0]}: {field}"
        assert told == f"the observation '{named}' of crowd is nan (step 1 of a rollout, environment 7, agent 0)"


def test_a_crowd_learns_and_is_exported(tmp_path, capsys):
    """4,096 agents, each of which sees a set of 64 others: trained, exported, verified everywhere, and played."""
    config = configs.defaults(CROWD)
    config.train.steps, config.env = 2 * 4 * 4096, {"time": 10.0}
    run = train.train(config, out=tmp_path / "run").run
    report = export_run(run)
    assert verify(report.path).passed()
    inputs = [(item.name, item.shape) for item in cinfer.load(report.path).inputs]
    assert inputs == [("self", (4,)), ("others", (64, 8)), ("there", (64,))]
    text = report.path.with_suffix(".md").read_text()
    assert "`others`:" in text and "way_x" in text and "secret" not in text
    policy = checkpoint.load(run)[0]
    assert policy.normalize["of_others"].count > 0
    assert not torch.equal(policy.actor.weight, build_policy(config, envs.spec(CROWD)).actor.weight)
    scores = []
    for player in (TorchPlayer(policy), FilePlayer(cinfer.load(report.path))):
        scores.append(evaluate(player, CROWD, 1, agents=4096, params=config.env))
        assert scores[-1].episodes == 1 and scores[-1].length_mean == 10
    assert scores[0].score_mean == pytest.approx(scores[1].score_mean, rel=0.01)
    game, page = Game(CROWD, report.path.read_bytes(), seed=1), Module(CROWD, [report.path])
    game.tick(3)
    assert page.play(game.inputs, 3, every=3)["hashes"] == [game.hash()]  # in the page's module, the same game
    page.close()
    capsys.readouterr()
    assert main(["eval", str(run), "--episodes", "1", "--agents", "4096", "--env.time", "5", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["length_mean"] == 5
