"""A scene of MuJoCo with a Panda, a table and a cube, of plain shapes, from the same published constants as envs/arm:
nothing of it comes from another model.

Sources: Franka Emika, "Robot and interface specifications" (Denavit-Hartenberg parameters in Craig's form, limits, the
hand); Gaz, Cognetti, Oliva, Robuffo Giordano and De Luca, RA-L 4(4), 2019 (masses, centres, inertias)."""

from __future__ import annotations

import math

# a, d, alpha, lowest, highest of each joint.
JOINTS = (
    (0.0, 0.333, 0.0, -2.8973, 2.8973),
    (0.0, 0.0, -1.0, -1.7628, 1.7628),
    (0.0, 0.316, 1.0, -2.8973, 2.8973),
    (0.0825, 0.0, 1.0, -3.0718, -0.0698),
    (-0.0825, 0.384, -1.0, -2.8973, 2.8973),
    (0.0, 0.0, 1.0, -0.0175, 3.7525),
    (0.088, 0.0, 1.0, -2.8973, 2.8973),
)  # alpha in quarters of a turn
# Mass, centre of mass, and Ixx Iyy Izz Ixy Ixz Iyz about it, in the link's frame.
LINKS = (
    (4.970684, (3.875e-3, 2.081e-3, -0.175), (0.70337, 0.70661, 9.117e-3, -1.39e-4, 6.772e-3, 1.9169e-2)),
    (0.646926, (-3.141e-3, -2.872e-2, 3.495e-3), (7.962e-3, 2.811e-2, 2.5995e-2, -3.925e-3, 1.0254e-2, 7.04e-4)),
    (3.228604, (2.7518e-2, 3.9252e-2, -6.6502e-2), (3.7242e-2, 3.6155e-2, 1.083e-2, -4.761e-3, -1.1396e-2, -1.2805e-2)),
    (3.587895, (-5.317e-2, 1.04419e-1, 2.7454e-2), (2.5853e-2, 1.9552e-2, 2.8323e-2, 7.796e-3, -1.332e-3, 8.641e-3)),
    (1.225946, (-1.1953e-2, 4.1065e-2, -3.8437e-2), (3.5549e-2, 2.9474e-2, 8.627e-3, -2.117e-3, -4.037e-3, 2.29e-4)),
    (1.666555, (6.0149e-2, -1.4117e-2, -1.0517e-2), (1.964e-3, 4.354e-3, 5.433e-3, 1.09e-4, -1.158e-3, 3.41e-4)),
    (0.735522, (1.0517e-2, -4.252e-3, 6.1597e-2), (1.2516e-2, 1.0027e-2, 4.815e-3, -4.28e-4, -1.196e-3, -7.41e-4)),
)
REST = (0.0, math.pi / 8, 0.0, -5 * math.pi / 8, 0.0, 3 * math.pi / 4, math.pi / 4, 0.04, 0.04)
CUBE = 0.02  # m: half its edge
FINGERS = ("left", "right")


def scene(steps_a_second: int) -> str:
    """MJCF. Contacts are harder than MuJoCo's own. The drives' damping is the joints': an actuator's leaves the
    implicit part of a step where its force is at its limit, and a light joint would take off.

    MuJoCo finds contact forces for the joints' inertias alone, and adds to these step * damping when it moves them
    (github.com/google-deepmind/mujoco/issues/3443): with long steps a wrist of 0.007 kg m^2 and 100 N m s/rad seems to
    give way to what a cube that stands at an angle presses it by, and too little force comes of it. So steps must be
    short (PARTS in mujoco.py), and fingers have the armature of MuJoCo Menagerie's Panda, 0.1 kg."""
    names = [*(f"joint{i}" for i in range(1, len(JOINTS) + 1)), *FINGERS]
    actuators = "".join(f'<position joint="{name}" kp="1000" forcerange="-100 100"/>' for name in names)
    return f"""<mujoco model="panda">
<compiler angle="radian" autolimits="true"/>
<option timestep="{1 / steps_a_second:g}" integrator="implicitfast" cone="elliptic" impratio="10"/>
<default><geom solref="0.01 1" solimp="0.995 0.999 0.001"/></default>
<visual><global offwidth="512" offheight="512"/></visual>
<worldbody>
<light pos="0.5 -0.5 1.5" dir="-0.4 0.4 -0.8"/>
<camera name="view" pos="0.6 0.7 0.6" xyaxes="-0.76 0.65 0 -0.25 -0.29 0.92"/>
<geom name="table" type="box" pos="-0.12 0 -0.05" size="0.6 1.2 0.05" rgba="0.2 0.24 0.3 1" condim="4"/>
<body name="cube" pos="0 0 {CUBE}"><freejoint name="cube"/>
<geom name="cube" type="box" size="{CUBE} {CUBE} {CUBE}" mass="0.064" rgba="0.9 0.34 0.18 1" condim="4"/></body>
<body name="goal" mocap="true"><geom type="sphere" size="0.02" rgba="0.48 0.83 0.54 0.6" contype="0" conaffinity="0"/>
</body>
<body name="base" pos="-0.615 0 0"><geom type="cylinder" size="0.06 0.05" pos="0 0 0.05" {_SEEN}/>
{_links(0)}
</body>
</worldbody>
<actuator>{actuators}</actuator>
</mujoco>"""


_SEEN = 'rgba="0.91 0.93 0.94 1" contype="0" conaffinity="0" mass="0"'  # of what is drawn alone


def _links(i: int) -> str:
    """The links from the i-th on, one inside the other, then the hand."""
    if i == len(LINKS):
        return _hand()
    a, d, alpha, low, high = JOINTS[i]
    mass, centre, inertia = LINKS[i]
    turn = f"{math.cos(alpha * math.pi / 4):.9f} {math.sin(alpha * math.pi / 4):.9f} 0 0"
    place = f"{a:g} {-math.sin(alpha * math.pi / 2) * d:g} {math.cos(alpha * math.pi / 2) * d:g}"
    nexts = JOINTS[i + 1] if i + 1 < len(JOINTS) else (0.0, 0.107, 0.0)
    slope = nexts[2] * math.pi / 2
    end = f"{nexts[0]:g} {-math.sin(slope) * nexts[1]:g} {math.cos(slope) * nexts[1]:g}"
    shape = "" if end == "0 0 0" or i == 4 else f'<geom type="capsule" fromto="0 0 0 {end}" size="0.05" {_SEEN}/>'
    return (
        f'<body name="link{i + 1}" pos="{place}" quat="{turn}" gravcomp="1">'
        f'<joint name="joint{i + 1}" axis="0 0 1" range="{low} {high}" damping="100"/>'
        f'<inertial mass="{mass}" pos="{" ".join(map(str, centre))}" fullinertia="{" ".join(map(str, inertia))}"/>'
        f"{shape}{_links(i + 1)}</body>"
    )


def _hand() -> str:
    """The hand, turned by -45 degrees, and its fingers: the same plain shapes as envs/arm touches things with."""
    fingers = "".join(
        f'<body name="{side}" pos="0 0 0.0584" gravcomp="1"><joint name="{side}" type="slide" axis="0 {way} 0" '
        'range="0 0.04" damping="100" armature="0.1"/>'
        '<inertial mass="0.015" pos="0 0 0.02" diaginertia="3e-6 3e-6 1e-6"/>'
        f'<geom name="{side}" type="box" size="0.00875 0.0076 0.00925" pos="0 {way * 0.0076:g} 0.0452" '
        'rgba="0.96 0.53 0.37 1" condim="4"/>'
        f'<geom type="box" size="0.00875 0.0055 0.018" pos="0 {way * 0.0145:g} 0.02" rgba="0.24 0.29 0.34 1" '
        'condim="4"/></body>'
        for side, way in zip(FINGERS, (1, -1), strict=True)
    )
    return (
        '<body name="hand" pos="0 0 0.107" quat="0.923879533 0 0 -0.382683432" gravcomp="1">'
        '<inertial mass="0.73" pos="-0.01 0 0.03" diaginertia="0.001 0.0025 0.0017"/>'
        '<geom name="palm" type="box" size="0.02 0.1 0.0292" pos="0 0 0.0292" rgba="0.91 0.93 0.94 1" condim="4"/>'
        f'<site name="tcp" pos="0 0 0.1034"/>{fingers}</body>'
    )
