"""What a policy's file says of itself, beside what it is and what home shows."""

from __future__ import annotations

from typing import Any

import numpy as np

from minnow import envs
from minnow.train import evaluation

from .probe import comparable
from .words import Finding

EPISODES = 64
BEYOND = 4.0  # deviations that the mean at home may be from the normaliser's
FLAT = 300.0  # 1 / deviation, from which a number did not vary in training
WEAK = 0.25  # of what it says it scores above chance, a policy may be short


Statistics = tuple[np.ndarray, np.ndarray]  # mean and 1 / deviation, [numbers] each


def examine(policy: Any, normaliser: Statistics | None, place: envs.Place) -> list[Finding]:
    """What is wrong with a policy (`cinfer.Policy`) by itself. normaliser: what its network begins with. place: the
    environment that it was trained in. Raises MinnowError where what that shows cannot be compared."""
    comparable(envs.spec(place))
    said = policy.meta
    config = said["config"] if isinstance(said.get("config"), dict) else {}
    params = config.get("env", {})
    spec, found = envs.spec(place), []
    names = [field.name for field in spec.fields]
    rows = said.get("observation")
    told = [row.get("name") for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    if told and told != names and len(told) == len(names) and all(told):
        wrong = [i for i, (one, other) in enumerate(zip(told, names, strict=True)) if one != other]
        text = ", ".join(f"{told[i]} at {i}, where {spec.name} has {names[i]}" for i in wrong[:8])
        found.append(
            Finding("names", f"inputs {wrong}", f"the file wants {text}", "give inputs in the file's order", 1.0)
        )
    wants = said.get("normalized") or config.get("policy", {}).get("normalize")
    if normaliser is not None and (normaliser[0] == 0).all() and (normaliser[1] == 1).all():
        normaliser = None  # it was never told of an observation
    if wants and normaliser is None:
        found.append(
            Finding(
                "normaliser",
                "the file",
                "it was trained on normalised observations, and its network begins without a normaliser",
                "export it with its statistics: (observation - mean) / deviation comes first",
                1.0,
            )
        )
    seen, score = played(policy, place, params)
    if normaliser is not None:
        found += statistics(normaliser, seen, names)
    promised = said.get("score")
    if isinstance(promised, int | float) and said.get("episodes"):
        chance = evaluation.evaluate(evaluation.RandomPlayer(spec), place, EPISODES, params=params).score_mean
        if promised > chance and score < promised - WEAK * (promised - chance):
            text = f"at home it scores {score:.3g}, and its file says {promised:.3g}"
            found.append(
                Finding("score", "the file", text, "look for the fault in the file, not in the simulator", 0.8)
            )
    return found


def statistics(normaliser: Statistics, seen: np.ndarray, names: list[str]) -> list[Finding]:
    """Whether the numbers that home shows, starts first, [samples][numbers] are those of training: of what a policy
    plays, or, since a bad one leaves what was seen in training, of where episodes begin."""
    mean, scale = normaliser
    away = np.minimum(*(np.abs(item.mean(0) - mean) * scale for item in (seen[:EPISODES], seen)))
    wrong = np.flatnonzero((scale < FLAT) & (away > BEYOND)).tolist()
    if not wrong:
        return []
    rows = ", ".join(f"{names[i]} [{i}]" for i in wrong)
    i = wrong[0]
    text = f"its normaliser has {mean[i]:.3g} for the mean of {names[i]}, which is {seen[:, i].mean():.3g} at home"
    change = "give the normaliser's means and deviations in the order of the inputs"
    return [Finding("statistics", f"inputs {rows}", text, change, 0.9)]


def played(policy: Any, place: envs.Place, params: dict[str, float]) -> tuple[np.ndarray, float]:
    """What a policy sees at home [samples][numbers], EPISODES starts first, and what it scores."""
    watch = _Watch(policy)
    score = evaluation.evaluate(watch, place, EPISODES, params=params).score_mean
    return np.concatenate(watch.seen), score


class _Watch(evaluation.FilePlayer):
    """A policy that keeps some of what it sees."""

    def __init__(self, policy: Any) -> None:
        super().__init__(policy)
        self.seen: list[np.ndarray] = []

    def act(self, obs: Any, mask: Any, reset: np.ndarray, alive: np.ndarray) -> np.ndarray:
        if len(self.seen) < 200:
            self.seen.append(obs[alive.astype(bool)][:256].copy())
        return super().act(obs, mask, reset, alive)
