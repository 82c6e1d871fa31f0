"""Robots as URDF, for tests: the Panda, of published facts, and one with six joints, of made-up measures."""

from __future__ import annotations

from math import pi

from test_env_arm import DH, LINKS

KEYS = ("ixx", "ixy", "ixz", "iyy", "iyz", "izz")
LIMITS = [(-2.8973, 2.8973), (-1.7628, 1.7628), (-2.8973, 2.8973), (-3.0718, -0.0698)]
LIMITS += [(-2.8973, 2.8973), (-0.0175, 3.7525), (-2.8973, 2.8973)]


def link(name: str, mass: float = 0, centre: tuple = (0, 0, 0), moments: tuple = ()) -> str:
    if not mass:
        return f'<link name="{name}"/>'
    inertia = " ".join(f'{key}="{x!r}"' for key, x in zip(KEYS, moments, strict=True))
    place = " ".join(map(repr, centre))
    inside = f'<origin xyz="{place}"/><mass value="{mass}"/><inertia {inertia}/>'
    return f'<link name="{name}"><inertial>{inside}</inertial></link>'


def joint(
    name: str, ends: tuple[str, str], xyz: tuple, rpy: tuple = (0, 0, 0), kind: str = "fixed", more: str = ""
) -> str:
    place, turn = (" ".join(map(repr, map(float, each))) for each in (xyz, rpy))
    return (
        f'<joint name="{name}" type="{kind}"><parent link="{ends[0]}"/><child link="{ends[1]}"/>'
        f'<origin xyz="{place}" rpy="{turn}"/>{more}</joint>'
    )


def limit(low: float, high: float, effort: float, velocity: float) -> str:
    return f'<limit lower="{low}" upper="{high}" effort="{effort}" velocity="{velocity}"/>'


def panda() -> str:
    """Hand and fingers too, which slide."""
    parts = [link("base")]
    for i, ((a, d, alpha), (mass, centre, moments)) in enumerate(zip(DH, LINKS[:7], strict=True)):
        turn = round(alpha / (pi / 2))
        xyz = (a, -turn * d, d if not turn else 0.0)
        more = f'<axis xyz="0 0 1"/>{limit(*LIMITS[i], 100, 0)}'
        parts += [link(f"link{i + 1}", mass, centre, moments)]
        parts += [
            joint(f"turn{i + 1}", (f"link{i}" if i else "base", f"link{i + 1}"), xyz, (alpha, 0, 0), "revolute", more)
        ]
    parts += [joint("flange", ("link7", "flange"), (0, 0, 0.107)), link("flange")]
    parts += [joint("fastened", ("flange", "hand"), (0, 0, 0), (0, 0, -pi / 4)), link("hand", *LINKS[7])]
    mass, (x, y, z), moments = LINKS[8]
    for side, way in (("left", 1), ("right", -1)):  # the two together are LINKS[8]
        half = tuple(m / 2 for m in moments)
        parts += [joint(side, ("hand", side), (0, 0, 0.0584), kind="prismatic", more=f'<axis xyz="0 {way} 0"/>')]
        parts += [link(side, mass / 2, (x, y, z - 0.0584), half)]
    return f'<?xml version="1.0"?><robot name="panda">{"".join(parts)}</robot>'


def six(kind: str = "revolute", more: str = "") -> str:
    """Axes along y, and a shoulder and elbow; frames are turned about several axes."""
    moments = (0.02, 0.001, -0.002, 0.03, 0.0005, 0.025)
    rows = [
        ((0, 0, 0.16), (0, 0, 0.3), "0 0 1", 150),
        ((0, 0.13, 0), (0, pi / 2, 0), "0 1 0", 150),
        ((0, -0.12, 0.42), (0, 0, 0), "0 1 0", 150),
        ((0, 0, 0.39), (0, pi / 2, 0), "0 2 0", 28),
        ((0, 0.09, 0), (0.1, 0, 0), "0 0 1", 28),
        ((0, 0, 0.095), (0, 0, 0.2), "0 1 0", 28),
    ]
    parts = [link("world"), link("base", 4, (0, 0, 0), moments), joint("stand", ("world", "base"), (0, 0, 0))]
    for i, (xyz, rpy, axis, effort) in enumerate(rows):
        told = f'<axis xyz="{axis}"/>{limit(-3.1, 3.1, effort, 3.1)}{more if i == 3 else ""}'
        parts += [
            joint(f"j{i}", (f"l{i - 1}" if i else "base", f"l{i}"), xyz, rpy, kind if i == 3 else "revolute", told)
        ]
        parts += [link(f"l{i}", 3.0 - 0.4 * i, (0.01, -0.02, 0.1), moments)]
    parts += [joint("end", ("l5", "tool"), (0, 0.082, 0), (-pi / 2, 0, 0)), link("tool")]
    return f'<robot name="six">{"".join(parts)}</robot>'
