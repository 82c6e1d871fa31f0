"""Metrics to Weights & Biases or trackio as well, where `--track` asks for it. Neither is needed otherwise.

Both packages have the same functions. A run is NAME/ID of the project `minnow`; a resumed run goes on under its name.
Where the numbers go is theirs to say: WANDB_MODE=offline keeps them in the run's folder, trackio keeps them on this
machine.
"""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any, Literal

from minnow.cinfer.errors import MinnowError, missing
from minnow.train.config import Config

Kind = Literal["none", "wandb", "trackio"]
PROJECT = "minnow"


def check(kind: Kind) -> None:
    """Raises MinnowError where the package is not installed."""
    if kind != "none" and importlib.util.find_spec(kind) is None:
        raise missing(f"{kind}, which --track asks for,", "track")


class Tracker:
    """One run of `kind`. Raises MinnowError where the service cannot be reached or does not know who asks."""

    def __init__(self, kind: Kind, config: Config, folder: Path) -> None:
        check(kind)
        name = f"{config.name}/{folder.name}"
        given: dict[str, Any] = {"project": PROJECT, "name": name, "config": config.to_dict(), "resume": "allow"}
        if kind == "wandb":
            given |= {"id": name.replace("/", "-"), "dir": str(folder)}
        try:
            self.run = importlib.import_module(kind).init(**given)
        except Exception as error:
            first = str(error).strip().splitlines()[:1] or [type(error).__name__]
            way = "log in (wandb login), or set WANDB_MODE=offline" if kind == "wandb" else "train without --track"
            raise MinnowError(f"{kind} did not start: {first[0]} Try: {way}.") from error

    def log(self, metrics: dict[str, float]) -> None:
        self.run.log({name: number for name, number in metrics.items() if name != "steps"}, step=int(metrics["steps"]))

    def close(self) -> None:
        self.run.finish()
