"""What the doctor says: of each mend a sentence of what was seen and one of what to change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from minnow import envs

from .mends import KNOWN, Mend

MOST = 9  # numbers that are named one by one


@dataclass(frozen=True)
class Finding:
    """fault: its kind. where: what it is about. seen: what was seen, and why it is wrong. change: what to do.
    confidence: 0 to 1."""

    fault: str
    where: str
    seen: str
    change: str
    confidence: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def finding(mend: Mend, confidence: float, spec: envs.Spec, home: str, on: str) -> Finding:
    """spec: of the training world, whose names are said."""
    names, heads = [field.name for field in spec.fields], [head.name for head in spec.head]
    kind = mend.kind.split()[-1]
    where, seen, change = _SAID[mend.kind if mend.kind in _SAID else kind](mend, _Say(names, heads, home, on, spec))
    return Finding(mend.kind, where, seen, change, round(max(0.0, min(1.0, confidence)), 3))


@dataclass(frozen=True)
class _Say:
    names: list[str]
    heads: list[str]
    home: str
    on: str
    spec: envs.Spec

    def of(self, places: Iterable[int], what: str = "observation") -> str:
        """observations q1 [0], q2 [1]"""
        rows = sorted(places)
        if len(rows) > MOST:
            return f"{len(rows)} {what}s from {self.names[rows[0]]} [{rows[0]}] to {self.names[rows[-1]]} [{rows[-1]}]"
        names = self.names if what == "observation" else self.heads
        return f"{what}{'s' * (len(rows) > 1)} " + ", ".join(f"{names[i]} [{i}]" for i in rows)


Said = tuple[str, str, str]


def _order(mend: Mend, say: _Say) -> Said:
    if mend.choices:
        ((head, to),) = mend.choices.items()
        labels = say.spec.head[head].labels or tuple(map(str, range(len(to))))
        pairs = ", ".join(f"{labels[c]} as {labels[k]}" for c, k in enumerate(to) if c != k)
        return (
            say.of([head], "action"),
            f"choices of {say.heads[head]} do there what others do at home",
            f"give {pairs}",
        )
    what, names, take = ("action", say.heads, mend.heads) if mend.heads else ("observation", say.names, mend.take)
    pairs = ", ".join(f"{names[k]} [{k}] at place {i} ({names[i]})" for i, k in sorted(take.items()))
    also = f", negated: {', '.join(names[i] for i in {**mend.factor, **mend.gain})}" if mend.factor or mend.gain else ""
    if what == "action":
        seen = f"heads answer in another order than in {say.home}"
        return say.of(take, what), seen, f"give the simulator, of what the policy says, {pairs}{also}"
    seen = f"what {say.on} shows at these places moves, or begins, as others do in {say.home}"
    return say.of(take), seen, f"give the policy, of what the simulator shows, {pairs}{also}"


def _sign(mend: Mend, say: _Say) -> Said:
    what, rows = ("action", mend.gain) if mend.gain else ("observation", mend.factor)
    seen = f"{'answers' if what == 'action' else 'goes'} the opposite way of {say.home}'s"
    return say.of(rows, what), seen, f"multiply {say.of(rows, what)} by -1"


def _scale(mend: Mend, say: _Say) -> Said:
    what, rows = ("action", mend.gain) if mend.gain else ("observation", mend.factor)
    by = next(iter(rows.values()))
    unit = KNOWN.get(1 / by if what == "observation" else by, "") or KNOWN.get(round(1 / by, 5), "")
    told = f": {unit}" if unit and what == "observation" else ""
    size = f"{abs(1 / by):.4g} times as {'far' if what == 'action' else 'large'} as in {say.home}{told}"
    return (
        say.of(rows, what),
        f"{'goes' if what == 'action' else 'is'} {size}",
        f"multiply {say.of(rows, what)} by {by:.6g}",
    )


def _quaternion(mend: Mend, say: _Say) -> Said:
    rows = sorted(mend.take)
    first = mend.take[rows[0]] == rows[-1]
    there, here = ("xyzw", "wxyz") if first else ("wxyz", "xyzw")
    to = f"take {[mend.take[i] for i in rows]} of the simulator's numbers for places {rows}"
    return say.of(rows), f"the quaternion comes as {there}; {say.home} has {here}", f"{to}"


def _offset(mend: Mend, say: _Say) -> Said:
    rows = ", ".join(f"{by:+.4g} to {say.names[j]} [{j}]" for j, by in sorted(mend.offset.items()))
    seen = f"begins elsewhere than in {say.home}: another zero, or another frame"
    return say.of(mend.offset), seen, f"add {rows}"


def _lag(mend: Mend, say: _Say) -> Said:
    seen = f"answers an action {mend.lag} step{'s' * (mend.lag > 1)} later than in {say.home}"
    change = (
        "give the policy the newest observation and take its action in the same step; what was kept back is too old"
    )
    return say.of(mend.late), seen, change


def _target(mend: Mend, say: _Say) -> Said:
    there, here = ("absolute", "relative") if mend.gain[-1] > 0 else ("relative", "absolute")
    seen = f"places follow the action itself, not its sum: targets are absolute, and {say.home}'s are relative"
    if there == "relative":
        seen = f"places follow the sum of actions: targets are relative, and {say.home}'s are absolute"
    add = "add what is measured to each target" if there == "absolute" else "take what is measured from each target"
    return "action", seen, f"have the simulator's targets {here} ({add})"


def _rate(mend: Mend, say: _Say) -> Said:
    times = mend.gain[-1]
    rate = say.spec.tick_rate / say.spec.action_repeat
    seen = f"for the same speed places go {times:.2g} times as far in a step as in {say.home}: a step is so much longer"
    return "rate", seen, f"act {rate:g} times a second, not about {rate / times:.2g}"


def _constant(mend: Mend, say: _Say) -> Said:
    return say.of(mend.late), f"never changes, and actions move it in {say.home}", "have the simulator fill it in"


def _unlike(mend: Mend, say: _Say) -> Said:
    seen = f"does not behave as in {say.home}, and no change that was tried mends it"
    return say.of(mend.late), seen, "compare what the simulator computes here with what minnow envs says"


_SAID = {
    "order": _order,
    "sign": _sign,
    "scale": _scale,
    "quaternion": _quaternion,
    "offset": _offset,
    "lag": _lag,
    "target": _target,
    "rate": _rate,
    "constant": _constant,
    "unlike": _unlike,
}
