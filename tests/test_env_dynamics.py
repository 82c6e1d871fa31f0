"""The arm's mass matrix and its levels of fidelity, beside an independent arm in NumPy."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import cffi
import numpy as np
import pytest
from test_env_arm import LINKS, REST, frames, masses

from minnow import envs
from minnow.cinfer import compile
from minnow.envs.spec import FLAGS

LANES = 16
FFI: Any = cffi.FFI()
FFI.cdef("void probe_mass(float *q, float kg, float *place, float *out);")
FFI.cdef("void probe_inertias(float *out);")
FFI.cdef("void probe_swing(float *q, float *v, float level, float sag, float seconds, int parts);")


@functools.cache
def probe() -> Any:
    source = Path(__file__).with_name("arm_probe.c")
    return FFI.dlopen(str(compile.shared([source], flags=FLAGS, name="arm_probe")))


def pointer(array: np.ndarray) -> Any:
    return FFI.cast("float *", array.ctypes.data)


def poses(spread: float) -> np.ndarray:
    """[16, 7]"""
    return REST + np.random.default_rng(5).uniform(-spread, spread, (LANES, 7))


def swung(q: np.ndarray, v: np.ndarray, level: int, sag: float, seconds: float, parts: int) -> tuple[Any, Any]:
    q, v = (np.ascontiguousarray(x.T, np.float32) for x in (q, v))
    probe().probe_swing(pointer(q), pointer(v), level, sag, seconds, parts)
    return q.T.astype(float), v.T.astype(float)


def height(q: np.ndarray) -> float:
    """Of all masses together, kg m."""
    found = frames(q)
    return sum(m * (found[min(i, 7)] @ [*c, 1])[2] for i, (m, c, _) in enumerate(LINKS))


def faster(q: np.ndarray, v: np.ndarray, sag: float) -> np.ndarray:
    """Accelerations by Lagrange's equations, from differences of the kinetic and the potential energy."""
    step = 1e-4
    slopes = np.array([(masses(q + d) - masses(q - d)) / (2 * step) for d in step * np.eye(7)])
    weight = np.array([(height(q + d) - height(q - d)) / (2 * step) for d in step * np.eye(7)])
    coriolis = np.einsum("kij,k,j->i", slopes, v, v) - 0.5 * np.einsum("kij,i,j->k", slopes, v, v)
    return np.linalg.solve(masses(q), -coriolis - sag * 9.81 * weight)


def test_the_mass_matrix() -> None:
    q = poses(0.8)
    wanted = np.array([masses(each) for each in q])
    for kg in (0.0, 0.5):
        place = np.array([(frames(each)[-1] @ [0.01, 0.02, 0.1, 1])[:3] for each in q])
        out = np.zeros((7, 8, LANES), np.float32)
        columns = [np.ascontiguousarray(x.T, np.float32) for x in (q, place)]
        probe().probe_mass(pointer(columns[0]), kg, pointer(columns[1]), pointer(out))
        for lane, each in enumerate(q):
            found = frames(each)
            axes = np.array([found[j][:3, 2] for j in range(7)])
            moved = np.cross(axes, place[lane] - np.array([found[j][:3, 3] for j in range(7)]))
            low = np.tril(wanted[lane] + kg * moved @ moved.T)
            assert np.allclose(np.tril(out[:, :7, lane]), low, atol=2e-5, rtol=1e-5)


def test_the_inertias_of_level_0_are_the_mass_matrix_s() -> None:
    inertias = np.zeros(7, np.float32)
    probe().probe_inertias(pointer(inertias))
    assert np.allclose(inertias, np.diag(masses(REST)), rtol=2e-3, atol=1e-4)


def test_full_dynamics_fall_as_lagrange_says() -> None:
    """A quarter of a second without drives under half of the arm's weight, against Runge and Kutta's fourth order."""
    q, v, step = REST.copy(), np.linspace(0.8, -0.8, 7), 0.025
    end, speed = swung(np.tile(q, (LANES, 1)), np.tile(v, (LANES, 1)), 2, 0.5, 0.005, 50)
    for _ in range(10):
        slopes = [(v, faster(q, v, 0.5))]
        for share in (0.5, 0.5, 1.0):
            at = [x + share * step * d for x, d in zip((q, v), slopes[-1], strict=True)]
            slopes.append((at[1], faster(at[0], at[1], 0.5)))
        q, v = (
            x + step / 6 * (d[0] + 2 * d[1] + 2 * d[2] + d[3])
            for x, d in zip((q, v), zip(*slopes, strict=True), strict=True)
        )
    assert np.abs(end[0] - q).max() < 5e-4 and np.abs(speed[0] - v).max() < 5e-3


def test_energy_is_kept() -> None:
    """A swing of 0.2 s without drives under the whole weight: what heights lose, speeds gain."""

    def energy(q: np.ndarray, v: np.ndarray) -> np.ndarray:
        return np.array([0.5 * b @ masses(a) @ b + 9.81 * height(a) for a, b in zip(q, v, strict=True)])

    q, v = poses(0.2), np.random.default_rng(6).uniform(-0.5, 0.5, (LANES, 7))
    before, drift = energy(q, v), []
    for parts in (20, 40):
        end, speed = swung(q, v, 2, 1.0, 0.2 / parts, parts)
        drift.append(np.abs(energy(end, speed) - before).max() / 15)  # about what falling makes of it, J
    assert drift[0] < 1e-3 and drift[1] < 0.35 * drift[0]


def wandered(level: int, parts: int) -> np.ndarray:
    """Joints after 50 random steps, [30, 7]."""
    params = {"level": level, "substeps": parts, "start_spread": 0, "near": 0.005, "table": -0.05}
    vector = envs.Vector("reach", 30, seed=2, params=params | {"limit": 1000})
    b, rng = vector.buffers(), np.random.default_rng(1)
    vector.reset(b)
    for _ in range(50):
        b.action[:] = rng.uniform(-0.7, 0.7, b.action.shape)
        vector.step(b)
    return b.obs[:, :7].astype(float)


@pytest.mark.parametrize("level, parts, most", [(0, 5, 2.5e-3), (1, 5, 1.5e-3), (2, 5, 5e-4)])
def test_how_far_a_level_is_from_full_dynamics(level: int, parts: int, most: float) -> None:
    """Mean error of joints after 50 random steps, from full dynamics in 20 parts a step."""
    assert np.abs(wandered(level, parts) - wandered(2, 20)).mean() < most
