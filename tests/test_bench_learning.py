"""`minnow bench train` and `minnow bench solve` measure what they say."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
from sure import sure

from minnow import envs
from minnow.bench import ablate, foreign, peers, seeds, solve, wait
from minnow.cli.main import main
from minnow.train import config as configs

CROWD = Path(__file__).parent / "games" / "crowd"


@pytest.mark.parametrize(
    ("env", "net", "backend", "processes"),
    [(CROWD, "mlp2x64", "c", 1), ("pong", "mlp2x64", "torch", 1), ("pong", "lstm128", "c", 2)],
)
def test_training_is_measured(capsys, env, net, backend, processes):
    flags = [
        "--env",
        str(env),
        "--net",
        net,
        "--backend",
        "auto" if backend == "c" else backend,
        "--seconds",
        "0.3",
        "--processes",
        str(processes),
        "--json",
    ]
    assert main(["bench", "train", *flags]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (
        row["env"] == Path(env).name
        and row["net"] == net
        and row["backend"] == backend
        and row["processes"] == processes
        and 0 < row["steps_per_second"] < row["limit"]
    )
    share = row["share"]
    assert set(share) == {"environment", "act", "learn", "exchange", "rest"}
    assert sum(share.values()) == pytest.approx(1, abs=1e-3) and min(share.values()) >= 0
    assert share["environment"] > 0 and share["act"] > 0 and share["learn"] > 0


def test_solving_takes_the_first_of_three_in_a_row(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(solve, "EPISODES", 20)
    out = tmp_path / "solve.json"
    argv = ["bench", "solve", "cartpole", "--first", "3", "--seeds", "1", "--score", "100", "--out", str(out), "--json"]
    assert main([*argv, "--processes", "2"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["seed"] == 3 and row["seconds"] > 0 and row["steps"] > 0 and row["score"] >= 100
    monkeypatch.setattr(solve, "solved", None)
    assert main([*argv, "--processes", "2"]) == 0  # from the file
    assert [row] == json.loads(capsys.readouterr().out) == json.loads(out.read_text())


def test_seeds_are_trained_and_judged(capsys, monkeypatch, tmp_path):
    """One by one into a file, from which a second call goes on."""
    out = tmp_path / "seeds.json"
    argv = ["bench", "seeds", "cartpole", "--episodes", "20", "--out", str(out), "--json"]
    assert main([*argv, "--seeds", "1", "--first", "1"]) == 0
    assert [row["seed"] for row in json.loads(out.read_text())] == [1]
    assert main([*argv, "--seeds", "2"]) == 0
    said = capsys.readouterr()
    rows = json.loads(said.out.splitlines()[-1])
    bar = sure(configs.bar("cartpole"))
    assert [row["seed"] for row in rows] == [0, 1] and all(row["reached"] and row["episodes"] == 20 for row in rows)
    assert all(row[bar.key] >= bar.least and row["seconds"] > 0 and row["steps"] > 100_000 for row in rows)
    assert "2 seeds: worst" in said.err and "0 below the bar (475), 0 below 90 %" in said.err
    monkeypatch.setattr(seeds, "trained", lambda *given: pytest.fail("what is there was measured again"))
    assert main([*argv, "--seeds", "2"]) == 0
    monkeypatch.setattr(configs, "bar", lambda place: configs.Bar("score_mean", 501.0))
    assert main([*argv, "--seeds", "2"]) == 1
    monkeypatch.undo()
    out.write_text("{}")
    assert main(argv) == 1
    assert "is not what minnow bench seeds --out writes" in capsys.readouterr().err


def test_spreads_are_drawn(tmp_path, capsys):
    rows = [{"env": "pong", "seed": i, "episodes": 4, "settings": "", "score_mean": 18.0 + i} for i in range(3)]
    out, picture = tmp_path / "seeds.json", tmp_path / "seeds.svg"
    out.write_text(json.dumps(rows))
    assert main(["plot", str(out), "-o", str(picture)]) == 0
    drawn = picture.read_text()
    assert "pong, 3 seeds" in drawn and drawn.count("<use ") >= 3
    out.write_text("[]")
    assert main(["plot", str(out), "-o", str(picture)]) == 1
    assert "holds no seeds" in capsys.readouterr().err


def test_a_bad_seed_is_far_from_the_others():
    for sign in (1, -1):
        rows = [{"score_mean": sign * score, "reached": True} for score in (100, 100, 100 - 5 * sign, 100 - 15 * sign)]
        assert "1 below 90 % of the median" in seeds.summary(rows, configs.Bar("score_mean", 0.0))


def test_other_settings_are_other_seeds(monkeypatch):
    place = envs.folder("cartpole")
    first = seeds.fingerprint(place)
    config = configs.defaults(place)
    config.train.gamma = 0.5
    monkeypatch.setattr(configs, "defaults", lambda name: config)
    assert seeds.fingerprint(place) != first


def test_an_ablation_turns_one_switch(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(ablate, "EPISODES", 4)
    argv = ["bench", "ablate", "--env", "cartpole", "--row", "no annealing", "--steps", "16384", "--seeds", "2"]
    kept = tmp_path / "kept.json"
    assert main([*argv, "--out", str(kept), "--json"]) == 0
    base, turned = json.loads(capsys.readouterr().out)
    assert (base["row"], turned["row"]) == ("as tuned", "no annealing") and base["runs"] != turned["runs"]
    assert all(len(run) == ablate.LOOKS for run in base["runs"] + turned["runs"])
    assert turned["score_mean"] == pytest.approx(sum(run[-1] for run in turned["runs"]) / 2, abs=1e-3)
    monkeypatch.setattr(ablate, "scores", None)  # everything is in the file: nothing is trained again
    assert main([*argv, "--out", str(kept)]) == 0
    assert "| no annealing | " in capsys.readouterr().out
    config, plain = ablate.settings("cartpole", "no annealing"), ablate.settings("cartpole", "as tuned")
    assert config.train.learning_rate_end == plain.train.learning_rate and config.train.epochs == plain.train.epochs
    assert {row for row in ablate.ROWS if ablate.settings("pong", row) == ablate.settings("pong", "as tuned")} == {
        "as tuned"
    }


def test_other_trainers_are_measured(capsys, monkeypatch):
    """On a score that each reaches before it has learned much."""
    monkeypatch.setattr(peers, "SNAPSHOTS", 1000)
    monkeypatch.setattr(solve, "EPISODES", 5)
    argv = ["bench", "solve", "cartpole", "--seeds", "1", "--score", "15", "--processes", "1", "--peers", "5", "--json"]
    assert main(argv) == 0
    ours, *others = json.loads(capsys.readouterr().out)
    assert "trainer" not in ours and [row["trainer"] for row in others] == [
        "stable-baselines3",
        "plain torch",
        *["jax"] * all(find_spec(package) for package in ("jax", "optax")),
    ]
    for row in others:
        assert row["steps_per_second"] > 0 and row["steps"] > 0 and 0 < row["seconds"] < 20 and row["score"] >= 15


def small(monkeypatch, tmp_path, name, bar=""):
    """Settings of a foreign environment by which it trains in an instant."""
    place = tmp_path / "envs" / name
    place.mkdir(parents=True)
    settings = "steps = 256\nenvs = 4\nhorizon = 32\nminibatch = 64\nepochs = 1.0\nenv_threads = 1"
    (place / "train.toml").write_text(f"[train]\n{settings}\n[bar]\n{bar}")
    monkeypatch.chdir(tmp_path)


def test_seeds_of_a_foreign_environment(capsys, monkeypatch, tmp_path):
    small(monkeypatch, tmp_path, "gym-foreign_games-Matching", "success_rate = 0.5")
    argv = ["bench", "seeds", "gym:foreign_games:Matching", "--seeds", "1", "--episodes", "4", "--json"]
    assert main(argv) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["steps"] == 256 and row["reached"] and row["success_rate"] == 1 and row["cpu_seconds"] > 0


def test_a_curve_is_held_against_shorter_trainings(capsys):
    assert main(["bench", "curve", "cartpole", "--steps", "32768", "--seeds", "2", "--episodes", "4", "--json"]) == 0
    out, err = capsys.readouterr()
    rows = json.loads(out)
    assert [row["steps"] for row in rows] == [8192, 16384, 24576, 32768]
    assert err.count("the curve of 32,768 scores") == 4
    assert all(len(row["curve"]) == len(row["trained"]) == 2 for row in rows)
    assert rows[-1]["curve"] == rows[-1]["trained"] and any(row["curve"] != row["trained"] for row in rows[:-1])


def test_a_foreign_environment_is_measured_beside_another_trainer(capsys, monkeypatch, tmp_path):
    from stable_baselines3.common.vec_env import DummyVecEnv

    small(monkeypatch, tmp_path, "gym-CartPole-v1")
    made = lambda ref, train: DummyVecEnv([lambda: foreign.monitored(ref)] * 2)  # noqa: E731
    monkeypatch.setattr(foreign, "vectored", made)  # in this process, which SubprocVecEnv is not
    argv = ["bench", "foreign", "gym:CartPole-v1", "--rounds", "1", "--seconds", "0.01", "--processes", "1", "--json"]
    assert main(argv) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["backend"] == "c" and row["ratio"] == pytest.approx(
        row["steps_per_second"] / row["sb3_steps_per_second"], abs=0.01
    )
    assert row["limit"] > row["steps_per_cpu_second"] > 0 and row["sb3_steps_per_cpu_second"] > 0


def test_turns_are_told_by_their_medians():
    laps = {
        "minnow": [(900, 1.0, 2.0), (600, 1.0, 1.0), (400, 2.0, 1.0)],
        "sb3": [(100, 1.0, 1.0), (300, 1.0, 1.0), (100, 2.0, 0.5)],
        "alone": [(1000, 1.0, 0.5)] * 3,
    }
    row = foreign.told(laps, 2)
    assert (row["steps_per_second"], row["sb3_steps_per_second"], row["ratio"]) == (600, 100, 4)
    assert (row["steps_per_cpu_second"], row["sb3_steps_per_cpu_second"], row["cpu_ratio"]) == (450, 200, 2)
    assert row["limit"] == 4000


BAD = [
    (["foreign", "pong"], "gym:... and pettingzoo:..., not pong"),
    (["foreign", "gym:CartPole-v1", "--rounds", "0"], "--rounds is 0"),
    (["ablate", "--env", "pung"], "did you mean pong"),
    (["ablate", "--row", "muon"], "Muon"),
    (["ablate", "--seeds", "1"], "a standard deviation needs 2"),
    (["train", "--net", "mlp"], "mlp2x64"),
    (["train", "--seconds", "0"], "--seconds is 0"),
    (["train", "--processes", "0"], "--processes is 0"),
    (["solve"], "takes one environment"),
    (["solve", "pung"], "did you mean pong"),
    (["solve", "pong", "--seeds", "0"], "--seeds is 0"),
    (["seeds"], "takes one environment"),
    (["seeds", "pong", "--seeds", "0"], "--seeds is 0"),
    (["seeds", "pong", "--first", "-1"], "--first is -1"),
    (["learn"], "solve"),
]


@pytest.mark.parametrize(("argv", "words"), BAD, ids=[" ".join(argv) for argv, _ in BAD])
def test_bad_flags_are_one_clear_error(argv, words, capsys):
    assert main(["bench", *argv]) == 1
    error = capsys.readouterr().err
    assert words in error and "Traceback" not in error


def test_what_workers_lose_between_trials(capsys):
    assert main(["bench", "slots", "--workers", "2", "--trials", "6", "--seconds", "0.2", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert 0 < row["busy"] < 1 and row["worth"] == pytest.approx(2 * row["busy"], abs=0.01)
    assert row["lost_per_trial"] > 0
    assert main(["bench", "slots", "--workers", "0"]) == 1


def test_waits_for_whole_commands_are_told(capsys, monkeypatch):
    """What is timed here is nothing: the commands themselves have tests of their own."""
    told = []
    monkeypatch.setattr(wait, "_timed", lambda *words: told.append(words[0]) or 0.25 * len(told))
    assert main(["bench", "wait", "--rounds", "2", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert told == ["train", "export", "--help", "export", "--help", "export"]
    assert [(row["command"], row["seconds"]) for row in rows] == [("help", 1.0), ("export", 1.25)]
