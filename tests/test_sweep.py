"""Sweeps: axes, what a study keeps, what is shown and written back."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path

import pytest
from short import small
from sure import sure

from minnow import envs
from minnow.cinfer.errors import MinnowError
from minnow.cli import sweep as verb
from minnow.cli.main import main
from minnow.train import checkpoint, evaluation
from minnow.train import config as configs
from minnow.train.sweep import study as studies
from minnow.train.sweep.axes import AROUND, STEPS, Axis, axes, judged, override, scored, setting, settings
from minnow.train.sweep.study import Result, Sampler, Study, busy, front
from minnow.train.sweep.worker import Plan, sweep


def elsewhere(folder: Path, sweep: str = "") -> Path:
    """A copy of CartPole in a folder of its own, with lines that say what a sweep turns."""
    place = folder / "cartpole"
    place.mkdir()
    (place / "cartpole.c").write_text(envs.source("cartpole").read_text().replace('"../', '"'))
    (place / "train.toml").write_text((envs.folder("cartpole") / "train.toml").read_text() + sweep)
    return place


def test_axes_surround_what_is_set_by_hand() -> None:
    base = configs.defaults("pong")
    found = {axis.name: axis for axis in axes(base)}
    assert set(AROUND) <= set(found)
    for axis in found.values():
        value = setting(base, axis.name)
        assert axis.value(axis.position(value)) == pytest.approx(value, rel=1e-6)
        assert axis.value(axis.at(0.0)) != axis.value(axis.at(1.0))
        assert axis.share(axis.at(0.5)) == pytest.approx(0.5, abs=0.26 if axis.form == "power" else 1e-2)


def test_every_corner_is_a_valid_run() -> None:
    for name in ("pong", "cartpole"):
        for core in ("mlp", "lstm"):
            base = configs.defaults(name)
            base = dataclasses.replace(base, policy=dataclasses.replace(base.policy, core=core))
            found = axes(base)
            for corner in range(64):
                params = {axis.name: axis.at(float(corner >> i % 6 & 1)) for i, axis in enumerate(found)}
                config = settings(base, found, params)
                configs.validate(config)
                configs.check_batch(config, 1)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("train.learning_rate = [0.1, 0.01]", "low below high"),
        ("train.learning_rate = 3", "[low, high]"),
        ("policy.core = ['mlp', 'gruu']", "gruu"),
        ("train.learningrate = [0.1, 0.2]", "train.learning_rate"),
    ],
)
def test_faulty_ranges(line: str, words: str, tmp_path: Path) -> None:
    base = configs.defaults(elsewhere(tmp_path, f"[sweep]\n{line}\n"))
    with pytest.raises(MinnowError, match=words.replace("[", r"\[")):
        axes(base)


def test_ranges_of_train_toml_count(tmp_path: Path) -> None:
    place = elsewhere(
        tmp_path, "[sweep.train]\ngamma = [0.9, 0.99]\nenvs = [100, 1000]\n[sweep.policy]\ncore = ['mlp', 'lstm']\n"
    )
    found = {axis.name: axis for axis in axes(configs.defaults(place))}
    assert found["train.gamma"].value(found["train.gamma"].low) == pytest.approx(0.99)
    assert {found["train.envs"].value(n) for n in (found["train.envs"].low, found["train.envs"].high)} == {128, 1024}
    assert found["policy.core"].choices == ("mlp", "lstm")


def test_lengths_keep_away_from_their_bounds(tmp_path: Path) -> None:
    """A score that only grows with the steps draws every sampler to the upper bound; ours stays within."""
    study = Study.join(small(), "s", str(tmp_path / "s.journal"), seed=1)
    length = next(axis for axis in study.axes if axis.name == STEPS)
    shares = []
    for _ in range(60):
        trial = study.ask(1000, "w")
        assert trial is not None
        shares.append(length.share(trial.params[STEPS]))
        study.tell(trial, [(trial.params[STEPS], 100 * shares[-1], 1.0)], time.time(), False)
    assert sum(not 0.02 <= share <= 0.98 for share in shares) / len(shares) < 0.2
    assert sum(share > 0.6 for share in shares) > 24, "the sampler has not learned that longer is better"


def test_points_of_a_curve_are_told_but_are_no_results(tmp_path: Path) -> None:
    study = Study.join(small(), "s", str(tmp_path / "s.journal"))
    trial = study.ask(5, "w")
    assert trial is not None
    curve = [(2048, 10.0, 0.1), (4096, 20.0, 0.2), (8192, 30.0, 0.4)]
    study.tell(trial, curve, time.time(), False)
    told = study.study.get_trials()
    assert [t.values for t in told if "point_of" in t.user_attrs] == [[10.0, 0.1], [20.0, 0.2]]
    (result,) = study.results()
    assert (result.score, result.seconds, result.curve) == (30.0, 0.4, curve)
    assert trial.params == study.hand_set(), "the hand-set point comes first"


def test_ends_alone_may_count(tmp_path: Path) -> None:
    """The rest of a curve is kept but not told, and a run that was stopped before its end has failed."""
    study = Study.join(small(), "s", str(tmp_path / "s.journal"))
    curve = [(2048, 10.0, 0.1), (4096, 20.0, 0.2), (8192, 30.0, 0.4)]
    for overrun in (False, True):
        trial = study.ask(5, "w")
        assert trial is not None
        study.tell(trial, curve, time.time(), overrun, endpoint=True)
    assert not [t for t in study.study.get_trials() if "point_of" in t.user_attrs]
    (result,) = study.results()
    assert (result.number, result.score, result.curve) == (0, 30.0, curve)


def test_randomization_may_be_turned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials train with it; all are judged alike, by the environment as it is and with the most of it."""
    place = elsewhere(tmp_path, "[sweep]\nrandomize = [0.0, 0.5]\n")
    base = configs.defaults(place)
    base = dataclasses.replace(base, train=dataclasses.replace(base.train, steps=8192, checkpoints=1))
    found = axes(base)
    assert settings(base, found, {"randomize": 0.3}).randomize == 0.3
    with pytest.raises(MinnowError, match="randomize"):
        setting(base, "randomise")
    job = Plan(base, "s", str(tmp_path / "s.journal"), 1, 60, 5, tmp_path / "runs")
    sweep(job, 1, [])
    (result,) = Study.open(base, "s", job.storage).results()
    policy, _ = checkpoint.load(checkpoint.find(tmp_path / "runs/0000"))
    player = evaluation.TorchPlayer(policy)
    scores = [evaluation.evaluate(player, place, 5, randomize=spread).score_mean for spread in (0.0, 0.5)]
    assert scores[0] != scores[1] and result.score == pytest.approx(sum(scores) / 2)
    assert verb.set_value("[train]\nsteps = 1\n", "", "randomize", 0.25) == "randomize = 0.25\n[train]\nsteps = 1\n"
    assert verb.set_value("randomize = 0.5\n[train]\n", "", "randomize", 0.25) == "randomize = 0.25\n[train]\n"


def test_the_ticks_of_a_step_may_be_turned(tmp_path: Path) -> None:
    """The discount of a trial goes by the tick, whatever its own axis says of a step."""
    place = elsewhere(tmp_path, "[sweep.policy]\naction_repeat = [1, 16]\n")
    base, own = configs.defaults(place), envs.spec(place).action_repeat
    (axis,) = (axis for axis in axes(base) if axis.name == "policy.action_repeat")
    assert (axis.low, axis.high, axis.position(setting(base, axis.name))) == (1, 16, own)
    trial = settings(base, axes(base), {"policy.action_repeat": 2 * own, "train.gamma": 0.1})
    assert trial.policy.action_repeat == 2 * own and trial.train.gamma == 0.9
    assert trial.discount == pytest.approx(0.81)


def test_lost_trials_are_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = Study.join(small(), "s", str(tmp_path / "s.journal"))
    lost = study.ask(1, "dead")
    assert lost is not None
    assert study.ask(1, "w") is None, "one trial was wanted and is taken"
    monkeypatch.setattr(studies, "STALE", -1.0)
    again = study.ask(1, "w")
    assert again is not None
    assert again.params == lost.params
    monkeypatch.setattr(studies, "STALE", 60.0)
    study.tell(again, [(8192, 1.0, 1.0)], time.time(), False)
    assert [r.number for r in study.results()] == [again.number]
    assert study.ask(1, "w") is None


def test_a_study_of_something_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = str(tmp_path / "s.journal")
    Study.join(small(), "s", url)
    with pytest.raises(MinnowError, match="another environment"):
        Study.join(configs.defaults("pong"), "s", url)
    with pytest.raises(MinnowError, match="other ranges"):
        Study.join(configs.defaults("cartpole"), "s", url)
    monkeypatch.setattr(studies, "FORMAT", 3)
    with pytest.raises(MinnowError, match="another version of minnow"):
        Study.join(small(), "s", url)
    with pytest.raises(MinnowError, match="no study at"):
        Study.open(small(), "s", str(tmp_path / "none"))
    with pytest.raises(MinnowError, match="it holds: s"):
        Study.open(small(), "t", url)
    with pytest.raises(MinnowError, match="grpc://HOST:PORT"):
        Study.join(small(), "s", "grpc://here")


def test_front_and_busy() -> None:
    def result(number: int, score: float, seconds: float, began: float, ended: float, worker: str) -> Result:
        return Result(number, {}, score, seconds, began, ended, worker, [], False)

    rows = [
        result(0, 5, 10, 0, 10, "a"),
        result(1, 7, 12, 10, 22, "a"),
        result(2, 6, 20, 0, 20, "b"),
        result(3, 5, 9, 25, 35, "b"),
    ]
    assert [r.number for r in front(rows)] == [3, 1]
    assert busy(rows) == pytest.approx(52 / 57)


def test_the_front_of_each_part(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of each value where they are few, else of each quarter of the range."""
    place = elsewhere(tmp_path, "[sweep.env]\nlimit = [500, 502]\n[sweep.policy]\ncore = ['mlp', 'gru']\n")
    base, url = configs.defaults(place), str(tmp_path / "s.journal")
    study = Study.join(base, "s", url)
    for i in range(6):
        trial = sure(study.ask(6, "w"))
        study.tell(trial, [(8192, float(i), 1.0 + i % 2)], time.time(), False)
    for name, most in (("env.limit", 3), ("policy.core", 2), ("train.gamma", 4)):
        parts = study.parts(name)
        assert 1 <= len(parts) <= most and sum(map(len, parts.values())) == 6
        for label, rows in parts.items():
            axis = next(axis for axis in study.axes if axis.name == name)
            values = [axis.value(row.params[name]) for row in rows]
            low, _, high = label.partition(" to ")
            if high:
                assert min(map(float, (low, high))) * 0.99 <= min(values) <= max(values) <= 1.01 * float(max(low, high))
            else:
                assert {str(value) for value in values} == {label}
    with pytest.raises(MinnowError, match=r"env\.limit"):
        study.parts("env.limits")
    where = ["--study", "s", "--storage", url, "--by", "policy.core"]
    assert main(["sweep", "show", str(place), *where, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["parts"]
    assert {row["policy.core"] for row in told} <= {"mlp", "gru"} and sum(row["trials"] for row in told) == 6
    assert [5, 5.0, 2.0] in [point for row in told for point in row["front"]]
    assert main(["sweep", "show", str(place), *where, "--plot", str(tmp_path / "front.png")]) == 0
    assert "the front of each part of policy.core" in capsys.readouterr().out


def test_apply_keeps_comments_and_the_rest() -> None:
    text = "# why\n[policy]\ncore = 'mlp'\n\n[train]\nsteps = 5 # few\n# tail\n"
    text = verb.set_value(text, "train", "steps", 9)
    text = verb.set_value(text, "train", "gamma", 0.5)
    text = verb.set_value(text, "env", "gravity", 2.0)
    assert text == (
        "# why\n[policy]\ncore = 'mlp'\n\n[train]\nsteps = 9 # few\ngamma = 0.5\n# tail\n\n[env]\ngravity = 2\n"
    )
    assert "gamma = 0.999963\n" in verb.set_value(text, "train", "gamma", 0.999963), "four digits would make it 1"


def test_show_and_apply(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of an environment that lies elsewhere: what is applied goes into its own train.toml."""
    place = elsewhere(tmp_path)
    base = configs.defaults(place)
    url = str(tmp_path / "s.journal")
    study = Study.join(base, "default", url, seed=0)
    for number in range(40):
        trial = study.ask(40, f"w{number % 2}")
        assert trial is not None
        rate = trial.params["train.learning_rate"]
        study.tell(trial, [(10_000, 100 * rate, 1.0), (20_000, 1e5 * rate, 2.0 + number)], time.time() - 1, number == 3)
    assert verb.main(["show", str(place), "--storage", url, "--json", "--plot", str(tmp_path / "s.png")]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["trials"] == 40
    assert shown["stopped_by_deadline"] == 1
    assert max(shown["importances"], key=shown["importances"].get) == "train.learning_rate"
    assert shown["front"][0]["trial"] == 0, "the fastest is always on the front"
    assert (tmp_path / "s.png").read_bytes()[:4] == b"\x89PNG"
    assert verb.main(["show", str(place), "--storage", url]) == 0
    assert "learning_rate" in capsys.readouterr().out
    assert verb.main(["apply", str(place), "--storage", url]) == 0
    applied = configs.defaults(place)
    best = max(study.results(), key=lambda result: result.score)
    assert applied.train.learning_rate == pytest.approx(best.params["train.learning_rate"], rel=1e-3)
    assert "Returns reach 100" in (place / "train.toml").read_text()


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["pongg"], "pong"),
        (["cartpole", "--workers", "0"], "--workers is 0"),
        (["cartpole", "--deadline", "0"], "--deadline is 0"),
        (["cartpole", "--trials", "0"], "must be 1 or more"),
        (["cartpole", "--trial", "3"], "--trials"),
        (["show", "cartpole"], "no study at"),
        (["apply"], "takes an environment"),
    ],
)
def test_bad_input(argv: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MinnowError, match=words):
        verb.main(argv)


def test_sampler_explores_choices() -> None:
    sampler = Sampler([Axis("policy.core", "choice", choices=("mlp", "lstm"))], 0)
    assert {sampler._anywhere("policy.core") for _ in range(50)} == {"mlp", "lstm"}


@pytest.mark.parametrize(
    ("junk", "words"),
    [
        (b"half a li\n{}\n", r"damaged in line \d+ \(b'half a li'\): remove"),
        (b'{"a": 1}\n', "damaged, or is not a journal: remove"),
    ],
)
def test_a_damaged_journal(junk: bytes, words: str, tmp_path: Path) -> None:
    journal = tmp_path / "s.journal"
    Study.join(small(), "s", str(journal))
    whole = journal.read_bytes()
    journal.write_bytes(whole + junk)
    for opened in (Study.join, Study.open):
        with pytest.raises(MinnowError, match=words):
            opened(small(), "s", str(journal))
    journal.write_bytes(whole)
    Study.open(small(), "s", str(journal))


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    for argv in (["--help"], ["show", "--help"], ["apply", "-h"]):
        assert verb.main(argv) == 0
        assert "usage: minnow sweep" in capsys.readouterr().out


@pytest.mark.parametrize(("core", "priority"), [("mlp", 0.5), ("lstm", 0.0)])
def test_minibatches_of_whole_sequences(core: str, priority: float) -> None:
    base = override(
        small(),
        {"policy.core": core, "train.priority": priority, "train.envs": 16, "train.horizon": 64, "train.minibatch": 32},
    )
    with pytest.raises(MinnowError, match="not a multiple of the horizon"):
        configs.check_batch(base, 1)
    configs.check_batch(settings(base, [], {}), 1)


def test_fidelity_and_rate_may_be_turned(tmp_path: Path) -> None:
    """By a recipe alone: whole numbers stay whole, the discount and an episode's length go by the second, and all are
    scored at the fidelity that it says, at the rate that they learnt at."""
    recipe = Path(__file__).resolve().parent.parent / "bench" / "fidelity.toml"
    base = configs.defaults("push_cube")
    found = {axis.name: axis for axis in axes(base, recipe)}
    assert set(found) == {"randomize", STEPS, *map("env.{}".format, ("level", "substeps", "hardness", "creep", "rate"))}
    assert (found["env.level"].form, found["env.level"].low, found["env.level"].high) == ("integer", 0, 2)
    assert found["env.hardness"].log and found["env.rate"].log
    hand = {name: axis.position(setting(base, name)) for name, axis in found.items()}
    assert isinstance(hand["env.level"], int) and hand["env.substeps"] == 5
    trial = settings(base, list(found.values()), hand | {"env.rate": 40.0, "env.level": 1})
    assert trial.train.gamma == pytest.approx(base.train.gamma**0.5) and trial.env["limit"] == 100
    assert judged(trial, list(found.values()), scored(base, recipe)) == {
        "level": 2, "substeps": 20, "rate": 40, "limit": 100
    }  # fmt: skip
    default = {axis.name: axis for axis in axes(base)}
    assert default["env.substeps"].form == "integer" and "env.rate" not in default and scored(base) == {}
    for text, words in (
        ("[sweep.env]\nlevel = [0, 2]\n[sweep.score]\nlevl = 1\n", "did you mean level"),
        ("[train]\nsteps = 1\n", "turns nothing"),
    ):
        (tmp_path / "r.toml").write_text(text)
        with pytest.raises(MinnowError, match=words):
            Study.join(base, "s", str(tmp_path / "s.journal"), recipe=tmp_path / "r.toml")
