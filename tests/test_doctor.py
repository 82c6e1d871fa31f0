"""`minnow doctor`: faults hidden between a policy and a simulator are named, and sound ones are not accused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from test_simulators import MANISKILL, MUJOCO

from minnow import cinfer, envs
from minnow.bench import doctor as bench
from minnow.bench.faults import Fault, faults
from minnow.cinfer.errors import MinnowError
from minnow.cli.main import main
from minnow.export.normaliser import normaliser
from minnow.train import doctor
from minnow.train.doctor.words import finding

PICK = envs.ours("pick_cube")
POLICY = envs.OURS.parent / "web" / "policies" / "pick_cube.minnow"
FAULTS = faults(envs.spec(PICK), 1)


@pytest.fixture(scope="module")
def home() -> doctor.Home:
    return doctor.at(PICK)


def named(home: doctor.Home, on: str | Path, fault: Fault) -> None:
    """The doctor finds the fault, what mends it, and nothing else; and says where."""
    ((mend, sure),) = doctor.mends(home, envs.place(on), fault)
    assert mend.kind == fault.kind and fault.change(mend), mend
    told = finding(mend, sure, envs.spec(PICK), "pick_cube", str(on))
    assert told.seen and told.change and sure > 0.5
    if fault.kind not in ("lag", "target", "rate"):
        assert all(word in told.where for word in fault.where), told


@pytest.mark.parametrize("fault", FAULTS[::4], ids=lambda fault: fault.name)
def test_faults_are_named(home: doctor.Home, fault: Fault) -> None:
    named(home, PICK, fault)


@pytest.mark.full
@pytest.mark.parametrize("seed", [2, 3])
@pytest.mark.parametrize("which", range(len(FAULTS)), ids=lambda i: FAULTS[i].name)
@pytest.mark.parametrize(
    "on",
    [
        "pick_cube",
        pytest.param("mujoco/pick_cube", marks=MUJOCO),
        pytest.param("maniskill/PickCube-v1", marks=MANISKILL),
    ],
)
def test_all_faults_are_named(home: doctor.Home, which: int, seed: int, on: str) -> None:
    named(home, on, faults(envs.spec(PICK), seed)[which])


@pytest.mark.parametrize("randomize", [0.0, 0.3])
def test_the_sound_are_not_accused(home: doctor.Home, randomize: float) -> None:
    assert doctor.mends(home, PICK, None, randomize) == []


def test_choices_that_have_changed_places() -> None:
    """Of a game of choices; beside it the same game as it is."""
    place = envs.ours("cartpole")
    home = doctor.at(place)
    swapped = Fault("", "action order", frozenset(), act=lambda rows: 1 - rows.done[0])
    ((mend, sure),) = doctor.mends(home, place, swapped)
    assert dict(mend.choices) == {0: [1, 0]}
    left, right = envs.spec(place).head[0].labels
    told = finding(mend, sure, envs.spec(place), "cartpole", "it")
    assert told.change == f"give {left} as {right}, {right} as {left}"
    assert doctor.mends(home, place, None, 0.3) == []


@pytest.mark.parametrize(("spoil", "kind"), [(bench.unlearned, "normaliser"), (bench.swapped, "statistics")])
def test_faults_of_the_file(spoil, kind: str, tmp_path: Path) -> None:
    file = bench.altered(POLICY, tmp_path / "policy.minnow", spoil)
    found = doctor.examine(cinfer.load(file), normaliser(file), PICK)
    assert {kind} <= {one.fault for one in found} <= {kind, "score"}
    if kind == "statistics":
        assert "q2 [1], q4 [3]" in found[0].where


def test_the_shipped_file_is_sound_and_names_are_compared() -> None:
    policy, first = cinfer.load(POLICY), normaliser(POLICY)
    assert first is not None and first[0].shape == (42,) and first[0][1] == pytest.approx(0.5, abs=0.5)
    assert doctor.examine(policy, first, PICK) == []
    rows = policy.meta["observation"]
    rows[0], rows[6] = rows[6], rows[0]
    assert [one.fault for one in doctor.examine(policy, first, PICK)] == ["names"]


def test_the_verb(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    reach = POLICY.with_name("reach.minnow")
    assert main(["doctor", str(reach), "--on", "reach", "--json"]) == 0
    out, said = capsys.readouterr()
    assert json.loads(out) == [] and "units and rate: they are taken from reach" in said
    file = bench.altered(reach, tmp_path / "policy.minnow", bench.unlearned)
    assert main(["doctor", str(tmp_path), "--on", "reach", "--json"]) == 1
    rows = json.loads(capsys.readouterr().out)
    assert rows[0].keys() == {"fault", "where", "seen", "change", "confidence"}
    for words, why in (
        ([str(file), "--on", "cartpole"], "another task"),
        ([str(POLICY.with_name("snake.minnow")), "--on", "snake"], "doctor compares one list of numbers"),
        ([str(tmp_path / "policy.onnx"), "--on", "reach"], "is no policy"),
    ):
        assert main(["doctor", *words]) == 1
        assert why in capsys.readouterr().err


def test_what_is_seen_and_done() -> None:
    """A mend's arithmetic."""
    mend = doctor.Mend("order", take={0: 1, 1: 0}, factor={1: -2.0}, offset={2: 1.0}, heads={0: 1, 1: 0}, gain={2: 3.0})
    assert mend.see(np.array([[1.0, 2, 3]])).tolist() == [[2, -2, 4]]
    assert mend.act(np.array([[1.0, 2, 3]])).tolist() == [[2, 1, 9]]
    assert doctor.Mend("action order", choices={0: [1, 0]}).act(np.array([[0.0], [1.0]])).tolist() == [[1], [0]]
    with pytest.raises(MinnowError, match="one list of numbers"):
        doctor.at(envs.ours("2048"))
