"""The vectorised binding: results depend on seed, index and actions, and on nothing else."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from each import every, few

from minnow import envs
from minnow.cinfer.errors import MinnowError
from minnow.envs import Buffers
from minnow.envs.shapes import Circle, Rect, Text

NAMES = envs.names()
Vector = functools.partial(envs.Vector, agents=1)  # so that rows are environments
FIELDS = [field.name for field in fields(Buffers)]


def actions(vector: envs.Vector, steps: int, key: int = 0) -> Iterator[np.ndarray]:
    """Random actions [rows, heads]; a row's depend on its global number, so that groupings can be compared."""
    heads = vector.spec.head
    for step in range(steps):
        u = np.random.default_rng((key, step)).random((1024, len(heads)))[: vector.rows]
        yield np.stack(
            [
                u[:, h] * head.size if head.size else head.low + u[:, h] * (head.high - head.low)
                for h, head in enumerate(heads)
            ],
            axis=-1,
        ).astype(vector.spec.action_dtype)


def play(vector: envs.Vector, steps: int, key: int = 0) -> tuple[list[np.ndarray], list[int]]:
    """Everything a run writes (zeros where only an episode's end writes), and the hashes of its last states."""
    b = vector.buffers()
    vector.reset(b)
    seen = [b.obs.copy()]
    for action in actions(vector, steps, key):
        b.action[:] = action
        b.final_obs[:] = 0
        b.record[:] = 0
        vector.step(b)
        seen += [getattr(b, name).copy() for name in FIELDS]
    return seen, [vector.hash(i) for i in range(vector.num_envs)]


def same(a: list[np.ndarray], b: list[np.ndarray]) -> bool:
    return len(a) == len(b) and all(x.tobytes() == y.tobytes() for x, y in zip(a, b, strict=True))


@pytest.fixture
def with_lanes(monkeypatch: pytest.MonkeyPatch) -> Callable[[int | None], None]:
    """Makes later vectors of the build with so many lanes."""

    def choose(lanes: int | None) -> None:
        monkeypatch.setattr("minnow.envs.vector.library", functools.partial(envs.library, lanes=lanes))

    return choose


@every
def test_equal_seeds_play_equal_games(name: str) -> None:
    once, again = (play(Vector(name, 5, seed=3, randomize=0.2), 200) for _ in range(2))
    other = play(Vector(name, 5, seed=4, randomize=0.2), 200)
    high = play(Vector(name, 5, seed=3 + (1 << 40), randomize=0.2), 200)
    assert same(once[0], again[0]) and once[1] == again[1]
    assert not same(once[0], other[0]) and not same(once[0], high[0])
    assert len(set(once[1])) == 5, "environments of one vector differ"


@few
@pytest.mark.parametrize("num_envs", [1, 5, 16, 33])
def test_grouping_lanes_and_threads_change_nothing(name: str, num_envs: int, with_lanes: Callable) -> None:
    """In one vector, one by one, in lanes or not, by one thread or two."""
    options = {"seed": 9, "randomize": 0.3, "shaping": "discounted", "gamma": 0.99}
    want = play(Vector(name, num_envs, **options), 150)
    for lanes in (None, 1, 4) if envs.library(name).env_lanes() > 1 else (None,):
        with_lanes(lanes)
        for threads in (1, 2, 3):
            got = play(Vector(name, num_envs, threads=threads, **options), 150)
            assert same(want[0], got[0]) and want[1] == got[1], (lanes, threads)
    with_lanes(None)
    if num_envs <= 5:
        for i in range(num_envs):
            alone = Vector(name, 1, first_index=i, **options)
            b = alone.buffers()
            alone.reset(b)
            for action in actions(Vector(name, num_envs), 150):
                b.action[:] = action[i : i + 1]
                alone.step(b)
            assert alone.hash(0) == want[1][i]


@few
def test_several_agents_a_game(name: str) -> None:
    """All slots driven by the caller: rows are environment x agents + agent, and threads change nothing."""
    slots = envs.spec(name).slots
    one, two = (envs.Vector(name, 3, seed=4, agents=slots, threads=threads) for threads in (1, 2))
    want, got = play(one, 60), play(two, 60)
    assert same(want[0], got[0]) and want[1] == got[1]
    b = one.buffers()
    one.observe(b)
    for i in range(3):
        for slot in range(slots):
            alone = np.zeros(one.spec.obs_shape, one.spec.obs_dtype)
            scratch = one._ffi.new("char[]", one.lib.env_scratch_size())
            one.lib.env_observe(*one._place(i), slot, 0, one._ffi.cast("void *", alone.ctypes.data), scratch)
            assert (alone == b.obs[i * slots + slot]).all()


@few
def test_a_snapshot_goes_on_as_the_game_did(name: str) -> None:
    vector = Vector(name, 3, seed=1, randomize=0.2, shaping="difference")
    b = vector.buffers()
    vector.reset(b)
    for action in actions(vector, 37):
        b.action[:] = action
        vector.step(b)
    saved, obs, marks = vector.save(1), b.obs.copy(), vector.hash(1)

    def follow(target: envs.Vector) -> list[np.ndarray]:
        out, b = [], target.buffers()
        for action in actions(target, 200, key=1):
            b.action[:] = action
            b.record[:] = 0
            target.step(b)
            out += [x[1].copy() for x in (b.obs, b.reward, b.terminated, b.truncated, b.record, b.potential)]
        return out

    first = follow(vector)
    vector.load(1, saved)
    assert vector.hash(1) == marks
    vector.observe(b)
    assert (b.obs[1] == obs[1]).all()
    assert same(first, follow(vector))
    elsewhere = Vector(name, 3, seed=99, shaping="difference")
    elsewhere.reset(elsewhere.buffers())
    elsewhere.load(1, saved)
    assert same(first, follow(elsewhere)), "a snapshot holds all that the game depends on"


@few
def test_no_randomization_is_bit_identical(name: str) -> None:
    plain = play(Vector(name, 4, seed=2), 200)
    zero = play(Vector(name, 4, seed=2, randomize=0.0, params={p.name: p.value for p in envs.spec(name).param}), 200)
    point = envs.spec(name).param[0]
    ranged = play(Vector(name, 4, seed=2, ranges={point.name: (point.value, point.value)}), 200)
    assert same(plain[0], zero[0]) and plain[1] == zero[1]
    assert same(plain[0], ranged[0])


@few
def test_randomization_draws_what_the_table_says(name: str) -> None:
    spec, count, fraction = envs.spec(name), 400, 0.3
    vector = Vector(name, count, seed=6, randomize=fraction)
    b = vector.buffers()
    vector.reset(b)
    drawn = [vector.params(i) for i in range(count)]
    vector.reset(b)
    assert drawn[0] != vector.params(0), "each episode draws anew"
    for p in spec.param:
        values = np.array([each[p.name] for each in drawn])
        if p.kind != "physics":
            assert (values == np.float32(p.value)).all(), p.name
            continue
        half = fraction * (abs(p.value) or (p.high - p.low) / 2)
        low, high = max(p.value - half, p.low), min(p.value + half, p.high)
        assert values.min() >= low - 1e-6 * abs(low) and values.max() <= high + 1e-6 * abs(high), p.name
        if high > low:
            assert values.min() < low + 0.1 * (high - low) and values.max() > high - 0.1 * (high - low), p.name
            middle = np.sqrt(low * high) if p.scale == "log" else (low + high) / 2
            assert abs(np.median(values) - middle) < 0.1 * (high - low), p.name


@few
def test_ranges_hold_for_parameters_of_any_kind(name: str) -> None:
    spec = envs.spec(name)
    ranges = {p.name: (p.low, p.high) for p in spec.param}
    vector = Vector(name, 200, ranges=ranges)
    vector.reset(vector.buffers())
    drawn = [vector.params(i) for i in range(200)]
    for p in spec.param:
        values = np.array([each[p.name] for each in drawn])
        assert values.min() >= np.float32(p.low) and values.max() <= np.float32(p.high)
        assert len(set(values)) > 1
        if p.scale == "integer":
            assert (values == np.round(values)).all()


@few
@pytest.mark.parametrize("end", ["low", "high"])
def test_parameters_at_their_ends(name: str, end: str) -> None:
    spec = envs.spec(name)
    for chosen in ([p.name for p in spec.param], *([p.name] for p in spec.param)):
        vector = Vector(name, 8, seed=1, params={p.name: getattr(p, end) for p in spec.param if p.name in chosen})
        seen, _ = play(vector, 100)
        assert all(np.isfinite(x).all() for x in seen), chosen


@few
def test_the_end_of_an_episode(name: str) -> None:
    """SAME_STEP: obs is the next episode's first, final_obs the last one's last, episode sums it up."""
    vector = Vector(name, 32, seed=5)
    shadow = Vector(name, 32, seed=5, action_repeat=1)
    b, tick = vector.buffers(), shadow.buffers()
    repeat = vector.spec.action_repeat
    vector.reset(b)
    shadow.reset(tick)
    returns, length, ended = np.zeros(32), np.zeros(32), 0
    for action in actions(vector, 1200):
        # The same ticks one at a time: an environment that ends within the step waits for the others.
        b.action[:] = action
        lived = b.alive.copy()
        vector.step(b)
        over = b.terminated | b.truncated
        returns, length = returns + b.reward, length + lived
        for i in np.flatnonzero(over):
            score, total, steps, success, _ = b.record[i]
            spec = vector.spec
            assert spec.score_low <= score <= spec.score_high
            assert total == pytest.approx(returns[i]) and steps == length[i] and success in (0, 1)
            assert (b.final_obs[i] != b.obs[i]).any() or not b.alive[i]
            ended += 1
        reward, frozen, last = np.zeros(32, np.float32), np.zeros(32, bool), tick.obs.copy()
        kept: dict[int, bytes] = {}
        tick.action[:] = action
        for _ in range(repeat):
            shadow.step(tick)
            reward += np.where(frozen, 0, tick.reward)
            now = (tick.terminated | tick.truncated) & ~frozen
            for i in np.flatnonzero(now).tolist():
                kept[i] = shadow.save(i)
                last[i] = tick.final_obs[i]
            frozen |= now
        for i, saved in kept.items():
            shadow.load(i, saved)
        shadow.observe(tick)
        assert (frozen == over).all() and (reward == b.reward).all()
        assert (b.obs == tick.obs).all() and (b.final_obs[over] == last[over]).all()
        returns[over] = length[over] = 0
    assert ended >= 10


@few
def test_shaping_adds_up(name: str) -> None:
    """Over an episode difference sums to P(last) - P(first), discounted to -P(first) (plus the last, if cut off)."""
    gamma, count = 0.97, 16
    timed = any(param.name == "time" for param in envs.spec(name).param)
    options = {"seed": 8, "gamma": gamma, "params": {"time": 300} if timed else {}}  # so that episodes end
    forms = {form: Vector(name, count, shaping=form, **options) for form in ("none", "difference", "discounted")}
    buffers = {form: vector.buffers() for form, vector in forms.items()}
    spec = envs.spec(name)
    for form, vector in forms.items():
        vector.reset(buffers[form])

    def phi(vector: envs.Vector, i: int) -> float:
        return vector.lib.env_potential(*vector._place(i), 0)

    first = np.array([phi(forms["none"], i) for i in range(count)])
    sums, power, ended = {form: np.zeros(count) for form in forms}, np.ones(count), 0
    for action in actions(forms["none"], 700):
        for form, vector in forms.items():
            buffers[form].action[:] = action
            vector.step(buffers[form])
        plain = buffers["none"]
        for form in ("difference", "discounted"):
            extra = buffers[form].reward.astype(float) - plain.reward
            sums[form] += extra * (power if form == "discounted" else 1)
            assert (buffers[form].obs == plain.obs).all()
            assert same([buffers[form].record], [plain.record]), "the episode's return is without shaping"
            if not spec.has_potential:
                assert (extra == 0).all()
        power *= gamma
        for i in np.flatnonzero(plain.terminated | plain.truncated).tolist():
            last = plain.potential[i]
            assert sums["difference"][i] == pytest.approx(last - first[i], abs=1e-4)
            end = 0 if plain.terminated[i] else power[i] * last
            assert sums["discounted"][i] == pytest.approx(end - first[i], abs=1e-4)
            sums["difference"][i] = sums["discounted"][i] = 0
            power[i], first[i] = 1, phi(forms["none"], i)
            ended += 1
    assert ended >= 5


@few
def test_events_turn_parameters(name: str) -> None:
    spec = envs.spec(name)
    vector = Vector(name, 2, seed=1, randomize=0.2)
    b = vector.buffers()
    vector.reset(b)
    index, p = next((i, p) for i, p in enumerate(spec.param) if p.kind == "physics")
    wanted = np.float32((p.value + p.high) / 2)
    vector.event(0, vector.lib.ENV_EVENT_PARAM, slot=index, value=float(wanted))
    assert vector.params(0)[p.name] == wanted and vector.params(1)[p.name] != wanted
    vector.event(0, vector.lib.ENV_EVENT_RANDOMIZE, value=0)
    vector.reset(b)
    assert vector.params(0)[p.name] == wanted, "later episodes keep it"
    assert vector.params(0)[spec.param[0].name] in (wanted, np.float32(spec.param[0].value))
    vector.event(0, vector.lib.ENV_EVENT_PARAM, slot=index, value=1e9)
    assert vector.params(0)[p.name] == np.float32(p.high)
    for kind, slot in ((-1, 0), (0, -1), (0, 10_000), (5, 0)):
        before = vector.hash(0)
        vector.event(0, kind, slot=slot, value=float("nan"))
        assert vector.hash(0) == before
    for gesture in spec.gesture:
        hashes = {vector.hash(0)}
        for x in (0.2, spec.view_width / 2):  # a place may be one where it does nothing
            vector.event(0, gesture.kind, at=(x, 0.9), way=(0.7, 0.7))
            hashes.add(vector.hash(0))
        assert len(hashes) > 1, gesture.name


@few
def test_all_slots_can_be_driven(name: str) -> None:
    spec = envs.spec(name)
    vector = Vector(name, 6, agents=spec.slots, seed=2)
    b = vector.buffers()
    assert b.obs.shape == (6 * spec.slots, *spec.obs_shape)
    seen, _ = play(vector, 50)
    assert all(np.isfinite(x).all() for x in seen)


@few
def test_the_script_plays_where_no_action_is_given(name: str) -> None:
    vector = Vector(name, 4, seed=2, script_skill=1.0)
    b = replace(vector.buffers(), action=envs.ABSENT)
    vector.reset(b)
    weak = Vector(name, 4, seed=2, script_skill=0.0)
    weak.reset(b)
    for _ in range(60):
        vector.step(b)
        weak.step(b)
    assert [vector.hash(i) for i in range(4)] != [weak.hash(i) for i in range(4)]


@few
def test_actions_that_do_not_exist_are_idle(name: str) -> None:
    spec = envs.spec(name)
    if spec.action_type == "box":
        wild, tame = np.array([[np.nan]]), np.array([[head.low for head in spec.head]])
    else:
        wild, tame = np.array([[2**31 - 1], [-1], [99]]), np.array([spec.idle] * 3)
    hashes = []
    for action in (wild, tame):
        vector = Vector(name, len(action), seed=1)
        b = vector.buffers()
        vector.reset(b)
        b.action[:] = action
        vector.step(b)
        hashes.append([vector.hash(i) for i in range(len(action))])
    assert hashes[0] == hashes[1]


@few
def test_masks_and_life(name: str) -> None:
    vector = Vector(name, 3)
    b = vector.buffers()
    vector.reset(b)
    assert b.alive.all() and b.mask.any() == (vector.spec.choices > 0)  # numbers are not masked
    if not vector.spec.masked:
        assert b.mask.all()


def test_buffers_live_as_long_as_their_owner_keeps_them() -> None:
    vector = Vector(NAMES[0], 2, seed=1)
    gone = []
    for _ in range(50):
        buffers = vector.buffers()
        vector.reset(buffers)
        vector.step(buffers)
        gone.append(weakref.ref(buffers.obs))
    buffers = None
    assert [ref() for ref in gone] == [None] * 50


@few
def test_wrong_buffers_are_named(name: str) -> None:
    vector = Vector(name, 4)
    good = vector.buffers()
    for bad in (
        replace(good, obs=good.obs[:2]),
        replace(good, obs=good.obs.astype(np.float64)),
        replace(good, reward=np.zeros((4, 2), np.float32)[:, 0]),
        replace(good, obs=None),
    ):
        with pytest.raises(MinnowError, match=r"buffers\.(obs|reward)"):
            vector.step(bad)
    locked = good.reward.copy()
    locked.flags.writeable = False
    with pytest.raises(MinnowError, match="read-only"):
        vector.step(replace(good, reward=locked))


@few
def test_wrong_options_are_named(name: str) -> None:
    p = envs.spec(name).param[0]
    cases: tuple[tuple[dict[str, Any], str], ...] = (
        ({"params": {p.name: p.high * 2 + 1}}, "out of its range"),
        ({"params": {p.name: float("nan")}}, "out of its range"),
        ({"params": {p.name: "much"}}, "must be a number"),
        ({"params": {p.name + "s": 1}}, f"did you mean {p.name}"),
        ({"ranges": {p.name: (p.high, p.low)}}, "low is above its high"),
        ({"agents": 99}, "agents = 99 is out of its range"),
        ({"randomize": 2}, "randomize = 2"),
        ({"shaping": "diference"}, "did you mean difference"),
        ({"seed": -1}, "seed = -1"),
        ({"script_skill": [0.5] * 9}, "slots"),
    )
    for options, words in cases:
        with pytest.raises(MinnowError, match=words):
            Vector(name, 2, **options)
    with pytest.raises(MinnowError, match=f"did you mean {name}"):
        Vector(name + "x", 1)
    with pytest.raises(MinnowError, match="num_envs"):
        Vector(name, 0)


def test_no_compiler_is_an_error_in_words(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("MINNOW_CACHE", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    envs.forget()
    try:
        with pytest.raises(MinnowError, match="apt-get install"):
            Vector(NAMES[0], 1)
    finally:
        envs.forget()


@every
def test_the_declaration_is_whole(name: str) -> None:
    spec = envs.spec(name)
    assert spec.name == name and spec.title and spec.description.endswith(".") and spec.score_name
    assert len(spec.fields) == spec.obs_shape[0]
    assert int(np.prod(spec.obs_shape)) == envs.library(name).env_obs_size(0)
    assert spec.param and spec.control and spec.has_script
    for p in spec.param:
        assert p.low <= p.value <= p.high and p.low < p.high and p.doc.endswith("."), p.name
        assert p.scale != "log" or p.low > 0, p.name
    assert "skill" in [p.name for p in spec.param]
    for head in spec.head:
        assert head.size == 0 or len(head.labels) == head.size
    for control in spec.control:
        assert control.head < spec.heads and (control.keys or control.touch)
    assert len(spec.source_hash) == 64


@every
def test_the_picture(name: str) -> None:
    vector = Vector(name, 1, seed=3)
    b = vector.buffers()
    vector.reset(b)
    first = vector.draw(0)
    for action in actions(vector, 60):
        b.action[:] = action
        vector.step(b)
    assert 5 < len(first) < 2000 and first != vector.draw(0)
    if not vector.spec.three_d:
        width, height = vector.spec.view_width, vector.spec.view_height
        places = [(shape.x, shape.y) for shape in first if isinstance(shape, Rect | Circle | Text)]
        assert places and all(-1 <= x <= width + 1 and -1 <= y <= height + 1 for x, y in places)
