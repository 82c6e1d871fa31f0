"""Robots from URDF: the Panda's own comes back as it is built in, a made-up one reaches, and what is no arm is told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import cffi
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as tries
from hypothesis import strategies as st
from robots import joint, link, panda, six
from test_env_arm import REST, frames, masses, rotation

from minnow import envs
from minnow.cinfer import compile
from minnow.cinfer.errors import MinnowError
from minnow.cli.main import main
from minnow.envs import robot, urdf
from minnow.envs.spec import FLAGS, declared_name

LANES, STAND = 16, (0.1, -0.7, 0.9, 1.3, 1.3, 0.7)


def made(folder: Path, text: str, **options: Any) -> robot.Arm:
    path = folder / "robot.urdf"
    path.write_text(text)
    return robot.arm(urdf.read(path), **options)


def test_the_panda_comes_back(tmp_path: Path) -> None:
    """Kinematics and mass matrix in NumPy, then those of C with the written header beside those built in."""
    arm = made(tmp_path, panda(), tip="hand", rest=REST.round(9))
    poses = REST + np.random.default_rng(0).uniform(-0.5, 0.5, (LANES, 7))
    for q in poses:
        assert np.allclose(arm.places(q), frames(q), atol=1e-12) and np.allclose(
            arm.mass_matrix(q), masses(q), atol=1e-9
        )
    (tmp_path / "again.h").write_text(robot.header(arm))
    probe = Path(__file__).with_name("arm_probe.c")
    (tmp_path / "again.c").write_text(f'#include "again.h"\n#include "{probe}"\n')
    ffi, found = cffi.FFI(), []
    ffi.cdef("void probe_mass(float *, float, float *, float *); void probe_place(float *, float *, float *);")
    ffi.cdef("void probe_inertias(float *);")
    for source in (probe, tmp_path / "again.c"):
        lib: Any = ffi.dlopen(str(compile.shared([source], flags=FLAGS, name=source.stem)))
        q, at, turn = np.ascontiguousarray(poses.T, np.float32), np.zeros((3, LANES), "f4"), np.zeros((4, LANES), "f4")
        mass, level0 = np.zeros((7, 8, LANES), "f4"), np.zeros(7, "f4")
        p = [ffi.cast("float *", each.ctypes.data) for each in (q, at, turn, mass, level0)]
        lib.probe_place(p[0], p[1], p[2])
        lib.probe_mass(p[0], 0.0, p[1], p[3])
        lib.probe_inertias(p[4])
        found.append((at, turn, mass, level0))
    for (ours, theirs), most in zip(zip(*found, strict=True), (1e-6, 1e-6, 2e-6, 1e-3), strict=True):
        assert np.allclose(ours, theirs, rtol=0, atol=most)


def hand_of(text: Path, q: np.ndarray) -> np.ndarray:
    """Where `tool` is, [4, 4], by Rodrigues' formula along the URDF's joints."""
    at, angles = np.eye(4), iter(q)
    at[0, 3] = -0.615
    for each in urdf.read(text).way("tool"):
        at = at @ each.origin
        if each.kind != "fixed":
            x, y, z = each.axis
            k, angle, turn = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]]), next(angles), np.eye(4)
            turn[:3, :3] += np.sin(angle) * k + (1 - np.cos(angle)) * k @ k
            at = at @ turn
    return at


def test_a_robot_of_six_joints_reaches(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By the command line, with the two lines of docs/robotics.md; observations are where its URDF says."""
    (tmp_path / "six.urdf").write_text(six())
    place = tmp_path / "six_reach"
    assert main(["arm", "import", str(tmp_path / "six.urdf"), "-o", str(place / "robot.h"), "--hand", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["joints"] == [f"j{i}" for i in range(6)] and not told["notes"]
    (place / "six_reach.c").write_text('#define TASK_NAME "six_reach"\n#include "robot.h"\n#include "reach/reach.c"\n')
    shutil.copy(envs.folder("reach") / "train.toml", place)
    spec = envs.spec(place)
    assert spec.heads == 7 and declared_name(place) == "six_reach"
    assert [field.name for field in spec.fields[:6]] == [f"q{i}" for i in range(1, 7)]
    for level in (0, 2):
        vector = envs.Vector(place, 8, seed=1, params={"level": level, "limit": 1000, "near": 0.005})
        b, rng = vector.buffers(), np.random.default_rng(2)
        vector.reset(b)
        assert np.allclose(b.obs[:, :6], told["rest"], atol=0.1)
        assert np.allclose(b.obs[:, 16:19], robot.START, atol=0.1)
        for _ in range(60):
            b.action[:] = rng.uniform(-1, 1, b.action.shape)
            vector.step(b)
            assert np.abs(b.obs[:, 8:14]).max() < 3.11  # rad/s, as its limits say
        assert np.ptp(b.obs[:, :6], axis=0).min() > 0.2
        for seen in b.obs.astype(float):
            hand = hand_of(tmp_path / "six.urdf", seen[:6])
            assert np.allclose(seen[16:19], hand[:3, 3] + robot.TCP * hand[:3, 2], atol=5e-6)
            assert np.allclose(rotation(seen[19:23]), hand[:3, :3], atol=5e-6)
    assert len(vector.draw(0)) > 15


BARE = six().replace("<inertial>", "<visual>").replace("</inertial>", "</visual>")
TWO = joint("k0", ("tool", "m0"), (0, 0, 0.1), kind="continuous") + link("m0")
TWO += joint("k1", ("m0", "m1"), (0, 0, 0.1), kind="continuous") + link("m1")
STIFF = six("fixed").replace('"j2" type="revolute"', '"j2" type="fixed"')


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not XML"),
        ("<robot", "not XML"),
        ('<?xml version="1.0" encoding="utf-99"?><robot/>', "not XML"),
        ("<mujoco/>", "<mujoco>, not <robot>"),
        ('<!DOCTYPE r [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;">]><robot name="r">&b;</robot>', "document type"),
        ('<robot xmlns:xacro="http://ros.org/wiki/xacro"><xacro:include/></robot>', "xacro"),
        ("<robot/>", "one link that hangs from nothing"),
        (six("prismatic"), "'j3' on the way to the tip is prismatic"),
        (six("floating"), "stands still on its base"),
        (six("screw"), "'screw', not one of"),
        (six(more='<mimic joint="j1"/>'), "mimics 'j1'"),
        (STIFF.replace('"j1" type="revolute"', '"j1" type="fixed"'), "3 joints turn"),
        (six().replace("</robot>", f"{TWO}</robot>"), "8 joints turn"),
        (BARE, "no mass or no inertia"),
        (six().replace('izz="0.025"', 'izz="-0.025"'), "no inertia of a solid"),
        (six().replace('lower="-3.1"', 'lower="3.2"'), "not below its upper one"),
        (six().replace('lower="-3.1"', ""), "no <limit> with lower and upper"),
        (six().replace('xyz="0 2 0"', 'xyz="0 0 0"'), "axis has no length"),
        (six().replace('xyz="0 2 0"', 'xyz="0 nan 0"'), "it takes numbers, 3 of them"),
        (six().replace('xyz="0 2 0"', 'xyz="0 1"'), "it takes numbers, 3 of them"),
        (six().replace('<child link="tool"/>', '<child link="tol"/>'), "'tol', which is not there"),
        (six().replace('<child link="tool"/>', '<child link="l2"/>'), "hangs from two joints"),
        (six().replace('<parent link="base"/>', '<parent link="l3"/>'), "in a ring"),
        (six().replace('<link name="tool"/>', '<link name="tool"/><link name="tool"/>'), "two elements <link>"),
        (six().replace('<link name="tool"/>', "<link/>"), "has no name"),
        (panda(), "--tip left or right"),
    ],
)  # fmt: skip
def test_what_is_no_arm_is_told(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(MinnowError) as error:
        made(tmp_path, text, rest=STAND)
    assert words in str(error.value)


def test_what_a_person_asks_wrongly_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(MinnowError, match="did you mean tool"):
        made(tmp_path, six(), tip="tol")
    with pytest.raises(MinnowError, match="--rest takes 6 angles"):
        made(tmp_path, six(), rest=(0.0, 9.0, 0.0, 0.0, 0.0, 0.0))
    with pytest.raises(MinnowError, match="--base-x"):
        made(tmp_path, six(), base_x=-3.0)
    source = str(tmp_path / "robot.urdf")
    for words, told in (
        (["imprt", source], "did you mean import"),
        (["import", source, "-o", "robot.txt"], "must end in .h"),
        (["import", str(tmp_path / "none.urdf"), "-o", str(tmp_path / "r.h")], "none.urdf"),
    ):
        assert main(["arm", *words]) == 1 and told in capsys.readouterr().err
    assert not list(tmp_path.glob("*.h"))


def test_what_hangs_aside_is_carried_and_said(tmp_path: Path) -> None:
    arm = made(tmp_path, panda(), tip="hand", rest=REST.round(9))
    assert any("left is not on the way" in note and "link7" in note for note in arm.notes)
    assert arm.bodies[-1].mass == pytest.approx(1.495522)
    bare = made(tmp_path, six(), rest=STAND)
    held = made(tmp_path, six(), rest=STAND, hand=True)
    assert held.bodies[-1].mass - bare.bodies[-1].mass == pytest.approx(0.76)
    endless = made(tmp_path, six("continuous").replace('name="six"', 'name="*/ x"'), rest=STAND)
    assert endless.high[3] == robot.TURNS and any("j3 is continuous" in note for note in endless.notes)
    assert "*/ x" not in robot.header(endless)


@tries(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, len(six()) - 1), st.integers(0, 30), st.text("0-9<>/\"'=. e&;-", max_size=6))
def test_a_damaged_file_is_told_or_read(tmp_path_factory: Any, at: int, gone: int, put: str) -> None:
    text = six()
    try:
        arm = made(tmp_path_factory.mktemp("r"), text[:at] + put + text[at + gone :], rest=STAND)
    except MinnowError as error:
        assert str(error).strip()
    else:
        assert np.isfinite(arm.mass_matrix(np.array(STAND))).all()
