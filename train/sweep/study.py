"""The study that workers share: trials with two objectives, the score (higher) and the seconds of training (lower;
`worker.clock`).

Each trial is a run; each of its checkpoints is a point of its learning curve. The points before the last one are told
to the sampler as trials of their own with fewer steps (attribute `point_of`), so that it knows what a shorter training
of the same settings is worth; they are no results. A worker leaves a sign of life in its trial; a trial without one for
STALE seconds belongs to nobody and is tried again.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import random
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.samplers import TPESampler
from optuna.storages import BaseStorage, GrpcStorageProxy, JournalStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from minnow import envs
from minnow.cinfer.errors import MinnowError, unknown
from minnow.train.config import Config
from minnow.train.sweep.axes import STEPS, Axis, axes, scored, setting
from minnow.train.sweep.journal import Journal

FORMAT = 2  # 1 had seconds of the clock
STALE = 60.0  # seconds
EXPLORE = 0.2  # of the trials are drawn evenly from the whole space
EDGE = 0.05  # of a training length's range at either end: drawn anew, so that trials do not pile up on a bound
PARTS = 4  # of an axis, in tables
STARTUP = 10  # trials before the sampler has a model

optuna.logging.set_verbosity(optuna.logging.WARNING)
warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)


class Sampler(TPESampler):
    """Tree-structured Parzen estimator over all axes together, which goes on exploring."""

    def __init__(self, found: Sequence[Axis], seed: int | None) -> None:
        super().__init__(n_startup_trials=STARTUP, multivariate=True, constant_liar=True, seed=seed)
        self.axes = {axis.name: axis for axis in found}
        self.random = random.Random(seed)

    def sample_relative(self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, Any]) -> dict[str, Any]:
        params = super().sample_relative(study, trial, search_space)
        if params and self.random.random() < EXPLORE:
            params = {name: self._anywhere(name) for name in params}
        steps = self.axes.get(STEPS)
        if params and steps and not EDGE <= steps.share(params[STEPS]) <= 1 - EDGE:
            params[STEPS] = self._anywhere(STEPS)
        return params

    def _anywhere(self, name: str) -> Any:
        axis = self.axes[name]
        if axis.form == "choice":
            return self.random.choice(axis.choices)
        return axis.at(self.random.random())


@dataclass(frozen=True)
class Result:
    """A finished trial. `params` are positions on the axes; `curve` holds (steps, score, seconds), oldest first."""

    number: int
    params: dict[str, Any]
    score: float
    seconds: float
    began: float
    ended: float
    worker: str
    curve: list[tuple[int, float, float]]
    overrun: bool  # stopped by its deadline


def storage(url: str, journal: Journal | None = None) -> BaseStorage | str:
    """A journal file by its path, grpc://HOST:PORT, or a database as SQLAlchemy names it (postgresql://...)."""
    if url.startswith("grpc://"):
        host, _, port = url.removeprefix("grpc://").partition(":")
        if not port.isdigit():
            raise MinnowError(f"--storage is {url!r}: a gRPC proxy is named grpc://HOST:PORT.")
        return GrpcStorageProxy(host=host, port=int(port))
    if "://" in url:
        return url
    try:
        return JournalStorage(journal or Journal(url))
    except (ValueError, KeyError, TypeError, AttributeError):  # whatever comes of lines that are not a journal's
        raise MinnowError(
            f"{url} is damaged, or is not a journal: remove what does not belong there, or choose another --study."
        ) from None


class Study:
    """One study and what this machine asks of it. Where its storage is a journal, every method may raise Changed."""

    def __init__(self, study: optuna.Study, base: Config, found: list[Axis], journal: Journal | None = None) -> None:
        self.study, self.base, self.axes, self.journal = study, base, found, journal
        self.distributions = {axis.name: axis.distribution for axis in found}

    @classmethod
    def join(cls, base: Config, name: str, url: str, seed: int | None = None, recipe: Path | None = None) -> Study:
        """Makes the study, or joins the one of that name. Raises MinnowError where it is of another environment,
        other settings or another version."""
        found = axes(base, recipe)
        mine = {
            "format": FORMAT,
            "env": base.name,
            "source_hash": envs.spec(base.place).source_hash,
            "axes": json.dumps([asdict(axis) for axis in found]),
            "scored": json.dumps(scored(base, recipe)),
        }
        journal = None if "://" in url else Journal(url)
        with journal.lock() if journal else contextlib.nullcontext():
            if journal:
                journal.mend()
            study = optuna.create_study(
                storage=storage(url, journal),
                study_name=name,
                directions=["maximize", "minimize"],
                load_if_exists=True,
                sampler=Sampler(found, seed),
            )
            self = cls(study, base, found, journal)
            theirs = study.user_attrs
            _check(mine | theirs, mine, name)
            for key in mine.keys() - theirs.keys():  # it is new, or whoever made it was killed
                study.set_user_attr(key, mine[key])
            if not study.get_trials(deepcopy=False):
                # What was set by hand is the first trial, so that everything is compared with it.
                study.enqueue_trial(self.hand_set(), user_attrs={"hand_set": True}, skip_if_exists=True)
        return self

    @classmethod
    def open(cls, base: Config, name: str, url: str) -> Study:
        """An existing study, for reading. Raises MinnowError where there is none."""
        if "://" not in url and not Path(url).exists():
            raise MinnowError(f"there is no study at {url}: start one with: minnow sweep {base.name}")
        where = storage(url)
        names = optuna.get_all_study_names(where)
        if name not in names:
            raise MinnowError(f"{url} holds no study {name!r}; it holds: {', '.join(names) or 'none'}.")
        study = optuna.load_study(study_name=name, storage=where)
        attrs = study.user_attrs
        _check({"format": FORMAT, "env": base.name} | attrs, {"format": FORMAT, "env": base.name}, name)
        if "axes" not in attrs:
            raise MinnowError(f"the study {name!r} has hardly begun: go on with: minnow sweep {base.name}.")
        stored = [Axis(**{**row, "choices": tuple(row["choices"])}) for row in json.loads(attrs["axes"])]
        return cls(study, base, stored)

    def hand_set(self) -> dict[str, Any]:
        """The positions of train.toml's own settings."""
        return {axis.name: axis.position(setting(self.base, axis.name)) for axis in self.axes}

    def ask(self, trials: int, worker: str) -> optuna.Trial | None:
        """The next trial, or None once `trials` are done or taken."""
        with self._alone():
            self.retry_lost()
            if len(self._taken()) >= trials:
                return None
            trial = self.study.ask(self.distributions)
            trial.set_user_attr("worker", worker)
            self.beat(trial)
            # Without a lock another worker may have taken the last one in between.
            if sorted(item.number for item in self._taken()).index(trial.number) >= trials:
                trial.set_user_attr("surplus", True)
                self._end(trial.number)
                return None
            return trial

    def waits(self) -> bool:
        """Whether somebody still has a trial, which will be tried again if that is lost."""
        return bool(self._own(TrialState.RUNNING))

    def beat(self, trial: optuna.Trial) -> None:
        """A sign of life. Raises optuna's UpdateFinishedTrialError where the trial was given up as lost."""
        trial.set_user_attr("alive", time.time())

    def tell(
        self,
        trial: optuna.Trial,
        curve: list[tuple[int, float, float]],
        began: float,
        overrun: bool,
        endpoint: bool = False,
    ) -> None:
        """The points of a trial's curve; none: it failed, and is not tried again. endpoint: only the last one counts,
        and a trial that its deadline stopped has failed. Raises as `beat` does."""
        with self._alone():
            trial.set_user_attr("began", began)
            trial.set_user_attr("ended", time.time())
            trial.set_user_attr("curve", curve)
            trial.set_user_attr("overrun", overrun)
            if not curve or not math.isfinite(curve[-1][1]) or (endpoint and overrun):
                trial.set_user_attr("failed", True)
                self._end(trial.number)
                return
            self._end(trial.number, [curve[-1][1], curve[-1][2]])
        length = next((axis for axis in self.axes if axis.name == STEPS), None)
        for steps, score, seconds in () if endpoint else curve[:-1]:
            if length is None or not length.low <= steps <= length.high or not math.isfinite(score):
                continue
            self.study.add_trial(
                optuna.trial.create_trial(
                    params=trial.params | {STEPS: steps},
                    distributions=self.distributions,
                    values=[score, seconds],
                    user_attrs={"point_of": trial.number},
                )
            )

    def _end(self, number: int, values: list[float] | None = None) -> None:
        """A trial is done, with these values, or has failed. Raises UpdateFinishedTrialError where it was so before."""
        try:
            self.study.tell(number, values, state=TrialState.FAIL if values is None else None)
        except ValueError as error:  # as Optuna says it where it looks before it writes
            raise UpdateFinishedTrialError(str(error)) from None

    def retry_lost(self) -> None:
        """Puts the trials of dead workers back in the queue."""
        for trial in self._own(TrialState.RUNNING):
            began = 0.0 if trial.datetime_start is None else trial.datetime_start.timestamp()
            if time.time() - trial.user_attrs.get("alive", began) < STALE:
                continue
            with contextlib.suppress(UpdateFinishedTrialError):  # another worker was first
                self._end(trial.number)
                if "failed" not in trial.user_attrs:
                    self.study.enqueue_trial(trial.params, user_attrs={"retry_of": trial.number})

    def _taken(self) -> list[FrozenTrial]:
        """Trials that count: those at work, done, or failed by themselves."""
        found = self._own(TrialState.RUNNING, TrialState.COMPLETE, TrialState.FAIL)
        return [trial for trial in found if trial.state != TrialState.FAIL or "failed" in trial.user_attrs]

    def _alone(self) -> contextlib.AbstractContextManager[object]:
        """Nobody else changes the study within, where its storage can see to that."""
        return self.journal.lock() if self.journal else contextlib.nullcontext()

    def _own(self, *states: TrialState) -> list[FrozenTrial]:
        found = self.study.get_trials(deepcopy=False, states=states)
        return [trial for trial in found if "point_of" not in trial.user_attrs and "surplus" not in trial.user_attrs]

    def results(self) -> list[Result]:
        """The finished trials, oldest first."""
        rows = []
        for trial in self._own(TrialState.COMPLETE):
            attrs = trial.user_attrs
            score, seconds = trial.values
            curve = [tuple(point) for point in attrs["curve"]]
            rows.append(
                Result(
                    trial.number,
                    trial.params,
                    score,
                    seconds,
                    attrs["began"],
                    attrs["ended"],
                    attrs["worker"],
                    curve,
                    attrs["overrun"],
                )
            )
        return rows

    def parts(self, name: str) -> dict[str, list[Result]]:
        """The finished trials by a setting that is turned: by its values where they are few, else by quarters of its
        range. Raises MinnowError where it is not turned."""
        axis = next((axis for axis in self.axes if axis.name == name), None)
        if axis is None:
            raise unknown("setting that is turned", name, [axis.name for axis in self.axes])
        each = axis.form == "choice" or (axis.form in ("integer", "power") and axis.high - axis.low < PARTS)
        bounds = [] if each else [axis.value(axis.at(i / PARTS)) for i in range(PARTS + 1)]
        found: dict[Any, list[Result]] = {}
        for result in self.results():
            place = result.params[name]
            found.setdefault(place if each else min(PARTS - 1, int(PARTS * axis.share(place))), []).append(result)
        return {
            f"{axis.value(key)}" if each else f"{bounds[key]:.3g} to {bounds[key + 1]:.3g}": found[key]
            for key in (sorted(found) if axis.form != "choice" else found)
        }

    def importances(self) -> dict[str, float]:
        """How much each axis decides the score (PED-ANOVA; Watanabe, Bansal, Hutter, 2023), largest first; empty where
        too few trials are done."""
        done = self._own(TrialState.COMPLETE)
        if len(done) < STARTUP:
            return {}
        copy = optuna.create_study(direction=StudyDirection.MAXIMIZE)
        for trial in done:
            copy.add_trial(
                optuna.trial.create_trial(params=trial.params, distributions=trial.distributions, value=trial.values[0])
            )
        return optuna.importance.get_param_importances(copy, evaluator=optuna.importance.PedAnovaImportanceEvaluator())


def front(results: Sequence[Result]) -> list[Result]:
    """Those that no other beats in both score and seconds, fastest first."""
    best: list[Result] = []
    for result in sorted(results, key=lambda item: (item.seconds, -item.score)):
        if not best or result.score > best[-1].score:
            best.append(result)
    return best


def busy(results: Sequence[Result]) -> float | None:
    """The share of the workers' time, from each one's first trial to its last, that trials took."""
    spans: dict[str, list[Result]] = {}
    for result in results:
        spans.setdefault(result.worker, []).append(result)
    whole = sum(max(r.ended for r in rows) - min(r.began for r in rows) for rows in spans.values())
    return sum(r.ended - r.began for r in results) / whole if whole > 0 else None


def _check(theirs: dict[str, Any], mine: dict[str, Any], name: str) -> None:
    words = {
        "format": "of another version of minnow",
        "env": "of another environment",
        "source_hash": "of another version of the environment: its source has changed since",
        "scored": "scored at other parameters: [sweep.score] has changed since",
        "axes": "over other ranges: train.toml or the environment's parameters have changed since",
    }
    for key, value in mine.items():
        if theirs.get(key) != value:
            raise MinnowError(f"the study {name!r} is {words[key]}. Choose another name with --study.")


def worker_name(slot: int) -> str:
    return f"{os.uname().nodename}-{os.getpid()}-{slot}"
