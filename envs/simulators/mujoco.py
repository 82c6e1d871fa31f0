"""Our own scene of the arm in MuJoCo: the tasks of pick_cube's kind, observed and steered as ManiSkill has it."""

# pyright: reportMissingImports=false, reportAttributeAccessIssue=false
from __future__ import annotations

import math
from typing import Any

import mujoco
import numpy as np

from minnow.cinfer.errors import MinnowError, unknown

from . import panda
from .task import ARM, Moment, Task

RATE = 20  # steps of control a second
PARTS = 50  # of simulation in one, 1000 a second: with many more, as many cubes are held
GRASP, ANGLE = 0.5, math.radians(85)  # N from each finger, within this of the way that it opens
TASKS = ("pick_cube",)
DRIVES = {  # by rows of actuators
    range(ARM): ("stiffness", "damping", "torque"),
    range(ARM, ARM + 2): ("grip", "grip_damping", "grip_force"),
}


class MuJoCo(Task):
    """pick_cube: the cube is held still near its goal, as ManiSkill's PickCube-v1 has it."""

    def __init__(self, task: str, randomize: float = 0.0, render_mode: str | None = None, **values: float) -> None:
        if task not in TASKS:
            raise unknown("task of MuJoCo", task, TASKS)
        super().__init__(42, 50, values, randomize, render_mode)
        self.model = mujoco.MjModel.from_xml_string(panda.scene(RATE * PARTS))
        self.data = mujoco.MjData(self.model)
        self.masses, self.inertias = self.model.body_mass.copy(), self.model.body_inertia.copy()
        self.tcp, self.hand = self.model.site("tcp").id, self.model.body("hand").id
        self.cube = self.model.body("cube").id
        owner = self.model.geom_bodyid
        self.geoms = {name: np.flatnonzero(owner == self.model.body(name).id) for name in ("cube", *panda.FINGERS)}
        self.sides = {int(geom): side for side in panda.FINGERS for geom in self.geoms[side]}
        self.links = [self.model.body(name).id for name in (*(f"link{i}" for i in range(1, ARM + 1)), "hand")]
        self.joints = slice(self.model.joint("joint1").qposadr[0], self.model.joint("right").qposadr[0] + 1)
        self.speeds = slice(self.model.joint("joint1").dofadr[0], self.model.joint("right").dofadr[0] + 1)
        self.limits = np.array([joint[3:] for joint in panda.JOINTS])
        self.renderer: Any = None

    def begin(self, seed: int) -> Moment:
        rng, state = np.random.default_rng(seed), np.zeros(42)
        self._apply()
        state[:9] = panda.REST
        state[:ARM] += self.value["start_spread"] * rng.standard_normal(ARM)
        half, yaw = panda.CUBE, rng.uniform(-1, 1) * math.pi  # as ManiSkill
        state[26:29] = *rng.uniform(-0.1, 0.1, 2), half + 0.3 * rng.uniform()
        state[29:36] = *rng.uniform(-0.1, 0.1, 2), half, math.cos(yaw / 2), 0, 0, math.sin(yaw / 2)
        return self.put(state)

    def put(self, state: np.ndarray) -> Moment:
        mujoco.mj_resetData(self.model, self.data)
        self.data.qpos[self.joints] = self.data.ctrl[:] = state[:9]
        self.data.joint("cube").qpos = state[29:36]
        self.data.mocap_pos[0] = self.goal = np.array(state[26:29])
        mujoco.mj_forward(self.model, self.data)
        return self._moment()

    def advance(self, action: np.ndarray) -> Moment:
        q = self.data.qpos[self.joints]
        self.data.ctrl[:ARM] = np.clip(q[:ARM] + self.reach * action[:ARM], *self.limits.T)
        self.data.ctrl[ARM:] = -0.01 + 0.025 * (action[ARM] + 1)
        mujoco.mj_step(self.model, self.data, PARTS)
        mujoco.mj_forward(self.model, self.data)
        if not np.isfinite(self.data.qpos).all():
            raise MinnowError(f"MuJoCo's numbers broke in step {self.tick}.")
        return self._moment()

    def render(self) -> np.ndarray:
        self.renderer = self.renderer or mujoco.Renderer(self.model, 512, 512)
        self.renderer.update_scene(self.data, "view")
        return self.renderer.render()

    def close(self) -> None:
        if self.renderer is not None:
            self.renderer.close()

    def _moment(self) -> Moment:
        data, held = self.data, self.grasped()
        tcp, cube = data.site_xpos[self.tcp], data.xpos[self.cube]
        v, away = data.qvel[self.speeds], np.linalg.norm(self.goal - cube)
        obs = [data.qpos[self.joints], v, [held], tcp, data.xquat[self.hand], self.goal]
        obs += [cube, data.xquat[self.cube], cube - tcp, self.goal - cube]
        success = away <= 0.025 and np.abs(v[:ARM]).max() <= 0.2
        # the normalized dense reward of ManiSkill's PickCube-v1, so that the two compare
        near = [1 - math.tanh(5 * np.linalg.norm(gap)) for gap in (cube - tcp, self.goal - cube)]
        still = (away <= 0.025) * (1 - math.tanh(5 * np.linalg.norm(v[:ARM])))
        return Moment(
            np.concatenate(obs), bool(success), 1.0 if success else (near[0] + held * (1 + near[1]) + still) / 5
        )

    def grasped(self) -> bool:
        """Whether both fingers hold the cube."""
        forces, data, wrench = {side: np.zeros(3) for side in panda.FINGERS}, self.data, np.zeros(6)
        for i in range(data.ncon):
            contact = data.contact[i]
            pair = {int(contact.geom1), int(contact.geom2)}
            side = next((self.sides[geom] for geom in pair if geom in self.sides), None)
            if side is None or int(self.geoms["cube"][0]) not in pair:
                continue
            mujoco.mj_contactForce(self.model, data, i, wrench)
            force = contact.frame.reshape(3, 3).T @ wrench[:3]  # on the second of the two
            forces[side] += force if int(contact.geom2) in self.sides else -force
        out = data.xmat[self.hand].reshape(3, 3)[:, 1]
        for side, way in zip(panda.FINGERS, (1, -1), strict=True):
            size = np.linalg.norm(forces[side])
            if size < GRASP or way * out @ forces[side] < size * math.cos(ANGLE):
                return False
        return True

    def _apply(self) -> None:
        """Gives the simulation this episode's parameters."""
        model, value = self.model, self.value
        for rows, (k, d, most) in DRIVES.items():
            model.actuator_gainprm[rows, 0] = value[k]
            model.actuator_biasprm[rows, 1] = -value[k]
            model.actuator_forcerange[rows] = -value[most], value[most]
            model.dof_damping[self.speeds][rows] = value[d]
        model.dof_frictionloss[self.speeds][:ARM] = value["joint_friction"]
        for body, share in (
            (self.links, value["link_mass"]),
            ([self.cube], value["cube_mass"] / self.masses[self.cube]),
        ):
            model.body_mass[body] = self.masses[body] * share
            model.body_inertia[body] = self.inertias[body] * share
        # two surfaces have the larger of their frictions here, their mean in PhysX: so the cube has next to none
        cube = value["cube_friction"]
        model.geom_friction[self.geoms["cube"], 0] = 1e-3
        model.geom_friction[model.geom("table").id, 0] = (value["table_friction"] + cube) / 2
        for side in panda.FINGERS:
            model.geom_friction[self.geoms[side], 0] = (value["finger_friction"] + cube) / 2
        mujoco.mj_setConst(model, mujoco.MjData(model))
