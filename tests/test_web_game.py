"""The game core natively: snapshots, who drives, events, policies of other games; and kinds of environment that the
shipped ones are not."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from each import few

from minnow.cinfer import load
from minnow.cinfer.errors import MinnowError
from minnow.cinfer.policy import messages
from minnow.export import Box, Discrete, MultiDiscrete, export, format
from minnow.export.graph import Graph, Input, Op, Output, Value
from minnow.web.game import HERE as WEB
from minnow.web.game import PERSON, POLICY, RANDOM, Game, shared

HERE = Path(__file__).resolve().parent
AGENTS = 4


class Wanderer(torch.nn.Module):
    """Remembers the sum of what it saw; its choices depend on that."""

    def __init__(self, inputs: int, outputs: int, box: bool = False) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.see = torch.nn.Linear(inputs, 8)
        self.act = torch.nn.Linear(8, outputs)
        self.value = torch.nn.Linear(8, 1)
        self.box = box
        if box:
            self.log_std = torch.nn.Parameter(torch.zeros(outputs))

    def forward(self, obs: torch.Tensor, state: torch.Tensor) -> tuple[torch.Tensor, ...]:
        state = 0.9 * state + torch.tanh(self.see(obs.float() * 0.1))
        mean, value = self.act(state), self.value(state)
        if self.box:
            return mean, self.log_std + 0.0 * mean, value, state
        return mean, value, state


def wanderer(
    path: Path, inputs: int, action: Discrete | MultiDiscrete | Box, outputs: int, dtype: torch.dtype
) -> bytes:
    box = isinstance(action, Box)
    module = Wanderer(inputs, outputs, box).eval()
    names = ("mean", "log_std", "value") if box else ("logits", "value")
    obs, state = torch.zeros(AGENTS, inputs, dtype=dtype), torch.zeros(AGENTS, 8)
    export(module, obs, path, example_state=state, outputs=names, action=action)
    return path.read_bytes()


@pytest.fixture(scope="session")
def policy(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return wanderer(tmp_path_factory.mktemp("game") / "w.minnow", 8, Discrete(3), 3, torch.float32)


@pytest.fixture(scope="session", params=["discrete", "box"])
def other(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, bytes]:
    """An environment of each other kind, in a folder of its own, and a policy for it."""
    name, box = f"tiny_{request.param}", request.param == "box"
    folder = tmp_path_factory.mktemp("other")
    (folder / name).mkdir()
    source = (HERE / "tiny.c").read_text()
    (folder / name / f"{name}.c").write_text(f"#define TINY_BOX\n{source}" if box else source)
    action = Box([-1.0, 0.0], [1.0, 2.0]) if box else MultiDiscrete([3, 2])
    dtype = torch.float32 if box else torch.uint8
    return name, folder, wanderer(folder / "tiny.minnow", 5, action, 2 if box else 5, dtype)


@pytest.fixture
def tiny(other: tuple[str, Path, bytes], monkeypatch: pytest.MonkeyPatch) -> tuple[str, bytes]:
    """The other environment, found by name for the time of a test."""
    name, folder, policy = other
    monkeypatch.setenv("MINNOW_ENVS", str(folder))
    return name, policy


@few
def test_a_snapshot_is_a_fork(name: str) -> None:
    game = Game(name, seed=4)
    game.drive(0, PERSON)
    game.act(0, 1.0)
    game.tick(137)
    saved, hash_then = game.state, game.hash()
    game.tick(500)
    hash_later = game.hash()
    game.state = saved
    assert game.hash() == hash_then
    game.tick(500)
    assert game.hash() == hash_later != hash_then
    with pytest.raises(MinnowError, match="a snapshot of this game has"):
        game.state = saved[:-1]


@few
def test_chance_plays_what_is_possible(name: str) -> None:
    """By the seed alone, otherwise with another, and now and then another action."""
    games = [Game(name, seed=seed) for seed in (4, 4, 5)]
    ticks = 60 * games[0].spec.action_repeat
    seen: list[list[tuple[float, ...]]] = []
    for game in games:
        game.drive(0, RANDOM)
        seen.append([(game.tick(), game.action())[1] for _ in range(ticks)])
    assert games[0].hash() == games[1].hash() and seen[0] == seen[1] != seen[2]
    for index, head in enumerate(games[0].spec.head):
        values = {action[index] for action in seen[0]}
        low, high = (0, head.size - 1) if head.size else (head.low, head.high)
        assert len(values) > 1 and all(low <= value <= high for value in values)


def test_a_snapshot_holds_the_policy_s_memory_and_luck(policy: bytes) -> None:
    game = Game("pong", policy, seed=4)
    game.sample(True)
    game.tick(203)  # in the middle of a step
    saved = game.state
    game.tick(1000)
    later = game.hash()
    other = Game("pong", policy, seed=99)
    other.state = saved
    other.tick(1000)
    assert other.hash() == later


def test_the_policy_thinks_alike_whoever_drives(policy: bytes) -> None:
    """Taking over with the policy's own actions changes nothing, so its memory must have gone on."""
    driven, taken = Game("pong", policy, seed=8), Game("pong", policy, seed=8)
    driven.drive(1, POLICY)
    taken.drive(1, POLICY)
    for tick in range(900):
        driven.tick()
        if 100 < tick < 700:
            taken.drive(0, PERSON)
            taken.act(0, *driven.action(0))
        else:
            taken.drive(0, POLICY)
        taken.tick()
        assert taken.hash() == driven.hash(), tick


def test_sampled_differs_from_greedy_and_follows_the_seed(policy: bytes) -> None:
    hashes = {}
    for name, sampled, seed in (("greedy", False, 5), ("drawn", True, 5), ("again", True, 5), ("other", True, 6)):
        game = Game("pong", policy, seed=seed)
        game.sample(sampled)
        game.tick(2000)
        hashes[name] = game.hash()
    assert hashes["drawn"] == hashes["again"]
    assert len(set(hashes.values())) == 3


def test_events_arrive_at_the_next_tick() -> None:
    game, same = Game("pong", seed=2), Game("pong", seed=2)
    high = game.spec.param[0].high
    assert all(game.event(0, 0, value=value) for value in [*np.linspace(0.5, 1.0, 500), high])  # the last one counts
    same.event(0, 0, value=high)
    before = game.hash()
    game.tick(100)
    same.tick(100)
    assert game.hash() == same.hash() != before
    game.start(2)
    fresh = Game("pong", seed=2)
    game.tick(50)
    fresh.tick(50)
    assert game.hash() == fresh.hash()  # a new start forgets the turned parameter


def test_policies_of_other_games_are_refused(policy: bytes, tmp_path: Path) -> None:
    with pytest.raises(MinnowError, match=r"made for another game.*found 8, expected 4") as observation:
        Game("cartpole", policy)
    two = wanderer(tmp_path / "two.minnow", 8, Discrete(2), 2, torch.float32)
    with pytest.raises(MinnowError, match=r"made for another game.*found 2, expected 3") as action:
        Game("pong", two)
    box = wanderer(tmp_path / "box.minnow", 8, Box([-1.0], [1.0]), 1, torch.float32)
    with pytest.raises(MinnowError, match="made for another game") as kind:
        Game("pong", box)
    assert observation.value.number and action.value.number == kind.value.number


def test_other_kinds_of_environment(tiny: tuple[str, bytes]) -> None:
    name, policy = tiny
    game = Game(name, policy, seed=1)
    game.sample(True)
    for slot in range(3):
        game.drive(slot, POLICY)
    game.tick(60)
    for slot in range(3):
        assert game.score(slot) == 0
        game.drive(slot, PERSON)
    for unheard in (float("nan"), float("inf")):
        with pytest.raises(MinnowError, match="refuses"):
            game.act(0, 0.0, unheard)
    for held in (0.0, 1.0, 2.0, -7.0, 1e9):
        game.act(0, held, held)
        game.act(1, held, 1.0)
        game.tick(5)
    assert [game.score(slot) for slot in range(3)] == [0, 0, 0]
    assert len(game.draw()) == game.spec.shapes == 2000
    game.tick(300)
    assert game.c.game_episodes(game.at) == 3


def test_a_draw_list_that_is_too_long_is_told(tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    source = (HERE / "tiny.c").read_text()
    (tmp_path / "tiny" / "tiny.c").write_text(source.replace("#define ENV_SHAPES 2000", "#define ENV_SHAPES 1999"))
    with pytest.raises(MinnowError, match="tiny draws 2000 shapes, but declares 1999 at most"):
        Game(tmp_path / "tiny", seed=1).draw()


def test_what_the_policy_would_do_is_its_own(tiny: tuple[str, bytes]) -> None:
    """Not what the person holds who drives: page and window show the policy's."""
    driven, taken = (Game(*tiny, seed=1) for _ in range(2))
    driven.drive(0, POLICY)
    taken.drive(0, PERSON)
    taken.act(0, *(head.size - 1 if head.size else head.high for head in taken.spec.head))
    driven.tick()
    taken.tick()
    bounds = [(head.low, head.high) if not head.size else (0, head.size) for head in taken.spec.head]
    clipped = tuple(min(max(value, low), high) for value, (low, high) in zip(driven.chosen(0), bounds, strict=True))
    assert clipped == driven.action(0) != taken.action(0)
    assert taken.chosen(0) == driven.chosen(0)


def test_the_page_shows_the_policy_s_own_action(tmp_path: Path) -> None:
    """thoughts.js by itself: a person steers to the right, the policy would have gone left, and further than it may."""
    script = """
    globalThis.document = { createElement: () => ({
      append(...children) { this.children = children; }, style: {},
      get classList() { return { contains: (name) => this.className.includes(name), toggle() {} }; },
    }) };
    const { Thoughts } = await import(process.argv[1]);
    const head = [{ name: "steer", low: -1, high: 3 }, { name: "gas", low: 0, high: 1 }];
    const thoughts = new Thoughts({ action_type: "box", head });
    thoughts.update({ action: () => [3, 1], chosen: () => [-5, 0.25], value: () => 0, probabilities: () => [] }, 0);
    const shown = thoughts.choices.map(({ bar, figure }) => [figure.textContent, bar.style.left, bar.style.width]);
    console.log(JSON.stringify(shown));
    """
    player = shutil.copytree(WEB / "player", tmp_path / "player")
    (tmp_path / "package.json").write_text('{"type": "module"}')  # Node 18 asks for it
    page = player / "panels" / "thoughts.js"
    done = subprocess.run(
        ["node", "--input-type=module", "-e", script, str(page)], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == [["-1", "0%", "50%"], ["0.25", "25%", "25%"]]


def test_other_kinds_play_alike_in_a_debug_build(tiny: tuple[str, bytes]) -> None:
    name, policy = tiny
    flags = ["-O0", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]
    hashes = set()
    for cc in ("gcc", "clang"):
        libraries = (None, shared(name, cc=cc, flags=flags))
        games = [Game(name, policy, seed=1, library=library) for library in libraries]
        for game in games:
            game.sample(True)
            game.tick(2000)
            hashes.add(game.hash())
    assert len(hashes) == 1


def test_who_dies_and_returns_has_forgotten(tiny: tuple[str, bytes]) -> None:
    """Slot 0 is dead at ticks 30 to 39. Two pasts that lead to one world leave it with one memory after that."""
    name, policy = tiny
    values = []
    for paces in ((3, 3), (1, 5)):
        game = Game(name, policy, seed=1)
        for pace in (*paces, 3):
            game.event(0, 0, value=pace)
            game.tick(10)
        values.append([game.value(0)])
        game.tick(15)
        values[-1].append(game.value(0))
    assert values[0][0] != values[1][0]
    assert values[0][1] == values[1][1]


def test_a_game_goes_on_where_a_policy_asks_for_a_row_that_is_not_there() -> None:
    """The nearest one is played, the last: a native session would tell (error 9), and the page plays on."""
    graph = Graph([Value((8,)), Value((1,)), Value((3,)), Value((3,))])
    table = np.zeros((5, 3), np.float32)
    table[-1, 2] = 1
    graph.tensors, graph.tensor_names = [np.full((1, 8), 0, np.float32), np.full(1, 99, np.float32), table], list("wbt")
    graph.values[2] = Value((1, 3))
    graph.inputs = [Input("obs", 0)]
    graph.ops = [Op("linear", [0], [1], [0, 1]), Op("embedding", [1], [2], [2]), Op("reshape", [2], [3])]
    graph.outputs = [Output("logits", 3, "logits")]
    golden = format.Golden([np.zeros((2, 1, 8), np.float32)], [np.tile(table[-1], (2, 1, 1))])
    data = format.write(graph, None, action=Discrete(3), golden=golden)
    with pytest.raises(MinnowError, match="error 9"):
        load(data).session(1).step(np.zeros((1, 8), np.float32))
    game = Game("pong", data)
    game.tick(20)
    assert game.action(0) == (2,)


def observing(inputs: dict[str, tuple[tuple[int, ...], str]]) -> bytes:
    """A policy with these inputs, shape and type, that looks at the first one."""
    graph = Graph([Value(shape, dtype) for shape, dtype in inputs.values()] + [Value((3,))])
    graph.inputs = [Input(name, i) for i, name in enumerate(inputs)]
    graph.tensors, graph.tensor_names = [np.ones((3, 4), np.float32)], ["w"]
    graph.ops = [Op("linear", [0], [len(inputs)], [0, -1])]
    graph.outputs = [Output("logits", len(inputs), "logits")]
    zeros = [np.zeros((2, 1, *shape), np.float32 if dtype == "f32" else np.uint8) for shape, dtype in inputs.values()]
    golden = format.Golden(zeros, [np.zeros((2, 1, 3), np.float32)])
    return format.write(graph, None, action=Discrete(3), golden=golden)


@pytest.mark.parametrize(
    ("change", "number", "words"),
    [
        ({}, 81, "heads"),  # these are right: what it does is another matter
        ({"somebody": ((4,), "f32")}, 4, "other inputs"),
        ({"secret": ((1,), "f32")}, 4, "other inputs"),  # is for the critic alone
        ({"others": ((8, 64), "f32")}, 65, "shape"),
        ({"others": ((64, 8), "u8")}, 65, "shape"),
    ],
)
def test_inputs_are_the_games_groups(change: dict, number: int, words: str) -> None:
    right = {"self": ((4,), "f32"), "others": ((64, 8), "f32"), "there": ((64,), "u8")}
    with pytest.raises(MinnowError, match=f"made for another game.*{words}") as error:
        Game(HERE / "games" / "crowd", observing(right | change))
    assert error.value.number == number


def test_the_pages_words_are_the_headers() -> None:
    text = (WEB / "player" / "errors.js").read_text()
    found = {int(number): words for number, words in re.findall(r'^  (\d+): "(.*)",$', text, re.MULTILINE)}
    assert found == messages()
