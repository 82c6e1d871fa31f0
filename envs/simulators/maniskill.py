"""ManiSkill 3's tasks with a Panda: simulated by PhysX on the processor, one scene each, `pd_joint_delta_pos`, state
observations in its own order.

SAPIEN makes materials of the renderer even where nothing is drawn, which takes a Vulkan device; so stand-ins that do
nothing take their place unless pictures are asked for. What is simulated is the same to the bit."""

# pyright: reportMissingImports=false
from __future__ import annotations

import logging
from typing import Any

import numpy as np
import sapien
from sapien import physx, pysapien
from sapien.wrapper import urdf_loader

from minnow.cinfer.errors import MinnowError, unknown

from .task import Moment, Task, params

CONTROL = "pd_joint_delta_pos"
CUBE = 0.064  # kg: the mass of its cubes
DRIVES = {"arm": ("stiffness", "damping", "torque"), "gripper": ("grip", "grip_damping", "grip_force")}


class Inert:
    """Stands for a material or texture of the renderer."""

    def __init__(self, *_: Any, **settings: Any) -> None:
        self.__dict__.update(settings)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *_, **__: None


REAL = {name: getattr(sapien.render, name) for name in ("RenderMaterial", "RenderTexture2D")}


SYSTEM = sapien.render.RenderSystem


def _drawing(wanted: bool) -> None:
    sapien.render.RenderSystem = lambda *_: SYSTEM()  # any device: by name it finds no software renderer
    for module in (sapien.render, pysapien.render, urdf_loader):
        for name, kind in REAL.items():
            setattr(module, name, kind if wanted else Inert)


_drawing(False)
from mani_skill.utils.registration import REGISTERED_ENVS  # noqa: E402

logging.getLogger("mani_skill").setLevel(logging.ERROR)


class ManiSkill(Task):
    """task: its id there, such as PickCube-v1."""

    def __init__(self, task: str, randomize: float = 0.0, render_mode: str | None = None, **values: float) -> None:
        if task not in REGISTERED_ENVS:
            raise unknown("task of ManiSkill", task, REGISTERED_ENVS)
        _drawing(render_mode is not None)
        found = REGISTERED_ENVS[task]
        try:
            self.env: Any = found.cls(  # of which each task has its own
                obs_mode="state",
                control_mode=CONTROL,
                reward_mode="normalized_dense",
                num_envs=1,
                sim_backend="physx_cpu",
                render_backend="none" if render_mode is None else "cpu",
                render_mode=render_mode,
                **found.default_kwargs,
            )
        except RuntimeError as error:
            if render_mode is None:
                raise
            raise MinnowError(
                f"maniskill/{task} draws by Vulkan, and no device was found ({error}). Set VK_ICD_FILENAMES to a "
                "driver's .json file; in software, that of SwiftShader, which Chromium brings: "
                "VK_ICD_FILENAMES=/usr/lib/chromium/vk_swiftshader_icd.json"
            ) from None
        except (KeyError, AssertionError, NotImplementedError) as error:
            raise MinnowError(f"maniskill/{task} has no {CONTROL} or no state to observe: {error}") from None
        space = self.env.single_observation_space
        action = self.env.single_action_space.shape
        if len(space.shape or ()) != 1 or action != (8,):
            raise MinnowError(f"maniskill/{task} observes {space.shape} and takes {action}: it is no task of a Panda.")
        super().__init__(space.shape[0], found.max_episode_steps or 50, values, randomize, render_mode)
        bodies = map(_body, self.env.scene.actors.values())
        moving = [body for body in bodies if body is not None and not body.kinematic]
        self.bodies = [(body, body.mass, np.array(body.inertia)) for body in moving]
        self.links = [(link, link.mass, np.array(link.inertia)) for link in self.env.agent.robot._objs[0].links]
        self.touched = False

    def begin(self, seed: int) -> Moment:
        self._apply()
        obs, _ = self.env.reset(seed=seed)
        info = self.env.get_info()
        return self._moment(obs, info)

    def advance(self, action: np.ndarray) -> Moment:
        obs, _, _, _, info = self.env.step(np.asarray(action, np.float32))
        return self._moment(obs, info)

    def put(self, state: np.ndarray) -> Moment:
        env = self.env
        env.agent.reset(np.asarray(state[:9], np.float32))
        goal, place, turn = (state[part].tolist() for part in (slice(26, 29), slice(29, 32), slice(32, 36)))
        env.goal_site.set_pose(sapien.Pose(goal))
        env.cube.set_pose(sapien.Pose(place, turn))
        env.agent.controller.reset()
        info = env.get_info()
        return self._moment(env.get_obs(info), info)

    def render(self) -> np.ndarray:
        picture = self.env.render_rgb_array()
        return np.asarray(picture[0].cpu() if picture.ndim == 4 else picture.cpu(), np.uint8)

    def close(self) -> None:
        self.env.close()

    def _moment(self, obs: Any, info: dict[str, Any]) -> Moment:
        paid = self.env.compute_normalized_dense_reward(obs=obs, action=None, info=info)
        return Moment(obs[0].numpy(), bool(info["success"][0]), float(paid[0]))

    def _apply(self) -> None:
        """Gives the simulation this episode's parameters, unless they are its own."""
        value = self.value
        if not self.touched and all(value[param.name] == param.value for param in params()):
            return
        self.touched = True
        parts = self.env.agent.controller.controllers
        for name, words in DRIVES.items():
            config = parts[name].config
            config.stiffness, config.damping, config.force_limit = (value[word] for word in words)
            config.friction = value["joint_friction"] if name == "arm" else 0.0
            parts[name].set_drive_property()
        parts["arm"].action_space_low[:], parts["arm"].action_space_high[:] = -self.reach, self.reach
        for link, mass, inertia in self.links:
            link.set_mass(mass * value["link_mass"])
            link.set_inertia(inertia * value["link_mass"])
            if "finger" in link.name:
                _rub(link, value["finger_friction"])
        for body, mass, inertia in self.bodies:
            share = value["cube_mass"] / CUBE
            body.set_mass(mass * share)
            body.set_inertia(inertia * share)
            _rub(body, value["cube_friction"])
        scene = self.env.table_scene
        _rub(_body(scene.table), value["table_friction"])
        scene.robot_init_qpos_noise = value["start_spread"]


def _body(actor: Any) -> Any:
    """What moves of an actor of ManiSkill's; None where nothing can."""
    return actor._objs[0].find_component_by_type(physx.PhysxRigidDynamicComponent)


def _rub(body: Any, friction: float) -> None:
    """Gives a body a material of its own: ManiSkill's is shared by all that has none."""
    material = physx.PhysxMaterial(friction, friction, 0.0)
    for shape in body.collision_shapes:
        shape.set_physical_material(material)
