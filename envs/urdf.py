"""A robot's description in URDF, as far as an arm needs it: links with what they weigh, joints with what limits them.

The format: <robot> holds <link> and <joint>; a joint's frame lies at <origin> in its parent's (metres; roll, pitch, yaw
about fixed axes, radians) and is its child link's. Documents that declare a DTD are refused, so that no entity
expands."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from minnow.cinfer.errors import MinnowError, unknown

MOST_BYTES = 1 << 24
HUGE = 1e9  # no measure of an arm is
KINDS = ("revolute", "continuous", "prismatic", "fixed", "floating", "planar")


@dataclass(frozen=True)
class Inertia:
    """kg; the centre, m, in the link's frame; kg m^2 about it, [3, 3] along the axes of that frame."""

    mass: float
    centre: np.ndarray
    about: np.ndarray


@dataclass(frozen=True)
class Joint:
    """`origin`: its frame in the parent link's, [4, 4]. low, high: rad; effort, N m, and velocity, rad/s, are 0 where
    the file gives none."""

    name: str
    kind: str
    parent: str
    child: str
    origin: np.ndarray
    axis: np.ndarray
    low: float
    high: float
    effort: float
    velocity: float
    mimics: str


@dataclass(frozen=True)
class Robot:
    """A tree of links: each but `root` is the child of one joint. Links that weigh nothing have None."""

    name: str
    root: str
    links: dict[str, Inertia | None]
    joints: dict[str, Joint]  # by the child link

    def way(self, tip: str) -> list[Joint]:
        """The joints from the root to a link."""
        if tip not in self.links:
            raise unknown("link of the robot", tip, self.links)
        found: list[Joint] = []
        while tip != self.root:
            found.append(self.joints[tip])
            tip = found[-1].parent
        return found[::-1]

    def ends(self) -> list[str]:
        """The links that no joint goes on from."""
        parents = {joint.parent for joint in self.joints.values()}
        return [name for name in self.links if name not in parents]


def read(path: Path) -> Robot:
    """Raises MinnowError where the file is not a URDF of one tree."""
    if path.stat().st_size > MOST_BYTES:
        raise MinnowError(
            f"{path} has more than {MOST_BYTES >> 20} MB: a URDF names its meshes, and does not hold them."
        )
    try:
        return _robot(_parsed(path.read_bytes()))
    except MinnowError as error:
        raise MinnowError(f"{path}: {error}") from None


class _NoDoctype(ElementTree.TreeBuilder):
    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise MinnowError("it declares a document type (<!DOCTYPE>), which a URDF has no use for: remove that.")


def _parsed(data: bytes) -> ElementTree.Element:
    parser = ElementTree.XMLParser(target=_NoDoctype())
    try:
        parser.feed(data)
        return parser.close()
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise MinnowError(f"it is not XML ({error}): give a URDF.") from None


def _robot(top: ElementTree.Element) -> Robot:
    if any("xacro" in part.tag for part in top.iter()):
        raise MinnowError("it is a xacro file, from which a URDF is made first: xacro robot.urdf.xacro > robot.urdf")
    if top.tag != "robot":
        raise MinnowError(f"its outermost element is <{top.tag}>, not <robot>: give a URDF.")
    links = {_name(each): _inertia(each) for each in _unique(top, "link")}
    joints: dict[str, Joint] = {}
    for each in _unique(top, "joint"):
        joint = _joint(each)
        for link in (joint.parent, joint.child):
            if link not in links:
                raise MinnowError(f"joint {joint.name!r} names the link {link!r}, which is not there.")
        if joint.child in joints:
            raise MinnowError(
                f"the link {joint.child!r} hangs from two joints, {joints[joint.child].name!r} and {joint.name!r}."
            )
        joints[joint.child] = joint
    roots = [name for name in links if name not in joints]
    if len(roots) != 1:
        told = ", ".join(map(repr, roots)) or "none"
        raise MinnowError(f"a robot has one link that hangs from nothing; here there are {len(roots)}: {told}.")
    robot = Robot(top.get("name", "robot"), roots[0], links, joints)
    reached = {roots[0]}
    for _ in joints:
        reached |= {joint.child for joint in joints.values() if joint.parent in reached}
        if len(reached) == len(links):
            break
    if len(reached) < len(links):
        raise MinnowError(f"these links hang from each other in a ring: {', '.join(sorted(set(links) - reached))}.")
    return robot


def _unique(top: ElementTree.Element, tag: str) -> list[ElementTree.Element]:
    found = top.findall(tag)
    names = [_name(each) for each in found]
    twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
    if twice is not None:
        raise MinnowError(f"two elements <{tag}> are called {twice!r}.")
    return found


def _name(element: ElementTree.Element) -> str:
    name = element.get("name")
    if not name:
        raise MinnowError(f"an element <{element.tag}> has no name.")
    return name


def _numbers(element: ElementTree.Element | None, key: str, default: list[float], where: str) -> list[float]:
    text = None if element is None else element.get(key)
    if text is None:
        return default
    try:
        found = [float(word) for word in text.split()]
    except ValueError:
        found = []
    if len(found) != len(default) or not all(abs(number) < HUGE for number in found):
        raise MinnowError(f'{where}: {key}="{text[:40]}": it takes numbers, {len(default)} of them, below {HUGE:g}.')
    return found


def _origin(element: ElementTree.Element | None, where: str) -> np.ndarray:
    angles = _numbers(element, "rpy", [0.0] * 3, where)
    (cr, cp, cy), (sr, sp, sy) = (list(map(f, angles)) for f in (math.cos, math.sin))
    found = np.eye(4)
    found[:3, :3] = [
        [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
        [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
        [-sp, cp * sr, cp * cr],
    ]
    found[:3, 3] = _numbers(element, "xyz", [0.0] * 3, where)
    return found


def _inertia(link: ElementTree.Element) -> Inertia | None:
    inertial, where = link.find("inertial"), f"link {_name(link)!r}"
    if inertial is None:
        return None
    (mass,) = _numbers(inertial.find("mass"), "value", [0.0], where)
    if mass < 0:
        raise MinnowError(f"{where}: its mass is {mass:g} kg, below 0.")
    tensor = inertial.find("inertia")
    xx, xy, xz, yy, yz, zz = (
        _numbers(tensor, key, [0.0], where)[0] for key in ("ixx", "ixy", "ixz", "iyy", "iyz", "izz")
    )
    origin = _origin(inertial.find("origin"), where)
    about = origin[:3, :3] @ np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]) @ origin[:3, :3].T
    return Inertia(mass, origin[:3, 3], about)


def _joint(element: ElementTree.Element) -> Joint:
    name = _name(element)
    where = f"joint {name!r}"
    kind = element.get("type", "")
    if kind not in KINDS:
        raise MinnowError(f"{where}: its type is {kind!r}, not one of {', '.join(KINDS)}.")
    ends = [part.get("link", "") if (part := element.find(tag)) is not None else "" for tag in ("parent", "child")]
    axis = np.array(_numbers(element.find("axis"), "xyz", [1.0, 0.0, 0.0], where))
    size = float(np.linalg.norm(axis))
    if kind not in ("fixed", "floating") and not size > 1e-6:
        raise MinnowError(f"{where}: its axis has no length.")
    limit, mimic = element.find("limit"), element.find("mimic")
    if kind == "revolute" and (limit is None or "lower" not in limit.attrib or "upper" not in limit.attrib):
        raise MinnowError(
            f"{where}: it is revolute and has no <limit> with lower and upper; without any it is continuous."
        )
    low, high, effort, velocity = (
        _numbers(limit, key, [0.0], where)[0] for key in ("lower", "upper", "effort", "velocity")
    )
    if kind == "revolute" and not low < high:
        raise MinnowError(f"{where}: its lower limit, {low:g}, is not below its upper one, {high:g}.")
    return Joint(
        name,
        kind,
        ends[0],
        ends[1],
        _origin(element.find("origin"), where),
        axis / size if size > 0 else axis,
        low,
        high,
        max(effort, 0.0),
        max(velocity, 0.0),
        "" if mimic is None else mimic.get("joint", "another"),
    )
