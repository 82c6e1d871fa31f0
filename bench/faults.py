"""Faults of plumbing between a policy and a simulator, which `minnow bench doctor` hides and asks the doctor for."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from minnow import envs

DEGREES = 57.29578


class Faulty(envs.Rows):
    """Rows as they are seen, and acted on, through a fault."""

    def __init__(self, rows: envs.Rows, fault: Fault) -> None:
        self.inner, self.fault = rows, fault
        self.spec, self.num_envs, self.agents, self.rows = rows.spec, rows.num_envs, rows.agents, rows.rows

    def move(self, first_index: int) -> None:
        self.inner.move(first_index)

    def reset(self, buffers: envs.Buffers) -> None:
        self.inner.reset(buffers)
        self.begun = self.true = buffers.obs.copy()
        self.seen, self.done = [self.true] * 4, [np.zeros_like(buffers.action)] * 4
        buffers.obs[:] = self.fault.see(self)

    def step(self, buffers: envs.Buffers) -> None:
        self.done = [buffers.action.copy(), *self.done[:3]]
        for _ in range(self.fault.times):
            action = np.asarray(self.fault.act(self), buffers.action.dtype)
            self.inner.step(dataclasses.replace(buffers, action=action))
            self.true = buffers.obs.copy()
            new = buffers.reset.astype(bool)
            self.begun = np.where(new[:, None], self.true, self.begun)
        self.seen = [self.true, *self.seen[:3]]
        buffers.obs[:] = self.fault.see(self)

    def close(self) -> None:
        close = getattr(self.inner, "close", None)
        if close:
            close()


@dataclass(frozen=True)
class Fault:
    """name: what it does. kind: what the doctor calls it. where: the names of what is to be named. change: by what it
    is mended, in the doctor's terms. times: steps of the simulator in one."""

    name: str
    kind: str
    where: frozenset[str]
    change: Callable[[Any], bool] = lambda mend: True
    see: Callable[[Faulty], np.ndarray] = lambda rows: rows.true
    act: Callable[[Faulty], np.ndarray] = lambda rows: rows.done[0]
    times: int = 1

    def __call__(self, rows: envs.Rows) -> envs.Rows:
        return Faulty(rows, self)


def faults(spec: envs.Spec, seed: int = 0) -> list[Fault]:
    """Eighteen, for a task of the arm: where each strikes is drawn by the seed."""
    rng = np.random.default_rng(seed)
    names, heads = [field.name for field in spec.fields], [head.name for head in spec.head]
    at = {name: i for i, name in enumerate(names)}

    def joints(count: int, first: str = "q") -> list[str]:
        return [f"{first}{i}" for i in sorted(rng.choice(np.arange(1, 8), count, replace=False).tolist())]

    def order(*pairs: tuple[str, str]) -> dict[str, Any]:
        a, b = ([at[pair[i]] for pair in pairs] for i in (0, 1))

        def see(rows: Faulty) -> np.ndarray:
            out = rows.true.copy()
            out[:, a + b] = rows.true[:, b + a]
            return out

        take = dict(zip(a + b, b + a, strict=True))
        return {"see": see, "where": frozenset(sum(pairs, ())), "change": lambda mend: dict(mend.take) == take}

    def times(words: list[str], by: float) -> dict[str, Any]:
        places = [at[word] for word in words]

        def see(rows: Faulty) -> np.ndarray:
            out = rows.true.copy()
            out[:, places] *= by
            return out

        def change(mend: Any) -> bool:
            return {*mend.factor} == {*places} and all(0.7 < each * by < 1.4 for each in mend.factor.values())

        return {"see": see, "where": frozenset(words), "change": change}

    def turned(first: str) -> dict[str, Any]:
        wxyz = [at[f"{first}_q{axis}"] for axis in "wxyz"]

        def see(rows: Faulty) -> np.ndarray:
            out = rows.true.copy()
            out[:, wxyz] = rows.true[:, wxyz[1:] + wxyz[:1]]
            return out

        back = dict(zip(wxyz, wxyz[3:] + wxyz[:3], strict=True))
        return {"see": see, "where": frozenset(names[i] for i in wxyz), "change": lambda mend: dict(mend.take) == back}

    def acts(by: dict[str, float], take: dict[str, str] | None = None) -> dict[str, Any]:
        index = {name: i for i, name in enumerate(heads)}

        def act(rows: Faulty) -> np.ndarray:
            out = rows.done[0].copy()
            for one, other in (take or {}).items():
                out[:, index[one]] = rows.done[0][:, index[other]]
            for one, share in by.items():
                out[:, index[one]] *= share
            return out

        def change(mend: Any) -> bool:
            if take:
                return dict(mend.heads) == {index[one]: index[other] for one, other in take.items()}
            return {*mend.gain} == {index[one] for one in by} and all(
                0.7 < each * by[heads[i]] < 1.4 for i, each in mend.gain.items()
            )

        return {"act": act, "where": frozenset(take or by), "change": change}

    def from_the_start(rows: Faulty) -> np.ndarray:
        """What asks for a way from where joints are asks for one from where they began."""
        out = rows.done[0].copy()
        out[:, :7] = np.clip((rows.begun[:, :7] + 0.1 * out[:, :7] - rows.true[:, :7]) / 0.1, -1, 1)
        return out

    def offset(words: list[str], by: float) -> dict[str, Any]:
        places = [at[word] for word in words]

        def see(rows: Faulty) -> np.ndarray:
            out = rows.true.copy()
            out[:, places] += by
            return out

        def change(mend: Any) -> bool:
            return {*mend.offset} == {*places} and all(abs(each + by) < 0.3 * abs(by) for each in mend.offset.values())

        return {"see": see, "where": frozenset(words), "change": change}

    def dead(rows: Faulty) -> np.ndarray:
        out = rows.true.copy()
        out[:, at[still]] = 0
        return out

    all_of = {first: [f"{first}{i}" for i in range(1, 8)] for first in "qv"}
    still = joints(1, "v")[0]
    one, other = joints(2)
    a, b = (name.replace("q", "joint") for name in joints(2))
    c = joints(1)[0].replace("q", "joint")
    way = next(name[:-2] for name in names if "_to_" in name)
    axes = [f"{way}_{axis}" for axis in "xyz"]
    moved = [at[name] for name in names if name in all_of["q"] or name in all_of["v"]]
    every = frozenset(names[i] for i in moved)
    base = [f"tcp_{axis}" for axis in "x"]
    thing = "cube" if "cube_x" in at else "tcp"
    return [
        Fault("two joints' angles have changed places", "order", **order((one, other))),
        Fault(
            "two joints' angles and speeds have changed places",
            "order",
            **order((one, other), ("v" + one[1:], "v" + other[1:])),
        ),
        Fault("an angle is negated", "sign", **times(joints(1), -1)),
        Fault("angles are in degrees", "scale", **times(all_of["q"], DEGREES)),
        Fault("the opening of fingers is in millimetres", "scale", **times(["finger_left", "finger_right"], 1000)),
        Fault("the hand's quaternion is xyzw", "quaternion", **turned("tcp")),
        Fault("the thing's quaternion is xyzw", "quaternion", **turned(thing if f"{thing}_qw" in at else "tcp")),
        Fault("the way between hand and thing goes backwards", "sign", **times(axes, -1)),
        Fault("places are told from the arm's base", "offset", **offset(base, 0.615)),
        Fault(
            "observations come a step late",
            "lag",
            every,
            see=lambda rows: rows.seen[1],
            change=lambda mend: mend.lag == 1,
        ),
        Fault(
            "actions come two steps late",
            "lag",
            every,
            act=lambda rows: rows.done[2],
            change=lambda mend: mend.lag == 2,
        ),
        Fault("two heads have changed places", "action order", **acts({}, {a: b, b: a})),
        Fault("a head is negated", "action sign", **acts({c: -1})),
        Fault("the gripper opens where it should shut", "action sign", **acts({"gripper": -1})),
        Fault("actions go a third as far", "action scale", **acts(dict.fromkeys(heads[:7], 1 / 3))),
        Fault(
            "targets are absolute", "target", frozenset(), act=from_the_start, change=lambda mend: mend.gain[-1] == 1
        ),
        Fault(
            "a step lasts twice as long", "rate", frozenset(), times=2, change=lambda mend: 1.5 < mend.gain[-1] < 2.7
        ),
        Fault(
            "a speed always reads 0",
            "constant",
            frozenset([still]),
            see=dead,
            change=lambda mend: mend.late == (at[still],),
        ),
    ]
