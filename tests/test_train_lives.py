"""Agents that die, return at once or later, and join late: whoever keeps something of a row obeys its resets."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sure import sure
from test_train_group import trained

from minnow import cinfer, envs
from minnow.export import Discrete
from minnow.export.exporter import build
from minnow.train import evaluation, ppo
from minnow.train.config import Config, Core, PolicyConfig, SelfPlayConfig, TrainConfig
from minnow.train.device import DevicePPO
from minnow.train.evaluation import FilePlayer, RandomPlayer, TorchPlayer, evaluate
from minnow.train.policy import LSTM, Policy
from minnow.train.ppo import PPO
from minnow.train.scale import RewardScale
from minnow.train.space import Categorical

torch.set_num_threads(1)
LIVES = Path(__file__).parent / "games" / "lives"
SPEC = envs.spec(LIVES)
SETTINGS = TrainConfig(steps=10**6, envs=3, horizon=40, minibatch=40 * SPEC.slots, epochs=2, learning_rate=0.01)
CORES = ["lstm", "mingru"]


def settings(core: Core, **changes: Any) -> Config:
    policy = PolicyConfig(core=core, hidden=16, remember=32 if core == "lstm" else 0)
    train = dataclasses.replace(SETTINGS, agents=SPEC.slots, **changes)
    return Config("lives", 3, policy=policy, train=train, path=str(LIVES))


def undecided(config: Config) -> Policy:
    """A policy that is slow to forget, and whose choices are about even: what it remembers tips the scales."""
    trainer = PPO(config)
    policy = trainer.policy
    with torch.no_grad():
        if policy.core is not None and not isinstance(policy.core, LSTM):
            policy.get_parameter("core.gate.bias").sub_(2.0)
        trainer.collect()
        policy.actor.bias.sub_(trainer.out[trainer.alive[:-1].bool()].median(0).values)
    return policy


@torch.no_grad()
def acting(config: Config, policy: Policy) -> PPO:
    """A trainer with this policy, made so sure of everything that its samples are its likeliest choices."""
    trainer = PPO(config)
    trainer.policy.load_state_dict(policy.state_dict())
    for leaf in (trainer.policy.actor.weight, trainer.policy.actor.bias):
        leaf.mul_(1e10)
    return trainer


def choices(policy: Policy) -> Discrete:
    assert isinstance(policy.space, Categorical)
    return Discrete(policy.space.sizes[0])


def exported(policy: Policy) -> bytes:
    group = SPEC.group[0]
    example = torch.randn(4, *group.shape)
    action = choices(policy)
    return build(policy, example, example_state=policy.initial_state(4), outputs=policy.outputs, action=action).data


@functools.cache
def known(core: Core) -> Policy:
    """An undecided policy."""
    return undecided(settings(core))


@functools.cache
def file_of(core: Core) -> bytes:
    return exported(known(core))


def players_of(core: Core, files: Sequence[str] = ("lstm",)) -> list[Any]:
    """With these weights: torch, and for the cores in `files`, whose making takes seconds, the policy file."""
    players: list[Any] = [TorchPlayer(known(core))]
    return [*players, FilePlayer(cinfer.load(file_of(core)))] if core in files else players


def rollouts(trainer: PPO, count: int) -> Iterator[None]:
    """Collects without learning; each time with other noise."""
    for _ in range(count):
        trainer.collect()
        yield
        trainer.update_index += 1


def without(owner: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is asked to clear memory does not."""
    monkeypatch.setattr(owner, name, lambda *given, **named: given[-2] if name == "clear" else None)


def wrong(trainer: Any, players: list[Any], count: int) -> list[int]:
    """How many actions of living agents differ between the rollout and each player, that sees what the rollout saw."""
    found, seen, rows = [0] * len(players), 0, trainer.resets.shape[1]
    for player in players:
        player.begin(rows, 0)
    for _ in rollouts(trainer, count):
        for t in range(trainer.train.horizon):
            alive = trainer.alive[t].numpy().astype(bool)
            seen += alive.sum()
            mask = trainer.mask[t].numpy() if SPEC.masked else None
            for i, player in enumerate(players):
                action = player.act(trainer.obs[t].numpy(), mask, trainer.resets[t].numpy().astype(bool), alive)
                found[i] += (action != trainer.env_action[t].numpy())[alive].any(1).sum()
    assert seen > 0.3 * count * rows * trainer.train.horizon
    return found


TICKS = [400, pytest.param(10_000, marks=pytest.mark.full)]


@pytest.mark.parametrize("ticks", TICKS)
@pytest.mark.parametrize("core", CORES)
def test_rollout_and_players_act_alike(core, ticks):
    trainer, players = acting(settings(core), known(core)), players_of(core, CORES if ticks > 1_000 else ("lstm",))
    assert wrong(trainer, players, ticks // trainer.train.horizon) == [0] * len(players)


@pytest.mark.parametrize("core", CORES)
def test_a_reset_left_out_by_collect_or_a_player_is_caught(core, monkeypatch):
    trainer, deaf = acting(settings(core), known(core)), players_of(core)
    for player in deaf:
        act = player.act
        monkeypatch.setattr(
            player, "act", lambda obs, mask, reset, alive, act=act: act(obs, mask, np.zeros_like(reset), alive)
        )
    assert min(wrong(trainer, deaf, 5)) > 0
    without(trainer.policy, "clear", monkeypatch)
    assert wrong(trainer, players_of(core)[:1], 5)[0] > 0


@pytest.mark.parametrize("core", CORES)
def test_a_reset_left_out_in_learning_is_caught(core, monkeypatch):
    """The policy that has not moved gives every action the probability that it had: its memory is the rollout's."""

    def furthest(blind: bool) -> float:
        trainer = PPO(settings(core, advantage="vtrace", learning_rate=0.0, epochs=1.0, precision="float64"))
        with torch.no_grad():
            trainer.policy.actor.weight.mul_(100)
        samples = trainer.samples
        if blind:
            monkeypatch.setattr(
                trainer,
                "samples",
                lambda advantage: dataclasses.replace(samples(advantage), resets=torch.zeros_like(trainer.resets[:-1])),
            )
        for _ in rollouts(trainer, 2):
            trainer.ratio.fill_(1)
            trainer.learn(trainer.advantages(), False)
        alive = trainer.alive[:-1].bool()
        return (trainer.ratio[alive] - 1).abs().max().item()

    assert furthest(blind=False) < 1e-9 and furthest(blind=True) > 1e-3


def slow_scale(trainer: PPO, sums: list[float], carry: np.ndarray) -> None:
    """What RewardScale takes in, a row and a step at a time."""
    for t in range(trainer.train.horizon):
        for row in range(len(carry)):
            carry[row] = trainer.train.gamma * carry[row] + float(trainer.reward[t, row])
            if trainer.alive[t, row]:
                sums.append(carry[row])
            if trainer.resets[t + 1, row]:
                carry[row] = 0.0


def test_the_scale_of_rewards_is_of_lives(monkeypatch):
    update = RewardScale.update
    for blind in (False, True):
        trainer = PPO(settings("mlp", normalize_reward=True))
        if blind:
            monkeypatch.setattr(
                RewardScale, "update", lambda self, r, lives, resets, *rest: update(self, r, lives, 0 * resets, *rest)
            )
        sums: list[float] = []
        carry = np.zeros(trainer.resets.shape[1])
        for _ in rollouts(trainer, 3):
            slow_scale(trainer, sums, carry)
        count, total, _ = sure(trainer.reward_scale).sums.tolist()
        assert count == len(sums)
        assert (total == pytest.approx(sum(sums), rel=1e-6)) != blind


@pytest.mark.parametrize("core", CORES)
def test_a_reset_left_out_by_past_networks_is_caught(core, monkeypatch):
    """Those of the pool answer as a player with their weights does that sees what they saw."""
    config = settings(core)
    config.selfplay = SelfPlayConfig(on=True, share=1.0, pool=2, snapshots=1)
    config.train.agents = 0
    policy = undecided(settings(core))
    for blind in (False, True):
        trainer: Any = acting(config, policy)
        trainer.rivals.interval = 10**9
        if blind:
            without(trainer.rivals.like, "clear", monkeypatch)
        past, player, found = ~trainer.learns.numpy(), TorchPlayer(policy), 0
        player.begin(len(past), 0)
        for _ in rollouts(trainer, 3):
            with torch.no_grad():
                trainer.policy.actor.weight.neg_()  # from the first rollout on the learner acts otherwise
            for t in range(trainer.train.horizon):
                alive = trainer.alive[t].numpy().astype(bool)
                mask = trainer.mask[t].numpy() if SPEC.masked else None
                action = player.act(trainer.obs[t].numpy(), mask, trainer.resets[t].numpy().astype(bool), alive)
                found += (action != trainer.env_action[t].numpy())[alive & past].any(1).sum()
        assert (found > 0) == blind


def test_a_past_network_stays_while_a_life_goes_on():
    config = settings("mlp")
    config.selfplay = SelfPlayConfig(on=True, share=0.5, pool=4, snapshots=10**4)
    config.train.agents = 0
    trainer = PPO(config)
    rivals, seats = sure(trainer.rivals), []
    note = rivals.note

    def noted(lived: torch.Tensor, ended: torch.Tensor, record: torch.Tensor) -> None:
        before = rivals.member.copy()
        note(lived, ended, record)
        goes_on = (lived.bool() & ~ended.bool()).view(len(before), -1).any(1).numpy()
        assert not (goes_on & (rivals.member != before)).any()
        seats.append((rivals.member != before).any())

    rivals.note = noted
    for _ in range(12):
        trainer.update()
    assert any(seats) and rivals.rating()[1] >= 0


@pytest.mark.parametrize("core", CORES)
def test_a_reset_left_out_on_a_device_is_caught(core, monkeypatch):
    """The device's form learns what the processor's does."""

    def learned(make: type[PPO], deaf: bool = False) -> torch.Tensor:
        trainer = make(settings(core, precision="float64", normalize_reward=True))
        with torch.no_grad():
            trainer.policy.actor.weight.mul_(100)
        if deaf:
            without(trainer.policy, "clear", monkeypatch)
        for _ in range(2):
            trainer.update()
        return torch.cat([leaf.detach().flatten() for leaf in trainer.parameters])

    wanted = learned(PPO)
    torch.testing.assert_close(learned(DevicePPO), wanted, rtol=1e-9, atol=1e-9)
    assert not torch.allclose(learned(DevicePPO, deaf=True), wanted, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("core", CORES)
def test_two_processes_learn_what_one_does(tmp_path, core):
    config = settings(core, precision="float64", normalize_reward=True)
    config.train.envs, config.train.minibatch, config.policy.normalize = 4, 40 * SPEC.slots * 2, True
    one, two = (trained(tmp_path, config, processes, 4) for processes in (1, 2))
    assert one.keys() == two.keys() and torch.equal(one["envs"], two["envs"])
    for name, leaf in one.items():
        torch.testing.assert_close(
            two[name].double(), leaf.double(), rtol=1e-9, atol=1e-9, msg=lambda m, n=name: f"{n}: {m}"
        )


@pytest.mark.parametrize("core", ["mlp", *CORES, "gru"])
def test_the_dead_cost_no_forward_pass_and_change_nothing(core, monkeypatch):
    counted: list[int] = []
    forward = PPO._forward

    def counting(self: PPO, obs: torch.Tensor, *rest: Any) -> Any:
        counted.append(len(obs))
        return forward(self, obs, *rest)

    monkeypatch.setattr(PPO, "_forward", counting)
    found = []
    for few in (0.0, 1.0):
        monkeypatch.setattr(ppo, "FEW", few)
        trainer = PPO(settings(core, precision="float64", normalize_reward=True))
        counted.clear()
        lived = 0
        for _ in range(2):
            trainer.update()
            lived += int(trainer.alive.sum())
        assert (
            sum(counted) == (lived if few else trainer.alive.numel() * 2) and lived < 0.95 * trainer.alive.numel() * 2
        )
        found.append(torch.cat([leaf.detach().flatten() for leaf in trainer.parameters]))
    torch.testing.assert_close(found[0], found[1], rtol=1e-9, atol=1e-9)


def test_what_happens_to_the_dead_is_not_learned_from():
    """Whatever stands at their steps, the update and its metrics are the same."""

    def learned(rows: str) -> tuple[torch.Tensor, dict[str, float]]:
        trainer = PPO(settings("mlp", priority=0.5))
        trainer.collect()
        alive = trainer.alive[:-1].bool()
        if rows:
            chosen = alive if rows == "living" else ~alive
            trainer.learned_reward[chosen] += torch.randn(int(chosen.sum())) * 10
            trainer.value[chosen] += torch.randn(int(chosen.sum()))
        metrics = trainer.learn(trainer.advantages(), True)
        return trainer.policy.actor.weight.detach(), metrics

    plain, dead, living = learned(""), learned("dead"), learned("living")
    assert torch.equal(plain[0], dead[0]) and plain[1] == dead[1]
    assert not torch.equal(plain[0], living[0])


@pytest.mark.parametrize("make", [PPO, DevicePPO])
def test_advantages_and_records_are_of_lives(make):
    """Against the definition, a life at a time: the dead have no future, those who left have what they last saw."""
    trainer = make(settings("lstm", precision="float64"))
    gamma, lam, horizon = trainer.train.gamma, trainer.train.gae_lambda, trainer.train.horizon
    ends, began = {"terminated": 0, "truncated": 0}, np.zeros(trainer.resets.shape[1], int)
    lengths: list[float] = []
    for _ in rollouts(trainer, 2):
        advantage = trainer.advantages()
        for row in range(advantage.shape[1]):
            carry = 0.0
            for t in reversed(range(horizon)):
                dead, left = bool(trainer.terminated[t, row]), bool(trainer.truncated[t, row])
                if not trainer.alive[t, row]:
                    assert not dead and not left and not trainer.reward[t, row]
                    continue
                ends["terminated"] += dead
                ends["truncated"] += left and not dead
                after = trainer.value[t + 1, row] if t + 1 < horizon else trainer.last_value[row]
                after = 0.0 if dead else trainer.final_value[t, row] if left else after
                delta = trainer.learned_reward[t, row] + gamma * after - trainer.value[t, row]
                carry = delta + (0.0 if dead or left else gamma * lam * carry)
                torch.testing.assert_close(advantage[t, row], carry)
            for t in range(horizon):
                began[row] += int(trainer.alive[t, row])
                if trainer.terminated[t, row] or trainer.truncated[t, row]:
                    lengths.append(began[row])
                    began[row] = 0
    assert min(ends.values()) > 0
    assert sorted(trainer.take_episodes()[:, 2]) == sorted(lengths)


def alone(index: int, seed: int, choose: Callable[[envs.Vector, np.ndarray], np.ndarray]) -> list[dict[str, float]]:
    """Each agent's figures from one episode of one environment, by its buffers."""
    vector = envs.Vector(LIVES, 1, seed=evaluation.EVALUATION | seed, first_index=index, agents=SPEC.slots)
    buffers = vector.buffers()
    vector.reset(buffers)
    found = [{"score": 0.0, "return": 0.0, "length": 0, "lives": 0} for _ in range(SPEC.slots)]
    while True:
        alive = buffers.alive.copy()
        buffers.action[:] = choose(vector, buffers.obs)
        vector.step(buffers)
        for slot, row in enumerate(found):
            row["return"] += float(buffers.reward[slot])
            row["length"] += int(alive[slot])
            if buffers.terminated[slot] or buffers.truncated[slot]:
                row["lives"] += 1
                row["score"] = float(buffers.record[slot, 0])
        if buffers.over[0]:
            return found


class Constant:
    def begin(self, rows, seed):
        self.rows = rows

    def act(self, obs, mask, reset, alive):
        return np.ones((self.rows, SPEC.heads), np.int32)


def test_every_agent_is_scored_to_the_end_of_its_environment(monkeypatch):
    rows = [row for i in range(5) for row in alone(i, 4, lambda vector, obs: np.ones((len(obs), SPEC.heads)))]
    score = evaluate(Constant(), LIVES, 5, seed=4, agents=SPEC.slots)
    rows_that_lived = [row for row in rows if row["lives"]]
    for name, figure in (("score", score.score_mean), ("return", score.return_mean), ("length", score.length_mean)):
        assert figure == pytest.approx(np.mean([row[name] for row in rows_that_lived]), rel=1e-5)
    assert score.lives == pytest.approx(np.mean([row["lives"] for row in rows])) and sure(score.lives) > 1
    assert f"lives {score.lives:.2f}" in str(score) and score.to_dict()["lives"] == score.lives
    monkeypatch.setattr(evaluation, "ROWS", 2 * SPEC.slots)
    assert evaluate(Constant(), LIVES, 5, seed=4, agents=SPEC.slots) == score
    assert evaluate(Constant(), LIVES, 5, seed=5, agents=SPEC.slots) != score


@pytest.mark.parametrize("core", CORES)
def test_evaluation_leaves_the_dead_out_and_scores_the_same(core, monkeypatch):
    scores = []
    for player in players_of(core):
        scores = []
        for few in (0.0, 1.0):
            monkeypatch.setattr(evaluation, "FEW", few)
            scores.append(evaluate(player, LIVES, 4, agents=SPEC.slots))
        assert scores[0] == scores[1]
    assert evaluate(RandomPlayer(SPEC), LIVES, 4) != scores[0]
