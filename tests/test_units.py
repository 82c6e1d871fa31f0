"""Units: what an environment's numbers mean, and what a policy's file says of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from minnow import envs
from minnow.cinfer.errors import MinnowError
from minnow.cli import export
from minnow.envs.units import Target, read

ARM = [name for name in envs.names() if "../arm/" in envs.source(name).read_text()]


@pytest.mark.parametrize("name", ARM)
def test_every_number_of_the_arm_has_a_unit(name: str) -> None:
    """But those that have none: quaternions, and whether it holds something."""
    spec, told = envs.spec(name), envs.units(name)
    assert told.quaternion == "wxyz"
    without = [field.name for field in spec.fields if not told.of(field.name)]
    assert all(word == "grasped" or word[-3:] in ("_qw", "_qx", "_qy", "_qz") for word in without)
    assert (told.of("q1"), told.of("v7"), told.of("finger_left"), told.of("finger_left_v")) == (
        "rad",
        "rad/s",
        "m",
        "m/s",
    )
    asked = [told.asked(head.name) for head in spec.head]
    reach = spec.param[spec.index("reach")].value
    assert [(one.low, one.high, one.target) for one in asked if one][:7] == [(-reach, reach, "relative")] * 7
    assert asked[7] == Target("m", -0.01, 0.04, "absolute")


def test_a_file_says_what_its_numbers_mean() -> None:
    place = envs.ours("reach")
    seen = export.observed(envs.spec(place), envs.units(place))
    assert seen[0] == {"name": "q1", "low": -2.8973, "high": 2.8973, "unit": "rad"} and "unit" not in seen[21]
    assert export.control(place) == {"history": 1, "rate": 20.0, "quaternion": "wxyz"}
    assert export.control(envs.ours("pong"), 4) == {"history": 1, "rate": 15.0}
    assert export.acts(place)[0] | {"unit": "rad", "target": "relative"} == export.acts(place)[0]
    assert export.acts(envs.ours("pong")) == [{"name": "move", "labels": list(envs.spec("pong").head[0].labels)}]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("quaternion = 'zyxw'", "must be wxyz or xyzw"),
        ("unit = 'm'", "unit means nothing"),
        ("[action]\na = {unit = 'm', low = 0, high = 1, target = 'there'}", "must be relative or absolute"),
        ("[action]\na = {unit = 'm'}", "no file of units"),
        ("= 3", "no file of units"),
    ],
)
def test_what_cannot_be_read(text: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "units.toml").write_text(text)
    with pytest.raises(MinnowError, match=why):
        read(tmp_path / "units.toml")
